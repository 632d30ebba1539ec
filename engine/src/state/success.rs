//! Last successes: what is kept of each, and the rows they are.

use rusqlite::params;
use vwfb_cas::{ActionKey, Digest};
use vwfb_rules::label::Label;

use super::digest;
use super::outcome::{decode_outcome, encode_outcome};
use super::versions::supersede;
use crate::db::Outcome;

/// The last success of a label's task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Success {
    /// The key that it answered.
    pub key: ActionKey,
    /// Its outputs.
    pub outcome: Outcome,
    /// How long the process ran that made them, in milliseconds.
    pub duration_ms: u64,
    /// The run in which the label got this key.
    pub run: u64,
    /// The key of the success before it, if there was another.
    pub previous_key: Option<ActionKey>,
    /// Whether more may differ from the previous key than what other tasks of `run` made.
    pub own: bool,
}

/// A success to record.
#[derive(Debug)]
pub struct NewSuccess<'a> {
    /// The task's label.
    pub label: &'a Label,
    /// The key it answers.
    pub key: ActionKey,
    /// The encoded key record, for `vwfb why`.
    pub record: &'a [u8],
    /// Its outputs.
    pub outcome: &'a Outcome,
    /// How long its process ran.
    pub duration_ms: u64,
    /// Whether the label came to something else before.
    pub replaces: bool,
    /// Whether people chose it.
    pub pinned: bool,
    /// The files that were missing, one a line.
    pub reasons: String,
    /// The key of the success before it, if nothing differs from that but outputs of tasks that
    /// got another key in this run too.
    pub follows: Option<ActionKey>,
}

/// Records one, and its key's record.
pub(super) fn insert_success(
    db: &rusqlite::Transaction<'_>,
    config: Digest,
    run: u64,
    success: &NewSuccess<'_>,
) -> rusqlite::Result<()> {
    let key = success.key.digest();
    if success.replaces {
        supersede(db, config, &success.label.to_string())?;
    }
    db.prepare_cached(
        "INSERT INTO successes VALUES (?1, ?2, ?3, ?4, ?5, ?6, NULL, TRUE, ?8, ?9)
         ON CONFLICT DO UPDATE SET previous_key = iif(key = ?3, previous_key, key),
             run = iif(key = ?3, run, ?6), own = iif(key = ?3, own, key IS NOT ?7),
             key = ?3, outcome = ?4, duration_ms = ?5, pinned = ?8, reasons = ?9",
    )?
    .execute(params![
        success.label.to_string(),
        config.as_bytes().as_slice(),
        key.as_bytes().as_slice(),
        encode_outcome(success.outcome),
        success.duration_ms.cast_signed(),
        run.cast_signed(),
        success.follows.as_ref().map(|key| key.digest().as_bytes().to_vec()),
        success.pinned,
        success.reasons,
    ])?;
    db.prepare_cached(
        "INSERT INTO records VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET label = ?3",
    )?
    .execute(params![key.as_bytes().as_slice(), success.record, success.label.to_string()])?;
    Ok(())
}

/// Reads label, key, outcome, duration, run, previous key and `own`; `None` if one is damaged.
pub(super) fn success(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Success>> {
    let (key, outcome): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(2)?);
    let (duration, run): (i64, i64) = (row.get(3)?, row.get(4)?);
    let previous: Option<Vec<u8>> = row.get(5)?;
    let (Some(key), Some(outcome)) = (digest(&key), decode_outcome(&outcome)) else {
        return Ok(None);
    };
    Ok(Some(Success {
        key: ActionKey(key),
        outcome,
        duration_ms: duration.unsigned_abs(),
        run: run.unsigned_abs(),
        previous_key: previous.and_then(|bytes| digest(&bytes)).map(ActionKey),
        own: row.get(6)?,
    }))
}
