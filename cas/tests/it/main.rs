//! The store as its users see it. One binary, so that it links once.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail as the test does")]

mod common;
mod damage;
mod gc;
mod materialise;
mod opening;
mod other;
mod packs;
mod processes;
mod putting;
mod results;
mod soon;
mod spare;
