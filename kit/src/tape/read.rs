//! Reads a tape, and tells all that is wrong with it.

use std::path::Path;
use std::time::Duration;

use regex_lite::Regex;

use super::{Action, Problem, Settings, Sources, Spot, Step, Tape, WindowBar};
use crate::keys::{Base, Key, Named};
use crate::near::nearest;
use crate::theme::{Rgb, Theme};

/// The commands that are no keys.
const COMMANDS: [&str; 17] = [
    "Type",
    "Sleep",
    "Wait",
    "Set",
    "Hide",
    "Show",
    "Ctrl",
    "Alt",
    "Shift",
    "Env",
    "Require",
    "Source",
    "Screenshot",
    "Copy",
    "Paste",
    "Output",
    "Subtitle",
];

const SETTINGS: [&str; 20] = [
    "Shell",
    "FontSize",
    "FontFamily",
    "LetterSpacing",
    "LineHeight",
    "Width",
    "Height",
    "Padding",
    "Margin",
    "MarginFill",
    "WindowBar",
    "WindowBarSize",
    "BorderRadius",
    "Theme",
    "TypingSpeed",
    "PlaybackSpeed",
    "Framerate",
    "CursorBlink",
    "LoopOffset",
    "WaitTimeout",
];

const PATTERN: &str = "WaitPattern";

/// The tape in `text`, which is called `file`; `sources` reads the files that it names.
///
/// # Errors
/// With all that is wrong with it.
pub fn parse(file: &str, text: &str, sources: &Sources<'_>) -> Result<Tape, Vec<Problem>> {
    let mut tape = Tape::default();
    let mut problems = Vec::new();
    Reader::new(file, text, &mut tape, &mut problems).read(Some(sources));
    if problems.is_empty() { Ok(tape) } else { Err(problems) }
}

/// What is wrong with a command, and what to do about it.
struct Slip {
    /// Where, if not at the command.
    at: Option<usize>,
    message: String,
    hint: Option<String>,
}

impl Slip {
    fn new(message: impl Into<String>) -> Self {
        Self { at: None, message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn meant(self, near: Option<&str>) -> Self {
        match near {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None => self,
        }
    }
}

type Read<T> = Result<T, Slip>;

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    /// The byte that is read next.
    at: usize,
    tape: &'t mut Tape,
    problems: &'t mut Vec<Problem>,
}

impl<'t> Reader<'t> {
    fn new(
        file: &'t str,
        text: &'t str,
        tape: &'t mut Tape,
        problems: &'t mut Vec<Problem>,
    ) -> Self {
        Self { file, text, at: 0, tape, problems }
    }

    /// Reads all commands; `sources` is nothing in a file that another tape names.
    fn read(&mut self, sources: Option<&Sources<'_>>) {
        while self.next_command() {
            let start = self.at;
            if let Err(slip) = self.command(start, sources) {
                let spot = self.spot(slip.at.unwrap_or(start));
                let snippet = self.text.lines().nth(spot.line - 1).unwrap_or_default().to_owned();
                let Slip { message, hint, .. } = slip;
                self.problems.push(Problem { spot, message, hint, snippet });
                self.skip(|char| char != '\n');
            }
        }
    }

    /// Goes to the next command, past blanks, lines and comments.
    fn next_command(&mut self) -> bool {
        loop {
            self.skip(char::is_whitespace);
            match self.peek() {
                None => return false,
                Some('#') => self.skip(|char| char != '\n'),
                Some(_) => return true,
            }
        }
    }

