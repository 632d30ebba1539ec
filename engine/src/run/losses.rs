//! What is done when bytes that a task needs are lost, or a source changes under it.

use std::sync::Arc;

use vwfb_cas::Artifact;
use vwfb_rules::label::WsPath;
use vwfb_rules::task::InputRef;

use super::{Failed, Run};
use crate::plan::TaskId;

impl Run<'_> {
    /// Takes up again the producers whose outputs `id` needs and the store has lost. If none is
    /// lost after all, `id` itself is asked again.
    pub(crate) fn take_up_lost_inputs(&mut self, id: TaskId) {
        let lost = self.lost_inputs(id);
        if lost.is_empty() {
            return self.ask_again(id);
        }
        self.plan.put_back(id);
        for producer in lost {
            if let Err(why) = self.take_up(producer) {
                self.environment_failed = true;
                self.fail(id, Failed::because(why.into()));
                return;
            }
        }
    }

    /// Looks again at a source that was seen to change. What reads it may be settled for what it
    /// was before, which the next run finds out.
    pub(crate) fn source_changed(&mut self, path: &WsPath) {
        self.is_steady = false;
        self.ground.db.refresh_path(path);
        let graph = Arc::clone(&self.ground.graph);
        for id in graph.shape().tasks() {
            self.doubtful[id.0] |= graph.sources_of(id).any(|source| source == path.as_str());
        }
    }

    /// Asks for the key of a task again, because something it reads was not what the key says.
    pub(crate) fn ask_again(&mut self, id: TaskId) {
        if !self.plan.take_up_again(id) {
            let label = self.label(id);
            let reason = format!("what `{label}` reads keeps changing while it runs");
            self.fail(id, Failed::because(reason.into()));
        }
    }

    /// Takes up a settled task again because its bytes are lost; the error says why it cannot be.
    pub(crate) fn take_up(&mut self, producer: TaskId) -> Result<(), String> {
        self.is_steady = false;
        let label = self.label(producer);
        let outcome = self.answers.outcome(producer).unwrap_or_default();
        let bring = |artifact: &Artifact| self.ground.keep.bring(artifact).unwrap_or(false);
        if !outcome.is_empty() && outcome.values().all(bring) {
            return Ok(());
        }
        if self.is_sampled(producer) {
            return Err(format!(
                "the stored result of `{label}` is lost, and another run would not make the same; \
                 `vwfb redo {label}` makes one"
            ));
        }
        match self.plan.unsettle(producer) {
            None => Err(format!("the store keeps losing the outputs of `{label}`")),
            Some(undone) => {
                for (_, result) in undone {
                    self.counts.remove(result);
                }
                Ok(())
            }
        }
    }

    fn lost_inputs(&self, id: TaskId) -> Vec<TaskId> {
        let def = self.def(id);
        let is_lost = |need: &TaskId| {
            let label = self.label(*need);
            let read = def.inputs.values().filter_map(|input| match input {
                InputRef::Output { label: made, output, .. } if *made == label => Some(output),
                _ => None,
            });
            let mut artifacts = read.filter_map(|output| self.answers.artifact(*need, output));
            artifacts.any(|artifact| !self.ground.store.has(&artifact).unwrap_or(false))
        };
        self.ground.graph.shape().inputs(id).filter(is_lost).collect()
    }
}
