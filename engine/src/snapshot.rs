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
mod opened;
mod patch;
mod summary;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use vwfb_cas::Digest;
use vwfb_cas::profile::{Phase, Timed};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::vars::Overrides;

pub(crate) use facts::{Difference, Facts, Held, World};
pub(crate) use merge::merge;
pub(crate) use opened::Opened;
pub(crate) use summary::{Summary, Tools};

use crate::answers::Answers;
use crate::columns::{LONG, Writer};
use crate::db::Machine;
use crate::graph::TaskGraph;
use crate::people::Said;
use crate::plan::TaskId;

/// Begins every file; another layout gets another number.
const MAGIC: &[u8] = b"vwfb-snapshot 9\n";

/// What comes before the tables, in bytes: that, whose snapshot it is, a checksum of the first part,
/// and its length.
const HEAD: usize = MAGIC.len() + 32 + 32 + 8;

/// Begins every file with what differs.
const PATCH_MAGIC: &[u8] = b"vwfb-snapshot-patch 5\n";

/// The extension of the file with what differs from a snapshot's own.
const PATCH: &str = "patch";

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

/// A file that holds a whole snapshot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Base {
    /// Of its first part, which has that of the second.
    checksum: [u8; 32],
    /// In bytes.
    length: usize,
}

/// Where the snapshot of one request is, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    path: PathBuf,
    identity: Digest,
}

impl Place {
    /// The place for `patterns` in the workspace whose own folder is `folder`, with these settings.
    pub(crate) fn of(
        folder: &Path,
        (overrides, machine): (&Overrides, &Machine),
        patterns: &[Pattern],
    ) -> io::Result<Self> {
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
        hasher.update(self.identity.as_bytes());
        match body.len() < LONG {
            true => hasher.update(body),
            false => hasher.update_rayon(body),
        };
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

impl Snapshot {
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
        let mut rest = Writer(Vec::with_capacity(self.graph.tasks() * 384));
        self.facts.write_rest(&mut rest);
        rest.column(&self.settled);
        self.graph.write(&mut rest);
        self.answers.write(&mut rest);
        let mut first = Writer(Vec::with_capacity(self.graph.tasks() * 160));
        first.column(&[place.checksum_of(&rest.0)]);
        first.column(&[rest.0.len() as u64]);
        self.facts.write(&mut first);
        self.summary().write(&mut first);
        let checksum = place.checksum_of(&first.0);
        let identity = place.identity.as_bytes();
        let length = (first.0.len() as u64).to_le_bytes();
        let parts: [&[u8]; 6] = [MAGIC, identity, &checksum, &length, &first.0, &rest.0];
        place.replace(&place.path, &parts)?;
        // One that stays fits no file any more.
        let _left = fs::remove_file(place.patch());
        drop_oldest(place.folder())
    }

    fn summary(&self) -> Summary {
        let (mark, said, tools) = (self.mark, self.said.clone(), self.tools.clone());
        Summary { tasks: self.graph.tasks() as u64, steady: self.is_steady(), mark, said, tools }
    }

    /// Whether there is nothing to do and nothing to tell for as long as all facts hold.
    fn is_steady(&self) -> bool {
        !self.settled.contains(&0)
            && self.graph.is_final()
            && self.graph.expanded.is_empty()
            && self.facts.are_stamped()
            && self.outputs_agree().all(|agrees| agrees)
    }

    /// Requested offer -> whether the file in its place was seen to hold what its task made.
    pub(crate) fn outputs_agree(&self) -> impl Iterator<Item = bool> {
        let offers = self.graph.requested().flat_map(|target| self.graph.offers(target));
        offers.enumerate().map(|(number, offer)| {
            let artifact = self.answers.artifact(offer.task, offer.name);
            artifact.is_some_and(|artifact| self.facts.output_is(number, &artifact))
        })
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

/// Opens a file to read it, and nothing on which that could wait for ever.
fn open_regular(path: &Path) -> io::Result<fs::File> {
    match fs::metadata(path)?.is_file() {
        true => fs::File::open(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
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
