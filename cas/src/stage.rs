//! Bytes on their way in: copied into the store's own folder, not yet under their name. The digest
//! is that of the copy.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::Advice;

use crate::artifact::FileRef;
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::hashing::{self, Fault, Sink};
use crate::layout;
use crate::profile::{Counter, count};
use crate::put::PutError;
use crate::store::Store;

/// About so many bytes of a large file are there when the kernel is asked to begin to write them to
/// the disk, so that making them durable in the end waits for few.
const WRITE_BACK: u64 = 32 << 20;

/// What becomes of the file that bytes are taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Take {
    /// It stays as it is.
    Copy,
    /// The caller does not need it any more: it is removed once its bytes are stored.
    ///
    /// The bytes are cloned or copied all the same. Renaming the file itself into the store would
    /// need proof that nobody holds it open for writing, and the kernel's proof (`F_SETLEASE`) has
    /// no safe interface.
    Move,
    /// The same, but somebody will soon want these bytes as his own file: a single file that is too
    /// large for a pack stays until the store is dropped, if there is much room, and
    /// [`Store::materialise_into`] puts the file itself in place. Whoever else still holds it open, a
    /// program that no task started, can write to what people then have; not to the store.
    Spare,
}

/// A file in the staging folder; removed when dropped.
#[derive(Debug)]
pub(crate) struct Staged {
    pub(crate) path: PathBuf,
    pub(crate) file: FileRef,
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Renamed into the store it is gone; else the folder goes with the process.
        let _ = fs::remove_file(&self.path);
    }
}

/// A regular file that is open for reading.
pub(crate) struct Source {
    pub(crate) file: File,
    /// As it was opened.
    pub(crate) metadata: Metadata,
}

impl Source {
    pub(crate) fn size(&self) -> u64 {
        self.metadata.len()
    }

    /// Whether its owner may execute it.
    pub(crate) fn is_executable(&self) -> bool {
        self.metadata.mode() & 0o100 != 0
    }
}

impl Store {
    /// Stages bytes that are in memory.
    pub(crate) fn stage_bytes(&self, bytes: &[u8], executable: bool) -> Result<Staged, IoError> {
        let path = self.fresh_path()?;
        let mut target = create(&path)?;
        let blob = BlobId(Digest::of(bytes));
        let file = FileRef { blob, size: bytes.len() as u64, executable };
        let staged = Staged { path, file };
        target.write_all(bytes).at("write", &staged.path)?;
        seal(&target, &staged)?;
        Ok(staged)
    }

    /// Stages the bytes of the regular file at `path`, from its start.
    pub(crate) fn stage_file(&self, path: &Path, source: &Source) -> Result<Staged, PutError> {
        let (executable, source) = (source.is_executable(), &source.file);
        let staged_path = self.fresh_path()?;
        let target = create(&staged_path)?;
        let file = FileRef { blob: BlobId(Digest::from_bytes([0; 32])), size: 0, executable };
        let mut staged = Staged { path: staged_path, file };
        let hashed = if rustix::fs::ioctl_ficlone(&target, source).is_ok() {
            hashing::hash(&target).at("read", &staged.path)
        } else {
            match hashing::hash_into(source, &Copy(&target)) {
                Err(Fault::Read(error)) => Err(error).at("read", path),
                Err(Fault::Write(error)) => Err(error).at("write", &staged.path),
                Ok(hashed) => Ok(hashed),
            }
        };
        let (digest, size) = hashed?;
        count(Counter::FilesHashed, 1);
        count(Counter::BytesHashed, size);
        staged.file = FileRef { blob: BlobId(digest), size, executable };
        seal(&target, &staged)?;
        Ok(staged)
    }
}

/// The copy of a file, whose bytes begin early on their way to the disk.
struct Copy<'a>(&'a File);

impl Sink for Copy<'_> {
    fn take(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn took(&self, offset: u64, length: u64) {
        if (WRITE_BACK..2 * WRITE_BACK).contains(&length) {
            // Linux begins to write what is dirty; of the page cache it drops only what is clean.
            // That it cannot is no failure: the sync writes all.
            let _ = rustix::fs::fadvise(self.0, offset, NonZeroU64::new(length), Advice::DontNeed);
        }
    }

    fn restart(&self) -> io::Result<()> {
        self.0.set_len(0)
    }
}

/// Opens a regular file for reading, following no link and waiting for no writer of a pipe.
pub(crate) fn open_regular(path: &Path) -> Result<Source, PutError> {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let source = match File::options().read(true).custom_flags(flags).open(path) {
        Err(error) if is_no_file(&error) => {
            return Err(PutError::NotRegular { path: path.to_owned() });
        }
        opened => opened.at("open", path)?,
    };
    let metadata = source.metadata().at("stat", path)?;
    if !metadata.is_file() {
        return Err(PutError::NotRegular { path: path.to_owned() });
    }
    Ok(Source { file: source, metadata })
}

/// Whether opening failed because a link, a socket or a device without a driver is there.
fn is_no_file(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(nix::libc::ELOOP | nix::libc::ENXIO | nix::libc::ENODEV))
}

fn create(path: &Path) -> Result<File, IoError> {
    count(Counter::FilesStored, 1);
    File::options()
        .create_new(true)
        .read(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .at("create", path)
}

/// Makes a staged file read-only for good.
fn seal(target: &File, staged: &Staged) -> Result<(), IoError> {
    let mode = if staged.file.executable { 0o555 } else { 0o444 };
    layout::set_mode(target, mode).at("set the mode of", &staged.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A copy of a file that is cut while it is copied.
    struct Cut<'a>(Copy<'a>, &'a File);

    impl Sink for Cut<'_> {
        fn take(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            self.1.set_len(100)?;
            self.0.take(offset, bytes)
        }

        fn restart(&self) -> io::Result<()> {
            self.0.restart()
        }
    }

    #[test]
    fn the_copy_of_a_file_that_is_cut_meanwhile_is_cut_too() {
        let (source, target) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        source.write_all_at(&vec![7; 5 << 20], 0).unwrap();
        let hashed = hashing::hash_into(&source, &Cut(Copy(&target), &source)).unwrap();
        assert_eq!(hashed, (Digest::of(&[7; 100]), 100));
        assert_eq!(target.metadata().unwrap().len(), 100);
    }
}
