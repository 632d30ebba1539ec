//! Tests that try to break vwfb from outside, through the real binary: kills, rivals, escapes,
//! hostile files, a real film, and mutated rule files.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

mod family;
#[path = "../library/media.rs"]
#[expect(dead_code, reason = "films need less of it")]
mod media;
mod random;
mod world;

mod concurrent;
mod crash;
mod explainer;
mod film;
mod fuzz;
mod hostile;
mod review;
mod sandbox;
