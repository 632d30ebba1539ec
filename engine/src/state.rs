//! The workspace's own memory, `.vwfb/state.db`: runs, last successes, stat records, tool
//! closures and what was materialised. The store can be deleted; this says what was true here.

mod database;
mod facts;
mod keys;
mod outcome;
mod recall;
mod success;
mod versions;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{ActionKey, BlobId, Digest, FileRef};

use crate::event::{Counts, TaskResult};

use database::{
    ConnectError, FileIdentity, connect, identity, is_damage, set_aside, write_gitignore,
};
use success::{insert_success, success};

pub use recall::RunRecord;
pub use success::{NewSuccess, Success};
pub use versions::Version;

/// The name of the database in `.vwfb`.
pub(crate) const STATE_FILE: &str = "state.db";

/// Why the workspace's state cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A damaged database cannot be set aside.
    #[error("cannot set the damaged `{}` aside", path.display())]
    SetAside {
        /// The database file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The folder cannot be made.
    #[error("cannot create `{}`", path.display())]
    Create {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The database turned out to be damaged. What it said can be found out again.
    #[error(
        "the workspace's state in `{}` is damaged and now set aside as `{}`; \
         run the command again, which begins with a new one",
        path.display(), set_aside.display()
    )]
    Damaged {
        /// The database file.
        path: PathBuf,
        /// Where it is now.
        set_aside: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer vwfb wrote it.
    #[error(
        "the workspace's state in `{}` was written by a newer vwfb (format {found}, and this one \
         knows {known}): use that one, or move `.vwfb/state.db` away, which loses the history of \
         versions",
        path.display()
    )]
    Newer {
        /// The database file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format that is known.
        known: i64,
    },
    /// SQLite refused.
    #[error("cannot use the workspace's state in `{}`", path.display())]
    Sql {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
}

/// How a label's task last ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The run.
    pub run: u64,
    /// `ran`, `failed`, ...
    pub result: String,
    /// Why it failed.
    pub reason: Option<String>,
    /// What its process wrote.
    pub log: Option<FileRef>,
}

/// The open state of one workspace under one configuration.
pub struct State {
    path: PathBuf,
    /// Which file that was when it was opened.
    opened: Option<FileIdentity>,
    config: Digest,
    set_aside: Option<PathBuf>,
    /// Where the database is since it turned out to be damaged.
    damaged: OnceLock<Option<PathBuf>>,
    connection: Mutex<Connection>,
}

impl Drop for State {
    fn drop(&mut self) {
        // Where it cannot, the log is written into the database, which takes longer.
        let _ = vwfb_cas::wal::end_quickly(&self.connection(), &self.path);
    }
}

