//! The output folder, `vwfb-out/`: where requested results are put for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{Artifact, Destination, IoError, MaterialiseError, Store};

use crate::build::{Placer, Unplaced};
use crate::chain::chain;
use crate::keep::KeepError;
use crate::stamps::Stamps;
use crate::trees::{file, tree_id};

/// What keeps the folder out of version control.
pub(crate) const IGNORE_FILE: &str = ".gitignore";

/// The output folder of one workspace and configuration.
pub(crate) struct OutputFolder {
    root: PathBuf,
    /// Relative to the root.
    relative: PathBuf,
    /// The same, absolute.
    folder: PathBuf,
    /// Whether the folder is there, looked at when the first output is placed.
    prepared: OnceLock<Result<(), String>>,
    destination: Destination,
    store: Arc<Store>,
    stamps: Arc<Stamps>,
    rescued: Mutex<Vec<Rescued>>,
}

/// A file in the output folder that a person changed and another output took the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Where it was, relative to the workspace.
    pub path: PathBuf,
    /// Where it is now.
    pub kept: PathBuf,
}

impl OutputFolder {
    /// Outputs below `relative` of the workspace `root`, made when the first is placed.
    pub(crate) fn new(
        root: &Path,
        relative: PathBuf,
        store: Arc<Store>,
        stamps: Arc<Stamps>,
    ) -> Result<Self, IoError> {
        let destination = Destination::open(root, &root.join(".vwfb/staging"))?;
        let prepared = OnceLock::new();
        let folder = root.join(&relative);
        let (root, rescued) = (root.to_owned(), Mutex::default());
        Ok(Self { root, relative, folder, prepared, destination, store, stamps, rescued })
    }

    fn is_in_place(&self, destination: &Path, artifact: &Artifact) -> bool {
        count(Counter::FilesStatted, 1);
        let Ok(found) = fs::symlink_metadata(destination) else { return false };
        match artifact {
            Artifact::File(wanted) => {
                let there = found.is_file().then(|| self.stamps.of(destination));
                there.is_some_and(|there| there.is_ok_and(|there| file(&there) == *wanted))
            }
            Artifact::Tree(wanted) => {
                let there = found.is_dir().then(|| tree_id(destination, &self.stamps));
                there.is_some_and(|there| there.is_ok_and(|there| there == *wanted))
            }
        }
    }

    /// Keeps what a person made of an output before another takes its place: a file whose bytes the
    /// store has is none.
    fn rescue(&self, relative: &Path, place: &Path) -> Result<(), KeepError> {
        let is_file = fs::symlink_metadata(place).is_ok_and(|found| found.is_file());
        let Some(there) = is_file.then(|| self.stamps.of(place)).and_then(Result::ok) else {
            return Ok(());
        };
        let there = Artifact::File(file(&there));
        if self.store.has(&there).unwrap_or(true) {
            return Ok(());
        }
        let failed = |source| KeepError::Io { path: place.to_owned(), source };
        let folder = self.root.join(".vwfb/edited");
        let name = relative.to_string_lossy().replace('/', "%2F");
        let digest = &there.digest().to_hex()[..12];
        let kept = folder.join(format!("{digest}-{name}"));
        fs::create_dir_all(&folder).map_err(failed)?;
        fs::copy(place, &kept).map_err(failed)?;
        fs::File::open(&kept).and_then(|kept| kept.sync_all()).map_err(failed)?;
        let rescued = Rescued { path: relative.to_owned(), kept };
        self.rescued.lock().unwrap_or_else(PoisonError::into_inner).push(rescued);
        Ok(())
    }

    /// What people changed and other outputs took the place of.
    pub(crate) fn rescued(&self) -> Vec<Rescued> {
        std::mem::take(&mut *self.rescued.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the folder, and keeps it out of version control.
    fn prepare(&self) -> std::io::Result<()> {
        let folder = self.root.join(&self.relative);
        if let Some(link) = self.relative.ancestors().find(|part| self.root.join(part).is_symlink())
        {
            let link = link.display();
            let why =
                format!("`{link}` is a symbolic link, which could lead anywhere: move it away");
            return Err(std::io::Error::other(why));
        }
        if folder.is_file() {
            let why = format!("`{}` is a file: move it away", self.relative.display());
            return Err(std::io::Error::other(why));
        }
        fs::create_dir_all(&folder)?;
        let ignore = folder.join(IGNORE_FILE);
        if ignore.exists() { Ok(()) } else { fs::write(ignore, "*\n") }
    }
}

impl Placer for OutputFolder {
    fn folder(&self) -> &Path {
        &self.folder
    }

    fn place(&self, path: &str, artifact: &Artifact) -> Result<(), Unplaced> {
        let prepared = self.prepared.get_or_init(|| {
            self.prepare().map_err(|error| {
                let folder = self.root.join(&self.relative);
                format!("cannot put outputs into `{}`: {error}", folder.display())
            })
        });
        prepared.clone().map_err(Unplaced::Failed)?;
        let relative = self.relative.join(path);
        let destination = self.root.join(&relative);
        if self.is_in_place(&destination, artifact) {
            return Ok(());
        }
        self.rescue(&relative, &destination).map_err(|error| {
            Unplaced::Failed(format!(
                "`{}` was changed by hand, and no copy of it can be kept: {}",
                relative.display(),
                chain(&error)
            ))
        })?;
        match self.store.materialise_into(artifact, &self.destination, &relative) {
            Ok(()) => Ok(()),
            Err(MaterialiseError::Read(error)) if error.lost().is_some() => Err(Unplaced::Lost),
            Err(error) => Err(Unplaced::Failed(chain(&error))),
        }
    }
}
