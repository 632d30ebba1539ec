//! A workspace in a temporary folder, and builds of it whose every task is accounted for.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;
use vwfb_cas::{ActionResult, Artifact, Store, SystemClock};
use vwfb_engine::build::Options;
use vwfb_engine::event::{Event, TaskResult};
use vwfb_engine::forecast::Forecast;
use vwfb_engine::why::Why;
use vwfb_engine::workers::{Inbox, Job, Runner, Worker};
use vwfb_engine::workspace::{Evaluate, Place, Request, Workspace};
use vwfb_exec::action::Command;
use vwfb_exec::{CancelToken, Cause, Failure, Waiter};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::vars::{Overrides, VarOverride};

/// A workspace with its store.
pub(crate) struct Scene {
    folder: TempDir,
    overrides: Overrides,
    options: Options,
    /// Whether builds may begin with the last snapshot.
    pub(crate) evaluate: Evaluate,
    /// The scripts that were run, in order, over all builds.
    pub(crate) runs: Arc<Mutex<Vec<String>>>,
}

/// What one build did.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Target name -> what became of its task.
    pub(crate) results: BTreeMap<String, TaskResult>,
    /// Target name -> why it has no result.
    pub(crate) reasons: BTreeMap<String, String>,
    /// Whether something of the machine failed.
    pub(crate) environment_failed: bool,
    /// Every event.
    pub(crate) events: Vec<Event>,
}

impl Seen {
    /// Asserts what became of every task: `ran a b; cut-off c; unchanged d`, in any order.
    #[track_caller]
    pub(crate) fn expect(&self, expected: &str) -> &Self {
        let mut wanted = BTreeMap::new();
        for group in expected.split(';').map(str::trim).filter(|group| !group.is_empty()) {
            let mut words = group.split_whitespace();
            let word = words.next().unwrap();
            let result = *TaskResult::ALL
                .iter()
                .find(|result| result.as_str() == word)
                .unwrap_or_else(|| panic!("`{word}` is no result"));
            for name in words {
                assert!(wanted.insert(name.to_owned(), result).is_none(), "`{name}` twice");
            }
        }
        assert_eq!(self.results, wanted, "reasons: {:?}", self.reasons);
        self
    }
}

