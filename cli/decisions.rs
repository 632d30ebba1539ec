//! `vwfb decisions`: every record of what people decided.

use serde::Serialize;
use vwfb_engine::people::Decision;

use crate::args::{DecisionsArgs, VarArgs};
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::units;

/// Lists decisions, the oldest first.
pub(crate) fn run(ctx: &Context, args: &DecisionsArgs) -> Result<Exit, CommandError> {
    let session = Session::open(ctx, &VarArgs::default())?;
    let checkpoint = match &args.checkpoint {
        None => None,
        Some(text) => match session.label(ctx, text)? {
            Some(label) => Some(label.to_string()),
            None => return Ok(Exit::INPUT),
        },
    };
    let mut decisions = session.workspace.people().decisions()?;
    decisions.retain(|it| checkpoint.as_ref().is_none_or(|label| it.checkpoint == *label));
    session.close();
    if args.json {
        ctx.ui.out_line(json(&decisions))?;
    } else {
        ctx.ui.out(decisions.iter().map(line).collect::<String>())?;
    }
    Ok(Exit::SUCCESS)
}

fn line(decision: &Decision) -> String {
    let Decision { id, checkpoint, subject, verdict, who, at_ms, .. } = decision;
    let digest = &decision.digest.to_hex()[..12];
    let mut line = format!(
        "{id:>4}  {}  {who}  {:<7}  {checkpoint}  {subject}  {digest}",
        units::time(*at_ms),
        verdict.as_str()
    );
    if let Some(undoes) = decision.undoes {
        line.push_str(&format!("  of {undoes}"));
    }
    for (name, text) in [("feedback", &decision.feedback), ("note", &decision.note)] {
        if let Some(text) = text {
            line.push_str(&format!("  {name}: {text}"));
        }
    }
    line.push('\n');
    line
}

#[derive(Serialize)]
struct JsonDecision<'a> {
    id: i64,
    at: String,
    who: &'a str,
    verdict: &'static str,
    checkpoint: &'a str,
    subject: &'a str,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    feedback: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    undoes: Option<i64>,
}

fn json(decisions: &[Decision]) -> String {
    let all: Vec<JsonDecision<'_>> = decisions
        .iter()
        .map(|it| JsonDecision {
            id: it.id,
            at: units::time(it.at_ms),
            who: &it.who,
            verdict: it.verdict.as_str(),
            checkpoint: &it.checkpoint,
            subject: &it.subject,
            digest: it.digest.to_hex(),
            feedback: it.feedback.as_deref(),
            note: it.note.as_deref(),
            undoes: it.undoes,
        })
        .collect();
    serde_json::to_string_pretty(&all).expect("decisions have only texts and numbers")
}
