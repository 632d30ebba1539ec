//! Keys, their scales, and the chords on their degrees.

use std::fmt;
use std::str::FromStr;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// The pitch class of its tonic: 0 is C.
    pub tonic: u8,
    /// Whether it is minor.
    pub minor: bool,
}

/// No key is written so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no key")]
pub struct BadKey(String);

impl FromStr for Key {
    type Err = BadKey;

    /// A letter, `#` or `b`, and `m` for minor: `C`, `F#m`, `Bb`.
    fn from_str(text: &str) -> Result<Self, BadKey> {
        let bad = || BadKey(text.to_owned());
        let (name, minor) = match text.strip_suffix('m') {
            Some(name) => (name, true),
            None => (text, false),
        };
        let mut letters = name.chars();
        let letter = letters.next().ok_or_else(bad)?;
        let at = "C D EF G A B".find(letter).filter(|_| letter != ' ').ok_or_else(bad)?;
        let moved = match letters.as_str() {
            "" => 0,
            "#" => 1,
            "b" => 11,
            _ => return Err(bad()),
        };
        Ok(Self { tonic: (at as u8 + moved) % 12, minor })
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"];
        write!(f, "{}{}", names[usize::from(self.tonic % 12)], if self.minor { "m" } else { "" })
    }
}

impl Key {
    /// Semitones of the seven steps above the tonic. Over the chord on the fifth degree a minor
    /// key has its leading note, which draws to the tonic.
    fn steps(self, degree: u8) -> [u8; 7] {
        match (self.minor, degree) {
            (false, _) => [0, 2, 4, 5, 7, 9, 11],
            (true, 5) => [0, 2, 3, 5, 7, 8, 11],
            (true, _) => [0, 2, 3, 5, 7, 8, 10],
        }
    }

    /// The pitch of step `step` of the scale, where 0 is the tonic below the middle C or that C,
    /// while the chord on `degree` sounds.
    pub(crate) fn pitch(self, step: i32, degree: u8) -> i32 {
        let steps = self.steps(degree);
        let low = 48 + i32::from(self.tonic);
        low + 12 * step.div_euclid(7) + i32::from(steps[step.rem_euclid(7) as usize])
    }

    /// The pitch classes of the chord on `degree` (1 to 7), from its root up.
    pub(crate) fn chord(self, degree: u8, seventh: bool) -> Vec<u8> {
        let thirds: &[i32] = if seventh { &[0, 2, 4, 6] } else { &[0, 2, 4] };
        let root = i32::from(degree) - 1;
        let class = |third: &i32| self.pitch(root + third, degree).rem_euclid(12) as u8;
        thirds.iter().map(class).collect()
    }

    /// How many sharps its signature has, or flats if it is negative.
    pub(crate) fn signature(self) -> i8 {
        let major = (self.tonic + if self.minor { 3 } else { 0 }) % 12;
        // Up a fifth is a sharp more.
        let sharps = (i16::from(major) * 7) % 12;
        (if sharps > 6 { sharps - 12 } else { sharps }) as i8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    #[test]
    fn keys_are_read_as_musicians_write_them() {
        assert_eq!(key("C"), Key { tonic: 0, minor: false });
        assert_eq!(key("F#m"), Key { tonic: 6, minor: true });
        assert_eq!(key("Bb"), Key { tonic: 10, minor: false });
        assert_eq!(key("Cb"), key("B"));
        assert_eq!(key("Ebm").to_string(), "Ebm");
        for bad in ["", "H", "c", "C##", "m", "C minor"] {
            assert_eq!(bad.parse::<Key>(), Err(BadKey(bad.to_owned())), "{bad}");
        }
    }

    #[test]
    fn chords_are_those_of_the_scale_and_the_fifth_of_minor_is_major() {
        assert_eq!(key("C").chord(1, false), [0, 4, 7]);
        assert_eq!(key("C").chord(2, true), [2, 5, 9, 0]);
        assert_eq!(key("Am").chord(1, false), [9, 0, 4]);
        assert_eq!(key("Am").chord(5, false), [4, 8, 11]);
        assert_eq!(key("Am").chord(7, false), [7, 11, 2]);
    }

    #[test]
    fn a_signature_counts_sharps_and_flats() {
        let signatures =
            ["C", "G", "D", "F", "Bb", "Am", "F#m", "Ebm"].map(|it| key(it).signature());
        assert_eq!(signatures, [0, 1, 2, -1, -2, 0, 3, 6]);
    }
}
