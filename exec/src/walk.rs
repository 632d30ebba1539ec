//! Follows what a toolchain declares to every file it consists of.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_cas::Digest;
use walkdir::WalkDir;

use crate::elf::ElfFacts;
use crate::fingerprint::Role;
use crate::libraries::{Asker, serves};
use crate::shebang::{Shebang, shebang};
use crate::toolchain::{Found, ToolError, Toolchains};

/// Libraries that a library opens by name when it must: (who, what).
const OPENED_BY_NAME: &[(&str, &str)] = &[
    // To end a thread, or to show where it stopped.
    ("libc.so.6", "libgcc_s.so.1"),
];

/// A walk over one toolchain.
pub(crate) struct Walk<'a> {
    toolchains: &'a Toolchains,
    files: BTreeMap<(PathBuf, Role), BTreeSet<String>>,
    found: Found,
}

/// A loaded file that may ask for more.
struct Loaded {
    path: PathBuf,
    facts: Arc<ElfFacts>,
    inherited: Vec<PathBuf>,
}

impl<'a> Walk<'a> {
    pub(crate) fn new(toolchains: &'a Toolchains) -> Self {
        Self { toolchains, files: BTreeMap::new(), found: Found::default() }
    }

    /// Adds a program with all it needs to start.
    pub(crate) fn program(&mut self, declared: &str, path: &Path) -> Result<(), ToolError> {
        let name = file_name(Path::new(declared));
        self.found.programs.insert(declared.to_owned(), path.to_owned());
        self.found.programs.entry(name.clone()).or_insert_with(|| path.to_owned());
        self.executable(Role::Program, name, path)
    }

