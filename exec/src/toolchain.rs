//! Toolchains: what a set of programs consists of, found by reading, never by running it.
//!
//! The closure of a program is the file itself, its loader and libraries or its interpreter, and
//! the data it declares. It is part of the action's key and, the same list, what Landlock lets
//! the task execute and read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use vwfb_cas::Digest;

use crate::base::{BASE_TOOLCHAIN, BASE_TOOLS};
use crate::elf::{self, ElfFacts};
use crate::fingerprint::{Part, Place, Role, fingerprint};
use crate::libraries::{LOADER_CACHE, Libraries};
use crate::saved::SavedClosure;
use crate::sight::Sight;
use crate::walk::Walk;

/// Where programs are looked for unless they are declared with a path.
pub const SEARCH_PATH: &[&str] = &["/usr/local/bin", "/usr/bin", "/bin"];

/// The digests of files outside the store; behind it there may be a cache.
pub trait FileDigests {
    /// The digest of the bytes of the regular file at `path`, an absolute path without links.
    ///
    /// # Errors
    /// If it is no regular file, cannot be read, or does not keep still.
    fn digest(&self, path: &Path) -> io::Result<Digest>;

    /// The same, where `metadata` was read from `path` just now: for a cache that goes by it.
    ///
    /// # Errors
    /// As [`digest`](Self::digest).
    fn digest_of(&self, path: &Path, metadata: &Metadata) -> io::Result<Digest> {
        let _ = metadata;
        self.digest(path)
    }
}

/// What a toolchain declares.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolSpec {
    /// Its name.
    pub name: String,
    /// Its programs.
    pub programs: Vec<ProgramSpec>,
    /// Files and folders it reads, absolute.
    pub data: Vec<PathBuf>,
}

impl ToolSpec {
    /// The toolchain of scripts: those of [`BASE_TOOLS`] that this system has, and the shell.
    pub fn base() -> Self {
        let programs = BASE_TOOLS.iter().map(|name| ProgramSpec {
            name: (*name).to_owned(),
            path: None,
            optional: *name != "sh",
        });
        Self { name: BASE_TOOLCHAIN.to_owned(), programs: programs.collect(), data: Vec::new() }
    }
}

/// One program of a toolchain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProgramSpec {
    /// Its name as declared, by which actions call it: `ffmpeg`, `/opt/x/bin/y`, `//tools/gen.sh`.
    pub name: String,
    /// Where it is; without, a name with a leading `/` is its path and another is looked for.
    pub path: Option<PathBuf>,
    /// Whether it is left out where it does not exist.
    pub optional: bool,
}

impl ProgramSpec {
    /// A program by name on the search path, or by absolute path.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), path: None, optional: false }
    }

    /// A program whose declared name stands for `path`.
    pub fn at(name: &str, path: &Path) -> Self {
        Self { name: name.to_owned(), path: Some(path.to_owned()), optional: false }
    }
}

/// All that a toolchain consists of on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// Declared names, file names and interpreters found by name -> the file to start.
    pub programs: BTreeMap<String, PathBuf>,
    /// Every file by absolute path, for people; folders of data are listed file by file.
    pub components: BTreeMap<String, Digest>,
    /// The digest of it all, independent of where its programs and libraries are installed.
    pub fingerprint: Digest,
    /// Files that tasks may execute, without links.
    pub executable: BTreeSet<PathBuf>,
    /// Further files and folders that tasks may read, without links.
    pub readable: BTreeSet<PathBuf>,
}

/// A toolchain's closure cannot be computed.
#[derive(Debug, thiserror::Error)]
pub enum ToolError {
    /// A program is nowhere.
    #[error("no program `{name}` in {searched}{}", advice(name))]
    Missing {
        /// Its declared name.
        name: String,
        /// Where it was looked for.
        searched: String,
    },
    /// A program asks for a library, loader or interpreter that is nowhere.
    #[error("`{}` needs `{needs}`, which is not installed", program.display())]
    Needs {
        /// The program or library.
        program: PathBuf,
        /// What it asks for.
        needs: String,
    },
    /// Declared data is nowhere.
    #[error("no file or folder `{}`, which the toolchain `{toolchain}` declares", path.display())]
    Data {
        /// The toolchain.
        toolchain: String,
        /// What it declares.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What to do about a program that is on none of the fixed folders.
fn advice(name: &str) -> &'static str {
    if name.contains('/') {
        ""
    } else {
        "; if it is elsewhere, declare its absolute path as the `program` of a `toolchain`"
    }
}

/// Finds closures; remembers what it has read of programs and libraries for one build.
#[derive(Debug)]
pub struct Toolchains {
    search: Vec<PathBuf>,
    /// Of the loader's cache with this digest, or of none.
    libraries: Mutex<Option<(Option<Digest>, Arc<Libraries>)>>,
    /// Of files with these digests.
    elf: Mutex<HashMap<PathBuf, (Digest, Facts)>>,
}

/// The facts of a file; none of one that is no ELF file.
type Facts = Option<Arc<ElfFacts>>;

impl Toolchains {
    /// Looks for programs in `first` and then in [`SEARCH_PATH`].
    pub fn new(first: &[PathBuf]) -> Self {
        let fixed = SEARCH_PATH.iter().map(PathBuf::from);
        Self {
            search: first.iter().cloned().chain(fixed).collect(),
            libraries: Mutex::default(),
            elf: Mutex::default(),
        }
    }

