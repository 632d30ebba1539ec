//! `vwfb new --list`: the templates, and what they ask for.

use std::fmt::Write as _;

use serde_json::{Value, json};
use vwfb_rules::package_template::{PackageTemplate, written};
use vwfb_rules::rule::Shape;
use vwfb_rules::syntax::Scalar;
use vwfb_rules::vars::VarDef;

use crate::error::{CommandError, Exit};
use crate::new::definition;
use crate::new::shelf::{Origin, Shelf, Template};
use crate::session::Context;

/// Lists them all, or `only` one.
pub(crate) fn run(
    ctx: &Context,
    shelf: &Shelf,
    only: Option<&Template>,
    as_json: bool,
) -> Result<Exit, CommandError> {
    let mut exit = Exit::SUCCESS;
    let mut listed = Vec::new();
    for template in &shelf.templates {
        if only.is_some_and(|only| only.name != template.name) {
            continue;
        }
        match definition(ctx, template)? {
            Some(definition) => listed.push((template, definition)),
            None => exit = Exit::INPUT,
        }
    }
    if as_json {
        let all: Vec<Value> = listed.iter().map(|(template, it)| as_value(template, it)).collect();
        ctx.ui.out_line(format!("{:#}", Value::from(all)))?;
    } else {
        let all: Vec<String> = listed.iter().map(|(template, it)| as_text(template, it)).collect();
        ctx.ui.out(all.join("\n"))?;
    }
    Ok(exit)
}

/// What values `param` takes, in words.
pub(crate) fn kind(param: &VarDef) -> String {
    let schema = &param.schema;
    let mut kind = match schema.values.as_slice() {
        [] => schema.ty.name().to_owned(),
        values => values.join(" or "),
    };
    if !schema.extensions.is_empty() {
        let endings: Vec<String> = schema.extensions.iter().map(|it| format!(".{it}")).collect();
        kind = format!("{kind} {}", endings.join(" "));
    }
    match (schema.shape, schema.count) {
        (Shape::List, Some(count)) => format!("list of {count}: {kind}"),
        (Shape::List, None) => format!("list: {kind}"),
        _ => kind,
    }
}

fn as_text(template: &Template, definition: &PackageTemplate) -> String {
    let from = match &template.origin {
        Origin::BuiltIn(_) => "built in".to_owned(),
        Origin::Workspace(_) | Origin::User(_) => template.shown(".").to_string(),
    };
    // Writing to a string cannot fail.
    let mut text = format!("{}  ({from})\n", template.name);
    if let Some(doc) = &definition.doc {
        let _ = writeln!(text, "  {doc}");
    }
    let rows: Vec<[String; 3]> = definition.params.iter().map(row).collect();
    let width =
        |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (names, kinds) = (width(0), width(1));
    for [name, kind, rest] in &rows {
        let line = format!("  {name:<names$}  {kind:<kinds$}  {rest}");
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn row(param: &VarDef) -> [String; 3] {
    let stands = match &param.schema.default {
        _ if param.schema.required() => "required".to_owned(),
        Some(values) => {
            let values: Vec<Scalar> = values.iter().map(|value| value.scalar.clone()).collect();
            written(param, &values)
        }
        None => "optional".to_owned(),
    };
    let doc = param.schema.doc.as_deref().unwrap_or_default();
    [param.name.clone(), kind(param), format!("{stands}; {doc}")]
}

fn as_value(template: &Template, definition: &PackageTemplate) -> Value {
    let (from, folder) = match &template.origin {
        Origin::BuiltIn(_) => ("built-in", None),
        Origin::Workspace(folder) => ("workspace", Some(folder)),
        Origin::User(folder) => ("user", Some(folder)),
    };
    let params: Vec<Value> = definition.params.iter().map(param_value).collect();
    json!({
        "name": template.name,
        "from": from,
        "folder": folder,
        "doc": definition.doc,
        "params": params,
    })
}

fn param_value(param: &VarDef) -> Value {
    let schema = &param.schema;
    let one = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => json!(text),
        Scalar::Int(number) => json!(number),
        Scalar::Float(number) => json!(number.0),
        Scalar::Bool(flag) => json!(flag),
        Scalar::Null => Value::Null,
    };
    let mut values = schema.default.iter().flatten().map(|value| one(&value.scalar));
    let default = match (&schema.default, schema.shape) {
        (None, _) => Value::Null,
        (Some(_), Shape::List) => Value::from(values.collect::<Vec<_>>()),
        (Some(_), _) => values.next().unwrap_or(Value::Null),
    };
    json!({
        "name": param.name,
        "type": schema.ty.name(),
        "list": schema.shape == Shape::List,
        "count": schema.count,
        "min": schema.min.map(|min| min.0),
        "max": schema.max.map(|max| max.0),
        "values": schema.values,
        "extensions": schema.extensions,
        "default": default,
        "required": schema.required(),
        "doc": schema.doc,
    })
}
