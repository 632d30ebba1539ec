//! A folder that results are put into for people: each whole or not at all, and no rest of one
//! stays behind, whatever ends the process.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crate::artifact::{Artifact, FileRef};
use crate::dir::Dir;
use crate::error::IoError;
use crate::materialise::{MaterialiseError, Placement, mode, split, written_to};
use crate::profile::{Phase, Timed};
use crate::read::Blob;
use crate::spare::is_one_file_system;
use crate::store::Store;

/// How many folders are kept open.
const FOLDERS: usize = 16;

/// A folder to put results into, and one beside it where what replaces something is made first.
pub struct Destination {
    base: PathBuf,
    /// Locked, shared with other processes, as long as this is open.
    staging: Dir,
    /// The folders that were last put into, by their paths below the base: results come by folders,
    /// to each of several threads.
    last: Mutex<VecDeque<(PathBuf, Arc<Dir>)>>,
}

impl Destination {
    /// Puts results below `base` by way of `staging`, which is made if it is not there and should
    /// be on the same file system. What killed processes left there is removed.
    ///
    /// # Errors
    /// If `staging` cannot be made or emptied.
    pub fn open(base: &Path, staging: &Path) -> Result<Self, IoError> {
        let staging = Dir::open_or_make(staging)?;
        if staging.lock_alone()? {
            staging.empty()?;
        }
        staging.lock_shared()?;
        Ok(Self { base: base.to_owned(), staging, last: Mutex::default() })
    }

    /// Whether spare files of `store` can be put here.
    pub fn is_beside(&self, store: &Store) -> bool {
        is_one_file_system(&self.base, store.root())
    }

    /// The folder at `relative` below the base, made if it is not there.
    fn folder(&self, relative: &Path) -> Result<Arc<Dir>, IoError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|(path, folder)| path != relative || folder.is_linked());
        if let Some((_, folder)) = last.iter().find(|(path, _)| path == relative) {
            return Ok(Arc::clone(folder));
        }
        let folder = Arc::new(Dir::open(&self.base)?.make_below(relative)?);
        last.truncate(FOLDERS - 1);
        last.push_front((relative.to_owned(), Arc::clone(&folder)));
        Ok(folder)
    }
}

impl Store {
    /// Puts the caller's own copy of the artifact at `relative` below the destination, in the place
    /// of what was there and making the folders on the way. No link below it is followed.
    ///
    /// A spare file ([`Take::Spare`](crate::Take)) is put there itself, as if it were made now. Bytes
    /// that come from a pack are written in place if nothing is there: a kill within that one
    /// write can leave a part of them, everything else is there whole or not at all.
    ///
    /// # Errors
    /// If the artifact cannot be read, or a link or a file is in the way.
    pub fn materialise_into(
        &self,
        artifact: &Artifact,
        destination: &Destination,
        relative: &Path,
    ) -> Result<(), MaterialiseError> {
        let _placing = Timed::new(Phase::Materialise);
        let (folder, name) = split(relative)?;
        let folder = destination.folder(folder)?;
        if let Artifact::File(file) = artifact
            && self.fill_free_place(file, &folder, name)?
        {
            return Ok(());
        }
        let staging = &destination.staging;
        let fresh = self.fresh_name();
        let filled = match artifact {
            Artifact::File(file) if self.give_spare(file, staging, &fresh)? => Ok(()),
            _ => self.fill(artifact, staging, &fresh, Placement::Owned),
        };
        let placed = filled.and_then(|()| Ok(folder.replace(staging, &fresh, name)?));
        match placed {
            Err(MaterialiseError::Io(error)) if error.is_elsewhere() => {
                staging.remove(&fresh)?;
                self.place(artifact, &folder, name, Placement::Owned)
            }
            Err(error) => {
                staging.remove(&fresh)?;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Store {
    /// Writes few bytes to a place where nothing is; `false` if they are many, or something is.
    fn fill_free_place(
        &self,
        file: &FileRef,
        folder: &Dir,
        name: &Path,
    ) -> Result<bool, MaterialiseError> {
        if file.size > self.options.packed {
            return Ok(false);
        }
        let Blob::Bytes(bytes) = self.open_first(file.blob, &[file.executable])? else {
            return Ok(false);
        };
        let mode = mode(file, Placement::Owned);
        let Some(copy) = folder.create_new(name, mode)? else { return Ok(false) };
        match self.copy_blob(Blob::Bytes(bytes), copy, mode) {
            Ok(()) => Ok(true),
            Err(source) => {
                folder.remove(name)?;
                Err(written_to(folder, name, source))
            }
        }
    }
}
