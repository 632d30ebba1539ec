//! What a finished state rests on: every answer of the disk that a query was given, and how each
//! is looked at again.
//!
//! A file is vouched for by its stamp (size, times, inode, device, mode), never by its folder's; a
//! folder's own stamp vouches only for the names in it, which is all that finding packages asks
//! for. Globs, listings, folders that are sources, and tools are simply asked for again.

mod absorb;
mod stored;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;

use rayon::prelude::*;
use rustix::fs::{AtFlags, statat};
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{Artifact, Digest, TreeId};
use vwfb_rules::label::WsPath;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;

use super::answer::{
    folder_digest, glob_digest, kind_digest, list_digest, stamp_digest, tool, tool_text,
};
use super::asked::Asked;
use super::files::{FileId, Files, NewFile, split};
use crate::columns::{Strings, last_of_each};
use crate::db::{Database, Db, Looked};
use crate::disk::Disk;
use crate::graph::TaskGraph;
use crate::outputs::IGNORE_FILE;
use crate::package::BUILD_FILE;
use crate::stamp::{Stamp, Stamped};
use crate::stamps::{Stamps, read_text};
use crate::system::{Content, System, Text};
use crate::trees::file;

/// Stands for no file of the table.
const NONE: u32 = u32::MAX;

/// The facts under one graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// Sources and outputs.
    files: Files,
    /// The rule files. One that is a source too is in both: it may change for one and not for the
    /// other.
    rules: Files,
    /// Source of the graph -> its file; `NONE` for a folder.
    sources: Vec<u32>,
    /// Requested offer, in the order of the graph -> its file; `NONE` for a folder.
    outputs: Vec<u32>,
    /// Sources that are folders, with their digests.
    trees: Asked,
    /// Paths of which only the kind was asked for.
    kinds: Asked,
    folders: Asked,
    globs: Asked,
    packages: Asked,
    tools: Asked,
    /// The folders that were looked into for packages, with their stamps.
    walked: Asked,
}

/// What is not as it was.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    /// Sources of the graph with other bytes.
    pub(crate) sources: Vec<u32>,
    /// Packages whose text is another.
    pub(crate) packages: Vec<WsPath>,
    /// Requested offer -> whether its stamp says that it is in place.
    pub(crate) in_place: Vec<bool>,
    /// Whether a stamp is not the recorded one though the bytes are.
    pub(crate) refreshed: bool,
}

/// Whether each file is as its stamp says.
#[derive(Debug)]
pub(crate) struct Held {
    files: Vec<bool>,
    rules: Vec<bool>,
    /// Whether no folder of the workspace has other names than it had.
    walk: bool,
}

/// Where facts are looked at.
pub(crate) struct World<'a> {
    pub(crate) root: &'a Path,
    pub(crate) root_fd: &'a OwnedFd,
    /// Relative to the root.
    pub(crate) output_folder: &'a str,
    pub(crate) disk: &'a Disk,
    pub(crate) stamps: &'a Stamps,
}

impl World<'_> {
    fn stamped(&self, path: &str) -> Option<Stamped> {
        self.stamps.known(&self.root.join(path))
    }
}

