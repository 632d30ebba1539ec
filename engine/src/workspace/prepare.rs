//! What a request begins with, which is what the last one left if that stands, and what it leaves
//! for the next.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::fs::{Mode, OFlags};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;

use super::Workspace;
use super::ahead::{Ahead, Seen};
use crate::check::Loaded;
use crate::columns::Strings;
use crate::db::Db;
use crate::graph::TaskGraph;
use crate::plan::TaskId;
use crate::run::{Ended, Known};
use crate::snapshot::{self, Difference, Facts, Held, Opened, Snapshot, World, merge};

/// Whether the last finished state may stand for what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluate {
    /// Only what is not as it was; where that is nothing, not even the graph is read, and nobody
    /// can be told of single tasks.
    Quietly,
    /// Only what is not as it was.
    Changes,
    /// Everything: the same answers, later.
    Everything,
}

/// A request that is ready to be built.
pub struct Prepared {
    /// The targets that the patterns mean, and all they need; empty if something is wrong, or if all
    /// is as it was and that was asked for quietly.
    pub graph: Arc<TaskGraph>,
    /// What is wrong.
    pub loaded: Loaded,
    pub(super) patterns: Vec<Pattern>,
    pub(super) place: Option<snapshot::Place>,
    pub(super) resumed: Option<Resumed>,
    pub(super) unchanged: Option<Unchanged>,
    /// When that was begun.
    pub(super) begun: Instant,
}

/// A request of which everything is as it was.
pub(super) struct Unchanged {
    pub(super) tasks: usize,
    /// Where the requested outputs are, below the output folder.
    pub(super) paths: Strings,
}

/// What is left of the last finished state.
enum Left {
    Unchanged(Unchanged),
    Changed(Box<(TaskGraph, Resumed)>),
}

/// What is left of a snapshot besides its graph.
pub(super) struct Resumed {
    pub(super) known: Known,
    pub(super) facts: Arc<Facts>,
    pub(super) tools: snapshot::Tools,
    pub(super) base: Option<snapshot::Base>,
    pub(super) difference: Difference,
    /// Whether the file has to be written again though no task runs.
    pub(super) stale: bool,
}

impl Resumed {
    /// Whether no task may have another key and every output is in place.
    pub(super) fn is_done(&self) -> bool {
        let suspects = self.known.suspects.as_deref().unwrap_or(&[true]);
        !suspects.contains(&true) && !self.difference.in_place.contains(&false)
    }
}

impl Prepared {
    /// What the queries answered, of which nothing is kept.
    pub(super) const fn evaluated(
        graph: Arc<TaskGraph>,
        loaded: Loaded,
        patterns: Vec<Pattern>,
        begun: Instant,
    ) -> Self {
        Self { graph, loaded, patterns, place: None, resumed: None, unchanged: None, begun }
    }

    fn of(left: Left, (place, patterns): (snapshot::Place, Vec<Pattern>), begun: Instant) -> Self {
        let (graph, resumed, unchanged) = match left {
            Left::Unchanged(unchanged) => (TaskGraph::default(), None, Some(unchanged)),
            Left::Changed(changed) => {
                let (graph, resumed) = *changed;
                (graph, Some(resumed), None)
            }
        };
        let rest = Self::evaluated(Arc::new(graph), Loaded::default(), patterns, begun);
        Self { place: Some(place), resumed, unchanged, ..rest }
    }

    /// Whether everything is as it was; known only where that was asked for quietly.
    pub const fn is_unchanged(&self) -> bool {
        self.unchanged.is_some()
    }

    /// How many tasks there are.
    pub(super) fn tasks(&self) -> usize {
        self.unchanged.as_ref().map_or(self.graph.tasks(), |unchanged| unchanged.tasks)
    }
}

