//! The workspace of one test: its files, the command that is run on them, and what came of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use vwfb_engine::check::{Loaded, load};
use vwfb_engine::db::{Database, Machine};
use vwfb_engine::graph::TaskGraph;
use vwfb_engine::system::System;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::render::{RenderOptions, render};
use vwfb_rules::vars::{Overrides, VarOverride};

use crate::expect::{self, Problem, Spotted};
use crate::markdown::{Fence, words};
use crate::memory::{File, Memory};
use crate::show;

const WORKSPACE: (&str, &str) = ("WORKSPACE.kdl", "workspace \"test\"\n");

/// A workspace, ready to be checked.
#[derive(Default)]
pub(crate) struct World {
    /// The files that the test gives, by path; what it does not give has no place for comments.
    files: BTreeMap<String, File>,
    overrides: Overrides,
    folder: WsPath,
    patterns: Vec<String>,
    /// The problems that its comments expect.
    pub(crate) expected: Vec<Problem>,
    /// Where each of its files begins in the Markdown, counted from 0.
    pub(crate) starts: BTreeMap<Spotted, usize>,
}

/// What a check of a workspace found.
pub(crate) struct Outcome {
    /// The targets and problems, or why a pattern is none.
    loaded: Result<Loaded, String>,
    database: Database,
    memory: Arc<Memory>,
}

impl World {
    /// Takes in a block that is input; says whether it is one.
    pub(crate) fn take(&mut self, fence: &Fence) -> Result<bool, String> {
        match fence.kind.as_str() {
            "kdl" => self.rule_file(fence)?,
            "text" => {
                let name = fence.words.first().ok_or("a `text` block needs a file name")?;
                self.files.insert(name.clone(), File::Text(fence.text.clone()));
            }
            "files" => {
                let empty = |name: &str| (name.to_owned(), File::Text(String::new()));
                self.files.extend(fence.text.lines().map(empty));
            }
            "sh" => self.command(fence)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn rule_file(&mut self, fence: &Fence) -> Result<(), String> {
        let (options, names): (Vec<&String>, Vec<&String>) =
            fence.words.iter().partition(|word| ["crlf", "bom", "binary"].contains(&word.as_str()));
        let name = names.first().map_or("BUILD.kdl", |name| name.as_str());
        let mut file = File::Text(fence.text.clone());
        for option in options {
            file = match (option.as_str(), file) {
                ("crlf", File::Text(text)) => File::Text(text.replace('\n', "\r\n")),
                ("bom", File::Text(text)) => File::Text(format!("\u{feff}{text}")),
                (_, File::Text(text) | File::Binary(text)) => File::Binary(text),
            };
        }
        let at = |line| Spotted::Line(name.to_owned(), line);
        self.expected.extend(expect::expected(&fence.text, "//", at));
        self.starts.insert(at(0), fence.lines.start);
        match self.files.insert(name.to_owned(), file) {
            Some(_) => Err(format!("`{name}` is there twice")),
            None => Ok(()),
        }
    }

    /// Reads the lines `cd FOLDER` and `vwfb check OPTION... PATTERN...`.
    fn command(&mut self, fence: &Fence) -> Result<(), String> {
        self.expected.extend(expect::expected(&fence.text, "#", |_| Spotted::Command));
        for line in fence.text.lines().filter(|line| !line.starts_with('#')) {
            let words = words(line);
            match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
                ["cd", folder] => {
                    self.folder = WsPath::new(folder).map_err(|error| error.to_string())?;
                }
                ["vwfb", "check", options @ ..] => self.options(options)?,
                _ => return Err(format!("`{line}` is no `vwfb check`")),
            }
        }
        Ok(())
    }

    fn options(&mut self, mut words: &[&str]) -> Result<(), String> {
        loop {
            words = match words {
                ["--var", var, rest @ ..] => {
                    let var = VarOverride::parse(var).map_err(|error| error.to_string())?;
                    self.overrides.vars.push(var);
                    rest
                }
                ["--profile", profile, rest @ ..] => {
                    self.overrides.profile = Some((*profile).to_owned());
                    rest
                }
                [pattern, rest @ ..] => {
                    self.patterns.push((*pattern).to_owned());
                    rest
                }
                [] => return Ok(()),
            };
        }
    }

    /// Loads what the command asks for, every target if it asks for none.
    pub(crate) fn check(&self) -> Outcome {
        let mut files = self.files.clone();
        files.entry(WORKSPACE.0.to_owned()).or_insert_with(|| File::Text(WORKSPACE.1.to_owned()));
        let memory = Arc::new(Memory(files));
        let machine = Machine {
            platform: "test".to_owned(),
            confined: true,
            cpu_level: String::new(),
            log_queries: false,
        };
        let system = Arc::clone(&memory) as Arc<dyn System>;
        let database = Database::new(system, self.overrides.clone(), machine);
        let loaded = self.patterns().map(|patterns| load(&database, &patterns));
        Outcome { loaded, database, memory }
    }

    fn patterns(&self) -> Result<Vec<Pattern>, String> {
        if self.patterns.is_empty() {
            return Ok(vec![Pattern::Below(WsPath::root())]);
        }
        let parsed = |text: &String| Pattern::parse(text, &self.folder);
        self.patterns
            .iter()
            .map(parsed)
            .collect::<Result<_, _>>()
            .map_err(|error| error.to_string())
    }

    /// The texts in which problems have a place.
    fn texts(&self) -> BTreeMap<String, &str> {
        self.files.iter().map(|(name, file)| (name.clone(), file.text())).collect()
    }

    /// The problems of `outcome` as comments would say them.
    pub(crate) fn found(&self, outcome: &Outcome) -> Vec<Problem> {
        let texts = self.texts();
        outcome.problems().iter().map(|problem| expect::found(problem, &texts)).collect()
    }
}

impl Outcome {
    fn problems(&self) -> &[vwfb_rules::diagnostic::Diagnostic] {
        self.loaded.as_ref().map_or(&[], |loaded| &loaded.problems)
    }