impl State {
    /// Opens the state in `folder` (`.vwfb`), making it if need be, for one configuration.
    ///
    /// A damaged database is set aside, as all in it can be found out again.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn open(folder: &Path, config: Digest) -> Result<Self, StateError> {
        std::fs::create_dir_all(folder)
            .and_then(|()| write_gitignore(folder))
            .map_err(|source| StateError::Create { path: folder.to_owned(), source })?;
        let path = folder.join(STATE_FILE);
        let before = identity(&path);
        let (connection, set_aside) = match connect(&path) {
            Err(ConnectError::Sql(error)) if is_damage(&error) => {
                let set_aside = set_aside(&path, before)?;
                (connect(&path), Some(set_aside))
            }
            connected => (connected, None),
        };
        match connection {
            Ok(connection) => {
                let (opened, damaged) = (identity(&path), OnceLock::new());
                let connection = Mutex::new(connection);
                Ok(Self { path, opened, config, set_aside, damaged, connection })
            }
            Err(ConnectError::Sql(source)) => Err(StateError::Sql { path, source }),
            Err(ConnectError::Newer(found)) => {
                Err(StateError::Newer { path, found, known: database::VERSION })
            }
        }
    }

    /// Where a damaged database was put when this was opened, if it was damaged.
    pub fn set_aside(&self) -> Option<&Path> {
        self.set_aside.as_deref()
    }

    /// The configuration that it is open for.
    pub(crate) const fn config(&self) -> Digest {
        self.config
    }

    /// The database file, absolute.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads.
    fn with<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        let _reading = Timed::new(Phase::Load);
        self.told(work(&mut self.connection()))
    }

    /// Writes, in one transaction.
    fn change<T>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StateError> {
        let _writing = Timed::new(Phase::Store);
        count(Counter::Transactions, 1);
        self.told(work(&mut self.connection()))
    }

    fn told<T>(&self, worked: rusqlite::Result<T>) -> Result<T, StateError> {
        worked.map_err(|source| {
            let path = self.path.clone();
            if !is_damage(&source) {
                return StateError::Sql { path, source };
            }
            // The next run begins with a new one.
            let damaged = self.damaged.get_or_init(|| set_aside(&self.path, self.opened).ok());
            match damaged.clone() {
                Some(set_aside) => StateError::Damaged { path, set_aside, source },
                None => StateError::Sql { path, source },
            }
        })
    }

    /// Begins a run and returns its number.
    ///
    /// # Errors
    /// If the database cannot be written; so for every method here.
    pub fn begin_run(
        &self,
        now_ms: i64,
        (targets, options): (&str, &str),
        sandbox: &str,
    ) -> Result<u64, StateError> {
        self.change(|db| {
            db.execute(
                "INSERT INTO runs (started_ms, targets, sandbox, config, options)
                 VALUES (?1, ?2, ?3, ?4, ?5)",
                params![now_ms, targets, sandbox, self.config.as_bytes().as_slice(), options],
            )?;
            Ok(db.last_insert_rowid().unsigned_abs())
        })
    }

    /// Ends a run.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn finish_run(
        &self,
        run: u64,
        now_ms: i64,
        counts: &Counts,
        exit_code: u8,
    ) -> Result<(), StateError> {
        let counts: Vec<String> = TaskResult::ALL
            .iter()
            .map(|result| format!("{}={}", result.as_str(), counts.of(*result)))
            .collect();
        self.change(|db| {
            db.execute(
                "UPDATE runs SET finished_ms = ?2, counts = ?3, exit_code = ?4 WHERE id = ?1",
                params![run.cast_signed(), now_ms, counts.join(" "), exit_code],
            )?;
            Ok(())
        })
    }

    /// The last success of every label in this configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn successes(&self) -> Result<HashMap<String, Success>, StateError> {
        self.with(|db| {
            let mut statement = db.prepare(
                "SELECT label, key, outcome, duration_ms, run, previous_key, own FROM successes
                 WHERE config = ?1",
            )?;
            let rows = statement.query_map([self.config.as_bytes().as_slice()], |row| {
                Ok((row.get::<_, String>(0)?, success(row)?))
            })?;
            let mut successes = HashMap::new();
            for row in rows {
                if let (label, Some(success)) = row? {
                    successes.insert(label, success);
                }
            }
            count(Counter::StateRows, successes.len() as u64);
            Ok(successes)
        })
    }

    /// A number that is another whenever any success is, in this or another configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn successes_mark(&self) -> Result<i64, StateError> {
        self.with(|db| db.query_row("SELECT successes FROM marks", [], |row| row.get(0)))
    }

    /// Whether the store in the folder `store` was told of the present successes.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn is_published(&self, store: &str) -> Result<bool, StateError> {
        self.with(|db| {
            let select = "SELECT published = successes AND store = ?1 FROM marks";
            db.query_row(select, [store], |row| row.get(0))
        })
    }

    /// Says that the store in the folder `store` was told of the successes of the mark `mark`.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn published(&self, mark: i64, store: &str) -> Result<(), StateError> {
        self.change(|db| {
            db.execute("UPDATE marks SET published = ?1, store = ?2", params![mark, store])?;
            Ok(())
        })
    }

    /// The keys of the last successes in every configuration.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn current_keys(&self) -> Result<Vec<ActionKey>, StateError> {
        self.with(|db| {
            let mut statement = db.prepare("SELECT DISTINCT key FROM successes")?;
            let rows = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
            let mut keys = Vec::new();
            for row in rows {
                keys.extend(digest(&row?).map(ActionKey));
            }
            count(Counter::StateRows, keys.len() as u64);
            Ok(keys)
        })
    }

    /// Records successes with their key records, in one transaction. Returns the mark of all
    /// successes after it: one more than before.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn record_successes(&self, run: u64, new: &[NewSuccess<'_>]) -> Result<i64, StateError> {
        self.change(|db| {
            let transaction = db.transaction()?;
            for success in new {
                insert_success(&transaction, self.config, run, success)?;
            }
            let mark = mark_successes(&transaction)?;
            transaction.commit()?;
            Ok(mark)
        })
    }

    /// The encoded key record of `key`, if a label of this workspace ever answered it.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn record(&self, key: ActionKey) -> Result<Option<Vec<u8>>, StateError> {
        count(Counter::StateRows, 1);
        self.with(|db| {
            db.query_row(
                "SELECT record FROM records WHERE key = ?1",
                [key.digest().as_bytes().as_slice()],
                |row| row.get(0),
            )
            .optional()
        })
    }

    /// Records how tasks ended, in one transaction.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn record_attempts(&self, attempts: &[(String, Attempt)]) -> Result<(), StateError> {
        self.change(|db| {
            let transaction = db.transaction()?;
            for (label, attempt) in attempts {
                let log = attempt.log.map(|log| log.blob.digest().as_bytes().to_vec());
                transaction
                    .prepare_cached(
                        "INSERT OR REPLACE INTO attempts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                    )?
                    .execute(params![
                        label,
                        self.config.as_bytes().as_slice(),
                        attempt.run.cast_signed(),
                        attempt.result,
                        attempt.reason,
                        log,
                        attempt.log.map(|log| log.size.cast_signed()),
                    ])?;
            }
            transaction.commit()
        })
    }

    /// How the task of `label` last ended in a run that started or looked up its process.
    ///
    /// # Errors
    /// See [`State::begin_run`].
    pub fn attempt(&self, label: &str) -> Result<Option<Attempt>, StateError> {
        count(Counter::StateRows, 1);
        self.with(|db| {
            db.query_row(
                "SELECT run, result, reason, log, log_size FROM attempts
                 WHERE label = ?1 AND config = ?2",
                params![label, self.config.as_bytes().as_slice()],
                |row| {
                    let log: Option<Vec<u8>> = row.get(3)?;
                    let size: Option<i64> = row.get(4)?;
                    let log = log.and_then(|bytes| digest(&bytes)).map(|digest| FileRef {
                        blob: BlobId(digest),
                        size: size.unwrap_or_default().unsigned_abs(),
                        executable: false,
                    });
                    let run: i64 = row.get(0)?;
                    Ok(Attempt {
                        run: run.unsigned_abs(),
                        result: row.get(1)?,
                        reason: row.get(2)?,
                        log,
                    })
                },
            )
            .optional()
        })
    }
}

/// Says that some success is not what it was, and returns the new mark.
fn mark_successes(db: &Connection) -> rusqlite::Result<i64> {
    db.query_row("UPDATE marks SET successes = successes + 1 RETURNING successes", [], |row| {
        row.get(0)
    })
}

fn digest(bytes: &[u8]) -> Option<Digest> {
    bytes.try_into().ok().map(Digest::from_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_told_with_what_to_do_however_often_it_is_met() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::open(folder.path(), Digest::of(b"config")).unwrap();
        let damaged = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT);
        for _ in 0..2 {
            let met = Err::<(), _>(rusqlite::Error::SqliteFailure(damaged, None));
            let error = state.told(met).unwrap_err();
            assert!(matches!(error, StateError::Damaged { .. }), "{error}");
        }
        assert!(!folder.path().join(STATE_FILE).exists());
    }
}
