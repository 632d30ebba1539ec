//! A store, an executor and a worker in a temporary folder, and short ways to ask them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;
use vwfb_cas::{Artifact, Digest, FileRef, Store, Take};
use vwfb_exec::action::{Action, Command, Grants, OutputSpec};
use vwfb_exec::{
    CancelToken, Closure, ExecOptions, Executed, Executor, Failure, FileDigests, Level,
    ProgramSpec, ToolSpec, Toolchains, Worker,
};

pub(crate) const HELPER: &str = env!("CARGO_BIN_EXE_vwfb-exec-helper");

pub(crate) struct Scene {
    pub(crate) temp: TempDir,
    pub(crate) store: Arc<Store>,
    pub(crate) executor: Executor,
    pub(crate) worker: Worker,
    pub(crate) closures: BTreeMap<String, Arc<Closure>>,
    pub(crate) grants: Grants,
    pub(crate) cancel: CancelToken,
}

/// Reads files as they are.
pub(crate) struct Reading;

impl FileDigests for Reading {
    fn digest(&self, path: &Path) -> io::Result<Digest> {
        std::fs::read(path).map(|bytes| Digest::of(&bytes))
    }
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::with(|_, _| {})
    }

    /// A scene whose options `change` has changed; it is also given the temporary folder.
    pub(crate) fn with(change: impl FnOnce(&mut ExecOptions, &Path)) -> Self {
        let temp = TempDir::new().unwrap();
        let store = Arc::new(Store::open(&temp.path().join("store")).unwrap());
        let mut options = ExecOptions {
            launcher: HELPER.into(),
            launcher_argument: "launcher".to_owned(),
            level: Level::detect(),
            grace: Duration::from_secs(60),
            keep_scratch: None,
        };
        change(&mut options, temp.path());
        let executor = Executor::new(store.clone(), options);
        let worker = executor.worker().unwrap();
        let mut scene = Self {
            temp,
            store,
            executor,
            worker,
            closures: BTreeMap::new(),
            grants: Grants::default(),
            cancel: CancelToken::new().unwrap(),
        };
        scene.closures.insert("base".to_owned(), base());
        scene
    }

    /// A scene in which the tools `names` can be declared, too.
    pub(crate) fn with_tools(names: &[&str]) -> Self {
        let mut scene = Self::new();
        names.iter().for_each(|name| scene.add_tool(name));
        scene
    }

    /// Makes the tool `name` one that can be declared.
    pub(crate) fn add_tool(&mut self, name: &str) {
        let programs = match name {
            "helper" => vec![ProgramSpec::at("helper", Path::new(HELPER))],
            name => vec![ProgramSpec::named(name)],
        };
        let tool = ToolSpec { name: name.to_owned(), programs, data: Vec::new() };
        let closure = Toolchains::new(&[]).closure(&tool, &Reading).unwrap();
        self.closures.insert(name.to_owned(), Arc::new(closure));
    }

    /// A script with all tools of the scene.
    pub(crate) fn script(&self, text: &str) -> Action {
        self.program("sh", &["-euc", text])
    }

    /// A program with all tools of the scene.
    pub(crate) fn program(&self, name: &str, args: &[&str]) -> Action {
        let tools = self.closures.iter().map(|(name, tool)| (name.clone(), tool.fingerprint));
        Action {
            command: Command::Process {
                program: name.to_owned(),
                args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            },
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            stdin: None,
            stdout: None,
            stderr: None,
            success_codes: BTreeSet::from([0]),
            tools: tools.collect(),
            network: false,
            service: None,
            terminal: false,
            seed: None,
            take: 0,
            feedback: None,
            platform: String::new(),
            rule_version: 1,
        }
    }

    pub(crate) fn run(&mut self, action: &Action) -> Result<Executed, Box<Failure>> {
        let Self { executor, worker, closures, grants, cancel, .. } = self;
        executor.run(worker, action, grants, closures, cancel)
    }

    /// Stores a text, to be an input.
    pub(crate) fn input(&self, text: &str) -> Artifact {
        Artifact::File(self.store.put_bytes(text.as_bytes()).unwrap())
    }

    /// Stores a folder of texts, to be an input.
    pub(crate) fn input_tree(&self, files: &[(&str, &str)]) -> Artifact {
        let folder = TempDir::new_in(self.temp.path()).unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        Artifact::Tree(self.store.put_tree(folder.path(), Take::Copy).unwrap())
    }

    /// The text of an output.
    pub(crate) fn output(&self, executed: &Executed, name: &str) -> String {
        match executed.result.outputs[name] {
            Artifact::File(file) => self.text(Some(file)),
            Artifact::Tree(tree) => format!("{:?}", self.store.tree(tree).unwrap()),
        }
    }

    /// The text of a file in the store, of a log for example.
    pub(crate) fn text(&self, file: Option<FileRef>) -> String {
        file.map_or_else(String::new, |file| {
            String::from_utf8(self.store.read(file.blob).unwrap()).unwrap()
        })
    }

    /// A named pipe that tasks may read. Opening it for writing waits for a task that does.
    pub(crate) fn pipe(&mut self) -> PathBuf {
        let folder = self.temp.path().join("pipes");
        let path = make_pipe(&folder);
        let base = self.closures.get_mut("base").unwrap();
        Arc::make_mut(base).readable.insert(folder);
        path
    }
}

/// Makes a named pipe in `folder`.
pub(crate) fn make_pipe(folder: &Path) -> PathBuf {
    std::fs::create_dir_all(folder).unwrap();
    let path = folder.join("pipe");
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    path
}

/// Declares a file that is made.
pub(crate) trait Declare {
    fn out(self, role: &str) -> Self;
    fn out_tree(self, role: &str) -> Self;
    fn with_input(self, role: &str, artifact: Artifact) -> Self;
}

impl Declare for Action {
    fn out(mut self, role: &str) -> Self {
        self.outputs.insert(role.to_owned(), OutputSpec { role: role.to_owned(), tree: false });
        self
    }

    fn out_tree(mut self, role: &str) -> Self {
        self.outputs.insert(role.to_owned(), OutputSpec { role: role.to_owned(), tree: true });
        self
    }

    fn with_input(mut self, role: &str, artifact: Artifact) -> Self {
        self.inputs.insert(role.to_owned(), artifact);
        self
    }
}

/// Whether this kernel confines as the test needs; says so where it does not.
pub(crate) fn confined(enough: fn(Level) -> bool) -> bool {
    let level = Level::detect();
    if !enough(level) {
        eprintln!("skipped: the kernel enforces `{level}` only");
    }
    enough(level)
}

/// The closure of the base toolchain, read once for all tests.
fn base() -> Arc<Closure> {
    static BASE: OnceLock<Arc<Closure>> = OnceLock::new();
    let found = || Toolchains::new(&[]).closure(&ToolSpec::base(), &Reading).unwrap();
    BASE.get_or_init(|| Arc::new(found())).clone()
}
