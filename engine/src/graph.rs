//! The tasks that requested targets need, in topological order: the queries' answers laid out for
//! one run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::{InputRef, TaskDef};

use crate::db::{Db, Target};
use crate::plan::{Shape, TaskId};
use crate::target::{provides, task};

/// One task.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its label.
    pub label: Label,
    /// Its salsa input.
    pub target: Target,
    /// Its definition.
    pub def: Arc<TaskDef>,
}

/// A requested target with what it offers.
#[derive(Debug, Clone)]
pub struct Requested {
    /// The target.
    pub label: Label,
    /// Its outputs.
    pub outputs: Vec<RequestedOutput>,
}

/// One output of a requested target.
#[derive(Debug, Clone)]
pub struct RequestedOutput {
    /// The task that makes it.
    pub task: TaskId,
    /// Its name there.
    pub name: String,
    /// Its path below the output folder.
    pub path: WsPath,
}

/// The tasks of one run.
#[derive(Debug, Clone, Default)]
pub struct TaskGraph {
    nodes: Vec<Node>,
    shape: Shape,
    by_label: BTreeMap<Label, TaskId>,
    requested: Vec<Requested>,
}

impl TaskGraph {
    /// The tasks that `targets` need. The targets must be free of errors and cycles.
    pub fn of(db: &dyn Db, targets: &[Label]) -> Self {
        let mut graph = Self::default();
        for label in targets {
            for maker in makers(db, label) {
                graph.add(db, &maker);
            }
        }
        graph.requested = targets.iter().map(|label| graph.requested_target(db, label)).collect();
        graph
    }

    /// Adds `root` and what it needs, needs first, without recursion.
    fn add(&mut self, db: &dyn Db, root: &Label) {
        let mut stack = vec![(root.clone(), false)];
        while let Some((label, needs_added)) = stack.pop() {
            if self.by_label.contains_key(&label) {
                continue;
            }
            let target = db.target(&label);
            let Some(def) = task(db, target).value.clone() else { continue };
            let inputs = inputs_of(&def);
            let gates: BTreeSet<Label> =
                def.after.iter().flat_map(|gate| makers(db, gate)).collect();
            if needs_added {
                let ids = |labels: &BTreeSet<Label>| {
                    labels.iter().filter_map(|label| self.find(label)).collect::<Vec<_>>()
                };
                let id = self.shape.add(ids(&inputs), ids(&gates));
                self.by_label.insert(label.clone(), id);
                self.nodes.push(Node { label, target, def });
            } else {
                stack.push((label, true));
                stack.extend(inputs.into_iter().chain(gates).map(|need| (need, false)));
            }
        }
    }

    fn requested_target(&self, db: &dyn Db, label: &Label) -> Requested {
        let provided = provides(db, db.target(label)).unwrap_or_default();
        let mut outputs: Vec<(bool, RequestedOutput)> = Vec::new();
        for output in provided.iter() {
            let InputRef::Output { label, output: name, subpath: None } = &output.from else {
                continue;
            };
            if let Some(task) = self.find(label) {
                let name = name.clone();
                let path = output.path.clone();
                outputs.push((output.default, RequestedOutput { task, name, path }));
            }
        }
        outputs.sort_by_key(|(default, _)| !default);
        Requested {
            label: label.clone(),
            outputs: outputs.into_iter().map(|(_, output)| output).collect(),
        }
    }

    /// All tasks, needs first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One task.
    pub fn node(&self, id: TaskId) -> &Node {
        &self.nodes[id.0]
    }

    /// The task of `label`.
    pub fn find(&self, label: &Label) -> Option<TaskId> {
        self.by_label.get(label).copied()
    }

    /// The workspace's files and folders that tasks read.
    pub fn sources(&self) -> BTreeSet<WsPath> {
        let inputs = self.nodes.iter().flat_map(|node| node.def.inputs.values());
        let source = |input: &InputRef| match input {
            InputRef::Source(path) => Some(path.clone()),
            InputRef::Output { .. } => None,
        };
        inputs.filter_map(source).collect()
    }

    /// Which task needs which.
    pub const fn shape(&self) -> &Shape {
        &self.shape
    }

    /// What was asked for.
    pub fn requested(&self) -> &[Requested] {
        &self.requested
    }
}

/// The tasks whose outputs `def` reads.
fn inputs_of(def: &TaskDef) -> BTreeSet<Label> {
    let mut labels = BTreeSet::new();
    for input in def.inputs.values() {
        if let InputRef::Output { label, .. } = input {
            labels.insert(label.clone());
        }
    }
    labels
}

/// The tasks behind `label`: itself, or those that a `filegroup` or `alias` passes on.
pub(crate) fn makers(db: &dyn Db, label: &Label) -> Vec<Label> {
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
