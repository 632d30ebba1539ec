//! Shows a run while it goes on: a bar on a terminal, lines elsewhere, nothing when quiet.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use vwfb_engine::event::{Counts, Event, Reporter, TaskFinished, TaskResult};

use crate::board::Board;
use crate::ui::{Style, Ui, terminal_size};
use crate::units;

/// How often the bar is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// After how long without news a line says what still runs, where there is no bar.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// How many tasks that ended without an event are counted before the bar is told.
const TOLD_AT_ONCE: usize = 512;

/// A reporter that draws.
pub(crate) struct Progress {
    screen: Screen,
    /// Tasks that ended without an event and that the bar was not told of.
    untold: Counts,
    thread: Option<JoinHandle<()>>,
}

/// A handle with which any thread can print without tearing the bar.
#[derive(Clone)]
pub(crate) struct Screen(Arc<Shared>);

struct Shared {
    ui: Ui,
    state: Mutex<State>,
    over: Condvar,
}

struct State {
    board: Board,
    /// How many lines of the bar stand on the terminal.
    drawn: usize,
    last_news: Instant,
    is_over: bool,
}

impl Progress {
    /// Begins to draw, on a thread of its own.
    pub(crate) fn begin(ui: &Ui) -> Self {
        let mut progress = Self::of_nothing(ui);
        if !ui.is_quiet() {
            let screen = progress.screen.clone();
            progress.thread = Some(std::thread::spawn(move || screen.keep_drawing()));
        }
        progress
    }

    /// Of a build in which there is nothing to do.
    pub(crate) fn of_nothing(ui: &Ui) -> Self {
        let state = State {
            board: Board::new(Instant::now()),
            drawn: 0,
            last_news: Instant::now(),
            is_over: false,
        };
        let screen = Screen(Arc::new(Shared {
            ui: ui.clone(),
            state: Mutex::new(state),
            over: Condvar::new(),
        }));
        Self { screen, untold: Counts::default(), thread: None }
    }

    /// A handle for other threads.
    pub(crate) fn screen(&self) -> &Screen {
        &self.screen
    }
}

impl Drop for Progress {
    /// Takes the bar away.
    fn drop(&mut self) {
        self.screen.state().is_over = true;
        self.screen.0.over.notify_all();
        if let Some(thread) = self.thread.take() {
            let _panicked = thread.join();
        }
    }
}

impl Reporter for Progress {
    fn event(&mut self, event: &Event) {
        self.tell();
        self.screen.take(event);
        if let Event::TaskFinished(finished) = event {
            self.finished(finished);
        }
    }

    /// The bar and `[3/12]` need numbers only.
    fn wants_unchanged(&self) -> bool {
        false
    }

    fn counted(&mut self, result: TaskResult, tasks: usize) {
        self.untold.add_many(result, tasks);
        if self.untold.total() >= TOLD_AT_ONCE {
            self.tell();
        }
    }
}

impl Progress {
    fn tell(&mut self) {
        if self.untold.total() > 0 {
            self.screen.state().board.count(&std::mem::take(&mut self.untold));
        }
    }

    fn finished(&self, finished: &TaskFinished) {
        let ui = &self.screen.0.ui;
        if finished.result != TaskResult::Ran || ui.is_live() || ui.is_quiet() {
            return;
        }
        let done = self.screen.state().board.done_of_total();
        let took = units::told(finished.duration);
        self.screen.say(&format!("{} {} in {took}", ui.styled(Style::Dim, done), finished.label));
    }
}

impl Screen {
    /// Prints a line, above the bar if there is one.
    pub(crate) fn say(&self, line: &str) {
        let mut state = self.state();
        self.erase(&mut state);
        self.0.ui.say(line);
        state.last_news = Instant::now();
    }

    /// Takes note of an event; the bar appears with the first task and is drawn by its own clock
    /// from then on.
    fn take(&self, event: &Event) {
        let mut state = self.state();
        state.board.event(event, Instant::now());
        if self.0.ui.is_live() && state.drawn == 0 && matches!(event, Event::TaskStarted { .. }) {
            self.draw(&mut state);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep_drawing(&self) {
        let mut state = self.state();
        while !state.is_over {
            let waited = self.0.over.wait_timeout(state, FRAME);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if self.0.ui.is_live() {
                self.draw(&mut state);
            } else {
                self.heartbeat(&mut state);
            }
        }
        self.erase(&mut state);
    }

    fn draw(&self, state: &mut State) {
        let (columns, rows) = terminal_size();
        let mut lines = state.board.lines(Instant::now(), columns);
        // What has scrolled away cannot be erased.
        lines.truncate(rows.saturating_sub(1));
        let mut text = erasure(state.drawn);
        for (place, line) in lines.iter().enumerate() {
            let style = if place == 0 { Style::Good } else { Style::Dim };
            text.push_str(&self.0.ui.styled(style, line));
            text.push('\n');
        }
        state.drawn = lines.len();
        write(&text);
    }

    fn erase(&self, state: &mut State) {
        if state.drawn > 0 {
            write(&erasure(state.drawn));
            state.drawn = 0;
        }
    }

    fn heartbeat(&self, state: &mut State) {
        if state.last_news.elapsed() < HEARTBEAT {
            return;
        }
        state.last_news = Instant::now();
        if let Some(running) = state.board.still_running(Instant::now()) {
            self.0.ui.say(running);
        }
    }
}

/// Moves to the first of `lines` lines above and clears to the end of the screen.
fn erasure(lines: usize) -> String {
    if lines == 0 { String::new() } else { format!("\x1b[{lines}A\r\x1b[J") }
}

fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    // Where standard error is gone there is nobody left to tell.
    let _gone = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
