//! Digests of files on disk, each read only once while its stamp stands.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, Metadata};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{Digest, hashing};
use vwfb_exec::FileDigests;

use crate::columns::Reader;
use crate::stamp::{Stamp, Stamped};

/// How often a file that changes while it is read is read again.
const TRIES: usize = 5;

/// What was recorded of files in former runs.
pub(crate) trait Recorded: Send + Sync {
    /// The record of one path.
    fn stamp(&self, path: &str) -> Option<Stamped>;
    /// Every record.
    fn stamps(&self) -> HashMap<String, Stamped>;
}

/// How many paths are looked up one by one before all records are loaded.
const FEW: usize = 2000;

/// The digests of files by absolute path.
pub(crate) struct Stamps {
    recorded: Arc<dyn Recorded>,
    asked: AtomicUsize,
    all: OnceLock<HashMap<String, Stamped>>,
    fresh: Mutex<BTreeMap<String, Stamped>>,
    /// Those of tools, which every run asks for.
    of_tools: Mutex<BTreeMap<String, Stamped>>,
}

impl Stamps {
    /// A table that knows what was recorded.
    pub(crate) fn new(recorded: Arc<dyn Recorded>) -> Self {
        let asked = AtomicUsize::new(0);
        let (all, fresh, of_tools) = (OnceLock::new(), Mutex::default(), Mutex::default());
        Self { recorded, asked, all, fresh, of_tools }
    }

    fn recorded(&self, path: &str) -> Option<Stamped> {
        let few = self.all.get().is_none() && self.asked.fetch_add(1, Ordering::Relaxed) < FEW;
        if few {
            return self.recorded.stamp(path);
        }
        self.all.get_or_init(|| self.recorded.stamps()).get(path).copied()
    }

    /// What is known of the file at `path` without looking at it.
    pub(crate) fn known(&self, path: &Path) -> Option<Stamped> {
        let path = path.to_str()?;
        let fresh = self.fresh().get(path).copied();
        let of_tools = || lock(&self.of_tools).get(path).copied();
        fresh.or_else(of_tools).or_else(|| self.recorded(path))
    }

    /// The stamps of tools' files, for [`Stamps::restore_tools`] in a later process.
    pub(crate) fn tools(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (path, stamped) in &*lock(&self.of_tools) {
            let stamp = stamped.stamp.encode();
            for part in [path.as_bytes(), &stamp, stamped.digest.as_bytes()] {
                bytes.extend((part.len() as u64).to_le_bytes());
                bytes.extend(part);
            }
        }
        bytes
    }

    /// Takes up what [`Stamps::tools`] returned; bytes that cannot be read are left out.
    pub(crate) fn restore_tools(&self, bytes: &[u8]) {
        let mut reader = Reader(bytes);
        let mut next = || {
            let path = String::from_utf8(reader.bytes()?.to_vec()).ok()?;
            let stamp = Stamp::decode(reader.bytes()?)?;
            let digest = Digest::from_bytes(reader.bytes()?.try_into().ok()?);
            Some((path, Stamped { stamp, digest }))
        };
        let mut of_tools = lock(&self.of_tools);
        while let Some((path, stamped)) = next() {
            of_tools.insert(path, stamped);
        }
    }

    fn note_tool(&self, path: &Path) {
        if let Some((name, stamped)) = path.to_str().zip(self.known(path)) {
            lock(&self.of_tools).insert(name.to_owned(), stamped);
        }
    }

    /// The text of the file at `path`, its digest noted.
    ///
    /// # Errors
    /// See [`Stamps::of`]; and if it is not UTF-8.
    pub(crate) fn text(&self, path: &Path) -> io::Result<String> {
        for _ in 0..TRIES {
            let before = stamp(path)?;
            let text = read_text(path)?;
            if stamp(path)?.same_file(&before) {
                let digest = Digest::of(text.as_bytes());
                self.note(path, Stamped { stamp: before, digest });
                return Ok(text);
            }
        }
        Err(io::Error::other("it changes while it is read"))
    }

