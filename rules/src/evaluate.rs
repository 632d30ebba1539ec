//! Interpolation in a target's own values: `{vars.x}`, `{name}`, and what the template or fan-out
//! around it gives; all known without its rule.

use std::sync::Arc;

use crate::binding::{Binding, Bindings};
use crate::codes::{FILE_IN_TEXT, LIST_IN_TEXT, MISSING_PARAM, UNKNOWN_INTERPOLATION, UNKNOWN_VAR};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::interpolate::{Part, Template, written};
use crate::placeholder::Placeholder;
use crate::read::{Problems, list};
use crate::suggest::did_you_mean;
use crate::syntax::{Scalar, Value};
use crate::value::AttrValue;
use crate::vars::{VarValue, Vars};

/// What a target's values may interpolate.
#[derive(Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The target's name.
    pub(crate) target: &'a str,
    /// The variables; none for the defaults of a rule.
    pub(crate) vars: Option<&'a Vars>,
    /// What else there is.
    pub(crate) bindings: &'a Bindings,
}

impl<'a> Names<'a> {
    /// The plain values that `value` stands for: one, or as many as a list variable has. None where
    /// something is wrong with it.
    pub(crate) fn values(self, value: &Value, problems: &mut Problems) -> Vec<Value> {
        let Scalar::Text(text) = &value.scalar else { return vec![value.clone()] };
        if !text.contains(['{', '}']) {
            return vec![value.clone()];
        }
        let Some(template) = problems.take(Template::parse(text, &value.anchor)) else {
            return Vec::new();
        };
        let of = |scalar| Value { scalar, ..value.clone() };
        if let Some(["vars", name]) = parts(template.whole_field()).as_deref() {
            let var = problems.take(self.var(name, &value.anchor));
            let values = var.into_iter().flat_map(|var| &var.scalars);
            return values.map(|plain| plain.at(value)).collect();
        }
        if let Some(path) = template.whole_field()
            && self.bindings.get(&path[0]).is_some()
        {
            let Some(binding) = problems.take(self.binding(path, &value.anchor)) else {
                return Vec::new();
            };
            return binding.values.iter().map(|plain| plain.at(value)).collect();
        }
        self.text(&template, problems).map(|text| of(Scalar::Text(text))).into_iter().collect()
    }

    /// What stands in for the file that `value` is wholly the name of.
    pub(crate) fn placeholder(self, value: &Value) -> Option<Arc<Placeholder>> {
        let path = value.text()?.strip_prefix('{')?.strip_suffix('}')?;
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        if let [vars, name] = path.as_slice()
            && vars == "vars"
        {
            return self.vars?.value(name)?.placeholder.clone();
        }
        self.bindings.get(&path[0])?.field(&path[1..])?.placeholder.clone()
    }

