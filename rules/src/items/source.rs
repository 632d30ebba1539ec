//! The items of an `each`: files, or what is in them, of the workspace or of what targets make.

use std::fmt::Display;

use super::text::BOM;
use super::{CONTENT, Raw, Reading, Source, raw, stem, text};
use crate::binding::Binding;
use crate::codes::{BAD_ITEM, MISSING_FILE, UNKNOWN_LABEL, UNKNOWN_OUTPUT};
use crate::diagnostic::Diagnostic;
use crate::fan_out::{Each, Split};
use crate::label::{Reference, WsPath};
use crate::rule::{AttrDef, AttrType};
use crate::scope::{Made, Scope, SourceKind};
use crate::suggest::did_you_mean;
use crate::task::{InputRef, Provided};
use crate::value::{AttrValue, FileName};

/// The most that is read of a file whose text is interpolated, in bytes.
const MOST_CONTENT: usize = 64 << 10;

/// How many names of names are followed; a circle of them is told elsewhere.
const MOST_ALIASES: usize = 64;

/// That what an item is made of is not made.
struct Unmade;

impl Reading<'_> {
    /// The items of an `each`, or what makes them.
    pub(super) fn each(&mut self, each: &Each) -> Option<Result<Vec<Raw>, Source>> {
        let attr = AttrDef::plain("over", AttrType::Artifact, &each.over.anchor);
        let AttrValue::File(file) = self.value(&each.over, &attr)? else { return None };
        let raw = match file.what {
            FileName::Glob { package, pattern, .. } => {
                let paths = self.scope.glob(&package, &pattern);
                all(paths.iter().map(|path| self.file(each, path)))?
            }
            FileName::Path(path) => self.source(each, &path)?,
            FileName::Reference(reference) => match self.referenced(each, reference)? {
                Ok(raw) => raw,
                Err(source) => return Some(Err(source)),
            },
        };
        Some(Ok(raw))
    }

    fn source(&mut self, each: &Each, path: &WsPath) -> Option<Vec<Raw>> {
        match self.scope.source(path) {
            SourceKind::File => {
                let Some(text) = self.scope.text(path) else {
                    let message = format!("`{path}` cannot be read as text");
                    let problem = Diagnostic::error(BAD_ITEM, message).at(&each.over.anchor);
                    self.problems.push(problem.hint("items are lines or JSON, in UTF-8"));
                    return None;
                };
                let is_json = matches!(path.extension(), Some("json" | "jsonl" | "ndjson"));
                let split = each.split.unwrap_or(if is_json { Split::Json } else { Split::Lines });
                self.in_text(each, split, &text)
            }
            SourceKind::Directory => {
                let entries = self.scope.entries(path);
                let files = entries.iter().filter(|name| !name.ends_with('/'));
                let paths: Vec<WsPath> = files.filter_map(|name| path.join(name).ok()).collect();
                all(paths.iter().map(|path| self.file(each, path)))
            }
            SourceKind::Absent => {
                let message = format!("no file `{path}`");
                let problem = Diagnostic::error(MISSING_FILE, message).at(&each.over.anchor);
                self.problems
                    .push(problem.hint("create it, or name the target that makes it: `:name`"));
                None
            }
        }
    }

    /// The files that a target passes on; of what it makes itself the items are only known when it
    /// is made.
    fn referenced(
        &mut self,
        each: &Each,
        reference: Reference,
    ) -> Option<Result<Vec<Raw>, Source>> {
        let reference = self.actual(reference);
        let label = &reference.label;
        if self.scope.has_target(label) != Some(true) {
            if !self.scope.is_broken(&label.package) {
                let message = format!("no target `{}`", label.relative_to(&self.frame.package));
                let problem = Diagnostic::error(UNKNOWN_LABEL, message).at(&each.over.anchor);
                // What the targets are may depend on these very items.
                let names = self.scope.written(&label.package);
                let near = did_you_mean(&label.target(), names.iter().map(String::as_str));
                self.problems.push(problem.maybe_hint(near));
            }
            return None;
        }
        let Some(provided) = self.scope.provides(label) else {
            let label = self.scope.waits(label)?;
            return Some(Err(Source { label, files: None }));
        };
        let is_meant = |one: &&Provided| match &reference.output {
            None => one.default,
            Some(name) => one.output == *name || one.groups.contains(name),
        };
        let meant: Vec<&Provided> = provided.iter().filter(is_meant).collect();
        if meant.is_empty() && !provided.is_empty() {
            let output = reference.output.as_deref().unwrap_or_default();
            let message = format!("`{label}` has no output `{output}`");
            let problem = Diagnostic::error(UNKNOWN_OUTPUT, message).at(&each.over.anchor);
            let names = provided.iter().map(|one| one.output.as_str());
            self.problems.push(problem.maybe_hint(did_you_mean(output, names)));
            return None;
        }
        // Of a single tree the files are meant, whoever passes it on.
        if let [one] = meant.as_slice()
            && let InputRef::Output { label: maker, subpath, .. } = &one.from
            && (maker == label || (one.tree && subpath.is_none()))
        {
            let reference = Reference { label: maker.clone(), ..reference };
            return self.made(each, one, reference);
        }
        let items = all(meant.into_iter().map(|one| self.passed_on(each, one)))?;
        Some(items.into_iter().collect())
    }

    /// What `reference` means if it names a target by another name.
    fn actual(&self, mut reference: Reference) -> Reference {
        for _ in 0..MOST_ALIASES {
            let Some(actual) = self.scope.alias(&reference.label) else { break };
            let output = reference.output.or(actual.output);
            reference = Reference { output, ..actual };
        }
        reference
    }

    /// The items in the output `one` of a target, if that is made.
    fn made(
        &mut self,
        each: &Each,
        one: &Provided,
        reference: Reference,
    ) -> Option<Result<Vec<Raw>, Source>> {
        let whole = Reference { output: Some(one.output.clone()), ..reference.clone() };
        let raw = match self.scope.made(&whole) {
            Made::Unknown => {
                let source = Source { label: reference.label, files: Some(one.tree) };
                return Some(Err(source));
            }
            Made::Tree(names) => {
                let paths = names.iter().filter_map(|name| WsPath::new(name).ok());
                all(paths.map(|path| self.in_tree(each, &whole, path)))?
            }
            Made::Text(text) => {
                let is_json = matches!(one.path.extension(), Some("json" | "jsonl" | "ndjson"));
                let split = each.split.unwrap_or(if is_json { Split::Json } else { Split::Lines });
                self.in_text(each, split, &text)?
            }
            Made::Unreadable(why) => {
                let message = format!("the items in `{}` cannot be read: {why}", reference.label);
                let problem = Diagnostic::error(BAD_ITEM, message).at(&each.over.anchor);
                self.problems.push(problem.hint("items are lines or JSON, in UTF-8, or files"));
                return None;
            }
        };
        Some(Ok(raw))
    }

    fn in_tree(&mut self, each: &Each, tree: &Reference, subpath: WsPath) -> Option<Raw> {
        let stem = stem(&subpath);
        let name = Reference { subpath: Some(subpath), ..tree.clone() };
        let binding = Binding::file(name.to_string()).with("stem", Binding::text(&stem));
        let made = |scope: &dyn Scope| scope.made(&name);
        let binding = self.with_content(each, &name, binding, made)?.ok()?;
        Some(raw_file(each, stem, binding))
    }

    /// The item that a file is which a target passes on, or the target that has to make it first.
    fn passed_on(&mut self, each: &Each, one: &Provided) -> Option<Result<Raw, Source>> {
        let InputRef::Output { label, output, subpath } = &one.from else {
            let InputRef::Source(path) = &one.from else { return None };
            return self.file(each, path).map(Ok);
        };
        let (output, subpath) = (Some(output.clone()), subpath.clone());
        let stem = stem(&one.path);
        let items: Vec<&str> = label.steps.iter().filter_map(|step| step.item.as_deref()).collect();
        let id = if items.is_empty() { stem.clone() } else { items.join("/") };
        let name = Reference { label: label.clone(), output, subpath };
        let binding = Binding::file(name.to_string()).with("stem", Binding::text(stem));
        let binding = self.with_content(each, &name, binding, |scope| scope.made(&name))?;
        Some(
            binding
                .map(|binding| raw_file(each, id, binding))
                .map_err(|Unmade| Source { label: name.label, files: Some(true) }),
        )
    }

    fn file(&mut self, each: &Each, path: &WsPath) -> Option<Raw> {
        let stem = stem(path);
        let binding = Binding::path(path).with("stem", Binding::text(&stem));
        let text = |scope: &dyn Scope| {
            let not = || Made::Unreadable("it is not text in UTF-8".to_owned());
            scope.text(path).map_or_else(not, Made::Text)
        };
        let binding = self.with_content(each, path, binding, text)?.ok()?;
        Some(raw_file(each, stem, binding))
    }

    /// `binding` with what the file `name` says, if that is asked for; nothing if it says nothing
    /// that could be put into a text.
    fn with_content(
        &mut self,
        each: &Each,
        name: &dyn Display,
        binding: Binding,
        read: impl FnOnce(&dyn Scope) -> Made,
    ) -> Option<Result<Binding, Unmade>> {
        if !self.asks_for_content(each) {
            return Some(Ok(binding));
        }
        let why = match read(self.scope) {
            Made::Unknown => return Some(Err(Unmade)),
            Made::Text(text) if text.len() <= MOST_CONTENT => {
                let text = text.trim_start_matches(BOM).trim();
                return Some(Ok(binding.with(CONTENT, Binding::text(text))));
            }
            Made::Text(_) => format!("it is longer than {} KiB", MOST_CONTENT >> 10),
            Made::Tree(_) => "it is a directory".to_owned(),
            Made::Unreadable(why) => why,
        };
        let message = format!("`{{{}.content}}` cannot be had of `{name}`: {why}", each.item);
        let problem = Diagnostic::error(BAD_ITEM, message).at(&each.over.anchor);
        self.problems.push(problem.hint(format!("take the file itself, `{{{}}}`", each.item)));
        None
    }

    fn in_text(&mut self, each: &Each, split: Split, text: &str) -> Option<Vec<Raw>> {
        let (raw, problems) = text::in_text(each, split, text);
        self.problems.0.extend(problems);
        raw
    }
}

/// The item that a file is.
fn raw_file(each: &Each, id: String, binding: Binding) -> Raw {
    raw(each, Some(id), String::new(), binding.into_item())
}

/// All of them, if none is missing; each is asked for, so that all problems are found.
fn all<T>(items: impl Iterator<Item = Option<T>>) -> Option<Vec<T>> {
    let items: Vec<Option<T>> = items.collect();
    items.into_iter().collect()
}
