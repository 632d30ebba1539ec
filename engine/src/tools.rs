//! The toolchains of this machine: each closure found once, kept for later processes for as long as
//! all that it follows from is the same, and written down, so that `vwfb why` can later say which
//! file of it changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vwfb_cas::Digest;
use vwfb_exec::{BASE_TOOLCHAIN, Closure, ProgramSpec, SavedClosure, ToolSpec, Toolchains};
use vwfb_rules::task::ToolDef;

use crate::chain::chain;
use crate::stamps::Stamps;
use crate::state::{State, StateError};

/// The program that comes with vwfb, and is looked for beside it first.
pub const KIT: &str = "vwfb-kit";

/// How many closures are kept for a later process; those of this one come first.
const MOST_SAVED: usize = 256;

type Found = Result<Arc<Closure>, Arc<str>>;

/// Closures by declaration.
pub struct Tools {
    root: PathBuf,
    stamps: Arc<Stamps>,
    known: Mutex<Known>,
}

/// What was found out since the last look.
struct Known {
    toolchains: Toolchains,
    closures: BTreeMap<ToolDef, Found>,
    /// Found before, and not looked at since.
    earlier: Vec<SavedClosure>,
    /// Found, or found to hold still, since the last look.
    present: Vec<SavedClosure>,
    /// How many closures were searched for since the last look.
    searched: usize,
}

impl Default for Known {
    fn default() -> Self {
        Self {
            toolchains: Toolchains::new(&[]),
            closures: BTreeMap::new(),
            earlier: Vec::new(),
            present: Vec::new(),
            searched: 0,
        }
    }
}

impl Tools {
    /// The tools that the workspace at `root` may declare.
    pub(crate) fn new(root: PathBuf, stamps: Arc<Stamps>) -> Self {
        Self { root, stamps, known: Mutex::default() }
    }

    /// The tools that can be declared outside of workspaces.
    pub fn of_machine() -> Self {
        Self::new(PathBuf::from("/"), Arc::new(Stamps::new(Arc::new(()))))
    }

    /// The closure of `tool`.
    ///
    /// # Errors
    /// In words, if a part of it is not on this machine.
    pub fn closure(&self, tool: &ToolDef) -> Found {
        let mut known = self.known();
        if let Some(found) = known.closures.get(tool) {
            return found.clone();
        }
        let found = known.closure(&spec(tool, &self.root, beside()), &self.stamps);
        let found = found.map(|closure| versioned(tool, closure));
        known.closures.insert(tool.clone(), found.clone());
        found
    }

