//! The rule language: from KDL text to typed packages, tasks and diagnostics.
//!
//! Everything here is a pure function of its arguments. What a target may look at beyond its own
//! file passes [`scope::Scope`]; the crate never touches the file system, a process or a clock.

pub mod diagnostic;
pub mod label;
pub mod scope;
pub mod task;
