//! The history of what each label came to: one version for each of its results, from 1.
//!
//! The version that a label's last success is stays in the row of that; it is written here when another
//! takes its place, so that the first result of a task costs nothing more.

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use vwfb_cas::{ActionKey, Digest};
use vwfb_rules::label::Label;

use super::outcome::{decode_outcome, encode_outcome};
use super::{State, StateError, digest, mark_successes};
use crate::db::Outcome;

/// One result that a label had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, from 1.
    pub number: u32,
    /// Its outputs.
    pub outcome: Outcome,
    /// The key that it answered; none for a person's edit.
    pub key: Option<ActionKey>,
    /// The run in which the label came to it; 0 for a person's edit.
    pub run: u64,
    /// When that began, or when the person said so, in milliseconds since 1970.
    pub at_ms: i64,
    /// How long its process ran, in milliseconds.
    pub duration_ms: u64,
    /// The person who made it, if one did.
    pub who: Option<String>,
    /// The files that were missing when it was made: it is provisional if there are any.
    pub missing: Vec<String>,
}

/// Writes down what `label` came to until now, before something else takes its place.
pub(super) fn supersede(db: &Transaction<'_>, config: Digest, label: &str) -> rusqlite::Result<()> {
    db.prepare_cached(
        "INSERT INTO versions
         SELECT label, config, 1 + coalesce((SELECT max(number) FROM versions AS other
                 WHERE other.label = ?1 AND other.config = ?2), 0),
             key, outcome, run, coalesce((SELECT started_ms FROM runs WHERE id = run), 0),
             duration_ms, NULL, reasons
         FROM successes WHERE label = ?1 AND config = ?2 AND NOT EXISTS
             (SELECT 1 FROM versions AS other WHERE other.label = ?1 AND other.config = ?2
                 AND other.outcome = successes.outcome
                 AND (other.key IS NULL OR other.key = successes.key OR successes.pinned))",
    )?
    .execute(params![label, config.as_bytes().as_slice()])?;
    Ok(())
}

impl State {
    /// Every version of what `label` came to, by number.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn versions(&self, label: &Label) -> Result<Vec<Version>, StateError> {
        let label = label.to_string();
        self.change(|db| {
            let transaction = db.transaction()?;
            supersede(&transaction, self.config(), &label)?;
            let versions = select(&transaction, &label, self.config())?;
            transaction.commit()?;
            Ok(versions)
        })
    }

    /// Says that the store is to be told anew what this workspace stands on.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn mark_roots(&self) -> Result<(), StateError> {
        self.change(|db| mark_successes(db).map(|_| ()))
    }

    /// What `label` last came to.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn outcome_of(&self, label: &Label) -> Result<Option<Outcome>, StateError> {
        self.with(|db| {
            let found = db.query_row(
                "SELECT outcome FROM successes WHERE label = ?1 AND config = ?2",
                params![label.to_string(), self.config().as_bytes().as_slice()],
                |row| row.get::<_, Vec<u8>>(0),
            );
            Ok(found.optional()?.and_then(|bytes| decode_outcome(&bytes)))
        })
    }

    /// The key that the task of `label` last answered.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn key_of(&self, label: &Label) -> Result<Option<ActionKey>, StateError> {
        self.with(|db| {
            let found = db.query_row(
                "SELECT key FROM successes WHERE label = ?1 AND config = ?2",
                params![label.to_string(), self.config().as_bytes().as_slice()],
                |row| row.get::<_, Vec<u8>>(0),
            );
            Ok(found.optional()?.and_then(|bytes| digest(&bytes)).map(ActionKey))
        })
    }

    /// Adds a version that a person made, unless there is one of the same bytes. Returns its number.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn add_version(
        &self,
        label: &Label,
        outcome: &Outcome,
        (who, now_ms): (&str, i64),
    ) -> Result<u32, StateError> {
        let (label, config) = (label.to_string(), self.config());
        self.change(|db| {
            let transaction = db.transaction()?;
            supersede(&transaction, config, &label)?;
            let versions = select(&transaction, &label, config)?;
            let number = match versions.iter().find(|it| it.outcome == *outcome) {
                Some(known) => known.number,
                None => {
                    let number = versions.last().map_or(0, |last| last.number) + 1;
                    transaction.execute(
                        "INSERT INTO versions VALUES (?1, ?2, ?3, NULL, ?4, 0, ?5, 0, ?6, '')",
                        params![
                            label,
                            config.as_bytes().as_slice(),
                            number,
                            encode_outcome(outcome),
                            now_ms,
                            who
                        ],
                    )?;
                    number
                }
            };
            transaction.commit()?;
            Ok(number)
        })
    }
}

fn select(db: &Connection, label: &str, config: Digest) -> rusqlite::Result<Vec<Version>> {
    let mut statement = db.prepare(
        "SELECT number, outcome, key, run, at_ms, duration_ms, who, reasons FROM versions
         WHERE label = ?1 AND config = ?2 ORDER BY number",
    )?;
    let rows = statement.query_map(params![label, config.as_bytes().as_slice()], |row| {
        let (outcome, key): (Vec<u8>, Option<Vec<u8>>) = (row.get(1)?, row.get(2)?);
        let (run, duration): (i64, i64) = (row.get(3)?, row.get(5)?);
        let Some(outcome) = decode_outcome(&outcome) else { return Ok(None) };
        Ok(Some(Version {
            number: row.get(0)?,
            outcome,
            key: key.and_then(|bytes| digest(&bytes)).map(ActionKey),
            run: run.unsigned_abs(),
            at_ms: row.get(4)?,
            duration_ms: duration.unsigned_abs(),
            who: row.get(6)?,
            missing: row.get::<_, String>(7)?.lines().map(str::to_owned).collect(),
        }))
    })?;
    Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?.into_iter().flatten().collect())
}
