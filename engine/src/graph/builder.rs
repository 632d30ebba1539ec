//! How a graph is made of rows, or goes on from one.

use std::collections::BTreeSet;
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vwfb_rules::label::{Label, WsPath};

use super::row::TaskRow;
use super::{NONE, Row, TargetId, TaskGraph, Waiting};
use crate::ahead;
use crate::columns::{Lists, Strings, narrow};
use crate::db::{Database, Db};
use crate::names::{members_of, names, sources_of};
use crate::package::{package_def, package_file};
use crate::plan::{Shape, TaskId};
use crate::written::{Written, of_package};

/// How many rows are made at once, which takes about a kilobyte for each.
const AT_ONCE: usize = 8192;

/// A target on the way into a graph.
enum Step {
    /// What it names comes first; with its row, if that is known.
    Enter(Option<Box<Row>>),
    /// All that it names is there.
    Leave(Box<Row>),
}

/// A graph in the making: rows are added after the rows of what they need.
#[derive(Default)]
pub(crate) struct Builder {
    graph: TaskGraph,
    inputs: Lists,
    gates: Lists,
    packages: FxHashMap<WsPath, u32>,
    targets: FxHashMap<Label, u32>,
    sources: FxHashMap<String, u32>,
    texts: FxHashMap<String, u32>,
    /// What waits for the items of a fan-out.
    open: FxHashSet<Label>,
}

impl Builder {
    /// Adds `root`, whose row this is, and what it names, without recursion.
    fn add(&mut self, db: &dyn Db, root: &Label, row: Row) {
        let mut stack = Vec::new();
        let mut step = (root.clone(), Step::Enter(Some(Box::new(row))));
        loop {
            let (label, now) = step;
            if !self.has(&label) {
                match now {
                    Step::Leave(row) => self.push_or_leave(label, &row),
                    Step::Enter(row) => {
                        let row = row.unwrap_or_else(|| Box::new(Row::of(db, &label)));
                        let refs: Vec<Label> = row.refs.iter().rev().cloned().collect();
                        stack.push((label, Step::Leave(row)));
                        stack.extend(refs.into_iter().map(|label| (label, Step::Enter(None))));
                    }
                }
            }
            let Some(next) = stack.pop() else { break };
            step = next;
        }
    }

    fn has(&self, label: &Label) -> bool {
        self.targets.contains_key(label) || self.open.contains(label)
    }

    /// Goes on with `graph`.
    pub(super) fn of(mut graph: TaskGraph) -> Self {
        let ids = (0..graph.package_of.len()).map(TargetId);
        graph.labels = ids.map(|id| graph.target_label(id)).collect();
        let targets = graph.labels.iter().cloned().zip(0..).collect();
        let numbered = |strings: &Strings| {
            let texts = (0..).zip(strings.iter());
            texts.map(|(number, text)| (text.to_owned(), number)).collect::<FxHashMap<_, _>>()
        };
        let packages = (0..).zip(graph.packages.iter());
        let path = |text: &str| WsPath::new(text).expect("a graph holds the paths of packages");
        let shape = std::mem::take(&mut graph.shape);
        graph.waiting.clear();
        graph.written_of_all = Written::default();
        Self {
            inputs: shape.input_lists().clone(),
            gates: shape.gate_lists().clone(),
            packages: packages.map(|(number, text)| (path(text), number)).collect(),
            targets,
            sources: numbered(&graph.sources),
            texts: numbered(&graph.texts),
            open: FxHashSet::default(),
            graph,
        }
    }

    /// The whole graph with `roots`, which are asked for.
    pub(super) fn with(mut self, db: &Database, roots: &[Label]) -> TaskGraph {
        let rows = |db: &dyn Db, some: &[&Label]| some.iter().map(|it| Row::of(db, it)).collect();
        let new: Vec<&Label> = roots.iter().filter(|label| !self.has(label)).collect();
        ahead::stream(db, new.chunks(AT_ONCE), rows, |some, rows: Vec<Row>| {
            for (label, row) in some.iter().zip(rows) {
                self.add(db, label, row);
            }
        });
        let requested = roots.iter().filter_map(|label| self.find(label)).collect();
        self.finish(db, requested)
    }

    /// Adds a target, unless what it needs is not known yet.
    fn push_or_leave(&mut self, label: Label, row: &Row) {
        if let Some(on) = &row.waits {
            let waiting = Waiting { fan_out: label.clone(), on: on.clone(), task: None };
            self.graph.waiting.push(waiting);
        }
        if row.waits.is_some() || row.refs.iter().any(|label| self.open.contains(label)) {
            self.open.insert(label);
        } else {
            self.push(&label, row);
        }
    }

