//! A closure with all that it follows from, to be kept for later processes: to look at that again
//! costs a tenth of finding the closure.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vwfb_cas::Digest;

use crate::sight::{Evidence, Seen};
use crate::toolchain::{Closure, FileDigests, ProgramSpec, ToolSpec};

/// Begins every encoding. Its number changes with the format and with what a closure consists of:
/// the rules by which programs, libraries and data are found.
const VERSION: &[u8] = b"vwfb closure 1\n";

/// The closure of a toolchain, and what was seen when it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedClosure {
    /// What the toolchain declares.
    pub(crate) tool: ToolSpec,
    /// Where its programs were looked for.
    pub(crate) search: Vec<PathBuf>,
    pub(crate) closure: Arc<Closure>,
    pub(crate) evidence: Evidence,
}

impl SavedClosure {
    /// What the toolchain declares.
    pub fn tool(&self) -> &ToolSpec {
        &self.tool
    }

    /// The closure.
    pub fn closure(&self) -> &Arc<Closure> {
        &self.closure
    }

    /// How many paths are looked at to tell whether it still holds.
    pub fn probes(&self) -> usize {
        self.evidence.seen.len() + self.evidence.listed.len()
    }

    /// Whether finding it now would find the same: every path that was looked at, also in vain,
    /// is looked at again, and `digests` is asked for every file whose bytes count.
    pub fn still_holds(&self, digests: &dyn FileDigests) -> bool {
        self.evidence.still_holds(digests)
    }

    /// Its bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut to = Encoder(VERSION.to_vec());
        to.bytes(self.tool.name.as_bytes());
        to.list(&self.tool.programs, |to, program| {
            to.bytes(program.name.as_bytes());
            to.list(&program.path, |to, path| to.path(path));
            to.0.push(program.optional.into());
        });
        to.list(&self.tool.data, |to, path| to.path(path));
        to.list(&self.search, |to, path| to.path(path));
        let Closure { programs, components, fingerprint, executable, readable } = &*self.closure;
        to.list(programs, |to, (name, path)| {
            to.bytes(name.as_bytes());
            to.path(path);
        });
        to.list(components, |to, (name, digest)| {
            to.bytes(name.as_bytes());
            to.digest(*digest);
        });
        to.digest(*fingerprint);
        to.list(executable, |to, path| to.path(path));
        to.list(readable, |to, path| to.path(path));
        to.list(&self.evidence.seen, |to, (path, seen)| {
            to.path(path);
            to.seen(seen);
        });
        to.list(&self.evidence.listed, |to, (path, digest)| {
            to.path(path);
            to.digest(*digest);
        });
        to.0
    }

    /// What [`encode`](Self::encode) made bytes of; `None` for other bytes, those of another
    /// version among them.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut from = Decoder(bytes.strip_prefix(VERSION)?);
        let tool = ToolSpec {
            name: from.text()?,
            programs: from.list(|from| {
                let (name, path) = (from.text()?, from.list::<Vec<_>, _>(Decoder::path)?.pop());
                Some(ProgramSpec { name, path, optional: from.flag()? })
            })?,
            data: from.list(Decoder::path)?,
        };
        let search = from.list(Decoder::path)?;
        let closure = Closure {
            programs: from.list(|from| Some((from.text()?, from.path()?)))?,
            components: from.list(|from| Some((from.text()?, from.digest()?)))?,
            fingerprint: from.digest()?,
            executable: from.list::<BTreeSet<_>, _>(Decoder::path)?,
            readable: from.list::<BTreeSet<_>, _>(Decoder::path)?,
        };
        let evidence = Evidence {
            seen: from.list::<BTreeMap<_, _>, _>(|from| Some((from.path()?, from.seen()?)))?,
            listed: from.list(|from| Some((from.path()?, from.digest()?)))?,
        };
        let saved = Self { tool, search, closure: Arc::new(closure), evidence };
        from.0.is_empty().then_some(saved)
    }
}

/// Lengths are 32 bits, little-endian, before what they are of.
struct Encoder(Vec<u8>);

impl Encoder {
    fn length(&mut self, length: usize) {
        let length = u32::try_from(length).expect("no list or name has 4 GiB");
        self.0.extend(length.to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.length(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    fn path(&mut self, path: &Path) {
        self.bytes(path.as_os_str().as_bytes());
    }

    fn digest(&mut self, digest: Digest) {
        self.0.extend_from_slice(digest.as_bytes());
    }

    fn list<I: IntoIterator>(&mut self, items: I, item: impl Fn(&mut Self, I::Item)) {
        let at = self.0.len();
        self.length(0);
        let mut count = 0_u32;
        for each in items {
            item(self, each);
            count += 1;
        }
        self.0[at..at + 4].copy_from_slice(&count.to_le_bytes());
    }

    fn seen(&mut self, seen: &Seen) {
        match seen {
            Seen::Absent => self.0.push(b'a'),
            Seen::Link(text) => {
                self.0.push(b'l');
                self.path(text);
            }
            Seen::Folder => self.0.push(b'd'),
            Seen::File { program, digest } => {
                self.0.push(b'f');
                self.0.push((*program).into());
                self.list(digest, |to, digest| to.digest(*digest));
            }
            Seen::Special => self.0.push(b's'),
        }
    }
}

/// Takes values from the front.
struct Decoder<'a>(&'a [u8]);

impl<'a> Decoder<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn length(&mut self) -> Option<usize> {
        let bytes = self.take(4)?.try_into().ok()?;
        usize::try_from(u32::from_le_bytes(bytes)).ok()
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn path(&mut self) -> Option<PathBuf> {
        Some(OsString::from_vec(self.bytes()?.to_vec()).into())
    }

    fn digest(&mut self) -> Option<Digest> {
        Some(Digest::from_bytes(self.take(32)?.try_into().ok()?))
    }

    fn flag(&mut self) -> Option<bool> {
        match self.take(1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn list<C: FromIterator<T>, T>(&mut self, item: impl Fn(&mut Self) -> Option<T>) -> Option<C> {
        let count = self.length()?;
        (0..count).map(|_| item(self)).collect()
    }

    fn seen(&mut self) -> Option<Seen> {
        Some(match self.take(1)? {
            b"a" => Seen::Absent,
            b"l" => Seen::Link(self.path()?),
            b"d" => Seen::Folder,
            b"f" => {
                let program = self.flag()?;
                let digest = self.list::<Vec<_>, _>(Self::digest)?.pop();
                Seen::File { program, digest }
            }
            b"s" => Seen::Special,
            _ => return None,
        })
    }
}
