//! What each task of a graph last came to: its key, its outputs, how long it took, and which run
//! gave it that key.

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
    /// Task -> the run in which it got its key; 0 if it has none.
    runs: Vec<u64>,
    /// Task -> 1 if it had another key before, beside which more than what it reads may differ.
    own: Vec<u8>,
    /// As they were when this was made.
    packed: Packed,
    /// The outcomes of all tasks of which something else is known since.
    new: BTreeMap<TaskId, Arc<Outcome>>,
}

impl Answers {
    /// What `known` says of the tasks with these labels.
    pub(crate) fn of(labels: &[String], known: &HashMap<String, Success>) -> Self {
        let mut answers = Self::default();
        answers.append(labels, known);
        answers
    }

    /// Adds what `known` says of further tasks, which have these labels.
    pub(crate) fn append(&mut self, labels: &[String], known: &HashMap<String, Success>) {
        for label in labels {
            let success = known.get(label);
            self.keys.push(success.map(|it| it.key));
            self.durations.push(success.map_or(0, |it| it.duration_ms));
            self.runs.push(success.map_or(0, |it| it.run));
            let own = success.is_some_and(|it| it.own && it.previous_key.is_some());
            self.own.push(u8::from(own));
            self.packed.push(success.map(|it| &it.outcome));
        }
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

    /// The run in which a task got its key; 0 if it has none.
    pub(crate) fn run(&self, id: TaskId) -> u64 {
        self.runs[id.0]
    }

    /// Whether a task had another key before its present one, beside which something may differ
    /// that no other task of the same run made.
    pub(crate) fn has_own_cause(&self, id: TaskId) -> bool {
        self.own[id.0] == 1
    }

    pub(crate) fn outcome(&self, id: TaskId) -> Option<Arc<Outcome>> {
        self.keys[id.0]?;
        if let Some(outcome) = self.new.get(&id) {
            return Some(Arc::clone(outcome));
        }
        Some(Arc::new(self.packed.outputs(id).map(|(name, it)| (name.to_owned(), it)).collect()))
    }

    /// What is known of a task besides its key and its outcome.
    fn rest(&self, id: TaskId) -> (u64, u64, u8) {
        (self.durations[id.0], self.runs[id.0], self.own[id.0])
    }

    /// Takes over what `from` says of its task `at`.
    fn take(&mut self, id: TaskId, from: &Self, at: TaskId) {
        self.keys[id.0] = from.key(at);
        (self.durations[id.0], self.runs[id.0], self.own[id.0]) = from.rest(at);
        self.new.insert(id, from.outcome(at).unwrap_or_default());
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
    pub(crate) fn set(&mut self, id: TaskId, answer: Answer) {
        let before = self.keys[id.0].replace(answer.key);
        if before != Some(answer.key) {
            self.runs[id.0] = answer.run;
            self.own[id.0] = u8::from(before.is_some() && before != answer.follows);
        }
        self.durations[id.0] = answer.duration_ms;
        self.new.insert(id, answer.outcome);
    }

    /// Takes over what `now` says otherwise, and marks as suspect each task of which it does, and
    /// what reads it.
    pub(crate) fn correct(&mut self, now: &Self, shape: &Shape, suspects: &mut [bool]) {
        for id in shape.tasks() {
            let outcome = now.outcome(id);
            let differs = self.key(id) != now.key(id) || self.outcome(id) != outcome;
            if differs {
                suspects[id.0] = true;
                for feed in shape.feeds(id) {
                    suspects[feed.0] = true;
                }
            }
            if differs || self.rest(id) != now.rest(id) {
                self.take(id, now, id);
            }
        }
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        // No key is all zeros.
        let bytes = |key: &Option<ActionKey>| key.map_or([0; 32], |key| *key.digest().as_bytes());
        to.column(&self.keys.iter().map(bytes).collect::<Vec<[u8; 32]>>());
        to.column(&self.durations);
        to.column(&self.runs);
        to.column(&self.own);
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
        let mut changes = Self::default();
        for (id, outcome) in &self.new {
            let (duration, run, own) = self.rest(*id);
            changes.keys.push(self.keys[id.0]);
            changes.durations.push(duration);
            changes.runs.push(run);
            changes.own.push(own);
            changes.packed.push(Some(outcome));
        }
        to.column(&ids);
        changes.write(to);
    }

    /// Takes up what [`Answers::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let ids: Vec<u32> = from.column()?;
        let changes = Self::read(from, ids.len())?;
        for (at, id) in ids.into_iter().enumerate() {
            self.keys.get(id as usize)?;
            self.take(TaskId(id as usize), &changes, TaskId(at));
        }
        Some(())
    }

    pub(crate) fn read(from: &mut Reader<'_>, tasks: usize) -> Option<Self> {
        let keys: Vec<[u8; 32]> = from.column()?;
        let known = |bytes: &[u8; 32]| (*bytes != [0; 32]).then(|| Digest::from_bytes(*bytes));
        let keys: Vec<_> = keys.iter().map(|bytes| known(bytes).map(ActionKey)).collect();
        let durations: Vec<u64> = from.column()?;
        let (runs, own) = (from.column::<8, u64>()?, from.column::<1, u8>()?);
        let packed = Packed::read(from)?;
        let lengths = [keys.len(), durations.len(), runs.len(), own.len(), packed.ends.len()];
        let whole = lengths == [tasks; 5];
        whole.then_some(Self { keys, durations, runs, own, packed, new: BTreeMap::new() })
    }
}

/// What a task came to in one run.
pub(crate) struct Answer {
    pub(crate) key: ActionKey,
    pub(crate) outcome: Arc<Outcome>,
    /// How long its process ran.
    pub(crate) duration_ms: u64,
    pub(crate) run: u64,
    /// As in `NewSuccess`.
    pub(crate) follows: Option<ActionKey>,
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
