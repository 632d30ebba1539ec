//! `vwfb expand`: what a fan-out or the use of a template became.

use std::fmt::Write as _;

use crate::args::ExpandArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// Prints the targets.
pub(crate) fn run(ctx: &Context, args: &ExpandArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(ctx, &args.vars)?;
    let Some((label, prepared)) = session.prepare_label(ctx, &args.label)? else {
        return Ok(Exit::INPUT);
    };
    let expansion = session.workspace.expand(&prepared, &label)?;
    session.close();
    let mut text = String::new();
    for (label, target) in &expansion.targets {
        if !text.is_empty() {
            text.push('\n');
        }
        // Writing to a string cannot fail.
        let _written = write!(text, "// {label}\n{target}");
    }
    if let Some(on) = &expansion.waits {
        ctx.ui.status(format_args!("{label} expands after {on}, which `vwfb build {on}` makes"));
    }
    ctx.ui.out(text)?;
    Ok(Exit::SUCCESS)
}
