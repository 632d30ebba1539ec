//! What a task prints, on its way from a pipe to a file.
//!
//! A pipe, so that the task can open `/dev/stderr` again, which for a file outside its reach the
//! sandbox would deny; and so that a task that prints without end does not fill the disk.

use std::fs::File;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// How much is kept.
const LIMIT: usize = 64 << 20;
/// How many reads there are before the clock and vwfb are heard again.
const TURN: usize = 64;
const CUT_OFF: &[u8] = b"\n[vwfb: the log is cut off here, after 64 MiB]\n";

/// The reading end and the file.
pub(crate) struct Log {
    pipe: PipeReader,
    /// Kept open, so that a task that closes its own wakes nobody.
    printed: PipeWriter,
    path: PathBuf,
    /// Made with the first byte.
    file: Option<File>,
    left: usize,
    failed: Option<io::Error>,
}

impl Log {
    /// A log that becomes the file `path` with the first byte.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let (pipe, printed) = io::pipe()?;
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let path = path.to_owned();
        Ok(Self { pipe, printed, path, file: None, left: LIMIT, failed: None })
    }

    /// The end to print to.
    pub(crate) fn printed(&self) -> BorrowedFd<'_> {
        self.printed.as_fd()
    }

    /// The reading end, for polling.
    pub(crate) fn pipe(&self) -> &PipeReader {
        &self.pipe
    }

    /// Whether there is a file.
    pub(crate) fn is_made(&self) -> bool {
        self.file.is_some()
    }

    /// Keeps all that has been printed, once nobody prints any more.
    pub(crate) fn drain(&mut self) {
        while self.keep_some() {}
    }

    /// Keeps what has been printed by now, but no more than a turn's worth: several processes may
    /// print faster than one reads. Whether there may be more.
    pub(crate) fn keep_some(&mut self) -> bool {
        let mut chunk = [0; 16 * 1024];
        for _ in 0..TURN {
            match self.pipe.read(&mut chunk) {
                Ok(count) => self.keep(&chunk[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// The error number of the write that failed, if one did; what came after it is lost.
    pub(crate) fn errno(&self) -> Option<i32> {
        self.failed.as_ref().map(|error| error.raw_os_error().unwrap_or_default())
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.failed.is_some() || self.left == 0 {
            return;
        }
        let kept = bytes.len().min(self.left);
        self.left -= kept;
        let end = if self.left == 0 { CUT_OFF } else { &[] };
        if let Err(error) = self.write(&[&bytes[..kept], end]) {
            self.failed = Some(error);
        }
    }

    fn write(&mut self, parts: &[&[u8]]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::create(&self.path)?),
        };
        parts.iter().try_for_each(|part| file.write_all(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_printed_is_kept_up_to_the_limit() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log");
        let mut log = Log::open(&path).unwrap();
        let mut printed = log.printed.try_clone().unwrap();
        log.drain();
        assert!(!path.exists() && !log.is_made());
        log.left = 5;
        printed.write_all(b"hello, world").unwrap();
        drop(printed);
        log.drain();
        assert!(log.is_made() && log.errno().is_none());
        assert_eq!(std::fs::read(&path).unwrap(), [b"hello", CUT_OFF].concat());
    }

    #[test]
    fn one_who_prints_without_end_does_not_hold_up_the_reader() {
        let temp = tempfile::tempdir().unwrap();
        let mut log = Log::open(&temp.path().join("log")).unwrap();
        let mut printed = log.printed.try_clone().unwrap();
        rustix::pipe::fcntl_setpipe_size(&printed, 1 << 20).unwrap();
        printed.write_all(&[b'x'; 1 << 20]).unwrap();
        assert!(log.keep_some(), "a turn ends though the pipe may have been filled meanwhile");
        assert_eq!(log.left, LIMIT - (1 << 20));
        assert!(!log.keep_some());
    }

    #[test]
    fn a_log_that_cannot_be_written_says_so() {
        let mut log = Log::open(Path::new("/no/such/folder/log")).unwrap();
        (&log.printed).write_all(b"x").unwrap();
        log.drain();
        assert_eq!(log.errno(), Some(2));
    }
}
