//! Directories by handle: no step below one follows a symbolic link.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, FlockOperation, Mode, OFlags, RenameFlags, flock};
use rustix::io::Errno;

use crate::error::{AtPath, IoError};

const OPEN: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

/// An open directory.
pub(crate) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

impl Dir {
    /// Opens a directory that the caller vouches for: links on the way are followed.
    pub(crate) fn open(path: &Path) -> Result<Self, IoError> {
        let fd = rustix::fs::openat(CWD, path, OPEN, Mode::empty()).at("open", path)?;
        Ok(Self { fd, path: path.to_owned() })
    }

    /// Opens the directory `path`, making it if it is not there.
    pub(crate) fn open_or_make(path: &Path) -> Result<Self, IoError> {
        std::fs::create_dir_all(path).at("create", path)?;
        Self::open(path)
    }

    /// Locks it for this handle alone; whether nobody else has it locked.
    pub(crate) fn lock_alone(&self) -> Result<bool, IoError> {
        match flock(&self.fd, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error).at("lock", &self.path),
        }
    }

    /// Locks it together with others until it is closed.
    pub(crate) fn lock_shared(&self) -> Result<(), IoError> {
        flock(&self.fd, FlockOperation::LockShared).at("lock", &self.path)
    }

    /// Opens the directory at `relative`, making what is not there. A link on the way is an error.
    pub(crate) fn make_below(self, relative: &Path) -> Result<Self, IoError> {
        let mut dir = self;
        for component in relative.components() {
            match component {
                Component::Normal(name) => dir = dir.make(Path::new(name))?,
                Component::CurDir => {}
                _ => {
                    let outside = io::Error::new(ErrorKind::InvalidInput, "it leaves the folder");
                    return Err(outside).at("write below", &dir.path.join(relative));
                }
            }
        }
        Ok(dir)
    }

    /// Opens the directory `name`, making it if it is not there.
    pub(crate) fn make(&self, name: &Path) -> Result<Self, IoError> {
        let path = self.path.join(name);
        match rustix::fs::mkdirat(&self.fd, name, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error).at("create", &path),
        }
        self.enter(name)
    }

    fn enter(&self, name: &Path) -> Result<Self, IoError> {
        let path = self.path.join(name);
        let flags = OPEN | OFlags::NOFOLLOW;
        match rustix::fs::openat(&self.fd, name, flags, Mode::empty()) {
            Ok(fd) => Ok(Self { fd, path }),
            Err(error) if self.is_link(name) => Err(no_folder(error)).at("follow", &path),
            Err(error) => Err(error).at("open", &path),
        }
    }

    fn is_link(&self, name: &Path) -> bool {
        let stat = rustix::fs::statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW);
        stat.is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_symlink())
    }

    /// Its handle.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Where it is, for messages.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file `name`, which must not be there.
    pub(crate) fn create_file(&self, name: &Path, mode: u32) -> Result<File, IoError> {
        self.create(name, mode).at("create", &self.path.join(name))
    }

    /// Makes the file `name` if nothing is there.
    pub(crate) fn create_new(&self, name: &Path, mode: u32) -> Result<Option<File>, IoError> {
        match self.create(name, mode) {
            Err(Errno::EXIST) => Ok(None),
            made => Ok(Some(made.at("create", &self.path.join(name))?)),
        }
    }

    fn create(&self, name: &Path, mode: u32) -> rustix::io::Result<File> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.fd, name, flags, Mode::from_raw_mode(mode))?))
    }

    /// Whether it has a name still.
    pub(crate) fn is_linked(&self) -> bool {
        rustix::fs::fstat(&self.fd).is_ok_and(|stat| stat.st_nlink > 0)
    }

    /// Gives the file at `existing` the further name `name` here.
    pub(crate) fn link(&self, existing: &Path, name: &Path) -> rustix::io::Result<()> {
        rustix::fs::linkat(CWD, existing, &self.fd, name, AtFlags::empty())
    }

    pub(crate) fn symlink(&self, target: &str, name: &Path) -> Result<(), IoError> {
        rustix::fs::symlinkat(target, &self.fd, name).at("create the link", &self.path.join(name))
    }

    /// Puts `new`, which is in `from`, in the place of `old`, whatever `old` is, and removes that.
    pub(crate) fn replace(&self, from: &Self, new: &Path, old: &Path) -> Result<(), IoError> {
        let swap = |flags| rustix::fs::renameat_with(&from.fd, new, &self.fd, old, flags);
        match swap(RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => {}
            // The file system knows no flags.
            Err(Errno::INVAL) => {
                self.remove(old)?;
                return swap(RenameFlags::empty()).at("replace", &self.path.join(old));
            }
            done => return done.at("create", &self.path.join(old)),
        }
        swap(RenameFlags::EXCHANGE).at("replace", &self.path.join(old))?;
        from.remove(new)
    }

    /// Removes `name` with all below it; that it is not there is success.
    pub(crate) fn remove(&self, name: &Path) -> Result<(), IoError> {
        match rustix::fs::unlinkat(&self.fd, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error).at("remove", &self.path.join(name)),
        }
        self.enter_to_empty(name)?.empty()?;
        rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR).at("remove", &self.path.join(name))
    }

    /// Enters a directory that may be read-only, and makes it writable.
    fn enter_to_empty(&self, name: &Path) -> Result<Self, IoError> {
        match self.enter(name) {
            Ok(dir) => {
                let mode = Mode::from_raw_mode(0o700);
                rustix::fs::fchmod(&dir.fd, mode).at("set the mode of", &dir.path)?;
                Ok(dir)
            }
            Err(error) if error.source.kind() == ErrorKind::PermissionDenied => {
                let mode = Mode::from_raw_mode(0o700);
                let path = self.path.join(name);
                rustix::fs::chmodat(&self.fd, name, mode, AtFlags::SYMLINK_NOFOLLOW)
                    .at("set the mode of", &path)?;
                self.enter(name)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes all below it.
    pub(crate) fn empty(&self) -> Result<(), IoError> {
        for entry in rustix::fs::Dir::read_from(&self.fd).at("list", &self.path)? {
            let entry = entry.at("list", &self.path)?;
            let name = Path::new(OsStr::from_bytes(entry.file_name().to_bytes()));
            if name == Path::new(".") || name == Path::new("..") {
                continue;
            }
            self.remove(name)?;
        }
        Ok(())
    }
}

fn no_folder(error: Errno) -> io::Error {
    let kind = io::Error::from(error).kind();
    io::Error::new(kind, "it is a symbolic link, which could lead anywhere")
}

/// Removes `path` with all below it; that it is not there is success.
pub(crate) fn remove_all(path: &Path) -> Result<(), IoError> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            Dir::open(parent)?.remove(Path::new(name))
        }
        _ => Err(io::Error::from(ErrorKind::InvalidInput)).at("remove", path),
    }
}
