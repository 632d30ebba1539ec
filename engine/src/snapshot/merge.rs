//! Rule files that changed, brought into the graph of a snapshot: their targets are asked for
//! anew, and the rest of the graph stands.

use std::collections::HashMap;

use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;

use crate::check::problems_of;
use crate::columns::narrow;
use crate::db::{Database, Db};
use crate::graph::{Row, TargetId, TaskGraph};
use crate::package::{package_def, package_file, workspace};
use crate::plan::TaskId;
use crate::written::{Short, of_package};

/// Whether the targets of `packages`, whose text is another, still make up `graph`, so that at most
/// their tasks' keys differ: those of the tasks that are returned. `None` says that everything is
/// to be evaluated.
pub(crate) fn merge(
    db: &Database,
    graph: &mut TaskGraph,
    packages: &[WsPath],
    patterns: &[Pattern],
) -> Option<Vec<TaskId>> {
    if packages.is_empty() {
        return Some(Vec::new());
    }
    let (overrides, _) = db.settings();
    // Which variables exist anywhere is then part of what is checked.
    let profiles = !workspace(db).value.profiles.is_empty();
    let sets = !overrides.vars.is_empty() || !overrides.params.is_empty();
    if profiles || overrides.profile.is_some() || sets {
        return None;
    }
    let mut rows = RowsByLabel::of(graph);
    let edits = packages.iter().map(|package| edit(db, graph, &mut rows, package, patterns));
    let edits = edits.collect::<Option<Vec<Edit>>>()?;
    let mut tasks = Vec::new();
    for Edit { package, of_all, targets } in edits {
        graph.written_of_all.set(package, of_all);
        for (target, written) in targets {
            graph.written.set(narrow(target.0), written);
            tasks.extend(graph.task(target));
        }
    }
    Some(tasks)
}

/// What the text of one package says anew.
struct Edit {
    package: u32,
    of_all: Short,
    /// The targets that may have another definition.
    targets: Vec<(TargetId, Short)>,
}

/// What is new in the text of `package`; `None` if it does not fit the graph.
fn edit(
    db: &Database,
    graph: &TaskGraph,
    rows: &mut RowsByLabel<'_>,
    package: &WsPath,
    patterns: &[Pattern],
) -> Option<Edit> {
    let dyn_db: &dyn Db = db;
    // Only then are all its targets in the graph.
    let whole = |pattern: &Pattern| match pattern {
        Pattern::Below(folder) => package.is_within(folder),
        Pattern::Package(asked) => asked == package,
        Pattern::Target(_) => false,
    };
    let [pattern] = patterns else { return None };
    let number = narrow(graph.packages.iter().position(|path| path == package.as_str())?);
    let def = &package_def(dyn_db, package_file(dyn_db, package)).as_ref()?.value;
    let asked: Vec<TargetId> =
        graph.requested().filter(|id| graph.package_of[id.0] == number).collect();
    let names = asked.iter().map(|id| graph.target_name(*id));
    let members = &def.block.members;
    if !whole(pattern) || !members.iter().map(|target| target.name.as_ref()).eq(names) {
        return None;
    }
    // What a target comes to follows from its own text, what its package says of all, and what
    // the targets that it names provide, which is the same or `matches` says so.
    let of_all = of_package(def);
    let all = of_all != graph.written_of_all.get(number);
    let written = asked.iter().zip(members).map(|(id, target)| (*id, target.digest()));
    let differs = |(id, now): &(TargetId, Short)| all || graph.written.get(narrow(id.0)) != *now;
    let targets: Vec<(TargetId, Short)> = written.filter(differs).collect();
    let labels: Vec<Label> = targets.iter().map(|(id, _)| graph.target_label(*id)).collect();
    let fits = problems_of(db, package, &labels).is_empty()
        && targets
            .iter()
            .zip(&labels)
            .all(|((id, _), label)| rows.matches(*id, &Row::of(dyn_db, label)));
    fits.then_some(Edit { package: number, of_all, targets })
}

/// The targets of a graph by name, a package at a time.
struct RowsByLabel<'g> {
    graph: &'g TaskGraph,
    packages: HashMap<&'g str, HashMap<&'g str, TargetId>>,
}

impl<'g> RowsByLabel<'g> {
    fn of(graph: &'g TaskGraph) -> Self {
        Self { graph, packages: HashMap::new() }
    }

    fn find(&mut self, label: &Label) -> Option<TargetId> {
        let graph = self.graph;
        let number = graph.packages.iter().position(|path| path == label.package.as_str())?;
        let names = self.packages.entry(graph.packages.get(narrow(number))).or_insert_with(|| {
            let targets = graph.package_of.iter().enumerate();
            let of_package = targets.filter(|(_, package)| **package as usize == number);
            of_package.map(|(id, _)| (graph.target_name(TargetId(id)), TargetId(id))).collect()
        });
        names.get(label.target().as_str()).copied()
    }

    /// Whether `row` is that of the target `id`.
    fn matches(&mut self, id: TargetId, row: &Row) -> bool {
        let graph = self.graph;
        let refs = graph.refs.get(id.0);
        let missing = graph.missing.get(id.0).iter().map(|path| graph.texts.get(*path));
        let makes = graph.makes.get(id.0).iter().map(|path| graph.texts.get(*path));
        let same = graph.faces[id.0] == row.face
            && missing.eq(row.missing.iter().map(String::as_str))
            && makes.eq(row.makes.iter().map(String::as_str))
            && refs.len() == row.refs.len()
            && row
                .refs
                .iter()
                .all(|label| self.find(label).is_some_and(|found| refs.contains(&narrow(found.0))))
            && self.same_offers(id, row);
        same && self.same_task(id, row)
    }

    fn same_offers(&mut self, id: TargetId, row: &Row) -> bool {
        let graph = self.graph;
        let offers: Vec<_> = graph.offers(id).collect();
        offers.len() == row.offers.len()
            && offers.iter().zip(&row.offers).all(|(offer, (label, name, path))| {
                offer.name == name && offer.path == path && graph.label(offer.task) == *label
            })
    }

    fn same_task(&mut self, id: TargetId, row: &Row) -> bool {
        let graph = self.graph;
        let (task, row) = match (graph.task(id), &row.task) {
            (None, None) => return true,
            (Some(task), Some(row)) => (task, row),
            _ => return false,
        };
        let mut needs = |labels: &mut dyn Iterator<Item = &Label>| {
            let mut found: Vec<u32> = Vec::new();
            for label in labels {
                let task = self.find(label).and_then(|target| graph.task(target));
                found.push(task.map_or(u32::MAX, |task| narrow(task.0)));
            }
            found.sort_unstable();
            found
        };
        let sorted = |items: &[u32]| {
            let mut items = items.to_vec();
            items.sort_unstable();
            items
        };
        let reads = graph.reads.get(task.0).iter().map(|source| graph.sources.get(*source));
        needs(&mut row.inputs.iter()) == sorted(graph.shape.input_lists().get(task.0))
            && needs(&mut row.gates.iter()) == sorted(graph.shape.gate_lists().get(task.0))
            && reads.eq(row.reads.iter().map(WsPath::as_str))
            && graph.is_sampled(task) == row.sampled
    }
}
