//! `--events FILE`: everything that happens in a run, one JSON object a line.
//!
//! The format is version 1; fields may be added, and readers ignore those they do not know.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use vwfb_engine::event::{Counts, Event, Reporter, TaskFinished, TaskResult};
use vwfb_engine::people::Question;
use vwfb_rules::diagnostic::{Diagnostic, Place, Severity};

use crate::error::CommandError;
use crate::sources::Sources;

/// The version of the format.
const VERSION: u8 = 1;

/// How many links one name may lead through, as in the kernel.
const MOST_LINKS: usize = 40;

/// A file that events are written to.
pub(crate) struct EventLog {
    path: PathBuf,
    file: File,
    begun: Instant,
    next: u64,
    sources: Sources,
    is_over: bool,
    failure: Option<io::Error>,
}

/// One line. What does not belong to its event is left out.
#[derive(Default, Serialize)]
struct Line<'a> {
    v: u8,
    seq: u64,
    ms: u64,
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    targets: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reproduce: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    places: Option<Vec<JsonPlace<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subjects: Option<Vec<JsonSubject>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejected: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasons: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<BTreeMap<&'static str, usize>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
}

#[derive(Serialize)]
struct JsonPlace<'a> {
    file: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "str::is_empty")]
    note: &'a str,
}

/// What people are asked about.
#[derive(Serialize)]
pub(crate) struct JsonSubject {
    subject: String,
    digest: String,
    path: String,
}

impl JsonSubject {
    /// That of `question`.
    pub(crate) fn of(question: &Question) -> Self {
        let Question { subject, digest, path } = question.clone();
        Self { subject, digest: digest.to_hex(), path }
    }
}

impl EventLog {
    /// Makes `path` an empty file to write to; a stream or device is written to as it is.
    pub(crate) fn create(path: &Path, sources: Sources) -> Result<Self, CommandError> {
        let mut options = OpenOptions::new();
        if is_stream(path) {
            options.append(true);
        } else {
            options.write(true).create(true).truncate(true);
        }
        let file = options
            .open(path)
            .map_err(|source| CommandError::Events { path: path.to_owned(), source })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            begun: Instant::now(),
            next: 0,
            sources,
            is_over: false,
            failure: None,
        })
    }

    /// Whether every line was written.
    pub(crate) fn finish(self) -> Result<(), CommandError> {
        match self.failure {
            None => Ok(()),
            Some(source) => Err(CommandError::Events { path: self.path, source }),
        }
    }

    /// One write a line, so that a reader of a growing file sees whole lines.
    fn write(&mut self, line: Line<'_>) {
        if self.failure.is_some() {
            return;
        }
        let line = Line { v: VERSION, seq: self.next, ms: millis(self.begun.elapsed()), ..line };
        self.next += 1;
        let mut text = serde_json::to_vec(&line).expect("a line has only texts and numbers");
        text.push(b'\n');
        match self.file.write_all(&text) {
            // The reader has seen enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {}
            written => self.failure = written.err(),
        }
    }
}

impl Reporter for EventLog {
    /// A run that fails after its end still ends once.
    fn event(&mut self, event: &Event) {
        if !self.is_over {
            let sources = self.sources.clone();
            self.write(line(event, &sources));
        }
        self.is_over |= matches!(event, Event::RunFinished { .. });
    }
}

/// Whether `path` is something that exists already and is no file of its own: a pipe, a device, or
/// a name such as `/dev/stdout`, whose file may be one that a shell appends to.
fn is_stream(path: &Path) -> bool {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if ["/dev", "/proc"].iter().any(|folder| path.starts_with(folder)) {
            return true;
        }
        let Ok(target) = fs::read_link(&path) else { break };
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    fs::metadata(&path).is_ok_and(|found| !found.is_file())
}