impl Facts {
    /// Every fact that `db` was given on the way to `graph`; `None` if one of them is nothing that
    /// can be looked at again.
    pub(crate) fn of(db: &Database, graph: &TaskGraph, world: &World<'_>) -> Option<Self> {
        let mut facts = Self::default();
        let mut files = BTreeMap::new();
        let mut rules = BTreeMap::new();
        let file_of = |path: &str, digest: Digest| {
            let stamped = world.stamped(path).filter(|it| it.digest == digest);
            (split(path), NewFile { stamped })
        };
        let met = db.met();
        let texts = met.texts.iter().filter(|(path, _)| !path.is_built_in());
        let mut absent = BTreeSet::new();
        for (path, text) in texts {
            match text {
                Text::Present(text) => {
                    rules.extend([file_of(path.as_str(), Digest::of(text.as_bytes()))]);
                }
                Text::Absent => drop(absent.insert(path.as_str())),
                Text::Unreadable(_) => return None,
            }
        }
        let mut source_paths = Vec::new();
        for source in graph.sources.iter() {
            let path = WsPath::new(source).ok()?;
            match db.content_met(&path)? {
                Content::Present(Artifact::File(file)) => {
                    files.extend([file_of(source, file.blob.digest())]);
                    source_paths.push(Some(source));
                }
                Content::Present(Artifact::Tree(tree)) => {
                    facts.trees.push(source, *tree.digest().as_bytes());
                    source_paths.push(None);
                }
                Content::Absent | Content::Unreadable(_) => return None,
            }
        }
        let outputs = requested_paths(graph, world.output_folder);
        for output in &outputs {
            files.insert(split(output), NewFile { stamped: None });
        }
        facts.files = Files::of(&files);
        facts.rules = Files::of(&rules);
        let rows: BTreeMap<&(String, String), u32> = files.keys().zip(0..).collect();
        let row = |path: &str| rows.get(&split(path)).copied().unwrap_or(NONE);
        facts.sources = source_paths.iter().map(|path| path.map_or(NONE, row)).collect();
        facts.outputs = outputs.iter().map(|path| row(path)).collect();
        let known: BTreeSet<&str> = graph.sources.iter().collect();
        for (path, kind) in met.kinds {
            if kind != SourceKind::File || !known.contains(path.as_str()) {
                facts.kinds.push(path.as_str(), kind_digest(kind));
            }
        }
        for path in absent {
            facts.kinds.push(path, kind_digest(SourceKind::Absent));
        }
        for (path, entries) in &met.folders {
            facts.folders.push(path.as_str(), list_digest(entries.iter().map(String::as_str)));
        }
        for glob in met.globs {
            let question = format!("{}\n{}", glob.package(db), glob.pattern(db));
            facts.globs.push(&question, glob_digest(db, glob));
        }
        for (tool, fingerprint) in met.tools {
            let fingerprint = fingerprint.as_ref().ok()?;
            facts.tools.push(&tool_text(tool), *fingerprint.as_bytes());
        }
        facts.add_listings(world.disk);
        Some(facts)
    }

    fn add_listings(&mut self, disk: &Disk) {
        for (top, listing) in disk.listings() {
            let packages = listing.packages.iter().map(WsPath::as_str);
            self.packages.push(top.as_str(), list_digest(packages));
            for (folder, stamp) in &listing.folders {
                self.walked.push(folder.as_str(), stamp_digest(stamp));
            }
        }
    }

    /// Whether the facts fit `graph`.
    pub(crate) fn fit(&self, graph: &TaskGraph) -> bool {
        let offers: usize = graph.requested().map(|id| graph.offers(id).count()).sum();
        let files = self.files.len();
        let is_file = |row: &u32| *row == NONE || (*row as usize) < files;
        self.sources.len() == graph.sources.len()
            && self.outputs.len() == offers
            && self.sources.iter().chain(&self.outputs).all(is_file)
    }

    /// Looks at every file and folder, at no other fact and without reading any.
    pub(crate) fn look_at_files(&self, root: &OwnedFd) -> Held {
        let (files, (rules, walk)) = rayon::join(
            || self.files.look(root),
            || rayon::join(|| self.rules.look(root), || self.walk_holds(root)),
        );
        Held { files, rules, walk }
    }

    /// The tools that were asked for.
    pub(crate) fn tools(&self) -> impl Iterator<Item = ToolDef> {
        self.tools.iter().map(|(text, _)| tool(text))
    }

    /// Looks at every other fact again, and into files that are not as they were. Digests and stamps of
    /// sources and texts are brought up to date;
    /// `None` if something is not as it was that only evaluating everything can tell about.
    pub(crate) fn look(
        &mut self,
        db: &Database,
        graph: &TaskGraph,
        held: Held,
        world: &World<'_>,
    ) -> Option<Difference> {
        let Held { files: same, rules, walk } = held;
        let is_same = |row: &u32| *row != NONE && same[*row as usize];
        let mut difference =
            Difference { in_place: self.outputs_in_place(&same, world), ..Difference::default() };
        if !self.structure_holds(db, walk, world) {
            return None;
        }
        for (row, same) in (0..).zip(rules) {
            if !same {
                self.look_at_text(FileId(row), world, &mut difference)?;
            }
        }
        let suspects: Vec<(u32, u32)> =
            (0..).zip(self.sources.iter().copied()).filter(|(_, row)| !is_same(row)).collect();
        let contents: Vec<(u32, u32, Content)> = suspects
            .into_par_iter()
            .map(|(source, row)| {
                let path = WsPath::new(graph.sources.get(source)).expect("a source is a path");
                (source, row, world.disk.content(&path))
            })
            .collect();
        for (source, row, content) in contents {
            let changed = self.look_at_source(graph.sources.get(source), row, &content, world)?;
            if changed {
                difference.sources.push(source);
            }
            difference.refreshed = true;
        }
        Some(difference)
    }

