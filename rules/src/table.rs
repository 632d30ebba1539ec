//! Which rules and toolchains are in sight of a package.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::Checked;
use crate::package::PackageDef;
use crate::rule::{RuleDef, ToolchainDef};
use crate::scope::Scope;

/// The rules in sight of a package, with the toolchains that each may name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleTable {
    rules: BTreeMap<String, TableEntry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TableEntry {
    rule: Arc<RuleDef>,
    toolchains: Arc<BTreeMap<String, Arc<ToolchainDef>>>,
}

impl RuleTable {
    /// The core rules, those of `package` and those of the files it uses.
    pub fn new(_package: &PackageDef, _scope: &dyn Scope) -> Checked<Self> {
        Checked::default()
    }

    /// The rule `name`.
    pub fn rule(&self, name: &str) -> Option<&Arc<RuleDef>> {
        self.rules.get(name).map(|entry| &entry.rule)
    }

    /// The rules in sight, by name.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<RuleDef>> {
        self.rules.values().map(|entry| &entry.rule)
    }

    /// The toolchain that the rule `rule` means by `name`.
    pub fn toolchain(&self, rule: &str, name: &str) -> Option<&Arc<ToolchainDef>> {
        self.rules.get(rule)?.toolchains.get(name)
    }
}
