//! Empties a scratch folder after a task, whatever that left, but for the folders that the next
//! task may find: to make and remove those would cost more than all the rest.

use std::collections::BTreeSet;
use std::ffi::{CStr, OsStr};
use std::fs::{self, Permissions};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// The mode of every folder that a task finds.
pub(crate) const FOLDER_MODE: u32 = 0o755;

/// Removes all that is below `root` but the folders `keep`, relative to it, which are made as
/// they were: empty, with the usual mode and without attributes. Returns those that still exist.
///
/// # Errors
/// If something cannot be removed; `root` is then in no known state.
pub(crate) fn sweep(root: &Path, keep: &BTreeSet<PathBuf>) -> io::Result<BTreeSet<PathBuf>> {
    let open = folder(CWD, root)?;
    if has_attributes(&open)? {
        remove_tree(root)?;
        return Ok(BTreeSet::new());
    }
    let mut sweep = Sweep { root, keep, found: Vec::new(), at: PathBuf::new() };
    sweep.below(&open)?;
    Ok(sweep.found.into_iter().collect())
}

struct Sweep<'a> {
    root: &'a Path,
    keep: &'a BTreeSet<PathBuf>,
    found: Vec<PathBuf>,
    /// Where it is, relative to `root`.
    at: PathBuf,
}

