//! Starts a task's main process, confined if it is to be.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use landlock::RulesetCreated;

use crate::failure::Unstartable;
use crate::log::Log;
use crate::sandbox::{self, ConfineError, Rules};
use crate::wire::{Reply, Run};

/// Starts the process of `run`; what it prints arrives in the log.
pub(crate) fn spawn(run: &Run, rulesets: &mut Rulesets) -> Result<(Child, Log), Reply> {
    let (log, printed) = Log::open(&run.log).map_err(|error| refused("cannot log", &error))?;
    let mut command = command(run, printed)?;
    let child = match &run.rules {
        None => start(&mut command)?,
        Some(rules) => start_confined(&mut command, rulesets.get(rules).map_err(unconfined)?)?,
    };
    Ok((child, log))
}

/// Restricting a throw-away thread and spawning from it costs half of what a hook between fork
/// and exec does, and leaves the launcher itself free.
fn start_confined(command: &mut Command, ruleset: RulesetCreated) -> Result<Child, Reply> {
    let confined = || {
        sandbox::restrict_thread(ruleset).map_err(unconfined)?;
        start(command)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .spawn_scoped(scope, confined)
            .map_err(|error| refused("cannot start a thread", &error))?;
        thread.join().expect("restricting and spawning do not panic")
    })
}

fn start(command: &mut Command) -> Result<Child, Reply> {
    command.spawn().map_err(|error| {
        if let Some(why) = Unstartable::of(&error) {
            return Reply::Unstartable(why);
        }
        let program = Path::new(command.get_program()).display();
        refused(&format!("cannot start `{program}`"), &error)
    })
}

/// The command with its standard files open: a confined thread could not open them.
fn command(run: &Run, printed: PipeWriter) -> Result<Command, Reply> {
    let stdin = File::open(&run.stdin).map_err(|error| cannot_open(&run.stdin, &error))?;
    let mut command = Command::new(&run.program);
    command
        .args(&run.args)
        .env_clear()
        .envs(&run.env)
        .current_dir(&run.cwd)
        .stdin(stdin)
        .stdout(routed(run.stdout.as_deref(), &printed)?)
        .stderr(routed(run.stderr.as_deref(), &printed)?)
        .process_group(0);
    Ok(command)
}

/// An output, or the log.
fn routed(path: Option<&Path>, printed: &PipeWriter) -> Result<Stdio, Reply> {
    let Some(path) = path else {
        let clone = printed.try_clone().map_err(|error| refused("cannot log", &error))?;
        return Ok(clone.into());
    };
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(Stdio::from).map_err(|error| cannot_open(path, &error))
}

/// The rules of former tasks: to make them costs some microseconds a file, which is more than all
/// the rest for a program of hundreds of libraries.
#[derive(Default)]
pub(crate) struct Rulesets(HashMap<Rules, RulesetCreated>);

impl Rulesets {
    const MOST: usize = 16;

    fn get(&mut self, rules: &Rules) -> Result<RulesetCreated, ConfineError> {
        if let Some(known) = self.0.get(rules) {
            return Ok(known.try_clone()?);
        }
        let made = sandbox::ruleset(rules)?;
        if self.0.len() >= Self::MOST {
            self.0.clear();
        }
        self.0.insert(rules.clone(), made.try_clone()?);
        Ok(made)
    }
}

/// Says that no process was started.
pub(crate) fn refused(what: &str, error: &io::Error) -> Reply {
    Reply::Refused { what: what.to_owned(), errno: error.raw_os_error() }
}

fn cannot_open(path: &Path, error: &io::Error) -> Reply {
    refused(&format!("cannot open `{}`", path.display()), error)
}

fn unconfined(error: ConfineError) -> Reply {
    Reply::Refused { what: error.to_string(), errno: None }
}
