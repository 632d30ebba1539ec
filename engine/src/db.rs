//! The salsa database: which facts exist, how they come in, and how they are brought up to date.
//!
//! A fact is read through [`System`] the first time a query asks for it and is a salsa input from
//! then on; [`Database::refresh`] and [`Database::set_outcome`] are the only ways to change one.

#![expect(missing_docs, reason = "salsa's macros write accessors without docs")]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use rayon::prelude::*;
use rustc_hash::FxHashMap;
use salsa::{Durability, Setter};
use vwfb_cas::{Artifact, Digest};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;
use vwfb_rules::vars::Overrides;

use crate::pins::Pinning;
use crate::system::{Content, System, Text};

/// What a run changes are outcomes and, where a source is seen to change, contents. All else keeps
/// for its length, so that setting an outcome does not send salsa through what every key rests on.
const STEADY: Durability = Durability::HIGH;
/// What a fact is a fact of is never set again, and no query has to remember that it read it.
const FIXED: Durability = Durability::NEVER_CHANGE;

/// A rule file's text.
#[salsa::input(debug)]
pub(crate) struct RuleText {
    #[returns(ref)]
    pub(crate) path: WsPath,
    #[returns(ref)]
    pub(crate) text: Text,
}

/// What stands at a path.
#[salsa::input(debug)]
pub(crate) struct PathKind {
    #[returns(ref)]
    pub(crate) path: WsPath,
    #[returns(copy)]
    pub(crate) kind: SourceKind,
}

/// The content at a path.
#[salsa::input(debug)]
pub(crate) struct PathContent {
    #[returns(ref)]
    pub(crate) path: WsPath,
    #[returns(ref)]
    pub(crate) content: Content,
}

/// The names in a folder.
#[salsa::input(debug)]
pub(crate) struct Folder {
    #[returns(ref)]
    pub(crate) path: WsPath,
    #[returns(clone)]
    pub(crate) entries: Arc<[String]>,
}

/// The files a glob matches.
#[salsa::input(debug)]
pub(crate) struct Glob {
    #[returns(ref)]
    pub(crate) package: WsPath,
    #[returns(ref)]
    pub(crate) pattern: String,
    #[returns(clone)]
    pub(crate) files: Arc<[WsPath]>,
    #[returns(clone)]
    pub(crate) left_out: Arc<[String]>,
}

/// A tool with its fingerprint.
#[salsa::input(debug)]
pub(crate) struct Tool {
    #[returns(ref)]
    pub(crate) tool: ToolDef,
    #[returns(ref)]
    pub(crate) fingerprint: Result<Digest, Arc<str>>,
}

/// A label that something refers to, with the outcome of its task: empty until it is known.
#[salsa::input(debug)]
pub struct Target {
    /// Its name.
    #[returns(ref)]
    pub label: Label,
    /// Its outputs by name, set by the planner when it settles.
    #[returns(ref)]
    pub outcome: Option<Arc<Outcome>>,
    /// Whether nothing is to expand from that outcome.
    #[returns(copy)]
    pub(crate) held: bool,
}

/// The outputs of a finished task by name.
pub type Outcome = BTreeMap<String, Artifact>;

/// What holds for the whole workspace.
#[salsa::input(singleton, debug)]
pub(crate) struct Settings {
    #[returns(ref)]
    pub(crate) overrides: Overrides,
    #[returns(ref)]
    pub(crate) machine: Machine,
    /// What people chose, by label.
    #[returns(ref)]
    pub(crate) choices: Arc<Choices>,
    /// Which pins count.
    #[returns(ref)]
    pub(crate) pinning: Pinning,
}

/// What people chose of the results of targets, by label.
pub type Choices = BTreeMap<String, Choice>;

/// What people chose of the results of one target.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// Which take is in use; 0 is the first.
    pub take: u32,
    /// What is to be better.
    pub feedback: Option<Arc<str>>,
}

/// What queries may ask of the database beyond salsa.
#[salsa::db]
pub trait Db: salsa::Database {
    /// Every fact met so far.
    fn facts(&self) -> &Facts;
}

