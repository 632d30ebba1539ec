//! A workspace with a store of its own, and runs of the binary in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Two tasks in a row and one beside them: `:copy` needs `:greet`, which reads `greeting.txt`.
pub(crate) const PACKAGE: &str = r#"
task "greet" {
    srcs "greeting.txt"
    out "greet.txt"
    script "cat {srcs} > {out}; echo greeted"
}
task "copy" {
    srcs ":greet"
    out "copy.txt"
    script "cat {srcs} > {out}"
}
task "alone" {
    out "alone.txt"
    script "echo alone > {out}"
}
"#;

/// A task that fails and one that is behind it.
pub(crate) const FAILING: &str = r#"
task "bad" {
    out "bad.txt"
    script "echo before the end; exit 3"
}
task "behind" {
    srcs ":bad"
    out "behind.txt"
    script "cat {srcs} > {out}"
}
"#;

/// A temporary workspace.
pub(crate) struct World {
    folder: TempDir,
}

/// What a run of the binary came to; paths of the world are written `[root]` and `[store]`.
#[must_use]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl World {
    /// A workspace without packages.
    pub(crate) fn empty() -> Self {
        let world = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir(world.root()).unwrap();
        world.write("WORKSPACE.kdl", "workspace \"test\"\n");
        world
    }

    /// A workspace with the package `//p` of `PACKAGE`.
    pub(crate) fn new() -> Self {
        let world = Self::empty();
        world.write("p/BUILD.kdl", PACKAGE);
        world.write("p/greeting.txt", "hello\n");
        world
    }

    /// One with the package `//p` of `text`.
    pub(crate) fn with(text: &str) -> Self {
        let world = Self::empty();
        world.write("p/BUILD.kdl", text);
        world
    }

    pub(crate) fn root(&self) -> PathBuf {
        // The binary names folders without links.
        self.folder.path().canonicalize().unwrap().join("root")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.root().with_file_name("store")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// The binary in the workspace's folder, with an environment that is always the same.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_vwfb"));
        command
            .args(args)
            .current_dir(self.root())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.folder.path().join("home"))
            .env("LANG", "C.UTF-8")
            .env("VWFB_STORE", self.store());
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.ended(self.command(args).output().unwrap())
    }

    /// Runs it to its end, which must be success.
    pub(crate) fn ok(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        ran
    }

    pub(crate) fn ended(&self, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            let text = text.replace(&path_text(&self.root()), "[root]");
            text.replace(&path_text(&self.store()), "[store]")
        };
        Ran { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// Builds, and tells how each task ended at last: `//p:a ran`, sorted.
    pub(crate) fn results(&self, args: &[&str]) -> Vec<String> {
        let mut all = vec!["build", "--events", "events.jsonl"];
        all.extend(args);
        let _ended = self.run(&all);
        let mut results = BTreeMap::new();
        for event in self.events("events.jsonl") {
            if event["event"] == "task-finished" {
                let text = |name: &str| event[name].as_str().unwrap().to_owned();
                results.insert(text("label"), text("result"));
            }
        }
        results.iter().map(|(label, result)| format!("{label} {result}")).collect()
    }

    /// The events in a file.
    pub(crate) fn events(&self, path: &str) -> Vec<Value> {
        self.read(path).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn path_text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

impl Ran {
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

    /// The same, whose standard output must hold `text`.
    #[track_caller]
    pub(crate) fn prints(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "no `{text}` in:\n{}", self.stdout);
        self
    }
}
