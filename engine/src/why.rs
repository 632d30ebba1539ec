//! `vwfb why`: which component of which key changed since a label's last success.

mod change;

use std::collections::{BTreeSet, HashMap};

use vwfb_cas::ActionKey;
use vwfb_rules::label::Label;

use crate::answers::Answers;
use crate::event::{Event, Reporter, TaskResult};
use crate::graph::TaskGraph;
use crate::key::KeyRecord;
use crate::plan::{Step, TaskId};
use crate::run::{EnvironmentError, Ground, Known, Run};
use crate::state::{State, Success};

pub use change::Change;
use change::Words;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Whether everything that the label needs has its result for its present key.
    pub current: bool,
    /// The run that gave the label its present result; 0 if it has none or runs no task.
    pub since: u64,
    /// If it is current, the last run that made anything it needs anew; `since` if it was made
    /// anew itself, later if that came out as before.
    pub last: u64,
    /// What would be made again now, or what was in the run `last`.
    pub causes: Vec<Cause>,
}

/// One task that is not what it was, for a reason of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// From the label that was asked about to the task, each needing the next.
    pub path: Vec<Label>,
    /// What it is compared with.
    pub before: Before,
    /// Whether the store has a result for its present key, so that nothing runs.
    pub stored: bool,
    /// What is different.
    pub changes: Vec<Change>,
}

/// What a task's present key can be compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// Its last success.
    Success,
    /// Nothing: it never succeeded in this workspace and configuration.
    Nothing,
    /// Nothing: it was tried and failed.
    Failure {
        /// The run.
        run: u64,
        /// Why it failed.
        reason: String,
    },
}

struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _event: &Event) {}
}

/// Why `label` is not what it was.
///
/// # Errors
/// If the store or the workspace's state cannot be read.
pub(crate) fn why(ground: Ground<'_>, label: &Label) -> Result<Why, EnvironmentError> {
    let (store, state, graph) = (ground.store.clone(), ground.state, ground.graph);
    let system = ground.db.system();
    let known = state.successes().map_err(|error| EnvironmentError::of(&error))?;
    let mut silent = Silent;
    let all = Known { answers: Answers::of(graph, &known), suspects: None, mark: None };
    let mut run = Run::begin(ground, &mut silent, all);
    run.settle_known()?;
    let words = Words { state, store: &store, system: &*system };
    let teller = Teller { run: &run, graph, state, words, known: &known };
    let paths = paths_down(graph, label);
    let mut causes = Vec::new();
    for (id, path) in &paths {
        // A task that waits for another is explained by that other one.
        let asked = run.known_key(*id).filter(|_| !matches!(run.plan.step(*id), Step::Waiting));
        let before = teller.success(*id).map(|success| success.key);
        if let Some(key) = asked.filter(|key| before != Some(*key)) {
            let mut cause = teller.cause(path, before, key, &run.keyed(*id).record)?;
            cause.stored = run.plan.step(*id) == Step::Settled(TaskResult::Cached);
            causes.push(cause);
        }
    }
    if causes.is_empty() {
        return teller.current(label, &paths);
    }
    Ok(Why { current: false, since: teller.since(label), last: 0, causes })
}

/// Every task that `label` needs with a shortest way to it, nearest first.
fn paths_down(graph: &TaskGraph, label: &Label) -> Vec<(TaskId, Vec<Label>)> {
    let mut seen = BTreeSet::new();
    let mut found: Vec<(TaskId, Vec<Label>)> = Vec::new();
    for output in graph.requested().flat_map(|target| graph.offers(target)) {
        if seen.insert(output.task) {
            let own = graph.label(output.task);
            let mut path = vec![label.clone()];
            path.extend((own != *label).then_some(own));
            found.push((output.task, path));
        }
    }
    let mut next = 0;
    while let Some((id, path)) = found.get(next).cloned() {
        next += 1;
        for need in graph.shape().inputs(id) {
            if seen.insert(need) {
                let mut longer = path.clone();
                longer.push(graph.label(need));
                found.push((need, longer));
            }
        }
    }
    found
}

/// Tells what is recorded of a graph's tasks.
struct Teller<'a> {
    run: &'a Run<'a>,
    graph: &'a TaskGraph,
    state: &'a State,
    words: Words<'a>,
    known: &'a HashMap<String, Success>,
}

impl Teller<'_> {
    fn success(&self, id: TaskId) -> Option<&Success> {
        self.known.get(&self.graph.label(id).to_string())
    }

    fn record(&self, key: ActionKey) -> Result<Option<KeyRecord>, EnvironmentError> {
        let bytes = self.state.record(key).map_err(|error| EnvironmentError::of(&error))?;
        Ok(bytes.as_deref().and_then(KeyRecord::decode))
    }

    /// The run of the last success of what `label` stands for.
    fn since(&self, label: &Label) -> u64 {
        let own = self.graph.find_target(label).into_iter();
        let tasks = own.flat_map(|target| self.graph.offers(target)).map(|output| output.task);
        tasks.filter_map(|id| self.success(id)).map(|success| success.run).max().unwrap_or(0)
    }

    /// What is different between the key `before` and the record of `key`, at the end of `path`.
    fn cause(
        &self,
        path: &[Label],
        before: Option<ActionKey>,
        key: ActionKey,
        now: &KeyRecord,
    ) -> Result<Cause, EnvironmentError> {
        debug_assert_eq!(now.key(), key, "the record is that of the key");
        let label = path.last().expect("a path holds the label that was asked about");
        let then = before.map_or(Ok(None), |before| self.record(before))?;
        let def = self.graph.find(label).map(|id| self.run.def(id));
        let changes = match &then {
            Some(then) => self.words.changes(def.as_deref(), then, now)?,
            None => Vec::new(),
        };
        let before = if then.is_some() { Before::Success } else { self.never(label)? };
        Ok(Cause { path: path.to_vec(), before, stored: false, changes })
    }

    fn never(&self, label: &Label) -> Result<Before, EnvironmentError> {
        let attempt = self.state.attempt(&label.to_string());
        let attempt = attempt.map_err(|error| EnvironmentError::of(&error))?;
        let failed = attempt.filter(|attempt| attempt.result == TaskResult::Failed.as_str());
        Ok(failed.map_or(Before::Nothing, |attempt| Before::Failure {
            run: attempt.run,
            reason: attempt.reason.unwrap_or_default(),
        }))
    }

    /// What changed when something that `label` needs was last made anew.
    fn current(
        &self,
        label: &Label,
        paths: &[(TaskId, Vec<Label>)],
    ) -> Result<Why, EnvironmentError> {
        let runs = paths.iter().filter_map(|(id, _)| self.success(*id)).map(|s| s.run);
        let last = runs.max().unwrap_or(0);
        let mut causes = Vec::new();
        for (id, path) in paths {
            let Some(success) = self.success(*id).filter(|success| success.run == last) else {
                continue;
            };
            let Some(record) = self.record(success.key)? else { continue };
            let cause = self.cause(path, success.previous_key, success.key, &record)?;
            // What only follows from another task of that run is not a cause of its own.
            let own =
                |change: &Change| change.made_by.as_ref().is_none_or(|m| !self.made_in(m, last));
            if cause.changes.iter().any(own) {
                causes.push(cause);
            }
        }
        Ok(Why { current: true, since: self.since(label), last, causes })
    }

    fn made_in(&self, label: &Label, run: u64) -> bool {
        self.known.get(&label.to_string()).is_some_and(|success| success.run == run)
    }
}