impl Sweep<'_> {
    fn below(&mut self, folder: &OwnedFd) -> io::Result<()> {
        let mut buffer = [MaybeUninit::uninit(); 2048];
        let mut entries = RawDir::new(folder, &mut buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            self.at.push(OsStr::from_bytes(name.to_bytes()));
            let swept = self.entry(folder, name, entry.file_type());
            self.at.pop();
            swept?;
        }
        Ok(())
    }

    fn entry(&mut self, within: &OwnedFd, name: &CStr, kind: FileType) -> io::Result<()> {
        let kind = match kind {
            FileType::Unknown => {
                let stat = rustix::fs::statat(within, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            known => known,
        };
        if kind != FileType::Directory {
            return Ok(rustix::fs::unlinkat(within, name, AtFlags::empty())?);
        }
        if self.keep.contains(&self.at) {
            let open = folder(within, name)?;
            if !has_attributes(&open)? {
                self.found.push(self.at.clone());
                return self.below(&open);
            }
        }
        remove_tree(&self.root.join(&self.at))
    }
}

/// Opens a folder, which gets the usual mode.
fn folder<P: rustix::path::Arg + Copy>(within: impl AsFd, name: P) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(FOLDER_MODE);
    let open = || rustix::fs::openat(&within, name, flags, Mode::empty());
    let opened = match open() {
        Err(Errno::ACCESS) => {
            rustix::fs::chmodat(&within, name, mode, AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    if rustix::fs::fstat(&opened)?.st_mode & 0o7777 != FOLDER_MODE {
        rustix::fs::fchmod(&opened, mode)?;
    }
    Ok(opened)
}

/// Whether a task has given the folder attributes, such as a default access list, by which it
/// would act on what the next task makes there. Those of the system itself do not count.
fn has_attributes(folder: &OwnedFd) -> io::Result<bool> {
    let mut names = [0_u8; 256];
    match rustix::fs::flistxattr(folder, &mut names) {
        Ok(0) | Err(Errno::OPNOTSUPP) => Ok(false),
        Ok(length) => {
            let mut names = names[..length].split(|&byte| byte == 0);
            Ok(names.any(|name| !name.is_empty() && !name.starts_with(b"security.")))
        }
        Err(Errno::RANGE) => Ok(true),
        Err(error) => Err(error.into()),
    }
}

/// Removes a tree, also where the task made folders that deny their owner. No tree is none to
/// remove.
pub(crate) fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(path)?;
            fs::remove_dir_all(path)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

fn open_folders(path: &Path) -> io::Result<()> {
    fs::set_permissions(path, Permissions::from_mode(0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            open_folders(&entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn set<const N: usize>(paths: [&str; N]) -> BTreeSet<PathBuf> {
        paths.map(PathBuf::from).into()
    }

    /// All that is below a folder.
    fn below(root: &Path) -> BTreeSet<PathBuf> {
        let entries = walkdir::WalkDir::new(root).min_depth(1).into_iter().flatten();
        entries.map(|entry| entry.path().strip_prefix(root).unwrap().to_owned()).collect()
    }

    #[test]
    fn only_the_kept_folders_are_left() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        for folder in ["out/a/b", "out/other/deep", "in"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["file", "out/file", "out/a/file", "out/a/b/.hidden", "out/other/deep/file"] {
            fs::write(root.join(file), "").unwrap();
        }
        symlink("/etc", root.join("out/a/link")).unwrap();
        let keep = set(["in", "out", "out/a", "out/a/b", "out/gone"]);
        let found = sweep(&root, &keep).unwrap();
        assert_eq!(found, set(["in", "out", "out/a", "out/a/b"]));
        assert_eq!(below(&root), found);
        assert!(Path::new("/etc/passwd").exists());
    }

    #[test]
    fn a_kept_folder_that_became_a_link_or_a_file_is_gone() {
        let temp = tempfile::tempdir().unwrap();
        let (root, outside) = (temp.path().join("root"), temp.path().join("outside"));
        fs::create_dir_all(&root).unwrap();
        fs::create_dir(&outside).unwrap();
        fs::write(outside.join("file"), "").unwrap();
        symlink(&outside, root.join("link")).unwrap();
        fs::write(root.join("file"), "").unwrap();
        assert_eq!(sweep(&root, &set(["link", "file"])).unwrap(), set([]));
        assert_eq!(below(&root), set([]));
        assert!(outside.join("file").exists());
    }

    #[test]
    fn odd_modes_are_undone() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir_all(root.join("out/a")).unwrap();
        fs::create_dir_all(root.join("out/closed/inner")).unwrap();
        for (path, mode) in
            [("out/closed/inner", 0o0), ("out/a", 0o0), ("out", 0o3777), ("", 0o500)]
        {
            fs::set_permissions(root.join(path), Permissions::from_mode(mode)).unwrap();
        }
        let keep = set(["out", "out/a"]);
        assert_eq!(sweep(&root, &keep).unwrap(), keep);
        assert_eq!(below(&root), keep);
        for path in ["", "out", "out/a"] {
            let mode = root.join(path).symlink_metadata().unwrap().mode();
            assert_eq!(mode & 0o7777, FOLDER_MODE, "{path}");
        }
    }

    #[test]
    fn a_folder_with_attributes_is_not_kept() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().join("root");
        fs::create_dir_all(root.join("out/a")).unwrap();
        let set_on = |path: &str| {
            let none = rustix::fs::XattrFlags::empty();
            rustix::fs::setxattr(root.join(path), "user.note", b"x", none)
        };
        if set_on("out/a") == Err(Errno::OPNOTSUPP) {
            return;
        }
        assert_eq!(sweep(&root, &set(["out", "out/a"])).unwrap(), set(["out"]));
        assert_eq!(below(&root), set(["out"]));
        set_on("").unwrap();
        assert_eq!(sweep(&root, &set(["out"])).unwrap(), set([]));
        assert!(!root.exists());
    }

    #[test]
    fn a_folder_that_denies_its_owner_is_removed() {
        let temp = tempfile::tempdir().unwrap();
        let inner = temp.path().join("a/b");
        fs::create_dir_all(&inner).unwrap();
        fs::write(inner.join("file"), "").unwrap();
        fs::set_permissions(&inner, Permissions::from_mode(0o0)).unwrap();
        remove_tree(&temp.path().join("a")).unwrap();
        assert!(!temp.path().join("a").exists());
    }
}
