//! Files as bytes: whether they are text, and where two begin to differ.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use vwfb_cas::hashing;

use super::CompareError;

/// More than this is not compared line by line.
const MOST_TEXT: u64 = 8 << 20;

/// So many bytes of each are compared at once.
const BUFFER: usize = 64 * 1024;

/// What a file holds, as far as every comparison asks.
#[derive(Debug)]
pub(super) struct Contents {
    /// The bytes in it.
    pub(super) size: u64,
    /// Its lines, where it is text and not too long.
    pub(super) text: Option<String>,
}

impl Contents {
    /// Those of the file at `path`.
    pub(super) fn of(path: &Path) -> Result<Self, CompareError> {
        let file = open(path)?;
        let size = file.metadata().map_err(CompareError::read(path))?.len();
        if size > MOST_TEXT {
            return Ok(Self { size, text: None });
        }
        let mut bytes = Vec::new();
        file.take(MOST_TEXT).read_to_end(&mut bytes).map_err(CompareError::read(path))?;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok(Self { size, text })
    }
}

/// The offset of the first byte that two files do not share; that of the end of the shorter one,
/// if the other goes on.
pub(super) fn first_difference(before: &Path, after: &Path) -> Result<Option<u64>, CompareError> {
    let mut one = BufReader::with_capacity(BUFFER, open(before)?);
    let mut other = BufReader::with_capacity(BUFFER, open(after)?);
    let mut offset = 0;
    loop {
        let was = one.fill_buf().map_err(CompareError::read(before))?;
        let is = other.fill_buf().map_err(CompareError::read(after))?;
        let length = was.len().min(is.len());
        if length == 0 {
            return Ok((was.len() != is.len()).then_some(offset));
        }
        if was[..length] != is[..length] {
            let shared = was.iter().zip(is).take_while(|(was, is)| was == is).count();
            return Ok(Some(offset + shared as u64));
        }
        one.consume(length);
        other.consume(length);
        offset += length as u64;
    }
}

/// The digest of a file, by which the store knows it too.
pub(super) fn digest(path: &Path) -> Result<String, CompareError> {
    let (digest, _) = hashing::hash(&open(path)?).map_err(CompareError::read(path))?;
    Ok(digest.short())
}

fn open(path: &Path) -> Result<File, CompareError> {
    File::open(path).map_err(CompareError::read(path))
}
