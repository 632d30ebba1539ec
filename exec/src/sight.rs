//! What is looked at to find a closure, and what is seen there. The closure follows from that and
//! from nothing else, so it holds for as long as the same is seen.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use vwfb_cas::Digest;

use crate::toolchain::FileDigests;

/// How many links may be on the way to a file; the kernel's own number.
const LINKS: usize = 40;

/// What is at a path, links not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    /// Nothing, or nothing that one may look at.
    Absent,
    /// A symbolic link with this text.
    Link(PathBuf),
    /// A folder, on the way to something else.
    Folder,
    /// A regular file.
    File {
        /// Whether somebody may execute it.
        program: bool,
        /// The digest of its bytes, if these were looked at.
        digest: Option<Digest>,
    },
    /// A pipe, a socket or a device.
    Special,
}

impl Seen {
    /// What is at `path` now.
    fn at(path: &Path) -> Self {
        let Ok(metadata) = path.symlink_metadata() else { return Self::Absent };
        if metadata.is_symlink() {
            fs::read_link(path).map_or(Self::Absent, Self::Link)
        } else if metadata.is_dir() {
            Self::Folder
        } else if metadata.is_file() {
            Self::File { program: is_executable(&metadata), digest: None }
        } else {
            Self::Special
        }
    }

    /// Whether it is at `path` still.
    pub(crate) fn is_at(&self, path: &Path, digests: &dyn FileDigests) -> bool {
        if let Self::Link(text) = self {
            return fs::read_link(path).is_ok_and(|now| now == *text);
        }
        let Ok(metadata) = path.symlink_metadata() else { return *self == Self::Absent };
        match self {
            Self::Absent | Self::Link(_) => false,
            Self::Folder => metadata.is_dir(),
            Self::File { program, digest } => {
                let now = || digests.digest_of(path, &metadata).ok();
                metadata.is_file()
                    && is_executable(&metadata) == *program
                    && (digest.is_none() || now() == *digest)
            }
            Self::Special => !metadata.is_file() && !metadata.is_dir() && !metadata.is_symlink(),
        }
    }
}

fn is_executable(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

/// Looks at each path once, and remembers what it saw.
pub(crate) struct Sight<'a> {
    digests: &'a dyn FileDigests,
    seen: RefCell<BTreeMap<PathBuf, Seen>>,
    listed: RefCell<BTreeMap<PathBuf, Digest>>,
}

/// All that was seen for one closure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Evidence {
    /// What is at each path.
    pub(crate) seen: BTreeMap<PathBuf, Seen>,
    /// The digest of the names in each folder of data.
    pub(crate) listed: BTreeMap<PathBuf, Digest>,
}

impl<'a> Sight<'a> {
    pub(crate) fn new(digests: &'a dyn FileDigests) -> Self {
        Self { digests, seen: RefCell::default(), listed: RefCell::default() }
    }

    /// What is at `path`, to which no link leads.
    pub(crate) fn look(&self, path: &Path) -> Seen {
        if let Some(seen) = self.seen.borrow().get(path) {
            return seen.clone();
        }
        let seen = Seen::at(path);
        self.seen.borrow_mut().insert(path.to_owned(), seen.clone());
        seen
    }

    /// Where an absolute path leads when all links are followed, and what is there.
    ///
    /// # Errors
    /// If nothing is there, or links lead in a circle.
    pub(crate) fn resolve(&self, path: &Path) -> io::Result<(PathBuf, Seen)> {
        let mut left: Vec<OsString> = parts(path).rev().collect();
        let (mut at, mut seen, mut links) = (PathBuf::from("/"), Seen::Folder, 0);
        while let Some(part) = left.pop() {
            if seen != Seen::Folder {
                return Err(io::ErrorKind::NotADirectory.into());
            }
            if part == ".." {
                at.pop();
                continue;
            }
            at.push(&part);
            seen = self.look(&at);
            match &seen {
                Seen::Absent => return Err(io::ErrorKind::NotFound.into()),
                Seen::Link(_) if links == LINKS => {
                    return Err(io::Error::other("too many symbolic links"));
                }
                Seen::Link(text) => {
                    links += 1;
                    at.pop();
                    if text.is_absolute() {
                        at = PathBuf::from("/");
                    }
                    left.extend(parts(text).rev());
                    seen = Seen::Folder;
                }
                Seen::Folder | Seen::File { .. } | Seen::Special => {}
            }
        }
        Ok((at, seen))
    }

