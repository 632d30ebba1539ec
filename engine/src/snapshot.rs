//! The last finished state of one request in one file: the graph, what its tasks came to, and
//! every fact that this rests on. Where all facts are as they were, so is the state, and no query
//! is asked; where some sources or rule files are not, only what they reach is.
//!
//! It is a cache: what does not fit, is damaged or was written by another vwfb is not used.

mod facts;
mod files;
mod merge;

use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vwfb_cas::Digest;
use vwfb_cas::profile::{Phase, Timed};
use vwfb_rules::pattern::Pattern;

pub(crate) use facts::{Difference, Facts, World};
pub(crate) use merge::merge;

use crate::answers::Answers;
use crate::columns::{Reader, Writer};
use crate::db::Database;
use crate::graph::TaskGraph;
use crate::plan::TaskId;
use crate::system::Content;

/// Begins every file; another layout gets another number.
const MAGIC: &[u8] = b"vwfb-snapshot 2\n";

/// How many requests of one workspace are remembered.
const MOST: usize = 16;

/// The state after a run.
#[derive(Debug, Clone)]
pub(crate) struct Snapshot {
    pub(crate) graph: TaskGraph,
    pub(crate) answers: Answers,
    /// Task -> 1 if its answer is what the facts make of it.
    pub(crate) settled: Vec<u8>,
    pub(crate) facts: Facts,
    /// The mark of the workspace's successes when they were those of `answers`.
    pub(crate) mark: Option<i64>,
    /// What makes looking at tools quick: their closures, and the stamps of their files.
    pub(crate) tools: [Vec<u8>; 2],
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
}

impl Snapshot {
    /// The snapshot at `place`, if there is one that can be used.
    pub(crate) fn load(place: &Place) -> Option<Self> {
        let _timed = Timed::new(Phase::Load);
        let bytes = fs::read(&place.path).ok()?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (identity, rest) = rest.split_first_chunk::<32>()?;
        let (checksum, body) = rest.split_first_chunk::<32>()?;
        if identity != place.identity.as_bytes() || *checksum != checksum_of(body) {
            return None;
        }
        Self::decode(&mut Reader(body))
    }

    fn decode(from: &mut Reader<'_>) -> Option<Self> {
        let mark: Vec<u64> = from.column()?;
        let settled: Vec<u8> = from.column()?;
        let graph = TaskGraph::read(from)?;
        let answers = Answers::read(from, graph.tasks())?;
        let facts = Facts::read(from)?;
        let tools = [from.bytes()?.to_vec(), from.bytes()?.to_vec()];
        let whole = settled.len() == graph.tasks() && facts.fit(&graph) && from.0.is_empty();
        let mark = mark.first().map(|mark| mark.cast_signed());
        whole.then_some(Self { graph, answers, settled, facts, mark, tools })
    }

    /// Writes the snapshot to `place`, whole or not at all. It is not made to outlive a power cut:
    /// then it is made again.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn save(&self, place: &Place) -> io::Result<()> {
        let _timed = Timed::new(Phase::Store);
        // About what a task, its source and its output take: growing would copy it again.
        let mut body = Writer(Vec::with_capacity(self.graph.tasks() * 512));
        let mark: Vec<u64> = self.mark.iter().map(|mark| mark.cast_unsigned()).collect();
        body.column(&mark);
        body.column(&self.settled);
        self.graph.write(&mut body);
        self.answers.write(&mut body);
        self.facts.write(&mut body);
        for bytes in &self.tools {
            body.bytes(bytes);
        }
        let folder = place.path.parent().unwrap_or(&place.path);
        fs::create_dir_all(folder)?;
        let new = folder.join(format!("new-{}", std::process::id()));
        let mut file = fs::File::create(&new)?;
        file.write_all(MAGIC)?;
        file.write_all(place.identity.as_bytes())?;
        file.write_all(&checksum_of(&body.0))?;
        file.write_all(&body.0)?;
        fs::rename(&new, &place.path)?;
        drop_oldest(folder)
    }

    /// The tasks that may have another key than their last success, given what is different.
    pub(crate) fn suspects(&self, difference: &Difference) -> Vec<bool> {
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
        for package in &difference.packages {
            for (task, suspect) in suspects.iter_mut().enumerate() {
                *suspect |= self.graph.package_path(TaskId(task)) == package.as_str();
            }
        }
        suspects
    }
}

impl Snapshot {
    /// The contents of the sources of every task that may be asked for its key: the suspects and
    /// what is behind them.
    pub(crate) fn contents(&self, suspects: &[bool]) -> HashMap<String, Content> {
        let mut reached = suspects.to_vec();
        let shape = self.graph.shape();
        for id in shape.tasks() {
            reached[id.0] = reached[id.0] || shape.inputs(id).any(|need| reached[need.0]);
        }
        let tasks = (0..reached.len()).filter(|task| reached[*task]);
        let sources = tasks.flat_map(|task| self.graph.reads.get(task)).copied();
        let content = |source| {
            let content = self.facts.content(&self.graph, source)?;
            Some((self.graph.sources.get(source).to_owned(), content))
        };
        sources.filter_map(content).collect()
    }
}

fn checksum_of(body: &[u8]) -> [u8; 32] {
    *blake3::Hasher::new().update_rayon(body).finalize().as_bytes()
}

/// Keeps the snapshots of the requests that were made last.
fn drop_oldest(folder: &Path) -> io::Result<()> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        all.push((entry.metadata()?.modified()?, entry.path()));
    }
    all.sort();
    for (_, path) in all.iter().rev().skip(MOST) {
        fs::remove_file(path)?;
    }
    Ok(())
}
