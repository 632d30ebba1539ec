//! The rules of the built-in library, run through the real binary on real media: what they make is
//! measured, and what they must refuse is refused with its reason.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

mod media;
#[path = "../hard/world.rs"]
#[expect(dead_code, reason = "the tests of a library need less of it")]
mod world;

mod ai;
mod audio;
mod captions;
mod image;
mod import;
mod music;
mod templates;
mod terminal;
mod text;
mod video;
