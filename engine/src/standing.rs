//! Standing: whether what a target comes to is final, or what it is only for now.
//!
//! It is in no key and no result: equal bytes can stand differently. It follows from the graph, so
//! it is found again whenever it is asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vwfb_rules::label::Label;
use vwfb_rules::placeholder::For;

use crate::graph::{TargetId, TaskGraph};
use crate::plan::TaskId;

/// Why something is not final.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A file of the workspace is missing, and something stands in for it.
    Missing(String),
    /// A target is not made, and a placeholder stands in for it.
    Placeholder(Label),
    /// A target is what it last came to, and not what it would be now.
    LastGood(Label),
    /// Nobody approved what a checkpoint asks about.
    Unapproved(Label),
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing(path) => f.write_str(path),
            Self::Placeholder(label) => write!(f, "{label}"),
            Self::LastGood(label) => write!(f, "{label} as it last was"),
            Self::Unapproved(label) => write!(f, "{label} not approved"),
        }
    }
}

/// How a target stands: final where there are no reasons, provisional otherwise.
pub type Standing = Arc<BTreeSet<Reason>>;

/// A requested target that is not final.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provisional {
    /// The target.
    pub label: Label,
    /// Why, each with the targets that wait for it to go away.
    pub reasons: Vec<(Reason, Vec<Label>)>,
}

impl Provisional {
    /// The reasons in one line: `assets/intro.png, assets/outro.mp4`.
    pub fn told(&self) -> String {
        let reasons: Vec<String> =
            self.reasons.iter().map(|(reason, _)| reason.to_string()).collect();
        reasons.join(", ")
    }
}

/// The requested targets of `graph` that are not final.
pub fn provisional(graph: &TaskGraph) -> Vec<Provisional> {
    let standings = Standings::of(graph);
    if standings.all.is_empty() {
        return Vec::new();
    }
    let mut users: BTreeMap<Reason, Vec<Label>> = BTreeMap::new();
    for id in (0..graph.missing.len()).map(TargetId) {
        let label = graph.target_label(id);
        // A placeholder waits for nothing.
        if For::of(&label).is_some() {
            continue;
        }
        for path in graph.missing.get(id.0) {
            let reason = Reason::Missing(graph.texts.get(*path).to_owned());
            users.entry(reason).or_default().push(label.clone());
        }
    }
    let of = |target: TargetId| {
        let standing = standings.get(target);
        let with_users = |reason: &Reason| {
            let users = users.get(reason).cloned().unwrap_or_default();
            (reason.clone(), users)
        };
        let reasons: Vec<_> = standing.iter().map(with_users).collect();
        (!reasons.is_empty()).then(|| Provisional { label: graph.target_label(target), reasons })
    };
    graph.requested().filter_map(of).collect()
}

/// How every target of a graph stands.
#[derive(Debug, Clone, Default)]
pub struct Standings {
    /// None where all are final.
    all: Vec<Standing>,
}

impl Standings {
    /// Of the targets of `graph`.
    pub fn of(graph: &TaskGraph) -> Self {
        Self::with(graph, &BTreeMap::new())
    }

    /// Of the targets of `graph`, where something stands in for some tasks for these reasons.
    pub(crate) fn with(graph: &TaskGraph, stand_ins: &BTreeMap<TaskId, Reason>) -> Self {
        let targets = graph.missing.len();
        if stand_ins.is_empty() && graph.is_final() {
            return Self::default();
        }
        let mut all: Vec<Standing> = Vec::with_capacity(targets);
        // What a target names comes before it.
        for id in 0..targets {
            let reason = graph.task(TargetId(id)).and_then(|task| stand_ins.get(&task));
            if let Some(reason) = reason {
                all.push(Arc::new(BTreeSet::from([reason.clone()])));
                continue;
            }
            let own = graph.missing.get(id).iter();
            let own = own.map(|path| Reason::Missing(graph.texts.get(*path).to_owned()));
            let own: BTreeSet<Reason> = own.collect();
            let named = graph.refs.get(id).iter().map(|it| &all[*it as usize]);
            all.push(union(own, named));
        }
        Self { all }
    }

    /// How what the task `id` of `graph` makes stands.
    pub fn of_task(&self, graph: &TaskGraph, id: TaskId) -> Standing {
        self.get(TargetId(graph.target_of[id.0] as usize))
    }

    /// How `target` stands.
    pub fn get(&self, target: TargetId) -> Standing {
        self.all.get(target.0).cloned().unwrap_or_default()
    }
}

/// All reasons, in one that is there already where that has them all.
fn union<'a>(own: BTreeSet<Reason>, named: impl Iterator<Item = &'a Standing>) -> Standing {
    let mut sum: Option<Standing> = (!own.is_empty()).then(|| Arc::new(own));
    for other in named.filter(|it| !it.is_empty()) {
        sum = Some(match sum {
            None => Arc::clone(other),
            Some(sum) if sum.is_superset(other) => sum,
            Some(sum) if other.is_superset(&sum) => Arc::clone(other),
            Some(sum) => Arc::new(sum.union(other).cloned().collect()),
        });
    }
    sum.unwrap_or_default()
}
