//! Blobs that are lost or damaged: set aside and noted, so that their producers run again.

use std::fs::{self, File};
use std::io::{self, Cursor, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;

use crate::digest::Digest;
use crate::error::{AtPath, IoError};
use crate::hashing;
use crate::index::{IndexError, Object, Outlive};
use crate::pack::{Frame, Kind, Place, Slot};
use crate::packs::Found;
use crate::pending::{Form, Gate};
use crate::read::{Blob, Located, Opened, ReadError};
use crate::store::Store;

/// What was found in the place of a lost object.
enum Evidence {
    /// Nothing.
    Nothing,
    /// A file with other bytes.
    File(File),
    /// No such frame in the pack.
    NoFrame,
    /// A frame with other bytes.
    Bytes(Vec<u8>),
}

impl Store {
    /// Whether the object's bytes must be verified before they are used.
    pub(crate) fn is_suspect(&self, object: &Object) -> bool {
        object.checked <= self.unclean
            && !self.pending.state().verified.contains(&(object.blob, object.executable))
    }

    /// Opens an object if it has the right size and, after an unclean stop, the right bytes. One
    /// that has not is set aside.
    pub(crate) fn open_located(&self, at: &Located) -> Result<Opened, ReadError> {
        match at.place {
            Place::File => self.open_file(at),
            Place::Packed(slot) => self.open_packed(at, slot),
        }
    }

    fn open_packed(&self, at: &Located, slot: Slot) -> Result<Opened, ReadError> {
        let evidence = match self.packs.read(slot, &frame(at))? {
            Found::Whole(bytes) if !at.is_suspect => {
                return Ok(Opened::Blob(Blob::Bytes(Cursor::new(bytes))));
            }
            Found::Whole(bytes) if Digest::of(&bytes) == at.form.0.digest() => {
                self.note_check(at, &self.gate()?)?;
                return Ok(Opened::Blob(Blob::Bytes(Cursor::new(bytes))));
            }
            Found::Whole(bytes) => Evidence::Bytes(bytes),
            Found::Other => Evidence::NoFrame,
            Found::Nothing => Evidence::Nothing,
        };
        self.condemn(at, &evidence)
    }

    fn open_file(&self, at: &Located) -> Result<Opened, ReadError> {
        let path = self.layout.blob(at.form.0, at.form.1);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return self.condemn(at, &Evidence::Nothing);
            }
            Err(error) => Err(error).at("open", &path)?,
        };
        let size = file.metadata().at("stat", &path)?.len();
        if size != at.size || (at.is_suspect && !self.verify_open(at, &mut file)?) {
            return self.condemn(at, &Evidence::File(file));
        }
        Ok(Opened::Blob(Blob::File(file)))
    }

    /// Verifies an open file's bytes and notes it, leaving the file at its start.
    fn verify_open(&self, at: &Located, file: &mut File) -> Result<bool, ReadError> {
        let path = self.layout.blob(at.form.0, at.form.1);
        let (digest, _) = hashing::hash(file).at("read", &path)?;
        if digest != at.form.0.digest() {
            return Ok(false);
        }
        io::Seek::rewind(file).at("read", &path)?;
        self.note_check(at, &self.gate()?)?;
        Ok(true)
    }

    /// Notes that the object's bytes were just verified.
    pub(crate) fn note_check(&self, at: &Located, gate: &Arc<Gate>) -> Result<(), IndexError> {
        let row = match at.row {
            Some(row) => Some(row),
            None => self.index.read(|rows| rows.object(at.form.0, at.form.1))?.map(|row| row.row),
        };
        // Who wrote them may have been killed before they were synced.
        self.wrote();
        self.note(gate, |state| {
            state.batch.checks.extend(row);
            state.verified.insert(at.form);
            if let Some(known) = state.known.get_mut(&at.form) {
                known.is_checked = true;
            }
        });
        Ok(())
    }

    /// Notes that the object is lost, unless there is a good one meanwhile. What is in its place
    /// is set aside.
    fn condemn(&self, at: &Located, seen: &Evidence) -> Result<Opened, ReadError> {
        // Its row may not be written yet.
        self.settle();
        {
            let mut state = self.pending.state();
            state.verified.remove(&at.form);
            state.known.retain(|form, known| *form != at.form && !known.may_be_tree);
        }
        let is_lost = self.index.write(Outlive::Process, |rows| {
            let Some(object) = rows.object(at.form.0, at.form.1)? else { return Ok(true) };
            if object.missing {
                return Ok(true);
            }
            if object.place != at.place || !self.set_aside(at, seen)? {
                return Ok(false);
            }
            rows.lose_object(object.row)?;
            Ok::<_, IndexError>(true)
        })?;
        let blob = at.form.0;
        Ok(match seen {
            _ if !is_lost => Opened::Moved,
            Evidence::Nothing => Opened::Lost(ReadError::Missing { blob }),
            _ => Opened::Lost(ReadError::Damaged { blob }),
        })
    }

    /// Moves damaged bytes out of the way; `false` if others are in their place meanwhile.
    fn set_aside(&self, at: &Located, seen: &Evidence) -> Result<bool, IoError> {
        let aside = self.aside(at.form);
        match seen {
            Evidence::Bytes(bytes) => fs::write(&aside, bytes).at("write", &aside)?,
            Evidence::NoFrame => fs::write(&aside, b"").at("write", &aside)?,
            Evidence::Nothing | Evidence::File(_) if at.place == Place::File => {
                let path = self.layout.blob(at.form.0, at.form.1);
                let found = match fs::symlink_metadata(&path) {
                    Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
                    found => found.at("stat", &path)?,
                };
                let Evidence::File(seen) = seen else { return Ok(false) };
                let seen = seen.metadata().at("stat", &path)?;
                if (seen.dev(), seen.ino()) != (found.dev(), found.ino()) {
                    return Ok(false);
                }
                fs::rename(&path, &aside).at("set aside", &path)?;
            }
            Evidence::Nothing | Evidence::File(_) => {}
        }
        Ok(true)
    }

    fn aside(&self, (blob, executable): Form) -> PathBuf {
        let form = if executable { ".x" } else { "" };
        self.layout.quarantine().join(format!("{blob}{form}"))
    }
}

/// The frame that a packed object must have.
pub(crate) fn frame(at: &Located) -> Frame {
    // Only what is small is packed: a row that says otherwise names no frame there is.
    let length = u32::try_from(at.size).unwrap_or(u32::MAX);
    Frame { kind: Kind::Blob, digest: at.form.0.digest(), length }
}
