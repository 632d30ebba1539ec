//! The encoding of an action result, and the small self-describing file that each result is also
//! kept in, so that the index can be made again from the files alone.

use crate::artifact::{ActionResult, Artifact, FileRef, TreeId};
use crate::digest::{ActionKey, BlobId, Digest};
use crate::encode::{Decoder, Encoder, Malformed};

const HEADER: &[u8] = b"vwfb-result 1\n";
const PLAIN: u8 = 0;
const EXECUTABLE: u8 = 1;
const TREE: u8 = 2;

/// A result under its key, as it is written to a file: the fields, then their checksum.
pub(crate) fn encode(key: ActionKey, result: &ActionResult) -> Vec<u8> {
    let mut out = Encoder::new(HEADER);
    out.digest(key.digest());
    out.map(&result.outputs, encode_artifact);
    out.u8(result.log.is_some().into());
    if let Some(log) = result.log {
        encode_file(&mut out, &log);
    }
    out.u64(result.duration_ms);
    out.u8(result.observed_inputs.is_some().into());
    if let Some(observed) = &result.observed_inputs {
        out.u64(observed.len() as u64);
        observed.iter().for_each(|path| out.text(path));
    }
    let mut bytes = out.finish();
    let checksum = Digest::of(&bytes);
    bytes.extend_from_slice(checksum.as_bytes());
    bytes
}

/// Reads a record back; nothing but what `encode` wrote is accepted.
pub(crate) fn decode(bytes: &[u8]) -> Result<(ActionKey, ActionResult), Malformed> {
    let (body, checksum) = bytes.split_last_chunk().ok_or(Malformed("it is cut short"))?;
    if Digest::of(body) != Digest::from_bytes(*checksum) {
        return Err(Malformed("its checksum is wrong"));
    }
    let mut input = Decoder::new(body, HEADER)?;
    let key = ActionKey(input.digest()?);
    let outputs = input.map(decode_artifact)?;
    let log = if input.flag()? { Some(decode_log(&mut input)?) } else { None };
    let duration_ms = input.u64()?;
    let observed_inputs = if input.flag()? { Some(decode_texts(&mut input)?) } else { None };
    input.finish()?;
    Ok((key, ActionResult { outputs, log, duration_ms, observed_inputs }))
}

fn encode_file(out: &mut Encoder, file: &FileRef) {
    out.u8(if file.executable { EXECUTABLE } else { PLAIN });
    out.digest(file.blob.digest());
    out.u64(file.size);
}

fn encode_artifact(out: &mut Encoder, artifact: &Artifact) {
    match artifact {
        Artifact::File(file) => encode_file(out, file),
        Artifact::Tree(tree) => {
            out.u8(TREE);
            out.digest(tree.digest());
        }
    }
}

fn decode_artifact(input: &mut Decoder<'_>) -> Result<Artifact, Malformed> {
    let kind = input.u8()?;
    let digest = input.digest()?;
    Ok(match kind {
        PLAIN | EXECUTABLE => Artifact::File(FileRef {
            blob: BlobId(digest),
            size: input.u64()?,
            executable: kind == EXECUTABLE,
        }),
        TREE => Artifact::Tree(TreeId(digest)),
        _ => return Err(Malformed("it names an artifact of an unknown kind")),
    })
}

fn decode_log(input: &mut Decoder<'_>) -> Result<FileRef, Malformed> {
    match decode_artifact(input)? {
        Artifact::File(file) => Ok(file),
        Artifact::Tree(_) => Err(Malformed("its log is a tree")),
    }
}

fn decode_texts(input: &mut Decoder<'_>) -> Result<Vec<String>, Malformed> {
    (0..input.u64()?).map(|_| input.text()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (ActionKey, ActionResult) {
        let file = |name: &str| FileRef {
            blob: BlobId(Digest::of(name.as_bytes())),
            size: 7,
            executable: false,
        };
        let outputs = [
            ("mp4".to_owned(), Artifact::File(file("film"))),
            ("pages".to_owned(), Artifact::Tree(TreeId(Digest::of(b"pages")))),
        ];
        let result = ActionResult {
            outputs: outputs.into(),
            log: Some(file("log")),
            duration_ms: 840,
            observed_inputs: Some(vec!["in/src.svg".to_owned()]),
        };
        (ActionKey(Digest::of(b"key")), result)
    }

    #[test]
    fn a_record_survives_its_encoding() {
        let (key, result) = sample();
        assert_eq!(decode(&encode(key, &result)), Ok((key, result)));
        let (key, _) = sample();
        let bare = ActionResult {
            outputs: Default::default(),
            log: None,
            duration_ms: 0,
            observed_inputs: None,
        };
        assert_eq!(decode(&encode(key, &bare)), Ok((key, bare)));
    }

    #[test]
    fn a_record_with_any_byte_changed_is_refused() {
        let (key, result) = sample();
        let bytes = encode(key, &result);
        for place in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[place] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {place}");
        }
    }

    #[test]
    fn the_bytes_of_a_record_never_change() {
        let (key, result) = sample();
        assert_eq!(Digest::of(&encode(key, &result)).short(), "c26b4614d0b4");
    }
}
