//! One open workspace: its database, store and memory, and what can be asked of it.

mod ahead;
mod build;
mod choose;
mod decide;
mod prepare;
mod preview;
mod status;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vwfb_cas::{Clock, Digest, OpenError, Store};
use vwfb_rules::cost::Budgets;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::vars::Overrides;

use crate::check::{Loaded, load};
use crate::db::{Database, Db, Machine};
use crate::desk::Desk;
use crate::disk::Disk;
use crate::forecast::{Outlook, expand_known, forecast};
use crate::graph::TaskGraph;
use crate::keep::Keep;
use crate::names::{Expansion, expansion, is_open, waits_for};
use crate::needs::{Needs, needs};
use crate::package::workspace;
use crate::people::{People, PeopleError, Said};
use crate::pins::Pinning;
use crate::platform::{cpu_level, platform};
use crate::query::RealisedGraph;
use crate::roots::{gone_workspaces, publish, publish_all};
use crate::run::{Ground, Known};
use crate::snapshot;
use crate::spending::Spending;
use crate::stamps::{Recorded, Stamps};
use crate::standing::Standings;
use crate::state::{STATE_FILE, State, StateError};
use crate::system::Text;
use crate::tools::Tools;
use crate::why::{Why, why};
use ahead::{Ahead, Seen};

pub use crate::outputs::Rescued;
pub use crate::package::{BUILD_FILE, WORKSPACE_FILE};
pub use crate::run::{EnvironmentError, Met, Preview};
pub use build::{Built, Request};
pub use choose::{ChooseError, History, Undone};
pub use decide::{DecideError, Decided, Saying};
pub use prepare::{Evaluate, Prepared};
pub use preview::{Previewed, Segment};
pub use status::{Status, Told};

/// Where and how to open a workspace.
#[derive(Debug, Clone)]
pub struct Place {
    /// The folder with `WORKSPACE.kdl`, absolute.
    pub root: PathBuf,
    /// The store.
    pub store: PathBuf,
    /// Variables and profile of this invocation.
    pub overrides: Overrides,
    /// The folder of the person's settings of vwfb, with `services.kdl` and `secrets/`.
    pub settings: Option<PathBuf>,
    /// Whether the kernel will hold tasks to the files they declare. Results that were made without
    /// have keys of their own, so they never pass for confined ones.
    pub confined: bool,
    /// What will be asked for first, as far as that is known: its last finished state is looked at
    /// while the workspace is opened.
    pub ahead: Vec<Pattern>,
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
    /// What people said cannot be read.
    #[error(transparent)]
    People(#[from] PeopleError),
}

/// An open workspace.
pub struct Workspace {
    place: Place,
    db: Database,
    store: Arc<Store>,
    state: Arc<State>,
    people: Arc<People>,
    keep: Keep,
    desk: Desk,
    spending: Spending,
    /// What people had said when they were last heard.
    said: Said,
    stamps: Arc<Stamps>,
    tools: Arc<Tools>,
    disk: Arc<Disk>,
    clock: Arc<dyn Clock + Send + Sync>,
    /// The last finished state that was looked at when it was opened.
    seen: Option<Seen>,
    /// Whether any query was asked, after which a snapshot is not looked at.
    asked: bool,
    /// The targets whose outputs fan-outs were expanded from.
    expanded_from: Vec<Label>,
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
        let config = configuration(&place.overrides);
        let folder = place.root.join(".vwfb");
        let machine = Machine {
            platform: platform(),
            confined: place.confined,
            cpu_level: cpu_level().to_owned(),
            log_queries: false,
        };
        let store = || Store::open(&place.store);
        let state = || State::open(&folder, config);
        let ahead = || {
            let settings = (&place.overrides, &machine);
            let asked = Some(&place.ahead).filter(|patterns| !patterns.is_empty())?;
            Ahead::open(&place.root, snapshot::Place::of(&folder, settings, asked).ok()?)
        };
        // Each is a database to open; but nothing is made in a workspace whose store is not there.
        let (ahead, (store, state)) = match folder.join(STATE_FILE).exists() {
            true => rayon::join(ahead, || rayon::join(store, state)),
            false => (None, (Ok(store()?), state())),
        };
        let (store, state) = (Arc::new(store?), Arc::new(state?));
        let stamps = Arc::new(Stamps::new(Arc::clone(&state) as Arc<dyn Recorded>));
        let tools = Arc::new(Tools::new(place.root.clone(), Arc::clone(&stamps)));
        let rest = || {
            let disk = Arc::new(Disk::new(
                place.root.clone(),
                Arc::clone(&store),
                Arc::clone(&stamps),
                Arc::clone(&tools),
            ));
            let system = Arc::clone(&disk) as Arc<dyn crate::system::System>;
            (disk, Database::new(system, place.overrides.clone(), machine))
        };
        let (seen, (disk, mut db)) = match ahead {
            Some(ahead) => {
                let (seen, rest) = ahead.look((&tools, &stamps), rest);
                (Some(seen), rest)
            }
            None => (None, rest()),
        };
        let people = Arc::new(People::open(&folder)?);
        let keep = Keep::new(&folder, Arc::clone(&store));
        let desk = Desk::new(&folder, place.settings.clone());
        let spending = Spending::new(&folder);
        let choices = people.choices(config)?;
        let said = people.said(&choices)?;
        db.set_choices(choices);
        let named = (config != configuration(&Overrides::default())).then(|| config.to_hex());
        db.set_pinning(Pinning { config: named, ignored: false });
        Ok(Self {
            said,
            place,
            db,
            store,
            state,
            people,
            keep,
            desk,
            spending,
            stamps,
            tools,
            disk,
            clock,
            seen,
            asked: false,
            expanded_from: Vec::new(),
        })
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

