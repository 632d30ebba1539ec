//! Fan-outs whose items a task makes: when it is settled, the graph grows by what they expand to.

use std::collections::BTreeSet;
use std::sync::Arc;

use vwfb_cas::Artifact;
use vwfb_rules::label::Label;

use super::{EnvironmentError, Run};
use crate::check::{Loaded, load};
use crate::event::{Event, TaskFinished, TaskResult};
use crate::graph::Waiting;
use crate::plan::{Step, TaskId};

impl Run<'_> {
    /// Expands the fan-outs whose items are made by now. Returns whether there may be more to ask
    /// for.
    pub(crate) fn expand(&mut self) -> Result<bool, EnvironmentError> {
        let graph = Arc::clone(&self.ground.graph);
        let tasks = graph.waiting.iter().filter_map(|waiting| waiting.task);
        let is_ready = |id: &TaskId| {
            matches!(self.plan.step(*id), Step::Settled(_)) && !self.expanded.contains(id)
        };
        let ready: BTreeSet<TaskId> = tasks.filter(is_ready).collect();
        if ready.is_empty() {
            return Ok(false);
        }
        for id in &ready {
            if self.is_lost(*id) {
                self.take_up(*id).map_err(EnvironmentError)?;
                return Ok(true);
            }
        }
        self.expanded.extend(ready.iter().copied());
        let ready: Vec<TaskId> = ready.into_iter().collect();
        let loaded = self.expand_from(&ready);
        if !loaded.has_errors() {
            self.tell(&loaded);
            return self.grow_to(&loaded).map(|()| true);
        }
        // What is wrong with one is no reason to leave out what the others expand to.
        ready.iter().for_each(|id| self.hold(*id));
        let mut has_grown = false;
        for id in &ready {
            let loaded = self.expand_from(&[*id]);
            self.tell(&loaded);
            if loaded.has_errors() {
                self.input_failed = true;
                self.hold(*id);
            } else {
                self.grow_to(&loaded)?;
                has_grown = true;
            }
        }
        Ok(has_grown)
    }

    /// What is asked for, now that the outputs of these tasks are known.
    fn expand_from(&mut self, tasks: &[TaskId]) -> Loaded {
        for id in tasks {
            self.brought[id.0] = true;
            let (target, outcome) = (self.target(*id), self.answers.outcome(*id));
            self.ground.db.set_outcome(target, outcome);
            self.ground.db.hold(target, false);
        }
        load(self.ground.db, self.ground.patterns)
    }

    /// Lets nothing expand from what a task made; others may read it all the same.
    fn hold(&mut self, id: TaskId) {
        let target = self.target(id);
        self.ground.db.hold(target, true);
    }

    /// Tells of the problems in `loaded` that were not told of before.
    fn tell(&mut self, loaded: &Loaded) {
        for problem in &loaded.problems {
            if !self.told.contains(problem) {
                self.emit(&Event::Diagnostic(Box::new(problem.clone())));
            }
        }
        self.told.extend(loaded.problems.iter().cloned());
    }

    fn grow_to(&mut self, loaded: &Loaded) -> Result<(), EnvironmentError> {
        let grown = self.ground.graph.grown(&*self.ground.db, &loaded.targets);
        self.grow(Arc::new(grown))
    }

    /// Takes in further targets, which nobody asked for.
    pub(super) fn grow_by(&mut self, labels: &[Label]) -> Result<(), EnvironmentError> {
        let graph = &self.ground.graph;
        let requested: Vec<Label> = graph.requested().map(|id| graph.target_label(id)).collect();
        let roots: Vec<Label> = requested.iter().chain(labels).cloned().collect();
        let mut grown = graph.grown(&*self.ground.db, &roots);
        grown.requested.truncate(grown.requested.len() - labels.len());
        self.grow(Arc::new(grown))
    }

    /// Says of fan-outs that were never expanded that they are blocked, or cancelled if the run was.
    pub(crate) fn end_waiting(&mut self, is_stopping: bool) {
        let graph = Arc::clone(&self.ground.graph);
        for Waiting { fan_out, on, task } in &graph.waiting {
            let is_made = task.is_some_and(|id| matches!(self.plan.step(id), Step::Settled(_)));
            let (result, reason) = match (is_stopping, is_made) {
                (true, _) => (TaskResult::Cancelled, "the run was cancelled".to_owned()),
                (_, true) => {
                    (TaskResult::Blocked, "what fan-outs expand to has problems".to_owned())
                }
                (_, false) => {
                    (TaskResult::Blocked, format!("it expands after `{on}`, which has no result"))
                }
            };
            self.counts.add(result);
            let finished = TaskFinished::quiet(fan_out.clone(), None, result);
            let finished = TaskFinished { reason: Some(reason.into()), ..finished };
            self.emit(&Event::TaskFinished(Box::new(finished)));
        }
    }

    fn is_lost(&self, id: TaskId) -> bool {
        let outcome = self.answers.outcome(id).unwrap_or_default();
        let is_there = |artifact: &Artifact| self.ground.store.has(artifact).unwrap_or(false);
        !outcome.values().all(is_there)
    }

    /// Goes on with a graph that begins like the present one.
    fn grow(&mut self, graph: Arc<crate::graph::TaskGraph>) -> Result<(), EnvironmentError> {
        let (before, count) = (self.keyed.len(), graph.tasks());
        self.ground.graph = Arc::clone(&graph);
        self.ground.db.prefetch(&graph.sources());
        let labels: Vec<String> =
            (before..count).map(|id| graph.label(TaskId(id)).to_string()).collect();
        let known = self.ground.state.successes_of(&labels);
        let known = known.map_err(|error| EnvironmentError::of(&error))?;
        self.answers.append(&labels, &known);
        self.keyed.resize(count, None);
        self.moved.resize(count, false);
        self.brought.resize(count, false);
        self.replaces.resize(count, false);
        self.doubtful.resize(count, false);
        let answers = &self.answers;
        let keys = (before..count).map(|id| answers.key(TaskId(id)));
        let weight = |id| answers.duration(id).max(1);
        let blocked = self.plan.grow(Arc::clone(graph.shape()), keys, weight);
        self.emit(&Event::Expanded { tasks: count });
        for id in blocked {
            let failed = super::Failed::because("something it needs failed".into());
            self.finished_without_result(id, TaskResult::Blocked, failed);
        }
        Ok(())
    }
}
