//! Sound as WAV files: finds the samples, and says how many there are where a stream did not.

use std::io::{self, Read, Seek, SeekFrom};

/// Sizes from here on are no sizes: a server that streams writes one of them, as it knows none.
const UNKNOWN: u64 = 0x7fff_0000;

/// Chunks before the samples are read whole; this is the most that they have.
const MOST_HEAD: u64 = 1 << 20;

/// A WAV file with right sizes, as parts of what came.
#[derive(Debug, PartialEq)]
pub(crate) struct Wav {
    /// All before the samples.
    pub(crate) head: Vec<u8>,
    /// Where the samples begin in what came.
    pub(crate) from: u64,
    /// How many bytes they have.
    pub(crate) size: u64,
    /// How long they last, in seconds.
    pub(crate) seconds: f64,
}

/// Reads the file that came.
///
/// # Errors
/// With what is wrong with it.
pub(crate) fn read(file: &mut (impl Read + Seek)) -> Result<Wav, String> {
    let fault = |error: io::Error| format!("it cannot be read: {error}");
    let end = file.seek(SeekFrom::End(0)).map_err(fault)?;
    file.seek(SeekFrom::Start(0)).map_err(fault)?;
    let mut head = take(file, 12)?;
    if !head.starts_with(b"RIFF") || &head[8..12] != b"WAVE" {
        return Err("it is no RIFF file with WAVE in it".to_owned());
    }
    let mut format = None;
    loop {
        let chunk = take(file, 8)?;
        let name = &chunk[..4];
        let said = u64::from(little(&chunk[4..8]));
        let at = head.len() as u64 + 8;
        if name == b"data" {
            let Some((rate, align)) = format else { return Err("it has no format".to_owned()) };
            let rest = end.saturating_sub(at);
            let size = match said {
                0 => rest,
                said if said <= rest => said,
                said if said >= UNKNOWN => rest,
                said => {
                    return Err(format!(
                        "it is cut: {said} bytes of sound were to come, {rest} came"
                    ));
                }
            };
            let size = size - size % u64::from(align);
            if size == 0 {
                return Err("it has no sound in it".to_owned());
            }
            return finish(head, at, size, f64::from(rate) * f64::from(align));
        }
        if said > MOST_HEAD || at + said > end {
            return Err("a chunk of it is cut".to_owned());
        }
        let body = take(file, said + said % 2)?;
        if name == b"fmt " {
            if body.len() < 16 {
                return Err("its format is cut".to_owned());
            }
            let (rate, align) =
                (little(&body[4..8]), u32::from(body[12]) | u32::from(body[13]) << 8);
            if rate == 0 || align == 0 {
                return Err("its format says nothing".to_owned());
            }
            format = Some((rate, align));
        }
        head.extend(chunk);
        head.extend(body);
        if head.len() as u64 > MOST_HEAD {
            return Err("it has too much before the sound".to_owned());
        }
    }
}

fn finish(mut head: Vec<u8>, from: u64, size: u64, a_second: f64) -> Result<Wav, String> {
    let whole = head.len() as u64 + 8 + size + size % 2 - 8;
    let (Ok(whole), Ok(data)) = (u32::try_from(whole), u32::try_from(size)) else {
        return Err("it is longer than a WAV file can be".to_owned());
    };
    head[4..8].copy_from_slice(&whole.to_le_bytes());
    head.extend(b"data");
    head.extend(data.to_le_bytes());
    Ok(Wav { head, from, size, seconds: f64::from(data) / a_second })
}

fn take(file: &mut impl Read, count: u64) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    file.take(count)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("it cannot be read: {error}"))?;
    if bytes.len() as u64 == count { Ok(bytes) } else { Err("it is cut".to_owned()) }
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// A file of 16 kHz, mono, 16 bits, which says that it has so many bytes of samples.
    fn file(riff: u32, data: u32, samples: &[u8]) -> Vec<u8> {
        let mut bytes = b"RIFF".to_vec();
        bytes.extend(riff.to_le_bytes());
        bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
        bytes.extend(16_000_u32.to_le_bytes());
        bytes.extend(32_000_u32.to_le_bytes());
        bytes.extend(b"\x02\0\x10\0LIST\x03\0\0\0abc\0data");
        bytes.extend(data.to_le_bytes());
        bytes.extend(samples);
        bytes
    }

    fn sound(bytes: Vec<u8>) -> Result<Wav, String> {
        read(&mut Cursor::new(bytes))
    }

    #[test]
    fn sizes_that_a_stream_did_not_know_are_put_right() {
        let right = sound(file(60, 4, b"abcd")).unwrap();
        assert_eq!((right.from, right.size), (56, 4));
        assert_eq!(little(&right.head[4..8]), 52);
        for unknown in [0, 0xffff_ffff, 0x7fff_ffff, 0x7fff_ffff - 36] {
            assert_eq!(sound(file(0xffff_ffff, unknown, b"abcd")).unwrap(), right);
        }
        // Half a sample at the end is none.
        assert_eq!(sound(file(0, 0xffff_ffff, b"abcde")).unwrap(), right);
        // What follows the samples is not taken along.
        assert_eq!(sound(file(0, 4, b"abcdLIST")).unwrap(), right);
        assert!((right.seconds - 4.0 / 32_000.0).abs() < 1e-9);
    }

    #[test]
    fn what_is_no_sound_is_told() {
        assert!(sound(b"{\"error\":1}".to_vec()).is_err());
        assert!(sound(Vec::new()).is_err());
        assert!(sound(file(0, 0, b"")).unwrap_err().contains("no sound"));
        assert!(sound(file(0, 400, b"abcd")).unwrap_err().contains("is cut: 400"));
        assert!(sound(file(0, 4, b"abcd")[..40].to_vec()).is_err());
        let mut bare = b"RIFF\0\0\0\0WAVEdata".to_vec();
        bare.extend(b"\x04\0\0\0abcd");
        assert!(sound(bare).unwrap_err().contains("format"));
    }
}
