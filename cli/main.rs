//! The command line: reads arguments, calls the engine, and renders what it answers.

mod args;
mod error;

mod compare;
mod labels;
mod locate;
mod session;
mod settle;
mod sources;
mod ui;
mod units;

mod again;
mod board;
mod events;
mod preview;
mod progress;
mod report;
mod review;
mod signals;
mod status;
mod timings;

mod build;
mod cache;
mod check;
mod choose;
mod clean;
mod completions;
mod decide;
mod decisions;
mod docs;
mod doctor;
mod expand;
mod explain;
mod fmt;
mod import;
mod info;
mod log;
mod new;
mod plan;
mod query;
mod version;
mod versions;
mod why;

mod bug;

#[global_allocator]
static GLOBAL: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::env;
use std::process::ExitCode;
use std::thread;

use clap::Parser;

use crate::args::{Command, CommandLine, GlobalArgs};
use crate::build::LAUNCHER_ARGUMENT;
use crate::error::{CommandError, Exit};
use crate::session::Context;
use crate::signals::Listener;
use crate::ui::Ui;

fn main() -> ExitCode {
    if env::args_os().nth(1).is_some_and(|argument| argument == LAUNCHER_ARGUMENT) {
        return vwfb_exec::launcher_main();
    }
    bug::catch();
    let CommandLine { global, command } = match CommandLine::try_parse() {
        Ok(parsed) => parsed,
        Err(stop) => {
            // Help and usage errors alike: where neither stream takes them, nobody reads.
            let _gone = stop.print();
            return if stop.use_stderr() { Exit::USAGE.into() } else { Exit::SUCCESS.into() };
        }
    };
    // Queries about what stands for something else ask one another, as deep as that goes.
    let deep = || answer(global.clone(), &command);
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK).spawn_scoped(scope, deep);
        match thread.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(code)) => code,
            // A panic has ended the process.
            Ok(Err(_)) => Exit::INTERNAL.into(),
            Err(_) => deep(),
        }
    })
}

/// Room for a chain of 100,000 names of names; only what is used of it takes memory.
const STACK: usize = 512 << 20;

fn answer(global: GlobalArgs, command: &Command) -> ExitCode {
    let ui = Ui::new(&global);
    match run(&ui, global, command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            ui.error(&error);
            error.exit().into()
        }
    }
}

fn run(ui: &Ui, global: GlobalArgs, command: &Command) -> Result<Exit, CommandError> {
    let signals = Listener::begin()?;
    let folder = locate::current_folder(&global)?;
    dispatch(&Context { ui: ui.clone(), folder, global, signals }, command)
}

fn dispatch(ctx: &Context, command: &Command) -> Result<Exit, CommandError> {
    match command {
        Command::New(args) => new::run(ctx, args),
        Command::Import(args) => import::run(ctx, args),
        Command::Build(args) => timings::around(ctx, &args.timings, || build::run(ctx, args)),
        Command::Plan(args) => timings::around(ctx, &args.timings, || plan::run(ctx, args)),
        Command::Query(args) => timings::around(ctx, &args.timings, || query::run(ctx, args)),
        Command::Check(args) => timings::around(ctx, &args.timings, || check::run(ctx, args)),
        Command::Doctor(args) => doctor::run(ctx, args),
        Command::Why(args) => timings::around(ctx, &args.timings, || why::run(ctx, args)),
        Command::Status(args) => status::run(ctx, args),
        Command::Preview(args) => preview::run(ctx, args),
        Command::Approve(args) => decide::approve(ctx, args),
        Command::Reject(args) => decide::reject(ctx, args),
        Command::Undo(args) => choose::undo(ctx, &args.vars),
        Command::Versions(args) => versions::run(ctx, args),
        Command::Takes(args) => versions::takes(ctx, args),
        Command::Diff(args) => versions::diff(ctx, args),
        Command::Pin(args) => choose::pin(ctx, args),
        Command::Unpin(args) => choose::unpin(ctx, args),
        Command::Restore(args) => choose::restore(ctx, args),
        Command::Edit(args) => choose::edit(ctx, args),
        Command::Redo(args) => choose::redo(ctx, args),
        Command::Pick(args) => choose::pick(ctx, args),
        Command::Review(args) => review::run(ctx, args),
        Command::Decisions(args) => decisions::run(ctx, args),
        Command::Settle(args) => settle::run(ctx, args),
        Command::Expand(args) => expand::run(ctx, args),
        Command::Explain(args) => explain::run(ctx, args),
        Command::Log(args) => log::run(ctx, args),
        Command::Clean(args) => clean::run(ctx, args),
        Command::Cache(args) => cache::run(ctx, args),
        Command::Info(args) => info::run(ctx, args),
        Command::Fmt(args) => fmt::run(ctx, args),
        Command::Completions(args) => completions::run(ctx, args),
        Command::Version => version::run(ctx),
        Command::Complete(args) => completions::complete(ctx, args),
        Command::Docs(args) => docs::run(ctx, args),
    }
}
