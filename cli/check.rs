//! `vwfb check`: everything that is wrong with rule files, without running anything.

use vwfb_rules::diagnostic::Severity;

use crate::args::CheckArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::ui::Style;
use crate::units;

/// Checks.
pub(crate) fn run(ctx: &Context, args: &CheckArgs) -> Result<Exit, CommandError> {
    let session = Session::open(ctx, &args.vars)?;
    let loaded = if args.targets.is_empty() {
        session.load_all(ctx)
    } else {
        session.load(ctx, &args.targets)?
    };
    session.close();
    let errors = loaded.problems.iter().filter(|p| p.severity == Severity::Error).count();
    let warnings = loaded.problems.len() - errors;
    let more = if loaded.left_out > 0 { " and more" } else { "" };
    let style = if errors > 0 { Style::Error } else { Style::Good };
    let told = format!(
        "{}: {}, {}{more}",
        units::counted(loaded.targets.len() as u64, "target"),
        units::counted(errors as u64, "error"),
        units::counted(warnings as u64, "warning"),
    );
    ctx.ui.status(ctx.ui.styled(style, told));
    Ok(if errors > 0 { Exit::INPUT } else { Exit::SUCCESS })
}
