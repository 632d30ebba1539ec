//! The targets of one run with all they need, needs first, laid out in columns: made from the
//! queries' answers, or read back from the last run's snapshot.

mod builder;
mod row;

use std::collections::BTreeSet;
use std::sync::Arc;

pub(crate) use builder::Builder;
pub(crate) use row::{Row, missing_of};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::TaskDef;

use crate::columns::{Lists, Reader, Strings, Writer, narrow};
use crate::db::{Database, Db, Target};
use crate::plan::{Shape, TaskId};
use crate::target::task;
use crate::written::Written;

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
    /// Target -> the files that are missing and that something stands in for, of those it names.
    pub(crate) missing: Lists,
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
    pub fn of(db: &Database, roots: &[Label]) -> Self {
        Builder::default().with(db, roots)
    }

    /// The same targets, with those that `roots`, which are all that is asked for, need now that
    /// more outputs are known.
    pub(crate) fn grown(&self, db: &Database, roots: &[Label]) -> Self {
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
        to.lists(&self.missing);
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
            missing: from.lists(ANY)?,
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
            && graph.missing.len() == targets
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

    /// Whether no fan-out waits for its items; else what needs them is left out.
    pub const fn is_expanded(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether nothing is missing that something stands in for.
    pub(crate) fn is_final(&self) -> bool {
        (0..self.missing.len()).all(|id| self.missing.get(id).is_empty())
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
