//! What a run says: the engine's only output. Terminal, JSON lines and run history read it.

use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::{ActionKey, FileRef};
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::Label;

use crate::people::Question;
use crate::standing::Provisional;

/// One thing that happened in a run.
#[derive(Debug, Clone)]
pub enum Event {
    /// The run has its plan.
    RunStarted {
        /// Its number in this workspace, from 1.
        run: u64,
        /// What was asked for, as patterns (`//shorts:final`, `//...`).
        targets: Vec<String>,
        /// How many tasks these need.
        tasks: usize,
        /// What holds tasks to their declared files (`landlock 7: files, tcp, scopes`).
        sandbox: String,
    },
    /// Fan-outs expanded to what a task made.
    Expanded {
        /// How many tasks the run has now.
        tasks: usize,
    },
    /// Something is wrong with the workspace, or the run has a warning.
    Diagnostic(Box<Diagnostic>),
    /// All dependencies of a task are settled, and its result is not known.
    TaskReady {
        /// The task.
        label: Label,
    },
    /// A process was started for a task.
    TaskStarted {
        /// The task.
        label: Label,
        /// The key that its result will answer.
        key: ActionKey,
    },
    /// A task reached its end in this run.
    TaskFinished(Box<TaskFinished>),
    /// A requested target is not final.
    Provisional(Box<Provisional>),
    /// A checkpoint waits for a person.
    Waiting(Box<Waiting>),
    /// The task of a pinned target would make something else now than when it was pinned.
    Conflict {
        /// The target.
        label: Label,
    },
    /// The run is over.
    RunFinished {
        /// What became of its tasks.
        counts: Counts,
        /// How long it took.
        duration: Duration,
        /// The process's exit code.
        exit_code: u8,
    },
}

/// What a checkpoint waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The checkpoint.
    pub label: Label,
    /// What people are told.
    pub message: String,
    /// The target to look at before deciding.
    pub preview: Option<Label>,
    /// What is to be decided on, each with its place in the workspace.
    pub subjects: Vec<Question>,
    /// What was rejected as it is, with what was said to it.
    pub rejected: Vec<(String, Option<String>)>,
    /// Why it was not approved without people, where that was tried.
    pub notes: Vec<String>,
}

/// How one task ended.
#[derive(Debug, Clone)]
pub struct TaskFinished {
    /// The task.
    pub label: Label,
    /// Its key, where one could be computed.
    pub key: Option<ActionKey>,
    /// What became of it.
    pub result: TaskResult,
    /// How long its process ran; zero where none did.
    pub duration: Duration,
    /// The blob with what its process wrote.
    pub log: Option<FileRef>,
    /// Why, where it failed or is blocked.
    pub reason: Option<Arc<str>>,
    /// What to do about it, where cause or log tell.
    pub hint: Option<Arc<str>>,
    /// How to run the same action by hand, where it failed.
    pub reproduce: Option<Arc<str>>,
}

impl TaskFinished {
    /// A task of which no more is to be said than what became of it.
    pub(crate) const fn quiet(label: Label, key: Option<ActionKey>, result: TaskResult) -> Self {
        Self {
            label,
            key,
            result,
            duration: Duration::ZERO,
            log: None,
            reason: None,
            hint: None,
            reproduce: None,
        }
    }
}

/// What became of a task in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TaskResult {
    /// Its process ran and succeeded.
    Ran,
    /// The store had the result of its key.
    Cached,
    /// Something before it was made again with the same bytes, so it need not be.
    CutOff,
    /// Its key is that of its last success, and so is everything before it.
    Unchanged,
    /// Its outputs are what a person chose.
    Pinned,
    /// Something stands in for its result, in a preview.
    StandIn,
    /// A checkpoint whose subjects are all approved.
    Approved,
    /// A checkpoint that waits for a person, or where one rejected something.
    Waiting,
    /// Its process failed, or its result was not what it declares.
    Failed,
    /// It was not started, because something before it failed or waits for a person.
    Blocked,
    /// The run was cancelled before it ended.
    Cancelled,
}

impl TaskResult {
    /// Every result, in the order of a summary.
    pub const ALL: [Self; 11] = [
        Self::Ran,
        Self::Cached,
        Self::CutOff,
        Self::Unchanged,
        Self::Pinned,
        Self::StandIn,
        Self::Approved,
        Self::Waiting,
        Self::Failed,
        Self::Blocked,
        Self::Cancelled,
    ];

    /// The word for it in terminal, JSON and docs alike.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Cached => "cached",
            Self::CutOff => "cut-off",
            Self::Unchanged => "unchanged",
            Self::Pinned => "pinned",
            Self::StandIn => "stand-in",
            Self::Approved => "approved",
            Self::Waiting => "waiting",
            Self::Failed => "failed",
            Self::Blocked => "blocked",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether the task has its outputs.
    pub const fn succeeded(self) -> bool {
        !matches!(self, Self::Waiting | Self::Failed | Self::Blocked | Self::Cancelled)
    }
}

/// How many tasks ended how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([usize; TaskResult::ALL.len()]);

impl Counts {
    /// Counts one more task with `result`.
    pub fn add(&mut self, result: TaskResult) {
        self.0[result as usize] += 1;
    }

    /// Counts `tasks` more with `result`.
    pub fn add_many(&mut self, result: TaskResult, tasks: usize) {
        self.0[result as usize] += tasks;
    }

    /// Takes back one task with `result`, which is made again.
    pub fn remove(&mut self, result: TaskResult) {
        self.0[result as usize] -= 1;
    }

    /// The number of tasks with `result`.
    pub const fn of(&self, result: TaskResult) -> usize {
        self.0[result as usize]
    }

    /// The number of all tasks.
    pub fn total(&self) -> usize {
        self.0.iter().sum()
    }
}

/// Reads events as they happen. It is called on the deciding thread, so it must be quick.
pub trait Reporter {
    /// Takes one event.
    fn event(&mut self, event: &Event);
    /// Whether it wants an event for each task that is unchanged or cut off. If not, it is told
    /// their number by [`Reporter::counted`], without labels.
    fn wants_unchanged(&self) -> bool {
        true
    }
    /// That many tasks ended with a result of which it wants no events.
    fn counted(&mut self, _result: TaskResult, _tasks: usize) {}
}

impl Reporter for Vec<Event> {
    fn event(&mut self, event: &Event) {
        self.push(event.clone());
    }
}
