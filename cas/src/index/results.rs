//! Action results by key, and the objects each needs.

use std::time::Duration;

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, params};

use super::objects::slot;
use super::{IndexError, ObjectRow, Rows, Sequence};
use crate::artifact::ActionResult;
use crate::clock::UnixMillis;
use crate::digest::{ActionKey, Digest};
use crate::pack::Slot;
use crate::record;

/// The row of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ResultRow(i64);

/// What the index knows of a result, its content aside.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultInfo {
    pub(crate) row: ResultRow,
    pub(crate) key: ActionKey,
    pub(crate) used: Sequence,
    pub(crate) used_at: UnixMillis,
    /// How long it took to make; nothing if its record is damaged.
    pub(crate) work: Duration,
}

impl ToSql for ResultRow {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for ResultRow {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl Rows<'_> {
    /// The result under `key` and when it was last used, whether or not its blobs are there. One
    /// whose record is damaged is none.
    pub(crate) fn result(
        &self,
        key: ActionKey,
    ) -> Result<Option<(ActionResult, Sequence)>, IndexError> {
        let found: Option<(Vec<u8>, Sequence)> = self.row(|sql| {
            sql.prepare_cached("SELECT record, used FROM result WHERE key = ?")?
                .query_row([key.digest().as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()
        })?;
        Ok(found.and_then(|(bytes, used)| Some((record::decode(&bytes).ok()?.1, used))))
    }

    /// Whether there is a result under `key`.
    pub(crate) fn has_result(&self, key: ActionKey) -> Result<bool, IndexError> {
        self.row(|sql| {
            sql.prepare_cached("SELECT EXISTS(SELECT 1 FROM result WHERE key = ?)")?
                .query_row([key.digest().as_bytes()], |row| row.get(0))
        })
    }

    /// The record of a result, and the pack entry that also has it.
    pub(crate) fn record(&self, key: ActionKey) -> Result<Option<(Vec<u8>, Slot)>, IndexError> {
        self.row(|sql| {
            sql.prepare_cached("SELECT record, pack, place FROM result WHERE key = ?")?
                .query_row([key.digest().as_bytes()], |row| {
                    Ok((row.get(0)?, slot(row.get(1)?, row.get(2)?)))
                })
                .optional()
        })
    }

    /// Where the record of every result is, and its length in bytes.
    pub(crate) fn record_slots(
        &self,
    ) -> Result<Vec<(ResultRow, ActionKey, Slot, u64)>, IndexError> {
        self.rows(|sql| {
            sql.prepare("SELECT id, key, pack, place, length(record) FROM result")?
                .query_map([], |row| {
                    let key = ActionKey(Digest::from_bytes(row.get(1)?));
                    let length = row.get::<_, i64>(4)?.cast_unsigned();
                    Ok((row.get(0)?, key, slot(row.get(2)?, row.get(3)?), length))
                })?
                .collect()
        })
    }

    /// Notes that the record of a result is elsewhere now.
    pub(crate) fn move_record(&self, row: ResultRow, to: Slot) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.prepare_cached("UPDATE result SET pack = ?, place = ? WHERE id = ?")?
                .execute(params![to.pack.0, to.offset.cast_signed(), row])
        })?;
        Ok(())
    }

    pub(crate) fn results(&self) -> Result<Vec<ResultInfo>, IndexError> {
        self.rows(|sql| {
            sql.prepare("SELECT id, key, used, used_at, record FROM result ORDER BY id")?
                .query_map([], |row| {
                    let made = record::decode(row.get_ref(4)?.as_blob()?);
                    let work = made.map_or(0, |(_, result)| result.duration_ms);
                    Ok(ResultInfo {
                        row: row.get(0)?,
                        key: ActionKey(Digest::from_bytes(row.get(1)?)),
                        used: row.get(2)?,
                        used_at: row.get(3)?,
                        work: Duration::from_millis(work),
                    })
                })?
                .collect()
        })
    }

    /// Every result with every object it names.
    pub(crate) fn result_objects(&self) -> Result<Vec<(ResultRow, ObjectRow)>, IndexError> {
        self.rows(|sql| {
            sql.prepare("SELECT result, object FROM result_object")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Writes a result that needs `objects`; there is none under its key.
    pub(crate) fn put_result(
        &self,
        key: ActionKey,
        record: &[u8],
        slot: Slot,
        objects: &[ObjectRow],
        now: UnixMillis,
    ) -> Result<(), IndexError> {
        let used = self.sequence()?;
        self.run(|sql| {
            let row: ResultRow = sql
                .prepare_cached(
                    "INSERT INTO result(key, record, used, used_at, pack, place)
                     VALUES(?, ?, ?, ?, ?, ?) RETURNING id",
                )?
                .query_row(
                    params![
                        key.digest().as_bytes(),
                        record,
                        used,
                        now,
                        slot.pack.0,
                        slot.offset.cast_signed()
                    ],
                    |row| row.get(0),
                )?;
            let mut link =
                sql.prepare_cached("INSERT OR IGNORE INTO result_object VALUES(?, ?)")?;
            for object in objects {
                link.execute(params![row, object])?;
            }
            Ok(())
        })
    }

    /// Notes a use, which keeps the result and its objects from `gc` while a lease from before
    /// lives; `false` if there is no such result.
    pub(crate) fn use_result(&self, key: ActionKey, now: UnixMillis) -> Result<bool, IndexError> {
        let used = self.sequence()?;
        let changed = self.run(|sql| {
            sql.prepare_cached("UPDATE result SET used = ?, used_at = ? WHERE key = ?")?
                .execute(params![used, now, key.digest().as_bytes()])
        })?;
        Ok(changed > 0)
    }

    /// Forgets a result; whoever used it goes on using its objects. `false` if there was none.
    pub(crate) fn remove_result(&self, key: ActionKey) -> Result<bool, IndexError> {
        let key = key.digest();
        self.run(|sql| {
            sql.prepare_cached(
                "UPDATE object SET used = max(object.used, result.used),
                                   used_at = max(object.used_at, result.used_at)
                 FROM result JOIN result_object ON result_object.result = result.id
                 WHERE result.key = ? AND object.id = result_object.object",
            )?
            .execute([key.as_bytes()])?;
            sql.prepare_cached(
                "DELETE FROM result_object
                 WHERE result = (SELECT id FROM result WHERE key = ?)",
            )?
            .execute([key.as_bytes()])?;
            let removed = sql
                .prepare_cached("DELETE FROM result WHERE key = ?")?
                .execute([key.as_bytes()])?;
            Ok(removed > 0)
        })
    }
}
