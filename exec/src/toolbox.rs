//! The toolchains of a task put together: a PATH on which nothing but their programs is found, and
//! the files that they consist of.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use vwfb_cas::Digest;

use crate::base::BASE_TOOLCHAIN;
use crate::toolchain::Closure;

/// How many sets of toolchains are remembered.
const MOST: usize = 64;

/// Some toolchains by name.
type Closures<'a> = [(&'a str, &'a Arc<Closure>)];

/// Some toolchains, put together once for all tasks that have the same ones.
#[derive(Debug)]
pub(crate) struct Toolset {
    /// Kept, so that no other closure is ever at the same address.
    closures: Vec<(String, Arc<Closure>)>,
    /// The folder in which exactly their programs are found by name.
    path: PathBuf,
    /// What a task may execute, sorted.
    executable: Vec<PathBuf>,
    /// What else it may read, sorted.
    readable: Vec<PathBuf>,
}

impl Toolset {
    /// The file to start for `name`, which a toolchain declares.
    pub(crate) fn program(&self, name: &str) -> Option<&Path> {
        let closures = || self.closures.iter().map(|(name, closure)| (name.as_str(), closure));
        let mut found = in_order(closures).filter_map(|closure| closure.programs.get(name));
        found.next().map(PathBuf::as_path)
    }

    /// Whether each of `names` means the base's program of that name.
    pub(crate) fn has_of_base(&self, names: &[&str]) -> bool {
        let base = self.closures.iter().find(|(name, _)| name == BASE_TOOLCHAIN);
        base.is_some_and(|(_, base)| {
            let of_base = |name: &str| base.programs.get(name).map(PathBuf::as_path);
            names.iter().all(|name| {
                let found = self.program(name);
                found.is_some() && found == of_base(name)
            })
        })
    }

    /// The folder of links to its programs.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Files that a task may execute, sorted.
    pub(crate) fn executable(&self) -> &[PathBuf] {
        &self.executable
    }

    /// Further files and folders that a task may read, sorted.
    pub(crate) fn readable(&self) -> &[PathBuf] {
        &self.readable
    }

    /// Whether it is of these very closures, and not of others that are equal: an equal one that
    /// was found later may stand for other files of the same names.
    fn is_of(&self, closures: &Closures<'_>) -> bool {
        let same = |((name, closure), (other_name, other)): (&(String, _), &(&str, &_))| {
            name == other_name && Arc::ptr_eq(closure, other)
        };
        self.closures.len() == closures.len() && self.closures.iter().zip(closures).all(same)
    }
}

/// The toolsets that this process has made.
#[derive(Debug)]
pub(crate) struct Toolsets {
    folder: PathBuf,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    sets: Vec<Arc<Toolset>>,
    /// The folders of links.
    boxes: HashMap<Digest, PathBuf>,
}

impl Toolsets {
    /// Makes folders of links in `folder`, where nobody else does.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, known: Mutex::default() }
    }

    /// The toolset of `closures`, which are in the order of their names.
    pub(crate) fn of(&self, closures: &Closures<'_>) -> io::Result<Arc<Toolset>> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = known.sets.iter().find(|set| set.is_of(closures)) {
            return Ok(Arc::clone(set));
        }
        let path = self.toolbox(&mut known.boxes, closures)?;
        let all = |of: fn(&Closure) -> &BTreeSet<PathBuf>| {
            let paths = closures.iter().flat_map(|(_, closure)| of(closure)).cloned();
            paths.collect::<BTreeSet<_>>().into_iter().collect()
        };
        let set = Arc::new(Toolset {
            executable: all(|closure| &closure.executable),
            readable: all(|closure| &closure.readable),
            closures: closures
                .iter()
                .map(|&(name, closure)| (name.to_owned(), Arc::clone(closure)))
                .collect(),
            path,
        });
        if known.sets.len() >= MOST {
            known.sets.clear();
        }
        known.sets.push(Arc::clone(&set));
        Ok(set)
    }

    /// The folder in which exactly the programs of `closures` are found by name.
    fn toolbox(
        &self,
        made: &mut HashMap<Digest, PathBuf>,
        closures: &Closures<'_>,
    ) -> io::Result<PathBuf> {
        let programs = programs(closures);
        let name = digest(&programs);
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

/// File name -> program. A name that two toolchains have means the first one's, by name of the
/// toolchain, and the base's last of all.
fn programs<'a>(closures: &Closures<'a>) -> BTreeMap<&'a str, &'a Path> {
    let mut programs = BTreeMap::new();
    let closures = || closures.iter().copied();
    for (name, path) in in_order(closures).flat_map(|closure| &closure.programs) {
        if !name.contains('/') {
            programs.entry(name.as_str()).or_insert(path.as_path());
        }
    }
    programs
}

fn in_order<'a, I: Iterator<Item = (&'a str, &'a Arc<Closure>)>>(
    closures: impl Fn() -> I,
) -> impl Iterator<Item = &'a Closure> {
    let base = |(name, _): &(&str, &Arc<Closure>)| *name == BASE_TOOLCHAIN;
    let own = closures().filter(move |closure| !base(closure));
    own.chain(closures().filter(base)).map(|(_, closure)| &**closure)
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
