//! A target's row in a graph, as the queries answer.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher};

use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::placeholder::{self, For};
use vwfb_rules::task::{InputRef, Results, TaskDef};

use crate::db::{Db, Target};
use crate::names::{Named, named, placed};
use crate::package::QueryScope;
use crate::pins::pinned;
use crate::target::{declared, provides, references, task};
use crate::written::Short;

/// A target as the queries answer.
pub(crate) struct Row {
    /// In the order of the text, each once.
    pub(crate) refs: Vec<Label>,
    pub(crate) face: [u8; 32],
    pub(crate) written: Short,
    pub(crate) makes: Vec<String>,
    pub(crate) offers: Vec<(Label, String, String)>,
    pub(crate) task: Option<TaskRow>,
    /// The files that it names, that are missing, and that something stands in for; of a
    /// placeholder what it stands for.
    pub(crate) missing: Vec<String>,
    /// The target that makes the items of the fan-out that it is, if they are not known.
    pub(crate) waits: Option<Label>,
}

#[derive(Default)]
pub(crate) struct TaskRow {
    pub(crate) inputs: BTreeSet<Label>,
    pub(crate) gates: BTreeSet<Label>,
    pub(crate) reads: BTreeSet<WsPath>,
    pub(crate) sampled: bool,
}

impl Row {
    /// The row of `label`, which must be free of errors.
    pub(crate) fn of(db: &dyn Db, label: &Label) -> Self {
        let target = db.target(label);
        let provided = provides(db, target).unwrap_or_default();
        let mut face = Digesting::default();
        provided.hash(&mut face);
        let mut offers: Vec<(bool, (Label, String, String))> = Vec::new();
        for output in provided.iter() {
            if let InputRef::Output { label, output: name, subpath: None } = &output.from {
                let offer = (label.clone(), name.clone(), output.path.to_string());
                offers.push((output.default, offer));
            }
        }
        offers.sort_by_key(|(default, _)| !default);
        // What people chose needs nothing.
        let pinned = pinned(db, label);
        let mut references = in_order(references(db, target).iter().map(|(label, _)| label));
        references.retain(|_| pinned.is_none());
        let missing = missing_of(db, label);
        let outputs = declared(db, target).value.as_ref().map(|declared| &declared.outputs);
        Self {
            refs: references,
            face: *face.0.finalize().as_bytes(),
            written: placed(db, target).map(|placed| placed.def.digest()).unwrap_or_default(),
            makes: outputs
                .into_iter()
                .flat_map(|all| all.iter())
                .map(|output| output.path.to_string())
                .collect(),
            offers: offers.into_iter().map(|(_, offer)| offer).collect(),
            task: task(db, target).value.as_ref().map(|def| TaskRow::of(db, def)),
            missing,
            waits: waits_on(db, target),
        }
    }
}

/// A digest of what is hashed into it.
#[derive(Default)]
struct Digesting(blake3::Hasher);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        let _hasher = self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(*self.0.finalize().as_bytes().first_chunk().expect("it has 32 bytes"))
    }
}

/// The files that `label` names itself, that are missing, and that something stands in for; of what
/// people chose, those that were missing when it was made.
pub(crate) fn missing_of(db: &dyn Db, label: &Label) -> Vec<String> {
    if let Some(pinned) = pinned(db, label) {
        return pinned.pin.missing.clone();
    }
    let target = db.target(label);
    if let Some((_, For::Source { path, .. }, _)) = For::of(target.label(db)) {
        return vec![path.to_string()];
    }
    let Some(declared) = declared(db, target).value.as_deref() else { return Vec::new() };
    let missing = placeholder::missing(declared, &QueryScope(db)).into_iter();
    missing.map(|it| it.path.to_string()).collect()
}

fn waits_on(db: &dyn Db, target: Target) -> Option<Label> {
    match named(db, target) {
        Some(Named::Waiting(on)) => Some(on),
        _ => None,
    }
}

fn in_order<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<Label> {
    let mut seen = BTreeSet::new();
    labels.filter(|label| seen.insert(*label)).cloned().collect()
}

impl TaskRow {
    fn of(db: &dyn Db, def: &TaskDef) -> Self {
        if pinned(db, &def.label).is_some() {
            let sampled = def.results == Results::Sampled;
            return Self { sampled, ..Self::default() };
        }
        let mut row = Self {
            inputs: BTreeSet::new(),
            gates: def.after.iter().flat_map(|gate| makers(db, gate)).collect(),
            reads: BTreeSet::new(),
            sampled: def.results == Results::Sampled,
        };
        for input in def.inputs.values() {
            match input {
                InputRef::Source(path) => drop(row.reads.insert(path.clone())),
                InputRef::Output { label, .. } => drop(row.inputs.insert(label.clone())),
            }
        }
        // What it reads has succeeded anyway.
        row.gates.retain(|gate| !row.inputs.contains(gate));
        row
    }
}

/// The tasks behind `label`: itself, or those that a `filegroup` or `alias` passes on.
fn makers(db: &dyn Db, label: &Label) -> Vec<Label> {
    let target = db.target(label);
    if task(db, target).value.is_some() {
        return vec![label.clone()];
    }
    let mut labels = BTreeSet::new();
    for output in provides(db, target).unwrap_or_default().iter() {
        if let InputRef::Output { label, .. } = &output.from {
            labels.insert(label.clone());
        }
    }
    labels.into_iter().collect()
}
