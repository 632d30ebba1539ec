//! The store itself: opened, shared by the threads of a process, and closed cleanly or not.

use std::fs::{self, File};
use std::io;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crate::clock::{Clock, SystemClock, UnixMillis};
use crate::dir;
use crate::error::{AtPath, IoError};
use crate::index::{Index, IndexError, Object, Outlive, Sequence};
use crate::layout::{self, FORMAT, Layout};
use crate::lease::{self, Dead, Lease};
use crate::lock::KeyLocks;
use crate::packs::Packs;
use crate::pending::Pending;
use crate::rebuild;
use crate::spare::Spares;

/// The store cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder holds something else.
    #[error("`{}` is not empty and is no vwfb store", path.display())]
    Foreign {
        /// The folder.
        path: PathBuf,
    },
    /// The store is of another version of vwfb.
    #[error("the store `{}` has format {found}, this vwfb reads format {FORMAT}", path.display())]
    Format {
        /// The store's folder.
        path: PathBuf,
        /// The format it has.
        found: u32,
    },
    /// The index cannot be replaced while another process uses it.
    #[error("the index of the store `{}` must be made again, but another vwfb uses it", path.display())]
    InUse {
        /// The store's folder.
        path: PathBuf,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// How a store is opened.
#[derive(Clone)]
pub struct StoreOptions {
    /// What uses are dated by.
    pub clock: Arc<dyn Clock>,
    /// So many bytes at most are kept in a pack; what is larger has a file of its own.
    pub packed: u64,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), packed: 64 << 10 }
    }
}

/// An open store, to be shared by all threads of a process.
///
/// It holds a lease until it is dropped: nothing it used meanwhile is removed by anyone's `gc`. A
/// process that forks without starting another program would pass its lease on; start helpers
/// with a new program.
pub struct Store {
    pub(crate) core: Arc<Core>,
    /// The thread that lands batches, once there was one.
    pub(crate) lander: Mutex<Option<JoinHandle<()>>>,
}

/// What the threads of a store share.
#[doc(hidden)]
pub struct Core {
    pub(crate) layout: Layout,
    pub(crate) index: Index,
    pub(crate) packs: Packs,
    pub(crate) pending: Pending,
    /// Held by whoever writes a batch: they are written in order.
    pub(crate) landing: Mutex<()>,
    pub(crate) key_locks: KeyLocks,
    pub(crate) lease: Lease,
    /// Blobs verified at this moment or before are verified again when they are first used.
    pub(crate) unclean: Sequence,
    /// What was put before this moment was put by processes that ended and synced it, or is to be
    /// verified.
    stable: Sequence,
    pub(crate) options: StoreOptions,
    /// Whether files were written, not packs, since the last sync.
    unsynced: AtomicBool,
    names: AtomicU64,
    /// See `Store::withheld_mode`.
    pub(crate) withheld: OnceLock<u32>,
    /// Files for the first who wants them as his own.
    pub(crate) spares: Spares,
}

impl Deref for Store {
    type Target = Core;

    fn deref(&self) -> &Core {
        &self.core
    }
}

impl Store {
    /// Opens the store in `root`, making it if there is none.
    ///
    /// An index that is lost or damaged is made again from the files beside it.
    pub fn open(root: &Path) -> Result<Self, OpenError> {
        Self::open_with(root, StoreOptions::default())
    }

    /// Opens the store otherwise than usual.
    pub fn open_with(root: &Path, options: StoreOptions) -> Result<Self, OpenError> {
        match Self::open_index(root, &options) {
            Err(OpenError::Index(error)) if error.is_damage() => Self::rebuild_with(root, &options),
            opened => opened,
        }
    }

    /// Makes the index again from the blobs and records, and opens the store. What workspaces
    /// published as roots is lost until each publishes again.
    pub fn rebuild(root: &Path) -> Result<Self, OpenError> {
        Self::rebuild_with(root, &StoreOptions::default())
    }

    fn rebuild_with(root: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let (layout, lock) = Layout::prepare(root)?;
        if lease::any_alive(&layout)? {
            return Err(OpenError::InUse { path: layout.root().to_owned() });
        }
        rebuild::set_index_aside(&layout)?;
        drop(lock);
        Self::open_index(root, options)
    }

    fn open_index(root: &Path, options: &StoreOptions) -> Result<Self, OpenError> {
        let (layout, lock) = Layout::prepare(root)?;
        let index = Index::open(layout.index(), layout.lock_file(), lock)?;
        let now = options.clock.now();
        let (lease, unclean, stable, dead) = index.write(Outlive::Process, |rows| {
            if rows.make_tables()? {
                // Who lost its index would not protect what it uses.
                if lease::any_alive(&layout)? {
                    return Err(OpenError::InUse { path: layout.root().to_owned() });
                }
                rebuild::adopt(&layout, rows, now)?;
            }
            let dead = lease::reap(&layout, rows)?;
            if dead.is_unclean {
                rebuild::recover(&layout, rows, now)?;
            }
            let lease = Lease::take(&layout, rows)?;
            let stable = rows.oldest_lease()?.unwrap_or(lease.start);
            Ok::<_, OpenError>((lease, rows.unclean()?, stable, dead))
        })?;
        let core = Core {
            packs: Packs::new(layout.clone()),
            key_locks: KeyLocks::new(layout.key_lock_file()),
            layout,
            index,
            pending: Pending::default(),
            landing: Mutex::default(),
            lease,
            unclean,
            stable,
            options: options.clone(),
            unsynced: AtomicBool::new(false),
            names: AtomicU64::new(0),
            withheld: OnceLock::new(),
            spares: Spares::default(),
        };
        let store = Self { core: Arc::new(core), lander: Mutex::default() };
        store.sweep(dead);
        Ok(store)
    }