    /// Adds a target, all that it needs being there.
    pub(crate) fn push(&mut self, label: &Label, row: &Row) {
        let id = narrow(self.graph.package_of.len());
        let package = self.package(&label.package);
        self.graph.package_of.push(package);
        self.graph.names.push(&label.target());
        self.graph.labels.push(label.clone());
        self.targets.insert(label.clone(), id);
        let refs: Vec<u32> = row.refs.iter().filter_map(|label| self.find(label)).collect();
        self.graph.refs.push(refs);
        self.graph.faces.push(row.face);
        self.graph.written.push(row.written);
        let missing: Vec<u32> = row.missing.iter().map(|path| self.text(path)).collect();
        self.graph.missing.push(missing);
        let makes: Vec<u32> = row.makes.iter().map(|path| self.text(path)).collect();
        self.graph.makes.push(makes);
        let task = row.task.as_ref().map_or(NONE, |task| self.push_task(id, task));
        self.graph.task_of.push(task);
        self.push_offers(&row.offers);
    }

    fn push_task(&mut self, target: u32, row: &TaskRow) -> u32 {
        let task = narrow(self.graph.target_of.len());
        self.graph.target_of.push(target);
        self.graph.sampled.push(u8::from(row.sampled));
        let reads: Vec<u32> = row.reads.iter().map(|path| self.source(path.as_str())).collect();
        self.graph.reads.push(reads);
        let inputs = self.tasks_of(&row.inputs);
        self.inputs.push(inputs);
        let gates = self.tasks_of(&row.gates);
        self.gates.push(gates);
        task
    }

    fn push_offers(&mut self, offers: &[(Label, String, String)]) {
        let mut numbers = Vec::new();
        for (label, name, path) in offers {
            let maker = self.find(label).map(|target| self.graph.task_of[target as usize]);
            if let Some(task) = maker.filter(|task| *task != NONE) {
                numbers.push(narrow(self.graph.offer_task.len()));
                self.graph.offer_task.push(task);
                let (name, path) = (self.text(name), self.text(path));
                self.graph.offer_name.push(name);
                self.graph.offer_path.push(path);
            }
        }
        self.graph.offers.push(numbers);
    }

    fn tasks_of(&self, labels: &BTreeSet<Label>) -> Vec<u32> {
        let targets = labels.iter().filter_map(|label| self.find(label));
        targets.map(|id| self.graph.task_of[id as usize]).filter(|task| *task != NONE).collect()
    }

    fn package(&mut self, path: &WsPath) -> u32 {
        if let Some(number) = self.packages.get(path) {
            return *number;
        }
        let number = self.graph.packages.push(path.as_str());
        self.packages.insert(path.clone(), number);
        number
    }

    fn source(&mut self, path: &str) -> u32 {
        if let Some(number) = self.sources.get(path) {
            return *number;
        }
        let number = self.graph.sources.push(path);
        self.sources.insert(path.to_owned(), number);
        number
    }

    fn text(&mut self, text: &str) -> u32 {
        if let Some(number) = self.texts.get(text) {
            return *number;
        }
        let number = self.graph.texts.push(text);
        self.texts.insert(text.to_owned(), number);
        number
    }

    pub(crate) fn find(&self, label: &Label) -> Option<u32> {
        self.targets.get(label).copied()
    }

    /// The tasks whose outputs may say what targets there are: those that items of any fan-out of
    /// these packages come from, also of one that has none now.
    fn expanded_from(&self, db: &dyn Db) -> Vec<u32> {
        let mut tasks = BTreeSet::new();
        for package in self.graph.packages.iter() {
            let path = WsPath::new(package).expect("a graph holds the paths of packages");
            let names = names(db, package_file(db, &path)).as_ref();
            let families = names.map(|names| Arc::clone(&names.value.families)).unwrap_or_default();
            for family in families.iter() {
                let sources = sources_of(db, family);
                let sources = sources.iter().flat_map(|source| members_of(db, source));
                let targets = sources.filter_map(|it| self.find(&it));
                let makers = targets.flat_map(|target| {
                    let own = self.graph.task_of[target as usize];
                    let offers = self.graph.offers.get(target as usize).iter();
                    let passed = offers.map(|offer| self.graph.offer_task[*offer as usize]);
                    passed.chain([own]).collect::<Vec<u32>>()
                });
                tasks.extend(makers.filter(|task| *task != NONE));
            }
        }
        tasks.into_iter().collect()
    }

    /// The whole graph, of which `requested` was asked for.
    fn finish(mut self, db: &dyn Db, requested: Vec<u32>) -> TaskGraph {
        for package in self.graph.packages.iter() {
            let path = WsPath::new(package).expect("a graph holds the paths of packages");
            let def = package_def(db, package_file(db, &path)).as_ref();
            let of_all = def.map(|def| of_package(&def.value)).unwrap_or_default();
            self.graph.written_of_all.push(of_all);
        }
        self.graph.expanded = self.expanded_from(db);
        for waiting in &mut self.graph.waiting {
            let on = self.targets.get(&waiting.on).map(|id| self.graph.task_of[*id as usize]);
            waiting.task = on.filter(|task| *task != NONE).map(|task| TaskId(task as usize));
        }
        self.graph.shape = Arc::new(Shape::of(self.inputs, self.gates));
        self.graph.requested = requested;
        self.graph
    }
}
