//! One action that starts a process: from scratch folder to outputs in the store.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

use vwfb_cas::{ActionResult, Artifact, FileRef, Placement, Take};

use crate::action::{Action, Grants};
use crate::cancel::CancelToken;
use crate::client::{Launcher, LauncherError};
use crate::collect;
use crate::execute::{Executed, Executor};
use crate::failure::{Cause, Failure};
use crate::process::{self, Process};
use crate::reproduce::command_line;
use crate::scratch::{Placed, Scratch, failed};
use crate::toolchain::Closure;
use crate::wire::{Exited, Run};

/// An action with all that its process is built from, and where it runs.
pub(crate) struct Task<'a> {
    pub(crate) executor: &'a Executor,
    pub(crate) scratch: &'a Scratch,
    pub(crate) action: &'a Action,
    pub(crate) grants: &'a Grants,
    pub(crate) closures: &'a BTreeMap<String, Closure>,
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
        let (run, placed) = self.prepare(program, args).map_err(Failure::early)?;
        let command = self.command_line(&run);
        let failed = |cause, log, duration| {
            let command = Some(command.clone());
            Box::new(Failure { cause, log, duration, command, kept: None })
        };
        let launched = self.launch(launcher, run, cancel);
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
    fn prepare(&self, program: &str, args: &[String]) -> Result<(Run, Placed), Cause> {
        let Executor { store, options, toolboxes, .. } = self.executor;
        let closures = process::closures(self.action, self.closures)?;
        let linked = options.level.protects_inputs() && options.keep_scratch.is_none();
        let placement = if linked { Placement::Shared } else { Placement::Copied };
        let placed = self.scratch.place(store, &self.action.inputs, placement)?;
        self.scratch.prepare_outputs(self.action.outputs.values())?;
        let path = toolboxes
            .folder(&closures)
            .map_err(|source| failed("link tools in", &store.scratch_dir(), source))?;
        let process = Process {
            action: self.action,
            grants: self.grants,
            closures: &closures,
            scratch: self.scratch,
            path: &path,
            level: options.level,
            grace: options.grace,
        };
        Ok((process.run(program, args)?, placed))
    }

    fn command_line(&self, run: &Run) -> String {
        let secrets: Vec<_> = self.action.secrets.keys().map(String::as_str).collect();
        let kept = self.executor.options.keep_scratch.is_some();
        let root = self.scratch.root();
        command_line(run, &secrets, kept.then_some(&*root))
    }

    fn launch(
        &self,
        slot: &mut Option<Launcher>,
        run: Run,
        cancel: &CancelToken,
    ) -> Result<Exited, LauncherError> {
        let mut launcher = match slot.take() {
            Some(launcher) => launcher,
            None => self.executor.launcher()?,
        };
        let exited = launcher.run(run, cancel);
        // One that cannot be spoken to is dropped, which ends it, and replaced when needed.
        if exited.as_ref().err().is_none_or(LauncherError::is_refusal) {
            *slot = Some(launcher);
        }
        exited
    }

    fn restore(&self, placed: &Placed) -> Result<(), Cause> {
        let restored = placed.restore_modes();
        restored.map_err(|source| failed("restore the modes in", &self.scratch.root(), source))
    }

    fn log(&self, exited: &Exited) -> Result<Option<FileRef>, Cause> {
        let path = self.scratch.log();
        if let Some(errno) = exited.log_errno {
            return Err(failed("write", &path, io::Error::from_raw_os_error(errno)));
        }
        if !has_bytes(&path) {
            return Ok(None);
        }
        let put = self.executor.store.put_file(&path, Take::Copy);
        put.map(Some).map_err(|source| Cause::Store { role: "log".to_owned(), source })
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
        collect::outputs(&self.executor.store, self.scratch, &self.action.outputs)
    }
}

fn has_bytes(path: &Path) -> bool {
    path.metadata().is_ok_and(|stat| stat.len() > 0)
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    duration.as_millis().try_into().unwrap_or(u64::MAX)
}
