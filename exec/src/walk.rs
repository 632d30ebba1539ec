//! Follows what a toolchain declares to every file it consists of.

use std::collections::{HashSet, VecDeque};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_cas::Digest;

use crate::elf::ElfFacts;
use crate::fingerprint::{Place, Role};
use crate::libraries::{Asker, serves};
use crate::shebang::{Shebang, shebang};
use crate::sight::{Seen, Sight};
use crate::toolchain::{Found, ToolError, Toolchains};

/// Libraries that a library opens by name when it must: (who, what).
const OPENED_BY_NAME: &[(&str, &str)] = &[
    // To end a thread, or to show where it stopped.
    ("libc.so.6", "libgcc_s.so.1"),
];

/// A walk over one toolchain.
pub(crate) struct Walk<'a> {
    toolchains: &'a Toolchains,
    sight: &'a Sight<'a>,
    found: Found,
}

/// The declared program that the walk follows.
#[derive(Clone, Copy)]
struct Owner<'a>(&'a str);

/// A loaded file that may ask for more.
struct Loaded {
    path: PathBuf,
    facts: Arc<ElfFacts>,
    inherited: Vec<PathBuf>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(toolchains: &'a Toolchains, sight: &'a Sight<'a>) -> Self {
        Self { toolchains, sight, found: Found::default() }
    }

    /// Adds a program with all it needs to start.
    pub(crate) fn program(&mut self, declared: &str, path: &Path) -> Result<(), ToolError> {
        let name = file_name(Path::new(declared));
        self.found.programs.insert(declared.to_owned(), path.to_owned());
        self.found.programs.entry(name).or_insert_with(|| path.to_owned());
        self.needs(Owner(declared), self.real(path)?)
    }

    /// Adds a file or a folder with all below it.
    pub(crate) fn data(&mut self, toolchain: &str, path: &Path) -> Result<(), ToolError> {
        let Ok(root) = self.sight.real(path) else {
            return Err(ToolError::Data { toolchain: toolchain.to_owned(), path: path.to_owned() });
        };
        self.entry(&Data { declared: path, root: &root }, &root, &mut Vec::new())?;
        self.found.readable.insert(root);
        Ok(())
    }

    /// Adds what is at `path`; `within` are the folders, without links, that led to it.
    fn entry(
        &mut self,
        data: &Data<'_>,
        path: &Path,
        within: &mut Vec<PathBuf>,
    ) -> Result<(), ToolError> {
        match self.sight.resolve(path) {
            Ok((real, Seen::File { .. })) => self.datum(data, path, real),
            Ok((real, Seen::Folder)) if !within.contains(&real) => {
                let names = self.sight.names(&real);
                let names = names.map_err(|source| read_error(path, source))?;
                within.push(real);
                for name in names {
                    self.entry(data, &path.join(name), within)?;
                }
                within.pop();
                Ok(())
            }
            // Reading a pipe or a device would wait, or not end.
            Ok((_, Seen::Special)) => {
                self.unread(data, path, b"special file");
                Ok(())
            }
            // It leads nowhere or in a circle.
            Ok(_) => self.link(data, path, within, io::Error::other("it leads in a circle")),
            Err(error) => self.link(data, path, within, error),
        }
    }

    /// All that was found.
    pub(crate) fn finish(mut self) -> Result<Found, ToolError> {
        for (name, path) in self.found.programs.clone() {
            let name = name.into_bytes();
            let place = Place { role: Role::Program, owner: Vec::new(), name, variant: 0 };
            let real = self.real(&path)?;
            self.add(place, &real);
        }
        Ok(self.found)
    }

    /// Adds what the file at `real` needs to be executed.
    fn needs(&mut self, owner: Owner<'_>, real: PathBuf) -> Result<(), ToolError> {
        match self.toolchains.elf(&real, self.sight)? {
            Some(facts) => self.load(owner, real, facts),
            None => match shebang(&real).map_err(|source| read_error(&real, source))? {
                Some(line) => self.interpreter(owner, &real, line),
                None => Ok(()),
            },
        }
    }

    /// Adds what runs a script, with all that this needs. One that is known ends a circle.
    fn runner(&mut self, owner: Owner<'_>, name: &Path, path: &Path) -> Result<(), ToolError> {
        let real = self.real(path)?;
        let place = owner.place(Role::Interpreter, name, 0);
        if self.add(place, &real) { self.needs(owner, real) } else { Ok(()) }
    }

    fn real(&self, path: &Path) -> Result<PathBuf, ToolError> {
        self.sight.real(path).map_err(|source| read_error(path, source))
    }

    /// Whether the file is new in that place.
    fn add(&mut self, place: Place, path: &Path) -> bool {
        self.found.files.entry(path.to_owned()).or_default().insert(place)
    }

