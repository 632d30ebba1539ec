//! The canonical form of a KDL file: the same meaning and the same comments, in one layout.

mod lex;
mod print;
mod tree;
mod word;

use kdl::{KdlDocument, KdlEntry, KdlIdentifier, KdlNode, KdlValue};
use lex::{Kind, Token};

/// Braces and comments may nest this deep; the parser's stack does not bear much more.
const MAX_DEPTH: usize = 64;

/// Why a text has no canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// Braces or comments nest too deep to be parsed.
    #[error("nesting is {depth} levels deep, and {MAX_DEPTH} is the most")]
    TooDeep {
        /// The deepest level.
        depth: usize,
    },
    /// It is not KDL 2.
    #[error("line {line}, column {column}: {message}")]
    Syntax {
        /// The first place that is wrong, counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
}

/// `text` in canonical form.
///
/// Comments, empty lines (at most one in a row), continued lines and blocks on one line are kept;
/// indentation, spaces, line ends, quotes and the indentation of strings of several lines are not.
/// Formatting twice gives what formatting once gives. The result is compared with `text` before it
/// is returned: should it mean anything else or lack a comment, `text` itself is returned.
pub fn format(text: &str) -> Result<String, FormatError> {
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let tokens = lex::tokens(body);
    let depth =
        tokens.as_ref().map_or_else(|_| body.matches(['{', '*']).count(), |t| lex::depth(t));
    if depth > MAX_DEPTH {
        return Err(FormatError::TooDeep { depth });
    }
    let meant = KdlDocument::parse_v2(text).map_err(|error| syntax_error(text, &error))?;
    let formatted = tokens.ok().and_then(|tokens| canonical(&tokens, &meant));
    Ok(formatted.unwrap_or_else(|| text.to_owned()))
}

/// The canonical text of `tokens`; `None` unless it means `meant` and has every comment.
fn canonical(tokens: &[Token<'_>], meant: &KdlDocument) -> Option<String> {
    let formatted = print::document(&tree::document(tokens)?);
    let again = lex::tokens(&formatted).ok()?;
    let kept =
        same_text(tokens, &again) && same_document(meant, &KdlDocument::parse_v2(&formatted).ok()?);
    kept.then_some(formatted)
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

fn same_document(a: &KdlDocument, b: &KdlDocument) -> bool {
    same_all(a.nodes(), b.nodes(), same_node)
}

fn same_node(a: &KdlNode, b: &KdlNode) -> bool {
    let children = match (a.children(), b.children()) {
        (Some(a), Some(b)) => same_document(a, b),
        (a, b) => a.is_none() && b.is_none(),
    };
    let names = a.name().value() == b.name().value() && same_name(a.ty(), b.ty());
    names && children && same_all(a.entries(), b.entries(), same_entry)
}

fn same_entry(a: &KdlEntry, b: &KdlEntry) -> bool {
    same_name(a.name(), b.name()) && same_name(a.ty(), b.ty()) && same_value(a.value(), b.value())
}

fn same_name(a: Option<&KdlIdentifier>, b: Option<&KdlIdentifier>) -> bool {
    a.map(KdlIdentifier::value) == b.map(KdlIdentifier::value)
}

fn same_value(a: &KdlValue, b: &KdlValue) -> bool {
    match (a, b) {
        (KdlValue::Float(a), KdlValue::Float(b)) => a.to_bits() == b.to_bits(),
        (a, b) => a == b,
    }
}

fn same_all<T>(a: &[T], b: &[T], same: impl Fn(&T, &T) -> bool) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
}

fn syntax_error(text: &str, error: &kdl::KdlError) -> FormatError {
    let first = error.diagnostics.iter().min_by_key(|problem| problem.span.offset());
    let offset = first.map_or(0, |problem| problem.span.offset()).min(text.len());
    let before = &text.as_bytes()[..offset];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let message = first.and_then(|problem| problem.message.clone());
    FormatError::Syntax {
        line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
        column: 1 + String::from_utf8_lossy(&before[line_start..]).chars().count(),
        message: message.unwrap_or_else(|| "this is not KDL 2".to_owned()),
    }
}

#[cfg(test)]
mod tests;
