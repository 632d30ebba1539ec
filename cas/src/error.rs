//! What every operation on files can fail with: the deed, the path and the system's reason.

use std::io;
use std::path::{Path, PathBuf};

/// A file operation that the system refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot {deed} `{}`", path.display())]
pub struct IoError {
    /// What was tried: `read`, `rename`, ...
    pub deed: &'static str,
    /// On what.
    pub path: PathBuf,
    /// The system's reason.
    pub source: io::Error,
}

impl IoError {
    /// Whether it was to go to another file system than it can.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.source.kind() == io::ErrorKind::CrossesDevices
    }

    /// Whether the disk or the quota is full.
    pub fn is_full(&self) -> bool {
        matches!(self.source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
    }
}

/// Adds the deed and the path to a system error.
pub(crate) trait AtPath<T> {
    /// Says what was being done to which path.
    fn at(self, deed: &'static str, path: &Path) -> Result<T, IoError>;
}

impl<T, E: Into<io::Error>> AtPath<T> for Result<T, E> {
    fn at(self, deed: &'static str, path: &Path) -> Result<T, IoError> {
        self.map_err(|source| IoError { deed, path: path.to_owned(), source: source.into() })
    }
}
