//! From a declared target to its task: every reference followed, every path and argument settled.

use std::sync::Arc;

use crate::declare::Declared;
use crate::diagnostic::{Anchor, Checked};
use crate::label::Label;
use crate::scope::Scope;
use crate::task::{Provided, TaskDef};
use crate::workspace::WorkspaceDef;

/// The targets that `declared` names, inputs and `after` alike, in the order of the text.
pub fn references(_declared: &Declared) -> Vec<(Label, Anchor)> {
    Vec::new()
}

/// What `declared` offers to others; nothing for a `filegroup` or `alias` with errors. Only those
/// two ask `scope`, and the caller guards against cycles of them.
pub fn provides(_declared: &Declared, _scope: &dyn Scope) -> Option<Arc<[Provided]>> {
    None
}

/// The task that `declared` comes down to; nothing for a `filegroup` or `alias` (whose references
/// are checked all the same), and where it or a target it needs has errors.
pub fn task(
    _declared: &Declared,
    _workspace: &WorkspaceDef,
    _scope: &dyn Scope,
) -> Checked<Option<TaskDef>> {
    Checked::default()
}
