//! What rules need and no tool does: a player of terminal tapes, a composer of music, and clients of
//! model services. It knows nothing of rules, tasks or stores; the program `vwfb-kit` is its command line.

mod near;

pub mod theme;

pub mod keys;

pub mod tape;

pub mod screen;

pub mod paint;

pub mod play;

pub mod pty;

pub mod music;

pub mod service;
