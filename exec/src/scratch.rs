//! The folder a task runs in: `in/` as declared, `out/`, `tmp/` and `home/` to write to.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use vwfb_cas::{Artifact, MaterialiseError, Placement, Store};
use walkdir::WalkDir;

use crate::action::OutputSpec;
use crate::failure::Cause;

/// Where outputs are written, relative to the working directory.
const OUT: &str = "out";
/// Folders that a task may write to.
const WRITABLE: [&str; 3] = [OUT, "tmp", "home"];
/// Folders that every task finds.
const SUBS: [&str; 4] = ["in", OUT, "tmp", "home"];
const FOLDER_MODE: u32 = 0o755;
/// How many paths of `out/` a message lists.
const LISTED: usize = 12;

/// A worker's folder, used by one task after the other.
///
/// Its sub-folders stay, since what Landlock allows is bound to them and not to their names, and
/// since making and removing them would cost a third of a short task.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    /// How often a sub-folder was made.
    generation: u64,
}

/// What was placed as links to the store's own files, with the modes that they must keep.
#[derive(Debug, Default)]
pub(crate) struct Placed(Vec<(PathBuf, u32)>);

impl Scratch {
    /// Will use `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, generation: 0 }
    }

    /// Makes it as empty as the first task finds it.
    pub(crate) fn prepare(&mut self) -> Result<(), Cause> {
        let root = self.root();
        for folder in [root.clone()].into_iter().chain(SUBS.iter().map(|sub| root.join(sub))) {
            let made =
                ensure_folder(&folder).map_err(|source| failed("create", &folder, source))?;
            self.generation += u64::from(made);
        }
        self.clear()
    }

    /// Removes what a task left.
    pub(crate) fn clear(&self) -> Result<(), Cause> {
        let root = self.root();
        let cleared = SUBS.iter().try_for_each(|sub| remove_below(&root.join(sub), &[]));
        cleared
            .and_then(|()| remove_below(&root, &SUBS))
            .and_then(|()| remove_below(&self.folder, &["root"]))
            .map_err(|source| failed("empty", &self.folder, source))
    }

    /// How often its folders were made.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The working directory.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.join("root")
    }

    /// The file for what the task prints, outside its reach.
    pub(crate) fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// The folder with all of it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The folders that the task may write to.
    pub(crate) fn writable(&self) -> Vec<PathBuf> {
        WRITABLE.iter().map(|sub| self.root().join(sub)).collect()
    }

    /// Puts the inputs in their places.
    pub(crate) fn place(
        &self,
        store: &Store,
        inputs: &BTreeMap<String, Artifact>,
        placement: Placement,
    ) -> Result<Placed, Cause> {
        for (role, artifact) in inputs {
            if !is_plain(role) || WRITABLE.iter().any(|sub| Path::new(role).starts_with(sub)) {
                return Err(Cause::Role { role: role.clone() });
            }
            store
                .materialise_below(artifact, &self.root(), Path::new(role), placement)
                .map_err(|source| input_cause(role, source))?;
        }
        if placement != Placement::Shared || inputs.is_empty() {
            return Ok(Placed::default());
        }
        let folder = self.root().join("in");
        modes_below(&self.root()).map_err(|source| failed("inspect", &folder, source)).map(Placed)
    }

    /// Makes the folders that outputs are written in, though not the outputs that are folders.
    pub(crate) fn prepare_outputs<'a>(
        &self,
        outputs: impl IntoIterator<Item = &'a OutputSpec>,
    ) -> Result<(), Cause> {
        for output in outputs {
            let role = Path::new(&output.role);
            if !is_plain(&output.role) || !role.starts_with(OUT) || role == Path::new(OUT) {
                return Err(Cause::Role { role: output.role.clone() });
            }
            self.create_parent(&self.root().join(role))?;
        }
        Ok(())
    }

    /// The path of a routed file, which must be where inputs or outputs are.
    pub(crate) fn routed(&self, role: &str) -> Result<PathBuf, Cause> {
        if is_plain(role) {
            Ok(self.root().join(role))
        } else {
            Err(Cause::Role { role: role.into() })
        }
    }

    /// What there is in `out/`, the first few.
    pub(crate) fn made(&self) -> Vec<String> {
        let root = self.root();
        WalkDir::new(root.join(OUT))
            .min_depth(1)
            .sort_by_file_name()
            .into_iter()
            .flatten()
            .filter(|entry| !entry.file_type().is_dir())
            .filter_map(|entry| Some(entry.path().strip_prefix(&root).ok()?.display().to_string()))
            .take(LISTED)
            .collect()
    }

    fn create_parent(&self, path: &Path) -> Result<(), Cause> {
        path.parent().map_or(Ok(()), |parent| self.create_dir(parent))
    }

    fn create_dir(&self, path: &Path) -> Result<(), Cause> {
        let made = fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path);
        made.map_err(|source| failed("create", path, source))
    }
}

/// A relative path of plain names.
fn is_plain(role: &str) -> bool {
    !role.is_empty()
        && Path::new(role).components().all(|part| matches!(part, Component::Normal(_)))
}

fn input_cause(role: &str, source: MaterialiseError) -> Cause {
    let role = role.to_owned();
    let lost = match &source {
        MaterialiseError::Read(error) => error.lost(),
        _ => None,
    };
    match lost {
        Some(blob) => Cause::InputLost { role, blob },
        None => Cause::Input { role, source },
    }
}

pub(crate) fn failed(deed: &'static str, path: &Path, source: io::Error) -> Cause {
    Cause::Scratch { deed, path: path.to_owned(), source }
}

impl Placed {
    /// Undoes a task's `chmod`, which Landlock does not hold back, on the store's own files.
    pub(crate) fn restore_modes(&self) -> io::Result<()> {
        for (path, mode) in &self.0 {
            match path.symlink_metadata() {
                Ok(metadata) if metadata.mode() != *mode => {
                    fs::set_permissions(path, Permissions::from_mode(*mode))?;
                }
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

/// All regular files below `root` with their modes.
fn modes_below(root: &Path) -> io::Result<Vec<(PathBuf, u32)>> {
    let mut modes = Vec::new();
    for entry in WalkDir::new(root) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let mode = entry.metadata()?.mode();
            modes.push((entry.into_path(), mode));
        }
    }
    Ok(modes)
}

/// Makes sure that there is a folder with the usual mode; whether it had to be made.
fn ensure_folder(path: &Path) -> io::Result<bool> {
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_dir() => {
            if metadata.mode() & 0o7777 != FOLDER_MODE {
                fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))?;
            }
            return Ok(false);
        }
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path)?;
    Ok(true)
}

/// Empties a folder, except for the names in `but`.
fn remove_below(folder: &Path, but: &[&str]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if but.iter().any(|name| entry.file_name() == *name) {
            continue;
        }
        if entry.file_type()?.is_dir() {
            remove_tree(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Removes a tree, also where the task made folders that deny their owner.
fn remove_tree(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_folders(path)?;
            fs::remove_dir_all(path)
        }
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
    use super::*;

    #[test]
    fn a_role_stays_in_the_working_directory() {
        assert!(is_plain("in/clips/0001.mp4"));
        for role in ["", "/etc/passwd", "../x", "in/../../x", "./in"] {
            assert!(!is_plain(role), "{role}");
        }
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
