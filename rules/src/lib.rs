//! The rule language: from KDL text to typed packages, tasks and diagnostics.
//!
//! Everything here is a pure function of its arguments. What a target may look at beyond its own
//! file passes [`scope::Scope`]; the crate never touches the file system, a process or a clock.

pub mod codes;
pub mod declare;
pub mod diagnostic;
pub mod format;
pub mod interpolate;
pub mod label;
pub mod library;
pub mod media;
mod outputs;
pub mod package;
mod parse;
mod path;
pub mod pattern;
pub mod render;
mod resolve;
pub mod rule;
pub mod rule_file;
pub mod scope;
pub mod syntax;
pub mod table;
pub mod task;
pub mod value;
pub mod vars;
pub mod workspace;

pub use declare::{Declared, declare};
pub use outputs::{check_outputs, cycle};
pub use package::package;
pub use render::render;
pub use resolve::{provides, references, task};
pub use rule_file::rule_file;
pub use syntax::{Spans, spans};
pub use table::RuleTable;
pub use vars::{check_overrides, vars};
pub use workspace::workspace;
