//! What makes targets in one place: a package, a fan-out, a template.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::codes::{BAD_NODE, DUPLICATE_TARGET, RESERVED_NAME};
use crate::declare::Reading;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::fan_out::{self, FanOut};
use crate::read::{self, Problems};
use crate::syntax::{Node, Value};

/// The targets, fan-outs and uses of templates that stand together, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Block {
    /// Of two with one name only the first.
    pub members: Vec<Arc<TargetDef>>,
    /// Name -> its place among them.
    places: HashMap<Arc<str>, usize>,
}

/// One of them as written. It stays equal while its own node does, whatever else changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDef {
    /// Its name.
    pub name: Arc<str>,
    /// The rule or template it names; `each` or `matrix` for a fan-out.
    pub rule: String,
    /// What it makes of each item, if it is a fan-out.
    pub fan_out: Option<Arc<FanOut>>,
    /// Its node.
    pub node: Node,
    /// What that says, once it is read.
    pub(crate) reading: Reading,
}

impl TargetDef {
    /// Where it is.
    pub const fn anchor(&self) -> &Anchor {
        &self.node.anchor
    }

    /// A digest of it as it is written, wherever it stands and however it is laid out.
    pub fn digest(&self) -> Short {
        self.reading.digest(|| {
            let mut text = String::new();
            put_node(&mut text, &self.node);
            short(&text)
        })
    }
}

/// The first half of a digest: enough to tell the texts of one target.
pub type Short = [u8; 16];

/// The digest of a text.
pub fn short(text: &str) -> Short {
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

impl Block {
    /// The member `name`.
    pub fn get(&self, name: &str) -> Option<&Arc<TargetDef>> {
        self.places.get(name).map(|place| &self.members[*place])
    }

    /// The members, in order.
    pub fn members(&self) -> &[Arc<TargetDef>] {
        &self.members
    }

    /// The last member, which the name of the whole stands for.
    pub fn last(&self) -> Option<&Arc<TargetDef>> {
        self.members.last()
    }

    /// Takes in the member that `node` is.
    pub(crate) fn read(&mut self, node: Node, problems: &mut Problems) {
        let Some(member) = member(node, problems) else { return };
        match self.get(&member.name) {
            Some(first) => problems.push(duplicate(&member, first)),
            None => {
                self.places.insert(Arc::clone(&member.name), self.members.len());
                self.members.push(Arc::new(member));
            }
        }
    }
}

fn member(node: Node, problems: &mut Problems) -> Option<TargetDef> {
    let Some(value) = node.args.first() else {
        let message = format!("`{}` needs a name", node.name);
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("a target is written `rule \"name\"`"));
        return None;
    };
    let name = read::text(value, "the target's name", problems)?;
    if !read::check_name(name, value, problems) {
        return None;
    }
    if name == "all" {
        let problem = Diagnostic::error(RESERVED_NAME, "no target can be named `all`");
        problems.push(problem.at(&value.anchor).hint("`:all` means every target of the package"));
        return None;
    }
    if let Some(extra) = node.args.get(1) {
        let message = "a target has its name as its only argument";
        let problem = Diagnostic::error(BAD_NODE, message).at(&extra.anchor);
        problems.push(problem.hint("write attributes as `name=value` or in braces"));
    }
    let fan_out = match node.name.as_str() {
        "each" => Some(Arc::new(fan_out::each(&node, problems)?)),
        "matrix" => Some(Arc::new(fan_out::matrix(&node, problems)?)),
        _ => None,
    };
    let (name, rule, reading) = (name.into(), node.name.clone(), Reading::default());
    Some(TargetDef { name, rule, fan_out, node, reading })
}

fn duplicate(again: &TargetDef, first: &TargetDef) -> Diagnostic {
    Diagnostic::error(DUPLICATE_TARGET, format!("two targets are named `{}`", again.name))
        .noted(&again.node.args[0].anchor, "again here")
        .noted(&first.node.args[0].anchor, "first here")
        .hint("rename one of them")
}

#[cfg(test)]
mod tests {
    use crate::label::WsPath;

    use super::*;

    fn first(text: &str) -> Short {
        let file = WsPath::new("a/BUILD.kdl").unwrap();
        let package = crate::package::package(&file, text).value;
        package.block.members[0].digest()
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
