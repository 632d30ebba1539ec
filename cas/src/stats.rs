//! Figures about the store.

use std::fs;

use crate::clock::UnixMillis;
use crate::gc::GcError;
use crate::store::Store;

/// How much the store holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// Files and trees.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Action results.
    pub results: u64,
    /// Blobs known to be lost and not made again yet.
    pub missing: u64,
    /// Files set aside as damaged.
    pub quarantined: u64,
    /// The bytes of the index.
    pub index_bytes: u64,
    /// Processes that have the store open, this one included.
    pub leases: u64,
    /// Workspaces that published roots.
    pub workspaces: Vec<String>,
    /// The oldest last use of anything.
    pub oldest_use: Option<UnixMillis>,
    /// The newest last use of anything.
    pub newest_use: Option<UnixMillis>,
}

impl Store {
    /// Counts what the store holds, by its index.
    pub fn stats(&self) -> Result<Stats, GcError> {
        self.settle();
        let mut stats = self.index.read(|rows| {
            let mut stats = rows.totals()?;
            stats.leases = rows.leases()?.len() as u64;
            stats.workspaces = rows.root_workspaces()?;
            Ok::<_, GcError>(stats)
        })?;
        stats.quarantined =
            fs::read_dir(self.layout.quarantine()).map_or(0, Iterator::count) as u64;
        stats.index_bytes = fs::metadata(self.index.path()).map_or(0, |found| found.len());
        Ok(stats)
    }
}
