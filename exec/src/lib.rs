//! What an action is, and how one is run: toolchains, scratch, sandbox and launcher.
//!
//! It knows the store, and neither KDL, salsa, labels nor runs.

pub mod action;

mod elf;
mod fingerprint;
mod libraries;
mod saved;
mod shebang;
mod sight;
mod toolchain;
mod walk;

mod base;
mod sandbox;

mod cancel;
mod client;
mod family;
mod launcher;
mod log;
mod rulebook;
mod running;
mod spawn;
mod terminal;
mod turn;
mod wire;

mod collect;
mod execute;
mod failure;
mod process;
mod reproduce;
mod scratch;
mod shell;
mod sweep;
mod task;
mod toolbox;

pub use base::{BASE_PATHS, BASE_TOOLCHAIN, BASE_TOOLS, BaseAccess, BasePath};
pub use cancel::CancelToken;
pub use client::{Launcher, LauncherError};
pub use execute::{ExecOptions, Executed, Executor, Worker};
pub use failure::{Cause, Failure, Unstartable};
pub use launcher::launcher_main;
pub use process::SOURCE_DATE_EPOCH;
pub use sandbox::{Level, SandboxMissing, SandboxMode, level};
pub use saved::SavedClosure;
pub use toolchain::{
    Closure, FileDigests, ProgramSpec, SEARCH_PATH, ToolError, ToolSpec, Toolchains,
};
pub use turn::{Turns, Waiter};
pub use wire::WireError;
