//! What to remove: a pure function of what the index holds.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use super::worth::Dispensable;
use super::{GcReport, RemovedResult};
use crate::clock::UnixMillis;
use crate::index::{IndexError, Object, ObjectRow, ResultInfo, ResultRow, RootSet, Rows, Sequence};

/// Everything the store holds, and what holds what.
pub(super) struct State {
    objects: BTreeMap<ObjectRow, Node>,
    results: BTreeMap<ResultRow, Holder>,
    /// What was used at this moment or later may be in use.
    in_use: Option<Sequence>,
}

/// An object, and how many trees, results and roots hold it.
struct Node {
    object: Object,
    children: Vec<ObjectRow>,
    holders: usize,
    removed: bool,
}

/// A result and what it holds.
struct Holder {
    info: ResultInfo,
    objects: Vec<ObjectRow>,
    kept: bool,
}

/// Something that can be removed by itself.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Candidate {
    Loose(ObjectRow),
    Result(ResultRow),
}

/// How much may stay, at which moment.
pub(super) struct Limits {
    pub(super) now: UnixMillis,
    pub(super) max_age: Option<Duration>,
    pub(super) max_bytes: Option<u64>,
}

/// What goes.
pub(super) struct Plan {
    report: GcReport,
    results: Vec<ResultInfo>,
    objects: Vec<Object>,
}

impl Plan {
    pub(super) fn results(&self) -> impl Iterator<Item = &ResultInfo> {
        self.results.iter()
    }

    pub(super) fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.iter()
    }

    pub(super) fn report(&self) -> GcReport {
        self.report.clone()
    }
}

impl State {
    pub(super) fn load(rows: &Rows<'_>) -> Result<Self, IndexError> {
        let node =
            |object: Object| Node { object, children: Vec::new(), holders: 0, removed: false };
        let mut objects: BTreeMap<_, _> =
            rows.objects()?.into_iter().map(|object| (object.row, node(object))).collect();
        for (parent, child) in rows.edges()? {
            if let Some(child) = objects.get_mut(&child) {
                child.holders += 1;
            }
            if let Some(parent) = objects.get_mut(&parent) {
                parent.children.push(child);
            }
        }
        let holder = |info: ResultInfo| Holder { info, objects: Vec::new(), kept: false };
        let mut results: BTreeMap<_, _> =
            rows.results()?.into_iter().map(|info| (info.row, holder(info))).collect();
        for (result, object) in rows.result_objects()? {
            if let Some(object) = objects.get_mut(&object) {
                object.holders += 1;
            }
            if let Some(result) = results.get_mut(&result) {
                result.objects.push(object);
            }
        }
        Ok(Self { objects, results, in_use: rows.oldest_lease()? })
    }

    /// Holds what `roots` name.
    pub(super) fn keep(&mut self, roots: &RootSet) {
        for result in self.results.values_mut() {
            result.kept |= roots.keys.contains(&result.info.key);
        }
        for node in self.objects.values_mut() {
            if roots.objects.contains(&(node.object.blob, node.object.executable)) {
                node.holders += 1;
            }
        }
    }

    /// Decides what goes: what was not used for too long, then what is missed least until the rest
    /// fits.
    pub(super) fn plan(mut self, limits: &Limits) -> Plan {
        let mut plan = Plan { report: self.totals(), results: Vec::new(), objects: Vec::new() };
        let oldest_kept = limits.max_age.map(|age| limits.now.before(age));
        let (goes, may_go): (Vec<_>, _) = self.candidates().into_iter().partition(|candidate| {
            oldest_kept.is_some_and(|oldest| candidate.0 < oldest) || self.is_lost(candidate.1)
        });
        for (_, candidate) in goes {
            self.remove(candidate, &mut plan);
        }
        let Some(most) = limits.max_bytes else { return plan };
        for candidate in self.ranked(may_go, limits.now) {
            if plan.report.kept_bytes <= most {
                break;
            }
            self.remove(candidate, &mut plan);
        }
        plan
    }

    /// What is missed least first; of equals, what was not used for longest.
    fn ranked(&self, candidates: Vec<(UnixMillis, Candidate)>, now: UnixMillis) -> Vec<Candidate> {
        let mut known = BTreeMap::new();
        let rank = |(used_at, candidate)| {
            let (work, bytes) = self.cost(candidate, &mut known);
            let dispensable = Dispensable::of(now.since(used_at), work, bytes);
            (Reverse(dispensable), used_at, candidate)
        };
        let mut ranked: Vec<_> = candidates.into_iter().map(rank).collect();
        ranked.sort();
        ranked.into_iter().map(|(_, _, candidate)| candidate).collect()
    }