    /// Requested offer -> whether its file is as it was stamped.
    fn outputs_in_place(&self, same: &[bool], world: &World<'_>) -> Vec<bool> {
        // Nothing is placed through a link, so nothing is in place behind one.
        let linked = Path::new(world.output_folder)
            .ancestors()
            .any(|part| !part.as_os_str().is_empty() && world.root.join(part).is_symlink());
        // Placing also sees to it that version control leaves all of it out.
        let kept_out = world.root.join(world.output_folder).join(IGNORE_FILE).exists();
        let in_place = |row: &u32| kept_out && !linked && *row != NONE && same[*row as usize];
        self.outputs.iter().map(in_place).collect()
    }

    /// The same for outputs that were in place before, now.
    pub(crate) fn still_in_place(&self, before: &[bool], world: &World<'_>) -> Vec<bool> {
        let now = self.outputs_in_place(&self.files.look(world.root_fd), world);
        now.iter().zip(before).map(|(now, before)| *now && *before).collect()
    }

    /// Whether the file of the requested offer `offer` holds `artifact` by its recorded digest.
    pub(crate) fn output_is(&self, offer: usize, artifact: &Artifact) -> bool {
        let (row, Artifact::File(wanted)) = (self.outputs[offer], artifact) else { return false };
        row != NONE
            && self.files.digest(FileId(row)) == wanted.blob.digest()
            && self.files.executable(FileId(row)) == wanted.executable
    }

    /// Answers what was looked at of the source at a path; `None` for another path.
    pub(crate) fn looked_at(self: &Arc<Self>) -> Looked {
        let mut is_source = vec![false; self.files.len()];
        for row in self.sources.iter().filter(|row| **row != NONE) {
            is_source[*row as usize] = true;
        }
        let facts = Arc::clone(self);
        Box::new(move |path| match facts.files.find(path.as_str()) {
            Some(id) if is_source[id.0 as usize] => {
                Some(Content::Present(Artifact::File(facts.files.file(id)?)))
            }
            Some(_) => None,
            None => facts.tree(path.as_str()),
        })
    }

    fn tree(&self, path: &str) -> Option<Content> {
        let asked = self.trees.find(path)?;
        let tree = TreeId(Digest::from_bytes(self.trees.answer(asked)));
        Some(Content::Present(Artifact::Tree(tree)))
    }

    /// What was looked at of a source of the graph.
    fn content(&self, graph: &TaskGraph, source: u32) -> Option<Content> {
        let row = self.sources[source as usize];
        if row == NONE {
            return self.tree(graph.sources.get(source));
        }
        let file = self.files.file(FileId(row))?;
        Some(Content::Present(Artifact::File(file)))
    }

    /// Whether every rule file has the text that it was seen to have, which `db` keeps from now on.
    pub(crate) fn hold_texts(&self, db: &Database, world: &World<'_>) -> bool {
        let rows = 0..u32::try_from(self.rules.len()).unwrap_or(u32::MAX);
        let known = rows.map(|row| {
            let path = WsPath::new(&self.rules.path(FileId(row))).ok()?;
            let text = db.text_met(&path).cloned();
            Some((FileId(row), path, text))
        });
        let Some(known) = known.collect::<Option<Vec<_>>>() else { return false };
        let held = known.into_par_iter().map(|(row, path, text)| {
            let text = match text {
                Some(text) => text,
                // Only the bytes matter, so no stamp is taken.
                None => Text::Present(read_text(&world.root.join(path.as_str())).ok()?.into()),
            };
            let Text::Present(present) = &text else { return None };
            let same = self.rules.digest(row) == Digest::of(present.as_bytes());
            same.then_some((path, text))
        });
        match held.collect::<Option<Vec<_>>>() {
            Some(held) => {
                db.hold_texts(held);
                true
            }
            None => false,
        }
    }

    fn look_at_text(
        &mut self,
        row: FileId,
        world: &World<'_>,
        difference: &mut Difference,
    ) -> Option<()> {
        let path = self.rules.path(row);
        let Text::Present(text) = world.disk.text(&WsPath::new(&path).ok()?) else { return None };
        let digest = Digest::of(text.as_bytes());
        if digest != self.rules.digest(row) {
            let (folder, name) = split(&path);
            if name != BUILD_FILE {
                return None;
            }
            difference.packages.push(WsPath::new(&folder).ok()?);
        }
        difference.refreshed = true;
        self.rules.set(row, world.stamped(&path).filter(|it| it.digest == digest));
        Some(())
    }

