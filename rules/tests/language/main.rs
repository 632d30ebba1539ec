//! The rule language from text to tasks and diagnostics, on workspaces in memory.

mod cases;
mod problems;
mod robust;
mod tasks;
mod world;
