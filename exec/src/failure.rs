//! Why an action has no result.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use vwfb_cas::{BlobId, FileRef, MaterialiseError, PutError};

use crate::client::LauncherError;

/// An action that made no result, and what there is to look at.
#[derive(Debug)]
pub struct Failure {
    /// What went wrong.
    pub cause: Cause,
    /// What the process wrote, where one ran and wrote anything.
    pub log: Option<FileRef>,
    /// How long the process ran.
    pub duration: Duration,
    /// A shell line that starts the process again, where one was to be started. It changes to the
    /// scratch folder if that was kept; secrets are left as variables.
    pub command: Option<String>,
    /// The scratch folder, if it was kept.
    pub kept: Option<PathBuf>,
}

/// What kept an action from making its result.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The process ended with a code that does not mean success.
    #[error("`{program}` failed with exit code {code}")]
    Exit {
        /// The program.
        program: String,
        /// Its code.
        code: i32,
    },
    /// A signal that nobody here sent ended the process.
    #[error("`{program}` was ended by signal {signal}{}", signal_name(*signal))]
    Signal {
        /// The program.
        program: String,
        /// The signal's number.
        signal: i32,
    },
    /// It ran for longer than it may, and was stopped.
    #[error("`{program}` was stopped after {}", seconds(*limit))]
    Timeout {
        /// The program.
        program: String,
        /// How long it may run.
        limit: Duration,
    },
    /// Somebody asked for it to stop.
    #[error("cancelled")]
    Cancelled,
    /// Declared outputs were not made.
    #[error("{} not made{}", list("output", missing), instead(made))]
    MissingOutput {
        /// Their paths in the working directory.
        missing: Vec<String>,
        /// What there is in the output folder, the first few.
        made: Vec<String>,
    },
    /// Something else was made than was declared.
    #[error("the output `{role}` is {found}, not {wanted}")]
    BadOutput {
        /// Its path in the working directory.
        role: String,
        /// What is there.
        found: &'static str,
        /// What was declared.
        wanted: &'static str,
    },
    /// An output cannot be taken into the store: a tree that holds something it cannot keep, or
    /// the store itself failed.
    #[error("cannot store the output `{role}`")]
    Store {
        /// Its path in the working directory.
        role: String,
        /// Why.
        source: PutError,
    },
    /// The store no longer has an input's bytes: whatever made it must run again.
    #[error("the store lost the input `{role}`")]
    InputLost {
        /// Its path in the working directory.
        role: String,
        /// The blob that is missing or damaged; for a tree it may be one inside.
        blob: BlobId,
    },
    /// An input cannot be placed.
    #[error("cannot place the input `{role}`")]
    Input {
        /// Its path in the working directory.
        role: String,
        /// Why.
        source: MaterialiseError,
    },
    /// The program belongs to none of the action's toolchains.
    #[error("no toolchain of the task has a program `{program}`")]
    UndeclaredProgram {
        /// Its name.
        program: String,
    },
    /// The system takes the process for impossible as it is declared.
    #[error("`{program}` cannot be started: {why}")]
    NotStartable {
        /// The program.
        program: String,
        /// What is wrong with it.
        why: Unstartable,
    },
    /// The closure at hand is not the one in the action, or there is none.
    #[error("the toolchain `{toolchain}` is not the one that the task was planned with")]
    Toolchain {
        /// Its name.
        toolchain: String,
    },
    /// A secret that the action names was not granted.
    #[error("no value for the secret `{secret}`")]
    Secret {
        /// Its name.
        secret: String,
    },
    /// A path of the action leaves its place in the working directory.
    #[error("`{role}` is no path for an input or output")]
    Role {
        /// The path.
        role: String,
    },
    /// A built-in command has other outputs than the one it makes.
    #[error("a task that writes a file has one output, which is a file")]
    OneOutput,
    /// The process could not be started or watched.
    #[error(transparent)]
    Launcher(LauncherError),
    /// The scratch folder cannot be used: the disk may be full or read-only.
    #[error("cannot {deed} `{}`", path.display())]
    Scratch {
        /// What was tried.
        deed: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What is wrong with a process that no machine like this one can start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Unstartable {
    /// Its file is neither a program nor a script that says what runs it.
    #[error("it is no program of this machine; if it is a script, begin it with `#!/bin/sh`")]
    Format,
    /// Its arguments and environment are longer than the system allows.
    #[error("its arguments are too long; write them to a file, and let it read that")]
    TooLong,
    /// A zero byte ends an argument, so none can hold one.
    #[error("an argument or a variable of its environment holds a zero byte")]
    ZeroByte,
}

impl Unstartable {
    /// What the failed start of a process says of it; `None` if the machine may be to blame.
    pub(crate) fn of(error: &io::Error) -> Option<Self> {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOEXEC) => Some(Self::Format),
            Some(Errno::TOOBIG) => Some(Self::TooLong),
            _ => None,
        }
    }
}

impl Cause {
    /// Why the launcher of `program` has no more to say.
    pub(crate) fn of_launcher(program: &str, error: LauncherError) -> Self {
        match error {
            LauncherError::Unstartable(why) => {
                Self::NotStartable { program: program.to_owned(), why }
            }
            error => Self::Launcher(error),
        }
    }

    /// Whether the machine is to blame, the disk or a helper for example, and not the task.
    pub fn is_environment(&self) -> bool {
        match self {
            Self::Launcher(_) | Self::Scratch { .. } | Self::Input { .. } => true,
            Self::Store { source, .. } => matches!(source, PutError::Index(_) | PutError::Io(_)),
            _ => false,
        }
    }
}

impl Failure {
    /// A failure before any process ran.
    pub(crate) fn early(cause: Cause) -> Box<Self> {
        Box::new(Self { cause, log: None, duration: Duration::ZERO, command: None, kept: None })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

fn list(noun: &str, names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    let (plural, verb) = if names.len() == 1 { ("", "was") } else { ("s", "were") };
    format!("the {noun}{plural} {} {verb}", quoted.join(", "))
}

fn instead(made: &[String]) -> String {
    match made {
        [] => "; the output folder is empty".to_owned(),
        made => format!("; the output folder has `{}`", made.join("`, `")),
    }
}

fn seconds(limit: Duration) -> String {
    format!("{} s, its timeout", limit.as_secs_f64())
}

/// The names of the signals that people meet.
fn signal_name(signal: i32) -> &'static str {
    match signal {
        2 => " (SIGINT)",
        6 => " (SIGABRT)",
        8 => " (SIGFPE)",
        9 => " (SIGKILL; the system may have run out of memory)",
        11 => " (SIGSEGV)",
        13 => " (SIGPIPE)",
        15 => " (SIGTERM)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_outputs_are_named_with_what_was_made_instead() {
        let cause = Cause::MissingOutput {
            missing: vec!["out/a.png".to_owned()],
            made: vec!["out/b.png".to_owned()],
        };
        assert_eq!(
            cause.to_string(),
            "the output `out/a.png` was not made; the output folder has `out/b.png`"
        );
    }
}
