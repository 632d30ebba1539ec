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

use rustix::fs::{AtFlags, CWD, IFlags, Mode, Timespec, Timestamps, UTIME_NOW};
use rustix::io::Errno;

use crate::artifact::FileRef;
use crate::dir::Dir;
use crate::error::IoError;
use crate::materialise::{Placement, mode};
use crate::pending::Form;
use crate::stage::Source;
use crate::store::Store;

/// Spares take at most one part of this many of what is free: who has little room has other uses for
/// it while he builds.
const PARTS: u64 = 5;
/// So many bytes more than it is long a file may take of the disk.
const SLACK: u64 = 1 << 20;

/// The files of one process.
#[derive(Default)]
pub(crate) struct Spares {
    /// The folder that they are in, if it can be made.
    folder: OnceLock<Option<Dir>>,
    files: Mutex<Files>,
}

#[derive(Default)]
struct Files {
    by_form: HashMap<Form, Vec<Spare>>,
    /// How long all of them are together.
    size: u64,
}

/// A spare file, as it was when its bytes were read.
struct Spare {
    name: PathBuf,
    size: u64,
    mode: u32,
    /// What the system said of it when it had got its place among the spares.
    seen: Seen,
}

/// What of a file changes when anybody does anything to it.
#[derive(PartialEq, Eq)]
struct Seen {
    inode: u64,
    size: i64,
    names: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Files {
    fn add(&mut self, form: Form, spare: Spare) {
        self.size += spare.size;
        self.by_form.entry(form).or_default().push(spare);
    }

    fn take(&mut self, form: Form) -> Option<Spare> {
        let spare = self.by_form.get_mut(&form)?.pop()?;
        self.size -= spare.size;
        Some(spare)
    }
}

impl Seen {
    fn of(folder: &Dir, name: &Path) -> Option<Self> {
        let found = rustix::fs::statat(folder.fd(), name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some(Self {
            inode: found.st_ino,
            size: found.st_size,
            names: found.st_nlink,
            modified: (found.st_mtime, found.st_mtime_nsec as i64),
            changed: (found.st_ctime, found.st_ctime_nsec as i64),
        })
    }

    /// Whether this is the file that was opened, and nobody wrote to it since.
    fn is_of(&self, opened: &Metadata) -> bool {
        let (modified, size) = ((opened.mtime(), opened.mtime_nsec()), opened.size() as i64);
        (self.inode, self.size, self.modified) == (opened.ino(), size, modified)
    }
}

/// Whether the file is bytes with one name and nothing else that whoever gets it would get with it: an
/// access list, a label, a note, another owner, flags, or room set aside on the disk.
fn is_plain(file: &File, opened: &Metadata) -> bool {
    let ours = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut names = [0_u8; 1];
    let attributes = rustix::fs::flistxattr(file, &mut names);
    let has_no_attributes = matches!(attributes, Ok(0) | Err(Errno::OPNOTSUPP));
    let flags = rustix::fs::ioctl_getflags(file).unwrap_or(IFlags::empty());
    (opened.uid(), opened.gid()) == ours
        && opened.nlink() == 1
        && opened.blocks() * 512 <= opened.size() + SLACK
        && has_no_attributes
        && !flags.intersects(SET_BY_HAND)
}

/// The flags of `chattr` that rustix has names for and that a new file does not have by itself.
const SET_BY_HAND: IFlags = IFlags::APPEND
    .union(IFlags::IMMUTABLE)
    .union(IFlags::NOATIME)
    .union(IFlags::NODUMP)
    .union(IFlags::SYNC)
    .union(IFlags::DIRSYNC)
    .union(IFlags::JOURNALING)
    .union(IFlags::SECURE_REMOVAL)
    .union(IFlags::UNRM);

impl Store {
    /// Makes the file at `path`, which `file` was read from, a spare; whether it could.
    pub(crate) fn spare(&self, path: &Path, source: &Source, file: &FileRef) -> bool {
        let opened = &source.metadata;
        if !is_plain(&source.file, opened) {
            return false;
        }
        let made = || Dir::open_or_make(&self.own_folder().join("spare")).ok();
        let Some(folder) = self.spares.folder.get_or_init(made) else { return false };
        let mut files = self.spares.files.lock().unwrap_or_else(PoisonError::into_inner);
        if !has_room(folder, files.size.saturating_add(opened.size())) {
            return false;
        }
        let name = PathBuf::from(self.fresh_number().to_string());
        if rustix::fs::renameat(CWD, path, folder.fd(), &name).is_err() {
            return false;
        }
        // It is gone from where it was either way; if it is another by now, from here too.
        match Seen::of(folder, &name).filter(|seen| seen.is_of(opened) && seen.names == 1) {
            Some(seen) => {
                let (size, mode) = (opened.size(), opened.mode() & 0o7777);
                files.add((file.blob, file.executable), Spare { name, size, mode, seen });
            }
            None => drop(folder.remove(&name)),
        }
        true
    }

