//! The command line through the real binary: every command and every exit code, on small
//! workspaces whose tasks need no more than `sh` and coreutils.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

mod versions;
mod world;

mod build;
mod checkpoints;
mod docs;
mod doctor;
mod events;
mod exits;
mod fan_out;
mod guard;
mod import;
mod import_commands;
mod import_refused;
mod inspect;
mod new;
mod placeholders;
mod preview;
mod queries;
mod services;
mod shells;
mod signals;
mod timings;
mod upkeep;
