//! Melodies: a rhythm that comes again, notes of the chord on strong beats, steps between them, and
//! after a leap a step back.

use std::collections::BTreeMap;

use super::{Chance, Note, PHRASE, Piece, form};

/// A note within a phrase.
#[derive(Debug, Clone, Copy)]
struct Tone {
    bar: usize,
    /// In eighths of its bar.
    start: u32,
    /// In eighths.
    length: u32,
    /// In the scale.
    step: i32,
}

impl Piece {
    pub(super) fn melody(&self) -> Vec<Note> {
        if self.intensity < 10 {
            return Vec::new();
        }
        let mut struck = Chance::of(self.seed, "strokes");
        let mut phrases: BTreeMap<(char, &[u8]), Vec<Tone>> = BTreeMap::new();
        let mut notes = Vec::new();
        let mut last = self.middle();
        for (number, degrees) in self.degrees.chunks(PHRASE).enumerate() {
            let form = form(number);
            let tones =
                phrases.entry((form, degrees)).or_insert_with(|| self.phrase(form, degrees));
            for tone in tones.iter() {
                let bar = number * PHRASE + tone.bar;
                last = tone.step;
                if self.builds_up(bar, PHRASE) {
                    continue;
                }
                let start = self.at(bar, tone.start);
                let until = tone.start + tone.length;
                let end = self.at(bar + (until / 8) as usize, until % 8);
                let pitch = self.key.pitch(tone.step, degrees[tone.bar]) as u8;
                let velocity = self.strength(62, tone.start, &mut struck);
                notes.push(Note { start, length: (end - start) * 19 / 20, pitch, velocity });
            }
        }
        // The tonic that is nearest.
        let tonic = (last + 3).div_euclid(7) * 7;
        let velocity = self.strength(62, 0, &mut struck);
        let length = self.end - self.close;
        let pitch = self.key.pitch(tonic, 1) as u8;
        notes.push(Note { start: self.close, length, pitch, velocity });
        notes
    }

    fn middle(&self) -> i32 {
        7 * self.mood.lift
    }

    /// The tones of a phrase; those of the same form have the same rhythm.
    fn phrase(&self, form: char, degrees: &[u8]) -> Vec<Tone> {
        let mut chance = Chance::of(self.seed, &format!("phrase {form}"));
        let rhythms = [self.rhythm(&mut chance), self.rhythm(&mut chance)];
        let rest = [(0, 4), (4, 4)];
        let mut line = Line { piece: self, step: self.middle(), leap: 0 };
        let mut tones = Vec::new();
        for (bar, degree) in degrees.iter().enumerate() {
            let rhythm = if bar + 1 == PHRASE { rest.as_slice() } else { &rhythms[bar % 2] };
            for (start, length) in rhythm {
                let step = line.next(*start, *degree, &mut chance);
                tones.push(Tone { bar, start: *start, length: *length, step });
            }
        }
        tones
    }

    /// Starts and lengths in a bar, in eighths.
    fn rhythm(&self, chance: &mut Chance) -> Vec<(u32, u32)> {
        let dense = self.mood.density * (60 + self.intensity) / 110;
        let likely = |eighth: u32| match eighth {
            0 => 90,
            4 => 40 + dense / 2,
            2 | 6 => dense,
            _ => dense * 2 / 5,
        };
        let mut starts: Vec<u32> = (0..8).filter(|it| chance.happens(likely(*it))).collect();
        if starts.is_empty() {
            starts.push(0);
        }
        let ends = starts.iter().skip(1).chain([&8]);
        // Long notes end early, so that there is air.
        starts.iter().zip(ends).map(|(start, end)| (*start, (end - start).min(6))).collect()
    }
}

/// A line of tones that goes on.
struct Line<'p> {
    piece: &'p Piece,
    step: i32,
    /// Which way the last tone leapt, if it did.
    leap: i32,
}

/// How far the line may go from its middle, in steps.
const REACH: i32 = 6;

impl Line<'_> {
    fn next(&mut self, start: u32, degree: u8, chance: &mut Chance) -> i32 {
        let middle = self.piece.middle();
        let by = match self.leap {
            0 => *chance.pick(&[-2, -1, -1, 0, 1, 1, 2, 3, -3]),
            leap => -leap,
        };
        // What is far from the middle is drawn back.
        let by = if (self.step + by - middle).abs() > REACH { -by } else { by };
        let strong = start.is_multiple_of(4);
        let step = if strong {
            self.of_chord(self.step + by, degree)
        } else {
            self.step + by.clamp(-2, 2)
        };
        let step =
            if (step - middle).abs() > REACH + 2 { self.of_chord(middle, degree) } else { step };
        let moved = step - self.step;
        self.leap = if moved.abs() > 2 { moved.signum() } else { 0 };
        self.step = step;
        step
    }

    /// The step nearest to `step` that is in the chord on `degree`.
    fn of_chord(&self, step: i32, degree: u8) -> i32 {
        let is_in =
            |step: &i32| [0, 2, 4].contains(&(step - (i32::from(degree) - 1)).rem_euclid(7));
        let near = [0, 1, -1, 2, -2];
        near.into_iter().map(|by| step + by).find(is_in).unwrap_or(step)
    }
}
