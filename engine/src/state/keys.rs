//! Which labels keys belong to, and forgetting them.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{OptionalExtension, params};
use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{ActionKey, Digest};

use super::{State, StateError, mark_successes};

/// What a label names, and what is in it: the children of a fan-out, the targets of a template.
const OF_LABEL: &str = "(label = ?1 OR substr(label, 1, length(?1) + 1) IN (?1 || '[', ?1 || '.'))";

impl State {
    /// The labels of those `keys` that a label of this workspace ever answered, the last where
    /// there were several.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn labels(&self, keys: &[ActionKey]) -> Result<BTreeMap<ActionKey, String>, StateError> {
        count(Counter::StateRows, keys.len() as u64);
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

    /// Forgets every success and attempt in every configuration, and returns every key that a
    /// label of this workspace ever answered.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn forget(&self) -> Result<Vec<ActionKey>, StateError> {
        let keys = self.keys("SELECT key FROM records UNION SELECT key FROM successes", [])?;
        self.change(|db| {
            db.execute_batch("DELETE FROM successes; DELETE FROM attempts; DELETE FROM records;")?;
            mark_successes(db)?;
            Ok(keys)
        })
    }

    /// Forgets the successes and attempts of some labels in every configuration, and returns
    /// every key that they ever answered.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn forget_labels(&self, labels: &[String]) -> Result<Vec<ActionKey>, StateError> {
        let mut keys = Vec::new();
        for label in labels {
            let all = format!(
                "SELECT key FROM records WHERE {OF_LABEL}
                 UNION SELECT key FROM successes WHERE {OF_LABEL}"
            );
            keys.extend(self.keys(&all, [label])?);
        }
        self.change(|db| {
            for table in ["successes", "attempts", "records"] {
                let mut delete = db.prepare(&format!("DELETE FROM {table} WHERE {OF_LABEL}"))?;
                for label in labels {
                    delete.execute([label])?;
                }
            }
            mark_successes(db)?;
            Ok(keys)
        })
    }

    /// Forgets the successes of labels that are not among `present`: what a workspace no longer
    /// declares, it no longer needs. Returns how many there were.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn retain_labels(&self, present: &BTreeSet<String>) -> Result<usize, StateError> {
        self.change(|db| {
            // It reads before it writes, and another process must not write in between.
            let transaction =
                db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let mut labels: Vec<String> = Vec::new();
            let mut select = transaction.prepare("SELECT DISTINCT label FROM successes")?;
            for label in select.query_map([], |row| row.get(0))? {
                labels.push(label?);
            }
            count(Counter::StateRows, labels.len() as u64);
            drop(select);
            let mut gone = 0;
            // A fan-out that is not expanded may still come to any child.
            let is_child = |label: &str| {
                let mut ends = label.match_indices('[').map(|(end, _)| end);
                ends.any(|end| present.contains(&label[..end]))
            };
            let is_gone = |label: &&String| !present.contains(*label) && !is_child(label);
            for label in labels.iter().filter(is_gone) {
                gone += transaction.execute("DELETE FROM successes WHERE label = ?1", [label])?;
            }
            mark_successes(&transaction)?;
            transaction.commit()?;
            Ok(gone)
        })
    }

    /// Forgets the successes of other configurations that no run since `since_ms` was made with.
    /// Returns how many there were.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn drop_idle_configurations(&self, since_ms: i64) -> Result<usize, StateError> {
        self.change(|db| {
            let gone = db.execute(
                "DELETE FROM successes WHERE config != ?1
                 AND config NOT IN (SELECT config FROM runs WHERE started_ms >= ?2)",
                params![self.config.as_bytes().as_slice(), since_ms],
            )?;
            mark_successes(db)?;
            Ok(gone)
        })
    }

    fn keys(
        &self,
        select: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<ActionKey>, StateError> {
        self.with(|db| {
            let mut select = db.prepare(select)?;
            let rows = select.query_map(values, |row| row.get::<_, [u8; 32]>(0))?;
            let keys: Vec<ActionKey> = rows
                .map(|row| row.map(|bytes| ActionKey(Digest::from_bytes(bytes))))
                .collect::<Result<_, _>>()?;
            count(Counter::StateRows, keys.len() as u64);
            Ok(keys)
        })
    }
}
