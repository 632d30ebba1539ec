//! Small readers for nodes with a fixed form, which say what is wrong with any other.

use crate::codes::{
    BAD_NAME, BAD_NODE, REPEATED_ATTRIBUTE, UNKNOWN_ANNOTATION, UNKNOWN_NODE, UNKNOWN_PROPERTY,
    WRONG_TYPE,
};
use crate::diagnostic::Diagnostic;
use crate::label::is_name;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, Value};

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<Diagnostic>);

impl Problems {
    pub(crate) fn push(&mut self, problem: Diagnostic) {
        self.0.push(problem);
    }

    /// The same, unless it is there: what all cases of a rule share is wrong once.
    pub(crate) fn push_once(&mut self, problem: Diagnostic) {
        if !self.0.contains(&problem) {
            self.push(problem);
        }
    }

    /// The value of `result`, its problem noted.
    pub(crate) fn take<T>(&mut self, result: Result<T, Diagnostic>) -> Option<T> {
        result.map_err(|problem| self.push(problem)).ok()
    }

    pub(crate) const fn count(&self) -> usize {
        self.0.len()
    }
}

/// Notes properties other than `known`, and those given twice.
pub(crate) fn only_props(node: &Node, known: &[&str], problems: &mut Problems) {
    for (index, (name, value)) in node.props.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            let message = format!("`{}` takes no property `{name}`", node.name);
            let problem = Diagnostic::error(UNKNOWN_PROPERTY, message).at(&value.anchor);
            problems.push(problem.maybe_hint(did_you_mean(name, known.iter().copied())));
        } else if let Some((_, first)) = node.props[..index].iter().find(|(other, _)| other == name)
        {
            problems.push(repeated(name, value, first));
        }
        no_annotation(value, problems);
    }
}

/// The problem of an attribute given twice.
pub(crate) fn repeated(name: &str, again: &Value, first: &Value) -> Diagnostic {
    Diagnostic::error(REPEATED_ATTRIBUTE, format!("`{name}` is given twice"))
        .noted(&again.anchor, "again here")
        .noted(&first.anchor, "first here")
}

/// Notes a child of `parent` that means nothing there.
pub(crate) fn unknown_child(parent: &str, child: &Node, known: &[&str], problems: &mut Problems) {
    let message = format!("`{}` means nothing in {parent}", child.name);
    let hint = did_you_mean(&child.name, known.iter().copied())
        .unwrap_or_else(|| format!("what may stand here: {}", list(known)));
    problems.push(Diagnostic::error(UNKNOWN_NODE, message).at(&child.anchor).hint(hint));
}

/// Notes any child.
pub(crate) fn no_children(node: &Node, problems: &mut Problems) {
    if let Some(child) = node.children.first() {
        let message = format!("`{}` has no braces", node.name);
        problems.push(Diagnostic::error(BAD_NODE, message).at(&child.anchor));
    }
}

/// Notes any argument.
pub(crate) fn no_args(node: &Node, problems: &mut Problems) {
    if let Some(value) = node.args.first() {
        let message = format!("`{}` takes no argument", node.name);
        problems.push(Diagnostic::error(BAD_NODE, message).at(&value.anchor));
    }
}

/// Notes a type annotation.
pub(crate) fn no_annotation(value: &Value, problems: &mut Problems) {
    if let Some(annotation) = &value.annotation {
        let message = format!("`({annotation})` means nothing here");
        problems.push(Diagnostic::error(UNKNOWN_ANNOTATION, message).at(&value.anchor));
    }
}

/// The only argument of `node`.
pub(crate) fn one_arg<'n>(
    node: &'n Node,
    what: &str,
    problems: &mut Problems,
) -> Option<&'n Value> {
    if let Some(extra) = node.args.get(1) {
        let message = format!("`{}` takes one argument, {what}", node.name);
        problems.push(Diagnostic::error(BAD_NODE, message).at(&extra.anchor));
    }
    let value = node.args.first();
    if value.is_none() {
        let message = format!("`{}` needs an argument: {what}", node.name);
        problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
    }
    value.inspect(|value| no_annotation(value, problems))
}

/// The only argument of `node`, a text.
pub(crate) fn text_arg<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    text(one_arg(node, what, problems)?, what, problems)
}

/// The only argument of `node`, a name.
pub(crate) fn name_arg<'n>(node: &'n Node, what: &str, problems: &mut Problems) -> Option<&'n str> {
    let name = text_arg(node, what, problems)?;
    check_name(name, &node.args[0], problems).then_some(name)
}

/// Whether `name` is a name; notes it if not.
pub(crate) fn check_name(name: &str, value: &Value, problems: &mut Problems) -> bool {
    if !is_name(name) {
        let message = match name.is_empty() {
            true => "a name cannot be empty".to_owned(),
            false => format!("`{name}` is not a name"),
        };
        let problem = Diagnostic::error(BAD_NAME, message).at(&value.anchor);
        problems.push(problem.hint("names have ASCII letters, digits, `_` and `-`"));
    }
    is_name(name)
}

/// `value` as text.
pub(crate) fn text<'v>(value: &'v Value, what: &str, problems: &mut Problems) -> Option<&'v str> {
    let text = value.text();
    if text.is_none() {
        problems.push(wrong_type(value, what));
    }
    text
}

/// The only argument of `node`, `#true` or `#false`; `#true` if there is none.
pub(crate) fn flag_arg(node: &Node, problems: &mut Problems) -> Option<bool> {
    if node.args.is_empty() {
        return Some(true);
    }
    flag(one_arg(node, "`#true` or `#false`", problems)?, problems)
}

/// `value` as a flag.
pub(crate) fn flag(value: &Value, problems: &mut Problems) -> Option<bool> {
    match value.scalar {
        Scalar::Bool(flag) => Some(flag),
        _ => {
            problems.push(wrong_type(value, "`#true` or `#false`"));
            None
        }
    }
}

/// `value` as a whole number from 0 on.
pub(crate) fn count(value: &Value, problems: &mut Problems) -> Option<u32> {
    match value.scalar {
        Scalar::Int(number) if u32::try_from(number).is_ok() => u32::try_from(number).ok(),
        _ => {
            problems.push(wrong_type(value, "a whole number from 0 on"));
            None
        }
    }
}

/// The value of the property `name`.
pub(crate) fn prop<'n>(node: &'n Node, name: &str) -> Option<&'n Value> {
    node.props.iter().find(|(other, _)| other == name).map(|(_, value)| value)
}

/// The value of the property `name`, a text.
pub(crate) fn text_prop<'n>(
    node: &'n Node,
    name: &str,
    problems: &mut Problems,
) -> Option<&'n str> {
    text(prop(node, name)?, "a text", problems)
}

/// The problem of a value of another type.
pub(crate) fn wrong_type(value: &Value, wanted: &str) -> Diagnostic {
    let message = format!("expected {wanted}, found {}", value.scalar.described());
    Diagnostic::error(WRONG_TYPE, message).at(&value.anchor)
}

/// Names in backticks with commas: `` `a`, `b` ``.
pub(crate) fn list<'n>(names: impl IntoIterator<Item = &'n &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}
