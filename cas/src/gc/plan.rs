//! What to remove: a pure function of what the index holds.

use std::collections::BTreeMap;

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

    /// Decides what goes: everything last used before `oldest_kept`, then what was not used for
    /// longest until at most `max_bytes` are left.
    pub(super) fn plan(mut self, oldest_kept: Option<UnixMillis>, max_bytes: Option<u64>) -> Plan {
        let mut plan = Plan { report: self.totals(), results: Vec::new(), objects: Vec::new() };
        for (used_at, candidate) in self.candidates() {
            let too_old = oldest_kept.is_some_and(|oldest| used_at < oldest);
            let too_much = max_bytes.is_some_and(|most| plan.report.kept_bytes > most);
            if too_old || too_much || self.is_lost(candidate) {
                self.remove(candidate, &mut plan);
            }
        }
        plan
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
