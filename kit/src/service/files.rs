//! Files around a call: what is sent along, and what is written of an answer.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde_json::Value;

use super::failure::Failure;

/// What a service made: how to write it down, and what it took.
pub(crate) struct Made {
    pub(crate) output: Output,
    pub(crate) usage: Value,
}

/// What is written.
pub(crate) enum Output {
    Bytes(Vec<u8>),
    /// Some bytes, then so much of the answer, from a place in it, then some bytes.
    Slice {
        head: Vec<u8>,
        from: u64,
        size: u64,
        tail: Vec<u8>,
    },
    /// The answer as it is.
    Whole,
}

/// Writes what was made of `answer` to `out`.
pub(crate) fn write(answer: &mut File, out: &Path, output: &Output) -> io::Result<()> {
    let mut file = File::create(out)?;
    match output {
        Output::Bytes(bytes) => file.write_all(bytes)?,
        Output::Slice { head, from, size, tail } => {
            file.write_all(head)?;
            answer.seek(SeekFrom::Start(*from))?;
            io::copy(&mut answer.take(*size), &mut file)?;
            file.write_all(tail)?;
        }
        Output::Whole => {
            answer.seek(SeekFrom::Start(0))?;
            io::copy(answer, &mut file)?;
        }
    }
    file.flush()
}

/// What to say of a file that this machine does not read or write.
pub(crate) fn cannot(what: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::local(format!("cannot {what} `{}`: {error}", path.display()))
}

/// The most that a file which is sent along may have.
const MOST_SENT: u64 = 512 << 20;

/// The bytes of a file that is sent along.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn input(path: &Path) -> Result<Vec<u8>, Failure> {
    let size = path.metadata().map_err(|error| cannot("read", path, &error))?.len();
    if size > MOST_SENT {
        let path = path.display();
        return Err(Failure::local(format!("`{path}` is too large to be sent: {size} bytes")));
    }
    std::fs::read(path).map_err(|error| cannot("read", path, &error))
}

/// The text of a file, without white space at its ends.
///
/// # Errors
/// Where it cannot be read, is no text, or says nothing.
pub(crate) fn input_text(path: &Path) -> Result<String, Failure> {
    let bytes = input(path)?;
    let text = String::from_utf8(bytes)
        .map_err(|_| Failure::local(format!("`{}` is no UTF-8 text", path.display())))?;
    let text = text.trim().trim_start_matches('\u{feff}');
    if text.is_empty() {
        return Err(Failure::local(format!("`{}` says nothing", path.display())));
    }
    Ok(text.to_owned())
}

/// The digest of bytes, as requests name files.
pub(crate) fn digest(bytes: &[u8]) -> String {
    blake3::hash(bytes).to_hex().to_string()
}
