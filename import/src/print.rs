//! Targets as the text of a `BUILD.kdl`.

mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use value::Values;
use vwfb_rules::format::format;
use vwfb_rules::syntax::quoted;

use crate::fold::Fold;
use crate::target::{Attr, Id, Target, Value, plain_text};
use crate::translate::Parts;
use crate::workflow::Workflow;

/// How wide a line may be.
const WIDTH: usize = 100;

/// Where each target is found.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// It has a name of its own.
    Own(String),
    /// It is one of a fan-out: which, what it is called there, and its item.
    In(usize, String, String),
}

/// The text of the package's `BUILD.kdl`; `package` is where it is, `file` what it was made of.
pub(crate) fn build(
    workflow: &Workflow,
    parts: &Parts,
    folds: &[Fold],
    package: &str,
    file: &str,
) -> String {
    let places = places(parts, folds);
    let mut printing = Printing { parts, folds, places: &places, text: String::new() };
    printing.head(workflow, package, file);
    printing.vars(workflow);
    printing.toolchains();
    printing.all();
    let text = printing.text;
    format(&text).unwrap_or(text)
}

/// The target to look at first: the last film, else the last of what nobody needs.
pub(crate) fn main(parts: &Parts, folds: &[Fold]) -> Option<String> {
    let places = places(parts, folds);
    let is_group = |target: &Target| target.step == usize::MAX;
    let needed: BTreeSet<Id> =
        parts.targets.iter().filter(|it| !is_group(it)).flat_map(Target::needs).collect();
    let is_film = |target: &Target| matches!(target.rule, "normalize" | "audio_mix" | "concat");
    let all = || parts.targets.iter().enumerate();
    let there = all().filter(|(_, target)| target.is_there() && !is_group(target));
    let rank = |(id, target): &(Id, &Target)| {
        let is_own = matches!(places[*id], Place::Own(_));
        (is_own && is_film(target), !needed.contains(id), target.step, *id)
    };
    let (id, _) = there.max_by_key(rank)?;
    Some(match &places[id] {
        Place::Own(name) => name.clone(),
        Place::In(fold, ..) => folds[*fold].name.clone(),
    })
}

fn places(parts: &Parts, folds: &[Fold]) -> Vec<Place> {
    let mut places: Vec<Place> =
        parts.targets.iter().map(|target| Place::Own(target.name.clone())).collect();
    for (number, fold) in folds.iter().enumerate() {
        for (members, id) in fold.members.iter().zip(&fold.ids) {
            for (member, target) in members.iter().zip(&fold.block) {
                places[*member] = Place::In(number, target.name.clone(), id.clone());
            }
        }
    }
    places
}

struct Printing<'a> {
    parts: &'a Parts,
    folds: &'a [Fold],
    places: &'a [Place],
    text: String,
}

