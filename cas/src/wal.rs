//! SQLite databases that several processes use at once, whose changes go through a log
//! (`journal_mode = WAL`): the beginning and the end of work on one.

use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode};

/// How long one process waits for another that writes.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long it waits where SQLite itself does not.
const PAUSE: Duration = Duration::from_millis(2);

/// A log of changes up to this many bytes is read in no time.
const SHORT: u64 = 512 << 10;

/// Has changes go through a log, and waits a minute for whoever else is writing.
///
/// # Errors
/// If SQLite refuses.
pub fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(PATIENCE)?;
    let begun = Instant::now();
    // Of two that turn a new database into one with a log, SQLite refuses one at once, whatever the
    // timeout says.
    loop {
        match connection.pragma_update(None, "journal_mode", "WAL") {
            Err(error) if is_busy(&error) && begun.elapsed() < PATIENCE => thread::sleep(PAUSE),
            set => return set,
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

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
        begin(&db).unwrap();
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
    fn those_who_make_a_database_at_the_same_time_wait_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        for round in 0..50 {
            let path = folder.path().join(round.to_string());
            let barrier = std::sync::Barrier::new(8);
            thread::scope(|scope| {
                for _ in 0..8 {
                    scope.spawn(|| {
                        let db = Connection::open(&path).unwrap();
                        let _wait = barrier.wait();
                        begin(&db).unwrap();
                        db.execute_batch(
                            "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS t (n); COMMIT",
                        )
                        .unwrap();
                    });
                }
            });
        }
    }

    #[test]
    fn a_short_log_is_left_to_the_next_process_and_a_long_one_is_not() {
        assert!(leaves_log(1000));
        assert!(!leaves_log(1 << 20));
    }
}
