//! Workspaces with a store beside them, and runs of the binary in them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use serde_json::Value;
use tempfile::TempDir;

/// A workspace in a temporary folder, and the store that it uses.
pub(crate) struct World {
    folder: Arc<TempDir>,
    root: PathBuf,
    store: PathBuf,
}

/// What a run of the binary came to.
#[must_use]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A workspace without packages.
    pub(crate) fn empty() -> Self {
        let folder = Arc::new(tempfile::tempdir().unwrap());
        let all = folder.path().canonicalize().unwrap();
        Self::made(folder, all.join("root"), all.join("store"))
    }

    /// One with the package `//p` of `text`.
    pub(crate) fn with(text: &str) -> Self {
        let world = Self::empty();
        world.write("p/BUILD.kdl", text);
        world
    }

    /// Another workspace that uses the same store.
    pub(crate) fn neighbour(&self) -> Self {
        Self::made(Arc::clone(&self.folder), self.beside("neighbour"), self.store.clone())
    }

    /// The same workspace with a store of its own, in the folder `name` beside it.
    pub(crate) fn with_store(&self, name: &str) -> Self {
        let (folder, root) = (Arc::clone(&self.folder), self.root.clone());
        Self { folder, root, store: self.beside(name) }
    }

    fn made(folder: Arc<TempDir>, root: PathBuf, store: PathBuf) -> Self {
        fs::create_dir(&root).unwrap();
        let world = Self { folder, root, store };
        world.write("WORKSPACE.kdl", "workspace \"test\"\n");
        world
    }

    /// Its folder.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The store's folder.
    pub(crate) fn store(&self) -> &Path {
        &self.store
    }

    /// A path of the workspace.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A path beside the workspace.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.parent().unwrap().join(name)
    }

    /// Writes a file of the workspace, and the folders above it.
    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// The text of a file of the workspace.
    #[track_caller]
    pub(crate) fn read(&self, path: &str) -> String {
        let read = fs::read_to_string(self.path(path));
        read.unwrap_or_else(|error| panic!("`{path}`: {error}"))
    }

    /// The binary in the workspace's folder, with an environment that is always the same.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vwfb"));
        self.prepare(&mut command);
        command.args(args);
        command
    }

    /// Has `command` start where the binary would, with the same environment.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command
            .current_dir(&self.root)
            .stdin(Stdio::null())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
            .env("HOME", self.beside("home"))
            .env("LANG", "C.UTF-8")
            .env("VWFB_STORE", &self.store);
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).output().unwrap())
    }

    /// Runs it to its end, which must be success.
    #[track_caller]
    pub(crate) fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    /// Builds, which must be a success, and tells how each task ended at last.
    #[track_caller]
    pub(crate) fn results(&self, args: &[&str]) -> BTreeMap<String, String> {
        let events = self.beside("events.jsonl");
        let _built = self.ok(&[&["build", "--events", events.to_str().unwrap()], args].concat());
        results(&fs::read_to_string(events).unwrap())
    }

    /// How many tasks of a build, which must be a success, ended in each way.
    #[track_caller]
    pub(crate) fn counts(&self, args: &[&str]) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for result in self.results(args).into_values() {
            *counts.entry(result).or_default() += 1;
        }
        counts
    }

    /// Begins a build whose events are heard as they come; `name` is that of no other.
    pub(crate) fn begin(&self, name: &str, args: &[&str]) -> Running {
        let pipe = self.beside(&format!("{name}.fifo"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        let args = [&["build", "--events", pipe.to_str().unwrap()], args].concat();
        let mut command = self.command(&args);
        let child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        Running { child, events: BufReader::new(File::open(pipe).unwrap()), heard: String::new() }
    }
}

/// The last result of each task among events.
pub(crate) fn results(events: &str) -> BTreeMap<String, String> {
    let mut results = BTreeMap::new();
    for line in events.lines() {
        let event: Value = serde_json::from_str(line).unwrap();
        if event["event"] == "task-finished" {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            results.insert(text("label"), text("result"));
        }
    }
    results
}

/// A build that goes on.
pub(crate) struct Running {
    pub(crate) child: Child,
    events: BufReader<File>,
    heard: String,
}

impl Running {
    /// Waits for an event whose line holds all of `words`.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, words: &[&str]) {
        loop {
            let start = self.heard.len();
            let read = self.events.read_line(&mut self.heard).unwrap();
            if read == 0 {
                let said = self.complaints();
                panic!("no event {words:?} in:\n{}{said}", self.heard);
            }
            if words.iter().all(|word| self.heard[start..].contains(word)) {
                return;
            }
        }
    }

    fn complaints(&mut self) -> String {
        let mut text = String::new();
        if let Some(stderr) = &mut self.child.stderr {
            stderr.read_to_string(&mut text).unwrap();
        }
        text
    }

    /// Waits for its end; also the last result of each task.
    pub(crate) fn end(mut self) -> (Ran, BTreeMap<String, String>) {
        self.events.read_to_string(&mut self.heard).unwrap();
        (Ran::of(self.child.wait_with_output().unwrap()), results(&self.heard))
    }
}

impl Ran {
    /// What a process that ended left.
    pub(crate) fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The same, whose exit code must be `code`.
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        self
    }

    /// The same, whose standard error must hold `text`.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in:\n{}", self.stderr);
        self
    }
}

/// Every file and link below `folder`, with its bytes or its target, by path.
pub(crate) fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() {
            let target = fs::read_link(&path).unwrap();
            found.insert(name, target.into_os_string().into_encoded_bytes());
        } else if path.is_dir() {
            let below = contents(&path).into_iter();
            found.extend(below.map(|(path, bytes)| (format!("{name}/{path}"), bytes)));
        } else {
            found.insert(name, fs::read(&path).unwrap());
        }
    }
    found
}

/// Tells whoever reads the test's output.
#[expect(clippy::print_stderr, reason = "it is for people who run the tests")]
pub(crate) fn tell(text: &str) {
    eprintln!("{text}");
}
