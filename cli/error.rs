//! What can stop a command, as people read it, and the exit codes. No other file decides either.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use vwfb_cas::{CommitError, GcError, OpenError, ReadError, VerifyError};
use vwfb_engine::event::TaskResult;
use vwfb_engine::people::PeopleError;
use vwfb_engine::query::QueryError;
use vwfb_engine::state::StateError;
use vwfb_engine::workspace::{
    Built, ChooseError, DecideError, EnvironmentError, OpenWorkspaceError,
};
use vwfb_exec::SandboxMissing;
use vwfb_rules::label::{Label, LabelError};

use crate::again::quoted;
use crate::compare::CompareError;
use crate::settle::SettleError;

/// A process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// All is well; a provisional result counts as that.
    pub(crate) const SUCCESS: Self = Self(0);
    /// A task failed, or `fmt --check` or `cache verify` found something.
    pub(crate) const FAILED: Self = Self(1);
    /// The command line is not understood.
    pub(crate) const USAGE: Self = Self(2);
    /// The workspace is not understood.
    pub(crate) const INPUT: Self = Self(3);
    /// The machine stands in the way: the disk, the store, a missing tool or service, the kernel.
    pub(crate) const ENVIRONMENT: Self = Self(4);
    /// A build waits for people.
    pub(crate) const WAITING: Self = Self(5);
    /// vwfb broke a promise of its own.
    pub(crate) const INTERNAL: Self = Self(70);

    /// A signal asked to stop: 130 for SIGINT, 143 for SIGTERM.
    pub(crate) fn of_signal(signal: i32) -> Self {
        Self(u8::try_from(128 + signal).unwrap_or(u8::MAX))
    }

    /// The one of two that is told: 70, 130 and 143, 4, 3, 2, 1, 5, 0.
    pub(crate) fn and(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }

    /// What a build came to.
    pub(crate) fn of_build(built: &Built) -> Self {
        let failed = built.counts.of(TaskResult::Failed) > 0 || built.aborted;
        let work = if failed { Self::FAILED } else { Self::SUCCESS };
        let waits = built.counts.of(TaskResult::Waiting) > 0 || !built.waiting.is_empty();
        let work = work.and(if waits { Self::WAITING } else { Self::SUCCESS });
        let machine = if built.environment_failed { Self::ENVIRONMENT } else { Self::SUCCESS };
        let input = if built.input_failed || built.refused { Self::INPUT } else { Self::SUCCESS };
        let signal = built.interrupted.map_or(Self::SUCCESS, Self::of_signal);
        work.and(input).and(machine).and(signal)
    }

    const fn rank(self) -> u8 {
        match self.0 {
            0 => 0,
            5 => 1,
            1 => 2,
            2 => 3,
            3 => 4,
            4 => 5,
            70 => 7,
            _ => 6,
        }
    }

    /// The number.
    pub(crate) const fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// What stopped a command.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// A command that works on targets was given none.
    #[error("no target is named")]
    NoTarget {
        /// Packages to choose from.
        packages: Vec<String>,
    },
    /// A word is no target pattern.
    #[error("`{text}` is no target pattern")]
    Pattern {
        /// The word.
        text: String,
        /// What is wrong with it.
        source: LabelError,
    },
    /// A word is no label.
    #[error("`{text}` is no label")]
    Label {
        /// The word.
        text: String,
        /// What is wrong with it.
        source: LabelError,
    },
    /// A file of values cannot be read.
    #[error("cannot take variables from `{}`: {why}", path.display())]
    VarsFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A pattern stands where one target is needed.
    #[error("`{text}` is a pattern, and one target is needed")]
    ManyTargets {
        /// The pattern.
        text: String,
    },
    /// A query has no answer.
    #[error("{error}\n  {query}\n  {}^", " ".repeat(error.column().saturating_sub(1)))]
    Query {
        /// Its text.
        query: String,
        /// Why; no source, as it is told before the text.
        error: QueryError,
    },
    /// `vwfb new` without a package, or without a template.
    #[error("`vwfb new` needs {}", if template.is_some() { "the name of a package" } else { "a template and a package" })]
    NoPackage {
        /// The template, if one is named.
        template: Option<String>,
    },
    /// There is no template of a name.
    #[error("there is no template `{name}`")]
    NoTemplate {
        /// The name.
        name: String,
        /// The nearest one.
        near: Option<String>,
    },
    /// A template makes no package.
    #[error("the template `{name}` has neither `BUILD.kdl.in` nor `BUILD.kdl`")]
    NoBuildFile {
        /// The template.
        name: String,
        /// Its folder.
        folder: String,
    },
    /// What a template asks for is not all there, or does not fit.
    #[error("{}", unmet(template, missing))]
    UnmetParams {
        /// The template.
        template: String,
        /// What is missing: name, type and what it is for.
        missing: Vec<String>,
        /// A command line that would do.
        command: String,
    },
    /// A word cannot be the name of a package.
    #[error("`{text}` cannot be a package: {reason}")]
    PackageName {
        /// The word.
        text: String,
        /// Why.
        reason: String,
    },
    /// Something is where a package is to be made.
    #[error("`{}` is there already", path.display())]
    PackageExists {
        /// The place.
        path: PathBuf,
    },
    /// Files are where those of an imported package are to be.
    #[error("{}", there_already(paths))]
    ImportExists {
        /// The files.
        paths: Vec<PathBuf>,
    },
    /// There is no page about a code.
    #[error("no diagnostic has the code `{code}`")]
    NoPage {
        /// The code.
        code: String,
        /// The nearest one.
        near: Option<&'static str>,
    },
    /// The folder of `-C` cannot be entered.
    #[error("cannot work in `{}`", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Labels were given to `clean`, which without `--expunge` removes the whole output folder.
    #[error("`vwfb clean` takes labels only with `--expunge`")]
    CleanLabels,
    /// No folder above holds `WORKSPACE.kdl`.
    #[error("`{}` is not in a workspace", folder.display())]
    NoWorkspace {
        /// Where the search began.
        folder: PathBuf,
        /// Workspaces not far below it, from there.
        below: Vec<PathBuf>,
    },
    /// The folder's name cannot be written in a rule file.
    #[error("the folder `{}` is not named in UTF-8", path.display())]
    FolderName {
        /// The folder.
        path: PathBuf,
    },
    /// A file named on the command line cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Nothing says where the store may be.
    #[error("there is no place for the store: neither `XDG_CACHE_HOME` nor `HOME` is set")]
    NoCache,
    /// The workspace cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenWorkspaceError),
    /// The store cannot be opened.
    #[error(transparent)]
    OpenStore(#[from] OpenError),
    /// The workspace's memory cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// What people said cannot be used.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// A decision is not taken.
    #[error(transparent)]
    Decide(#[from] DecideError),
    /// A result cannot be chosen.
    #[error(transparent)]
    Choose(#[from] ChooseError),
    /// What services were asked cannot be settled.
    #[error(transparent)]
    Settle(#[from] SettleError),
    /// Two versions cannot be compared.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// A version is not named.
    #[error("`{text}` names no version")]
    NoNumber {
        /// What was named.
        text: String,
    },
    /// There is no changed file.
    #[error("no file of `{label}` is changed")]
    NothingEdited {
        /// The target.
        label: Label,
        /// Where its files are.
        places: Vec<PathBuf>,
    },
    /// A build or plan cannot go on.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// A required sandbox is missing.
    #[error(transparent)]
    Sandbox(#[from] SandboxMissing),
    /// The store cannot be cleaned or counted.
    #[error(transparent)]
    Gc(#[from] GcError),
    /// The store cannot be verified.
    #[error(transparent)]
    Verify(#[from] VerifyError),
    /// A blob of the store cannot be read.
    #[error("cannot read the log of `{label}`")]
    Log {
        /// Whose log.
        label: String,
        /// Why.
        source: ReadError,
    },
    /// Results cannot be forgotten.
    #[error("cannot forget results in the store")]
    Forget(#[from] CommitError),
    /// The file of `--events` cannot be written.
    #[error("cannot write events to `{}`", path.display())]
    Events {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something else cannot be written or removed.
    #[error("cannot {deed} `{}`", path.display())]
    Io {
        /// What was tried.
        deed: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Standard output or input fails.
    #[error("cannot use standard {stream}")]
    Stream {
        /// `output` or `input`.
        stream: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be heard.
    #[error("cannot listen for signals")]
    Signals {
        /// What the system said.
        source: io::Error,
    },
}

impl CommandError {
    /// Its exit code.
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Query { error, .. } if error.is_of_the_workspace() => Exit::INPUT,
            Self::NoTarget { .. }
            | Self::Pattern { .. }
            | Self::Label { .. }
            | Self::ManyTargets { .. }
            | Self::Query { .. }
            | Self::NoPage { .. }
            | Self::NoPackage { .. }
            | Self::NoTemplate { .. }
            | Self::UnmetParams { .. }
            | Self::PackageName { .. }
            | Self::PackageExists { .. }
            | Self::ImportExists { .. }
            | Self::Folder { .. }
            | Self::Decide(DecideError::NoCheckpoint(_) | DecideError::NotAsked { .. })
            | Self::CleanLabels => Exit::USAGE,
            Self::Choose(
                ChooseError::NoTask(_)
                | ChooseError::NoOutput { .. }
                | ChooseError::Unknown { .. }
                | ChooseError::Deterministic(_),
            )
            | Self::NoNumber { .. } => Exit::USAGE,
            Self::Decide(DecideError::NothingWaits(_))
            | Self::NothingEdited { .. }
            | Self::Choose(
                ChooseError::NoVersion(_)
                | ChooseError::Pinned(_)
                | ChooseError::NotPinned(_)
                | ChooseError::OtherInputs { .. },
            ) => Exit::FAILED,
            Self::Choose(ChooseError::PinsFile(_)) => Exit::INPUT,
            Self::Decide(
                DecideError::Unmade(_) | DecideError::Changed { .. } | DecideError::Edited { .. },
            ) => Exit::WAITING,
            Self::NoWorkspace { .. }
            | Self::NoBuildFile { .. }
            | Self::FolderName { .. }
            | Self::VarsFile { .. }
            | Self::Read { .. } => Exit::INPUT,
            Self::Settle(SettleError::NothingOpen(_) | SettleError::Running(_)) => Exit::FAILED,
            Self::Settle(SettleError::Several { .. } | SettleError::NoJobs { .. }) => Exit::USAGE,
            Self::Settle(SettleError::Io(_) | SettleError::Lock(_) | SettleError::Spending(_))
            | Self::NoCache
            | Self::Open(_)
            | Self::OpenStore(_)
            | Self::People(_)
            | Self::Decide(_)
            | Self::Choose(_)
            | Self::Compare(_)
            | Self::State(_)
            | Self::Environment(_)
            | Self::Sandbox(_)
            | Self::Gc(_)
            | Self::Verify(_)
            | Self::Log { .. }
            | Self::Forget(_)
            | Self::Events { .. }
            | Self::Io { .. }
            | Self::Stream { .. }
            | Self::Signals { .. } => Exit::ENVIRONMENT,
        }
    }

    /// The code of its diagnostic, which has a page.
    pub(crate) const fn code(&self) -> Option<&'static str> {
        match self {
            Self::Query { error, .. } => error.code(),
            _ => None,
        }
    }

    /// What to do next.
    pub(crate) fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::NoTarget { packages } => return Some(choose_from(packages)),
            Self::Query { error, .. } => return error.hint(),
            Self::Pattern { .. } => "write `//package:target`, `:target`, `//package` or `//...`",
            Self::Label { .. } | Self::ManyTargets { .. } => {
                "write `//package:target` or `:target`"
            }
            Self::NoPage { near: Some(near), .. } => {
                return Some(format!("did you mean `{near}`?"));
            }
            Self::NoPackage { template: Some(name) } => {
                return Some(format!(
                    "`vwfb new {0} PACKAGE`; `vwfb new --list {0}` says what it asks for",
                    quoted(name)
                ));
            }
            Self::NoPackage { template: None } => {
                "`vwfb new --list` lists the templates; then `vwfb new TEMPLATE PACKAGE`"
            }
            Self::NoTemplate { near: Some(near), .. } => {
                return Some(format!("did you mean `{near}`?"));
            }
            Self::NoTemplate { near: None, .. } => "`vwfb new --list` lists them",
            Self::NoBuildFile { folder, .. } => {
                return Some(format!("put one into `{folder}`: what its packages are"));
            }
            Self::UnmetParams { command, .. } => return Some(format!("this would do: {command}")),
            Self::PackageExists { .. } => "choose another name, or remove it first",
            Self::ImportExists { .. } => {
                "name another folder with `-o FOLDER`, or replace them with `--force`"
            }
            Self::NoPage { near: None, .. } => "`vwfb explain` lists all codes",
            Self::NoWorkspace { below, .. } if !below.is_empty() => {
                let folders: Vec<String> = below
                    .iter()
                    .map(|it| format!("`cd {}`", quoted(&it.display().to_string())))
                    .collect();
                return Some(format!(
                    "go into the workspace below: {}; or `vwfb new --list` begins one here",
                    folders.join(" or ")
                ));
            }
            Self::NoWorkspace { .. } => {
                "`vwfb new --list` lists what can be begun here; a workspace is a folder with a `WORKSPACE.kdl`, which may be as short as \
                 `workspace \"films\"`"
            }
            Self::Open(OpenWorkspaceError::Store(OpenError::Format { path, .. }))
            | Self::OpenStore(OpenError::Format { path, .. }) => {
                return Some(format!(
                    "move it away (`mv {0} {0}.old`), and a new one is begun; or name another \
                     folder with `--store DIR`",
                    path.display()
                ));
            }
            Self::NoCache => "name a folder with `--store DIR` or in `VWFB_STORE`",
            Self::Sandbox(_) => "`--sandbox=auto` confines tasks as far as the kernel can",
            Self::CleanLabels => "`vwfb clean` alone removes `vwfb-out`",
            Self::Decide(DecideError::Unmade(_) | DecideError::Changed { .. }) => {
                "a decision is about exact bytes: build again, look at what it shows, then decide"
            }
            Self::NoNumber { .. } => {
                "write the number of a version behind it, as `//package:target@3`; `vwfb versions` \
                 lists them"
            }
            Self::Choose(ChooseError::Pinned(_)) => "let it go first, with `vwfb unpin`",
            Self::Choose(ChooseError::OtherInputs { .. }) => {
                "`vwfb takes` lists those that were; `vwfb restore` goes back to any version"
            }
            Self::Choose(ChooseError::NoVersion(_) | ChooseError::Unknown { .. }) => {
                "`vwfb versions` lists them; a build makes the first"
            }
            Self::Choose(ChooseError::Deterministic(_)) => {
                "`results \"seeded\"` or `\"sampled\"` in its rule says that it has takes"
            }
            Self::NothingEdited { places, .. } => {
                let places: Vec<String> =
                    places.iter().map(|place| format!("`{}`", place.display())).collect();
                let places = places.join(", ");
                return Some(format!("change {places} first, or name a file with `--from`"));
            }
            Self::Decide(DecideError::Edited { .. }) => {
                "take it as a version with `vwfb edit`, and build again; or build again without, which \
                 keeps it in `.vwfb/edited/`"
            }
            Self::Decide(DecideError::NothingWaits(_)) => {
                "`vwfb review` lists what waits; to override a decision, name what it is about"
            }
            Self::Decide(DecideError::NotAsked { asked, .. }) => {
                return Some(format!("it asks about {}", asked.join(", ")));
            }
            Self::Settle(SettleError::NothingOpen(_)) => "`vwfb settle` lists what is open",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}

fn unmet(template: &str, missing: &[String]) -> String {
    match missing {
        [] => format!("the template `{template}` cannot take these values"),
        missing => format!("the template `{template}` needs\n  {}", missing.join("\n  ")),
    }
}

fn there_already(paths: &[PathBuf]) -> String {
    let paths: Vec<String> = paths.iter().map(|path| format!("`{}`", path.display())).collect();
    match paths.as_slice() {
        [path] => format!("{path} is there already"),
        paths => format!("these are there already: {}", paths.join(", ")),
    }
}

fn choose_from(packages: &[String]) -> String {
    match packages {
        [] => "this workspace has no package yet: a package is a folder with a `BUILD.kdl`".into(),
        packages => {
            let named: Vec<String> = packages.iter().map(|name| format!("`{name}`")).collect();
            format!("name a target, or all of a package: {}, or `//...`", named.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use vwfb_engine::chain::chain;

    use super::*;

    #[test]
    fn the_gravest_of_several_codes_is_told() {
        let interrupted = Exit::of_signal(2);
        assert_eq!(interrupted.code(), 130);
        assert_eq!(Exit::of_signal(15).code(), 143);
        let in_order = [
            Exit::INTERNAL,
            interrupted,
            Exit::ENVIRONMENT,
            Exit::INPUT,
            Exit::FAILED,
            Exit(5),
            Exit::SUCCESS,
        ];
        for (place, graver) in in_order.iter().enumerate() {
            for lesser in &in_order[place..] {
                assert_eq!(graver.and(*lesser), *graver);
                assert_eq!(lesser.and(*graver), *graver);
            }
        }
    }

    #[test]
    fn a_required_sandbox_that_is_missing_is_the_machines_fault() {
        let missing = SandboxMissing { have: vwfb_exec::Level::NONE };
        assert_eq!(CommandError::from(missing).exit(), Exit::ENVIRONMENT);
    }

    #[test]
    fn an_error_is_told_with_its_sources() {
        let source = io::Error::from(io::ErrorKind::NotFound);
        let error = CommandError::Folder { path: "film".into(), source };
        assert_eq!(chain(&error), "cannot work in `film`: entity not found");
    }
}
