//! Taking files, trees and bytes into the store.

use std::fs::{self, FileType};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use crate::artifact::{Entry, FileRef, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Outlive, Rows};
use crate::layout;
use crate::stage::{Staged, Take};
use crate::store::Store;
use crate::tree::symlink_fault;

/// How many files are taken in while others wait.
const BATCH: usize = 256;

/// Something cannot be taken into the store.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    /// The bytes are not the expected ones: the file changed since its digest was taken.
    #[error("`{}` changed while it was read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
        /// The digest it had.
        expected: BlobId,
        /// The digest of what was read.
        found: BlobId,
    },
    /// There is a pipe, a socket, a device, a link or a folder where a file must be.
    #[error("`{}` is not a regular file", path.display())]
    NotRegular {
        /// What is no file.
        path: PathBuf,
    },
    /// A symbolic link does not stay in its tree.
    #[error("the symbolic link `{}` -> `{target}` is not allowed: {why}", path.display())]
    Symlink {
        /// The link.
        path: PathBuf,
        /// Where it points.
        target: String,
        /// Why that is refused.
        why: &'static str,
    },
    /// A name or a link's target is not UTF-8.
    #[error("the name `{}` is not UTF-8", path.display())]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// A file operation failed.
    #[error(transparent)]
    Io(#[from] IoError),
}

impl Store {
    /// Stores bytes as a plain file.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<FileRef, PutError> {
        match self.known(BlobId(Digest::of(bytes)), false)? {
            Some(file) => Ok(file),
            None => self.adopt_one(self.stage_bytes(bytes)?),
        }
    }

    /// Stores the regular file at `path`, executable if its owner may execute it.
    pub fn put_file(&self, path: &Path, take: Take) -> Result<FileRef, PutError> {
        let file = self.adopt_one(self.stage_file(path)?)?;
        if take == Take::Move {
            layout::remove(path)?;
        }
        Ok(file)
    }

    /// Stores the file at `path`, whose bytes had the digest `expected` when they were last read.
    ///
    /// Where the store has those bytes already, the file is not read again.
    pub fn put_known(&self, path: &Path, expected: BlobId) -> Result<FileRef, PutError> {
        let metadata = fs::symlink_metadata(path).at("stat", path)?;
        if !metadata.is_file() {
            return Err(PutError::NotRegular { path: path.to_owned() });
        }
        let executable = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o100 != 0;
        if let Some(file) = self.known(expected, executable)? {
            return Ok(file);
        }
        let staged = self.stage_file(path)?;
        let found = staged.file.blob;
        if found != expected {
            return Err(PutError::Changed { path: path.to_owned(), expected, found });
        }
        self.adopt_one(staged)
    }

    /// Stores the folder at `path` with all below it: regular files with their executable bit,
    /// folders, empty ones too, and symbolic links that stay inside it.
    pub fn put_tree(&self, path: &Path, take: Take) -> Result<TreeId, PutError> {
        let mut incoming = Incoming { store: self, staged: Vec::new() };
        let tree = self.walk(path, 0, &mut incoming)?;
        incoming.flush()?;
        if take == Take::Move {
            crate::dir::remove_all(path)?;
        }
        Ok(tree)
    }

    fn walk(&self, folder: &Path, depth: usize, to: &mut Incoming<'_>) -> Result<TreeId, PutError> {
        let mut tree = Tree::default();
        for entry in fs::read_dir(folder).at("list", folder)? {
            let entry = entry.at("list", folder)?;
            let path = entry.path();
            let kind = entry.file_type().at("stat", &path)?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| PutError::Name { path: path.clone() })?;
            tree.entries.insert(name, self.walk_entry(&path, kind, depth, to)?);
        }
        // Children first: a tree's object is adopted after what it names.
        to.push_tree(tree)
    }

    fn walk_entry(
        &self,
        path: &Path,
        kind: FileType,
        depth: usize,
        to: &mut Incoming<'_>,
    ) -> Result<Entry, PutError> {
        if kind.is_dir() {
            Ok(Entry::Dir(self.walk(path, depth + 1, to)?))
        } else if kind.is_symlink() {
            Ok(Entry::Symlink(link_target(path, depth)?))
        } else if is_special(kind) {
            Err(PutError::NotRegular { path: path.to_owned() })
        } else {
            to.push_file(self.stage_file(path)?).map(Entry::File)
        }
    }

    /// The file of these bytes, if the store has it and needs not verify it first.
    fn known(&self, blob: BlobId, executable: bool) -> Result<Option<FileRef>, IndexError> {
        let Some(object) = self.index.read(|rows| rows.object(blob, executable))? else {
            return Ok(None);
        };
        let file = FileRef { blob, size: object.size, executable };
        let in_place = !self.is_suspect(&object) && self.is_in_place(&file);
        let kept = in_place && self.claim_objects(&[(blob, executable)])? == [true];
        Ok(kept.then_some(file))
    }

    fn adopt_one(&self, staged: Staged) -> Result<FileRef, PutError> {
        let file = staged.file;
        self.adopt(vec![(staged, None)])?;
        Ok(file)
    }

    /// Gives staged files their names and rows, in order, while no `gc` runs.
    fn adopt(&self, staged: Vec<(Staged, Option<Tree>)>) -> Result<(), PutError> {
        let now = self.now();
        self.index.write(Outlive::Process, |rows| {
            for (staged, tree) in &staged {
                let file = staged.file;
                let known = rows.object(file.blob, file.executable)?;
                let known = known.filter(|object| {
                    !object.missing && !self.is_suspect(object) && self.is_in_place(&file)
                });
                let row = match known {
                    Some(object) => {
                        rows.use_object(object.row, now)?;
                        object.row
                    }
                    None => {
                        let to = self.layout.blob(file.blob, file.executable);
                        layout::rename_into(&staged.path, &to)?;
                        rows.put_object(&file, rows.sequence()?, now)?
                    }
                };
                if let Some(tree) = tree {
                    put_edges(rows, row, tree)?;
                }
            }
            Ok::<_, PutError>(())
        })?;
        self.wrote();
        Ok(())
    }

    /// Whether the file's blob is there with the right size.
    fn is_in_place(&self, file: &FileRef) -> bool {
        fs::symlink_metadata(self.layout.blob(file.blob, file.executable))
            .is_ok_and(|metadata| metadata.len() == file.size)
    }
}

