//! `vwfb log`: what a target's task wrote when it last ran.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::slice;

use vwfb_engine::state::Attempt;
use vwfb_rules::label::Label;

use crate::args::LogArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// Prints the log; that of an alias is that of the task behind it.
pub(crate) fn run(ctx: &Context, args: &LogArgs) -> Result<Exit, CommandError> {
    let session = Session::open(ctx, &args.vars)?;
    let Some(label) = session.label(ctx, &args.label)? else { return Ok(Exit::INPUT) };
    match session.workspace.state().attempt(&label.to_string())? {
        Some(attempt) => show(ctx, &session, &label, &attempt),
        None => without_attempt(ctx, &session, &label),
    }
}

fn show(
    ctx: &Context,
    session: &Session,
    label: &Label,
    attempt: &Attempt,
) -> Result<Exit, CommandError> {
    if let Some(reason) = &attempt.reason {
        ctx.ui.status(format_args!("{label} {} in run {}: {reason}", attempt.result, attempt.run));
    }
    let Some(log) = attempt.log else {
        ctx.ui.status(format_args!("the task of {label} wrote nothing"));
        return Ok(Exit::SUCCESS);
    };
    let opened = session.workspace.store().open_blob(log.blob);
    let failed = |source| CommandError::Log { label: label.to_string(), source };
    copy(ctx, &mut opened.map_err(failed)?)?;
    Ok(Exit::SUCCESS)
}

/// Says whether the label exists at all, whether it runs a task, and which do its work if not.
fn without_attempt(ctx: &Context, session: &Session, label: &Label) -> Result<Exit, CommandError> {
    let loaded = session.load(ctx, &[label.to_string()])?;
    if loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let graph = session.workspace.graph(slice::from_ref(label));
    if graph.find(label).is_some() {
        ctx.ui.status(format_args!("the task of {label} has not run here yet"));
        return Ok(Exit::SUCCESS);
    }
    let outputs = graph.requested().flat_map(|target| graph.offers(target));
    let makers: BTreeSet<Label> = outputs.map(|output| graph.label(output.task)).collect();
    let names: Vec<String> = makers.iter().map(ToString::to_string).collect();
    let behind = match names.as_slice() {
        [] => String::new(),
        names => format!("; its files are made by {}", names.join(", ")),
    };
    ctx.ui.status(format_args!("{label} runs no task{behind}"));
    let state = session.workspace.state();
    match (makers.first(), names.as_slice()) {
        (Some(maker), [name]) => match state.attempt(name)? {
            Some(attempt) => show(ctx, session, maker, &attempt),
            None => Ok(Exit::SUCCESS),
        },
        _ => Ok(Exit::SUCCESS),
    }
}

fn copy(ctx: &Context, from: &mut impl Read) -> Result<(), CommandError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => ctx.ui.out(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(source) => return Err(CommandError::Stream { stream: "output", source }),
        }
    }
}
