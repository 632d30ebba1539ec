//! What stands where in a workspace: what is done, what is not and why, and who is waited for.

use vwfb_rules::label::Label;

use super::prepare::Prepared;
use super::{EnvironmentError, Workspace};
use crate::forecast::Fate;
use crate::names::is_unknown;
use crate::pins::pinned_labels;
use crate::standing::{Provisional, provisional};
use crate::state::RunRecord;

/// A target of which something is to be told, with what that is.
pub type Told = (Label, String);

/// Where a workspace stands.
#[derive(Debug, Clone, Default)]
pub struct Status {
    /// The last run, if there was one.
    pub last_run: Option<RunRecord>,
    /// How many tasks have the result of their present key.
    pub done: usize,
    /// The requested targets that are not final.
    pub provisional: Vec<Provisional>,
    /// What has a result for another key than the present one, and why, as far as that was asked.
    pub stale: Vec<Told>,
    /// What never had a result.
    pub unmade: Vec<Label>,
    /// The checkpoints that wait for people.
    pub waiting: Vec<Told>,
    /// What failed when it was last tried, and why.
    pub failed: Vec<Told>,
    /// What people chose: pins and edits.
    pub chosen: Vec<Told>,
    /// The fan-outs that expand only when something is made.
    pub expands: Vec<Told>,
    /// What cannot run, and why.
    pub cannot: Vec<Told>,
    /// How many tasks a build would run.
    pub runs: usize,
    /// How many more it may run.
    pub may_run: usize,
    /// How many results it would take from the store.
    pub cached: usize,
}

/// Of how many stale targets it is said why: each takes as long as the whole.
const EXPLAINED: usize = 3;

impl Workspace {
    /// Where what `prepared` asks for stands. Nothing is run.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn status(&mut self, prepared: &Prepared) -> Result<Status, EnvironmentError> {
        let of = |error: crate::state::StateError| EnvironmentError::of(&error);
        let last_run = self.state.last_run().map_err(of)?;
        let provisional = provisional(&prepared.graph);
        let mut status = Status { last_run, provisional, ..Status::default() };
        let failures = self.state.failures().map_err(of)?;
        for task in self.forecast(prepared)?.tasks {
            let label = task.label;
            let failed = failures.get(&label.to_string());
            let is_due = matches!(task.fate, Fate::Runs | Fate::MayRun);
            status.runs += usize::from(task.fate == Fate::Runs);
            status.may_run += usize::from(task.fate == Fate::MayRun);
            if let Some(failure) = failed.filter(|_| is_due) {
                status.failed.push((label, failure.clone()));
                continue;
            }
            match task.fate {
                Fate::Unchanged => status.done += 1,
                Fate::Cached => {
                    status.done += 1;
                    status.cached += 1;
                }
                Fate::Runs | Fate::MayRun => match self.state.key_of(&label).map_err(of)? {
                    Some(_) => status.stale.push((label, String::new())),
                    None => status.unmade.push(label),
                },
                Fate::Waits(why) => status.waiting.push((label, why)),
                Fate::Expands { after, .. } => {
                    status.expands.push((label, format!("after {after}")));
                }
                Fate::Cannot(why) => status.cannot.push((label, why)),
                Fate::Blocked(_) => {}
            }
        }
        for (label, reason) in status.stale.iter_mut().take(EXPLAINED) {
            let why = self.why(prepared, label)?;
            let cause = why.causes.first();
            let change = cause.and_then(|cause| cause.changes.first()).map(|it| it.what.clone());
            *reason = change.map(|what| format!("{what} changed")).unwrap_or_default();
        }
        for pinned in pinned_labels(&self.db) {
            let (word, pin) = (if pinned.pin.is_edit { "edited" } else { "pinned" }, &pinned.pin);
            let by = pin.who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
            let other = match self.would_make(&pinned)? {
                _ if is_unknown(&self.db, &pin.label) => "; there is no such target any more",
                Some(_) => "; its task would make something else now",
                None => "",
            };
            let told = format!("{word}, version {}{by}{other}", pin.version);
            status.chosen.push((pin.label.clone(), told));
        }
        Ok(status)
    }
}
