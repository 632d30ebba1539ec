//! What people said of a workspace, `.vwfb/people.db`: decisions and what was shown to them.
//!
//! Nothing in it can be found out again, so it is a database of its own: every record is durable
//! before the call that makes it returns, none is ever changed, and a file that cannot be read, or that
//! a newer vwfb wrote, is an error and left as it is.

mod database;
mod decision;
mod pin_log;
mod takes;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub use decision::{
    AUTO_APPROVE, Asked, Decision, NewDecision, Question, TIMEOUT, Verdict, Verdicts,
};

pub use pin_log::PinChange;
pub(crate) use takes::Said;
pub use takes::Takes;

use database::{OpenError, connect};

/// The name of the database in `.vwfb`.
pub const PEOPLE_FILE: &str = "people.db";

/// Why what people said cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PeopleError {
    /// SQLite refused.
    #[error("cannot use what people decided in `{}`; nothing in it was changed", path.display())]
    Sql {
        /// The database file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: rusqlite::Error,
    },
    /// A newer vwfb wrote it.
    #[error(
        "`{}` was written by a newer vwfb (format {found}, and this one knows {known}): use that one",
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
}

/// The open records of what people said. Where there are none yet no file is made.
pub struct People {
    path: PathBuf,
    connection: Mutex<Option<Connection>>,
}

impl People {
    /// Those of the workspace whose own folder is `folder` (`.vwfb`).
    ///
    /// # Errors
    /// If there are some and they cannot be read.
    pub fn open(folder: &Path) -> Result<Self, PeopleError> {
        let people = Self { path: folder.join(PEOPLE_FILE), connection: Mutex::new(None) };
        if people.path.symlink_metadata().is_ok() {
            let connection = connect(&people.path).map_err(|error| people.failed(error))?;
            *people.connection() = Some(connection);
        }
        Ok(people)
    }

    fn connection(&self) -> MutexGuard<'_, Option<Connection>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, error: OpenError) -> PeopleError {
        let path = self.path.clone();
        match error {
            OpenError::Sql(source) => PeopleError::Sql { path, source },
            OpenError::Newer { found, known } => PeopleError::Newer { path, found, known },
        }
    }

    /// Reads; `empty` where nobody said anything.
    fn with<T>(
        &self,
        empty: T,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, PeopleError> {
        let mut connection = self.connection();
        // Another process may have begun it.
        if connection.is_none() && self.path.exists() {
            *connection = Some(connect(&self.path).map_err(|error| self.failed(error))?);
        }
        match connection.as_ref() {
            Some(connection) => work(connection).map_err(|error| self.failed(error.into())),
            None => Ok(empty),
        }
    }

    /// Writes, in one transaction that is durable when this returns.
    fn change<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, PeopleError> {
        let mut connection = self.connection();
        if connection.is_none() {
            *connection = Some(connect(&self.path).map_err(|error| self.failed(error))?);
        }
        let open = connection.as_mut().expect("it was just opened");
        let changed = || {
            let immediate = rusqlite::TransactionBehavior::Immediate;
            let transaction = open.transaction_with_behavior(immediate)?;
            let value = work(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        changed().map_err(|error: rusqlite::Error| self.failed(error.into()))
    }
}