    /// Adds a file or a folder with all below it.
    pub(crate) fn data(&mut self, toolchain: &str, path: &Path) -> Result<(), ToolError> {
        let Ok(root) = path.canonicalize() else {
            return Err(ToolError::Data { toolchain: toolchain.to_owned(), path: path.to_owned() });
        };
        let name = PathBuf::from(file_name(path));
        for entry in WalkDir::new(&root).follow_links(true).sort_by_file_name() {
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {}
                Ok(entry) if entry.file_type().is_file() => {
                    self.datum(&root, &name, entry.path())?;
                }
                // Reading a pipe or a device would wait, or not end.
                Ok(entry) => self.special(below(&root, &name, entry.path()), entry.path()),
                Err(error) => self.link(&root, &name, error)?,
            }
        }
        self.found.readable.insert(root);
        Ok(())
    }

    /// All that was found.
    pub(crate) fn finish(self) -> Found {
        let mut found = self.found;
        for ((path, role), names) in self.files {
            found.files.extend(names.into_iter().map(|name| (role, name, path.clone())));
        }
        found
    }

    fn executable(&mut self, role: Role, name: String, path: &Path) -> Result<(), ToolError> {
        let real = real_path(path)?;
        if !self.add(role, name, &real) {
            return Ok(());
        }
        match self.toolchains.elf(&real)? {
            Some(facts) => self.load(real, facts),
            None => match shebang(&real).map_err(|source| read_error(&real, source))? {
                Some(line) => self.interpreter(&real, line),
                None => Ok(()),
            },
        }
    }

    /// Whether the file is new in that role.
    fn add(&mut self, role: Role, name: String, path: &Path) -> bool {
        let names = self.files.entry((path.to_owned(), role)).or_default();
        let new = names.is_empty();
        names.insert(name);
        new
    }

    fn interpreter(&mut self, script: &Path, line: Shebang) -> Result<(), ToolError> {
        let needs =
            |needs: &str| ToolError::Needs { program: script.to_owned(), needs: needs.to_owned() };
        if !line.interpreter.exists() {
            return Err(needs(&line.interpreter.to_string_lossy()));
        }
        self.executable(Role::Interpreter, file_name(&line.interpreter), &line.interpreter)?;
        let Some(name) = line.looked_up else {
            return Ok(());
        };
        let path = self.toolchains.lookup(&name).ok_or_else(|| needs(&name))?;
        // `env` must find it on the task's own search path.
        self.found.programs.entry(file_name(Path::new(&name))).or_insert_with(|| path.clone());
        self.executable(Role::Interpreter, name, &path)
    }

    /// Adds the loader and all libraries, breadth first as the loader does.
    fn load(&mut self, path: PathBuf, facts: Arc<ElfFacts>) -> Result<(), ToolError> {
        if let Some(loader) = &facts.interpreter {
            let needs = || ToolError::Needs {
                program: path.clone(),
                needs: loader.to_string_lossy().into_owned(),
            };
            let real = loader.canonicalize().map_err(|_| needs())?;
            self.add(Role::Interpreter, file_name(loader), &real);
        }
        let mut loaded = HashSet::new();
        let mut queue = VecDeque::from([Loaded { path, facts, inherited: Vec::new() }]);
        while let Some(file) = queue.pop_front() {
            for name in wanted(&file) {
                if loaded.insert(name.clone()) {
                    self.library(&file, &name, &mut loaded, &mut queue)?;
                }
            }
        }
        Ok(())
    }

    fn library(
        &mut self,
        asker: &Loaded,
        name: &str,
        loaded: &mut HashSet<String>,
        queue: &mut VecDeque<Loaded>,
    ) -> Result<(), ToolError> {
        let toolchains = self.toolchains;
        let facts_of = |path: &Path| {
            let real = path.canonicalize().ok()?;
            let facts = toolchains.elf(&real).ok()??;
            serves(&facts, asker.facts.machine).then_some((real, facts))
        };
        let asking = asker.asking();
        let found = toolchains.libraries.find(name, &asking, &|path| facts_of(path).is_some());
        if found.is_empty() && asker.facts.needed.iter().any(|needed| needed == name) {
            let (program, needs) = (asker.path.clone(), name.to_owned());
            return Err(ToolError::Needs { program, needs });
        }
        let mut inherited = asking.rpath();
        inherited.extend_from_slice(&asker.inherited);
        for (real, facts) in found.iter().filter_map(|path| facts_of(path)) {
            loaded.extend(facts.soname.clone());
            self.add(Role::Library, file_name(Path::new(name)), &real);
            queue.push_back(Loaded { path: real, facts, inherited: inherited.clone() });
        }
        Ok(())
    }

    fn datum(&mut self, root: &Path, name: &Path, path: &Path) -> Result<(), ToolError> {
        let real = real_path(path)?;
        if !real.starts_with(root) {
            self.found.readable.insert(real.clone());
        }
        self.add(Role::Data, below(root, name, path), &real);
        Ok(())
    }

    fn special(&mut self, name: String, path: &Path) {
        self.found.unread.push((name, path.to_owned(), Digest::of(b"special file")));
    }

    /// A link that leads nowhere or in a circle counts as its own text.
    fn link(&mut self, root: &Path, name: &Path, error: walkdir::Error) -> Result<(), ToolError> {
        let path = error.path().unwrap_or(root).to_owned();
        match fs::read_link(&path) {
            Ok(text) => {
                let digest = Digest::of(text.as_os_str().as_bytes());
                self.found.unread.push((below(root, name, &path), path, digest));
                Ok(())
            }
            Err(_) => Err(read_error(&path, error.into())),
        }
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

fn below(root: &Path, name: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(root).unwrap_or(path);
    let joined = if inside.as_os_str().is_empty() { name.to_owned() } else { name.join(inside) };
    joined.to_string_lossy().into_owned()
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn real_path(path: &Path) -> Result<PathBuf, ToolError> {
    path.canonicalize().map_err(|source| read_error(path, source))
}

fn read_error(path: &Path, source: std::io::Error) -> ToolError {
    ToolError::Read { path: path.to_owned(), source }
}