/// The facts by what they are facts of.
pub struct Facts {
    system: Arc<dyn System>,
    texts: Table<WsPath, RuleText>,
    kinds: Table<WsPath, PathKind>,
    contents: Table<WsPath, PathContent>,
    folders: Table<WsPath, Folder>,
    globs: Table<(WsPath, String), Glob>,
    tools: Table<ToolDef, Tool>,
    /// The texts that were asked for as those of packages.
    packages: Mutex<FxHashMap<WsPath, RuleText>>,
    /// By far the most, and never listed.
    targets: Mutex<FxHashMap<Label, Target>>,
    /// Contents that were looked at before any query asked.
    looked: Mutex<Option<Looked>>,
}

/// Answers what was looked at of a path before any query asked, if it was.
pub(crate) type Looked = Box<dyn Fn(&WsPath) -> Option<Content> + Send + Sync>;

type Table<K, V> = Mutex<BTreeMap<K, V>>;

/// The value for `key`, made once.
fn entry<K: Ord + Clone + Hash, V: Copy>(
    table: &Table<K, V>,
    key: &K,
    make: impl FnOnce() -> V,
) -> V {
    if let Some(value) = lock(table).get(key) {
        return *value;
    }
    // Made outside the lock: reading a file may take a while.
    let value = make();
    *lock(table).entry(key.clone()).or_insert(value)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn values<K: Ord, V: Copy>(table: &Table<K, V>) -> Vec<V> {
    lock(table).values().copied().collect()
}

impl dyn Db + '_ {
    pub(crate) fn system(&self) -> &dyn System {
        &*self.facts().system
    }

    pub(crate) fn rule_text(&self, path: &WsPath) -> RuleText {
        let facts = self.facts();
        entry(&facts.texts, path, || new_text(self, path, facts.text(path)))
    }

    /// The text of the package `package`, whose file `file` names.
    pub(crate) fn package_text(&self, package: &WsPath, file: impl FnOnce() -> WsPath) -> RuleText {
        let packages = &self.facts().packages;
        if let Some(text) = lock(packages).get(package) {
            return *text;
        }
        let text = self.rule_text(&file());
        *lock(packages).entry(package.clone()).or_insert(text)
    }

    pub(crate) fn path_kind(&self, path: &WsPath) -> SourceKind {
        let facts = self.facts();
        entry(&facts.kinds, path, || {
            let looked = match facts.looked(path) {
                Some(Content::Present(Artifact::File(_))) => Some(SourceKind::File),
                Some(Content::Present(Artifact::Tree(_))) => Some(SourceKind::Directory),
                _ => None,
            };
            let kind = looked.unwrap_or_else(|| facts.system.kind(path));
            let fact = PathKind::builder(path.clone(), kind);
            fact.path_durability(FIXED).kind_durability(STEADY).new(self)
        })
        .kind(self)
    }

    pub(crate) fn path_content(&self, path: &WsPath) -> &Content {
        let facts = self.facts();
        entry(&facts.contents, path, || {
            let content = facts.looked(path).unwrap_or_else(|| facts.system.content(path));
            PathContent::builder(path.clone(), content).path_durability(FIXED).new(self)
        })
        .content(self)
    }

    pub(crate) fn folder(&self, path: &WsPath) -> Arc<[String]> {
        let facts = self.facts();
        entry(&facts.folders, path, || {
            let fact = Folder::builder(path.clone(), facts.system.entries(path));
            fact.path_durability(FIXED).entries_durability(STEADY).new(self)
        })
        .entries(self)
    }

    pub(crate) fn glob(&self, package: &WsPath, pattern: &str) -> Glob {
        let facts = self.facts();
        let key = (package.clone(), pattern.to_owned());
        entry(&facts.globs, &key, || {
            let files = facts.system.glob(package, pattern);
            let left_out = facts.system.left_out(package, pattern);
            let fact = Glob::builder(package.clone(), pattern.to_owned(), files, left_out);
            let fact = fact.package_durability(FIXED).pattern_durability(FIXED);
            fact.files_durability(STEADY).left_out_durability(STEADY).new(self)
        })
    }

    pub(crate) fn fingerprint(&self, tool: &ToolDef) -> &Result<Digest, Arc<str>> {
        let facts = self.facts();
        entry(&facts.tools, tool, || {
            let fact = Tool::builder(tool.clone(), facts.system.fingerprint(tool));
            fact.tool_durability(FIXED).fingerprint_durability(STEADY).new(self)
        })
        .fingerprint(self)
    }

    /// The target named `label`; it need not exist in any rule file.
    pub fn target(&self, label: &Label) -> Target {
        let targets = &self.facts().targets;
        if let Some(target) = lock(targets).get(label) {
            return *target;
        }
        let target = Target::builder(label.clone(), None, false).label_durability(FIXED).new(self);
        *lock(targets).entry(label.clone()).or_insert(target)
    }
}