    /// The text that a snapshot block of this kind holds.
    pub(crate) fn snapshot(&self, fence: &Fence) -> Result<String, String> {
        match fence.kind.as_str() {
            "diagnostics" => Ok(self.diagnostics()),
            "targets" => Ok(self.targets()),
            "outputs" => self.graph().map(|graph| outputs(&graph)),
            "task" => {
                let label = fence.words.first().ok_or("a `task` block needs a label")?;
                let label =
                    Label::parse(label, &WsPath::root()).map_err(|error| error.to_string())?;
                self.task(label)
            }
            kind => Err(format!("nothing is known of `{kind}` blocks")),
        }
    }

    /// The task of `label`, which must be right whatever the others are.
    fn task(&self, label: Label) -> Result<String, String> {
        let loaded = load(&self.database, &[Pattern::Target(label.clone())]);
        if loaded.has_errors() {
            return Err(format!("`{label}` has problems and so no task to show"));
        }
        let graph = TaskGraph::of(&self.database, &loaded.targets);
        let task = graph.find(&label).map(|id| show::task(&graph.def(&self.database, id)));
        Ok(task.unwrap_or_else(|| "none\n".to_owned()))
    }

    fn diagnostics(&self) -> String {
        let options = RenderOptions { color: false, unicode: true, width: 100 };
        let source = |path: &WsPath| match path.is_built_in() {
            true => vwfb_rules::library::source(path).map(str::to_owned),
            false => self.memory.text_of(path).map(str::to_owned),
        };
        let rendered = self.problems().iter().map(|problem| render(problem, &source, options));
        rendered.collect::<Vec<_>>().join("\n")
    }

    fn targets(&self) -> String {
        match &self.loaded {
            Ok(loaded) => loaded.targets.iter().map(|label| format!("{label}\n")).collect(),
            Err(why) => format!("refused: {why}\n"),
        }
    }

    fn graph(&self) -> Result<TaskGraph, String> {
        match &self.loaded {
            Ok(loaded) if !loaded.has_errors() => {
                Ok(TaskGraph::of(&self.database, &loaded.targets))
            }
            _ => Err("a workspace with problems has no tasks to show".to_owned()),
        }
    }
}

/// What each target that was asked for leaves in `vwfb-out/`, the default first.
fn outputs(graph: &TaskGraph) -> String {
    let mut text = String::new();
    for requested in graph.requested() {
        text.push_str(&format!("{}\n", graph.target_label(requested)));
        for output in graph.offers(requested) {
            text.push_str(&format!("  {} = {}\n", output.name, output.path));
        }
    }
    text
}
