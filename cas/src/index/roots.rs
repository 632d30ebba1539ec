//! What the workspaces need kept.

use std::collections::BTreeSet;

use rusqlite::{Connection, StatementStatus, params};

use super::{IndexError, Rows};
use crate::artifact::Artifact;
use crate::digest::{ActionKey, BlobId, Digest};
use crate::gc::Roots;
use crate::profile::{Counter, count};

/// What a workspace needs kept, each thing once.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RootSet {
    pub(crate) keys: BTreeSet<ActionKey>,
    pub(crate) objects: BTreeSet<(BlobId, bool)>,
}

impl From<&Roots> for RootSet {
    fn from(roots: &Roots) -> Self {
        let objects = roots.artifacts.iter().map(Artifact::object).collect();
        Self { keys: roots.keys.iter().copied().collect(), objects }
    }
}

impl Rows<'_> {
    /// What `workspace` needs kept.
    pub(crate) fn roots(&self, workspace: &str) -> Result<RootSet, IndexError> {
        let found = self.run(|sql| {
            let keys = sql
                .prepare("SELECT key FROM root_result WHERE workspace = ?")?
                .query_map([workspace], |row| Ok(ActionKey(Digest::from_bytes(row.get(0)?))))?
                .collect::<Result<_, _>>()?;
            let objects = sql
                .prepare("SELECT digest, executable FROM root_object WHERE workspace = ?")?
                .query_map([workspace], |row| {
                    Ok((BlobId(Digest::from_bytes(row.get(0)?)), row.get(1)?))
                })?
                .collect::<Result<_, _>>()?;
            Ok(RootSet { keys, objects })
        })?;
        count(Counter::IndexRows, (found.keys.len() + found.objects.len()) as u64);
        Ok(found)
    }

    /// Replaces what `workspace` needs kept, writing only what differs.
    pub(crate) fn set_roots(&self, workspace: &str, wanted: &RootSet) -> Result<(), IndexError> {
        let present = self.roots(workspace)?;
        self.run(|sql| {
            set_keys(sql, workspace, &present.keys, &wanted.keys)?;
            set_objects(sql, workspace, &present.objects, &wanted.objects)
        })
    }

    /// Adds to what `workspace` needs kept.
    pub(crate) fn add_roots(&self, workspace: &str, keys: &[ActionKey]) -> Result<(), IndexError> {
        self.run(|sql| {
            let mut add = sql.prepare_cached("INSERT OR IGNORE INTO root_result VALUES(?, ?)")?;
            for key in keys {
                add.execute(params![workspace, key.digest().as_bytes()])?;
            }
            Ok(())
        })
    }

    /// Forgets what `workspace` needed kept.
    pub(crate) fn remove_roots(&self, workspace: &str) -> Result<(), IndexError> {
        self.run(|sql| {
            sql.execute("DELETE FROM root_result WHERE workspace = ?", [workspace])?;
            sql.execute("DELETE FROM root_object WHERE workspace = ?", [workspace])
        })?;
        Ok(())
    }

    /// Whether that workspace published anything.
    pub(crate) fn has_roots(&self, workspace: &str) -> Result<bool, IndexError> {
        self.run(|db| {
            db.prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM root_result WHERE workspace = ?1)
                 OR EXISTS (SELECT 1 FROM root_object WHERE workspace = ?1)",
            )?
            .query_row([workspace], |row| row.get(0))
        })
    }

    /// The workspaces that published anything, found without reading what each published.
    pub(crate) fn root_workspaces(&self) -> Result<Vec<String>, IndexError> {
        self.run(|sql| {
            let mut select = sql.prepare_cached(
                "WITH RECURSIVE
                   with_result(name) AS (
                     SELECT min(workspace) FROM root_result
                     UNION ALL
                     SELECT (SELECT min(workspace) FROM root_result WHERE workspace > name)
                     FROM with_result WHERE name IS NOT NULL),
                   with_object(name) AS (
                     SELECT min(workspace) FROM root_object
                     UNION ALL
                     SELECT (SELECT min(workspace) FROM root_object WHERE workspace > name)
                     FROM with_object WHERE name IS NOT NULL)
                 SELECT name FROM with_result WHERE name IS NOT NULL
                 UNION SELECT name FROM with_object WHERE name IS NOT NULL
                 ORDER BY name",
            )?;
            let names = select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            let steps = select.reset_status(StatementStatus::FullscanStep);
            count(Counter::IndexRows, u64::try_from(steps).unwrap_or_default());
            Ok(names)
        })
    }
}

fn set_keys(
    sql: &Connection,
    workspace: &str,
    present: &BTreeSet<ActionKey>,
    wanted: &BTreeSet<ActionKey>,
) -> rusqlite::Result<()> {
    let mut remove =
        sql.prepare_cached("DELETE FROM root_result WHERE workspace = ? AND key = ?")?;
    for key in present.difference(wanted) {
        remove.execute(params![workspace, key.digest().as_bytes()])?;
    }
    let mut add = sql.prepare_cached("INSERT INTO root_result VALUES(?, ?)")?;
    for key in wanted.difference(present) {
        add.execute(params![workspace, key.digest().as_bytes()])?;
    }
    Ok(())
}

fn set_objects(
    sql: &Connection,
    workspace: &str,
    present: &BTreeSet<(BlobId, bool)>,
    wanted: &BTreeSet<(BlobId, bool)>,
) -> rusqlite::Result<()> {
    let mut remove = sql.prepare_cached(
        "DELETE FROM root_object WHERE workspace = ? AND digest = ? AND executable = ?",
    )?;
    for (blob, executable) in present.difference(wanted) {
        remove.execute(params![workspace, blob.digest().as_bytes(), executable])?;
    }
    let mut add = sql.prepare_cached("INSERT INTO root_object VALUES(?, ?, ?)")?;
    for (blob, executable) in wanted.difference(present) {
        add.execute(params![workspace, blob.digest().as_bytes(), executable])?;
    }
    Ok(())
}
