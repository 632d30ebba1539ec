//! Reading blobs and trees.

use std::fs::File;
use std::io::Read;

use crate::artifact::{Artifact, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Object, Outlive, Rows};
use crate::store::Store;

/// A blob cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store does not have the blob, or not any more.
    #[error("the store has no blob `{}`", blob.digest().short())]
    Missing {
        /// Which.
        blob: BlobId,
    },
    /// The blob had other bytes than its digest says. It is set aside: putting the right bytes
    /// again mends the store.
    #[error("the blob `{}` was damaged and is set aside", blob.digest().short())]
    Damaged {
        /// Which.
        blob: BlobId,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl ReadError {
    /// The blob that must be made again, if that is what is wrong.
    pub fn lost(&self) -> Option<BlobId> {
        match self {
            Self::Missing { blob } | Self::Damaged { blob } => Some(*blob),
            Self::Index(_) | Self::Io(_) => None,
        }
    }
}

impl Store {
    /// Opens a blob for reading; its size is right.
    pub fn open_blob(&self, blob: BlobId) -> Result<File, ReadError> {
        self.open_object(&self.find(blob)?)
    }

    /// The bytes of a blob.
    pub fn read(&self, blob: BlobId) -> Result<Vec<u8>, ReadError> {
        let object = self.find(blob)?;
        let path = self.layout.blob(blob, object.executable);
        let mut file = self.open_object(&object)?;
        let mut bytes = Vec::with_capacity(usize::try_from(object.size).unwrap_or(0));
        file.read_to_end(&mut bytes).at("read", &path)?;
        Ok(bytes)
    }

    /// The entries of a tree. Its bytes are always verified, as they are few and lead on.
    pub fn tree(&self, tree: TreeId) -> Result<Tree, ReadError> {
        let bytes = self.read(tree.blob())?;
        match Tree::decode(&bytes) {
            Ok(found) if Digest::of(&bytes) == tree.digest() => Ok(found),
            _ => {
                let object = self.find(tree.blob())?;
                let file = self.open_object(&object)?;
                self.condemn(&object, Some(&file))?;
                Err(ReadError::Damaged { blob: tree.blob() })
            }
        }
    }

    /// Whether the store has the artifact: see `claim`.
    pub fn has(&self, artifact: &Artifact) -> Result<bool, IndexError> {
        Ok(self.claim(std::slice::from_ref(artifact))?.iter().all(|whole| *whole))
    }

    /// Whether the store has each of `artifacts`, for a tree with all below it, as far as is known
    /// without reading it. What it has is kept from `gc` until the store is dropped.
    ///
    /// Many cost one transaction, and none that writes if this process claimed them all before.
    pub fn claim(&self, artifacts: &[Artifact]) -> Result<Vec<bool>, IndexError> {
        let objects: Vec<_> = artifacts.iter().map(Artifact::object).collect();
        self.claim_objects(&objects)
    }

    /// Keeps objects and all below them from `gc`; `false` for each that is not whole.
    pub(crate) fn claim_objects(
        &self,
        objects: &[(BlobId, bool)],
    ) -> Result<Vec<bool>, IndexError> {
        let found = self.index.read(|rows| standings(rows, objects))?;
        if !found.iter().any(|found| self.unclaimed(found).is_some()) {
            return Ok(found.into_iter().map(|found| found.whole).collect());
        }
        self.index.write(Outlive::Process, |rows| {
            // Between the two transactions `gc` may have removed some.
            let found = standings(rows, objects)?;
            for found in &found {
                if let Some(object) = self.unclaimed(found) {
                    rows.use_object(object.row, self.now())?;
                }
            }
            Ok(found.into_iter().map(|found| found.whole).collect())
        })
    }

    /// The object if it is there and this process did not claim it yet.
    fn unclaimed<'o>(&self, found: &'o Standing) -> Option<&'o Object> {
        found.object.as_ref().filter(|object| object.used < self.lease.start)
    }

    fn find(&self, blob: BlobId) -> Result<Object, ReadError> {
        self.index.read(|rows| rows.any_object(blob))?.ok_or(ReadError::Missing { blob })
    }
}

/// What the index knows of an object that is asked for.
struct Standing {
    object: Option<Object>,
    /// Whether it is there with all below it.
    whole: bool,
}

fn standings(rows: &Rows<'_>, objects: &[(BlobId, bool)]) -> Result<Vec<Standing>, IndexError> {
    let broken = rows.broken_objects()?;
    let standing = |&(blob, executable): &(BlobId, bool)| {
        let object = rows.object(blob, executable)?;
        let whole = object.is_some_and(|object| !broken.contains(&object.row));
        Ok(Standing { object, whole })
    };
    objects.iter().map(standing).collect()
}
