//! `vwfb.pins.kdl`: which outputs people chose, whatever makes them says now.
//!
//! vwfb writes it, and people commit and review it; what it says counts as it stands.

use std::fmt::Write as _;

use crate::codes::{BAD_NODE, DUPLICATE_NAME, WRONG_TYPE};
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::{Label, WsPath};
use crate::read::{self, Problems};
use crate::syntax::{Node, Scalar, Value, nodes, quoted};
use crate::typed::bad_label;

/// The file's name, at the workspace's root.
pub const PINS_FILE: &str = "vwfb.pins.kdl";

const HEAD: &str = "\
// What people chose, written by `vwfb pin`, `vwfb edit` and `vwfb unpin`, which keep no comments but
// these. Commit it with the rule files; `.vwfb/keep/` has the bytes.
";

/// A choice of what a target's outputs are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pin {
    /// The target.
    pub label: Label,
    /// Whether a person made the bytes, and not the target's task.
    pub is_edit: bool,
    /// The configuration that it is for, in hexadecimal digits; the one without overrides if there
    /// are none.
    pub config: Option<String>,
    /// The number that the version has in the label's history.
    pub version: u32,
    /// The key that the target's task had then, in hexadecimal digits.
    pub base: Option<String>,
    /// Who chose.
    pub who: Option<String>,
    /// The files that were missing when the outputs were made: they are provisional if there are any.
    pub missing: Vec<String>,
    /// The outputs, sorted by name.
    pub outs: Vec<PinnedOut>,
}

/// One output of a pinned target.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PinnedOut {
    /// Its name in the rule.
    pub name: String,
    /// `file`, `executable` or `tree`.
    pub kind: String,
    /// The digest of the bytes, or of the canonical tree, in hexadecimal digits.
    pub digest: String,
    /// In bytes; 0 for a tree.
    pub size: u64,
}

/// The pins that `text` says, and where each is.
pub fn pins(file: &WsPath, text: &str) -> Checked<Vec<(Pin, Anchor)>> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let mut pins: Vec<(Pin, Anchor)> = Vec::new();
    for node in &nodes {
        if !matches!(node.name.as_str(), "pin" | "edit") {
            read::unknown_child(PINS_FILE, node, &["pin", "edit"], &mut problems);
            continue;
        }
        let Some(pin) = pin(node, &mut problems) else { continue };
        let same = |(other, _): &&(Pin, Anchor)| {
            (&other.label, &other.config) == (&pin.label, &pin.config)
        };
        match pins.iter().find(same) {
            Some((_, first)) => problems.push(
                Diagnostic::error(DUPLICATE_NAME, format!("`{}` is pinned twice", pin.label))
                    .noted(&node.anchor, "again here")
                    .noted(first, "first here"),
            ),
            None => pins.push((pin, node.anchor.clone())),
        }
    }
    Checked { value: pins, problems: problems.0 }
}

fn pin(node: &Node, problems: &mut Problems) -> Option<Pin> {
    read::only_props(node, &["version", "config", "base", "by"], problems);
    let text = read::text_arg(node, "a label", problems)?;
    let label = Label::parse(text, &WsPath::root());
    let label = problems.take(label.map_err(|e| bad_label(&e, &node.args[0].anchor)))?;
    let version = read::prop(node, "version").and_then(|value| read::count(value, problems))?;
    let (mut outs, mut missing) = (Vec::new(), Vec::new());
    for child in &node.children {
        if child.name == "missing" {
            missing.extend(read::text_arg(child, "a file", problems).map(str::to_owned));
        } else if child.name == "out" {
            outs.extend(out(child, problems));
        } else {
            read::unknown_child("a pin", child, &["out", "missing"], problems);
        }
    }
    if outs.is_empty() {
        let message = format!("the pin of `{label}` names no output");
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("remove it, and pin again with `vwfb pin`"));
        return None;
    }
    outs.sort();
    let own = |name: &str, problems: &mut Problems| {
        read::text_prop(node, name, problems).map(str::to_owned)
    };
    let (config, base) = (own("config", problems), own("base", problems));
    Some(Pin {
        label,
        is_edit: node.name == "edit",
        config,
        version,
        base,
        who: own("by", problems),
        missing,
        outs,
    })
}

