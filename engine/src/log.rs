//! What a task's process wrote.

use std::io::{Read, Seek, SeekFrom};

use vwfb_cas::{FileRef, ReadError, Store};

/// How much of the end of a log is read.
const TAIL: u64 = 64 * 1024;

/// A log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The store does not have it.
    #[error(transparent)]
    Store(#[from] ReadError),
    /// Its file cannot be read.
    #[error("cannot read a log in the store")]
    Read(#[from] std::io::Error),
}

/// The end of the log that is `file`, as text.
///
/// # Errors
/// If the store has lost it.
pub fn tail(store: &Store, file: FileRef) -> Result<String, LogError> {
    let mut log = store.open_blob(file.blob)?;
    log.seek(SeekFrom::Start(file.size.saturating_sub(TAIL)))?;
    let mut bytes = Vec::new();
    log.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
