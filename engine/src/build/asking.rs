//! Tasks that ask services: whether there is money for them, and what they took.

use vwfb_cas::{ActionKey, Artifact};
use vwfb_exec::action::Action;
use vwfb_rules::cost::Reading;
use vwfb_rules::label::WsPath;
use vwfb_rules::media::Media;
use vwfb_rules::service::ServiceUse;

use super::Build;
use crate::chain::chain;
use crate::event::TaskResult;
use crate::plan::TaskId;
use crate::run::Failed;
use crate::spending::{Leave, Question, SpendingError};
use crate::workers::{Ending, Job};

impl Build<'_> {
    /// Whether the task may ask its service; if not, it is queued again, or ended.
    pub(super) fn may_ask(
        &mut self,
        id: TaskId,
        service: &ServiceUse,
        (key, action): (ActionKey, &Action),
    ) -> bool {
        let ground = &self.run.ground;
        let question = Question {
            key,
            label: self.run.label(id).to_string(),
            service: service.name.clone(),
            at_ms: ground.now_ms,
            expected: service.expected_of(reading(action)),
            priced: !service.def.prices.is_empty(),
            asked: ground.desk.has_submission(key),
        };
        match self.purse.ask(id, &question, ground.spending) {
            Ok(Leave::Granted) => return true,
            Ok(Leave::Later) => self.run.plan.queue(id),
            Ok(Leave::Refused(why)) => {
                let hint = "raise it in `budgets` of WORKSPACE.kdl, or for one build with `--budget`; \
                    what is made is kept";
                let failed = Failed { hint: Some(hint.into()), ..Failed::because(why.into()) };
                self.run.end(id, TaskResult::Waiting, failed);
            }
            Err(error) => {
                self.run.environment_failed = true;
                self.run.fail(id, Failed::because(chain(&error).into()));
            }
        }
        false
    }

    /// Settles what the task of `job` was to cost, and forgets what it asked if it has its answer.
    pub(super) fn reckon(&mut self, job: &Job, ending: &Ending) -> Result<(), SpendingError> {
        if job.grants.service.is_none() {
            return Ok(());
        }
        let Some(service) = self.run.def(job.id).service.clone() else { return Ok(()) };
        let (desk, spending) = (self.run.ground.desk, self.run.ground.spending);
        let (asked, usage) = (job.id, desk.take_usage(job.key));
        let has_answer = matches!(ending, Ending::Ran(_));
        let stays = !has_answer && desk.open_submission(job.key).is_some();
        if has_answer || usage.is_some() {
            self.purse.paid(asked, (&service, usage), stays, spending)?;
        } else {
            self.purse.unpaid(asked, stays, spending)?;
        }
        if has_answer {
            desk.settled(job.key);
        }
        Ok(())
    }
}

/// What an action reads, as far as that decides what it costs to have it read.
fn reading(action: &Action) -> Reading {
    let mut reading = Reading::default();
    for (role, artifact) in &action.inputs {
        let media = WsPath::new(role).ok().and_then(|path| Media::of_path(&path));
        match (media.as_ref().map(Media::kind), artifact) {
            (Some("image" | "video"), _) => reading.media += 1,
            (Some("audio"), _) | (_, Artifact::Tree(_)) => {}
            (_, Artifact::File(file)) => reading.text = reading.text.saturating_add(file.size),
        }
    }
    reading
}
