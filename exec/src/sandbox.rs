//! What Landlock lets a task do, and how much of that this kernel enforces.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, PathFd, PathFdError,
    Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use serde::{Deserialize, Serialize};

use crate::base;

/// The newest kernel interface whose restrictions have been tried with real tasks.
const TRIED: ABI = ABI::V7;

/// Whether tasks are confined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SandboxMode {
    /// As far as the kernel can.
    #[default]
    Auto,
    /// Files and TCP, or not at all.
    Require,
    /// Never.
    Off,
}

/// What the kernel enforces: a version of Landlock's interface, 0 for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(u8);

impl Level {
    /// Nothing is enforced.
    pub const NONE: Self = Self(0);

    /// What this kernel enforces, found out by confining a thread that then ends.
    pub fn detect() -> Self {
        let confined = thread::spawn(|| restrict_thread(ruleset(&Rules::default())?)).join();
        confined.ok().and_then(Result::ok).unwrap_or(Self::NONE)
    }

    /// Whether a task can neither read nor write files that it was not given.
    pub const fn confines_files(self) -> bool {
        self.0 >= 1
    }

    /// Whether files it may read are safe from it also when it owns them. Before version 3 a
    /// readable file could be truncated.
    pub const fn protects_inputs(self) -> bool {
        self.0 >= 3
    }

    /// Whether it can be kept from TCP.
    pub const fn confines_tcp(self) -> bool {
        self.0 >= 4
    }

    /// Whether signals and abstract sockets stay inside the task.
    pub const fn confines_signals(self) -> bool {
        self.0 >= 6
    }
}

/// The words for terminal, events and records: `none`, `files (Landlock 1)`,
/// `files, tcp (Landlock 4)`, `files, tcp, signals (Landlock 7)`.
impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.confines_files() {
            return f.write_str("none");
        }
        f.write_str("files")?;
        if self.confines_tcp() {
            f.write_str(", tcp")?;
        }
        if self.confines_signals() {
            f.write_str(", signals")?;
        }
        write!(f, " (Landlock {})", self.0)
    }
}

/// A required sandbox is not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the kernel cannot confine tasks as required: it enforces `{have}`, and files and TCP need \
     Landlock 4 (Linux 6.7)"
)]
pub struct SandboxMissing {
    /// What it enforces.
    pub have: Level,
}

/// The level that `mode` comes to on a kernel that enforces `have`.
pub fn level(mode: SandboxMode, have: Level) -> Result<Level, SandboxMissing> {
    if mode == SandboxMode::Off {
        return Ok(Level::NONE);
    }
    if mode == SandboxMode::Require && !have.confines_tcp() {
        return Err(SandboxMissing { have });
    }
    Ok(have)
}

/// What one task may do beyond the base that every task has. Paths that do not exist are skipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules {
    /// Files it may execute and read.
    pub(crate) execute: Vec<PathBuf>,
    /// Files and folders it may read.
    pub(crate) read: Vec<PathBuf>,
    /// Folders in which it may do everything but execute.
    pub(crate) write: Vec<PathBuf>,
    /// Whether it may use the network.
    pub(crate) network: bool,
}

