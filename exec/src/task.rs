//! One action that starts a process: from scratch folder to outputs in the store.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::{ActionResult, Artifact, FileRef, Placement, Take};

use crate::action::{Action, Grants};
use crate::cancel::CancelToken;
use crate::client::{Launcher, LauncherError};
use crate::collect::Collector;
use crate::execute::{Executed, Executor};
use crate::failure::{Cause, Failure};
use crate::process::{self, Process};
use crate::reproduce::command_line;
use crate::rulebook::Grounds;
use crate::scratch::{Placed, Scratch, failed};
use crate::toolbox::Toolset;
use crate::toolchain::Closure;
use crate::turn::Waiter;
use crate::wire::{Exited, Run};

/// An action with all that its process is built from, and where it runs.
pub(crate) struct Task<'a> {
    pub(crate) executor: &'a Executor,
    pub(crate) scratch: &'a Scratch,
    pub(crate) action: &'a Action,
    pub(crate) grants: &'a Grants,
    pub(crate) closures: &'a BTreeMap<String, Arc<Closure>>,
    /// Where its process waits for its turn, if it does.
    pub(crate) waiter: Option<&'a Waiter>,
}

/// A task whose scratch folder is filled.
struct Prepared {
    run: Run,
    placed: Placed,
    /// What confines it, if anything does.
    grounds: Option<Grounds>,
}

