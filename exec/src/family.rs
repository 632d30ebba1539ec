//! The processes that one task left behind, seen from the launcher that adopts them.
//!
//! The launcher is a child subreaper, so a descendant whose parent dies becomes its child,
//! whatever session or process group it has moved to.

use std::fs;
use std::io;

use rustix::io::Errno;
use rustix::process::{
    Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process, kill_process_group, wait,
};

/// How a task's processes ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// The main process's status; `None` where there was no main process among the children.
    pub(crate) status: Option<WaitStatus>,
    /// How many other processes had to be killed.
    pub(crate) killed: u32,
}

/// Kills every descendant of this process and reaps until none is left.
///
/// `main` leads its process group and must not have been reaped, so that its number cannot have
/// passed to a stranger.
pub(crate) fn end(main: Option<Pid>) -> io::Result<Ended> {
    if let Some(main) = main {
        signal_group(main, Signal::KILL);
    }
    let mut ended = Ended { status: None, killed: 0 };
    loop {
        let reaped = match wait(WaitOptions::NOHANG) {
            Ok(Some(reaped)) => reaped,
            Ok(None) => {
                kill_children()?;
                match wait(WaitOptions::empty()) {
                    Ok(reaped) => reaped.expect("a blocking wait returns a child"),
                    Err(Errno::INTR) => continue,
                    Err(Errno::CHILD) => return Ok(ended),
                    Err(error) => return Err(error.into()),
                }
            }
            Err(Errno::INTR) => continue,
            Err(Errno::CHILD) => return Ok(ended),
            Err(error) => return Err(error.into()),
        };
        ended.note(main, reaped);
    }
}

/// Sends `signal` to the group that `leader` leads; a group that is gone is no error.
pub(crate) fn signal_group(leader: Pid, signal: Signal) {
    let _ = kill_process_group(leader, signal);
}

impl Ended {
    fn note(&mut self, main: Option<Pid>, (pid, status): (Pid, WaitStatus)) {
        if Some(pid) == main {
            self.status = Some(status);
        } else if status.terminating_signal() == Some(Signal::KILL.as_raw()) {
            self.killed += 1;
        }
    }
}

/// Kills all present children. A child is unreaped, so its number is its own.
///
/// A killed process's own children become ours with its death, which wakes the wait that follows;
/// so a round a generation ends them all.
fn kill_children() -> io::Result<()> {
    let own = getpid().as_raw_nonzero().get();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw)
        else {
            continue;
        };
        if parent_of(pid) == Some(own) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
    Ok(())
}

/// The parent of a process that may be gone by now.
fn parent_of(pid: Pid) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero())).ok()?;
    parent_in(&stat)
}

/// The fourth field of a `stat` line, whose second one may hold spaces and parentheses.
fn parent_in(stat: &str) -> Option<i32> {
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_name_with_parentheses_does_not_hide_the_parent() {
        assert_eq!(parent_in("42 (a) R (b) S 7 42 42 0 -1"), Some(7));
        assert_eq!(parent_in(""), None);
    }
}
