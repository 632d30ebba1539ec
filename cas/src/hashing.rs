//! Digests of files, which may be large and may change while they are read.
//!
//! Files are read and not mapped: a mapped file that somebody else shortens would kill the process.
//! A large one is hashed as the tree that BLAKE3 makes of it (section 2.1 of its paper), the two
//! sides of each node by whichever cores are free, and every core reads for itself, so that what
//! it hashes is still in its own cache.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use blake3::Hasher;
use blake3::hazmat::{self, ChainingValue, HasherExt, Mode};

use crate::digest::Digest;

/// Less than what memory allocators get anew from the system each time.
const BUFFER: usize = 64 * 1024;

/// So many bytes are left to one core. A power of two, as every left side of a node is.
const LEAF: u64 = 1 << 20;

/// The digest and the number of bytes.
pub type Hashed = (Digest, u64);

/// What went wrong on the way from one place to another.
#[derive(Debug)]
pub(crate) enum Fault {
    /// Also with `UnexpectedEof` within, where a file became shorter meanwhile.
    Read(io::Error),
    Write(io::Error),
}

/// What is done with the bytes besides hashing them, from several threads and in any order.
pub(crate) trait Sink: Sync {
    /// Takes the bytes at `offset`.
    fn take(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// All of the `length` bytes at `offset` were taken.
    fn took(&self, _offset: u64, _length: u64) {}

    /// What was taken is void: the file became shorter meanwhile, and is read anew.
    fn restart(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Only hashing.
impl Sink for () {
    fn take(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
        Ok(())
    }
}

/// The digest and length of the bytes of `file`, wherever its position is; a large one by all
/// cores.
///
/// # Errors
/// If it cannot be read.
pub fn hash(file: &File) -> io::Result<Hashed> {
    hash_into(file, &()).map_err(|(Fault::Read(error) | Fault::Write(error))| error)
}

/// Like `hash`; each byte is given to `sink` too.
pub(crate) fn hash_into(file: &File, sink: &impl Sink) -> Result<Hashed, Fault> {
    let length = file.metadata().map_err(Fault::Read)?.len();
    if length <= LEAF {
        return whole(file, sink);
    }
    let input = Input { file, sink };
    let half = hazmat::left_subtree_len(length);
    match input.both((0, half), (half, length - half)) {
        Err(Fault::Read(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
            sink.restart().map_err(Fault::Write)?;
            whole(file, sink)
        }
        Err(fault) => Err(fault),
        Ok((left, right)) => {
            let root = hazmat::merge_subtrees_root(&left, &right, Mode::Hash);
            Ok((Digest::from_bytes(*root.as_bytes()), length))
        }
    }
}

/// What there is to the end of the file, by one core.
fn whole(file: &File, sink: &impl Sink) -> Result<Hashed, Fault> {
    let input = Input { file, sink };
    let (mut hasher, mut buffer) = (Hasher::new(), vec![0; BUFFER]);
    while input.next(&mut hasher, 0, &mut buffer)? > 0 {}
    Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), hasher.count()))
}

struct Input<'a, S> {
    file: &'a File,
    sink: &'a S,
}

