//! KDL text as plain nodes whose every entry knows its anchor.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use crate::codes::BAD_NODE;
use crate::diagnostic::{Anchor, Checked, Diagnostic, Spot};
use crate::label::WsPath;
use crate::parse::{RawEntry, RawNode, parse};

/// A node of a rule file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its arguments, in order.
    pub args: Vec<Value>,
    /// Its properties, in order; a repeated one is there twice.
    pub props: Vec<(String, Value)>,
    /// Its children.
    pub children: Vec<Node>,
    /// Where it is.
    pub anchor: Anchor,
}

/// An argument or the value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The value itself.
    pub scalar: Scalar,
    /// Its type annotation (`glob`).
    pub annotation: Option<String>,
    /// Where it is; for a property the whole `name=value`.
    pub anchor: Anchor,
}

impl Value {
    /// Its text, if it is one.
    pub fn text(&self) -> Option<&str> {
        match &self.scalar {
            Scalar::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// A value as KDL knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scalar {
    /// A string, quoted or bare.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(Float),
    /// `#true` or `#false`.
    Bool(bool),
    /// `#null`.
    Null,
}

impl Scalar {
    /// What it is, for messages: `the text "a"`, `the number 5`.
    pub fn described(&self) -> String {
        match self {
            Self::Text(text) => format!("the text `{text}`"),
            Self::Int(number) => format!("the number `{number}`"),
            Self::Float(number) => format!("the number `{}`", number.0),
            Self::Bool(flag) => format!("`#{flag}`"),
            Self::Null => "`#null`".into(),
        }
    }
}

/// A number with a fraction, equal to another when its bits are.
#[derive(Debug, Clone, Copy)]
pub struct Float(pub f64);

impl PartialEq for Float {
    fn eq(&self, other: &Self) -> bool {
        self.0.to_bits() == other.0.to_bits()
    }
}

impl Eq for Float {}

/// `text` as KDL writes it, on one line.
pub fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || is_unwritable(c) => {
                quoted.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether KDL ends a line with `c`, or has it in no text: marks of direction and of byte order.
const fn is_unwritable(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// The nodes of `text`; what cannot be read is left out and reported.
pub fn nodes(file: &WsPath, text: &str) -> Checked<Vec<Node>> {
    let (raw, faults) = parse(text);
    let mut problems: Vec<Diagnostic> = faults
        .into_iter()
        .map(|fault| {
            let anchor = Anchor::bytes(file.clone(), fault.range.start, fault.range.end);
            Diagnostic::error(fault.code, fault.message).at(&anchor).maybe_hint(fault.hint)
        })
        .collect();
    let mut items = Items::default();
    let value = raw
        .into_iter()
        .map(|node| {
            let item = items.name(&node);
            Anchoring { file, item, entry: 0, problems: &mut problems }.node(node)
        })
        .collect();
    Checked { value, problems }
}

/// Where the nodes and entries of one text are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spans {
    items: HashMap<Arc<str>, Vec<Range<usize>>>,
}

impl Spans {
    /// The bytes that `anchor` means; the start of the file where the text no longer has it.
    pub fn resolve(&self, anchor: &Anchor) -> Range<usize> {
        match &anchor.spot {
            Spot::File => 0..0,
            Spot::Bytes { start, end } => *start..*end,
            Spot::Node { item, entry } => {
                let ranges = self.items.get(item);
                ranges.and_then(|ranges| ranges.get(*entry as usize)).cloned().unwrap_or(0..0)
            }
        }
    }
}

/// The places of `text`.
pub fn spans(text: &str) -> Spans {
    let mut items = Items::default();
    let mut spans = Spans::default();
    for node in parse(text).0 {
        let mut ranges = Vec::new();
        collect_ranges(&node, &mut ranges);
        spans.items.insert(items.name(&node), ranges);
    }
    spans
}

/// The same order in which [`Anchoring`] counts.
fn collect_ranges(node: &RawNode, ranges: &mut Vec<Range<usize>>) {
    ranges.push(node.range.clone());
    ranges.extend(node.entries.iter().map(|entry| entry.range.clone()));
    for child in &node.children {
        collect_ranges(child, ranges);
    }
}

/// Names top-level nodes, numbering those that begin alike.
#[derive(Default)]
struct Items {
    seen: HashMap<String, u32>,
}

impl Items {
    fn name(&mut self, node: &RawNode) -> Arc<str> {
        let argument = node.entries.iter().find(|entry| entry.name.is_none());
        let key = match argument.map(|entry| &entry.scalar) {
            Some(Scalar::Text(text)) => format!("{} {text:?}", node.name),
            _ => node.name.clone(),
        };
        let count = self.seen.entry(key.clone()).or_default();
        *count += 1;
        Arc::from(format!("{key} #{count}"))
    }
}

/// Gives the nodes and entries of one top-level node their anchors.
struct Anchoring<'a> {
    file: &'a WsPath,
    item: Arc<str>,
    entry: u32,
    problems: &'a mut Vec<Diagnostic>,
}

impl Anchoring<'_> {
    fn next(&mut self) -> Anchor {
        let spot = Spot::Node { item: Arc::clone(&self.item), entry: self.entry };
        self.entry += 1;
        Anchor { file: self.file.clone(), spot }
    }

    fn node(&mut self, raw: RawNode) -> Node {
        let anchor = self.next();
        if let Some(annotation) = raw.annotation {
            let message = format!("a node takes no type annotation such as `({annotation})`");
            self.problems.push(Diagnostic::error(BAD_NODE, message).at(&anchor));
        }
        let mut node = Node {
            name: raw.name,
            args: Vec::new(),
            props: Vec::new(),
            children: Vec::new(),
            anchor,
        };
        for RawEntry { name, annotation, scalar, .. } in raw.entries {
            let value = Value { scalar, annotation, anchor: self.next() };
            match name {
                Some(name) => node.props.push((name, value)),
                None => node.args.push(value),
            }
        }
        node.children = raw.children.into_iter().map(|child| self.node(child)).collect();
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_at(text: &str, anchor: &Anchor) -> String {
        text[spans(text).resolve(anchor)].to_owned()
    }

    #[test]
    fn what_is_quoted_reads_as_it_was() {
        for text in
            ["", "a \"b\" \\ {c}", "\u{0}\t\r\n\u{85}\u{2028}\u{202e}\u{feff}", "\"#", "é\u{1f600}"]
        {
            let read = nodes(&WsPath::root(), &format!("a {}", quoted(text)));
            assert_eq!(read.problems, [], "{text:?}");
            assert_eq!(read.value[0].args[0].text(), Some(text));
        }
    }

    #[test]
    fn every_anchor_finds_its_text() {
        let text = "// é\na \"x\" k=\"v\" {\n  b (glob)\"*.txt\"\n  c\n}\na \"x\" { d }\n";
        let nodes = nodes(&WsPath::root(), text).value;
        assert_eq!(text_at(text, &nodes[0].anchor), "a");
        assert_eq!(text_at(text, &nodes[0].args[0].anchor), "\"x\"");
        assert_eq!(text_at(text, &nodes[0].props[0].1.anchor), "k=\"v\"");
        assert_eq!(text_at(text, &nodes[0].children[0].args[0].anchor), "(glob)\"*.txt\"");
        assert_eq!(text_at(text, &nodes[0].children[1].anchor), "c");
        assert_eq!(text_at(text, &nodes[1].children[0].anchor), "d");
    }

    #[test]
    fn a_node_stays_equal_when_what_is_around_it_changes() {
        let before = nodes(&WsPath::root(), "a \"x\" k=1\nb \"y\" { c }").value;
        let after = nodes(
            &WsPath::root(),
            "// more\nnew \"n\" z=2\na \"x\"   k=0x1 // same\nb \"y\" {\n\n /* c */ c;\n}\n",
        )
        .value;
        assert_eq!(before[..], after[1..]);
    }
}
