//! A workspace in memory, taken through every step of the rule language.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::frame::{Frame, Placed};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::package::PackageDef;
use vwfb_rules::render::{RenderOptions, render};
use vwfb_rules::rule_file::RuleFile;
use vwfb_rules::scope::{Scope, SourceKind};
use vwfb_rules::task::{Provided, TaskDef};
use vwfb_rules::vars::{Overrides, Vars};
use vwfb_rules::workspace::WorkspaceDef;
use vwfb_rules::{Declared, RuleTable, library};

/// What a workspace comes down to.
pub(crate) struct World {
    files: BTreeMap<String, String>,
    workspace: WorkspaceDef,
    packages: BTreeMap<WsPath, PackageDef>,
    declared: BTreeMap<String, Option<Arc<Declared>>>,
    pub(crate) tasks: BTreeMap<String, TaskDef>,
    problems: RefCell<Vec<Diagnostic>>,
}

impl World {
    /// The workspace of `files`; a WORKSPACE.kdl is added where there is none.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, &Overrides::default())
    }

    pub(crate) fn with(files: &[(&str, &str)], overrides: &Overrides) -> Self {
        let mut files: BTreeMap<String, String> =
            files.iter().map(|(path, text)| ((*path).into(), (*text).into())).collect();
        files.entry("WORKSPACE.kdl".into()).or_insert_with(|| "workspace \"w\"".into());
        let mut world = Self {
            workspace: WorkspaceDef::default(),
            packages: BTreeMap::new(),
            declared: BTreeMap::new(),
            tasks: BTreeMap::new(),
            problems: RefCell::default(),
            files,
        };
        world.load();
        world.declare(overrides);
        world.resolve();
        world
    }

    /// The only task of the package `p`, after a check that there are no problems.
    pub(crate) fn task(build: &str) -> TaskDef {
        let world =
            Self::new(&[("p/BUILD.kdl", build), ("p/a.txt", ""), ("p/b.txt", ""), ("p/a.png", "")]);
        world.clean();
        world.tasks.into_values().next_back().expect("the package has a task")
    }

    /// Each problem as `code: message`, of a package `p` with some files in it.
    pub(crate) fn problems_of(build: &str) -> Vec<String> {
        Self::new(&[("p/BUILD.kdl", build), ("p/a.txt", ""), ("p/b.txt", ""), ("p/a.png", "")])
            .problems()
    }

    pub(crate) fn problems(&self) -> Vec<String> {
        let problems = self.problems.borrow();
        problems.iter().map(|problem| format!("{}: {}", problem.code, problem.message)).collect()
    }

    /// Each problem's hint.
    pub(crate) fn hints(&self) -> Vec<String> {
        let problems = self.problems.borrow();
        problems.iter().map(|problem| problem.hint.clone().unwrap_or_default()).collect()
    }

    pub(crate) fn clean(&self) {
        assert!(self.problems.borrow().is_empty(), "{}", self.rendered());
    }

    pub(crate) fn rendered(&self) -> String {
        let source = |path: &WsPath| {
            library::source(path)
                .map(str::to_owned)
                .or_else(|| self.files.get(path.as_str()).cloned())
        };
        let options = RenderOptions { color: false, unicode: true, width: 100 };
        let problems = self.problems.borrow();
        problems.iter().map(|problem| render(problem, &source, options)).collect()
    }

    fn load(&mut self) {
        let mut problems = Vec::new();
        let path = |path: &str| WsPath::new(path).expect("tests name good paths");
        let checked = vwfb_rules::workspace(&path("WORKSPACE.kdl"), &self.files["WORKSPACE.kdl"]);
        self.workspace = checked.value;
        problems.extend(checked.problems);
        for (name, text) in &self.files {
            if name == "BUILD.kdl" || name.ends_with("/BUILD.kdl") {
                let checked = vwfb_rules::package(&path(name), text);
                problems.extend(checked.problems);
                self.packages.insert(checked.value.package.clone(), checked.value);
            } else if name.ends_with(".kdl") && name != "WORKSPACE.kdl" {
                problems.extend(vwfb_rules::rule_file(&path(name), text).problems);
            }
        }
        self.problems.borrow_mut().extend(problems);
    }

    fn declare(&mut self, overrides: &Overrides) {
        let mut problems =
            vwfb_rules::check_overrides(&self.workspace, self.packages.values(), overrides);
        let mut all = BTreeMap::new();
        for package in self.packages.values() {
            let table = RuleTable::new(&package.own, self);
            problems.extend(table.problems);
            let vars: Vars = vwfb_rules::vars(&self.workspace, package, overrides);
            let frame = Arc::new(Frame::of_package(package));
            for target in &package.block.members {
                let label = Label::new(package.package.clone(), target.name.clone());
                let (def, frame) = (Arc::clone(target), Arc::clone(&frame));
                let placed = Placed { label: label.clone(), def, frame };
                let declared = vwfb_rules::declare(&placed, &table.value, Some(&vars));
                // A target that `when` switched off is known, and offers nothing.
                let value = match (declared.value, declared.problems.is_empty()) {
                    (None, false) => None,
                    (value, _) => Some(value),
                };
                all.extend(value.map(|value| (label.to_string(), value)));
                problems.extend(declared.problems);
            }
        }
        problems.extend(vwfb_rules::check_outputs(all.values().flatten().map(Arc::as_ref)));
        self.declared = all;
        self.problems.borrow_mut().extend(problems);
    }

    fn resolve(&mut self) {
        let mut tasks = BTreeMap::new();
        for (label, declared) in &self.declared {
            let Some(declared) = declared else { continue };
            let checked = vwfb_rules::task(declared, &self.workspace, self);
            self.problems.borrow_mut().extend(checked.problems);
            tasks.extend(checked.value.map(|task| (label.clone(), task)));
        }
        self.tasks = tasks;
    }

    fn is_folder(&self, path: &WsPath) -> bool {
        path.is_root() || self.files.keys().any(|file| file.starts_with(&format!("{path}/")))
    }
}

