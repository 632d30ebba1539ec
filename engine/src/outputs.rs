//! The output folder, `vwfb-out/`: where requested results are put for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{Artifact, Destination, IoError, MaterialiseError, Store};

use crate::build::{Placer, Unplaced};
use crate::chain::chain;
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
        Ok(Self { root: root.to_owned(), relative, folder, prepared, destination, store, stamps })
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
        match self.store.materialise_into(artifact, &self.destination, &relative) {
            Ok(()) => Ok(()),
            Err(MaterialiseError::Read(error)) if error.lost().is_some() => Err(Unplaced::Lost),
            Err(error) => Err(Unplaced::Failed(chain(&error))),
        }
    }
}
