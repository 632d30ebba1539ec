//! `vwfb why`: which component of which key changed since a target's last success.

use serde_json::{Value, json};
use vwfb_engine::why::{Cause, Change, Why};
use vwfb_rules::label::Label;

use crate::args::WhyArgs;
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};

/// Explains.
pub(crate) fn run(ctx: &Context, args: &WhyArgs) -> Result<Exit, CommandError> {
    let mut session = Session::open(ctx, &args.vars)?;
    let label = session.label(&args.label)?;
    let loaded = session.load(ctx, &[label.to_string()])?;
    if loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let why = session.workspace.why(&label)?;
    if args.json {
        ctx.ui.out_line(format!("{:#}", as_json(&label, &why)))?;
    } else {
        ctx.ui.out(as_text(&label, &why))?;
    }
    Ok(Exit::SUCCESS)
}

fn as_text(label: &Label, why: &Why) -> String {
    match why {
        Why::Causes(causes) => causes.iter().map(cause).collect(),
        Why::Current { run: 0, .. } => format!("{label} runs no task\n"),
        Why::Current { run, then } if then.is_empty() => {
            format!("{label} is up to date since run {run}\n")
        }
        Why::Current { run, then } => {
            let causes: String = then.iter().map(cause).collect();
            format!("{label} is up to date; run {run} made it anew, because of\n{causes}")
        }
    }
}

fn cause(cause: &Cause) -> String {
    let mut text = chain_of(cause).join(" <- ");
    text.push('\n');
    if cause.changes.is_empty() {
        text.push_str("  it never succeeded here\n");
    }
    for change in &cause.changes {
        text.push_str(&told(change));
    }
    text
}

fn chain_of(cause: &Cause) -> Vec<String> {
    cause.path.iter().map(ToString::to_string).collect()
}

fn told(change: &Change) -> String {
    let what = &change.what;
    let mut text = match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("  {what} changed: {before} -> {after}\n"),
        (None, Some(after)) => format!("  {what} is new: {after}\n"),
        (Some(before), None) => format!("  {what} is gone: it was {before}\n"),
        (None, None) => format!("  {what} changed\n"),
    };
    for line in &change.detail {
        text.push_str(&format!("    {line}\n"));
    }
    text
}

fn as_json(label: &Label, why: &Why) -> Value {
    let (current, run, causes) = match why {
        Why::Current { run, then } => (true, Some(run), then),
        Why::Causes(causes) => (false, None, causes),
    };
    let causes: Vec<Value> = causes
        .iter()
        .map(|cause| {
            let changes = cause.changes.iter().map(|change| {
                json!({
                    "what": change.what,
                    "before": change.before,
                    "after": change.after,
                    "detail": change.detail,
                })
            });
            json!({ "path": chain_of(cause), "changes": changes.collect::<Vec<_>>() })
        })
        .collect();
    json!({ "label": label.to_string(), "current": current, "run": run, "causes": causes })
}

#[cfg(test)]
mod tests {
    use vwfb_rules::label::WsPath;

    use super::*;

    fn label(text: &str) -> Label {
        Label::parse(text, &WsPath::root()).unwrap()
    }

    #[test]
    fn a_cause_is_a_chain_with_each_change_before_and_after() {
        let change = Change {
            what: "the file `a.txt`".to_owned(),
            before: Some("111".to_owned()),
            after: Some("222".to_owned()),
            detail: vec!["first difference at a.txt:3".to_owned()],
        };
        let cause = Cause { path: vec![label("//p:a"), label("//p:b")], changes: vec![change] };
        assert_eq!(
            as_text(&label("//p:a"), &Why::Causes(vec![cause])),
            "//p:a <- //p:b\n  the file `a.txt` changed: 111 -> 222\n    \
             first difference at a.txt:3\n"
        );
    }

    #[test]
    fn a_first_build_has_nothing_to_compare_with() {
        let cause = Cause { path: vec![label("//p:a")], changes: vec![] };
        assert_eq!(
            as_text(&label("//p:a"), &Why::Causes(vec![cause])),
            "//p:a\n  it never succeeded here\n"
        );
    }
}
