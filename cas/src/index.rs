//! The index: what the store holds, in SQLite.
//!
//! Whoever writes first takes the store's lock file, so writers of all processes queue in the
//! kernel and never meet in SQLite. Readers see the last committed state and wait for nobody.

mod leases;
mod losses;
mod objects;
mod others;
mod packs;
mod results;
mod roots;
mod schema;
mod totals;

use std::cell::Cell;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{AtPath, IoError};
use crate::layout;
use crate::profile::{Counter, Phase, Timed, count};
use crate::wal;

use others::Others;

pub(crate) use leases::Sequence;
pub(crate) use objects::{Object, ObjectRow};
pub(crate) use results::{ResultInfo, ResultRow};
pub(crate) use roots::RootSet;

/// The index cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// SQLite refused.
    #[error("the store's index `{}` failed", path.display())]
    Sqlite {
        /// The index file.
        path: PathBuf,
        /// SQLite's reason.
        source: rusqlite::Error,
    },
    /// A file beside it failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl IndexError {
    /// Whether the index file itself is damaged, so that only a rebuild helps.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => matches!(
                source.sqlite_error_code(),
                Some(rusqlite::ErrorCode::DatabaseCorrupt | rusqlite::ErrorCode::NotADatabase)
            ),
            Self::Io(_) => false,
        }
    }

    /// Whether the disk is full.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Sqlite { source, .. } => {
                source.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
            }
            Self::Io(error) => error.is_full(),
        }
    }
}

/// How much a write must outlive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outlive {
    /// The death of this process; a power cut may undo it.
    Process,
    /// A power cut.
    PowerCut,
}

/// The two connections to one index.
pub(crate) struct Index {
    path: PathBuf,
    writer: Mutex<Writer>,
    /// Opened when it is first needed.
    reader: Mutex<Option<Connection>>,
    others: Others,
}

struct Writer {
    lock: File,
    lock_path: PathBuf,
    connection: Connection,
}

impl Index {
    /// Opens the index, an empty one if there is none: see `Rows::make_tables`. `lock` is the
    /// store's lock file, which the caller holds; the first `write` ends with releasing it.
    pub(crate) fn open(path: PathBuf, lock_path: PathBuf, lock: File) -> Result<Self, IndexError> {
        let fail = |source| IndexError::Sqlite { path: path.clone(), source };
        let connection = schema::connect(&path).map_err(fail)?;
        let others = Others::new(lock.try_clone().at("open", &lock_path)?);
        let writer = Writer { lock, lock_path, connection };
        Ok(Self { path, writer: Mutex::new(writer), reader: Mutex::default(), others })
    }

    /// A number that is the same as before only if no other process wrote meanwhile.
    pub(crate) fn times_of_others(&self) -> u64 {
        self.others.times()
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads one consistent state.
    pub(crate) fn read<T, E: From<IndexError>>(
        &self,
        body: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _asking = Timed::new(Phase::Lookup);
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = self.opened(&mut reader)?;
        let transaction = reader.transaction().map_err(|source| self.failure(source))?;
        body(&Rows::new(&transaction, &self.path))
    }

    /// Reads by one statement, which is consistent by itself; with more than one each sees what is
    /// there when it runs.
    pub(crate) fn peek<T, E: From<IndexError>>(
        &self,
        body: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _asking = Timed::new(Phase::Lookup);
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        body(&Rows::new(self.opened(&mut reader)?, &self.path))
    }

    /// The same where little else is read: no second connection is opened for it.
    pub(crate) fn glance<T, E: From<IndexError>>(
        &self,
        body: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _asking = Timed::new(Phase::Lookup);
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        body(&Rows::new(&writer.connection, &self.path))
    }

    fn opened<'r>(
        &self,
        reader: &'r mut Option<Connection>,
    ) -> Result<&'r mut Connection, IndexError> {
        Ok(match reader {
            Some(reader) => reader,
            none => none.insert(schema::connect(&self.path).map_err(|from| self.failure(from))?),
        })
    }

    /// Changes the index: all of `body` or nothing, alone among all processes.
    pub(crate) fn write<T, E: From<IndexError>>(
        &self,
        outlive: Outlive,
        body: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let _writing = Timed::new(Phase::Store);
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Writer { lock, lock_path, connection } = &mut *writer;
        let _held = Held::take(lock, lock_path).map_err(IndexError::from)?;
        self.others.begin().at("write", lock_path).map_err(IndexError::from)?;
        let written = self.transact(connection, outlive, body);
        self.others.end();
        written
    }

    fn transact<T, E: From<IndexError>>(
        &self,
        connection: &mut Connection,
        outlive: Outlive,
        body: impl FnOnce(&Rows<'_>) -> Result<T, E>,
    ) -> Result<T, E> {
        let fail = |source| self.failure(source);
        connection.execute_batch(outlive.pragma()).map_err(fail)?;
        let transaction =
            connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let value = body(&Rows::new(&transaction, &self.path))?;
        transaction.commit().map_err(fail)?;
        count(Counter::Transactions, 1);
        Ok(value)
    }

    /// See [`wal::end_quickly`].
    pub(crate) fn end_quickly(&self) -> Result<(), IndexError> {
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in [Some(&writer.connection), reader.as_ref()].into_iter().flatten() {
            wal::end_quickly(connection, &self.path).map_err(|source| self.failure(source))?;
        }
        Ok(())
    }

    fn failure(&self, source: rusqlite::Error) -> IndexError {
        IndexError::Sqlite { path: self.path.clone(), source }
    }
}

impl Outlive {
    fn pragma(self) -> &'static str {
        match self {
            Self::Process => "PRAGMA synchronous = NORMAL",
            Self::PowerCut => "PRAGMA synchronous = FULL",
        }
    }
}

/// The store's lock, held until dropped.
struct Held<'a>(&'a File);

impl<'a> Held<'a> {
    fn take(lock: &'a File, path: &Path) -> Result<Self, IoError> {
        layout::lock_exclusively(lock, path)?;
        Ok(Self(lock))
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        // Closing the file unlocks it too, so a failure here costs waiting, not safety.
        let _ = self.0.unlock();
    }
}

/// The index within one transaction; what can be asked of it and done to it is in the submodules.
pub(crate) struct Rows<'a> {
    connection: &'a Connection,
    path: &'a Path,
    /// The present moment, once it was asked for.
    moment: Cell<Option<Sequence>>,
}

impl<'a> Rows<'a> {
    fn new(connection: &'a Connection, path: &'a Path) -> Self {
        Self { connection, path, moment: Cell::new(None) }
    }

    /// Reads one row, or learns that there is none.
    fn row<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, IndexError> {
        count(Counter::IndexRows, 1);
        self.run(body)
    }

    /// Reads all rows of some kind.
    fn rows<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<Vec<T>>,
    ) -> Result<Vec<T>, IndexError> {
        let rows = self.run(body)?;
        count(Counter::IndexRows, rows.len() as u64);
        Ok(rows)
    }

    fn run<T>(
        &self,
        body: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, IndexError> {
        body(self.connection)
            .map_err(|source| IndexError::Sqlite { path: self.path.to_owned(), source })
    }
}
