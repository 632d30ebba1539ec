//! One run over a task graph: asks for keys, settles what is known, and says what is left.
//!
//! Everything that decides is here and on one thread; `build` gives what is left to workers and
//! `forecast` only lists it.

mod grow;
mod keys;
mod losses;
mod question;
mod record;
mod stand_in;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustc_hash::FxHashMap;
use vwfb_cas::profile::{Phase, Timed};
use vwfb_cas::{ActionKey, ActionResult, Artifact, Store};
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::Label;
use vwfb_rules::pattern::Pattern;
use vwfb_rules::task::{Results, TaskDef};

use crate::action::{Keyed, keyed};
use crate::answers::{Answer, Answers};
use crate::chain::chain;
use crate::db::{Database, Target};
use crate::desk::Desk;
use crate::event::{Counts, Event, Reporter, TaskFinished, TaskResult};
use crate::graph::TaskGraph;
use crate::keep::Keep;
use crate::key::KeyRecord;
use crate::people::People;
use crate::plan::{Plan, Step, TaskId};
use crate::spending::Spending;
use crate::standing::Reason;
use crate::state::{Attempt, State};

pub(crate) use question::Closed;
pub use question::Met;
pub(crate) use record::Ended;
pub use stand_in::Preview;

/// Something of the machine, not of the work, stops a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct EnvironmentError(pub String);

impl EnvironmentError {
    pub(crate) fn of(error: &dyn std::error::Error) -> Self {
        Self(chain(error))
    }
}

/// What a run works on.
pub(crate) struct Ground<'a> {
    /// The database.
    pub db: &'a mut Database,
    /// The store.
    pub store: &'a Arc<Store>,
    /// The workspace's memory.
    pub state: &'a State,
    /// The tasks.
    pub graph: Arc<TaskGraph>,
    /// What was asked for.
    pub patterns: &'a [Pattern],
    /// What people said.
    pub people: &'a People,
    /// The bytes that cannot be made again.
    pub keep: &'a Keep,
    /// What tasks ask services with.
    pub desk: &'a Desk,
    /// What was spent on them.
    pub spending: &'a Spending,
    /// The output folder, relative to the workspace.
    pub output_folder: String,
    /// When the run began, in milliseconds since 1970.
    pub now_ms: i64,
}

/// What is known of a graph's tasks before a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// Their last successes.
    pub(crate) answers: Answers,
    /// The tasks whose definition, sources or tools may differ from what their last success was
    /// made from; `None` if that may be any.
    pub(crate) suspects: Option<Vec<bool>>,
    /// The mark of the workspace's successes that these are.
    pub(crate) mark: Option<i64>,
}

impl Known {
    /// What the workspace's memory knows of the tasks of `graph`.
    pub(crate) fn of(state: &State, graph: &TaskGraph) -> Result<Self, EnvironmentError> {
        let mark = state.successes_mark().map_err(|error| EnvironmentError::of(&error))?;
        let labels: Vec<String> =
            graph.shape().tasks().map(|id| graph.label(id).to_string()).collect();
        let known = state.successes_of(&labels).map_err(|error| EnvironmentError::of(&error))?;
        Ok(Self { answers: Answers::of(&labels, &known), suspects: None, mark: Some(mark) })
    }
}

