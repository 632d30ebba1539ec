//! From a wish to notes: a plan of harmonies in phrases of four bars, A A B A, that closes on the
//! tonic, and parts that follow it.

mod melody;
mod rhythm;

use super::random::Chance;
use super::{BAR, Key, Mood, Note, Part, QUARTER, Score, Wish};

/// Bars in a phrase.
const PHRASE: usize = 4;
/// At most this long the last chord sounds, in seconds.
const LONGEST_CLOSE: f64 = 3.0;

/// Composes what is wished.
pub fn compose(wish: &Wish) -> Score {
    let seconds = wish.length.as_secs_f64().max(0.1);
    let closing = (seconds / 4.0).min(LONGEST_CLOSE);
    let body = seconds - closing;
    let bars = ((body * wish.tempo / 240.0).round() as u32).max(1);
    let quarter = (body * 1e6 / f64::from(bars * 4)).round().clamp(1.0, 16_000_000.0);
    let close = bars * BAR;
    let end = close + (closing * 1e6 / quarter * f64::from(QUARTER)).round() as u32;
    let piece = Piece {
        key: wish.key,
        mood: wish.mood,
        seed: wish.seed,
        intensity: u32::from(wish.intensity.min(100)),
        degrees: plan(wish, bars as usize),
        close,
        end,
    };
    let quarter = quarter as u32;
    Score { key: wish.key, quarter, close, end, parts: piece.parts() }
}

/// The degree of each bar's chord. The last one leads to the tonic.
fn plan(wish: &Wish, bars: usize) -> Vec<u8> {
    let mut chance = Chance::of(wish.seed, "plan");
    let known = if wish.key.minor { wish.mood.minor } else { wish.mood.major };
    let first = chance.pick(known);
    let others: Vec<_> = known.iter().filter(|other| *other != first).collect();
    let second = **chance.pick(&others);
    let phrase = |bar: usize| if form(bar / PHRASE) == 'B' { &second } else { first };
    let mut degrees: Vec<u8> = (0..bars).map(|bar| phrase(bar)[bar % PHRASE]).collect();
    if let [.., before, last] = degrees.as_mut_slice() {
        *last = 5;
        if bars > 2 {
            *before = if chance.happens(50) { 4 } else { 2 };
        }
    }
    degrees
}

/// Which phrase the one of that number is.
fn form(phrase: usize) -> char {
    if phrase % 4 == 2 { 'B' } else { 'A' }
}

/// A piece that is being composed.
struct Piece {
    key: Key,
    mood: &'static Mood,
    seed: u64,
    intensity: u32,
    degrees: Vec<u8>,
    close: u32,
    end: u32,
}

/// A chord for some time.
struct Harmony {
    /// Its bar.
    bar: usize,
    /// Its degree.
    degree: u8,
    /// Its pitch classes from the root up.
    classes: Vec<u8>,
}

impl Piece {
    fn parts(&self) -> Vec<Part> {
        let mut chance = Chance::of(self.seed, "instruments");
        let lead = *chance.pick(self.mood.leads);
        let chords = *chance.pick(self.mood.chords);
        let part = |name, channel, program, volume, pan, notes| Part {
            name,
            channel,
            program,
            volume,
            pan,
            notes: apart(notes),
        };
        let parts = [
            part("melody", 0, lead, 104, 70, self.melody()),
            part("chords", 1, chords, 82, 48, self.chords()),
            part("bass", 2, self.mood.bass, 100, 64, self.bass()),
            part("pad", 3, self.mood.pad, 60, 80, self.pad()),
            part("drums", 9, 0, 88, 64, self.drums()),
        ];
        parts.into_iter().filter(|part| !part.notes.is_empty()).collect()
    }

    fn harmonies(&self) -> impl Iterator<Item = Harmony> {
        self.degrees.iter().enumerate().map(|(bar, degree)| Harmony {
            bar,
            degree: *degree,
            classes: self.key.chord(*degree, self.mood.sevenths),
        })
    }

    fn bars(&self) -> usize {
        self.degrees.len()
    }

    /// Whether the piece is long enough to build up, and this is where it does.
    fn builds_up(&self, bar: usize, bars: usize) -> bool {
        self.bars() >= 3 * bars && bar < bars
    }

