//! One action key at a time: a lock on a byte of one file, at an offset that the key gives, so
//! that whoever wants the same key waits in the kernel.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

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
    key: ActionKey,
    table: Arc<Table>,
    /// Whether the key was seen to have no result since this lock was taken.
    vacant: AtomicBool,
}

/// Locks keys; apart from the store, so that to wait for a key keeps no store open.
#[derive(Debug, Clone)]
pub struct KeyLocks(Arc<Table>);

/// The keys that one open store holds.
///
/// They are locked through one open file, however many they are. The kernel tells other processes
/// apart by it, but not our threads, so these are told apart here.
#[derive(Debug)]
struct Table {
    path: PathBuf,
    file: OnceLock<File>,
    /// The places in the file that a thread of ours holds or waits for.
    held: Mutex<BTreeSet<i64>>,
    released: Condvar,
}

impl KeyLocks {
    pub(crate) fn new(path: PathBuf) -> Self {
        let (held, released) = (Mutex::default(), Condvar::new());
        Self(Arc::new(Table { path, file: OnceLock::new(), held, released }))
    }

    /// Waits until no other thread or process holds `key`, then holds it.
    ///
    /// Whoever held it before has mostly made the result, so look it up before making it.
    ///
    /// # Errors
    /// If the store's file of locks cannot be opened or locked.
    pub fn lock(&self, key: ActionKey) -> Result<KeyLock, LockError> {
        let file = self.0.file()?;
        let mut held = self.0.held();
        while held.contains(&offset(key)) {
            held = self.0.released.wait(held).unwrap_or_else(PoisonError::into_inner);
        }
        held.insert(offset(key));
        drop(held);
        let lock = self.owned(key);
        loop {
            match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLKW(&range(key, libc::F_WRLCK))) {
                Ok(_) => return Ok(lock),
                Err(Errno::EINTR) => {}
                Err(errno) => Err(io::Error::from(errno)).at("lock a key in", &self.0.path)?,
            }
        }
    }

    /// Holds `key` if nobody else does, without waiting.
    ///
    /// # Errors
    /// See [`KeyLocks::lock`].
    pub fn try_lock(&self, key: ActionKey) -> Result<Option<KeyLock>, LockError> {
        let file = self.0.file()?;
        if !self.0.held().insert(offset(key)) {
            return Ok(None);
        }
        let lock = self.owned(key);
        match fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&range(key, libc::F_WRLCK))) {
            Ok(_) => Ok(Some(lock)),
            Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
            Err(errno) => Err(io::Error::from(errno)).at("lock a key in", &self.0.path)?,
        }
    }

    fn owned(&self, key: ActionKey) -> KeyLock {
        KeyLock { key, table: Arc::clone(&self.0), vacant: AtomicBool::new(false) }
    }
}

impl Table {
    fn file(&self) -> Result<&File, IoError> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        let opened = open(&self.path)?;
        Ok(self.file.get_or_init(|| opened))
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLock {
    /// The key that is locked.
    pub fn key(&self) -> ActionKey {
        self.key
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.vacant.load(Ordering::Relaxed)
    }

    /// Notes that the key has no result, which nobody but the owner of this can change.
    pub(crate) fn set_vacant(&self) {
        self.vacant.store(true, Ordering::Relaxed);
    }
}

impl Drop for KeyLock {
    fn drop(&mut self) {
        if let Some(file) = self.table.file.get() {
            // Closing the file unlocks it too, so a failure here costs waiting, not safety.
            let _ = fcntl(file.as_fd(), FcntlArg::F_OFD_SETLK(&range(self.key, libc::F_UNLCK)));
        }
        self.table.held().remove(&offset(self.key));
        self.table.released.notify_all();
    }
}

impl Store {
    /// Locks of the store's keys.
    pub fn key_locks(&self) -> KeyLocks {
        self.key_locks.clone()
    }

    /// See [`KeyLocks::lock`].
    pub fn lock_key(&self, key: ActionKey) -> Result<KeyLock, LockError> {
        self.key_locks.lock(key)
    }

    /// See [`KeyLocks::try_lock`].
    pub fn try_lock_key(&self, key: ActionKey) -> Result<Option<KeyLock>, LockError> {
        self.key_locks.try_lock(key)
    }
}

fn open(path: &Path) -> Result<File, IoError> {
    File::options().create(true).truncate(false).read(true).write(true).open(path).at("open", path)
}

/// The key's place: below 2^62, so two keys sharing one is as unlikely as it is harmless.
fn offset(key: ActionKey) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *key.digest().as_bytes();
    i64::from_le_bytes([a, b, c, d, e, f, g, h & 0x3f])
}

fn range(key: ActionKey, kind: libc::c_int) -> libc::flock {
    libc::flock {
        l_type: kind as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: offset(key),
        l_len: 1,
        l_pid: 0,
    }
}
