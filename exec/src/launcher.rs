//! The launcher: a small process that starts tasks for vwfb and lets none of them outlive it.
//!
//! It is this program started again with a hidden argument. It runs one task at a time, adopts
//! what the task leaves behind, and kills everything when its pipe from vwfb closes, so nothing
//! survives even a SIGKILL of vwfb. Being small, it also spawns at the same cost whatever memory
//! vwfb holds.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use rustix::fs::Mode;

use crate::family;
use crate::running::Running;
use crate::spawn::{Rulesets, refused};
use crate::turn::{Queue, Turn};
use crate::wire::{Exited, Inbox, NumberedRules, Reply, Request, Run, framed};

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

/// Waits in `queue`, if there is one, until a process may run, unless it is cancelled before.
fn wait_for_turn(
    queue: Option<&Queue>,
    requests: &mut Inbox<io::Stdin>,
) -> Result<Option<Turn>, Reply> {
    let Some(queue) = queue else { return Ok(None) };
    let turn = next_turn(queue, requests);
    if !matches!(turn, Ok(Some(_))) {
        queue.leave();
    }
    match turn {
        Ok(Some(turn)) => Ok(Some(turn)),
        Ok(None) => Err(Reply::Exited(Exited::UNSTARTED)),
        Err(error) => Err(no_turn(&error)),
    }
}

fn no_turn(error: &io::Error) -> Reply {
    refused("cannot wait for a turn", error)
}

/// The next turn; `None` if the process is not to be started any more.
fn next_turn(queue: &Queue, requests: &mut Inbox<io::Stdin>) -> io::Result<Option<Turn>> {
    loop {
        match requests.take::<Request<Run>>().transpose()? {
            Some(Request::Cancel) => return Ok(None),
            Some(Request::Run(..)) => return Err(io::ErrorKind::InvalidInput.into()),
            None => {}
        }
        if let Some(turn) = queue.take()? {
            return Ok(Some(turn));
        }
        // Without vwfb nobody waits for it.
        if queue.wait()? && !requests.fill()? {
            return Ok(None);
        }
    }
}

struct Server {
    requests: Inbox<io::Stdin>,
    replies: io::Stdout,
    rulesets: Rulesets,
    /// The last one that was asked for.
    queue: Option<Queue>,
}

/// Why the launcher stops waiting for its task.
enum Woken {
    /// The main process ended, or its time is up.
    Ended,
    /// vwfb has closed the pipe.
    Abandoned,
}

impl Server {
    fn new() -> Self {
        let rulesets = Rulesets::default();
        Self { requests: Inbox::new(io::stdin()), replies: io::stdout(), rulesets, queue: None }
    }

    fn serve(&mut self) -> io::Result<()> {
        self.reply(&Reply::Ready)?;
        loop {
            match self.requests.take::<Request<Run>>().transpose()? {
                Some(Request::Run(run, rules)) => {
                    if let Woken::Abandoned = self.run(&run, rules.as_ref())? {
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

    fn run(&mut self, run: &Run, rules: Option<&NumberedRules>) -> io::Result<Woken> {
        let mut task = match self.start(run, rules) {
            Ok(task) => task,
            Err(refusal) => {
                family::end(None)?;
                self.reply(&refusal)?;
                return Ok(Woken::Ended);
            }
        };
        let woken = self.watch(&mut task)?;
        let exited = task.end()?;
        if let Woken::Ended = woken {
            self.reply(&Reply::Exited(exited))?;
        }
        Ok(woken)
    }

    fn start(&mut self, run: &Run, rules: Option<&NumberedRules>) -> Result<Running, Reply> {
        let Self { requests, rulesets, queue, .. } = self;
        if queue.as_ref().map(Queue::path) != run.turns.as_deref() {
            let open = |path: &PathBuf| Queue::open(path, requests.pipe());
            *queue = run.turns.as_ref().map(open).transpose().map_err(|error| no_turn(&error))?;
        }
        let turn = || wait_for_turn(queue.as_ref(), requests);
        Running::start(run, rules, rulesets, turn)
    }

    /// Waits until the task's main process has ended, obeying the clock and vwfb meanwhile.
    fn watch(&mut self, task: &mut Running) -> io::Result<Woken> {
        loop {
            // Before the first wait too: a request to cancel may have come with the task.
            self.obey(task)?;
            let ready = task.wait(self.requests.pipe())?;
            if ready.ended || task.keep_time() {
                return Ok(Woken::Ended);
            }
            if ready.requests && !self.requests.fill()? {
                return Ok(Woken::Abandoned);
            }
        }
    }

    /// Does what the requests that have arrived say of the running task.
    fn obey(&mut self, task: &mut Running) -> io::Result<()> {
        while let Some(request) = self.requests.take::<Request<Run>>() {
            match request? {
                Request::Cancel => task.cancel(),
                Request::Run(..) => return Err(io::ErrorKind::InvalidInput.into()),
            }
        }
        Ok(())
    }

    fn reply(&mut self, reply: &Reply) -> io::Result<()> {
        self.replies.write_all(&framed(reply)?)?;
        self.replies.flush()
    }
}
