//! `vwfb approve` and `vwfb reject`: what a person says at a checkpoint.

use vwfb_engine::people::Verdict;
use vwfb_engine::workspace::{Decided, Evaluate, Saying};
use vwfb_rules::label::{Label, Reference};
use vwfb_rules::pattern::Pattern;

use crate::again::{place_options, quoted, var_options};
use crate::args::{AboutArgs, ApproveArgs, RejectArgs, VarArgs};
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::ui::{Style, Ui};

/// Approves.
pub(crate) fn approve(ctx: &Context, args: &ApproveArgs) -> Result<Exit, CommandError> {
    decide(ctx, &args.about, Verdict::Approve, None)
}

/// Rejects.
pub(crate) fn reject(ctx: &Context, args: &RejectArgs) -> Result<Exit, CommandError> {
    decide(ctx, &args.about, Verdict::Reject, args.feedback.clone())
}

fn decide(
    ctx: &Context,
    args: &AboutArgs,
    verdict: Verdict,
    feedback: Option<String>,
) -> Result<Exit, CommandError> {
    let (mut session, vars) = Session::open_last(ctx, &args.vars)?;
    let Some(label) = session.label(ctx, &args.checkpoint)? else { return Ok(Exit::INPUT) };
    let mut about = Vec::new();
    for text in &args.subjects {
        let reference = Reference::parse(text, &session.current);
        about.push(reference.map_err(|source| CommandError::Label { text: text.clone(), source })?);
    }
    let pattern = [Pattern::Target(label.clone())];
    let prepared = session.workspace.prepare(&pattern, Evaluate::Everything);
    session.show(ctx, &prepared.loaded);
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let (note, who) = (args.note.clone(), who());
    let saying = Saying { verdict, about: &about, feedback, note, who };
    let decided = session.workspace.decide(&prepared, &label, &saying)?;
    session.close();
    tell(&ctx.ui, (&label, verdict), &decided, &options(ctx, &vars));
    Ok(Exit::SUCCESS)
}

/// The options that a command about the same workspace and configuration needs.
pub(crate) fn options(ctx: &Context, vars: &VarArgs) -> String {
    format!("{}{}", place_options(&ctx.global), var_options(vars))
}

/// Says what was decided, and how to go on.
pub(crate) fn tell(ui: &Ui, (label, verdict): (&Label, Verdict), decided: &Decided, options: &str) {
    let (style, word) = match verdict {
        Verdict::Approve => (Style::Good, "approved"),
        _ => (Style::Warning, "rejected"),
    };
    for subject in &decided.subjects {
        ui.status(format_args!("{} {subject}", ui.styled(style, word)));
    }
    for retaken in &decided.retaken {
        ui.status(format_args!("another take of {retaken} is made by the next build"));
    }
    for heeding in &decided.heeding {
        ui.status(format_args!("{heeding} reads the feedback and is made again by the next build"));
    }
    let reset = decided.retaken.is_empty() && decided.heeding.is_empty();
    if verdict == Verdict::Reject && reset {
        ui.status(format_args!(
            "nothing makes it again by itself: {label} stays rejected until its subject changes"
        ));
    } else if !decided.open.is_empty() {
        ui.status(format_args!("{} of {label} still wait", decided.open.len()));
    } else if verdict == Verdict::Approve && !decided.rejected.is_empty() {
        ui.status(format_args!("{} of {label} stay rejected", decided.rejected.len()));
    } else {
        let word = quoted(&label.to_string());
        let opens =
            if verdict == Verdict::Approve { format!("{label} is open; ") } else { String::new() };
        ui.status(format_args!(
            "{opens}build what you want, or only up to here: vwfb build {word}{options}"
        ));
    }
}

/// The name of who is at the keyboard.
pub(crate) fn who() -> String {
    let names = ["VWFB_USER", "USER", "LOGNAME"].into_iter();
    let names = names.filter_map(std::env::var_os);
    let mut names = names.map(|name| name.to_string_lossy().trim().to_owned());
    names.find(|name| !name.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}