fn line<'a>(event: &'a Event, sources: &Sources) -> Line<'a> {
    match event {
        Event::RunStarted { run, targets, tasks, sandbox } => Line {
            event: "run-started",
            run: Some(*run),
            targets: Some(targets.clone()),
            tasks: Some(*tasks),
            sandbox: Some(sandbox),
            ..Line::default()
        },
        Event::Expanded { tasks } => {
            Line { event: "expanded", tasks: Some(*tasks), ..Line::default() }
        }
        Event::Diagnostic(diagnostic) => of_diagnostic(diagnostic, sources),
        Event::TaskReady { label } => {
            Line { event: "task-ready", label: Some(label.to_string()), ..Line::default() }
        }
        Event::TaskStarted { label, key } => Line {
            event: "task-started",
            label: Some(label.to_string()),
            key: Some(key.to_string()),
            ..Line::default()
        },
        Event::TaskFinished(finished) => of_finished(finished),
        Event::Provisional(provisional) => Line {
            event: "provisional",
            label: Some(provisional.label.to_string()),
            reasons: Some(provisional.reasons.iter().map(|(it, _)| it.to_string()).collect()),
            ..Line::default()
        },
        Event::Conflict { label } => {
            Line { event: "conflict", label: Some(label.to_string()), ..Line::default() }
        }
        Event::Waiting(waiting) => Line {
            event: "waiting",
            label: Some(waiting.label.to_string()),
            message: Some(&waiting.message),
            subjects: Some(waiting.subjects.iter().map(JsonSubject::of).collect()),
            rejected: Some(waiting.rejected.iter().map(|(subject, _)| subject.clone()).collect()),
            ..Line::default()
        },
        Event::RunFinished { counts, duration, exit_code } => Line {
            event: "run-finished",
            duration_ms: Some(millis(*duration)),
            counts: Some(by_result(counts)),
            exit_code: Some(*exit_code),
            ..Line::default()
        },
    }
}

fn of_finished(finished: &TaskFinished) -> Line<'_> {
    Line {
        event: "task-finished",
        label: Some(finished.label.to_string()),
        key: finished.key.map(|key| key.to_string()),
        result: Some(finished.result.as_str()),
        duration_ms: Some(millis(finished.duration)),
        reason: finished.reason.as_deref(),
        hint: finished.hint.as_deref(),
        log: finished.log.map(|log| log.blob.to_string()),
        reproduce: finished.reproduce.as_deref(),
        ..Line::default()
    }
}

fn of_diagnostic<'a>(diagnostic: &'a Diagnostic, sources: &Sources) -> Line<'a> {
    Line {
        event: "diagnostic",
        severity: Some(match diagnostic.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        }),
        code: Some(diagnostic.code.as_str()),
        message: Some(&diagnostic.message),
        places: Some(diagnostic.places.iter().map(|place| of_place(place, sources)).collect()),
        hint: diagnostic.hint.as_deref(),
        ..Line::default()
    }
}

fn of_place<'a>(place: &'a Place, sources: &Sources) -> JsonPlace<'a> {
    let position = sources.position(&place.anchor);
    JsonPlace {
        file: place.anchor.file.to_string(),
        line: position.map(|position| position.line),
        column: position.map(|position| position.column),
        note: &place.note,
    }
}

fn by_result(counts: &Counts) -> BTreeMap<&'static str, usize> {
    TaskResult::ALL.iter().map(|result| (result.as_str(), counts.of(*result))).collect()
}

/// Whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use vwfb_cas::{ActionKey, Digest};
    use vwfb_rules::label::{Label, WsPath};

    use super::*;

    #[test]
    fn a_finished_task_has_the_documented_fields() {
        let finished = TaskFinished {
            label: Label::new(WsPath::new("shorts").unwrap(), "final"),
            key: Some(ActionKey(Digest::of(b"film"))),
            result: TaskResult::CutOff,
            duration: Duration::from_millis(840),
            log: None,
            reason: None,
            hint: None,
            reproduce: None,
        };
        let line = Line { v: VERSION, seq: 3, ms: 12, ..of_finished(&finished) };
        assert_eq!(
            serde_json::to_string(&line).unwrap(),
            format!(
                "{{\"v\":1,\"seq\":3,\"ms\":12,\"event\":\"task-finished\",\
                 \"label\":\"//shorts:final\",\"key\":\"{}\",\"result\":\"cut-off\",\
                 \"duration_ms\":840}}",
                Digest::of(b"film"),
            )
        );
    }
}
