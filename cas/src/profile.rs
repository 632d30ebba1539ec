//! Where vwfb's own time goes: times of phases and counts of what was done, for the whole process.
//!
//! A global, against the house's rule: it is written to from every crate and thread and read once,
//! by the program that shows it, and nothing that vwfb decides or makes may depend on it.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A part of vwfb's own work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Reading what the workspace and the store remember, and rule files.
    Load,
    /// Looking at files and folders for changes.
    Stat,
    /// Evaluating queries: packages, targets, actions and their keys.
    Queries,
    /// Asking the store's index.
    Lookup,
    /// Preparing processes and taking their outputs, without the time that they start and run.
    Spawn,
    /// Reading and hashing content.
    Hash,
    /// Writing content and results to the store, and what the workspace remembers.
    Store,
    /// Putting outputs into their places.
    Materialise,
}

impl Phase {
    /// Every phase, in the order of a build.
    pub const ALL: [Self; 8] = [
        Self::Load,
        Self::Stat,
        Self::Queries,
        Self::Lookup,
        Self::Spawn,
        Self::Hash,
        Self::Store,
        Self::Materialise,
    ];

    /// The phase's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Load => "load",
            Self::Stat => "stat",
            Self::Queries => "queries",
            Self::Lookup => "lookup",
            Self::Spawn => "spawn",
            Self::Hash => "hash",
            Self::Store => "store",
            Self::Materialise => "materialise",
        }
    }
}

/// Something that is counted. Counts do not depend on the machine, so tests hold them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Counter {
    /// Files and folders whose stat was asked for.
    FilesStatted,
    /// Files that were read and hashed.
    FilesHashed,
    /// Bytes that were hashed.
    BytesHashed,
    /// Folders that were listed.
    FoldersListed,
    /// Packages whose rule files were parsed.
    PackagesParsed,
    /// Queries that were executed, not found in memory.
    QueriesExecuted,
    /// Rows of the workspace's state that were read or searched for, of the tables that grow.
    StateRows,
    /// Rows of the store's index that were read or searched for, of the tables that grow.
    IndexRows,
    /// Transactions that wrote to the state or the index.
    Transactions,
    /// Processes that were started for tasks.
    ProcessesSpawned,
    /// Files that were created in the store for content: packs, and blobs with a file of their own.
    FilesStored,
    /// Outputs that were looked at one by one, to be put in place where they are not.
    OutputsPlaced,
}

impl Counter {
    /// Every counter.
    pub const ALL: [Self; 12] = [
        Self::FilesStatted,
        Self::FilesHashed,
        Self::BytesHashed,
        Self::FoldersListed,
        Self::PackagesParsed,
        Self::QueriesExecuted,
        Self::StateRows,
        Self::IndexRows,
        Self::Transactions,
        Self::ProcessesSpawned,
        Self::FilesStored,
        Self::OutputsPlaced,
    ];

    /// What is counted, in words with hyphens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FilesStatted => "files-statted",
            Self::FilesHashed => "files-hashed",
            Self::BytesHashed => "bytes-hashed",
            Self::FoldersListed => "folders-listed",
            Self::PackagesParsed => "packages-parsed",
            Self::QueriesExecuted => "queries-executed",
            Self::StateRows => "state-rows-read",
            Self::IndexRows => "index-rows-read",
            Self::Transactions => "transactions",
            Self::ProcessesSpawned => "processes-spawned",
            Self::FilesStored => "files-stored",
            Self::OutputsPlaced => "outputs-placed",
        }
    }
}

/// What a phase took so far.
#[derive(Debug)]
struct Spent {
    nanos: AtomicU64,
    times: AtomicU64,
}

static IS_TIMED: AtomicBool = AtomicBool::new(false);
static SPENT: [Spent; Phase::ALL.len()] =
    [const { Spent { nanos: AtomicU64::new(0), times: AtomicU64::new(0) } }; Phase::ALL.len()];
static COUNTS: [AtomicU64; Counter::ALL.len()] = [const { AtomicU64::new(0) }; Counter::ALL.len()];

thread_local! {
    /// The innermost phase that this thread is in, and since when it was not interrupted.
    static CURRENT: Cell<Option<(Phase, Instant)>> = const { Cell::new(None) };
}

/// Measures times from now on. Without it phases cost one relaxed load each and remain zero;
/// counters always count.
pub fn measure_times() {
    IS_TIMED.store(true, Ordering::Relaxed);
}

/// Adds `number` to a counter. Where many things are done in a row, count them with one call.
#[inline]
pub fn count(counter: Counter, number: u64) {
    COUNTS[counter as usize].fetch_add(number, Ordering::Relaxed);
}

