//! The canonical encoding of a directory, whose digest is the tree's id, and the rules for what a
//! tree may hold.

use crate::artifact::{Entry, FileRef, Tree, TreeId};
use crate::digest::{BlobId, Digest};
use crate::encode::{Decoder, Encoder, Malformed};

const HEADER: &[u8] = b"vwfb-tree 1\n";
const PLAIN: u8 = 0;
const EXECUTABLE: u8 = 1;
const DIR: u8 = 2;
const SYMLINK: u8 = 3;

/// The bytes are not a canonical tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a canonical tree: {0}")]
pub struct TreeDecodeError(&'static str);

impl From<Malformed> for TreeDecodeError {
    fn from(Malformed(why): Malformed) -> Self {
        Self(why)
    }
}

impl TreeId {
    /// The blob that holds the tree's encoding.
    pub const fn blob(&self) -> BlobId {
        BlobId(self.0)
    }
}

impl Tree {
    /// The id that the encoding gives it.
    pub fn id(&self) -> TreeId {
        TreeId(Digest::of(&self.encode()))
    }

    /// The canonical bytes: one tree has one encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Encoder::new(HEADER);
        out.map(&self.entries, encode_entry);
        out.finish()
    }

    /// Reads the canonical bytes back, refusing any other encoding of the same tree.
    pub fn decode(bytes: &[u8]) -> Result<Self, TreeDecodeError> {
        let mut input = Decoder::new(bytes, HEADER)?;
        let entries = input.map(decode_entry)?;
        input.finish()?;
        if entries.keys().any(|name| !is_name(name)) {
            return Err(TreeDecodeError("it has an entry that is no file name"));
        }
        Ok(Self { entries })
    }
}

fn encode_entry(out: &mut Encoder, entry: &Entry) {
    match entry {
        Entry::File(file) => {
            out.u8(if file.executable { EXECUTABLE } else { PLAIN });
            out.digest(file.blob.digest());
            out.u64(file.size);
        }
        Entry::Dir(tree) => {
            out.u8(DIR);
            out.digest(tree.digest());
        }
        Entry::Symlink(target) => {
            out.u8(SYMLINK);
            out.text(target);
        }
    }
}

fn decode_entry(input: &mut Decoder<'_>) -> Result<Entry, Malformed> {
    Ok(match input.u8()? {
        kind @ (PLAIN | EXECUTABLE) => Entry::File(FileRef {
            blob: BlobId(input.digest()?),
            size: input.u64()?,
            executable: kind == EXECUTABLE,
        }),
        DIR => Entry::Dir(TreeId(input.digest()?)),
        SYMLINK => Entry::Symlink(input.text()?),
        _ => return Err(Malformed("it has an entry of an unknown kind")),
    })
}

/// Whether `name` can be an entry of a directory.
fn is_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\0'])
}

/// Why a link `depth` folders below the root of its tree may not point to `target`; `None` if it
/// may.
///
/// `..` may only lead the target: after a name it could step back from where another link leads
/// and so leave the tree.
pub(crate) fn symlink_fault(target: &str, depth: usize) -> Option<&'static str> {
    if target.is_empty() || target.starts_with('/') {
        return Some("its target is not relative");
    }
    let steps = target.split('/').filter(|step| !matches!(*step, "" | "."));
    let (mut ups, mut named) = (0, false);
    for step in steps {
        match (step, named) {
            ("..", true) => return Some("its target has `..` after a name"),
            ("..", false) => ups += 1,
            _ => named = true,
        }
    }
    (ups > depth).then_some("its target is outside the tree")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Tree {
        let file = |text: &[u8], executable| {
            Entry::File(FileRef {
                blob: BlobId(Digest::of(text)),
                size: text.len() as u64,
                executable,
            })
        };
        let entries = [
            ("run.sh".to_owned(), file(b"#!/bin/sh\n", true)),
            ("film.mp4".to_owned(), file(b"frames", false)),
            ("empty".to_owned(), Entry::Dir(Tree::default().id())),
            ("latest".to_owned(), Entry::Symlink("film.mp4".to_owned())),
        ];
        Tree { entries: entries.into() }
    }

    #[test]
    fn the_digest_of_a_tree_never_changes() {
        assert_eq!(
            sample().id().to_string(),
            "5c1e5c2a42a3e99d52eceddfe8b81d8269cfb57569e6a68ef3964c0f0f824b48"
        );
    }

    #[test]
    fn a_tree_survives_its_encoding() {
        assert_eq!(Tree::decode(&sample().encode()), Ok(sample()));
    }

    #[test]
    fn a_cut_or_padded_tree_is_refused() {
        let bytes = sample().encode();
        for length in 0..bytes.len() {
            assert!(Tree::decode(&bytes[..length]).is_err(), "cut to {length}");
        }
        assert!(Tree::decode(&[bytes, vec![0]].concat()).is_err());
    }

    #[test]
    fn an_entry_that_leaves_its_folder_is_refused() {
        for name in ["..", ".", "", "a/b"] {
            let tree = Tree { entries: [(name.to_owned(), Entry::Symlink("x".into()))].into() };
            assert!(Tree::decode(&tree.encode()).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_symlink_may_point_only_into_its_tree() {
        assert_eq!(symlink_fault("../a", 1), None);
        assert_eq!(symlink_fault("a/b", 0), None);
        assert!(symlink_fault("../a", 0).is_some());
        assert!(symlink_fault("a/../../b", 1).is_some());
        assert!(symlink_fault("/etc/passwd", 5).is_some());
    }
}
