//! The digest of a folder as the store would keep it, from stats alone where these stand.

use std::fs;
use std::io;
use std::path::Path;

use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{BlobId, Entry, FileRef, Tree, TreeId};

use crate::stamp::Stamped;
use crate::stamps::Stamps;

/// How deep a folder may go; deeper is a mistake, or a loop of mounts.
const DEPTH: usize = 200;

/// The id that the store gives the folder at `path`. Nothing is stored.
///
/// # Errors
/// If something in it cannot be read, is neither file, folder nor link, or has a name that is not
/// UTF-8.
pub(crate) fn tree_id(path: &Path, stamps: &Stamps) -> io::Result<TreeId> {
    let _looking = Timed::new(Phase::Stat);
    folder(path, stamps, DEPTH)
}

fn folder(path: &Path, stamps: &Stamps, left: usize) -> io::Result<TreeId> {
    let Some(left) = left.checked_sub(1) else {
        return Err(io::Error::other(format!("folders are nested more than {DEPTH} deep")));
    };
    let mut tree = Tree::default();
    count(Counter::FoldersListed, 1);
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let name = entry
            .file_name()
            .into_string()
            .map_err(|name| io::Error::other(format!("the name {name:?} in it is not UTF-8")))?;
        let kind = entry.file_type()?;
        let found = if kind.is_dir() {
            Entry::Dir(folder(&entry.path(), stamps, left)?)
        } else if kind.is_symlink() {
            link(&entry.path())?
        } else {
            Entry::File(file(&stamps.of(&entry.path())?))
        };
        tree.entries.insert(name, found);
    }
    Ok(tree.id())
}

fn link(path: &Path) -> io::Result<Entry> {
    let target = fs::read_link(path)?.into_os_string().into_string();
    target.map(Entry::Symlink).map_err(|target| {
        io::Error::other(format!("the link {} to {target:?} is not UTF-8", path.display()))
    })
}

/// A file as artifacts name it.
pub(crate) const fn file(stamped: &Stamped) -> FileRef {
    FileRef {
        blob: BlobId(stamped.digest),
        size: stamped.stamp.size(),
        executable: stamped.stamp.executable(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::Arc;

    use vwfb_cas::{Store, Take};

    use super::*;

    #[test]
    fn the_id_is_that_of_the_store() {
        let scratch = tempfile::tempdir().unwrap();
        let folder = scratch.path().join("folder");
        fs::create_dir_all(folder.join("inner/empty")).unwrap();
        fs::write(folder.join("a b.txt"), "a").unwrap();
        fs::write(folder.join("inner/run"), "#!/bin/sh\n").unwrap();
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(folder.join("inner/run"), mode).unwrap();
        symlink("inner/run", folder.join("link")).unwrap();
        let store = Store::open(&scratch.path().join("store")).unwrap();
        let stored = store.put_tree(&folder, Take::Copy).unwrap();
        let stamps = Stamps::new(Arc::new(()));
        assert_eq!(tree_id(&folder, &stamps).unwrap(), stored);
        fs::write(folder.join("a b.txt"), "b").unwrap();
        assert_ne!(tree_id(&folder, &stamps).unwrap(), stored);
    }
}
