//! What a build sets over the declarations of variables, and how that is written.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::VarDef;
use crate::binding::{Binding, scalar_text};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::{Label, LabelError, WsPath, is_name};
use crate::rule::{AttrType, Shape};
use crate::syntax::{Node, Scalar, Value};

/// What a build sets over the declarations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Overrides {
    /// The profile.
    pub profile: Option<String>,
    /// The variables, those of a file before those of the command line; a later one wins over an
    /// earlier one, and one for a package over one for all.
    pub vars: Vec<VarOverride>,
    /// Those of the workspace's file of params, over which the profile wins.
    pub params: Vec<VarOverride>,
}

/// One `--var`, or one value of a `--vars` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarOverride {
    /// The package it is for; all that declare the variable without it.
    pub package: Option<WsPath>,
    /// The variable.
    pub name: String,
    /// Its value as written.
    pub value: String,
    /// The same with its types, from a file; what is written on a command line has none.
    pub given: Option<Vec<Scalar>>,
    /// The file that it is from, for messages.
    pub origin: Option<Arc<str>>,
}

impl VarOverride {
    /// The override written `x=v` or `//pkg:x=v`.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(OverrideError::NoValue { text: text.into() });
        };
        if is_name(name) {
            return Ok(Self::of(None, name, value));
        }
        let label = Label::parse(name, &WsPath::root())
            .map_err(|source| OverrideError::Name { text: name.into(), source })?;
        Ok(Self::of(Some(label.package.clone()), &label.target(), value))
    }

    fn of(package: Option<WsPath>, name: &str, value: &str) -> Self {
        Self { package, name: name.into(), value: value.into(), given: None, origin: None }
    }

    /// What `name`, `x` or `//pkg:x`, is in a file.
    fn in_file(name: &str, values: Vec<Scalar>) -> Result<Self, OverrideError> {
        let texts: Vec<String> = values.iter().filter_map(scalar_text).collect();
        let value = match texts.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(",")),
        };
        let parsed = Self::parse(&format!("{name}={value}"))?;
        Ok(Self { given: Some(values), ..parsed })
    }

    /// The overrides in the text of a file, in order: nodes named by variables with their values,
    /// or, in a `.json` file, one object.
    ///
    /// # Errors
    /// If it is not written as one, in words that name the line where there is one.
    pub fn read(file: &WsPath, text: &str) -> Result<Vec<Self>, String> {
        let found =
            if file.extension() == Some("json") { in_json(text)? } else { in_kdl(file, text)? };
        let mut seen = BTreeSet::new();
        if let Some((name, _)) = found.iter().find(|(name, _)| !seen.insert(name)) {
            return Err(format!("`{name}` is set twice"));
        }
        let overrides = found
            .into_iter()
            .map(|(name, values)| Self::in_file(&name, values).map_err(|error| chained(&error)));
        overrides.collect()
    }

    /// How to declare the variable that it sets.
    pub(super) fn declaration(&self) -> String {
        let file = self.package.as_ref().map_or_else(
            || "WORKSPACE.kdl".to_owned(),
            |package| format!("the BUILD.kdl of `//{package}`"),
        );
        let value = match self.value.as_str() {
            "true" | "false" => format!("#{}", self.value),
            number if number.parse::<i64>().is_ok() => number.to_owned(),
            text => format!("{text:?}"),
        };
        format!("declare it with `vars {{ {} {value} }}` in {file}", self.name)
    }

    /// How it was written, for messages.
    pub(crate) fn shown(&self) -> String {
        if self.given.is_some() {
            let place =
                self.package.as_ref().map(|package| format!("//{package}:")).unwrap_or_default();
            let origin = self.origin.as_ref().map(|file| format!(" in {file}")).unwrap_or_default();
            return format!("{place}{} {}{origin}", self.name, self.value);
        }
        match &self.package {
            Some(package) => format!("--var //{package}:{}={}", self.name, self.value),
            None => format!("--var {}={}", self.name, self.value),
        }
    }
}

fn chained(error: &dyn std::error::Error) -> String {
    match error.source() {
        Some(source) => format!("{error}: {}", chained(source)),
        None => error.to_string(),
    }
}

type Values = Vec<(String, Vec<Scalar>)>;

