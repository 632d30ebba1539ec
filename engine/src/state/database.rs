//! `state.db` as a file: made, opened, and set aside when it is damaged.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode};

use super::StateError;

/// The format of `state.db`. All but the history of versions can be found out again, so of an older
/// one the rest is emptied, not converted.
pub(super) const VERSION: i64 = 7;

const SCHEMA: &str = "
CREATE TABLE runs (id INTEGER PRIMARY KEY, started_ms INTEGER NOT NULL, finished_ms INTEGER,
    targets TEXT NOT NULL, sandbox TEXT NOT NULL, config BLOB NOT NULL, counts TEXT,
    exit_code INTEGER, options TEXT NOT NULL);
CREATE TABLE successes (label TEXT NOT NULL, config BLOB NOT NULL, key BLOB NOT NULL,
    outcome BLOB NOT NULL, duration_ms INTEGER NOT NULL, run INTEGER NOT NULL,
    previous_key BLOB, own INTEGER NOT NULL, pinned INTEGER NOT NULL,
    reasons TEXT NOT NULL, PRIMARY KEY (label, config)) WITHOUT ROWID;
CREATE TABLE records (key BLOB PRIMARY KEY, record BLOB NOT NULL, label TEXT NOT NULL)
    WITHOUT ROWID;
CREATE TABLE attempts (label TEXT NOT NULL, config BLOB NOT NULL, run INTEGER NOT NULL,
    result TEXT NOT NULL, reason TEXT, log BLOB, log_size INTEGER,
    PRIMARY KEY (label, config)) WITHOUT ROWID;
CREATE TABLE stamps (path TEXT PRIMARY KEY, stamp BLOB NOT NULL, digest BLOB NOT NULL)
    WITHOUT ROWID;
CREATE TABLE marks (successes INTEGER NOT NULL, published INTEGER NOT NULL, store TEXT NOT NULL);
INSERT INTO marks SELECT abs(random() / 4), 0, '';
CREATE TABLE IF NOT EXISTS versions (label TEXT NOT NULL, config BLOB NOT NULL,
    number INTEGER NOT NULL, key BLOB, outcome BLOB NOT NULL, run INTEGER NOT NULL,
    at_ms INTEGER NOT NULL, duration_ms INTEGER NOT NULL, who TEXT, reasons TEXT NOT NULL,
    PRIMARY KEY (label, config, number)) WITHOUT ROWID;
CREATE TABLE closures (fingerprint BLOB NOT NULL, path TEXT NOT NULL, digest BLOB NOT NULL,
    PRIMARY KEY (fingerprint, path)) WITHOUT ROWID;
";

pub(super) fn write_gitignore(folder: &Path) -> std::io::Result<()> {
    let path = folder.join(".gitignore");
    if path.exists() { Ok(()) } else { std::fs::write(path, "*\n") }
}

/// Whether the database itself is at fault, and not the disk.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

/// Device and inode.
pub(super) type FileIdentity = (u64, u64);

pub(super) fn identity(path: &Path) -> Option<FileIdentity> {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

/// Renames a damaged database, in the place of one that was before; not one that another process
/// began meanwhile, after it did the same.
pub(super) fn set_aside(path: &Path, damaged: Option<FileIdentity>) -> Result<PathBuf, StateError> {
    let with = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let to = with(".damaged");
    if damaged.is_none() || identity(path) != damaged {
        return Ok(to);
    }
    let moved = std::fs::rename(path, &to);
    moved.map_err(|source| StateError::SetAside { path: path.to_owned(), source })?;
    for suffix in ["-wal", "-shm"] {
        match std::fs::remove_file(with(suffix)) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StateError::SetAside { path: with(suffix), source });
            }
            _ => {}
        }
    }
    Ok(to)
}

/// Why the database cannot be opened.
pub(super) enum ConnectError {
    /// SQLite refused.
    Sql(rusqlite::Error),
    /// A newer vwfb wrote it: the format.
    Newer(i64),
}

impl From<rusqlite::Error> for ConnectError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

/// So many pages are in the log when they are written into the database.
const LOG_PAGES: u32 = 4000;

pub(super) fn connect(path: &Path) -> Result<Connection, ConnectError> {
    let mut db = Connection::open(path)?;
    vwfb_cas::wal::begin(&db)?;
    // What is written again and again is brought from the log into the database once.
    db.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    db.pragma_update(None, "synchronous", "NORMAL")?;
    let transaction = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version > VERSION {
        return Err(ConnectError::Newer(version));
    }
    if version != VERSION {
        for table in ["runs", "successes", "records", "attempts", "stamps", "closures", "marks"] {
            transaction.execute_batch(&format!("DROP TABLE IF EXISTS {table}"))?;
        }
        transaction.execute_batch(SCHEMA)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    // What every run reads: damage there is better met now, while it can be set aside.
    db.query_row("SELECT successes FROM marks", [], |_| Ok(()))?;
    Ok(db)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::STATE_FILE;

    #[test]
    fn only_the_file_that_is_damaged_is_set_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(STATE_FILE);
        std::fs::write(&path, "damaged").unwrap();
        let damaged = identity(&path);
        let to = set_aside(&path, damaged).unwrap();
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "damaged");
        std::fs::write(&path, "begun by another process").unwrap();
        assert_eq!(set_aside(&path, damaged).unwrap(), to);
        assert_eq!(std::fs::read_to_string(&to).unwrap(), "damaged");
        assert!(path.exists());
    }
}
