//! A terminal of a task's own. It is opened before the task is confined: one that may open any
//! terminal could read from, write to and type at those of whoever started vwfb.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A new pseudo-terminal.
#[derive(Debug)]
pub(crate) struct Terminal {
    master: OwnedFd,
    slave: PathBuf,
}

impl Terminal {
    /// Opens one that nobody else has.
    pub(crate) fn open() -> io::Result<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let slave = ptsname(&master, Vec::new())?.into_bytes();
        Ok(Self { master, slave: std::ffi::OsString::from_vec(slave).into() })
    }

    /// The side that controls it, as a task's standard input.
    pub(crate) fn stdin(&self) -> BorrowedFd<'_> {
        self.master.as_fd()
    }

    /// The other side, which programs take for their terminal. The name is its own only for as
    /// long as the terminal is open.
    pub(crate) fn slave(&self) -> &Path {
        &self.slave
    }
}
