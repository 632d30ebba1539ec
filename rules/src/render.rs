//! Diagnostics as people read them: header, snippets by miette, hint.

use crate::diagnostic::Diagnostic;
use crate::label::WsPath;

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    /// With ANSI colours.
    pub color: bool,
    /// With box-drawing characters, else ASCII.
    pub unicode: bool,
    /// Columns to fit into.
    pub width: usize,
}

/// `diagnostic` as text, with a trailing newline; `source` gives the text of a file.
pub fn render(
    _diagnostic: &Diagnostic,
    _source: &dyn Fn(&WsPath) -> Option<String>,
    _options: RenderOptions,
) -> String {
    String::new()
}
