//! Names of things in a workspace: paths, packages, labels and references.

use std::fmt;

/// A path from the workspace root with `/` between its parts; empty for the root itself.
///
/// It never starts with `/`, and holds no empty part, `.` or `..`. Built-in rule files are
/// `@std/<name>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct WsPath(pub(crate) String);

impl WsPath {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One step of a label: a name, and the item of a fan-out child.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// ASCII letters, digits, `_` and `-`.
    pub name: String,
    /// The item id of one fan-out child, decoded.
    pub item: Option<String>,
}

/// A target's name: `//shorts:clips[attention].audio`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The package's folder.
    pub package: WsPath,
    /// At least one step.
    pub steps: Vec<Step>,
}

/// A label with the output it means: `//pkg:target#output/path/in/tree`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The target.
    pub label: Label,
    /// The output's name; the rule's default group without it.
    pub output: Option<String>,
    /// A path inside that output, which must be a tree.
    pub subpath: Option<WsPath>,
}
