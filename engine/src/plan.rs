//! Which task may go next: the steps of one run's tasks, in memory, outside salsa.
//!
//! It knows which tasks need which, and nothing of labels, keys' contents, processes or time.

use std::collections::BinaryHeap;
use std::sync::{Arc, OnceLock};

use vwfb_cas::ActionKey;

use crate::columns::{Lists, narrow};
use crate::event::TaskResult;

/// A task's place in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TaskId(pub usize);

/// Which task needs which. The needs of a task come before it: the ids are a topological order.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// The tasks whose outputs a task reads.
    inputs: Lists,
    /// The tasks that must only have succeeded; none of them is an input too.
    gates: Lists,
    /// The reverse of both, made when it is first asked for.
    reverse: OnceLock<(Lists, Lists)>,
}

impl Shape {
    /// The shape of tasks that need only tasks before them, each at most once.
    pub(crate) fn of(inputs: Lists, gates: Lists) -> Self {
        Self { inputs, gates, reverse: OnceLock::new() }
    }

    pub(crate) const fn input_lists(&self) -> &Lists {
        &self.inputs
    }

    pub(crate) const fn gate_lists(&self) -> &Lists {
        &self.gates
    }

    fn reverse(&self) -> &(Lists, Lists) {
        self.reverse.get_or_init(|| {
            let before = |id: usize| {
                let mut needs = self.inputs.get(id).iter().chain(self.gates.get(id));
                needs.all(|need| (*need as usize) < id)
            };
            assert!((0..self.len()).all(before), "a task's needs come before it");
            (self.inputs.reversed(self.len()), self.gates.reversed(self.len()))
        })
    }

    /// How many tasks there are.
    pub const fn len(&self) -> usize {
        self.inputs.len()
    }

    /// Whether there is no task.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All tasks, needs first.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = TaskId> + use<> {
        (0..self.len()).map(TaskId)
    }

    /// The tasks whose outputs `id` reads.
    pub fn inputs(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        self.inputs.get(id.0).iter().map(|need| TaskId(*need as usize))
    }

    /// The tasks that must have succeeded before `id`, inputs first.
    pub fn needs(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        let needs = self.inputs.get(id.0).iter().chain(self.gates.get(id.0));
        needs.map(|need| TaskId(*need as usize))
    }

    /// The tasks that need `id`: those that read it, then those that only wait for it.
    pub fn feeds(&self, id: TaskId) -> impl Iterator<Item = TaskId> + '_ {
        let (feeds, gated) = self.reverse();
        let feeds = feeds.get(id.0).iter().chain(gated.get(id.0));
        feeds.map(|feed| TaskId(*feed as usize))
    }

    fn feed(&self, id: TaskId, index: usize) -> Option<TaskId> {
        let (feeds, gated) = self.reverse();
        let reads = feeds.get(id.0);
        let feed = reads.get(index).or_else(|| gated.get(id.0).get(index - reads.len()));
        feed.map(|feed| TaskId(*feed as usize))
    }

    /// The weight of the heaviest path from each task to an end, its own included.
    fn critical_paths(&self, weight: impl Fn(TaskId) -> u64) -> Vec<u64> {
        let mut paths = vec![0; self.len()];
        for id in self.tasks().rev() {
            let after = self.feeds(id).map(|feed| paths[feed.0]).max().unwrap_or(0);
            paths[id.0] = after + weight(id);
        }
        paths
    }
}

/// Where a task stands in this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something it needs is not settled.
    Waiting,
    /// All it needs is settled, so its key can be asked for.
    Ready,
    /// Its key is known and its result is not.
    Queued,
    /// A worker has it.
    Running,
    /// Its outcome answers its present key.
    Settled(TaskResult),
    /// It has no result in this run.
    Ended(TaskResult),
}

/// The steps of every task in one run.
#[derive(Debug)]
pub struct Plan {
    shape: Arc<Shape>,
    steps: Vec<Step>,
    /// The key that each task's outcome answers, from before this run or from it.
    answers: Vec<Option<ActionKey>>,
    /// How many needs of each task are not settled: a redundant view of `steps`.
    open: Vec<u32>,
    /// How often each task was taken up again because its outputs were lost.
    losses: Vec<u8>,
    /// How often each task was asked for its key again because what it reads was lost or changed.
    renewals: Vec<u8>,
    /// Whether a task's outputs are lost.
    lost: Vec<bool>,
    priority: Vec<u64>,
    ready: Vec<TaskId>,
    queued: BinaryHeap<(u64, std::cmp::Reverse<TaskId>)>,
}