fn out(node: &Node, problems: &mut Problems) -> Option<PinnedOut> {
    read::only_props(node, &["kind", "size"], problems);
    let texts: Vec<&str> = node.args.iter().filter_map(Value::text).collect();
    let [name, digest] = texts.as_slice() else {
        let message = "an output is pinned by its name and its digest";
        problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
        return None;
    };
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let kind = read::text_prop(node, "kind", problems).unwrap_or("file");
    let size = match read::prop(node, "size").map(|value| &value.scalar) {
        Some(Scalar::Int(size)) => u64::try_from(*size).ok(),
        _ => None,
    };
    if !is_digest
        || !matches!(kind, "file" | "executable" | "tree")
        || (size.is_none() && kind != "tree")
    {
        let message = "this is no pinned output";
        let problem = Diagnostic::error(WRONG_TYPE, message).at(&node.anchor);
        problems.push(problem.hint("`out \"name\" \"<64 hexadecimal digits>\" size=<bytes>`"));
        return None;
    }
    let (name, kind, digest) = ((*name).to_owned(), kind.to_owned(), (*digest).to_owned());
    Some(PinnedOut { name, kind, digest, size: size.unwrap_or(0) })
}

/// The file's text for `pins`.
pub fn text<'p>(pins: impl IntoIterator<Item = &'p Pin>) -> String {
    let mut pins: Vec<&Pin> = pins.into_iter().collect();
    pins.sort();
    let mut text = HEAD.to_owned();
    for pin in pins {
        let word = if pin.is_edit { "edit" } else { "pin" };
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{word} {} version={}", quoted(&pin.label.to_string()), pin.version);
        for (name, value) in [("config", &pin.config), ("base", &pin.base), ("by", &pin.who)] {
            if let Some(value) = value {
                let _ = write!(text, " {name}={}", quoted(value));
            }
        }
        text.push_str(" {\n");
        for path in &pin.missing {
            let _ = writeln!(text, "    missing {}", quoted(path));
        }
        for out in &pin.outs {
            let (name, digest) = (quoted(&out.name), quoted(&out.digest));
            let _ = write!(text, "    out {name} {digest}");
            if out.kind != "file" {
                let _ = write!(text, " kind={}", quoted(&out.kind));
            }
            if out.kind != "tree" {
                let _ = write!(text, " size={}", out.size);
            }
            text.push('\n');
        }
        text.push_str("}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Checked<Vec<(Pin, Anchor)>> {
        pins(&WsPath::new(PINS_FILE).unwrap(), text)
    }

    #[test]
    fn pins_read_as_they_are_written() {
        let out = |name: &str, kind: &str, size| PinnedOut {
            name: name.into(),
            kind: kind.into(),
            digest: "0123456789abcdef".repeat(4),
            size,
        };
        let pin = Pin {
            label: Label::parse("//p:a[\"x\" %07 ü].b", &WsPath::root()).unwrap(),
            is_edit: true,
            config: None,
            version: 3,
            base: Some("ab".repeat(32)),
            who: Some("ada \"the first\"".into()),
            missing: vec!["p/intro.png".into()],
            outs: vec![out("log", "executable", 7), out("txt", "file", 0)],
        };
        let outs = vec![out("pages", "tree", 0)];
        let other =
            Pin { is_edit: false, config: Some("cd".into()), who: None, outs, ..pin.clone() };
        let written = text([&other, &pin]);
        let Checked { value, problems } = read(&written);
        assert_eq!(problems, [], "{written}");
        let mut found: Vec<Pin> = value.into_iter().map(|(pin, _)| pin).collect();
        found.sort();
        let mut wanted = vec![pin, other];
        wanted.sort();
        assert_eq!(found, wanted);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let digest = "0".repeat(64);
        let good = format!("out \"o\" \"{digest}\" size=1");
        let text = format!(
            "pin \"x\" version=1 {{ {good}; }}\nnip \"//:a\"\npin \"//:a\" version=1\npin \"//:b\" version=1 {{ out \"o\" \"12\" size=1; }}\npin \"//:c\" version=1 {{ {good}; }}\npin \"//:c\" version=2 {{ {good}; }}"
        );
        let problems = read(&text).problems;
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
        let wanted =
            ["bad-label", "unknown-node", "bad-node", "wrong-type", "bad-node", "duplicate-name"];
        assert_eq!(codes, wanted);
    }
}
