//! What a tape sets: the size, the looks and the speed.

use std::time::Duration;

use regex_lite::Regex;

use crate::theme::{Rgb, Theme};

/// How a tape is played, with the defaults of what it does not set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The program that is typed at.
    pub shell: String,
    /// The size of the text: an em, in pixels.
    pub font_size: f32,
    /// The typeface that it asks for.
    pub font_family: Option<String>,
    /// Pixels between letters beyond the usual.
    pub letter_spacing: f32,
    /// The height of a line as a multiple of the usual.
    pub line_height: f32,
    /// The picture's width in pixels, if the tape says it.
    pub width: Option<u32>,
    /// The picture's height in pixels, if the tape says it.
    pub height: Option<u32>,
    /// Pixels between the window's edge and the text.
    pub padding: u32,
    /// Pixels around the window.
    pub margin: u32,
    /// The colour of the margin, if it is not that of the window.
    pub margin_fill: Option<Rgb>,
    /// The buttons on top of the window.
    pub window_bar: Option<WindowBar>,
    /// The height of the bar with the buttons.
    pub window_bar_size: u32,
    /// How round the window's corners are, in pixels.
    pub border_radius: u32,
    /// The colours.
    pub theme: Theme,
    /// How long a key takes.
    pub typing_speed: Duration,
    /// How much faster than it was typed it is shown.
    pub playback_speed: f64,
    /// Whether the cursor blinks.
    pub cursor_blink: bool,
    /// For how long `Wait` waits.
    pub wait_timeout: Duration,
    /// What `Wait` waits for.
    pub wait_pattern: Regex,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shell: "bash".to_owned(),
            font_size: 32.0,
            font_family: None,
            letter_spacing: 0.0,
            line_height: 1.0,
            width: None,
            height: None,
            padding: 20,
            margin: 0,
            margin_fill: None,
            window_bar: None,
            window_bar_size: 30,
            border_radius: 0,
            theme: Theme::dracula(),
            typing_speed: Duration::from_millis(50),
            playback_speed: 1.0,
            cursor_blink: true,
            wait_timeout: Duration::from_secs(15),
            wait_pattern: Regex::new(">$").expect("it is a pattern"),
        }
    }
}

/// The buttons of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowBar {
    /// Whether they are rings, not discs.
    pub rings: bool,
    /// Whether they are on the right.
    pub right: bool,
}

impl WindowBar {
    /// The names of the four.
    pub const NAMES: [&'static str; 4] = ["Colorful", "ColorfulRight", "Rings", "RingsRight"];

    /// The one of that name.
    pub fn named(name: &str) -> Option<Self> {
        let index = Self::NAMES.iter().position(|known| *known == name)?;
        Some(Self { rings: index >= 2, right: index % 2 == 1 })
    }
}