impl Plan {
    /// A plan with no task begun. `answers` are the keys of known outcomes; `weight` is a task's
    /// expected duration, by which the longest chain goes first.
    pub fn new(
        shape: Arc<Shape>,
        answers: Vec<Option<ActionKey>>,
        weight: impl Fn(TaskId) -> u64,
    ) -> Self {
        let count = shape.len();
        let open: Vec<u32> = shape.tasks().map(|id| narrow(shape.needs(id).count())).collect();
        let mut plan = Self {
            priority: shape.critical_paths(weight),
            steps: vec![Step::Waiting; count],
            answers,
            open,
            losses: vec![0; count],
            renewals: vec![0; count],
            lost: vec![false; count],
            ready: Vec::new(),
            queued: BinaryHeap::new(),
            shape,
        };
        for id in plan.shape.tasks().rev() {
            plan.wake(id);
        }
        plan
    }

    /// Goes on with a shape that begins like the present one, and with the keys of the outcomes
    /// that are known of the tasks it has more. Returns those of them that are blocked by what
    /// ended without a result.
    pub fn grow(
        &mut self,
        shape: Arc<Shape>,
        answers: impl IntoIterator<Item = Option<ActionKey>>,
        weight: impl Fn(TaskId) -> u64,
    ) -> Vec<TaskId> {
        let (before, count) = (self.steps.len(), shape.len());
        self.priority = shape.critical_paths(weight);
        self.shape = shape;
        self.steps.resize(count, Step::Waiting);
        self.answers.extend(answers);
        self.losses.resize(count, 0);
        self.renewals.resize(count, 0);
        self.lost.resize(count, false);
        let mut blocked = Vec::new();
        for id in (before..count).map(TaskId) {
            let steps: Vec<Step> = self.shape.needs(id).map(|need| self.steps[need.0]).collect();
            let is_open = |step: &&Step| !matches!(step, Step::Settled(_));
            self.open.push(narrow(steps.iter().filter(is_open).count()));
            if steps.iter().any(|step| matches!(step, Step::Ended(_))) {
                self.set(id, Step::Ended(TaskResult::Blocked));
                blocked.push(id);
            }
        }
        for id in (before..count).rev().map(TaskId) {
            self.wake(id);
        }
        blocked
    }

    /// Which task needs which.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Where `id` stands.
    pub fn step(&self, id: TaskId) -> Step {
        self.steps[id.0]
    }

    /// The key that the outcome of `id` answers, if it has one.
    pub fn answer(&self, id: TaskId) -> Option<ActionKey> {
        self.answers[id.0]
    }

    /// The next task whose key can be asked for.
    pub fn next_ready(&mut self) -> Option<TaskId> {
        while let Some(id) = self.ready.pop() {
            if self.steps[id.0] == Step::Ready {
                return Some(id);
            }
        }
        None
    }

    /// Queues a ready task whose result is not known.
    pub fn queue(&mut self, id: TaskId) {
        self.set(id, Step::Queued);
        self.queued.push((self.priority[id.0], std::cmp::Reverse(id)));
    }

    /// Takes the queued task with the longest chain behind it that `fits`, of the `most` with the
    /// longest, and marks it running.
    pub fn start_next(
        &mut self,
        most: usize,
        mut fits: impl FnMut(TaskId) -> bool,
    ) -> Option<TaskId> {
        let mut aside = Vec::new();
        let mut found = None;
        while let Some(entry) = self.queued.pop() {
            let id = entry.1.0;
            if self.steps[id.0] != Step::Queued {
                continue;
            }
            if fits(id) {
                found = Some(id);
                break;
            }
            aside.push(entry);
            if aside.len() >= most {
                break;
            }
        }
        self.queued.extend(aside);
        if let Some(id) = found {
            self.set(id, Step::Running);
        }
        found
    }

    /// How a task that keeps the key of its last success is called: cut off if something it reads
    /// was made again in this run, unchanged if not.
    pub fn unchanged_or_cut_off(&self, id: TaskId) -> TaskResult {
        let moved = |need: TaskId| {
            matches!(
                self.steps[need.0],
                Step::Settled(TaskResult::Ran | TaskResult::Cached | TaskResult::CutOff)
            )
        };
        if self.shape.inputs(id).any(moved) { TaskResult::CutOff } else { TaskResult::Unchanged }
    }

    /// Settles a task: its outcome answers `key`.
    pub fn settle(&mut self, id: TaskId, key: ActionKey, result: TaskResult) {
        self.answers[id.0] = Some(key);
        self.lost[id.0] = false;
        self.set(id, Step::Settled(result));
        let mut index = 0;
        while let Some(feed) = self.shape.feed(id, index) {
            index += 1;
            self.open[feed.0] -= 1;
            self.wake(feed);
        }
    }

