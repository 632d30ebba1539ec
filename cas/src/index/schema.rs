//! The tables, and how a connection is set up.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{IndexError, Rows};

/// Raised whenever a table changes; another number is another store format.
const VERSION: i64 = 2;

const TABLES: &str = "
CREATE TABLE meta(
  sequence INTEGER NOT NULL,           -- raised by every process that opens the store
  unclean INTEGER NOT NULL,            -- the sequence at which an unclean stop was last noticed
  packs INTEGER NOT NULL               -- the number of the newest pack
) STRICT;
INSERT INTO meta VALUES(1, 0, 0);
CREATE TABLE pack(
  id INTEGER PRIMARY KEY,              -- its file's name
  closed_at INTEGER                    -- where its last writer ended, if it ended cleanly
) STRICT;
CREATE TABLE lease(
  name TEXT PRIMARY KEY,               -- the lease file
  start INTEGER NOT NULL               -- the sequence when it was taken
) STRICT, WITHOUT ROWID;
CREATE TABLE object(
  id INTEGER PRIMARY KEY,
  digest BLOB NOT NULL,
  executable INTEGER NOT NULL,
  size INTEGER NOT NULL,
  checked INTEGER NOT NULL,            -- the sequence at which its bytes were last verified
  used INTEGER NOT NULL,               -- the sequence of its last use
  used_at INTEGER NOT NULL,            -- the time of its last use
  missing INTEGER NOT NULL DEFAULT 0,  -- its bytes are known to be lost
  pack INTEGER,                        -- the pack its bytes are in; NULL: a file of their own
  place INTEGER,                       -- where its frame begins there
  UNIQUE(digest, executable)
) STRICT;
CREATE INDEX object_missing ON object(id) WHERE missing;
CREATE TABLE edge(
  parent INTEGER NOT NULL,             -- a tree
  child INTEGER NOT NULL,              -- an object it names
  PRIMARY KEY(parent, child)
) STRICT, WITHOUT ROWID;
CREATE INDEX edge_child ON edge(child);
CREATE TABLE result(
  id INTEGER PRIMARY KEY,
  key BLOB NOT NULL UNIQUE,
  record BLOB NOT NULL,
  used INTEGER NOT NULL,
  used_at INTEGER NOT NULL,
  pack INTEGER NOT NULL,               -- the pack with its record
  place INTEGER NOT NULL               -- where its frame begins there
) STRICT;
CREATE TABLE result_object(
  result INTEGER NOT NULL,
  object INTEGER NOT NULL,
  PRIMARY KEY(result, object)
) STRICT, WITHOUT ROWID;
CREATE INDEX result_object_object ON result_object(object);
CREATE TABLE root_result(workspace TEXT NOT NULL, key BLOB NOT NULL,
  PRIMARY KEY(workspace, key)) STRICT, WITHOUT ROWID;
CREATE TABLE root_object(workspace TEXT NOT NULL, digest BLOB NOT NULL, executable INTEGER NOT NULL,
  PRIMARY KEY(workspace, digest, executable)) STRICT, WITHOUT ROWID;
";

/// So many pages are in the log when they are written into the index: keys are random, so a page
/// that is written later holds more of them.
const LOG_PAGES: u32 = 4000;

/// A connection in WAL mode.
pub(super) fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    crate::wal::begin(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
    Ok(connection)
}

impl Rows<'_> {
    /// Makes the tables if there are none; whether it did.
    ///
    /// Whoever fills them does so in the same transaction, so that tables stand for a whole index.
    pub(crate) fn make_tables(&self) -> Result<bool, IndexError> {
        self.run(|sql| {
            let version: i64 = sql.query_row("PRAGMA user_version", [], |row| row.get(0))?;
            if version == 0 {
                sql.execute_batch(&format!("{TABLES} PRAGMA user_version = {VERSION};"))?;
            }
            Ok(version == 0)
        })
    }
}
