//! The reader and the `kdl` crate give the same answers.

use kdl::{KdlDocument, KdlNode, KdlValue};

use super::{RawNode, parse};
use crate::syntax::Scalar;

/// Pieces that texts are made of, so that most of them are nearly right.
const PIECES: &[&str] = &[
    "a",
    "b-c",
    " ",
    " ",
    " ",
    "\n",
    ";",
    "{",
    "}",
    "=",
    "k=",
    "\"x\"",
    "\"\"",
    "\"a\\nb\"",
    "1",
    "-2",
    "+3.5e2",
    "0x1F",
    "#true",
    "#null",
    "true",
    "(glob)",
    "( t )",
    "/-",
    "// c\n",
    "/* c */",
    "\\\n",
    "#\"r\\\"#",
    "##\"a\"#b\"##",
    "\"\"\"\n  m\n   n\n  \"\"\"",
    "#\"\"\"\n \\q\n \"\"\"#",
    ".5",
    "-",
    "+x",
    "\\",
    "é",
    "\t",
    "\u{feff}",
    "\r\n",
    "\"\\u{e9}\"",
    "\"a \\\n  b\"",
    "_",
    "1_0",
    "/",
    "*",
    "[",
    ",",
];

/// A number generator of fixed seed, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn text(&mut self) -> String {
        (0..=self.below(9)).map(|_| PIECES[self.below(PIECES.len())]).collect()
    }
}

/// Whether the reader says what the crate says of `text`.
///
/// Where `/-` touches another word, and at `//*`, the crate is beside the grammar in both
/// directions; there the two agree on what both accept.
fn agrees(text: &str) -> bool {
    let (nodes, faults) = parse(text);
    let odd = text.contains("/-") || text.contains("//*");
    match KdlDocument::parse_v2(text) {
        Ok(document) if faults.is_empty() => same_nodes(&nodes, document.nodes()),
        Ok(_) => odd,
        Err(_) => odd || !faults.is_empty(),
    }
}

fn same_nodes(nodes: &[RawNode], others: &[KdlNode]) -> bool {
    nodes.len() == others.len() && nodes.iter().zip(others).all(|(a, b)| same_node(a, b))
}

fn same_node(node: &RawNode, other: &KdlNode) -> bool {
    let entries = node.entries.iter().zip(other.entries()).all(|(a, b)| {
        a.name.as_deref() == b.name().map(|name| name.value())
            && a.annotation.as_deref() == b.ty().map(|ty| ty.value())
            && same_value(&a.scalar, b.value())
    });
    entries
        && node.name == other.name().value()
        && node.entries.len() == other.entries().len()
        && same_nodes(&node.children, other.children().map_or(&[], |children| children.nodes()))
}

fn same_value(scalar: &Scalar, other: &KdlValue) -> bool {
    match (scalar, other) {
        (Scalar::Text(a), KdlValue::String(b)) => a == b,
        (Scalar::Int(a), KdlValue::Integer(b)) => i128::from(*a) == *b,
        (Scalar::Float(a), KdlValue::Float(b)) => a.0.to_bits() == b.to_bits(),
        (Scalar::Bool(a), KdlValue::Bool(b)) => a == b,
        (Scalar::Null, KdlValue::Null) => true,
        _ => false,
    }
}

#[test]
fn random_texts_read_as_the_crate_reads_them() {
    let mut random = Random(7);
    for _ in 0..20_000 {
        let text = random.text();
        assert!(agrees(&text), "{text:?}");
    }
}

#[test]
fn rule_files_read_as_the_crate_reads_them() {
    for name in crate::library::names() {
        let text = crate::label::WsPath::new(name).ok().and_then(|p| crate::library::source(&p));
        assert!(text.is_some_and(agrees), "{name}");
    }
}