    /// Ends a task without a result, and with it everything behind it that has not begun. Returns
    /// the tasks that are blocked by it.
    pub fn end(&mut self, id: TaskId, result: TaskResult) -> Vec<TaskId> {
        self.set(id, Step::Ended(result));
        let mut blocked = Vec::new();
        let mut next = vec![id];
        while let Some(cause) = next.pop() {
            let mut index = 0;
            while let Some(feed) = self.shape.feed(cause, index) {
                index += 1;
                if matches!(self.steps[feed.0], Step::Waiting) {
                    self.set(feed, Step::Ended(TaskResult::Blocked));
                    blocked.push(feed);
                    next.push(feed);
                }
            }
        }
        blocked.sort();
        blocked
    }

    /// Keeps a task from being started or blocked, as if a worker had it.
    pub fn hold(&mut self, id: TaskId) {
        self.set(id, Step::Running);
    }

    /// Makes a task ready to be settled with `key`, whatever it waits for.
    pub fn take_back(&mut self, id: TaskId, key: ActionKey) {
        self.answers[id.0] = Some(key);
        self.set(id, Step::Running);
    }

    /// Ends a task without a result, and nothing behind it.
    pub fn end_alone(&mut self, id: TaskId, result: TaskResult) {
        self.set(id, Step::Ended(result));
    }

    /// Ends every task that has not begun, as cancelled.
    pub fn cancel_rest(&mut self) -> Vec<TaskId> {
        let rest: Vec<TaskId> = self
            .shape
            .tasks()
            .filter(|id| matches!(self.steps[id.0], Step::Waiting | Step::Ready | Step::Queued))
            .collect();
        for id in &rest {
            self.set(*id, Step::Ended(TaskResult::Cancelled));
        }
        rest
    }

    /// Takes up again a settled task whose outputs are lost, and everything behind it. Returns
    /// those that were settled before, or nothing if it was lost too often.
    pub fn unsettle(&mut self, id: TaskId) -> Option<Vec<(TaskId, TaskResult)>> {
        if !may_once_more(&mut self.losses[id.0]) {
            return None;
        }
        self.answers[id.0] = None;
        self.lost[id.0] = true;
        let mut undone = Vec::new();
        let mut next = vec![id];
        while let Some(task) = next.pop() {
            match self.steps[task.0] {
                Step::Settled(result) => {
                    undone.push((task, result));
                    for feed in self.shape.feeds(task) {
                        self.open[feed.0] += 1;
                        next.push(feed);
                    }
                    self.set(task, Step::Waiting);
                }
                Step::Ready | Step::Queued => self.set(task, Step::Waiting),
                // One that runs is asked about when it reports; one that ended stays ended.
                Step::Running | Step::Waiting | Step::Ended(_) => {}
            }
        }
        self.wake(id);
        undone.sort();
        Some(undone)
    }

    /// Whether a lost task must be made again even if its key has a stored result.
    pub fn must_run(&self, id: TaskId) -> bool {
        self.lost[id.0]
    }

    /// Puts a task back whose key has to be asked for again; false if that happened too often.
    pub fn take_up_again(&mut self, id: TaskId) -> bool {
        let may = may_once_more(&mut self.renewals[id.0]);
        if may {
            self.set(id, Step::Waiting);
            self.wake(id);
        }
        may
    }

    /// Whether everything that `id` needs is settled.
    pub fn has_its_needs(&self, id: TaskId) -> bool {
        self.open[id.0] == 0
    }

    /// Puts a running task back whose needs are made again.
    pub fn put_back(&mut self, id: TaskId) {
        self.set(id, Step::Waiting);
        self.wake(id);
    }

    fn wake(&mut self, id: TaskId) {
        if self.steps[id.0] == Step::Waiting && self.open[id.0] == 0 {
            self.set(id, Step::Ready);
            self.ready.push(id);
        }
    }

    /// The only writer of steps.
    fn set(&mut self, id: TaskId, step: Step) {
        self.steps[id.0] = step;
    }
}

/// Counts one more time, which may not happen for ever.
fn may_once_more(times: &mut u8) -> bool {
    const MOST: u8 = 3;
    *times += 1;
    *times < MOST
}

#[cfg(test)]
mod tests {
    use vwfb_cas::Digest;

    use super::*;

    const A: TaskId = TaskId(0);
    const B: TaskId = TaskId(1);
    const C: TaskId = TaskId(2);
    const D: TaskId = TaskId(3);

    fn key(text: &str) -> ActionKey {
        ActionKey(Digest::of(text.as_bytes()))
    }