impl<S: Sink> Input<'_, S> {
    fn both(
        &self,
        left: (u64, u64),
        right: (u64, u64),
    ) -> Result<(ChainingValue, ChainingValue), Fault> {
        let (left, right) = rayon::join(|| self.subtree(left), || self.subtree(right));
        Ok((left?, right?))
    }

    /// The hash of a part that is no root of the tree.
    fn subtree(&self, (offset, length): (u64, u64)) -> Result<ChainingValue, Fault> {
        let value = if length <= LEAF {
            self.leaf(offset, length)?
        } else {
            let half = hazmat::left_subtree_len(length);
            let (left, right) = self.both((offset, half), (offset + half, length - half))?;
            hazmat::merge_subtrees_non_root(&left, &right, Mode::Hash)
        };
        self.sink.took(offset, length);
        Ok(value)
    }

    fn leaf(&self, offset: u64, length: u64) -> Result<ChainingValue, Fault> {
        let (mut hasher, mut buffer) = (Hasher::new(), vec![0; BUFFER]);
        hasher.set_input_offset(offset);
        while hasher.count() < length {
            let left = usize::try_from(length - hasher.count()).unwrap_or(BUFFER);
            let buffer = &mut buffer[..left.min(BUFFER)];
            if self.next(&mut hasher, offset, buffer)? == 0 {
                return Err(Fault::Read(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(hasher.finalize_non_root())
    }

    /// Hashes what follows in the part at `offset`, and returns how much that was.
    fn next(&self, hasher: &mut Hasher, offset: u64, buffer: &mut [u8]) -> Result<usize, Fault> {
        let at = offset + hasher.count();
        let count = loop {
            match self.file.read_at(buffer, at) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read.map_err(Fault::Read)?,
            }
        };
        hasher.update(&buffer[..count]);
        self.sink.take(at, &buffer[..count]).map_err(Fault::Write)?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    /// A file with so many bytes.
    fn file(length: u64) -> (Vec<u8>, File) {
        let bytes: Vec<u8> =
            (0..length as u32).flat_map(u32::to_le_bytes).take(length as usize).collect();
        let file = tempfile::tempfile().unwrap();
        file.write_all_at(&bytes, 0).unwrap();
        (bytes, file)
    }

    /// A copy, and what was said to be taken.
    #[derive(Default)]
    struct Copy(Mutex<(Vec<u8>, u64)>);

    impl Sink for Copy {
        fn take(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
            let (copy, _) = &mut *self.0.lock().unwrap();
            let (start, end) = (offset as usize, offset as usize + bytes.len());
            copy.resize(copy.len().max(end), 0);
            copy[start..end].copy_from_slice(bytes);
            Ok(())
        }

        fn took(&self, _offset: u64, length: u64) {
            if length <= LEAF {
                self.0.lock().unwrap().1 += length;
            }
        }
    }

    #[test]
    fn any_length_has_the_digest_of_its_bytes_and_all_of_them_are_passed_on() {
        let edges = [0, 1, BUFFER as u64, LEAF - 1, LEAF, LEAF + 1, LEAF + 1024, LEAF + 1025];
        for length in edges.into_iter().chain([2 * LEAF, 3 * LEAF + 5, 8 * LEAF, 21 * LEAF + 7]) {
            let (bytes, file) = file(length);
            let copy = Copy::default();
            let hashed = hash_into(&file, &copy).unwrap();
            assert_eq!(hashed, (Digest::of(&bytes), length), "{length} bytes");
            let (copy, taken) = copy.0.into_inner().unwrap();
            assert!(copy == bytes, "the copy of {length} bytes");
            assert_eq!(taken, if length <= LEAF { 0 } else { length });
        }
    }

    /// Shortens the file once something was read.
    struct Shorten<'a>(&'a File, u64);

    impl Sink for Shorten<'_> {
        fn take(&self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
            self.0.set_len(self.1)
        }
    }

    #[test]
    fn a_file_that_becomes_shorter_has_the_digest_of_what_is_left() {
        let (bytes, file) = file(6 * LEAF);
        for left in [3 * LEAF + 9, 2 * LEAF, 100] {
            let hashed = hash_into(&file, &Shorten(&file, left)).unwrap();
            assert_eq!(hashed, (Digest::of(&bytes[..left as usize]), left));
        }
    }

    struct Full;

    impl Sink for Full {
        fn take(&self, offset: u64, _bytes: &[u8]) -> io::Result<()> {
            if offset < 5 * LEAF { Ok(()) } else { Err(io::Error::other("full")) }
        }
    }

    #[test]
    fn what_cannot_be_passed_on_to_its_end_has_no_digest() {
        let (_, file) = file(6 * LEAF);
        let fault = hash_into(&file, &Full);
        assert!(matches!(fault, Err(Fault::Write(error)) if error.to_string() == "full"));
        let folder = File::open(std::env::temp_dir()).unwrap();
        assert_eq!(hash(&folder).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
