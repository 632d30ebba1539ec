//! What a build tells people when tasks fail and at its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::{Artifact, FileRef, Placement, Store};
use vwfb_engine::chain::chain;
use vwfb_engine::event::{Counts, Event, Reporter, TaskFinished, TaskResult, Waiting};
use vwfb_engine::log;
use vwfb_engine::standing::Provisional;
use vwfb_rules::label::Label;

use crate::again::quoted;
use crate::progress::Screen;
use crate::sources::Sources;
use crate::ui::{Style, Ui};
use crate::units;

/// How many lines of a failed task's output are shown.
const LOG_LINES: usize = 20;

/// How many labels of a kind the summary names.
const NAMED: usize = 20;

/// A reporter that tells failures at once and keeps what the summary needs.
pub(crate) struct Report {
    ui: Ui,
    screen: Screen,
    store: Arc<Store>,
    sources: Sources,
    /// The workspace's own folder, where logs are put.
    own_folder: PathBuf,
    failed: Vec<Label>,
    blocked: Vec<(Label, String)>,
    provisional: Vec<Provisional>,
    waiting: Vec<Waiting>,
    conflicts: Vec<Label>,
    /// The options that a command about the same configuration needs.
    options: String,
    finished: Option<(Counts, Duration)>,
}

impl Report {
    /// Nothing to tell yet.
    pub(crate) fn new(
        ui: &Ui,
        screen: &Screen,
        (store, sources): (Arc<Store>, Sources),
        options: String,
    ) -> Self {
        Self {
            ui: ui.clone(),
            screen: screen.clone(),
            store,
            own_folder: sources.root().join(".vwfb"),
            sources,
            failed: Vec::new(),
            blocked: Vec::new(),
            provisional: Vec::new(),
            waiting: Vec::new(),
            conflicts: Vec::new(),
            options,
            finished: None,
        }
    }

    /// Prints what became of the tasks.
    pub(crate) fn summary(&self) {
        let Some((counts, duration)) = self.finished else { return };
        let ui = &self.ui;
        for label in self.failed.iter().take(NAMED) {
            ui.status(format_args!("{} {label}", ui.styled(Style::Error, "failed")));
        }
        more(ui, self.failed.len(), "failed");
        for (label, cause) in self.blocked.iter().take(NAMED) {
            ui.status(format_args!("{} {label}: {cause}", ui.styled(Style::Warning, "blocked")));
        }
        more(ui, self.blocked.len(), "blocked");
        for it in self.provisional.iter().take(NAMED) {
            let word = ui.styled(Style::Warning, "provisional");
            ui.status(format_args!("{word} {}: {}", it.label, it.told()));
        }
        more(ui, self.provisional.len(), "provisional");
        for label in &self.conflicts {
            let word = ui.styled(Style::Warning, "conflict");
            let (shown, options) = (quoted(&label.to_string()), &self.options);
            ui.say(format_args!(
                "{word} {label}: its task would make something else now; what was chosen is kept\n  \
                 compare  vwfb versions {shown}{options}\n  let go   vwfb unpin {shown}{options}"
            ));
        }
        for waiting in &self.waiting {
            ui.say(question(ui, waiting, &self.options));
        }
        ui.status(format_args!("{} in {}", told(&counts), units::told(duration)));
    }

    fn failure(&self, finished: &TaskFinished) {
        let label = &finished.label;
        let reason = finished.reason.as_deref().unwrap_or("it failed");
        let ran = if finished.duration.is_zero() {
            String::new()
        } else {
            format!(" after {}", units::told(finished.duration))
        };
        let word = self.ui.styled(Style::Error, "error");
        let mut lines = vec![format!("{word}: `{label}` failed{ran}: {reason}")];
        if let Some(log) = finished.log {
            lines.extend(self.end_of_log(label, log));
        }
        if let Some(hint) = &finished.hint {
            lines.push(format!("  {}: {hint}", self.ui.styled(Style::Hint, "hint")));
        }
        if let Some(command) = &finished.reproduce {
            lines.push(format!("  reproduce: {command}"));
        }
        self.screen.say(&lines.join("\n"));
    }

    /// Tells of a task that there was no money for.
    fn paused(&self, finished: &TaskFinished) {
        let word = self.ui.styled(Style::Warning, "waiting");
        let reason = finished.reason.as_deref().unwrap_or_default();
        let mut line = format!("{word} {}: {reason}", finished.label);
        if let Some(hint) = &finished.hint {
            line.push_str(&format!("\n  {}: {hint}", self.ui.styled(Style::Hint, "hint")));
        }
        self.screen.say(&line);
    }

    fn end_of_log(&self, label: &Label, log: FileRef) -> Vec<String> {
        let Ok(text) = log::tail(&self.store, log) else {
            return vec!["  its output is not in the store any more".to_owned()];
        };
        let all: Vec<&str> = text.lines().map(visible).collect();
        let shown = &all[all.len().saturating_sub(LOG_LINES)..];
        let bar = self.ui.styled(Style::Dim, "|");
        let mut lines: Vec<String> =
            shown.iter().map(|line| format!("  {bar} {line}").trim_end().to_owned()).collect();
        lines.push(match self.full_log(label, log) {
            Ok(path) => format!("  full log: {}", path.display()),
            Err(why) => format!("  full log: vwfb log {label} (no file of it: {why})"),
        });
        lines
    }

