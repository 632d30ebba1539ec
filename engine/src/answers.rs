//! What each task of a graph last came to: its key, its outputs, and how long it took.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use vwfb_cas::{ActionKey, Artifact, BlobId, Digest, FileRef, TreeId};

use crate::columns::{Reader, Strings, Writer, narrow};
use crate::db::Outcome;
use crate::plan::{Shape, TaskId};
use crate::state::Success;

/// The last success of every task, where it has one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    keys: Vec<Option<ActionKey>>,
    durations: Vec<u64>,
    /// As they were when this was made.
    packed: Packed,
    /// The outcomes of all tasks of which something else is known since.
    new: BTreeMap<TaskId, Arc<Outcome>>,
}

impl Answers {
    /// What `known` says of the tasks with these labels.
    pub(crate) fn of(labels: &[String], known: &HashMap<String, Success>) -> Self {
        let mut answers = Self::default();
        for label in labels {
            let success = known.get(label);
            answers.push(success.map(|it| (it.key, &it.outcome)), success.map(|it| it.duration_ms));
        }
        answers
    }

    /// Adds the next task's.
    pub(crate) fn push(&mut self, success: Option<(ActionKey, &Outcome)>, duration: Option<u64>) {
        self.keys.push(success.map(|(key, _)| key));
        self.durations.push(duration.unwrap_or(0));
        self.packed.push(success.map(|(_, outcome)| outcome));
    }

    pub(crate) fn key(&self, id: TaskId) -> Option<ActionKey> {
        self.keys[id.0]
    }

    pub(crate) fn keys(&self) -> Vec<Option<ActionKey>> {
        self.keys.clone()
    }

    /// In milliseconds; zero if it never ran.
    pub(crate) fn duration(&self, id: TaskId) -> u64 {
        self.durations[id.0]
    }

    pub(crate) fn outcome(&self, id: TaskId) -> Option<Arc<Outcome>> {
        self.keys[id.0]?;
        if let Some(outcome) = self.new.get(&id) {
            return Some(Arc::clone(outcome));
        }
        Some(Arc::new(self.packed.outputs(id).map(|(name, it)| (name.to_owned(), it)).collect()))
    }

    /// One output of a task.
    pub(crate) fn artifact(&self, id: TaskId, output: &str) -> Option<Artifact> {
        self.keys[id.0]?;
        if let Some(outcome) = self.new.get(&id) {
            return outcome.get(output).copied();
        }
        self.packed.outputs(id).find(|(name, _)| *name == output).map(|(_, artifact)| artifact)
    }

    /// Says what a task came to now.
    pub(crate) fn set(
        &mut self,
        id: TaskId,
        key: ActionKey,
        outcome: Arc<Outcome>,
        duration_ms: u64,
    ) {
        self.keys[id.0] = Some(key);
        self.durations[id.0] = duration_ms;
        self.new.insert(id, outcome);
    }

    /// Takes over what `now` says otherwise, and marks as suspect each task of which it does, and
    /// what reads it.
    pub(crate) fn correct(&mut self, now: &Self, shape: &Shape, suspects: &mut [bool]) {
        for id in shape.tasks() {
            let (outcome, duration) = (now.outcome(id), now.duration(id));
            let differs = self.key(id) != now.key(id) || self.outcome(id) != outcome;
            if differs {
                suspects[id.0] = true;
                for feed in shape.feeds(id) {
                    suspects[feed.0] = true;
                }
            }
            if differs || self.duration(id) != duration {
                self.keys[id.0] = now.key(id);
                self.durations[id.0] = duration;
                self.new.insert(id, outcome.unwrap_or_default());
            }
        }
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        write_keys(to, self.keys.iter());
        to.column(&self.durations);
        if self.new.is_empty() {
            return self.packed.write(to);
        }
        let mut packed = Packed::default();
        for id in (0..self.keys.len()).map(TaskId) {
            match self.new.get(&id) {
                Some(outcome) => packed.push(Some(outcome)),
                None => packed.push_outputs(self.packed.outputs(id)),
            }
        }
        packed.write(to);
    }