    fn command(&mut self, start: usize, sources: Option<&Sources<'_>>) -> Read<()> {
        let name = self.take(|char| char.is_ascii_alphanumeric());
        if let Some(key) = Named::of(name) {
            let every = self.every()?;
            let times = self.times()?;
            self.step(start, Action::Press { key: key.into(), every, times });
            return self.end(name);
        }
        match name {
            "Type" => {
                let every = self.every()?;
                let text = self.words(name)?;
                self.step(start, Action::Type { text, every });
            }
            "Sleep" => {
                let time = self.duration(name)?;
                self.step(start, Action::Sleep(time));
            }
            "Wait" => {
                let wait = self.wait()?;
                self.step(start, wait);
            }
            "Set" => self.set(start)?,
            "Hide" => self.step(start, Action::Hide),
            "Show" => self.step(start, Action::Show),
            "Ctrl" | "Alt" | "Shift" => {
                let key = self.chord(name)?;
                let every = self.every()?;
                let times = self.times()?;
                self.step(start, Action::Press { key, every, times });
            }
            "Env" => {
                let variable = self.word(name)?;
                let value = self.word(name)?;
                self.tape.env.push((variable, value));
            }
            "Require" => {
                let program = self.word(name)?;
                self.tape.requires.push(program);
            }
            "Source" => self.source(sources)?,
            "Screenshot" => {
                let path = self.word(name)?;
                let name = Path::new(&path).file_stem().and_then(|stem| stem.to_str());
                let name = name.ok_or_else(|| Slip::new(format!("`{path}` names no picture")))?;
                self.step(start, Action::Screenshot(name.to_owned()));
            }
            "Copy" => {
                let text = self.words(name)?;
                self.step(start, Action::Copy(text));
            }
            "Paste" => self.step(start, Action::Paste),
            // What is made is what the target says.
            "Output" => drop(self.word(name)?),
            "Subtitle" => {
                return Err(Slip::new("subtitles are not part of a recording here")
                    .hint("put them on the clip with the rule `burn_subtitles`"));
            }
            "" => {
                let found = self.take(|char| !char.is_whitespace());
                return Err(Slip::new(format!("`{found}` is no command"))
                    .hint("each command begins with its name, as in `Type \"ls\"`"));
            }
            _ => {
                let known = COMMANDS.into_iter().chain(Named::ALL.iter().map(|(name, _)| *name));
                return Err(Slip::new(format!("no command `{name}`")).meant(nearest(name, known)));
            }
        }
        self.end(name)
    }

    /// What follows a command is a blank, a comment or nothing.
    fn end(&mut self, command: &str) -> Read<()> {
        match self.peek() {
            None => Ok(()),
            Some(char) if char.is_whitespace() || char == '#' => Ok(()),
            Some(_) => {
                let at = self.at;
                let rest = self.take(|char| !char.is_whitespace());
                let slip = Slip::new(format!("`{command}` cannot be followed by `{rest}`"));
                Err(Slip { at: Some(at), ..slip })
            }
        }
    }

    fn step(&mut self, start: usize, action: Action) {
        let spot = self.spot(start);
        self.tape.steps.push(Step { spot, action });
    }

    /// `@500ms`, if it is there.
    fn every(&mut self) -> Read<Option<Duration>> {
        if self.peek() != Some('@') {
            return Ok(None);
        }
        self.at += 1;
        self.duration("@").map(Some)
    }

    /// How often a key is pressed; once, if nothing is said.
    fn times(&mut self) -> Read<u32> {
        let before = self.at;
        self.blanks();
        let at = self.at;
        let digits = self.take(|char| char.is_ascii_digit());
        if digits.is_empty() {
            self.at = before;
            return Ok(1);
        }
        match digits.parse() {
            Ok(times @ 1..=10_000) => Ok(times),
            _ => {
                let slip = Slip::new(format!("a key is pressed 1 to 10000 times, not {digits}"));
                Err(Slip { at: Some(at), ..slip })
            }
        }
    }

    /// `500ms`, `2s`, `1m`, or a number of seconds.
    fn duration(&mut self, after: &str) -> Read<Duration> {
        self.blanks();
        let at = self.at;
        let number = self.take(|char| char.is_ascii_digit() || char == '.');
        let unit = self.take(|char| char.is_ascii_alphabetic());
        let unit_seconds = match unit {
            "" | "s" => 1.0,
            "ms" => 0.001,
            "m" => 60.0,
            _ => f64::NAN,
        };
        let seconds = number.parse::<f64>().map(|number| number * unit_seconds);
        match seconds {
            Ok(seconds @ 0.0..=86_400.0) => Ok(Duration::from_secs_f64(seconds)),
            _ => {
                self.at = at;
                let found = self.take(|char| !char.is_whitespace());
                let slip = if found.is_empty() {
                    Slip::new(format!("`{after}` needs a time"))
                } else {
                    Slip::new(format!("`{found}` is no time"))
                };
                Err(Slip {
                    at: Some(at),
                    ..slip.hint("times are written `500ms`, `2s`, `.5` or `1m`")
                })
            }
        }
    }

