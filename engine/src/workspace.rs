//! One open workspace: its database, store and memory, and what can be asked of it.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use vwfb_cas::{Clock, Digest, OpenError, Store};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::vars::Overrides;

use crate::build::{Build, Hands, Options, Placed};
use crate::check::{Loaded, load};
use crate::db::{Database, Db, Machine};
use crate::disk::Disk;
use crate::event::{Counts, Event, Reporter, TaskFinished, TaskResult};
use crate::forecast::{Forecast, forecast};
use crate::graph::TaskGraph;
use crate::outputs::OutputFolder;
use crate::package::workspace;
use crate::platform::{cpu_level, platform};
use crate::query::RealisedGraph;
use crate::roots::{gone_workspaces, publish, publish_all, publish_new};
use crate::run::{Ended, Ground, Known, Run};
use crate::snapshot::{self, Difference, Facts, Snapshot, World, merge};
use crate::stamps::{Recorded, Stamps};
use crate::state::{State, StateError};
use crate::system::Text;
use crate::tools::Tools;
use crate::why::{Why, why};
use crate::workers::{Inbox, Runner, Shared};

pub use crate::package::{BUILD_FILE, WORKSPACE_FILE};
pub use crate::run::EnvironmentError;

/// Where and how to open a workspace.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder with `WORKSPACE.kdl`, absolute.
    pub root: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// Variables and profile of this invocation.
    pub overrides: Overrides,
}

/// Why a workspace cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenWorkspaceError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The workspace's own memory cannot be opened.
    #[error(transparent)]
    State(#[from] StateError),
}

/// An open workspace.
pub struct Workspace {
    place: Place,
    db: Database,
    store: Arc<Store>,
    state: Arc<State>,
    stamps: Arc<Stamps>,
    tools: Arc<Tools>,
    disk: Arc<Disk>,
    clock: Arc<dyn Clock + Send + Sync>,
    /// Whether any query was asked, after which a snapshot is not looked at.
    asked: bool,
}

/// What a build came to.
#[derive(Debug, Default)]
pub struct Built {
    /// Where the outputs of each requested target that has them are.
    pub placed: Vec<Placed>,
    /// What became of the tasks.
    pub counts: Counts,
    /// Whether something of the machine failed, rather than the work.
    pub environment_failed: bool,
    /// Whether a source could not be read.
    pub input_failed: bool,
    /// The signal that stopped it.
    pub interrupted: Option<i32>,
}

/// How to build, and who runs it.
pub struct Request<'a> {
    /// Jobs, and what a failure stops.
    pub options: &'a Options,
    /// Runs actions.
    pub runner: Arc<dyn Runner>,
    /// What confines them, in words.
    pub sandbox: String,
    /// Where the build hears from workers and from outside.
    pub inbox: &'a Inbox,
    /// The exit code for what a build came to.
    pub exit_code: fn(Result<&Built, &EnvironmentError>) -> u8,
}

/// Whether the last finished state may stand for what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evaluate {
    /// Only what is not as it was.
    Changes,
    /// Everything: the same answers, later.
    Everything,
}

/// A request that is ready to be built.
pub struct Prepared {
    /// The targets that the patterns mean, and all they need; empty if something is wrong.
    pub graph: TaskGraph,
    /// What is wrong.
    pub loaded: Loaded,
    patterns: Vec<Pattern>,
    place: Option<snapshot::Place>,
    resumed: Option<Resumed>,
}

/// What is left of a snapshot besides its graph.
struct Resumed {
    known: Known,
    facts: Arc<Facts>,
    tools: snapshot::Tools,
    base: Option<snapshot::Base>,
    difference: Difference,
    /// Whether the file has to be written again though no task runs.
    stale: bool,
}

impl Workspace {
    /// Opens the workspace at `place`.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be opened.
    pub fn open(
        place: Place,
        clock: Arc<dyn Clock + Send + Sync>,
    ) -> Result<Self, OpenWorkspaceError> {
        let store = Arc::new(Store::open(&place.store)?);
        let config = configuration(&place.overrides);
        let state = Arc::new(State::open(&place.root.join(".vwfb"), config)?);
        let stamps = Arc::new(Stamps::new(Arc::clone(&state) as Arc<dyn Recorded>));
        let tools = Arc::new(Tools::new(place.root.clone(), Arc::clone(&stamps)));
        let disk = Arc::new(Disk::new(
            place.root.clone(),
            Arc::clone(&store),
            Arc::clone(&stamps),
            Arc::clone(&tools),
        ));
        let machine = Machine {
            platform: platform(),
            confined: true,
            cpu_level: cpu_level().to_owned(),
            log_queries: false,
        };
        let db = Database::new(
            Arc::clone(&disk) as Arc<dyn crate::system::System>,
            place.overrides.clone(),
            machine,
        );
        Ok(Self { place, db, store, state, stamps, tools, disk, clock, asked: false })
    }

