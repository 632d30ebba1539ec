//! What a target needs of a machine and of services, as far as its own text says: known also where
//! something else is wrong with it, or with what it is made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cost::Estimate;
use crate::declare::Declared;
use crate::resolve::{model_named, service_named};
use crate::rule::ToolchainDef;
use crate::rule_file::RuleFile;
use crate::service::ServiceUse;
use crate::task::ToolDef;
use crate::tools::{self, tool};
use crate::value::AttrValue;
use crate::workspace::WorkspaceDef;

/// What a target needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needs {
    /// Its tools, each with those of its programs that the workspace does not allow.
    pub tools: Vec<(Arc<ToolDef>, Vec<String>)>,
    /// The service that it asks, if the workspace knows it; without its estimate.
    pub service: Option<ServiceUse>,
    /// The names of the secrets that it is given itself.
    pub secrets: BTreeSet<String>,
}

/// What the target `declared` needs in `workspace`.
pub fn needs(declared: &Declared, workspace: &WorkspaceDef) -> Needs {
    let used = tools::used(&declared.tools, workspace).into_iter();
    let service = service_named(declared).and_then(|(name, _)| {
        let def = workspace.services.get(&name)?.clone();
        let (model, estimate) = (model_named(declared), Estimate::default());
        Some(ServiceUse { name, def, model, estimate })
    });
    let secret = |value: &AttrValue| match value {
        AttrValue::Secret(name) => Some(name.clone()),
        _ => None,
    };
    Needs {
        tools: used.map(|used| (used.tool, used.refused)).collect(),
        service,
        secrets: declared.attrs.values().filter_map(secret).collect(),
    }
}

/// The tools of all rules in `files`, but for those that targets name. A toolchain of a file is that
/// of every other which has none of its name.
pub fn tools_of(files: &[RuleFile]) -> BTreeSet<Arc<ToolDef>> {
    let chains: Vec<&ToolchainDef> =
        files.iter().flat_map(|file| &file.toolchains).map(AsRef::as_ref).collect();
    let named = |file: &RuleFile| -> BTreeSet<Arc<ToolDef>> {
        let rules = file.rules.iter().flat_map(|rule| rule.variants());
        let names = rules.flat_map(|rule| &rule.tools).filter(|it| it.attribute().is_none());
        let own = file.toolchains.iter().map(AsRef::as_ref);
        let toolchain =
            |name: &str| own.clone().chain(chains.iter().copied()).find(|chain| chain.name == name);
        names.map(|named| tool(&named.name, toolchain(&named.name))).collect()
    };
    let declared = chains.iter().map(|chain| tool(&chain.name, Some(chain)));
    files.iter().flat_map(named).chain(declared).collect()
}