    /// One text, in quotes or as a bare word.
    fn word(&mut self, command: &str) -> Read<String> {
        self.blanks();
        let at = self.at;
        match self.peek() {
            Some(quote @ ('"' | '\'' | '`')) => {
                self.at += 1;
                let text = self.take(|char| char != quote && char != '\n').to_owned();
                if self.peek() != Some(quote) {
                    let slip = Slip::new(format!("the text has no `{quote}` at its end"));
                    return Err(Slip { at: Some(at), ..slip }
                        .hint("texts end on their line; to type a quote, use another around it"));
                }
                self.at += 1;
                Ok(text)
            }
            _ => {
                let word = self.take(|char| !char.is_whitespace()).to_owned();
                if word.is_empty() || word.starts_with('#') {
                    return Err(Slip::new(format!("`{command}` needs a text after it")));
                }
                Ok(word)
            }
        }
    }

    /// Texts up to the end of the line or the next command, with a space between.
    fn words(&mut self, command: &str) -> Read<String> {
        let mut text = self.word(command)?;
        loop {
            let before = self.at;
            self.blanks();
            match self.peek() {
                None | Some('\n' | '#') => return Ok(text),
                Some('"' | '\'' | '`') => {}
                Some(_) => {
                    let at = self.at;
                    let word = self.take(|char| char.is_ascii_alphanumeric());
                    if Named::of(word).is_some() || COMMANDS.contains(&word) {
                        self.at = before;
                        return Ok(text);
                    }
                    self.at = at;
                }
            }
            text.push(' ');
            text.push_str(&self.word(command)?);
        }
    }

    fn wait(&mut self) -> Read<Action> {
        let mut screen = false;
        if self.peek() == Some('+') {
            self.at += 1;
            let at = self.at;
            screen = match self.take(|char| char.is_ascii_alphanumeric()) {
                "Screen" => true,
                "Line" => false,
                other => {
                    let slip = Slip::new(format!("`Wait` looks at no `{other}`"));
                    return Err(
                        Slip { at: Some(at), ..slip }.hint("write `Wait+Screen` or `Wait+Line`")
                    );
                }
            };
        }
        let timeout = self.every()?;
        let before = self.at;
        self.blanks();
        if self.peek() != Some('/') {
            self.at = before;
            return Ok(Action::Wait { screen, timeout, pattern: None });
        }
        let pattern = Some(self.pattern()?);
        Ok(Action::Wait { screen, timeout, pattern })
    }

    /// `/regex/`.
    fn pattern(&mut self) -> Read<Regex> {
        self.blanks();
        let at = self.at;
        let here = |slip: Slip| Slip { at: Some(at), ..slip };
        let quote = match self.peek() {
            Some(quote @ ('/' | '"' | '\'' | '`')) => quote,
            _ => return Err(here(Slip::new("a pattern is written `/like this/`"))),
        };
        self.at += 1;
        let mut escaped = false;
        let text = self.take(|char| {
            let inside = char != '\n' && (char != quote || escaped);
            escaped = char == '\\' && !escaped;
            inside
        });
        let text = text.replace(&format!("\\{quote}"), &quote.to_string());
        if self.peek() != Some(quote) {
            return Err(here(Slip::new(format!("the pattern has no `{quote}` at its end"))));
        }
        self.at += 1;
        Regex::new(&text)
            .map_err(|error| here(Slip::new(format!("not a regular expression: {error}"))))
    }

