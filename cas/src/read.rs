//! Reading blobs and trees.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::artifact::{Artifact, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Object, ObjectRow, Rows};
use crate::pack::Place;
use crate::pending::{Form, Gate, Known};
use crate::profile::{Phase, Timed};
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

/// The bytes of a blob, to be read.
#[derive(Debug)]
pub enum Blob {
    /// From a file.
    File(File),
    /// From memory; they are few.
    Bytes(Cursor<Vec<u8>>),
}

impl Read for Blob {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(buffer),
            Self::Bytes(bytes) => bytes.read(buffer),
        }
    }
}

impl Seek for Blob {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Bytes(bytes) => bytes.seek(to),
        }
    }
}

impl Store {
    /// Opens a blob for reading; its size is right.
    pub fn open_blob(&self, blob: BlobId) -> Result<Blob, ReadError> {
        self.open_first(blob, &[false, true])
    }

    /// The bytes of a blob.
    pub fn read(&self, blob: BlobId) -> Result<Vec<u8>, ReadError> {
        match self.open_blob(blob)? {
            Blob::Bytes(bytes) => Ok(bytes.into_inner()),
            Blob::File(mut file) => {
                let mut bytes = Vec::new();
                let path = self.layout.blob(blob, false);
                file.read_to_end(&mut bytes).at("read", &path)?;
                Ok(bytes)
            }
        }
    }

    /// The entries of a tree. Its bytes are always verified, as they are few and lead on.
    pub fn tree(&self, tree: TreeId) -> Result<Tree, ReadError> {
        let (blob, form) = (tree.blob(), (tree.blob(), false));
        let bytes = self.read(blob)?;
        match Tree::decode(&bytes) {
            Ok(found) if Digest::of(&bytes) == tree.digest() => Ok(found),
            _ => {
                let located = self.locate(form)?.ok_or(ReadError::Missing { blob })?;
                // Verified this time, it is found to be damaged.
                match self.open_located(&Located { is_suspect: true, ..located })? {
                    Opened::Lost(error) => Err(error),
                    Opened::Blob(_) | Opened::Moved => Err(ReadError::Damaged { blob }),
                }
            }
        }
    }

    /// Opens the bytes in one of the given forms, the first that is there.
    pub(crate) fn open_first(&self, blob: BlobId, forms: &[bool]) -> Result<Blob, ReadError> {
        let mut lost = ReadError::Missing { blob };
        for &executable in forms {
            // Once more where it was moved meanwhile.
            for _ in 0..3 {
                let Some(located) = self.locate((blob, executable))? else { break };
                match self.open_located(&located)? {
                    Opened::Blob(blob) => return Ok(blob),
                    Opened::Moved => {}
                    Opened::Lost(error) => {
                        lost = error;
                        break;
                    }
                }
            }
        }
        Err(lost)
    }

    /// Where the object is, as far as is known.
    pub(crate) fn locate(&self, form: Form) -> Result<Option<Located>, IndexError> {
        if let Some(known) = self.pending.state().known.get(&form) {
            let Known { size, place, is_checked, .. } = *known;
            return Ok(Some(Located { form, row: None, size, place, is_suspect: !is_checked }));
        }
        let found = self.index.peek(|rows| rows.object(form.0, form.1))?;
        Ok(found.filter(|object| !object.missing).map(|object| self.located(&object)))
    }

    pub(crate) fn located(&self, object: &Object) -> Located {
        Located {
            form: (object.blob, object.executable),
            row: Some(object.row),
            size: object.size,
            place: object.place,
            is_suspect: self.is_suspect(object),
        }
    }

    /// Whether the store has the artifact: see `claim`.
    pub fn has(&self, artifact: &Artifact) -> Result<bool, IndexError> {
        Ok(self.claim(std::slice::from_ref(artifact))?.iter().all(|whole| *whole))
    }

