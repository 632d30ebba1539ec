//! The folder a task runs in: `in/` as declared, `out/`, `tmp/` and `home/` to write to.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

use vwfb_cas::{Artifact, FileRef, MaterialiseError, Placement, Store};
use walkdir::WalkDir;

use crate::action::Action;
use crate::failure::Cause;
use crate::sweep::{FOLDER_MODE, remove_tree, sweep};

/// Where outputs are written, relative to the working directory.
const OUT: &str = "out";
/// Folders that a task may write to.
const WRITABLE: [&str; 3] = [OUT, "tmp", "home"];
/// Folders that every task finds.
const SUBS: [&str; 4] = ["in", OUT, "tmp", "home"];
/// How many paths of `out/` a message lists.
const LISTED: usize = 12;

/// A worker's folder, used by one task after the other.
///
/// Its sub-folders stay, since what Landlock allows is bound to them and not to their names; so do
/// the folders of a task's inputs and outputs until a task comes that has none there.
#[derive(Debug)]
pub(crate) struct Scratch {
    folder: PathBuf,
    root: PathBuf,
    /// How often its sub-folders were made.
    generation: u64,
    /// Whether nothing is below `root` but `kept`, as a task may find it.
    clean: bool,
    /// Folders relative to `root`, the sub-folders among them.
    kept: BTreeSet<PathBuf>,
}

/// What was placed as links to the store's own files, with the modes that they must keep.
#[derive(Debug, Default)]
pub(crate) struct Placed(Vec<(PathBuf, u32)>);

impl Scratch {
    /// Will use `folder`.
    pub(crate) fn new(folder: PathBuf) -> Self {
        let root = folder.join("root");
        Self { folder, root, generation: 0, clean: false, kept: BTreeSet::new() }
    }

    /// Makes it as empty as the first task finds it, with the folders of the action's inputs and
    /// outputs, though not those that are inputs or outputs themselves.
    pub(crate) fn prepare(&mut self, action: &Action) -> Result<(), Cause> {
        let wanted = folders(action)?;
        if !self.clean {
            self.renew().map_err(|source| failed("empty", &self.folder, source))?;
        }
        // Until it is swept.
        self.clean = false;
        // The deepest first.
        for folder in self.kept.iter().rev().filter(|folder| !wanted.contains(*folder)) {
            let path = self.root.join(folder);
            fs::remove_dir(&path).map_err(|source| failed("empty", &path, source))?;
        }
        for folder in wanted.difference(&self.kept) {
            let path = self.root.join(folder);
            make_folder(&path).map_err(|source| failed("create", &path, source))?;
        }
        self.kept = wanted;
        Ok(())
    }

    /// Makes all of it anew.
    fn renew(&mut self) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        remove_below(&self.folder, &[])?;
        self.generation += 1;
        self.kept.clear();
        make_folder(&self.root)?;
        for sub in SUBS {
            make_folder(&self.root.join(sub))?;
            self.kept.insert(sub.into());
        }
        Ok(())
    }

    /// Removes what a task left. What cannot be removed now is removed, or complained about, before
    /// the next task.
    pub(crate) fn clear(&mut self) {
        let swept = sweep(&self.root, &self.kept);
        let swept = swept.and_then(|kept| remove_below(&self.folder, &["root"]).map(|()| kept));
        self.clean = match swept {
            Ok(kept) => {
                self.kept = kept;
                SUBS.iter().all(|sub| self.kept.contains(Path::new(sub)))
            }
            Err(_) => false,
        };
    }

    /// How often its folders were made.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The working directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
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
        WRITABLE.iter().map(|sub| self.root.join(sub)).collect()
    }

    /// Puts the inputs in their places, whose folders are there.
    pub(crate) fn place(
        &self,
        store: &Store,
        action: &Action,
        placement: Placement,
    ) -> Result<Placed, Cause> {
        let mut placed = Placed::default();
        for (role, artifact) in &action.inputs {
            let path = self.root.join(role);
            store
                .materialise(artifact, &path, placement)
                .map_err(|source| input_cause(role, source))?;
            if placement == Placement::Shared {
                placed.note(artifact, path)?;
            }
        }
        Ok(placed)
    }

    /// The path of a routed file, which must be where inputs or outputs are.
    pub(crate) fn routed(&self, role: &str) -> Result<PathBuf, Cause> {
        if is_plain(role) {
            Ok(self.root.join(role))
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
            .filter_map(|entry| Some(entry.path().strip_prefix(root).ok()?.display().to_string()))
            .take(LISTED)
            .collect()
    }
}

/// The folders that the roles of `action` are in, the sub-folders among them.
fn folders(action: &Action) -> Result<BTreeSet<PathBuf>, Cause> {
    let mut folders: BTreeSet<PathBuf> = SUBS.iter().map(PathBuf::from).collect();
    let is_written = |role: &str| WRITABLE.iter().any(|sub| Path::new(role).starts_with(sub));
    for role in action.inputs.keys() {
        if !is_plain(role) || is_written(role) {
            return Err(Cause::Role { role: role.clone() });
        }
        add_parents(&mut folders, role);
    }
    for role in action.outputs.values().map(|output| &output.role) {
        if !is_plain(role) || !Path::new(role).starts_with(OUT) || role == OUT {
            return Err(Cause::Role { role: role.clone() });
        }
        add_parents(&mut folders, role);
    }
    Ok(folders)
}

fn add_parents(folders: &mut BTreeSet<PathBuf>, role: &str) {
    let parents = Path::new(role).ancestors().skip(1);
    for parent in parents.take_while(|parent| !parent.as_os_str().is_empty()) {
        if folders.contains(parent) {
            break;
        }
        folders.insert(parent.to_owned());
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
    /// Takes note of the files of an artifact at `path`.
    fn note(&mut self, artifact: &Artifact, path: PathBuf) -> Result<(), Cause> {
        match artifact {
            Artifact::File(FileRef { executable, .. }) => {
                self.0.push((path, if *executable { 0o555 } else { 0o444 }));
            }
            Artifact::Tree(_) => {
                let modes = modes_below(&path);
                self.0.extend(modes.map_err(|source| failed("inspect", &path, source))?);
            }
        }
        Ok(())
    }

    /// Undoes a task's `chmod`, which Landlock does not hold back, on the store's own files.
    pub(crate) fn restore_modes(&self) -> io::Result<()> {
        for (path, mode) in &self.0 {
            match path.symlink_metadata() {
                Ok(metadata) if metadata.mode() & 0o7777 != *mode => {
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
            let mode = entry.metadata()?.mode() & 0o7777;
            modes.push((entry.into_path(), mode));
        }
    }
    Ok(modes)
}

/// Makes a folder with the usual mode, whatever the umask is.
fn make_folder(path: &Path) -> io::Result<()> {
    fs::create_dir(path)?;
    fs::set_permissions(path, Permissions::from_mode(FOLDER_MODE))
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
}
