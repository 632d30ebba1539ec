//! Texts with `{names}` in them: how they are read, not what the names mean.

use crate::diagnostic::Anchor;
use crate::value::AttrValue;

/// A text with interpolations, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its parts, in order; never two texts in a row.
    pub parts: Vec<Part>,
    /// Where it is written.
    pub anchor: Anchor,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// An interpolation: `out.png` as `["out", "png"]`.
    Field(Vec<String>),
    /// An interpolation whose value is known already: a `{vars.x}` of a free command.
    Value(AttrValue),
}
