//! What an action is, and how one is run: toolchains, scratch, sandbox and launcher.
//!
//! It knows the store, and neither KDL, salsa, labels nor runs.

pub mod action;
mod base;
mod cancel;
mod client;
mod elf;
mod family;
mod fingerprint;
mod launcher;
mod libraries;
mod sandbox;
mod shebang;
mod toolchain;
mod walk;
mod wire;

pub use base::{BASE_PATHS, BASE_TOOLCHAIN, BASE_TOOLS, BaseAccess, BasePath};
pub use cancel::CancelToken;
pub use client::{Launcher, LauncherError};
pub use launcher::launcher_main;
pub use sandbox::{Level, SandboxMissing, SandboxMode, level};
pub use toolchain::{
    Closure, FileDigests, ProgramSpec, SEARCH_PATH, ToolError, ToolSpec, Toolchains,
};
