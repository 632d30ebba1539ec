//! The index made again from what lies beside it: blobs by their names, results by their records.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::artifact::{ActionResult, Artifact, Entry, FileRef, Tree, TreeId};
use crate::clock::UnixMillis;
use crate::commit::needed;
use crate::digest::{ActionKey, BlobId};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Rows, Sequence};
use crate::layout::{self, Layout};
use crate::put::put_edges;
use crate::record;

/// What the index did not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Adopted {
    pub(crate) objects: u64,
    pub(crate) results: u64,
}

/// Moves a damaged index out of the way. The caller holds the store's lock and nobody else has the
/// store open.
pub(crate) fn set_index_aside(layout: &Layout) -> Result<(), IoError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = layout.index().into_os_string();
        name.push(suffix);
        let from = PathBuf::from(name);
        let to = layout.quarantine().join(format!("index.db{suffix}"));
        match fs::rename(&from, &to) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            done => done.at("set aside", &from)?,
        }
    }
    Ok(())
}

/// Notes every blob and every whole result that has no row yet. Blobs count as not verified.
pub(crate) fn adopt(
    layout: &Layout,
    rows: &Rows<'_>,
    now: UnixMillis,
) -> Result<Adopted, IndexError> {
    let mut adopted = Adopted { objects: adopt_blobs(layout, rows, now)?, results: 0 };
    for path in layout::files(&layout.records())? {
        let bytes = fs::read(&path).at("read", &path)?;
        let Ok((key, result)) = record::decode(&bytes) else { continue };
        if layout.record(key) == path && adopt_result(layout, rows, key, &result, &bytes, now)? {
            adopted.results += 1;
        }
    }
    if adopted.objects > 0 {
        rows.mark_unclean()?;
    }
    Ok(adopted)
}

fn adopt_blobs(layout: &Layout, rows: &Rows<'_>, now: UnixMillis) -> Result<u64, IndexError> {
    let mut count = 0;
    for path in layout::files(&layout.blobs())? {
        let Some((digest, executable)) = layout::named(&path) else { continue };
        let blob = BlobId(digest);
        if rows.object(blob, executable)?.is_none_or(|object| object.missing) {
            let size = fs::symlink_metadata(&path).at("stat", &path)?.len();
            rows.put_object(&FileRef { blob, size, executable }, Sequence::NEVER, now)?;
            count += 1;
        }
    }
    Ok(count)
}

fn adopt_result(
    layout: &Layout,
    rows: &Rows<'_>,
    key: ActionKey,
    result: &ActionResult,
    bytes: &[u8],
    now: UnixMillis,
) -> Result<bool, IndexError> {
    if rows.has_result(key)? {
        return Ok(false);
    }
    for artifact in result.outputs.values() {
        if let Artifact::Tree(tree) = artifact
            && !adopt_edges(layout, rows, *tree)?
        {
            return Ok(false);
        }
    }
    match needed(rows, result)? {
        Ok(objects) => rows.put_result(key, bytes, &objects, now)?,
        Err(_) => return Ok(false),
    }
    Ok(true)
}

/// Notes what the tree and those below it name; `false` if any of it is not there.
fn adopt_edges(layout: &Layout, rows: &Rows<'_>, tree: TreeId) -> Result<bool, IndexError> {
    let Some(object) = rows.object(tree.blob(), false)? else { return Ok(false) };
    let Some(entries) = read_tree(layout, tree) else { return Ok(false) };
    for (blob, executable) in entries.objects() {
        if rows.object(blob, executable)?.is_none() {
            return Ok(false);
        }
    }
    put_edges(rows, object.row, &entries)?;
    for entry in entries.entries.values() {
        if let Entry::Dir(child) = entry
            && !adopt_edges(layout, rows, *child)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_tree(layout: &Layout, tree: TreeId) -> Option<Tree> {
    let bytes = fs::read(layout.blob(tree.blob(), false)).ok()?;
    Tree::decode(&bytes).ok().filter(|found| found.id() == tree)
}
