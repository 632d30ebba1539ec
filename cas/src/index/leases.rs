//! Leases, and the sequence that uses are counted by.

use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};

use super::{IndexError, Rows};

/// A moment in the store's life: it counts the processes that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sequence(i64);

impl Sequence {
    /// Before everything.
    pub(crate) const NEVER: Self = Self(0);
}

impl ToSql for Sequence {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Sequence {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl Rows<'_> {
    /// The present moment.
    pub(crate) fn sequence(&self) -> Result<Sequence, IndexError> {
        if let Some(moment) = self.moment.get() {
            return Ok(moment);
        }
        let moment = self.run(|sql| {
            sql.prepare_cached("SELECT sequence FROM meta")?.query_row([], |row| row.get(0))
        })?;
        self.moment.set(Some(moment));
        Ok(moment)
    }

    /// Begins the next moment and returns it.
    pub(crate) fn advance(&self) -> Result<Sequence, IndexError> {
        self.run(|sql| sql.execute("UPDATE meta SET sequence = sequence + 1", []))?;
        self.moment.set(None);
        self.sequence()
    }

    /// Notes that a process ended without giving its lease back.
    pub(crate) fn mark_unclean(&self) -> Result<(), IndexError> {
        self.run(|sql| sql.execute("UPDATE meta SET unclean = sequence", []))?;
        self.advance()?;
        Ok(())
    }

    /// When an unclean end was last noted.
    pub(crate) fn unclean(&self) -> Result<Sequence, IndexError> {
        self.run(|sql| sql.query_row("SELECT unclean FROM meta", [], |row| row.get(0)))
    }

    pub(crate) fn add_lease(&self, name: &str, start: Sequence) -> Result<(), IndexError> {
        self.run(|sql| sql.execute("INSERT INTO lease VALUES(?, ?)", params![name, start]))?;
        Ok(())
    }

    pub(crate) fn remove_lease(&self, name: &str) -> Result<(), IndexError> {
        self.run(|sql| sql.execute("DELETE FROM lease WHERE name = ?", [name]))?;
        Ok(())
    }

    pub(crate) fn leases(&self) -> Result<Vec<String>, IndexError> {
        self.run(|sql| {
            sql.prepare("SELECT name FROM lease")?.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// What was used at this moment or later may be in use.
    pub(crate) fn oldest_lease(&self) -> Result<Option<Sequence>, IndexError> {
        self.run(|sql| sql.query_row("SELECT min(start) FROM lease", [], |row| row.get(0)))
    }
}
