//! The last finished state of one request in one file: the graph, what its tasks came to, and
//! every fact that this rests on. Where all facts are as they were, so is the state, and no query
//! is asked; where some sources or rule files are not, only what they reach is.
//!
//! It is a cache: what does not fit, is damaged or was written by another vwfb is not used.

mod answer;
mod asked;
mod facts;
mod files;
mod merge;
mod patch;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rayon::prelude::*;
use vwfb_cas::Digest;
use vwfb_cas::profile::{Phase, Timed};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;

pub(crate) use facts::{Difference, Facts, Held, World};
pub(crate) use merge::merge;
use patch::Patch;

use crate::answers::Answers;
use crate::columns::{Reader, Strings, Writer};
use crate::db::Database;
use crate::graph::TaskGraph;
use crate::people::Said;
use crate::plan::TaskId;

/// Begins every file; another layout gets another number.
const MAGIC: &[u8] = b"vwfb-snapshot 8\n";

/// What comes before the tables, in bytes: that, whose snapshot it is, a checksum of the tables, and
/// their length.
const HEAD: usize = MAGIC.len() + 32 + 32 + 8;

/// Begins every file with what differs.
const PATCH_MAGIC: &[u8] = b"vwfb-snapshot-patch 4\n";

/// The extension of the file with what differs from a snapshot's own.
const PATCH: &str = "patch";

/// How much of a file one thread reads at once, in bytes.
const PIECE: usize = 512 << 10;

/// How many requests of one workspace are remembered.
const MOST: usize = 16;

/// The state after a run.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) graph: TaskGraph,
    pub(crate) answers: Answers,
    /// Task -> 1 if its answer is what the facts make of it.
    pub(crate) settled: Vec<u8>,
    pub(crate) facts: Arc<Facts>,
    /// The mark of the workspace's successes when they were those of `answers`.
    pub(crate) mark: Option<i64>,
    /// What makes looking at tools quick: their closures, and the stamps of their files.
    pub(crate) tools: Tools,
    /// What people had said of its targets.
    pub(crate) said: Said,
    /// The file that it was read from; `None` if it is to be written as a whole.
    pub(crate) base: Option<Base>,
}

/// The closures of tools and the stamps of their files, as they are stored.
#[derive(Debug, Clone)]
pub(crate) struct Tools {
    pub(crate) bytes: [Vec<u8>; 2],
    /// Whether they are not as in the file that they were read from.
    changed: bool,
}

/// A file that holds a whole snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base {
    checksum: [u8; 32],
    /// In bytes.
    length: usize,
}

/// Where the snapshot of one request is, and whose it is.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    path: PathBuf,
    identity: Digest,
}

impl Place {
    /// The place for `patterns` in the workspace whose own folder is `folder`.
    pub(crate) fn of(folder: &Path, db: &Database, patterns: &[Pattern]) -> io::Result<Self> {
        let (overrides, machine) = db.settings();
        let asked: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        let request = format!("{overrides:?}\n{machine:?}\n{asked:?}");
        // Another vwfb may make other keys of the same facts.
        let exe = fs::metadata("/proc/self/exe")?;
        let program = [exe.dev(), exe.ino(), exe.size()];
        let built = (program, exe.mtime(), exe.mtime_nsec(), exe.ctime(), exe.ctime_nsec());
        let name = Digest::of(request.as_bytes()).to_hex();
        Ok(Self {
            path: folder.join("snapshots").join(&name[..32]),
            identity: Digest::of(format!("{request}\n{built:?}").as_bytes()),
        })
    }

    /// Removes the snapshot, so that the next build evaluates everything.
    pub(crate) fn forget(&self) {
        // One that stays is looked at as ever.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(self.patch());
    }

    fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// The file with what differs from the one that holds the snapshot.
    fn patch(&self) -> PathBuf {
        self.path.with_extension(PATCH)
    }

    fn checksum_of(&self, body: &[u8]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(self.identity.as_bytes()).update_rayon(body);
        *hasher.finalize().as_bytes()
    }

    /// Writes `parts` to a new file that takes the place of the one at `path`.
    fn replace(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        fs::create_dir_all(self.folder())?;
        let new = self.folder().join(format!("new-{}", std::process::id()));
        let mut file = fs::File::create(&new)?;
        for part in parts {
            file.write_all(part)?;
        }
        fs::rename(&new, path)
    }
}

