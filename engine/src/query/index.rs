//! The graph as numbers: every member of a set has an id, and ids are in the order of printing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use super::{Item, QueryNode};

/// A target or file. Ids order targets before what they need, then files by path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Id(usize);

/// A set in the order of printing.
pub(super) type Set = BTreeSet<Id>;

/// What an id stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Entry<'g> {
    Target(&'g str, &'g QueryNode),
    File(&'g str),
}

/// The targets and files of a graph, with the arrows between them in both directions.
///
/// An arrow leads from a target to each target it needs and each workspace file it reads, and from
/// a file that a target makes to that target.
pub(super) struct Index<'g> {
    entries: Vec<Entry<'g>>,
    targets: BTreeMap<&'g str, Id>,
    files: BTreeMap<&'g str, Id>,
    needs: Vec<Vec<Id>>,
    needed_by: Vec<Vec<Id>>,
}

impl<'g> Index<'g> {
    pub(super) fn new(nodes: &'g BTreeMap<String, QueryNode>) -> Self {
        let mut index = Self {
            entries: Vec::new(),
            targets: BTreeMap::new(),
            files: BTreeMap::new(),
            needs: Vec::new(),
            needed_by: Vec::new(),
        };
        for label in in_order(nodes) {
            index.targets.insert(label, Id(index.entries.len()));
            index.entries.push(Entry::Target(label, &nodes[label]));
        }
        let files = nodes.values().flat_map(|node| node.inputs.iter().chain(&node.outputs));
        for file in files.map(String::as_str).collect::<BTreeSet<_>>() {
            index.files.insert(file, Id(index.entries.len()));
            index.entries.push(Entry::File(file));
        }
        index.connect(nodes);
        index
    }

    fn connect(&mut self, nodes: &BTreeMap<String, QueryNode>) {
        self.needs = vec![Vec::new(); self.entries.len()];
        for (label, node) in nodes {
            let target = self.targets[label.as_str()];
            let deps = node.deps.iter().filter_map(|dep| self.targets.get(dep.as_str()));
            let inputs = node.inputs.iter().map(|file| &self.files[file.as_str()]);
            self.needs[target.0].extend(deps.chain(inputs));
            for file in &node.outputs {
                self.needs[self.files[file.as_str()].0].push(target);
            }
        }
        self.needed_by = vec![Vec::new(); self.entries.len()];
        for (from, needs) in self.needs.iter_mut().enumerate() {
            needs.sort_unstable();
            for to in needs {
                self.needed_by[to.0].push(Id(from));
            }
        }
    }

    pub(super) fn entry(&self, id: Id) -> Entry<'g> {
        self.entries[id.0]
    }

    pub(super) fn item(&self, id: Id) -> Item {
        match self.entry(id) {
            Entry::Target(label, _) => Item::Target(label.to_owned()),
            Entry::File(path) => Item::File(path.to_owned()),
        }
    }

    /// The id of `item`; `None` for what no target knows.
    pub(super) fn id(&self, item: &Item) -> Option<Id> {
        match item {
            Item::Target(label) => self.targets.get(label.as_str()).copied(),
            Item::File(path) => self.file(path),
        }
    }

    pub(super) fn file(&self, path: &str) -> Option<Id> {
        self.files.get(path).copied()
    }

    /// What `id` needs directly.
    pub(super) fn needs(&self, id: Id) -> &[Id] {
        &self.needs[id.0]
    }

    /// The missing files because of which each target is provisional, its own and those of all it
    /// needs; nothing where all are final.
    pub(super) fn provisional(&self) -> BTreeMap<Id, BTreeSet<&'g str>> {
        let mut provisional: BTreeMap<Id, BTreeSet<&str>> = BTreeMap::new();
        // What a target needs comes after it.
        for (number, entry) in self.entries.iter().enumerate().rev() {
            let Entry::Target(_, node) = entry else { continue };
            let mut missing: BTreeSet<&str> = node.missing.iter().map(String::as_str).collect();
            let needs = self.needs[number].iter().filter_map(|need| provisional.get(need));
            missing.extend(needs.flatten());
            if !missing.is_empty() {
                provisional.insert(Id(number), missing);
            }
        }
        provisional
    }

    /// What needs `id` directly.
    pub(super) fn needed_by(&self, id: Id) -> &[Id] {
        &self.needed_by[id.0]
    }
}

/// The labels, each before those it needs, else by name; those of a cycle last.
fn in_order(nodes: &BTreeMap<String, QueryNode>) -> Vec<&str> {
    let mut dependents: BTreeMap<&str, usize> = nodes.keys().map(|label| (&**label, 0)).collect();
    for dep in nodes.values().flat_map(|node| &node.deps) {
        if let Some(count) = dependents.get_mut(dep.as_str()) {
            *count += 1;
        }
    }
    let free = dependents.iter().filter(|(_, count)| **count == 0);
    let mut ready: BinaryHeap<Reverse<&str>> = free.map(|(label, _)| Reverse(*label)).collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(label)) = ready.pop() {
        dependents.remove(label);
        order.push(label);
        for dep in &nodes[label].deps {
            let Some((dep, count)) = dependents.get_key_value(dep.as_str()) else { continue };
            let (dep, left) = (*dep, count - 1);
            dependents.insert(dep, left);
            if left == 0 {
                ready.push(Reverse(dep));
            }
        }
    }
    order.extend(dependents.into_keys());
    order
}
