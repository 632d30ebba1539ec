//! Packs: which can be appended to.

use rusqlite::params;

use super::{IndexError, Rows};
use crate::pack::PackId;

impl Rows<'_> {
    /// Packs shorter than `full` bytes that were closed cleanly, the newest first, with their
    /// ends. A few are enough for whoever looks for one.
    pub(crate) fn closed_packs(&self, full: u64) -> Result<Vec<(PackId, u64)>, IndexError> {
        self.run(|sql| {
            sql.prepare(
                "SELECT id, closed_at FROM pack WHERE closed_at < ? ORDER BY id DESC LIMIT 4",
            )?
            .query_map([full.cast_signed()], |row| {
                Ok((PackId(row.get(0)?), row.get::<_, i64>(1)?.cast_unsigned()))
            })?
            .collect()
        })
    }

    /// Packs that were not closed: they are written to, or their writer was killed.
    pub(crate) fn open_packs(&self) -> Result<Vec<PackId>, IndexError> {
        self.run(|sql| {
            sql.prepare("SELECT id FROM pack WHERE closed_at IS NULL ORDER BY id")?
                .query_map([], |row| row.get(0).map(PackId))?
                .collect()
        })
    }

    /// Gives a new pack its number; it counts as being written to.
    pub(crate) fn add_pack(&self) -> Result<PackId, IndexError> {
        self.run(|sql| {
            let id =
                sql.query_row("UPDATE meta SET packs = packs + 1 RETURNING packs", [], |row| {
                    row.get(0)
                })?;
            sql.execute("INSERT INTO pack VALUES(?, NULL)", [id])?;
            Ok(PackId(id))
        })
    }

    /// Notes a pack that was found; nobody appends to it.
    pub(crate) fn adopt_pack(&self, id: PackId) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.execute("INSERT OR IGNORE INTO pack VALUES(?, NULL)", [id.0])?;
            sql.execute("UPDATE meta SET packs = max(packs, ?)", [id.0])
        })?;
        Ok(())
    }

    /// Notes that a pack is written to: until it is closed nobody else may.
    pub(crate) fn open_pack(&self, id: PackId) -> Result<(), IndexError> {
        self.run(|sql| sql.execute("UPDATE pack SET closed_at = NULL WHERE id = ?", [id.0]))?;
        Ok(())
    }

    /// Notes that the writer of a pack ended at `end`.
    pub(crate) fn close_pack(&self, id: PackId, end: u64) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.execute(
                "UPDATE pack SET closed_at = ? WHERE id = ?",
                params![end.cast_signed(), id.0],
            )
        })?;
        Ok(())
    }

    /// Forgets a pack.
    pub(crate) fn remove_pack(&self, id: PackId) -> Result<(), IndexError> {
        self.run(|sql| sql.execute("DELETE FROM pack WHERE id = ?", [id.0]))?;
        Ok(())
    }
}
