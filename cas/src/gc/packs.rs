//! Packs with much in them that nobody needs: removed, or written again without it.

use std::collections::BTreeMap;
use std::fs::File;

use super::GcError;
use crate::error::AtPath;
use crate::index::{IndexError, ObjectRow, Outlive, ResultRow, Rows};
use crate::layout;
use crate::pack::{self, Frame, Kind, PackId, Place, Slot};
use crate::packs;
use crate::pending::Gate;
use crate::store::Store;

/// What is still needed of a pack.
#[derive(Default)]
struct Live {
    bytes: u64,
    frames: BTreeMap<u64, Holders>,
}

/// Whose bytes a frame has.
#[derive(Default)]
struct Holders {
    objects: Vec<ObjectRow>,
    results: Vec<ResultRow>,
    frame: Option<Frame>,
}

/// A frame that was written again.
struct Moved<'l> {
    holders: &'l Holders,
    to: Slot,
}

impl Store {
    /// Removes packs in which nothing is needed, and, while nobody else has the store open, moves
    /// what is needed out of those that are mostly waste.
    ///
    /// A pack that is appended to is left alone.
    pub(super) fn tidy_packs(&self) -> Result<(), GcError> {
        let _shut = Gate::shut(&self.layout.gate())?;
        let live = self.index.read(live)?;
        for id in packs::all(&self.layout)? {
            let Some(pack) = packs::lock_unused(&self.layout, id)? else { continue };
            let path = self.layout.pack(id);
            let length = pack.metadata().at("stat", &path)?.len();
            let is_needed = match live.get(&id) {
                None => false,
                Some(live) if length > 2 * live.bytes => !self.empty(&pack, live)?,
                Some(_) => true,
            };
            if !is_needed {
                self.index.write(Outlive::PowerCut, |rows| rows.remove_pack(id))?;
                layout::remove(&path)?;
            }
        }
        self.packs.close_readers();
        Ok(())
    }

    /// Moves what is needed out of a pack; `false` if it must stay.
    fn empty(&self, pack: &File, live: &Live) -> Result<bool, GcError> {
        if !self.index.read(|rows| self.is_alone(rows))? {
            return Ok(false);
        }
        let mut moved = Vec::new();
        for (offset, holders) in &live.frames {
            let Some(frame) = &holders.frame else { return Ok(false) };
            let bytes = pack::read(pack, *offset, frame).at("read", &self.layout.packs())?;
            // What is damaged is for `verify` to find.
            let Some(bytes) = bytes else { return Ok(false) };
            let to = self.packs.append(&self.index, frame.kind, frame.digest, &bytes)?;
            moved.push(Moved { holders, to });
        }
        self.packs.sync()?;
        let is_moved = self.index.write(Outlive::PowerCut, |rows| {
            // A process that opened the store meanwhile may have read the old places.
            if !self.is_alone(rows)? {
                return Ok(false);
            }
            for Moved { holders, to } in &moved {
                holders.objects.iter().try_for_each(|row| rows.move_object(*row, *to))?;
                holders.results.iter().try_for_each(|row| rows.move_record(*row, *to))?;
            }
            Ok::<_, IndexError>(true)
        })?;
        if is_moved {
            self.pending.state().known.clear();
        }
        Ok(is_moved)
    }

    /// Whether nobody else has the store open.
    fn is_alone(&self, rows: &Rows<'_>) -> Result<bool, IndexError> {
        Ok(rows.leases()? == [self.lease.name.as_str()])
    }
}

/// What is needed of every pack.
fn live(rows: &Rows<'_>) -> Result<BTreeMap<PackId, Live>, IndexError> {
    let mut all = BTreeMap::new();
    for object in rows.objects()?.into_iter().filter(|object| !object.missing) {
        if let Place::Packed(slot) = object.place
            && let Ok(length) = u32::try_from(object.size)
        {
            let frame = Frame { kind: Kind::Blob, digest: object.blob.digest(), length };
            holders(&mut all, slot, frame).objects.push(object.row);
        }
    }
    for (row, key, slot, length) in rows.record_slots()? {
        if let Ok(length) = u32::try_from(length) {
            let frame = Frame { kind: Kind::Record, digest: key.digest(), length };
            holders(&mut all, slot, frame).results.push(row);
        }
    }
    Ok(all)
}

fn holders(all: &mut BTreeMap<PackId, Live>, slot: Slot, frame: Frame) -> &mut Holders {
    let live = all.entry(slot.pack).or_default();
    let holders = live.frames.entry(slot.offset).or_default();
    if holders.frame.replace(frame).is_none() {
        live.bytes += frame.span();
    }
    holders
}
