//! Removed outputs, out of sight at once and off the disk a little later.
//!
//! For minutes after a file was removed, ext4 steps over its inode each time it makes another file
//! nearby, which makes ten thousand outputs that come back right after `vwfb clean` ten times as
//! slow to write. So small files only leave for `.vwfb/trash` and are removed when the next build
//! has put its outputs in place; what takes space is removed at once.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use walkdir::WalkDir;

/// Files of at least this many bytes are removed at once.
const LARGE: u64 = 256 * 1024;

/// Removes a folder of the workspace `root` with all in it, and follows no link; whether there was
/// one.
pub(crate) fn discard(root: &Path, folder: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        found => found?,
    };
    let trash = trash(root);
    fs::create_dir_all(&trash)?;
    let to = trash.join(format!("{}-{}", std::process::id(), modified(folder)?));
    // From another file system it is removed now.
    if fs::rename(folder, &to).is_err() {
        return fs::remove_dir_all(folder).map(|()| true);
    }
    for entry in WalkDir::new(&to).into_iter().filter_map(Result::ok) {
        let large = entry.metadata().is_ok_and(|found| found.is_file() && found.len() >= LARGE);
        if large {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(true)
}

/// Removes what was discarded before.
pub(crate) fn empty(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(trash(root)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn trash(root: &Path) -> PathBuf {
    root.join(".vwfb/trash")
}

/// Sets what one process discards apart.
fn modified(folder: &Path) -> io::Result<u128> {
    let modified = fs::symlink_metadata(folder)?.modified()?;
    Ok(modified.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos()))
}
