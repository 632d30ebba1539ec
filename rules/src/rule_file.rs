//! Rule files: the `rule`, `toolchain` and `use` nodes of one file.

use std::sync::Arc;

use crate::diagnostic::{Anchor, Checked};
use crate::label::WsPath;
use crate::rule::{RuleDef, ToolchainDef};

/// What a rule file defines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleFile {
    /// The file; `@std/...` for the built-in library.
    pub file: WsPath,
    /// The rule files whose toolchains its rules may name.
    pub uses: Vec<UseDef>,
    /// Its rules, in order.
    pub rules: Vec<Arc<RuleDef>>,
    /// Its toolchains, in order.
    pub toolchains: Vec<Arc<ToolchainDef>>,
}

/// A `use` node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseDef {
    /// The rule file.
    pub path: WsPath,
    /// Where it is named.
    pub anchor: Anchor,
}

/// The rules of `text`, and what is wrong with it.
pub fn rule_file(file: &WsPath, _text: &str) -> Checked<RuleFile> {
    Checked::clean(RuleFile { file: file.clone(), ..RuleFile::default() })
}