fn new_text(db: &(impl Db + ?Sized), path: &WsPath, text: Text) -> RuleText {
    let fact = RuleText::builder(path.clone(), text);
    fact.path_durability(FIXED).text_durability(STEADY).new(db)
}

impl Facts {
    fn new(system: Arc<dyn System>) -> Self {
        Self {
            system,
            texts: Table::default(),
            kinds: Table::default(),
            contents: Table::default(),
            folders: Table::default(),
            globs: Table::default(),
            tools: Table::default(),
            packages: Mutex::default(),
            targets: Mutex::default(),
            looked: Mutex::default(),
        }
    }

    fn looked(&self, path: &WsPath) -> Option<Content> {
        lock(&self.looked).as_ref()?(path)
    }

    /// The text of a rule file: compiled in, or the system's.
    fn text(&self, path: &WsPath) -> Text {
        if path.is_built_in() {
            let text = vwfb_rules::library::source(path);
            return text.map_or(Text::Absent, |text| Text::Present(text.into()));
        }
        self.system.text(path)
    }
}

/// The facts that a database was asked for, but for the contents of sources.
pub(crate) struct Met<'a> {
    pub(crate) texts: Vec<(&'a WsPath, &'a Text)>,
    pub(crate) kinds: Vec<(&'a WsPath, SourceKind)>,
    pub(crate) folders: Vec<(&'a WsPath, Arc<[String]>)>,
    pub(crate) globs: Vec<Glob>,
    pub(crate) tools: Vec<(&'a ToolDef, &'a Result<Digest, Arc<str>>)>,
}

/// What is fixed for the life of a database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Operating system and architecture, as keys name them (`linux-x86_64`).
    pub platform: String,
    /// Whether the kernel holds tasks to the files they declare. What was made without that never
    /// stands for what is made with it.
    pub confined: bool,
    /// The level of its CPU, for the keys of rules that depend on it (`v3`).
    pub cpu_level: String,
    /// Whether to note the queries that run.
    pub log_queries: bool,
}

/// Notes the name of each query that runs.
fn query_log(ran: Arc<Mutex<Vec<String>>>) -> Box<dyn Fn(salsa::Event) + Send + Sync> {
    Box::new(move |event| {
        if let salsa::EventKind::WillExecute { database_key } = event.kind {
            let name = format!("{database_key:?}");
            lock(&ran).push(name.split('(').next().unwrap_or_default().to_owned());
        }
    })
}

/// The database.
#[salsa::db]
#[derive(Clone)]
pub struct Database {
    storage: salsa::Storage<Self>,
    facts: Arc<Facts>,
    ran: Arc<Mutex<Vec<String>>>,
    held: Vec<Target>,
}

#[salsa::db]
impl salsa::Database for Database {}

#[salsa::db]
impl Db for Database {
    fn facts(&self) -> &Facts {
        &self.facts
    }
}