impl Workspace {
    /// Makes a build of what `patterns` mean ready: from the last finished state where that stands,
    /// else from the queries.
    pub fn prepare(&mut self, patterns: &[Pattern], evaluate: Evaluate) -> Prepared {
        // What was looked at before is not for one who asks for everything.
        let seen = self.seen.take().filter(|_| evaluate != Evaluate::Everything);
        let begun = seen.as_ref().map_or_else(Instant::now, |seen| seen.begun);
        self.seen = seen;
        let place =
            snapshot::Place::of(&self.place.root.join(".vwfb"), self.db.settings(), patterns).ok();
        let may = evaluate != Evaluate::Everything && !std::mem::replace(&mut self.asked, true);
        if let Some(place) = place.as_ref().filter(|_| may)
            && let Some(left) = self.resume(place, patterns, evaluate)
        {
            return Prepared::of(left, (place.clone(), patterns.to_vec()), begun);
        }
        self.db.release();
        // What an earlier run of this process made is not known to be what would be made now.
        for label in std::mem::take(&mut self.expanded_from) {
            let target = (&self.db as &dyn Db).target(&label);
            self.db.set_outcome(target, None);
        }
        let loaded = self.load(patterns);
        let graph = match loaded.has_errors() {
            true => TaskGraph::default(),
            false => self.graph(&loaded.targets),
        };
        let graph = Arc::new(graph);
        // What a problem is about is not all in the facts.
        let place = place.filter(|_| loaded.problems.is_empty());
        Prepared { place, ..Prepared::evaluated(graph, loaded, patterns.to_vec(), begun) }
    }

    /// The state in the snapshot at `place` as far as it stands.
    fn resume(
        &mut self,
        place: &snapshot::Place,
        patterns: &[Pattern],
        evaluate: Evaluate,
    ) -> Option<Left> {
        let seen = match self.seen.take().filter(|seen| seen.place == *place) {
            Some(seen) => seen,
            None => {
                let ahead = Ahead::open(&self.place.root, place.clone())?;
                ahead.look((&self.tools, &self.stamps), || ()).0
            }
        };
        if evaluate == Evaluate::Quietly
            && let Some(unchanged) = self.unchanged(&seen)
        {
            return Some(Left::Unchanged(unchanged));
        }
        let Seen { root, opened, held, .. } = seen;
        let changed = self.resume_changed((opened.whole()?, held), &root, patterns)?;
        Some(Left::Changed(Box::new(changed)))
    }

    /// What there is to tell if nothing is to be done.
    fn unchanged(&self, Seen { root, opened, held, .. }: &Seen) -> Option<Unchanged> {
        let Opened { facts, summary, .. } = opened;
        let output_folder = self.relative_output_folder();
        let world = self.world(root, &output_folder)?;
        let is_unchanged = summary.steady
            && summary.said == self.said
            && summary.mark == Some(self.state.successes_mark().ok()?)
            && facts.all_hold(&self.db, held, &world);
        is_unchanged.then(|| Unchanged {
            tasks: usize::try_from(summary.tasks).unwrap_or(usize::MAX),
            paths: facts.output_paths(world.output_folder),
        })
    }

    /// The state in `snapshot` as far as it stands, given whether its files are as they were.
    fn resume_changed(
        &mut self,
        (mut snapshot, held): (Snapshot, Held),
        root_fd: &OwnedFd,
        patterns: &[Pattern],
    ) -> Option<(TaskGraph, Resumed)> {
        let output_folder = self.relative_output_folder();
        let world = self.world(root_fd, &output_folder)?;
        let facts = Arc::make_mut(&mut snapshot.facts);
        let mut difference = facts.look(&self.db, &snapshot.graph, held, &world)?;
        let rewritten = merge(&self.db, &mut snapshot.graph, &difference.packages, patterns)?;
        let mut suspects = snapshot.suspects(&difference, &rewritten);
        let otherwise = snapshot.said_otherwise(&self.said);
        otherwise.iter().for_each(|id| suspects[id.0] = true);
        let mark = self.state.successes_mark().ok()?;
        let in_step = snapshot.mark == Some(mark);
        if !in_step {
            let now = Known::of(&self.state, &snapshot.graph).ok()?.answers;
            snapshot.answers.correct(&now, snapshot.graph.shape(), &mut suspects);
        }
        for (in_place, agrees) in difference.in_place.iter_mut().zip(snapshot.outputs_agree()) {
            *in_place &= agrees;
        }
        // What runs is made from what was looked at, and not from what comes later.
        let done = !suspects.contains(&true) && !difference.in_place.contains(&false);
        // Then there may be other targets.
        if snapshot.graph.expands_by(&suspects) {
            return None;
        }
        if !done {
            if !snapshot.facts.hold_texts(&self.db, &world) {
                return None;
            }
            self.db.looked_at(Some(snapshot.facts.looked_at()));
        }
        for id in snapshot.graph.expanded.iter().map(|task| TaskId(*task as usize)) {
            let target = snapshot.graph.target(&self.db, id);
            let outcome = snapshot.answers.outcome(id);
            // Its maker is to run again then, before anything can be said of what it expands to.
            let made = outcome.iter().flat_map(|outcome| outcome.values());
            let mut made = made.map(|artifact| self.store.has(artifact).unwrap_or(false));
            if !made.all(|is_there| is_there) {
                return None;
            }
            drop(made);
            self.db.set_outcome(target, outcome);
        }
        let stale = difference.refreshed
            || snapshot.said != self.said
            || !in_step
            || !self.disk.listings().is_empty();
        let Snapshot { graph, answers, facts, tools, base, .. } = snapshot;
        let known = Known { answers, suspects: Some(suspects), mark: Some(mark) };
        Some((graph, Resumed { known, facts, tools, base, difference, stale }))
    }