impl Tools {
    pub(crate) const fn new(bytes: [Vec<u8>; 2]) -> Self {
        Self { bytes, changed: true }
    }

    /// Takes up what they are now.
    pub(crate) fn update(&mut self, bytes: [Vec<u8>; 2]) {
        if self.bytes != bytes {
            *self = Self::new(bytes);
        }
    }

    fn write(&self, to: &mut Writer) {
        for bytes in &self.bytes {
            to.bytes(bytes);
        }
    }

    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let bytes = [from.bytes()?.to_vec(), from.bytes()?.to_vec()];
        Some(Self { bytes, changed: false })
    }
}

impl Snapshot {
    /// The snapshot at `place`, if there is one that can be used, and whether each of its files is
    /// as its stamp says, looked at from `root` while the rest is read. As soon as they are read,
    /// `with_tools` hears of the tools.
    pub(crate) fn load(
        place: &Place,
        root: &OwnedFd,
        with_tools: impl Fn(&Tools, &Facts) + Sync,
    ) -> Option<(Self, Held)> {
        let timed = Timed::new(Phase::Load);
        let file = open_regular(&place.path).ok()?;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let (identity, rest) = head.strip_prefix(MAGIC)?.split_first_chunk::<32>()?;
        let (&checksum, rest) = rest.split_first_chunk::<32>()?;
        let length = u64::from_le_bytes(rest.try_into().ok()?);
        let is_whole = file.metadata().ok()?.len().checked_sub(HEAD as u64) == Some(length);
        if identity != place.identity.as_bytes() || !is_whole {
            return None;
        }
        let body = read_after_head(&file, usize::try_from(length).ok()?).ok()?;
        if checksum != place.checksum_of(&body) {
            return None;
        }
        let base = Some(Base { checksum, length: HEAD + body.len() });
        let mut from = Reader(&body);
        let mut facts = Facts::read(&mut from)?;
        let patch = Patch::read(place, &checksum)?;
        let mut differing = patch.as_ref().map(Patch::reader);
        if let Some(from) = &mut differing {
            facts.read_changes(from)?;
        }
        let at = body.len() - from.0.len();
        drop(timed);
        let (held, rest) = rayon::join(
            || facts.look_at_files(root),
            || {
                let _timed = Timed::new(Phase::Load);
                // To give the memory back takes long, too.
                let body = body;
                let rest = Rest::read(&mut Reader(&body[at..]));
                if let (Some(rest), None) = (&rest, &patch) {
                    with_tools(&rest.tools, &facts);
                }
                rest
            },
        );
        let Rest { mark, settled, graph, answers, tools, said } = rest?;
        if settled.len() != graph.tasks() || !facts.fit(&graph) {
            return None;
        }
        let facts = Arc::new(facts);
        let mut snapshot = Self { graph, answers, settled, facts, mark, tools, said, base };
        if let Some(from) = &mut differing {
            snapshot.patch(from)?;
            with_tools(&snapshot.tools, &snapshot.facts);
        }
        Some((snapshot, held))
    }

