//! Spare files: their bytes are in the store, and whoever made them needs them no more. The first who
//! wants such bytes as his own gets the file itself, and nothing is written a second time.
//!
//! Only large files are: to rename a small one twice costs as much as to write it anew.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use rustix::fs::{AtFlags, CWD, Mode, Timespec, Timestamps, UTIME_NOW};

use crate::artifact::FileRef;
use crate::dir::Dir;
use crate::materialise::{MaterialiseError, Placement, mode};
use crate::pending::Form;
use crate::stage::Source;
use crate::store::Store;

/// The files of one process.
#[derive(Default)]
pub(crate) struct Spares {
    /// The folder that they are in, if it can be made.
    folder: OnceLock<Option<Dir>>,
    files: Mutex<HashMap<Form, Vec<Spare>>>,
}

/// A spare file, as it was when its bytes were read.
struct Spare {
    name: PathBuf,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    mode: u32,
}

impl Spare {
    /// The spare that `file` can be; none if it is more than bytes with a name.
    fn of(file: &File, opened: &Metadata, name: PathBuf) -> Option<Self> {
        let is_ours = opened.uid() == rustix::process::geteuid().as_raw();
        let only_name = opened.nlink() == 1;
        (is_ours && only_name && has_no_attributes(file)).then(|| Self {
            name,
            inode: opened.ino(),
            size: opened.len(),
            modified: (opened.mtime(), opened.mtime_nsec()),
            mode: opened.mode() & 0o7777,
        })
    }

    /// Whether nobody wrote to it, and nobody has another name for it.
    fn is_still(&self, folder: &Dir) -> bool {
        let found = rustix::fs::statat(folder.fd(), &self.name, AtFlags::SYMLINK_NOFOLLOW);
        found.is_ok_and(|found| {
            let modified = (found.st_mtime, found.st_mtime_nsec as i64);
            let is_same = (found.st_ino, found.st_size as u64) == (self.inode, self.size);
            is_same && modified == self.modified && found.st_nlink == 1
        })
    }

    /// Makes it like a file that is made now.
    fn renew(&self, folder: &Dir, wanted: u32) -> io::Result<()> {
        if self.mode != wanted {
            let wanted = Mode::from_raw_mode(wanted);
            rustix::fs::chmodat(folder.fd(), &self.name, wanted, AtFlags::empty())?;
        }
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        let now = Timestamps { last_access: now, last_modification: now };
        Ok(rustix::fs::utimensat(folder.fd(), &self.name, &now, AtFlags::SYMLINK_NOFOLLOW)?)
    }
}

/// Whether the file has neither an access list nor a label nor a note, which whoever gets it would
/// get with it.
fn has_no_attributes(file: &File) -> bool {
    let mut names = [0_u8; 1];
    matches!(rustix::fs::flistxattr(file, &mut names), Ok(0) | Err(rustix::io::Errno::OPNOTSUPP))
}

impl Store {
    /// Makes the file at `path`, which `file` was read from, a spare; whether it could.
    pub(crate) fn spare(&self, path: &Path, source: &Source, file: &FileRef) -> bool {
        let name = PathBuf::from(self.fresh_number().to_string());
        let Some(spare) = Spare::of(&source.file, &source.metadata, name) else {
            return false;
        };
        let made = || Dir::open_or_make(&self.own_folder().join("spare")).ok();
        let Some(folder) = self.spares.folder.get_or_init(made) else { return false };
        if rustix::fs::renameat(CWD, path, folder.fd(), &spare.name).is_err() {
            return false;
        }
        let mut files = self.spares.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.entry((file.blob, file.executable)).or_default().push(spare);
        true
    }

    /// Puts a spare file of these bytes in the place of what is at `name`; `false` if there is none
    /// that can be there.
    pub(crate) fn give_spare(
        &self,
        file: &FileRef,
        to: &Dir,
        name: &Path,
    ) -> Result<bool, MaterialiseError> {
        let Some(folder) = self.spares.folder.get().and_then(Option::as_ref) else {
            return Ok(false);
        };
        let form = (file.blob, file.executable);
        let mut files = self.spares.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(spare) = files.get_mut(&form).and_then(Vec::pop) else { return Ok(false) };
        drop(files);
        let renewed = || spare.renew(folder, mode(file, Placement::Owned));
        if to.gives_something_on() || !spare.is_still(folder) || renewed().is_err() {
            folder.remove(&spare.name)?;
            return Ok(false);
        }
        match to.replace(folder, &spare.name, name) {
            Ok(()) => Ok(true),
            Err(error) => {
                folder.remove(&spare.name)?;
                // On another file system; otherwise it cannot be made there either, which says why.
                if error.is_elsewhere() { Ok(false) } else { Err(error.into()) }
            }
        }
    }
}

/// Whether a file can be renamed from the one folder to the other, as far as can be told.
pub(crate) fn is_one_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|it| it.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}
