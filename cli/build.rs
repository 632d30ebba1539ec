//! `vwfb build`: makes targets, and tells how that went.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use vwfb_engine::build::{Options, Placed};
use vwfb_engine::event::{Counts, Event, Reporter, TaskResult};
use vwfb_engine::local::Local;
use vwfb_engine::standing::Provisional;
use vwfb_engine::workers::Inbox;
use vwfb_engine::workspace::{Evaluate, Prepared, Request};
use vwfb_exec::{ExecOptions, Level};
use vwfb_rules::cost::Budgets;

use crate::again::{Again, place_options, var_options};
use crate::args::{BuildArgs, PlanArgs};
use crate::error::{CommandError, Exit};
use crate::events::EventLog;
use crate::plan;
use crate::progress::Progress;
use crate::report::Report;
use crate::session::{Context, Purpose, Session, no_target};
use crate::sources::Sources;
use crate::ui::{Style, Ui};

/// The argument that makes this program a task launcher.
pub(crate) const LAUNCHER_ARGUMENT: &str = "__launcher";

/// How long a task that is asked to end may take.
const GRACE: Duration = Duration::from_secs(5);

/// Builds.
pub(crate) fn run(ctx: &Context, args: &BuildArgs) -> Result<Exit, CommandError> {
    if args.dry_run {
        let BuildArgs { targets, vars, timings, snapshot, .. } = args.clone();
        let args = PlanArgs { targets, vars, timings, snapshot, json: false };
        return plan::run(ctx, &args);
    }
    if args.targets.is_empty() {
        return Err(no_target(ctx));
    }
    let sources = Sources::new(ctx.located()?.root);
    let path = args.events.as_deref().map(|path| ctx.folder.join(path));
    let mut events = path.map(|path| EventLog::create(&path, sources)).transpose()?;
    let ended = load_and_build(ctx, args, &mut events);
    match events {
        Some(events) if ended.is_ok() => events.finish().and(ended),
        _ => ended,
    }
}

fn load_and_build(
    ctx: &Context,
    args: &BuildArgs,
    events: &mut Option<EventLog>,
) -> Result<Exit, CommandError> {
    let sandbox = args.sandbox.mode();
    let purpose = Purpose { words: args.snapshot.ahead(&args.targets), sandbox };
    let ended = Session::open_for(ctx, &args.vars, &purpose).and_then(|mut session| {
        let level = session.level;
        if !(level.confines_tcp() && level.confines_signals()) {
            ctx.ui.status(format_args!("sandbox: {level}"));
        }
        let evaluate = evaluate(args, events.is_some());
        let prepared = session.prepare(ctx, &args.targets, evaluate)?;
        for problem in &prepared.loaded.problems {
            tell(events, &Event::Diagnostic(Box::new(problem.clone())));
        }
        if prepared.loaded.has_errors() {
            tell(events, &not_begun(Exit::INPUT));
            return Ok(Exit::INPUT);
        }
        let ended = build(ctx, args, &mut session, prepared, events);
        session.close();
        ended
    });
    if let Err(error) = &ended {
        tell(events, &not_begun(error.exit()));
    }
    ended
}

/// What to ask for; the file of events names what is unchanged, too.
const fn evaluate(args: &BuildArgs, has_events: bool) -> Evaluate {
    match args.snapshot.evaluate() {
        Evaluate::Changes if !has_events => Evaluate::Quietly,
        evaluate => evaluate,
    }
}

fn tell(events: &mut Option<EventLog>, event: &Event) {
    if let Some(events) = events {
        events.event(event);
    }
}

/// The last event of a run that was stopped before any task could end.
fn not_begun(exit: Exit) -> Event {
    let (counts, duration) = (Counts::default(), Duration::ZERO);
    Event::RunFinished { counts, duration, exit_code: exit.code() }
}

