//! Whether other processes wrote to the index since this one last looked: a number in the lock file,
//! to which each write adds one. To ask for it costs a tenth of the shortest question to SQLite.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, PoisonError};

/// What one process knows of the others.
pub(super) struct Others {
    /// The lock file.
    file: File,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// How many writes there were when this process last looked or wrote.
    writes: u64,
    /// How often it found that there were others among them.
    times: u64,
}

impl Others {
    pub(super) fn new(file: File) -> Self {
        Self { file, seen: Mutex::default() }
    }

    /// A number that is the same as before only if no other process wrote to the index meanwhile. One
    /// that was killed right after it wrote may go unnoticed, and so this tells what need not be asked
    /// again, not what is true.
    pub(super) fn times(&self) -> u64 {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut seen);
        seen.times
    }

    /// Counts a write of this process, which holds the lock.
    pub(super) fn wrote(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        self.look(&mut seen);
        let next = seen.writes.wrapping_add(1);
        match self.file.write_all_at(&next.to_le_bytes(), 0) {
            Ok(()) => seen.writes = next,
            // Others do not learn of it; this one asks again.
            Err(_) => seen.times += 1,
        }
    }

    fn look(&self, seen: &mut Seen) {
        match self.writes() {
            Ok(writes) if writes == seen.writes => {}
            Ok(writes) => *seen = Seen { writes, times: seen.times + 1 },
            Err(_) => seen.times += 1,
        }
    }

    fn writes(&self) -> io::Result<u64> {
        let mut bytes = [0; 8];
        match self.file.read_exact_at(&mut bytes, 0) {
            // Nobody wrote yet.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
            read => read.map(|()| u64::from_le_bytes(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_changes_by_the_writes_of_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        File::create(&path).unwrap();
        let open = || Others::new(File::options().read(true).write(true).open(&path).unwrap());
        let (one, other) = (open(), open());
        let before = one.times();
        one.wrote();
        one.wrote();
        assert_eq!(one.times(), before);
        other.wrote();
        let after = one.times();
        assert_ne!(after, before);
        assert_eq!(one.times(), after);
        // Also where it was this one that wrote last.
        other.wrote();
        one.wrote();
        assert_ne!(one.times(), after);
    }

    #[test]
    fn what_cannot_be_read_or_written_counts_as_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        File::create(&path).unwrap();
        let only_read = Others::new(File::open(&path).unwrap());
        let before = only_read.times();
        only_read.wrote();
        assert_ne!(only_read.times(), before);
        let only_write = Others::new(File::options().write(true).open(&path).unwrap());
        assert_ne!(only_write.times(), only_write.times());
    }
}
