//! What a target comes down to: a task with every path and argument settled, digests still open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::checkpoint::Checkpoint;
use crate::label::{Label, WsPath};
use crate::service::ServiceUse;

/// Where an input's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum InputRef {
    /// A file or directory of the workspace.
    Source(WsPath),
    /// An output of another task.
    Output {
        /// The task's label.
        label: Label,
        /// The output's name.
        output: String,
        /// A path inside the output, which is then a tree.
        subpath: Option<WsPath>,
    },
}

/// One artifact that a target offers to those who refer to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Provided {
    /// The output's name (`png`).
    pub output: String,
    /// Whether it is part of the default group, which a reference without `#` means.
    pub default: bool,
    /// The further groups it belongs to.
    pub groups: Vec<String>,
    /// Where its bytes come from. For a `filegroup` or `alias` this is another target or a source.
    pub from: InputRef,
    /// Its path below `vwfb-out/`, package included (`shorts/final.mp4`); for a source its path.
    pub path: WsPath,
    /// Its media kind or type (`image`, `image/png`), if the rule declares one.
    pub media: Option<String>,
    /// Whether it is a directory tree.
    pub tree: bool,
}

/// One output of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputDef {
    /// Its name in the rule (`png`).
    pub name: String,
    /// Where the action writes it, relative to the working directory (`out/png.png`).
    pub role: String,
    /// Where it is materialised below `vwfb-out/` (`shorts/hook.png`). Not in the key.
    pub path: WsPath,
    /// Whether it is a directory tree.
    pub tree: bool,
    /// Its media kind or type.
    pub media: Option<String>,
}

/// What the results of running a task twice have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Results {
    /// The same bytes.
    Deterministic,
    /// The same bytes for the same seed, which is part of the key.
    Seeded,
    /// Nothing: the result is recorded, kept, and made again only when asked.
    Sampled,
}

/// What a task runs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Command {
    /// A program with its arguments, never a shell string. A `script` is `sh -eu -c <text>` (with
    /// `-o pipefail` for shells that have it), every interpolated value quoted.
    Process {
        /// The program's name as a tool declares it.
        program: String,
        /// Its arguments, without the program's own name.
        args: Vec<String>,
    },
    /// Writes `text` to the only output; no process.
    WriteFile {
        /// The whole content.
        text: String,
        /// Whether the file may be executed.
        executable: bool,
    },
    /// Asks a person; nothing runs.
    Decide(Arc<Checkpoint>),
}

/// A declared set of programs with the data they need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ToolDef {
    /// Its name; for a tool without a `toolchain` node the program's name. `base` stands for `sh`
    /// and the coreutils, and lists no programs.
    pub name: String,
    /// Programs, by name on PATH, by absolute path, or by `//` workspace path.
    pub programs: Vec<String>,
    /// Absolute paths of files and folders it reads: voices, fonts, models.
    pub data: Vec<String>,
    /// What keys know it by instead of its files' bytes.
    pub version: Option<String>,
}

/// A task: everything its action key will be made of except digests, and its limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDef {
    /// The target.
    pub label: Label,
    /// The rule's name (`tts`), which `kind()` in queries matches. Not in the key.
    pub rule: String,
    /// The rule's declared version.
    pub rule_version: u32,
    /// What to run.
    pub command: Command,
    /// Its inputs by path relative to the working directory (`in/src.svg`).
    pub inputs: BTreeMap<String, InputRef>,
    /// Its outputs, in the rule's order.
    pub outputs: Arc<[OutputDef]>,
    /// Declared environment, by value.
    pub env: BTreeMap<String, String>,
    /// Environment variables filled from secrets at the last moment: variable -> secret's name.
    pub secrets: BTreeMap<String, String>,
    /// The role path of the input fed to standard input; otherwise it is empty.
    pub stdin: Option<String>,
    /// The role path of the output that standard output becomes; otherwise it goes to the log.
    pub stdout: Option<String>,
    /// The same for standard error.
    pub stderr: Option<String>,
    /// The exit codes that mean success.
    pub success_codes: Arc<BTreeSet<i32>>,
    /// The tools it may start.
    pub tools: Vec<Arc<ToolDef>>,
    /// Targets that must have succeeded before it starts; never part of the key.
    pub after: Vec<Label>,
    /// Named capacities it occupies while it runs.
    pub resources: BTreeMap<String, u32>,
    /// How long it may run.
    pub timeout: Option<Duration>,
    /// How often a failed run is tried again.
    pub retries: u32,
    /// Whether it may use the network.
    pub network: bool,
    /// The service that it asks.
    pub service: Option<Arc<ServiceUse>>,
    /// Whether it gets a terminal of its own, whose controlling side is its standard input.
    pub terminal: bool,
    /// Whether its results depend on the level of the CPU, which is then part of its key.
    pub cpu_level: bool,
    /// What two runs have in common.
    pub results: Results,
    /// The seed of a seeded rule.
    pub seed: Option<i64>,
    /// Whether what a person says of its results changes what it runs.
    pub reads_feedback: bool,
    /// Whether a preview must not start it.
    pub expensive: bool,
    /// Free words for queries.
    pub tags: BTreeSet<String>,
}