fn build(
    ctx: &Context,
    args: &BuildArgs,
    session: &mut Session,
    prepared: Prepared,
    events: &mut Option<EventLog>,
) -> Result<Exit, CommandError> {
    let Session { workspace, sources, level, .. } = session;
    let level = *level;
    let root = workspace.root().to_owned();
    let store = Arc::clone(workspace.store());
    let inbox = Inbox::default();
    let progress = match prepared.is_unchanged() {
        true => Progress::of_nothing(&ctx.ui),
        false => Progress::begin(&ctx.ui),
    };
    let passing = ctx.signals.pass_to(inbox.canceller(), progress.screen().clone());
    let again = Again::new(&ctx.global, args);
    let options = format!("{}{}", place_options(&ctx.global), var_options(&args.vars));
    let known = (Arc::clone(&store), sources.clone());
    let report = Report::new(&ctx.ui, progress.screen(), known, options);
    let runner = Local::new(store, Arc::clone(workspace.tools()), exec_options(args, level, &root));
    let request = Request {
        options: &Options {
            jobs: jobs(args),
            fail_fast: args.fail_fast,
            only_final: args.only_final,
            preview: None,
            confined: level.confines_files(),
            resources: workspace.resources(),
            budgets: budgets(args, workspace.budgets()),
        },
        runner: Arc::new(runner),
        sandbox: level.to_string(),
        configuration: crate::again::var_words(&args.vars),
        inbox: &inbox,
        exit_code: |built| built.map_or(Exit::ENVIRONMENT, Exit::of_build).code(),
    };
    let mut reporters = Reporters { again, progress, report, events };
    let built = workspace.build(prepared, &request, &mut reporters);
    let Reporters { progress, report, .. } = reporters;
    drop(passing);
    drop(progress);
    report.summary();
    let built = built?;
    if built.aborted {
        let word = ctx.ui.styled(Style::Error, "error");
        ctx.ui.say(format_args!(
            "{word}: the build ended because something was rejected; `vwfb approve` or `vwfb undo` goes on"
        ));
    }
    for rescued in &built.rescued {
        let word = ctx.ui.styled(Style::Warning, "kept");
        let (path, kept) = (rescued.path.display(), rescued.kept.display());
        ctx.ui.say(format_args!(
            "{word} {path} was changed by hand: it is {kept} now; take it with `vwfb edit LABEL --from {kept}`"
        ));
    }
    if built.refused {
        refuse(&ctx.ui, &built.provisional);
    }
    print_outputs(&ctx.ui, &built.placed)?;
    Ok(Exit::of_build(&built))
}

/// What may be spent: what the workspace says, but in this build what `--budget` says.
fn budgets(args: &BuildArgs, of_workspace: Budgets) -> Budgets {
    Budgets { run: args.budget.or(of_workspace.run), ..of_workspace }
}

/// How many of those who wait for one thing are named.
const NAMED: usize = 3;

/// Says what keeps results from being final, and who waits for it.
fn refuse(ui: &Ui, provisional: &[Provisional]) {
    for Provisional { label, reasons } in provisional {
        let word = ui.styled(Style::Error, "error");
        let mut lines = vec![format!("{word}: `{label}` is provisional, and `--final` was given")];
        for (reason, users) in reasons {
            let named: Vec<String> = users.iter().take(NAMED).map(ToString::to_string).collect();
            let more = match users.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            let verb = if users.len() == 1 { "waits" } else { "wait" };
            lines.push(format!("  {reason}: {}{more} {verb} for it", named.join(", ")));
        }
        let hint = "put what is missing in place, or build without `--final`";
        lines.push(format!("  {}: {hint}", ui.styled(Style::Hint, "hint")));
        ui.say(lines.join("\n"));
    }
}

/// How many tasks run at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn jobs(args: &BuildArgs) -> usize {
    args.jobs.map_or_else(cores, usize::from)
}

pub(crate) fn exec_options(args: &BuildArgs, level: Level, root: &Path) -> ExecOptions {
    ExecOptions {
        // Not the path that it was started by: a new vwfb may have been installed there since.
        launcher: "/proc/self/exe".into(),
        launcher_argument: LAUNCHER_ARGUMENT.to_owned(),
        level,
        grace: GRACE,
        keep_scratch: args.keep_failed.then(|| root.join(".vwfb/failed")),
    }
}

/// Prints where the outputs are, each once, the first output of the last target last.
pub(crate) fn print_outputs(ui: &Ui, placed: &Placed) -> Result<(), CommandError> {
    let folder = placed.folder().as_os_str().as_bytes();
    let length = |path: &str| folder.len() + path.len() + 2;
    let mut lines = Vec::with_capacity(placed.paths().map(length).sum());
    for path in placed.paths() {
        lines.extend_from_slice(folder);
        lines.push(b'/');
        lines.extend_from_slice(path.as_bytes());
        lines.push(b'\n');
    }
    ui.out(lines)
}

/// All who listen to a build.
struct Reporters<'e> {
    again: Again,
    progress: Progress,
    report: Report,
    events: &'e mut Option<EventLog>,
}

impl Reporter for Reporters<'_> {
    fn event(&mut self, event: &Event) {
        let event = self.again.told(event);
        self.progress.event(&event);
        self.report.event(&event);
        tell(self.events, &event);
    }

    /// Only the file of events names what is unchanged.
    fn wants_unchanged(&self) -> bool {
        self.events.is_some()
    }

    fn counted(&mut self, result: TaskResult, tasks: usize) {
        self.progress.counted(result, tasks);
    }
}
