//! What is not as in the file that a snapshot was read from, in a small file beside it: so an edit
//! that changes little writes little (docs/design/0007-snapshot.md, "What is written when").
//!
//! It always holds all that differs from the file, and never only what is new, so that of two
//! processes that write it at once either leaves a whole state.

use std::io::{self, Read as _};
use std::sync::Arc;

use super::{Base, PATCH_MAGIC, Place, Snapshot, open_regular};
use crate::columns::{Reader, Writer, narrow};

/// A snapshot is written anew when what differs is more than this part of it, as every build reads
/// what differs.
const PART: usize = 32;

/// So much may differ in any case, in bytes: a page.
const LITTLE: usize = 4096;

/// What differs, as it is in the file.
pub(super) struct Patch {
    bytes: Vec<u8>,
    /// How much of it was taken up, in bytes.
    taken: usize,
}

impl Patch {
    /// What differs from the snapshot's file with this checksum, if anything; `None` if the file
    /// that says it is damaged.
    pub(super) fn read(place: &Place, own: &[u8; 32]) -> Option<Option<Self>> {
        let mut bytes = Vec::new();
        match open_regular(&place.patch()).and_then(|mut file| file.read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) => return (error.kind() == io::ErrorKind::NotFound).then_some(None),
        }
        let (checksum, body) = bytes.strip_prefix(PATCH_MAGIC)?.split_first_chunk::<32>()?;
        if *checksum != place.checksum_of(body) {
            return None;
        }
        let (base, body) = body.split_first_chunk::<32>()?;
        if base != own {
            // The file was written anew since, with all of this or without.
            return Some(None);
        }
        let taken = bytes.len() - body.len();
        Some(Some(Self { bytes, taken }))
    }

    /// Takes up what comes next.
    pub(super) fn take(&mut self, take: impl FnOnce(&mut Reader<'_>) -> Option<()>) -> Option<()> {
        let mut from = Reader(&self.bytes[self.taken..]);
        take(&mut from)?;
        self.taken = self.bytes.len() - from.0.len();
        Some(())
    }

    /// Whether all of it was taken up.
    pub(super) const fn is_over(&self) -> bool {
        self.taken == self.bytes.len()
    }
}

impl Snapshot {
    /// Takes up what differs besides what a look needs.
    pub(super) fn patch(&mut self, from: &mut Reader<'_>) -> Option<()> {
        Arc::get_mut(&mut self.facts)?.read_rest_changes(from)?;
        self.settled.fill(1);
        for task in from.column::<4, u32>()? {
            *self.settled.get_mut(task as usize)? = 0;
        }
        self.graph.written.read_changes(from)?;
        self.graph.written_of_all.read_changes(from)?;
        self.answers.read_changes(from)
    }

    /// Writes what differs from the file `base` beside it, unless that is much: then nothing is
    /// written, and the answer is `false`.
    pub(super) fn save_patch(&self, place: &Place, base: Base) -> io::Result<bool> {
        let mut body = Writer(base.checksum.to_vec());
        self.facts.write_changes(&mut body);
        self.summary().write_change(&mut body);
        self.facts.write_rest_changes(&mut body);
        let settled = self.settled.iter().enumerate();
        let unsettled = settled.filter(|(_, settled)| **settled == 0);
        body.column(&unsettled.map(|(task, _)| narrow(task)).collect::<Vec<u32>>());
        self.graph.written.write_changes(&mut body);
        self.graph.written_of_all.write_changes(&mut body);
        self.answers.write_changes(&mut body);
        if body.0.len() > LITTLE.max(base.length / PART) {
            return Ok(false);
        }
        let checksum = place.checksum_of(&body.0);
        place.replace(&place.patch(), &[PATCH_MAGIC, &checksum, &body.0])?;
        Ok(true)
    }
}
