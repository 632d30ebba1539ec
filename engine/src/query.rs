//! The query language: sets of targets and files, asked of the realised graph.
//!
//! ```text
//! expression = operand {operator operand}                 all operators bind alike, from the left
//! operand    = "(" expression ")" | function "(" argument {"," argument} ")" | pattern
//! operator   = "union" | "+" | "intersect" | "^" | "except" | "-"
//! ```
//!
//! All but `realised` is unaware of rule files and salsa: whoever asks brings the graph.

mod attributes;
mod eval;
mod function;
mod index;
mod names;
mod parse;
mod print;
mod realised;
mod value;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use eval::Answer;
pub use parse::Query;
pub use print::Format;
pub use realised::RealisedGraph;
pub use value::QueryValue;

/// A target, as queries see it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryNode {
    /// The rule's name, which `kind()` matches.
    pub kind: String,
    /// The attributes by name, which `attr()` matches, and `name`.
    pub attributes: BTreeMap<String, QueryValue>,
    /// The workspace files it reads itself; what it reads of other targets follows from `deps`.
    pub inputs: BTreeSet<String>,
    /// The files it makes, as paths from the workspace root.
    pub outputs: BTreeSet<String>,
    /// The labels of the targets it needs directly.
    pub deps: BTreeSet<String>,
    /// The files it names itself that are missing, and that something stands in for.
    pub missing: BTreeSet<String>,
}

/// A member of a query's sets: ordered targets first.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// A target, by label.
    Target(String),
    /// A file, by its path from the workspace root.
    File(String),
}

/// The words that rules bring into queries.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vocabulary {
    /// The names of the rules in sight of some package.
    pub kinds: BTreeSet<String>,
    /// The names that targets of these rules may set.
    pub attributes: BTreeSet<String>,
}

/// The graph that a query is asked of.
pub trait QueryGraph {
    /// Every target by label. Each of its `deps` should be a key too; others are ignored.
    fn nodes(&self) -> &BTreeMap<String, QueryNode>;

    /// The words that `kind()` and `attr()` may mean, used or not.
    fn vocabulary(&self) -> Vocabulary;

    /// What `pattern` (`//...`, `//shorts:all`, `:final`, `slides/hook.svg`) stands for.
    fn expand(&self, pattern: &str) -> Result<BTreeSet<Item>, PatternError>;
}

/// Why a pattern stands for nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct PatternError {
    /// A lower-case fragment that says what is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
    /// The code of the diagnostic that a build would report, where it would.
    pub code: Option<&'static str>,
    /// Whether it is a pattern all the same: the workspace has nothing of that name.
    pub is_pattern: bool,
}

/// Why a query has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// The text is no expression.
    #[error("{message}")]
    Syntax {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong there.
        message: String,
        /// What to write instead.
        hint: String,
    },
    /// A function's name is unknown.
    #[error("no function named `{name}`")]
    UnknownFunction {
        /// Where, in characters from 1.
        column: usize,
        /// The name.
        name: String,
        /// What to write instead.
        hint: String,
    },
    /// A function has too few or too many arguments, or one of another type.
    #[error("{message}")]
    Arguments {
        /// Where, in characters from 1.
        column: usize,
        /// What is wrong with them.
        message: String,
        /// How the function is called.
        usage: &'static str,
    },
    /// A regular expression is none.
    #[error("`{pattern}` is no regular expression: {reason}")]
    Regex {
        /// Where, in characters from 1.
        column: usize,
        /// The text.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No rule declares an attribute.
    #[error("no rule in sight has an attribute `{name}`")]
    UnknownAttribute {
        /// Where, in characters from 1.
        column: usize,
        /// The name.
        name: String,
        /// What to write instead.
        hint: String,
    },
    /// A pattern names nothing.
    #[error("{refusal}")]
    Pattern {
        /// Where, in characters from 1.
        column: usize,
        /// Why; no source, as its words are this error's.
        refusal: PatternError,
    },
}

impl QueryError {
    /// Whether the query makes sense, and only the workspace has not what it names.
    pub const fn is_of_the_workspace(&self) -> bool {
        matches!(
            self,
            Self::UnknownAttribute { .. }
                | Self::Pattern { refusal: PatternError { is_pattern: true, .. }, .. }
        )
    }

    /// The code of the diagnostic that a build would report, where it would.
    pub const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Pattern { refusal, .. } => refusal.code,
            _ => None,
        }
    }

    /// Where in the query's text, in characters from 1.
    pub const fn column(&self) -> usize {
        match self {
            Self::Syntax { column, .. }
            | Self::UnknownFunction { column, .. }
            | Self::Arguments { column, .. }
            | Self::Regex { column, .. }
            | Self::UnknownAttribute { column, .. }
            | Self::Pattern { column, .. } => *column,
        }
    }

    /// What to write instead.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Syntax { hint, .. }
            | Self::UnknownFunction { hint, .. }
            | Self::UnknownAttribute { hint, .. } => Some(hint.clone()),
            Self::Arguments { usage, .. } => Some(format!("it is called as `{usage}`")),
            Self::Regex { .. } => Some("put a `\\` before a character meant as itself".to_owned()),
            Self::Pattern { refusal, .. } => refusal.hint.clone(),
        }
    }
}
