//! Writes a layout as text: four spaces a level, one space between words, one empty line at most.

use super::tree::{Block, Content, Item, Node, Piece};
use super::word::{Value, has_stars};

/// A block that was written on one line stays on it as long as the line is not wider than this.
const WIDTH: usize = 100;

const INDENT: usize = 4;

/// The text of a document.
pub(super) fn document(block: &Block) -> String {
    let mut printer = Printer { text: String::new(), within_line: false };
    printer.items(&block.items, 0);
    printer.text
}

struct Printer {
    text: String,
    /// Whether a block around the present one stands on one line.
    within_line: bool,
}

impl Printer {
    fn items(&mut self, items: &[Item], indent: usize) {
        for (index, item) in items.iter().enumerate() {
            if item.spaced && index > 0 {
                self.text.push('\n');
            }
            self.indent(indent);
            match &item.content {
                Content::Comment(text) => self.comment(text, indent),
                Content::Node(node) => self.node(node, indent),
            }
            self.text.push('\n');
        }
    }

    fn indent(&mut self, indent: usize) {
        self.text.extend(std::iter::repeat_n(' ', indent));
    }

    fn comment(&mut self, text: &str, indent: usize) {
        let lines: Vec<&str> = text.split('\n').collect();
        let stars = has_stars(&lines);
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                self.text.push('\n');
                self.indent(if stars { indent + 1 } else { 0 });
            }
            self.text.push_str(line);
        }
    }

    fn node(&mut self, node: &Node, indent: usize) {
        for comment in &node.lead {
            self.comment(comment, indent);
            self.text.push(' ');
        }
        self.text.push_str(&node.head);
        let mut broken = false;
        for piece in &node.pieces {
            if !broken {
                self.text.push(' ');
            }
            self.piece(piece, indent);
            broken = matches!(piece, Piece::Break(_));
        }
        if let Some(comment) = &node.trailing {
            if !broken {
                self.text.push(' ');
            }
            self.text.push_str(comment);
        }
    }

    fn piece(&mut self, piece: &Piece, indent: usize) {
        match piece {
            Piece::Word(before, value) => {
                self.text.push_str(before);
                self.value(value, indent + INDENT);
            }
            Piece::Comment(text) => self.comment(text, indent),
            Piece::Break(said) => {
                self.text.push('\\');
                self.text.extend(said.iter().flat_map(|said| [" ", said]));
                self.text.push('\n');
                self.indent(indent + INDENT);
            }
            Piece::Children(slashdash, block) => {
                self.text.push_str(if *slashdash { "/-" } else { "" });
                self.children(block, indent);
            }
        }
    }

    fn value(&mut self, value: &Value, indent: usize) {
        let (open, body, close) = match value {
            Value::Line(text) => return self.text.push_str(text),
            Value::Lines { open, body, close } => (open, body, close),
        };
        self.text.push_str(open);
        self.text.push('\n');
        for line in body {
            if !line.is_empty() {
                self.indent(indent);
                self.text.push_str(line);
            }
            self.text.push('\n');
        }
        self.indent(indent);
        self.text.push_str(close);
    }

    fn children(&mut self, block: &Block, indent: usize) {
        if block.items.is_empty() && block.opening.is_none() {
            return self.text.push_str("{}");
        }
        if block.flat && self.children_if_they_fit(block) {
            return;
        }
        self.text.push('{');
        self.text.extend(block.opening.iter().flat_map(|said| [" ", said]));
        self.text.push('\n');
        self.items(&block.items, indent + INDENT);
        self.indent(indent);
        self.text.push('}');
    }

    /// Prints `block` on the present line, and takes it back if the line gets too wide.
    fn children_if_they_fit(&mut self, block: &Block) -> bool {
        let before = self.text.len();
        let outermost = !std::mem::replace(&mut self.within_line, true);
        self.children_on_one_line(block);
        if !outermost {
            return true;
        }
        self.within_line = false;
        let line = self.text.rsplit('\n').next().unwrap_or_default();
        let fits = line.chars().count() <= WIDTH;
        if !fits {
            self.text.truncate(before);
        }
        fits
    }

    fn children_on_one_line(&mut self, block: &Block) {
        self.text.push('{');
        for (index, item) in block.items.iter().enumerate() {
            self.text.push_str(if index > 0 { "; " } else { " " });
            match &item.content {
                Content::Comment(text) => self.text.push_str(text),
                Content::Node(node) => self.node(node, 0),
            }
        }
        self.text.push_str(" }");
    }
}