    /// The store's folder.
    pub fn root(&self) -> &Path {
        self.layout.root()
    }

    /// This process's own folder in the store, on the same file system as the blobs; it goes when
    /// the store is dropped. It is made now, as most commands need none; if it cannot be, whoever
    /// makes something in it learns why.
    pub fn scratch_dir(&self) -> PathBuf {
        let folder = self.own_folder().join("work");
        let _made = fs::create_dir_all(&folder);
        folder
    }

    pub(crate) fn own_folder(&self) -> PathBuf {
        self.layout.scratch().join(&self.lease.name)
    }

    /// A path that no other thread or process uses, in a folder that is there.
    pub(crate) fn fresh_path(&self) -> Result<PathBuf, IoError> {
        let staging = self.own_folder().join("staging");
        fs::create_dir_all(&staging).at("create", &staging)?;
        Ok(staging.join(self.fresh_number().to_string()))
    }

    /// A number that no other thread of this process is given.
    pub(crate) fn fresh_number(&self) -> u64 {
        self.names.fetch_add(1, Ordering::Relaxed)
    }

    /// Removes what dead processes left, as far as it can be removed now: others may be at it, too,
    /// and what a task of a dead process still writes is removed by the next who opens the store.
    /// Returns how many scratch folders are gone.
    pub(crate) fn sweep(&self, dead: Dead) -> u64 {
        for file in dead.files {
            let _left = layout::remove(&file);
        }
        dead.scratch.iter().filter(|folder| dir::remove_all(folder).is_ok()).count() as u64
    }

    fn close(&self) -> Result<(), IndexError> {
        self.pending.close();
        let lander = self.lander.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lander) = lander {
            // If it panicked, what it left is written now.
            let _panicked = lander.join();
        }
        self.settle();
        dir::remove_all(&self.own_folder())?;
        self.sync()?;
        let is_done = self.pending.state().batch.len() == 0;
        self.index.write(Outlive::Process, |rows| {
            self.packs.close(rows)?;
            if is_done { self.lease.give_back(&self.layout, rows) } else { Ok(()) }
        })?;
        self.index.end_quickly()
    }
}

impl Core {
    pub(crate) fn now(&self) -> UnixMillis {
        self.options.clock.now()
    }

    /// Notes that files were written that a power cut would lose.
    pub(crate) fn wrote(&self) {
        self.unsynced.store(true, Ordering::Release);
    }

    /// Notes that a result may come to name bytes that another process has not synced yet.
    pub(crate) fn relies_on(&self, object: &Object) {
        if object.checked >= self.stable || object.checked <= self.unclean {
            self.wrote();
        }
    }

    /// Makes all that this process wrote to the store so far, and all that others wrote of what it
    /// relies on, outlive a power cut.
    pub(crate) fn sync(&self) -> Result<(), IoError> {
        self.packs.sync()?;
        // First, so that what others write meanwhile counts as not synced.
        if !self.unsynced.swap(false, Ordering::AcqRel) {
            return Ok(());
        }
        let synced = sync_file_system(self.layout.root());
        if synced.is_err() {
            self.wrote();
        }
        synced
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        // What is not given back counts as an unclean end, which is safe.
        let _ = self.close();
    }
}

pub(crate) fn sync_file_system(root: &Path) -> Result<(), IoError> {
    let folder = File::open(root).at("open", root)?;
    rustix::fs::syncfs(&folder).map_err(io::Error::from).at("sync", root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_failed_sync_left_is_synced_later() {
        let place = tempfile::tempdir().unwrap();
        let (root, away) = (place.path().join("store"), place.path().join("away"));
        let store = Store::open(&root).unwrap();
        store.wrote();
        fs::rename(&root, &away).unwrap();
        assert!(store.sync().is_err());
        assert!(store.unsynced.load(Ordering::Acquire));
        fs::rename(&away, &root).unwrap();
        store.sync().unwrap();
        assert!(!store.unsynced.load(Ordering::Acquire));
    }

    #[test]
    fn what_another_process_may_not_have_synced_is_synced_with_the_next_result() {
        use crate::artifact::Artifact;
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("store");
        let before = Store::open(&root).unwrap();
        let old = Artifact::File(before.put_bytes(b"old").unwrap());
        drop(before);
        let (store, other) = (Store::open(&root).unwrap(), Store::open(&root).unwrap());
        let new = Artifact::File(other.put_bytes(b"new").unwrap());
        other.flush().unwrap();
        assert!(store.has(&old).unwrap());
        assert!(!store.unsynced.load(Ordering::Acquire));
        assert!(store.has(&new).unwrap());
        assert!(store.unsynced.load(Ordering::Acquire));
    }
}
