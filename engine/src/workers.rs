//! The threads that run tasks. Each takes one job at a time and reports by message; none holds a
//! database handle or decides anything.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vwfb_cas::{ActionKey, ActionResult, Artifact, KeyLock, Store};
use vwfb_exec::action::{Action, Grants};
use vwfb_exec::{CancelToken, Cause, Failure, Turns, Waiter};
use vwfb_rules::label::WsPath;
use vwfb_rules::task::ToolDef;

use crate::chain::chain;
use crate::desk;
use crate::plan::TaskId;

/// A result that took this long is made durable before it is told of; shorter ones are together,
/// some milliseconds later.
const PRECIOUS: Duration = Duration::from_millis(250);

/// One action to run, with all that running it needs.
#[derive(Debug, Clone)]
pub struct Job {
    /// The task.
    pub id: TaskId,
    /// The key its result will answer.
    pub key: ActionKey,
    /// What to run.
    pub action: Action,
    /// What its process gets beside its key.
    pub grants: Grants,
    /// The workspace's files that it reads, as its key has them.
    pub sources: Vec<(WsPath, Artifact)>,
    /// The tools it may start.
    pub tools: Vec<Arc<ToolDef>>,
    /// How often a failed process is started again.
    pub retries: u32,
    /// Whether it runs even if the store has a result for its key.
    pub forced: bool,
    /// Whether another run would make other bytes.
    pub sampled: bool,
}

/// How a job ended.
#[derive(Debug)]
pub enum Ending {
    /// Another process, or another task, had made the result meanwhile.
    Hit(ActionResult),
    /// Its process ran; the result is in the store, or will be when the store is flushed.
    Ran(ActionResult),
    /// A source is not what the key says.
    SourceChanged(WsPath),
    /// Its process failed, could not be started, or was stopped.
    Failed(Box<Failure>),
    /// The store could not keep or find something; the words say what.
    StoreFailed(String),
    /// A promise of ours was broken on the worker's thread; the deciding thread goes on with the
    /// panic.
    Panicked(Box<dyn Any + Send>),
}

/// What the deciding thread is told.
pub enum Message {
    /// A job ended.
    Report {
        /// The job.
        job: Box<Job>,
        /// How it ended.
        ending: Ending,
        /// How long it took on its worker.
        took: Duration,
    },
    /// A person or the system asks to stop.
    Interrupt {
        /// The signal's number.
        signal: i32,
    },
}

/// Puts workspace files into the store, so that tasks can be given them.
pub trait Sources: Send + Sync {
    /// Makes sure that the store has `artifact`, which `path` was seen to be.
    ///
    /// # Errors
    /// If the file is not that any more, or the store cannot take it.
    fn provide(&self, path: &WsPath, artifact: &Artifact) -> Result<(), Unprovided>;
}

/// Why a source is not in the store.
#[derive(Debug)]
pub enum Unprovided {
    /// It has other content than the key says.
    Changed,
    /// The store could not take it; the words say why.
    Store(String),
}

/// Makes workers.
pub trait Runner: Send + Sync {
    /// A worker of its own for one thread, whose processes wait for their turn by `waiter`.
    fn worker(&self, waiter: Waiter) -> Box<dyn Worker>;
}

/// Runs one action at a time.
pub trait Worker: Send {
    /// Runs `job` and puts its outputs into the store, but not its result.
    ///
    /// # Errors
    /// See [`Failure`].
    fn run(&mut self, job: &Job, cancel: &CancelToken) -> Result<ActionResult, Box<Failure>>;
}

/// Asks a running build to stop; the second message is what ends it.
#[derive(Clone)]
pub struct Canceller(Sender<Message>);

impl Canceller {
    /// Asks to stop because of `signal`. A build that is over does not hear it.
    pub fn cancel(&self, signal: i32) {
        let _over = self.0.send(Message::Interrupt { signal });
    }
}

/// Where a build hears from its workers and from outside.
pub struct Inbox {
    pub(crate) sender: Sender<Message>,
    pub(crate) receiver: Receiver<Message>,
}

impl Default for Inbox {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self { sender, receiver }
    }
}

impl Inbox {
    /// A handle with which another thread can stop the build.
    pub fn canceller(&self) -> Canceller {
        Canceller(self.sender.clone())
    }
}

