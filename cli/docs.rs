//! `vwfb __docs`: pages of the reference, made from the grammar and from the rules themselves.

mod commands;
mod rules;

use crate::args::{DocsArgs, Page};
use crate::error::{CommandError, Exit};
use crate::session::Context;

/// Prints a page.
pub(crate) fn run(ctx: &Context, args: &DocsArgs) -> Result<Exit, CommandError> {
    ctx.ui.out(match args.page {
        Page::Commands => commands::page(),
        Page::Rules => rules::page(),
    })?;
    Ok(Exit::SUCCESS)
}
