//! What is known to be lost, and what cannot be had without it.

use std::collections::BTreeSet;

use super::{IndexError, ObjectRow, Rows};
use crate::digest::{ActionKey, BlobId, Digest};
use crate::record;

/// The objects from which a lost one can be reached, lost ones included.
const BROKEN: &str = "WITH RECURSIVE broken(id) AS (
    SELECT id FROM object WHERE missing
    UNION SELECT parent FROM edge JOIN broken ON child = broken.id)";

/// An output that is lost, or in which something is.
struct BrokenOutput {
    key: ActionKey,
    blob: BlobId,
    /// Whether it is lost itself.
    missing: bool,
}

impl Rows<'_> {
    /// Whether the file of any object is known to be lost, which is rare.
    pub(crate) fn any_missing(&self) -> Result<bool, IndexError> {
        self.run(|sql| {
            sql.prepare_cached("SELECT EXISTS(SELECT 1 FROM object WHERE missing)")?
                .query_row([], |row| row.get(0))
        })
    }

    /// The objects that are lost, or in which something is.
    pub(crate) fn broken_objects(&self) -> Result<BTreeSet<ObjectRow>, IndexError> {
        if !self.any_missing()? {
            return Ok(BTreeSet::new());
        }
        self.run(|sql| {
            sql.prepare(&format!("{BROKEN} SELECT id FROM broken"))?
                .query_map([], |row| row.get(0))?
                .collect()
        })
    }

    /// Whether the object and all below it have their files, as far as is known.
    pub(crate) fn is_whole(&self, row: ObjectRow) -> Result<bool, IndexError> {
        Ok(!self.broken_objects()?.contains(&row))
    }

    /// The keys of the results with a lost output. One that lost its log alone is not among them.
    pub(crate) fn broken_keys(&self) -> Result<BTreeSet<ActionKey>, IndexError> {
        Ok(self.broken_outputs()?.into_iter().map(|output| output.key).collect())
    }

    /// The lost blobs that an output, a tree or a workspace needs.
    pub(crate) fn needed_missing(&self) -> Result<BTreeSet<BlobId>, IndexError> {
        let mut needed: BTreeSet<BlobId> = self.run(|sql| {
            sql.prepare(
                "SELECT digest FROM object WHERE missing AND (
                   EXISTS(SELECT 1 FROM edge WHERE child = id)
                   OR EXISTS(SELECT 1 FROM root_object WHERE root_object.digest = object.digest
                             AND root_object.executable = object.executable))",
            )?
            .query_map([], |row| Ok(BlobId(Digest::from_bytes(row.get(0)?))))?
            .collect()
        })?;
        let outputs = self.broken_outputs()?.into_iter().filter(|output| output.missing);
        needed.extend(outputs.map(|output| output.blob));
        Ok(needed)
    }

    /// Results hold their logs as they hold their outputs; only the record tells them apart.
    fn broken_outputs(&self) -> Result<Vec<BrokenOutput>, IndexError> {
        if !self.any_missing()? {
            return Ok(Vec::new());
        }
        self.rows(|sql| {
            let mut found = Vec::new();
            let mut held = sql.prepare(&format!(
                "{BROKEN} SELECT key, record, digest, executable, missing FROM broken
                 JOIN object ON object.id = broken.id
                 JOIN result_object ON result_object.object = broken.id
                 JOIN result ON result.id = result_object.result"
            ))?;
            let mut rows = held.query([])?;
            while let Some(row) = rows.next()? {
                let key = ActionKey(Digest::from_bytes(row.get(0)?));
                let blob = BlobId(Digest::from_bytes(row.get(2)?));
                let object = (blob, row.get(3)?);
                let is_output = match record::decode(row.get_ref(1)?.as_blob()?) {
                    Ok((_, result)) => result.outputs.values().any(|out| out.object() == object),
                    Err(_) => true,
                };
                if is_output {
                    found.push(BrokenOutput { key, blob, missing: row.get(4)? });
                }
            }
            Ok(found)
        })
    }
}
