//! Building: gives what a run does not know to workers until nothing is left, then puts the
//! requested outputs in place.

mod asking;
mod offered;
mod pace;
mod placed;

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use offered::Offered;
use pace::Pace;
pub use placed::Placed;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use vwfb_cas::{ActionKey, Artifact};
use vwfb_exec::action::Grants;
use vwfb_exec::{CancelToken, Cause, Failure};
use vwfb_rules::cost::Budgets;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::{InputRef, TaskDef};

use crate::advice::{Circumstances, advice};
use crate::chain::chain;
use crate::columns::Strings;
use crate::db::Db;
use crate::event::{Event, TaskResult};
use crate::graph::{Offer, TaskGraph};
use crate::log;
use crate::plan::{Step, TaskId};
use crate::run::{Ended, EnvironmentError, Failed, Preview, Run};
use crate::spending::Purse;
use crate::standing::provisional;
use crate::workers::{Ending, Inbox, Job, Message, Pool, Shared, Verdict, verdict};
use crate::workspace::Built;

/// How to build.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many tasks run at once; at least 1.
    pub jobs: usize,
    /// Whether the first failure stops everything that has not begun.
    pub fail_fast: bool,
    /// Whether what is not final is refused.
    pub only_final: bool,
    /// What it may use and start, if it is a preview.
    pub preview: Option<Preview>,
    /// Whether tasks are held to their declared files.
    pub confined: bool,
    /// The named capacities of this machine; a resource that is not here has capacity 1.
    pub resources: BTreeMap<String, u32>,
    /// What may be spent on services.
    pub budgets: Budgets,
}

/// Puts outputs where people look for them.
pub trait Placer: Sync {
    /// The output folder, absolute.
    fn folder(&self) -> &Path;

    /// Whether files that tasks made can be put there themselves, so that they are to be spared.
    fn takes_files(&self) -> bool;

    /// Makes `path` below the output folder be `artifact`; nothing is written if it is already.
    ///
    /// # Errors
    /// If the store has lost the bytes, or the folder cannot be written.
    fn place(&self, path: &str, artifact: &Artifact) -> Result<(), Unplaced>;
}

/// Why an output is not in place.
#[derive(Debug)]
pub enum Unplaced {
    /// The store has lost some of its bytes.
    Lost,
    /// It cannot be written; the words say why.
    Failed(String),
}

/// Where a build gets its hands: threads, and a place for outputs.
pub struct Hands<'a> {
    /// What workers share.
    pub shared: Arc<Shared>,
    /// Puts requested outputs in place.
    pub placer: &'a dyn Placer,
    /// Where it hears from workers and from outside.
    pub inbox: &'a Inbox,
}

/// An output on its way to where people look for it.
struct Output<'g> {
    task: TaskId,
    /// Below the output folder.
    path: &'g str,
    artifact: Artifact,
}

/// The first tasks start while the keys of the others are asked for.
const ASKED_AT_ONCE: usize = 256;

/// A build in progress.
pub(crate) struct Build<'a> {
    pub(crate) run: Run<'a>,
    options: &'a Options,
    hands: Hands<'a>,
    pool: Pool,
    running: BTreeMap<TaskId, (CancelToken, Arc<TaskDef>)>,
    in_use: BTreeMap<String, u32>,
    /// How long tasks take.
    pace: Pace,
    pub(crate) interrupted: Option<i32>,
    /// Whether nothing more is started.
    stopping: bool,
    /// What may be spent.
    purse: Purse,
    /// The tasks whose outputs are put in place.
    offered: Offered,
    /// Whether the files that they make are.
    takes_files: bool,
}

impl<'a> Build<'a> {
    /// Begins.
    pub(crate) fn begin(run: Run<'a>, options: &'a Options, hands: Hands<'a>) -> Self {
        let pool =
            Pool::new(Arc::clone(&hands.shared), options.jobs.max(1), hands.inbox.sender.clone());
        Self {
            run,
            options,
            pool,
            running: BTreeMap::new(),
            in_use: BTreeMap::new(),
            pace: Pace::default(),
            interrupted: None,
            stopping: false,
            purse: Purse::new(options.budgets.clone()),
            offered: Offered::default(),
            takes_files: hands.placer.takes_files(),
            hands,
        }
    }

    /// Runs everything, and puts the requested outputs in place.
    /// Those of which `in_place` is true, offer by offer, are there already.
    pub(crate) fn finish(
        &mut self,
        in_place: &dyn Fn() -> Vec<bool>,
    ) -> Result<Placed, EnvironmentError> {
        loop {
            self.drive()?;
            let mut lost = Vec::new();
            let placed = self.place(&in_place(), &mut lost)?;
            if lost.is_empty() {
                self.run.end_waiting(self.stopping);
                return Ok(placed);
            }
            for (producer, path) in lost {
                self.take_up_for_output(producer, &path)?;
            }
        }
    }

