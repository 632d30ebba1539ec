//! The output folder, `vwfb-out/`: where requested results are put for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{Artifact, Destination, IoError, MaterialiseError, Store};

use crate::build::{Placer, Unplaced};
use crate::stamps::Stamps;
use crate::trees::{file, tree_id};
use crate::workers::chain;

/// The output folder of one workspace and configuration.
pub(crate) struct OutputFolder {
    root: PathBuf,
    /// Relative to the root.
    folder: PathBuf,
    /// The same, absolute.
    whole: PathBuf,
    /// Whether the folder is there, looked at when the first output is placed.
    prepared: OnceLock<Result<(), String>>,
    destination: Destination,
    store: Arc<Store>,
    stamps: Arc<Stamps>,
}

impl OutputFolder {
    /// Outputs below `folder` of the workspace `root`, made when the first is placed.
    pub(crate) fn new(
        root: &Path,
        folder: PathBuf,
        store: Arc<Store>,
        stamps: Arc<Stamps>,
    ) -> Result<Self, IoError> {
        let destination = Destination::open(root, &root.join(".vwfb/staging"))?;
        let prepared = OnceLock::new();
        let whole = root.join(&folder);
        Ok(Self { root: root.to_owned(), folder, whole, prepared, destination, store, stamps })
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

    /// Makes the folder, and keeps it out of version control.
    fn prepare(&self) -> std::io::Result<()> {
        let folder = self.root.join(&self.folder);
        if let Some(link) = self.folder.ancestors().find(|part| self.root.join(part).is_symlink()) {
            let why = format!("`{}` is a symbolic link, which could lead anywhere", link.display());
            return Err(std::io::Error::other(why));
        }
        fs::create_dir_all(&folder)?;
        let ignore = folder.join(".gitignore");
        if ignore.exists() { Ok(()) } else { fs::write(ignore, "*\n") }
    }
}

impl Placer for OutputFolder {
    fn path(&self, path: &str) -> PathBuf {
        self.whole.join(path)
    }

    fn place(&self, path: &str, artifact: &Artifact) -> Result<PathBuf, Unplaced> {
        let prepared = self.prepared.get_or_init(|| {
            self.prepare().map_err(|error| {
                let folder = self.root.join(&self.folder);
                format!("cannot put outputs into `{}`: {error}", folder.display())
            })
        });
        prepared.clone().map_err(Unplaced::Failed)?;
        let relative = self.folder.join(path);
        let destination = self.root.join(&relative);
        if self.is_in_place(&destination, artifact) {
            return Ok(destination);
        }
        match self.store.materialise_into(artifact, &self.destination, &relative) {
            Ok(()) => Ok(destination),
            Err(MaterialiseError::Read(error)) if error.lost().is_some() => Err(Unplaced::Lost),
            Err(error) => Err(Unplaced::Failed(chain(&error))),
        }
    }
}
