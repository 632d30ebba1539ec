//! `vwfb clean`: removes the output folder, and with `--expunge` also results.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::args::CleanArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::units;

/// Cleans.
pub(crate) fn run(ctx: &Context, args: &CleanArgs) -> Result<Exit, CommandError> {
    if !args.expunge {
        return if args.labels.is_empty() { outputs(ctx) } else { Err(CommandError::CleanLabels) };
    }
    let session = Session::open(ctx, &args.vars)?;
    if args.labels.is_empty() {
        outputs(ctx)?;
        for folder in [".vwfb/logs", ".vwfb/failed"] {
            remove(&session.workspace.root().join(folder))?;
        }
        told(ctx, session.workspace.forget(&[])?);
        return Ok(Exit::SUCCESS);
    }
    let mut labels = Vec::new();
    for text in &args.labels {
        let Some(label) = session.label(ctx, text)? else { return Ok(Exit::INPUT) };
        labels.push(label);
    }
    let mut exit = Exit::SUCCESS;
    let mut count = 0;
    for label in labels {
        let name = label.to_string();
        let forgotten = session.workspace.forget(&[label])?;
        // A target that is gone may have results still; what has none and is not there is a slip.
        if forgotten == 0 && session.load(ctx, &[name])?.has_errors() {
            exit = Exit::INPUT;
        }
        count += forgotten;
    }
    told(ctx, count);
    Ok(exit)
}

fn told(ctx: &Context, count: usize) {
    let results = units::counted(count as u64, "result");
    ctx.ui.status(format_args!("forgot {results}"));
}

fn outputs(ctx: &Context) -> Result<Exit, CommandError> {
    let folder = ctx.located()?.root.join("vwfb-out");
    if remove(&folder)? {
        ctx.ui.status(format_args!("removed {}", folder.display()));
    } else {
        ctx.ui.status(format_args!("there is no {}", folder.display()));
    }
    Ok(Exit::SUCCESS)
}

/// Removes a folder with all in it, and follows no link; whether there was one.
fn remove(folder: &Path) -> Result<bool, CommandError> {
    match fs::remove_dir_all(folder) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(source) => Err(CommandError::Io { deed: "remove", path: folder.to_owned(), source }),
    }
}