/// What every worker thread shares.
pub struct Shared {
    /// The store.
    pub store: Arc<Store>,
    /// The workspace's files.
    pub sources: Arc<dyn Sources>,
    /// What runs actions.
    pub runner: Arc<dyn Runner>,
}

/// What a failure says of the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The work itself failed, and another attempt may not.
    Work,
    /// Something that it reads is lost and must be made again.
    LostInput,
    /// It was asked to stop.
    Cancelled,
    /// The machine could not run it or keep its result.
    Machine,
}

pub(crate) fn verdict(cause: &Cause) -> Verdict {
    match cause {
        // A tree holds what no store can keep.
        Cause::Store { .. } if !cause.is_environment() => Verdict::Work,
        Cause::Exit { .. }
        | Cause::Signal { .. }
        | Cause::Timeout { .. }
        | Cause::MissingOutput { .. }
        | Cause::BadOutput { .. }
        | Cause::UndeclaredProgram { .. }
        | Cause::NotStartable { .. } => Verdict::Work,
        Cause::InputLost { .. } => Verdict::LostInput,
        Cause::Cancelled => Verdict::Cancelled,
        Cause::Store { .. }
        | Cause::Input { .. }
        | Cause::Toolchain { .. }
        | Cause::Secret { .. }
        | Cause::Role { .. }
        | Cause::OneOutput
        | Cause::Launcher(_)
        | Cause::Scratch { .. } => Verdict::Machine,
    }
}

type Work = (Box<Job>, CancelToken);

/// The threads, started as they are needed.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    limit: usize,
    /// Made with the first thread.
    turns: Option<Arc<Turns>>,
    reports: Sender<Message>,
    work: Option<Sender<Work>>,
    queue: Arc<Mutex<Receiver<Work>>>,
    threads: Vec<JoinHandle<()>>,
    busy: usize,
}

impl Pool {
    pub(crate) fn new(shared: Arc<Shared>, limit: usize, reports: Sender<Message>) -> Self {
        let (work, queue) = mpsc::channel();
        Self {
            shared,
            limit,
            turns: None,
            reports,
            work: Some(work),
            queue: Arc::new(Mutex::new(queue)),
            threads: Vec::new(),
            busy: 0,
        }
    }

    /// Whether another job can start now, or wait for a worker where fewer than `ahead` do.
    pub(crate) const fn has_room(&self, ahead: usize) -> bool {
        self.busy < self.limit + ahead
    }

    /// Whether no job runs.
    pub(crate) const fn is_idle(&self) -> bool {
        self.busy == 0
    }

    /// Starts a job; its report will come.
    ///
    /// # Errors
    /// If the store's folder for what is passing cannot be written.
    pub(crate) fn start(&mut self, job: Box<Job>, cancel: CancelToken) -> io::Result<()> {
        // Some more than run processes, to prepare tasks and to take in outputs meanwhile.
        if self.threads.len() < (self.busy + 1).min(self.limit + self.limit.div_ceil(2)) {
            let waiter = self.waiter()?;
            self.threads.push(self.thread(waiter));
        }
        self.busy += 1;
        let work = self.work.as_ref().expect("the pool is open until it is dropped");
        work.send((job, cancel)).expect("a thread waits for work until the pool is dropped");
        Ok(())
    }

    fn waiter(&mut self) -> io::Result<Waiter> {
        let turns = match self.turns.take() {
            Some(turns) => turns,
            None => {
                let folder = self.shared.store.scratch_dir();
                let in_folder = |error: io::Error| {
                    io::Error::new(error.kind(), format!("`{}`: {error}", folder.display()))
                };
                Turns::new(&folder, self.limit).map_err(in_folder)?
            }
        };
        Ok(Waiter::of(self.turns.insert(turns)))
    }

    /// Takes note of a report.
    pub(crate) const fn reported(&mut self) {
        self.busy -= 1;
    }

    fn thread(&self, waiter: Waiter) -> JoinHandle<()> {
        let (shared, queue) = (Arc::clone(&self.shared), Arc::clone(&self.queue));
        let reports = self.reports.clone();
        std::thread::spawn(move || {
            let mut worker = shared.runner.worker(waiter.clone());
            while let Some((job, cancel)) = next(&queue) {
                let begun = Instant::now();
                let ran = || run(&shared, &mut *worker, &job, &cancel);
                let ending = catch_unwind(AssertUnwindSafe(ran)).unwrap_or_else(Ending::Panicked);
                let took = begun.elapsed().saturating_sub(waiter.waited());
                let report = Message::Report { job, ending, took };
                if reports.send(report).is_err() {
                    break;
                }
            }
        })
    }
}