    /// Whether the store has each of `artifacts`, for a tree with all below it, as far as is known
    /// without reading it. What it has is kept from `gc` until the store is dropped.
    ///
    /// Many cost one transaction, and what this process claimed or put before costs none.
    pub fn claim(&self, artifacts: &[Artifact]) -> Result<Vec<bool>, IndexError> {
        let forms: Vec<_> = artifacts.iter().map(Artifact::object).collect();
        if self.are_known(&forms) {
            return Ok(vec![true; forms.len()]);
        }
        self.claim_objects(&forms, &self.gate()?)
    }

    fn are_known(&self, forms: &[Form]) -> bool {
        let state = self.pending.state();
        forms.iter().all(|form| state.known.contains_key(form))
    }

    /// Keeps objects and all below them from `gc`; `false` for each that is not whole.
    pub(crate) fn claim_objects(
        &self,
        forms: &[Form],
        gate: &Arc<Gate>,
    ) -> Result<Vec<bool>, IndexError> {
        if self.are_known(forms) {
            return Ok(vec![true; forms.len()]);
        }
        let others = self.index.times_of_others();
        if self.pending.state().nothing.has_none(others, forms) {
            return Ok(vec![false; forms.len()]);
        }
        let _asking = Timed::new(Phase::Lookup);
        let (mut found, any_broken) = self.standings(forms)?;
        if any_broken {
            // What one of them lacks may have been put again.
            self.settle();
            (found, _) = self.index.read(|rows| standings(rows, forms))?;
        }
        let mut whole = Vec::with_capacity(forms.len());
        self.note(gate, |state| {
            for (form, found) in forms.iter().zip(&found) {
                whole.push(found.is_some() || state.known.contains_key(form));
                if !any_broken && found.is_none() && !state.known.contains_key(form) {
                    state.nothing.note(others, [*form], []);
                }
                if let Some(object) = found
                    && !state.known.contains_key(form)
                {
                    if object.used < self.lease.start {
                        state.batch.uses.push(object.row);
                    }
                    let Object { size, place, .. } = *object;
                    let is_checked = object.checked > self.unclean || state.verified.contains(form);
                    let known = Known { size, place, is_checked, may_be_tree: true };
                    self.relies_on(object);
                    state.nothing.put(form);
                    state.known.insert(*form, known);
                }
            }
        });
        Ok(whole)
    }
}

impl Store {
    /// See `standings`.
    fn standings(&self, forms: &[Form]) -> Result<(Vec<Option<Object>>, bool), IndexError> {
        if let [form] = forms {
            match self.index.peek(|rows| rows.object_among_all(*form))? {
                None => return Ok((vec![None], false)),
                Some((object, false)) => return Ok((vec![Some(object)], false)),
                Some((_, true)) => {}
            }
        }
        self.index.read(|rows| standings(rows, forms))
    }
}

/// Where an object is thought to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Located {
    pub(crate) form: Form,
    pub(crate) row: Option<ObjectRow>,
    pub(crate) size: u64,
    pub(crate) place: Place,
    /// Whether its bytes must be verified before they are used.
    pub(crate) is_suspect: bool,
}

/// What was found where an object was thought to be.
pub(crate) enum Opened {
    /// Its bytes.
    Blob(Blob),
    /// Nothing, because it is elsewhere by now.
    Moved,
    /// Nothing, or something else: it is lost, which is noted.
    Lost(ReadError),
}

/// Those of the objects that are there with all below them, and whether any other has a row.
fn standings(rows: &Rows<'_>, forms: &[Form]) -> Result<(Vec<Option<Object>>, bool), IndexError> {
    let broken = rows.broken_objects()?;
    let mut any_broken = false;
    let mut standing = |&(blob, executable): &Form| {
        let object = rows.object(blob, executable)?;
        let whole = object.filter(|object| !broken.contains(&object.row));
        any_broken |= object.is_some() && whole.is_none();
        Ok::<_, IndexError>(whole)
    };
    let found = forms.iter().map(&mut standing).collect::<Result<_, _>>()?;
    Ok((found, any_broken))
}
