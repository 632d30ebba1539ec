//! The last successes of some labels, without reading those of all others.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};
use vwfb_cas::profile::{Counter, count};
use vwfb_rules::label::Label;

use super::{State, StateError, Success, success};

/// Of more labels than this the whole table is read: a row that is searched for costs as much as
/// two or three in a row.
const MOST_SEARCHED: usize = 10_000;

impl State {
    /// How many targets of the fan-out `label` have a result.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn made_in(&self, label: &Label) -> Result<usize, StateError> {
        // Labels of its items begin with its own and a bracket.
        let (from, below) = (format!("{label}["), format!("{label}\\"));
        self.with(|db| {
            let rows =
                "SELECT count(*) FROM successes WHERE label > ?1 AND label < ?2 AND config = ?3";
            let config = self.config.as_bytes().as_slice();
            db.query_row(rows, params![from, below, config], |row| row.get::<_, i64>(0))
        })
        .map(|count| usize::try_from(count).unwrap_or(0))
    }

    /// The last successes in this configuration by label; at least those of `labels`.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn successes_of(&self, labels: &[String]) -> Result<HashMap<String, Success>, StateError> {
        if labels.len() > MOST_SEARCHED {
            return self.successes();
        }
        count(Counter::StateRows, labels.len() as u64);
        self.with(|db| {
            // In one transaction: it is a third of the cost.
            let transaction = db.transaction()?;
            let mut select = transaction.prepare(
                "SELECT label, key, outcome, duration_ms, run, previous_key, own FROM successes
                 WHERE label = ?1 AND config = ?2",
            )?;
            let mut successes = HashMap::with_capacity(labels.len());
            for label in labels {
                let row =
                    select.query_row(params![label, self.config.as_bytes().as_slice()], success);
                if let Some(Some(success)) = row.optional()? {
                    successes.insert(label.clone(), success);
                }
            }
            Ok(successes)
        })
    }

    /// The last success of one label in this configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn success_of(&self, label: &str) -> Result<Option<Success>, StateError> {
        Ok(self.successes_of(&[label.to_owned()])?.remove(label))
    }
}

/// One run, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRecord {
    /// Its number in this workspace.
    pub number: u64,
    /// What was asked for.
    pub targets: String,
    /// When it began, in milliseconds since 1970.
    pub started_ms: i64,
    /// The options that set its configuration, as the command line wrote them down.
    pub options: String,
    /// How the process ended, if it did.
    pub exit_code: Option<u8>,
}

impl State {
    /// The last run in any configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn last_run(&self) -> Result<Option<RunRecord>, StateError> {
        self.with(|db| {
            let select = "SELECT id, targets, started_ms, exit_code, options FROM runs
                          ORDER BY id DESC LIMIT 1";
            let found = db.query_row(select, [], |row| {
                let number: i64 = row.get(0)?;
                let (targets, started_ms, exit_code) = (row.get(1)?, row.get(2)?, row.get(3)?);
                let (number, options) = (number.unsigned_abs(), row.get(4)?);
                Ok(RunRecord { number, targets, started_ms, exit_code, options })
            });
            found.optional()
        })
    }

    /// Why each label failed that did when it was last tried in this configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn failures(&self) -> Result<HashMap<String, String>, StateError> {
        self.with(|db| {
            let mut statement = db.prepare(
                "SELECT label, reason, run FROM attempts WHERE config = ?1 AND result = 'failed'",
            )?;
            let config = self.config();
            let rows = statement.query_map([config.as_bytes().as_slice()], |row| {
                let reason: Option<String> = row.get(1)?;
                let run: i64 = row.get(2)?;
                let reason = reason.unwrap_or_else(|| "it failed".to_owned());
                Ok((row.get(0)?, format!("{reason} (run {run})")))
            })?;
            rows.collect()
        })
    }
}
