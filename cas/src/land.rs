//! Batches of puts, uses and results on their way into the index: data first, then one
//! transaction, then the key locks.

use std::sync::{Arc, PoisonError};
use std::thread;

use crate::artifact::ActionResult;
use crate::clock::UnixMillis;
use crate::commit::{CommitError, needed_but};
use crate::digest::ActionKey;
use crate::error::IoError;
use crate::index::{IndexError, Outlive, Rows};
use crate::pending::{Batch, Failed, Gate, NewObject, Queued, State};
use crate::profile::{Phase, Timed};
use crate::store::{Core, Store};

/// What became of each result of a batch.
type Standing = Vec<Result<ActionResult, CommitError>>;

impl Store {
    /// See `Pending::gate`.
    pub(crate) fn gate(&self) -> Result<Arc<Gate>, IoError> {
        self.pending.gate(&self.layout.gate())
    }

    /// Notes something that is written to the index soon.
    pub(crate) fn note(&self, gate: &Arc<Gate>, add: impl FnOnce(&mut State)) {
        if self.pending.push(gate, add) {
            let core = Arc::clone(&self.core);
            let lander = thread::spawn(move || {
                while core.pending.wait() {
                    let _nothing_of_mine = core.land(Vec::new());
                }
            });
            *self.lander.lock().unwrap_or_else(PoisonError::into_inner) = Some(lander);
        }
    }
}

impl Core {
    /// Writes what waits, and `more`, to the index; returns what stands under the keys of `more`,
    /// which is written whole or not at all. Without `more`, what fails is noted for `flush`.
    pub(crate) fn land(&self, more: Vec<Queued>) -> Result<Vec<ActionResult>, CommitError> {
        let _in_turn = self.landing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = self.pending.take();
        let mine = more.len();
        batch.results.extend(more);
        if batch.len() == 0 {
            return Ok(Vec::new());
        }
        let mut standing = match self.write(&batch, mine) {
            Ok(standing) => standing,
            Err(error) => {
                let others = batch.results.len() - mine;
                batch.results.truncate(others);
                if mine > 0 {
                    self.pending.put_back(batch, None);
                    return Err(error);
                }
                self.pending.put_back(batch, Some(error));
                return Ok(Vec::new());
            }
        };
        let mine = standing.split_off(standing.len() - mine);
        self.landed(&batch, standing);
        mine.into_iter().collect()
    }

    /// Forgets that results wait, which have their rows or never will.
    fn landed(&self, batch: &Batch, standing: Standing) {
        let mut state = self.pending.state();
        for (queued, stands) in batch.results.iter().zip(standing) {
            state.queued.remove(&queued.key);
            if let Err(error) = stands {
                state.failed.push(Failed { keys: vec![queued.key], error });
            }
        }
    }

    /// The last `strict` results fail the whole batch if one of them fails.
    fn write(&self, batch: &Batch, strict: usize) -> Result<Standing, CommitError> {
        let _storing = Timed::new(Phase::Store);
        let outlive = match batch.results.is_empty() {
            true => Outlive::Process,
            false => {
                self.sync()?;
                Outlive::PowerCut
            }
        };
        let now = self.now();
        self.index.write(outlive, |rows| {
            write_objects(rows, batch, now)?;
            let lenient = batch.results.len() - strict;
            let any_missing = rows.any_missing()?;
            let mut standing = Standing::new();
            for (place, queued) in batch.results.iter().enumerate() {
                match write_result(rows, queued, any_missing, now) {
                    Err(CommitError::Missing { key, blob }) if place < lenient => {
                        standing.push(Err(CommitError::Missing { key, blob }));
                    }
                    stands => standing.push(Ok(stands?)),
                }
            }
            Ok(standing)
        })
    }
}

fn write_objects(rows: &Rows<'_>, batch: &Batch, now: UnixMillis) -> Result<(), IndexError> {
    let moment = rows.sequence()?;
    for NewObject { file, place, children } in &batch.objects {
        let row = rows.put_object(file, *place, moment, now)?;
        for &(blob, executable) in children {
            if let Some(child) = rows.object(blob, executable)? {
                rows.put_edge(row, child.row)?;
            }
        }
    }
    batch.uses.iter().try_for_each(|row| rows.use_object(*row, now))?;
    batch.checks.iter().try_for_each(|row| rows.check_object(*row))?;
    for used in &batch.used_results {
        if rows.use_result(used.key, now)? {
            continue;
        }
        // It was replaced since; what it names is used all the same.
        for artifact in used.result.outputs.values() {
            let (blob, executable) = artifact.object();
            if let Some(object) = rows.object(blob, executable)? {
                rows.use_object(object.row, now)?;
            }
        }
    }
    Ok(())
}

fn write_result(
    rows: &Rows<'_>,
    queued: &Queued,
    any_missing: bool,
    now: UnixMillis,
) -> Result<ActionResult, CommitError> {
    let key: ActionKey = queued.key;
    let is_new = !rows.has_result(key)?;
    if !is_new
        && let Some((first, _)) = rows.result(key)?
        && !rows.broken_keys()?.contains(&key)
    {
        rows.use_result(key, now)?;
        return Ok(first);
    }
    let objects = needed_but(rows, &queued.result, any_missing)?;
    let objects = objects.map_err(|blob| CommitError::Missing { key, blob })?;
    if !is_new {
        rows.remove_result(key)?;
    }
    rows.put_result(key, &queued.record, queued.slot, &objects, now)?;
    Ok(queued.result.clone())
}