    /// The files of the closure with this fingerprint, if it was found since the last look.
    pub(crate) fn files(&self, fingerprint: Digest) -> Option<BTreeMap<String, Digest>> {
        let known = self.known();
        let mut closures = known.closures.values().flatten();
        closures.find(|closure| closure.fingerprint == fingerprint).map(|it| it.components.clone())
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets every answer, so that changed tools are seen.
    pub fn refresh(&self) {
        let mut known = self.known();
        let earlier = known.all().cloned().collect();
        *known = Known { earlier, ..Known::default() };
    }

    /// The closures found so far, for [`restore`](Self::restore) in a later process.
    pub fn saved(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for saved in self.known().all().take(MOST_SAVED) {
            let saved = saved.encode();
            bytes.extend((saved.len() as u64).to_le_bytes());
            bytes.extend(saved);
        }
        bytes
    }

    /// Takes up what [`saved`](Self::saved) returned. Of each closure all that it follows from is
    /// looked at before it is used; bytes that cannot be read are left out.
    pub fn restore(&self, mut bytes: &[u8]) {
        let mut known = self.known();
        while let Some((length, rest)) = bytes.split_first_chunk() {
            let length = usize::try_from(u64::from_le_bytes(*length)).unwrap_or(usize::MAX);
            let Some((saved, rest)) = rest.split_at_checked(length) else { return };
            let saved = SavedClosure::decode(saved);
            // One may be in what another request left, too.
            let new = saved.filter(|it| !known.all().any(|known| known.tool() == it.tool()));
            known.earlier.extend(new);
            bytes = rest;
        }
    }

    /// How many closures were searched for since the last look: those that were asked for and of
    /// which no earlier one holds.
    pub fn searched(&self) -> usize {
        self.known().searched
    }

    /// Writes down what the fingerprints stand for.
    ///
    /// # Errors
    /// If the workspace's memory cannot be written.
    pub(crate) fn record(&self, state: &State) -> Result<(), StateError> {
        for closure in self.known().closures.values().flatten() {
            state.record_closure(closure.fingerprint, &closure.components)?;
        }
        Ok(())
    }
}

impl Known {
    /// The closure of `tool`: an earlier one that holds still, or the one that is found now.
    fn closure(&mut self, tool: &ToolSpec, stamps: &Stamps) -> Found {
        let earlier = self.earlier.iter().position(|saved| saved.tool() == tool);
        let earlier = earlier.map(|index| self.earlier.swap_remove(index));
        let saved = match earlier.filter(|saved| self.toolchains.vouch_for(saved, stamps)) {
            Some(saved) => saved,
            None => {
                self.searched += 1;
                let found = self.toolchains.find(tool, stamps);
                found.map_err(|error| Arc::<str>::from(chain(&error)))?
            }
        };
        let closure = Arc::clone(saved.closure());
        self.present.push(saved);
        Ok(closure)
    }

