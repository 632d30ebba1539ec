//! Results under their keys: written once all they name outlives a power cut, and found again.

use std::path::PathBuf;
use std::sync::Arc;

use crate::artifact::{ActionResult, Artifact};
use crate::digest::{ActionKey, BlobId};
use crate::error::IoError;
use crate::index::{IndexError, ObjectRow, Outlive, Rows, Sequence};
use crate::lock::KeyLock;
use crate::pack::{Frame, Kind};
use crate::pending::{Failed, Gate, Queued, UsedResult};
use crate::profile::{Phase, Timed};
use crate::record;
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

/// Results were not kept.
#[derive(Debug, thiserror::Error)]
#[error("the store could not keep {} results", keys.len())]
pub struct FlushError {
    /// Whose.
    pub keys: Vec<ActionKey>,
    /// Why the first of them was not kept.
    pub source: CommitError,
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
        let _storing = Timed::new(Phase::Store);
        let gate = self.gate()?;
        let queued = results.iter().map(|(key, result)| self.queued(*key, result, None, &gate));
        let queued = queued.collect::<Result<Vec<_>, _>>()?;
        self.land(queued)
    }

    /// Takes a result whose key the caller has locked, and returns the result that stands. It is
    /// written soon and together with others; until then the key stays locked. This process finds
    /// it from now on, others when it would outlive a power cut.
    ///
    /// # Errors
    /// If the store has not what the result names. That it cannot be written is told by `flush`.
    pub fn commit_soon(
        &self,
        lock: KeyLock,
        result: &ActionResult,
    ) -> Result<ActionResult, CommitError> {
        let _storing = Timed::new(Phase::Store);
        let key = lock.key();
        if !lock.is_vacant()
            && let Some(first) = self.lookup_rows(&[key])?.pop().flatten()
        {
            return Ok(first);
        }
        let gate = self.gate()?;
        let queued = self.queued(key, result, Some(lock), &gate)?;
        self.note(&gate, |state| {
            state.queued.insert(key, queued.result.clone());
            state.batch.results.push(queued);
        });
        Ok(result.clone())
    }

    /// Appends the record of a result all of whose outputs are there.
    fn queued(
        &self,
        key: ActionKey,
        result: &ActionResult,
        lock: Option<KeyLock>,
        gate: &Arc<Gate>,
    ) -> Result<Queued, CommitError> {
        let outputs: Vec<_> = result.outputs.values().map(Artifact::object).collect();
        let whole = self.claim_objects(&outputs, gate)?;
        if let Some((&(blob, _), _)) = outputs.iter().zip(whole).find(|(_, whole)| !whole) {
            return Err(CommitError::Missing { key, blob });
        }
        self.pending.state().nothing.made(key);
        let record = record::encode(key, result);
        let slot = self.packs.append(&self.index, Kind::Record, key.digest(), &record)?;
        Ok(Queued { key, result: result.clone(), record, slot, _lock: lock })
    }

    /// Waits until all that was put and committed is in the index, and the results would outlive a
    /// power cut.
    ///
    /// # Errors
    /// If results that `commit_soon` took could not be written. They are not kept.
    pub fn flush(&self) -> Result<(), FlushError> {
        self.settle();
        let mut errors = std::mem::take(&mut self.pending.state().failed).into_iter();
        let Some(Failed { mut keys, error: source }) = errors.next() else { return Ok(()) };
        keys.extend(errors.flat_map(|failed| failed.keys));
        Err(FlushError { keys, source })
    }

    /// Like `flush`, but leaves what fails for it to tell.
    pub(crate) fn settle(&self) {
        let _nothing_of_mine = self.land(Vec::new());
    }

    /// The result under a key that the caller has locked. That there is none need not be asked
    /// again while the lock is held.
    pub fn lookup_locked(&self, lock: &KeyLock) -> Result<Option<ActionResult>, LookupError> {
        let others = self.index.times_of_others();
        let is_vacant = self.pending.state().nothing.take_vacant(others, lock.key());
        let found = if is_vacant { None } else { self.lookup(&[lock.key()])?.pop().flatten() };
        if found.is_none() {
            lock.set_vacant();
        }
        Ok(found)
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
        let _asking = Timed::new(Phase::Lookup);
        let gate = self.gate()?;
        let others = self.index.times_of_others();
        let mut found = match keys {
            // Mostly there is none, and one statement tells.
            [key] if !self.index.peek(|rows| rows.has_result(*key))? => vec![Seen::Nothing],
            _ => self.index.read(|rows| whole_results(rows, keys))?,
        };
        if found.iter().any(Seen::is_broken) {
            // What it lacks may have been put again.
            self.settle();
            found = self.index.read(|rows| whole_results(rows, keys))?;
        }
        let nothing = found.iter().zip(keys).filter(|(found, _)| found.is_nothing());
        let vacant: Vec<ActionKey> = nothing.map(|(_, key)| *key).collect();
        let found: Vec<_> = found.into_iter().map(Seen::whole).collect();
        self.note(&gate, |state| {
            state.nothing.note(others, [], vacant);
            for (key, found) in keys.iter().zip(&found) {
                if let Some(Found { result, used }) = found
                    && *used < self.lease.start
                {
                    let result = result.clone();
                    state.batch.used_results.push(UsedResult { key: *key, result });
                }
            }
        });
        let state = self.pending.state();
        let result = |(key, found): (&ActionKey, Option<Found>)| {
            found.map(|found| found.result).or_else(|| state.queued.get(key).cloned())
        };
        Ok(keys.iter().zip(found).map(result).collect())
    }

    /// Forgets the results under `keys`; their blobs stay until `gc` finds them unused. Returns
    /// how many there were.
    pub fn forget(&self, keys: &[ActionKey]) -> Result<u64, CommitError> {
        self.settle();
        let shut = Gate::shut(&self.layout.gate())?;
        let mut records = Vec::new();
        self.index.write(Outlive::PowerCut, |rows| {
            for key in keys {
                records.extend(rows.record(*key)?.map(|(record, slot)| (*key, record, slot)));
                rows.remove_result(*key)?;
            }
            Ok::<_, IndexError>(())
        })?;
        drop(shut);
        // Only now: a row must never stand without its record.
        for (key, record, slot) in &records {
            self.packs.kill(*slot, &Frame::of(Kind::Record, key.digest(), record))?;
        }
        self.wrote();
        Ok(records.len() as u64)
    }
}

