//! A shell on a pseudo-terminal, as what a tape types at.
//!
//! A confined task can open no terminal, lest it opens somebody's: it is granted the controlling
//! side of one as its standard input, and may open the other side of that one alone. Where
//! standard input is none, this opens one of its own.

use std::fs;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcgetpgrp, tcsetwinsize};

use crate::play::{Heard, Program};

/// The argument that makes this program a shell on the terminal that is its standard input.
pub const ON_TERMINAL: &str = "on-terminal";

/// For how long a program may leave what is typed unread.
const UNREAD: Duration = Duration::from_secs(10);

/// How a shell is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// This program, which becomes the shell.
    pub myself: PathBuf,
    /// The shell and its arguments.
    pub command: Vec<String>,
    /// Environment beside what is inherited.
    pub env: Vec<(String, String)>,
    /// Where it starts.
    pub folder: PathBuf,
    /// Columns and rows.
    pub size: (usize, usize),
}

/// A shell on a terminal. Dropping it hangs up and waits for its end.
pub struct Shell {
    master: OwnedFd,
    child: Child,
    /// Whether the shell reads keys one by one while it is at its prompt; nothing before it was
    /// there.
    edits: Option<bool>,
}

impl Shell {
    /// Starts a shell.
    ///
    /// # Errors
    /// If there is no terminal, or the shell cannot be started on it.
    pub fn start(start: &Start) -> io::Result<Self> {
        let (master, slave) = terminal()?;
        let (columns, rows) = start.size;
        let count = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
        let size =
            Winsize { ws_row: count(rows), ws_col: count(columns), ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size)?;
        let child = Command::new(&start.myself)
            .arg(ON_TERMINAL)
            .args(&start.command)
            .envs(start.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&start.folder)
            .stdin(slave.try_clone()?)
            .stdout(slave.try_clone()?)
            .stderr(slave)
            .spawn()?;
        Ok(Self { master, child, edits: None })
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Whether keys reach who reads them one by one.
    fn is_raw(&self) -> bool {
        tcgetattr(&self.master).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
    }
}

impl Program for Shell {
    fn send(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let mut fds = [PollFd::new(&self.master, PollFlags::OUT)];
            if poll(&mut fds, Some(&timespec(UNREAD)))? == 0 {
                return Err(io::Error::other("the program does not read what is typed"));
            }
            let count = rustix::io::write(&self.master, &bytes[..bytes.len().min(256)])?;
            bytes = &bytes[count..];
        }
        Ok(())
    }

    fn hear(&mut self, wait: Duration) -> io::Result<Heard> {
        let mut fds = [PollFd::new(&self.master, PollFlags::IN)];
        match poll(&mut fds, Some(&timespec(wait))) {
            Ok(0) | Err(Errno::INTR) => return Ok(Heard::Nothing),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut bytes = vec![0; 16 * 1024];
        match rustix::io::read(&self.master, &mut bytes) {
            // All who had the other side have closed it.
            Ok(0) | Err(Errno::IO) => Ok(Heard::End),
            Ok(count) => {
                bytes.truncate(count);
                Ok(Heard::Said(bytes))
            }
            Err(Errno::INTR | Errno::AGAIN) => Ok(Heard::Nothing),
            Err(error) => Err(error.into()),
        }
    }

    fn computes(&mut self) -> bool {
        let session = self.pid().as_raw_nonzero().get();
        let Ok(folders) = fs::read_dir("/proc") else { return false };
        folders.flatten().any(|folder| {
            let name = folder.file_name();
            let is_process = name.as_encoded_bytes().first().is_some_and(u8::is_ascii_digit);
            is_process && is_computing(&folder.path().join("stat"), session)
        })
    }

    fn is_at_prompt(&mut self) -> bool {
        let Ok(foreground) = tcgetpgrp(&self.master) else { return true };
        if foreground != self.pid() {
            return false;
        }
        let raw = self.is_raw();
        *self.edits.get_or_insert(raw) == raw
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // Whatever it still does is of no interest, and how it ends neither.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether the process is of `session` and is computing, or about to.
fn is_computing(stat: &Path, session: i32) -> bool {
    let mut text = String::new();
    let read = fs::File::open(stat).and_then(|mut file| file.read_to_string(&mut text));
    // The name, in brackets, may have blanks and brackets itself.
    let Some((_, rest)) = text.rsplit_once(')').filter(|_| read.is_ok()) else { return false };
    let mut fields = rest.split_ascii_whitespace();
    let busy = matches!(fields.next(), Some("R" | "D"));
    busy && fields.nth(2) == Some(session.to_string().as_str())
}

/// Both sides of a terminal: the one that was granted, or a new one.
fn terminal() -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let stdin = io::stdin();
    if let Ok(slave) = ioctl_tiocgptpeer(stdin.as_fd(), flags) {
        return Ok((stdin.as_fd().try_clone_to_owned()?, slave));
    }
    let master = openpt(flags)?;
    grantpt(&master)?;
    unlockpt(&master)?;
    let slave = ioctl_tiocgptpeer(&master, flags)?;
    Ok((master, slave))
}

/// Takes the terminal that is standard input and becomes `command`; returns only if it cannot.
pub fn become_shell(command: &[String]) -> io::Error {
    let Some((program, args)) = command.split_first() else {
        return io::Error::other("there is no program to become");
    };
    let taken = setsid().and_then(|_| ioctl_tiocsctty(io::stdin()));
    match taken {
        Ok(()) => Command::new(program).args(args).exec(),
        Err(error) => error.into(),
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs().try_into().unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