    fn interpreter(
        &mut self,
        owner: Owner<'_>,
        script: &Path,
        line: Shebang,
    ) -> Result<(), ToolError> {
        let needs =
            |needs: &str| ToolError::Needs { program: script.to_owned(), needs: needs.to_owned() };
        if self.sight.real(&line.interpreter).is_err() {
            return Err(needs(&line.interpreter.to_string_lossy()));
        }
        self.runner(owner, &line.interpreter, &line.interpreter)?;
        let Some(name) = line.looked_up else {
            return Ok(());
        };
        let path = self.toolchains.lookup(&name, self.sight).ok_or_else(|| needs(&name))?;
        // `env` must find it on the task's own search path.
        self.found.programs.entry(file_name(Path::new(&name))).or_insert_with(|| path.clone());
        self.runner(owner, Path::new(&name), &path)
    }

    /// Adds the loader and all libraries, breadth first as the loader does.
    fn load(
        &mut self,
        owner: Owner<'_>,
        path: PathBuf,
        facts: Arc<ElfFacts>,
    ) -> Result<(), ToolError> {
        if let Some(loader) = &facts.interpreter {
            let needs = || ToolError::Needs {
                program: path.clone(),
                needs: loader.to_string_lossy().into_owned(),
            };
            let real = self.sight.real(loader).map_err(|_| needs())?;
            self.add(owner.place(Role::Interpreter, loader, 0), &real);
        }
        let mut loaded = HashSet::new();
        let mut queue = VecDeque::from([Loaded { path, facts, inherited: Vec::new() }]);
        while let Some(file) = queue.pop_front() {
            for name in wanted(&file) {
                if loaded.insert(name.clone()) {
                    self.library(owner, &file, &name, &mut loaded, &mut queue)?;
                }
            }
        }
        Ok(())
    }

    fn library(
        &mut self,
        owner: Owner<'_>,
        asker: &Loaded,
        name: &str,
        loaded: &mut HashSet<String>,
        queue: &mut VecDeque<Loaded>,
    ) -> Result<(), ToolError> {
        let (toolchains, sight) = (self.toolchains, self.sight);
        let facts_of = |path: &Path| {
            let real = sight.real(path).ok()?;
            let facts = toolchains.elf(&real, sight).ok()??;
            serves(&facts, asker.facts.machine).then_some((real, facts))
        };
        let asking = asker.asking();
        let found =
            toolchains.libraries(sight).find(name, &asking, &|path| facts_of(path).is_some());
        if found.is_empty() && asker.facts.needed.iter().any(|needed| needed == name) {
            let (program, needs) = (asker.path.clone(), name.to_owned());
            return Err(ToolError::Needs { program, needs });
        }
        let mut inherited = asking.rpath();
        inherited.extend_from_slice(&asker.inherited);
        for (variant, (real, facts)) in (0..).zip(found.iter().filter_map(|path| facts_of(path))) {
            loaded.extend(facts.soname.clone());
            self.add(owner.place(Role::Library, Path::new(name), variant), &real);
            queue.push_back(Loaded { path: real, facts, inherited: inherited.clone() });
        }
        Ok(())
    }

    fn datum(&mut self, data: &Data<'_>, path: &Path, real: PathBuf) -> Result<(), ToolError> {
        if !real.starts_with(data.root) {
            self.found.readable.insert(real.clone());
        }
        self.add(data.place(path), &real);
        Ok(())
    }

    /// A link that leads nowhere or in a circle counts as its own text.
    fn link(
        &mut self,
        data: &Data<'_>,
        path: &Path,
        within: &[PathBuf],
        error: io::Error,
    ) -> Result<(), ToolError> {
        let name = path.file_name().unwrap_or_default();
        let at = within.last().map(|folder| folder.join(name));
        match at.map(|at| self.sight.look(&at)) {
            Some(Seen::Link(text)) => {
                self.unread(data, path, text.as_os_str().as_bytes());
                Ok(())
            }
            _ => Err(read_error(path, error)),
        }
    }

    /// Adds what is no file and counts as `text`.
    fn unread(&mut self, data: &Data<'_>, path: &Path, text: &[u8]) {
        self.found.unread.push((data.place(path), path.to_owned(), Digest::of(text)));
    }
}

impl Owner<'_> {
    fn place(self, role: Role, name: &Path, variant: u64) -> Place {
        let (owner, name) = (self.0.into(), name.as_os_str().as_bytes().to_vec());
        Place { role, owner, name, variant }
    }
}

/// Data that a toolchain declares, and where that leads.
struct Data<'a> {
    declared: &'a Path,
    root: &'a Path,
}

impl Data<'_> {
    fn place(&self, path: &Path) -> Place {
        let bytes = |path: &Path| path.as_os_str().as_bytes().to_vec();
        let name = bytes(path.strip_prefix(self.root).unwrap_or(path));
        Place { role: Role::Data, owner: bytes(self.declared), name, variant: 0 }
    }
}

impl Loaded {
    fn asking(&self) -> Asker<'_> {
        Asker { path: &self.path, facts: &self.facts, inherited: &self.inherited }
    }
}

/// What a file asks for, and what it is known to open by name.
fn wanted(file: &Loaded) -> Vec<String> {
    let opened = OPENED_BY_NAME
        .iter()
        .filter(|(who, _)| file.facts.soname.as_deref() == Some(who))
        .map(|(_, what)| (*what).to_owned());
    file.facts.needed.iter().cloned().chain(opened).collect()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn read_error(path: &Path, source: io::Error) -> ToolError {
    ToolError::Read { path: path.to_owned(), source }
}
