//! Runs real processes through a real launcher and store.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "helpers fail and skip as tests do")]

mod death;
mod outputs;
mod process;
mod reuse;
mod sandbox;
mod saved;
mod scene;
mod tools;
