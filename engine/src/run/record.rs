//! What a run writes down while it goes on, and leaves behind.

use std::sync::Arc;
use std::time::{Duration, Instant};

use vwfb_cas::ActionKey;
use vwfb_rules::label::Label;

use super::{EnvironmentError, Run};
use crate::answers::Answers;
use crate::graph::TaskGraph;
use crate::key::KeyRecord;
use crate::plan::{Step, TaskId};
use crate::roots::add;
use crate::standing::Standings;
use crate::state::NewSuccess;

/// How often what a run learns is written down while it goes on.
const RECORD_EVERY: Duration = Duration::from_millis(100);

/// What a run leaves behind.
pub(crate) struct Ended {
    pub(crate) answers: Answers,
    /// Task -> 1 if it settled.
    pub(crate) settled: Vec<u8>,
    /// The mark of the workspace's successes that these are; `None` if another process recorded
    /// some meanwhile.
    pub(crate) mark: Option<i64>,
    /// The tasks, with all that fan-outs expanded to.
    pub(crate) graph: Arc<TaskGraph>,
    /// The keys that the run recorded.
    pub(crate) recorded: Vec<ActionKey>,
}

impl Run<'_> {
    /// What the next run may begin with.
    pub(crate) fn ended(&mut self) -> Ended {
        let settled = |id: TaskId| {
            let settled = matches!(self.plan.step(id), Step::Settled(_));
            u8::from(settled && !self.doubtful[id.0])
        };
        let settled = self.ground.graph.shape().tasks().map(settled).collect();
        let recorded = std::mem::take(&mut self.recorded_keys);
        let graph = Arc::clone(&self.ground.graph);
        Ended {
            graph,
            answers: std::mem::take(&mut self.answers),
            settled,
            mark: self.mark,
            recorded,
        }
    }

    /// Writes down what this run learnt, not for each task: it costs as much as a short task. What
    /// is not written down when this process is killed, the store still knows. Returns when to
    /// call again.
    pub(crate) fn record_if_due(&mut self) -> Result<Option<Duration>, EnvironmentError> {
        if self.new_attempts.is_empty() && self.new_successes.is_empty() {
            return Ok(None);
        }
        let left = RECORD_EVERY.saturating_sub(self.recorded.elapsed());
        let sampled = self.new_successes.iter().any(|(id, _)| self.is_sampled(*id));
        if !left.is_zero() && !sampled {
            return Ok(Some(left));
        }
        self.record()?;
        Ok(None)
    }

    /// Writes down what this run learnt since the last call.
    pub(crate) fn record(&mut self) -> Result<(), EnvironmentError> {
        // What a preview comes to is not what a build would.
        if self.preview.is_some() {
            self.new_successes.clear();
            self.new_attempts.clear();
            return Ok(());
        }
        if self.new_attempts.is_empty() && self.new_successes.is_empty() {
            return Ok(());
        }
        self.recorded = Instant::now();
        let new = std::mem::take(&mut self.new_successes);
        let records: Vec<_> = new.iter().map(|(id, _)| self.key_record(*id)).collect();
        let pinned: Vec<bool> =
            records.iter().map(|it| it.as_ref().is_some_and(KeyRecord::is_pin)).collect();
        let graph = Arc::clone(&self.ground.graph);
        let standings = Standings::of(&graph);
        let records: Vec<_> =
            records.iter().map(|record| record.as_ref().map(KeyRecord::encode)).collect();
        let labels: Vec<Label> = new.iter().map(|(id, _)| self.label(*id)).collect();
        let outcomes: Vec<_> = new.iter().map(|(id, _)| self.answers.outcome(*id)).collect();
        let successes: Vec<NewSuccess<'_>> = new
            .iter()
            .zip(records.iter().zip(&pinned).zip(labels.iter().zip(&outcomes)))
            .filter_map(|((id, follows), ((record, pinned), (label, outcome)))| {
                Some(NewSuccess {
                    label,
                    key: self.keyed(*id).key,
                    record: record.as_deref()?,
                    outcome: outcome.as_deref()?,
                    duration_ms: self.answers.duration(*id),
                    follows: *follows,
                    replaces: self.replaces[id.0],
                    pinned: *pinned,
                    reasons: standings
                        .of_task(&graph, *id)
                        .iter()
                        .map(|it| format!("{it}\n"))
                        .collect(),
                })
            })
            .collect();
        let state = self.ground.state;
        if !successes.is_empty() {
            let mark = state.record_successes(self.number, &successes);
            let mark = mark.map_err(|error| EnvironmentError::of(&error))?;
            self.mark = self.mark.filter(|before| before + 1 == mark).map(|_| mark);
            self.recorded_keys.extend(successes.iter().map(|success| success.key));
        }
        let attempts = state.record_attempts(&self.new_attempts);
        attempts.map_err(|error| EnvironmentError::of(&error))?;
        self.new_attempts.clear();
        // A sample cannot be made again, so it is this workspace's from now on.
        let sampled = new.iter().map(|(id, _)| *id).filter(|id| self.is_sampled(*id));
        let sampled: Vec<ActionKey> = sampled.map(|id| self.keyed(id).key).collect();
        if !sampled.is_empty() {
            add(self.ground.store, state, &sampled)?;
        }
        Ok(())
    }
}
