//! The engine against real folders and a real store, with a runner that starts no process.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

#[path = "engine/scene.rs"]
mod scene;

#[path = "engine/failures.rs"]
mod failures;
#[path = "engine/fan_out.rs"]
mod fan_out;
#[path = "engine/incremental.rs"]
mod incremental;
#[path = "engine/lost.rs"]
mod lost;
#[path = "engine/many_model.rs"]
mod many_model;
#[path = "engine/model.rs"]
mod model;
#[path = "engine/query.rs"]
mod query;
#[path = "engine/reuse.rs"]
mod reuse;
#[path = "engine/snapshot.rs"]
mod snapshot;
#[path = "engine/why.rs"]
mod why;
