//! Everything that is wrong with a set of targets and what they need, found without running
//! anything: the problems that queries return, gathered once each, and cycles between targets.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vwfb_rules::codes::{self, Code};
use vwfb_rules::diagnostic::{Anchor, Diagnostic, Severity};
use vwfb_rules::instance::instances_in;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::package::bad_package;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::{check_outputs, check_overrides, cycle, spans};

use crate::ahead;
use crate::db::{Database, Db, Settings, Target};
use crate::names::{Named, named, names, names_ahead, outermost, placed, ways_to};
use crate::package::{
    package_def, package_file, package_vars, rule_file, rule_table, targets, workspace,
};
use crate::pins::pins;
use crate::system::Text;
use crate::target::{declared, provides, references, task};
use crate::unknown::unknown;

/// The targets that patterns mean, and what is wrong with them and all they need.
#[derive(Debug, Clone, Default)]
pub struct Loaded {
    /// The requested targets, in the order of the patterns, each once.
    pub targets: Vec<Label>,
    /// Errors and warnings, each once.
    pub problems: Vec<Diagnostic>,
    /// How many more there are, which nobody would read.
    pub left_out: usize,
}

/// How many problems are told at most.
const MOST: usize = 100;

impl Loaded {
    /// Whether nothing may be built.
    pub fn has_errors(&self) -> bool {
        self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

/// Loads what `patterns` mean.
pub fn load(db: &Database, patterns: &[Pattern]) -> Loaded {
    let mut check = Check::new(db);
    check.workspace(patterns.contains(&Pattern::Below(WsPath::root())));
    let mut labels: Vec<Label> = Vec::new();
    for pattern in patterns {
        labels.extend(check.expand(pattern));
    }
    let mut targets: Vec<Target> = labels.iter().map(|label| check.db.target(label)).collect();
    if patterns.len() > 1 {
        let mut seen = FxHashSet::default();
        targets.retain(|target| seen.insert(*target));
        labels = targets.iter().map(|target| target.label(check.db).clone()).collect();
    }
    let problems = ahead::map(db, &targets, |db, some| {
        let mut fan_outs = FxHashSet::default();
        some.iter().map(|target| has_problems(db, *target, &mut fan_outs)).collect()
    });
    check.targets_and_needs(&targets, &problems);
    check.output_conflicts();
    check.cycles(&targets);
    check.unexplained();
    let mut problems = in_order(db, check.problems);
    let left_out = problems.len().saturating_sub(MOST);
    if left_out > 0 {
        // Errors, which stop a build, stay rather than warnings.
        problems.sort_by_key(|problem| Reverse(problem.severity));
        problems.truncate(MOST);
    }
    Loaded { targets: labels, problems, left_out }
}

/// Whether there are problems of a target, or of the fan-outs and uses of templates that lead to it,
/// but for fan-outs that were seen. Where there are none it asks all that is asked of a target later.
fn has_problems(db: &dyn Db, target: Target, fan_outs: &mut FxHashSet<Target>) -> bool {
    let _answers = (references(db, target), provides(db, target));
    let (named, label) = (named(db, target), target.label(db));
    let mut broken_way = |way: &Label| {
        let ways = ways_to(db, way, fan_outs);
        ways.iter().any(|problems| !problems.is_empty())
    };
    let is_broken = match &named {
        // It is no fan-out and no use of a template itself.
        Some(Named::Target(_)) => {
            let last = label.steps.len() - 1;
            last > 0 && broken_way(&label.prefix(last))
        }
        named => *named == Some(Named::Broken) || broken_way(label),
    };
    is_broken || !declared(db, target).problems.is_empty() || !task(db, target).problems.is_empty()
}

/// What is wrong with the text of one package and with those of its targets, but for what only
/// several packages together have.
pub(crate) fn problems_of(db: &Database, package: &WsPath, targets: &[Label]) -> Vec<Diagnostic> {
    let mut check = Check::new(db);
    check.package(package);
    for label in targets {
        let target = check.db.target(label);
        check.add(&declared(check.db, target).problems);
        check.add(&task(check.db, target).problems);
    }
    check.problems
}

/// Those without a place first, then by file and line, however they were found.
fn in_order(db: &dyn Db, mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut files = BTreeMap::new();
    problems.sort_by_cached_key(|problem| {
        let anchor = &problem.places.first()?.anchor;
        let spans =
            files.entry(anchor.file.clone()).or_insert_with(|| spans(&text(db, &anchor.file)));
        Some((anchor.file.clone(), spans.resolve(anchor).start))
    });
    problems
}

/// The text of a rule file, empty where there is none.
fn text(db: &dyn Db, file: &WsPath) -> Arc<str> {
    match db.rule_text(file).text(db) {
        Text::Present(text) => Arc::clone(text),
        Text::Absent | Text::Unreadable(_) => Arc::default(),
    }
}

/// The problems that may only follow from one in `WORKSPACE.kdl`.
const FOLLOWS: [Code; 3] =
    [codes::UNKNOWN_VAR, codes::UNKNOWN_INTERPOLATION, codes::UNKNOWN_PROFILE];

/// A gathering in progress.
struct Check<'db> {
    db: &'db dyn Db,
    /// The same, to ask on every core.
    database: &'db Database,
    problems: Vec<Diagnostic>,
    /// Whether `WORKSPACE.kdl` has errors, so that what it declares is not all known.
    workspace_is_broken: bool,
    /// The same, to report each once.
    reported: BTreeSet<Diagnostic>,
    packages: BTreeSet<WsPath>,
    texts: BTreeSet<WsPath>,
    rule_files: BTreeSet<WsPath>,
    targets: FxHashSet<Target>,
    fan_outs: FxHashSet<Target>,
    /// A fan-out or template that cannot be expanded.
    broken: Option<Label>,
}

impl<'db> Check<'db> {
    fn new(db: &'db Database) -> Self {
        Self {
            db,
            database: db,
            problems: Vec::new(),
            workspace_is_broken: false,
            reported: BTreeSet::new(),
            packages: BTreeSet::new(),
            texts: BTreeSet::new(),
            rule_files: BTreeSet::new(),
            targets: FxHashSet::default(),
            fan_outs: FxHashSet::default(),
            broken: None,
        }
    }

