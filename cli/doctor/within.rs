//! Programs that are given a moment: what one says, if it ends in time.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process_group};

/// More than that is read by nobody.
const MOST: u64 = 1 << 20;

/// What a program said, on both streams.
#[derive(Debug)]
pub(super) struct Said {
    /// Whether it ended well.
    pub(super) well: bool,
    /// Its words.
    pub(super) text: String,
}

/// Runs `command` without input until `limit`, when it is killed with all that it started; nothing
/// if it does not start or end.
pub(super) fn said(mut command: Command, limit: Instant) -> Option<Said> {
    let (reader, writer) = io::pipe().ok()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone().ok()?).stderr(writer);
    let mut child = command.process_group(0).spawn().ok()?;
    // It holds the writing ends, without which there is no end of what is read.
    drop(command);
    let group = Pid::from_child(&child);
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = reader.take(MOST).read_to_end(&mut bytes);
        let well = child.wait().is_ok_and(|status| status.success()) && read.is_ok();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        // Where nobody waits any more, nobody misses it.
        let _gone = sender.send(Said { well, text });
    });
    let said = receiver.recv_timeout(limit.saturating_duration_since(Instant::now())).ok();
    if said.is_none() {
        // It may have ended just now.
        let _gone = kill_process_group(group, Signal::KILL);
    }
    said
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn shell(script: &str, limit: Duration) -> Option<Said> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        said(command, Instant::now() + limit)
    }

    #[test]
    fn what_is_said_in_time_is_heard() {
        let said = shell("echo one; echo two >&2; cat; exit 3", Duration::from_secs(20)).unwrap();
        assert_eq!((said.well, said.text.as_str()), (false, "one\ntwo\n"));
    }

    #[test]
    fn what_does_not_end_is_killed_with_all_that_it_started() {
        let temp = tempfile::tempdir().unwrap();
        let pipe = temp.path().join("pipe");
        // Nobody can open it for reading before somebody writes, who is never killed too late.
        let script = format!("mkfifo {0}; (exec 3>{0}; sleep 60) & sleep 60", pipe.display());
        let begun = Instant::now();
        let listener = thread::spawn({
            let pipe = pipe.clone();
            move || {
                while !pipe.exists() {
                    thread::yield_now();
                }
                std::fs::read(pipe)
            }
        });
        assert!(shell(&script, Duration::from_secs(1)).is_none());
        assert!(listener.join().unwrap().unwrap().is_empty(), "the writer is gone");
        assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    }
}
