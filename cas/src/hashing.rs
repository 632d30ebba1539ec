//! Digests of files, which may be large and may change while they are read.
//!
//! Files are read and not mapped: a mapped file that somebody else shortens would kill the process.

use std::io::{self, Read};
use std::panic;
use std::sync::mpsc;
use std::thread;

use crate::digest::Digest;

const BUFFER: usize = 128 * 1024;
/// What follows after so many bytes is read ahead and hashed by all cores.
const LARGE: u64 = 1 << 20;
/// How much is read ahead at once, and how many of these are held.
const CHUNK: usize = 512 * 1024;
const CHUNKS: usize = 4;

/// The digest and the number of bytes.
pub type Hashed = (Digest, u64);

/// What went wrong on the way from one place to another.
#[derive(Debug)]
pub(crate) enum Fault {
    Read(io::Error),
    Write(io::Error),
}

/// The digest and number of the bytes that `source` still has, large ones by all cores.
///
/// # Errors
/// If it cannot be read.
pub fn hash(source: &mut (impl Read + Send)) -> io::Result<Hashed> {
    hash_and(source, |_| Ok(())).map_err(|(Fault::Read(error) | Fault::Write(error))| error)
}

/// The digest and number of the bytes that `source` still has, each of which is given to `write`.
pub(crate) fn hash_and(
    source: &mut (impl Read + Send),
    mut write: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> Result<Hashed, Fault> {
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; BUFFER];
    while hasher.count() < LARGE {
        let bytes = fill(source, &mut buffer).map_err(Fault::Read)?;
        if bytes.is_empty() {
            return Ok(hashed(&hasher));
        }
        hasher.update(bytes);
        write(bytes).map_err(Fault::Write)?;
    }
    drop(buffer);
    let (filled, to_hash) = mpsc::sync_channel::<(Vec<u8>, usize)>(CHUNKS);
    let (emptied, to_fill) = mpsc::sync_channel(CHUNKS);
    for _ in 0..CHUNKS {
        // There is room for all of them.
        let _ = emptied.send(vec![0; CHUNK]);
    }
    thread::scope(|scope| {
        let read_ahead = thread::Builder::new().spawn_scoped(scope, move || {
            for mut chunk in to_fill {
                let bytes = fill(source, &mut chunk).map_err(Fault::Read)?;
                if bytes.is_empty() {
                    break;
                }
                write(bytes).map_err(Fault::Write)?;
                let length = bytes.len();
                if filled.send((chunk, length)).is_err() {
                    break;
                }
            }
            Ok(())
        });
        let read_ahead = read_ahead.map_err(Fault::Read)?;
        for (chunk, length) in to_hash {
            hasher.update_rayon(&chunk[..length]);
            // Nobody waits for it after the last one.
            let _ = emptied.send(chunk);
        }
        read_ahead.join().unwrap_or_else(|panicked| panic::resume_unwind(panicked))
    })?;
    Ok(hashed(&hasher))
}

fn hashed(hasher: &blake3::Hasher) -> Hashed {
    (Digest::from_bytes(*hasher.finalize().as_bytes()), hasher.count())
}

/// As many bytes as there are, up to the whole buffer.
fn fill<'a>(source: &mut impl Read, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let mut full = 0;
    while full < buffer.len() {
        match source.read(&mut buffer[full..]) {
            Ok(0) => break,
            Ok(count) => full += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(&buffer[..full])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a few bytes at a time, and fails at the end.
    struct Broken(usize);

    impl Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(self.0).min(70_001);
            self.0 -= count;
            if count == 0 { Err(io::Error::other("gone")) } else { Ok(count) }
        }
    }

    fn bytes(length: usize) -> Vec<u8> {
        (0..length as u32).flat_map(u32::to_le_bytes).take(length).collect()
    }

    #[test]
    fn any_length_has_the_digest_of_its_bytes_and_all_of_them_are_passed_on() {
        let large = LARGE as usize;
        let edges = [0, 1, BUFFER, large - 1, large, large + 1];
        for length in edges.into_iter().chain([large + CHUNK, large + 7 * CHUNK + 5]) {
            let bytes = bytes(length);
            let mut copy = Vec::new();
            let write = |part: &[u8]| {
                copy.extend_from_slice(part);
                Ok(())
            };
            let (digest, count) = hash_and(&mut bytes.as_slice(), write).unwrap();
            assert_eq!((digest, count), (Digest::of(&bytes), length as u64));
            assert!(copy == bytes, "the copy of {length} bytes");
        }
    }

    #[test]
    fn what_cannot_be_read_or_written_to_its_end_has_no_digest() {
        for length in [0, 10, 20_000_000] {
            assert_eq!(hash(&mut Broken(length)).unwrap_err().to_string(), "gone");
        }
        let mut room = 9_000_000;
        let full = hash_and(&mut bytes(20_000_000).as_slice(), |part| {
            room -= part.len() as i64;
            if room < 0 { Err(io::Error::other("full")) } else { Ok(()) }
        });
        assert!(matches!(full, Err(Fault::Write(error)) if error.to_string() == "full"));
    }
}
