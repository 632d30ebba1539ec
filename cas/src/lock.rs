//! One action key at a time: a lock on a byte of one file, at an offset that the key gives, so
//! that whoever wants the same key waits in the kernel.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::digest::ActionKey;
use crate::error::{AtPath, IoError};
use crate::store::Store;

/// A key cannot be locked.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct LockError(#[from] IoError);

/// The sole right to make one key's result, among threads and processes, until it is dropped.
#[derive(Debug)]
#[must_use = "dropping it unlocks the key"]
pub struct KeyLock {
    /// The lock belongs to this open file and goes with it.
    _file: File,
}

/// Locks keys; apart from the store, so that to wait for a key keeps no store open.
#[derive(Debug, Clone)]
pub struct KeyLocks {
    file: PathBuf,
}

impl KeyLocks {
    /// Waits until no other thread or process holds `key`, then holds it.
    ///
    /// Whoever held it before has mostly made the result, so look it up before making it.
    ///
    /// # Errors
    /// If the store's file of locks cannot be opened or locked.
    pub fn lock(&self, key: ActionKey) -> Result<KeyLock, LockError> {
        let file = open(&self.file)?;
        let range = range(key);
        loop {
            match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range)) {
                Ok(_) => return Ok(KeyLock { _file: file }),
                Err(Errno::EINTR) => {}
                Err(errno) => {
                    return Err(io::Error::from(errno)).at("lock a key in", &self.file)?;
                }
            }
        }
    }

    /// Holds `key` if nobody else does, without waiting.
    ///
    /// # Errors
    /// See [`KeyLocks::lock`].
    pub fn try_lock(&self, key: ActionKey) -> Result<Option<KeyLock>, LockError> {
        let file = open(&self.file)?;
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&range(key))) {
            Ok(_) => Ok(Some(KeyLock { _file: file })),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(io::Error::from(errno)).at("lock a key in", &self.file)?,
        }
    }
}

impl Store {
    /// Locks of the store's keys.
    pub fn key_locks(&self) -> KeyLocks {
        KeyLocks { file: self.layout.key_lock_file() }
    }

    /// See [`KeyLocks::lock`].
    pub fn lock_key(&self, key: ActionKey) -> Result<KeyLock, LockError> {
        self.key_locks().lock(key)
    }

    /// See [`KeyLocks::try_lock`].
    pub fn try_lock_key(&self, key: ActionKey) -> Result<Option<KeyLock>, LockError> {
        self.key_locks().try_lock(key)
    }
}

/// A file of its own for each lock, which excludes threads of one process too.
fn open(path: &Path) -> Result<File, IoError> {
    File::options().create(true).truncate(false).read(true).write(true).open(path).at("open", path)
}

/// One byte at an offset below 2^62: two keys sharing one is as unlikely as it is harmless.
fn range(key: ActionKey) -> libc::flock {
    let [a, b, c, d, e, f, g, h, ..] = *key.digest().as_bytes();
    let offset = i64::from_le_bytes([a, b, c, d, e, f, g, h & 0x3f]);
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset,
        l_len: 1,
        l_pid: 0,
    }
}
