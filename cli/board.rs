//! What the progress bar says: counts and running tasks as lines of text. It knows no terminal.

use std::time::{Duration, Instant};

use vwfb_engine::event::{Counts, Event, TaskResult};
use vwfb_rules::label::Label;

use crate::units;

/// How many running tasks are named.
const NAMED: usize = 8;

/// How many columns the bar itself takes.
const BAR: usize = 24;

/// A run as seen so far.
#[derive(Debug)]
pub(crate) struct Board {
    begun: Instant,
    tasks: usize,
    counts: Counts,
    running: Vec<(Label, Instant)>,
}

impl Board {
    /// A run that has not begun.
    pub(crate) fn new(now: Instant) -> Self {
        Self { begun: now, tasks: 0, counts: Counts::default(), running: Vec::new() }
    }

    /// Takes note of an event.
    pub(crate) fn event(&mut self, event: &Event, now: Instant) {
        match event {
            Event::RunStarted { tasks, .. } | Event::Expanded { tasks } => self.tasks = *tasks,
            Event::TaskStarted { label, .. } => self.running.push((label.clone(), now)),
            Event::TaskFinished(finished) => {
                self.running.retain(|(label, _)| *label != finished.label);
                self.counts.add(finished.result);
            }
            Event::RunFinished { counts, .. } => self.counts = *counts,
            Event::Diagnostic(_)
            | Event::Provisional(_)
            | Event::Waiting(_)
            | Event::Conflict { .. }
            | Event::TaskReady { .. } => {}
        }
    }

    /// Takes note of tasks that ended without an event of their own.
    pub(crate) fn count(&mut self, ended: &Counts) {
        for result in TaskResult::ALL {
            self.counts.add_many(result, ended.of(result));
        }
    }

    /// `[3/12]`
    pub(crate) fn done_of_total(&self) -> String {
        format!("[{}/{}]", self.done(), self.tasks)
    }

    /// A task that was made again counts once.
    fn done(&self) -> usize {
        self.counts.total().min(self.tasks)
    }

    /// The bar and the running tasks, each line at most `width` columns; nothing before the plan
    /// is known.
    pub(crate) fn lines(&self, now: Instant, width: usize) -> Vec<String> {
        if self.tasks == 0 {
            return Vec::new();
        }
        let mut lines = vec![self.bar(now)];
        for (label, since) in self.running.iter().take(NAMED) {
            lines.push(format!("  {label}  {}", units::told(now.duration_since(*since))));
        }
        if self.running.len() > NAMED {
            lines.push(format!("  and {} more", self.running.len() - NAMED));
        }
        // A full last column makes some terminals wrap.
        lines.iter().map(|line| line.chars().take(width.saturating_sub(1)).collect()).collect()
    }

    fn bar(&self, now: Instant) -> String {
        let filled = BAR * self.done() / self.tasks;
        let mut line = format!(
            "[{}{}] {}/{}",
            "=".repeat(filled),
            " ".repeat(BAR - filled),
            self.done(),
            self.tasks
        );
        for result in TaskResult::ALL {
            let count = self.counts.of(result);
            if count > 0 {
                line.push_str(&format!(", {} {count}", result.as_str()));
            }
        }
        line.push_str(&format!(", {}", units::told(now.duration_since(self.begun))));
        line
    }

    /// What runs, in one line, for where there is no bar.
    pub(crate) fn still_running(&self, now: Instant) -> Option<String> {
        let named: Vec<String> = self
            .running
            .iter()
            .take(NAMED)
            .map(|(label, since)| {
                let so_far: Duration = now.duration_since(*since);
                format!("{label} ({})", units::told(so_far))
            })
            .collect();
        (!named.is_empty()).then(|| format!("still running: {}", named.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use vwfb_cas::{ActionKey, Digest};
    use vwfb_engine::event::TaskFinished;
    use vwfb_rules::label::WsPath;

    use super::*;

    fn started(name: &str) -> Event {
        let label = Label::new(WsPath::new("p").unwrap(), name);
        Event::TaskStarted { label, key: ActionKey(Digest::of(b"")) }
    }

    fn finished(name: &str, result: TaskResult) -> Event {
        Event::TaskFinished(Box::new(TaskFinished {
            label: Label::new(WsPath::new("p").unwrap(), name),
            key: None,
            result,
            duration: Duration::ZERO,
            log: None,
            reason: None,
            hint: None,
            reproduce: None,
        }))
    }

    fn board(events: &[Event]) -> (Board, Instant) {
        let begun = Instant::now();
        let mut board = Board::new(begun);
        let sandbox = String::new();
        board.event(&Event::RunStarted { run: 1, targets: vec![], tasks: 12, sandbox }, begun);
        for event in events {
            board.event(event, begun);
        }
        (board, begun)
    }

    #[test]
    fn the_bar_counts_and_names_what_runs() {
        let (board, begun) = board(&[
            started("a"),
            started("b"),
            finished("a", TaskResult::Ran),
            finished("c", TaskResult::Cached),
            finished("d", TaskResult::Unchanged),
        ]);
        assert_eq!(
            board.lines(begun + Duration::from_millis(2_500), 80),
            [
                "[======                  ] 3/12, ran 1, cached 1, unchanged 1, 2.5 s",
                "  //p:b  2.5 s",
            ]
        );
        assert_eq!(board.done_of_total(), "[3/12]");
    }

    #[test]
    fn tasks_without_events_count_too() {
        let (mut board, _) = board(&[finished("a", TaskResult::Ran)]);
        let mut ended = Counts::default();
        ended.add_many(TaskResult::Unchanged, 5);
        ended.add(TaskResult::CutOff);
        board.count(&ended);
        assert_eq!(board.done_of_total(), "[7/12]");
    }

    #[test]
    fn lines_fit_the_terminal_and_many_tasks_are_counted() {
        let events: Vec<Event> = (0..11).map(|number| started(&format!("t{number}"))).collect();
        let (board, begun) = board(&events);
        let lines = board.lines(begun, 20);
        assert_eq!(lines.len(), 1 + NAMED + 1);
        assert!(lines.iter().all(|line| line.chars().count() < 20), "{lines:?}");
        assert_eq!(lines.last().map(String::as_str), Some("  and 3 more"));
    }

    #[test]
    fn nothing_is_drawn_before_the_plan_is_known() {
        let begun = Instant::now();
        assert!(Board::new(begun).lines(begun, 80).is_empty());
        assert_eq!(Board::new(begun).still_running(begun), None);
    }
}
