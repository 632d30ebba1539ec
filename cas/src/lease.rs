//! A process's claim on what it uses: a file that it keeps locked for life.
//!
//! The kernel drops the lock when the process ends in whatever way, so whether a lease is alive is
//! never a matter of times or process numbers. The file and its index row are made and removed
//! under the store's lock; a row whose file is not locked belongs to a process that died.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Rows, Sequence};
use crate::layout::Layout;
use crate::store::OpenError;

/// This process's lease.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Its name among the leases, also of its scratch folder.
    pub(crate) name: String,
    /// Everything used at this point or later may be in use by this process.
    pub(crate) start: Sequence,
    /// Locked until the process ends.
    _file: File,
}

impl Lease {
    /// Takes a lease. The caller holds the store's lock.
    pub(crate) fn take(layout: &Layout, rows: &Rows<'_>) -> Result<Self, OpenError> {
        let folder = layout.leases();
        let (file, path) = tempfile::Builder::new()
            .prefix("")
            .rand_bytes(12)
            .tempfile_in(&folder)
            .and_then(|file| file.keep().map_err(|error| error.error))
            .at("create a lease in", &folder)?;
        file.lock().at("lock", &path)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let start = rows.advance()?;
        rows.add_lease(&name, start)?;
        Ok(Self { name, start, _file: file })
    }

    /// Gives it back after a clean end. The caller holds the store's lock.
    pub(crate) fn give_back(&self, layout: &Layout, rows: &Rows<'_>) -> Result<(), IndexError> {
        rows.remove_lease(&self.name)?;
        crate::layout::remove(&layout.leases().join(&self.name))?;
        Ok(())
    }
}

/// What dead processes left.
#[derive(Debug, Default)]
pub(crate) struct Dead {
    /// Their scratch folders, to be removed.
    pub(crate) scratch: Vec<PathBuf>,
    /// Lease files without a row, to be removed once it is written down that they were there.
    pub(crate) files: Vec<PathBuf>,
    /// Whether any died with its lease.
    pub(crate) is_unclean: bool,
}

/// Finds the leases whose processes died and forgets them, so that from now on every blob is
/// verified when it is first used. The caller holds the store's lock.
pub(crate) fn reap(layout: &Layout, rows: &Rows<'_>) -> Result<Dead, IndexError> {
    let mut is_unclean = false;
    for name in rows.leases()? {
        if !is_alive(layout, &name)? {
            rows.remove_lease(&name)?;
            crate::layout::remove(&layout.leases().join(&name))?;
            is_unclean = true;
        }
    }
    let orphans = orphans(layout, &rows.leases()?)?;
    is_unclean |= orphans.is_unclean;
    if is_unclean {
        rows.mark_unclean()?;
    }
    Ok(Dead { is_unclean, ..orphans })
}

/// Whether any process has the store open.
pub(crate) fn any_alive(layout: &Layout) -> Result<bool, IoError> {
    for name in names(&layout.leases())? {
        if is_alive(layout, &name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn is_alive(layout: &Layout, name: &str) -> Result<bool, IoError> {
    let path = layout.leases().join(name);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error).at("open", &path),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error).at("lock", &path),
    }
}

/// Lease files and scratch folders without a lease. A lease file without a row is an unclean end
/// too: a power cut undid the row.
fn orphans(layout: &Layout, live: &[String]) -> Result<Dead, IndexError> {
    let without = |folder: PathBuf| -> Result<Vec<PathBuf>, IoError> {
        let mut names = names(&folder)?;
        names.retain(|name| !live.contains(name));
        Ok(names.into_iter().map(|name| folder.join(name)).collect())
    };
    let (files, scratch) = (without(layout.leases())?, without(layout.scratch())?);
    Ok(Dead { scratch, is_unclean: !files.is_empty(), files })
}

fn names(folder: &Path) -> Result<Vec<String>, IoError> {
    let list = || -> io::Result<Vec<String>> {
        let names = fs::read_dir(folder)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    };
    list().at("list", folder)
}
