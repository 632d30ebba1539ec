//! Finds the processes that carry a mark in their environment, and waits for their end.

use std::fs;
use std::os::fd::OwnedFd;
use std::process::Child;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A limit that only a fault can exceed.
const LIMIT: Timespec = Timespec { tv_sec: 60, tv_nsec: 0 };

/// A variable and its value: vwfb is started with it, so its launchers have it, and tasks declare
/// it.
pub(crate) struct Mark(String);

impl Mark {
    /// The variable's name.
    pub(crate) const NAME: &str = "VWFB_TEST_MARK";

    /// A mark that no other test process uses: `name` and this process's number.
    pub(crate) fn new(name: &str) -> Self {
        Self(format!("{name}-{}", std::process::id()))
    }

    /// The variable's value.
    pub(crate) fn value(&self) -> &str {
        &self.0
    }

    /// The living processes that carry the mark.
    pub(crate) fn carriers(&self) -> Vec<Pid> {
        let entry = format!("{}={}", Self::NAME, self.0);
        let entries = fs::read_dir("/proc").unwrap().flatten();
        let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let carries = |pid: &i32| {
            // A process that is gone, or not ours, or a zombie, has nothing to read there.
            let environ = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
            environ.split(|byte| *byte == 0).any(|each| each == entry.as_bytes())
        };
        numbers.filter(carries).filter_map(Pid::from_raw).collect()
    }

    /// Waits for processes that carry the mark.
    pub(crate) fn met(&self) -> Vec<OwnedFd> {
        loop {
            let handles = self.carriers().into_iter();
            let handles: Vec<OwnedFd> =
                handles.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()).collect();
            if !handles.is_empty() {
                return handles;
            }
            std::thread::yield_now();
        }
    }

    /// Waits until no process carries the mark; fails if one does not end.
    #[track_caller]
    pub(crate) fn assert_gone(&self) {
        loop {
            let carriers = self.carriers();
            if carriers.is_empty() {
                return;
            }
            for pid in carriers {
                // It may have ended since.
                if let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) {
                    assert!(ends(&handle, &LIMIT), "the process {} survived", command_line(pid));
                }
            }
        }
    }
}

/// Whether a process ends within `limit`.
fn ends(process: &OwnedFd, limit: &Timespec) -> bool {
    let mut fds = [PollFd::new(process, PollFlags::IN)];
    poll(&mut fds, Some(limit)).unwrap() == 1
}

/// Waits until the processes have ended; fails if one does not.
pub(crate) fn assert_end(processes: &[OwnedFd]) {
    assert!(processes.iter().all(|process| ends(process, &LIMIT)), "a process survived");
}

fn command_line(pid: Pid) -> String {
    let path = format!("/proc/{}/cmdline", pid.as_raw_nonzero());
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).replace('\0', " ")
}

/// Kills `child`, which may have ended, once `micros` have gone by; whether it was killed.
pub(crate) fn kill_after(child: &mut Child, micros: u64) -> bool {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty()).unwrap();
    let nanos = i64::try_from(micros % 1_000_000 * 1_000).unwrap();
    let delay = Timespec { tv_sec: i64::try_from(micros / 1_000_000).unwrap(), tv_nsec: nanos };
    let ended = ends(&handle, &delay);
    if !ended {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    !ended
}

/// Sends a signal to a child that was not waited for.
pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}
