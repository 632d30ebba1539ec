//! A target as its text would be without fan-outs, templates and variables.

use std::fmt::Write as _;

use crate::binding::Bindings;
use crate::evaluate::Names;
use crate::frame::Placed;
use crate::interpolate::{Part, Template, written};
use crate::read::Problems;
use crate::syntax::{Node, Scalar, Value};
use crate::vars::Vars;

/// The text of `placed` with what the fan-outs, templates and variables around it stand for.
pub fn expanded(placed: &Placed, vars: Option<&Vars>) -> String {
    let bindings = &placed.frame.bindings;
    let names = Names { target: &placed.def.name, vars, bindings };
    let mut text = String::new();
    put(&mut text, &filled(&placed.def.node, names, bindings), 0);
    text
}

fn filled(node: &Node, names: Names<'_>, bindings: &Bindings) -> Node {
    let fill = |value: &Value| values(value, names, bindings);
    Node {
        name: node.name.clone(),
        args: node.args.iter().flat_map(fill).collect(),
        props: node
            .props
            .iter()
            .flat_map(|(name, value)| fill(value).into_iter().map(|value| (name.clone(), value)))
            .collect(),
        children: node.children.iter().map(|child| filled(child, names, bindings)).collect(),
        anchor: node.anchor.clone(),
    }
}

/// What `value` stands for; what only its rule knows the meaning of stays as it is written.
fn values(value: &Value, names: Names<'_>, bindings: &Bindings) -> Vec<Value> {
    let Some(text) = value.text().filter(|text| text.contains('{')) else {
        return vec![value.clone()];
    };
    let Ok(template) = Template::parse(text, &value.anchor) else { return vec![value.clone()] };
    let is_known = |path: &[String]| path[0] == "vars" || bindings.get(&path[0]).is_some();
    if template.whole_field().is_some_and(is_known) {
        let mut problems = Problems::default();
        let whole = names.values(value, &mut problems);
        return if problems.count() == 0 { whole } else { vec![value.clone()] };
    }
    let mut filled = String::new();
    for part in &template.parts {
        let known = match part {
            Part::Field(path) if is_known(path) => {
                let alone = Value { scalar: Scalar::Text(written(path)), ..value.clone() };
                let values = names.values(&alone, &mut Problems::default());
                match values.as_slice() {
                    [one] => crate::binding::scalar_text(&one.scalar),
                    _ => None,
                }
            }
            _ => None,
        };
        let as_written =
            || Template { parts: vec![part.clone()], anchor: value.anchor.clone() }.to_string();
        let braces = |text: String| text.replace('{', "{{").replace('}', "}}");
        filled.push_str(&known.map(braces).unwrap_or_else(as_written));
    }
    vec![Value { scalar: Scalar::Text(filled), ..value.clone() }]
}

/// Writes `node` in canonical form.
fn put(text: &mut String, node: &Node, depth: usize) {
    let indent = "    ".repeat(depth);
    text.push_str(&indent);
    text.push_str(&node.name);
    for value in &node.args {
        text.push(' ');
        put_value(text, value);
    }
    for (name, value) in &node.props {
        // Writing to a string cannot fail.
        let _written = write!(text, " {name}=");
        put_value(text, value);
    }
    if node.children.is_empty() {
        text.push('\n');
        return;
    }
    text.push_str(" {\n");
    for child in &node.children {
        put(text, child, depth + 1);
    }
    text.push_str(&indent);
    text.push_str("}\n");
}

fn put_value(text: &mut String, value: &Value) {
    // Those of items say only how a name came to be.
    if let Some(annotation) = value.annotation.as_deref().filter(|it| *it == "glob") {
        let _written = write!(text, "({annotation})");
    }
    match &value.scalar {
        Scalar::Text(plain) => put_text(text, plain),
        Scalar::Int(number) => _ = write!(text, "{number}"),
        Scalar::Float(number) => _ = write!(text, "{}", number.0),
        Scalar::Bool(flag) => _ = write!(text, "#{flag}"),
        Scalar::Null => text.push_str("#null"),
    }
}

fn put_text(text: &mut String, plain: &str) {
    text.push('"');
    for c in plain.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            c if c.is_control() => _ = write!(text, "\\u{{{:x}}}", u32::from(c)),
            c => text.push(c),
        }
    }
    text.push('"');
}
