//! Runs actions: what all of them share, and the slots they run in.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use vwfb_cas::profile::{Phase, Timed};
use vwfb_cas::{ActionResult, Artifact, FileRef, Store, Take};

use crate::action::{Action, Command, Grants};
use crate::cancel::CancelToken;
use crate::client::{Launcher, LauncherError};
use crate::failure::{Cause, Failure};
use crate::sandbox::Level;
use crate::scratch::{Scratch, failed};
use crate::task::{Task, millis};
use crate::toolbox::Toolsets;
use crate::toolchain::Closure;
use crate::turn::Waiter;

/// How actions are run.
#[derive(Debug, Clone)]
pub struct ExecOptions {
    /// The program that becomes a launcher when started with `launcher_argument`.
    pub launcher: PathBuf,
    /// The hidden argument.
    pub launcher_argument: String,
    /// How far tasks are confined: what [`level`](crate::level) returned.
    pub level: Level,
    /// How long a process that is asked to end may take.
    pub grace: Duration,
    /// Where the scratch folders of failed tasks are kept, if they are.
    pub keep_scratch: Option<PathBuf>,
}

/// Runs actions, on as many workers as there are.
pub struct Executor {
    pub(crate) store: Arc<Store>,
    pub(crate) options: ExecOptions,
    toolsets: OnceLock<Toolsets>,
    workers: AtomicU64,
    texts: AtomicU64,
}

/// One slot: a launcher, and a scratch folder to use again and again.
#[derive(Debug)]
pub struct Worker {
    /// `None` after somebody killed it, until it is needed.
    pub(crate) launcher: Option<Launcher>,
    scratch: Scratch,
    number: u64,
    tasks: u64,
    /// `None` if its processes wait for nobody's.
    waiter: Option<Waiter>,
}

impl Worker {
    /// The same, but each process waits for its turn.
    #[must_use]
    pub fn waiting(self, waiter: Waiter) -> Self {
        Self { waiter: Some(waiter), ..self }
    }
}

/// An action that made its result; it is in the store and not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Executed {
    /// What is to be committed under the action's key.
    pub result: ActionResult,
    /// How many processes outlived the task's main one and were killed.
    pub orphans: u32,
}

impl Executor {
    /// Runs actions against `store`.
    pub fn new(store: Arc<Store>, options: ExecOptions) -> Self {
        let (workers, texts) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { store, options, toolsets: OnceLock::new(), workers, texts }
    }

    /// The toolsets, in a folder that is made with the first.
    pub(crate) fn toolsets(&self) -> &Toolsets {
        self.toolsets.get_or_init(|| {
            Toolsets::new(match &self.options.keep_scratch {
                // A kept task is started again with the same PATH, when the store's folder is gone.
                Some(keep) => keep.join(format!("{}-tools", std::process::id())),
                None => self.store.scratch_dir().join("tools"),
            })
        })
    }

    /// How far tasks are confined.
    pub fn level(&self) -> Level {
        self.options.level
    }

    /// A further worker, whose launcher starts now.
    pub fn worker(&self) -> Result<Worker, LauncherError> {
        let number = self.workers.fetch_add(1, Ordering::Relaxed);
        let scratch = Scratch::new(self.store.scratch_dir().join(format!("worker-{number}")));
        Ok(Worker { launcher: Some(self.launcher()?), scratch, number, tasks: 0, waiter: None })
    }

    /// Runs `action` to its end. Its processes are all dead when this returns.
    pub fn run(
        &self,
        worker: &mut Worker,
        action: &Action,
        grants: &Grants,
        closures: &BTreeMap<String, Arc<Closure>>,
        cancel: &CancelToken,
    ) -> Result<Executed, Box<Failure>> {
        if cancel.is_cancelled() {
            return Err(Failure::early(Cause::Cancelled));
        }
        let (program, args) = match &action.command {
            Command::Process { program, args } => (program, args),
            Command::WriteFile { text, executable } => {
                return self.write_file(action, text, *executable).map_err(Failure::early);
            }
        };
        let _preparing = Timed::new(Phase::Spawn);
        worker.tasks += 1;
        if let Some(keep) = &self.options.keep_scratch {
            let name = format!("{}-{}-{}", std::process::id(), worker.number, worker.tasks);
            worker.scratch = Scratch::new(keep.join(name));
        }
        worker.scratch.prepare(action).map_err(Failure::early)?;
        let scratch = &worker.scratch;
        let waiter = worker.waiter.as_ref();
        let task = Task { executor: self, scratch, action, grants, closures, waiter };
        let ran = task.run(&mut worker.launcher, program, args, cancel);
        self.leave(&mut worker.scratch, ran)
    }

    pub(crate) fn launcher(&self) -> Result<Launcher, LauncherError> {
        Launcher::start(&self.options.launcher, &self.options.launcher_argument)
    }

    /// Writes the only output, without a process.
    fn write_file(&self, action: &Action, text: &str, executable: bool) -> Result<Executed, Cause> {
        let started = Instant::now();
        let mut outputs = action.outputs.iter();
        let (Some((name, spec)), None) = (outputs.next(), outputs.next()) else {
            return Err(Cause::OneOutput);
        };
        if spec.tree {
            return Err(Cause::OneOutput);
        }
        let file = if executable { self.put_program(text)? } else { self.put_text(text)? };
        let outputs = BTreeMap::from([(name.clone(), Artifact::File(file))]);
        let duration_ms = millis(started.elapsed());
        let result = ActionResult { outputs, log: None, duration_ms, observed_inputs: None };
        Ok(Executed { result, orphans: 0 })
    }

    fn put_text(&self, text: &str) -> Result<FileRef, Cause> {
        let put = self.store.put_bytes(text.as_bytes());
        put.map_err(|source| Cause::Store { role: "text".to_owned(), source })
    }

    fn put_program(&self, text: &str) -> Result<FileRef, Cause> {
        let number = self.texts.fetch_add(1, Ordering::Relaxed);
        let folder = self.store.scratch_dir();
        let path = folder.join(format!("text-{number}"));
        fs::create_dir_all(&folder)
            .and_then(|()| fs::write(&path, text))
            .and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(0o755)))
            .map_err(|source| failed("write", &path, source))?;
        let put = self.store.put_file(&path, Take::Move);
        put.map_err(|source| Cause::Store { role: "text".to_owned(), source })
    }

    /// Empties the scratch folder, or keeps that of a failed task.
    fn leave(
        &self,
        scratch: &mut Scratch,
        ran: Result<Executed, Box<Failure>>,
    ) -> Result<Executed, Box<Failure>> {
        // What cannot be removed now is removed, or complained about, before the next task.
        match ran {
            Err(mut failure) if self.options.keep_scratch.is_some() => {
                failure.kept = Some(scratch.folder().to_owned());
                return Err(failure);
            }
            _ if self.options.keep_scratch.is_some() => {
                scratch.clear();
                let _ = fs::remove_dir_all(scratch.folder());
            }
            _ => scratch.clear(),
        }
        ran
    }
}
