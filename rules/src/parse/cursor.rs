//! The reader's place in its text, and what KDL counts as space.

use std::ops::Range;

use crate::codes::{Code, SYNTAX_ERROR};

/// Why a text cannot be read on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) range: Range<usize>,
    /// Whether nothing after it can be made sense of.
    pub(crate) ends_reading: bool,
}

/// A place in a text.
pub(super) struct Cursor<'t> {
    text: &'t str,
    offset: usize,
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let offset = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, offset }
    }

    pub(super) const fn text(&self) -> &'t str {
        self.text
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.offset..]
    }

    pub(super) const fn offset(&self) -> usize {
        self.offset
    }

    pub(super) const fn at_end(&self) -> bool {
        self.offset == self.text.len()
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    pub(super) fn bump(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.offset += c.len_utf8();
        Some(c)
    }

    /// Goes on by `bytes`, which end on a character's boundary.
    pub(super) const fn advance(&mut self, bytes: usize) {
        self.offset += bytes;
    }

    /// Goes back to a place where it was before.
    pub(super) const fn reset(&mut self, offset: usize) {
        self.offset = offset;
    }

    /// Takes what `wanted` accepts.
    pub(super) fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.offset += end;
        &rest[..end]
    }

    /// Skips spaces, newlines, comments and line continuations.
    pub(super) fn line_space(&mut self) -> Result<(), Box<Fault>> {
        loop {
            self.node_space()?;
            match self.peek() {
                Some(c) if is_newline(c) => self.offset += c.len_utf8(),
                Some('/') if self.rest().starts_with("//") => self.line_comment(),
                _ => return Ok(()),
            }
        }
    }

    /// Skips the space that may stand within a node; says whether there was any.
    pub(super) fn node_space(&mut self) -> Result<bool, Box<Fault>> {
        let start = self.offset;
        loop {
            match self.peek() {
                Some(c) if is_space(c) => self.offset += c.len_utf8(),
                Some('/') if self.rest().starts_with("/*") => self.block_comment()?,
                Some('\\') => self.continuation()?,
                _ => return Ok(self.offset > start),
            }
        }
    }

    fn line_comment(&mut self) {
        self.take_while(|c| !is_newline(c));
    }

    fn block_comment(&mut self) -> Result<(), Box<Fault>> {
        let start = self.offset;
        let mut depth = 0usize;
        loop {
            let rest = self.rest();
            if rest.starts_with("/*") {
                depth += 1;
                self.offset += 2;
            } else if rest.starts_with("*/") {
                depth -= 1;
                self.offset += 2;
            } else if self.bump().is_none() {
                let mut fault = self.fault(start..start + 2, "this comment is never closed");
                fault.ends_reading = true;
                return Err(fault);
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    /// A backslash, spaces, and the end of the line.
    fn continuation(&mut self) -> Result<(), Box<Fault>> {
        let start = self.offset;
        self.offset += 1;
        loop {
            match self.peek() {
                Some(c) if is_space(c) => self.offset += c.len_utf8(),
                Some('/') if self.rest().starts_with("/*") => self.block_comment()?,
                Some('/') if self.rest().starts_with("//") => self.line_comment(),
                None => return Ok(()),
                Some('\r') if self.rest().starts_with("\r\n") => {
                    self.offset += 2;
                    return Ok(());
                }
                Some(c) if is_newline(c) => {
                    self.offset += c.len_utf8();
                    return Ok(());
                }
                Some(_) => {
                    return Err(self.fault(start..start + 1, "a `\\` stands at the end of a line"));
                }
            }
        }
    }

    /// Goes to the next line that begins with neither a space nor a closing brace.
    pub(super) fn skip_to_next_item(&mut self) {
        loop {
            self.take_while(|c| !is_newline(c));
            self.take_while(is_newline);
            match self.peek() {
                Some(c) if is_space(c) || c == '}' => {}
                _ => return,
            }
        }
    }

    pub(super) fn fault(&self, range: Range<usize>, message: &str) -> Box<Fault> {
        Box::new(Fault {
            code: SYNTAX_ERROR,
            message: message.into(),
            hint: None,
            range,
            ends_reading: false,
        })
    }

    pub(super) fn fault_here(&self, message: &str) -> Box<Fault> {
        let length = self.peek().map_or(0, char::len_utf8);
        self.fault(self.offset..self.offset + length, message)
    }

    pub(super) fn unexpected(&self, wanted: &str) -> Box<Fault> {
        let found = match self.peek() {
            None => "the end of the file".into(),
            Some(c) if is_newline(c) => "the end of the line".into(),
            Some(c) if is_disallowed(c) => format!("the character {:?}", c),
            Some(c) => format!("`{c}`"),
        };
        self.fault_here(&format!("expected {wanted}, found {found}"))
    }
}

/// Whether `c` ends a line.
pub(super) const fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// Whether `c` is a space that does not end a line.
pub(super) const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// Whether `c` may stand nowhere in a KDL text but as an escape.
pub(super) const fn is_disallowed(c: char) -> bool {
    matches!(c, '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}' | '\u{200e}' | '\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}