    fn add(&mut self, problems: &[Diagnostic]) {
        for problem in problems {
            if self.workspace_is_broken && FOLLOWS.contains(&problem.code) {
                continue;
            }
            if self.reported.insert(problem.clone()) {
                self.problems.push(problem.clone());
            }
        }
    }

    /// The workspace's own problems, and those of overrides and profiles, which any package may
    /// declare the variables of; without overrides only where `all` packages are looked at anyway.
    fn workspace(&mut self, all: bool) {
        let workspace = workspace(self.db);
        self.add(&workspace.problems);
        self.workspace_is_broken = workspace.has_errors();
        self.add(&pins(self.db).problems);
        let overrides = Settings::get(self.db).overrides(self.db);
        let sets = !overrides.vars.is_empty() || !overrides.params.is_empty();
        let given = overrides.profile.is_some() || sets;
        let declared = all && !workspace.value.profiles.is_empty();
        if !given && !declared {
            return;
        }
        let packages: Vec<_> = self
            .db
            .system()
            .packages(&WsPath::root())
            .iter()
            .filter_map(|package| package_def(self.db, package_file(self.db, package)).as_ref())
            .map(|package| &*package.value)
            .collect();
        let problems = check_overrides(&workspace.value, packages, overrides);
        self.add(&problems);
    }