impl Printing<'_> {
    fn head(&mut self, workflow: &Workflow, package: &str, file: &str) {
        let name = workflow.name.trim();
        let of = if name.is_empty() { String::new() } else { format!(": {name}") };
        self.comment(&format!("Imported from {file} by `vwfb import vwf`{of}."));
        for line in workflow.description.lines() {
            self.comment(line);
        }
        if let Some(end) = main(self.parts, self.folds) {
            self.comment("");
            self.comment(&format!("    vwfb build //{package}:{end}"));
        }
        let rules: BTreeSet<&str> = self.parts.targets.iter().filter_map(library).collect();
        self.text.push('\n');
        for file in rules {
            // Writing to a string cannot fail.
            let _ = writeln!(self.text, "use {}", quoted(file));
        }
    }

    fn vars(&mut self, workflow: &Workflow) {
        if workflow.vars.is_empty() {
            return;
        }
        self.text.push_str("\nvars {\n");
        for var in &workflow.vars {
            let _ = writeln!(self.text, "{} {}", node_name(&var.label), quoted(&var.value));
        }
        self.text.push_str("}\n");
    }

    fn toolchains(&mut self) {
        for (name, program) in &self.parts.toolchains {
            let _ = write!(
                self.text,
                "\ntoolchain {} {{\n program {}\n}}\n",
                quoted(name),
                quoted(program)
            );
        }
    }

    /// The targets and what is said of those that are none, in the order of their steps.
    fn all(&mut self) {
        let mut blocks: BTreeMap<(usize, usize), String> = BTreeMap::new();
        for (id, target) in self.parts.targets.iter().enumerate() {
            if let (Place::Own(name), true) = (&self.places[id], target.is_there()) {
                blocks.insert((target.step, id), self.target(target, name, None));
            }
        }
        let most = self.parts.targets.len();
        for (number, fold) in self.folds.iter().enumerate() {
            let step = fold.members.iter().flatten().map(|id| self.parts.targets[*id].step).min();
            blocks.insert((step.unwrap_or_default(), most + number), self.fold(number, fold));
        }
        let count = most + self.folds.len();
        for (number, (step, said)) in self.parts.left.iter().enumerate() {
            let mut text = String::new();
            comment(&mut text, said);
            blocks.insert((*step, count + number), text);
        }
        for block in blocks.into_values() {
            self.text.push('\n');
            self.text.push_str(&block);
        }
    }

    fn fold(&self, number: usize, fold: &Fold) -> String {
        let mut text = String::new();
        let count = fold.ids.len();
        let what = if fold.json.is_some() { "elements" } else { "files" };
        comment(&mut text, &format!("One for each of the {count} {what} of `{}`.", fold.over));
        let key = if fold.json.is_some() { " key=\"id\"" } else { "" };
        let _ = writeln!(
            text,
            "each {} over={} as={}{key} {{",
            quoted(&fold.name),
            quoted(&fold.over),
            quoted(&fold.item)
        );
        for target in &fold.block {
            text.push_str(&self.target(target, &target.name, Some(number)));
        }
        text.push_str("}\n");
        text
    }

    /// A target called `name`, within the fan-out `fold` if it is in one.
    fn target(&self, target: &Target, name: &str, fold: Option<usize>) -> String {
        let mut text = String::new();
        for said in &target.comments {
            comment(&mut text, said);
        }
        let values = Values { parts: self.parts, folds: self.folds, places: self.places, fold };
        let after = Attr {
            name: "after",
            values: target.after.iter().map(|id| Value::Made(*id, String::new())).collect(),
            list: true,
        };
        let attrs: Vec<(&Attr, Vec<String>)> = target
            .attrs
            .iter()
            .chain([&after])
            .filter(|attr| !is_nothing(attr) && !is_usual(attr, target, name))
            .map(|attr| (attr, values.of(attr)))
            .collect();
        let head = format!("{} {}", target.rule, quoted(name));
        if let Some(line) = one_line(&head, target, &attrs) {
            text.push_str(&line);
            text.push('\n');
            return text;
        }
        let _ = writeln!(text, "{head} {{");
        for (attr, values) in &attrs {
            match attr.name {
                "run" => run(&mut text, values),
                "out" => out(&mut text, target, attr, values),
                _ => node(&mut text, attr, values),
            }
        }
        text.push_str("}\n");
        text
    }

    fn comment(&mut self, said: &str) {
        comment(&mut self.text, said);
    }
}

/// Whether an attribute says nothing: a list without values, or an empty `subtext`.
fn is_nothing(attr: &Attr) -> bool {
    let is_empty = |value: &Value| match value {
        Value::Text(pieces) => pieces
            .iter()
            .all(|it| matches!(it, crate::target::Piece::Plain(text) if text.is_empty())),
        _ => false,
    };
    attr.values.is_empty() || (attr.name == "subtext" && attr.values.iter().all(is_empty))
}

/// Whether an attribute is the path that a text has anyway.
fn is_usual(attr: &Attr, target: &Target, name: &str) -> bool {
    let usual = || crate::target::text(&format!("{name}.txt"));
    target.rule == "write_file" && attr.name == "out" && attr.values == [usual()]
}

