//! `vwfb why`: which component of which key changed since a label's last success.

mod change;

use std::sync::Arc;

use vwfb_cas::ActionKey;
use vwfb_rules::label::Label;

use crate::answers::Answers;
use crate::db::Database;
use crate::event::{Event, Reporter, TaskResult};
use crate::graph::TaskGraph;
use crate::key::KeyRecord;
use crate::plan::{Step, TaskId};
use crate::run::{EnvironmentError, Ground, Known, Run};
use crate::standing::Standing;
use crate::state::State;

pub use change::Change;
use change::Words;

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// What makes the items of a fan-out that the label is in or needs, if they are not known: the
    /// rest is about it.
    pub waits: Option<Label>,
    /// Whether everything that the label needs has its result for its present key.
    pub current: bool,
    /// The run that gave the label its present result; 0 if it has none or runs no task.
    pub since: u64,
    /// If it is current, the last run that made anything it needs anew; `since` if it was made
    /// anew itself, later if that came out as before.
    pub last: u64,
    /// What would be made again now, or what was in the run `last`.
    pub causes: Vec<Cause>,
    /// Why what it makes is not final; empty where it is.
    pub standing: Standing,
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
    /// Nothing: it cannot run.
    Unkeyed {
        /// What keeps it from that.
        reason: String,
    },
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
pub(crate) fn why(
    ground: Ground<'_>,
    known: &Known,
    label: &Label,
) -> Result<Why, EnvironmentError> {
    let (store, state, graph) = (ground.store.clone(), ground.state, Arc::clone(&ground.graph));
    let graph = &*graph;
    let system = ground.db.system();
    let words = Words { state, store: &store, system: &*system };
    let (answers, ways) = (&known.answers, Ways::down_from(graph, label));
    let suspects = known.suspects.as_ref().map(|suspects| ways.needed(suspects, answers));
    let teller = Teller { graph, state, words, answers, ways };
    if suspects.as_ref().is_some_and(|suspects| !suspects.contains(&true)) {
        return teller.current(ground.db, label);
    }
    let known = Known { answers: answers.clone(), suspects, mark: known.mark };
    let mut silent = Silent;
    let mut run = Run::begin(ground, &mut silent, known);
    run.settle_known()?;
    let mut causes = Vec::new();
    for id in &teller.ways.order {
        if let Some(reason) = run.unkeyed(*id) {
            let (path, before) = (teller.ways.path_to(*id), Before::Unkeyed { reason });
            causes.push(Cause { path, before, stored: false, changes: Vec::new() });
        }
        // A task that waits for another is explained by that other one.
        let asked = run.keyed_now(*id).filter(|_| !matches!(run.plan.step(*id), Step::Waiting));
        let before = answers.key(*id);
        let is_new = asked.is_some_and(|keyed| before != Some(keyed.key));
        if is_new && let Some(now) = run.key_record(*id) {
            let mut cause = teller.cause(run.ground.db, *id, before, &now)?;
            cause.stored = run.plan.step(*id) == Step::Settled(TaskResult::Cached);
            causes.push(cause);
        }
    }
    if causes.is_empty() {
        return teller.current(run.ground.db, label);
    }
    Ok(Why {
        waits: None,
        current: false,
        since: teller.since(label),
        last: 0,
        causes,
        standing: Standing::default(),
    })
}

/// A shortest way from a label to every task that it needs.
struct Ways<'a> {
    graph: &'a TaskGraph,
    label: &'a Label,
    /// The tasks, nearest first.
    order: Vec<TaskId>,
    /// Task -> the one before it on the way; itself where the way begins with it.
    before: Vec<Option<TaskId>>,
}

impl<'a> Ways<'a> {
    fn down_from(graph: &'a TaskGraph, label: &'a Label) -> Self {
        Self::through(graph, label, |_| true)
    }

    /// The same, only by way of some tasks.
    fn through(graph: &'a TaskGraph, label: &'a Label, is_way: impl Fn(TaskId) -> bool) -> Self {
        let before = vec![None; graph.tasks()];
        let mut ways = Self { graph, label, order: Vec::new(), before };
        for output in graph.find_target(label).into_iter().flat_map(|it| graph.offers(it)) {
            ways.add(output.task, output.task);
        }
        let mut next = 0;
        while let Some(id) = ways.order.get(next).copied() {
            next += 1;
            for need in graph.shape().inputs(id).filter(|need| is_way(*need)) {
                ways.add(need, id);
            }
        }
        ways
    }

    fn add(&mut self, id: TaskId, before: TaskId) {
        if self.before[id.0].is_none() {
            self.before[id.0] = Some(before);
            self.order.push(id);
        }
    }