    /// Whether the content of a source is another; `None` if it is another kind of thing.
    fn look_at_source(
        &mut self,
        path: &str,
        row: u32,
        content: &Content,
        world: &World<'_>,
    ) -> Option<bool> {
        match content {
            Content::Present(Artifact::File(now)) if row != NONE => {
                let id = FileId(row);
                let same = now.blob.digest() == self.files.digest(id)
                    && now.executable == self.files.executable(id);
                let stamped = world.stamped(path).filter(|it| file(it) == *now);
                // Without a stamp there is no digest to compare with, so there always is one.
                self.files.set(id, Some(stamped?));
                Some(!same)
            }
            Content::Present(Artifact::Tree(TreeId(digest))) if row == NONE => {
                let asked = self.trees.find(path)?;
                Some(self.trees.set(asked, *digest.as_bytes()))
            }
            _ => None,
        }
    }

    /// Whether everything but texts and sources is as it was. What is asked for stays the answer
    /// for as long as `db` lives.
    fn structure_holds(&self, db: &Database, walk: bool, world: &World<'_>) -> bool {
        let _looking = Timed::new(Phase::Stat);
        let db: &dyn Db = db;
        self.kinds.hold(|path| Some(kind_digest(db.path_kind(&WsPath::new(path).ok()?))))
            && self.folders.hold(|path| {
                let entries = db.folder(&WsPath::new(path).ok()?);
                Some(list_digest(entries.iter().map(String::as_str)))
            })
            && self.globs.hold(|question| {
                let (package, pattern) = question.split_once('\n')?;
                Some(glob_digest(db, db.glob(&WsPath::new(package).ok()?, pattern)))
            })
            && self.tools.hold(|text| {
                let fingerprint = db.fingerprint(&tool(text)).as_ref().ok()?;
                Some(*fingerprint.as_bytes())
            })
            && (walk || self.packages_hold(world))
    }

    /// Whether no folder of the workspace has other names than it had.
    fn walk_holds(&self, root: &OwnedFd) -> bool {
        let _looking = Timed::new(Phase::Stat);
        let unsettled = stamp_digest(&Stamp::default());
        self.walked.iter().all(|(folder, before)| {
            count(Counter::FilesStatted, 1);
            let path = if folder.is_empty() { "." } else { folder };
            let now = statat(root, path, AtFlags::empty()).map(|now| Stamp::of_stat(&now));
            *before != unsettled && now.is_ok_and(|now| folder_digest(&now) == *before)
        })
    }

    fn packages_hold(&self, world: &World<'_>) -> bool {
        self.packages.hold(|top| {
            let packages = world.disk.packages(&WsPath::new(top).ok()?);
            Some(list_digest(packages.iter().map(WsPath::as_str)))
        })
    }

    /// Whether everything is as it was, by stamps alone. What is asked for stays the answer for as
    /// long as `db` lives.
    pub(crate) fn all_hold(&self, db: &Database, held: &Held, world: &World<'_>) -> bool {
        let Held { files, rules, walk } = held;
        let stamps = files.iter().chain(rules).all(|same| *same);
        stamps
            && *walk
            && self.trees.is_empty()
            && self.structure_holds(db, true, world)
            && self.outputs_in_place(files, world).iter().all(|in_place| *in_place)
    }

    /// The paths of the requested outputs below the output folder, each once, in the order of the
    /// offers, where several offer one that of the last.
    pub(crate) fn output_paths(&self, output_folder: &str) -> Strings {
        let rows: Vec<u32> = self.outputs.iter().copied().filter(|row| *row != NONE).collect();
        let mut paths = Strings::default();
        for row in last_of_each(&rows, self.files.len()) {
            let (folder, name) = self.files.folder_and_name(FileId(row));
            match folder.strip_prefix(output_folder).and_then(|it| it.strip_prefix('/')) {
                Some(below) => paths.push_joined([below, "/", name]),
                None => paths.push(name),
            };
        }
        paths
    }

    /// Whether there is nothing among the facts that stamps of files alone do not vouch for.
    pub(crate) fn are_stamped(&self) -> bool {
        self.trees.is_empty() && !self.outputs.contains(&NONE)
    }
}

/// Where the requested outputs are put, relative to the workspace, offer by offer.
fn requested_paths(graph: &TaskGraph, output_folder: &str) -> Vec<String> {
    let offers = graph.requested().flat_map(|target| graph.offers(target));
    offers.map(|offer| format!("{output_folder}/{}", offer.path)).collect()
}
