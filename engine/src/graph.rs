//! The targets of one run with all they need, needs first, laid out in columns: made from the
//! queries' answers, or read back from the last run's snapshot.

use std::collections::BTreeSet;
use std::hash::{Hash as _, Hasher};
use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::{InputRef, Results, TaskDef};

use crate::columns::{Lists, Reader, Strings, Writer, narrow};
use crate::db::{Db, Target};
use crate::names::{Named, members_of, named, names, placed, sources_of};
use crate::package::{package_def, package_file};
use crate::plan::{Shape, TaskId};
use crate::target::{declared, provides, references, task};
use crate::written::{Short, Written, of_package};

/// Stands for no task.
const NONE: u32 = u32::MAX;

/// A target's place in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TargetId(pub usize);

/// One output that a target offers: its own, or one that a `filegroup` or `alias` passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer<'g> {
    /// The task that makes it.
    pub task: TaskId,
    /// Its name there.
    pub name: &'g str,
    /// Its path below the output folder.
    pub path: &'g str,
}

/// The targets of one run, those that run nothing too.
#[derive(Debug, Clone, Default)]
pub struct TaskGraph {
    pub(crate) packages: Strings,
    /// Target -> its package.
    pub(crate) package_of: Vec<u32>,
    /// Target -> its name in its package.
    pub(crate) names: Strings,
    /// Target -> the targets that its text names.
    pub(crate) refs: Lists,
    /// Target -> its task, or `NONE`.
    pub(crate) task_of: Vec<u32>,
    /// Target -> what others see of it: a digest of all it provides.
    pub(crate) faces: Vec<[u8; 32]>,
    /// Target -> what its text says.
    pub(crate) written: Written,
    /// Package -> what its text says of all its targets.
    pub(crate) written_of_all: Written,
    /// Target -> the paths of all its own outputs.
    pub(crate) makes: Lists,
    /// Target -> its offers, those of the default group first.
    pub(crate) offers: Lists,
    pub(crate) offer_task: Vec<u32>,
    pub(crate) offer_name: Vec<u32>,
    pub(crate) offer_path: Vec<u32>,
    /// Output names and paths, each once.
    pub(crate) texts: Strings,
    /// Task -> its target.
    pub(crate) target_of: Vec<u32>,
    /// Task -> 1 if its results are sampled.
    pub(crate) sampled: Vec<u8>,
    /// Task -> the sources that it reads.
    pub(crate) reads: Lists,
    pub(crate) sources: Strings,
    pub(crate) shape: Arc<Shape>,
    /// What was asked for, in that order.
    pub(crate) requested: Vec<u32>,
    /// The tasks whose outputs say what further targets there are.
    pub(crate) expanded: Vec<u32>,
    /// The fan-outs whose items are not known; what needs them is left out.
    pub(crate) waiting: Vec<Waiting>,
    /// The names of all targets, unless it comes from a file: there they are read when asked for.
    labels: Vec<Label>,
}

/// A fan-out that expands when its items are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The fan-out.
    pub fan_out: Label,
    /// The target that makes its items.
    pub on: Label,
    /// Its task; `None` if that is behind another such fan-out.
    pub(crate) task: Option<TaskId>,
}

impl TaskGraph {
    /// The targets `roots` and all they need. They must be free of errors and cycles.
    pub fn of(db: &dyn Db, roots: &[Label]) -> Self {
        Builder::default().with(db, roots)
    }

    /// The same targets, with those that `roots`, which are all that is asked for, need now that
    /// more outputs are known.
    pub(crate) fn grown(&self, db: &dyn Db, roots: &[Label]) -> Self {
        Builder::of(self.clone()).with(db, roots)
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.strings(&self.packages);
        to.column(&self.package_of);
        to.strings(&self.names);
        to.lists(&self.refs);
        to.column(&self.task_of);
        to.column(&self.faces);
        self.written.write(to);
        self.written_of_all.write(to);
        to.lists(&self.makes);
        to.lists(&self.offers);
        to.column(&self.offer_task);
        to.column(&self.offer_name);
        to.column(&self.offer_path);
        to.strings(&self.texts);
        to.column(&self.target_of);
        to.column(&self.sampled);
        to.lists(&self.reads);
        to.strings(&self.sources);
        to.lists(self.shape.input_lists());
        to.lists(self.shape.gate_lists());
        to.column(&self.requested);
        to.column(&self.expanded);
    }