    /// Ends the work on it, in a process that is about to end: store and memory are closed, and
    /// what is cheaper left to the system is left to it.
    pub fn close(self) {
        self.db.leave();
    }

    /// Its folder.
    pub fn root(&self) -> &Path {
        &self.place.root
    }

    /// The store it uses.
    pub const fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Its memory.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The toolchains it has met.
    pub const fn tools(&self) -> &Arc<Tools> {
        &self.tools
    }

    /// The name that `WORKSPACE.kdl` gives it.
    pub fn name(&self) -> String {
        workspace(&self.db).value.name.clone()
    }

    /// The declared capacities.
    pub fn resources(&self) -> BTreeMap<String, u32> {
        workspace(&self.db).value.resources.clone()
    }

    /// The folder for outputs of this configuration.
    pub fn output_folder(&self) -> PathBuf {
        self.place.root.join(self.relative_output_folder())
    }

    /// Says whether the kernel holds tasks to the files they declare. Results that were made
    /// without have keys of their own, so they never pass for confined ones.
    pub fn set_confined(&mut self, confined: bool) {
        self.db.set_confined(confined);
    }

    /// Looks again at every file and tool that was looked at, so that changes are seen.
    pub fn refresh(&mut self) {
        self.db.refresh();
    }

    /// The targets that `patterns` mean, and what is wrong with them and all they need.
    pub fn load(&self, patterns: &[Pattern]) -> Loaded {
        load(&self.db, patterns)
    }

    /// The database, for queries.
    pub const fn db(&self) -> &Database {
        &self.db
    }

    /// The text of a rule file, for the snippets of diagnostics.
    pub fn text(&self, path: &WsPath) -> Option<String> {
        let db: &dyn Db = &self.db;
        match db.rule_text(path).text(db) {
            Text::Present(text) => Some(text.to_string()),
            Text::Absent | Text::Unreadable(_) => None,
        }
    }

