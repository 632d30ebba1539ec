//! The arguments of the commands about services and tools.

use clap::{Args, ValueHint};

use super::VarArgs;

/// `vwfb doctor`
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// Targets: //package:target, :target, //package, //...; all by default
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vwfb settle`
#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// The target whose question is open: //package:target or :target; all are listed without one
    pub(crate) label: Option<String>,
    /// Ask again: the service never had it, or may be paid twice
    #[arg(long, requires = "label", conflicts_with = "job")]
    pub(crate) again: bool,
    /// The service has it under this id: wait for that
    #[arg(long, value_name = "ID", requires = "label", value_hint = ValueHint::Other)]
    pub(crate) job: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}