    /// `template` with every interpolation filled in.
    fn text(self, template: &Template, problems: &mut Problems) -> Option<String> {
        let before = problems.count();
        let mut text = String::new();
        for part in &template.parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::Field(path) => {
                    text.extend(problems.take(self.field(path, &template.anchor)));
                }
            }
        }
        (problems.count() == before).then_some(text)
    }

    fn field(self, path: &[String], anchor: &Anchor) -> Result<String, Diagnostic> {
        match parts(Some(path)).as_deref() {
            Some(["name"]) => Ok(self.target.to_owned()),
            Some(["vars", name]) => {
                let var = self.var(name, anchor)?;
                var.value.text().ok_or_else(|| {
                    let message = format!("`{name}` is a list, and a text has room for one value");
                    Diagnostic::error(LIST_IN_TEXT, message).at(anchor)
                })
            }
            Some([first, ..]) if self.bindings.get(first).is_some() => {
                let binding = self.binding(path, anchor)?;
                binding.as_text().ok_or_else(|| no_text(binding, path, anchor))
            }
            _ => Err(self.unknown(path, anchor)),
        }
    }

    /// What `path` stands for, whose first part is bound.
    fn binding(self, path: &[String], anchor: &Anchor) -> Result<&'a Binding, Diagnostic> {
        let whole = self.bindings.get(&path[0]).ok_or_else(|| self.unknown(path, anchor))?;
        whole.field(&path[1..]).ok_or_else(|| {
            let (last, outer) = path.split_last().expect("a path has a part");
            let known = outer.get(1..).and_then(|outer| whole.field(outer));
            let names: Vec<&str> =
                known.into_iter().flat_map(|known| known.fields.names()).collect();
            let near = did_you_mean(last, names.iter().copied());
            let hint = near.unwrap_or_else(|| match names.is_empty() {
                true => format!("`{}` has no fields", written(outer)),
                false => format!("`{}` has {}", written(outer), list(&names)),
            });
            let message = format!("`{}` names nothing here", written(path));
            Diagnostic::error(UNKNOWN_INTERPOLATION, message).at(anchor).hint(hint)
        })
    }

    fn unknown(self, path: &[String], anchor: &Anchor) -> Diagnostic {
        let near = path.first().and_then(|first| did_you_mean(first, self.bindings.names()));
        unknown(path, anchor).maybe_hint(near)
    }

    /// What `path` stands for in a text that a rule reads, if it is bound or a variable; a value,
    /// so that the rule may quote and repeat it.
    pub(crate) fn outer(
        self,
        path: &[String],
        anchor: &Anchor,
    ) -> Option<Result<AttrValue, Diagnostic>> {
        if self.bindings.get(&path[0]).is_some() {
            return Some(self.binding(path, anchor).and_then(|binding| match binding.file {
                true => Err(no_text(binding, path, anchor)),
                false => Ok(binding.to_value()),
            }));
        }
        match path {
            [vars, name] if vars == "vars" => {
                Some(self.var(name, anchor).map(|var| var.value.clone()))
            }
            _ => None,
        }
    }

    fn var(self, name: &str, anchor: &Anchor) -> Result<&'a VarValue, Diagnostic> {
        let Some(vars) = self.vars else {
            return Err(unknown(&["vars".into(), name.into()], anchor));
        };
        if let Some(declared) = vars.unset(name) {
            let message = format!("`{name}` needs a value");
            return Err(Diagnostic::error(MISSING_PARAM, message)
                .at(anchor)
                .noted(declared, "declared here without a default")
                .hint(format!(
                    "give it one: `--var {name}=VALUE`, or in a file with `--vars FILE`"
                )));
        }
        vars.value(name).ok_or_else(|| {
            Diagnostic::error(UNKNOWN_VAR, format!("no variable named `{name}`")).at(anchor).hint(
                did_you_mean(name, vars.names()).unwrap_or_else(|| {
                    "declare it in `vars` of this file or of WORKSPACE.kdl".into()
                }),
            )
        })
    }
}

fn parts(path: Option<&[String]>) -> Option<Vec<&str>> {
    path.map(|path| path.iter().map(String::as_str).collect())
}

/// The problem of `path` in a text, which `binding` does not fit.
fn no_text(binding: &Binding, path: &[String], anchor: &Anchor) -> Diagnostic {
    let name = written(path);
    if binding.file {
        let message = format!("`{name}` is a file, and a text has no room for it");
        let hint = "give it to an attribute that takes a file, or read its `.content` or `.stem`";
        return Diagnostic::error(FILE_IN_TEXT, message).at(anchor).hint(hint);
    }
    if binding.list {
        let message = format!("`{name}` is a list, and a text has room for one value");
        return Diagnostic::error(LIST_IN_TEXT, message).at(anchor);
    }
    let message = format!("`{name}` is not set here");
    Diagnostic::error(UNKNOWN_INTERPOLATION, message).at(anchor)
}

fn unknown(path: &[String], anchor: &Anchor) -> Diagnostic {
    let message = format!("`{}` names nothing here", written(path));
    Diagnostic::error(UNKNOWN_INTERPOLATION, message)
        .at(anchor)
        .hint("a target's values may interpolate `{name}` and `{vars.x}`")
}

impl AttrValue {
    /// How it reads in a text; nothing for lists, files, secrets and other values that do not.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Bool(flag) => Some(flag.to_string()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(number.0.to_string()),
            Self::Text(text) => Some(text.clone()),
            Self::Duration(duration) => Some(crate::units::seconds(*duration)),
            Self::Size(bytes) => Some(bytes.to_string()),
            Self::Label(label, _) => Some(label.to_string()),
            Self::File(_) | Self::Secret(_) | Self::List(_) | Self::Map(_) => None,
        }
    }
}
