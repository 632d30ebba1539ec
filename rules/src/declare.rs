//! From a target's text to its typed attributes and outputs, without a look at any other target.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::diagnostic::{Anchor, Checked};
use crate::interpolate::Template;
use crate::label::{Label, WsPath};
use crate::package::TargetDef;
use crate::rule::{Limits, RuleDef};
use crate::table::RuleTable;
use crate::task::{OutputDef, ToolDef};
use crate::value::AttrValue;
use crate::vars::Vars;

/// A target with its rule, typed attributes and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// Its label.
    pub label: Label,
    /// Its rule; for a `task` the rule that its own nodes make up.
    pub rule: Arc<RuleDef>,
    /// Where it is.
    pub anchor: Anchor,
    /// Its attributes by name, defaults included, unset ones left out.
    pub attrs: BTreeMap<String, AttrValue>,
    /// Its outputs.
    pub outputs: Vec<OutputDef>,
    /// The tools it may start.
    pub tools: Vec<DeclaredTool>,
    /// Targets that must have succeeded before it starts.
    pub after: Vec<(Label, Anchor)>,
    /// Environment it adds to its rule's.
    pub env: BTreeMap<String, Template>,
    /// Its rule's limits with its own over them.
    pub limits: Limits,
    /// Free words for queries.
    pub tags: BTreeSet<String>,
}

/// A tool of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredTool {
    /// The tool.
    pub tool: ToolDef,
    /// Where it is named.
    pub anchor: Anchor,
    /// Whether it needs no leave of the workspace.
    pub trusted: bool,
}

impl Declared {
    /// Whether it runs a task; a `filegroup` or `alias` only passes on what others made.
    pub fn runs(&self) -> bool {
        self.rule.runs()
    }
}

/// What `target` of the package `pkg` declares; nothing if `when` switches it off or it is too
/// wrong to go on with.
pub fn declare(
    _pkg: &WsPath,
    _target: &TargetDef,
    _rules: &RuleTable,
    _vars: &Vars,
) -> Checked<Option<Arc<Declared>>> {
    Checked::default()
}
