//! `vwfb plan`: what a build would do, without doing it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::ActionKey;
use vwfb_rules::cost::Money;
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::Label;

use crate::event::{Event, Reporter, TaskResult};
use crate::graph::TaskGraph;
use crate::plan::{Step, TaskId};
use crate::run::{EnvironmentError, Ground, Known, Run};
use crate::standing::{Standing, Standings};

/// What a build would do with one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forecast {
    /// The task.
    pub label: Label,
    /// What would become of it.
    pub fate: Fate,
    /// Its key, if that is known now.
    pub key: Option<ActionKey>,
    /// How long it took when it last ran; zero if it never did.
    pub last_duration: Duration,
    /// How what it makes stands.
    pub standing: Standing,
    /// What it would take if it ran.
    pub expected: Expected,
}

/// What a task is expected to take, from its last run and its rule's estimate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Expected {
    /// How long.
    pub time: Duration,
    /// Whether it holds the resource `gpu` meanwhile.
    pub gpu: bool,
    /// How much money.
    pub cost: Money,
}

/// What is known of a build before it.
#[derive(Debug, Default)]
pub struct Outlook {
    /// Its tasks, needs first.
    pub tasks: Vec<Forecast>,
    /// What the results that it takes from the store once cost.
    pub saved: Money,
    /// What is wrong with what fan-outs came to.
    pub problems: Vec<Diagnostic>,
}

/// What would become of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// Nothing: its result stands.
    Unchanged,
    /// Its result is in the store.
    Cached,
    /// It would run.
    Runs,
    /// Something before it would run; whether it does depends on what that makes.
    MayRun,
    /// It is a fan-out whose items are not known before `after` is made.
    Expands {
        /// What makes its items.
        after: Label,
        /// How many tasks it once came to.
        last: usize,
    },
    /// It is a checkpoint that waits for people, or one where something was rejected.
    Waits(String),
    /// It would not be made; the words say what it waits for.
    Blocked(String),
    /// It could not run here; the words say why.
    Cannot(String),
}

impl Fate {
    /// The word for it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Cached => "cached",
            Self::Runs => "runs",
            Self::MayRun => "may-run",
            Self::Expands { .. } => "expands",
            Self::Waits(_) => "waits",
            Self::Blocked(_) => "blocked",
            Self::Cannot(_) => "cannot-run",
        }
    }
}

/// Keeps why tasks could not even be keyed, what waits for people, and what is wrong.
#[derive(Default)]
struct Reasons {
    fates: Vec<(Label, Fate)>,
    problems: Vec<Diagnostic>,
}

impl Reporter for Reasons {
    fn event(&mut self, event: &Event) {
        if let Event::Diagnostic(problem) = event {
            self.problems.push(Diagnostic::clone(problem));
        }
        let Event::TaskFinished(finished) = event else { return };
        let reason = || finished.reason.as_deref().unwrap_or_default().to_owned();
        let fate = match finished.result {
            TaskResult::Failed => Fate::Cannot(reason()),
            TaskResult::Waiting => Fate::Waits(reason()),
            TaskResult::Blocked => Fate::Blocked(reason()),
            _ => return,
        };
        self.fates.push((finished.label.clone(), fate));
    }
}

/// What a build of `ground` would do with each task. Nothing is run or recorded.
///
/// # Errors
/// If the store or the workspace's state cannot be read.
pub(crate) fn forecast(ground: Ground<'_>, known: Known) -> Result<Outlook, EnvironmentError> {
    let mut reasons = Reasons::default();
    let mut run = Run::begin(ground, &mut reasons, known);
    let mut unknown = run.settle_known()?;
    while run.expand()? {
        unknown.extend(run.settle_known()?);
    }
    let graph = Arc::clone(&run.ground.graph);
    let mut runs = vec![false; graph.tasks()];
    unknown.into_iter().for_each(|id| runs[id.0] = true);
    let standings = Standings::of(&graph);
    let mut fates: Vec<Forecast> = graph
        .shape()
        .tasks()
        .map(|id| {
            let fate = fate(&run, id, runs[id.0]);
            let last_duration = Duration::from_millis(run.answers.duration(id));
            let (key, label) = (run.known_key(id), graph.label(id));
            let expected = match fate {
                Fate::Runs | Fate::MayRun => expected(&run, id, last_duration),
                _ => Expected::default(),
            };
            let standing = standings.of_task(&graph, id);
            Forecast { label, fate, key, last_duration, standing, expected }
        })
        .collect();
    let is_kept = |task: &Forecast| matches!(task.fate, Fate::Cached | Fate::Unchanged);
    let kept: HashSet<ActionKey> =
        fates.iter().filter(|task| is_kept(task)).filter_map(|task| task.key).collect();
    let saved = run.ground.spending.of_keys(&kept).map_err(|error| EnvironmentError::of(&error))?;
    let state = run.ground.state;
    drop(run);
    for waiting in &graph.waiting {
        let label = waiting.fan_out.clone();
        let last = state.made_in(&label).map_err(|error| EnvironmentError::of(&error))?;
        fates.push(Forecast {
            label,
            fate: Fate::Expands { after: waiting.on.clone(), last },
            key: None,
            last_duration: Duration::ZERO,
            standing: Standing::default(),
            expected: Expected::default(),
        });
    }
    let Reasons { fates: reasons, problems } = reasons;
    Ok(Outlook { tasks: with_reasons(fates, reasons), saved, problems })
}

/// The tasks of `ground` with those of all fan-outs whose items are made and known to stand.
///
/// # Errors
/// If the store or the workspace's state cannot be read.
pub(crate) fn expand_known(
    ground: Ground<'_>,
    known: Known,
) -> Result<Arc<TaskGraph>, EnvironmentError> {
    let mut reasons = Reasons::default();
    let mut run = Run::begin(ground, &mut reasons, known);
    run.settle_known()?;
    while run.expand()? {
        run.settle_known()?;
    }
    Ok(Arc::clone(&run.ground.graph))
}

fn expected(run: &Run<'_>, id: TaskId, last: Duration) -> Expected {
    let def = run.def(id);
    let service = def.service.as_ref();
    let estimated = service.map(|service| service.estimate.asked.time).unwrap_or_default();
    Expected {
        time: if last.is_zero() { estimated } else { last },
        gpu: def.resources.contains_key("gpu"),
        cost: service.map(|service| service.expected()).unwrap_or_default(),
    }
}

fn fate(run: &Run<'_>, id: TaskId, runs: bool) -> Fate {
    match run.plan.step(id) {
        _ if runs => Fate::Runs,
        Step::Settled(TaskResult::Cached) => Fate::Cached,
        Step::Settled(_) => Fate::Unchanged,
        Step::Ended(_) => Fate::Cannot("something before it cannot run".to_owned()),
        Step::Waiting | Step::Ready | Step::Queued | Step::Running => Fate::MayRun,
    }
}

fn with_reasons(mut fates: Vec<Forecast>, reasons: Vec<(Label, Fate)>) -> Vec<Forecast> {
    let mut reasons: HashMap<Label, Fate> = reasons.into_iter().collect();
    for forecast in &mut fates {
        if let Some(fate) = reasons.remove(&forecast.label) {
            forecast.fate = fate;
        }
    }
    fates
}
