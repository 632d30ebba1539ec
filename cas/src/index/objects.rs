//! Objects: the files and trees that the store holds, and which trees name which.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{OptionalExtension, Row, params};

use super::{IndexError, Rows, Sequence};
use crate::artifact::{Artifact, FileRef};
use crate::clock::UnixMillis;
use crate::digest::{BlobId, Digest};
use crate::pack::{PackId, Place, Slot};

/// The row of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ObjectRow(i64);

/// What the index knows of an object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Object {
    pub(crate) row: ObjectRow,
    pub(crate) blob: BlobId,
    pub(crate) executable: bool,
    pub(crate) size: u64,
    /// When its bytes were last verified.
    pub(crate) checked: Sequence,
    /// When it was last used.
    pub(crate) used: Sequence,
    /// The time of its last use.
    pub(crate) used_at: UnixMillis,
    /// Whether its bytes are known to be lost.
    pub(crate) missing: bool,
    /// Where its bytes are.
    pub(crate) place: Place,
}

const COLUMNS: &str = "id, digest, executable, size, checked, used, used_at, missing, pack, place";

impl ToSql for ObjectRow {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for ObjectRow {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl ToSql for UnixMillis {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for UnixMillis {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        i64::column_result(value).map(Self)
    }
}

impl Artifact {
    /// The object that holds it: the file, or the blob with the tree's encoding.
    pub(crate) fn object(&self) -> (BlobId, bool) {
        match self {
            Self::File(file) => (file.blob, file.executable),
            Self::Tree(tree) => (tree.blob(), false),
        }
    }
}

impl Rows<'_> {
    /// The object of these bytes in this form.
    pub(crate) fn object(
        &self,
        blob: BlobId,
        executable: bool,
    ) -> Result<Option<Object>, IndexError> {
        self.row(|sql| {
            sql.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM object WHERE digest = ? AND executable = ?"
            ))?
            .query_row(params![blob.digest().as_bytes(), executable], object)
            .optional()
        })
    }

    /// The object of these bytes in this form, and whether any object is known to be lost.
    pub(crate) fn object_among_all(
        &self,
        (blob, executable): (BlobId, bool),
    ) -> Result<Option<(Object, bool)>, IndexError> {
        self.row(|sql| {
            sql.prepare_cached(&format!(
                "SELECT {COLUMNS}, EXISTS(SELECT 1 FROM object WHERE missing) FROM object
                 WHERE digest = ? AND executable = ?"
            ))?
            .query_row(params![blob.digest().as_bytes(), executable], |row| {
                Ok((object(row)?, row.get(10)?))
            })
            .optional()
        })
    }

    pub(crate) fn objects(&self) -> Result<Vec<Object>, IndexError> {
        self.rows(|sql| {
            sql.prepare(&format!("SELECT {COLUMNS} FROM object ORDER BY id"))?
                .query_map([], object)?
                .collect()
        })
    }

    /// Those of `objects` that have no row which says that their bytes have a file of their own.
    pub(crate) fn without_file(
        &self,
        objects: impl Iterator<Item = (BlobId, bool)>,
    ) -> Result<Vec<(BlobId, bool)>, IndexError> {
        let mut unknown = Vec::new();
        for (blob, executable) in objects {
            let object = self.object(blob, executable)?;
            if object.is_none_or(|object| object.place != Place::File) {
                unknown.push((blob, executable));
            }
        }
        Ok(unknown)
    }

    /// Notes that the object's bytes are there, were verified at `checked` and are used now.
    pub(crate) fn put_object(
        &self,
        file: &FileRef,
        place: Place,
        checked: Sequence,
        now: UnixMillis,
    ) -> Result<ObjectRow, IndexError> {
        let used = self.sequence()?;
        let (pack, offset) = columns(place);
        self.run(|sql| {
            sql.prepare_cached(
                "INSERT INTO object(digest, executable, size, checked, used, used_at, pack, place)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT(digest, executable) DO UPDATE
                 SET size = ?3, checked = ?4, used = ?5, used_at = ?6, missing = 0,
                     pack = ?7, place = ?8
                 RETURNING id",
            )?
            .query_row(
                params![
                    file.blob.digest().as_bytes(),
                    file.executable,
                    file.size.cast_signed(),
                    checked,
                    used,
                    now,
                    pack,
                    offset
                ],
                |row| row.get(0),
            )
        })
    }

    /// Notes a use, which keeps the object and all below it from `gc` while a lease from before
    /// lives.
    pub(crate) fn use_object(&self, row: ObjectRow, now: UnixMillis) -> Result<(), IndexError> {
        let used = self.sequence()?;
        self.run(|sql| {
            sql.prepare_cached("UPDATE object SET used = ?, used_at = ? WHERE id = ?")?
                .execute(params![used, now, row])
        })?;
        Ok(())
    }

    /// Notes that the object's bytes were just verified.
    pub(crate) fn check_object(&self, row: ObjectRow) -> Result<(), IndexError> {
        let checked = self.sequence()?;
        self.run(|sql| {
            sql.prepare_cached("UPDATE object SET checked = ? WHERE id = ?")?
                .execute(params![checked, row])
        })?;
        Ok(())
    }

    /// Notes that the object's bytes moved.
    pub(crate) fn move_object(&self, row: ObjectRow, to: Slot) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.prepare_cached("UPDATE object SET pack = ?, place = ? WHERE id = ?")?
                .execute(params![to.pack.0, to.offset.cast_signed(), row])
        })?;
        Ok(())
    }

    /// Notes that the object's bytes are lost: every result that needs it is a miss until the same
    /// bytes are put again.
    pub(crate) fn lose_object(&self, row: ObjectRow) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.prepare_cached("UPDATE object SET missing = 1 WHERE id = ?")?.execute([row])
        })?;
        Ok(())
    }

    /// Forgets the object. Nothing may refer to it any more.
    pub(crate) fn remove_object(&self, row: ObjectRow) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.prepare_cached("DELETE FROM edge WHERE parent = ?")?.execute([row])?;
            sql.prepare_cached("DELETE FROM object WHERE id = ?")?.execute([row])
        })?;
        Ok(())
    }

    /// Notes that the tree names the child.
    pub(crate) fn put_edge(&self, tree: ObjectRow, child: ObjectRow) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.prepare_cached("INSERT OR IGNORE INTO edge VALUES(?, ?)")?
                .execute(params![tree, child])
        })?;
        Ok(())
    }

    /// Every tree with every object it names.
    pub(crate) fn edges(&self) -> Result<Vec<(ObjectRow, ObjectRow)>, IndexError> {
        self.rows(|sql| {
            sql.prepare("SELECT parent, child FROM edge")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }
}

fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    Ok(Object {
        row: row.get(0)?,
        blob: BlobId(Digest::from_bytes(row.get(1)?)),
        executable: row.get(2)?,
        size: row.get::<_, i64>(3)?.cast_unsigned(),
        checked: row.get(4)?,
        used: row.get(5)?,
        used_at: row.get(6)?,
        missing: row.get(7)?,
        place: match row.get::<_, Option<i64>>(8)? {
            Some(pack) => Place::Packed(slot(pack, row.get(9)?)),
            None => Place::File,
        },
    })
}

pub(super) fn slot(pack: i64, offset: i64) -> Slot {
    Slot { pack: PackId(pack), offset: offset.cast_unsigned() }
}

fn columns(place: Place) -> (Option<i64>, Option<i64>) {
    match place {
        Place::File => (None, None),
        Place::Packed(slot) => (Some(slot.pack.0), Some(slot.offset.cast_signed())),
    }
}
