//! Reading blobs and trees.

use std::fs::File;
use std::io::Read;

use crate::artifact::{Artifact, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Object, Outlive};
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

    /// Whether the store has the artifact, for a tree with all below it, as far as is known
    /// without reading it. What it has is kept from `gc` until the store is dropped.
    pub fn has(&self, artifact: &Artifact) -> Result<bool, IndexError> {
        let (blob, executable) = artifact.object();
        match self.index.read(|rows| rows.object(blob, executable))? {
            Some(object) => self.claim(&object),
            None => Ok(false),
        }
    }

    /// Keeps the object and all below it from `gc`; `false` if it is not whole.
    pub(crate) fn claim(&self, object: &Object) -> Result<bool, IndexError> {
        if object.used >= self.lease.start {
            return self.index.read(|rows| rows.is_whole(object.row));
        }
        self.index.write(Outlive::Process, |rows| {
            // Between the two transactions `gc` may have removed it.
            let Some(object) = rows.object(object.blob, object.executable)? else {
                return Ok(false);
            };
            rows.use_object(object.row, self.now())?;
            rows.is_whole(object.row)
        })
    }

    fn find(&self, blob: BlobId) -> Result<Object, ReadError> {
        self.index.read(|rows| rows.any_object(blob))?.ok_or(ReadError::Missing { blob })
    }
}
