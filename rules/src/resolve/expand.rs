//! Filling in a rule's texts for one target.

use std::collections::BTreeMap;

use super::roles::Slot;
use crate::declare::Declared;
use crate::interpolate::{Part, Template};
use crate::rule::Shape;
use crate::scope::Scope;
use crate::shell;
use crate::task::Results;
use crate::value::AttrValue;

/// What one interpolation stands for. That rules interpolate only what there is, and lists only
/// where there is room for them, is checked when they are read.
enum Words {
    /// An attribute that is not set.
    Unset,
    One(String),
    Many(Vec<String>),
}

/// Fills in texts.
pub(super) struct Expansion<'a> {
    pub(super) declared: &'a Declared,
    pub(super) slots: &'a BTreeMap<String, Vec<Slot>>,
    pub(super) scope: &'a dyn Scope,
}

impl Expansion<'_> {
    /// Whether the attribute `condition` is set and neither `#false` nor empty.
    pub(super) fn holds(&self, condition: Option<&str>) -> bool {
        let Some(name) = condition else { return true };
        if self.is_feedback(name) {
            return self.scope.feedback(&self.declared.label).is_some();
        }
        match self.declared.attrs.get(name) {
            None | Some(AttrValue::Bool(false)) => false,
            Some(AttrValue::List(values)) => !values.is_empty(),
            Some(AttrValue::Map(values)) => !values.is_empty(),
            Some(_) => true,
        }
    }

    /// The arguments that one template stands for: a list alone gives its elements, a list within
    /// a text repeats the text for each.
    pub(super) fn args(&self, template: &Template) -> Vec<String> {
        let mut args = vec![String::new()];
        for part in &template.parts {
            let words = self.words(part);
            match words {
                Words::Unset if template.parts.len() == 1 => return Vec::new(),
                Words::Unset => {}
                Words::One(word) => args.iter_mut().for_each(|arg| arg.push_str(&word)),
                Words::Many(words) => {
                    let with = |arg: &String| -> Vec<String> {
                        words.iter().map(|word| format!("{arg}{word}")).collect()
                    };
                    args = args.iter().flat_map(with).collect();
                }
            }
        }
        args
    }

    /// The text of a template; nothing if an attribute in it is not set.
    pub(super) fn text(&self, template: &Template) -> Option<String> {
        let mut text = String::new();
        for part in &template.parts {
            match self.words(part) {
                Words::Unset => return None,
                Words::One(word) => text.push_str(&word),
                Words::Many(words) => text.push_str(&words.join(" ")),
            }
        }
        Some(text)
    }

    /// A script, each interpolation as quoted words.
    pub(super) fn script(&self, template: &Template) -> String {
        let mut script = String::new();
        for (index, part) in template.parts.iter().enumerate() {
            let next = template.parts.get(index + 1);
            match (part, self.words(part)) {
                (Part::Text(text), _) => script.push_str(text),
                (_, Words::Unset) => script.push_str("''"),
                (_, Words::One(word)) => script.push_str(&shell::quoted_before(&word, next)),
                (_, Words::Many(words)) => {
                    let words: Vec<String> = words.iter().map(|word| shell::quoted(word)).collect();
                    script.push_str(&words.join(" "));
                }
            }
        }
        script
    }

    /// The secret's name, if the template is wholly a secret.
    pub(super) fn secret(&self, template: &Template) -> Option<String> {
        let attr = template.whole_field()?.first()?;
        match self.declared.attrs.get(attr) {
            Some(AttrValue::Secret(name)) => Some(name.clone()),
            _ => None,
        }
    }

    fn words(&self, part: &Part) -> Words {
        match part {
            Part::Text(text) => Words::One(text.clone()),
            Part::Field(path) => match self.declared.bound.get(path) {
                Some(value) => plain_words(value),
                None => self.field(path),
            },
        }
    }

    fn field(&self, path: &[String]) -> Words {
        let rule = &self.declared.rule;
        if let Some(seed) = seed(self.declared, self.scope).filter(|_| path[0] == "seed") {
            return Words::One(seed.to_string());
        }
        if let Some(attr) = rule.attr(&path[0]) {
            let single = attr.shape == Shape::Single;
            return match (self.declared.attrs.get(&attr.name), path.get(1)) {
                (None, _) if single => Words::Unset,
                (None, _) => Words::Many(Vec::new()),
                (Some(_), part) if attr.ty.is_file() => self.files(&attr.name, attr.shape, part),
                (Some(value), _) => plain_words(value),
            };
        }
        match path {
            [name] if name == "name" => Words::One(self.declared.label.target()),
            [name] if self.is_feedback(name) => {
                let feedback = self.scope.feedback(&self.declared.label);
                Words::One(feedback.as_deref().unwrap_or_default().to_owned())
            }
            [_] => self.outs(&rule.default_outs()),
            [_, out] => match rule.groups.iter().find(|group| group.name == *out) {
                Some(group) => {
                    let names: Vec<&str> = group.outs.iter().map(String::as_str).collect();
                    self.outs(&names)
                }
                None => self.outs(&[out]),
            },
            _ => Words::Unset,
        }
    }

    /// Whether `name` is what a person said, and no attribute.
    fn is_feedback(&self, name: &str) -> bool {
        name == "feedback" && self.declared.rule.attr(name).is_none()
    }

    fn files(&self, attr: &str, shape: Shape, part: Option<&String>) -> Words {
        let slots = self.slots.get(attr).map(Vec::as_slice).unwrap_or_default();
        let word = |slot: &Slot| match (part.map(String::as_str), &slot.key) {
            (Some("name"), _) => slot.path.name().to_owned(),
            (Some("stem"), _) => slot.path.stem().to_owned(),
            (Some("ext"), _) => slot.path.extension().unwrap_or_default().to_owned(),
            (_, Some(key)) => format!("{key}={}", slot.role),
            (_, None) => slot.role.clone(),
        };
        match (shape, slots) {
            (Shape::Single, [slot]) => Words::One(word(slot)),
            (Shape::Single, _) => Words::Unset,
            _ => Words::Many(slots.iter().map(word).collect()),
        }
    }

    fn outs(&self, names: &[&str]) -> Words {
        let role = |name: &&str| {
            let out = self.declared.outputs.iter().find(|out| out.name == **name)?;
            Some(out.role.clone())
        };
        let mut roles: Vec<String> = names.iter().filter_map(role).collect();
        match roles.len() {
            1 => roles.pop().map_or(Words::Unset, Words::One),
            _ => Words::Many(roles),
        }
    }
}

/// The seed of a seeded rule: the one that is given, and another for each take.
pub(super) fn seed(declared: &Declared, scope: &dyn Scope) -> Option<i64> {
    match declared.attrs.get("seed") {
        Some(AttrValue::Int(seed)) if declared.rule.results == Results::Seeded => {
            Some(seed.wrapping_add(i64::from(scope.take(&declared.label))))
        }
        _ => None,
    }
}

fn plain_words(value: &AttrValue) -> Words {
    match value {
        AttrValue::List(values) => Words::Many(values.iter().filter_map(AttrValue::text).collect()),
        AttrValue::Map(values) => {
            let pair =
                |(key, value): (&String, &AttrValue)| Some(format!("{key}={}", value.text()?));
            Words::Many(values.iter().filter_map(pair).collect())
        }
        value => value.text().map_or(Words::Unset, Words::One),
    }
}
