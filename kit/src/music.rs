//! Composes music: from a mood, a key, a tempo and a seed to notes, and to a MIDI file of them.
//!
//! The same wish gives the same bytes, everywhere and for good: what decides is the generator in
//! `random.rs`, and no floating point number but the tempo.

mod compose;
mod mood;
mod random;
mod smf;
mod theory;

use std::time::Duration;

pub use compose::compose;
pub use mood::Mood;
pub use theory::{BadKey, Key};

/// What music is wanted.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Its mood.
    pub mood: &'static Mood,
    /// Its key.
    pub key: Key,
    /// Beats a minute, about: they are bent until whole bars fit.
    pub tempo: f64,
    /// Which of all such pieces.
    pub seed: u64,
    /// How long it is, with the end of its last chord.
    pub length: Duration,
    /// How much goes on, from 0 to 100.
    pub intensity: u8,
}

/// Music as notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Score {
    /// The key.
    pub key: Key,
    /// How long a quarter note is, in microseconds.
    pub quarter: u32,
    /// Where the last chord begins, in ticks: as many whole bars.
    pub close: u32,
    /// Where everything ends, in ticks.
    pub end: u32,
    /// Who plays what.
    pub parts: Vec<Part>,
}

/// What one instrument plays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its role: `melody`, `chords`, `bass`, `pad` or `drums`.
    pub name: &'static str,
    /// Its MIDI channel; drums have the tenth, which is 9.
    pub channel: u8,
    /// The instrument of General MIDI, from 0.
    pub program: u8,
    /// How loud it is among the others, 0 to 127.
    pub volume: u8,
    /// Where it stands, 0 left to 127 right.
    pub pan: u8,
    /// The notes, by their starts.
    pub notes: Vec<Note>,
}

/// One note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// When it starts, in ticks.
    pub start: u32,
    /// How long it is, in ticks.
    pub length: u32,
    /// Which it is: 60 is the middle C.
    pub pitch: u8,
    /// How hard it is struck, 1 to 127.
    pub velocity: u8,
}

/// Ticks in a quarter note.
pub const QUARTER: u32 = 480;
/// Ticks in a bar: all music is in four quarters.
pub const BAR: u32 = 4 * QUARTER;

#[cfg(test)]
mod tests;
