//! Problems found in rule files: values with a stable code, places and a hint, never errors thrown.

use std::sync::Arc;

use crate::codes::Code;
use crate::label::WsPath;

/// A value and what is wrong with the text it came from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use]
pub struct Checked<T> {
    /// The value, as complete as the text allows.
    pub value: T,
    /// The problems, in the order in which they were found.
    pub problems: Vec<Diagnostic>,
}

impl<T> Checked<T> {
    /// A value without problems.
    pub const fn clean(value: T) -> Self {
        Self { value, problems: Vec::new() }
    }

    /// Whether any of the problems is an error.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Diagnostic {
    /// Stable, kebab-case; `docs/errors/<code>.md` explains it.
    pub code: Code,
    /// Whether it stops a build.
    pub severity: Severity,
    /// A lower-case fragment that says what is wrong, names in backticks.
    pub message: String,
    /// Where; the first is the main place. Empty only for problems without a file.
    pub places: Vec<Place>,
    /// What to do next.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            severity: Severity::Error,
            message: message.into(),
            places: Vec::new(),
            hint: None,
        }
    }

    /// The same, shown at `anchor` too; the first place is the main one.
    #[must_use]
    pub fn at(self, anchor: &Anchor) -> Self {
        self.noted(anchor, "")
    }

    /// The same, shown at `anchor` too, with a word on its part.
    #[must_use]
    pub fn noted(mut self, anchor: &Anchor, note: impl Into<String>) -> Self {
        self.places.push(Place { anchor: anchor.clone(), note: note.into() });
        self
    }

    /// The same, with what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, with a hint where there is one.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// How bad a diagnostic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; the build goes on.
    Warning,
    /// Nothing that depends on it is built.
    Error,
}

/// A place in a rule file, with a word on its part in the problem.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    /// The place.
    pub anchor: Anchor,
    /// Shown beside the snippet; may be empty.
    pub note: String,
}

/// A place that survives edits elsewhere in its file.
///
/// It names a top-level node and an entry in it, not bytes: a value that holds anchors stays equal
/// when a comment or another target above it changes, so early cutoff works. [`crate::spans()`],
/// made anew from the text, turns it into bytes when a diagnostic is shown.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Anchor {
    /// The file; `@std/...` for the built-in library.
    pub file: WsPath,
    /// Where in it.
    pub spot: Spot,
}

/// A place within one file.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Spot {
    /// The whole file.
    File,
    /// Bytes of a text that could not be read as nodes.
    Bytes {
        /// The first byte.
        start: usize,
        /// The byte after the last.
        end: usize,
    },
    /// A node or entry within a top-level node.
    Node {
        /// The top-level node, as `name "first argument" #occurrence`.
        item: Arc<str>,
        /// The node or entry within it, counted in the order of the text; 0 is the node itself.
        entry: u32,
    },
}

impl Anchor {
    /// The whole of `file`.
    pub const fn file(file: WsPath) -> Self {
        Self { file, spot: Spot::File }
    }

    /// Bytes of `file`.
    pub const fn bytes(file: WsPath, start: usize, end: usize) -> Self {
        Self { file, spot: Spot::Bytes { start, end } }
    }
}