/// A task could not be confined, and so was not started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfineError {
    /// The kernel refused the rules.
    #[error("cannot confine the task: {0}")]
    Rules(#[from] RulesetError),
    /// A path could not be opened.
    #[error("cannot confine the task: {0}")]
    Path(#[from] PathFdError),
    /// There are too many open files, or privileges cannot be given up.
    #[error("cannot confine the task: {0}")]
    System(#[from] io::Error),
    /// The kernel enforces nothing.
    #[error("cannot confine the task: the kernel no longer enforces Landlock")]
    NotEnforced,
    /// vwfb and its launcher disagree on which rules were sent.
    #[error("cannot confine the task: its launcher was never told the rules")]
    Unknown,
}

/// Confines the calling thread, and all it starts, for good; says how far.
pub(crate) fn restrict_thread(ruleset: RulesetCreated) -> Result<Level, ConfineError> {
    if let Some(left) = capabilities_left()? {
        set_capabilities(None, left).map_err(io::Error::from)?;
    }
    let status = ruleset.restrict_self()?;
    match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => Err(ConfineError::NotEnforced),
        (_, LandlockStatus::Available { effective_abi, .. }) => Ok(Level(effective_abi as u8)),
        _ => Err(ConfineError::NotEnforced),
    }
}

/// What a task is left with, if that is less than this thread has: without what lets root read other
/// processes' environments in `/proc` past Landlock. Without new privileges nothing that it starts
/// gets that back.
pub(crate) fn capabilities_left() -> io::Result<Option<CapabilitySets>> {
    let had = capabilities(None)?;
    let kept = |set: CapabilitySet| set & !(CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN);
    let left = CapabilitySets {
        effective: kept(had.effective),
        permitted: kept(had.permitted),
        inheritable: kept(had.inheritable),
    };
    Ok((left != had).then_some(left))
}

/// The rules, and the base, as the kernel takes them: bound to the files that are there now.
pub(crate) fn ruleset(rules: &Rules) -> Result<RulesetCreated, ConfineError> {
    let mut ruleset = handled(rules.network)?.create()?;
    for (path, access) in base::paths(rules.network) {
        ruleset = allow(ruleset, Path::new(path), access)?;
    }
    let file = AccessFs::ReadFile | AccessFs::Execute;
    let folder = AccessFs::ReadFile | AccessFs::ReadDir;
    let write = AccessFs::from_all(TRIED) & !AccessFs::Execute & !AccessFs::IoctlDev;
    let granted = [(&rules.execute, file), (&rules.read, folder), (&rules.write, write)];
    for (paths, access) in granted {
        for path in paths {
            ruleset = allow(ruleset, path, access)?;
        }
    }
    Ok(ruleset)
}

/// `ruleset`, which is nobody else's, with a terminal that the task may use as its own. No other
/// one can become `/dev/tty`: a task's session begins without, and it can open none.
pub(crate) fn with_terminal(
    ruleset: RulesetCreated,
    slave: &Path,
) -> Result<RulesetCreated, ConfineError> {
    let access = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate | AccessFs::IoctlDev;
    allow(allow(ruleset, slave, access)?, Path::new("/dev/tty"), access)
}

/// All that is denied unless a rule allows it.
fn handled(network: bool) -> Result<Ruleset, RulesetError> {
    let ruleset = Ruleset::default()
        .handle_access(AccessFs::from_all(TRIED))?
        .scope(Scope::from_all(TRIED))?;
    if network { Ok(ruleset) } else { ruleset.handle_access(AccessNet::from_all(TRIED)) }
}

fn allow(
    ruleset: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, ConfineError> {
    let opened = match PathFd::new(path) {
        Ok(opened) => opened,
        Err(_) if !path.exists() => return Ok(ruleset),
        Err(error) => return Err(error.into()),
    };
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(TRIED) };
    Ok(ruleset.add_rule(PathBeneath::new(opened, access))?)
}

#[cfg(test)]
mod tests {
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};

    use super::*;

    #[test]
    fn a_level_says_what_is_enforced() {
        assert_eq!(Level::NONE.to_string(), "none");
        assert_eq!(Level(2).to_string(), "files (Landlock 2)");
        assert_eq!(Level(5).to_string(), "files, tcp (Landlock 5)");
        assert_eq!(Level(7).to_string(), "files, tcp, signals (Landlock 7)");
    }

    #[test]
    fn a_confined_thread_opens_no_terminal_but_its_own() {
        if !Level::detect().confines_files() {
            return;
        }
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let own = crate::terminal::Terminal::open().unwrap();
        let others = crate::terminal::Terminal::open().unwrap();
        let ruleset = ruleset(&Rules::default()).unwrap();
        let all = AccessFs::from_file(TRIED);
        let ruleset = allow(ruleset, Path::new("/dev/ptmx"), all).unwrap();
        let ruleset = with_terminal(ruleset, own.slave()).unwrap();
        let opened = thread::spawn(move || {
            restrict_thread(ruleset).unwrap();
            let open = |path: &Path| std::fs::OpenOptions::new().write(true).open(path).is_ok();
            let further = openpt(flags).map(|master| {
                grantpt(&master).unwrap();
                unlockpt(&master).unwrap();
                ioctl_tiocgptpeer(&master, flags).is_ok()
            });
            (open(own.slave()), open(others.slave()), further)
        });
        let (own, others, further) = opened.join().unwrap();
        assert!(own && !others);
        // Why the launcher opens it: no other way leads to the second side.
        assert_ne!(further, Ok(true));
    }

    #[test]
    fn a_sandbox_that_is_off_enforces_nothing() {
        assert_eq!(level(SandboxMode::Off, Level(7)), Ok(Level::NONE));
    }
}
