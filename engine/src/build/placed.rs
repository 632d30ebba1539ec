//! Where the outputs of a build are, for people and programs that go on with them.

use std::path::{Path, PathBuf};

use crate::columns::{Strings, last_of_each};
use crate::graph::TaskGraph;

/// Where outputs are: those of every requested target that has all of its own, in the order of the
/// targets, of one target those of its default group first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placed {
    folder: PathBuf,
    paths: Strings,
}

impl Placed {
    /// These paths below `folder`, each once.
    pub(crate) const fn new(folder: PathBuf, paths: Strings) -> Self {
        Self { folder, paths }
    }

    /// What the offers with these numbers are, below `folder`.
    pub(crate) fn of(folder: PathBuf, graph: &TaskGraph, offers: &[u32]) -> Self {
        let paths: Vec<u32> = offers.iter().map(|it| graph.offer_path[*it as usize]).collect();
        let mut placed = Self::new(folder, Strings::default());
        for path in last_of_each(&paths, graph.texts.len()) {
            placed.paths.push(graph.texts.get(path));
        }
        placed
    }

    /// The absolute folder that all of them are in.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Their paths in it, each once; one that several targets offer is there for the last.
    pub fn paths(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.paths.iter()
    }

    /// How many paths there are.
    pub fn len(&self) -> usize {
        self.paths.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