impl Task<'_> {
    /// Runs it in its prepared scratch folder.
    pub(crate) fn run(
        &self,
        launcher: &mut Option<Launcher>,
        program: &str,
        args: &[String],
        cancel: &CancelToken,
    ) -> Result<Executed, Box<Failure>> {
        let Prepared { run, placed, grounds } =
            self.prepare(program, args).map_err(Failure::early)?;
        let failed = |cause, log, duration| {
            let command = Some(self.command_line(&run));
            Box::new(Failure { cause, log, duration, command, kept: None })
        };
        let launched = self.launch(launcher, &run, grounds.as_ref(), cancel);
        let restored = self.restore(&placed);
        let exited = launched
            .map_err(|error| failed(Cause::of_launcher(program, error), None, Duration::ZERO))?;
        let duration = Duration::from_millis(exited.duration_ms);
        let log = self.log(&exited).map_err(|cause| failed(cause, None, duration))?;
        let outputs = restored
            .and_then(|()| self.judge(program, &exited))
            .and_then(|()| self.outputs())
            .map_err(|cause| failed(cause, log, duration))?;
        let duration_ms = exited.duration_ms;
        let result = ActionResult { outputs, log, duration_ms, observed_inputs: None };
        Ok(Executed { result, orphans: exited.orphans })
    }

    /// Fills the scratch folder and settles what is started in it.
    fn prepare(&self, program: &str, args: &[String]) -> Result<Prepared, Cause> {
        let Executor { store, options, .. } = self.executor;
        let closures = process::closures(self.action, self.closures)?;
        let linked = options.level.protects_inputs() && options.keep_scratch.is_none();
        let placement = if linked { Placement::Shared } else { Placement::Copied };
        let placed = self.scratch.place(store, self.action, placement)?;
        let tools = self
            .executor
            .toolsets()
            .of(&closures)
            .map_err(|source| failed("link tools in", &store.scratch_dir(), source))?;
        let process = Process {
            action: self.action,
            grants: self.grants,
            tools: &tools,
            scratch: self.scratch,
            grace: options.grace,
            turns: self.waiter.map(Waiter::pipe),
        };
        let run = process.run(program, args)?;
        let grounds = options.level.confines_files().then(|| self.grounds(tools));
        Ok(Prepared { run, placed, grounds })
    }

    fn grounds(&self, tools: Arc<Toolset>) -> Grounds {
        Grounds {
            tools,
            root: self.scratch.root().to_owned(),
            writable: self.writable(),
            generation: self.scratch.generation(),
            network: self.action.network,
            unique: self.action.terminal || self.grants.service.is_some(),
        }
    }

    /// The folders that it may write to.
    fn writable(&self) -> Vec<PathBuf> {
        let mut writable = self.scratch.writable();
        writable.extend(self.grants.service.as_ref().map(|service| service.ledger.clone()));
        writable
    }

    fn command_line(&self, run: &Run) -> String {
        let of_service = self.grants.service.iter().flat_map(|service| &service.secret);
        let secrets = self.action.secrets.keys().chain(of_service.map(|(name, _)| name));
        let secrets: Vec<_> = secrets.map(String::as_str).collect();
        let kept = self.executor.options.keep_scratch.is_some();
        command_line(run, &secrets, kept.then_some(self.scratch.root()))
    }

    fn launch(
        &self,
        slot: &mut Option<Launcher>,
        run: &Run,
        grounds: Option<&Grounds>,
        cancel: &CancelToken,
    ) -> Result<Exited, LauncherError> {
        let mut launcher = match slot.take() {
            Some(launcher) => launcher,
            None => self.executor.launcher()?,
        };
        let exited = launcher.run(run, grounds, self.waiter, cancel);
        // One that cannot be spoken to is dropped, which ends it, and replaced when needed.
        if exited.as_ref().err().is_none_or(LauncherError::is_refusal) {
            *slot = Some(launcher);
        }
        exited
    }

    fn restore(&self, placed: &Placed) -> Result<(), Cause> {
        let restored = placed.restore_modes();
        restored.map_err(|source| failed("restore the modes in", self.scratch.root(), source))
    }

    fn log(&self, exited: &Exited) -> Result<Option<FileRef>, Cause> {
        let path = self.scratch.log();
        if let Some(errno) = exited.log_errno {
            return Err(failed("write", &path, io::Error::from_raw_os_error(errno)));
        }
        if !exited.printed {
            return Ok(None);
        }
        if let Some(text) = self.masked(&path).map_err(|source| failed("read", &path, source))? {
            // What is kept of a failed task shows none either.
            fs::write(&path, text).map_err(|source| failed("write", &path, source))?;
        }
        let put = self.executor.store.put_file(&path, Take::Copy);
        put.map(Some).map_err(|source| Cause::Store { role: "log".to_owned(), source })
    }

    /// The log with stars for every secret that it would show; `None` if it shows none.
    fn masked(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        let of_service = self.grants.service.iter().flat_map(|service| &service.secret);
        let values = self.grants.secrets.values().chain(of_service.map(|(_, value)| value));
        // A few letters would be masked in every other word.
        let mut values: Vec<&str> = values.map(String::as_str).filter(|it| it.len() >= 6).collect();
        // Of one that begins like another nothing is left.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        if values.is_empty() {
            return Ok(None);
        }
        let text = fs::read(path)?;
        let (mut masked, mut rest) = (Vec::with_capacity(text.len()), text.as_slice());
        while let Some(&first) = rest.first() {
            let shown = values.iter().find(|value| rest.starts_with(value.as_bytes()));
            match shown {
                Some(_) => masked.extend_from_slice(b"***"),
                None => masked.push(first),
            }
            rest = &rest[shown.map_or(1, |value| value.len())..];
        }
        Ok((masked != text).then_some(masked))
    }

    /// Whether the way the process ended is a success.
    fn judge(&self, program: &str, exited: &Exited) -> Result<(), Cause> {
        let program = program.to_owned();
        match exited {
            Exited { cancelled: true, .. } => Err(Cause::Cancelled),
            Exited { timed_out: true, .. } => {
                Err(Cause::Timeout { program, limit: self.grants.timeout.unwrap_or_default() })
            }
            Exited { code: Some(code), .. } if process::is_success(self.action, *code) => Ok(()),
            Exited { code: Some(code), .. } => Err(Cause::Exit { program, code: *code }),
            Exited { signal, .. } => {
                Err(Cause::Signal { program, signal: signal.unwrap_or_default() })
            }
        }
    }

    fn outputs(&self) -> Result<BTreeMap<String, Artifact>, Cause> {
        let take = if self.grants.spares_files { Take::Spare } else { Take::Move };
        let (store, scratch) = (&self.executor.store, self.scratch);
        Collector { store, scratch, take }.outputs(&self.action.outputs)
    }
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
