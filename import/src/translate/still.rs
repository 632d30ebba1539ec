//! Commands of ffmpeg that show a picture for as long as a recording lasts, or join clips.

use crate::command::{Command, Word};
use crate::text::Text;

/// What a `still_clip` takes from a command.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Still {
    pub(super) image: String,
    pub(super) audio: String,
    pub(super) output: String,
    pub(super) size: Option<(i64, i64)>,
    pub(super) fps: Option<i64>,
    pub(super) crf: Option<i64>,
    pub(super) preset: Option<String>,
    /// How long it is silent afterwards, in seconds.
    pub(super) pad: Option<String>,
}

/// What the command shows, if it does nothing but show a picture over a recording.
pub(super) fn still(command: &Command, words: impl Fn(&Text) -> String) -> Option<Still> {
    let mut args = Args::of(command, words)?;
    let mut still = Still::default();
    let (mut looped, mut shortest) = (false, false);
    let mut inputs: Vec<(String, bool)> = Vec::new();
    let output = args.0.pop()?;
    let Arg::Path(output) = output else { return None };
    still.output = output;
    let mut rest = args.0.into_iter();
    while let Some(Arg::Flag(flag)) = rest.next() {
        let mut value = || rest.next();
        match flag.as_str() {
            "-y" | "-n" | "-hide_banner" | "-nostdin" | "-nostats" => {}
            "-shortest" => shortest = true,
            "-loop" => looped = value()?.is("1"),
            "-i" => {
                let Arg::Path(path) = value()? else { return None };
                inputs.push((path, std::mem::take(&mut looped)));
            }
            "-framerate" | "-r" => still.fps = value()?.number(),
            "-s" => still.size = size(&value()?.text()?, 'x'),
            "-vf" | "-filter:v" => picture(&value()?.text()?, &mut still)?,
            "-af" | "-filter:a" => still.pad = Some(pad(&value()?.text()?)?),
            "-crf" => still.crf = Some(value()?.number().filter(|crf| (0..=51).contains(crf))?),
            "-preset" => still.preset = Some(value()?.text().filter(|name| is_preset(name))?),
            "-map" => {
                let map = value()?.text()?;
                let map = map.trim_end_matches(":0");
                if !matches!(map, "0" | "0:v" | "1" | "1:a") {
                    return None;
                }
            }
            "-c:v" | "-vcodec" | "-codec:v" => {
                if !value()?.is("libx264") {
                    return None;
                }
            }
            // How sound is encoded is settled where the film is finished.
            "-c:a" | "-acodec" | "-codec:a" | "-b:a" | "-ar" | "-ac" | "-pix_fmt" | "-tune"
            | "-movflags" | "-loglevel" | "-v" | "-profile:v" | "-threads" => drop(value()?),
            _ => return None,
        }
    }
    let [(image, true), (audio, false)] = inputs.as_slice() else { return None };
    (still.image, still.audio) = (image.clone(), audio.clone());
    shortest.then_some(still)
}

/// The list file and the output of a command that joins clips as they are.
pub(super) fn joined(
    command: &Command,
    words: impl Fn(&Text) -> String,
) -> Option<(String, String)> {
    let mut args = Args::of(command, words)?;
    let Some(Arg::Path(output)) = args.0.pop() else { return None };
    let (mut list, mut concat, mut mapped) = (None, false, true);
    let mut rest = args.0.into_iter();
    while let Some(Arg::Flag(flag)) = rest.next() {
        let mut value = || rest.next();
        match flag.as_str() {
            "-y" | "-n" | "-hide_banner" | "-nostdin" => {}
            "-f" => concat = value()?.is("concat"),
            "-i" => {
                let Arg::Path(path) = value()? else { return None };
                mapped = list.replace(path).is_none();
            }
            "-safe" | "-c" | "-c:v" | "-c:a" | "-b:a" | "-crf" | "-preset" | "-pix_fmt"
            | "-movflags" | "-loglevel" | "-v" | "-ar" | "-ac" => drop(value()?),
            _ => return None,
        }
    }
    (concat && mapped).then_some((list?, output))
}

/// The files that a list of ffmpeg's `concat` names; nothing if it says anything else.
pub(super) fn listed(text: &str) -> Option<Vec<String>> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    let file = |line: &str| {
        let name = line.strip_prefix("file ")?.trim();
        let quoted = name.strip_prefix('\'').and_then(|name| name.strip_suffix('\''));
        let name = quoted.unwrap_or(name);
        (!name.is_empty() && !name.contains(['\'', '\\'])).then(|| name.to_owned())
    };
    let files: Option<Vec<String>> = lines.map(file).collect();
    files.filter(|files| !files.is_empty())
}

/// An argument that is one thing.
enum Arg {
    Flag(String),
    Text(String),
    Path(String),
}

struct Args(Vec<Arg>);