/// The whole target on one line, if it fits and its attributes can be properties.
fn one_line(head: &str, target: &Target, attrs: &[(&Attr, Vec<String>)]) -> Option<String> {
    if target.rule == "task" {
        return None;
    }
    let mut line = head.to_owned();
    for (attr, values) in attrs {
        let [value] = values.as_slice() else { return None };
        let is_plain = !value.contains('\n')
            && !attr.values.iter().any(|value| matches!(value, Value::Source(_, Some(_))));
        if !is_plain {
            return None;
        }
        let _ = write!(line, " {}={value}", attr.name);
    }
    (line.chars().count() <= WIDTH - 4).then_some(line)
}

/// An attribute as a node, or as several where it is a long list.
fn node(text: &mut String, attr: &Attr, values: &[String]) {
    if !attr.list {
        let _ = writeln!(text, "{} {}", attr.name, values.join(" "));
        return;
    }
    let mut line = String::new();
    for value in values {
        // A property of a node holds for all of its values.
        let alone = value.contains(" placeholder=");
        let full = !line.is_empty() && line.chars().count() + value.chars().count() > WIDTH - 9;
        if (alone || full) && !line.is_empty() {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
        if line.is_empty() {
            line.push_str(attr.name);
        }
        line.push(' ');
        line.push_str(value);
        if alone {
            let _ = writeln!(text, "{line}");
            line.clear();
        }
    }
    if !line.is_empty() {
        let _ = writeln!(text, "{line}");
    }
}

/// What a task starts.
fn run(text: &mut String, values: &[String]) {
    let line = format!("run {}", values.join(" "));
    if line.chars().count() <= WIDTH - 8 && !line.contains('\n') {
        let _ = writeln!(text, "{line}");
        return;
    }
    let (program, args) = values.split_first().map_or(("\"\"", values), |(it, rest)| (it, rest));
    let _ = writeln!(text, "run {program} {{");
    let args = args.to_vec();
    let list = Attr { name: "args", values: Vec::new(), list: true };
    node(text, &list, &args);
    text.push_str("}\n");
}

/// An output of a task; its name is told if it is not that of its file.
fn out(text: &mut String, target: &Target, attr: &Attr, values: &[String]) {
    let outs = target.attrs.iter().filter(|attr| attr.name == "out").count();
    let path = match attr.values.first() {
        Some(Value::Text(pieces)) => plain_text(pieces),
        _ => String::new(),
    };
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
    let name = attr.values.iter().find_map(|value| match value {
        Value::Named(_, name) => Some(name.as_str()),
        _ => None,
    });
    let is_name = vwfb_rules::label::is_name(stem);
    let said = match name {
        Some(name) if (outs > 1 && name != stem) || !is_name => format!(" name={}", quoted(name)),
        _ => String::new(),
    };
    let _ = writeln!(text, "out {}{said}", values[0]);
}

/// The file that has the rule of a target.
fn library(target: &Target) -> Option<&'static str> {
    match target.rule {
        "llm" | "llm_audit" | "transcribe" | "text_to_image" | "image_to_video"
        | "text_to_video" => Some("@std/ai"),
        "tts" | "audio_mix" | "resample" => Some("@std/audio"),
        "slide" => Some("@std/image"),
        "split_sections" => Some("@std/text"),
        "still_clip" | "scale" | "concat" | "normalize" => Some("@std/video"),
        _ => None,
    }
}

/// A name as a node has it.
fn node_name(name: &str) -> String {
    let bare = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && !matches!(name, "true" | "false" | "null" | "inf" | "nan");
    if bare { name.to_owned() } else { quoted(name) }
}

/// Writes a comment, broken into lines.
fn comment(text: &mut String, said: &str) {
    let odd = |c: char| c.is_control() || quoted(&c.to_string()).contains("\\u");
    let said: String = said.chars().map(|c| if odd(c) { ' ' } else { c }).collect();
    if said.starts_with("    ") || said.trim().is_empty() {
        let _ = writeln!(text, "{}", format!("// {said}").trim_end());
        return;
    }
    let mut line = String::from("//");
    for word in said.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH && line != "//" {
            let _ = writeln!(text, "{line}");
            line = String::from("//");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}
