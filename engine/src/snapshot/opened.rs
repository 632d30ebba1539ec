//! A snapshot of which what a look at every fact needs is read, and the rest only where something is
//! not as it was: so a build in which nothing changed reads about a quarter of the file.

use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rayon::prelude::*;
use vwfb_cas::profile::{Phase, Timed};

use super::patch::Patch;
use super::{Base, Facts, HEAD, MAGIC, Place, Snapshot, Summary, open_regular};
use crate::answers::Answers;
use crate::columns::Reader;
use crate::graph::TaskGraph;

/// How much of a file one thread reads at once, in bytes: to wake another for less takes longer.
const PIECE: usize = 2 << 20;

/// The first part of a snapshot.
pub(crate) struct Opened {
    pub(crate) facts: Facts,
    pub(crate) summary: Summary,
    place: Place,
    base: Base,
    patch: Option<Patch>,
    file: fs::File,
    rest: Part,
}

/// A part of a snapshot's file.
struct Part {
    /// Where it begins, in bytes.
    at: usize,
    /// In bytes.
    length: usize,
    checksum: [u8; 32],
}

impl Part {
    /// Its bytes; `None` if they are not those that were written.
    fn read(&self, file: &fs::File, place: &Place) -> Option<Vec<u8>> {
        let bytes = read_at(file, self.at, self.length).ok()?;
        (self.checksum == place.checksum_of(&bytes)).then_some(bytes)
    }
}

impl Opened {
    /// The first part of the snapshot at `place`, if there is one that can be used.
    pub(crate) fn read(place: &Place) -> Option<Self> {
        let _timed = Timed::new(Phase::Load);
        let file = open_regular(&place.path).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let (identity, rest) = head.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        let (&checksum, rest) = rest.split_first_chunk::<32>()?;
        let length = usize::try_from(u64::from_le_bytes(rest.try_into().ok()?)).ok()?;
        let whole = usize::try_from(file.metadata().ok()?.len()).ok()?;
        if identity != place.identity.as_bytes() || whole.checked_sub(HEAD)? < length {
            return None;
        }
        let body = Part { at: HEAD, length, checksum }.read(&file, place)?;
        let mut from = Reader(&body);
        let [checksum_of_rest] = <[_; 1]>::try_from(from.column::<32, [u8; 32]>()?).ok()?;
        let [length_of_rest] = <[_; 1]>::try_from(from.column::<8, u64>()?).ok()?;
        let rest = Part {
            at: HEAD + length,
            length: usize::try_from(length_of_rest).ok()?,
            checksum: checksum_of_rest,
        };
        if rest.at.checked_add(rest.length) != Some(whole) {
            return None;
        }
        let mut facts = Facts::read(&mut from)?;
        let mut summary = Summary::read(&mut from)?;
        let mut patch = Patch::read(place, &checksum)?;
        if let Some(patch) = &mut patch {
            patch.take(|from| {
                facts.read_changes(from)?;
                summary.read_change(from)
            })?;
        }
        let base = Base { checksum, length: whole };
        let opened = Self { facts, summary, place: place.clone(), base, patch, file, rest };
        from.0.is_empty().then_some(opened)
    }

    /// All of the snapshot, if the rest can be used too.
    pub(crate) fn whole(self) -> Option<Snapshot> {
        let _timed = Timed::new(Phase::Load);
        let Self { mut facts, summary, place, base, patch, file, rest } = self;
        let body = rest.read(&file, &place)?;
        let mut from = Reader(&body);
        facts.read_rest(&mut from)?;
        let settled = from.column()?;
        let graph = TaskGraph::read(&mut from)?;
        let answers = Answers::read(&mut from, graph.tasks())?;
        if !from.0.is_empty() || settled.len() != graph.tasks() || !facts.fit(&graph) {
            return None;
        }
        let Summary { mark, said, tools, .. } = summary;
        let (facts, base) = (Arc::new(facts), Some(base));
        let mut snapshot = Snapshot { graph, answers, settled, facts, mark, tools, said, base };
        if let Some(mut patch) = patch {
            patch.take(|from| snapshot.patch(from))?;
            patch.is_over().then_some(())?;
        }
        Some(snapshot)
    }
}

/// Reads `length` bytes of a file, with all cores: for fresh memory the system takes as long as for
/// the bytes.
fn read_at(file: &fs::File, at: usize, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let parts = bytes.par_chunks_mut(PIECE).enumerate();
    parts.try_for_each(|(part, bytes)| file.read_exact_at(bytes, (at + part * PIECE) as u64))?;
    Ok(bytes)
}