    /// Puts the log where an editor can open it.
    fn full_log(&self, label: &Label, log: FileRef) -> Result<PathBuf, String> {
        let relative = log_path(label);
        self.store
            .materialise_below(&Artifact::File(log), &self.own_folder, &relative, Placement::Owned)
            .map_err(|error| chain(&error))?;
        Ok(self.own_folder.join(relative))
    }
}

impl Reporter for Report {
    fn event(&mut self, event: &Event) {
        match event {
            Event::TaskFinished(finished) => match finished.result {
                TaskResult::Failed => {
                    self.failure(finished);
                    self.failed.push(finished.label.clone());
                }
                TaskResult::Blocked => {
                    let cause = finished.reason.as_deref().unwrap_or_default().to_owned();
                    self.blocked.push((finished.label.clone(), cause));
                }
                // Of a checkpoint more is told than that.
                TaskResult::Waiting if finished.hint.is_some() => self.paused(finished),
                _ => {}
            },
            Event::Diagnostic(diagnostic) => {
                let text = self.ui.rendered(diagnostic, &self.sources);
                self.screen.say(text.trim_end());
            }
            Event::Provisional(provisional) => {
                self.provisional.push(Provisional::clone(provisional));
            }
            Event::Conflict { label } => self.conflicts.push(label.clone()),
            Event::Waiting(waiting) => self.waiting.push(Waiting::clone(waiting)),
            Event::RunFinished { counts, duration, .. } => {
                self.finished = Some((*counts, *duration));
            }
            Event::RunStarted { .. }
            | Event::Expanded { .. }
            | Event::TaskReady { .. }
            | Event::TaskStarted { .. } => {}
        }
    }
}

/// What a checkpoint asks, where to look, and what to type.
pub(crate) fn question(ui: &Ui, waiting: &Waiting, options: &str) -> String {
    let Waiting { label, message, preview, subjects, rejected, notes } = waiting;
    let said = |line: &str| if message.is_empty() { String::new() } else { format!(": {line}") };
    let mut told = message.lines();
    let first = said(told.next().unwrap_or_default());
    let mut lines = vec![format!("{} {label}{first}", ui.styled(Style::Warning, "waiting"))];
    lines.extend(told.map(|line| format!("  {line}")));
    for (subject, why) in rejected {
        let why = why.as_ref().map(|why| format!(" ({why})")).unwrap_or_default();
        lines.push(format!("  rejected {subject}{why}"));
    }
    for subject in subjects.iter().take(NAMED) {
        lines.push(format!("  look at  {}  {}", subject.path, subject.subject));
    }
    if subjects.len() > NAMED {
        lines.push(format!("  and {} more", subjects.len() - NAMED));
    }
    lines.extend(notes.iter().take(NAMED).map(|note| format!("  not by itself: {note}")));
    if let Some(preview) = preview {
        lines.push(format!("  or at    vwfb preview {}{options}", quoted(&preview.to_string())));
    }
    let label = quoted(&label.to_string());
    if let ([], [(first, _), ..]) = (subjects.as_slice(), rejected.as_slice()) {
        let first = quoted(first);
        lines.push(format!(
            "  change what it is made from, or  vwfb approve {label} {first}{options}"
        ));
    }
    if !subjects.is_empty() {
        lines.push(format!("  approve  vwfb approve {label}{options}"));
        lines.push(format!("  reject   vwfb reject {label} --feedback \"...\"{options}"));
    }
    lines.join("\n")
}

fn more(ui: &Ui, count: usize, word: &str) {
    if count > NAMED {
        ui.status(format_args!("and {} more {word}", count - NAMED));
    }
}

/// `ran 3, cached 1`: every result that some task had.
fn told(counts: &Counts) -> String {
    let parts: Vec<String> = TaskResult::ALL
        .iter()
        .filter(|result| counts.of(**result) > 0)
        .map(|result| format!("{} {}", result.as_str(), counts.of(*result)))
        .collect();
    if parts.is_empty() { "nothing to run".to_owned() } else { parts.join(", ") }
}

/// What a terminal would have left of a line that was written over.
fn visible(line: &str) -> &str {
    line.trim_end_matches('\r').rsplit('\r').next().unwrap_or_default()
}

/// Where a label's log is put below `.vwfb/`.
fn log_path(label: &Label) -> PathBuf {
    let file = format!("{}.log", label.target().replace('/', "%2F"));
    Path::new("logs").join(label.package.as_str()).join(file)
}

#[cfg(test)]
mod tests {
    use vwfb_rules::label::WsPath;

    use super::*;

    #[test]
    fn a_line_that_was_written_over_is_shown_as_it_ended() {
        assert_eq!(visible("frame 1\rframe 2\r"), "frame 2");
        assert_eq!(visible("plain"), "plain");
    }

    #[test]
    fn each_label_has_a_log_file_of_its_own() {
        let label = Label::parse("//a/b:c[x/y].d", &WsPath::root()).unwrap();
        assert_eq!(log_path(&label), Path::new("logs/a/b/c[x%2Fy].d.log"));
    }

    #[test]
    fn the_summary_keeps_results_apart() {
        let mut counts = Counts::default();
        assert_eq!(told(&counts), "nothing to run");
        counts.add(TaskResult::Ran);
        counts.add(TaskResult::CutOff);
        counts.add(TaskResult::Ran);
        assert_eq!(told(&counts), "ran 2, cut-off 1");
    }
}
