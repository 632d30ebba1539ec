//! `vwfb preview`: the best film that there is right now, and what is real in it.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use vwfb_cas::{Artifact, Placement, Store};
use vwfb_engine::build::Options;
use vwfb_engine::event::{Event, Reporter, TaskResult};
use vwfb_engine::local::Local;
use vwfb_engine::log;
use vwfb_engine::standing::Reason;
use vwfb_engine::workers::Inbox;
use vwfb_engine::workspace::{Evaluate, Preview, Previewed, Request, Segment};
use vwfb_rules::label::Label;

use crate::args::{BuildArgs, PreviewArgs};
use crate::build::{cores, exec_options, print_outputs};
use crate::choose::remove;
use crate::error::{CommandError, Exit};
use crate::events::millis;
use crate::progress::Progress;
use crate::session::{Context, Session, no_target, patterns};
use crate::ui::{Style, Ui};

/// Previews.
pub(crate) fn run(ctx: &Context, args: &PreviewArgs) -> Result<Exit, CommandError> {
    if args.targets.is_empty() {
        return Err(no_target(ctx));
    }
    let mut session = Session::open(ctx, &args.vars)?;
    let patterns = patterns(&args.targets, &session.current)?;
    let prepared = session.workspace.prepare(&patterns, Evaluate::Everything);
    session.show(ctx, &prepared.loaded);
    if prepared.loaded.has_errors() {
        return Ok(Exit::INPUT);
    }
    let (level, root) = (session.level, session.workspace.root().to_owned());
    let store = Arc::clone(session.workspace.store());
    let tools = Arc::clone(session.workspace.tools());
    let exec = exec_options(&BuildArgs::of(&args.targets, &args.vars), level, &root);
    let inbox = Inbox::default();
    let progress = Progress::begin(&ctx.ui);
    let passing = ctx.signals.pass_to(inbox.canceller(), progress.screen().clone());
    let request = Request {
        options: &Options {
            jobs: cores(),
            fail_fast: false,
            only_final: false,
            preview: Some(Preview { fresh: args.fresh, runs_expensive: args.run_expensive }),
            confined: level.confines_files(),
            resources: session.workspace.resources(),
            budgets: session.workspace.budgets(),
        },
        runner: Arc::new(Local::new(Arc::clone(&store), tools, exec)),
        sandbox: level.to_string(),
        configuration: String::new(),
        inbox: &inbox,
        exit_code: |_| 0,
    };
    let mut listener = Listener { store: Arc::clone(&store), progress, failed: Vec::new() };
    let previewed = session.workspace.preview(&prepared, &request, &mut listener);
    let Listener { progress, failed, .. } = listener;
    drop(passing);
    drop(progress);
    let previewed = previewed?;
    session.close();
    for (label, reason) in failed {
        let word = ctx.ui.styled(Style::Warning, "failed");
        ctx.ui.status(format_args!("{word} {label}: {reason}"));
    }
    let segments = timed(&store, &root, &previewed.segments);
    if args.json {
        ctx.ui.out_line(as_json(&previewed, &segments))?;
    } else {
        tell(&ctx.ui, &segments);
        let stands_in =
            |reason: &Reason| matches!(reason, Reason::Placeholder(_) | Reason::LastGood(_));
        if !args.run_expensive
            && segments.iter().any(|it| it.segment.standing.iter().any(stands_in))
        {
            ctx.ui.status("what rules call expensive is left out: --run-expensive starts it");
        }
        print_outputs(&ctx.ui, &previewed.placed)?;
    }
    let interrupted = previewed.interrupted.map_or(Exit::SUCCESS, Exit::of_signal);
    let made = if previewed.placed.is_empty() { Exit::FAILED } else { Exit::SUCCESS };
    Ok(made.and(interrupted))
}

/// How many lines of what a failed task wrote are shown.
const LOG_LINES: usize = 10;

/// Hears what fails.
struct Listener {
    store: Arc<Store>,
    progress: Progress,
    failed: Vec<(Label, String)>,
}

impl Reporter for Listener {
    fn event(&mut self, event: &Event) {
        if let Event::TaskFinished(finished) = event
            && finished.result == TaskResult::Failed
        {
            let mut reason = finished.reason.as_deref().unwrap_or("it failed").to_owned();
            let log = finished.log.and_then(|log| log::tail(&self.store, log).ok());
            let lines: Vec<&str> = log.iter().flat_map(|log| log.lines()).collect();
            for line in &lines[lines.len().saturating_sub(LOG_LINES)..] {
                reason.push_str(&format!("\n  | {line}"));
            }
            self.failed.push((finished.label.clone(), reason));
        }
        self.progress.event(event);
    }

    fn wants_unchanged(&self) -> bool {
        false
    }

    fn counted(&mut self, result: TaskResult, tasks: usize) {
        self.progress.counted(result, tasks);
    }
}

