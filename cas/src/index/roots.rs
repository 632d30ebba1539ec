//! What the workspaces need kept.

use std::collections::BTreeSet;

use rusqlite::params;

use super::{IndexError, Rows};
use crate::digest::{ActionKey, BlobId, Digest};
use crate::gc::Roots;

impl Rows<'_> {
    /// Replaces what `workspace` needs kept.
    pub(crate) fn set_roots(&self, workspace: &str, roots: &Roots) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.execute("DELETE FROM root_result WHERE workspace = ?", [workspace])?;
            sql.execute("DELETE FROM root_object WHERE workspace = ?", [workspace])?;
            let mut result = sql.prepare_cached("INSERT INTO root_result VALUES(?, ?)")?;
            for key in &roots.keys {
                result.execute(params![workspace, key.digest().as_bytes()])?;
            }
            let mut object = sql.prepare_cached("INSERT INTO root_object VALUES(?, ?, ?)")?;
            for artifact in &roots.artifacts {
                let (blob, executable) = artifact.object();
                object.execute(params![workspace, blob.digest().as_bytes(), executable])?;
            }
            Ok(())
        })
    }

    /// The results that any workspace needs kept.
    pub(crate) fn root_keys(&self) -> Result<BTreeSet<ActionKey>, IndexError> {
        self.run(|sql| {
            sql.prepare("SELECT DISTINCT key FROM root_result")?
                .query_map([], |row| Ok(ActionKey(Digest::from_bytes(row.get(0)?))))?
                .collect()
        })
    }

    /// The objects that any workspace needs kept.
    pub(crate) fn root_objects(&self) -> Result<BTreeSet<(BlobId, bool)>, IndexError> {
        self.run(|sql| {
            sql.prepare("SELECT DISTINCT digest, executable FROM root_object")?
                .query_map([], |row| Ok((BlobId(Digest::from_bytes(row.get(0)?)), row.get(1)?)))?
                .collect()
        })
    }

    /// The workspaces that published anything.
    pub(crate) fn root_workspaces(&self) -> Result<Vec<String>, IndexError> {
        self.run(|sql| {
            sql.prepare(
                "SELECT workspace FROM root_result UNION SELECT workspace FROM root_object",
            )?
            .query_map([], |row| row.get(0))?
            .collect()
        })
    }
}
