//! Where everything lies in the store's folder, and its format mark.

use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::digest::{BlobId, Digest};
use crate::error::{AtPath, IoError};
use crate::pack::PackId;
use crate::store::OpenError;

/// The format this code reads and writes.
pub(crate) const FORMAT: u32 = 2;
const FORMAT_NAME: &str = "vwfb-store";
const LOCK: &str = "lock";
/// What can be there before the format mark is.
const OWN_NAMES: [&str; 8] =
    [LOCK, "blobs", "packs", "leases", "scratch", "quarantine", "CACHEDIR.TAG", "format.new"];
const CACHE_TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
    # This folder is a cache of vwfb: it can be deleted while no build runs.\n";

/// The paths below one store's root.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Opens the store's folder, making it if there is none, and returns it with its lock held.
    pub(crate) fn prepare(root: &Path) -> Result<(Self, File), OpenError> {
        let root = std::path::absolute(root).at("resolve", root)?;
        let layout = Self { root };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&layout.root)
            .at("create", &layout.root)?;
        if !layout.format_file().exists() && !layout.is_unused()? {
            return Err(OpenError::Foreign { path: layout.root });
        }
        let lock_file = layout.lock_file();
        let lock = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&lock_file)
            .at("create", &lock_file)?;
        lock_exclusively(&lock, &lock_file)?;
        layout.check_format()?;
        Ok((layout, lock))
    }

    /// Whether nothing but the beginnings of a store is there.
    fn is_unused(&self) -> Result<bool, IoError> {
        let entries = fs::read_dir(&self.root).at("list", &self.root)?;
        let names: io::Result<Vec<_>> = entries.map(|entry| Ok(entry?.file_name())).collect();
        let names = names.at("list", &self.root)?;
        Ok(names.iter().all(|name| OWN_NAMES.iter().any(|own| name == own)))
    }

    fn check_format(&self) -> Result<(), OpenError> {
        let path = self.format_file();
        if !path.exists() {
            self.create()?;
        }
        let text = fs::read_to_string(&path).at("read", &path)?;
        let number = text.strip_prefix(FORMAT_NAME).and_then(|rest| rest.trim().parse().ok());
        match number {
            Some(FORMAT) => Ok(()),
            Some(found) => Err(OpenError::Format { path: self.root.clone(), found }),
            None => Err(OpenError::Foreign { path: self.root.clone() }),
        }
    }

    fn create(&self) -> Result<(), IoError> {
        for folder in [self.blobs(), self.packs(), self.leases(), self.scratch(), self.quarantine()]
        {
            fs::create_dir_all(&folder).at("create", &folder)?;
        }
        let tag = self.root.join("CACHEDIR.TAG");
        fs::write(&tag, CACHE_TAG).at("write", &tag)?;
        let (format, new) = (self.format_file(), self.root.join("format.new"));
        fs::write(&new, format!("{FORMAT_NAME} {FORMAT}\n")).at("write", &new)?;
        fs::rename(&new, &format).at("rename", &new)
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    fn format_file(&self) -> PathBuf {
        self.root.join("format")
    }

    /// Held by whoever writes the index or moves files in or out; how often that was is in it.
    pub(crate) fn lock_file(&self) -> PathBuf {
        self.root.join(LOCK)
    }

    /// Its bytes are never read: ranges of it stand for action keys.
    pub(crate) fn key_lock_file(&self) -> PathBuf {
        self.root.join("keys.lock")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index.db")
    }

    pub(crate) fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }

    pub(crate) fn packs(&self) -> PathBuf {
        self.root.join("packs")
    }

    /// The file of a pack.
    pub(crate) fn pack(&self, pack: PackId) -> PathBuf {
        self.packs().join(pack.0.to_string())
    }

    /// Held, shared, by whoever did something that its index rows do not say yet.
    pub(crate) fn gate(&self) -> PathBuf {
        self.root.join("gate")
    }

    pub(crate) fn leases(&self) -> PathBuf {
        self.root.join("leases")
    }

    /// Holds one folder per live process.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.root.join("scratch")
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    /// The file of a blob; its executable form is a file of its own.
    pub(crate) fn blob(&self, blob: BlobId, executable: bool) -> PathBuf {
        let (shard, mut name) = shard(blob.digest());
        if executable {
            name.push_str(".x");
        }
        self.blobs().join(shard).join(name)
    }
}

fn shard(digest: Digest) -> (String, String) {
    let mut hex = digest.to_hex();
    let name = hex.split_off(2);
    (hex, name)
}

/// What the name of a file below `blobs/` says: the digest, and whether it is the
/// executable form.
pub(crate) fn named(path: &Path) -> Option<(Digest, bool)> {
    let name = path.file_name()?.to_str()?;
    let shard = path.parent()?.file_name()?.to_str()?;
    let (name, executable) = match name.strip_suffix(".x") {
        Some(name) => (name, true),
        None => (name, false),
    };
    Some((format!("{shard}{name}").parse().ok()?, executable))
}

/// All files in the two levels below `folder`.
pub(crate) fn files(folder: &Path) -> Result<Vec<PathBuf>, IoError> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(folder).min_depth(2).max_depth(2).sort_by_file_name() {
        files.push(entry.map_err(io::Error::from).at("list", folder)?.into_path());
    }
    Ok(files)
}

/// Renames `from` to `to`, making the folder of `to` when it is the first in it.
pub(crate) fn rename_into(from: &Path, to: &Path) -> Result<(), IoError> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = to.parent().unwrap_or(to);
            fs::create_dir_all(folder).at("create", folder)?;
            fs::rename(from, to).at("rename", from)
        }
        done => done.at("rename", from),
    }
}

/// Waits for a lock on the whole file; a signal does not end the wait.
pub(crate) fn lock_exclusively(file: &File, path: &Path) -> Result<(), IoError> {
    retry(|| file.lock()).at("lock", path)
}

/// Repeats a call until no signal interrupts it.
pub(crate) fn retry<T>(call: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// Sets the permission bits of an open file.
pub(crate) fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    file.set_permissions(Permissions::from_mode(mode))
}

/// Removes a file; that it is gone already is success.
pub(crate) fn remove(path: &Path) -> Result<bool, IoError> {
    match fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error).at("remove", path),
    }
}
