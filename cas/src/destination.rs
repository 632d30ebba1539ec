//! A folder that results are put into for people: each whole or not at all, and no rest of one
//! stays behind, whatever ends the process.

use std::path::{Path, PathBuf};

use rustix::io::Errno;

use crate::artifact::Artifact;
use crate::dir::Dir;
use crate::error::IoError;
use crate::materialise::{MaterialiseError, Placement, split};
use crate::profile::{Phase, Timed};
use crate::store::Store;

/// A folder to put results into, and one beside it where they are made first.
pub struct Destination {
    base: PathBuf,
    /// Locked, shared with other processes, as long as this is open.
    staging: Dir,
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
        Ok(Self { base: base.to_owned(), staging })
    }
}

impl Store {
    /// Puts the caller's own copy of the artifact at `relative` below the destination, in the place
    /// of what was there and making the folders on the way. No link below it is followed.
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
        let folder = Dir::open(&destination.base)?.make_below(folder)?;
        let staging = &destination.staging;
        let fresh = self.fresh_name();
        let filled = self.fill(artifact, staging, &fresh, Placement::Owned);
        let placed = filled.and_then(|()| Ok(folder.replace(staging, &fresh, name)?));
        match placed {
            Err(error) if is_elsewhere(&error) => {
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

/// Whether staging and destination are on different file systems.
fn is_elsewhere(error: &MaterialiseError) -> bool {
    let MaterialiseError::Io(error) = error else { return false };
    error.source.raw_os_error() == Some(Errno::XDEV.raw_os_error())
}