/// The state of one run.
pub(crate) struct Run<'a> {
    pub(crate) ground: Ground<'a>,
    pub(crate) plan: Plan,
    pub(crate) counts: Counts,
    /// The number of the run; 0 while nothing is recorded.
    pub(crate) number: u64,
    /// Whether a task failed for a reason of the machine.
    pub(crate) environment_failed: bool,
    /// Whether a source could not be read.
    pub(crate) input_failed: bool,
    reporter: &'a mut dyn Reporter,
    keyed: Vec<Option<Arc<Keyed>>>,
    pub(crate) answers: Answers,
    /// The tasks whose key may differ though nothing that they read came out anew; `None` if that
    /// may be any.
    suspects: Option<Vec<bool>>,
    /// The mark of the successes in `answers`.
    mark: Option<i64>,
    recorded_keys: Vec<ActionKey>,
    /// Whether a task's outcome is not what it was before this run.
    moved: Vec<bool>,
    /// Whether a task's last success is another than before this run.
    replaces: Vec<bool>,
    /// Whether the database has a task's outcome.
    brought: Vec<bool>,
    /// Whether a source that a task reads changed in this run.
    doubtful: Vec<bool>,
    /// With the key of the success before it, if a task only follows others.
    new_successes: Vec<(TaskId, Option<ActionKey>)>,
    /// The fields of the keys of tasks that were run, until they are written down.
    records: FxHashMap<TaskId, KeyRecord>,
    /// Whether every key that was asked for still stands: nothing was looked at again or taken up
    /// again since.
    is_steady: bool,
    /// When something was last written down.
    recorded: Instant,
    to_claim: Vec<Artifact>,
    new_attempts: Vec<(String, Attempt)>,
    /// The tasks whose outputs fan-outs were expanded from.
    expanded: BTreeSet<TaskId>,
    /// What is known to be wrong with the workspace.
    told: BTreeSet<Diagnostic>,
    /// The checkpoints that have their keys and are not looked at yet.
    questions: Vec<TaskId>,
    /// The checkpoints that were looked at.
    pub(crate) met: Vec<Met>,
    /// The checkpoints that are not open.
    pub(crate) closed: Vec<Closed>,
    /// Whether a rejection ends the run.
    pub(crate) aborted: bool,
    /// What it may use and start, if it is a preview.
    pub(crate) preview: Option<Preview>,
    /// The tasks of a preview that have no result of their own.
    pub(crate) without: Vec<TaskId>,
    /// Placeholder -> whose outputs it stands in for.
    stand_ins: BTreeMap<TaskId, Vec<(TaskId, String)>>,
    /// Why tasks are not final that something stands in for.
    pub(crate) reasons: BTreeMap<TaskId, Reason>,
}

/// How many keys the store is asked for at once: enough to share one transaction, and few results in
/// memory.
const MOST_LOOKED_UP: usize = 4_096;

impl<'a> Run<'a> {
    /// Begins with what is known of the graph's tasks.
    pub(crate) fn begin(ground: Ground<'a>, reporter: &'a mut dyn Reporter, known: Known) -> Self {
        let Known { answers, suspects, mark } = known;
        if suspects.is_none() {
            ground.db.prefetch(&ground.graph.sources());
        }
        let weight = |id| answers.duration(id).max(1);
        let plan = Plan::new(Arc::clone(ground.graph.shape()), answers.keys(), weight);
        let count = ground.graph.tasks();
        Self {
            plan,
            counts: Counts::default(),
            number: 0,
            environment_failed: false,
            input_failed: false,
            reporter,
            keyed: vec![None; count],
            answers,
            suspects,
            mark,
            recorded_keys: Vec::new(),
            moved: vec![false; count],
            replaces: vec![false; count],
            brought: vec![false; count],
            doubtful: vec![false; count],
            is_steady: true,
            new_successes: Vec::new(),
            records: FxHashMap::default(),
            recorded: Instant::now(),
            to_claim: Vec::new(),
            new_attempts: Vec::new(),
            expanded: BTreeSet::new(),
            told: BTreeSet::new(),
            questions: Vec::new(),
            met: Vec::new(),
            closed: Vec::new(),
            aborted: false,
            preview: None,
            without: Vec::new(),
            stand_ins: BTreeMap::new(),
            reasons: BTreeMap::new(),
            ground,
        }
    }

    /// The salsa input of a task.
    pub(crate) fn target(&self, id: TaskId) -> Target {
        self.ground.graph.target(&*self.ground.db, id)
    }

    /// The definition of a task.
    pub(crate) fn def(&self, id: TaskId) -> Arc<TaskDef> {
        match &self.keyed[id.0] {
            Some(keyed) => Arc::clone(&keyed.def),
            None => self.ground.graph.def(&*self.ground.db, id),
        }
    }