    /// The labels that `pattern` means; a pattern that means nothing is a problem.
    fn expand(&mut self, pattern: &Pattern) -> Vec<Label> {
        let unknown = unknown(self.db, pattern);
        self.add(unknown.as_slice());
        match pattern {
            Pattern::Below(folder) => {
                let packages = self.db.system().packages(folder);
                let mut instanced = None;
                let mut is_there = |package: &&WsPath| {
                    let vars = package_vars(self.db, package_file(self.db, package));
                    !vars.has_unset()
                        || !instanced
                            .get_or_insert_with(|| instanced_in(self.db))
                            .contains(*package)
                };
                let packages: Vec<&WsPath> = packages.iter().filter(&mut is_there).collect();
                packages.into_iter().flat_map(|package| self.targets_of(package)).collect()
            }
            Pattern::Package(package) => self.targets_of(package),
            Pattern::Target(label) => {
                self.package(&label.package);
                if unknown.is_some() { Vec::new() } else { vec![label.clone()] }
            }
        }
    }

    fn targets_of(&mut self, package: &WsPath) -> Vec<Label> {
        self.package(package);
        names_ahead(self.database, package_file(self.db, package));
        let Some(names) = names(self.db, package_file(self.db, package)) else {
            return Vec::new();
        };
        self.add(&names.problems);
        names.value.targets.to_vec()
    }

    /// The problems of one package's file and of the rule files it uses.
    fn package(&mut self, package: &WsPath) {
        if self.packages.contains(package) {
            return;
        }
        self.packages.insert(package.clone());
        self.text(package);
    }

    /// What is wrong with the fan-outs and uses of templates that lead to `label`, or are it.
    fn ways(&mut self, label: &Label) {
        for problems in ways_to(self.db, label, &mut self.fan_outs) {
            self.add(&problems);
        }
    }

    /// The problems of one package's text, which there may be instances of.
    fn text(&mut self, package: &WsPath) {
        if self.texts.contains(package) {
            return;
        }
        self.texts.insert(package.clone());
        let file = package_file(self.db, package);
        let Some(def) = package_def(self.db, file) else { return };
        self.add(bad_package(file.path(self.db)).as_slice());
        self.add(&def.problems);
        for used in &def.value.own.uses {
            self.rule_file(&used.path);
        }
        self.add(&rule_table(self.db, file).problems);
    }

    fn rule_file(&mut self, path: &WsPath) {
        let mut next = vec![path.clone()];
        while let Some(path) = next.pop() {
            if !self.rule_files.insert(path.clone()) {
                continue;
            }
            if let Some(file) = rule_file(self.db, self.db.rule_text(&path)) {
                self.add(&file.problems);
                if !file.value.templates.is_empty() {
                    self.add(&rule_table(self.db, self.db.rule_text(&path)).problems);
                }
                next.extend(file.value.uses.iter().map(|used| used.path.clone()));
            }
        }
    }

    /// The problems of `targets`, each of which has some or not, and of everything they need.
    fn targets_and_needs(&mut self, targets: &[Target], problems: &[bool]) {
        self.targets.extend(targets);
        let mut next = Vec::new();
        for (target, has_problems) in targets.iter().zip(problems) {
            self.texts_of(*target);
            if *has_problems {
                self.target(*target);
            }
            self.needs(*target, &mut next);
        }
        // Without recursion.
        while let Some(target) = next.pop() {
            self.texts_of(target);
            self.target(target);
            self.needs(target, &mut next);
        }
    }

    /// The problems of the texts that a target comes from.
    fn texts_of(&mut self, target: Target) {
        self.package(&target.label(self.db).package);
        if let Some(placed) = placed(self.db, target) {
            self.text(&placed.frame.globs);
        }
    }

    fn target(&mut self, target: Target) {
        self.ways(target.label(self.db));
        if named(self.db, target) == Some(Named::Broken) {
            self.broken.get_or_insert_with(|| target.label(self.db).clone());
        }
        self.add(&declared(self.db, target).problems);
        self.add(&task(self.db, target).problems);
    }