    /// Writes those that are not as in the file that they were read from.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        let ids: Vec<u32> = self.new.keys().map(|id| narrow(id.0)).collect();
        let durations: Vec<u64> = self.new.keys().map(|id| self.durations[id.0]).collect();
        let mut packed = Packed::default();
        for outcome in self.new.values() {
            packed.push(Some(outcome));
        }
        to.column(&ids);
        write_keys(to, self.new.keys().map(|id| &self.keys[id.0]));
        to.column(&durations);
        packed.write(to);
    }

    /// Takes up what [`Answers::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let ids: Vec<u32> = from.column()?;
        let changes = Self::read(from, ids.len())?;
        for (at, id) in ids.into_iter().enumerate() {
            let (at, id) = (TaskId(at), TaskId(id as usize));
            *self.keys.get_mut(id.0)? = changes.key(at);
            self.durations[id.0] = changes.duration(at);
            self.new.insert(id, changes.outcome(at).unwrap_or_default());
        }
        Some(())
    }

    pub(crate) fn read(from: &mut Reader<'_>, tasks: usize) -> Option<Self> {
        let keys: Vec<[u8; 32]> = from.column()?;
        let known = |bytes: &[u8; 32]| (*bytes != [0; 32]).then(|| Digest::from_bytes(*bytes));
        let keys: Vec<_> = keys.iter().map(|bytes| known(bytes).map(ActionKey)).collect();
        let durations: Vec<u64> = from.column()?;
        let packed = Packed::read(from)?;
        let whole = [keys.len(), durations.len(), packed.ends.len()] == [tasks; 3];
        whole.then_some(Self { keys, durations, packed, new: BTreeMap::new() })
    }
}

/// No key is all zeros.
fn write_keys<'a>(to: &mut Writer, keys: impl Iterator<Item = &'a Option<ActionKey>>) {
    let bytes = |key: &Option<ActionKey>| key.map_or([0; 32], |key| *key.digest().as_bytes());
    to.column(&keys.map(bytes).collect::<Vec<[u8; 32]>>());
}

/// Outcomes in columns.
#[derive(Debug, Clone, Default)]
struct Packed {
    /// Task -> the end of its outputs in the other columns.
    ends: Vec<u32>,
    names: Vec<u32>,
    kinds: Vec<u8>,
    sizes: Vec<u64>,
    digests: Vec<[u8; 32]>,
    /// Output names, each once.
    texts: Strings,
    known: HashMap<String, u32>,
}

const FILE: u8 = 0;
const EXECUTABLE: u8 = 1;
const TREE: u8 = 2;

impl Packed {
    fn push(&mut self, outcome: Option<&Outcome>) {
        let outputs = outcome.into_iter().flatten();
        self.push_outputs(outputs.map(|(name, artifact)| (name.as_str(), *artifact)));
    }

    fn push_outputs<'a>(&mut self, outputs: impl Iterator<Item = (&'a str, Artifact)>) {
        for (name, artifact) in outputs {
            let name = match self.known.get(name) {
                Some(number) => *number,
                None => {
                    let number = self.texts.push(name);
                    self.known.insert(name.to_owned(), number);
                    number
                }
            };
            let (kind, size) = match artifact {
                Artifact::File(file) if file.executable => (EXECUTABLE, file.size),
                Artifact::File(file) => (FILE, file.size),
                Artifact::Tree(_) => (TREE, 0),
            };
            self.names.push(name);
            self.kinds.push(kind);
            self.sizes.push(size);
            self.digests.push(*artifact.digest().as_bytes());
        }
        self.ends.push(narrow(self.names.len()));
    }

    fn outputs(&self, id: TaskId) -> impl Iterator<Item = (&str, Artifact)> {
        let start = if id.0 == 0 { 0 } else { self.ends[id.0 - 1] as usize };
        (start..self.ends[id.0] as usize).map(|at| {
            let digest = Digest::from_bytes(self.digests[at]);
            let artifact = match self.kinds[at] {
                TREE => Artifact::Tree(TreeId(digest)),
                kind => Artifact::File(FileRef {
                    blob: BlobId(digest),
                    size: self.sizes[at],
                    executable: kind == EXECUTABLE,
                }),
            };
            (self.texts.get(self.names[at]), artifact)
        })
    }

    fn write(&self, to: &mut Writer) {
        to.column(&self.ends);
        to.column(&self.names);
        to.column(&self.kinds);
        to.column(&self.sizes);
        to.column(&self.digests);
        to.strings(&self.texts);
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let packed = Self {
            ends: from.column()?,
            names: from.column()?,
            kinds: from.column()?,
            sizes: from.column()?,
            digests: from.column()?,
            texts: from.strings()?,
            known: HashMap::new(),
        };
        let count = packed.names.len();
        let whole = packed.ends.is_sorted()
            && packed.ends.last().copied().unwrap_or(0) as usize == count
            && [packed.kinds.len(), packed.sizes.len(), packed.digests.len()] == [count; 3]
            && packed.names.iter().all(|name| (*name as usize) < packed.texts.len())
            && packed.kinds.iter().all(|kind| *kind <= TREE);
        whole.then_some(packed)
    }
}
