//! What vwfb and its launcher say to each other over two pipes: messages in postcard, each with its
//! length before it.
//!
//! Both ends are the same binary started moments apart, so the format has no versions.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::failure::Unstartable;
use crate::sandbox::Rules;
use crate::shell::OnlyCommand;

/// From vwfb to the launcher.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Request<R> {
    /// Prepare a process and start it when it is its turn; only when none runs. What Landlock lets
    /// it do; `None` starts it unrestricted.
    Run(R, Option<NumberedRules>),
    /// Stop the process that runs or start none after all; without one, nothing.
    Cancel,
}

/// One process, complete: the launcher adds nothing of its own environment.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    /// The file to execute, absolute.
    pub(crate) program: PathBuf,
    /// Its arguments, without its own name.
    pub(crate) args: Vec<String>,
    /// If it is a shell that would only start one program: that program.
    pub(crate) only: Option<Only>,
    /// Its whole environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Its working directory.
    pub(crate) cwd: PathBuf,
    /// The file that is its standard input.
    pub(crate) stdin: PathBuf,
    /// Whether a new terminal's controlling side is that instead.
    pub(crate) terminal: bool,
    /// The output that its standard output is appended to; the log otherwise.
    pub(crate) stdout: Option<PathBuf>,
    /// The same for standard error.
    pub(crate) stderr: Option<PathBuf>,
    /// The file for what it prints, made if it prints anything.
    pub(crate) log: PathBuf,
    /// After how many milliseconds it is stopped.
    pub(crate) timeout_ms: Option<u64>,
    /// How many milliseconds pass between TERM and KILL.
    pub(crate) grace_ms: u64,
    /// The pipe with the turns, if it waits for one.
    pub(crate) turns: Option<PathBuf>,
}

/// A program that is started instead of the shell whose script starts nothing else.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Only {
    /// The file to execute, absolute.
    pub(crate) program: PathBuf,
    /// What its script says. Where a redirection is not to a file of the working directory, the
    /// shell is to say why.
    pub(crate) command: OnlyCommand,
}

/// Rules that a launcher is told in full once, and by their number after that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberedRules {
    /// Which rules these are.
    pub(crate) number: usize,
    /// What the number means from now on; without, what it was last said to mean.
    pub(crate) meaning: Option<Rules>,
}

/// From the launcher to vwfb.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Reply {
    /// It reads requests from now on.
    Ready,
    /// The process and all its descendants are dead.
    Exited(Exited),
    /// No process was started, nor can it be.
    Unstartable(Unstartable),
    /// No process was started.
    Refused {
        /// What failed.
        what: String,
        /// The system's error number, where there is one.
        errno: Option<i32>,
    },
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Exited {
    /// Its exit code, unless a signal ended it.
    pub(crate) code: Option<i32>,
    /// The signal that ended it.
    pub(crate) signal: Option<i32>,
    /// Whether it was stopped at its timeout.
    pub(crate) timed_out: bool,
    /// Whether it was stopped by a cancel request.
    pub(crate) cancelled: bool,
    /// How many descendants outlived it and were killed.
    pub(crate) orphans: u32,
    /// Whether it printed anything, so that there is a log.
    pub(crate) printed: bool,
    /// Why its log could not be written, if so.
    pub(crate) log_errno: Option<i32>,
    /// How long it ran, in milliseconds of wall time.
    pub(crate) duration_ms: u64,
    /// How long it waited for its turn, in microseconds of wall time.
    pub(crate) waited_us: u64,
}

impl Exited {
    /// A process that was cancelled before it was started.
    pub(crate) const UNSTARTED: Self = Self {
        code: None,
        signal: None,
        timed_out: false,
        cancelled: true,
        orphans: 0,
        printed: false,
        log_errno: None,
        duration_ms: 0,
        waited_us: 0,
    };

    /// Whether there was a process.
    pub(crate) fn has_run(&self) -> bool {
        self.code.is_some() || self.signal.is_some()
    }
}

