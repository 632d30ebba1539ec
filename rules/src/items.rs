//! The items of a fan-out: what they are called, and what is known of each.

mod source;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use crate::binding::{Binding, Fields, scalar_text};
use crate::block::TargetDef;
use crate::codes::{BAD_ITEM, DUPLICATE_ITEM, TOO_MANY_ITEMS, UNKNOWN_INTERPOLATION};
use crate::diagnostic::{Checked, Diagnostic};
use crate::evaluate::Names;
use crate::fan_out::{Axis, Condition, Each, FanOut, Over};
use crate::frame::Frame;
use crate::label::{Label, WsPath, is_reference};
use crate::mentions::{mentions, mentions_fields};
use crate::read::{Problems, list};
use crate::rule::{AttrDef, AttrType};
use crate::scope::Scope;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Value};
use crate::typed::typed;
use crate::value::AttrValue;
use crate::vars::Vars;

/// One item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// What its child is called.
    pub id: Arc<str>,
    /// What braces stand for in it.
    pub bindings: Arc<Fields>,
}

/// The items of a fan-out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Items {
    /// They are these.
    Known(Vec<Arc<Item>>),
    /// They are in what a target makes.
    In(Source),
}

/// Where items are that are not known yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The target that makes them, or what says what they are.
    pub label: Label,
    /// Whether they are files, if that is known.
    pub files: Option<bool>,
}

/// The items of the fan-out `def`; nothing where it, or what it needs, has errors.
pub fn items(
    def: &TargetDef,
    frame: &Frame,
    vars: Option<&Vars>,
    scope: &dyn Scope,
) -> Checked<Option<Items>> {
    let Some(fan_out) = &def.fan_out else { return Checked::default() };
    let names = Names { target: &def.name, vars, bindings: &frame.bindings };
    let problems = Problems::default();
    let mut reading = Reading { def, fan_out, frame, names, scope, problems };
    let value = reading.items();
    let problems = reading.problems.0;
    let problems: Vec<_> = problems.into_iter().map(|problem| frame.traced(problem)).collect();
    Checked { value: value.filter(|_| problems.is_empty()), problems }
}

/// What stands for any item of the fan-out `def`, to check its targets before it has one; a file if
/// its items `are_files`.
pub fn any_item(def: &TargetDef, are_files: bool) -> Option<Item> {
    let fan_out = def.fan_out.as_ref()?;
    let text = || Binding::text(ANY);
    let any = || Binding { any: true, ..text() };
    let bindings = match &fan_out.over {
        Over::Matrix { axes, .. } => {
            axes.iter().map(|axis| (axis.name.clone().into(), any())).collect()
        }
        Over::Each(each) => {
            let file = || Binding::file(format!(":{ANY}"));
            let item = match are_files {
                true => file().with("stem", text()).with("content", text()).with("id", text()),
                false => any(),
            };
            let names = fan_out.block.members.iter().map(|member| member.name.to_string());
            let prev = names.fold(file(), |whole, name| whole.with(name, file()));
            Fields::from_iter([(each.item.clone().into(), item), ("prev".into(), prev)])
        }
    };
    Some(Item { id: ANY.into(), bindings: Arc::new(bindings) })
}

/// Whether the items of the fan-out `def` can only be files.
pub fn are_files(def: &TargetDef) -> bool {
    let Some(Over::Each(each)) = def.fan_out.as_ref().map(|fan_out| &fan_out.over) else {
        return false;
    };
    each.over.annotation.as_deref() == Some("glob")
}

/// The field that is the text of a file.
const CONTENT: &str = "content";

/// What stands for an item that is not known.
pub const ANY: &str = "any-item";

/// The target that the items of the fan-out `def` come from, if they come from one.
pub fn source(def: &TargetDef, frame: &Frame, vars: Option<&Vars>) -> Option<Label> {
    let Over::Each(each) = &def.fan_out.as_ref()?.over else { return None };
    let names = Names { target: &def.name, vars, bindings: &frame.bindings };
    let values = names.values(&each.over, &mut Problems::default());
    let text = values.first()?.text()?.to_owned();
    let reference = is_reference(&text).then(|| frame.place().reference(&text).ok())??;
    Some(reference.label)
}

struct Reading<'a> {
    def: &'a TargetDef,
    fan_out: &'a FanOut,
    frame: &'a Frame,
    names: Names<'a>,
    scope: &'a dyn Scope,
    problems: Problems,
}

/// An item that has no name yet, or one that was given.
struct Raw {
    id: Option<String>,
    /// What it is told by if it has no name.
    text: String,
    bindings: Fields,
}

impl Raw {
    /// What it is called; a digest of what it says if it has no name of its own.
    fn name(&self) -> String {
        self.id.clone().unwrap_or_else(|| short_digest(&self.text))
    }
}

