//! Plays a tape: what it types goes to a program, what the screen shows goes to a film.
//!
//! The film has a clock of its own, which the tape moves: a key takes as long as the tape says,
//! however long the program computes until it has answered. Only while a program is in the
//! foreground that lets time pass itself, as `sleep` does, do the tape's pauses pass in real
//! time; what it prints then counts as printed at the nearest tenth of a second.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use crate::keys::Key;
use crate::paint::{Canvas, Painter};
use crate::screen::Screen;
use crate::tape::{Action, Settings, Spot, Step, Tape};

/// What a tape types at.
pub trait Program {
    /// Types.
    ///
    /// # Errors
    /// If it reads nothing any more.
    fn send(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// What it has printed; waits for as long as `wait` for that.
    ///
    /// # Errors
    /// If its terminal fails.
    fn hear(&mut self, wait: Duration) -> io::Result<Heard>;

    /// Whether it is busy right now, and not waiting for anything.
    fn computes(&mut self) -> bool;

    /// Whether it is a shell that waits for a command.
    fn is_at_prompt(&mut self) -> bool;
}

/// What was heard of a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// It printed this.
    Said(Vec<u8>),
    /// It printed nothing.
    Nothing,
    /// It has ended.
    End,
}

/// Where pictures go.
pub trait Output {
    /// Takes the next frame.
    ///
    /// # Errors
    /// If it cannot be written.
    fn frame(&mut self, picture: &Canvas) -> io::Result<()>;

    /// Takes a picture that the tape wants, by its name.
    ///
    /// # Errors
    /// If it cannot be written.
    fn screenshot(&mut self, name: &str, picture: &Canvas) -> io::Result<()>;
}

/// A tape cannot be played to its end.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// What was waited for did not come.
    #[error("{}", Unseen { spot, pattern, timeout: *timeout, screen })]
    Unseen {
        /// Who waited.
        spot: Spot,
        /// For what.
        pattern: String,
        /// How long.
        timeout: Duration,
        /// What the screen said at last.
        screen: String,
    },
    /// The shell ended, and the tape goes on.
    #[error(
        "error: the shell has ended before the tape\n --> {spot}\nthe screen said:\n{}",
        quoted(screen)
    )]
    Ended {
        /// What was not played.
        spot: Spot,
        /// What the screen said at last.
        screen: String,
    },
    /// The program cannot be typed at or heard.
    #[error("the terminal fails: {0}")]
    Terminal(io::Error),
    /// A picture cannot be written.
    #[error("cannot write a picture: {0}")]
    Write(io::Error),
}

struct Unseen<'a> {
    spot: &'a Spot,
    pattern: &'a str,
    timeout: Duration,
    screen: &'a str,
}

impl fmt::Display for Unseen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { spot, pattern, timeout, screen } = self;
        writeln!(f, "error: `/{pattern}/` was not seen within {} s", timeout.as_secs_f64())?;
        writeln!(f, " --> {spot}")?;
        writeln!(f, "the screen said:\n{}", quoted(screen))?;
        write!(
            f,
            "hint: `Wait@1m` waits longer; `Wait` alone looks at the cursor's line, `Wait+Screen` at all"
        )
    }
}

fn quoted(screen: &str) -> String {
    let lines: Vec<String> = screen.lines().map(|line| format!("  | {line}")).collect();
    lines.join("\n")
}

/// Plays `tape` with `fps` pictures a second; how many there are.
///
/// # Errors
/// See [`PlayError`].
pub fn play(
    tape: &Tape,
    program: &mut dyn Program,
    painter: &mut Painter,
    fps: u32,
    output: &mut dyn Output,
) -> Result<u64, PlayError> {
    let (columns, rows) = painter.size();
    let film = Film {
        painter,
        output,
        frame: tape.settings.playback_speed / f64::from(fps),
        shows: true,
        now: Duration::ZERO,
        frames: 0,
        blinks: tape.settings.cursor_blink,
        touched: Duration::ZERO,
    };
    let mut player = Player {
        settings: &tape.settings,
        speed: tape.settings.typing_speed,
        copied: String::new(),
        screen: Screen::new(columns, rows),
        ended: false,
        program,
        film,
        clock: Duration::ZERO,
        key: Instant::now(),
        key_clock: Duration::ZERO,
        frozen: Duration::ZERO,
    };
    player.settle(FIRST_SIGN)?;
    // So the prompt is known for what it is.
    let _ = player.program.is_at_prompt();
    for step in &tape.steps {
        player.step(step)?;
    }
    player.film.end(&player.screen)?;
    Ok(player.film.frames)
}

