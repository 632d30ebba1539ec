//! `vwfb why`: which component of which key changed since a target's last success.

use serde_json::{Value, json};
use vwfb_engine::why::{Before, Cause, Change, Why};
use vwfb_rules::label::Label;

use crate::args::WhyArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// Explains.
pub(crate) fn run(ctx: &Context, args: &WhyArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(ctx, &args.vars)?;
    let Some((label, prepared)) = session.prepare_label(ctx, &args.label)? else {
        return Ok(Exit::INPUT);
    };
    let why = session.workspace.why(&prepared, &label)?;
    session.close();
    if args.json {
        ctx.ui.out_line(format!("{:#}", as_json(&label, &why)))?;
    } else {
        let paint = Paint(ctx.ui.colors_results());
        ctx.ui.out(as_text(&label, &why, paint) + &told_standing(&why))?;
    }
    Ok(Exit::SUCCESS)
}

/// Whether the answer is coloured.
#[derive(Clone, Copy)]
struct Paint(bool);

impl Paint {
    const BOLD: &str = "1";
    const RED: &str = "31";
    const GREEN: &str = "32";

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn as_text(label: &Label, why: &Why, paint: Paint) -> String {
    let causes: String = why.causes.iter().map(|cause| told_cause(label, cause, paint)).collect();
    if let Some(on) = &why.waits {
        let [name, on] = [label, on].map(|label| paint.with(Paint::BOLD, &label.to_string()));
        return match why.causes.is_empty() {
            true => format!("{name} expands after {on}\n"),
            false => format!("{name} expands after {on}, which would run, because of\n{causes}"),
        };
    }
    if !why.current {
        return causes;
    }
    let name = paint.with(Paint::BOLD, &label.to_string());
    let Why { since, last, .. } = why;
    match (since, last) {
        (0, _) => format!("{name} runs no task\n"),
        _ if why.causes.is_empty() => format!("{name} is up to date since run {since}\n"),
        _ if since == last => {
            format!("{name} is up to date; run {last} made it anew, because of\n{causes}")
        }
        _ => format!(
            "{name} is up to date since run {since}; run {last} came to the same, after\n{causes}"
        ),
    }
}

fn told_standing(why: &Why) -> String {
    let reasons: Vec<String> = why.standing.iter().map(ToString::to_string).collect();
    match reasons.as_slice() {
        [] => String::new(),
        reasons => format!("what it makes is provisional: {}\n", reasons.join(", ")),
    }
}

fn told_cause(label: &Label, cause: &Cause, paint: Paint) -> String {
    let mut text = String::new();
    let chain = chain_of(cause);
    // The label itself was just named, or stands alone.
    if chain.len() > 1 || cause.path.first() != Some(label) || cause.changes.is_empty() {
        text.push_str(&paint.with(Paint::BOLD, &chain.join(" <- ")));
        text.push('\n');
    }
    match &cause.before {
        Before::Success => {}
        Before::Nothing => text.push_str("  it never succeeded here\n"),
        Before::Unkeyed { reason } => text.push_str(&format!("  it cannot run: {reason}\n")),
        Before::Failure { run, reason } => {
            let task = &chain[chain.len() - 1];
            text.push_str(&format!(
                "  it failed in run {run}: {reason}; `vwfb log {task}` shows what it said\n"
            ));
        }
    }
    for change in &cause.changes {
        text.push_str(&told(change, paint));
    }
    if cause.stored {
        text.push_str("  the store has its result, so nothing runs\n");
    }
    text
}

fn chain_of(cause: &Cause) -> Vec<String> {
    cause.path.iter().map(ToString::to_string).collect()
}

fn told(change: &Change, paint: Paint) -> String {
    let what = &change.what;
    let mut text = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("  {what} changed: {before} -> {after}\n"),
        (None, Some(after)) => format!("  {what} is new: {after}\n"),
        (Some(before), None) => format!("  {what} is gone: it was {before}\n"),
        (None, None) => format!("  {what} changed\n"),
    };
    for line in &change.detail {
        let line = match line.chars().next() {
            Some('-') => paint.with(Paint::RED, line),
            Some('+') => paint.with(Paint::GREEN, line),
            _ => line.clone(),
        };
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn as_json(label: &Label, why: &Why) -> Value {
    let causes: Vec<Value> = why.causes.iter().map(cause_as_json).collect();
    json!({
        "label": label.to_string(),
        "expands_after": why.waits.as_ref().map(Label::to_string),
        "current": why.current,
        "since_run": why.since,
        "last_run": why.last,
        "causes": causes,
        "provisional": why.standing.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn cause_as_json(cause: &Cause) -> Value {
    let changes = cause.changes.iter().map(|change| {
        json!({
            "what": change.what,
            "before": change.before,
            "after": change.after,
            "detail": change.detail,
        })
    });
    let before = match &cause.before {
        Before::Success => json!({ "result": "success" }),
        Before::Nothing => json!({ "result": "none" }),
        Before::Unkeyed { reason } => json!({ "result": "cannot-run", "reason": reason }),
        Before::Failure { run, reason } => {
            json!({ "result": "failed", "run": run, "reason": reason })
        }
    };
    json!({
        "path": chain_of(cause),
        "before": before,
        "stored": cause.stored,
        "changes": changes.collect::<Vec<_>>(),
    })
}

#[cfg(test)]
mod tests {
    use vwfb_engine::standing::Standing;
    use vwfb_rules::label::WsPath;

    use super::*;

    fn label(text: &str) -> Label {
        Label::parse(text, &WsPath::root()).unwrap()
    }

    fn cause(path: &[&str], changes: Vec<Change>) -> Cause {
        let path = path.iter().map(|text| label(text)).collect();
        Cause { path, before: Before::Success, stored: false, changes }
    }

    fn edited() -> Change {
        Change {
            what: "the file `a.txt`".to_owned(),
            before: Some("111".to_owned()),
            after: Some("222".to_owned()),
            detail: vec!["first difference at a.txt:3".to_owned(), "- x".to_owned()],
            ..Change::default()
        }
    }

    fn text(why: &Why) -> String {
        as_text(&label("//p:a"), why, Paint(false))
    }

    #[test]
    fn a_cause_is_a_chain_with_each_change_before_and_after() {
        let causes = vec![cause(&["//p:a", "//p:b"], vec![edited()])];
        assert_eq!(
            text(&Why {
                waits: None,
                current: false,
                since: 1,
                last: 0,
                causes,
                standing: Standing::default()
            }),
            "//p:a <- //p:b\n  the file `a.txt` changed: 111 -> 222\n    \
             first difference at a.txt:3\n    - x\n"
        );
    }

    #[test]
    fn a_first_build_has_nothing_to_compare_with() {
        let causes = vec![Cause { before: Before::Nothing, ..cause(&["//p:a"], vec![]) }];
        assert_eq!(
            text(&Why {
                waits: None,
                current: false,
                since: 0,
                last: 0,
                causes,
                standing: Standing::default()
            }),
            "//p:a\n  it never succeeded here\n"
        );
    }

    #[test]
    fn only_what_was_made_anew_is_said_to_be() {
        let of = |since| Why {
            waits: None,
            current: true,
            since,
            last: 10,
            causes: vec![cause(&["//p:a"], vec![edited()])],
            standing: Standing::default(),
        };
        let told = text(&of(10));
        assert!(
            told.starts_with("//p:a is up to date; run 10 made it anew, because of\n  the file")
        );
        assert!(
            text(&of(9))
                .starts_with("//p:a is up to date since run 9; run 10 came to the same, after\n")
        );
    }
}