    /// The work that made it, and the bytes it holds; what it shares with others counts in full.
    fn cost(&self, candidate: Candidate, known: &mut BTreeMap<ObjectRow, u64>) -> (Duration, u64) {
        match candidate {
            Candidate::Loose(row) => (Duration::ZERO, self.weight(row, known)),
            Candidate::Result(row) => {
                let Holder { info, objects, .. } = &self.results[&row];
                let weights = objects.iter().map(|object| self.weight(*object, known));
                (info.work, weights.fold(0, u64::saturating_add))
            }
        }
    }

    /// The bytes of an object and all below it.
    fn weight(&self, row: ObjectRow, known: &mut BTreeMap<ObjectRow, u64>) -> u64 {
        if let Some(weight) = known.get(&row) {
            return *weight;
        }
        let Some(node) = self.objects.get(&row) else { return 0 };
        let below = node.children.iter().map(|child| self.weight(*child, known));
        let weight = below.fold(stored(&node.object), u64::saturating_add);
        known.insert(row, weight);
        weight
    }

    fn totals(&self) -> GcReport {
        GcReport {
            kept_results: self.results.len() as u64,
            kept_objects: self.objects.len() as u64,
            kept_bytes: self.objects.values().map(|node| stored(&node.object)).sum(),
            ..GcReport::default()
        }
    }

    /// What may go, longest unused first.
    fn candidates(&self) -> Vec<(UnixMillis, Candidate)> {
        let results = self
            .results
            .iter()
            .filter(|(_, result)| !result.kept && !self.is_in_use(result.info.used));
        let results = results.map(|(row, result)| (result.info.used_at, Candidate::Result(*row)));
        let loose = self
            .objects
            .iter()
            .filter(|(_, node)| node.holders == 0 && !self.is_in_use(node.object.used));
        let loose = loose.map(|(row, node)| (node.object.used_at, Candidate::Loose(*row)));
        let mut candidates: Vec<_> = results.chain(loose).collect();
        candidates.sort();
        candidates
    }

    fn is_in_use(&self, used: Sequence) -> bool {
        self.in_use.is_some_and(|oldest| used >= oldest)
    }

    /// Whether it is an object without file that nothing names.
    fn is_lost(&self, candidate: Candidate) -> bool {
        match candidate {
            Candidate::Loose(row) => self.objects[&row].object.missing,
            Candidate::Result(_) => false,
        }
    }

    fn remove(&mut self, candidate: Candidate, plan: &mut Plan) {
        let before = plan.report.bytes;
        match candidate {
            Candidate::Loose(row) => self.remove_object(row, plan),
            Candidate::Result(row) => {
                let Holder { info, ref objects, .. } = self.results[&row];
                for object in objects.clone() {
                    self.release(object, plan);
                }
                plan.report.kept_results -= 1;
                let bytes = plan.report.bytes - before;
                plan.report.results.push(RemovedResult { key: info.key, bytes });
                plan.results.push(info);
            }
        }
    }

    /// Takes one holder from an object, which goes with its last one unless it is used itself.
    fn release(&mut self, row: ObjectRow, plan: &mut Plan) {
        let in_use = self.in_use;
        let Some(node) = self.objects.get_mut(&row) else { return };
        node.holders -= 1;
        let used = in_use.is_some_and(|oldest| node.object.used >= oldest);
        if node.holders == 0 && !used {
            self.remove_object(row, plan);
        }
    }

    fn remove_object(&mut self, first: ObjectRow, plan: &mut Plan) {
        let Some(node) = self.objects.get_mut(&first) else { return };
        if std::mem::replace(&mut node.removed, true) {
            return;
        }
        let object = node.object;
        plan.report.objects += 1;
        plan.report.kept_objects -= 1;
        plan.report.bytes += stored(&object);
        plan.report.kept_bytes -= stored(&object);
        plan.objects.push(object);
        for child in node.children.clone() {
            self.release(child, plan);
        }
    }
}

/// The bytes an object takes in the store.
fn stored(object: &Object) -> u64 {
    if object.missing { 0 } else { object.size }
}
