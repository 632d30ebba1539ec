//! The launcher: a small process that starts tasks for vwfb and lets none of them outlive it.
//!
//! It is this program started again with a hidden argument. It runs one task at a time, adopts
//! what the task leaves behind, and kills everything when its pipe from vwfb closes, so nothing
//! survives even a SIGKILL of vwfb. Being small, it also spawns at the same cost whatever memory
//! vwfb holds.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::{Duration, Instant};

use landlock::RulesetCreated;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::Mode;
use rustix::process::{Pid, PidfdFlags, Signal, WaitStatus, pidfd_open};

use crate::family::{self, Ended};
use crate::sandbox::{self, ConfineError, Rules};
use crate::wire::{Exited, Inbox, Reply, Request, Run, line};

/// Runs the launcher on standard input and output until the former closes.
///
/// To be called first thing in `main`, before any thread is started or signal handled.
pub fn launcher_main() -> ExitCode {
    let served = detach().and_then(|()| Server::new().serve());
    let ended = family::end(None);
    if served.is_ok() && ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Leaves the terminal's reach and becomes the one who adopts orphans.
fn detach() -> io::Result<()> {
    // A terminal's Ctrl-C and hang-up reach vwfb alone, and tasks have no terminal to ask at.
    rustix::process::setsid()?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    rustix::thread::set_no_new_privs(true)?;
    // The modes of what tasks make do not depend on who started vwfb.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // Not `vwfb`, so that `pkill vwfb` leaves the launcher alive to clean up.
    rustix::thread::set_name(c"task-launcher")?;
    Ok(())
}

struct Server {
    requests: Inbox<io::Stdin>,
    replies: io::Stdout,
    rulesets: Rulesets,
}

/// Why the launcher stops waiting for its task.
enum Woken {
    /// The main process ended.
    Ended,
    /// vwfb has closed the pipe.
    Abandoned,
}

impl Server {
    fn new() -> Self {
        let rulesets = Rulesets::default();
        Self { requests: Inbox::new(io::stdin()), replies: io::stdout(), rulesets }
    }

    fn serve(&mut self) -> io::Result<()> {
        self.reply(&Reply::Ready)?;
        loop {
            match self.requests.take::<Request>().transpose()? {
                Some(Request::Run(run)) => {
                    if let Woken::Abandoned = self.run(&run)? {
                        return Ok(());
                    }
                }
                // It crossed the reply about the task that it meant.
                Some(Request::Cancel) => {}
                None if self.requests.fill()? => {}
                None => return Ok(()),
            }
        }
    }

    fn run(&mut self, run: &Run) -> io::Result<Woken> {
        let mut task = match Task::start(run, &mut self.rulesets) {
            Ok(task) => task,
            Err(refusal) => {
                family::end(None)?;
                self.reply(&refusal)?;
                return Ok(Woken::Ended);
            }
        };
        let woken = self.watch(&mut task)?;
        let ended = family::end(Some(task.main))?;
        if let Woken::Ended = woken {
            self.reply(&Reply::Exited(task.exited(&ended)))?;
        }
        Ok(woken)
    }

    /// Waits until the task's main process has ended, obeying the clock and vwfb meanwhile.
    fn watch(&mut self, task: &mut Task) -> io::Result<Woken> {
        loop {
            let (exited, asked) = task.poll(self.requests.pipe())?;
            if exited {
                return Ok(Woken::Ended);
            }
            task.keep_time();
            if asked {
                if !self.requests.fill()? {
                    return Ok(Woken::Abandoned);
                }
                while let Some(request) = self.requests.take::<Request>() {
                    match request? {
                        Request::Cancel => task.cancel(),
                        Request::Run(_) => return Err(io::ErrorKind::InvalidInput.into()),
                    }
                }
            }
        }
    }

    fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        self.replies.write_all(&line(reply)?)?;
        self.replies.flush()
    }
}

/// The task that runs.
struct Task {
    main: Pid,
    pidfd: OwnedFd,
    started: Instant,
    grace: Duration,
    stop: Stop,
    timed_out: bool,
    cancelled: bool,
}

/// How far the task has been asked to end.
enum Stop {
    /// Not at all; at this instant it will be.
    At(Option<Instant>),
    /// TERM was sent; KILL follows at this instant.
    Asked(Instant),
    /// KILL was sent.
    Killed,
}