    /// What people said.
    pub fn people(&self) -> &People {
        &self.people
    }

    /// What tasks ask services with.
    pub const fn desk(&self) -> &Desk {
        &self.desk
    }

    /// What was spent on services.
    pub const fn spending(&self) -> &Spending {
        &self.spending
    }

    /// What may be spent on services.
    pub fn budgets(&self) -> Budgets {
        workspace(&self.db).value.budgets.clone()
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

    /// Looks again at every file and tool that was looked at, so that changes are seen.
    pub fn refresh(&mut self) {
        self.db.refresh();
    }

    /// The targets that `patterns` mean, and what is wrong with them and all they need.
    pub fn load(&self, patterns: &[Pattern]) -> Loaded {
        load(&self.db, patterns)
    }

    /// What `targets` and all they need ask of the machine and of services; they may have errors.
    pub fn needs(&self, targets: &[Label]) -> Needs {
        needs(&self.db, targets)
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

    /// What a build of `prepared` would do.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn forecast(&mut self, prepared: &Prepared) -> Result<Outlook, EnvironmentError> {
        let known = match &prepared.resumed {
            Some(resumed) => resumed.known.clone(),
            None => Known::of(&self.state, &prepared.graph)?,
        };
        let fates = forecast(self.ground(prepared), known)?;
        self.record_stamps()?;
        Ok(fates)
    }

    /// Why a build of `label`, which `prepared` has, would run something, or last did.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn why(&mut self, prepared: &Prepared, label: &Label) -> Result<Why, EnvironmentError> {
        let expanded = self.expanded(prepared)?;
        let prepared = expanded.as_ref().unwrap_or(prepared);
        let waits = match prepared.graph.find_target(label) {
            Some(_) => None,
            None => waits_for(&self.db, label),
        };
        let asked = waits.as_ref().unwrap_or(label);
        let known = match &prepared.resumed {
            Some(resumed) => Cow::Borrowed(&resumed.known),
            None => Cow::Owned(Known::of(&self.state, &prepared.graph)?),
        };
        let standings = Standings::of(&prepared.graph);
        let target = prepared.graph.find_target(label);
        let standing = target.map(|target| standings.get(target)).unwrap_or_default();
        let why = why(self.ground(prepared), &known, asked)?;
        Ok(Why { waits, standing, ..why })
    }

