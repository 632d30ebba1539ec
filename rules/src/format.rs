//! The canonical form of a KDL file: the same meaning and the same comments, in one layout.

mod lex;
mod print;
mod tree;
mod word;

use lex::{Kind, Token};

use crate::parse::{RawEntry, RawNode, parse};

/// Why a text has no canonical form: it is not KDL 2.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct FormatError {
    /// The first place that is wrong, counted from 1.
    pub line: usize,
    /// In characters, counted from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// What to write instead.
    pub hint: Option<String>,
}

/// `text` in canonical form.
///
/// Comments, empty lines (at most one in a row), continued lines and blocks on one line are kept;
/// indentation, spaces, line ends, quotes and the indentation of strings of several lines are not.
/// Formatting twice gives what formatting once gives. The result is compared with `text` before it
/// is returned: should it mean anything else or lack a comment, `text` itself is returned.
///
/// ```
/// let text = "task  greet{ out \"hello.txt\"; // kept\n}";
/// let formatted = "task \"greet\" {\n    out \"hello.txt\" // kept\n}\n";
/// assert_eq!(vwfb_rules::format::format(text).as_deref(), Ok(formatted));
/// ```
///
/// # Errors
/// If `text` is not KDL 2, or nests deeper than rule files may.
pub fn format(text: &str) -> Result<String, FormatError> {
    let (meant, faults) = parse(text);
    if let Some(fault) = faults.into_iter().next() {
        let (line, column) = place(text, fault.range.start);
        return Err(FormatError { line, column, message: fault.message, hint: fault.hint });
    }
    let tokens = lex::tokens(text.strip_prefix('\u{feff}').unwrap_or(text)).ok();
    let formatted = tokens.and_then(|tokens| canonical(&tokens, &meant));
    Ok(formatted.unwrap_or_else(|| text.to_owned()))
}

/// The canonical text of `tokens`; `None` unless it means `meant` and has every comment.
fn canonical(tokens: &[Token<'_>], meant: &[RawNode]) -> Option<String> {
    let formatted = print::document(&tree::document(tokens)?);
    let again = lex::tokens(&formatted).ok()?;
    let (means, faults) = parse(&formatted);
    let same = faults.is_empty() && same_text(tokens, &again) && same_all(meant, &means, same_node);
    same.then_some(formatted)
}

/// Whether the comments are the same, and the words, those behind a `/-` included.
fn same_text(before: &[Token<'_>], after: &[Token<'_>]) -> bool {
    let comments = |tokens: &[Token<'_>]| -> Vec<String> {
        let is_comment =
            |token: &&Token<'_>| matches!(token.kind, Kind::LineComment | Kind::BlockComment);
        tokens.iter().filter(is_comment).map(|token| word::comment(token.text)).collect()
    };
    let marks = |tokens: &[Token<'_>]| -> Vec<Kind> {
        let stays = |kind: &Kind| {
            !matches!(
                kind,
                Kind::Space
                    | Kind::Newline
                    | Kind::Backslash
                    | Kind::Semicolon
                    | Kind::LineComment
                    | Kind::BlockComment
            )
        };
        tokens.iter().map(|token| token.kind).filter(stays).collect()
    };
    comments(before) == comments(after) && marks(before) == marks(after)
}

fn same_node(a: &RawNode, b: &RawNode) -> bool {
    let names = a.name == b.name && a.annotation == b.annotation;
    let entries = same_all(&a.entries, &b.entries, same_entry);
    names && entries && same_all(&a.children, &b.children, same_node)
}

fn same_entry(a: &RawEntry, b: &RawEntry) -> bool {
    a.name == b.name && a.annotation == b.annotation && a.scalar == b.scalar
}

fn same_all<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

/// Line and column of `offset`, counted from 1.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = 1 + before.matches('\n').count();
    (line, 1 + before[line_start..].chars().count())
}

#[cfg(test)]
mod tests;