    /// The name of a task.
    pub(crate) fn label(&self, id: TaskId) -> Label {
        self.ground.graph.label(id)
    }

    pub(crate) fn emit(&mut self, event: &Event) {
        self.reporter.event(event);
    }

    /// The key and action of a task that is past `Ready`.
    pub(crate) fn keyed(&self, id: TaskId) -> &Arc<Keyed> {
        self.keyed[id.0].as_ref().expect("a task has its key when it is queued")
    }

    /// Takes the next of the queued tasks whose definition `fits`, and for how many milliseconds it ran
    /// last, looking at `most` of them.
    pub(crate) fn start_next(
        &mut self,
        most: usize,
        fits: impl Fn(TaskId, &TaskDef, u64) -> bool,
    ) -> Option<TaskId> {
        let (keyed, answers) = (&self.keyed, &self.answers);
        let def = |id: TaskId| keyed[id.0].as_ref().map(|keyed| &keyed.def);
        let fits = |id| def(id).is_some_and(|def| fits(id, def, answers.duration(id)));
        self.plan.start_next(most, fits)
    }

    /// The key and action of a task, if it was asked for them.
    pub(crate) fn keyed_now(&self, id: TaskId) -> Option<&Arc<Keyed>> {
        self.keyed[id.0].as_ref()
    }

    /// Whether `key` is what a running task would be asked to answer now.
    pub(crate) fn is_current(&self, id: TaskId, key: vwfb_cas::ActionKey) -> bool {
        let is_asked_for = || keyed(self.ground.db, self.target(id)).map(|keyed| keyed.key);
        self.plan.step(id) == Step::Running
            && self.plan.has_its_needs(id)
            && (self.is_steady || is_asked_for() == Ok(key))
    }

    /// Whether a task's outcome is not what it was before this run.
    pub(crate) fn has_moved(&self, id: TaskId) -> bool {
        self.moved[id.0]
    }

    /// The key of a task, if it is known.
    pub(crate) fn known_key(&self, id: TaskId) -> Option<vwfb_cas::ActionKey> {
        let settled = matches!(self.plan.step(id), Step::Settled(_));
        let answer = self.plan.answer(id).filter(|_| settled);
        self.keyed[id.0].as_ref().map(|keyed| keyed.key).or(answer)
    }

    /// Settles everything that is known without running, and returns the tasks that are not.
    pub(crate) fn settle_known(&mut self) -> Result<Vec<TaskId>, EnvironmentError> {
        let mut unknown = Vec::new();
        loop {
            let some = self.settle_some(usize::MAX)?;
            if some.is_empty() {
                return Ok(unknown);
            }
            unknown.extend(some);
        }
    }

    /// Settles what is known without running until it comes upon tasks that are not, and returns
    /// at most `most` of them; none only if nothing is left to ask.
    pub(crate) fn settle_some(&mut self, most: usize) -> Result<Vec<TaskId>, EnvironmentError> {
        let _asking = Timed::new(Phase::Queries);
        let mut unknown = Vec::new();
        while unknown.is_empty() {
            let mut asked = Vec::new();
            while asked.len() < most {
                let ready = self.ready(most - asked.len());
                if ready.is_empty() {
                    break;
                }
                for id in ready {
                    // One before it may have found that something both read is lost, or ended the run.
                    if self.plan.step(id) == Step::Ready {
                        asked.extend(self.settle_same_key(id));
                    }
                }
                self.settle_questions()?;
            }
            self.claim()?;
            if asked.is_empty() {
                break;
            }
            self.settle_stored(&asked, &mut unknown)?;
        }
        Ok(unknown)
    }

    /// Keeps from any gc what this run stands on. What is lost already is met when its bytes are
    /// needed.
    fn claim(&mut self) -> Result<(), EnvironmentError> {
        let artifacts = std::mem::take(&mut self.to_claim);
        if !artifacts.is_empty() {
            let claimed = self.ground.store.claim(&artifacts);
            let _whole = claimed.map_err(|error| EnvironmentError::of(&error))?;
        }
        Ok(())
    }

