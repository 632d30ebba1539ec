//! What the suites of this folder share: stores in temporary folders and small results.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use vwfb_cas::{
    ActionKey, ActionResult, Artifact, Clock, Digest, FileRef, Store, StoreOptions, UnixMillis,
};

/// A folder for one test, with a store in it.
pub(crate) struct Place {
    pub(crate) dir: TempDir,
    pub(crate) clock: Arc<HandClock>,
    /// So many bytes at most go into packs.
    pub(crate) packed: u64,
}

/// A clock that a test sets.
#[derive(Default)]
pub(crate) struct HandClock(AtomicI64);

impl Clock for HandClock {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.load(Ordering::Relaxed))
    }
}

impl HandClock {
    pub(crate) fn set(&self, millis: i64) {
        self.0.store(millis, Ordering::Relaxed);
    }
}

impl Place {
    pub(crate) fn new() -> Self {
        let packed = StoreOptions::default().packed;
        Self { dir: tempfile::tempdir().unwrap(), clock: Arc::default(), packed }
    }

    /// A place whose store keeps every blob in a file of its own.
    pub(crate) fn unpacked() -> Self {
        Self { packed: 0, ..Self::new() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    pub(crate) fn open(&self) -> Store {
        Store::open_with(&self.root(), self.options()).unwrap()
    }

    pub(crate) fn options(&self) -> StoreOptions {
        StoreOptions { clock: self.clock.clone(), packed: self.packed }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes a file beside the store.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Whether `body` writes to the index.
    pub(crate) fn writes(&self, body: impl FnOnce()) -> bool {
        let index = rusqlite::Connection::open(self.root().join("index.db")).unwrap();
        let version =
            || -> i64 { index.query_row("PRAGMA data_version", [], |row| row.get(0)).unwrap() };
        let before = version();
        body();
        version() != before
    }

    /// The file of a plain blob.
    pub(crate) fn blob(&self, file: &FileRef) -> PathBuf {
        let hex = file.blob.to_string();
        let form = if file.executable { ".x" } else { "" };
        self.root().join("blobs").join(&hex[..2]).join(format!("{}{form}", &hex[2..]))
    }
}

pub(crate) fn key(name: &str) -> ActionKey {
    ActionKey(Digest::of(name.as_bytes()))
}

/// A result with one output, `out`.
pub(crate) fn result(artifact: Artifact) -> ActionResult {
    ActionResult {
        outputs: BTreeMap::from([("out".to_owned(), artifact)]),
        log: None,
        duration_ms: 840,
        observed_inputs: None,
    }
}

/// Overwrites a blob in place, keeping its size.
pub(crate) fn damage(path: &Path) {
    let length = fs::metadata(path).unwrap().len() as usize;
    replace(path, &vec![b'#'; length]);
}

/// Overwrites a blob in place.
pub(crate) fn replace(path: &Path, bytes: &[u8]) {
    let mut mode = fs::metadata(path).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o644);
    fs::set_permissions(path, mode).unwrap();
    fs::write(path, bytes).unwrap();
}