impl Database {
    /// An empty database over `system`.
    pub fn new(system: Arc<dyn System>, overrides: Overrides, machine: Machine) -> Self {
        let ran = Arc::new(Mutex::new(Vec::new()));
        let log = machine.log_queries.then(|| query_log(Arc::clone(&ran)));
        let db = Self {
            storage: salsa::Storage::new(log),
            facts: Arc::new(Facts::new(system)),
            ran,
            held: Vec::new(),
        };
        let _singleton = Settings::builder(overrides, machine, Arc::default(), Pinning::default())
            .durability(STEADY)
            .new(&db);
        db
    }

    /// Closes the door to the world, and leaves the rest to the end of the process: to drop memos
    /// one by one takes a sixth as long as to make them.
    pub(crate) fn leave(self) {
        let Self { storage, facts, ran: _, held: _ } = self;
        std::mem::forget(storage);
        if let Some(facts) = Arc::into_inner(facts) {
            let Facts {
                system,
                texts,
                kinds,
                contents,
                folders,
                globs,
                tools,
                packages,
                targets,
                looked: _,
            } = facts;
            drop(system);
            std::mem::forget((texts, kinds, contents, folders, globs, tools, packages, targets));
        }
    }

    /// The door to the world.
    pub fn system(&self) -> Arc<dyn System> {
        Arc::clone(&self.facts.system)
    }

    /// Asks for the content of many paths at once, on every core, before queries ask one by one.
    pub fn prefetch(&self, paths: &BTreeSet<WsPath>) {
        let known = lock(&self.facts.contents);
        let new: Vec<&WsPath> = paths.iter().filter(|path| !known.contains_key(*path)).collect();
        drop(known);
        let system = &self.facts.system;
        let read: Vec<Content> = new.par_iter().map(|path| system.content(path)).collect();
        for (path, content) in new.into_iter().zip(read) {
            entry(&self.facts.contents, path, || {
                PathContent::builder(path.clone(), content).path_durability(FIXED).new(self)
            });
        }
    }

