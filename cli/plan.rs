//! `vwfb plan`: what a build would run and what is cached, without running it.

use std::time::Duration;

use serde::Serialize;
use vwfb_engine::forecast::{Fate, Forecast, Outlook};
use vwfb_engine::standing::Standing;
use vwfb_rules::cost::Money;

use crate::args::PlanArgs;
use crate::error::{CommandError, Exit};
use crate::events::millis;
use crate::session::{Context, Purpose, Session};
use crate::ui::{Style, Ui};
use crate::units;

/// Plans.
pub(crate) fn run(ctx: &Context, args: &PlanArgs) -> Result<Exit, CommandError> {
    let purpose = Purpose { words: args.snapshot.ahead(&args.targets), ..Purpose::default() };
    let mut session = Session::open_for(ctx, &args.vars, &purpose)?;
    let prepared = session.prepare(ctx, &args.targets, args.snapshot.evaluate())?;
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let outlook = session.workspace.forecast(&prepared)?;
    let wrong = !outlook.problems.is_empty();
    ctx.ui.diagnostics(&outlook.problems, &session.sources);
    session.close();
    if args.json {
        ctx.ui.out_line(json(&outlook.tasks))?;
    } else {
        ctx.ui.out(lines(&outlook.tasks))?;
        summary(&ctx.ui, &outlook);
    }
    let can = !outlook.tasks.iter().any(|task| matches!(task.fate, Fate::Cannot(_)));
    let input = if wrong { Exit::INPUT } else { Exit::SUCCESS };
    Ok(input.and(if can { Exit::SUCCESS } else { Exit::ENVIRONMENT }))
}

/// Every task of which something is to be told; what is unchanged is only counted.
fn lines(forecasts: &[Forecast]) -> String {
    let told = forecasts.iter().filter(|task| task.fate != Fate::Unchanged);
    told.map(|task| {
        let note = match &task.fate {
            Fate::Cannot(why) | Fate::Waits(why) | Fate::Blocked(why) => format!(": {why}"),
            Fate::Expands { after, last: 0 } => format!(" after {after}"),
            Fate::Expands { after, last } => format!(" after {after} (to {last} tasks last time)"),
            Fate::Runs | Fate::MayRun => {
                let took = (!task.last_duration.is_zero())
                    .then(|| format!("took {}", units::told(task.last_duration)));
                let cost = task.expected.cost;
                let cost = (cost > Money::ZERO).then(|| format!("may cost {cost}"));
                let known: Vec<String> = took.into_iter().chain(cost).collect();
                if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
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

fn summary(ui: &Ui, outlook: &Outlook) {
    let forecasts = &outlook.tasks;
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
    for line in sums(outlook) {
        ui.status(ui.styled(Style::Dim, line));
    }
}

/// What the tasks that would run take together, and what those in the store took; nothing where
/// little is known.
fn sums(outlook: &Outlook) -> Vec<String> {
    let (mut time, mut gpu, mut kept) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    for task in &outlook.tasks {
        time += task.expected.time;
        if task.expected.gpu {
            gpu += task.expected.time;
        }
        if matches!(task.fate, Fate::Cached | Fate::Unchanged) {
            kept += task.last_duration;
        }
    }
    let cost: Money = outlook.tasks.iter().map(|task| task.expected.cost).sum();
    let sum = |first: &str, parts: [(&str, Duration); 2], money: Money| {
        let times = parts.iter().filter(|(_, time)| *time >= TOLD);
        let mut told: Vec<String> =
            times.map(|(of, time)| format!("{}{of}", units::told(*time))).collect();
        told.extend((money > Money::ZERO).then(|| format!("{money} of money")));
        (!told.is_empty()).then(|| format!("{first} {}", told.join(", ")))
    };
    let runs = sum("to run: about", [("", time), (" of the GPU", gpu)], cost);
    let saves = sum("the store saves", [("", kept), ("", Duration::ZERO)], outlook.saved);
    runs.into_iter().chain(saves).collect()
}

/// Shorter work is not worth a line.
const TOLD: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct JsonTask {
    label: String,
    fate: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    last_duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_cost: Option<String>,
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
            expected_cost: (task.expected.cost > Money::ZERO)
                .then(|| task.expected.cost.to_string()),
            provisional: task.standing.iter().map(ToString::to_string).collect(),
            reason: match &task.fate {
                Fate::Cannot(why) | Fate::Waits(why) | Fate::Blocked(why) => Some(why.clone()),
                _ => None,
            },
            after: match &task.fate {
                Fate::Expands { after, .. } => Some(after.to_string()),
                _ => None,
            },
        })
        .collect();
    serde_json::to_string_pretty(&tasks).expect("tasks have only texts and numbers")
}