    /// The closure of `tool` as it is installed now.
    ///
    /// # Errors
    /// See [`ToolError`].
    pub fn closure(
        &self,
        tool: &ToolSpec,
        digests: &dyn FileDigests,
    ) -> Result<Closure, ToolError> {
        self.find(tool, digests).map(|found| Arc::unwrap_or_clone(found.closure))
    }

    /// The closure of `tool` as it is installed now, with what it follows from.
    ///
    /// # Errors
    /// See [`ToolError`].
    pub fn find(
        &self,
        tool: &ToolSpec,
        digests: &dyn FileDigests,
    ) -> Result<SavedClosure, ToolError> {
        let sight = Sight::new(digests);
        let mut walk = Walk::new(self, &sight);
        for program in &tool.programs {
            match self.locate(program, &sight) {
                Ok(path) => walk.program(&program.name, &path)?,
                Err(_) if program.optional => {}
                Err(missing) => return Err(missing),
            }
        }
        for path in &tool.data {
            walk.data(&tool.name, path)?;
        }
        let closure = Arc::new(walk.finish()?.close(&sight)?);
        let (tool, search) = (tool.clone(), self.search.clone());
        match sight.evidence() {
            Ok(evidence) => Ok(SavedClosure { tool, search, closure, evidence }),
            Err(path) => Err(ToolError::Read {
                path,
                source: io::Error::other("it changes while it is read"),
            }),
        }
    }

    /// Whether `saved` is what [`find`](Self::find) would find now for the same declaration.
    pub fn vouch_for(&self, saved: &SavedClosure, digests: &dyn FileDigests) -> bool {
        saved.search == self.search && saved.still_holds(digests)
    }

    /// Where a program is; neither links nor what they lead to are resolved.
    fn locate(&self, program: &ProgramSpec, sight: &Sight<'_>) -> Result<PathBuf, ToolError> {
        let missing =
            |searched: String| ToolError::Missing { name: program.name.clone(), searched };
        let name = Path::new(&program.name);
        match program.path.as_deref().or(name.is_absolute().then_some(name)) {
            Some(path) if sight.is_program(path) => Ok(path.to_owned()),
            Some(path) => Err(missing(format!("`{}`", path.display()))),
            None => self.lookup(&program.name, sight).ok_or_else(|| missing(self.searched())),
        }
    }

    /// The first program of that name on the search path.
    pub(crate) fn lookup(&self, name: &str, sight: &Sight<'_>) -> Option<PathBuf> {
        let places = self.search.iter().map(|folder| folder.join(name));
        places.into_iter().find(|path| sight.is_program(path))
    }

    fn searched(&self) -> String {
        let folders: Vec<_> = self.search.iter().map(|path| path.to_string_lossy()).collect();
        format!("`{}`", folders.join(":"))
    }

    /// The facts of the file at `path`, which has no links.
    pub(crate) fn elf(&self, path: &Path, sight: &Sight<'_>) -> Result<Facts, ToolError> {
        let read = |source| ToolError::Read { path: path.to_owned(), source };
        let digest = sight.digest(path).map_err(read)?;
        let known = self.elf.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        if let Some((_, facts)) = known.filter(|(of, _)| *of == digest) {
            return Ok(facts);
        }
        let facts = elf::facts(path).map_err(read)?.map(Arc::new);
        let mut cache = self.elf.lock().unwrap_or_else(PoisonError::into_inner);
        cache.insert(path.to_owned(), (digest, facts.clone()));
        Ok(facts)
    }

    /// The libraries in the loader's cache.
    pub(crate) fn libraries(&self, sight: &Sight<'_>) -> Arc<Libraries> {
        let place = sight.real(Path::new(LOADER_CACHE));
        let digest = place.as_deref().ok().and_then(|place| sight.digest(place).ok());
        let mut known = self.libraries.lock().unwrap_or_else(PoisonError::into_inner);
        match &*known {
            Some((of, libraries)) if *of == digest => Arc::clone(libraries),
            _ => {
                let libraries = Arc::new(Libraries::of_system());
                *known = Some((digest, Arc::clone(&libraries)));
                libraries
            }
        }
    }
}

/// A closure whose files have been found and not yet read.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What [`Closure::programs`] will be.
    pub(crate) programs: BTreeMap<String, PathBuf>,
    /// Regular files, without links, with all that they are to the toolchain.
    pub(crate) files: BTreeMap<PathBuf, BTreeSet<Place>>,
    /// What cannot be read as a file, with the digest that stands for it.
    pub(crate) unread: Vec<(Place, PathBuf, Digest)>,
    /// Folders of data, and files that links in them lead to.
    pub(crate) readable: BTreeSet<PathBuf>,
}

impl Found {
    fn close(self, sight: &Sight<'_>) -> Result<Closure, ToolError> {
        let mut parts = BTreeSet::new();
        let mut components = BTreeMap::new();
        let mut executable = BTreeSet::new();
        let mut readable = self.readable;
        for (path, places) in self.files {
            let read = |source| ToolError::Read { path: path.clone(), source };
            let digest = sight.digest(&path).map_err(read)?;
            components.insert(path.to_string_lossy().into_owned(), digest);
            for place in places {
                match place.role {
                    Role::Program | Role::Interpreter => executable.insert(path.clone()),
                    Role::Library => readable.insert(path.clone()),
                    Role::Data => false,
                };
                parts.insert(Part { place, digest });
            }
        }
        for (place, path, digest) in self.unread {
            components.insert(path.to_string_lossy().into_owned(), digest);
            parts.insert(Part { place, digest });
        }
        let fingerprint = fingerprint(&parts);
        Ok(Closure { programs: self.programs, components, fingerprint, executable, readable })
    }
}
