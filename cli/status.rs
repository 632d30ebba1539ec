//! `vwfb status`: in one screen, where the workspace stands and what a build would do next.

use serde_json::json;
use vwfb_engine::workspace::{Evaluate, Status, Told};
use vwfb_rules::label::Label;

use crate::args::StatusArgs;
use crate::decide::options;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::ui::{Style, Ui};
use crate::units;

/// How many targets of a kind are named: all kinds together fit a screen.
const NAMED: usize = 5;

/// Tells.
pub(crate) fn run(ctx: &Context, args: &StatusArgs) -> Result<Exit, CommandError> {
    let (mut session, vars) = Session::open_last(ctx, &args.vars)?;
    let all = ["//...".to_owned()];
    let targets = if args.targets.is_empty() { &all[..] } else { &args.targets };
    let prepared = session.prepare(ctx, targets, Evaluate::Changes)?;
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let status = session.workspace.status(&prepared)?;
    let name = session.workspace.name();
    session.close();
    if args.json {
        ctx.ui.out_line(as_json(&name, &status))?;
    } else {
        let options = options(ctx, &vars);
        let name = format!("{name}{}", if options.is_empty() { "" } else { "," });
        let name = format!("{name}{options}");
        let next = format!("vwfb build {}{options}", targets.join(" "));
        ctx.ui.out(as_text(&ctx.ui, (&name, &next), &status))?;
    }
    Ok(Exit::SUCCESS)
}

fn as_text(ui: &Ui, (name, next): (&str, &str), status: &Status) -> String {
    let mut text = format!("workspace {name}");
    if let Some(run) = &status.last_run {
        let end = match run.exit_code {
            Some(code) => format!("ended with {code}"),
            None => "did not end".to_owned(),
        };
        let time = units::time(run.started_ms);
        text.push_str(&format!(": run {} of {} at {time} {end}", run.number, run.targets));
    }
    text.push('\n');
    let mut row = |style: Style, word: &str, told: String| {
        text.push_str(&format!("  {}  {told}\n", ui.styled(style, format!("{word:<11}"))));
    };
    row(Style::Good, "done", format!("{} tasks", status.done));
    let mut rows = |style: Style, word: &str, all: &[Told]| {
        for (label, why) in all.iter().take(NAMED) {
            let why = if why.is_empty() { String::new() } else { format!(": {why}") };
            row(style, word, format!("{label}{why}"));
        }
        if all.len() > NAMED {
            row(style, word, format!("and {} more", all.len() - NAMED));
        }
    };
    let told = |label: &Label| (label.clone(), String::new());
    let provisional: Vec<Told> =
        status.provisional.iter().map(|it| (it.label.clone(), it.told())).collect();
    rows(Style::Warning, "waiting", &status.waiting);
    rows(Style::Error, "failed", &status.failed);
    rows(Style::Error, "cannot run", &status.cannot);
    rows(Style::Warning, "provisional", &provisional);
    rows(Style::Warning, "stale", &status.stale);
    rows(Style::Dim, "not made", &status.unmade.iter().map(told).collect::<Vec<_>>());
    rows(Style::Dim, "expands", &status.expands);
    rows(Style::Hint, "chosen", &status.chosen);
    let (runs, may_run) = (status.runs, status.may_run);
    let next = match (runs, may_run, status.waiting.is_empty()) {
        (0, 0, true) => "nothing is to be done".to_owned(),
        (0, 0, false) => "vwfb review: people are waited for".to_owned(),
        (_, 0, _) => format!("{next} runs {runs}"),
        _ => format!("{next} runs {runs}, and perhaps {may_run} more"),
    };
    text.push_str(&format!("next: {next}\n"));
    text
}

fn as_json(name: &str, status: &Status) -> String {
    let told = |all: &[Told]| -> Vec<serde_json::Value> {
        all.iter().map(|(label, why)| json!({ "label": label.to_string(), "why": why })).collect()
    };
    let provisional = status.provisional.iter().map(|it| {
        let reasons: Vec<String> = it.reasons.iter().map(|(it, _)| it.to_string()).collect();
        json!({ "label": it.label.to_string(), "reasons": reasons })
    });
    let last = status.last_run.as_ref().map(|run| {
        json!({
            "run": run.number,
            "targets": run.targets,
            "started": units::time(run.started_ms),
            "exit_code": run.exit_code,
        })
    });
    let all = json!({
        "workspace": name,
        "last_run": last,
        "done": status.done,
        "provisional": provisional.collect::<Vec<_>>(),
        "stale": told(&status.stale),
        "unmade": status.unmade.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "waiting": told(&status.waiting),
        "failed": told(&status.failed),
        "cannot_run": told(&status.cannot),
        "expands": told(&status.expands),
        "chosen": told(&status.chosen),
        "next": { "runs": status.runs, "may_run": status.may_run, "cached": status.cached },
    });
    serde_json::to_string_pretty(&all).expect("a status has only texts and numbers")
}
