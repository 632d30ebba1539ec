//! The clients of model services, as processes, against servers on this machine that speak as the
//! real ones do, and that fail as they do.

#![expect(clippy::unwrap_used, reason = "a test stops where something is not as it set up")]

mod client;
mod providers;
mod server;

mod builds;
mod chat;
mod failures;
mod films;
mod kills;
mod probe;
mod speech;
mod tls;
mod transcription;