    /// Lets fan-outs of what was `loaded` expand whose items are made and known to stand, for
    /// questions about targets. Where something is wrong, none does.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn expand_made(&mut self, loaded: &Loaded) -> Result<(), EnvironmentError> {
        if loaded.has_errors() || !loaded.targets.iter().any(|label| is_open(&self.db, label)) {
            return Ok(());
        }
        let graph = Arc::new(self.graph(&loaded.targets));
        let patterns = vec![Pattern::Below(WsPath::root())];
        let prepared = Prepared::evaluated(graph, Loaded::default(), patterns, Instant::now());
        self.expanded(&prepared).map(drop)
    }

    /// The same with the fan-outs expanded whose items are made and known to stand, if there are
    /// any.
    fn expanded(&mut self, prepared: &Prepared) -> Result<Option<Prepared>, EnvironmentError> {
        if prepared.graph.is_expanded() {
            return Ok(None);
        }
        let known = Known::of(&self.state, &prepared.graph)?;
        let graph = expand_known(self.ground(prepared), known)?;
        let patterns = prepared.patterns.clone();
        Ok(Some(Prepared::evaluated(graph, Loaded::default(), patterns, prepared.begun)))
    }

    /// The targets that `label`, which `prepared` has, stands for, each as its text would be without
    /// fan-outs and templates.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn expand(
        &mut self,
        prepared: &Prepared,
        label: &Label,
    ) -> Result<Expansion, EnvironmentError> {
        let _grown = self.expanded(prepared)?;
        Ok(expansion(&self.db, label))
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
}

impl Workspace {
    fn ground<'a>(&'a mut self, prepared: &'a Prepared) -> Ground<'a> {
        let (graph, patterns) = (Arc::clone(&prepared.graph), &*prepared.patterns);
        let output_folder = self.relative_output_folder().to_string_lossy().into_owned();
        let now_ms = self.clock.now().0;
        let (store, state, people) = (&self.store, &*self.state, &*self.people);
        let (db, keep, desk) = (&mut self.db, &self.keep, &self.desk);
        let spending = &self.spending;
        Ground {
            keep,
            desk,
            spending,
            db,
            store,
            state,
            graph,
            patterns,
            people,
            output_folder,
            now_ms,
        }
    }

    fn relative_output_folder(&self) -> PathBuf {
        let folder = PathBuf::from("vwfb-out");
        match &self.place.overrides.profile {
            Some(profile) => folder.join(format!("+{profile}")),
            None => folder,
        }
    }

    fn record_stamps(&self) -> Result<(), EnvironmentError> {
        self.state
            .record_stamps(&self.stamps.take_fresh())
            .and_then(|()| self.tools.record(&self.state))
            .map_err(|error| EnvironmentError::of(&error))
    }

    fn publish_roots(&self) -> Result<(), EnvironmentError> {
        publish(&self.store, &self.state, || self.chosen())
    }

    /// Tells the store of everything that this workspace stands on, and so of what it does not
    /// need any more.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be used.
    pub fn tell_roots(&self) -> Result<(), EnvironmentError> {
        publish_all(&self.store, &self.state, self.chosen()?)
    }

    /// Makes ready for a gc: forgets what no target of this workspace stands for any more and,
    /// with an age, what other configurations made that no run was made with since. Returns the
    /// workspaces with roots in the store that are gone from the disk.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be used.
    pub fn before_gc(
        &mut self,
        max_age: Option<Duration>,
    ) -> Result<Vec<String>, EnvironmentError> {
        // What fan-outs expanded to is needed as much.
        let all = [Pattern::Below(WsPath::root())];
        let prepared = self.prepare(&all, Evaluate::Everything);
        if !prepared.loaded.has_errors() {
            let _grown = self.expanded(&prepared)?;
        }
        let loaded = self.load(&all);
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
        text.push_str(&format!("{:?} {:?} {:?}", var.package, var.name, var.value));
        // Those of a file have types.
        text.extend(var.given.as_ref().map(|given| format!(" {given:?}")));
        text.push('\n');
    }
    Digest::of(text.as_bytes())
}