    /// Reads what [`TaskGraph::write`] wrote, whose bytes are known to be whole.
    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        const ANY: usize = NONE as usize;
        let mut graph = Self {
            packages: from.strings()?,
            package_of: from.column()?,
            names: from.strings()?,
            refs: from.lists(ANY)?,
            task_of: from.column()?,
            faces: from.column()?,
            written: Written::read(from)?,
            written_of_all: Written::read(from)?,
            makes: from.lists(ANY)?,
            offers: from.lists(ANY)?,
            offer_task: from.column()?,
            offer_name: from.column()?,
            offer_path: from.column()?,
            texts: from.strings()?,
            target_of: from.column()?,
            sampled: from.column()?,
            reads: from.lists(ANY)?,
            sources: from.strings()?,
            shape: Arc::default(),
            requested: Vec::new(),
            expanded: Vec::new(),
            waiting: Vec::new(),
            labels: Vec::new(),
        };
        graph.shape = Arc::new(Shape::of(from.lists(graph.target_of.len())?, from.lists(ANY)?));
        graph.requested = from.column()?;
        graph.expanded = from.column()?;
        let targets = graph.package_of.len();
        let tasks = graph.target_of.len();
        let whole = [graph.names.len(), graph.refs.len(), graph.task_of.len()] == [targets; 3]
            && [graph.faces.len(), graph.makes.len(), graph.offers.len()] == [targets; 3]
            && [graph.written.len(), graph.written_of_all.len()] == [targets, graph.packages.len()]
            && [graph.sampled.len(), graph.reads.len(), graph.shape.len()] == [tasks; 3];
        let known = graph.expanded.iter().all(|task| (*task as usize) < tasks);
        (whole && known).then_some(graph)
    }

    /// How many tasks there are.
    pub const fn tasks(&self) -> usize {
        self.target_of.len()
    }

    /// The name of a task's target.
    pub fn label(&self, id: TaskId) -> Label {
        self.target_label(TargetId(self.target_of[id.0] as usize))
    }

    /// The name of a target.
    pub fn target_label(&self, id: TargetId) -> Label {
        if let Some(label) = self.labels.get(id.0) {
            return label.clone();
        }
        let package = self.package(self.package_of[id.0]);
        let name = self.names.get(narrow(id.0));
        Label::listed(package, name)
    }

    /// The name of a target in its package.
    pub(crate) fn target_name(&self, id: TargetId) -> &str {
        self.names.get(narrow(id.0))
    }

    /// The task of a target, if it runs one.
    pub(crate) fn task(&self, id: TargetId) -> Option<TaskId> {
        let task = self.task_of[id.0];
        (task != NONE).then_some(TaskId(task as usize))
    }

    fn package(&self, number: u32) -> WsPath {
        WsPath::new(self.packages.get(number)).expect("a graph holds the paths of packages")
    }

    /// The salsa input of a task's target.
    pub fn target(&self, db: &dyn Db, id: TaskId) -> Target {
        db.target(&self.label(id))
    }

    /// A task's definition, from the queries.
    pub fn def(&self, db: &dyn Db, id: TaskId) -> Arc<TaskDef> {
        let def = task(db, self.target(db, id)).value.clone();
        def.expect("a graph's task is the task of its target")
    }

    /// The task of `label`.
    pub fn find(&self, label: &Label) -> Option<TaskId> {
        self.task(self.find_target(label)?)
    }

    /// The target of `label`.
    pub fn find_target(&self, label: &Label) -> Option<TargetId> {
        let package = self.packages.iter().position(|path| path == label.package.as_str())?;
        let name = label.target();
        let of_package = |id: &usize| self.package_of[*id] as usize == package;
        let mut ids = (0..self.package_of.len()).filter(of_package);
        ids.find(|id| self.names.get(narrow(*id)) == name).map(TargetId)
    }

    /// The workspace's files and folders that tasks read.
    pub fn sources(&self) -> BTreeSet<WsPath> {
        self.sources.iter().filter_map(|path| WsPath::new(path).ok()).collect()
    }

    /// Which task needs which.
    pub const fn shape(&self) -> &Arc<Shape> {
        &self.shape
    }

    /// What was asked for.
    pub fn requested(&self) -> impl Iterator<Item = TargetId> + '_ {
        self.requested.iter().map(|id| TargetId(*id as usize))
    }

    /// Whether tasks whose outputs say what targets there are may have other outputs than before,
    /// as the `suspects` may.
    pub(crate) fn expands_by(&self, suspects: &[bool]) -> bool {
        if self.expanded.is_empty() || !suspects.contains(&true) {
            return false;
        }
        let mut reached = suspects.to_vec();
        for id in self.shape.tasks() {
            reached[id.0] = reached[id.0] || self.shape.inputs(id).any(|need| reached[need.0]);
        }
        self.expanded.iter().any(|task| reached[*task as usize])
    }

    /// The outputs that a target offers, those of its default group first.
    pub fn offers(&self, id: TargetId) -> impl Iterator<Item = Offer<'_>> + '_ {
        self.offers.get(id.0).iter().map(|offer| self.offer(*offer as usize))
    }

    pub(crate) fn offer(&self, offer: usize) -> Offer<'_> {
        Offer {
            task: TaskId(self.offer_task[offer] as usize),
            name: self.texts.get(self.offer_name[offer]),
            path: self.texts.get(self.offer_path[offer]),
        }
    }

    /// The sources that a task reads.
    pub(crate) fn sources_of(&self, id: TaskId) -> impl Iterator<Item = &str> {
        self.reads.get(id.0).iter().map(|source| self.sources.get(*source))
    }

    /// Whether another run of a task would make other bytes.
    pub fn is_sampled(&self, id: TaskId) -> bool {
        self.sampled[id.0] == 1
    }
}

