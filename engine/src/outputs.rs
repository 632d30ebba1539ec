//! The output folder, `vwfb-out/`: where requested results are put for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_cas::{Artifact, MaterialiseError, Placement, Store};
use vwfb_rules::label::WsPath;

use crate::build::{Placer, Unplaced};
use crate::stamps::Stamps;
use crate::workers::chain;

/// The output folder of one workspace and configuration.
pub(crate) struct OutputFolder {
    folder: PathBuf,
    store: Arc<Store>,
    stamps: Arc<Stamps>,
}

impl OutputFolder {
    /// Outputs below `folder`, which is made when the first is placed.
    pub(crate) const fn new(folder: PathBuf, store: Arc<Store>, stamps: Arc<Stamps>) -> Self {
        Self { folder, store, stamps }
    }

    fn is_in_place(&self, destination: &Path, artifact: &Artifact) -> bool {
        let Artifact::File(file) = artifact else { return false };
        let plain = fs::symlink_metadata(destination).is_ok_and(|found| found.is_file());
        plain
            && self.stamps.of(destination).is_ok_and(|stamped| {
                stamped.digest == file.blob.digest()
                    && stamped.stamp.executable() == file.executable
            })
    }

    fn prepare(&self) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let ignore = self.folder.join(".gitignore");
        if ignore.exists() { Ok(()) } else { fs::write(ignore, "*\n") }
    }
}

impl Placer for OutputFolder {
    fn place(&self, path: &WsPath, artifact: &Artifact) -> Result<PathBuf, Unplaced> {
        self.prepare().map_err(|error| {
            Unplaced::Failed(format!("cannot create `{}`: {error}", self.folder.display()))
        })?;
        let destination = self.folder.join(path.as_str());
        if self.is_in_place(&destination, artifact) {
            return Ok(destination);
        }
        let relative = Path::new(path.as_str());
        let placed =
            self.store.materialise_below(artifact, &self.folder, relative, Placement::Owned);
        match placed {
            Ok(()) => Ok(destination),
            Err(MaterialiseError::Read(error)) if error.lost().is_some() => Err(Unplaced::Lost),
            Err(error) => Err(Unplaced::Failed(chain(&error))),
        }
    }
}