    /// Keeps from any gc the sources of tasks that will run, and learns which of them the store lacks:
    /// for many at once that is one question.
    pub(crate) fn claim_sources(&self, tasks: &[TaskId]) -> Result<(), EnvironmentError> {
        let sources = tasks.iter().flat_map(|id| &self.keyed(*id).sources);
        let sources: Vec<Artifact> = sources.map(|(_, artifact)| *artifact).collect();
        if !sources.is_empty() {
            let claimed = self.ground.store.claim(&sources);
            let _whole = claimed.map_err(|error| EnvironmentError::of(&error))?;
        }
        Ok(())
    }

    /// Whether a task's key can only differ by outputs of tasks that got another key in this run.
    fn only_follows(&self, id: TaskId) -> bool {
        let mut inputs = self.ground.graph.shape().inputs(id);
        self.suspects.as_ref().is_some_and(|suspects| !suspects[id.0])
            && !self.doubtful[id.0]
            && inputs.all(|need| !self.moved[need.0] || self.answers.run(need) == self.number)
    }

    /// Keeps from any gc what a task made, if that was settled without asking the store.
    fn claim_outputs(&mut self, id: TaskId) {
        let settled = self.plan.step(id);
        if matches!(settled, Step::Settled(TaskResult::Unchanged | TaskResult::CutOff)) {
            let outcome = self.answers.outcome(id);
            self.to_claim.extend(outcome.iter().flat_map(|outcome| outcome.values().copied()));
        }
    }

    /// Settles the tasks whose keys the store has results for; the others are `unknown`.
    fn settle_stored(
        &mut self,
        asked: &[TaskId],
        unknown: &mut Vec<TaskId>,
    ) -> Result<(), EnvironmentError> {
        for asked in asked.chunks(MOST_LOOKED_UP) {
            let keys: Vec<_> = asked.iter().map(|id| self.keyed(*id).key).collect();
            let found =
                self.ground.store.lookup(&keys).map_err(|error| EnvironmentError::of(&error))?;
            for (id, result) in asked.iter().zip(found) {
                match result {
                    Some(result) if !self.plan.must_run(*id) => {
                        self.adopt(*id, result, TaskResult::Cached, Duration::ZERO);
                    }
                    _ => unknown.push(*id),
                }
            }
        }
        Ok(())
    }

    /// Makes a stored result the outcome of its task.
    pub(crate) fn adopt(
        &mut self,
        id: TaskId,
        result: ActionResult,
        how: TaskResult,
        took: Duration,
    ) {
        let outcome = Arc::new(result.outputs);
        let before = self.answers.outcome(id);
        let resampled =
            self.answers.key(id) != Some(self.keyed(id).key) && !self.is_deterministic(id);
        self.replaces[id.0] |= before.is_some_and(|before| resampled || before != outcome);
        self.moved[id.0] |= self.answers.outcome(id).as_ref() != Some(&outcome);
        let target = self.target(id);
        match self.plan.must_run(id) {
            true => self.ground.db.renew_outcome(target, Arc::clone(&outcome)),
            false => _ = self.ground.db.set_outcome(target, Some(Arc::clone(&outcome))),
        }
        self.brought[id.0] = true;
        let (key, duration_ms, run) = (self.keyed(id).key, result.duration_ms, self.number);
        let follows = self.answers.key(id).filter(|_| self.only_follows(id));
        self.answers.set(id, Answer { key, outcome, duration_ms, run, follows });
        self.new_successes.push((id, follows));
        let attempt = Attempt {
            run: self.number,
            result: how.as_str().to_owned(),
            reason: None,
            log: result.log,
        };
        self.new_attempts.push((self.label(id).to_string(), attempt));
        self.settled(id, how, took);
    }

