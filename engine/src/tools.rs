//! The toolchains of this machine: each closure computed once per process and written down, so
//! that `vwfb why` can later say which file of it changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use vwfb_exec::{BASE_TOOLCHAIN, Closure, ProgramSpec, ToolSpec, Toolchains};
use vwfb_rules::task::ToolDef;

use crate::stamps::Stamps;
use crate::state::{State, StateError};
use crate::workers::chain;

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
}

impl Default for Known {
    fn default() -> Self {
        Self { toolchains: Toolchains::new(&[]), closures: BTreeMap::new() }
    }
}

impl Tools {
    /// The tools that the workspace at `root` may declare.
    pub(crate) fn new(root: PathBuf, stamps: Arc<Stamps>) -> Self {
        Self { root, stamps, known: Mutex::default() }
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
        let closure = known.toolchains.closure(&spec(tool, &self.root), &*self.stamps);
        let found = closure.map(Arc::new).map_err(|error| Arc::<str>::from(chain(&error)));
        known.closures.insert(tool.clone(), found.clone());
        found
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets every closure, so that changed tools are seen.
    pub fn refresh(&self) {
        *self.known() = Known::default();
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

fn spec(tool: &ToolDef, root: &Path) -> ToolSpec {
    if tool.name == BASE_TOOLCHAIN && tool.programs.is_empty() {
        return ToolSpec::base();
    }
    let program = |name: &String| match name.strip_prefix("//") {
        Some(path) => ProgramSpec::at(name, &root.join(path)),
        None => ProgramSpec::named(name),
    };
    ToolSpec {
        name: tool.name.clone(),
        programs: tool.programs.iter().map(program).collect(),
        data: tool.data.iter().map(PathBuf::from).collect(),
    }
}
