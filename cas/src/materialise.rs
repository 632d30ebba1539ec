//! Putting artifacts where tasks and people read them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::artifact::{Artifact, Entry, FileRef, TreeId};
use crate::digest::BlobId;
use crate::dir::Dir;
use crate::error::{AtPath, IoError};
use crate::index::IndexError;
use crate::layout;
use crate::profile::{Phase, Timed};
use crate::read::{Blob, ReadError};
use crate::store::Store;

/// Whose the materialised files are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    /// Read-only names of the store's own files, or copies of what has none: for readers that
    /// cannot write them. What is in the place already is an error.
    Shared,
    /// Read-only copies: for readers that nothing keeps from writing. What is in the place already
    /// is an error.
    Copied,
    /// The caller's own writable files, in the place of what was there, at once and as a whole.
    Owned,
}

/// An artifact cannot be put in its place.
#[derive(Debug, thiserror::Error)]
pub enum MaterialiseError {
    /// The place is no name in a folder, or outside the folder it must be below.
    #[error("nothing can be put at `{}`", path.display())]
    Place {
        /// The place.
        path: PathBuf,
    },
    /// The artifact cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl MaterialiseError {
    /// The blob whose bytes are lost, if that is why.
    pub fn lost(&self) -> Option<BlobId> {
        match self {
            Self::Read(error) => error.lost(),
            Self::Place { .. } | Self::Io(_) => None,
        }
    }
}

impl From<IndexError> for MaterialiseError {
    fn from(error: IndexError) -> Self {
        Self::Read(error.into())
    }
}

impl Store {
    /// Puts the artifact at `to`, whose folder must be there. A link at `to` is replaced, not
    /// followed.
    pub fn materialise(
        &self,
        artifact: &Artifact,
        to: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        let _placing = Timed::new(Phase::Materialise);
        let (folder, name) = split(to)?;
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        self.place(artifact, &Dir::open(folder)?, name, placement)
    }

    /// Puts the artifact at `relative` below `base`, making the folders on the way. No link below
    /// `base` is followed.
    pub fn materialise_below(
        &self,
        artifact: &Artifact,
        base: &Path,
        relative: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        let _placing = Timed::new(Phase::Materialise);
        let (folder, name) = split(relative)?;
        let folder = Dir::open(base)?.make_below(folder)?;
        self.place(artifact, &folder, name, placement)
    }

    /// A name that no other process uses, nor this one again: the lease's name is its alone.
    pub(crate) fn fresh_name(&self) -> PathBuf {
        PathBuf::from(format!(".vwfb-{}-{}", self.lease.name, self.fresh_number()))
    }

    pub(crate) fn place(
        &self,
        artifact: &Artifact,
        folder: &Dir,
        name: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        if placement != Placement::Owned {
            return self.fill(artifact, folder, name, placement);
        }
        // Beside the place, so that it can be renamed.
        let fresh = self.fresh_name();
        let filled = self.fill(artifact, folder, &fresh, placement);
        let placed = filled.and_then(|()| Ok(folder.replace(folder, &fresh, name)?));
        if placed.is_err() {
            folder.remove(&fresh)?;
        }
        placed
    }

    pub(crate) fn fill(
        &self,
        artifact: &Artifact,
        folder: &Dir,
        name: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        match artifact {
            Artifact::File(file) => self.fill_file(file, folder, name, placement),
            Artifact::Tree(tree) => self.fill_tree(*tree, folder, name, placement),
        }
    }

    fn fill_tree(
        &self,
        tree: TreeId,
        folder: &Dir,
        name: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        let entries = self.tree(tree)?.entries;
        let folder = folder.make(name)?;
        for (name, entry) in &entries {
            let name = Path::new(name);
            match entry {
                Entry::File(file) => self.fill_file(file, &folder, name, placement)?,
                Entry::Dir(tree) => self.fill_tree(*tree, &folder, name, placement)?,
                Entry::Symlink(target) => folder.symlink(target, name)?,
            }
        }
        Ok(())
    }

    fn fill_file(
        &self,
        file: &FileRef,
        folder: &Dir,
        name: &Path,
        placement: Placement,
    ) -> Result<(), MaterialiseError> {
        let blob = self.open_first(file.blob, &[file.executable])?;
        if placement == Placement::Shared && matches!(blob, Blob::File(_)) {
            let path = self.layout.blob(file.blob, file.executable);
            match folder.link(&path, name) {
                Ok(()) => return Ok(()),
                // Another file system, too many names, or one that has no such names: copy.
                Err(Errno::XDEV | Errno::MLINK | Errno::PERM | Errno::OPNOTSUPP) => {}
                Err(error) => Err(error).at("link", &folder.path().join(name))?,
            }
        }
        let mode = mode(file, placement);
        let copy = folder.create_file(name, mode)?;
        self.copy_blob(blob, copy, mode).map_err(|source| written_to(folder, name, source))
    }

    /// Writes bytes that are in memory; clones a file where the file system can, else copies it.
    /// The copy was made with `mode`.
    pub(crate) fn copy_blob(&self, blob: Blob, mut copy: File, mode: u32) -> io::Result<()> {
        match blob {
            Blob::Bytes(bytes) => copy.write_all(bytes.get_ref())?,
            Blob::File(file) if rustix::fs::ioctl_ficlone(&copy, &file).is_ok() => {}
            Blob::File(mut file) => drop(io::copy(&mut file, &mut copy)?),
        }
        if mode & self.withheld_mode() == 0 { Ok(()) } else { layout::set_mode(&copy, mode) }
    }

    /// The permission bits that new files of this process lack: its umask, which only a new file
    /// shows.
    fn withheld_mode(&self) -> u32 {
        *self.withheld.get_or_init(|| {
            let made = self.fresh_path().ok().and_then(|path| {
                let made = File::options().create_new(true).write(true).mode(0o777).open(&path);
                let mode = made.and_then(|file| file.metadata()).map(|made| made.mode() & 0o777);
                let _gone = layout::remove(&path);
                mode.ok()
            });
            // Where it cannot be told, every mode is set.
            !made.unwrap_or(0) & 0o777
        })
    }
}

pub(crate) fn written_to(folder: &Dir, name: &Path, source: io::Error) -> MaterialiseError {
    IoError { deed: "write", path: folder.path().join(name), source }.into()
}

pub(crate) fn mode(file: &FileRef, placement: Placement) -> u32 {
    match (placement, file.executable) {
        (Placement::Owned, false) => 0o644,
        (Placement::Owned, true) => 0o755,
        (_, false) => 0o444,
        (_, true) => 0o555,
    }
}

pub(crate) fn split(path: &Path) -> Result<(&Path, &Path), MaterialiseError> {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => Ok((folder, Path::new(name))),
        _ => Err(MaterialiseError::Place { path: path.to_owned() }),
    }
}
