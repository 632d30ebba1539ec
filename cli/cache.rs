//! `vwfb cache`: counts, verifies and cleans up the store. It needs no workspace, but names labels
//! where there is one.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::json;
use vwfb_cas::{ActionKey, Clock, GcOptions, GcReport, Stats, Store, SystemClock, UnixMillis};
use vwfb_cas::{VerifyOptions, VerifyReport};
use vwfb_engine::roots::gone_workspaces;

use crate::args::{CacheArgs, CacheCommand, GcArgs, VarArgs};
use crate::error::{CommandError, Exit};
use crate::session::{Context, Session};
use crate::ui::Ui;
use crate::units;

/// Looks after the store.
pub(crate) fn run(ctx: &Context, args: &CacheArgs) -> Result<Exit, CommandError> {
    match &args.command {
        CacheCommand::Stats { json } => stats(ctx, *json),
        CacheCommand::Verify { rebuild } => verify(ctx, *rebuild),
        CacheCommand::Gc(args) => gc(ctx, args),
    }
}

fn stats(ctx: &Context, json: bool) -> Result<Exit, CommandError> {
    let store = Store::open(&ctx.store()?)?;
    let stats = store.stats()?;
    if json {
        ctx.ui.out_line(format!("{:#}", stats_as_json(&store, &stats)))?;
    } else {
        ctx.ui.out(stats_as_text(&store, &stats))?;
    }
    Ok(Exit::SUCCESS)
}

fn stats_as_json(store: &Store, stats: &Stats) -> serde_json::Value {
    json!({
        "store": store.root(),
        "objects": stats.objects,
        "bytes": stats.bytes,
        "results": stats.results,
        "missing": stats.missing,
        "quarantined": stats.quarantined,
        "index_bytes": stats.index_bytes,
        "other_processes": others(stats),
        "workspaces": stats.workspaces.len(),
        "oldest_use_ms": stats.oldest_use.map(|moment| moment.0),
        "newest_use_ms": stats.newest_use.map(|moment| moment.0),
    })
}

fn stats_as_text(store: &Store, stats: &Stats) -> String {
    let mut lines = vec![
        ("store", store.root().display().to_string()),
        ("results", stats.results.to_string()),
        ("files and trees", stats.objects.to_string()),
        ("size", units::bytes(stats.bytes)),
        ("index", units::bytes(stats.index_bytes)),
        ("workspaces", stats.workspaces.len().to_string()),
    ];
    if others(stats) > 0 {
        lines.push(("other processes", others(stats).to_string()));
    }
    if let Some(oldest) = stats.oldest_use {
        lines.push(("longest unused", ago(oldest)));
    }
    if stats.missing > 0 {
        lines.push(("lost", format!("{} blobs", stats.missing)));
    }
    if stats.quarantined > 0 {
        lines.push(("damaged", format!("{} files set aside", stats.quarantined)));
    }
    lines.iter().map(|(name, value)| format!("{name:<16} {value}\n")).collect()
}

/// The processes that have the store open beside this one.
const fn others(stats: &Stats) -> u64 {
    stats.leases.saturating_sub(1)
}

