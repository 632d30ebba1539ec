//! Results under their keys: written once all they name outlives a power cut, and found again.

use std::path::PathBuf;

use crate::artifact::ActionResult;
use crate::digest::{ActionKey, BlobId};
use crate::error::IoError;
use crate::index::{IndexError, ObjectRow, Outlive, Rows, Sequence};
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
        let found = self.index.read(|rows| whole_results(rows, keys))?;
        let is_unclaimed =
            |found: &Option<Found>| found.as_ref().is_some_and(|at| at.used < self.lease.start);
        if found.iter().any(is_unclaimed) { self.claim_results(keys) } else { Ok(results(found)) }
    }

    /// Looks the results up and keeps them from `gc`, in one transaction: since they were seen
    /// they may have been removed or have lost a blob.
    fn claim_results(&self, keys: &[ActionKey]) -> Result<Vec<Option<ActionResult>>, IndexError> {
        self.index.write(Outlive::Process, |rows| {
            let found = whole_results(rows, keys)?;
            for (key, found) in keys.iter().zip(&found) {
                if found.as_ref().is_some_and(|at| at.used < self.lease.start) {
                    rows.use_result(*key, self.now())?;
                }
            }
            Ok(results(found))
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

/// A result, and when it was last used.
struct Found {
    result: ActionResult,
    used: Sequence,
}

/// The results under `keys` whose outputs are there, as far as is known.
fn whole_results(rows: &Rows<'_>, keys: &[ActionKey]) -> Result<Vec<Option<Found>>, IndexError> {
    let broken = rows.broken_keys()?;
    let whole = |key: &ActionKey| {
        let found = rows.result(*key)?.filter(|_| !broken.contains(key));
        Ok(found.map(|(result, used)| Found { result, used }))
    };
    keys.iter().map(whole).collect()
}

fn results(found: Vec<Option<Found>>) -> Vec<Option<ActionResult>> {
    found.into_iter().map(|found| found.map(|found| found.result)).collect()
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::artifact::Artifact;
    use crate::digest::Digest;

    #[test]
    fn a_result_that_lost_its_output_since_it_was_seen_is_no_hit() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::open(&place.path().join("store")).unwrap();
        let film = store.put_bytes(b"film").unwrap();
        let key = ActionKey(Digest::of(b"key"));
        let outputs = [("out".to_owned(), Artifact::File(film))].into();
        let made = ActionResult { outputs, log: None, duration_ms: 1, observed_inputs: None };
        store.commit(key, &made).unwrap();
        assert_eq!(store.claim_results(&[key]).unwrap(), [Some(made)]);
        fs::remove_file(store.layout.blob(film.blob, false)).unwrap();
        assert!(store.read(film.blob).is_err());
        assert_eq!(store.claim_results(&[key]).unwrap(), [None]);
    }
}
