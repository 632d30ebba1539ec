//! A chain of targets in a form that can be compared: its shape, and the values in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::target::{Attr, Id, Piece, Target, Value, plain_text};

/// A chain.
#[derive(Debug)]
pub(super) struct Canon {
    /// The target that it is for.
    pub(super) end: Id,
    /// The targets that it ends with, among them that one.
    pub(super) ends: Vec<Id>,
    /// Its targets, each after those that it needs.
    pub(super) members: Vec<Id>,
    /// All of it but its values; alike chains have one.
    pub(super) signature: String,
    /// Its values, each with the member and attribute that it is of.
    pub(super) leaves: Vec<(Leaf, (usize, &'static str))>,
}

impl Canon {
    /// The text files that it reads.
    pub(super) fn files(&self) -> impl Iterator<Item = usize> {
        self.leaves.iter().filter_map(|(leaf, _)| match leaf {
            Leaf::File(file) => Some(*file),
            _ => None,
        })
    }
}

/// A value in which alike chains may differ.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Leaf {
    Text(String),
    Int(i64),
    Float(f64),
    Flag(bool),
    File(usize),
    FileRole(usize),
}

/// What targets have in common that can be the same member of alike chains.
pub(super) fn shape(target: &Target) -> String {
    let mut shape = target.rule.to_owned();
    for attr in &target.attrs {
        // Writing to a string cannot fail.
        let _ = write!(shape, " {}:{}", attr.name, attr.values.len());
    }
    shape
}

/// The chain of the targets `own` that ends with `ends`, and is for the `end` among them.
pub(super) fn canon(targets: &[Target], ends: &[Id], end: Id, own: &BTreeSet<Id>) -> Canon {
    let mut writing = Writing { targets, own, places: BTreeMap::new(), members: Vec::new() };
    for end in ends {
        writing.visit(*end);
    }
    let Writing { places, members, .. } = writing;
    let (signature, leaves) = (String::new(), Vec::new());
    let mut canon = Canon { end, ends: ends.to_vec(), members, signature, leaves };
    for (at, id) in canon.members.clone().iter().enumerate() {
        let target = &targets[*id];
        canon.signature.push_str(target.rule);
        for attr in &target.attrs {
            canon.signature.push('|');
            canon.signature.push_str(attr.name);
            // Outputs are named anew, but for what they are.
            if let ("out", Some(Value::Text(pieces))) = (attr.name, attr.values.first()) {
                let path = plain_text(pieces);
                let extension = path.rsplit_once('.').map_or("", |(_, extension)| extension);
                canon.signature.push_str(extension);
                continue;
            }
            let mut leaves =
                Leaves { canon: &mut canon, of: (at, attr.name), targets, target, places: &places };
            leaves.attr(attr);
        }
        canon.signature.push('\n');
    }
    canon
}

struct Writing<'a> {
    targets: &'a [Target],
    own: &'a BTreeSet<Id>,
    places: BTreeMap<Id, usize>,
    members: Vec<Id>,
}

impl Writing<'_> {
    /// Adds what `id` needs, then it. Steps were ordered before, so there is no circle.
    fn visit(&mut self, id: Id) {
        let mut open = vec![(id, false)];
        while let Some((id, needed)) = open.pop() {
            if self.places.contains_key(&id) {
                continue;
            }
            if needed {
                self.places.insert(id, self.members.len());
                self.members.push(id);
                continue;
            }
            open.push((id, true));
            let needs: Vec<Id> = self.targets[id].needs().collect();
            open.extend(
                needs.into_iter().rev().filter(|id| self.own.contains(id)).map(|id| (id, false)),
            );
        }
    }
}

struct Leaves<'a> {
    canon: &'a mut Canon,
    of: (usize, &'static str),
    targets: &'a [Target],
    target: &'a Target,
    places: &'a BTreeMap<Id, usize>,
}

impl Leaves<'_> {
    fn attr(&mut self, attr: &Attr) {
        for value in &attr.values {
            match value {
                Value::Text(pieces) => self.pieces("T", pieces),
                Value::Source(pieces, _) => self.pieces("S", pieces),
                Value::Int(number) => self.leaf("I", Leaf::Int(*number)),
                Value::Float(number) => self.leaf("F", Leaf::Float(*number)),
                Value::Flag(flag) => self.leaf("B", Leaf::Flag(*flag)),
                Value::File(file) => self.leaf("X", Leaf::File(*file)),
                Value::Made(id, output) => self.made("M", *id, output),
                Value::Named(name, _) => self.sign(name),
            }
        }
    }

    fn sign(&mut self, text: &str) {
        self.canon.signature.push_str(text);
        self.canon.signature.push(' ');
    }

    fn leaf(&mut self, kind: &str, leaf: Leaf) {
        self.sign(kind);
        self.canon.leaves.push((leaf, self.of));
    }

    fn made(&mut self, kind: &str, id: Id, output: &str) {
        let output = out_number(&self.targets[id], output.trim_start_matches('#'))
            .map_or_else(|| output.to_owned(), |number| number.to_string());
        match self.places.get(&id) {
            Some(place) => self.sign(&format!("{kind}{place}{output}")),
            None => self.sign(&format!("{kind}={id}{output}")),
        }
    }

    fn pieces(&mut self, kind: &str, pieces: &[Piece]) {
        self.sign(kind);
        for piece in pieces {
            match piece {
                Piece::Plain(text) => self.leaf("P", Leaf::Text(text.clone())),
                Piece::FileRole(file) => self.leaf("R", Leaf::FileRole(*file)),
                Piece::Var(name) => self.sign(&format!("V{name}")),
                Piece::Role(id, output) => self.made("R", *id, output),
                Piece::OnlySource => self.sign("O"),
                Piece::Out(name) => {
                    let number = out_number(self.target, name).unwrap_or_default();
                    self.sign(&format!("O{number}"));
                }
                Piece::Item(name) => self.sign(&format!("Item{name}")),
            }
        }
    }
}

/// Which output of a task is called `name`.
fn out_number(target: &Target, name: &str) -> Option<usize> {
    let outs = target.attrs.iter().filter(|attr| attr.name == "out");
    outs.into_iter().position(|out| {
        out.values.iter().any(|value| matches!(value, Value::Named(_, own) if own == name))
    })
}
