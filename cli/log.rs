//! `vwfb log`: what a target's task wrote when it last ran.

use std::io::{self, Read};

use crate::args::LogArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// Prints the log.
pub(crate) fn run(ctx: &Context, args: &LogArgs) -> Result<Exit, CommandError> {
    let session = Session::open(ctx, &args.vars)?;
    let label = session.label(&args.label)?;
    let Some(attempt) = session.workspace.state().attempt(&label.to_string())? else {
        return never_ran(ctx, &session, &label.to_string());
    };
    if let Some(reason) = &attempt.reason {
        ctx.ui.status(format_args!("{label} {} in run {}: {reason}", attempt.result, attempt.run));
    }
    let Some(log) = attempt.log else {
        ctx.ui.status(format_args!("the task of {label} wrote nothing"));
        return Ok(Exit::SUCCESS);
    };
    let name = label.to_string();
    let opened = session.workspace.store().open_blob(log.blob);
    let mut file = opened.map_err(|source| CommandError::Log { label: name, source })?;
    copy(ctx, &mut file)?;
    Ok(Exit::SUCCESS)
}

/// Says whether the label exists at all.
fn never_ran(ctx: &Context, session: &Session, label: &str) -> Result<Exit, CommandError> {
    let loaded = session.load(ctx, &[label.to_owned()])?;
    if loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    ctx.ui.status(format_args!("the task of {label} has not run here yet"));
    Ok(Exit::SUCCESS)
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
