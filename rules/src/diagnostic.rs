//! Problems found in rule files: values with a stable code, places and a hint, never errors thrown.

use crate::label::WsPath;

/// A value and what is wrong with the text it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Checked<T> {
    /// The value, as complete as the text allows.
    pub value: T,
    /// The problems, in the order of the text.
    pub problems: Vec<Diagnostic>,
}

impl<T> Checked<T> {
    /// A value without problems.
    pub const fn clean(value: T) -> Self {
        Self { value, problems: Vec::new() }
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Stable, kebab-case; `docs/errors/<code>.md` explains it.
    pub code: &'static str,
    /// Whether it stops a build.
    pub severity: Severity,
    /// A lower-case fragment that says what is wrong, names in backticks.
    pub message: String,
    /// Where; the first is the main place. Empty only for problems without a file.
    pub places: Vec<Place>,
    /// What to do next.
    pub hint: Option<String>,
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the build goes on.
    Warning,
    /// Nothing that depends on it is built.
    Error,
}

/// A place in a rule file, with a word on its part in the problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The place.
    pub anchor: Anchor,
    /// Shown beside the snippet; may be empty.
    pub note: String,
}

/// A place that survives edits elsewhere in its file.
///
/// It names a top-level node and an entry in it, not bytes: a value that holds anchors stays equal
/// when a comment or another target above it changes, so early cutoff works. A `spans` table,
/// made anew from the text, turns it into bytes when a diagnostic is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Anchor {
    /// The file; `@std/...` for the built-in library.
    pub file: WsPath,
    /// The top-level node, as `name "first argument" #occurrence`; empty for the whole file.
    pub item: String,
    /// The node or entry within it, counted in the order of the text; 0 is the node itself.
    pub entry: u32,
}
