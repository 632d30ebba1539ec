//! Turns rule files and known digests into a plan, and runs it.
//!
//! The pure half answers queries and decides; the effect half gives what is left to workers and
//! hears from them. `vwfb-exec` runs the processes.

pub mod action;
pub mod chain;
mod columns;
pub mod db;
pub mod key;
mod package;
pub mod system;
mod target;
mod unknown;
mod written;

pub mod check;
pub mod graph;
pub mod plan;

mod advice;
mod ahead;
mod answers;
pub mod build;
pub mod desk;
pub mod event;
pub mod forecast;
pub mod keep;
pub mod log;
pub mod names;
pub mod needs;
pub mod people;
mod pins;
pub mod platform;
pub mod query;
pub mod roots;
mod run;
mod snapshot;
pub mod spending;
pub mod standing;
pub mod why;
pub mod workers;

mod disk;
pub mod local;
mod outputs;
mod stamp;
mod stamps;
pub mod state;
pub mod tools;
mod trees;
pub mod workspace;