    /// The suspects among the tasks and what has to come before them: all others change nothing
    /// of the answer.
    fn needed(&self, suspects: &[bool], answers: &Answers) -> Vec<bool> {
        let mut needed: Vec<bool> = self.before.iter().map(Option::is_some).collect();
        let shape = self.graph.shape();
        for id in shape.tasks().rev() {
            if needed[id.0] {
                shape.needs(id).for_each(|need| needed[need.0] = true);
                needed[id.0] = suspects[id.0] || answers.key(id).is_none();
            }
        }
        needed
    }

    /// The labels from that one to a task, each needing the next.
    fn path_to(&self, id: TaskId) -> Vec<Label> {
        let (mut path, mut id) = (vec![self.graph.label(id)], id);
        while let Some(before) = self.before[id.0].filter(|before| *before != id) {
            id = before;
            path.push(self.graph.label(id));
        }
        // The label itself may run nothing.
        if path.last() != Some(self.label) {
            path.push(self.label.clone());
        }
        path.reverse();
        path
    }
}

/// Tells what is recorded of a graph's tasks.
struct Teller<'a> {
    graph: &'a TaskGraph,
    state: &'a State,
    words: Words<'a>,
    /// The last successes.
    answers: &'a Answers,
    ways: Ways<'a>,
}

impl Teller<'_> {
    fn record(&self, key: ActionKey) -> Result<Option<KeyRecord>, EnvironmentError> {
        let bytes = self.state.record(key).map_err(|error| EnvironmentError::of(&error))?;
        Ok(bytes.as_deref().and_then(KeyRecord::decode))
    }

    /// The run of the last success of what `label` stands for.
    fn since(&self, label: &Label) -> u64 {
        let own = self.graph.find_target(label).into_iter();
        let tasks = own.flat_map(|target| self.graph.offers(target)).map(|output| output.task);
        tasks.map(|id| self.answers.run(id)).max().unwrap_or(0)
    }

    /// What is different between the key `before` and the record of `key`, of one task.
    fn cause(
        &self,
        db: &Database,
        id: TaskId,
        before: Option<ActionKey>,
        now: &KeyRecord,
    ) -> Result<Cause, EnvironmentError> {
        let then = before.map_or(Ok(None), |before| self.record(before))?;
        let (before, changes) = match &then {
            Some(then) => {
                let def = self.graph.def(db, id);
                (Before::Success, self.words.changes(Some(&def), then, now)?)
            }
            None => (self.never(&self.graph.label(id))?, Vec::new()),
        };
        Ok(Cause { path: self.ways.path_to(id), before, stored: false, changes })
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
    fn current(&self, db: &Database, label: &Label) -> Result<Why, EnvironmentError> {
        let order = self.ways.order.iter().copied();
        let last = order.clone().map(|id| self.answers.run(id)).max().unwrap_or(0);
        // What was made for the first time has nothing to compare with.
        let made = |id: &TaskId| self.answers.run(*id) == last && self.answers.has_own_cause(*id);
        let made: Vec<TaskId> = order.filter(made).collect();
        let names: Vec<String> = made.iter().map(|id| self.graph.label(*id).to_string()).collect();
        let successes = self.state.successes_of(&names);
        let successes = successes.map_err(|error| EnvironmentError::of(&error))?;
        // A change came by way of what it made anew.
        let ways = Ways::through(self.graph, label, |id| self.answers.run(id) == last);
        let mut causes = Vec::new();
        for (id, name) in made.into_iter().zip(&names) {
            // Another process may have recorded something since.
            let same = successes.get(name).filter(|it| self.answers.key(id) == Some(it.key));
            let Some(success) = same else { continue };
            let Some(record) = self.record(success.key)? else { continue };
            let mut cause = self.cause(db, id, success.previous_key, &record)?;
            if ways.before[id.0].is_some() {
                cause.path = ways.path_to(id);
            }
            let mut own = false;
            for change in &cause.changes {
                // What only follows from another task of that run is not a cause of its own.
                own |= match &change.made_by {
                    Some(maker) => !self.made_in(id, maker, last)?,
                    None => true,
                };
            }
            if own {
                causes.push(cause);
            }
        }
        Ok(Why {
            waits: None,
            current: true,
            since: self.since(label),
            last,
            causes,
            standing: Standing::default(),
        })
    }

    /// Whether `label`, which the task `id` reads, got its key in `run`.
    fn made_in(&self, id: TaskId, label: &Label, run: u64) -> Result<bool, EnvironmentError> {
        let mut inputs = self.graph.shape().inputs(id);
        if let Some(maker) = inputs.find(|need| self.graph.label(*need) == *label) {
            return Ok(self.answers.run(maker) == run);
        }
        // It may be one that is not needed any more.
        let success = self.state.success_of(&label.to_string());
        let success = success.map_err(|error| EnvironmentError::of(&error))?;
        Ok(success.is_some_and(|success| success.run == run))
    }
}
