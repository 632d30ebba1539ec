//! What an action is, and how one is run: toolchains, scratch, sandbox and launcher.
//!
//! It knows the store, and neither KDL, salsa, labels nor runs.

pub mod action;
