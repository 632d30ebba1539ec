//! What moods sound like: harmonies, instruments and ways to play.

use crate::near::nearest;

/// A mood.
#[derive(Debug, PartialEq, Eq)]
pub struct Mood {
    /// Its name.
    pub name: &'static str,
    /// Its usual beats a minute.
    pub tempo: u32,
    /// Its usual key.
    pub key: &'static str,
    /// The degrees of four bars, in major keys.
    pub(crate) major: &'static [[u8; 4]],
    /// The same in minor keys.
    pub(crate) minor: &'static [[u8; 4]],
    /// Whether its chords have sevenths.
    pub(crate) sevenths: bool,
    /// Whether the second half of each beat comes late.
    pub(crate) swings: bool,
    /// Instruments of General MIDI, from 0, for the melody.
    pub(crate) leads: &'static [u8],
    /// How many in a hundred places have a note of the melody.
    pub(crate) density: u32,
    /// Octaves between the melody and the scale around the middle C.
    pub(crate) lift: i32,
    /// Instruments for the chords.
    pub(crate) chords: &'static [u8],
    /// How chords are played.
    pub(crate) style: Style,
    /// The instrument of long chords behind all.
    pub(crate) pad: u8,
    /// The bass.
    pub(crate) bass: u8,
    /// How it is played.
    pub(crate) walk: Walk,
    /// The drums.
    pub(crate) beat: Beat,
}

/// How chords are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    /// Short, on and off the beat.
    Strum,
    /// Their notes one after the other, up and down.
    Broken,
    /// For a whole bar.
    Long,
    /// Here and there, between the beats.
    Comp,
    /// The same two notes all the time.
    Ostinato,
}

/// How a bass is played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walk {
    /// The root, then the fifth.
    Halves,
    /// The root, in eighths.
    Drive,
    /// From root to root, a quarter a step.
    Steps,
    /// The root for a bar.
    Long,
    /// The tonic, whatever the chord.
    Pedal,
}

/// How drums are played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    None,
    Pop,
    Swing,
    Heart,
    Epic,
    Shaker,
}

impl Mood {
    /// The mood of that name.
    ///
    /// # Errors
    /// With the name that may have been meant, if there is none of that name.
    pub fn named(name: &str) -> Result<&'static Self, Option<&'static str>> {
        let known = MOODS.iter().find(|mood| mood.name == name);
        known.ok_or_else(|| nearest(name, Self::names()))
    }

    /// The names of all moods.
    pub fn names() -> impl Iterator<Item = &'static str> {
        MOODS.iter().map(|mood| mood.name)
    }
}

const MOODS: &[Mood] = &[
    Mood {
        name: "upbeat",
        tempo: 120,
        key: "C",
        major: &[[1, 5, 6, 4], [1, 4, 5, 4], [6, 4, 1, 5], [1, 6, 4, 5]],
        minor: &[[1, 6, 3, 7], [1, 4, 6, 7], [6, 7, 1, 1]],
        sevenths: false,
        swings: false,
        leads: &[12, 80, 73],
        density: 70,
        lift: 2,
        chords: &[25, 27, 4],
        style: Style::Strum,
        pad: 50,
        bass: 33,
        walk: Walk::Drive,
        beat: Beat::Pop,
    },
    Mood {
        name: "calm",
        tempo: 72,
        key: "G",
        major: &[[1, 4, 1, 5], [1, 6, 4, 5], [1, 3, 4, 1], [4, 1, 2, 5]],
        minor: &[[1, 6, 4, 7], [1, 4, 1, 7], [6, 3, 4, 1]],
        sevenths: false,
        swings: false,
        leads: &[0, 73, 71],
        density: 40,
        lift: 2,
        chords: &[0, 24, 46],
        style: Style::Broken,
        pad: 89,
        bass: 32,
        walk: Walk::Halves,
        beat: Beat::Shaker,
    },
    Mood {
        name: "suspense",
        tempo: 92,
        key: "Dm",
        major: &[[1, 4, 1, 5], [1, 2, 4, 5]],
        minor: &[[1, 1, 6, 5], [1, 4, 1, 5], [1, 6, 4, 5], [1, 7, 6, 5]],
        sevenths: false,
        swings: false,
        leads: &[68, 42, 70],
        density: 25,
        lift: 1,
        chords: &[45, 48],
        style: Style::Ostinato,
        pad: 44,
        bass: 43,
        walk: Walk::Pedal,
        beat: Beat::Heart,
    },
    Mood {
        name: "ambient",
        tempo: 60,
        key: "D",
        major: &[[1, 4, 1, 4], [1, 6, 3, 4], [4, 1, 4, 6], [1, 1, 4, 4]],
        minor: &[[1, 6, 1, 6], [1, 3, 6, 4], [1, 1, 7, 6]],
        sevenths: true,
        swings: false,
        leads: &[98, 11, 14],
        density: 20,
        lift: 2,
        chords: &[88, 91],
        style: Style::Long,
        pad: 95,
        bass: 39,
        walk: Walk::Long,
        beat: Beat::None,
    },
    Mood {
        name: "eerie",
        tempo: 64,
        key: "Bm",
        major: &[[1, 3, 1, 7], [1, 4, 7, 1]],
        minor: &[[1, 6, 1, 2], [1, 2, 6, 5], [1, 4, 2, 5], [1, 1, 6, 6]],
        sevenths: false,
        swings: false,
        leads: &[10, 79, 8],
        density: 35,
        lift: 2,
        chords: &[92, 52],
        style: Style::Long,
        pad: 97,
        bass: 43,
        walk: Walk::Pedal,
        beat: Beat::None,
    },
    Mood {
        name: "jazz",
        tempo: 132,
        key: "F",
        major: &[[2, 5, 1, 6], [1, 6, 2, 5], [3, 6, 2, 5], [4, 7, 3, 6]],
        minor: &[[1, 4, 2, 5], [2, 5, 1, 1], [1, 6, 2, 5]],
        sevenths: true,
        swings: true,
        leads: &[66, 11, 56],
        density: 65,
        lift: 1,
        chords: &[0, 26],
        style: Style::Comp,
        pad: 49,
        bass: 32,
        walk: Walk::Steps,
        beat: Beat::Swing,
    },
    Mood {
        name: "dramatic",
        tempo: 84,
        key: "Cm",
        major: &[[1, 5, 6, 4], [1, 3, 4, 5], [6, 4, 2, 5]],
        minor: &[[1, 6, 3, 7], [1, 4, 6, 5], [6, 7, 1, 5], [1, 3, 4, 5]],
        sevenths: false,
        swings: false,
        leads: &[40, 60, 48],
        density: 50,
        lift: 1,
        chords: &[48, 61],
        style: Style::Ostinato,
        pad: 48,
        bass: 43,
        walk: Walk::Drive,
        beat: Beat::Epic,
    },
    Mood {
        name: "mysterious",
        tempo: 80,
        key: "Em",
        major: &[[1, 2, 1, 7], [1, 3, 4, 1], [1, 4, 2, 5]],
        minor: &[[1, 4, 1, 5], [1, 7, 6, 5], [1, 6, 4, 7], [1, 3, 2, 5]],
        sevenths: false,
        swings: false,
        leads: &[68, 75, 71],
        density: 35,
        lift: 2,
        chords: &[46, 8],
        style: Style::Broken,
        pad: 89,
        bass: 32,
        walk: Walk::Long,
        beat: Beat::None,
    },
];