    /// The present ones first.
    fn all(&self) -> impl Iterator<Item = &SavedClosure> {
        self.present.iter().chain(&self.earlier)
    }
}

/// The closure of `tool`, known by the tool's declared version if it has one.
fn versioned(tool: &ToolDef, closure: Arc<Closure>) -> Arc<Closure> {
    let Some(version) = &tool.version else { return closure };
    let said = format!("vwfb toolchain\n{}\n{version}", tool.name);
    let fingerprint = Digest::of(said.as_bytes());
    Arc::new(Closure { fingerprint, ..Closure::clone(&closure) })
}

/// The folder of the program that runs.
fn beside() -> Option<PathBuf> {
    Some(std::env::current_exe().ok()?.parent()?.to_owned())
}

fn spec(tool: &ToolDef, root: &Path, beside: Option<PathBuf>) -> ToolSpec {
    if tool.name == BASE_TOOLCHAIN && tool.programs.is_empty() {
        return ToolSpec::base();
    }
    let own = beside.map(|folder| folder.join(KIT)).filter(|path| path.is_file());
    let data = |path: &String| match path.strip_prefix("//") {
        Some(path) => root.join(path),
        None => PathBuf::from(path),
    };
    let program = |name: &String| match (name.strip_prefix("//"), &own) {
        (Some(path), _) => ProgramSpec::at(name, &root.join(path)),
        (None, Some(own)) if name == KIT => ProgramSpec::at(name, own),
        (None, _) => ProgramSpec::named(name),
    };
    ToolSpec {
        name: tool.name.clone(),
        programs: tool.programs.iter().map(program).collect(),
        data: tool.data.iter().map(data).collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tools(root: &Path) -> Tools {
        Tools::new(root.to_owned(), Arc::new(Stamps::new(Arc::new(()))))
    }

    fn tool(program: &str) -> ToolDef {
        ToolDef { name: "gen".into(), programs: vec![program.into()], ..ToolDef::default() }
    }

    fn script(root: &Path, text: &str) {
        let path = root.join("gen.sh");
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_restored_closure_is_not_searched_for_until_it_changes() {
        let temp = tempfile::tempdir().unwrap();
        script(temp.path(), "#!/bin/sh\n");
        let first = tools(temp.path());
        let found = first.closure(&tool("//gen.sh")).unwrap();
        let shell = first.closure(&tool("sh")).unwrap();
        assert_eq!(first.searched(), 2);

        let second = tools(temp.path());
        second.restore(&first.saved());
        assert_eq!(second.closure(&tool("//gen.sh")).unwrap(), found);
        assert_eq!(second.searched(), 0);
        // What was not asked for is kept, too.
        let third = tools(temp.path());
        third.restore(&second.saved());
        assert_eq!(third.closure(&tool("sh")).unwrap(), shell);
        assert_eq!(third.searched(), 0);

        script(temp.path(), "#!/bin/sh\n:\n");
        assert_ne!(third.closure(&tool("//gen.sh")).unwrap().fingerprint, found.fingerprint);
        assert_eq!(third.searched(), 1);
        assert_eq!(
            third.closure(&tool("none")).unwrap_err(),
            second.closure(&tool("none")).unwrap_err()
        );
    }

    #[test]
    fn what_two_requests_left_is_kept_once() {
        let temp = tempfile::tempdir().unwrap();
        let first = tools(temp.path());
        first.closure(&tool("sh")).unwrap();
        let second = tools(temp.path());
        second.restore(&first.saved());
        second.restore(&first.saved());
        assert_eq!(second.saved(), first.saved());
        second.closure(&tool("sh")).unwrap();
        second.restore(&first.saved());
        assert_eq!(second.saved(), first.saved());
    }

    #[test]
    fn data_is_absolute_or_below_the_workspace() {
        let data = vec!["//voices/de".into(), "/usr/share/voices".into()];
        let tool = ToolDef { data, ..tool("sh") };
        let spec = spec(&tool, Path::new("/w"), None);
        assert_eq!(spec.data, ["/w/voices/de", "/usr/share/voices"].map(PathBuf::from));
    }

    #[test]
    fn a_refresh_looks_again_and_searches_only_for_what_changed() {
        let temp = tempfile::tempdir().unwrap();
        script(temp.path(), "#!/bin/sh\n");
        let tools = tools(temp.path());
        let found = tools.closure(&tool("//gen.sh")).unwrap();
        tools.closure(&tool("sh")).unwrap();
        script(temp.path(), "#!/bin/sh\n:\n");
        assert_eq!(tools.closure(&tool("//gen.sh")).unwrap(), found, "until the next look");
        tools.refresh();
        assert_ne!(tools.closure(&tool("//gen.sh")).unwrap(), found);
        tools.closure(&tool("sh")).unwrap();
        assert_eq!(tools.searched(), 1);
    }

    #[test]
    fn only_our_own_program_is_found_beside_us() {
        let temp = tempfile::tempdir().unwrap();
        let named = |name: &str, beside| {
            let programs = vec![name.into()];
            let tool = ToolDef { name: name.into(), programs, ..ToolDef::default() };
            spec(&tool, Path::new("/w"), beside).programs.remove(0)
        };
        let beside = || Some(temp.path().to_owned());
        assert_eq!(named(KIT, beside()), ProgramSpec::named(KIT), "it is not there");
        for name in [KIT, "ffmpeg"] {
            fs::write(temp.path().join(name), "").unwrap();
        }
        assert_eq!(named(KIT, beside()), ProgramSpec::at(KIT, &temp.path().join(KIT)));
        assert_eq!(named("ffmpeg", beside()), ProgramSpec::named("ffmpeg"));
        assert_eq!(named(KIT, None), ProgramSpec::named(KIT));
    }

    #[test]
    fn bytes_that_are_no_closures_are_left_out() {
        let temp = tempfile::tempdir().unwrap();
        let tools = tools(temp.path());
        tools.closure(&tool("sh")).unwrap();
        let saved = tools.saved();
        for bytes in [&saved[..saved.len() - 1], &saved[8..], &[7; 8], &[]] {
            let other = self::tools(temp.path());
            other.restore(bytes);
            other.closure(&tool("sh")).unwrap();
            assert_eq!(other.searched(), 1);
        }
    }
}