    /// The names of the queries that ran since the last call, for reuse tests.
    pub fn ran(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.ran))
    }

    /// Says what people chose.
    pub fn set_choices(&mut self, choices: Choices) {
        let settings = Settings::get(self);
        if **settings.choices(self) != choices {
            settings.set_choices(self).to(Arc::new(choices));
        }
    }

    /// Which pins count.
    pub(crate) fn pinning(&self) -> &Pinning {
        Settings::get(self).pinning(self)
    }

    /// Looks again at the text of a rule file, which was just written.
    pub(crate) fn refresh_text(&mut self, path: &WsPath) {
        let fact = lock(&self.facts.texts).get(path).copied();
        if let Some(fact) = fact {
            let now = self.facts.text(path);
            if *fact.text(self) != now {
                fact.set_text(self).to(now);
            }
        }
    }

    /// Says which pins count.
    pub(crate) fn set_pinning(&mut self, pinning: Pinning) {
        let settings = Settings::get(self);
        if *settings.pinning(self) != pinning {
            settings.set_pinning(self).to(pinning);
        }
    }

    /// Records the outputs of `target`'s task, or that they are unknown again. An equal value is
    /// not set, so that nothing is woken.
    pub fn set_outcome(&mut self, target: Target, outcome: Option<Arc<Outcome>>) -> bool {
        if *target.outcome(self) == outcome {
            return false;
        }
        target.set_outcome(self).to(outcome);
        true
    }

    /// Lets nothing expand from the outcome of `target`, or lets it again.
    pub(crate) fn hold(&mut self, target: Target, held: bool) {
        if target.held(self) != held {
            target.set_held(self).to(held);
            self.held.push(target);
        }
    }

    /// Lets everything expand again.
    pub(crate) fn release(&mut self) {
        for target in std::mem::take(&mut self.held) {
            target.set_held(self).to(false);
        }
    }

    /// Like `set_outcome`, but whoever reads it asks again in any case: what was lost is there
    /// again, under the same name.
    pub(crate) fn renew_outcome(&mut self, target: Target, outcome: Arc<Outcome>) {
        target.set_outcome(self).to(Some(outcome));
    }

    /// Every fact that was met, for a snapshot.
    pub(crate) fn met(&self) -> Met<'_> {
        let facts = &*self.facts;
        Met {
            texts: values(&facts.texts).iter().map(|it| (it.path(self), it.text(self))).collect(),
            kinds: values(&facts.kinds).iter().map(|it| (it.path(self), it.kind(self))).collect(),
            folders: values(&facts.folders)
                .iter()
                .map(|it| (it.path(self), it.entries(self)))
                .collect(),
            globs: values(&facts.globs),
            tools: values(&facts.tools)
                .iter()
                .map(|it| (it.tool(self), it.fingerprint(self)))
                .collect(),
        }
    }

    /// Says what stands at some paths, so that queries are not told what comes later.
    pub(crate) fn looked_at(&self, looked: Option<Looked>) {
        *lock(&self.facts.looked) = looked;
    }

    /// The text of a rule file, if that was asked for.
    pub(crate) fn text_met(&self, path: &WsPath) -> Option<&Text> {
        let fact = lock(&self.facts.texts).get(path).copied();
        fact.map(|fact| fact.text(self))
    }

    /// Says what the texts of some rule files are, which nobody asks the system for any more.
    pub(crate) fn hold_texts(&self, texts: Vec<(WsPath, Text)>) {
        for (path, text) in texts {
            entry(&self.facts.texts, &path, || new_text(self, &path, text));
        }
    }

    /// What stands at a path, if that was asked for.
    pub(crate) fn content_met(&self, path: &WsPath) -> Option<&Content> {
        let fact = lock(&self.facts.contents).get(path).copied();
        fact.map(|fact| fact.content(self))
    }

    /// What stands at the paths of which that was asked.
    pub(crate) fn contents_met(&self) -> HashMap<&str, &Content> {
        let facts = values(&self.facts.contents);
        facts.iter().map(|fact| (fact.path(self).as_str(), fact.content(self))).collect()
    }

    /// What is fixed for everything that the database says.
    pub(crate) fn settings(&self) -> (&Overrides, &Machine) {
        let settings = Settings::get(self);
        (settings.overrides(self), settings.machine(self))
    }

    /// Asks the system again for every fact of the workspace, and sets those that differ.
    pub fn refresh(&mut self) {
        let facts = Arc::clone(&self.facts);
        self.looked_at(None);
        let system = &facts.system;
        system.look_again();
        for fact in values(&facts.texts) {
            let now = facts.text(fact.path(self));
            if *fact.text(self) != now {
                fact.set_text(self).to(now);
            }
        }
        for fact in values(&facts.kinds) {
            let now = system.kind(fact.path(self));
            if fact.kind(self) != now {
                fact.set_kind(self).to(now);
            }
        }
        for fact in values(&facts.contents) {
            self.refresh_content(fact);
        }
        self.refresh_listings();
        for fact in values(&facts.tools) {
            let now = system.fingerprint(fact.tool(self));
            if *fact.fingerprint(self) != now {
                let _before = fact.set_fingerprint(self).to(now);
            }
        }
    }

    /// Asks again for the content of one path, which was seen to change.
    pub fn refresh_path(&mut self, path: &WsPath) {
        let fact = lock(&self.facts.contents).get(path).copied();
        if let Some(fact) = fact {
            self.refresh_content(fact);
        }
    }

    fn refresh_content(&mut self, fact: PathContent) {
        let now = self.facts.system.content(fact.path(self));
        if *fact.content(self) != now {
            fact.set_content(self).to(now);
        }
    }

    fn refresh_listings(&mut self) {
        let facts = Arc::clone(&self.facts);
        for fact in values(&facts.folders) {
            let now = facts.system.entries(fact.path(self));
            if fact.entries(self) != now {
                fact.set_entries(self).to(now);
            }
        }
        for fact in values(&facts.globs) {
            let now = facts.system.glob(fact.package(self), fact.pattern(self));
            if fact.files(self) != now {
                fact.set_files(self).to(now);
            }
            let now = facts.system.left_out(fact.package(self), fact.pattern(self));
            if fact.left_out(self) != now {
                fact.set_left_out(self).to(now);
            }
        }
    }
}