    /// Every target as queries see it; patterns are relative to the folder `current`.
    pub fn query_graph(&self, current: &WsPath) -> RealisedGraph<'_> {
        RealisedGraph::of(&self.db, current)
    }

    /// The tasks that `targets` need; they must be free of errors.
    pub fn graph(&self, targets: &[Label]) -> TaskGraph {
        TaskGraph::of(&self.db, targets)
    }

    /// Makes a build of what `patterns` mean ready: from the last finished state where that stands,
    /// else from the queries.
    pub fn prepare(&mut self, patterns: &[Pattern], evaluate: Evaluate) -> Prepared {
        let place = snapshot::Place::of(&self.place.root.join(".vwfb"), &self.db, patterns).ok();
        let may = evaluate == Evaluate::Changes && !std::mem::replace(&mut self.asked, true);
        if let Some(place) = place.as_ref().filter(|_| may)
            && let Some((graph, resumed)) = self.resume(place, patterns)
        {
            let (loaded, patterns) = (Loaded::default(), patterns.to_vec());
            let (place, resumed) = (Some(place.clone()), Some(resumed));
            return Prepared { graph, loaded, patterns, place, resumed };
        }
        let loaded = self.load(patterns);
        let graph = match loaded.has_errors() {
            true => TaskGraph::default(),
            false => self.graph(&loaded.targets),
        };
        // What a problem is about is not all in the facts.
        let place = place.filter(|_| loaded.problems.is_empty());
        Prepared { graph, loaded, patterns: patterns.to_vec(), place, resumed: None }
    }

    /// The state in the snapshot at `place` as far as it stands.
    fn resume(
        &mut self,
        place: &snapshot::Place,
        patterns: &[Pattern],
    ) -> Option<(TaskGraph, Resumed)> {
        let mut snapshot = Snapshot::load(place)?;
        let [closures, stamps] = &snapshot.tools.bytes;
        self.tools.restore(closures);
        self.stamps.restore_tools(stamps);
        let output_folder = self.relative_output_folder();
        let root_fd = open_folder(&self.place.root)?;
        let world = self.world(&root_fd, &output_folder)?;
        let mut difference =
            Arc::make_mut(&mut snapshot.facts).look(&self.db, &snapshot.graph, &world)?;
        let rewritten = merge(&self.db, &mut snapshot.graph, &difference.packages, patterns)?;
        let mut suspects = snapshot.suspects(&difference, &rewritten);
        let mark = self.state.successes_mark().ok()?;
        let in_step = snapshot.mark == Some(mark);
        if !in_step {
            let now = Known::of(&self.state, &snapshot.graph).ok()?.answers;
            snapshot.answers.correct(&now, snapshot.graph.shape(), &mut suspects);
        }
        let mut offer = 0;
        for target in snapshot.graph.requested() {
            for offered in snapshot.graph.offers(target) {
                let artifact = snapshot.answers.artifact(offered.task, offered.name);
                difference.in_place[offer] &=
                    artifact.is_some_and(|artifact| snapshot.facts.output_is(offer, &artifact));
                offer += 1;
            }
        }
        // What runs is made from what was looked at, and not from what comes later.
        let done = !suspects.contains(&true) && !difference.in_place.contains(&false);
        if !done {
            if !snapshot.facts.hold_texts(&self.db, &world) {
                return None;
            }
            self.db.looked_at(Some(snapshot.facts.looked_at()));
        }
        let stale = difference.refreshed || !in_step || !self.disk.listings().is_empty();
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

    /// What a build of `prepared` would do.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn forecast(&mut self, prepared: &Prepared) -> Result<Vec<Forecast>, EnvironmentError> {
        let known = self.known(prepared)?;
        let fates = forecast(self.ground(&prepared.graph), known)?;
        self.record_stamps()?;
        Ok(fates)
    }

    /// Makes ready what one label needs, perhaps among more: any last finished state that has the
    /// label will do.
    pub fn prepare_label(&mut self, label: &Label) -> Prepared {
        let folders = std::iter::successors(Some(label.package.clone()), WsPath::parent);
        let mut requests = vec![Pattern::Target(label.clone())];
        requests.push(Pattern::Package(label.package.clone()));
        requests.extend(folders.map(Pattern::Below));
        for request in requests {
            let patterns = [request];
            let folder = self.place.root.join(".vwfb");
            let Ok(place) = snapshot::Place::of(&folder, &self.db, &patterns) else { continue };
            let resumed = self.resume(&place, &patterns);
            if let Some((graph, resumed)) =
                resumed.filter(|(it, _)| it.find_target(label).is_some())
            {
                let (loaded, patterns) = (Loaded::default(), patterns.to_vec());
                let (place, resumed) = (Some(place), Some(resumed));
                return Prepared { graph, loaded, patterns, place, resumed };
            }
        }
        self.prepare(&[Pattern::Target(label.clone())], Evaluate::Everything)
    }

    /// Why a build of `label`, which `prepared` has, would run something, or last did.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn why(&mut self, prepared: &Prepared, label: &Label) -> Result<Why, EnvironmentError> {
        let known = self.known(prepared)?;
        why(self.ground(&prepared.graph), known, label)
    }

    /// Forgets what is known of `labels`, of everything if there are none,
    /// so that the next build runs their tasks again. Returns how many results they had.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be written.
    pub fn forget(&self, labels: &[Label]) -> Result<usize, EnvironmentError> {
        let keys = if labels.is_empty() {
            self.state.forget()
        } else {
            let names: Vec<String> = labels.iter().map(ToString::to_string).collect();
            self.state.forget_labels(&names)
        };
        let keys = keys.map_err(|error| EnvironmentError::of(&error))?;
        self.store.forget(&keys).map_err(|error| EnvironmentError::of(&error))?;
        self.publish_roots()?;
        Ok(keys.len())
    }

    /// Builds what `prepared` asks for and puts its outputs in place.
    ///
    /// # Errors
    /// If something of the machine keeps it from going on at all.
    pub fn build(
        &mut self,
        prepared: Prepared,
        request: &Request<'_>,
        reporter: &mut dyn Reporter,
    ) -> Result<Built, EnvironmentError> {
        let begun = Instant::now();
        let targets: Vec<String> = prepared.patterns.iter().map(ToString::to_string).collect();
        let run = self
            .state
            .begin_run(self.clock.now().0, &targets.join(" "), &request.sandbox)
            .map_err(|error| EnvironmentError::of(&error))?;
        reporter.event(&Event::RunStarted {
            run,
            targets,
            tasks: prepared.graph.tasks(),
            sandbox: request.sandbox.clone(),
        });
        // What earlier runs made is this workspace's, also if they were killed before they said so.
        self.publish_roots()?;
        let mut counts = Counts::default();
        let built = match &prepared.resumed {
            Some(resumed) if resumed.is_done() => {
                counts = all_unchanged(&prepared.graph, resumed, reporter);
                self.nothing_to_do(prepared, counts)
            }
            _ => self.build_prepared(prepared, request, reporter, run, &mut counts),
        };
        // A run that the machine stopped has its record and its last event too.
        let exit_code = (request.exit_code)(built.as_ref());
        let recorded = self
            .state
            .finish_run(run, self.clock.now().0, &counts, exit_code)
            .map_err(|error| EnvironmentError::of(&error))
            .and_then(|()| self.publish_roots());
        reporter.event(&Event::RunFinished { counts, duration: begun.elapsed(), exit_code });
        let built = built?;
        recorded.map(|()| built)
    }
}

