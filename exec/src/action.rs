//! An action as plain data: all a task can see, so that a key can be made of it, and another
//! machine could run it. All paths are relative to the working directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use vwfb_cas::{Artifact, Digest};

/// Everything that may change a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What to do.
    pub command: Command,
    /// Each input's role path and content.
    pub inputs: BTreeMap<String, Artifact>,
    /// The outputs it must make, by name.
    pub outputs: BTreeMap<String, OutputSpec>,
    /// Declared environment, by value.
    pub env: BTreeMap<String, String>,
    /// Names of the secrets it is granted: environment variable -> secret.
    pub secrets: BTreeMap<String, String>,
    /// The role path of the input that is its standard input; empty input otherwise.
    pub stdin: Option<String>,
    /// The role path that standard output is written to; the log otherwise.
    pub stdout: Option<String>,
    /// The role path that standard error is written to; the log otherwise.
    pub stderr: Option<String>,
    /// The exit codes that mean success.
    pub success_codes: BTreeSet<i32>,
    /// Toolchain name -> fingerprint of its closure.
    pub tools: BTreeMap<String, Digest>,
    /// Whether it may use the network.
    pub network: bool,
    /// The service that it asks: its name, and its version if that is declared.
    pub service: Option<String>,
    /// Whether it gets a terminal of its own, whose controlling side is its standard input.
    pub terminal: bool,
    /// The seed of a seeded rule.
    pub seed: Option<i64>,
    /// Which of several results this is; 0 by default.
    pub take: u32,
    /// A person's feedback that the rule reads.
    pub feedback: Option<String>,
    /// Operating system, architecture and, where results depend on it, the CPU level.
    pub platform: String,
    /// The rule's version.
    pub rule_version: u32,
}

/// What an action does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Starts a program of one of its toolchains; never a shell string.
    Process {
        /// The program's name as the toolchain declares it.
        program: String,
        /// Its arguments.
        args: Vec<String>,
    },
    /// Writes a text to the only output, in process.
    WriteFile {
        /// The content.
        text: String,
        /// Whether the file may be executed.
        executable: bool,
    },
}

/// One output an action must make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputSpec {
    /// Where it is written, below `out/`.
    pub role: String,
    /// Whether it is a directory tree.
    pub tree: bool,
}

/// What a process needs to ask a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceGrant {
    /// Further variables: the address and the limits.
    pub env: BTreeMap<String, String>,
    /// The variable for its secret, with that; neither shown nor logged.
    pub secret: Option<(String, String)>,
    /// A folder that it may write to and that outlives it, for what it has asked.
    pub ledger: PathBuf,
}

/// What a process gets that is in no key by value.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// Environment variable -> the secret's value.
    pub secrets: BTreeMap<String, String>,
    /// Where the service that it asks is, and within which bounds it asks.
    pub service: Option<ServiceGrant>,
    /// When it is killed.
    pub timeout: Option<Duration>,
    /// Whether the files that it makes are soon wanted by people, and so are spared for them.
    pub spares_files: bool,
}
