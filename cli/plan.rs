//! `vwfb plan`: what a build would run and what is cached, without running it.

use serde::Serialize;
use vwfb_engine::forecast::{Fate, Forecast};
use vwfb_engine::standing::Standing;

use crate::args::PlanArgs;
use crate::error::{CommandError, Exit};
use crate::events::millis;
use crate::session::{Context, Session};
use crate::ui::{Style, Ui};
use crate::units;

/// Plans.
pub(crate) fn run(ctx: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(ctx, &args.vars)?;
    let prepared = session.prepare(ctx, &args.targets, &args.snapshot)?;
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let forecasts = session.workspace.forecast(&prepared)?;
    session.close();
    if args.json {
        ctx.ui.out_line(json(&forecasts))?;
    } else {
        ctx.ui.out(lines(&forecasts))?;
        summary(&ctx.ui, &forecasts);
    }
    let can = !forecasts.iter().any(|task| matches!(task.fate, Fate::Cannot(_)));
    Ok(if can { Exit::SUCCESS } else { Exit::ENVIRONMENT })
}

/// Every task of which something is to be told; what is unchanged is only counted.
fn lines(forecasts: &[Forecast]) -> String {
    let told = forecasts.iter().filter(|task| task.fate != Fate::Unchanged);
    told.map(|task| {
        let note = match &task.fate {
            Fate::Cannot(why) | Fate::Waits(why) | Fate::Blocked(why) => format!(": {why}"),
            Fate::Expands { after } => format!(" after {after}"),
            Fate::Runs | Fate::MayRun if !task.last_duration.is_zero() => {
                format!(" (took {})", units::told(task.last_duration))
            }
            _ => String::new(),
        };
        let standing = match reasons(&task.standing) {
            reasons if reasons.is_empty() => reasons,
            reasons => format!(" (provisional: {reasons})"),
        };
        format!("{:<9} {}{note}{standing}\n", task.fate.as_str(), task.label)
    })
    .collect()
}

/// The reasons of what is provisional in one line; nothing for what is final.
fn reasons(standing: &Standing) -> String {
    let reasons: Vec<String> = standing.iter().map(ToString::to_string).collect();
    reasons.join(", ")
}

fn summary(ui: &Ui, forecasts: &[Forecast]) {
    let mut parts = Vec::new();
    for word in
        ["runs", "may-run", "expands", "cached", "unchanged", "waits", "blocked", "cannot-run"]
    {
        let count = forecasts.iter().filter(|task| task.fate.as_str() == word).count();
        if count > 0 {
            parts.push(format!("{word} {count}"));
        }
    }
    let told = if parts.is_empty() { "nothing to run".to_owned() } else { parts.join(", ") };
    ui.status(ui.styled(Style::Dim, told));
}

#[derive(Serialize)]
struct JsonTask {
    label: String,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    last_duration_ms: u64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    provisional: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<String>,
}

fn json(forecasts: &[Forecast]) -> String {
    let tasks: Vec<JsonTask> = forecasts
        .iter()
        .map(|task| JsonTask {
            label: task.label.to_string(),
            fate: task.fate.as_str(),
            key: task.key.map(|key| key.to_string()),
            last_duration_ms: millis(task.last_duration),
            provisional: task.standing.iter().map(ToString::to_string).collect(),
            reason: match &task.fate {
                Fate::Cannot(why) | Fate::Waits(why) | Fate::Blocked(why) => Some(why.clone()),
                _ => None,
            },
            after: match &task.fate {
                Fate::Expands { after } => Some(after.to_string()),
                _ => None,
            },
        })
        .collect();
    serde_json::to_string_pretty(&tasks).expect("tasks have only texts and numbers")
}
