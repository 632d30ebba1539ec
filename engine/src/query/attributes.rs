//! A target's attributes, as queries see them.

use std::collections::BTreeMap;
use std::time::Duration;

use vwfb_rules::Declared;
use vwfb_rules::interpolate::Template;
use vwfb_rules::rule::Body;
use vwfb_rules::value::{AttrValue, FileName};

use super::QueryValue;

/// The attributes of a target by name: those of its rule with their defaults, and `tags`; of a
/// `task` also the nodes that say what it makes and runs.
pub(super) fn attributes(declared: &Declared) -> BTreeMap<String, QueryValue> {
    let given = declared.attrs.iter().map(|(name, value)| (name.clone(), shown(value)));
    let mut attributes: BTreeMap<String, QueryValue> = given.collect();
    attributes.insert("tags".to_owned(), QueryValue::texts(&declared.tags));
    if declared.rule.name == "task" {
        attributes.extend(of_task(declared).map(|(name, value)| (name.to_owned(), value)));
    }
    attributes
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
        Body::WriteFile | Body::Forward | Body::Free => None,
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
