//! Starts a process that is confined before it is another program, without copying this one.
//!
//! `std` starts a process by `posix_spawn`, in which nothing of ours can be done between the new
//! process and its program, or by `fork`, which copies this one. Here the new process borrows this
//! one's memory until it is another program, as after `vfork`: it confines itself alone, and costs
//! the same whatever memory there is. See `docs/design/0014-vfork.md`.

mod child;
mod image;
mod vfork;

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::process::{Pid, WaitOptions, waitpid};
use rustix::thread::CapabilitySets;

pub use image::{Access, Image, Redirection};

use child::{Child, Prepared};
use image::Pointers;

/// What is started, and how.
#[derive(Debug)]
pub struct Start<'a> {
    /// The first of these whose redirections can all be opened is started; the last has none.
    pub images: &'a [Image],
    /// The whole environment.
    pub env: &'a BTreeMap<String, String>,
    /// The working directory.
    pub folder: &'a Path,
    /// Standard input, output and error.
    pub streams: [BorrowedFd<'a>; 3],
    /// The Landlock ruleset that it is held to. This process must have set `no_new_privs`.
    pub ruleset: Option<BorrowedFd<'a>>,
    /// The capabilities that it is left with; `None` leaves those of this process.
    pub capabilities: Option<CapabilitySets>,
}

/// A process that has become its program. It leads a process group of its own, and no signal is
/// blocked.
#[derive(Debug)]
pub struct Started {
    /// Its number, which stays its own until somebody waits for its end.
    pub pid: Pid,
    /// A handle to it, which is readable once it has ended.
    pub pidfd: OwnedFd,
}

/// No process was started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An argument, a variable or a path holds a zero byte, which would end it.
    #[error("a zero byte in an argument or a variable")]
    ZeroByte,
    /// The system refused something.
    #[error("cannot {step}")]
    System {
        /// What.
        step: Step,
        /// What it said.
        source: io::Error,
    },
}

/// What is done for a process, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Making the process.
    Clone,
    /// Giving up capabilities.
    Capabilities,
    /// Being held to the ruleset.
    Restrict,
    /// Going to the working directory.
    Folder,
    /// Setting the standard streams.
    Streams,
    /// Leading a group.
    Group,
    /// Forgetting how this process reacts to signals.
    Signals,
    /// Becoming the program.
    Program,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Clone => "make a process",
            Self::Capabilities => "give up capabilities",
            Self::Restrict => "confine the process",
            Self::Folder => "enter the working directory",
            Self::Streams => "set the standard streams",
            Self::Group => "make a process group",
            Self::Signals => "reset signals",
            Self::Program => "start the program",
        })
    }
}

impl Start<'_> {
    /// Starts it, and returns when it has become its program.
    ///
    /// # Errors
    /// See [`StartError`]; nothing runs then, and no child is left to be waited for.
    pub fn start(&self) -> Result<Started, StartError> {
        let strings = self.env.iter().map(|(name, value)| c_string(format!("{name}={value}")));
        let env: Vec<CString> = strings.collect::<Result<_, _>>()?;
        let folder = c_string(self.folder.as_os_str().as_bytes())?;
        let env = Pointers::to(&env);
        let [stdin, stdout, stderr] = self.streams.map(out_of_the_way);
        let streams = [stdin?, stdout?, stderr?];
        let images: Vec<Prepared<'_>> = self.images.iter().map(Image::prepared).collect();
        let child = Child {
            images: &images,
            env: &env,
            folder: &folder,
            streams: streams.each_ref().map(AsFd::as_fd),
            ruleset: self.ruleset,
            capabilities: self.capabilities,
            failed: Default::default(),
        };
        let started = vfork::start(&child).map_err(|source| failed(Step::Clone, source))?;
        match child.failed.take() {
            None => Ok(started),
            Some((step, errno)) => {
                // It has ended.
                let wait = || waitpid(Some(started.pid), WaitOptions::empty());
                let _status = rustix::io::retry_on_intr(wait);
                Err(failed(step, errno.into()))
            }
        }
    }
}

fn failed(step: Step, source: io::Error) -> StartError {
    StartError::System { step, source }
}

fn c_string(text: impl Into<Vec<u8>>) -> Result<CString, StartError> {
    CString::new(text).map_err(|_| StartError::ZeroByte)
}

/// A file that a new process has open beside its standard streams, until these are set.
enum Beside<'a> {
    Is(BorrowedFd<'a>),
    Copied(OwnedFd),
}

impl AsFd for Beside<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Is(file) => *file,
            Self::Copied(file) => file.as_fd(),
        }
    }
}

/// What is a standard stream of this process, under another number.
fn out_of_the_way(file: BorrowedFd<'_>) -> Result<Beside<'_>, StartError> {
    if file.as_raw_fd() > 2 {
        return Ok(Beside::Is(file));
    }
    let copied = rustix::io::fcntl_dupfd_cloexec(file, 3);
    copied.map(Beside::Copied).map_err(|source| failed(Step::Streams, source.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_where_a_standard_stream_will_be() {
        let (stdin, stdout, stderr) = (io::stdin(), io::stdout(), io::stderr());
        for stream in [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()] {
            assert!(out_of_the_way(stream).unwrap().as_fd().as_raw_fd() > 2);
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        let beside = out_of_the_way(file.as_fd()).unwrap();
        assert_eq!(beside.as_fd().as_raw_fd(), file.as_raw_fd());
    }
}
