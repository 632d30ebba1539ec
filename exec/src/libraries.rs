//! Where the loader finds a library: the order of `ld.so(8)`, without running it.
//!
//! `LD_LIBRARY_PATH` is not followed: a task that sets it must declare the folder as data.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::elf::{ElfFacts, Machine};

/// Folders that are searched last, also where there is no cache. The first ones are Debian's.
const DEFAULT_FOLDERS: &[&str] = &[
    "/lib/x86_64-linux-gnu",
    "/usr/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib64",
    "/usr/lib64",
    "/lib",
    "/usr/lib",
];

/// The loader's cache.
pub(crate) const LOADER_CACHE: &str = "/etc/ld.so.cache";

/// The first bytes of the loader's cache since glibc 2.2, which a 2.32 writes alone.
const CACHE_MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
const CACHE_HEADER: usize = 48;
const CACHE_ENTRY: usize = 24;

/// The system's libraries by name.
#[derive(Debug, Default)]
pub(crate) struct Libraries {
    /// Paths per name, in the cache's order.
    cached: BTreeMap<String, Vec<PathBuf>>,
}

impl Libraries {
    /// Those in the loader's cache; none where there is no cache, as for musl.
    pub(crate) fn of_system() -> Self {
        let bytes = fs::read(LOADER_CACHE).unwrap_or_default();
        Self { cached: parse_cache(&bytes).unwrap_or_default() }
    }

    /// All files that the loader may take for `name`, asked for by `asker`.
    ///
    /// Several only where the cache has variants for other processors, of which the loader takes
    /// the best that the present one can run.
    pub(crate) fn find(
        &self,
        name: &str,
        asker: &Asker<'_>,
        fits: &dyn Fn(&Path) -> bool,
    ) -> Vec<PathBuf> {
        if name.contains('/') {
            return Vec::from_iter(Some(PathBuf::from(name)).filter(|path| fits(path)));
        }
        if let Some(path) = asker.folders().map(|dir| dir.join(name)).find(|path| fits(path)) {
            return vec![path];
        }
        let cached = self.cached.get(name).into_iter().flatten();
        let cached: Vec<_> = cached.filter(|path| fits(path)).cloned().collect();
        if !cached.is_empty() {
            return cached;
        }
        let defaults = DEFAULT_FOLDERS.iter().map(|dir| Path::new(dir).join(name));
        Vec::from_iter(defaults.into_iter().find(|path| fits(path)))
    }
}

/// A file that asks for libraries.
#[derive(Debug)]
pub(crate) struct Asker<'a> {
    /// Where it lies.
    pub(crate) path: &'a Path,
    /// What it is.
    pub(crate) facts: &'a ElfFacts,
    /// The search paths, expanded, of the files that led to it.
    pub(crate) inherited: &'a [PathBuf],
}

impl Asker<'_> {
    /// The folders it names or inherits, in search order.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let own = if self.facts.runpath.is_empty() { self.rpath() } else { Vec::new() };
        let inherited = if self.facts.runpath.is_empty() { self.inherited } else { &[] };
        let runpath = self.facts.runpath.iter().map(|folder| self.expand(folder));
        own.into_iter().chain(inherited.iter().cloned()).chain(runpath)
    }

    /// The search path that holds for what it asks for and for all that follows from that.
    pub(crate) fn rpath(&self) -> Vec<PathBuf> {
        self.facts.rpath.iter().map(|folder| self.expand(folder)).collect()
    }

    fn expand(&self, folder: &str) -> PathBuf {
        let origin = self.path.parent().unwrap_or(Path::new("/")).to_string_lossy();
        let lib = self.facts.machine.lib();
        let replaced = [("ORIGIN", &*origin), ("LIB", lib), ("PLATFORM", std::env::consts::ARCH)]
            .iter()
            .fold(folder.to_owned(), |text, (name, value)| {
                text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
            });
        PathBuf::from(replaced)
    }
}

/// Whether `facts` are those of a library for `machine`.
pub(crate) fn serves(facts: &ElfFacts, machine: Machine) -> bool {
    facts.machine == machine
}

/// Reads the cache's table of (name, path); `None` where it is not in the known format.
fn parse_cache(bytes: &[u8]) -> Option<BTreeMap<String, Vec<PathBuf>>> {
    let start = bytes.windows(CACHE_MAGIC.len()).position(|window| window == CACHE_MAGIC)?;
    let table = &bytes[start..];
    let count = word(table, CACHE_MAGIC.len())? as usize;
    let mut libraries = BTreeMap::<String, Vec<PathBuf>>::new();
    for index in 0..count {
        let entry = CACHE_HEADER + index * CACHE_ENTRY;
        let name = text(table, word(table, entry + 4)?)?;
        let path = text(table, word(table, entry + 8)?)?;
        libraries.entry(name.to_owned()).or_default().push(PathBuf::from(path));
    }
    Some(libraries)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let word = bytes.get(at..at + 4)?;
    Some(u32::from_ne_bytes(word.try_into().ok()?))
}

fn text(bytes: &[u8], at: u32) -> Option<&str> {
    let rest = bytes.get(at as usize..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    std::str::from_utf8(&rest[..end]).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_of_this_system_has_its_c_library() {
        let libraries = Libraries::of_system();
        let paths = &libraries.cached["libc.so.6"];
        assert!(paths.iter().all(|path| path.is_absolute() && path.exists()), "{paths:?}");
    }

    #[test]
    fn a_runpath_makes_the_search_paths_of_others_void() {
        let mut facts = crate::elf::facts(Path::new("/proc/self/exe")).unwrap().unwrap();
        facts.rpath = vec!["$ORIGIN/../lib".to_owned()];
        facts.runpath = Vec::new();
        let inherited = [PathBuf::from("/opt/app")];
        let path = Path::new("/usr/bin/tool");
        let folders = |facts: &ElfFacts| {
            Asker { path, facts, inherited: &inherited }.folders().collect::<Vec<_>>()
        };
        assert_eq!(folders(&facts), ["/usr/bin/../lib", "/opt/app"].map(PathBuf::from));
        facts.runpath = vec!["${ORIGIN}/x".to_owned()];
        assert_eq!(folders(&facts), ["/usr/bin/x"].map(PathBuf::from));
    }

    #[test]
    fn a_foreign_or_cut_cache_is_no_cache() {
        assert_eq!(parse_cache(b"something else"), None);
        let mut cut = CACHE_MAGIC.to_vec();
        cut.extend(7_u32.to_ne_bytes());
        assert_eq!(parse_cache(&cut), None);
    }
}
