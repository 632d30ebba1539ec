//! Starts a task's main process, confined if it is to be.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use landlock::RulesetCreated;
use vwfb_spawn::{Access, Image, Start, StartError, Started, Step};

use crate::failure::Unstartable;
use crate::log::Log;
use crate::sandbox::{self, ConfineError};
use crate::shell::Redirection;
use crate::terminal::Terminal;
use crate::turn::Turn;
use crate::wire::{NumberedRules, Only, Reply, Run};

/// A process that was started.
pub(crate) struct Spawned {
    /// The process.
    pub(crate) main: Started,
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
    turn: impl FnOnce() -> Result<Option<Turn>, Reply>,
) -> Result<Spawned, Reply> {
    let log = Log::open(&run.log).map_err(|error| refused("cannot log", &error))?;
    let terminal = run.terminal.then(Terminal::open).transpose();
    let terminal = terminal.map_err(|error| refused("cannot open a terminal", &error))?;
    let opened = File::open(&run.stdin).map_err(|error| cannot_open(&run.stdin, &error))?;
    let stdin = terminal.as_ref().map_or(opened.as_fd(), Terminal::stdin);
    let (stdout, stderr) = (routed(run.stdout.as_deref())?, routed(run.stderr.as_deref())?);
    let [stdout, stderr] = [&stdout, &stderr].map(|file| file.as_ref().map(AsFd::as_fd));
    let streams = [stdin, stdout.unwrap_or(log.printed()), stderr.unwrap_or(log.printed())];
    let ruleset = rules.map(|rules| rulesets.get(rules, terminal.as_ref()));
    let ruleset = ruleset.transpose().map_err(unconfined)?;
    let capabilities = rules.map(|_| sandbox::capabilities_left()).transpose();
    let start = Start {
        images: &images(run).map_err(|error| not_started(run, error))?,
        env: &run.env,
        folder: &run.cwd,
        streams,
        ruleset: ruleset.as_ref().map(AsFd::as_fd),
        capabilities: capabilities.map_err(|error| unconfined(error.into()))?.flatten(),
    };
    let turn = turn()?;
    let main = start.start().map_err(|error| not_started(run, error))?;
    Ok(Spawned { main, log, turn })
}

/// What may be started: the only program of a shell's script, and where a redirection is not to a
/// file of the folder, the shell.
fn images(run: &Run) -> Result<Vec<Image>, StartError> {
    let whole = Image::new(&run.program, run.program.as_os_str(), &run.args)?;
    let Some(Only { program, command }) = &run.only else { return Ok(vec![whole]) };
    let redirections = command.redirections.iter().map(redirection).collect::<Result<_, _>>()?;
    let only = Image::new(program, command.name.as_ref(), &command.args)?;
    Ok(vec![only.redirected(redirections), whole])
}

fn redirection(redirection: &Redirection) -> Result<vwfb_spawn::Redirection, StartError> {
    let (path, access) = match redirection {
        Redirection::Input(path) => (path, Access::Read),
        Redirection::Output(path) => (path, Access::Write),
        Redirection::Append(path) => (path, Access::Append),
    };
    vwfb_spawn::Redirection::new(path, access)
}

/// An output; none is the log.
fn routed(path: Option<&Path>) -> Result<Option<File>, Reply> {
    let open = |path| {
        let opened = OpenOptions::new().append(true).create(true).open(path);
        opened.map_err(|error| cannot_open(path, &error))
    };
    path.map(open).transpose()
}

/// The rules of former tasks by number: to make them costs some microseconds a file, which is more
/// than all the rest for a program of hundreds of libraries.
#[derive(Default)]
pub(crate) struct Rulesets(BTreeMap<usize, RulesetCreated>);

impl Rulesets {
    /// The rules of a task, and a terminal of its own. What a number meant before is forgotten
    /// as soon as it is said to mean something else, also if that cannot be made.
    fn get(
        &mut self,
        rules: &NumberedRules,
        terminal: Option<&Terminal>,
    ) -> Result<OwnedFd, ConfineError> {
        let mut ruleset = self.known(rules)?;
        if let Some(terminal) = terminal {
            ruleset = sandbox::with_terminal(ruleset, terminal.slave())?;
        }
        Option::from(ruleset).ok_or(ConfineError::NotEnforced)
    }

    fn known(&mut self, rules: &NumberedRules) -> Result<RulesetCreated, ConfineError> {
        if let Some(meaning) = &rules.meaning {
            self.0.remove(&rules.number);
            self.0.insert(rules.number, sandbox::ruleset(meaning)?);
        }
        let known = self.0.get(&rules.number).ok_or(ConfineError::Unknown)?;
        Ok(known.try_clone()?)
    }
}

/// Why `run` has no process.
fn not_started(run: &Run, error: StartError) -> Reply {
    match error {
        StartError::ZeroByte => Reply::Unstartable(Unstartable::ZeroByte),
        StartError::System { step: Step::Program, source } => match Unstartable::of(&source) {
            Some(why) => Reply::Unstartable(why),
            None => refused(&format!("cannot start `{}`", run.program.display()), &source),
        },
        StartError::System { step, source } => refused(&format!("cannot {step}"), &source),
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
        let unknown = Rulesets::default().known(&NumberedRules { number: 3, meaning: None });
        assert!(matches!(unknown, Err(ConfineError::Unknown)));
    }

    #[test]
    fn a_number_means_what_it_was_last_said_to_mean() {
        if !Level::detect().confines_files() {
            return;
        }
        rustix::thread::set_no_new_privs(true).unwrap();
        let temp = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| temp.path().join(name));
        files.iter().for_each(|file| std::fs::write(file, "").unwrap());
        let mut rulesets = Rulesets::default();
        let mut readable = |meaning: Option<Rules>| {
            let ruleset = rulesets.get(&NumberedRules { number: 7, meaning }, None).unwrap();
            files.each_ref().map(|file| reads(file, &ruleset))
        };
        let programs = ["/bin", "/lib", "/lib64", "/usr"].map(std::path::PathBuf::from);
        let of = |file: &Path| {
            let (execute, read) = (programs.to_vec(), vec![file.to_owned()]);
            Some(Rules { execute, read, ..Rules::default() })
        };
        assert_eq!(readable(of(&files[0])), [true, false]);
        assert_eq!(readable(None), [true, false]);
        assert_eq!(readable(of(&files[1])), [false, true]);
        assert_eq!(readable(None), [false, true]);
    }

    /// Whether a process that is held to the ruleset can read the file.
    fn reads(file: &Path, ruleset: &OwnedFd) -> bool {
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let args = [file.to_str().unwrap().to_owned()];
        let start = Start {
            images: &[Image::new(Path::new("/bin/cat"), "cat".as_ref(), &args).unwrap()],
            env: &BTreeMap::new(),
            folder: Path::new("/"),
            streams: [null.as_fd(); 3],
            ruleset: Some(ruleset.as_fd()),
            capabilities: None,
        };
        let pid = start.start().unwrap().pid;
        let ended = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        ended.unwrap().unwrap().1.exit_status() == Some(0)
    }
}