impl Task {
    fn start(run: &Run, rulesets: &mut Rulesets) -> Result<Self, Reply> {
        let started = Instant::now();
        let child = spawn(run, rulesets)?;
        let main = Pid::from_child(&child);
        let pidfd = pidfd_open(main, PidfdFlags::empty())
            .map_err(|error| refused("cannot watch the process", &error.into()))?;
        let deadline = run.timeout_ms.map(|timeout| started + Duration::from_millis(timeout));
        Ok(Self {
            main,
            pidfd,
            started,
            grace: Duration::from_millis(run.grace_ms),
            stop: Stop::At(deadline),
            timed_out: false,
            cancelled: false,
        })
    }

    /// Waits for the end, a request, or the next deadline: (ended, a request is there).
    fn poll(&self, requests: &impl AsFd) -> io::Result<(bool, bool)> {
        let mut fds =
            [PollFd::new(&self.pidfd, PollFlags::IN), PollFd::new(requests, PollFlags::IN)];
        let timeout = self.next_deadline().map(timespec_until);
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty()))
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self.stop {
            Stop::At(deadline) => deadline,
            Stop::Asked(kill) => Some(kill),
            Stop::Killed => None,
        }
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        match self.stop {
            Stop::At(Some(deadline)) if now >= deadline => {
                self.timed_out = true;
                self.terminate();
            }
            Stop::Asked(kill) if now >= kill => {
                family::signal_group(self.main, Signal::KILL);
                self.stop = Stop::Killed;
            }
            _ => {}
        }
    }

    fn cancel(&mut self) {
        if let Stop::At(_) = self.stop {
            self.cancelled = true;
            self.terminate();
        }
    }

    fn terminate(&mut self) {
        family::signal_group(self.main, Signal::TERM);
        self.stop = Stop::Asked(Instant::now() + self.grace);
    }

    fn exited(&self, ended: &Ended) -> Exited {
        Exited {
            code: ended.status.and_then(WaitStatus::exit_status),
            signal: ended.status.and_then(WaitStatus::terminating_signal),
            timed_out: self.timed_out,
            cancelled: self.cancelled,
            orphans: ended.killed,
            duration_ms: self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
        }
    }
}

/// Starts the process of `run`, confined if it says so.
///
/// Restricting a throw-away thread and spawning from it costs half of what a hook between fork
/// and exec does, and leaves the launcher itself free.
fn spawn(run: &Run, rulesets: &mut Rulesets) -> Result<Child, Reply> {
    let mut command = command(run)?;
    let start = |command: &mut Command| {
        command
            .spawn()
            .map_err(|error| refused(&format!("cannot start `{}`", run.program.display()), &error))
    };
    let Some(rules) = &run.rules else {
        return start(&mut command);
    };
    let unconfined = |error: ConfineError| Reply::Refused { what: error.to_string(), errno: None };
    let ruleset = rulesets.get(rules).map_err(unconfined)?;
    let confined = || {
        sandbox::restrict_thread(ruleset).map_err(unconfined)?;
        start(&mut command)
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .spawn_scoped(scope, confined)
            .map_err(|error| refused("cannot start a thread", &error))?;
        thread.join().expect("restricting and spawning do not panic")
    })
}

/// The rules of former tasks: to make them costs some microseconds a file, which is more than all
/// the rest for a program of hundreds of libraries.
#[derive(Default)]
struct Rulesets(HashMap<Rules, RulesetCreated>);

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

/// The command with its standard files open: a confined thread could not open them.
fn command(run: &Run) -> Result<Command, Reply> {
    let stdin = File::open(&run.stdin).map_err(|error| cannot_open(&run.stdin, &error))?;
    let stdout = append(&run.stdout)?;
    let stderr = append(&run.stderr)?;
    let mut command = Command::new(&run.program);
    command
        .args(&run.args)
        .env_clear()
        .envs(&run.env)
        .current_dir(&run.cwd)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0);
    Ok(command)
}

fn append(path: &std::path::Path) -> Result<File, Reply> {
    let opened = OpenOptions::new().append(true).create(true).open(path);
    opened.map_err(|error| cannot_open(path, &error))
}

fn cannot_open(path: &std::path::Path, error: &io::Error) -> Reply {
    refused(&format!("cannot open `{}`", path.display()), error)
}

fn refused(what: &str, error: &io::Error) -> Reply {
    Reply::Refused { what: what.to_owned(), errno: error.raw_os_error() }
}

fn timespec_until(instant: Instant) -> Timespec {
    // Rounded up, so that the deadline has passed when the wait ends.
    let left = instant.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}
