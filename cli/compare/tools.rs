//! The door to `ffprobe` and `ffmpeg`: how they are started, and what if they are missing.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::CompareError;
use super::facts::plain;

/// Told once, after all else.
pub(super) const HINT: &str = "hint: install `ffmpeg`, which brings `ffprobe`: \
    then sound, video and pictures are compared by what is in them\n";

/// The two programs.
#[derive(Debug)]
pub(super) struct Tools {
    ffprobe: String,
    ffmpeg: String,
    /// `ffprobe` was asked and not there.
    blind: bool,
    /// One of them was asked and not there.
    missing: bool,
}

/// What became of one of them.
#[derive(Debug)]
pub(super) enum Ran {
    /// It is not installed.
    Missing,
    /// It could not do it; the last line it wrote about that.
    Failed(String),
    /// What it wrote to the standard output and to the standard error.
    Done { out: String, log: String },
}

impl Tools {
    /// Those that `PATH` leads to.
    pub(super) fn installed() -> Self {
        Self::called("ffprobe", "ffmpeg")
    }

    /// Those of other names.
    pub(super) fn called(ffprobe: &str, ffmpeg: &str) -> Self {
        Self {
            ffprobe: ffprobe.to_owned(),
            ffmpeg: ffmpeg.to_owned(),
            blind: false,
            missing: false,
        }
    }

    /// Whether nobody can say what is media, as far as that was asked.
    pub(super) const fn blind(&self) -> bool {
        self.blind
    }

    /// What to do if one was missing: a line, or nothing.
    pub(super) const fn hint(&self) -> &'static str {
        if self.missing { HINT } else { "" }
    }

    /// Asks `ffprobe` about a file.
    pub(super) fn ffprobe(&mut self, path: &Path) -> Result<Ran, CompareError> {
        let asked = ["-v", "error", "-print_format", "json", "-show_format", "-show_streams"];
        let ran = self.run(&self.ffprobe.clone(), &[path], &asked)?;
        self.blind |= matches!(ran, Ran::Missing);
        Ok(ran)
    }

    /// Has `ffmpeg` read files, with `filters` after them and nothing written.
    pub(super) fn ffmpeg(
        &mut self,
        paths: &[&Path],
        filters: &[&str],
    ) -> Result<Ran, CompareError> {
        let rest = [&["-nostats", "-nostdin", "-v", "info"], filters, &["-f", "null", "-"]];
        self.run(&self.ffmpeg.clone(), paths, &rest.concat())
    }

    fn run(&mut self, program: &str, paths: &[&Path], rest: &[&str]) -> Result<Ran, CompareError> {
        let mut command = Command::new(program);
        command.arg("-hide_banner").args(paths.iter().flat_map(|path| input(path))).args(rest);
        // Reports would be written into the current folder, and colours into the lines read here.
        command.env_remove("FFREPORT").env_remove("AV_LOG_FORCE_COLOR");
        match command.env("AV_LOG_FORCE_NOCOLOR", "1").stdin(Stdio::null()).output() {
            Ok(output) => Ok(ended(&output)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.missing = true;
                Ok(Ran::Missing)
            }
            Err(source) => Err(CompareError::Start { program: program.to_owned(), source }),
        }
    }
}

/// The arguments that name a file: never an option, never another protocol.
fn input(path: &Path) -> [OsString; 4] {
    let mut url = OsString::from("file:");
    url.push(path);
    ["-protocol_whitelist".into(), "file".into(), "-i".into(), url]
}

fn ended(output: &Output) -> Ran {
    let [out, log] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    if output.status.success() {
        return Ran::Done { out: out.into_owned(), log: log.into_owned() };
    }
    let last = log.lines().rev().find(|line| !line.trim().is_empty());
    Ran::Failed(last.map_or_else(|| output.status.to_string(), plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_never_an_option() {
        assert_eq!(input(Path::new("-y"))[2..], ["-i", "file:-y"]);
    }
}