/// A segment with its time.
struct Timed<'s> {
    segment: &'s Segment,
    kind: &'static str,
    begins: Duration,
    lasts: Option<Duration>,
}

/// What a segment is.
fn kind(segment: &Segment) -> &'static str {
    if segment.artifact.is_none() && !segment.standing.is_empty() {
        return "SKIPPED";
    }
    let stands_in = |reason: &Reason| matches!(reason, Reason::Missing(_) | Reason::Placeholder(_));
    let last_good = |reason: &Reason| matches!(reason, Reason::LastGood(_));
    if segment.artifact.is_none() {
        return "NOT MADE";
    }
    match &segment.standing {
        standing if standing.iter().any(stands_in) => "PLACEHOLDER",
        standing if standing.iter().any(last_good) => "LAST GOOD",
        _ => "REAL",
    }
}

/// The segments with their times, as ffprobe measures them.
fn timed<'s>(store: &Store, root: &Path, segments: &'s [Segment]) -> Vec<Timed<'s>> {
    let folder = root.join(".vwfb/preview");
    let _made = fs::create_dir_all(&folder);
    let mut begins = Duration::ZERO;
    let mut all = Vec::new();
    for (number, segment) in segments.iter().enumerate() {
        let place = folder.join(number.to_string());
        let file = segment.artifact.filter(|it| matches!(it, Artifact::File(_)));
        let put = file.map(|file| store.materialise(&file, &place, Placement::Owned));
        let lasts = put.and_then(Result::ok).and_then(|()| duration(&place));
        all.push(Timed { segment, kind: kind(segment), begins, lasts });
        begins += lasts.unwrap_or_default();
    }
    remove(&folder);
    all
}

/// How long a recording or clip is; nothing where it is neither, or nothing here can tell.
fn duration(path: &Path) -> Option<Duration> {
    let asked = Command::new("ffprobe")
        .args(["-v", "error", "-protocol_whitelist", "file"])
        .args(["-show_entries", "format=duration", "-of", "csv=p=0", "-i"])
        .arg(path)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let text = String::from_utf8(asked.ok()?.stdout).ok()?;
    Duration::try_from_secs_f64(text.trim().parse().ok()?).ok()
}

fn tell(ui: &Ui, segments: &[Timed<'_>]) {
    for Timed { segment, kind, begins, lasts } in segments {
        let style = match *kind {
            "REAL" => Style::Good,
            "SKIPPED" => Style::Dim,
            _ => Style::Warning,
        };
        let time = match lasts {
            Some(lasts) => format!("{}  {:>6.2} s", clock(*begins), lasts.as_secs_f64()),
            None => format!("{:>7}  {:>8}", "", ""),
        };
        let reasons: Vec<String> = segment.standing.iter().map(ToString::to_string).collect();
        let reasons = match (*kind, reasons.is_empty()) {
            ("SKIPPED", _) | (_, true) => String::new(),
            _ => format!("  ({})", reasons.join(", ")),
        };
        let kind = ui.styled(style, format!("{kind:<11}"));
        ui.status(format_args!("{kind}  {time}  {}{reasons}", segment.name));
    }
    let real = segments.iter().filter(|it| it.kind == "REAL").count();
    let mut missing: Vec<String> = Vec::new();
    for reason in segments.iter().flat_map(|it| it.segment.standing.iter()) {
        let reason = reason.to_string();
        if !missing.contains(&reason) {
            missing.push(reason);
        }
    }
    let missing = match missing.is_empty() {
        true => String::new(),
        false => format!("; missing: {}", missing.join(", ")),
    };
    ui.status(format_args!("{real} of {} segments real{missing}", segments.len()));
}

/// A time in a film: `1:02.50`.
fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    format!("{:>2}:{:02}.{}", seconds / 60, seconds % 60, time.subsec_millis() / 100)
}

#[derive(Serialize)]
struct JsonPreview {
    outputs: Vec<String>,
    real: usize,
    segments: Vec<JsonSegment>,
}

#[derive(Serialize)]
struct JsonSegment {
    name: String,
    kind: &'static str,
    begins_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    lasts_ms: Option<u64>,
    reasons: Vec<String>,
}

fn as_json(previewed: &Previewed, segments: &[Timed<'_>]) -> String {
    let folder = previewed.placed.folder();
    let outputs = previewed.placed.paths().map(|path| folder.join(path).display().to_string());
    let segment = |it: &Timed<'_>| JsonSegment {
        name: it.segment.name.clone(),
        kind: it.kind,
        begins_ms: millis(it.begins),
        lasts_ms: it.lasts.map(millis),
        reasons: it.segment.standing.iter().map(ToString::to_string).collect(),
    };
    let preview = JsonPreview {
        outputs: outputs.collect(),
        real: segments.iter().filter(|it| it.kind == "REAL").count(),
        segments: segments.iter().map(segment).collect(),
    };
    serde_json::to_string_pretty(&preview).expect("a preview has only texts and numbers")
}