    fn note(&self, path: &Path, stamped: Stamped) {
        if let Some(name) = path.to_str() {
            self.fresh().insert(name.to_owned(), stamped);
        }
    }

    /// The digest of the regular file at `path`, links followed, and its stamp.
    ///
    /// # Errors
    /// If it is no regular file, cannot be read, or does not keep still.
    pub(crate) fn of(&self, path: &Path) -> io::Result<Stamped> {
        let name = path.to_str();
        for _ in 0..TRIES {
            let before = stamp(path)?;
            if let Some(stamped) = name.and_then(|name| self.vouched(name, &before)) {
                return Ok(Stamped { stamp: before, digest: stamped.digest });
            }
            let digest = hash(path)?;
            if stamp(path)?.same_file(&before) {
                let stamped = Stamped { stamp: before, digest };
                self.note(path, stamped);
                return Ok(stamped);
            }
        }
        Err(io::Error::other("it changes while it is read"))
    }

    fn vouched(&self, path: &str, now: &Stamp) -> Option<Stamped> {
        let fresh = self.fresh().get(path).copied();
        let vouches = |stamped: &Stamped| stamped.stamp.vouches_for(now);
        let of_tools = || lock(&self.of_tools).get(path).copied().filter(vouches);
        fresh.filter(vouches).or_else(of_tools).or_else(|| self.recorded(path).filter(vouches))
    }

    /// What was read since the last call, to be recorded.
    pub(crate) fn take_fresh(&self) -> BTreeMap<String, Stamped> {
        self.fresh().clone()
    }

    fn fresh(&self) -> MutexGuard<'_, BTreeMap<String, Stamped>> {
        lock(&self.fresh)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FileDigests for Stamps {
    fn digest(&self, path: &Path) -> io::Result<Digest> {
        let digest = self.of(path)?.digest;
        self.note_tool(path);
        Ok(digest)
    }

    fn digest_of(&self, path: &Path, metadata: &Metadata) -> io::Result<Digest> {
        count(Counter::FilesStatted, 1);
        // Whether an earlier stamp vouches for this one does not depend on when this one is taken.
        let now = Stamp::of(metadata, 0);
        match path.to_str().and_then(|name| self.vouched(name, &now)) {
            Some(stamped) => {
                self.note_tool(path);
                Ok(stamped.digest)
            }
            None => self.digest(path),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the stamp's own clock, which no key sees")]
fn stamp(path: &Path) -> io::Result<Stamp> {
    let _looking = Timed::new(Phase::Stat);
    count(Counter::FilesStatted, 1);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    let metadata = fs::metadata(path)?;
    if metadata.is_file() {
        Ok(Stamp::of(&metadata, i128::try_from(now).unwrap_or(i128::MAX)))
    } else {
        Err(io::Error::other("it is neither a file nor a directory"))
    }
}

/// The text of the file at `path`, of which no stamp says when it was so.
///
/// # Errors
/// If it cannot be read, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    let _reading = Timed::new(Phase::Load);
    let text = fs::read_to_string(path)?;
    count(Counter::FilesHashed, 1);
    count(Counter::BytesHashed, text.len() as u64);
    Ok(text)
}

fn hash(path: &Path) -> io::Result<Digest> {
    let _hashing = Timed::new(Phase::Hash);
    let (digest, bytes) = hashing::hash(&File::open(path)?)?;
    count(Counter::FilesHashed, 1);
    count(Counter::BytesHashed, bytes);
    Ok(digest)
}

/// No record of anything.
impl Recorded for () {
    fn stamp(&self, _path: &str) -> Option<Stamped> {
        None
    }

    fn stamps(&self) -> HashMap<String, Stamped> {
        HashMap::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_written_again_at_once_has_its_new_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a b.txt");
        let stamps = Stamps::new(Arc::new(()));
        for text in ["one", "two", "six"] {
            fs::write(&path, text).unwrap();
            assert_eq!(stamps.of(&path).unwrap().digest, Digest::of(text.as_bytes()));
        }
    }

    #[test]
    fn a_folder_has_no_file_digest() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Stamps::new(Arc::new(())).of(folder.path()).is_err());
    }
}
