//! How chords, bass and drums are played in one bar.

use super::{Chance, Harmony, Note, Piece, low};
use crate::music::mood::{Beat, Style, Walk};
use crate::music::{BAR, QUARTER};

const EIGHTH: u32 = QUARTER / 2;

/// Plays a chord whose notes are `voices`.
pub(super) fn chords(
    piece: &Piece,
    harmony: &Harmony,
    voices: &[u8],
    chance: &mut Chance,
    notes: &mut Vec<Note>,
) {
    let mut strike = |eighth: u32, length: u32, pitches: &[u8], chance: &mut Chance| {
        let velocity = piece.strength(48, eighth, chance);
        for pitch in pitches {
            let start = piece.at(harmony.bar, eighth);
            notes.push(Note { start, length, pitch: *pitch, velocity });
        }
    };
    match piece.mood.style {
        Style::Strum => {
            let rhythms: [&[u32]; 3] = [&[0, 3, 6], &[0, 2, 3, 6], &[0, 2, 4, 6, 7]];
            let busy = if piece.intensity < 35 { 1 } else { rhythms.len() };
            for eighth in *chance.pick(&rhythms[..busy]) {
                strike(*eighth, EIGHTH * 4 / 5, voices, chance);
            }
        }
        Style::Broken => {
            let mut up = voices.to_vec();
            up.push(voices[0] + 12);
            let every = if piece.intensity < 30 { 2 } else { 1 };
            for eighth in (0..8).step_by(every) {
                let turn = up.len() * 2 - 2;
                let index = (eighth / every) % turn;
                let index = if index < up.len() { index } else { turn - index };
                strike(eighth as u32, QUARTER, &up[index..=index], chance);
            }
        }
        Style::Long => strike(0, BAR, voices, chance),
        Style::Comp => {
            let rhythms: [&[u32]; 5] = [&[0, 3], &[1, 4], &[3, 6], &[2, 5], &[3]];
            for eighth in *chance.pick(&rhythms) {
                strike(*eighth, EIGHTH, voices, chance);
            }
        }
        Style::Ostinato => {
            let (low, high) = (voices[0], voices[voices.len() - 1]);
            for eighth in 0..8 {
                let pitch = if [0, 3, 6].contains(&eighth) { high } else { low };
                strike(eighth, EIGHTH * 3 / 5, &[pitch], chance);
            }
        }
    }
}

/// Plays the bass; `next` is the root after this bar.
pub(super) fn bass(
    piece: &Piece,
    harmony: &Harmony,
    next: u8,
    chance: &mut Chance,
    notes: &mut Vec<Note>,
) {
    let tone = |index: usize| low(harmony.classes[index]);
    let root = if piece.mood.walk == Walk::Pedal && harmony.degree != 5 {
        low(piece.key.tonic)
    } else {
        tone(0)
    };
    let line: Vec<(u32, u32, u8)> = match piece.mood.walk {
        Walk::Halves => vec![(0, 4, root), (4, 4, tone(2))],
        Walk::Drive if piece.intensity < 35 => vec![(0, 4, root), (4, 4, root)],
        Walk::Drive => (0..8).map(|eighth| (eighth, 1, root)).collect(),
        Walk::Steps => {
            let inner = *chance.pick(&[1, 2]);
            // From a semitone above or below into the next root.
            let lead = if chance.happens(50) { next - 1 } else { next + 1 };
            vec![(0, 2, root), (2, 2, tone(inner)), (4, 2, tone(3 - inner)), (6, 2, lead)]
        }
        Walk::Long | Walk::Pedal => vec![(0, 8, root)],
    };
    for (eighth, length, pitch) in line {
        let start = piece.at(harmony.bar, eighth);
        let velocity = piece.strength(58, eighth, chance);
        notes.push(Note { start, length: length * EIGHTH * 9 / 10, pitch, velocity });
    }
}

const KICK: u8 = 36;
const SNARE: u8 = 38;
const LOW_TOM: u8 = 41;
const HIHAT: u8 = 42;
const PEDAL_HIHAT: u8 = 44;
const MIDDLE_TOM: u8 = 45;
const OPEN_HIHAT: u8 = 46;
const CRASH: u8 = 49;
const RIDE: u8 = 51;
const SHAKER: u8 = 70;

/// Plays the drums in a bar.
pub(super) fn drums(piece: &Piece, bar: usize, chance: &mut Chance, notes: &mut Vec<Note>) {
    let busy = piece.intensity >= 60;
    // What is struck, when, and how hard.
    let mut strokes: Vec<(u8, u32, u32)> = Vec::new();
    let mut all = |drum: u8, base: u32, eighths: &[u32]| {
        strokes.extend(eighths.iter().map(|eighth| (drum, *eighth, base)));
    };
    match piece.mood.beat {
        Beat::None => {}
        Beat::Pop => {
            let kicks: [&[u32]; 3] = [&[0, 4], &[0, 3, 4], &[0, 5]];
            let kick = *chance.pick(&kicks);
            all(KICK, 66, kick);
            all(SNARE, 58, &[2, 6]);
            all(HIHAT, 34, if busy { &[0, 1, 2, 3, 4, 5, 6] } else { &[0, 2, 4, 6] });
            all(OPEN_HIHAT, 36, if busy { &[7] } else { &[] });
        }
        Beat::Swing => {
            all(RIDE, 44, &[0, 2, 3, 4, 6, 7]);
            all(PEDAL_HIHAT, 40, &[2, 6]);
            all(KICK, 30, if busy { &[0, 4] } else { &[0] });
            all(SNARE, 28, if chance.happens(40) { &[5] } else { &[] });
        }
        Beat::Heart => {
            all(KICK, 58, &[0, 1]);
            all(LOW_TOM, 40, if busy { &[4, 5, 6, 7] } else { &[6] });
        }
        Beat::Epic => {
            all(LOW_TOM, 66, &[0, 3, 4, 6]);
            all(MIDDLE_TOM, 50, if busy { &[1, 2, 5, 7] } else { &[7] });
            all(KICK, 64, &[0, 4]);
        }
        Beat::Shaker => all(SHAKER, 22, &[0, 2, 3, 4, 6, 7]),
    }
    let is_loud = matches!(piece.mood.beat, Beat::Pop | Beat::Epic) && piece.intensity >= 45;
    if is_loud && bar.is_multiple_of(super::PHRASE) && bar > 0 {
        strokes.push((CRASH, 0, 50));
    }
    if is_loud && bar % super::PHRASE == 3 {
        strokes.extend([(SNARE, 5, 50), (MIDDLE_TOM, 6, 56), (LOW_TOM, 7, 60)]);
    }
    for (drum, eighth, base) in strokes {
        let start = piece.at(bar, eighth);
        let velocity = piece.strength(base, eighth, chance);
        notes.push(Note { start, length: EIGHTH / 2, pitch: drum, velocity });
    }
}

/// The stroke on the last chord.
pub(super) fn last_stroke(piece: &Piece, notes: &mut Vec<Note>) {
    let drums: &[u8] = match piece.mood.beat {
        Beat::Pop | Beat::Epic => &[KICK, CRASH],
        Beat::Swing => &[KICK, RIDE],
        Beat::Heart => &[KICK],
        Beat::None | Beat::Shaker => &[],
    };
    let velocity = (50 + piece.intensity * 40 / 100) as u8;
    let stroke = |drum: &u8| Note { start: piece.close, length: EIGHTH, pitch: *drum, velocity };
    notes.extend(drums.iter().map(stroke));
}