    /// What follows `Ctrl`, `Alt` or `Shift`.
    fn chord(&mut self, first: &str) -> Read<Key> {
        let mut key = Key { base: Base::Char(' '), ctrl: false, alt: false, shift: false };
        let mut held = first;
        loop {
            match held {
                "Ctrl" => key.ctrl = true,
                "Alt" => key.alt = true,
                _ => key.shift = true,
            }
            if self.peek() != Some('+') {
                return Err(Slip::new(format!("`{held}` needs a key")).hint("write `Ctrl+C`"));
            }
            self.at += 1;
            let at = self.at;
            let word = self.take(|char| char.is_ascii_alphanumeric());
            match word {
                "Ctrl" | "Alt" | "Shift" => {
                    held = word;
                    continue;
                }
                _ => {}
            }
            key.base = match (Named::of(word), word.chars().next().or(self.peek())) {
                (Some(named), _) => Base::Named(named),
                (None, Some(char)) if word.len() <= 1 && !char.is_whitespace() => {
                    self.at = at + char.len_utf8();
                    // Ctrl+C is the key C without Shift.
                    Base::Char(if key.ctrl { char.to_ascii_lowercase() } else { char })
                }
                _ => {
                    let slip = Slip::new(format!("no key `{word}`"));
                    let near = nearest(word, Named::ALL.iter().map(|(name, _)| *name));
                    return Err(Slip { at: Some(at), ..slip.meant(near) });
                }
            };
            return match key.bytes(false) {
                Some(_) => Ok(key),
                None => Err(Slip::new("no terminal can tell that key")),
            };
        }
    }

    fn source(&mut self, sources: Option<&Sources<'_>>) -> Read<()> {
        let name = self.word("Source")?;
        let Some(sources) = sources else {
            return Err(Slip::new("a tape that another one names cannot name a third one"));
        };
        let path = Path::new(self.file).parent().unwrap_or(Path::new("")).join(&name);
        let text = sources(&path).map_err(|error| {
            Slip::new(format!("cannot read `{name}`: {error}"))
                .hint("list it in the target's `srcs`; its path is relative to the tape's folder")
        })?;
        let file = path.to_string_lossy();
        Reader::new(&file, &text, self.tape, self.problems).read(None);
        Ok(())
    }

    fn set(&mut self, start: usize) -> Read<()> {
        self.blanks();
        let at = self.at;
        let name = self.take(|char| char.is_ascii_alphanumeric());
        let here = |slip: Slip| Slip { at: Some(at), ..slip };
        let known = || SETTINGS.into_iter().chain([PATTERN]);
        if !known().any(|known| known == name) {
            let slip = Slip::new(format!("no setting `{name}`"));
            return Err(here(slip.meant(nearest(name, known()))));
        }
        let acted =
            self.tape.steps.iter().any(|step| !matches!(step.action, Action::TypingSpeed(_)));
        if acted && name == "TypingSpeed" {
            let speed = self.duration(name)?;
            self.step(start, Action::TypingSpeed(speed));
            return self.end(name);
        }
        if acted {
            return Err(here(Slip::new(format!(
                "`{name}` is set after the first command that acts"
            )))
            .hint("set it at the top of the tape; only `TypingSpeed` may change later"));
        }
        let mut settings = self.tape.settings.clone();
        self.setting(name, &mut settings)?;
        self.tape.settings = settings;
        self.end(name)
    }