/// Files and trees that wait to be adopted together.
struct Incoming<'a> {
    store: &'a Store,
    staged: Vec<(Staged, Option<Tree>)>,
}

impl Incoming<'_> {
    fn push_file(&mut self, staged: Staged) -> Result<FileRef, PutError> {
        let file = staged.file;
        self.push(staged, None)?;
        Ok(file)
    }

    fn push_tree(&mut self, tree: Tree) -> Result<TreeId, PutError> {
        let bytes = tree.encode();
        let id = TreeId(Digest::of(&bytes));
        if self.store.known(id.blob(), false)?.is_none() {
            self.push(self.store.stage_bytes(&bytes)?, Some(tree))?;
        }
        Ok(id)
    }

    fn push(&mut self, staged: Staged, tree: Option<Tree>) -> Result<(), PutError> {
        self.staged.push((staged, tree));
        if self.staged.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), PutError> {
        self.store.adopt(std::mem::take(&mut self.staged))
    }
}

/// Notes what the tree names; all of it has rows.
pub(crate) fn put_edges(
    rows: &Rows<'_>,
    row: crate::index::ObjectRow,
    tree: &Tree,
) -> Result<(), IndexError> {
    for (blob, executable) in tree.objects() {
        if let Some(child) = rows.object(blob, executable)? {
            rows.put_edge(row, child.row)?;
        }
    }
    Ok(())
}

impl Tree {
    /// The objects that it names directly.
    pub(crate) fn objects(&self) -> impl Iterator<Item = (BlobId, bool)> {
        self.entries.values().filter_map(|entry| match entry {
            Entry::File(file) => Some((file.blob, file.executable)),
            Entry::Dir(tree) => Some((tree.blob(), false)),
            Entry::Symlink(_) => None,
        })
    }
}

fn link_target(path: &Path, depth: usize) -> Result<String, PutError> {
    let target = fs::read_link(path).at("read the link", path)?;
    let target = target.into_os_string().into_string();
    let target = target.map_err(|_| PutError::Name { path: path.to_owned() })?;
    match symlink_fault(&target, depth) {
        None => Ok(target),
        Some(why) => Err(PutError::Symlink { path: path.to_owned(), target, why }),
    }
}

fn is_special(kind: FileType) -> bool {
    kind.is_fifo() || kind.is_socket() || kind.is_block_device() || kind.is_char_device()
}