    /// a -> b, a -> c, and d reads both.
    fn diamond() -> Plan {
        let (mut inputs, mut gates) = (Lists::default(), Lists::default());
        for needs in [&[][..], &[0], &[0], &[1, 2]] {
            inputs.push(needs.iter().copied());
            gates.push([]);
        }
        Plan::new(
            Arc::new(Shape::of(inputs, gates)),
            vec![None; 4],
            |id| if id == C { 10 } else { 1 },
        )
    }

    fn run(plan: &mut Plan, id: TaskId) {
        assert_eq!(plan.next_ready(), Some(id));
        plan.queue(id);
        assert_eq!(plan.start_next(usize::MAX, |_| true), Some(id));
    }

    #[test]
    fn a_task_is_ready_when_all_it_needs_is_settled() {
        let mut plan = diamond();
        run(&mut plan, A);
        assert_eq!(plan.next_ready(), None);
        plan.settle(A, key("a"), TaskResult::Ran);
        assert_eq!([plan.step(B), plan.step(C)], [Step::Ready; 2]);
        assert_eq!(plan.step(D), Step::Waiting);
    }

    #[test]
    fn the_longest_chain_starts_first_if_it_fits() {
        let mut plan = diamond();
        run(&mut plan, A);
        plan.settle(A, key("a"), TaskResult::Ran);
        while let Some(id) = plan.next_ready() {
            plan.queue(id);
        }
        assert_eq!(plan.start_next(usize::MAX, |id| id != C), Some(B));
        assert_eq!(plan.start_next(usize::MAX, |_| true), Some(C));
        assert_eq!(plan.start_next(usize::MAX, |_| true), None);
    }

    #[test]
    fn a_failure_blocks_what_is_behind_it_and_nothing_else() {
        let mut plan = diamond();
        run(&mut plan, A);
        plan.settle(A, key("a"), TaskResult::Ran);
        assert_eq!(plan.end(B, TaskResult::Failed), [D]);
        assert_eq!(plan.step(C), Step::Ready);
    }

    #[test]
    fn lost_outputs_take_up_the_task_and_all_behind_it() {
        let mut plan = diamond();
        for (id, name) in [(A, "a"), (B, "b"), (C, "c")] {
            plan.settle(id, key(name), TaskResult::Cached);
        }
        assert_eq!(plan.step(D), Step::Ready);
        let undone = [A, B, C].map(|id| (id, TaskResult::Cached));
        assert_eq!(plan.unsettle(A), Some(undone.to_vec()));
        assert_eq!(plan.step(A), Step::Ready);
        assert_eq!([plan.step(B), plan.step(C), plan.step(D)], [Step::Waiting; 3]);
        assert!(plan.must_run(A) && !plan.must_run(B));
        assert_eq!(plan.answer(B), Some(key("b")), "an old outcome still answers its key");
        for (id, name) in [(A, "a"), (B, "b"), (C, "c"), (D, "d")] {
            plan.settle(id, key(name), TaskResult::Ran);
        }
        assert!(plan.unsettle(A).is_some());
        plan.settle(A, key("a"), TaskResult::Ran);
        assert_eq!(plan.unsettle(A), None, "a task that is lost again and again is given up");
    }

    #[test]
    fn lost_outputs_leave_alone_what_runs_or_has_ended() {
        let mut plan = diamond();
        run(&mut plan, A);
        plan.settle(A, key("a"), TaskResult::Ran);
        plan.end(B, TaskResult::Failed);
        assert_eq!(plan.next_ready(), Some(C));
        plan.queue(C);
        assert_eq!(plan.start_next(usize::MAX, |_| true), Some(C));
        assert_eq!(plan.unsettle(A), Some(vec![(A, TaskResult::Ran)]));
        assert_eq!(plan.step(B), Step::Ended(TaskResult::Failed));
        assert_eq!(plan.step(C), Step::Running);
        assert!(!plan.has_its_needs(C));
        run(&mut plan, A);
        plan.settle(A, key("a"), TaskResult::Ran);
        assert_eq!(plan.step(B), Step::Ended(TaskResult::Failed));
        assert!(plan.has_its_needs(C));
        assert_eq!(plan.next_ready(), None, "what runs is not started twice");
    }

    #[test]
    fn the_same_key_is_cut_off_only_behind_something_that_moved() {
        let mut plan = diamond();
        plan.settle(A, key("a"), TaskResult::Ran);
        assert_eq!(plan.unchanged_or_cut_off(B), TaskResult::CutOff);
        let mut plan = diamond();
        plan.settle(A, key("a"), TaskResult::Unchanged);
        assert_eq!(plan.unchanged_or_cut_off(B), TaskResult::Unchanged);
    }
}
