//! Which labels keys belong to, and forgetting them.

use std::collections::BTreeMap;

use rusqlite::{OptionalExtension, params};
use vwfb_cas::ActionKey;

use super::{State, StateError};

impl State {
    /// The labels of those `keys` that a label of this workspace ever answered, the last where
    /// there were several.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn labels(&self, keys: &[ActionKey]) -> Result<BTreeMap<ActionKey, String>, StateError> {
        self.with(|db| {
            let mut select = db.prepare("SELECT label FROM records WHERE key = ?1")?;
            let mut labels = BTreeMap::new();
            for key in keys {
                let bytes = key.digest();
                let row = select.query_row([bytes.as_bytes().as_slice()], |row| row.get(0));
                labels.extend(row.optional()?.map(|label| (*key, label)));
            }
            Ok(labels)
        })
    }

    /// Forgets every success and attempt in every configuration, and returns the keys.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn forget(&self) -> Result<Vec<ActionKey>, StateError> {
        let keys = self.current_keys()?;
        self.with(|db| {
            db.execute_batch("DELETE FROM successes; DELETE FROM attempts;")?;
            Ok(keys)
        })
    }

    /// Forgets the successes and attempts of some labels in this configuration, and returns the
    /// keys.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn forget_labels(&self, labels: &[String]) -> Result<Vec<ActionKey>, StateError> {
        let successes = self.successes()?;
        let keys = labels.iter().filter_map(|label| successes.get(label)).map(|known| known.key);
        let keys = keys.collect();
        self.with(|db| {
            let config = self.config.as_bytes().as_slice();
            for table in ["successes", "attempts"] {
                let sql = format!("DELETE FROM {table} WHERE label = ?1 AND config = ?2");
                let mut delete = db.prepare(&sql)?;
                for label in labels {
                    delete.execute(params![label, config])?;
                }
            }
            Ok(keys)
        })
    }
}
