//! The arguments of `vwfb import`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum, ValueHint};

/// `vwfb import`
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// What to import.
    #[command(subcommand)]
    pub(crate) format: ImportFormat,
}

/// What can be imported.
#[derive(Debug, Subcommand)]
pub(crate) enum ImportFormat {
    /// Make a package of a workflow of VWF (video_workflow_rs), a YAML file of steps
    Vwf(VwfArgs),
}

/// `vwfb import vwf`
#[derive(Debug, Args)]
pub(crate) struct VwfArgs {
    /// The workflow
    #[arg(value_name = "WORKFLOW", value_hint = ValueHint::FilePath)]
    pub(crate) workflow: PathBuf,
    /// The package's folder; by default one beside the workflow, with the name that this has
    #[arg(short, long, value_name = "FOLDER", value_hint = ValueHint::DirPath)]
    pub(crate) output: Option<PathBuf>,
    /// The folder that the workflow's paths are relative to; by default its own
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) workdir: Option<PathBuf>,
    /// Who speaks, draws, films, listens and writes
    #[arg(long, value_name = "WHICH", default_value = "services")]
    pub(crate) engines: ImportEngines,
    /// Replace files that are there already
    #[arg(long)]
    pub(crate) force: bool,
}

/// Who does what models do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportEngines {
    /// The services that the workflow asks: VoxCPM, ComfyUI, Ollama, whisper.cpp.
    Services,
    /// What is built in and runs anywhere: espeak-ng, cards, recorded answers, pocketsphinx.
    Embedded,
}
