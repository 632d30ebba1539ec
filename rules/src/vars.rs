//! Variables: their declarations, the overrides of a build, and what they come down to.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::{Label, LabelError, WsPath};
use crate::package::PackageDef;
use crate::rule::AttrDef;
use crate::value::AttrValue;
use crate::workspace::WorkspaceDef;

/// A declared variable: an entry of a `vars` or `params` node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VarDef {
    /// Its name.
    pub name: String,
    /// Its type: declared for a param, that of its value for a var.
    pub schema: AttrDef,
    /// Its value.
    pub value: AttrValue,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// The variables one package sees.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Vars(Arc<BTreeMap<String, AttrValue>>);

impl Vars {
    /// The value of `name`.
    pub fn value(&self, name: &str) -> Option<&AttrValue> {
        self.0.get(name)
    }

    /// The names in sight, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What a build sets over the declarations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Overrides {
    /// The profile.
    pub profile: Option<String>,
    /// The variables; a later one wins over an earlier one.
    pub vars: Vec<VarOverride>,
}

/// One `--var`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct VarOverride {
    /// The package it is for; all that declare the variable without it.
    pub package: Option<WsPath>,
    /// The variable.
    pub name: String,
    /// Its value as written.
    pub value: String,
}

impl VarOverride {
    /// The override written `x=v` or `//pkg:x=v`.
    pub fn parse(text: &str) -> Result<Self, OverrideError> {
        let Some((name, value)) = text.split_once('=') else {
            return Err(OverrideError::NoValue { text: text.into() });
        };
        if crate::label::is_name(name) {
            return Ok(Self { package: None, name: name.into(), value: value.into() });
        }
        let label = Label::parse(name, &WsPath::root())
            .map_err(|source| OverrideError::Name { text: name.into(), source })?;
        Ok(Self { package: Some(label.package.clone()), name: label.target(), value: value.into() })
    }
}

/// Why a text is no override.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    /// No `=`.
    #[error("`{text}` sets nothing: write `name=value` or `//package:name=value`")]
    NoValue {
        /// The text.
        text: String,
    },
    /// Neither a name nor a label.
    #[error("`{text}` is no variable's name")]
    Name {
        /// The part before the `=`.
        text: String,
        /// What is wrong with it as a label.
        source: LabelError,
    },
}

/// The variables that the targets of `package` see.
pub fn vars(
    _workspace: &WorkspaceDef,
    _package: &PackageDef,
    _overrides: &Overrides,
) -> Checked<Vars> {
    Checked::default()
}

/// What is wrong with `overrides` given every declaration of the workspace: names and profiles that
/// nobody declares, values that do not fit.
pub fn check_overrides<'p>(
    _workspace: &WorkspaceDef,
    _packages: impl IntoIterator<Item = &'p PackageDef>,
    _overrides: &Overrides,
) -> Vec<Diagnostic> {
    Vec::new()
}
