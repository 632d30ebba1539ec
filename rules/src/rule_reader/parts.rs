//! Nodes that rules, tasks and targets have in common: limits, environment, texts.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::codes::{BAD_NODE, OUT_OF_RANGE, REPEATED_ATTRIBUTE, WRONG_TYPE, WRONG_UNIT};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::interpolate::Template;
use crate::read::{self, Problems};
use crate::rule::Limits;
use crate::syntax::{Node, Scalar, Value};
use crate::units;

pub(super) fn timeout(node: &Node, problems: &mut Problems) -> Option<Duration> {
    let text = read::text_arg(node, "a duration such as `\"5m\"`", problems)?;
    let duration = units::duration(text);
    if duration.is_some_and(|duration| duration.is_zero()) {
        problems.push(no_time(&node.args[0].anchor));
    }
    if duration.is_none() {
        let problem = Diagnostic::error(WRONG_UNIT, format!("`{text}` is no time to wait"));
        problems.push(problem.at(&node.args[0].anchor).hint("write it as `30s`, `5m` or `1h`"));
    }
    duration
}

/// The problem of a timeout of nothing.
pub(crate) fn no_time(anchor: &Anchor) -> Diagnostic {
    Diagnostic::error(OUT_OF_RANGE, "a `timeout` is more than nothing")
        .at(anchor)
        .hint("leave it out for no limit")
}

/// A `resource` node: a name and how much of it, 1 if it does not say.
pub(crate) fn resource(node: &Node, limits: &mut Limits, problems: &mut Problems) {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    let Some(first) = node.args.first() else {
        let _ = read::one_arg(node, "the resource's name", problems);
        return;
    };
    let Some(name) = read::text(first, "the resource's name", problems) else { return };
    if !read::check_name(name, first, problems) {
        return;
    }
    let amount = match node.args.get(1) {
        Some(value) => read::count(value, problems),
        None => Some(1),
    };
    if let Some(extra) = node.args.get(2) {
        let message = "`resource` takes a name and an amount";
        problems.push(Diagnostic::error(BAD_NODE, message).at(&extra.anchor));
    }
    limits.resources.extend(amount.map(|amount| (name.to_owned(), amount)));
}

/// An `env` node: one child or property for each variable.
pub(crate) fn env(node: &Node, env: &mut BTreeMap<String, Template>, problems: &mut Problems) {
    read::no_args(node, problems);
    let mut pairs: Vec<(&str, &Value)> =
        node.props.iter().map(|(name, value)| (name.as_str(), value)).collect();
    for child in &node.children {
        read::only_props(child, &[], problems);
        read::no_children(child, problems);
        let value = read::one_arg(child, "the variable's value", problems);
        pairs.extend(value.map(|value| (child.name.as_str(), value)));
    }
    for (name, value) in pairs {
        if !is_variable(name) {
            let message = format!("`{name}` is no environment variable that a task may set");
            let problem = Diagnostic::error(WRONG_TYPE, message).at(&value.anchor);
            problems.push(problem.hint("PATH, HOME, TMPDIR and the like are set for every task"));
            continue;
        }
        let Some(template) = env_value(value, problems) else { continue };
        if env.insert(name.into(), template).is_some() {
            let message = format!("`{name}` is given twice");
            problems.push(Diagnostic::error(REPEATED_ATTRIBUTE, message).at(&value.anchor));
        }
    }
}

/// A number, or a text with interpolations that stands for one.
pub(crate) fn number_or_template(value: &Value, problems: &mut Problems) -> Option<Template> {
    env_value(value, problems)
}

fn env_value(value: &Value, problems: &mut Problems) -> Option<Template> {
    match &value.scalar {
        Scalar::Int(number) => Some(Template::plain(&number.to_string(), &value.anchor)),
        Scalar::Float(number) => Some(Template::plain(&number.0.to_string(), &value.anchor)),
        _ => template(value, problems),
    }
}

fn is_variable(name: &str) -> bool {
    let fixed = ["PATH", "HOME", "TMPDIR", "PWD", "SOURCE_DATE_EPOCH", "LD_PRELOAD"];
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !fixed.contains(&name)
}

pub(super) fn template_arg(node: &Node, problems: &mut Problems) -> Option<Template> {
    template(read::one_arg(node, "an interpolation", problems)?, problems)
}

pub(super) fn templates(values: &[Value], problems: &mut Problems) -> Vec<Template> {
    values.iter().filter_map(|value| env_value(value, problems)).collect()
}

/// `value` as a text with interpolations.
pub(crate) fn template(value: &Value, problems: &mut Problems) -> Option<Template> {
    read::no_annotation(value, problems);
    let text = read::text(value, "a text", problems)?;
    problems.take(Template::parse(text, &value.anchor))
}
