//! A preview's stand-ins: what a target last came to where it is not made now, else a placeholder of
//! its outputs. Nothing of it is recorded.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::{ActionKey, Digest};
use vwfb_rules::label::Label;
use vwfb_rules::placeholder::For;

use super::{EnvironmentError, Failed, Run};
use crate::answers::Answer;
use crate::db::{Db, Outcome};
use crate::event::TaskResult;
use crate::names::placed;
use crate::plan::{Step, TaskId};
use crate::standing::{Reason, Standings};
use crate::target::task;

/// What a preview may use and start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preview {
    /// Whether what a target last came to may not stand in for it.
    pub fresh: bool,
    /// Whether it starts tasks that are expensive.
    pub runs_expensive: bool,
}

impl Run<'_> {
    /// Whether a preview may not start the task `id`, which has its key.
    pub(crate) fn is_left_out(&self, id: TaskId) -> bool {
        let expensive = self.keyed_now(id).is_some_and(|keyed| keyed.def.expensive);
        self.preview.is_some_and(|preview| expensive && !preview.runs_expensive)
    }

    /// Lets something stand in for the tasks that have none of their own in a preview. Returns whether
    /// there were any.
    pub(crate) fn stand_in_for_some(&mut self) -> Result<bool, EnvironmentError> {
        let without = std::mem::take(&mut self.without);
        let some = !without.is_empty();
        for id in without {
            self.stand_in(id)?;
        }
        Ok(some)
    }

    fn stand_in(&mut self, id: TaskId) -> Result<(), EnvironmentError> {
        let fresh = self.preview.is_some_and(|preview| preview.fresh);
        let last = self.answers.outcome(id).filter(|_| !fresh);
        let is_there = |outcome: &Arc<Outcome>| {
            outcome.values().all(|artifact| self.ground.keep.bring(artifact).unwrap_or(false))
        };
        if let Some(outcome) = last.filter(is_there) {
            self.settle_as(id, outcome, Reason::LastGood(self.label(id)));
            return Ok(());
        }
        let stand_ins = self.placeholders(id);
        if stand_ins.is_empty() {
            self.leave_out(id);
            return Ok(());
        }
        self.plan.hold(id);
        let labels: Vec<Label> = stand_ins.iter().map(|(_, label)| label.clone()).collect();
        self.grow_by(&labels)?;
        for (output, label) in stand_ins {
            let Some(placeholder) = self.ground.graph.find(&label) else {
                self.leave_out(id);
                return Ok(());
            };
            self.stand_ins.entry(placeholder).or_default().push((id, output));
            self.stood_in(placeholder);
        }
        Ok(())
    }

    /// The targets that make placeholders of the outputs of `id`, by output; none unless there is one
    /// for each.
    fn placeholders(&self, id: TaskId) -> Vec<(String, Label)> {
        let db: &dyn Db = &*self.ground.db;
        let label = self.label(id);
        // A placeholder has none itself.
        if For::of(&label).is_some() {
            return Vec::new();
        }
        let def = self.def(id);
        let of = |name: &String| {
            let label = For::Output(name.clone()).label(&label);
            let target = db.target(&label);
            let is_made = placed(db, target).is_some() && task(db, target).value.is_some();
            is_made.then(|| (name.clone(), label))
        };
        let all: Option<Vec<_>> = def.outputs.iter().map(|out| of(&out.name)).collect();
        all.unwrap_or_default()
    }

    /// Whether anything that a task is made of is not real.
    pub(super) fn reads_stand_ins(&self, id: TaskId) -> bool {
        let graph = &self.ground.graph;
        let standings = Standings::with(graph, &self.reasons);
        graph.shape().inputs(id).any(|need| !standings.of_task(graph, need).is_empty())
    }

    /// Settles whoever the placeholder `id` stands in for, if it is made.
    pub(super) fn stood_in(&mut self, id: TaskId) {
        if !self.is_settled(id) {
            return;
        }
        for (owner, _) in self.stand_ins.get(&id).cloned().unwrap_or_default() {
            if !matches!(self.plan.step(owner), Step::Running) {
                continue;
            }
            let mut outcome = Outcome::new();
            for (placeholder, owned) in &self.stand_ins {
                for (_, output) in owned.iter().filter(|(it, _)| *it == owner) {
                    let made = self
                        .answers
                        .outcome(*placeholder)
                        .filter(|_| self.is_settled(*placeholder));
                    let artifact = made.and_then(|made| made.values().next().copied());
                    outcome.extend(artifact.map(|artifact| (output.clone(), artifact)));
                }
            }
            let label = self.label(owner);
            if self.def(owner).outputs.iter().all(|out| outcome.contains_key(&out.name)) {
                self.settle_as(owner, Arc::new(outcome), Reason::Placeholder(label));
            }
        }
    }

    fn is_settled(&self, id: TaskId) -> bool {
        matches!(self.plan.step(id), Step::Settled(_))
    }

    /// Settles a task with what stands in for its result.
    pub(super) fn settle_as(&mut self, id: TaskId, outcome: Arc<Outcome>, reason: Reason) {
        let target = self.target(id);
        self.moved[id.0] = true;
        self.brought[id.0] = true;
        let _changed = self.ground.db.set_outcome(target, Some(Arc::clone(&outcome)));
        let key = self.known_key(id).unwrap_or(ActionKey(Digest::of(b"stand-in")));
        let (duration_ms, run, follows) = (0, 0, None);
        self.answers.set(id, Answer { key, outcome, duration_ms, run, follows });
        self.reasons.insert(id, reason);
        self.plan.take_back(id, key);
        self.settled(id, TaskResult::StandIn, Duration::ZERO);
    }

    /// Ends a task that nothing stands in for, and lets something stand in for what reads it.
    fn leave_out(&mut self, id: TaskId) {
        self.plan.end_alone(id, TaskResult::Blocked);
        let failed = Failed::because("nothing can stand in for it".into());
        self.finished_without_result(id, TaskResult::Blocked, failed);
        let feeds: BTreeSet<TaskId> = self.ground.graph.shape().feeds(id).collect();
        let waits = |id: &TaskId| matches!(self.plan.step(*id), Step::Waiting);
        let mut feeds: Vec<TaskId> = feeds.into_iter().filter(waits).collect();
        feeds.retain(|feed| !self.without.contains(feed));
        self.without.extend(feeds);
    }
}
