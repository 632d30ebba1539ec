//! Removing what nobody needs: results and blobs by age and by size, the least missed first.
//!
//! What a live lease may use, what any workspace published as a root, and all below either stays.

mod packs;
mod plan;
mod worth;

use std::path::PathBuf;
use std::time::Duration;

use crate::artifact::Artifact;
use crate::digest::{ActionKey, BlobId};
use crate::error::IoError;
use crate::index::{IndexError, Outlive, RootSet, Rows};
use crate::layout;
use crate::lease;
use crate::pack::{Frame, Kind, Place};
use crate::pending::{Form, Gate};
use crate::rebuild;
use crate::store::Store;

use plan::{Limits, Plan, State};

/// How many files are removed while others wait.
const BATCH: usize = 512;

/// What is to be kept whatever its age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// Results with all they name.
    pub keys: Vec<ActionKey>,
    /// Files and trees with all below them.
    pub artifacts: Vec<Artifact>,
}

/// What `gc` removes; without any limit only what nothing can reach any more.
#[derive(Debug, Clone, Default)]
pub struct GcOptions {
    /// Whatever was not used for longer goes.
    pub max_age: Option<Duration>,
    /// What is missed least goes until the rest is no larger: what was not used for long, took
    /// little work and frees much.
    pub max_bytes: Option<u64>,
    /// Kept besides what the workspaces published.
    pub keep: Roots,
    /// Workspaces that are gone: what they published is forgotten first.
    pub gone: Vec<String>,
    /// Only report.
    pub dry_run: bool,
}

/// A result that was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemovedResult {
    /// Its key.
    pub key: ActionKey,
    /// The bytes that went with it.
    pub bytes: u64,
}

/// What `gc` removed, or would remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// The results, in the order in which they went.
    pub results: Vec<RemovedResult>,
    /// How many files and trees.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How many results stay.
    pub kept_results: u64,
    /// How many files and trees stay.
    pub kept_objects: u64,
    /// Their bytes.
    pub kept_bytes: u64,
    /// How many files went that the index does not know, damaged ones included.
    pub strays: u64,
    /// How many folders of dead processes went.
    pub scratch: u64,
}

/// The store cannot be cleaned up.
#[derive(Debug, thiserror::Error)]
pub enum GcError {
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Store {
    /// Replaces what `workspace` needs kept; nothing in it forgets the workspace. Only what differs
    /// is written, and if nothing does, no transaction begins.
    ///
    /// The name is the caller's to give and to take back, by `GcOptions::gone`.
    pub fn publish_roots(&self, workspace: &str, roots: &Roots) -> Result<(), GcError> {
        self.settle();
        let wanted = RootSet::from(roots);
        if self.index.read(|rows| rows.roots(workspace))? == wanted {
            return Ok(());
        }
        Ok(self.index.write(Outlive::PowerCut, |rows| rows.set_roots(workspace, &wanted))?)
    }

    /// Adds results to what `workspace` needs kept, without looking at what that is. What it does
    /// not need any more stays until it publishes all.
    pub fn add_roots(&self, workspace: &str, keys: &[ActionKey]) -> Result<(), GcError> {
        self.settle();
        Ok(self.index.write(Outlive::PowerCut, |rows| rows.add_roots(workspace, keys))?)
    }

    /// Whether `workspace` published roots.
    pub fn has_roots(&self, workspace: &str) -> Result<bool, GcError> {
        Ok(self.index.glance(|rows| rows.has_roots(workspace))?)
    }

    /// The workspaces that published roots.
    pub fn root_workspaces(&self) -> Result<Vec<String>, GcError> {
        Ok(self.index.read(|rows| rows.root_workspaces())?)
    }

    /// Removes what `options` allow, and what dead processes left.
    pub fn gc(&self, options: &GcOptions) -> Result<GcReport, GcError> {
        self.settle();
        let shut = Gate::shut(&self.layout.gate())?;
        // What was appended and not synced is held open, and so locked.
        self.packs.sync()?;
        let mut records = Vec::new();
        let (plan, dead) = self.index.write(Outlive::PowerCut, |rows| {
            let dead = lease::reap(&self.layout, rows)?;
            if dead.is_unclean {
                rebuild::recover(&self.layout, rows, self.now())?;
            }
            let plan = self.plan(rows, options)?;
            if options.dry_run {
                return Ok((plan, dead));
            }
            self.packs.close(rows)?;
            options.gone.iter().try_for_each(|workspace| rows.remove_roots(workspace))?;
            for result in plan.results() {
                let record = rows.record(result.key)?;
                records.extend(record.map(|(bytes, slot)| (result.key, bytes, slot)));
                rows.remove_result(result.key)?;
            }
            for object in plan.objects() {
                rows.remove_object(object.row)?;
            }
            Ok::<_, GcError>((plan, dead))
        })?;
        drop(shut);
        let mut report = plan.report();
        if options.dry_run {
            return Ok(report);
        }
        let blobs = plan.objects().filter(|object| object.place == Place::File);
        let blobs = blobs.map(|object| (object.blob, object.executable));
        self.remove_blobs(&blobs.collect::<Vec<_>>())?;
        for (key, record, slot) in &records {
            self.packs.kill(*slot, &Frame::of(Kind::Record, key.digest(), record))?;
        }
        self.tidy_packs()?;
        report.strays = self.remove_strays()?;
        report.scratch = self.sweep(dead);
        Ok(report)
    }

    fn plan(&self, rows: &Rows<'_>, options: &GcOptions) -> Result<Plan, IndexError> {
        let mut state = State::load(rows)?;
        state.keep(&RootSet::from(&options.keep));
        for workspace in rows.root_workspaces()? {
            if !options.gone.contains(&workspace) {
                state.keep(&rows.roots(&workspace)?);
            }
        }
        let now = self.now();
        Ok(state.plan(&Limits { now, max_age: options.max_age, max_bytes: options.max_bytes }))
    }

    /// Removes the files of objects that have no row, or whose row has the bytes in a pack. Returns
    /// how many there were.
    fn remove_blobs(&self, blobs: &[Form]) -> Result<u64, GcError> {
        let mut count = 0;
        for batch in blobs.chunks(BATCH) {
            // Nobody has put any of them and not noted it yet.
            let _shut = Gate::shut(&self.layout.gate())?;
            count += self.index.write(Outlive::Process, |rows| {
                let mut count = 0;
                for &(blob, executable) in batch {
                    let object = rows.object(blob, executable)?;
                    if object.is_none_or(|object| object.place != Place::File) {
                        let path = self.layout.blob(blob, executable);
                        count += u64::from(layout::remove(&path)?);
                    }
                }
                Ok::<_, GcError>(count)
            })?;
        }
        Ok(count)
    }

    /// Removes files that the index does not know: what a killed process had not noted yet, and
    /// what was set aside as damaged.
    fn remove_strays(&self) -> Result<u64, GcError> {
        let mut count = 0;
        for entry in std::fs::read_dir(self.layout.quarantine()).into_iter().flatten().flatten() {
            count += u64::from(layout::remove(&entry.path())?);
        }
        let named = |path: &PathBuf| layout::named(path);
        let blobs = layout::files(&self.layout.blobs())?;
        let blobs = blobs.iter().filter_map(named).map(|(digest, form)| (BlobId(digest), form));
        let unknown = self.index.read(|rows| rows.without_file(blobs))?;
        Ok(count + self.remove_blobs(&unknown)?)
    }
}
