//! `vwfb version`: the name and version. It opens nothing.

use crate::error::{CommandError, Exit};
use crate::session::Context;

/// Prints them.
pub(crate) fn run(ctx: &Context) -> Result<Exit, CommandError> {
    ctx.ui.out_line(concat!("vwfb ", env!("CARGO_PKG_VERSION")))?;
    Ok(Exit::SUCCESS)
}
