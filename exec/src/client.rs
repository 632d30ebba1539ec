//! vwfb's side of a launcher.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use vwfb_cas::profile::{Counter, Timed, count};

use crate::cancel::CancelToken;
use crate::failure::Unstartable;
use crate::rulebook::{Grounds, Rulebook};
use crate::turn::Waiter;
use crate::wire::{Exited, Inbox, Reply, Request, Run, WireError, framed};

/// A launcher process, which runs one task at a time.
///
/// Dropping it closes its pipe, upon which it kills what still runs, and waits for its end.
#[derive(Debug)]
pub struct Launcher {
    process: Child,
    /// `None` only while it is dropped.
    requests: Option<ChildStdin>,
    replies: Inbox<ChildStdout>,
    rulebook: Rulebook,
}

/// The launcher could not be started or spoken to.
#[derive(Debug, thiserror::Error)]
pub enum LauncherError {
    /// Its process could not be started.
    #[error("cannot start the task launcher `{}`", exe.display())]
    Start {
        /// The program.
        exe: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The pipe failed.
    #[error("cannot talk to the task launcher")]
    Pipe(#[from] io::Error),
    /// The pipe holds something else than messages.
    #[error("the task launcher and vwfb do not understand each other")]
    Message(#[from] WireError),
    /// It ended by itself; somebody must have killed it.
    #[error("the task launcher is gone")]
    Gone,
    /// The process cannot be started as it is declared; the launcher is well.
    #[error(transparent)]
    Unstartable(Unstartable),
    /// It could not start the process.
    #[error("{what}")]
    Refused {
        /// What failed.
        what: String,
        /// What the system said, where the system was asked.
        source: Option<io::Error>,
    },
}

impl LauncherError {
    /// Whether the launcher itself is well and can run another process.
    pub(crate) const fn is_refusal(&self) -> bool {
        matches!(self, Self::Unstartable(_) | Self::Refused { .. })
    }
}

impl Launcher {
    /// Starts `exe` with `argument`, upon which it must call [`launcher_main`](crate::launcher_main).
    pub fn start(exe: &Path, argument: &str) -> Result<Self, LauncherError> {
        let start = |source| LauncherError::Start { exe: exe.to_owned(), source };
        let mut process = Command::new(exe)
            .arg(argument)
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(start)?;
        let requests = process.stdin.take();
        let replies = process.stdout.take().expect("standard output is a pipe");
        let mut launcher =
            Self { process, requests, replies: Inbox::new(replies), rulebook: Rulebook::default() };
        match launcher.reply()? {
            Reply::Ready => Ok(launcher),
            _ => Err(LauncherError::Gone),
        }
    }

    /// Runs one process to the end of all its descendants, or until `cancel` ends them; confined by
    /// the rules that follow from `grounds`, if there are any. It starts when it is its turn.
    pub(crate) fn run(
        &mut self,
        run: &Run,
        grounds: Option<&Grounds>,
        waiter: Option<&Waiter>,
        cancel: &CancelToken,
    ) -> Result<Exited, LauncherError> {
        if cancel.is_cancelled() {
            return Ok(Exited::UNSTARTED);
        }
        let rules = grounds.map(|grounds| self.rulebook.numbered(grounds));
        self.send(&Request::Run(run, rules))?;
        let exited = self.ended(cancel);
        match &exited {
            Ok(exited) => {
                count(Counter::ProcessesSpawned, exited.has_run().into());
                if let Some(waiter) = waiter {
                    waiter.has_waited(Duration::from_micros(exited.waited_us));
                }
            }
            Err(error) => {
                self.rulebook.forget();
                if let Some(waiter) = waiter.filter(|_| !error.is_refusal()) {
                    waiter.replace();
                }
            }
        }
        exited
    }

    /// Waits for the end of what it was asked to run.
    fn ended(&mut self, cancel: &CancelToken) -> Result<Exited, LauncherError> {
        let _running = Timed::waiting();
        if self.cancelled_before_reply(cancel)? {
            self.send(&Request::Cancel)?;
        }
        match self.reply()? {
            Reply::Exited(exited) => Ok(exited),
            Reply::Unstartable(why) => Err(LauncherError::Unstartable(why)),
            Reply::Refused { what, errno } => {
                let source = errno.map(io::Error::from_raw_os_error);
                Err(LauncherError::Refused { what, source })
            }
            Reply::Ready => Err(LauncherError::Gone),
        }
    }

    /// Waits for whichever comes first.
    fn cancelled_before_reply(&self, cancel: &CancelToken) -> io::Result<bool> {
        loop {
            let mut fds = [
                PollFd::new(self.replies.pipe(), PollFlags::IN),
                PollFd::new(cancel, PollFlags::IN),
            ];
            match poll(&mut fds, None) {
                Ok(_) => return Ok(fds[0].revents().is_empty()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    fn send(&mut self, request: &Request<&Run>) -> Result<(), LauncherError> {
        let pipe = self.requests.as_mut().ok_or(LauncherError::Gone)?;
        match pipe.write_all(&framed(request)?) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(LauncherError::Gone),
            other => Ok(other?),
        }
    }

    fn reply(&mut self) -> Result<Reply, LauncherError> {
        loop {
            if let Some(reply) = self.replies.take() {
                return Ok(reply?);
            }
            if !self.replies.fill()? {
                return Err(LauncherError::Gone);
            }
        }
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.requests.take());
        // Its children are dead when it ends; how it ended matters to nobody.
        let _ = self.process.wait();
    }
}
