//! Where a task finds its inputs: paths relative to its working directory.

use std::collections::BTreeMap;

use super::files::Found;
use crate::codes::INPUT_COLLISION;
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::frame::output_folder;
use crate::items::stem;
use crate::label::{Label, WsPath};
use crate::read::Problems;
use crate::rule::Shape;
use crate::task::InputRef;

/// An input in its place.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    /// Its path in the sandbox.
    pub(super) role: String,
    /// Its path outside, for `{src.stem}`.
    pub(super) path: WsPath,
    /// Its key in a map attribute.
    pub(super) key: Option<String>,
    from: InputRef,
    anchor: Anchor,
}

/// The inputs of every attribute, in their places.
pub(super) fn slots(
    declared: &Declared,
    found: BTreeMap<String, Vec<Found>>,
) -> BTreeMap<String, Vec<Slot>> {
    let placed = found.into_iter().map(|(attr, found)| {
        let shape = declared.rule.attr(&attr).map_or(Shape::Single, |attr| attr.shape);
        let slots = found.into_iter().enumerate().map(|(index, found)| {
            let role = if declared.rule.keep_names {
                kept(&found, &declared.label)
            } else {
                numbered(&attr, shape, index, &found)
            };
            let Found { from, path, key, anchor, .. } = found;
            Slot { role, path, key, from, anchor }
        });
        let slots = slots.collect();
        (attr, slots)
    });
    placed.collect()
}

/// The inputs by path; two different ones with one path are noted.
pub(super) fn inputs(
    declared: &Declared,
    slots: &BTreeMap<String, Vec<Slot>>,
    problems: &mut Problems,
) -> BTreeMap<String, InputRef> {
    let mut placed: BTreeMap<&str, &Slot> = BTreeMap::new();
    for slot in slots.values().flatten() {
        let first = placed.entry(&slot.role).or_insert(slot);
        if first.from != slot.from {
            problems.push(collision(declared, slot, first));
        }
    }
    let mut above: Vec<&Slot> = Vec::new();
    for slot in placed.values() {
        above.retain(|folder| is_below(&slot.role, &folder.role));
        if let Some(folder) = above.last() {
            problems.push(collision(declared, slot, folder));
        }
        above.push(slot);
    }
    placed.into_iter().map(|(role, slot)| (role.to_owned(), slot.from.clone())).collect()
}

fn collision(declared: &Declared, slot: &Slot, first: &Slot) -> Diagnostic {
    let message = if slot.role == first.role {
        format!("two inputs would both be `{}`", slot.role)
    } else {
        format!("the input `{}` would lie inside the input `{}`", slot.role, first.role)
    };
    let problem = Diagnostic::error(INPUT_COLLISION, message).at(&slot.anchor);
    let problem = match slot.anchor == first.anchor {
        true => problem,
        false => problem.noted(&first.anchor, "the other one"),
    };
    problem.hint(match declared.rule.keep_names {
        true => "rename one of the files, or say `keep-names #false`",
        false => "give one of them another name",
    })
}

fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
}

/// A place under the input's own name, as its own package sees it.
fn kept(found: &Found, label: &Label) -> String {
    let path = match found.item {
        true => &unnumbered(&found.path),
        false => &found.path,
    };
    // What stands beside it is named as it is there: how both are reached says nothing of them.
    let is_made = label.steps.len() > 1 && matches!(found.from, InputRef::Output { .. });
    let beside = is_made.then(|| path.below(&output_folder(label))).flatten();
    match beside.or_else(|| path.below(&label.package)) {
        Some(below) if !below.is_empty() => format!("in/{below}"),
        _ if path.is_root() => "in/workspace".into(),
        _ => format!("in/{path}"),
    }
}

/// The path of an item without its order number, which the items before it decide.
fn unnumbered(path: &WsPath) -> WsPath {
    let extension = path.extension().map(|text| format!(".{text}")).unwrap_or_default();
    let name = format!("{}{extension}", stem(path));
    let folder = path.parent().unwrap_or_default();
    folder.join(&name).unwrap_or_else(|_| path.clone())
}

/// A place under the attribute's name; nothing of the input's own but its extension.
fn numbered(attr: &str, shape: Shape, index: usize, found: &Found) -> String {
    let extension = found.path.extension().filter(|_| !found.tree);
    let extension = extension.map(|text| format!(".{text}")).unwrap_or_default();
    match (shape, &found.key) {
        (Shape::Map, Some(key)) => format!("in/{attr}/{}{extension}", plain_key(key)),
        (Shape::List | Shape::Map, _) => format!("in/{attr}/{:04}{extension}", index + 1),
        (Shape::Single, _) => format!("in/{attr}{extension}"),
    }
}

/// A key as part of a path.
fn plain_key(key: &str) -> String {
    let plain = |c: char| if c == '/' || c.is_control() { '_' } else { c };
    match key {
        "." | ".." => "_".into(),
        key => key.chars().map(plain).collect(),
    }
}
