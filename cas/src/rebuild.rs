//! The index made again from what lies beside it: blobs by their names and
//! in packs, results by their records.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::PathBuf;

use crate::artifact::{ActionResult, Artifact, Entry, FileRef, Tree, TreeId};
use crate::clock::UnixMillis;
use crate::commit::needed;
use crate::digest::{ActionKey, BlobId};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Object, Rows, Sequence};
use crate::layout::{self, Layout};
use crate::pack::{self, Frame, Kind, PackId, Place, Slot};
use crate::packs;
use crate::record;
use crate::store;

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
    let mut records = Vec::new();
    for id in packs::all(layout)? {
        rows.adopt_pack(id)?;
        adopted.objects += adopt_pack(layout, rows, id, &mut records, now)?;
    }
    // Only now: what a result names may be in a later pack.
    for record in &records {
        adopted.results += u64::from(adopt_result(layout, rows, record, now)?);
    }
    if adopted.objects > 0 {
        rows.mark_unclean()?;
    }
    Ok(adopted)
}

/// Takes up what killed processes appended to their packs and did not note any more, so that a kill
/// loses no result that was told of. The caller holds the store's lock.
pub(crate) fn recover(layout: &Layout, rows: &Rows<'_>, now: UnixMillis) -> Result<(), IndexError> {
    let mut records = Vec::new();
    // A power cut may have undone the row of a pack.
    packs::all(layout)?.into_iter().try_for_each(|id| rows.adopt_pack(id))?;
    for id in rows.open_packs()? {
        // A pack with a lock is one that somebody appends to.
        let Some(_locked) = packs::lock_unused(layout, id)? else { continue };
        adopt_pack(layout, rows, id, &mut records, now)?;
        // Its end may be torn: nobody appends to it any more.
        rows.close_pack(id, i64::MAX.cast_unsigned())?;
    }
    if records.is_empty() {
        return Ok(());
    }
    // A result is seen only when its bytes outlive a power cut.
    store::sync_file_system(layout.root())?;
    records.iter().try_for_each(|record| adopt_result(layout, rows, record, now).map(drop))
}

fn adopt_blobs(layout: &Layout, rows: &Rows<'_>, now: UnixMillis) -> Result<u64, IndexError> {
    let mut count = 0;
    for path in layout::files(&layout.blobs())? {
        let Some((digest, executable)) = layout::named(&path) else { continue };
        let blob = BlobId(digest);
        if is_unknown(rows, blob, executable)? {
            let size = fs::symlink_metadata(&path).at("stat", &path)?.len();
            let file = FileRef { blob, size, executable };
            rows.put_object(&file, Place::File, Sequence::NEVER, now)?;
            count += 1;
        }
    }
    Ok(count)
}

/// A record that was found in a pack.
struct Record {
    key: ActionKey,
    result: ActionResult,
    bytes: Vec<u8>,
    slot: Slot,
}

/// Takes up the blobs in a pack, and gathers the records.
fn adopt_pack(
    layout: &Layout,
    rows: &Rows<'_>,
    id: PackId,
    records: &mut Vec<Record>,
    now: UnixMillis,
) -> Result<u64, IndexError> {
    let path = layout.pack(id);
    let pack = fs::read(&path).at("read", &path)?;
    let mut count = 0;
    for (offset, frame) in pack::scan(&pack) {
        let slot = Slot { pack: id, offset };
        match frame.kind {
            Kind::Dead => {}
            // A frame does not say in which form its bytes are wanted: whoever names them does.
            Kind::Blob => {
                let blob = BlobId(frame.digest);
                if is_unknown(rows, blob, false)? {
                    let size = u64::from(frame.length);
                    let file = FileRef { blob, size, executable: false };
                    rows.put_object(&file, Place::Packed(slot), Sequence::NEVER, now)?;
                    count += 1;
                }
            }
            Kind::Record => {
                let begin = offset as usize + pack::HEADER;
                let bytes = pack[begin..begin + frame.length as usize].to_vec();
                if let Ok((key, result)) = record::decode(&bytes)
                    && key.digest() == frame.digest
                {
                    records.push(Record { key, result, bytes, slot });
                }
            }
        }
    }
    Ok(count)
}

fn is_unknown(rows: &Rows<'_>, blob: BlobId, executable: bool) -> Result<bool, IndexError> {
    Ok(rows.object(blob, executable)?.is_none_or(|object| object.missing))
}

/// The object in this form, also if its file has no row yet; if its bytes are in a pack, it is
/// there in both forms.
fn object(
    layout: &Layout,
    rows: &Rows<'_>,
    blob: BlobId,
    executable: bool,
    now: UnixMillis,
) -> Result<Option<Object>, IndexError> {
    if is_unknown(rows, blob, executable)?
        && let Some(twin) = rows.object(blob, !executable)?.filter(|twin| !twin.missing)
        && matches!(twin.place, Place::Packed(_))
    {
        let file = FileRef { blob, size: twin.size, executable };
        rows.put_object(&file, twin.place, Sequence::NEVER, now)?;
    }
    if is_unknown(rows, blob, executable)?
        && let Ok(metadata) = fs::symlink_metadata(layout.blob(blob, executable))
    {
        let file = FileRef { blob, size: metadata.len(), executable };
        rows.put_object(&file, Place::File, Sequence::NEVER, now)?;
    }
    rows.object(blob, executable)
}

fn adopt_result(
    layout: &Layout,
    rows: &Rows<'_>,
    record: &Record,
    now: UnixMillis,
) -> Result<bool, IndexError> {
    let Record { key, result, bytes, slot } = record;
    if rows.has_result(*key)? {
        return Ok(false);
    }
    for artifact in result.outputs.values() {
        match artifact {
            Artifact::Tree(tree) if !adopt_edges(layout, rows, *tree, now)? => return Ok(false),
            Artifact::Tree(_) => {}
            Artifact::File(file) => drop(object(layout, rows, file.blob, file.executable, now)?),
        }
    }
    match needed(rows, result)? {
        Ok(objects) => rows.put_result(*key, bytes, *slot, &objects, now)?,
        Err(_) => return Ok(false),
    }
    Ok(true)
}

/// Notes what the tree and those below it name; `false` if any of it is not there.
fn adopt_edges(
    layout: &Layout,
    rows: &Rows<'_>,
    tree: TreeId,
    now: UnixMillis,
) -> Result<bool, IndexError> {
    let Some(parent) = object(layout, rows, tree.blob(), false, now)? else { return Ok(false) };
    let Some(entries) = read_tree(layout, &parent, tree) else { return Ok(false) };
    for (blob, executable) in entries.objects() {
        let Some(child) = object(layout, rows, blob, executable, now)? else { return Ok(false) };
        rows.put_edge(parent.row, child.row)?;
    }
    for entry in entries.entries.values() {
        if let Entry::Dir(child) = entry
            && !adopt_edges(layout, rows, *child, now)?
        {
            return Ok(false);
        }
    }
    Ok(true)
}

fn read_tree(layout: &Layout, object: &Object, tree: TreeId) -> Option<Tree> {
    let bytes = match object.place {
        Place::File => fs::read(layout.blob(tree.blob(), false)).ok()?,
        Place::Packed(slot) => {
            let length = u32::try_from(object.size).ok()?;
            let frame = Frame { kind: Kind::Blob, digest: tree.digest(), length };
            let file = File::open(layout.pack(slot.pack)).ok()?;
            pack::read(&file, slot.offset, &frame).ok()??
        }
    };
    Tree::decode(&bytes).ok().filter(|found| found.id() == tree)
}