    /// Writes the snapshot to `place`, whole or not at all: what is not as in the file that it was
    /// read from, if that is little. It is not made to outlive a power cut: then it is made again.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, place: &Place) -> io::Result<()> {
        let _timed = Timed::new(Phase::Store);
        match self.base.map(|base| self.save_patch(place, base)) {
            Some(Ok(true)) => Ok(()),
            Some(Err(error)) => Err(error),
            Some(Ok(false)) | None => self.save_whole(place),
        }
    }

    fn save_whole(&self, place: &Place) -> io::Result<()> {
        // About what a task, its source and its output take: growing would copy it again.
        let mut body = Writer(Vec::with_capacity(self.graph.tasks() * 512));
        self.facts.write(&mut body);
        write_mark(&mut body, self.mark);
        body.column(&self.settled);
        self.graph.write(&mut body);
        self.answers.write(&mut body);
        self.tools.write(&mut body);
        write_said(&mut body, &self.said);
        let checksum = place.checksum_of(&body.0);
        let identity = place.identity.as_bytes();
        let length = (body.0.len() as u64).to_le_bytes();
        place.replace(&place.path, &[MAGIC, identity, &checksum, &length, &body.0])?;
        // One that stays fits no file any more.
        let _left = fs::remove_file(place.patch());
        drop_oldest(place.folder())
    }

    /// The tasks of which people say something else `now`.
    pub(crate) fn said_otherwise(&self, now: &Said) -> Vec<TaskId> {
        let labels: BTreeSet<&String> = self.said.keys().chain(now.keys()).collect();
        let differs = |label: &&&String| self.said.get(**label) != now.get(**label);
        let labels = labels.iter().filter(differs).filter_map(|label| {
            let label = Label::parse(label, &WsPath::root()).ok()?;
            self.graph.find(&label)
        });
        labels.collect()
    }

    /// The tasks that may have another key than their last success, given what is different and
    /// which tasks have another text.
    pub(crate) fn suspects(&self, difference: &Difference, rewritten: &[TaskId]) -> Vec<bool> {
        let mut suspects: Vec<bool> = self.settled.iter().map(|settled| *settled == 0).collect();
        if !difference.sources.is_empty() {
            let mut changed = vec![false; self.graph.sources.len()];
            for source in &difference.sources {
                changed[*source as usize] = true;
            }
            for (task, suspect) in suspects.iter_mut().enumerate() {
                *suspect |= self.graph.reads.get(task).iter().any(|it| changed[*it as usize]);
            }
        }
        for task in rewritten {
            suspects[task.0] = true;
        }
        suspects
    }
}

/// What follows the facts in a snapshot's file.
struct Rest {
    mark: Option<i64>,
    settled: Vec<u8>,
    graph: TaskGraph,
    answers: Answers,
    tools: Tools,
    said: Said,
}

impl Rest {
    /// All of it, and nothing is to follow.
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mark = read_mark(from)?;
        let settled = from.column()?;
        let graph = TaskGraph::read(from)?;
        let answers = Answers::read(from, graph.tasks())?;
        let tools = Tools::read(from)?;
        let said = read_said(from)?;
        from.0.is_empty().then_some(Self { mark, settled, graph, answers, tools, said })
    }
}

/// Opens a file to read it, and nothing on which that could wait for ever.
fn open_regular(path: &Path) -> io::Result<fs::File> {
    match fs::metadata(path)?.is_file() {
        true => fs::File::open(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

/// Reads `length` bytes after the head of a file, with all cores: for fresh memory the system takes as long
/// as for the bytes.
fn read_after_head(file: &fs::File, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let parts = bytes.par_chunks_mut(PIECE).enumerate();
    parts.try_for_each(|(part, bytes)| file.read_exact_at(bytes, (HEAD + part * PIECE) as u64))?;
    Ok(bytes)
}

fn write_mark(to: &mut Writer, mark: Option<i64>) {
    let mark: Vec<u64> = mark.iter().map(|mark| mark.cast_unsigned()).collect();
    to.column(&mark);
}

fn read_mark(from: &mut Reader<'_>) -> Option<Option<i64>> {
    let mark: Vec<u64> = from.column()?;
    Some(mark.first().map(|mark| mark.cast_signed()))
}

fn write_said(to: &mut Writer, said: &Said) {
    let mut texts = Strings::default();
    for (label, text) in said {
        texts.push(label);
        texts.push(text);
    }
    to.strings(&texts);
}

fn read_said(from: &mut Reader<'_>) -> Option<Said> {
    let texts = from.strings()?;
    let texts: Vec<&str> = texts.iter().collect();
    let (pairs, rest) = texts.as_chunks::<2>();
    let said = pairs.iter().map(|[label, text]| ((*label).to_owned(), (*text).to_owned()));
    rest.is_empty().then(|| said.collect())
}

/// Keeps the snapshots of the requests that were made last.
fn drop_oldest(folder: &Path) -> io::Result<()> {
    let mut all: BTreeMap<PathBuf, SystemTime> = BTreeMap::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let modified = entry.metadata()?.modified()?;
        let last = all.entry(entry.path().with_extension("")).or_insert(modified);
        *last = modified.max(*last);
    }
    let mut all: Vec<_> = all.into_iter().map(|(path, last)| (last, path)).collect();
    all.sort();
    for (_, path) in all.iter().rev().skip(MOST) {
        for path in [path.clone(), path.with_extension(PATCH)] {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
