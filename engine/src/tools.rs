//! The toolchains of this machine: each closure computed once per process and written down, so
//! that `vwfb why` can later say which file of it changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use vwfb_exec::{BASE_TOOLCHAIN, Closure, ProgramSpec, ToolSpec, Toolchains};
use vwfb_rules::task::ToolDef;

use crate::stamps::Stamps;
use crate::state::State;
use crate::workers::chain;

type Found = Result<Arc<Closure>, Arc<str>>;

/// Closures by declaration.
pub struct Tools {
    root: PathBuf,
    stamps: Arc<Stamps>,
    state: Arc<State>,
    toolchains: Toolchains,
    closures: Mutex<BTreeMap<ToolDef, Found>>,
}

impl Tools {
    /// The tools that the workspace at `root` may declare.
    pub(crate) fn new(root: PathBuf, stamps: Arc<Stamps>, state: Arc<State>) -> Self {
        Self { root, stamps, state, toolchains: Toolchains::new(&[]), closures: Mutex::default() }
    }

    /// The closure of `tool`.
    ///
    /// # Errors
    /// In words, if a part of it is not on this machine.
    pub fn closure(&self, tool: &ToolDef) -> Found {
        if let Some(found) = self.closures().get(tool) {
            return found.clone();
        }
        let found = self.compute(tool);
        self.closures().entry(tool.clone()).or_insert(found).clone()
    }

    fn closures(&self) -> std::sync::MutexGuard<'_, BTreeMap<ToolDef, Found>> {
        self.closures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets every closure, so that changed tools are seen.
    pub fn refresh(&self) {
        self.closures().clear();
    }

    fn compute(&self, tool: &ToolDef) -> Found {
        let spec = spec(tool, &self.root);
        let closure = self
            .toolchains
            .closure(&spec, &*self.stamps)
            .map_err(|error| Arc::<str>::from(chain(&error)))?;
        self.state
            .record_closure(closure.fingerprint, &closure.components)
            .map_err(|error| Arc::<str>::from(chain(&error)))?;
        Ok(Arc::new(closure))
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