impl Scene {
    /// A workspace with `build` as its only package's file.
    pub(crate) fn new(build: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            jobs: 2,
            fail_fast: false,
            only_final: false,
            preview: None,
            confined: true,
            resources: BTreeMap::new(),
            budgets: Default::default(),
        };
        let (overrides, runs) = (Overrides::default(), Arc::default());
        let evaluate = Evaluate::Changes;
        let scene = Self { folder, overrides, options, evaluate, runs };
        fs::create_dir(scene.root()).unwrap();
        scene.write("WORKSPACE.kdl", "workspace \"scene\"\n").write("BUILD.kdl", build);
        scene
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("ws")
    }

    pub(crate) fn store_folder(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn remove(&self, path: &str) -> &Self {
        fs::remove_file(self.root().join(path)).unwrap();
        self
    }

    pub(crate) fn output(&self, path: &str) -> String {
        fs::read_to_string(self.root().join("vwfb-out").join(path)).unwrap()
    }

    pub(crate) fn set_vars(&mut self, vars: &[&str]) -> &mut Self {
        self.overrides.vars = vars.iter().map(|var| VarOverride::parse(var).unwrap()).collect();
        self
    }

    pub(crate) fn fail_fast(&mut self) -> &mut Self {
        self.options.fail_fast = true;
        self
    }

    pub(crate) fn one_job(&mut self) -> &mut Self {
        self.options.jobs = 1;
        self
    }

    pub(crate) fn store(&self) -> Store {
        Store::open(&self.store_folder()).unwrap()
    }

    /// Opens the workspace as a new process would.
    pub(crate) fn open(&self) -> Workspace {
        self.open_for(&[])
    }

    /// Opens the workspace as a new process would that is about to ask for these.
    fn open_for(&self, ahead: &[Pattern]) -> Workspace {
        let place = Place {
            settings: None,
            root: self.root(),
            store: self.store_folder(),
            overrides: self.overrides.clone(),
            confined: true,
            ahead: ahead.to_vec(),
        };
        Workspace::open(place, Arc::new(SystemClock)).unwrap()
    }

    /// Builds `pattern` from a cold start.
    pub(crate) fn build(&self, pattern: &str) -> Seen {
        let is_unchanged = self.is_unchanged(pattern);
        let seen = self.build_in(&mut self.open_for(&patterns(pattern)), pattern);
        let all_unchanged = seen.results.values().all(|it| *it == TaskResult::Unchanged);
        assert!(all_unchanged || !is_unchanged, "{:?}", seen.results);
        seen
    }

    /// Whether a new process that asks quietly finds that nothing changed.
    pub(crate) fn is_unchanged(&self, pattern: &str) -> bool {
        let patterns = patterns(pattern);
        self.open_for(&patterns).prepare(&patterns, Evaluate::Quietly).is_unchanged()
    }

    /// Builds `pattern` in an open workspace.
    pub(crate) fn build_in(&self, workspace: &mut Workspace, pattern: &str) -> Seen {
        let prepared = workspace.prepare(&patterns(pattern), self.evaluate);
        assert!(!prepared.loaded.has_errors(), "{:#?}", prepared.loaded.problems);
        let inbox = Inbox::default();
        let runner = FakeRunner {
            store: Arc::clone(workspace.store()),
            root: self.root(),
            runs: Arc::clone(&self.runs),
        };
        let request = Request {
            options: &self.options,
            runner: Arc::new(runner),
            sandbox: "none".to_owned(),
            configuration: String::new(),
            inbox: &inbox,
            exit_code: |_| 0,
        };
        let mut events: Vec<Event> = Vec::new();
        let built = workspace.build(prepared, &request, &mut events).unwrap();
        let mut seen = Seen {
            results: BTreeMap::new(),
            reasons: BTreeMap::new(),
            environment_failed: built.environment_failed,
            events: Vec::new(),
        };
        for event in &events {
            if let Event::TaskFinished(finished) = event {
                let name = finished.label.target();
                seen.results.insert(name.clone(), finished.result);
                if let Some(reason) = &finished.reason {
                    seen.reasons.insert(name, reason.to_string());
                }
            }
        }
        assert_eq!(built.counts.total(), seen.results.len(), "every task is counted once");
        seen.events = events;
        seen
    }

    /// What a build of `pattern` would do.
    pub(crate) fn forecast(&self, pattern: &str) -> Vec<Forecast> {
        let mut workspace = self.open();
        let prepared = workspace.prepare(&patterns(pattern), self.evaluate);
        workspace.forecast(&prepared).unwrap().tasks
    }

    /// Why a build of `label` would run something.
    pub(crate) fn why(&self, label: &str) -> Why {
        let mut workspace = self.open();
        let label = Label::parse(label, &WsPath::root()).unwrap();
        let prepared = workspace.prepare_label(&label);
        assert!(!prepared.loaded.has_errors(), "{:#?}", prepared.loaded.problems);
        workspace.why(&prepared, &label).unwrap()
    }
}

fn patterns(text: &str) -> Vec<Pattern> {
    text.split_whitespace().map(|word| Pattern::parse(word, &WsPath::root()).unwrap()).collect()
}

/// Does what the first word of a script says, in process:
///
/// - `join`: every input one after another, in the order of their paths
/// - `head N`: the first N bytes of that
/// - `fail-if WORD`: like `join`, but fails where the inputs hold WORD
/// - `tree`: a folder with a file per line of the inputs
/// - `gc`: like `join`, after another process dropped every root and removed all it may
/// - `nth`: how many scripts were run, then like `join`
/// - `clobber PATH TEXT`: like `join`, after it wrote TEXT to PATH in the workspace
/// - `remove PATH`: like `join`, after it removed PATH in the workspace and took its time
struct FakeRunner {
    store: Arc<Store>,
    root: PathBuf,
    runs: Arc<Mutex<Vec<String>>>,
}

