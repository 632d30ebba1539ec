//! The content-addressed store: digests, blobs, trees and action results.
//!
//! It knows nothing of rules, tasks, runs, KDL or salsa: it keeps bytes under their digests and
//! results under their keys, and loses neither.

pub mod artifact;
pub mod digest;

pub use artifact::{ActionResult, Artifact, Entry, FileRef, Tree, TreeId};
pub use digest::{ActionKey, BlobId, Digest};