    fn world<'a>(&'a self, root_fd: &'a OwnedFd, output_folder: &'a Path) -> Option<World<'a>> {
        Some(World {
            root: &self.place.root,
            root_fd,
            output_folder: output_folder.to_str()?,
            disk: &self.disk,
            stamps: &self.stamps,
        })
    }

    /// Makes ready what one label needs, perhaps among more: any last finished state that has the
    /// label will do.
    pub fn prepare_label(&mut self, label: &Label) -> Prepared {
        let begun = Instant::now();
        let folders = std::iter::successors(Some(label.package.clone()), WsPath::parent);
        let mut requests = vec![Pattern::Target(label.clone())];
        requests.push(Pattern::Package(label.package.clone()));
        requests.extend(folders.map(Pattern::Below));
        for request in requests {
            let patterns = [request];
            let folder = self.place.root.join(".vwfb");
            let Ok(place) = snapshot::Place::of(&folder, self.db.settings(), &patterns) else {
                continue;
            };
            let left = self.resume(&place, &patterns, Evaluate::Changes);
            let has_label = |left: &Left| match left {
                Left::Changed(changed) => changed.0.find_target(label).is_some(),
                Left::Unchanged(_) => false,
            };
            if let Some(left) = left.filter(has_label) {
                return Prepared::of(left, (place, patterns.to_vec()), begun);
            }
        }
        self.prepare(&[Pattern::Target(label.clone())], Evaluate::Everything)
    }

    /// Writes down the state after a run, for the next one. A failure costs that one time.
    pub(super) fn save(&mut self, prepared: Prepared, ended: Ended) {
        let Prepared { place: Some(place), resumed, .. } = prepared else { return };
        let Ended { graph, answers, mut settled, mark, .. } = ended;
        // What it stands for is not all in it.
        if !graph.is_expanded() {
            return place.forget();
        }
        let output_folder = self.relative_output_folder();
        let Some(root_fd) = open_folder(&self.place.root) else { return };
        let Some(world) = self.world(&root_fd, &output_folder) else { return };
        // Nothing is asked any more, so the facts are nobody else's.
        self.db.looked_at(None);
        let saved = [self.tools.saved(), self.stamps.tools()];
        let (facts, tools, base) = match resumed {
            Some(Resumed { mut facts, mut tools, base, difference, .. }) => {
                let now = Arc::make_mut(&mut facts);
                now.refresh(&graph, &world, &difference.in_place);
                let absorbed = now.absorb(&self.db, &graph, &world, &mut settled);
                tools.update(saved);
                (absorbed.map(|()| facts), tools, base)
            }
            None => {
                let facts = Facts::of(&self.db, &graph, &world).map(Arc::new);
                (facts, snapshot::Tools::new(saved), None)
            }
        };
        // Then the old one would never be mended.
        let Some(facts) = facts else { return place.forget() };
        let graph = Arc::unwrap_or_clone(graph);
        let said = self.said.clone();
        let snapshot = Snapshot { graph, answers, settled, facts, mark, tools, said, base };
        let _without = snapshot.save(&place);
    }
}

pub(super) fn open_folder(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}