    /// Runs until nothing is left to start or to wait for.
    fn drive(&mut self) -> Result<(), EnvironmentError> {
        loop {
            let unknown = self.run.settle_some(ASKED_AT_ONCE)?;
            let grows = unknown.is_empty() && !self.stopping && self.run.expand()?;
            let stands_in = self.run.stand_in_for_some()?;
            let has_asked_all = unknown.is_empty() && !grows && !stands_in;
            self.run.claim_sources(&unknown)?;
            for id in unknown {
                self.queue(id);
            }
            let has_asked_all = has_asked_all && self.run.without.is_empty();
            if self.options.fail_fast && self.run.counts.of(TaskResult::Failed) > 0 {
                self.stop_rest();
            }
            if self.run.aborted {
                self.stop_rest();
            }
            self.start()?;
            let due = self.run.record_if_due()?;
            if has_asked_all {
                if self.pool.is_idle() {
                    self.run.record()?;
                    return self.keep();
                }
                self.wait(due);
            }
            while let Ok(message) = self.hands.inbox.receiver.try_recv() {
                self.hear(message);
            }
        }
    }

    /// Waits for a message, at most for a time.
    fn wait(&mut self, most: Option<Duration>) {
        let receiver = &self.hands.inbox.receiver;
        let message = match most {
            Some(most) => receiver.recv_timeout(most),
            None => receiver.recv().map_err(RecvTimeoutError::from),
        };
        match message {
            Ok(message) => self.hear(message),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                unreachable!("the build holds a sender of its own inbox")
            }
        }
    }

    /// Waits until the store has all results for good.
    fn keep(&self) -> Result<(), EnvironmentError> {
        self.hands.shared.store.flush().map_err(|error| {
            let is_lost =
                |id: &TaskId| self.run.known_key(*id).is_some_and(|key| error.keys.contains(&key));
            let labels = self.run.plan.shape().tasks().filter(is_lost).take(3);
            let labels: Vec<_> = labels.map(|id| format!("`{}`", self.run.label(id))).collect();
            match labels.is_empty() {
                true => EnvironmentError::of(&error),
                false => EnvironmentError(format!("{}: {}", labels.join(", "), chain(&error))),
            }
        })
    }

    fn queue(&mut self, id: TaskId) {
        if self.stopping {
            return self.run.end(id, TaskResult::Cancelled, cancelled());
        }
        if self.run.is_left_out(id) {
            self.run.plan.hold(id);
            self.run.without.push(id);
            return;
        }
        let label = self.run.label(id);
        self.run.emit(&Event::TaskReady { label });
        self.run.plan.queue(id);
    }

    /// Starts queued tasks while there is room for them.
    fn start(&mut self) -> Result<(), EnvironmentError> {
        loop {
            let waits = !self.pool.has_room(0);
            let (pace, pool, jobs) = (&self.pace, &self.pool, self.options.jobs);
            let (in_use, capacities) = (&self.in_use, &self.options.resources);
            let purse = &self.purse;
            let fits = |id: TaskId, def: &TaskDef, before_ms: u64| {
                if purse.is_later(id) {
                    return false;
                }
                if waits && !pool.has_room(pace.ahead(jobs, &def.rule, before_ms)) {
                    return false;
                }
                let resources = &def.resources;
                // What only waits for a worker holds nothing meanwhile.
                if waits && !resources.is_empty() {
                    return false;
                }
                resources.iter().all(|(name, amount)| {
                    let used = in_use.get(name).copied().unwrap_or(0);
                    let capacity = capacities.get(name).copied().unwrap_or(1);
                    // What needs more than there is runs alone.
                    used == 0 || used + amount <= capacity
                })
            };
            let most = if waits { 1 } else { usize::MAX };
            let Some(id) = self.run.start_next(most, fits) else { return Ok(()) };
            self.start_task(id)?;
        }
    }

    fn start_task(&mut self, id: TaskId) -> Result<(), EnvironmentError> {
        let keyed = Arc::clone(self.run.keyed(id));
        let def = &keyed.def;
        let is_placed = self.takes_files && self.offered.of(&self.run.ground.graph).contains(id);
        let grants = match self.run.ground.desk.grants(def, keyed.key) {
            Ok(grants) => Grants { spares_files: is_placed, ..grants },
            Err(error) => {
                self.run.environment_failed = true;
                self.run.fail(id, Failed::because(chain(&error).into()));
                return Ok(());
            }
        };
        let Some(action) = self.run.action(id) else { return Ok(()) };
        if let Some(service) = &def.service
            && !self.may_ask(id, service, (keyed.key, &action))
        {
            return Ok(());
        }
        let cancel = CancelToken::new().map_err(|error| EnvironmentError::of(&error))?;
        for (name, amount) in &def.resources {
            *self.in_use.entry(name.clone()).or_default() += amount;
        }
        let job = Job {
            id,
            key: keyed.key,
            action,
            grants,
            sources: keyed.sources.clone(),
            tools: def.tools.clone(),
            retries: def.retries,
            forced: self.run.plan.must_run(id),
            sampled: self.run.ground.graph.is_sampled(id),
        };
        self.run.emit(&Event::TaskStarted { label: self.run.label(id), key: keyed.key });
        self.running.insert(id, (cancel.clone(), Arc::clone(def)));
        let started = self.pool.start(Box::new(job), cancel);
        started
            .map_err(|error| EnvironmentError(format!("cannot make what tasks wait at in {error}")))
    }

    fn hear(&mut self, message: Message) {
        match message {
            Message::Interrupt { signal } => self.interrupt(signal),
            Message::Report { job, ending, took } => {
                self.pool.reported();
                let def = self.release(job.id);
                if let (Some(def), Ending::Ran(_)) = (def, &ending) {
                    self.pace.took(&def.rule, took);
                }
                if let Err(error) = self.reckon(&job, &ending) {
                    self.run.environment_failed = true;
                    // What was made is kept, and a panic goes on.
                    if !matches!(ending, Ending::Ran(_) | Ending::Panicked(_)) {
                        self.run.fail(job.id, Failed::because(chain(&error).into()));
                        return;
                    }
                }
                self.end(job.id, job.key, ending, took);
            }
        }
    }

    /// Gives back what a task held, whose definition this returns.
    fn release(&mut self, id: TaskId) -> Option<Arc<TaskDef>> {
        let (_, def) = self.running.remove(&id)?;
        for (name, amount) in &def.resources {
            if let Some(used) = self.in_use.get_mut(name) {
                *used -= amount;
            }
        }
        Some(def)
    }

    fn interrupt(&mut self, signal: i32) {
        self.interrupted.get_or_insert(signal);
        self.stop_rest();
    }

    /// Starts nothing more, and stops what runs.
    fn stop_rest(&mut self) {
        self.stopping = true;
        for (token, _) in self.running.values() {
            token.cancel();
        }
        for id in self.run.plan.cancel_rest() {
            self.run.finished_without_result(id, TaskResult::Cancelled, cancelled());
        }
    }

    fn end(&mut self, id: TaskId, key: ActionKey, ending: Ending, took: Duration) {
        if let Ending::SourceChanged(path) = &ending {
            self.run.source_changed(path);
            return self.run.ask_again(id);
        }
        if let Ending::Panicked(panic) = ending {
            resume_unwind(panic);
        }
        // What it read is made again or changed: a result is stored under its own key, and the
        // task is asked for its present one when all it needs is settled.
        if !self.run.is_current(id, key) {
            match self.stopping {
                true => self.run.end(id, TaskResult::Cancelled, cancelled()),
                false => self.run.plan.put_back(id),
            }
            return;
        }
        match ending {
            Ending::Ran(result) => self.run.adopt(id, result, TaskResult::Ran, took),
            Ending::Hit(result) => self.run.adopt(id, result, TaskResult::Cached, took),
            Ending::StoreFailed(why) => {
                self.run.environment_failed = true;
                self.run.fail(id, Failed { took, ..Failed::because(why.into()) });
            }
            Ending::Failed(failure) => self.failed(id, &failure, took),
            Ending::SourceChanged(_) | Ending::Panicked(_) => {}
        }
    }

    fn failed(&mut self, id: TaskId, failure: &Failure, took: Duration) {
        let verdict = verdict(&failure.cause);
        let failed = Failed {
            reason: chain(failure).into(),
            hint: self.advice(id, failure).map(Into::into),
            log: failure.log,
            reproduce: failure.command.as_deref().map(Into::into),
            took,
        };
        match verdict {
            Verdict::LostInput => return self.run.take_up_lost_inputs(id),
            Verdict::Cancelled => return self.run.end(id, TaskResult::Cancelled, failed),
            Verdict::Machine => self.run.environment_failed = true,
            Verdict::Work => {}
        }
        self.run.fail(id, failed);
    }

    fn advice(&self, id: TaskId, failure: &Failure) -> Option<String> {
        let ground = &self.run.ground;
        let db: &dyn Db = &*ground.db;
        let def = self.run.def(id);
        let ran = !matches!(failure.cause, Cause::Cancelled);
        if def.service.is_some()
            && ran
            && let Some(open) = ground.desk.open_submission(self.run.keyed(id).key)
        {
            return Some(open.advice());
        }
        let log = failure.log.and_then(|log| log::tail(ground.store, log).ok());
        let seen = Circumstances {
            def: &def,
            log: log.as_deref().unwrap_or_default(),
            confined: self.options.confined,
            is_source: &|path| db.path_kind(path) == SourceKind::File,
            made_from: &|label| {
                let maker = self.run.def(ground.graph.find(label)?);
                let mut sources = maker.inputs.values().filter_map(|from| match from {
                    InputRef::Source(path) => Some(path.clone()),
                    InputRef::Output { .. } => None,
                });
                sources.next().filter(|_| sources.next().is_none())
            },
        };
        advice(&failure.cause, &seen)
    }

    /// Puts the outputs of every requested target in place that has them all.
    fn place(
        &self,
        in_place: &[bool],
        lost: &mut Vec<(TaskId, String)>,
    ) -> Result<Placed, EnvironmentError> {
        let graph = Arc::clone(&self.run.ground.graph);
        if self.options.only_final && !provisional(&graph).is_empty() {
            return Ok(Placed::new(self.hands.placer.folder().to_owned(), Strings::default()));
        }
        let (placed, missing) = self.wanted(&graph, in_place);
        let placer = self.hands.placer;
        let put = |output: &Output<'_>| placer.place(output.path, &output.artifact);
        let put: Vec<Result<(), Unplaced>> = missing.par_iter().map(put).collect();
        for (output, put) in missing.iter().zip(put) {
            match put {
                Ok(()) => {}
                Err(Unplaced::Lost) => lost.push((output.task, output.path.to_owned())),
                Err(Unplaced::Failed(why)) => return Err(EnvironmentError(why)),
            }
        }
        Ok(placed)
    }

    /// The outputs of the requested targets that have them all, and those of them that are not in
    /// place yet, as `in_place` says offer by offer.
    fn wanted<'g>(&'g self, graph: &'g TaskGraph, in_place: &[bool]) -> (Placed, Vec<Output<'g>>) {
        let plan = &self.run.plan;
        let mut placed = Vec::new();
        let mut missing = Vec::new();
        // Several targets may offer one file, which is put there once.
        let mut placing = FxHashSet::default();
        let mut in_place = in_place.iter().copied().chain(std::iter::repeat(false));
        for target in graph.requested() {
            let is_there = |offer: Offer<'_>| matches!(plan.step(offer.task), Step::Settled(_));
            let has_all = graph.offers(target).all(is_there);
            for (number, in_place) in graph.offers.get(target.0).iter().zip(in_place.by_ref()) {
                if !has_all {
                    continue;
                }
                placed.push(*number);
                let offer = graph.offer(*number as usize);
                let is_due = !in_place || self.run.has_moved(offer.task);
                if is_due && placing.insert(offer.path) {
                    let artifact = self.run.answers.artifact(offer.task, offer.name);
                    let artifact = artifact.expect("a settled task has every output it declares");
                    missing.push(Output { task: offer.task, path: offer.path, artifact });
                }
            }
        }
        // What people are asked about is there for them to look at.
        for (task, path, artifact) in self.run.closed.iter().flat_map(|it| &it.shown) {
            missing.push(Output { task: *task, path, artifact: *artifact });
        }
        (Placed::of(self.hands.placer.folder().to_owned(), graph, &placed), missing)
    }

    /// Waits for what still runs, and says what the run came to but for what was placed.
    pub(crate) fn over(mut self) -> (Built, Ended) {
        let built = Built {
            counts: self.run.counts,
            environment_failed: self.run.environment_failed,
            input_failed: self.run.input_failed,
            interrupted: self.interrupted,
            aborted: self.run.aborted,
            waiting: self.run.closed.iter().map(|it| it.waiting.clone()).collect(),
            ..Built::default()
        };
        self.cancel_running();
        (built, self.run.ended())
    }

    fn cancel_running(&self) {
        for (token, _) in self.running.values() {
            token.cancel();
        }
    }

    fn take_up_for_output(&mut self, producer: TaskId, path: &str) -> Result<(), EnvironmentError> {
        self.run
            .take_up(producer)
            .map_err(|why| EnvironmentError(format!("cannot put `{path}` in place: {why}")))
    }
}

impl Drop for Build<'_> {
    /// A build that ends early, for an error of its own, leaves nothing running.
    fn drop(&mut self) {
        self.cancel_running();
    }
}

fn cancelled() -> Failed {
    Failed::because("the run was cancelled".into())
}