impl Runner for FakeRunner {
    fn worker(&self, _: Waiter) -> Box<dyn Worker> {
        Box::new(FakeWorker(Self {
            store: Arc::clone(&self.store),
            root: self.root.clone(),
            runs: Arc::clone(&self.runs),
        }))
    }
}

struct FakeWorker(FakeRunner);

impl Worker for FakeWorker {
    fn run(&mut self, job: &Job, _: &CancelToken) -> Result<ActionResult, Box<Failure>> {
        let script = match &job.action.command {
            Command::Process { args, .. } => args.last().unwrap().clone(),
            Command::WriteFile { text, .. } => return Ok(self.result(job, text.as_bytes())),
        };
        self.0.runs.lock().unwrap().push(script.clone());
        let mut bytes = Vec::new();
        if script.starts_with("nth") {
            bytes.extend(self.0.runs.lock().unwrap().len().to_string().into_bytes());
        }
        for (role, artifact) in &job.action.inputs {
            self.read(role, artifact, &mut bytes)?;
        }
        let mut words = script.split_whitespace();
        match words.next().unwrap() {
            "join" | "nth" => {}
            "head" => bytes.truncate(words.next().unwrap().parse().unwrap()),
            "fail-if" => {
                let word = words.next().unwrap();
                if String::from_utf8_lossy(&bytes).contains(word) {
                    return Err(failure(Cause::Exit { program: "sh".to_owned(), code: 1 }));
                }
            }
            "tree" => return Ok(self.tree(job, &bytes)),
            "gc" => {
                let store = Store::open(self.0.store.root()).unwrap();
                for workspace in store.root_workspaces().unwrap() {
                    store.publish_roots(&workspace, &vwfb_cas::Roots::default()).unwrap();
                }
                let all = vwfb_cas::GcOptions { max_bytes: Some(0), ..Default::default() };
                let _removed = store.gc(&all).unwrap();
            }
            "clobber" => {
                let path = self.0.root.join(words.next().unwrap());
                fs::write(path, words.next().unwrap()).unwrap();
            }
            "remove" => {
                fs::remove_file(self.0.root.join(words.next().unwrap())).unwrap();
                // Outputs are looked at again at the end of a build that takes this long.
                std::thread::sleep(std::time::Duration::from_millis(300));
            }
            other => panic!("`{other}` is no fake command"),
        }
        Ok(self.result(job, &bytes))
    }
}

impl FakeWorker {
    fn read(
        &self,
        role: &str,
        artifact: &Artifact,
        bytes: &mut Vec<u8>,
    ) -> Result<(), Box<Failure>> {
        match artifact {
            Artifact::File(file) => {
                let read = self.0.store.read(file.blob).map_err(|_| {
                    failure(Cause::InputLost { role: role.to_owned(), blob: file.blob })
                })?;
                bytes.extend(read);
            }
            Artifact::Tree(tree) => bytes.extend(tree.to_string().into_bytes()),
        }
        Ok(())
    }

    fn result(&self, job: &Job, bytes: &[u8]) -> ActionResult {
        let file = self.0.store.put_bytes(bytes).unwrap();
        self.outputs(job, Artifact::File(file))
    }

    fn tree(&self, job: &Job, bytes: &[u8]) -> ActionResult {
        let folder = tempfile::tempdir().unwrap();
        for line in String::from_utf8_lossy(bytes).lines() {
            let (name, text) = line.split_once('=').unwrap();
            fs::write(folder.path().join(name), text).unwrap();
        }
        let tree = self.0.store.put_tree(folder.path(), vwfb_cas::Take::Copy).unwrap();
        self.outputs(job, Artifact::Tree(tree))
    }

    fn outputs(&self, job: &Job, artifact: Artifact) -> ActionResult {
        let outputs = job.action.outputs.keys().map(|name| (name.clone(), artifact)).collect();
        ActionResult { outputs, log: None, duration_ms: 1, observed_inputs: None }
    }
}

fn failure(cause: Cause) -> Box<Failure> {
    Box::new(Failure {
        cause,
        log: None,
        duration: std::time::Duration::ZERO,
        command: None,
        kept: None,
    })
}
