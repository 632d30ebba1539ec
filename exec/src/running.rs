//! A task that a launcher runs: its clock, its end and what it prints.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitStatus, getpgid, pidfd_send_signal};
use vwfb_spawn::Started;

use crate::family::{self, Ended};
use crate::log::Log;
use crate::spawn::{Rulesets, Spawned, spawn};
use crate::turn::Turn;
use crate::wire::{Exited, NumberedRules, Reply, Run};

/// The task that a launcher runs.
pub(crate) struct Running {
    main: Pid,
    log: Log,
    pidfd: OwnedFd,
    started: Instant,
    grace: Duration,
    stop: Stop,
    timed_out: bool,
    cancelled: bool,
    waited: Duration,
    /// Held until all of it is dead.
    turn: Option<Turn>,
}

/// What a wait was ended by.
pub(crate) struct Ready {
    /// The main process has ended.
    pub(crate) ended: bool,
    /// There is a request, or no vwfb any more.
    pub(crate) requests: bool,
}

/// How far the task has been asked to end.
enum Stop {
    /// Not at all; at this instant it will be.
    At(Option<Instant>),
    /// TERM was sent; at this instant its time is up.
    Asked(Instant),
}

impl Running {
    /// Prepares it, and starts it when `turn` returns.
    pub(crate) fn start(
        run: &Run,
        rules: Option<&NumberedRules>,
        rulesets: &mut Rulesets,
        turn: impl FnOnce() -> Result<Option<Turn>, Reply>,
    ) -> Result<Self, Reply> {
        let (mut waits, mut started) = (Instant::now(), Instant::now());
        let turn = || {
            waits = Instant::now();
            let turn = turn()?;
            started = Instant::now();
            Ok(turn)
        };
        let Spawned { main, log, turn } = spawn(run, rules, rulesets, turn)?;
        let Started { pid: main, pidfd } = main;
        let deadline = run.timeout_ms.map(|timeout| started + Duration::from_millis(timeout));
        Ok(Self {
            main,
            log,
            pidfd,
            started,
            grace: Duration::from_millis(run.grace_ms),
            stop: Stop::At(deadline),
            timed_out: false,
            cancelled: false,
            waited: started.duration_since(waits),
            turn,
        })
    }

    /// Waits for the end, a request or the next deadline; what it prints meanwhile is kept.
    pub(crate) fn wait(&mut self, requests: &impl AsFd) -> io::Result<Ready> {
        let timeout = self.next_deadline().map(timespec_until);
        let mut fds = [
            PollFd::new(&self.pidfd, PollFlags::IN),
            PollFd::new(requests, PollFlags::IN),
            PollFd::new(self.log.pipe(), PollFlags::IN),
        ];
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let [ended, requests, printed] = fds.map(|fd| !fd.revents().is_empty());
        let found = Ready { ended, requests };
        if printed {
            self.log.keep_some();
        }
        Ok(found)
    }

    /// Kills and reaps all that is left of it.
    pub(crate) fn end(mut self) -> io::Result<Exited> {
        let ended = family::end(Some(self.main))?;
        drop(self.turn.take());
        self.log.drain();
        Ok(self.exited(&ended))
    }

    fn next_deadline(&self) -> Option<Instant> {
        match self.stop {
            Stop::At(deadline) => deadline,
            Stop::Asked(kill) => Some(kill),
        }
    }

    /// Does what the clock asks for. Once its time is up, which this returns, it is to be ended,
    /// whatever its main process does.
    pub(crate) fn keep_time(&mut self) -> bool {
        let now = Instant::now();
        match self.stop {
            Stop::At(Some(deadline)) if now >= deadline => {
                self.timed_out = true;
                self.terminate();
                false
            }
            Stop::At(_) => false,
            Stop::Asked(kill) => now >= kill,
        }
    }

    /// Asks it to end.
    pub(crate) fn cancel(&mut self) {
        if let Stop::At(_) = self.stop {
            self.cancelled = true;
            self.terminate();
        }
    }

    fn terminate(&mut self) {
        family::signal_group(self.main, Signal::TERM);
        // It may have left the group that it was started in; in it, it has been asked.
        if getpgid(Some(self.main)) != Ok(self.main) {
            let _ = pidfd_send_signal(&self.pidfd, Signal::TERM);
        }
        self.stop = Stop::Asked(Instant::now() + self.grace);
    }

    fn exited(&self, ended: &Ended) -> Exited {
        Exited {
            code: ended.status.and_then(WaitStatus::exit_status),
            signal: ended.status.and_then(WaitStatus::terminating_signal),
            timed_out: self.timed_out,
            cancelled: self.cancelled,
            orphans: ended.killed,
            printed: self.log.is_made(),
            log_errno: self.log.errno(),
            duration_ms: self.started.elapsed().as_millis().try_into().unwrap_or(u64::MAX),
            waited_us: self.waited.as_micros().try_into().unwrap_or(u64::MAX),
        }
    }
}

fn timespec_until(instant: Instant) -> Timespec {
    // Rounded up, so that the deadline has passed when the wait ends.
    let left = instant.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
    Timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    }
}
