//! `people.db` as a file.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

/// The format. A later one brings the tables of an earlier one along; none is ever emptied.
const VERSION: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE decisions (id INTEGER PRIMARY KEY AUTOINCREMENT, checkpoint TEXT NOT NULL,
    subject TEXT NOT NULL, digest BLOB NOT NULL, verdict TEXT NOT NULL, feedback TEXT, note TEXT,
    who TEXT NOT NULL, at_ms INTEGER NOT NULL, kind INTEGER, size INTEGER,
    undoes INTEGER REFERENCES decisions (id));
CREATE INDEX decisions_of ON decisions (checkpoint);
CREATE TABLE asked (checkpoint TEXT NOT NULL, config BLOB NOT NULL, subject TEXT NOT NULL,
    digest BLOB NOT NULL, path TEXT NOT NULL, since_ms INTEGER NOT NULL,
    PRIMARY KEY (checkpoint, config, subject)) WITHOUT ROWID;
CREATE TABLE takes (label TEXT NOT NULL, config BLOB NOT NULL, in_use INTEGER NOT NULL,
    last INTEGER NOT NULL, PRIMARY KEY (label, config)) WITHOUT ROWID;
CREATE TABLE retakes (decision INTEGER NOT NULL REFERENCES decisions (id), label TEXT NOT NULL,
    config BLOB NOT NULL, before INTEGER NOT NULL, PRIMARY KEY (decision, label, config))
    WITHOUT ROWID;
CREATE TABLE pin_log (id INTEGER PRIMARY KEY AUTOINCREMENT, label TEXT NOT NULL, config TEXT,
    before TEXT, at_ms INTEGER NOT NULL, who TEXT NOT NULL, undone INTEGER NOT NULL DEFAULT FALSE);
CREATE TABLE told (label TEXT NOT NULL, news TEXT NOT NULL, PRIMARY KEY (label, news))
    WITHOUT ROWID;
";

/// Why it cannot be opened.
pub(super) enum OpenError {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// A newer vwfb wrote it.
    Newer { found: i64, known: i64 },
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// Opens the database at `path`, and makes it if there is none.
pub(super) fn connect(path: &Path) -> Result<Connection, OpenError> {
    let mut db = Connection::open(path)?;
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > VERSION {
        return Err(OpenError::Newer { found, known: VERSION });
    }
    vwfb_cas::wal::begin(&db)?;
    // A decision outlives a power cut right after it.
    db.pragma_update(None, "synchronous", "FULL")?;
    if found < VERSION {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // Another process may have been first.
        let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if found == 0 {
            transaction.execute_batch(SCHEMA)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()?;
    }
    Ok(db)
}