impl Reading<'_> {
    fn items(&mut self) -> Option<Items> {
        if !self.is_there()? {
            return Some(Items::Known(Vec::new()));
        }
        let raw = match &self.fan_out.over {
            Over::Each(each) => match self.each(each)? {
                Ok(raw) => raw,
                Err(source) => return Some(Items::In(source)),
            },
            Over::Matrix { axes, zip } => self.matrix(axes, *zip)?,
        };
        self.named(raw).map(Items::Known)
    }

    fn is_there(&mut self) -> Option<bool> {
        let Some(when) = &self.fan_out.when else { return Some(true) };
        let attr = AttrDef::plain("when", AttrType::Bool, &when.anchor);
        match self.value(when, &attr)? {
            AttrValue::Bool(flag) => Some(flag),
            _ => None,
        }
    }

    /// The one typed value that `value` stands for.
    fn value(&mut self, value: &Value, attr: &AttrDef) -> Option<AttrValue> {
        let before = self.problems.count();
        let plain = self.names.values(value, &mut self.problems);
        if self.problems.count() > before {
            return None;
        }
        match plain.as_slice() {
            [one] => self.problems.take(typed(one, attr, self.frame.place())),
            several => {
                let message = format!("`{}` takes one value, not {}", attr.name, several.len());
                let problem = Diagnostic::error(BAD_ITEM, message).at(&value.anchor);
                let hint = "a `matrix` with one `axis` goes over the values of a list";
                self.problems.push(problem.hint(hint));
                None
            }
        }
    }

    fn is_mentioned(&self, path: &[&str]) -> bool {
        let of_node = |node: &Node| mentions(node, path);
        self.fan_out.block.members.iter().any(|member| of_node(&member.node))
    }

    fn matrix(&mut self, axes: &[Axis], zip: bool) -> Option<Vec<Raw>> {
        let before = self.problems.count();
        let mut columns: Vec<(&Axis, Vec<Value>)> = Vec::new();
        for axis in axes {
            let values = axis.values.iter();
            let plain = values.flat_map(|value| self.names.values(value, &mut self.problems));
            columns.push((axis, plain.collect()));
        }
        if self.problems.count() > before {
            return None;
        }
        let rows = if zip { self.zipped(&columns)? } else { self.product(&columns)? };
        let raw = rows.into_iter().map(|row| {
            let values: Vec<(&Axis, &Value)> =
                columns.iter().zip(row).map(|((axis, values), at)| (*axis, &values[at])).collect();
            let text = |value: &Value| scalar_text(&value.scalar).unwrap_or_default();
            let parts = values.iter().map(|(axis, value)| format!("{}={}", axis.name, text(value)));
            let id = parts.collect::<Vec<_>>().join(",");
            let bind = |(axis, value): &(&Axis, &Value)| {
                (axis.name.clone().into(), Binding::one(value.scalar.clone()))
            };
            Raw { id: Some(id), text: String::new(), bindings: values.iter().map(bind).collect() }
        });
        Some(raw.collect())
    }

    fn zipped(&mut self, columns: &[(&Axis, Vec<Value>)]) -> Option<Vec<Vec<usize>>> {
        let (first, values) = columns.first()?;
        for (axis, others) in columns {
            if others.len() != values.len() {
                let (here, there) = (others.len(), values.len());
                let message = format!(
                    "`{}` and `{}` have different numbers of values: {here} and {there}",
                    axis.name, first.name
                );
                self.problems.push(
                    Diagnostic::error(BAD_ITEM, message)
                        .at(&axis.anchor)
                        .noted(&first.anchor, "the first axis")
                        .hint("with `zip` every axis has as many values"),
                );
                return None;
            }
        }
        Some((0..values.len()).map(|at| vec![at; columns.len()]).collect())
    }

    fn product(&mut self, columns: &[(&Axis, Vec<Value>)]) -> Option<Vec<Vec<usize>>> {
        let count = columns.iter().try_fold(1_usize, |count, (_, values)| {
            count.checked_mul(values.len()).filter(|count| *count <= u32::MAX as usize)
        });
        // Before conditions leave some out, there may be more, but not without end.
        let most = (self.fan_out.max_items as usize).saturating_mul(16);
        let Some(count) = count.filter(|count| *count <= most) else {
            let problem = self.too_many();
            self.problems.push(problem);
            return None;
        };
        let row = |mut number: usize| {
            let mut row = vec![0; columns.len()];
            for (place, (_, values)) in row.iter_mut().zip(columns).rev() {
                *place = number % values.len();
                number /= values.len();
            }
            row
        };
        Some((0..count).map(row).collect())
    }

    fn too_many(&self) -> Diagnostic {
        let most = self.fan_out.max_items;
        let message = format!("`{}` has more items than {most}", self.def.name);
        Diagnostic::error(TOO_MANY_ITEMS, message)
            .at(self.def.anchor())
            .hint("raise `max-items` if that is right")
    }

    /// The items that are wanted, each with its name.
    fn named(&mut self, mut raw: Vec<Raw>) -> Option<Vec<Arc<Item>>> {
        let (wanted, unwanted) = (&self.fan_out.wanted, &self.fan_out.unwanted);
        let before = self.problems.count();
        let mut kept = Vec::with_capacity(raw.len());
        self.check_conditions(&raw);
        if self.problems.count() > before {
            return None;
        }
        for one in raw.drain(..) {
            let mut fits = |condition: &Condition| self.fits(condition, &one);
            let is_wanted = wanted.is_empty() || wanted.iter().any(&mut fits);
            if is_wanted && !unwanted.iter().any(fits) {
                kept.push(one);
            }
            if self.problems.count() > before {
                return None;
            }
        }
        if kept.len() > self.fan_out.max_items as usize {
            let problem = self.too_many();
            self.problems.push(problem);
            return None;
        }
        let ids = self.ids(&kept)?;
        Some(self.chained(kept, ids))
    }

    fn ids(&mut self, raw: &[Raw]) -> Option<Vec<String>> {
        let mut seen: HashMap<String, usize> = HashMap::with_capacity(raw.len());
        let mut ids = Vec::with_capacity(raw.len());
        for one in raw {
            let id = one.name();
            let count = seen.entry(id.clone()).or_default();
            *count += 1;
            match (*count, &one.id) {
                (1, _) => ids.push(id),
                // What has no name of its own is told by what it says, and by how often.
                (count, None) => ids.push(format!("{id}-{count}")),
                (2, Some(id)) => {
                    let problem = self.duplicate(id, raw);
                    self.problems.push(problem);
                }
                (_, Some(_)) => {}
            }
        }
        (ids.len() == raw.len()).then_some(ids)
    }

    fn duplicate(&self, id: &str, raw: &[Raw]) -> Diagnostic {
        let same = raw.iter().filter(|one| one.id.as_deref() == Some(id));
        let files: Vec<String> = same.filter_map(|one| self.file_of(one)).take(2).collect();
        let which = match files.as_slice() {
            [one, other] => format!(": `{one}` and `{other}`"),
            _ => String::new(),
        };
        let message = format!("two items of `{}` are called `{id}`{which}", self.def.name);
        let anchor = match &self.fan_out.over {
            Over::Each(each) => &each.over.anchor,
            Over::Matrix { .. } => self.def.anchor(),
        };
        let hint = match &self.fan_out.over {
            Over::Each(each) if each.key.is_some() => "two items have this key; change one",
            Over::Each(_) => "two files have this name but for order number and extension",
            Over::Matrix { .. } => "an axis has this value twice",
        };
        Diagnostic::error(DUPLICATE_ITEM, message).at(anchor).hint(hint)
    }

    /// How an item that is a file is written.
    fn file_of(&self, one: &Raw) -> Option<String> {
        let Over::Each(each) = &self.fan_out.over else { return None };
        let item = one.bindings.get(&each.item).filter(|item| item.file)?;
        let text = scalar_text(&item.values.first()?.scalar)?;
        Some(if text.contains(':') { text } else { text.trim_start_matches('/').to_owned() })
    }

    /// The items, each with what is before it where that is asked for.
    fn chained(&mut self, raw: Vec<Raw>, ids: Vec<String>) -> Vec<Arc<Item>> {
        let is_chain = self.is_mentioned(&["prev"]);
        let has_fields = match &self.fan_out.over {
            Over::Each(each) => {
                let members = self.fan_out.block.members.iter();
                members.into_iter().any(|member| mentions_fields(&member.node, &each.item))
            }
            Over::Matrix { .. } => false,
        };
        let mut prev = is_chain.then(|| self.first());
        let mut items = Vec::with_capacity(raw.len());
        for (one, id) in raw.into_iter().zip(ids) {
            let id: Arc<str> = id.into();
            let mut bindings = one.bindings;
            if has_fields
                && let Over::Each(each) = &self.fan_out.over
                && let Some(binding) = bindings.get_mut(&each.item)
                && binding.fields.get("id").is_none()
            {
                binding.fields.insert("id", Binding::text(id.as_ref()));
            }
            if let Some(prev) = &mut prev {
                let now = self.made_of(&id);
                bindings.insert("prev", std::mem::replace(prev, now));
            }
            items.push(Arc::new(Item { id, bindings: Arc::new(bindings) }));
        }
        items
    }

    /// What `{prev}` is for the first item: unset unless it is given.
    fn first(&mut self) -> Binding {
        let unset = Binding { file: true, ..Binding::default() };
        let first = match &self.fan_out.over {
            Over::Each(each) => each.first.as_ref(),
            Over::Matrix { .. } => None,
        };
        let Some(first) = first else {
            return self.with_members(unset.clone(), |_| unset.clone());
        };
        let attr = AttrDef::plain("first", AttrType::Artifact, &first.anchor);
        let binding = self.value(first, &attr).map(|value| Binding::of_value(&value));
        let binding = binding.unwrap_or_default();
        self.with_members(binding.clone(), |_| binding.clone())
    }

    fn made_of(&self, id: &Arc<str>) -> Binding {
        let block = &self.fan_out.block;
        let inner = |name: &str| {
            Binding::file(self.frame.member(&self.def.name, Some(id)).member(name).to_string())
        };
        let last = block.last().map(|member| inner(&member.name)).unwrap_or_default();
        self.with_members(last, inner)
    }

    fn with_members(&self, whole: Binding, field: impl Fn(&str) -> Binding) -> Binding {
        let members = self.fan_out.block.members.iter();
        members
            .fold(whole, |whole, member| whole.with(member.name.to_string(), field(&member.name)))
    }

    /// Whether all fields that `condition` names have the values that it says.
    fn fits(&mut self, condition: &Condition, one: &Raw) -> bool {
        condition.fields.iter().all(|(path, value)| {
            let values = self.names.values(value, &mut self.problems);
            let text = match self.field(one, path) {
                Some(field) => field.as_text(),
                None if path[..] == ["id"] => Some(one.name()),
                None => None,
            };
            let is = |value: &Value| scalar_text(&value.scalar) == text;
            values.iter().any(is)
        })
    }

    fn field<'r>(&self, one: &'r Raw, path: &[String]) -> Option<&'r Binding> {
        let item = match &self.fan_out.over {
            Over::Each(each) => one.bindings.get(&each.item),
            Over::Matrix { .. } => None,
        };
        item.and_then(|item| item.field(path)).or_else(|| {
            let (first, rest) = path.split_first()?;
            one.bindings.get(first)?.field(rest)
        })
    }

    /// What is wrong with the fields that conditions name: none of the items has them.
    fn check_conditions(&mut self, raw: &[Raw]) {
        let Over::Each(each) = &self.fan_out.over else { return };
        let Some(first) = raw.first() else { return };
        let conditions = self.fan_out.wanted.iter().chain(&self.fan_out.unwanted);
        for condition in conditions {
            for (path, value) in &condition.fields {
                let is_known = |one: &Raw| self.field(one, path).is_some();
                if path[..] == ["id"] || raw.iter().any(is_known) {
                    continue;
                }
                let message = format!("no item has a field `{}`", path.join("."));
                let problem = Diagnostic::error(UNKNOWN_INTERPOLATION, message).at(&value.anchor);
                let item = first.bindings.get(&each.item);
                let names = item.into_iter().flat_map(|item| item.fields.names()).chain(["id"]);
                let names: Vec<&str> = names.collect();
                let near = path.last().and_then(|last| did_you_mean(last, names.iter().copied()));
                let hint = near.unwrap_or_else(|| format!("they have {}", list(&names)));
                self.problems.push(problem.hint(hint));
            }
        }
    }

    /// Whether something, in its braces or in a condition, asks what a file item says.
    fn asks_for_content(&self, each: &Each) -> bool {
        let conditions = self.fan_out.wanted.iter().chain(&self.fan_out.unwanted);
        let mut fields = conditions.flat_map(|condition| &condition.fields);
        let is_content = |path: &[String]| match path {
            [field] => field == CONTENT,
            [item, field] => *item == each.item && field == CONTENT,
            _ => false,
        };
        self.is_mentioned(&[&each.item, CONTENT]) || fields.any(|(path, _)| is_content(path))
    }
}

fn raw(each: &Each, id: Option<String>, text: String, binding: Binding) -> Raw {
    Raw { id, text, bindings: Fields::from_iter([(each.item.clone().into(), binding)]) }
}

/// A file's name without extension and without a leading order number: `attention` of
/// `02-attention.txt`.
pub(crate) fn stem(path: &WsPath) -> String {
    let stem = path.stem();
    let rest = stem.trim_start_matches(|c: char| c.is_ascii_digit());
    let name = rest.trim_start_matches(['-', '_', '.', ' ']);
    if rest.len() < stem.len() && name.len() < rest.len() && !name.is_empty() {
        name.to_owned()
    } else {
        stem.to_owned()
    }
}

/// The first 12 hexadecimal digits of the blake3 digest of `text`.
pub(crate) fn short_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex()[..12].to_owned()
}