fn ago(moment: UnixMillis) -> String {
    let since = SystemClock.now().0.saturating_sub(moment.0);
    units::told(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
}

fn verify(ctx: &Context, rebuild: bool) -> Result<Exit, CommandError> {
    let folder = ctx.store()?;
    let report = Store::open(&folder)?.verify(VerifyOptions { rebuild })?;
    let labels = Labels::of(ctx, &report.broken_results);
    ctx.ui.out(found(&report, &labels))?;
    let (files, size) = (units::counted(report.objects, "file"), units::bytes(report.bytes));
    ctx.ui.status(format_args!("read {files}, {size}"));
    if rebuild {
        let files = units::counted(report.adopted_objects, "file");
        let results = units::counted(report.adopted_results, "result");
        ctx.ui.status(format_args!("took up {files} and {results} that the index did not have"));
    }
    if report.is_sound() {
        return Ok(Exit::SUCCESS);
    }
    ctx.ui.status("the next build makes again what is lost");
    Ok(Exit::FAILED)
}

/// Everything that is wrong, a line each.
fn found(report: &VerifyReport, labels: &Labels) -> String {
    let mut text = String::new();
    for blob in &report.damaged {
        text.push_str(&format!("damaged {blob}\n"));
    }
    for blob in &report.missing {
        text.push_str(&format!("missing {blob}\n"));
    }
    for key in &report.broken_results {
        text.push_str(&format!("broken result {}\n", labels.name(*key)));
    }
    for fault in &report.index_faults {
        text.push_str(&format!("index: {fault}\n"));
    }
    if report.records_mended > 0 {
        text.push_str(&format!("records written again: {}\n", report.records_mended));
    }
    text
}

fn gc(ctx: &Context, args: &GcArgs) -> Result<Exit, CommandError> {
    let prepared = before_gc(ctx, args)?;
    let store = Store::open(&ctx.store()?)?;
    let gone = match prepared {
        Some(gone) => gone,
        None => gone_workspaces(&store)?,
    };
    let options = GcOptions {
        gone,
        max_age: args.max_age,
        max_bytes: args.max_size,
        dry_run: args.dry_run,
        ..GcOptions::default()
    };
    let report = store.gc(&options)?;
    drop(store);
    let keys: Vec<ActionKey> = report.results.iter().map(|result| result.key).collect();
    let labels = Labels::of(ctx, &keys);
    ctx.ui.out(removed(&report, &labels))?;
    gc_summary(&ctx.ui, &report, args);
    Ok(Exit::SUCCESS)
}

/// Lets the current workspace, if there is one that can be read, give up what it no longer needs.
fn before_gc(ctx: &Context, args: &GcArgs) -> Result<Option<Vec<String>>, CommandError> {
    if ctx.located().is_err() {
        return Ok(None);
    }
    let Ok(mut session) = Session::open(ctx, &VarArgs::default()) else { return Ok(None) };
    if args.dry_run {
        session.workspace.tell_roots()?;
        return Ok(None);
    }
    Ok(Some(session.workspace.before_gc(args.max_age)?))
}

/// The results that went, by label where it is known.
fn removed(report: &GcReport, labels: &Labels) -> String {
    let line = |result: &vwfb_cas::RemovedResult| {
        format!("{:>10}  {}\n", units::bytes(result.bytes), labels.name(result.key))
    };
    report.results.iter().map(line).collect()
}

fn gc_summary(ui: &Ui, report: &GcReport, args: &GcArgs) {
    let verb = if args.dry_run { "would remove" } else { "removed" };
    ui.status(format_args!(
        "{verb} {} and {}, {}; kept {} and {}, {}",
        units::counted(report.results.len() as u64, "result"),
        units::counted(report.objects + report.strays, "file"),
        units::bytes(report.bytes),
        units::counted(report.kept_results, "result"),
        units::counted(report.kept_objects, "file"),
        units::bytes(report.kept_bytes),
    ));
    if args.max_age.is_none() && args.max_size.is_none() {
        ui.hint("`--max-age` and `--max-size` say what goes; without them only waste does");
    }
    if let Some(limit) = args.max_size.filter(|limit| report.kept_bytes > *limit) {
        ui.status(format_args!(
            "more than {} is kept: workspaces built it last, or a running build uses it",
            units::bytes(limit),
        ));
    }
}

/// The labels that the current workspace knows for keys.
struct Labels(BTreeMap<ActionKey, String>);

impl Labels {
    /// Those of the workspace around the current folder, if there is one that can be read.
    fn of(ctx: &Context, keys: &[ActionKey]) -> Self {
        if keys.is_empty() || ctx.located().is_err() {
            return Self(BTreeMap::new());
        }
        let session = Session::open(ctx, &VarArgs::default());
        let known = session.ok().and_then(|session| session.workspace.state().labels(keys).ok());
        Self(known.unwrap_or_default())
    }

    fn name(&self, key: ActionKey) -> String {
        self.0.get(&key).cloned().unwrap_or_else(|| format!("of the key {}", key.digest().short()))
    }
}
