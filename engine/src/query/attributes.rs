//! A target's attributes, as queries see them.

use std::collections::BTreeMap;
use std::time::Duration;

use vwfb_rules::Declared;
use vwfb_rules::interpolate::Template;
use vwfb_rules::rule::{Body, Limits};
use vwfb_rules::value::{AttrValue, FileName};

use super::QueryValue;

/// The names that targets have whatever their rule, and those that a `task` has beyond attributes.
pub(super) const COMMON: [&str; 12] = [
    "name", "tags", "when", "after", "timeout", "retries", "env", "resource", "out", "run",
    "script", "tool",
];

/// The attributes of a target by name: those of its rule with their defaults, and those of every
/// target with what its rule says of them; of a `task` also the nodes that say what it makes and
/// runs.
pub(super) fn attributes(declared: &Declared) -> BTreeMap<String, QueryValue> {
    let given = declared.attrs.iter().map(|(name, value)| (name.clone(), shown(value)));
    let mut attributes: BTreeMap<String, QueryValue> = given.collect();
    attributes.extend(of_every_target(declared).map(|(name, value)| (name.to_owned(), value)));
    if declared.rule.name == "task" {
        attributes.extend(of_task(declared).map(|(name, value)| (name.to_owned(), value)));
    }
    attributes
}

/// What every target may say; limits that nobody set are left out.
fn of_every_target(declared: &Declared) -> impl Iterator<Item = (&'static str, QueryValue)> {
    let Limits { resources, timeout, retries } = &declared.limits;
    let env = declared.rule.env.iter().chain(&declared.env);
    let env = env.map(|(name, value)| (name.clone(), QueryValue::text(value.to_string())));
    let resources =
        resources.iter().map(|(name, amount)| (name.clone(), QueryValue::Int((*amount).into())));
    let always = [
        ("tags", QueryValue::texts(&declared.tags)),
        ("when", QueryValue::Bool(true)),
        ("after", QueryValue::texts(declared.after.iter().map(|(label, _)| label.to_string()))),
        ("env", QueryValue::Map(env.collect())),
        ("resource", QueryValue::Map(resources.collect())),
    ];
    let timeout = timeout.map(|timeout| ("timeout", QueryValue::text(seconds(timeout))));
    let retries = retries.map(|retries| ("retries", QueryValue::Int(retries.into())));
    always.into_iter().chain(timeout).chain(retries)
}

/// What a `task` says itself, and other targets' rules say for them.
fn of_task(declared: &Declared) -> impl Iterator<Item = (&'static str, QueryValue)> {
    let package = &declared.label.package;
    let outs = declared.outputs.iter().map(|out| out.path.below(package).unwrap_or_default());
    let tools = declared.tools.iter().map(|declared| declared.tool.name.as_str());
    let body = match &declared.rule.body {
        Body::Run { program, args, .. } => {
            let args = args.iter().flat_map(|group| &group.args).map(Template::to_string);
            let words = std::iter::once(program.clone()).chain(args);
            Some(("run", QueryValue::texts(words)))
        }
        Body::Script { text, .. } => Some(("script", QueryValue::text(text.to_string()))),
        Body::WriteFile | Body::Decide | Body::Forward | Body::Free => None,
    };
    let always = [("out", QueryValue::texts(outs)), ("tool", QueryValue::texts(tools))];
    always.into_iter().chain(body)
}

/// A value of its type, with its unit where it has one.
fn shown(value: &AttrValue) -> QueryValue {
    match value {
        AttrValue::List(values) => QueryValue::List(values.iter().map(shown).collect()),
        AttrValue::Map(values) => {
            let pairs = values.iter().map(|(name, value)| (name.clone(), shown(value)));
            QueryValue::Map(pairs.collect())
        }
        AttrValue::Bool(flag) => QueryValue::Bool(*flag),
        AttrValue::Int(number) => QueryValue::Int(*number),
        AttrValue::Float(number) => QueryValue::Float(number.0),
        AttrValue::Size(bytes) => QueryValue::text(format!("{bytes}B")),
        AttrValue::Duration(duration) => QueryValue::text(seconds(*duration)),
        AttrValue::Text(text) | AttrValue::Secret(text) => QueryValue::text(text),
        AttrValue::Label(label, _) => QueryValue::text(label.to_string()),
        AttrValue::File(file) => QueryValue::text(match &file.what {
            FileName::Path(path) => path.to_string(),
            FileName::Reference(reference) => reference.to_string(),
            FileName::Glob { pattern, .. } => pattern.clone(),
        }),
    }
}

fn seconds(duration: Duration) -> String {
    format!("{}s", duration.as_secs_f64())
}