/// Adds a stretch of time that another process measured, or that only a difference tells.
pub fn add(phase: Phase, spent: Duration) {
    if IS_TIMED.load(Ordering::Relaxed) {
        SPENT[phase as usize].times.fetch_add(1, Ordering::Relaxed);
        credit(phase, spent);
    }
}

/// A stretch of time that belongs to a phase, until this is dropped.
///
/// A phase within a phase interrupts the outer one on its thread: a moment counts once.
#[derive(Debug)]
#[must_use = "a phase ends when this is dropped"]
pub struct Timed {
    outer: Option<Phase>,
    /// Whether times were measured when it began.
    is_on: bool,
}

impl Timed {
    /// Begins a stretch of `phase` on this thread.
    #[inline]
    pub fn new(phase: Phase) -> Self {
        if IS_TIMED.load(Ordering::Relaxed) {
            Self::begun(phase)
        } else {
            Self { outer: None, is_on: false }
        }
    }

    /// Begins a stretch of waiting for others, which belongs to no phase.
    #[inline]
    pub fn waiting() -> Self {
        if IS_TIMED.load(Ordering::Relaxed) {
            Self { outer: switched(None), is_on: true }
        } else {
            Self { outer: None, is_on: false }
        }
    }

    #[cold]
    fn begun(phase: Phase) -> Self {
        SPENT[phase as usize].times.fetch_add(1, Ordering::Relaxed);
        Self { outer: switched(Some(phase)), is_on: true }
    }
}

impl Drop for Timed {
    #[inline]
    fn drop(&mut self) {
        if self.is_on {
            switched(self.outer);
        }
    }
}

/// Goes over to `next` on this thread, credits the phase that was until now, and returns it.
fn switched(next: Option<Phase>) -> Option<Phase> {
    let now = Instant::now();
    let (last, since) = CURRENT.replace(next.map(|next| (next, now)))?;
    credit(last, now.duration_since(since));
    Some(last)
}

fn credit(phase: Phase, spent: Duration) {
    let nanos = u64::try_from(spent.as_nanos()).unwrap_or(u64::MAX);
    SPENT[phase as usize].nanos.fetch_add(nanos, Ordering::Relaxed);
}

/// What was measured and counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// For every phase its time, summed over all threads, and how many stretches it had.
    pub phases: Vec<(Phase, Duration, u64)>,
    /// For every counter its count.
    pub counters: Vec<(Counter, u64)>,
}

impl Profile {
    /// What this process measured so far, without stretches that are not over.
    pub fn so_far() -> Self {
        let phase = |phase: Phase| {
            let Spent { nanos, times } = &SPENT[phase as usize];
            let spent = Duration::from_nanos(nanos.load(Ordering::Relaxed));
            (phase, spent, times.load(Ordering::Relaxed))
        };
        let counter =
            |counter: Counter| (counter, COUNTS[counter as usize].load(Ordering::Relaxed));
        Self { phases: Phase::ALL.map(phase).into(), counters: Counter::ALL.map(counter).into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spent(phase: Phase) -> (Duration, u64) {
        let (_, spent, times) = Profile::so_far().phases[phase as usize];
        (spent, times)
    }

    fn current() -> Option<Phase> {
        CURRENT.get().map(|(phase, _)| phase)
    }

    // Nothing else in this crate has the phases that the test uses.
    #[test]
    fn an_inner_phase_interrupts_the_outer_one() {
        measure_times();
        let outer = Timed::new(Phase::Queries);
        let inner = Timed::new(Phase::Load);
        assert_eq!(current(), Some(Phase::Load));
        let (queries, _) = spent(Phase::Queries);
        let waiting = Timed::waiting();
        assert_eq!(current(), None);
        drop(waiting);
        assert_eq!(current(), Some(Phase::Load));
        drop(inner);
        assert_eq!(current(), Some(Phase::Queries));
        assert_eq!(spent(Phase::Queries), (queries, 1), "it was interrupted");
        let (load, loads) = spent(Phase::Load);
        assert_eq!(loads, 1);
        drop(outer);
        assert_eq!(current(), None);
        assert!(spent(Phase::Queries).0 > queries);
        assert_eq!(spent(Phase::Load), (load, 1));
    }

    #[test]
    fn each_is_at_its_place() {
        for (place, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(phase as usize, place, "{}", phase.as_str());
        }
        for (place, counter) in Counter::ALL.into_iter().enumerate() {
            assert_eq!(counter as usize, place, "{}", counter.as_str());
        }
    }

    #[test]
    fn counts_add_up() {
        let before = Profile::so_far().counters[Counter::FoldersListed as usize].1;
        count(Counter::FoldersListed, 2);
        count(Counter::FoldersListed, 3);
        let after = Profile::so_far().counters[Counter::FoldersListed as usize].1;
        assert!(after >= before + 5);
    }
}