    /// Where an absolute path leads when all links are followed.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub(crate) fn real(&self, path: &Path) -> io::Result<PathBuf> {
        self.resolve(path).map(|(real, _)| real)
    }

    /// Whether `path` leads to a regular file that somebody may execute.
    pub(crate) fn is_program(&self, path: &Path) -> bool {
        matches!(self.resolve(path), Ok((_, Seen::File { program: true, .. })))
    }

    /// The digest of the file at `real`, to which no link leads. Whoever reads the file itself asks
    /// for its digest first: [`evidence`](Self::evidence) confirms it.
    ///
    /// # Errors
    /// If it is no regular file or cannot be read.
    pub(crate) fn digest(&self, real: &Path) -> io::Result<Digest> {
        let Seen::File { program, digest } = self.look(real) else {
            return Err(io::Error::other("it is no regular file"));
        };
        if let Some(digest) = digest {
            return Ok(digest);
        }
        let digest = self.digests.digest(real)?;
        let seen = Seen::File { program, digest: Some(digest) };
        self.seen.borrow_mut().insert(real.to_owned(), seen);
        Ok(digest)
    }

    /// The names in `folder`, to which no link leads, sorted.
    ///
    /// # Errors
    /// If it is no folder or cannot be read.
    pub(crate) fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        let names = names(folder)?;
        let digest = digest_of_names(&names);
        match self.listed.borrow_mut().insert(folder.to_owned(), digest) {
            Some(before) if before != digest => {
                Err(io::Error::other("it changes while it is read"))
            }
            _ => Ok(names),
        }
    }

    /// All that was seen; the path of a file that has changed meanwhile, if one has.
    pub(crate) fn evidence(self) -> Result<Evidence, PathBuf> {
        let (seen, listed) = (self.seen.into_inner(), self.listed.into_inner());
        for (path, seen) in &seen {
            if let Seen::File { digest: Some(digest), .. } = seen
                && self.digests.digest(path).ok() != Some(*digest)
            {
                return Err(path.clone());
            }
        }
        Ok(Evidence { seen, listed })
    }
}

impl Evidence {
    /// Whether the same is seen now.
    pub(crate) fn still_holds(&self, digests: &dyn FileDigests) -> bool {
        self.seen.iter().all(|(path, seen)| seen.is_at(path, digests))
            && self.listed.iter().all(|(folder, digest)| {
                names(folder).is_ok_and(|names| digest_of_names(&names) == *digest)
            })
    }
}

/// The names on the way, first to last; `..` among them.
fn parts(path: &Path) -> impl DoubleEndedIterator<Item = OsString> + '_ {
    path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

fn names(folder: &Path) -> io::Result<Vec<OsString>> {
    let names = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.file_name()));
    let mut names = names.collect::<io::Result<Vec<_>>>()?;
    names.sort_unstable();
    Ok(names)
}

fn digest_of_names(names: &[OsString]) -> Digest {
    let mut bytes = Vec::new();
    for name in names {
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0);
    }
    Digest::of(&bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Unread;

    impl FileDigests for Unread {
        fn digest(&self, path: &Path) -> io::Result<Digest> {
            Ok(Digest::of(path.as_os_str().as_bytes()))
        }
    }

    #[test]
    fn a_path_is_resolved_as_the_system_does() {
        let temp = tempfile::tempdir().unwrap();
        let root = temp.path().canonicalize().unwrap();
        fs::create_dir_all(root.join("a/b")).unwrap();
        fs::write(root.join("a/b/file"), "").unwrap();
        for (text, link) in [
            ("a/b", "short"),
            ("../a/b/../b/file", "a/up"),
            ("nowhere", "broken"),
            ("circle", "circle"),
            ("a/b/file/", "slash"),
        ] {
            symlink(text, root.join(link)).unwrap();
        }
        symlink(root.join("a"), root.join("whole")).unwrap();
        for path in [
            "a/b/file",
            "short/file",
            "a/up",
            "whole/up",
            "short/../b",
            "broken",
            "circle",
            ".",
            "a/b/file/x",
            "gone/../a",
            "a/b/file/..",
            "whole/b/./file",
            "short/../../short",
        ] {
            let path = root.join(path);
            let sight = Sight::new(&Unread);
            assert_eq!(sight.real(&path).ok(), path.canonicalize().ok(), "{}", path.display());
        }
    }

    #[test]
    fn what_changes_while_it_is_read_is_no_evidence() {
        struct Restless(RefCell<u8>);
        impl FileDigests for Restless {
            fn digest(&self, _: &Path) -> io::Result<Digest> {
                *self.0.borrow_mut() += 1;
                Ok(Digest::of(&[*self.0.borrow()]))
            }
        }
        let shell = fs::canonicalize("/bin/sh").unwrap();
        let restless = Restless(RefCell::default());
        let sight = Sight::new(&restless);
        assert_eq!(sight.digest(&shell).unwrap(), sight.digest(&shell).unwrap());
        assert_eq!(sight.evidence(), Err(shell));
    }
}