    /// What a target needs and nobody looked at yet is `next`.
    fn needs(&mut self, target: Target, next: &mut Vec<Target>) {
        for (label, _) in references(self.db, target) {
            let needed = self.db.target(label);
            if self.targets.insert(needed) {
                next.push(needed);
            }
        }
    }

    /// Outputs that cannot stand beside one another, in every package that was loaded.
    fn output_conflicts(&mut self) {
        let mut all = Vec::new();
        for package in self.packages.clone() {
            for label in
                targets(self.db, package_file(self.db, &package)).iter().flat_map(|it| it.iter())
            {
                let target = self.db.target(label);
                all.extend(declared(self.db, target).value.as_deref());
            }
        }
        let problems = check_outputs(all);
        self.add(&problems);
    }

    /// What cannot be expanded though nothing else is wrong comes from itself.
    fn unexplained(&mut self) {
        let is_error = |problem: &Diagnostic| problem.severity == Severity::Error;
        if let Some(label) = &self.broken
            && !self.problems.iter().any(is_error)
        {
            let message = format!("what `{label}` expands to comes from itself");
            let problem = Diagnostic::error(codes::CYCLE, message).at(&outermost(self.db, label));
            self.problems.push(problem.hint("let `over` name what is made without it"));
        }
    }

    fn cycles(&mut self, roots: &[Target]) {
        for path in find_cycles(self.db, roots) {
            self.add(&[cycle(&path)]);
        }
    }
}

/// The packages that there are instances of, in the text of any package. One of them that needs
/// values is not meant by a pattern for everything: its instances have them.
fn instanced_in(db: &dyn Db) -> BTreeSet<WsPath> {
    let packages = db.system().packages(&WsPath::root());
    let defs =
        packages.iter().filter_map(|package| package_def(db, package_file(db, package)).as_ref());
    defs.flat_map(|def| instances_in(&def.value)).collect()
}

/// Where a target is in the search for cycles.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    /// On the path from the root.
    Open,
    /// Left, and free of cycles.
    Done,
}

/// The cycles that are reached from `roots`, each once: every label with the place where it names
/// the next. Depth first on a stack of its own, so that a chain of any length fits.
fn find_cycles(db: &dyn Db, roots: &[Target]) -> Vec<Vec<(Label, Anchor)>> {
    let mut cycles = Vec::new();
    let mut visits: FxHashMap<Target, Visit> = FxHashMap::default();
    // What names nothing is in no cycle.
    for root in roots.iter().filter(|root| !references(db, **root).is_empty()) {
        let mut path: Vec<(Target, usize)> = Vec::new();
        enter(*root, &mut visits, &mut path);
        while let Some((target, edge)) = path.last_mut() {
            let Some((next, _)) = references(db, *target).get(*edge) else {
                visits.insert(*target, Visit::Done);
                path.pop();
                continue;
            };
            *edge += 1;
            let next = db.target(next);
            match visits.get(&next) {
                None => enter(next, &mut visits, &mut path),
                Some(Visit::Done) => {}
                // The way on is not followed, so every edge that closes a cycle is met once.
                Some(Visit::Open) => cycles.push(closed(db, &path, next)),
            }
        }
    }
    cycles
}

fn enter(target: Target, visits: &mut FxHashMap<Target, Visit>, path: &mut Vec<(Target, usize)>) {
    if let Entry::Vacant(unseen) = visits.entry(target) {
        unseen.insert(Visit::Open);
        path.push((target, 0));
    }
}

/// The part of `path` from `first` on, each with the edge last taken.
fn closed(db: &dyn Db, path: &[(Target, usize)], first: Target) -> Vec<(Label, Anchor)> {
    path.iter()
        .skip_while(|(target, _)| *target != first)
        .map(|(target, edge)| {
            let (_, anchor) = &references(db, *target)[edge - 1];
            (target.label(db).clone(), anchor.clone())
        })
        .collect()
}