fn in_json(text: &str) -> Result<Values, String> {
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let serde_json::Value::Object(fields) = json else {
        return Err("it is no JSON object".to_owned());
    };
    let values = |(name, json): (String, serde_json::Value)| {
        let binding = Binding::of_json(&json);
        if json.is_object() || json.is_null() || (json.is_array() && !binding.list) {
            return Err(format!("`{name}` is neither a text, a number, a flag nor a list of them"));
        }
        Ok((name, binding.values.into_iter().map(|plain| plain.scalar).collect()))
    };
    fields.into_iter().map(values).collect()
}

fn in_kdl(file: &WsPath, text: &str) -> Result<Values, String> {
    let checked = crate::syntax::nodes(file, text);
    let spans = crate::syntax::spans(text);
    let at = |anchor: &Anchor| {
        let start = spans.resolve(anchor).start;
        format!("line {}", 1 + text[..start].matches('\n').count())
    };
    if let Some(problem) = checked.problems.first() {
        let place = problem.places.first().map(|place| at(&place.anchor));
        return Err(format!("{}: {}", place.unwrap_or_default(), problem.message));
    }
    let values = |node: Node| {
        if node.args.is_empty() || !node.props.is_empty() || !node.children.is_empty() {
            let place = at(&node.anchor);
            return Err(format!(
                "{place}: write `{} value`, with more values for a list",
                node.name
            ));
        }
        Ok((node.name, node.args.into_iter().map(|value| value.scalar).collect()))
    };
    checked.value.into_iter().map(values).collect()
}

/// Why a text is no override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No `=`.
    #[error("`{text}` sets nothing: write `name=value` or `//package:name=value`")]
    NoValue {
        /// The text.
        text: String,
    },
    /// Neither a name nor a label.
    #[error("`{text}` is no variable's name")]
    Name {
        /// The part before the `=`.
        text: String,
        /// What is wrong with it as a label.
        source: LabelError,
    },
}

/// The values of a list with commas, in brackets or not; what has a comma of its own stands in quotes.
pub fn listed(text: &str) -> Vec<String> {
    let text = text.trim();
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if inner.trim().is_empty() {
        return Vec::new();
    }
    split_quoted(inner).into_iter().map(unquoted).collect()
}

/// The values that an override means for a variable of this type. On a command line a list is
/// written with commas, also in brackets, where spaces beside them count for nothing and what has a
/// comma of its own stands in quotes.
pub(crate) fn override_values(def: &VarDef, set: &VarOverride) -> Result<Vec<Value>, Diagnostic> {
    if let Some(given) = &set.given {
        let value = |scalar: &Scalar| Value {
            scalar: scalar.clone(),
            annotation: None,
            anchor: def.anchor.clone(),
        };
        return Ok(given.iter().map(value).collect());
    }
    let text = set.value.as_str();
    let bracketed = text.trim().strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    let pieces: Vec<String> = match (def.schema.shape, bracketed) {
        (Shape::List, Some(_)) => listed(text),
        (Shape::List, None) if text.is_empty() => Vec::new(),
        (Shape::List, None) => text.split(',').map(str::to_owned).collect(),
        (Shape::Single | Shape::Map, _) => vec![text.to_owned()],
    };
    let value = |text: String| {
        let scalar = match def.schema.ty {
            AttrType::Int => text.parse().map(Scalar::Int).ok(),
            AttrType::Float => {
                text.parse().map(|number| Scalar::Float(crate::syntax::Float(number))).ok()
            }
            AttrType::Bool => match text.as_str() {
                "true" | "#true" => Some(Scalar::Bool(true)),
                "false" | "#false" => Some(Scalar::Bool(false)),
                _ => None,
            },
            _ => None,
        };
        let scalar = scalar.unwrap_or(Scalar::Text(text));
        Value { scalar, annotation: None, anchor: def.anchor.clone() }
    };
    Ok(pieces.into_iter().map(value).collect())
}

/// The pieces of `text` between commas, except those in double quotes.
fn split_quoted(text: &str) -> Vec<&str> {
    let (mut pieces, mut start) = (Vec::new(), 0);
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            ',' if !in_quotes => {
                pieces.push(text[start..at].trim());
                start = at + 1;
            }
            // A quote within a word is a letter: only one that begins a piece opens.
            '"' if in_quotes => in_quotes = escaped,
            '"' => in_quotes = text[start..at].trim().is_empty(),
            _ => {}
        }
        escaped = in_quotes && c == '\\' && !escaped;
    }
    pieces.push(text[start..].trim());
    pieces
}

/// What `piece` says if it is a JSON string; else the piece.
fn unquoted(piece: &str) -> String {
    serde_json::from_str::<String>(piece).unwrap_or_else(|_| piece.to_owned())
}
