//! The content-addressed store: digests, blobs, trees and action results.
//!
//! It knows nothing of rules, tasks, runs, KDL or salsa: it keeps bytes under their digests and
//! results under their keys, and loses neither.

pub mod artifact;
pub mod digest;
pub mod hashing;
pub mod profile;
pub mod wal;

mod clock;
mod encode;
mod error;
mod tree;

mod index;
mod layout;
mod lease;
mod lock;
mod pack;
mod packs;
mod pending;
mod record;

mod store;

mod commit;
mod destination;
mod dir;
mod land;
mod materialise;
mod put;
mod quarantine;
mod read;
mod spare;
mod stage;

mod gc;
mod rebuild;
mod stats;
mod verify;

pub use artifact::{ActionResult, Artifact, Entry, FileRef, Tree, TreeId};
pub use clock::{Clock, SystemClock, UnixMillis};
pub use commit::{CommitError, FlushError, LookupError};
pub use destination::Destination;
pub use digest::{ActionKey, BlobId, Digest};
pub use error::IoError;
pub use gc::{GcError, GcOptions, GcReport, RemovedResult, Roots};
pub use index::IndexError;
pub use lock::{KeyLock, KeyLocks, LockError};
pub use materialise::{MaterialiseError, Placement};
pub use put::PutError;
pub use read::{Blob, ReadError};
pub use stage::Take;
pub use stats::Stats;
pub use store::{OpenError, Store, StoreOptions};
pub use tree::TreeDecodeError;
pub use verify::{VerifyError, VerifyOptions, VerifyReport};
