//! Starts a task's main process, confined if it is to be.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use landlock::RulesetCreated;

use crate::failure::Unstartable;
use crate::log::Log;
use crate::sandbox::{self, ConfineError};
use crate::shell::{self, OnlyCommand, Redirection};
use crate::terminal::Terminal;
use crate::turn::Turn;
use crate::wire::{NumberedRules, Only, Reply, Run};

/// A process that was started.
pub(crate) struct Spawned {
    /// The process.
    pub(crate) child: Child,
    /// What it prints.
    pub(crate) log: Log,
    /// Its turn, if it waited for one.
    pub(crate) turn: Option<Turn>,
}

/// Prepares the process of `run` and starts it once `turn` returns, so that what preparing costs is
/// spent while other tasks run.
pub(crate) fn spawn(
    run: &Run,
    rules: Option<&NumberedRules>,
    rulesets: &mut Rulesets,
    turn: impl FnOnce() -> Result<Option<Turn>, Reply> + Send,
) -> Result<Spawned, Reply> {
    let log = Log::open(&run.log).map_err(|error| refused("cannot log", &error))?;
    let terminal = run.terminal.then(Terminal::open).transpose();
    let terminal = terminal.map_err(|error| refused("cannot open a terminal", &error))?;
    let commands = Commands::of(run, terminal.as_ref(), &log)?;
    let start = || {
        let mut command = commands.choose(&run.cwd);
        let turn = turn()?;
        Ok((start(&mut command)?, turn))
    };
    let (child, turn) = match rules {
        None => start()?,
        Some(rules) => {
            let mut ruleset = rulesets.get(rules).map_err(unconfined)?;
            if let Some(terminal) = &terminal {
                ruleset = sandbox::with_terminal(ruleset, terminal.slave()).map_err(unconfined)?;
            }
            confined(ruleset, start)?
        }
    };
    Ok(Spawned { child, log, turn })
}

/// Restricting a throw-away thread and spawning from it costs half of what a hook between fork
/// and exec does, and leaves the launcher itself free. A thread that was kept for the next task
/// would be in this one's reach: the kernel lets those with the same restrictions trace each other.
fn confined<T: Send>(
    ruleset: RulesetCreated,
    start: impl FnOnce() -> Result<T, Reply> + Send,
) -> Result<T, Reply> {
    let confined = || {
        sandbox::restrict_thread(ruleset).map_err(unconfined)?;
        start()
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

/// What is started, with the standard files open: a confined thread could not open them.
struct Commands<'a> {
    command: Command,
    /// To be opened for `command`.
    redirections: &'a [Redirection],
    /// The shell, which is started instead if a redirection is not to a file of the folder.
    shell: Option<Command>,
}

impl<'a> Commands<'a> {
    fn of(run: &'a Run, terminal: Option<&Terminal>, log: &Log) -> Result<Self, Reply> {
        let mut whole = Command::new(&run.program);
        whole.args(&run.args);
        let Some(Only { program, command: OnlyCommand { name, args, redirections } }) = &run.only
        else {
            let command = dressed(whole, run, terminal, log)?;
            return Ok(Self { command, redirections: &[], shell: None });
        };
        let mut only = Command::new(program);
        only.arg0(name).args(args);
        let command = dressed(only, run, terminal, log)?;
        let is_plain = redirections.is_empty();
        let shell = if is_plain { None } else { Some(dressed(whole, run, terminal, log)?) };
        Ok(Self { command, redirections, shell })
    }

    /// Opens the redirections, as confined as who calls this.
    fn choose(mut self, cwd: &Path) -> Command {
        match self.shell.take() {
            Some(shell) if self.redirect(cwd).is_err() => shell,
            _ => self.command,
        }
    }

    fn redirect(&mut self, cwd: &Path) -> io::Result<()> {
        let folder = shell::folder(cwd)?;
        for redirection in self.redirections {
            let file = redirection.open(&folder)?;
            match redirection {
                Redirection::Input(_) => self.command.stdin(file),
                Redirection::Output(_) | Redirection::Append(_) => self.command.stdout(file),
            };
        }
        Ok(())
    }
}

/// The command as a task's process.
fn dressed(
    mut command: Command,
    run: &Run,
    terminal: Option<&Terminal>,
    log: &Log,
) -> Result<Command, Reply> {
    let stdin = match terminal {
        Some(terminal) => terminal.stdin(),
        None => File::open(&run.stdin).map(Stdio::from),
    };
    let stdin = stdin.map_err(|error| cannot_open(&run.stdin, &error))?;
    command
        .env_clear()
        .envs(&run.env)
        .current_dir(&run.cwd)
        .stdin(stdin)
        .stdout(routed(run.stdout.as_deref(), log)?)
        .stderr(routed(run.stderr.as_deref(), log)?)
        .process_group(0);
    Ok(command)
}

/// An output, or the log.
fn routed(path: Option<&Path>, log: &Log) -> Result<Stdio, Reply> {
    let Some(path) = path else {
        let printed = log.printed().map_err(|error| refused("cannot log", &error))?;
        return Ok(printed.into());
    };
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map(Stdio::from).map_err(|error| cannot_open(path, &error))
}

/// The rules of former tasks by number: to make them costs some microseconds a file, which is more
/// than all the rest for a program of hundreds of libraries.
#[derive(Default)]
pub(crate) struct Rulesets(BTreeMap<usize, RulesetCreated>);

impl Rulesets {
    /// The rules of a task, to restrict one thread with. What a number meant before is forgotten
    /// as soon as it is said to mean something else, also if that cannot be made.
    fn get(&mut self, rules: &NumberedRules) -> Result<RulesetCreated, ConfineError> {
        if let Some(meaning) = &rules.meaning {
            self.0.remove(&rules.number);
            self.0.insert(rules.number, sandbox::ruleset(meaning)?);
        }
        let known = self.0.get(&rules.number).ok_or(ConfineError::Unknown)?;
        Ok(known.try_clone()?)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::{Level, Rules};

    #[test]
    fn rules_that_were_never_sent_start_nothing() {
        let unknown = Rulesets::default().get(&NumberedRules { number: 3, meaning: None });
        assert!(matches!(unknown, Err(ConfineError::Unknown)));
    }

    #[test]
    fn a_number_means_what_it_was_last_said_to_mean() {
        if !Level::detect().confines_files() {
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| temp.path().join(name));
        files.iter().for_each(|file| std::fs::write(file, "").unwrap());
        let mut rulesets = Rulesets::default();
        let mut readable = |meaning: Option<Rules>| {
            let ruleset = rulesets.get(&NumberedRules { number: 7, meaning }).unwrap();
            let files = files.clone();
            let confined = thread::spawn(move || {
                sandbox::restrict_thread(ruleset).unwrap();
                files.map(|file| File::open(file).is_ok())
            });
            confined.join().unwrap()
        };
        let of = |file: &Path| Some(Rules { read: vec![file.to_owned()], ..Rules::default() });
        assert_eq!(readable(of(&files[0])), [true, false]);
        assert_eq!(readable(None), [true, false]);
        assert_eq!(readable(of(&files[1])), [false, true]);
        assert_eq!(readable(None), [false, true]);
    }
}
