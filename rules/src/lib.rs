//! The rule language: from KDL text to typed packages, tasks and diagnostics.
//!
//! Everything here is a pure function of its arguments. What a target may look at beyond its own
//! file passes [`scope::Scope`]; the crate never touches the file system, a process or a clock.

pub mod binding;
pub mod block;
pub mod cases;
pub mod checkpoint;
pub mod codes;
mod core_rules;
pub mod declare;
pub mod diagnostic;
mod evaluate;
mod expand;
pub mod fan_out;
pub mod format;
pub mod frame;
pub mod instance;
pub mod interpolate;
pub mod items;
pub mod label;
pub mod library;
pub mod media;
mod mentions;
mod outputs;
pub mod package;
pub mod package_template;
mod parse;
mod path;
pub mod pattern;
pub mod pins;
pub mod placeholder;
mod read;
pub mod render;
mod resolve;
pub mod rule;
mod rule_check;
pub mod rule_file;
mod rule_reader;
mod schema;
pub mod scope;
pub mod service;
mod shell;
mod suggest;
pub mod syntax;
pub mod table;
pub mod task;
pub mod template;
pub mod tools;
mod typed;
mod units;
pub mod value;
pub mod vars;
pub mod workspace;

pub use core_rules::{common_attrs, core_rules};
pub use declare::{Declared, declare};
pub use expand::expanded;
pub use outputs::{check_outputs, cycle};
pub use package::{bad_package, package};
pub use render::render;
pub use resolve::{alias, provides, references, task};
pub use rule_file::rule_file;
pub use suggest::nearest;
pub use syntax::{Spans, spans};
pub use table::RuleTable;
pub use vars::{check_overrides, vars};
pub use workspace::workspace;
