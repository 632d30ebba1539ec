//! Folders of links to declared programs: a task's PATH, on which nothing else is found.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use vwfb_cas::Digest;

use crate::base::BASE_TOOLCHAIN;
use crate::toolchain::Closure;

/// The toolboxes that this process has made; one serves all tasks with the same programs.
#[derive(Debug)]
pub(crate) struct Toolboxes {
    folder: PathBuf,
    made: Mutex<HashMap<Digest, PathBuf>>,
}

impl Toolboxes {
    /// Makes toolboxes in `folder`, which nobody else does.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, made: Mutex::default() }
    }

    /// The folder in which exactly the programs of `closures` are found by name.
    pub(crate) fn folder(&self, closures: &[(&str, &Closure)]) -> io::Result<PathBuf> {
        let programs = programs(closures);
        let name = digest(&programs);
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = made.get(&name) {
            return Ok(path.clone());
        }
        let path = self.folder.join(name.short());
        std::fs::create_dir_all(&path)?;
        for (name, target) in programs {
            symlink_anew(target, &path.join(name))?;
        }
        made.insert(name, path.clone());
        Ok(path)
    }
}

/// The file to start for `name`, which a toolchain declares.
pub(crate) fn program<'a>(closures: &[(&str, &'a Closure)], name: &str) -> Option<&'a Path> {
    in_order(closures).find_map(|closure| closure.programs.get(name)).map(PathBuf::as_path)
}

/// File name -> program. A name that two toolchains have means the first one's, by name of the
/// toolchain, and the base's last of all.
fn programs<'a>(closures: &[(&str, &'a Closure)]) -> BTreeMap<&'a str, &'a Path> {
    let mut programs = BTreeMap::new();
    for (name, path) in in_order(closures).flat_map(|closure| &closure.programs) {
        if !name.contains('/') {
            programs.entry(name.as_str()).or_insert(path.as_path());
        }
    }
    programs
}

fn in_order<'a>(closures: &[(&str, &'a Closure)]) -> impl Iterator<Item = &'a Closure> {
    let base = |(name, _): &&(&str, &'a Closure)| *name == BASE_TOOLCHAIN;
    let own = closures.iter().filter(move |closure| !base(closure));
    own.chain(closures.iter().filter(base)).map(|(_, closure)| *closure)
}

/// Identifies a toolbox within this process; stored nowhere.
fn digest(programs: &BTreeMap<&str, &Path>) -> Digest {
    let mut bytes = Vec::new();
    for (name, path) in programs {
        bytes.extend(name.as_bytes());
        bytes.push(0);
        bytes.extend(path.as_os_str().as_bytes());
        bytes.push(0);
    }
    Digest::of(&bytes)
}

/// An attempt that failed halfway may have left a link of the same toolbox.
fn symlink_anew(target: &Path, link: &Path) -> io::Result<()> {
    match symlink(target, link) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