/// How long after they were looked at outputs are taken to be where they were.
const GLANCE: Duration = Duration::from_millis(250);

impl Resumed {
    /// Whether no task may have another key and every output is in place.
    fn is_done(&self) -> bool {
        let suspects = self.known.suspects.as_deref().unwrap_or(&[true]);
        !suspects.contains(&true) && !self.difference.in_place.contains(&false)
    }
}

/// Tells of every task that it is unchanged.
fn all_unchanged(graph: &TaskGraph, resumed: &Resumed, reporter: &mut dyn Reporter) -> Counts {
    let result = TaskResult::Unchanged;
    let mut counts = Counts::default();
    counts.add_many(result, graph.tasks());
    if reporter.wants_unchanged() {
        for id in graph.shape().tasks() {
            let (label, key) = (graph.label(id), resumed.known.answers.key(id));
            reporter.event(&Event::TaskFinished(Box::new(TaskFinished::quiet(label, key, result))));
        }
    } else {
        reporter.counted(result, graph.tasks());
    }
    counts
}

fn open_folder(path: &Path) -> Option<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).ok()
}

impl Workspace {
    fn ground<'a>(&'a mut self, graph: &'a TaskGraph) -> Ground<'a> {
        Ground { db: &mut self.db, store: &self.store, state: &self.state, graph }
    }

    fn known(&self, prepared: &Prepared) -> Result<Known, EnvironmentError> {
        match &prepared.resumed {
            Some(resumed) => Ok(resumed.known.clone()),
            None => Known::of(&self.state, &prepared.graph),
        }
    }

    fn relative_output_folder(&self) -> PathBuf {
        let folder = PathBuf::from("vwfb-out");
        match &self.place.overrides.profile {
            Some(profile) => folder.join(format!("+{profile}")),
            None => folder,
        }
    }

    fn build_prepared(
        &mut self,
        mut prepared: Prepared,
        request: &Request<'_>,
        reporter: &mut dyn Reporter,
        run: u64,
        counts: &mut Counts,
    ) -> Result<Built, EnvironmentError> {
        let placer = OutputFolder::new(
            &self.place.root,
            self.relative_output_folder(),
            Arc::clone(&self.store),
            Arc::clone(&self.stamps),
        )
        .map_err(|error| EnvironmentError::of(&error))?;
        let shared = Arc::new(Shared {
            store: Arc::clone(&self.store),
            sources: Arc::clone(&self.disk) as Arc<dyn crate::workers::Sources>,
            runner: Arc::clone(&request.runner),
        });
        let hands = Hands { shared, placer: &placer, inbox: request.inbox };
        let (root, output_folder) = (self.place.root.clone(), self.relative_output_folder());
        let (disk, stamps) = (Arc::clone(&self.disk), Arc::clone(&self.stamps));
        let root_fd = open_folder(&root);
        let known = match prepared.resumed.as_mut() {
            Some(resumed) => std::mem::take(&mut resumed.known),
            None => Known::of(&self.state, &prepared.graph)?,
        };
        let ground = self.ground(&prepared.graph);
        let mut build = Build::begin(Run::begin(ground, reporter, known), request.options, hands);
        build.run.number = run;
        let began = Instant::now();
        let in_place = || match &prepared.resumed {
            // What people remove during a long build is put back by it.
            Some(resumed) if began.elapsed() > GLANCE => {
                let before = &resumed.difference.in_place;
                let world = root_fd.as_ref().zip(output_folder.to_str());
                let world = world.map(|(root_fd, output_folder)| World {
                    root: &root,
                    root_fd,
                    output_folder,
                    disk: &disk,
                    stamps: &stamps,
                });
                world.map_or_else(Vec::new, |it| resumed.facts.still_in_place(before, &it))
            }
            Some(resumed) => resumed.difference.in_place.clone(),
            None => Vec::new(),
        };
        let placed = build.finish(&in_place);
        *counts = build.run.counts;
        let (built, state) = build.over();
        self.record_stamps()?;
        // All was told when the run began, so only this is new. Not of a sampled task, which told
        // of itself, nor where another process recorded something meanwhile.
        if let Some(mark) = state.mark.filter(|_| !state.recorded.is_empty()) {
            publish_new(&self.store, &self.state, &state.recorded, mark)?;
        }
        let built = Built { placed: placed?, ..built };
        self.save(prepared, state);
        Ok(built)
    }

