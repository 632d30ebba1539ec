//! `vwfb settle`: what services were asked and did not answer.

use std::collections::BTreeSet;

use serde::Serialize;
use vwfb_cas::{ActionKey, KeyLock};
use vwfb_engine::desk::submission::{Stage, Submission};
use vwfb_engine::spending::SpendingError;

use crate::args::{SettleArgs, VarArgs};
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::units;

/// Why nothing was settled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettleError {
    /// Nothing is open there.
    #[error("no service was asked anything for `{0}` that is open")]
    NothingOpen(String),
    /// One job cannot be that of several questions.
    #[error("{count} questions are open for `{label}`, and one job answers one")]
    Several {
        /// The target.
        label: String,
        /// How many.
        count: usize,
    },
    /// A build is asking it now.
    #[error("a build asks it for `{0}` now: wait for that, or stop it first")]
    Running(String),
    /// The service has no jobs.
    #[error("`{service}` answers at once and has no jobs that could be waited for")]
    NoJobs {
        /// The service.
        service: String,
    },
    /// The records cannot be read or written.
    #[error("cannot use what is written down in `.vwfb/submissions`")]
    Io(#[from] std::io::Error),
    /// The store cannot be asked who works on it.
    #[error("the store cannot be used: {0}")]
    Lock(String),
    /// What was spent cannot be noted.
    #[error(transparent)]
    Spending(#[from] SpendingError),
}

/// A question as JSON.
#[derive(Serialize)]
struct Row<'a> {
    label: &'a str,
    service: &'a str,
    state: Stage,
    #[serde(skip_serializing_if = "Option::is_none")]
    job: Option<&'a str>,
    asked: String,
}

/// Lists what is open, or settles it.
pub(crate) fn run(ctx: &Context, args: &SettleArgs) -> Result<Exit, CommandError> {
    let session = Session::open(ctx, &VarArgs::default())?;
    let mut open = session.workspace.desk().submissions().map_err(SettleError::Io)?;
    if let Some(text) = &args.label {
        // The target may be gone: only its label counts.
        let Some(label) = session.label(ctx, text)? else { return Ok(Exit::INPUT) };
        let label = label.to_string();
        open.retain(|it| it.label == label);
        if open.is_empty() {
            return Err(SettleError::NothingOpen(label).into());
        }
    }
    let settles = args.again || args.job.is_some();
    // Nobody asks meanwhile: what asks holds these.
    let _locks = if settles { locks(&session, &open)? } else { Vec::new() };
    let settled = match (&args.job, open.as_slice()) {
        _ if args.again => {
            open.iter().try_for_each(Submission::forget).map_err(SettleError::Io)?;
            for key in open.iter().filter_map(Submission::key) {
                session.workspace.spending().give_up(key).map_err(SettleError::Spending)?;
            }
            "asks again"
        }
        (Some(_), [only]) if !only.has_jobs() => {
            return Err(SettleError::NoJobs { service: only.service.clone() }.into());
        }
        (Some(job), [only]) => {
            only.has_job(job).map_err(SettleError::Io)?;
            "waits for that job"
        }
        (Some(_), several) => {
            let (label, count) = (several[0].label.clone(), several.len());
            return Err(SettleError::Several { label, count }.into());
        }
        (None, _) => return list(ctx, args, &open),
    };
    ctx.ui.status(format_args!("the next build of {} {settled}", open[0].label));
    Ok(Exit::SUCCESS)
}

/// The right to ask what is open, of each.
fn locks(session: &Session, open: &[Submission]) -> Result<Vec<KeyLock>, CommandError> {
    let locks = session.workspace.store().key_locks();
    let keys: BTreeSet<ActionKey> = open.iter().filter_map(Submission::key).collect();
    let mut held = Vec::new();
    for key in keys {
        let lock = locks.try_lock(key).map_err(|error| SettleError::Lock(error.to_string()))?;
        let running = || SettleError::Running(open[0].label.clone());
        held.push(lock.ok_or_else(running)?);
    }
    Ok(held)
}

fn list(ctx: &Context, args: &SettleArgs, open: &[Submission]) -> Result<Exit, CommandError> {
    if args.json {
        let rows: Vec<Row<'_>> = open.iter().map(row).collect();
        let text = serde_json::to_string_pretty(&rows).unwrap_or_default();
        ctx.ui.out_line(text)?;
        return Ok(Exit::SUCCESS);
    }
    if open.is_empty() {
        ctx.ui.status("every question to a service is answered");
    }
    ctx.ui.out(open.iter().map(line).collect::<String>())?;
    Ok(Exit::SUCCESS)
}

fn row(it: &Submission) -> Row<'_> {
    let asked = units::time(it.at_ms);
    Row { label: &it.label, service: &it.service, state: it.stage, job: it.job.as_deref(), asked }
}

fn line(it: &Submission) -> String {
    let Submission { label, service, .. } = it;
    let next = match (&it.job, it.stage) {
        (Some(job), Stage::Running) => format!("job {job}, for which the next build waits"),
        _ => format!("whether it did the work is not known: `vwfb settle {label} --again`"),
    };
    format!("{}  {service}  {label}  {next}\n", units::time(it.at_ms))
}
