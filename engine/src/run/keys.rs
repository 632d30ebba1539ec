//! The keys of a run's tasks: what to ask for them, what is settled by them, and what they are made of.

use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::ActionResult;
use vwfb_exec::action::Action;
use vwfb_rules::task::Command;

use super::{Failed, Run};
use crate::action::{Unkeyed, action, keyed, record as recorded};
use crate::ahead;
use crate::chain::chain;
use crate::db::{Outcome, Target};
use crate::event::TaskResult;
use crate::key::KeyRecord;
use crate::pins::{Pinned, pinned};
use crate::plan::{Step, TaskId};

impl Run<'_> {
    /// At most `most` tasks that are ready, whose inputs the database has; of many the keys are asked
    /// for on every core.
    pub(super) fn ready(&mut self, most: usize) -> Vec<TaskId> {
        let mut ready = Vec::new();
        while ready.len() < most
            && let Some(id) = self.plan.next_ready()
        {
            ready.push(id);
        }
        let asked: Vec<TaskId> =
            ready.iter().copied().filter(|id| !self.is_as_it_was(*id)).collect();
        asked.iter().for_each(|id| self.bring_inputs(*id));
        let targets: Vec<Target> = asked.iter().map(|id| self.target(*id)).collect();
        ahead::ask(self.ground.db, &targets, |db, target| drop(keyed(db, target)));
        ready
    }

    /// Asks for the key of a ready task, and settles it if its outcome answers that key; else the
    /// task is returned.
    pub(super) fn settle_same_key(&mut self, id: TaskId) -> Option<TaskId> {
        if self.is_as_it_was(id) {
            self.settled(id, self.plan.unchanged_or_cut_off(id), Duration::ZERO);
            return None;
        }
        let keyed = match keyed(self.ground.db, self.target(id)) {
            Ok(keyed) => keyed,
            Err(Unkeyed::Lost(_)) => {
                self.take_up_lost_inputs(id);
                return None;
            }
            Err(unkeyed) => {
                self.cannot_key(id, &unkeyed);
                return None;
            }
        };
        let key = keyed.key;
        let asks = matches!(keyed.def.command, Command::Decide(_));
        self.keyed[id.0] = Some(keyed);
        if asks {
            self.questions.push(id);
            return None;
        }
        if self.plan.answer(id) != Some(key) {
            if let Some(pinned) = pinned(self.ground.db, &self.label(id)) {
                self.adopt_pin(id, &pinned);
                return None;
            }
            let graph = Arc::clone(&self.ground.graph);
            for need in graph.shape().inputs(id) {
                self.claim_outputs(need);
            }
            return Some(id);
        }
        self.settled(id, self.plan.unchanged_or_cut_off(id), Duration::ZERO);
        self.claim_outputs(id);
        None
    }

    /// Settles a task as people chose.
    fn adopt_pin(&mut self, id: TaskId, pinned: &Pinned) {
        for artifact in pinned.outcome.values() {
            let why = match self.ground.keep.bring(artifact) {
                Ok(true) => continue,
                Ok(false) => format!("`{}` is in neither store nor keep", artifact.digest()),
                Err(error) => chain(&error),
            };
            let failed = Failed {
                hint: Some(
                    "restore `.vwfb/keep/` from a backup, or `vwfb unpin` the target".into(),
                ),
                ..Failed::because(format!("its pinned bytes are gone: {why}").into())
            };
            self.environment_failed = true;
            return self.fail(id, failed);
        }
        let (outputs, log) = (Outcome::clone(&pinned.outcome), None);
        let result = ActionResult { outputs, log, duration_ms: 0, observed_inputs: None };
        self.adopt(id, result, TaskResult::Pinned, Duration::ZERO);
    }

    /// Whether nothing that makes up a task's key differs from its last success, so that the key
    /// is the same and need not be asked for.
    fn is_as_it_was(&self, id: TaskId) -> bool {
        let Some(suspects) = &self.suspects else { return false };
        !suspects[id.0]
            && self.plan.answer(id).is_some()
            && !self.ground.graph.shape().inputs(id).any(|need| self.moved[need.0])
    }

    /// Why a task that ended has no key, if it has none.
    pub(crate) fn unkeyed(&self, id: TaskId) -> Option<String> {
        let ended = matches!(self.plan.step(id), Step::Ended(TaskResult::Failed));
        let asked = ended.then(|| keyed(self.ground.db, self.target(id)))?;
        asked.as_ref().err().map(ToString::to_string)
    }

    /// Gives the database the outcomes that a task reads.
    fn bring_inputs(&mut self, id: TaskId) {
        let graph = Arc::clone(&self.ground.graph);
        for need in graph.shape().inputs(id) {
            if !self.brought[need.0] {
                self.brought[need.0] = true;
                let target = self.target(need);
                let outcome = self.answers.outcome(need);
                self.ground.db.set_outcome(target, outcome);
            }
        }
    }

    /// What to run for `id`, which has its key; otherwise it has failed.
    pub(crate) fn action(&mut self, id: TaskId) -> Option<Action> {
        match action(self.ground.db, &self.keyed(id).def) {
            Ok((action, _)) => {
                self.records.insert(id, KeyRecord::of(&action));
                Some(action)
            }
            Err(unkeyed) => {
                self.cannot_key(id, &unkeyed);
                None
            }
        }
    }

    /// The fields of the key of `id`, which has one.
    pub(crate) fn key_record(&mut self, id: TaskId) -> Option<KeyRecord> {
        let (keyed, record) = (Arc::clone(self.keyed(id)), self.records.remove(&id));
        let record = record.or_else(|| {
            let made = recorded(self.ground.db, &keyed.def).ok();
            made.map(|(record, _)| record)
        });
        // Where what it reads was seen to change since, the record is not of this key.
        record.filter(|record| record.key() == keyed.key)
    }

    fn cannot_key(&mut self, id: TaskId, unkeyed: &Unkeyed) {
        self.blame(unkeyed);
        self.fail(id, Failed::because(unkeyed.to_string().into()));
    }

    /// Notes whose fault it is that a task has no key.
    const fn blame(&mut self, unkeyed: &Unkeyed) {
        match unkeyed {
            Unkeyed::NotInTree { .. } => {}
            Unkeyed::Pin { .. } => self.input_failed = true,
            Unkeyed::SourceGone(_) | Unkeyed::SourceUnreadable { .. } => self.input_failed = true,
            Unkeyed::NoTask(_) | Unkeyed::Open(_) | Unkeyed::Lost(_) | Unkeyed::Tool(_) => {
                self.environment_failed = true;
            }
        }
    }
}