    /// What a build comes to in which every fact is as it was.
    fn nothing_to_do(
        &mut self,
        mut prepared: Prepared,
        counts: Counts,
    ) -> Result<Built, EnvironmentError> {
        let folder = self.output_folder();
        let graph = &prepared.graph;
        let placed = graph.requested().map(|target| Placed {
            paths: graph.offers(target).map(|offer| folder.join(offer.path)).collect(),
        });
        let placed = placed.collect();
        if let Some(Resumed { known, stale: true, .. }) = &mut prepared.resumed {
            let settled = vec![1; prepared.graph.tasks()];
            let Known { answers, mark, .. } = std::mem::take(known);
            let ended = Ended { answers, settled, mark, recorded: Vec::new() };
            self.record_stamps()?;
            self.save(prepared, ended);
        }
        Ok(Built { placed, counts, ..Built::default() })
    }

    /// Writes down the state after a run, for the next one. A failure costs that one time.
    fn save(&mut self, prepared: Prepared, ended: Ended) {
        let Prepared { graph, place: Some(place), resumed, .. } = prepared else { return };
        let Ended { answers, mut settled, mark, .. } = ended;
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
        let Some(facts) = facts else { return };
        let snapshot = Snapshot { graph, answers, settled, facts, mark, tools, base };
        let _without = snapshot.save(&place);
    }

    fn record_stamps(&self) -> Result<(), EnvironmentError> {
        self.state
            .record_stamps(&self.stamps.take_fresh())
            .and_then(|()| self.tools.record(&self.state))
            .map_err(|error| EnvironmentError::of(&error))
    }

    fn publish_roots(&self) -> Result<(), EnvironmentError> {
        publish(&self.store, &self.state)
    }

    /// Tells the store of everything that this workspace stands on, and so of what it does not
    /// need any more.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be used.
    pub fn tell_roots(&self) -> Result<(), EnvironmentError> {
        publish_all(&self.store, &self.state)
    }

    /// Makes ready for a gc: forgets what no target of this workspace stands for any more and,
    /// with an age, what other configurations made that no run was made with since. Returns the
    /// workspaces with roots in the store that are gone from the disk.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be used.
    pub fn before_gc(&self, max_age: Option<Duration>) -> Result<Vec<String>, EnvironmentError> {
        let loaded = self.load(&[Pattern::Below(WsPath::root())]);
        // A package that cannot be read may declare any label.
        if !loaded.has_errors() {
            let present = loaded.targets.iter().map(ToString::to_string).collect();
            self.state.retain_labels(&present).map_err(|error| EnvironmentError::of(&error))?;
        }
        if let Some(age) = max_age {
            let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
            let since = self.clock.now().0.saturating_sub(age);
            self.state
                .drop_idle_configurations(since)
                .map_err(|error| EnvironmentError::of(&error))?;
        }
        self.tell_roots()?;
        gone_workspaces(&self.store)
    }
}

/// What names a configuration: the profile and every override, as written.
fn configuration(overrides: &Overrides) -> Digest {
    let mut text = format!("profile {:?}\n", overrides.profile);
    for var in &overrides.vars {
        text.push_str(&format!("{:?} {:?} {:?}\n", var.package, var.name, var.value));
    }
    Digest::of(text.as_bytes())
}