    /// When the eighth of that number in a bar is.
    fn at(&self, bar: usize, eighth: u32) -> u32 {
        let late = if self.mood.swings { QUARTER * 2 / 3 } else { QUARTER / 2 };
        bar as u32 * BAR + eighth / 2 * QUARTER + eighth % 2 * late
    }

    /// How hard a note is struck: more on the first beat, and more with more intensity.
    fn strength(&self, base: u32, eighth: u32, chance: &mut Chance) -> u8 {
        let beat = match eighth {
            0 => 8,
            4 => 4,
            _ => 0,
        };
        let struck = (base + beat + self.intensity * 40 / 100) as i32 + chance.around(4);
        struck.clamp(1, 127) as u8
    }

    fn chords(&self) -> Vec<Note> {
        let mut chance = Chance::of(self.seed, "chords");
        let mut notes = Vec::new();
        for harmony in self.harmonies() {
            let voices = close_to(&harmony.classes, 62);
            rhythm::chords(self, &harmony, &voices, &mut chance, &mut notes);
        }
        self.last_chord(62, 58, &mut notes);
        notes
    }

    fn pad(&self) -> Vec<Note> {
        let needs = if self.mood.style == super::mood::Style::Long { 60 } else { 35 };
        if self.intensity < needs {
            return Vec::new();
        }
        let mut notes = Vec::new();
        for harmony in self.harmonies() {
            let start = self.at(harmony.bar, 0);
            for pitch in close_to(&harmony.classes, 55) {
                let velocity = (36 + self.intensity * 30 / 100) as u8;
                notes.push(Note { start, length: BAR, pitch, velocity });
            }
        }
        self.last_chord(55, 44, &mut notes);
        notes
    }

    /// The tonic's chord, to the end.
    fn last_chord(&self, center: i32, base: u32, notes: &mut Vec<Note>) {
        let velocity = (base + self.intensity * 40 / 100).min(127) as u8;
        for pitch in close_to(&self.key.chord(1, false), center) {
            notes.push(Note { start: self.close, length: self.end - self.close, pitch, velocity });
        }
    }

    fn bass(&self) -> Vec<Note> {
        let mut chance = Chance::of(self.seed, "bass");
        let mut notes = Vec::new();
        let next = self.degrees.iter().skip(1).chain([&1]);
        for (harmony, next) in self.harmonies().zip(next) {
            let next = low(self.key.chord(*next, false)[0]);
            rhythm::bass(self, &harmony, next, &mut chance, &mut notes);
        }
        let pitch = low(self.key.tonic);
        let velocity = self.strength(60, 0, &mut chance);
        notes.push(Note { start: self.close, length: self.end - self.close, pitch, velocity });
        notes
    }

    fn drums(&self) -> Vec<Note> {
        if self.intensity < 25 {
            return Vec::new();
        }
        let mut chance = Chance::of(self.seed, "drums");
        let mut notes = Vec::new();
        for bar in 0..self.bars() {
            if !self.builds_up(bar, 2) {
                rhythm::drums(self, bar, &mut chance, &mut notes);
            }
        }
        rhythm::last_stroke(self, &mut notes);
        notes
    }
}

/// The pitch of each class that is nearest to `center`, from the lowest up. So two chords that
/// follow each other share what they can, and all voices move little.
fn close_to(classes: &[u8], center: i32) -> Vec<u8> {
    let near = |class: &u8| {
        let up = (i32::from(*class) - center).rem_euclid(12);
        (if up > 6 { center + up - 12 } else { center + up }) as u8
    };
    let mut pitches: Vec<u8> = classes.iter().map(near).collect();
    pitches.sort_unstable();
    pitches
}

/// The bass note of a pitch class.
fn low(class: u8) -> u8 {
    31 + (class + 5) % 12
}

/// The same notes by their starts; one that is struck again ends there.
fn apart(mut notes: Vec<Note>) -> Vec<Note> {
    notes.sort_by_key(|note| (note.pitch, note.start));
    notes.dedup_by_key(|note| (note.pitch, note.start));
    for index in 1..notes.len() {
        let next = notes[index];
        let note = &mut notes[index - 1];
        if note.pitch == next.pitch {
            note.length = note.length.min(next.start - note.start);
        }
    }
    notes.sort_unstable();
    notes
}
