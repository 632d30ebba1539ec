//! `.vwfb/keep/`: the bytes that cannot be made again, of edits, pins and what was decided on. The
//! store is a cache that anybody may delete at any time; this is not.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_cas::{Artifact, MaterialiseError, Placement, PutError, Store, Take};

/// Something cannot be kept, or brought back.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// A file operation failed.
    #[error("cannot use `{}`", path.display())]
    Io {
        /// The place.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The store does not have the bytes.
    #[error("cannot keep a copy of what is chosen")]
    Copy(#[from] MaterialiseError),
    /// The store cannot take the bytes back.
    #[error("cannot bring back what is kept")]
    Put(#[from] PutError),
}

/// The folder.
#[derive(Clone)]
pub struct Keep {
    folder: PathBuf,
    store: Arc<Store>,
}

impl Keep {
    /// That of the workspace whose own folder is `folder` (`.vwfb`).
    pub fn new(folder: &Path, store: Arc<Store>) -> Self {
        Self { folder: folder.join("keep"), store }
    }

    /// Where `artifact` is kept.
    pub fn place(&self, artifact: &Artifact) -> PathBuf {
        let executable = matches!(artifact, Artifact::File(file) if file.executable);
        let suffix = if executable { "-x" } else { "" };
        self.folder.join(format!("{}{suffix}", artifact.digest().to_hex()))
    }

    /// Keeps `artifact`, which the store has; it is durable when this returns.
    ///
    /// # Errors
    /// If the store has lost it or the folder cannot be written.
    pub fn keep(&self, artifact: &Artifact) -> Result<(), KeepError> {
        let place = self.place(artifact);
        if place.symlink_metadata().is_ok() {
            return Ok(());
        }
        let failed = |source| KeepError::Io { path: place.clone(), source };
        fs::create_dir_all(&self.folder).map_err(failed)?;
        // It has its name when it is durable, and not before.
        let new = self.folder.join(format!("new-{}", std::process::id()));
        self.store.materialise(artifact, &new, Placement::Owned)?;
        let named = sync(&new).and_then(|()| fs::rename(&new, &place));
        named.and_then(|()| fs::File::open(&self.folder)?.sync_all()).map_err(failed)
    }

    /// Sees to it that the store has `artifact`, from what is kept if need be. Says whether it has.
    ///
    /// # Errors
    /// If the store cannot take it.
    pub fn bring(&self, artifact: &Artifact) -> Result<bool, KeepError> {
        if self.store.has(artifact).unwrap_or(false) {
            return Ok(true);
        }
        let place = self.place(artifact);
        if place.symlink_metadata().is_err() {
            return Ok(false);
        }
        let found = match artifact {
            Artifact::File(_) => Artifact::File(self.store.put_file(&place, Take::Copy)?),
            Artifact::Tree(_) => Artifact::Tree(self.store.put_tree(&place, Take::Copy)?),
        };
        Ok(found == *artifact)
    }
}

/// Makes a file or folder durable, with all in it.
fn sync(path: &Path) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_symlink() {
        return Ok(());
    }
    if kind.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    fs::File::open(path)?.sync_all()
}
