//! Writes an answer for people and for programs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::eval::Answer;
use super::index::{Entry, Id};

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One label or path a line.
    Label,
    /// What needs what, by indentation, in box-drawing characters; a branch that was already shown
    /// is marked `(*)`.
    Tree,
    /// The same in ASCII.
    AsciiTree,
    /// An array of objects.
    Json,
    /// A graph for `dot`.
    Dot,
    /// A flowchart for Mermaid.
    Mermaid,
}

/// A tree shows no branch deeper than this.
const TREE_DEPTH: usize = 100;

impl Answer<'_> {
    /// The answer as text, each line ended; the same set always gives the same text.
    pub fn print(&self, format: Format) -> String {
        match format {
            Format::Label => self.labels(),
            Format::Tree => self.tree(&UNICODE),
            Format::AsciiTree => self.tree(&ASCII),
            Format::Json => self.json(),
            Format::Dot => self.dot(),
            Format::Mermaid => self.mermaid(),
        }
    }

    fn labels(&self) -> String {
        self.set.iter().flat_map(|id| [self.name(*id), "\n"]).collect()
    }

    fn name(&self, id: Id) -> &str {
        match self.index.entry(id) {
            Entry::Target(name, _) | Entry::File(name) => name,
        }
    }

    /// What `id` needs directly within the set.
    fn needs(&self, id: Id) -> impl DoubleEndedIterator<Item = Id> {
        self.index.needs(id).iter().copied().filter(|need| self.set.contains(need))
    }

    fn tree(&self, lines: &Lines) -> String {
        let (text, shown) = (String::new(), BTreeSet::new());
        let provisional = self.index.provisional();
        let mut tree = Tree { answer: self, lines, text, shown, provisional };
        let is_root = |id: &&Id| !self.index.needed_by(**id).iter().any(|by| self.set.contains(by));
        for root in self.set.iter().filter(is_root) {
            tree.branch(*root);
        }
        // What is left stands in cycles.
        for id in &self.set {
            if !tree.shown.contains(id) {
                tree.branch(*id);
            }
        }
        tree.text
    }

    fn json(&self) -> String {
        let provisional = self.index.provisional();
        let item = |id: &Id| json_item(self.index.entry(*id), provisional.get(id));
        let items: Vec<Value> = self.set.iter().map(item).collect();
        format!("{:#}\n", Value::Array(items))
    }

    fn dot(&self) -> String {
        let quoted = |id: Id| self.name(id).replace('\\', "\\\\").replace('"', "\\\"");
        let mut text = "digraph vwfb {\n  node [shape=box];\n".to_owned();
        for id in &self.set {
            let shape = match self.index.entry(*id) {
                Entry::Target(..) => "",
                Entry::File(_) => " [shape=note]",
            };
            let _ = writeln!(text, "  \"{}\"{shape};", quoted(*id));
        }
        for (from, to) in self.arrows() {
            let _ = writeln!(text, "  \"{}\" -> \"{}\";", quoted(from), quoted(to));
        }
        text + "}\n"
    }

    fn mermaid(&self) -> String {
        let numbers: BTreeMap<Id, usize> =
            self.set.iter().enumerate().map(|(number, id)| (*id, number)).collect();
        let mut text = "flowchart TD\n".to_owned();
        for (id, number) in &numbers {
            let name = self.name(*id).replace('"', "#quot;");
            let _ = writeln!(text, "  n{number}[\"{name}\"]");
        }
        for (from, to) in self.arrows() {
            let _ = writeln!(text, "  n{} --> n{}", numbers[&from], numbers[&to]);
        }
        text
    }

    fn arrows(&self) -> impl Iterator<Item = (Id, Id)> {
        self.set.iter().flat_map(|from| self.needs(*from).map(|to| (*from, to)))
    }
}

fn json_item(entry: Entry<'_>, provisional: Option<&BTreeSet<&str>>) -> Value {
    let (label, node) = match entry {
        Entry::Target(label, node) => (label, node),
        Entry::File(path) => return json!({ "file": path }),
    };
    let attributes = node.attributes.iter().map(|(name, value)| (name.clone(), value.json()));
    let mut item = json!({
        "label": label,
        "kind": node.kind,
        "attributes": attributes.collect::<serde_json::Map<_, _>>(),
        "inputs": node.inputs,
        "outputs": node.outputs,
        "deps": node.deps,
    });
    if let Some(missing) = provisional {
        item["provisional"] = json!(missing);
    }
    item
}

/// The strokes of a tree.
struct Lines {
    fork: &'static str,
    last: &'static str,
    past: &'static str,
    deeper: &'static str,
}

const UNICODE: Lines =
    Lines { fork: "├── ", last: "└── ", past: "│   ", deeper: "…" };
const ASCII: Lines = Lines { fork: "|-- ", last: "`-- ", past: "|   ", deeper: "..." };

struct Tree<'t> {
    answer: &'t Answer<'t>,
    lines: &'t Lines,
    text: String,
    shown: BTreeSet<Id>,
    provisional: BTreeMap<Id, BTreeSet<&'t str>>,
}

fn told(missing: &BTreeSet<&str>) -> String {
    let missing: Vec<&str> = missing.iter().copied().collect();
    format!(" (provisional: {})", missing.join(", "))
}

/// A line of a tree that is still to be written.
struct Pending {
    id: Id,
    /// The strokes that continue further up.
    before: String,
    stroke: &'static str,
    depth: usize,
}

impl Tree<'_> {
    fn branch(&mut self, root: Id) {
        let mut pending = vec![Pending { id: root, before: String::new(), stroke: "", depth: 0 }];
        while let Some(line) = pending.pop() {
            let needs: Vec<Id> = self.answer.needs(line.id).collect();
            let repeated = !self.shown.insert(line.id) && !needs.is_empty();
            let name = self.answer.name(line.id);
            let stands = self.provisional.get(&line.id).map(told).unwrap_or_default();
            let mark = if repeated { " (*)" } else { "" };
            let _ = writeln!(self.text, "{}{}{name}{stands}{mark}", line.before, line.stroke);
            if !repeated {
                self.push_needs(&mut pending, &line, &needs);
            }
        }
    }

    fn push_needs(&mut self, pending: &mut Vec<Pending>, line: &Pending, needs: &[Id]) {
        let before = match line.stroke {
            "" => String::new(),
            stroke if stroke == self.lines.last => format!("{}    ", line.before),
            _ => format!("{}{}", line.before, self.lines.past),
        };
        let depth = line.depth + 1;
        if depth > TREE_DEPTH && !needs.is_empty() {
            let _ = writeln!(self.text, "{before}{}{}", self.lines.last, self.lines.deeper);
            return;
        }
        for (index, id) in needs.iter().enumerate().rev() {
            let is_last = index + 1 == needs.len();
            let stroke = if is_last { self.lines.last } else { self.lines.fork };
            pending.push(Pending { id: *id, before: before.clone(), stroke, depth });
        }
    }
}
