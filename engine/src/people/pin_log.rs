//! What the pins of a label were before somebody changed them, so that the last change can be taken
//! back.

use rusqlite::{OptionalExtension, params};

use super::{People, PeopleError};

/// One change of what a label is pinned to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinChange {
    /// Its number.
    pub id: i64,
    /// The label.
    pub label: String,
    /// The configuration, as pins name it.
    pub config: Option<String>,
    /// The text of the pin before, if there was one.
    pub before: Option<String>,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
}

impl People {
    /// Records that what `label` is pinned to is about to change. Returns the number of the record.
    ///
    /// # Errors
    /// If the database cannot be written; so for every method here.
    pub fn log_pin(&self, change: &PinChange, who: &str) -> Result<i64, PeopleError> {
        self.change(|db| {
            db.execute(
                "INSERT INTO pin_log (label, config, before, at_ms, who) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![change.label, change.config, change.before, change.at_ms, who],
            )?;
            Ok(db.last_insert_rowid())
        })
    }

    /// The last change that was not taken back.
    ///
    /// # Errors
    /// See [`People::log_pin`].
    pub fn last_pin(&self) -> Result<Option<PinChange>, PeopleError> {
        self.with(None, |db| {
            let found = db.query_row(
                "SELECT id, label, config, before, at_ms FROM pin_log WHERE NOT undone
                 ORDER BY id DESC LIMIT 1",
                [],
                |row| {
                    Ok(PinChange {
                        id: row.get(0)?,
                        label: row.get(1)?,
                        config: row.get(2)?,
                        before: row.get(3)?,
                        at_ms: row.get(4)?,
                    })
                },
            );
            found.optional()
        })
    }

    /// Says that a change was taken back.
    ///
    /// # Errors
    /// See [`People::log_pin`].
    pub fn pin_undone(&self, id: i64) -> Result<(), PeopleError> {
        self.change(|db| {
            db.execute("UPDATE pin_log SET undone = TRUE WHERE id = ?1", [id])?;
            Ok(())
        })
    }

    /// Whether this is the first time that people hear of `news` about `label`.
    ///
    /// # Errors
    /// See [`People::log_pin`].
    pub fn is_news(&self, label: &str, news: &str) -> Result<bool, PeopleError> {
        self.change(|db| {
            let new = db.execute("INSERT OR IGNORE INTO told VALUES (?1, ?2)", [label, news])?;
            Ok(new > 0)
        })
    }
}
