//! The end of work on an SQLite database whose changes go through a log (`journal_mode = WAL`).

use std::path::Path;

use rusqlite::Connection;
use rusqlite::config::DbConfig;

/// A log of changes up to this many bytes is read in no time.
const SHORT: u64 = 512 << 10;

/// Lets this process end without writing the log of `database` into it, if that is short: that
/// costs several syncs, and the next process finds the log.
///
/// # Errors
/// If SQLite refuses.
pub fn end_quickly(connection: &Connection, database: &Path) -> rusqlite::Result<()> {
    let mut log = database.as_os_str().to_owned();
    log.push("-wal");
    if std::fs::metadata(log).is_ok_and(|log| log.len() <= SHORT) {
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether the log is left behind by a process that wrote so many bytes.
    fn leaves_log(bytes: usize) -> bool {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("some.db");
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "journal_mode", "WAL").unwrap();
        db.execute_batch("CREATE TABLE texts (text TEXT)").unwrap();
        db.execute("INSERT INTO texts VALUES (?1)", ["x".repeat(bytes)]).unwrap();
        end_quickly(&db, &path).unwrap();
        drop(db);
        let left = folder.path().join("some.db-wal").exists();
        let db = Connection::open(&path).unwrap();
        let length: i64 =
            db.query_row("SELECT length(text) FROM texts", [], |row| row.get(0)).unwrap();
        assert_eq!(length, bytes as i64);
        left
    }

    #[test]
    fn a_short_log_is_left_to_the_next_process_and_a_long_one_is_not() {
        assert!(leaves_log(1000));
        assert!(!leaves_log(1 << 20));
    }
}
