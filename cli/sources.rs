//! The texts of rule files, for the snippets and places of diagnostics.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_rules::diagnostic::Anchor;
use vwfb_rules::label::WsPath;
use vwfb_rules::{library, spans};

/// The rule files of one workspace and the built-in ones.
#[derive(Debug, Clone)]
pub(crate) struct Sources {
    root: PathBuf,
    /// A text that stands for its file.
    given: Option<(WsPath, Arc<str>)>,
}

/// A line and a column, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    /// The line.
    pub(crate) line: usize,
    /// The column, in characters.
    pub(crate) column: usize,
}

impl Sources {
    /// Those of the workspace in `root`.
    pub(crate) const fn new(root: PathBuf) -> Self {
        Self { root, given: None }
    }

    /// One text, wherever it came from.
    pub(crate) fn of_one(file: WsPath, text: &str) -> Self {
        Self { root: PathBuf::new(), given: Some((file, text.into())) }
    }

    /// The workspace's folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The text of a file.
    pub(crate) fn text(&self, path: &WsPath) -> Option<String> {
        if let Some((_, text)) = self.given.as_ref().filter(|(file, _)| file == path) {
            Some(text.to_string())
        } else if path.is_built_in() {
            library::source(path).map(str::to_owned)
        } else {
            fs::read_to_string(self.root.join(path.as_str())).ok()
        }
    }

    /// Where an anchor is now.
    pub(crate) fn position(&self, anchor: &Anchor) -> Option<Position> {
        let text = self.text(&anchor.file)?;
        let start = spans(&text).resolve(anchor).start;
        Some(position(&text, start))
    }
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_lines_and_characters_from_one() {
        assert_eq!(position("ab\ncd", 0), Position { line: 1, column: 1 });
        assert_eq!(position("äb\ncd", 3), Position { line: 1, column: 3 });
        assert_eq!(position("ab\ncd", 4), Position { line: 2, column: 2 });
    }
}
