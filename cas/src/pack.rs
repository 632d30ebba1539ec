//! Pack files: small blobs, tree encodings and result records, one after the other.
//!
//! Each entry is a frame: a magic number, its kind, its length, its digest (for a record its key),
//! a checksum of these, and the bytes. What is no frame is skipped, so that a torn or damaged part
//! loses only itself.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::digest::Digest;

const MAGIC: [u8; 4] = *b"vwp1";
const CHECKED: usize = MAGIC.len() + 1 + 4 + 32;
/// The bytes of a frame in front of what it holds.
pub(crate) const HEADER: usize = CHECKED + 4;

/// No frame is longer, in bytes: a record of a million outputs is not.
const LONGEST: u32 = 256 << 20;

/// The number of a pack, which no other pack of the store ever had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PackId(pub(crate) i64);

/// Where a frame begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Slot {
    pub(crate) pack: PackId,
    pub(crate) offset: u64,
}

/// Where the bytes of an object are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a file of their own.
    File,
    /// In a pack.
    Packed(Slot),
}

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing any more: a record that was taken back.
    Dead = 0,
    /// The bytes of a blob or a tree.
    Blob = 1,
    /// The record of a result.
    Record = 2,
}

/// The head of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: Kind,
    pub(crate) digest: Digest,
    pub(crate) length: u32,
}

impl Frame {
    /// The frame of these bytes.
    ///
    /// # Panics
    /// If they are 4 GiB or more; what goes into packs is small.
    pub(crate) fn of(kind: Kind, digest: Digest, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("what goes into a pack is small");
        Self { kind, digest, length }
    }

    /// The bytes of a frame, its head included.
    pub(crate) fn span(&self) -> u64 {
        HEADER as u64 + u64::from(self.length)
    }

    pub(crate) fn head(&self) -> [u8; HEADER] {
        let mut head = [0; HEADER];
        head[..4].copy_from_slice(&MAGIC);
        head[4] = self.kind as u8;
        head[5..9].copy_from_slice(&self.length.to_le_bytes());
        head[9..CHECKED].copy_from_slice(self.digest.as_bytes());
        let check = check(&head[..CHECKED]);
        head[CHECKED..].copy_from_slice(&check);
        head
    }

    /// The frame that begins with `bytes`, if one does.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER] = bytes.first_chunk()?;
        if head[..4] != MAGIC || head[CHECKED..] != check(&head[..CHECKED]) {
            return None;
        }
        let kind = match head[4] {
            0 => Kind::Dead,
            1 => Kind::Blob,
            2 => Kind::Record,
            _ => return None,
        };
        let length = u32::from_le_bytes([head[5], head[6], head[7], head[8]]);
        let digest = Digest::from_bytes(*head[9..CHECKED].first_chunk()?);
        Some(Self { kind, digest, length })
    }
}

fn check(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = *Digest::of(bytes).as_bytes();
    [a, b, c, d]
}

/// The bytes in the frame at `offset`; `None` if there is no such frame or the pack ends before
/// its end.
pub(crate) fn read(pack: &File, offset: u64, wanted: &Frame) -> io::Result<Option<Vec<u8>>> {
    if wanted.length > LONGEST {
        return Ok(None);
    }
    let mut bytes = vec![0; HEADER + wanted.length as usize];
    match pack.read_exact_at(&mut bytes, offset) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        done => done?,
    }
    if Frame::parse(&bytes) != Some(*wanted) {
        return Ok(None);
    }
    bytes.drain(..HEADER);
    Ok(Some(bytes))
}

/// Every whole frame in the bytes of a pack with where it begins.
pub(crate) fn scan(bytes: &[u8]) -> Vec<(u64, Frame)> {
    let mut frames = Vec::new();
    let mut at = 0;
    while at + HEADER <= bytes.len() {
        match Frame::parse(&bytes[at..]) {
            Some(frame) if at as u64 + frame.span() <= bytes.len() as u64 => {
                frames.push((at as u64, frame));
                at += HEADER + frame.length as usize;
            }
            _ => {
                let rest = &bytes[at + 1..];
                let Some(next) = rest.windows(MAGIC.len()).position(|some| some == MAGIC) else {
                    break;
                };
                at += 1 + next;
            }
        }
    }
    frames
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Vec<u8> {
        let frame = Frame::of(Kind::Blob, Digest::of(text.as_bytes()), text.as_bytes());
        [&frame.head()[..], text.as_bytes()].concat()
    }

    fn texts(pack: &[u8]) -> Vec<&str> {
        let text = |(at, frame): (u64, Frame)| {
            let begin = at as usize + HEADER;
            std::str::from_utf8(&pack[begin..begin + frame.length as usize]).unwrap()
        };
        scan(pack).into_iter().map(text).collect()
    }

    #[test]
    fn a_torn_tail_and_a_damaged_head_lose_only_themselves() {
        let pack = [entry("one"), entry("two"), entry("three")].concat();
        assert_eq!(texts(&pack), ["one", "two", "three"]);
        for cut in 1..entry("three").len() {
            assert_eq!(texts(&pack[..pack.len() - cut]), ["one", "two"], "{cut}");
        }
        for place in 0..HEADER {
            let mut damaged = pack.clone();
            damaged[entry("one").len() + place] ^= 1;
            assert_eq!(texts(&damaged), ["one", "three"], "byte {place}");
        }
    }

    #[test]
    fn a_frame_of_another_length_or_digest_is_not_the_one_asked_for() {
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&entry("film"), 7).unwrap();
        let film = Frame::of(Kind::Blob, Digest::of(b"film"), b"film");
        assert_eq!(read(&file, 7, &film).unwrap().unwrap(), b"film");
        assert_eq!(read(&file, 0, &film).unwrap(), None);
        assert_eq!(read(&file, 7, &Frame { length: 3, ..film }).unwrap(), None);
        assert_eq!(read(&file, 7, &Frame { kind: Kind::Record, ..film }).unwrap(), None);
        assert_eq!(read(&file, 7, &Frame { length: 40, ..film }).unwrap(), None);
    }

    #[test]
    fn the_bytes_of_a_frame_never_change() {
        assert_eq!(Digest::of(&entry("film")).short(), "17da0093b9d2");
    }
}
