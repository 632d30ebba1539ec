//! What a digest can name: a file, a directory tree, and the outputs of one action.

use std::collections::BTreeMap;
use std::fmt;

use crate::digest::{BlobId, Digest, digest_id};

digest_id! {
    /// Names a directory tree: the digest of its canonical encoding.
    TreeId
}

/// A file's bytes and what else matters of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileRef {
    /// The bytes.
    pub blob: BlobId,
    /// Their number.
    pub size: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// A file or a directory tree, named by digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Artifact {
    /// One regular file.
    File(FileRef),
    /// A directory with all below it.
    Tree(TreeId),
}

impl Artifact {
    /// The digest of the bytes or of the canonical tree.
    pub fn digest(&self) -> Digest {
        match self {
            Self::File(file) => file.blob.digest(),
            Self::Tree(tree) => tree.digest(),
        }
    }
}

/// One directory: its entries by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tree {
    /// Sorted by the bytes of the name; names hold no `/` and are never `.` or `..`.
    pub entries: BTreeMap<String, Entry>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A regular file.
    File(FileRef),
    /// A directory, which may be empty.
    Dir(TreeId),
    /// A symbolic link, relative and inside the artifact.
    Symlink(String),
}

/// What one action made, as it is stored under the action's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionResult {
    /// The outputs by name.
    pub outputs: BTreeMap<String, Artifact>,
    /// The blob with its standard output and error, if it wrote any.
    pub log: Option<FileRef>,
    /// How long the action ran, in milliseconds of wall time.
    pub duration_ms: u64,
    /// The inputs that the action was seen to read, if its rule reports them; a subset of the
    /// declared ones. Nothing prunes by them yet.
    pub observed_inputs: Option<Vec<String>>,
}