/// For how long a shell may say nothing before it prompts.
const FIRST_SIGN: Duration = Duration::from_secs(5);
/// For how long a program may say nothing to a key.
const SIGN: Duration = Duration::from_millis(150);
/// After how long without a sign it has said what it had to say.
const QUIET: Duration = Duration::from_millis(30);
/// Longer than this no answer is waited for: the program goes on by itself.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often programs are looked at.
const LOOK: Duration = Duration::from_millis(5);
/// To what the times are rounded at which a program prints by itself.
const BEAT: Duration = Duration::from_millis(100);

struct Player<'a> {
    settings: &'a Settings,
    speed: Duration,
    copied: String,
    screen: Screen,
    ended: bool,
    program: &'a mut dyn Program,
    film: Film<'a>,
    /// The tape's time.
    clock: Duration,
    /// When the last key was pressed, moved on by the time that programs computed since.
    key: Instant,
    /// The tape's time then.
    key_clock: Duration,
    /// How long programs have computed since the step began.
    frozen: Duration,
}

impl Player<'_> {
    fn step(&mut self, Step { spot, action }: &Step) -> Result<(), PlayError> {
        self.frozen = Duration::ZERO;
        match action {
            Action::Type { text, every } => {
                for char in text.chars() {
                    self.send(char.to_string().as_bytes(), spot)?;
                    self.pass(every.unwrap_or(self.speed))?;
                }
            }
            Action::Press { key, every, times } => {
                for _ in 0..*times {
                    self.press(*key, spot)?;
                    self.pass(every.unwrap_or(self.speed))?;
                }
            }
            Action::Sleep(time) => self.sleep(*time)?,
            Action::Hide => self.film.shows = false,
            Action::Show => self.film.shows = true,
            Action::Wait { screen, timeout, pattern } => {
                let pattern = pattern.as_ref().unwrap_or(&self.settings.wait_pattern);
                let timeout = timeout.unwrap_or(self.settings.wait_timeout);
                let seen =
                    |it: &Screen| pattern.is_match(&if *screen { it.text() } else { it.line() });
                if !self.wait(timeout, seen)? {
                    let (pattern, screen) = (pattern.to_string(), self.screen.text());
                    return Err(PlayError::Unseen { spot: spot.clone(), pattern, timeout, screen });
                }
            }
            Action::TypingSpeed(speed) => self.speed = *speed,
            Action::Screenshot(name) => self.film.screenshot(&self.screen, name)?,
            Action::Copy(text) => self.copied.clone_from(text),
            Action::Paste => {
                let text = self.copied.clone();
                self.send(text.as_bytes(), spot)?;
                self.pass(self.speed)?;
            }
        }
        Ok(())
    }

    fn press(&mut self, key: Key, spot: &Spot) -> Result<(), PlayError> {
        let bytes = key.bytes(self.screen.application_cursor()).unwrap_or_default();
        self.send(&bytes, spot)
    }

    /// Types, and hears what is said to it.
    fn send(&mut self, bytes: &[u8], spot: &Spot) -> Result<(), PlayError> {
        if self.ended {
            let screen = self.screen.text();
            return Err(PlayError::Ended { spot: spot.clone(), screen });
        }
        (self.key, self.key_clock, self.frozen) = (Instant::now(), self.clock, Duration::ZERO);
        self.program.send(bytes).map_err(PlayError::Terminal)?;
        self.film.touch();
        self.settle(SIGN)
    }

    /// Hears the program until it has said all there is to say for now; `sign` is for how long it
    /// may say nothing at all.
    fn settle(&mut self, sign: Duration) -> Result<(), PlayError> {
        let began = Instant::now();
        let (mut last, mut heard) = (began, false);
        while !self.ended && began.elapsed() < PATIENCE.max(sign) {
            let (heard_now, computes) = self.look()?;
            if heard_now != Heard::Nothing || computes {
                last = Instant::now();
            }
            heard |= heard_now != Heard::Nothing;
            self.take(heard_now)?;
            if last.elapsed() >= if heard { QUIET } else { sign } {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Lets time pass: really, as long as a program is in the foreground.
    fn sleep(&mut self, time: Duration) -> Result<(), PlayError> {
        let end = self.clock + time;
        let mut idle: Option<Instant> = None;
        while !self.ended && self.key_clock + self.key.elapsed() < end {
            let (heard, computes) = self.look()?;
            if computes || heard != Heard::Nothing || !self.program.is_at_prompt() {
                idle = None;
            } else if idle.get_or_insert_with(Instant::now).elapsed() >= QUIET {
                break;
            }
            self.take_in_time(heard, end)?;
        }
        self.pass(end.saturating_sub(self.clock))
    }

    /// Lets time pass until the screen is as wanted, at most for as long as `timeout`.
    fn wait(
        &mut self,
        timeout: Duration,
        seen: impl Fn(&Screen) -> bool,
    ) -> Result<bool, PlayError> {
        let began = Instant::now();
        while !seen(&self.screen) {
            if self.ended || began.elapsed() >= timeout {
                return Ok(false);
            }
            let (heard, _) = self.look()?;
            self.take_in_time(heard, Duration::MAX)?;
        }
        self.settle(QUIET)?;
        Ok(true)
    }

    /// What is heard of the program, and whether it computes. For as long as it does time stands
    /// still, up to a limit.
    fn look(&mut self) -> Result<(Heard, bool), PlayError> {
        let began = Instant::now();
        let heard = self.program.hear(LOOK).map_err(PlayError::Terminal)?;
        let computes = heard == Heard::Nothing && self.program.computes();
        if computes && self.frozen < PATIENCE {
            self.key += began.elapsed();
            self.frozen += began.elapsed();
        }
        Ok((heard, computes))
    }

    /// Takes what is heard now at its time, which is no later than `end`.
    fn take_in_time(&mut self, heard: Heard, end: Duration) -> Result<(), PlayError> {
        if heard != Heard::Nothing {
            let beats = (self.key.elapsed() + BEAT / 2).as_millis() / BEAT.as_millis();
            let at = self.key_clock + BEAT * u32::try_from(beats).unwrap_or(u32::MAX);
            self.pass(at.min(end).saturating_sub(self.clock))?;
        }
        self.take(heard)
    }

    fn pass(&mut self, time: Duration) -> Result<(), PlayError> {
        self.clock += time;
        self.film.pass(&self.screen, time)
    }

    fn take(&mut self, heard: Heard) -> Result<(), PlayError> {
        match heard {
            Heard::Said(bytes) => {
                let answer = self.screen.print(&bytes);
                self.film.touch();
                if answer.is_empty() {
                    Ok(())
                } else {
                    self.program.send(&answer).map_err(PlayError::Terminal)
                }
            }
            Heard::Nothing => Ok(()),
            Heard::End => {
                self.ended = true;
                Ok(())
            }
        }
    }
}

/// Pictures at equal distances of the film's own time.
struct Film<'a> {
    painter: &'a mut Painter,
    output: &'a mut dyn Output,
    /// Seconds from one picture to the next.
    frame: f64,
    shows: bool,
    now: Duration,
    frames: u64,
    blinks: bool,
    /// When the screen was touched last: the cursor is to be seen then.
    touched: Duration,
}

/// How long a cursor is to be seen, and then is not.
const BLINK: Duration = Duration::from_millis(500);

impl Film<'_> {
    /// Shows `screen` for some time.
    fn pass(&mut self, screen: &Screen, time: Duration) -> Result<(), PlayError> {
        if !self.shows {
            return Ok(());
        }
        let end = self.now + time;
        while self.next() < end {
            self.shoot(screen)?;
        }
        self.now = end;
        Ok(())
    }

    /// When the next picture is due.
    fn next(&self) -> Duration {
        Duration::from_nanos((self.frames as f64 * self.frame * 1e9).round() as u64)
    }

    fn shoot(&mut self, screen: &Screen) -> Result<(), PlayError> {
        let since = self.next().saturating_sub(self.touched).as_millis() / BLINK.as_millis();
        let cursor = !self.blinks || since.is_multiple_of(2);
        let picture = self.painter.picture(screen, cursor);
        self.output.frame(picture).map_err(PlayError::Write)?;
        self.frames += 1;
        Ok(())
    }

    fn touch(&mut self) {
        self.touched = self.now;
    }

    fn screenshot(&mut self, screen: &Screen, name: &str) -> Result<(), PlayError> {
        let picture = self.painter.picture(screen, true);
        self.output.screenshot(name, picture).map_err(PlayError::Write)
    }

    /// A film has a picture.
    fn end(&mut self, screen: &Screen) -> Result<(), PlayError> {
        if self.frames == 0 { self.shoot(screen) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