    /// Makes a spare file of these bytes be `name`, as if it were made now; `false` if there is none
    /// that can be there. Nothing is there yet.
    pub(crate) fn give_spare(
        &self,
        file: &FileRef,
        to: &Dir,
        name: &Path,
    ) -> Result<bool, IoError> {
        let Some(folder) = self.spares.folder.get().and_then(Option::as_ref) else {
            return Ok(false);
        };
        let mut files = self.spares.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(spare) = files.take((file.blob, file.executable)) else { return Ok(false) };
        drop(files);
        let is_still = Seen::of(folder, &spare.name).is_some_and(|seen| seen == spare.seen);
        let given = is_still
            && spare.renew(folder, mode(file, Placement::Owned)).is_ok()
            && rustix::fs::renameat(folder.fd(), &spare.name, to.fd(), name).is_ok();
        if !given {
            folder.remove(&spare.name)?;
        }
        Ok(given)
    }

    /// Removes all spares, so that there is room; whether there were any.
    pub(crate) fn drop_spares(&self) -> bool {
        let Some(folder) = self.spares.folder.get().and_then(Option::as_ref) else { return false };
        let mut files = self.spares.files.lock().unwrap_or_else(PoisonError::into_inner);
        let Files { by_form, size } = std::mem::take(&mut *files);
        for spare in by_form.values().flatten() {
            // What cannot be removed goes with the process.
            let _ = folder.remove(&spare.name);
        }
        size > 0
    }
}

impl Spare {
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

/// Whether there is room for so many bytes of spares.
fn has_room(folder: &Dir, size: u64) -> bool {
    let system = rustix::fs::fstatvfs(folder.fd());
    system.is_ok_and(|system| system.f_bavail.saturating_mul(system.f_frsize) / PARTS >= size)
}

/// Whether a file can be renamed from the one folder to the other, as far as can be told.
pub(crate) fn is_one_file_system(one: &Path, other: &Path) -> bool {
    let device = |path: &Path| std::fs::metadata(path).map(|it| it.dev());
    matches!((device(one), device(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::Take;
    use crate::store::StoreOptions;

    #[test]
    fn spares_make_room_for_what_is_put() {
        let place = tempfile::tempdir().unwrap();
        let options = StoreOptions { packed: 0, ..StoreOptions::default() };
        let store = Store::open_with(&place.path().join("store"), options).unwrap();
        assert!(!store.drop_spares());
        let spare = |text: &str| {
            let path = place.path().join("made");
            std::fs::write(&path, text).unwrap();
            store.put_file(&path, Take::Spare).unwrap()
        };
        let (one, _two) = (spare("one"), spare("two"));
        let Some(folder) = store.spares.folder.get().and_then(Option::as_ref) else {
            // New files have attributes here by themselves.
            return;
        };
        let count = || std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!((count(), store.spares.files.lock().unwrap().size), (2, 6));
        assert!(store.drop_spares());
        assert_eq!((count(), store.spares.files.lock().unwrap().size), (0, 0));
        assert!(!store.drop_spares());
        let to = Dir::open(place.path()).unwrap();
        assert!(!store.give_spare(&one, &to, Path::new("given")).unwrap());
    }

    #[test]
    fn spares_take_no_more_than_a_part_of_what_is_free() {
        let place = tempfile::tempdir().unwrap();
        let folder = Dir::open(place.path()).unwrap();
        let system = rustix::fs::fstatvfs(folder.fd()).unwrap();
        let free = system.f_bavail * system.f_frsize;
        assert!(has_room(&folder, 0));
        // Other tests write meanwhile.
        assert!(has_room(&folder, free / 10));
        assert!(!has_room(&folder, free / 2));
        assert!(!has_room(&folder, u64::MAX));
    }
}