impl Args {
    fn of(command: &Command, words: impl Fn(&Text) -> String) -> Option<Self> {
        let one = |arg: &Vec<Word>| match arg.as_slice() {
            [Word::Path(path)] => Some(Arg::Path(path.clone())),
            [Word::Text(text)] => {
                let text = words(text);
                // A number below zero is no flag.
                let is_flag = text.starts_with('-') && text[1..].starts_with(char::is_alphabetic);
                Some(if is_flag { Arg::Flag(text) } else { Arg::Text(text) })
            }
            _ => None,
        };
        command.args.iter().map(one).collect::<Option<Vec<Arg>>>().map(Self)
    }
}

impl Arg {
    fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Flag(_) | Self::Path(_) => None,
        }
    }

    fn is(&self, expected: &str) -> bool {
        matches!(self, Self::Text(text) if text == expected)
    }

    fn number(&self) -> Option<i64> {
        self.text()?.parse().ok()
    }
}

fn is_preset(name: &str) -> bool {
    let names = "ultrafast superfast veryfast faster fast medium slow slower veryslow";
    names.split(' ').any(|known| known == name)
}

fn size(text: &str, between: char) -> Option<(i64, i64)> {
    let (width, height) = text.split_once(between)?;
    let even = |number: &str| {
        let number: i64 = number.parse().ok()?;
        ((16..=7680).contains(&number) && number % 2 == 0).then_some(number)
    };
    Some((even(width)?, even(height)?))
}

/// What filters of the picture say: its size and rate, and nothing else.
fn picture(filters: &str, still: &mut Still) -> Option<()> {
    for filter in filters.split(',') {
        let (name, values) = filter.split_once('=').unwrap_or((filter, ""));
        match name.trim() {
            "scale" => {
                let mut values = values.splitn(3, ':');
                let sides = format!("{}:{}", values.next()?, values.next()?);
                still.size = Some(size(&sides, ':')?);
            }
            "fps" => still.fps = Some(values.parse().ok()?),
            "pad" | "setsar" | "format" => {}
            _ => return None,
        }
    }
    Some(())
}

/// The seconds of silence that `apad` puts behind a recording.
fn pad(filter: &str) -> Option<String> {
    let seconds = filter.strip_prefix("apad=pad_dur=")?.trim_end_matches('s');
    let plain = seconds.chars().all(|c| c.is_ascii_digit() || c == '.');
    (plain && seconds.parse::<f64>().is_ok()).then(|| seconds.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn command(line: &str) -> Command {
        let word = |word: &str| match word.strip_prefix('@') {
            Some(path) => Word::Path(path.to_owned()),
            None => Word::Text(Text::plain(word)),
        };
        let args = line.split(' ').map(|arg| vec![word(arg)]).collect();
        Command { args, ..Command::default() }
    }

    fn read(line: &str) -> Option<Still> {
        still(&command(line), |text| text.resolved(|_| ""))
    }

    #[test]
    fn a_picture_over_a_recording_is_a_still_clip() {
        let line = "-y -loop 1 -framerate 30 -i @a.png -i @a.wav -c:v libx264 -tune stillimage \
                    -crf 20 -vf scale=1080:1920:force_original_aspect_ratio=decrease,format=yuv420p \
                    -c:a aac -b:a 192k -pix_fmt yuv420p -shortest @a.mp4";
        let still = read(line).unwrap();
        assert_eq!((still.image.as_str(), still.audio.as_str()), ("a.png", "a.wav"));
        assert_eq!((still.size, still.fps, still.crf), (Some((1080, 1920)), Some(30), Some(20)));
        assert_eq!(
            read("-loop 1 -i @a -i @b -af apad=pad_dur=0.2 -shortest @c").unwrap().pad.unwrap(),
            "0.2"
        );
    }

    #[test]
    fn what_does_more_is_none() {
        for line in [
            "-loop 1 -i @a.png -i @a.wav @a.mp4",
            "-i @a.png -i @a.wav -shortest @a.mp4",
            "-loop 1 -i @a.png -i @a.wav -i @b.wav -shortest @a.mp4",
            "-loop 1 -i @a.png -i @a.wav -vf drawtext=x -shortest @a.mp4",
            "-loop 1 -i @a.png -i @a.wav -t 5 -shortest @a.mp4",
            "-loop 1 -i @a.png -i @a.wav -c:v libx265 -shortest @a.mp4",
            "-shortest",
        ] {
            assert_eq!(read(line), None, "{line}");
        }
    }

    #[test]
    fn lists_of_clips_are_read() {
        assert_eq!(listed("file 'a b.mp4'\n# no\nfile c.mp4\n").unwrap(), ["a b.mp4", "c.mp4"]);
        assert_eq!(listed("file 'a'\nduration 3\n"), None);
        assert_eq!(listed(""), None);
    }
}