impl Drop for Pool {
    /// Waits for the threads, which end with the last job that was given to them.
    fn drop(&mut self) {
        self.work = None;
        for thread in self.threads.drain(..) {
            let _panicked = thread.join();
        }
    }
}

fn next(queue: &Mutex<Receiver<Work>>) -> Option<Work> {
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}

/// Runs one job from its sources to its result, which the store has taken.
fn run(shared: &Shared, worker: &mut dyn Worker, job: &Job, cancel: &CancelToken) -> Ending {
    if cancel.is_cancelled() {
        return Ending::Failed(cancelled());
    }
    for (path, artifact) in &job.sources {
        match shared.sources.provide(path, artifact) {
            Ok(()) => {}
            Err(Unprovided::Changed) => return Ending::SourceChanged(path.clone()),
            Err(Unprovided::Store(why)) => return Ending::StoreFailed(why),
        }
    }
    locked(shared, worker, job, cancel)
}

/// Runs one job while no other process or thread runs the same action.
fn locked(shared: &Shared, worker: &mut dyn Worker, job: &Job, cancel: &CancelToken) -> Ending {
    let store = &shared.store;
    let lock = match lock(store, job.key, cancel) {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ending::Failed(cancelled()),
        Err(why) => return Ending::StoreFailed(why),
    };
    if !job.forced {
        match store.lookup_locked(&lock) {
            Ok(Some(result)) => return Ending::Hit(result),
            Ok(None) => {}
            Err(error) => return Ending::StoreFailed(chain(&error)),
        }
    }
    let result = match attempts(worker, job, cancel) {
        Ok(result) => result,
        Err(failure) => return Ending::Failed(failure),
    };
    // What took long, or cannot be made again, is not risked for the time that a sync takes.
    let precious = job.sampled || Duration::from_millis(result.duration_ms) >= PRECIOUS;
    let kept = store.commit_soon(lock, &result);
    if precious && let Err(error) = store.flush() {
        return Ending::StoreFailed(chain(&error));
    }
    match kept {
        Ok(kept) => Ending::Ran(kept),
        Err(error) => Ending::StoreFailed(chain(&error)),
    }
}

/// The sole right to make the result of `key`; `None` if the request to stop comes before it.
fn lock(store: &Store, key: ActionKey, cancel: &CancelToken) -> Result<Option<KeyLock>, String> {
    let locks = store.key_locks();
    if let Some(lock) = locks.try_lock(key).map_err(|error| chain(&error))? {
        return Ok(Some(lock));
    }
    let arrived = CancelToken::new().map_err(|error| chain(&error))?;
    let arrives = arrived.clone();
    let waiting = std::thread::spawn(move || {
        let lock = locks.lock(key);
        arrives.cancel();
        lock
    });
    arrived.wait_with(cancel);
    if !arrived.is_cancelled() {
        // The thread gives the lock back as soon as it has it.
        return Ok(None);
    }
    let locked = waiting.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    locked.map(Some).map_err(|error| chain(&error))
}

fn cancelled() -> Box<Failure> {
    let (cause, duration) = (Cause::Cancelled, Duration::ZERO);
    Box::new(Failure { cause, log: None, duration, command: None, kept: None })
}

/// Whether a service has answered the job, which another attempt would ask, and pay, again.
fn was_answered(job: &Job) -> bool {
    let ledger = job.grants.service.as_ref().map(|service| &service.ledger);
    ledger.is_some_and(|ledger| desk::was_answered(ledger))
}

fn attempts(
    worker: &mut dyn Worker,
    job: &Job,
    cancel: &CancelToken,
) -> Result<ActionResult, Box<Failure>> {
    let mut left = job.retries;
    loop {
        match worker.run(job, cancel) {
            Err(failure)
                if left > 0 && verdict(&failure.cause) == Verdict::Work && !was_answered(job) =>
            {
                left -= 1;
            }
            ended => return ended,
        }
    }
}
