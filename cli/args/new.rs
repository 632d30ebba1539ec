//! The arguments of `vwfb new`.

use std::path::PathBuf;

use clap::{Args, ValueHint};
use vwfb_rules::vars::VarOverride;

/// `vwfb new`
#[derive(Debug, Args)]
pub(crate) struct NewArgs {
    /// The template: `shorts`, `explainer`, `dual`, or one of your own
    #[arg(value_name = "TEMPLATE", value_hint = ValueHint::Other)]
    pub(crate) template: Option<String>,
    /// The package to make: a folder that is not there yet, or //package
    #[arg(value_name = "PACKAGE", value_hint = ValueHint::DirPath)]
    pub(crate) package: Option<String>,
    /// Give a param of the template its value; a list is written `[one, two, "three, four"]`
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = VarOverride::parse, value_hint = ValueHint::Other)]
    pub(crate) vars: Vec<VarOverride>,
    /// Give values from a file, KDL (name value ...) or JSON; --var wins over it
    #[arg(long = "vars", value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) files: Vec<PathBuf>,
    /// List the templates and their params, or those of TEMPLATE
    #[arg(long, conflicts_with = "package")]
    pub(crate) list: bool,
    /// Print the list as JSON
    #[arg(long, requires = "list")]
    pub(crate) json: bool,
}