    fn settled(&mut self, id: TaskId, result: TaskResult, took: Duration) {
        self.settle(id, result, took);
        if self.stand_ins.contains_key(&id) {
            self.stood_in(id);
        }
    }

    fn settle(&mut self, id: TaskId, result: TaskResult, took: Duration) {
        let known = self.keyed[id.0].as_ref().map(|keyed| keyed.key).or(self.plan.answer(id));
        let key = known.expect("a task settles with a key");
        self.plan.settle(id, key, result);
        self.counts.add(result);
        let quiet = matches!(result, TaskResult::Unchanged | TaskResult::CutOff);
        if quiet && !self.reporter.wants_unchanged() {
            self.reporter.counted(result, 1);
            return;
        }
        let label = self.label(id);
        let finished = TaskFinished::quiet(label, Some(key), result);
        self.emit(&Event::TaskFinished(Box::new(TaskFinished { duration: took, ..finished })));
    }

    /// Fails a task and blocks what is behind it.
    pub(crate) fn fail(&mut self, id: TaskId, failed: Failed) {
        self.end(id, TaskResult::Failed, failed);
    }

    /// Ends a task without a result, and blocks what is behind it.
    pub(crate) fn end(&mut self, id: TaskId, result: TaskResult, failed: Failed) {
        if self.preview.is_some() && result == TaskResult::Failed {
            // What stands in for something cannot be expected to pass.
            let (result, failed) = match self.reads_stand_ins(id) {
                true => {
                    let reason = "what stands in for something it reads does not do".into();
                    (TaskResult::Blocked, Failed::because(reason))
                }
                false => (result, failed),
            };
            self.finished_without_result(id, result, failed);
            self.plan.hold(id);
            self.without.push(id);
            return;
        }
        let blocked = self.plan.end(id, result);
        let label = self.label(id);
        let attempt = Attempt {
            run: self.number,
            result: result.as_str().to_owned(),
            reason: Some(failed.reason.to_string()),
            log: failed.log,
        };
        self.new_attempts.push((label.to_string(), attempt));
        let cause: Arc<str> = match result {
            TaskResult::Cancelled => format!("`{label}` was cancelled").into(),
            TaskResult::Waiting if self.def(id).service.is_some() => {
                format!("`{label}` waits for money").into()
            }
            TaskResult::Waiting => format!("`{label}` waits for a person").into(),
            _ => format!("`{label}` failed").into(),
        };
        self.finished_without_result(id, result, failed);
        for id in blocked {
            let blocked = Failed::because(Arc::clone(&cause));
            self.finished_without_result(id, TaskResult::Blocked, blocked);
        }
    }

    pub(crate) fn finished_without_result(
        &mut self,
        id: TaskId,
        result: TaskResult,
        failed: Failed,
    ) {
        self.counts.add(result);
        let key = self.keyed[id.0].as_ref().map(|keyed| keyed.key);
        let label = self.label(id);
        self.emit(&Event::TaskFinished(Box::new(TaskFinished {
            label,
            key,
            result,
            duration: failed.took,
            log: failed.log,
            reason: Some(failed.reason),
            hint: failed.hint,
            reproduce: failed.reproduce,
        })));
    }

    fn is_deterministic(&self, id: TaskId) -> bool {
        self.keyed(id).def.results == Results::Deterministic
    }

    fn is_sampled(&self, id: TaskId) -> bool {
        self.ground.graph.is_sampled(id)
    }
}

/// What is known of a task that has no result.
pub(crate) struct Failed {
    pub(crate) reason: Arc<str>,
    pub(crate) hint: Option<Arc<str>>,
    pub(crate) log: Option<vwfb_cas::FileRef>,
    pub(crate) reproduce: Option<Arc<str>>,
    pub(crate) took: Duration,
}

impl Failed {
    /// A failure without a process.
    pub(crate) const fn because(reason: Arc<str>) -> Self {
        Self { reason, hint: None, log: None, reproduce: None, took: Duration::ZERO }
    }
}
