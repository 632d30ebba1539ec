//! The stored form of an outcome.

use vwfb_cas::{Artifact, BlobId, Digest, FileRef, TreeId};

use crate::db::Outcome;

/// One line an output: name, kind, digest and size, with tabs between.
pub(super) fn encode_outcome(outcome: &Outcome) -> Vec<u8> {
    let mut text = String::new();
    for (name, artifact) in outcome {
        let (kind, size) = match artifact {
            Artifact::File(file) if file.executable => ("executable", file.size),
            Artifact::File(file) => ("file", file.size),
            Artifact::Tree(_) => ("tree", 0),
        };
        text.push_str(&format!("{name}\t{kind}\t{}\t{size}\n", artifact.digest()));
    }
    text.into_bytes()
}

pub(super) fn decode_outcome(bytes: &[u8]) -> Option<Outcome> {
    let text = std::str::from_utf8(bytes).ok()?;
    text.lines().map(decode_output).collect()
}

fn decode_output(line: &str) -> Option<(String, Artifact)> {
    let mut parts = line.split('\t');
    let (name, kind) = (parts.next()?, parts.next()?);
    let digest: Digest = parts.next()?.parse().ok()?;
    let size = parts.next()?.parse().ok()?;
    let artifact = match kind {
        "tree" => Artifact::Tree(TreeId(digest)),
        "file" | "executable" => {
            Artifact::File(FileRef { blob: BlobId(digest), size, executable: kind == "executable" })
        }
        _ => return None,
    };
    Some((name.to_owned(), artifact))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_reads_back() {
        let blob = BlobId(Digest::of(b"film"));
        let file = |executable| Artifact::File(FileRef { blob, size: 4, executable });
        let outcome = Outcome::from([
            ("a".to_owned(), file(false)),
            ("b".to_owned(), file(true)),
            ("c".to_owned(), Artifact::Tree(TreeId(Digest::of(b"tree")))),
        ]);
        assert_eq!(decode_outcome(&encode_outcome(&outcome)), Some(outcome));
        assert_eq!(decode_outcome(b"a\tfile\tzz\t1\n"), None);
    }
}
