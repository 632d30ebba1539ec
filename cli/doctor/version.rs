//! The versions of programs, as they tell them. One that does not tell is there all the same.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use vwfb_exec::SEARCH_PATH;

use super::within::said;
use crate::build::cores;

/// How long a program may take to say it.
const LIMIT: Duration = Duration::from_secs(2);

/// How long all of them may take.
const LIMIT_OF_ALL: Duration = Duration::from_secs(6);

/// More of a line is not about the version.
const MOST: usize = 60;

/// How programs that do not know `--version` are asked; not at all where that is nothing.
const ASKED: [(&str, Option<&str>); 11] = [
    ("awk", Some("-Wversion")),
    ("convert", Some("-version")),
    ("dot", Some("-V")),
    ("ffmpeg", Some("-version")),
    ("ffplay", Some("-version")),
    ("ffprobe", Some("-version")),
    ("identify", Some("-version")),
    ("java", Some("-version")),
    ("mawk", Some("-Wversion")),
    ("pocketsphinx_batch", None),
    ("sh", None),
];

/// The version of each of these programs.
pub(super) fn versions(programs: &[PathBuf]) -> Vec<Option<String>> {
    let mut versions = vec![None; programs.len()];
    let end = Instant::now() + LIMIT_OF_ALL;
    let work = Mutex::new(programs.iter().zip(&mut versions));
    thread::scope(|scope| {
        for _ in 0..cores().min(programs.len()) {
            scope.spawn(|| {
                let next = || work.lock().ok()?.next();
                while let Some((program, place)) = next() {
                    *place = version(program, end);
                }
            });
        }
    });
    versions
}

fn version(program: &Path, end: Instant) -> Option<String> {
    let name = program.file_name()?.to_str()?;
    let asked = ASKED.iter().find(|(known, _)| *known == name);
    let mut command = Command::new(program);
    command.arg(asked.map_or(Some("--version"), |(_, argument)| *argument)?);
    // It is to find nothing to do, and nothing to write to.
    command.current_dir("/").env_clear().env("PATH", SEARCH_PATH.join(":")).env("LC_ALL", "C");
    let said = said(command, end.min(Instant::now() + LIMIT))?;
    let text = said.text.replace(&*program.to_string_lossy(), name);
    if said.well { line(&text) } else { None }
}

/// The first line with a digit, but for what it says of rights.
fn line(text: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains(|c: char| c.is_ascii_digit()))?;
    let line = ["Copyright", "Data at:"]
        .iter()
        .fold(line, |line, end| line.split_once(end).map_or(line, |(before, _)| before));
    let plain = line.chars().filter(|c| !c.is_control());
    let short: String = plain.take(MOST).collect();
    Some(short.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_the_first_line_with_a_digit() {
        let of = |text: &str| line(text).unwrap_or_default();
        assert_eq!(of("usage\nffmpeg version 5.1.7 Copyright (c) 2000\n"), "ffmpeg version 5.1.7");
        assert_eq!(of("a 1\x1b[0m\n"), "a 1[0m");
        assert_eq!(line("no number\n"), None);
        assert_eq!(of(&"1".repeat(100)).len(), MOST);
    }

    #[test]
    fn what_is_not_there_or_ends_badly_has_none() {
        let found = versions(&["/usr/bin/false", "/no", "/usr/bin/cat"].map(PathBuf::from));
        assert_eq!(found[..2], [None, None]);
        assert!(found[2].as_deref().is_some_and(|found| found.starts_with("cat (")), "{found:?}");
    }
}