    fn setting(&mut self, name: &str, to: &mut Settings) -> Read<()> {
        match name {
            "Shell" => to.shell = self.word(name)?,
            "FontSize" => to.font_size = self.number(name, 4.0..=400.0)? as f32,
            "FontFamily" => to.font_family = Some(self.word(name)?),
            "LetterSpacing" => to.letter_spacing = self.number(name, -20.0..=100.0)? as f32,
            "LineHeight" => to.line_height = self.number(name, 0.5..=5.0)? as f32,
            "Width" => to.width = Some(self.pixels(name, 64..=7680)?),
            "Height" => to.height = Some(self.pixels(name, 64..=7680)?),
            "Padding" => to.padding = self.pixels(name, 0..=2000)?,
            "Margin" => to.margin = self.pixels(name, 0..=2000)?,
            "MarginFill" => {
                let text = self.word(name)?;
                let color = Rgb::parse(&text);
                to.margin_fill = Some(color.ok_or_else(|| {
                    Slip::new(format!("`{text}` is no colour"))
                        .hint("write it in quotes, as in `Set MarginFill \"#1a1a2e\"`")
                })?);
            }
            "WindowBar" => {
                let text = self.word(name)?;
                let bar = WindowBar::named(&text);
                to.window_bar = Some(bar.ok_or_else(|| {
                    Slip::new(format!("no window bar `{text}`"))
                        .hint("there are `Colorful`, `ColorfulRight`, `Rings` and `RingsRight`")
                })?);
            }
            "WindowBarSize" => to.window_bar_size = self.pixels(name, 0..=400)?,
            "BorderRadius" => to.border_radius = self.pixels(name, 0..=400)?,
            "Theme" => to.theme = self.theme()?,
            "TypingSpeed" => to.typing_speed = self.duration(name)?,
            "PlaybackSpeed" => to.playback_speed = self.number(name, 0.01..=100.0)?,
            "CursorBlink" => {
                to.cursor_blink = match self.word(name)?.as_str() {
                    "true" => true,
                    "false" => false,
                    other => {
                        let slip = format!("`CursorBlink` is `true` or `false`, not `{other}`");
                        return Err(Slip::new(slip));
                    }
                }
            }
            // The target says how many frames a clip has, and a clip does not loop.
            "Framerate" => drop(self.number(name, 1.0..=300.0)?),
            "LoopOffset" => {
                self.number(name, 0.0..=100_000.0)?;
                if self.peek() == Some('%') {
                    self.at += 1;
                }
            }
            "WaitTimeout" => to.wait_timeout = self.duration(name)?,
            _ => to.wait_pattern = self.pattern()?,
        }
        Ok(())
    }

    fn theme(&mut self) -> Read<Theme> {
        self.blanks();
        if self.peek() != Some('{') {
            let name = self.word("Theme")?;
            return Theme::named(&name).map_err(|near| {
                let slip = Slip::new(format!("no theme `{name}`"));
                match near {
                    Some(near) => slip.meant(Some(near)),
                    None => {
                        let names: Vec<_> =
                            Theme::names().map(|name| format!("`{name}`")).collect();
                        slip.hint(format!(
                            "there are {}, or give the colours as JSON",
                            names.join(", ")
                        ))
                    }
                }
            });
        }
        let start = self.at;
        let mut open = true;
        self.skip(|char| {
            let inside = open;
            open &= char != '}';
            inside
        });
        Theme::from_json(&self.text[start..self.at]).map_err(Slip::new)
    }

    fn number(&mut self, name: &str, range: std::ops::RangeInclusive<f64>) -> Read<f64> {
        self.blanks();
        let at = self.at;
        let digits = self.take(|char| char.is_ascii_digit() || "-.".contains(char));
        match digits.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => {
                self.at = at;
                let found = self.take(|char| !char.is_whitespace());
                let (least, most) = range.into_inner();
                let slip = Slip::new(format!(
                    "`{name}` is a number from {least} to {most}, not `{found}`"
                ));
                Err(Slip { at: Some(at), ..slip })
            }
        }
    }

    fn pixels(&mut self, name: &str, range: std::ops::RangeInclusive<u32>) -> Read<u32> {
        let (least, most) = range.into_inner();
        let number = self.number(name, f64::from(least)..=f64::from(most))?;
        Ok(number.round() as u32)
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn blanks(&mut self) {
        self.skip(|char| char == ' ' || char == '\t' || char == '\r');
    }

    fn skip(&mut self, of: impl FnMut(char) -> bool) {
        self.take(of);
    }

    /// The characters from here for which `of` holds.
    fn take(&mut self, mut of: impl FnMut(char) -> bool) -> &'t str {
        let rest = &self.text[self.at..];
        let end = rest.char_indices().find(|(_, char)| !of(*char)).map_or(rest.len(), |(at, _)| at);
        self.at += end;
        &rest[..end]
    }

    fn spot(&self, at: usize) -> Spot {
        let before = &self.text[..at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Spot { file: self.file.to_owned(), line, column }
    }
}

#[cfg(test)]
mod tests;
