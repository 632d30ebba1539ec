//! Runs of `vwfb-kit`, with a ledger that outlives them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use super::server::Server;

/// A secret that is to be seen nowhere.
pub(crate) const SECRET: &str = "sk-very-secret-0123456789";

/// The place of a task: its inputs, its output, its ledger and its environment.
pub(crate) struct Client {
    folder: TempDir,
    env: BTreeMap<String, String>,
}

/// What a run came to.
#[must_use]
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) fn new(server: &Server) -> Self {
        Self::of(&server.url())
    }

    pub(crate) fn of(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("ledger")).unwrap();
        let ledger = folder.path().join("ledger").display().to_string();
        let env = [
            ("VWFB_SERVICE", "voice"),
            ("VWFB_SERVICE_URL", url),
            ("VWFB_SERVICE_SECRET", SECRET),
            ("VWFB_SERVICE_KEY", &"0a".repeat(32)),
            ("VWFB_SERVICE_LEDGER", &ledger),
            ("VWFB_SERVICE_IDLE", "5"),
            ("VWFB_SERVICE_DEADLINE", "10"),
            ("VWFB_SERVICE_PACE", "0.02"),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let client = Self { folder, env };
        client.write("text.txt", "Hello there.\n");
        client
    }

    pub(crate) fn env(self, name: &str, value: &str) -> Self {
        self.variable(&format!("VWFB_SERVICE_{name}"), value)
    }

    pub(crate) fn variable(mut self, name: &str, value: &str) -> Self {
        self.env.insert(name.to_owned(), value.to_owned());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    /// How far the ledger says that it went; nothing where nothing is open.
    pub(crate) fn state(&self) -> Option<String> {
        if !self.path("ledger/submission.json").exists() {
            return None;
        }
        let entry = self.json("ledger/submission.json");
        assert_eq!(entry["version"], 1);
        assert_eq!(entry["request"].as_str().unwrap().len(), 64);
        assert!(entry["at"].as_u64().unwrap() > 1_700_000_000_000, "{entry}");
        entry["state"].as_str().map(str::to_owned)
    }

    /// Starts the program in the place.
    pub(crate) fn start(&self, args: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_vwfb-kit"))
            .args(args)
            .current_dir(self.folder.path())
            .env_clear()
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap()
    }

    /// Runs it to its end. Whatever it says and writes, the secret is not in it.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        let start = Instant::now();
        let mut child = self.start(args);
        let (mut stdout, mut stderr) = (String::new(), String::new());
        child.stdout.take().unwrap().read_to_string(&mut stdout).unwrap();
        child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        let code = child.wait().unwrap().code();
        for text in [&stdout, &stderr] {
            assert!(!text.contains(SECRET), "{text}");
        }
        for entry in fs::read_dir(self.path("ledger")).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!String::from_utf8_lossy(&bytes).contains(SECRET));
        }
        Ran { code, stdout, stderr, took: start.elapsed() }
    }

    /// Starts it, kills it where the server holds, and lets the server go on.
    pub(crate) fn kill_at(&self, server: &Server, step: &str, args: &[&str]) {
        server.hold_at(step);
        let mut child = self.start(args);
        server.wait_until_held();
        child.kill().unwrap();
        child.wait().unwrap();
        server.release();
    }
}

impl Ran {
    /// It did its work.
    pub(crate) fn done(&self) {
        assert_eq!(self.code, Some(0), "{self:?}");
    }

    /// It ended with `code`, and said each of `words`.
    pub(crate) fn failed(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.stderr.starts_with("error: "), "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "no `{word}` in {self:?}");
        }
    }
}
