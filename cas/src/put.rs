//! Taking files, trees and bytes into the store.

use std::fs::{self, FileType};
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::artifact::{Entry, FileRef, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::index::IndexError;
use crate::layout;
use crate::pack::{Frame, Kind, Place, Slot};
use crate::packs::Found;
use crate::pending::{Form, Gate, Known, NewObject};
use crate::profile::{Counter, Phase, Timed, count};
use crate::quarantine;
use crate::read::Located;
use crate::stage::{self, Source, Staged, Take};
use crate::store::Store;
use crate::tree::symlink_fault;

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

impl PutError {
    /// Whether the disk or the quota is full.
    fn is_full(&self) -> bool {
        match self {
            Self::Index(error) => error.is_full(),
            Self::Io(error) => error.is_full(),
            _ => false,
        }
    }
}

impl Store {
    /// Stores bytes as a plain file.
    pub fn put_bytes(&self, bytes: &[u8]) -> Result<FileRef, PutError> {
        let _storing = Timed::new(Phase::Store);
        self.put_memory(bytes, false, Vec::new())
    }

    /// Stores the regular file at `path`, executable if its owner may execute it.
    pub fn put_file(&self, path: &Path, take: Take) -> Result<FileRef, PutError> {
        let _storing = Timed::new(Phase::Store);
        let mut source = stage::open_regular(path)?;
        let mut taken = self.take_in(path, &mut source, None);
        if taken.as_ref().is_err_and(PutError::is_full) && self.drop_spares() {
            source = stage::open_regular(path)?;
            taken = self.take_in(path, &mut source, None);
        }
        let file = taken?;
        // Few bytes are written anew at the same cost.
        let is_large = file.size > self.options.packed;
        let is_spare = take == Take::Spare && is_large && self.spare(path, &source, &file);
        if take != Take::Copy && !is_spare {
            layout::remove(path)?;
        }
        Ok(file)
    }

    /// Stores the file at `path`, whose bytes had the digest `expected` when they were last read.
    ///
    /// Where the store has those bytes already, the file is not read again.
    pub fn put_known(&self, path: &Path, expected: BlobId) -> Result<FileRef, PutError> {
        let _storing = Timed::new(Phase::Store);
        let metadata = fs::symlink_metadata(path).at("stat", path)?;
        if !metadata.is_file() {
            return Err(PutError::NotRegular { path: path.to_owned() });
        }
        let executable = std::os::unix::fs::MetadataExt::mode(&metadata) & 0o100 != 0;
        let gate = self.gate()?;
        if let Some(file) = self.known((expected, executable), &gate)? {
            return Ok(file);
        }
        drop(gate);
        self.take_in(path, &mut stage::open_regular(path)?, Some(expected))
    }

    /// Stores the folder at `path` with all below it: regular files with their executable bit,
    /// folders, empty ones too, and symbolic links that stay inside it.
    pub fn put_tree(&self, path: &Path, take: Take) -> Result<TreeId, PutError> {
        let _storing = Timed::new(Phase::Store);
        let mut tree = self.walk(path, 0);
        if tree.as_ref().is_err_and(PutError::is_full) && self.drop_spares() {
            tree = self.walk(path, 0);
        }
        let tree = tree?;
        if take != Take::Copy {
            crate::dir::remove_all(path)?;
        }
        Ok(tree)
    }

    fn walk(&self, folder: &Path, depth: usize) -> Result<TreeId, PutError> {
        let mut tree = Tree::default();
        for entry in fs::read_dir(folder).at("list", folder)? {
            let entry = entry.at("list", folder)?;
            let path = entry.path();
            let kind = entry.file_type().at("stat", &path)?;
            let name = entry.file_name().into_string();
            let name = name.map_err(|_| PutError::Name { path: path.clone() })?;
            tree.entries.insert(name, self.walk_entry(&path, kind, depth)?);
        }
        // Children first: when a tree gets its row, what it names has one.
        let children = tree.objects().collect();
        let file = self.put_memory(&tree.encode(), false, children)?;
        Ok(TreeId(file.blob.digest()))
    }

    fn walk_entry(&self, path: &Path, kind: FileType, depth: usize) -> Result<Entry, PutError> {
        if kind.is_dir() {
            Ok(Entry::Dir(self.walk(path, depth + 1)?))
        } else if kind.is_symlink() {
            Ok(Entry::Symlink(link_target(path, depth)?))
        } else if is_special(kind) {
            Err(PutError::NotRegular { path: path.to_owned() })
        } else {
            self.take_in(path, &mut stage::open_regular(path)?, None).map(Entry::File)
        }
    }

    /// Stores the regular file at `path`, if it has the expected bytes.
    fn take_in(
        &self,
        path: &Path,
        source: &mut Source,
        expected: Option<BlobId>,
    ) -> Result<FileRef, PutError> {
        let check = |found: BlobId| match expected {
            Some(expected) if found != expected => {
                Err(PutError::Changed { path: path.to_owned(), expected, found })
            }
            _ => Ok(()),
        };
        let packed = self.options.packed;
        if source.size() <= packed {
            let mut bytes = Vec::with_capacity(source.size() as usize + 1);
            (&mut source.file).take(packed + 1).read_to_end(&mut bytes).at("read", path)?;
            if bytes.len() as u64 <= packed {
                count(Counter::FilesHashed, 1);
                count(Counter::BytesHashed, bytes.len() as u64);
                check(BlobId(Digest::of(&bytes)))?;
                return self.put_memory(&bytes, source.is_executable(), Vec::new());
            }
        }
        let staged = self.stage_file(path, source)?;
        check(staged.file.blob)?;
        self.adopt(&staged, Vec::new(), &self.gate()?)
    }

    fn put_memory(
        &self,
        bytes: &[u8],
        executable: bool,
        children: Vec<Form>,
    ) -> Result<FileRef, PutError> {
        let blob = BlobId(Digest::of(bytes));
        let gate = self.gate()?;
        if let Some(file) = self.known((blob, executable), &gate)? {
            return Ok(file);
        }
        if bytes.len() as u64 > self.options.packed {
            return self.adopt(&self.stage_bytes(bytes, executable)?, children, &gate);
        }
        let file = FileRef { blob, size: bytes.len() as u64, executable };
        let slot = match self.twin(&file)? {
            Some(slot) => slot,
            None => self.packs.append(&self.index, Kind::Blob, blob.digest(), bytes)?,
        };
        self.note_object(NewObject { file, place: Place::Packed(slot), children }, &gate);
        Ok(file)
    }

    /// Where this process already has the same bytes in the other form.
    fn twin(&self, file: &FileRef) -> Result<Option<Slot>, PutError> {
        let known = self.pending.state().known.get(&(file.blob, !file.executable)).copied();
        let slot = known.filter(|known| known.is_checked).and_then(|known| match known.place {
            Place::Packed(slot) => Some(slot),
            Place::File => None,
        });
        let Some(slot) = slot else { return Ok(None) };
        let frame =
            Frame { kind: Kind::Blob, digest: file.blob.digest(), length: file.size as u32 };
        let is_there = matches!(self.packs.read(slot, &frame)?, Found::Whole(_));
        Ok(is_there.then_some(slot))
    }

    /// The file of these bytes, if the store has it whole. It is kept from `gc`.
    fn known(&self, form: Form, gate: &Arc<Gate>) -> Result<Option<FileRef>, IndexError> {
        if self.claim_objects(&[form], gate)? != [true] {
            return Ok(None);
        }
        let Some(located) = self.locate(form)? else { return Ok(None) };
        let file = FileRef { blob: form.0, size: located.size, executable: form.1 };
        Ok(self.is_in_place(&located, gate)?.then_some(file))
    }

    /// Whether the object's bytes are there, as far as can be told cheaply, and if they must be
    /// verified, that they are right.
    fn is_in_place(&self, at: &Located, gate: &Arc<Gate>) -> Result<bool, IndexError> {
        match at.place {
            Place::File => {
                let found = fs::symlink_metadata(self.layout.blob(at.form.0, at.form.1));
                Ok(!at.is_suspect && found.is_ok_and(|metadata| metadata.len() == at.size))
            }
            Place::Packed(slot) => {
                let right = match self.packs.read(slot, &quarantine::frame(at))? {
                    Found::Whole(bytes) => {
                        !at.is_suspect || Digest::of(&bytes) == at.form.0.digest()
                    }
                    Found::Other | Found::Nothing => false,
                };
                if right && at.is_suspect {
                    self.note_check(at, gate)?;
                }
                Ok(right)
            }
        }
    }

    /// Gives a staged file its name.
    fn adopt(
        &self,
        staged: &Staged,
        children: Vec<Form>,
        gate: &Arc<Gate>,
    ) -> Result<FileRef, PutError> {
        let file = staged.file;
        if self.known((file.blob, file.executable), gate)?.is_some() {
            return Ok(file);
        }
        layout::rename_into(&staged.path, &self.layout.blob(file.blob, file.executable))?;
        self.wrote();
        self.note_object(NewObject { file, place: Place::File, children }, gate);
        Ok(file)
    }

    fn note_object(&self, object: NewObject, gate: &Arc<Gate>) {
        let NewObject { file, place, ref children } = object;
        let may_be_tree = !children.is_empty();
        let known = Known { size: file.size, place, is_checked: true, may_be_tree };
        self.note(gate, |state| {
            let form = (file.blob, file.executable);
            state.nothing.put(&form);
            state.verified.insert(form);
            state.known.insert(form, known);
            state.batch.objects.push(object);
        });
    }
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
