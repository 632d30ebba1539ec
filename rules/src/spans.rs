//! Anchors back to bytes, when a diagnostic is shown.

use std::collections::HashMap;
use std::ops::Range;

use crate::diagnostic::Anchor;
use crate::label::WsPath;

/// Where the nodes and entries of one text are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans {
    items: HashMap<String, Vec<Range<usize>>>,
}

impl Spans {
    /// The bytes that `anchor` means; the start of the file where the text no longer has it.
    pub fn resolve(&self, _anchor: &Anchor) -> Range<usize> {
        0..self.items.len()
    }
}

/// The places of `text`.
pub fn spans(_file: &WsPath, _text: &str) -> Spans {
    Spans::default()
}