/// A result, and when it was last used.
struct Found {
    result: ActionResult,
    used: Sequence,
}

/// What is under a key, as far as is known.
enum Seen {
    Nothing,
    /// A result that lost an output.
    Broken,
    Whole(Found),
}

impl Seen {
    const fn is_nothing(&self) -> bool {
        matches!(self, Self::Nothing)
    }

    const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken)
    }

    fn whole(self) -> Option<Found> {
        match self {
            Self::Whole(found) => Some(found),
            Self::Nothing | Self::Broken => None,
        }
    }
}

fn whole_results(rows: &Rows<'_>, keys: &[ActionKey]) -> Result<Vec<Seen>, IndexError> {
    let broken = rows.broken_keys()?;
    let seen = |key: &ActionKey| {
        Ok(match rows.result(*key)? {
            None => Seen::Nothing,
            Some(_) if broken.contains(key) => Seen::Broken,
            Some((result, used)) => Seen::Whole(Found { result, used }),
        })
    };
    keys.iter().map(seen).collect()
}

/// The rows of all objects that the result names, or the first output that the store has not whole.
///
/// A log is held where there is one: who lost it has lost no work.
pub(crate) fn needed(
    rows: &Rows<'_>,
    result: &ActionResult,
) -> Result<Result<Vec<ObjectRow>, BlobId>, IndexError> {
    needed_but(rows, result, rows.any_missing()?)
}

/// Like `needed`; the caller knows whether anything is lost.
pub(crate) fn needed_but(
    rows: &Rows<'_>,
    result: &ActionResult,
    any_missing: bool,
) -> Result<Result<Vec<ObjectRow>, BlobId>, IndexError> {
    let mut needed = Vec::new();
    for artifact in result.outputs.values() {
        let (blob, executable) = artifact.object();
        match rows.object(blob, executable)? {
            Some(object) if !any_missing || rows.is_whole(object.row)? => needed.push(object.row),
            _ => return Ok(Err(blob)),
        }
    }
    if let Some(log) = result.log {
        needed.extend(rows.object(log.blob, log.executable)?.map(|object| object.row));
    }
    Ok(Ok(needed))
}
