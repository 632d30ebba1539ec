//! The last successes of some labels, without reading those of all others.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, params};
use vwfb_cas::profile::{Counter, count};

use super::{State, StateError, Success, success};

/// Of more labels than this the whole table is read: a row that is searched for costs as much as
/// two or three in a row.
const MOST_SEARCHED: usize = 10_000;

impl State {
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
