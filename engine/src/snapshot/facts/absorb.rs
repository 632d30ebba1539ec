//! Facts brought up to date after a build, for the snapshot that it leaves.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_cas::{Artifact, Digest};
use vwfb_rules::scope::SourceKind;

use super::{Facts, NONE, World};
use crate::db::Database;
use crate::graph::TaskGraph;
use crate::snapshot::answer::{glob_digest, kind_digest, list_digest, tool_text};
use crate::snapshot::files::FileId;
use crate::system::{Content, Text};
use crate::trees::file;

impl Facts {
    /// Takes note of the stamps of outputs that were looked at or written, and of folders that were
    /// listed again.
    pub(crate) fn refresh(&mut self, graph: &TaskGraph, world: &World<'_>, in_place: &[bool]) {
        let offers = graph.requested().flat_map(|target| graph.offers(target));
        for ((row, offer), in_place) in self.outputs.iter().zip(offers).zip(in_place) {
            if *row != NONE && !in_place {
                let path = format!("{}/{}", world.output_folder, offer.path);
                self.files.set(FileId(*row), world.stamped(&path));
            }
        }
        if !world.disk.listings().is_empty() {
            self.packages.clear();
            self.walked.clear();
            self.add_listings(world.disk);
        }
    }

    /// Adds what `db` was asked since; `None` if that cannot be added. What reads a source that
    /// changed since it was looked at is not `settled`.
    pub(crate) fn absorb(
        &mut self,
        db: &Database,
        graph: &TaskGraph,
        world: &World<'_>,
        settled: &mut [u8],
    ) -> Option<()> {
        let changed = self.absorb_sources(db, graph, world)?;
        for (task, settled) in settled.iter_mut().enumerate().filter(|_| !changed.is_empty()) {
            if graph.reads.get(task).iter().any(|source| changed.contains(source)) {
                *settled = 0;
            }
        }
        let met = db.met();
        let rows = 0..u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let texts: BTreeMap<String, u32> =
            rows.map(|row| (self.rules.path(FileId(row)), row)).collect();
        for (path, text) in met.texts.iter().filter(|(path, _)| !path.is_built_in()) {
            let known = texts.get(path.as_str()).copied();
            match text {
                // What was evaluated is what the facts say, also if it changed in between.
                Text::Present(text)
                    if known.is_some_and(|row| {
                        self.rules.digest(FileId(row)) == Digest::of(text.as_bytes())
                    }) => {}
                Text::Absent if known.is_none() => {
                    self.kinds.add(path.as_str(), kind_digest(SourceKind::Absent))?;
                }
                _ => return None,
            }
        }
        if !met.kinds.is_empty() {
            let sources: BTreeSet<&str> = graph.sources.iter().collect();
            for (path, kind) in met.kinds {
                if kind != SourceKind::File || !sources.contains(path.as_str()) {
                    self.kinds.add(path.as_str(), kind_digest(kind))?;
                }
            }
        }
        for (path, entries) in &met.folders {
            let digest = list_digest(entries.iter().map(String::as_str));
            self.folders.add(path.as_str(), digest)?;
        }
        for glob in met.globs {
            let question = format!("{}\n{}", glob.package(db), glob.pattern(db));
            self.globs.add(&question, glob_digest(db, glob))?;
        }
        for (tool, fingerprint) in met.tools {
            self.tools.add(&tool_text(tool), *fingerprint.as_ref().ok()?.as_bytes())?;
        }
        Some(())
    }

    /// Takes up the contents that keys were made of; the sources that changed since they were
    /// looked at.
    fn absorb_sources(
        &mut self,
        db: &Database,
        graph: &TaskGraph,
        world: &World<'_>,
    ) -> Option<BTreeSet<u32>> {
        let met = db.contents_met();
        let mut changed = BTreeSet::new();
        if met.is_empty() {
            return Some(changed);
        }
        for (number, source) in (0..).zip(graph.sources.iter()) {
            let Some(used) = met.get(source) else { continue };
            if self.content(graph, number).as_ref() == Some(*used) {
                continue;
            }
            changed.insert(number);
            match (used, self.sources[number as usize]) {
                (Content::Present(Artifact::Tree(tree)), NONE) => {
                    let asked = self.trees.find(source)?;
                    self.trees.set(asked, *tree.digest().as_bytes());
                }
                (Content::Present(Artifact::File(used)), row) if row != NONE => {
                    let stamped = world.stamped(source).filter(|it| file(it) == *used);
                    self.files.set(FileId(row), stamped);
                }
                _ => return None,
            }
        }
        Some(changed)
    }
}