impl Scope for World {
    fn source(&self, path: &WsPath) -> SourceKind {
        match self.files.contains_key(path.as_str()) {
            true => SourceKind::File,
            false if self.is_folder(path) => SourceKind::Directory,
            false => SourceKind::Absent,
        }
    }

    fn entries(&self, path: &WsPath) -> Arc<[String]> {
        let names: BTreeSet<String> = self
            .files
            .keys()
            .filter_map(|file| WsPath::new(file).ok()?.below(path).map(str::to_owned))
            .map(|below| match below.split_once('/') {
                Some((folder, _)) => format!("{folder}/"),
                None => below,
            })
            .collect();
        names.into_iter().collect()
    }

    /// Only patterns of the form `folder/*.ext` and `*.ext`.
    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]> {
        let (before, after) = pattern.split_once('*').unwrap_or((pattern, ""));
        let matches = |below: &str| {
            let middle = below.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
            middle.is_some_and(|middle| !middle.contains('/'))
        };
        self.files
            .keys()
            .filter_map(|file| WsPath::new(file).ok())
            .filter(|path| path.below(package).is_some_and(matches))
            .collect()
    }

    fn text(&self, path: &WsPath) -> Option<Arc<str>> {
        self.files.get(path.as_str()).map(|text| text.as_str().into())
    }

    fn targets(&self, package: &WsPath) -> Option<Arc<[String]>> {
        let package = self.packages.get(package)?;
        Some(package.block.members.iter().map(|target| target.name.to_string()).collect())
    }

    fn provides(&self, label: &Label) -> Option<Arc<[Provided]>> {
        match self.declared.get(&label.to_string())? {
            Some(declared) => vwfb_rules::provides(declared, self),
            None => Some(Arc::default()),
        }
    }

    fn rule_file(&self, path: &WsPath) -> Option<Arc<RuleFile>> {
        let text =
            library::source(path).or_else(|| self.files.get(path.as_str()).map(String::as_str))?;
        Some(Arc::new(vwfb_rules::rule_file(path, text).value))
    }
}
