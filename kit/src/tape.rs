//! Tapes, as VHS has them: what is set, typed, pressed and waited for, read from text.
//!
//! All that is wrong with a tape is told at once, each with its place and, where there is one, a
//! hint.

mod read;
mod settings;

use std::fmt;
use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;

use crate::keys::Key;

pub use read::parse;
pub use settings::{Settings, WindowBar};

/// A tape that can be played.
#[derive(Debug, Clone, Default)]
pub struct Tape {
    /// How it looks and sounds.
    pub settings: Settings,
    /// What happens, in order.
    pub steps: Vec<Step>,
    /// Programs without which it is not to be played.
    pub requires: Vec<String>,
    /// The environment that it adds.
    pub env: Vec<(String, String)>,
}

/// Something that happens, and where the tape says so.
#[derive(Debug, Clone)]
pub struct Step {
    /// Where.
    pub spot: Spot,
    /// What.
    pub action: Action,
}

/// What happens in a tape.
#[derive(Debug, Clone)]
pub enum Action {
    /// Types characters.
    Type {
        /// What.
        text: String,
        /// How long each takes, if not as long as was set.
        every: Option<Duration>,
    },
    /// Presses a key.
    Press {
        /// Which.
        key: Key,
        /// How long each takes, if not as long as was set.
        every: Option<Duration>,
        /// How often.
        times: u32,
    },
    /// Lets time pass.
    Sleep(Duration),
    /// Shows nothing of what follows.
    Hide,
    /// Shows what follows.
    Show,
    /// Waits until the screen says something.
    Wait {
        /// Whether all of the screen counts, not just the cursor's line.
        screen: bool,
        /// For how long, if not for as long as was set.
        timeout: Option<Duration>,
        /// What, if not what was set.
        pattern: Option<Regex>,
    },
    /// Types at another speed from now on.
    TypingSpeed(Duration),
    /// Takes a picture of the screen, under that name.
    Screenshot(String),
    /// Remembers a text.
    Copy(String),
    /// Types the text that was copied, at once.
    Paste,
}

/// A place in a tape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spot {
    /// The file, as it was named.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// Something that is wrong with a tape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub spot: Spot,
    /// What.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line.
    pub snippet: String,
}

/// The problem as people read it, with its line and what to do.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Spot { line, column, .. } = self.spot;
        let number = line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "error: {}", self.message)?;
        writeln!(f, "{margin}--> {}", self.spot)?;
        writeln!(f, "{number} | {}", self.snippet)?;
        write!(f, "{margin} | {}^", " ".repeat(column - 1))?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

/// Reads the file at a path that a tape names with `Source`.
pub type Sources<'a> = dyn Fn(&Path) -> std::io::Result<String> + 'a;
