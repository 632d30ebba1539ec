//! `WORKSPACE.kdl`: variables, profiles, allowed tools and resources of the whole workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Anchor, Checked};
use crate::label::WsPath;
use crate::rule::ToolchainDef;
use crate::syntax::Value;
use crate::vars::VarDef;

/// What `WORKSPACE.kdl` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkspaceDef {
    /// Its name.
    pub name: String,
    /// The file, for diagnostics that point at it.
    pub file: WsPath,
    /// Variables that hold everywhere.
    pub vars: Vec<VarDef>,
    /// Named sets of overrides.
    pub profiles: Vec<ProfileDef>,
    /// Programs that rules outside the built-in library may start.
    pub tools: BTreeSet<String>,
    /// Capacities by name.
    pub resources: BTreeMap<String, u32>,
    /// Toolchains that stand in for those of the same name in rule files.
    pub toolchains: Vec<Arc<ToolchainDef>>,
}

/// A named set of overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileDef {
    /// Its name.
    pub name: String,
    /// Variable -> values, in order.
    pub vars: Vec<(String, Vec<Value>, Anchor)>,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// The workspace that `text` declares, and what is wrong with it.
pub fn workspace(file: &WsPath, _text: &str) -> Checked<WorkspaceDef> {
    Checked::clean(WorkspaceDef { file: file.clone(), ..WorkspaceDef::default() })
}
