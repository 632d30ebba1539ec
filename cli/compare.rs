//! What differs between two versions of a file or folder, in lines for people.
//!
//! It is unaware of labels and runs: it is given two paths and what they are called. Links are
//! compared and never followed, and nothing is written.

mod bytes;
mod facts;
mod folders;
mod measure;
mod media;
mod probe;
mod tools;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use similar::TextDiff;

use self::bytes::{Contents, first_difference};
use self::facts::{Facts, plain};
use self::tools::Tools;

/// What two versions of one output are called in what is told (`//p:a@1`, `//p:a@2`).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names<'a> {
    /// The earlier one, or the one named first.
    pub(crate) before: &'a str,
    /// The other one.
    pub(crate) after: &'a str,
}

/// Two versions cannot be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CompareError {
    /// A file, folder or link cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// Which one.
        path: PathBuf,
        /// What is in the way.
        source: io::Error,
    },
    /// A program is there and does not start.
    #[error("cannot start `{program}`")]
    Start {
        /// Its name.
        program: String,
        /// What is in the way.
        source: io::Error,
    },
}

impl CompareError {
    fn read(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Read { path: path.to_owned(), source }
    }
}

/// The difference between the file or folder at `before` and that at `after`, in lines for
/// people; empty if there is none.
pub(crate) fn compare(
    before: &Path,
    after: &Path,
    names: &Names<'_>,
) -> Result<String, CompareError> {
    compare_with(&mut Tools::installed(), before, after, names)
}

/// `compare` with other programs than those installed.
fn compare_with(
    tools: &mut Tools,
    before: &Path,
    after: &Path,
    names: &Names<'_>,
) -> Result<String, CompareError> {
    let mut text = difference(tools, before, after, names)?;
    text.push_str(tools.hint());
    Ok(text)
}

/// What stands at a path.
#[derive(Debug, PartialEq, Eq)]
enum Kind {
    File {
        executable: bool,
    },
    Folder,
    Link {
        target: PathBuf,
    },
    /// A device, a pipe or a socket, which is never opened.
    Special,
}

impl Kind {
    fn of(path: &Path) -> Result<Self, CompareError> {
        let metadata = fs::symlink_metadata(path).map_err(CompareError::read(path))?;
        if metadata.is_symlink() {
            let target = fs::read_link(path).map_err(CompareError::read(path))?;
            return Ok(Self::Link { target });
        }
        Ok(match metadata {
            _ if metadata.is_dir() => Self::Folder,
            _ if metadata.is_file() => {
                Self::File { executable: metadata.permissions().mode() & 0o111 != 0 }
            }
            _ => Self::Special,
        })
    }

    const fn noun(&self) -> &'static str {
        match self {
            Self::File { .. } => "a file",
            Self::Folder => "a folder",
            Self::Link { .. } => "a link",
            Self::Special => "a special file",
        }
    }
}

fn difference(
    tools: &mut Tools,
    before: &Path,
    after: &Path,
    names: &Names<'_>,
) -> Result<String, CompareError> {
    let body = match (Kind::of(before)?, Kind::of(after)?) {
        (Kind::Folder, Kind::Folder) => return folders::difference(tools, before, after, names),
        (Kind::File { executable: was }, Kind::File { executable: is }) => {
            executable(was, is) + &contents(tools, before, after)?
        }
        (Kind::Link { target: was }, Kind::Link { target: is }) => link(&was, &is),
        (Kind::Special, Kind::Special) => "special files are not compared\n".to_owned(),
        (was, is) => format!("was {}, is {}\n", was.noun(), is.noun()),
    };
    Ok(if body.is_empty() { body } else { headed(names, &body) })
}

/// `body` under the two names, as in a unified diff.
fn headed(names: &Names<'_>, body: &str) -> String {
    format!("--- {}\n+++ {}\n{body}", names.before, names.after)
}

fn executable(was: bool, is: bool) -> String {
    let [was, is] = [was, is].map(|set| Some(if set { "yes" } else { "no" }.to_owned()));
    let mut facts = Facts::default();
    facts.tell("executable", was, is);
    facts.differing()
}

fn link(was: &Path, is: &Path) -> String {
    let [was, is] = [was, is].map(|target| Some(format!("`{}`", shown(target))));
    let mut facts = Facts::default();
    facts.tell("link to", was, is);
    facts.differing()
}

/// The difference between what two files hold.
fn contents(tools: &mut Tools, before: &Path, after: &Path) -> Result<String, CompareError> {
    let Some(offset) = first_difference(before, after)? else { return Ok(String::new()) };
    let (was, is) = (Contents::of(before)?, Contents::of(after)?);
    if let (Some(was), Some(is)) = (&was.text, &is.text) {
        return Ok(TextDiff::from_lines(was, is).unified_diff().context_radius(3).to_string());
    }
    let mut facts = Facts::default();
    facts.tell_sizes(was.size, is.size);
    let texts = was.text.is_some() || is.text.is_some();
    if texts || !media::tell(&mut facts, tools, before, after)? {
        if !texts && tools.blind() {
            facts.tell("digest", Some(bytes::digest(before)?), Some(bytes::digest(after)?));
        } else {
            facts.note(&format!("first difference at byte {offset}, counted from 0"));
        }
    }
    Ok(facts.told())
}

/// A path for people, in one line whatever it holds.
fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

#[cfg(test)]
mod tests;
