//! Digests of what rule files say, target by target: which targets an edit of a file touched.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use vwfb_rules::block::TargetDef;
use vwfb_rules::package::PackageDef;
use vwfb_rules::syntax::{Node, Value};

use crate::columns::{Reader, Writer};

/// The first half of a digest: enough to tell the texts of one target.
pub(crate) type Short = [u8; 16];

/// A digest of a target as it is written, wherever it stands and however it is laid out.
pub(crate) fn of_target(def: &TargetDef) -> Short {
    let mut text = String::new();
    put_node(&mut text, &def.node);
    short(&text)
}

/// A digest of all that the targets of a package have in common: its own rules, what it uses, and
/// its variables.
pub(crate) fn of_package(def: &PackageDef) -> Short {
    short(&format!("{:?}\n{:?}", def.own, def.vars))
}

fn short(text: &str) -> Short {
    let digest = blake3::hash(text.as_bytes());
    *digest.as_bytes().first_chunk().expect("a digest has 32 bytes")
}

/// Places are left out: they follow from the rest.
fn put_node(text: &mut String, node: &Node) {
    text.push_str(&format!("{:?}", node.name));
    for value in &node.args {
        put_value(text, value);
    }
    for (name, value) in &node.props {
        // Writing to a string cannot fail.
        let _written = write!(text, " {name:?}=");
        put_value(text, value);
    }
    text.push('{');
    for child in &node.children {
        put_node(text, child);
    }
    text.push('}');
}

fn put_value(text: &mut String, value: &Value) {
    let _written = write!(text, " {:?}:{:?}", value.annotation, value.scalar);
}

/// Digests by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    digests: Vec<Short>,
    /// Those that are not as in the file that they were read from.
    changed: BTreeSet<u32>,
}

impl Written {
    pub(crate) fn push(&mut self, digest: Short) {
        self.digests.push(digest);
    }

    pub(crate) fn get(&self, number: u32) -> Short {
        self.digests[number as usize]
    }

    /// Says what a digest is now.
    pub(crate) fn set(&mut self, number: u32, digest: Short) {
        self.digests[number as usize] = digest;
        self.changed.insert(number);
    }

    pub(crate) const fn len(&self) -> usize {
        self.digests.len()
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.column(&self.digests);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { digests: from.column()?, changed: BTreeSet::new() })
    }

    /// Writes those that are not as in the file that they were read from.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        to.column(&self.changed.iter().copied().collect::<Vec<u32>>());
        let digests = self.changed.iter().map(|number| self.get(*number));
        to.column(&digests.collect::<Vec<Short>>());
    }

    /// Takes up what [`Written::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let (numbers, digests) = (from.column::<4, u32>()?, from.column::<16, Short>()?);
        if numbers.len() != digests.len() {
            return None;
        }
        for (number, digest) in numbers.into_iter().zip(digests) {
            *self.digests.get_mut(number as usize)? = digest;
            self.changed.insert(number);
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use vwfb_rules::label::WsPath;

    use super::*;

    fn first(text: &str) -> Short {
        let file = WsPath::new("a/BUILD.kdl").unwrap();
        let package = vwfb_rules::package(&file, text).value;
        of_target(&package.block.members[0])
    }

    #[test]
    fn only_what_a_target_says_tells_it_from_what_it_said() {
        let text = "task \"a\" { srcs \"s\" \"t\"; env x=1; out \"o\" }";
        let same =
            "// more\ntask \"a\" {\n srcs \"s\" \"t\" // and\n env x=1\n out \"o\"\n}\ntask \"b\"";
        assert_eq!(first(text), first(same));
        for (before, after) in [
            ("\"a\"", "\"b\""),
            ("\"s\" \"t\"", "\"s t\""),
            ("\"s\" \"t\"", "\"t\" \"s\""),
            ("x=1", "x=2"),
            ("x=1", "y=1"),
            ("x=1", "x=\"1\""),
            ("x=1", "x 1"),
            ("x=1", "{ x 1; }"),
            ("\"s\"", "(glob)\"s\""),
            ("; out", "; out \"p\"; out"),
            ("task", "tusk"),
        ] {
            assert_ne!(first(text), first(&text.replace(before, after)), "{after}");
        }
    }
}
