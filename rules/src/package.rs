//! `BUILD.kdl`: the targets of one package, read but not yet typed.

use std::sync::Arc;

use crate::diagnostic::{Anchor, Checked};
use crate::label::WsPath;
use crate::rule_file::RuleFile;
use crate::syntax::Node;
use crate::vars::VarDef;

/// What a `BUILD.kdl` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageDef {
    /// Its folder.
    pub package: WsPath,
    /// The file.
    pub file: WsPath,
    /// Its own rules, toolchains and `use` nodes.
    pub own: Arc<RuleFile>,
    /// Its variables.
    pub vars: Vec<VarDef>,
    /// Its targets, in order; of two with one name only the first.
    pub targets: Vec<Arc<TargetDef>>,
}

impl PackageDef {
    /// The target `name`.
    pub fn target(&self, name: &str) -> Option<&Arc<TargetDef>> {
        self.targets.iter().find(|target| target.name == name)
    }
}

/// A target as written. It stays equal while its own node does, whatever else changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDef {
    /// Its name.
    pub name: String,
    /// The rule it names.
    pub rule: String,
    /// Its node.
    pub node: Node,
}

impl TargetDef {
    /// Where it is.
    pub fn anchor(&self) -> &Anchor {
        &self.node.anchor
    }
}

/// The package that `text` declares, and what is wrong with it.
pub fn package(file: &WsPath, _text: &str) -> Checked<PackageDef> {
    Checked::clean(PackageDef { file: file.clone(), ..PackageDef::default() })
}
