//! Tapes played at a program that is not there.

use std::collections::VecDeque;

use super::*;
use crate::paint::Fonts;
use crate::tape::parse;

/// Says back what is typed, and to Enter what it is told to say, at those times after it.
#[derive(Default)]
struct Echo {
    answers: VecDeque<(Duration, &'static str)>,
    said: VecDeque<u8>,
    entered: Option<Instant>,
    ends: bool,
}

impl Program for Echo {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        for byte in bytes {
            match byte {
                b'\r' => {
                    self.said.extend(b"\r\n");
                    self.entered = Some(Instant::now());
                }
                _ => self.said.push_back(*byte),
            }
        }
        Ok(())
    }

    fn hear(&mut self, wait: Duration) -> io::Result<Heard> {
        if !self.said.is_empty() {
            return Ok(Heard::Said(self.said.drain(..).collect()));
        }
        std::thread::sleep(wait);
        let due = |(after, _): &mut (Duration, _)| {
            self.entered.is_some_and(|entered| entered.elapsed() >= *after)
        };
        if let Some((_, text)) = self.answers.pop_front_if(due) {
            return Ok(Heard::Said(text.into()));
        }
        Ok(if self.ends && self.entered.is_some() { Heard::End } else { Heard::Nothing })
    }

    fn computes(&mut self) -> bool {
        false
    }

    fn is_at_prompt(&mut self) -> bool {
        self.answers.is_empty()
    }
}

/// The pictures of a film, and those that the tape asked for.
#[derive(Default)]
struct Pictures {
    frames: Vec<Canvas>,
    named: Vec<String>,
}

impl Output for Pictures {
    fn frame(&mut self, picture: &Canvas) -> io::Result<()> {
        self.frames.push(picture.clone());
        Ok(())
    }

    fn screenshot(&mut self, name: &str, _: &Canvas) -> io::Result<()> {
        self.named.push(name.to_owned());
        Ok(())
    }
}

fn played(text: &str, mut program: Echo) -> (Result<u64, PlayError>, Pictures) {
    program.said.extend(b"> ");
    let text = format!("Set FontSize 16\nSet CursorBlink false\n{text}");
    let tape = parse("a.tape", &text, &|_| Err(io::ErrorKind::NotFound.into())).unwrap();
    let font = std::fs::read("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf").unwrap();
    let fonts = Fonts::new(font, None, None, Vec::new()).unwrap();
    let mut painter = Painter::new(&tape.settings, fonts, (200, 120));
    let mut pictures = Pictures::default();
    let frames = play(&tape, &mut program, &mut painter, 10, &mut pictures);
    (frames, pictures)
}

/// How often each picture is shown, one after the other.
fn runs(pictures: &[Canvas]) -> Vec<usize> {
    pictures.chunk_by(|a, b| a == b).map(<[Canvas]>::len).collect()
}

#[test]
fn keys_and_pauses_take_the_time_that_the_tape_says() {
    let (frames, pictures) = played("Type@200ms \"abc\"\nEnter@100ms\nSleep 1s", Echo::default());
    assert_eq!(frames.unwrap(), 17);
    assert_eq!(runs(&pictures.frames), [2, 2, 2, 11]);
}

#[test]
fn an_answer_is_there_with_its_key() {
    let answers = [(Duration::from_millis(20), "yes\r\n> ")].into();
    let program = Echo { answers, ..Echo::default() };
    let (frames, pictures) = played("Type@100ms \"a\" Enter@100ms Sleep 500ms", program);
    assert_eq!(frames.unwrap(), 7);
    assert_eq!(runs(&pictures.frames), [1, 6]);
}

#[test]
fn what_a_program_prints_by_itself_is_shown_when_it_does() {
    let answers = [(Duration::from_millis(620), "x"), (Duration::from_millis(1310), "y")].into();
    let program = Echo { answers, ..Echo::default() };
    let (frames, pictures) = played("Enter@0s Sleep 2s", program);
    assert_eq!(frames.unwrap(), 20);
    // The key itself took 30 to 150 ms of real time.
    let runs = runs(&pictures.frames);
    assert_eq!(runs.len(), 3, "{runs:?}");
    assert_eq!(runs[1], 7, "{runs:?}");
}

#[test]
fn what_is_hidden_takes_no_time_and_the_next_picture_shows_what_came_of_it() {
    let tape = "Hide\nType@1s \"abc\"\nSleep 5s\nShow\nSleep 300ms\nScreenshot here.png";
    let (frames, pictures) = played(tape, Echo::default());
    assert_eq!(frames.unwrap(), 3);
    assert_eq!(runs(&pictures.frames), [3]);
    assert_eq!(pictures.named, ["here"]);
}

#[test]
fn a_film_may_be_faster_than_it_was_typed_and_has_one_picture_at_least() {
    let (frames, _) = played("Set PlaybackSpeed 2\nSleep 1s", Echo::default());
    assert_eq!(frames.unwrap(), 5);
    let (frames, _) = played("Set PlaybackSpeed 0.5\nSleep 1s", Echo::default());
    assert_eq!(frames.unwrap(), 20);
    assert_eq!(played("Hide", Echo::default()).0.unwrap(), 1);
}

#[test]
fn a_copied_text_is_pasted_at_once() {
    let tape = "Set TypingSpeed 100ms\nCopy \"abc\"\nPaste Paste";
    let (frames, pictures) = played(tape, Echo::default());
    assert_eq!(frames.unwrap(), 2);
    assert_eq!(runs(&pictures.frames), [1, 1]);
}

#[test]
fn a_wait_ends_when_the_screen_says_it() {
    let answers = [(Duration::from_millis(700), "ready")].into();
    let program = Echo { answers, ..Echo::default() };
    let (frames, _) = played("Enter@0s Wait+Screen /rea.y/ Sleep 100ms", program);
    assert!((5..=8).contains(&frames.unwrap()));
}

#[test]
fn a_wait_that_sees_nothing_tells_what_the_screen_says() {
    let (frames, _) = played("Type \"abc\"\nWait+Line@200ms /never/", Echo::default());
    let error = frames.unwrap_err().to_string();
    assert!(
        error.starts_with("error: `/never/` was not seen within 0.2 s\n --> a.tape:4:1\n"),
        "{error}"
    );
    assert!(error.contains("\n  | > abc\n"), "{error}");
}

#[test]
fn a_tape_does_not_type_at_a_shell_that_has_ended() {
    let ends = || Echo { ends: true, ..Echo::default() };
    assert_eq!(played("Enter@100ms Sleep 400ms", ends()).0.unwrap(), 5);
    let error = played("Enter Type \"x\"", ends()).0.unwrap_err().to_string();
    assert!(error.starts_with("error: the shell has ended before the tape"), "{error}");
}