/// What arrived is no message.
#[derive(Debug, thiserror::Error)]
#[error("not a message: {0}")]
pub struct WireError(#[from] postcard::Error);

impl From<WireError> for io::Error {
    fn from(error: WireError) -> Self {
        Self::new(io::ErrorKind::InvalidData, error)
    }
}

/// How many bytes say how long a message is.
const LENGTH: usize = size_of::<u32>();

/// So long a message may be, in bytes: far longer than what the kernel starts a program with.
const LONGEST: usize = 256 << 20;

/// The bytes of `message` with their number before them.
pub(crate) fn framed(message: &impl Serialize) -> Result<Vec<u8>, WireError> {
    let mut bytes = postcard::to_extend(message, vec![0; LENGTH])?;
    let length = Some(bytes.len() - LENGTH).filter(|length| *length <= LONGEST);
    let length = length.and_then(|length| u32::try_from(length).ok());
    let length = length.ok_or(postcard::Error::SerializeBufferFull)?;
    bytes[..LENGTH].copy_from_slice(&length.to_le_bytes());
    Ok(bytes)
}

/// Splits what arrives on a pipe into messages, without reading more than one `read` at a time.
#[derive(Debug)]
pub(crate) struct Inbox<F> {
    pipe: F,
    pending: Vec<u8>,
}

impl<F: AsFd> Inbox<F> {
    /// Reads from `pipe`.
    pub(crate) fn new(pipe: F) -> Self {
        Self { pipe, pending: Vec::new() }
    }

    /// The pipe, for polling.
    pub(crate) fn pipe(&self) -> &F {
        &self.pipe
    }

    /// The next message that has arrived whole.
    pub(crate) fn take<T: DeserializeOwned>(&mut self) -> Option<Result<T, WireError>> {
        let (length, rest) = self.pending.split_first_chunk::<LENGTH>()?;
        let length = u32::from_le_bytes(*length) as usize;
        if length > LONGEST {
            return Some(Err(WireError(postcard::Error::DeserializeBadEncoding)));
        }
        let message = match postcard::take_from_bytes(rest.get(..length)?) {
            Ok((message, [])) => Ok(message),
            Ok((_, _more)) => Err(WireError(postcard::Error::DeserializeBadEncoding)),
            Err(error) => Err(WireError(error)),
        };
        self.pending.drain(..LENGTH + length);
        Some(message)
    }

    /// Reads once, blocking until something is there; `false` at the end of the pipe.
    pub(crate) fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let count = rustix::io::retry_on_intr(|| rustix::io::read(&self.pipe, &mut chunk))?;
        self.pending.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn rules(number: usize) -> NumberedRules {
        let read = vec![PathBuf::from("/a b/ä"); number * 1000];
        let meaning = Some(Rules { read, ..Rules::default() });
        NumberedRules { number, meaning }
    }

    #[test]
    fn messages_arrive_one_by_one_however_the_pipe_cuts_them() {
        let all: Vec<u8> = (0..4).flat_map(|it| framed(&rules(it)).unwrap()).collect();
        for part in [1, 3, 5000, all.len()] {
            let (reading, mut writing) = io::pipe().unwrap();
            let mut inbox = Inbox::new(reading);
            let (mut arrived, mut sent) = (Vec::new(), all.chunks(part));
            while arrived.len() < 4 {
                match inbox.take::<NumberedRules>() {
                    Some(message) => arrived.push(message.unwrap()),
                    None => {
                        if let Some(part) = sent.next() {
                            writing.write_all(part).unwrap();
                        }
                        assert!(inbox.fill().unwrap());
                    }
                }
            }
            assert_eq!(arrived, [0, 1, 2, 3].map(rules));
            assert!(inbox.take::<NumberedRules>().is_none());
            drop(writing);
            assert!(!inbox.fill().unwrap());
        }
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        let (reading, mut writing) = io::pipe().unwrap();
        // A reply of which there is none, one with more behind it, and a text.
        writing.write_all(&[3, 0, 0, 0, 255, 255, 255, 2, 0, 0, 0, 0, 0]).unwrap();
        writing.write_all(b"error: no such file\n").unwrap();
        let mut inbox = Inbox::new(reading);
        assert!(inbox.fill().unwrap());
        for _ in 0..3 {
            assert!(inbox.take::<Reply>().unwrap().is_err());
        }
    }
}
