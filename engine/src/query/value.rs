//! An attribute's value, as queries match and print it.

use std::collections::BTreeMap;

use serde_json::Value as Json;

/// An attribute's value.
#[derive(Debug, Clone, PartialEq)]
pub enum QueryValue {
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text; a duration or size as it is written, with its unit; a label; a path.
    Text(String),
    /// Several.
    List(Vec<Self>),
    /// Several, each with a name.
    Map(BTreeMap<String, Self>),
}

impl QueryValue {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// Several texts.
    pub fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self::List(texts.into_iter().map(Self::text).collect())
    }

    /// What `attr()` matches: one text for each member, `name=value` for those of a map.
    pub(super) fn members(&self) -> Vec<String> {
        match self {
            Self::Bool(flag) => vec![flag.to_string()],
            Self::Int(number) => vec![number.to_string()],
            Self::Float(number) => vec![number.to_string()],
            Self::Text(text) => vec![text.clone()],
            Self::List(values) => values.iter().flat_map(Self::members).collect(),
            Self::Map(values) => {
                let named = |(name, value): (&String, &Self)| -> Vec<String> {
                    value.members().iter().map(|value| format!("{name}={value}")).collect()
                };
                values.iter().flat_map(named).collect()
            }
        }
    }

    /// The value in JSON.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Bool(flag) => Json::from(*flag),
            Self::Int(number) => Json::from(*number),
            Self::Float(number) => Json::from(*number),
            Self::Text(text) => Json::from(text.as_str()),
            Self::List(values) => values.iter().map(Self::json).collect(),
            Self::Map(values) => {
                values.iter().map(|(name, value)| (name.clone(), value.json())).collect()
            }
        }
    }
}
