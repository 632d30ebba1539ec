//! The arguments of the commands with which people look, decide and choose.

use std::path::PathBuf;

use clap::{Args, ValueHint};

use super::VarArgs;

/// `vwfb status`
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Targets; //... by default
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vwfb preview`
#[derive(Debug, Args)]
pub(crate) struct PreviewArgs {
    /// Targets: //package:target, :target, //package, //...
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Use nothing that was made from what there was before
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Start expensive tasks too: speech and what is generated
    #[arg(long)]
    pub(crate) run_expensive: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vwfb approve`
#[derive(Debug, Args)]
pub(crate) struct ApproveArgs {
    /// What to decide on.
    #[command(flatten)]
    pub(crate) about: AboutArgs,
}

/// `vwfb reject`
#[derive(Debug, Args)]
pub(crate) struct RejectArgs {
    /// What to decide on.
    #[command(flatten)]
    pub(crate) about: AboutArgs,
    /// What is to be better: rules that read it make their results again
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) feedback: Option<String>,
}

/// What a decision is about.
#[derive(Debug, Args)]
pub(crate) struct AboutArgs {
    /// The checkpoint: //package:target or :target
    #[arg(value_name = "CHECKPOINT")]
    pub(crate) checkpoint: String,
    /// Only these of what it asks about; all that waits by default
    #[arg(value_name = "LABEL")]
    pub(crate) subjects: Vec<String>,
    /// Why, for other people
    #[arg(long, value_name = "TEXT", value_hint = ValueHint::Other)]
    pub(crate) note: Option<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb review`
#[derive(Debug, Args)]
pub(crate) struct ReviewArgs {
    /// Targets whose checkpoints to look at; //... by default
    #[arg(value_name = "TARGET")]
    pub(crate) targets: Vec<String>,
    /// Only print the labels of the checkpoints that wait, one a line
    #[arg(long)]
    pub(crate) list: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb decisions`
#[derive(Debug, Args)]
pub(crate) struct DecisionsArgs {
    /// Only those on this checkpoint
    #[arg(value_name = "CHECKPOINT")]
    pub(crate) checkpoint: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// `vwfb undo`
#[derive(Debug, Args)]
pub(crate) struct UndoArgs {
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb versions` and `vwfb takes`
#[derive(Debug, Args)]
pub(crate) struct VersionsArgs {
    /// A target: //package:target or :target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb pin`, `unpin`, `restore` and `pick`
#[derive(Debug, Args)]
pub(crate) struct VersionArgs {
    /// A target, with the number of a version: //package:target@3
    #[arg(value_name = "LABEL[@N]")]
    pub(crate) label: String,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb diff`
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// A target, with the number of a version
    #[arg(value_name = "LABEL@N")]
    pub(crate) before: String,
    /// Another one; the result in use by default
    #[arg(value_name = "LABEL@N")]
    pub(crate) after: Option<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb edit`
#[derive(Debug, Args)]
pub(crate) struct EditArgs {
    /// A target: //package:target or :target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// The changed file; by default those in vwfb-out/ that are changed, and on a terminal an editor
    #[arg(long, value_name = "FILE", value_hint = ValueHint::AnyPath)]
    pub(crate) from: Option<PathBuf>,
    /// Which output FILE is; the first by default
    #[arg(long, value_name = "NAME", requires = "from", value_hint = ValueHint::Other)]
    pub(crate) output: Option<String>,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}

/// `vwfb redo`
#[derive(Debug, Args)]
pub(crate) struct RedoArgs {
    /// A target: //package:target or :target
    #[arg(value_name = "LABEL")]
    pub(crate) label: String,
    /// How many takes to make
    #[arg(short, long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), value_hint = ValueHint::Other)]
    pub(crate) number: u32,
    /// Go on using the present one
    #[arg(long)]
    pub(crate) keep: bool,
    /// The values of variables.
    #[command(flatten)]
    pub(crate) vars: VarArgs,
}