/// A target as the queries answer.
pub(crate) struct Row {
    /// In the order of the text, each once.
    pub(crate) refs: Vec<Label>,
    pub(crate) face: [u8; 32],
    pub(crate) written: Short,
    pub(crate) makes: Vec<String>,
    pub(crate) offers: Vec<(Label, String, String)>,
    pub(crate) task: Option<TaskRow>,
    /// The target that makes the items of the fan-out that it is, if they are not known.
    pub(crate) waits: Option<Label>,
}

pub(crate) struct TaskRow {
    pub(crate) inputs: BTreeSet<Label>,
    pub(crate) gates: BTreeSet<Label>,
    pub(crate) reads: BTreeSet<WsPath>,
    pub(crate) sampled: bool,
}

impl Row {
    /// The row of `label`, which must be free of errors.
    pub(crate) fn of(db: &dyn Db, label: &Label) -> Self {
        let target = db.target(label);
        let provided = provides(db, target).unwrap_or_default();
        let mut face = Digesting::default();
        provided.hash(&mut face);
        let mut offers: Vec<(bool, (Label, String, String))> = Vec::new();
        for output in provided.iter() {
            if let InputRef::Output { label, output: name, subpath: None } = &output.from {
                let offer = (label.clone(), name.clone(), output.path.to_string());
                offers.push((output.default, offer));
            }
        }
        offers.sort_by_key(|(default, _)| !default);
        let outputs = declared(db, target).value.as_ref().map(|declared| &declared.outputs);
        Self {
            refs: in_order(references(db, target).iter().map(|(label, _)| label)),
            face: *face.0.finalize().as_bytes(),
            written: placed(db, target).map(|placed| placed.def.digest()).unwrap_or_default(),
            makes: outputs
                .into_iter()
                .flat_map(|all| all.iter())
                .map(|output| output.path.to_string())
                .collect(),
            offers: offers.into_iter().map(|(_, offer)| offer).collect(),
            task: task(db, target).value.as_ref().map(|def| TaskRow::of(db, def)),
            waits: waits_on(db, target),
        }
    }
}

/// A digest of what is hashed into it.
#[derive(Default)]
struct Digesting(blake3::Hasher);

impl Hasher for Digesting {
    fn write(&mut self, bytes: &[u8]) {
        let _hasher = self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        u64::from_le_bytes(*self.0.finalize().as_bytes().first_chunk().expect("it has 32 bytes"))
    }
}

fn waits_on(db: &dyn Db, target: Target) -> Option<Label> {
    match named(db, target) {
        Some(Named::Waiting(on)) => Some(on),
        _ => None,
    }
}

fn in_order<'a>(labels: impl Iterator<Item = &'a Label>) -> Vec<Label> {
    let mut seen = BTreeSet::new();
    labels.filter(|label| seen.insert(*label)).cloned().collect()
}

impl TaskRow {
    fn of(db: &dyn Db, def: &TaskDef) -> Self {
        let mut row = Self {
            inputs: BTreeSet::new(),
            gates: def.after.iter().flat_map(|gate| makers(db, gate)).collect(),
            reads: BTreeSet::new(),
            sampled: def.results == Results::Sampled,
        };
        for input in def.inputs.values() {
            match input {
                InputRef::Source(path) => drop(row.reads.insert(path.clone())),
                InputRef::Output { label, .. } => drop(row.inputs.insert(label.clone())),
            }
        }
        // What it reads has succeeded anyway.
        row.gates.retain(|gate| !row.inputs.contains(gate));
        row
    }
}

/// The tasks behind `label`: itself, or those that a `filegroup` or `alias` passes on.
fn makers(db: &dyn Db, label: &Label) -> Vec<Label> {
    let target = db.target(label);
    if task(db, target).value.is_some() {
        return vec![label.clone()];
    }
    let mut labels = BTreeSet::new();
    for output in provides(db, target).unwrap_or_default().iter() {
        if let InputRef::Output { label, .. } = &output.from {
            labels.insert(label.clone());
        }
    }
    labels.into_iter().collect()
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
    /// Adds `root` and what it names, without recursion.
    fn add(&mut self, db: &dyn Db, root: &Label) {
        let mut stack = vec![(root.clone(), None::<Box<Row>>)];
        while let Some((label, row)) = stack.pop() {
            if self.targets.contains_key(&label) || self.open.contains(&label) {
                continue;
            }
            match row {
                Some(row) => self.push_or_leave(label, &row),
                None => {
                    let row = Row::of(db, &label);
                    let refs: Vec<Label> = row.refs.iter().rev().cloned().collect();
                    stack.push((label, Some(Box::new(row))));
                    stack.extend(refs.into_iter().map(|label| (label, None)));
                }
            }
        }
    }

    /// Goes on with `graph`.
    fn of(mut graph: TaskGraph) -> Self {
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
    fn with(mut self, db: &dyn Db, roots: &[Label]) -> TaskGraph {
        for label in roots {
            self.add(db, label);
        }
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
