//! Blobs that are lost or damaged: set aside and noted, so that their producers run again.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;

use crate::error::{AtPath, IoError};
use crate::index::{IndexError, Object, Outlive};
use crate::read::ReadError;
use crate::stage;
use crate::store::Store;

impl Store {
    /// Whether the object's bytes must be verified before they are used.
    pub(crate) fn is_suspect(&self, object: &Object) -> bool {
        object.checked <= self.unclean
    }

    /// Opens the object's file if it has the right size and, after an unclean stop, the right
    /// bytes. A file that has not is set aside.
    pub(crate) fn open_object(&self, object: &Object) -> Result<File, ReadError> {
        if object.missing {
            return Err(ReadError::Missing { blob: object.blob });
        }
        let path = self.layout.blob(object.blob, object.executable);
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.condemn(object, None)?;
                return Err(ReadError::Missing { blob: object.blob });
            }
            Err(error) => Err(error).at("open", &path)?,
        };
        let size = file.metadata().at("stat", &path)?.len();
        if size != object.size
            || (self.is_suspect(object) && !self.verify_open(object, &mut file)?)
        {
            self.condemn(object, Some(&file))?;
            return Err(ReadError::Damaged { blob: object.blob });
        }
        Ok(file)
    }

    /// Verifies an open file's bytes and notes it, leaving the file at its start.
    fn verify_open(&self, object: &Object, file: &mut File) -> Result<bool, ReadError> {
        let path = self.layout.blob(object.blob, object.executable);
        let (blob, _) = stage::hash(file).at("read", &path)?;
        if blob != object.blob {
            return Ok(false);
        }
        io::Seek::rewind(file).at("read", &path)?;
        self.index.write(Outlive::Process, |rows| rows.check_object(object.row))?;
        Ok(true)
    }

    /// Notes that the object is lost. `seen` is the damaged file, which is set aside unless a good
    /// one has taken its place meanwhile.
    pub(crate) fn condemn(&self, object: &Object, seen: Option<&File>) -> Result<(), IndexError> {
        let path = self.layout.blob(object.blob, object.executable);
        self.index.write(Outlive::Process, |rows| {
            match fs::symlink_metadata(&path) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                found => {
                    let found = found.at("stat", &path)?;
                    let Some(seen) = seen else { return Ok(()) };
                    let seen = seen.metadata().at("stat", &path)?;
                    if (seen.dev(), seen.ino()) != (found.dev(), found.ino()) {
                        return Ok(());
                    }
                    self.set_aside(object)?;
                }
            }
            rows.lose_object(object.row)
        })
    }

    fn set_aside(&self, object: &Object) -> Result<(), IoError> {
        let path = self.layout.blob(object.blob, object.executable);
        let form = if object.executable { ".x" } else { "" };
        let aside = self.layout.quarantine().join(format!("{}{form}", object.blob));
        fs::rename(&path, &aside).at("set aside", &path)
    }
}
