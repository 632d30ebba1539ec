//! Whether other processes wrote to the index since this one last looked: a number in the lock file,
//! to which each write adds one before its transaction and one after it. While it is odd, somebody
//! writes, or was killed while he wrote. To look at it costs a tenth of the shortest question to SQLite.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What one process knows of the others.
pub(super) struct Others {
    /// The lock file.
    file: File,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// The number when this process last looked or wrote.
    number: u64,
    /// Whether it is this process that writes.
    is_ours: bool,
    /// How often it found that others write or had written.
    times: u64,
}

impl Others {
    pub(super) fn new(file: File) -> Self {
        Self { file, seen: Mutex::default() }
    }

    /// A number that is the same as before only if no other process wrote to the index meanwhile.
    pub(super) fn times(&self) -> u64 {
        let mut seen = self.seen();
        self.look(&mut seen);
        seen.times
    }

    /// Says that this process writes from now on; it holds the lock.
    ///
    /// # Errors
    /// If others would not learn of it.
    pub(super) fn begin(&self) -> io::Result<()> {
        let mut seen = self.seen();
        self.look(&mut seen);
        // Odd, also after one who was killed.
        let number = (seen.number | 1).wrapping_add(if seen.number & 1 == 1 { 2 } else { 0 });
        self.file.write_all_at(&number.to_le_bytes(), 0)?;
        seen.number = number;
        seen.is_ours = true;
        Ok(())
    }

    /// Says that it has written.
    pub(super) fn end(&self) {
        let mut seen = self.seen();
        seen.is_ours = false;
        let number = seen.number.wrapping_add(1);
        // Where it stays odd, others go on asking.
        match self.file.write_all_at(&number.to_le_bytes(), 0) {
            Ok(()) => seen.number = number,
            Err(_) => seen.times += 1,
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look(&self, seen: &mut Seen) {
        match self.number() {
            Ok(number) if number == seen.number && (number & 1 == 0 || seen.is_ours) => {}
            Ok(number) => {
                seen.number = number;
                seen.times += 1;
            }
            Err(_) => seen.times += 1,
        }
    }

    fn number(&self) -> io::Result<u64> {
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

    fn written(others: &Others) {
        others.begin().unwrap();
        others.end();
    }

    /// Several processes at one lock file.
    fn several<const N: usize>(folder: &tempfile::TempDir) -> [Others; N] {
        let path = folder.path().join("lock");
        File::create(&path).unwrap();
        [(); N].map(|()| Others::new(File::options().read(true).write(true).open(&path).unwrap()))
    }

    #[test]
    fn the_number_changes_by_the_writes_of_others_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = several(&folder);
        let before = one.times();
        written(&one);
        one.begin().unwrap();
        assert_eq!(one.times(), before);
        one.end();
        assert_eq!(one.times(), before);
        written(&other);
        let after = one.times();
        assert_ne!(after, before);
        assert_eq!(one.times(), after);
        // Also where it was this one that wrote last.
        written(&other);
        written(&one);
        assert_ne!(one.times(), after);
    }

    #[test]
    fn while_another_writes_and_after_one_was_killed_each_look_says_something_else() {
        let folder = tempfile::tempdir().unwrap();
        let [one, killed, third] = several(&folder);
        killed.begin().unwrap();
        drop(killed);
        let (before, again) = (one.times(), one.times());
        assert_ne!(before, again);
        written(&third);
        let after = one.times();
        assert_ne!(after, again);
        assert_eq!(one.times(), after);
        written(&one);
        assert_eq!(one.times(), after);
    }

    #[test]
    fn what_cannot_be_read_or_written_counts_as_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        File::create(&path).unwrap();
        let only_read = Others::new(File::open(&path).unwrap());
        assert!(only_read.begin().is_err());
        let only_write = Others::new(File::options().write(true).open(&path).unwrap());
        assert_ne!(only_write.times(), only_write.times());
    }
}
