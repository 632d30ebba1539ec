//! Typed values of attributes and variables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::Anchor;
use crate::label::{Label, Reference, WsPath};
use crate::placeholder::Placeholder;
use crate::syntax::Float;

/// The value of an attribute, of its declared type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttrValue {
    /// A `bool`.
    Bool(bool),
    /// An `int`.
    Int(i64),
    /// A `float`.
    Float(Float),
    /// A `string`, `enum`, `color` (lower case) or `json` (canonical text).
    Text(String),
    /// A `duration`; in a text its seconds (`2.5`).
    Duration(Duration),
    /// A `size` in bytes.
    Size(u64),
    /// A `file`, `tree` or `artifact`: what it names, not yet resolved.
    File(FileUse),
    /// A `label`.
    Label(Label, Anchor),
    /// A `secret`: its name.
    Secret(String),
    /// A list of any of these.
    List(Vec<AttrValue>),
    /// A map from names to any of these.
    Map(BTreeMap<String, AttrValue>),
}

/// A file or tree that an attribute names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileUse {
    /// What it names.
    pub what: FileName,
    /// Where.
    pub anchor: Anchor,
    /// Whether it is an item of a fan-out, whose order number says nothing of it.
    pub item: bool,
    /// What stands in for it while it is missing.
    pub placeholder: Option<Arc<Placeholder>>,
}

/// How a file is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileName {
    /// A path of the workspace.
    Path(WsPath),
    /// Outputs of another target.
    Reference(Reference),
    /// The files of a package that match a pattern.
    Glob {
        /// The package.
        package: WsPath,
        /// The pattern, relative to the package.
        pattern: String,
        /// Whether it may match nothing.
        allow_empty: bool,
    },
}
