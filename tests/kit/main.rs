//! The rules that need a program of our own, through the real binary: recordings of a terminal and
//! composed music.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

#[path = "../library/media.rs"]
#[expect(dead_code, reason = "these rules need less of it")]
mod media;
#[path = "../hard/world.rs"]
#[expect(dead_code, reason = "these rules need less of it")]
mod world;

mod music;
mod terminal;
