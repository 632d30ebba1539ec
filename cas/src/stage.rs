//! Bytes on their way in: copied into the store's own folder, not yet under their name. The digest
//! is that of the copy.

use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::artifact::FileRef;
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::layout;
use crate::profile::{Counter, Phase, Timed, count};
use crate::put::PutError;
use crate::store::Store;

const BUFFER: usize = 128 * 1024;
/// A file of so many bytes is hashed by all cores, once it is copied.
const LARGE: u64 = 1 << 20;

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
    pub(crate) size: u64,
    pub(crate) executable: bool,
}

impl Store {
    /// Stages bytes that are in memory.
    pub(crate) fn stage_bytes(&self, bytes: &[u8], executable: bool) -> Result<Staged, IoError> {
        let path = self.fresh_path();
        let mut target = create(&path)?;
        let blob = BlobId(Digest::of(bytes));
        let file = FileRef { blob, size: bytes.len() as u64, executable };
        let staged = Staged { path, file };
        target.write_all(bytes).at("write", &staged.path)?;
        seal(&target, &staged)?;
        Ok(staged)
    }

    /// Stages the bytes of the regular file at `path`, from its start.
    pub(crate) fn stage_file(&self, path: &Path, source: Source) -> Result<Staged, PutError> {
        let Source { file: mut source, size, executable } = source;
        source.rewind().at("read", path)?;
        let staged_path = self.fresh_path();
        let mut target = create(&staged_path)?;
        let file = FileRef { blob: BlobId(Digest::from_bytes([0; 32])), size: 0, executable };
        let mut staged = Staged { path: staged_path, file };
        let cloned = rustix::fs::ioctl_ficlone(&target, &source).is_ok();
        let (blob, size) = if !cloned && size < LARGE {
            copy(&mut source, path, &mut target, &staged.path)?
        } else {
            if !cloned {
                // Within the kernel where it can.
                io::copy(&mut source, &mut target).at("copy", path)?;
            }
            hash_whole(&staged.path).at("read", &staged.path)?
        };
        count(Counter::FilesHashed, 1);
        count(Counter::BytesHashed, size);
        staged.file = FileRef { blob, size, executable };
        seal(&target, &staged)?;
        Ok(staged)
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
    let (size, executable) = (metadata.len(), metadata.mode() & 0o100 != 0);
    Ok(Source { file: source, size, executable })
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

fn copy(
    source: &mut File,
    from: &Path,
    target: &mut File,
    to: &Path,
) -> Result<(BlobId, u64), IoError> {
    let mut buffer = vec![0; BUFFER];
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
    loop {
        let count = read_some(source, &mut buffer).at("read", from)?;
        if count == 0 {
            return Ok((BlobId(Digest::from_bytes(*hasher.finalize().as_bytes())), size));
        }
        hasher.update(&buffer[..count]);
        target.write_all(&buffer[..count]).at("write", to)?;
        size += count as u64;
    }
}

/// The digest and number of the bytes of a file that nobody else writes, by all cores.
fn hash_whole(path: &Path) -> io::Result<(BlobId, u64)> {
    let mut hasher = blake3::Hasher::new();
    let _hashing = Timed::new(Phase::Hash);
    hasher.update_mmap_rayon(path)?;
    Ok((BlobId(Digest::from_bytes(*hasher.finalize().as_bytes())), hasher.count()))
}

/// The digest and number of the bytes that `source` still has.
pub(crate) fn hash(source: &mut impl Read) -> io::Result<(BlobId, u64)> {
    let mut buffer = vec![0; BUFFER];
    let (mut hasher, mut size) = (blake3::Hasher::new(), 0);
    loop {
        let count = read_some(source, &mut buffer)?;
        if count == 0 {
            return Ok((BlobId(Digest::from_bytes(*hasher.finalize().as_bytes())), size));
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

fn read_some(source: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}
