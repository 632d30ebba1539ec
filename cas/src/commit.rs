//! Results under their keys: written once all they name outlives a power cut, and found again.

use std::path::PathBuf;

use crate::artifact::ActionResult;
use crate::digest::{ActionKey, BlobId};
use crate::error::IoError;
use crate::index::{IndexError, ObjectRow, Outlive, Rows};
use crate::layout;
use crate::record;
use crate::stage::Staged;
use crate::store::Store;

/// A result cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// The result names a blob that the store does not have.
    #[error("the result of `{}` names `{}`, which is not in the store", key.digest().short(), blob.digest().short())]
    Missing {
        /// The result's key.
        key: ActionKey,
        /// What is not there.
        blob: BlobId,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

/// Results cannot be looked up.
#[derive(Debug, thiserror::Error)]
#[error("cannot look up results in the store `{}`", root.display())]
pub struct LookupError {
    /// The store's folder.
    pub root: PathBuf,
    /// Why.
    pub source: IndexError,
}

impl Store {
    /// Writes a result under its key and returns the result that stands: the first writer wins.
    pub fn commit(
        &self,
        key: ActionKey,
        result: &ActionResult,
    ) -> Result<ActionResult, CommitError> {
        let mut stand = self.commit_all(&[(key, result.clone())])?;
        Ok(stand.pop().unwrap_or_else(|| result.clone()))
    }

    /// Writes several results with one sync and one transaction: all of them or none.
    pub fn commit_all(
        &self,
        results: &[(ActionKey, ActionResult)],
    ) -> Result<Vec<ActionResult>, CommitError> {
        let records: Vec<Vec<u8>> =
            results.iter().map(|(key, result)| record::encode(*key, result)).collect();
        let staged: Vec<Staged> =
            records.iter().map(|bytes| self.stage_bytes(bytes)).collect::<Result<_, _>>()?;
        self.sync()?;
        self.index.write(Outlive::PowerCut, |rows| {
            let entries = results.iter().zip(&records).zip(&staged);
            entries
                .map(|(((key, result), record), staged)| {
                    self.commit_one(rows, *key, result, record, staged)
                })
                .collect()
        })
    }

    fn commit_one(
        &self,
        rows: &Rows<'_>,
        key: ActionKey,
        result: &ActionResult,
        record: &[u8],
        staged: &Staged,
    ) -> Result<ActionResult, CommitError> {
        if let Some((first, _)) = rows.result(key)?
            && !rows.broken_keys()?.contains(&key)
        {
            rows.use_result(key, self.now())?;
            return Ok(first);
        }
        rows.remove_result(key)?;
        let objects = needed(rows, result)?.map_err(|blob| CommitError::Missing { key, blob })?;
        layout::rename_into(&staged.path, &self.layout.record(key))?;
        rows.put_result(key, record, &objects, self.now())?;
        Ok(result.clone())
    }

    /// The results under `keys`, in their order; `None` where there is none or an output of it is
    /// known to be lost. What is found is kept from `gc` until the store is dropped.
    ///
    /// The log of a result may be lost, which reading it tells.
    pub fn lookup(&self, keys: &[ActionKey]) -> Result<Vec<Option<ActionResult>>, LookupError> {
        self.lookup_rows(keys)
            .map_err(|source| LookupError { root: self.root().to_owned(), source })
    }

    fn lookup_rows(&self, keys: &[ActionKey]) -> Result<Vec<Option<ActionResult>>, IndexError> {
        let mut unclaimed = Vec::new();
        let mut found: Vec<Option<ActionResult>> = self.index.read(|rows| {
            let broken = rows.broken_keys()?;
            let mut found = Vec::with_capacity(keys.len());
            for (place, key) in keys.iter().enumerate() {
                let result = rows.result(*key)?.filter(|_| !broken.contains(key));
                if result.as_ref().is_some_and(|(_, used)| *used < self.lease.start) {
                    unclaimed.push(place);
                }
                found.push(result.map(|(result, _)| result));
            }
            Ok::<_, IndexError>(found)
        })?;
        if unclaimed.is_empty() {
            return Ok(found);
        }
        self.index.write(Outlive::Process, |rows| {
            for place in unclaimed {
                let key = keys[place];
                // Between the two transactions `gc` may have removed it.
                found[place] = rows.result(key)?.map(|(result, _)| result);
                rows.use_result(key, self.now())?;
            }
            Ok(found)
        })
    }

    /// Forgets the results under `keys`; their blobs stay until `gc` finds them unused. Returns
    /// how many there were.
    pub fn forget(&self, keys: &[ActionKey]) -> Result<u64, CommitError> {
        let count = self.index.write(Outlive::PowerCut, |rows| {
            let removed = keys.iter().map(|key| rows.remove_result(*key).map(u64::from));
            removed.sum::<Result<u64, IndexError>>()
        })?;
        // Only now: a row must never stand without its record.
        self.remove_records(keys)?;
        Ok(count)
    }
}

/// The rows of all objects that the result names, or the first output that the store has not whole.
///
/// A log is held where there is one: who lost it has lost no work.
pub(crate) fn needed(
    rows: &Rows<'_>,
    result: &ActionResult,
) -> Result<Result<Vec<ObjectRow>, BlobId>, IndexError> {
    let mut needed = Vec::new();
    for artifact in result.outputs.values() {
        let (blob, executable) = artifact.object();
        match rows.object(blob, executable)? {
            Some(object) if rows.is_whole(object.row)? => needed.push(object.row),
            _ => return Ok(Err(blob)),
        }
    }
    if let Some(log) = result.log {
        needed.extend(rows.object(log.blob, log.executable)?.map(|object| object.row));
    }
    Ok(Ok(needed))
}
