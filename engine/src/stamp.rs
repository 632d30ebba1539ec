//! When a recorded digest may stand for a file without reading it again.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;

use vwfb_cas::Digest;

/// Two writes within this time may leave the same modification time, on every file system that
/// Linux mounts with nanosecond stamps.
const GRANULARITY_NS: i128 = 20_000_000;

/// What the system says of a file without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stamp {
    size: u64,
    modified_ns: i128,
    changed_ns: i128,
    inode: u64,
    device: u64,
    mode: u32,
    /// When the stamp was taken, by the same clock as `modified_ns`.
    taken_ns: i128,
}

/// A file's stamp and the digest of the bytes it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamped {
    /// Taken before the bytes were read, and the same after.
    pub stamp: Stamp,
    /// Of the bytes.
    pub digest: Digest,
}

impl Stamp {
    /// The stamp of a file at the time `now_ns`, nanoseconds since 1970.
    pub fn of(metadata: &Metadata, now_ns: i128) -> Self {
        Self {
            size: metadata.size(),
            modified_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            device: metadata.dev(),
            mode: metadata.mode(),
            taken_ns: now_ns,
        }
    }

    /// The stamp in what `stat` returned, to be compared with one that was taken before.
    pub(crate) fn of_stat(stat: &rustix::fs::Stat) -> Self {
        Self {
            size: stat.st_size.cast_unsigned(),
            modified_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec.cast_signed()),
            changed_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec.cast_signed()),
            inode: stat.st_ino,
            device: stat.st_dev,
            mode: stat.st_mode,
            taken_ns: 0,
        }
    }

    /// Its fields in the widths of a table's columns.
    pub(crate) fn fields(&self) -> Fields {
        Fields {
            size: self.size,
            modified_ns: column(self.modified_ns),
            changed_ns: column(self.changed_ns),
            inode: self.inode,
            device: self.device,
            mode: self.mode,
        }
    }

    /// Whether so much time had passed since the last write when it was taken that another write
    /// would have left a trace. Times that no column holds are never settled.
    pub(crate) fn is_settled(&self) -> bool {
        let last = self.modified_ns.max(self.changed_ns);
        last + GRANULARITY_NS < self.taken_ns && i64::try_from(last).is_ok()
    }

    /// Whether a file that had stamp `self` when it was read, and has `now`, has the same bytes.
    ///
    /// A file that was written just before its stamp was taken may be written again without a
    /// trace, so such a stamp vouches for nothing.
    pub fn vouches_for(&self, now: &Self) -> bool {
        self.is_settled() && self.same_file(now)
    }

    /// Whether nothing that the system says of the file has changed.
    pub fn same_file(&self, other: &Self) -> bool {
        Self { taken_ns: 0, ..*self } == Self { taken_ns: 0, ..*other }
    }

    /// The number of bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether the owner may execute the file.
    pub const fn executable(&self) -> bool {
        self.mode & 0o100 != 0
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(76);
        bytes.extend(self.size.to_le_bytes());
        bytes.extend(self.modified_ns.to_le_bytes());
        bytes.extend(self.changed_ns.to_le_bytes());
        bytes.extend(self.inode.to_le_bytes());
        bytes.extend(self.device.to_le_bytes());
        bytes.extend(self.mode.to_le_bytes());
        bytes.extend(self.taken_ns.to_le_bytes());
        bytes
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let stamp = Self {
            size: u64::from_le_bytes(take(&mut bytes)?),
            modified_ns: i128::from_le_bytes(take(&mut bytes)?),
            changed_ns: i128::from_le_bytes(take(&mut bytes)?),
            inode: u64::from_le_bytes(take(&mut bytes)?),
            device: u64::from_le_bytes(take(&mut bytes)?),
            mode: u32::from_le_bytes(take(&mut bytes)?),
            taken_ns: i128::from_le_bytes(take(&mut bytes)?),
        };
        bytes.is_empty().then_some(stamp)
    }
}

/// A stamp without the time when it was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Fields {
    pub(crate) size: u64,
    pub(crate) modified_ns: u64,
    pub(crate) changed_ns: u64,
    pub(crate) inode: u64,
    pub(crate) device: u64,
    pub(crate) mode: u32,
}

impl Fields {
    /// How many bytes they take.
    pub(crate) const BYTES: usize = 5 * 8 + 4;

    /// As they are in a table, little-endian.
    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let Self { size, modified_ns, changed_ns, inode, device, mode } = self;
        let mut bytes = [0; Self::BYTES];
        let (numbers, rest) = bytes.as_chunks_mut::<8>();
        for (to, number) in numbers.iter_mut().zip([size, modified_ns, changed_ns, inode, device]) {
            *to = number.to_le_bytes();
        }
        rest.copy_from_slice(&mode.to_le_bytes());
        bytes
    }
}

/// Nanoseconds in 64 bits, those before 1970 as two's complement.
fn column(nanoseconds: i128) -> u64 {
    i64::try_from(nanoseconds).unwrap_or(i64::MAX).cast_unsigned()
}

fn nanoseconds(seconds: i64, rest: i64) -> i128 {
    i128::from(seconds) * 1_000_000_000 + i128::from(rest)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Stamp = Stamp {
        size: 3,
        modified_ns: 1_000_000_000,
        changed_ns: 1_000_000_000,
        inode: 7,
        device: 1,
        mode: 0o100_644,
        taken_ns: 2_000_000_000,
    };

    #[test]
    fn a_settled_stamp_vouches_for_an_untouched_file() {
        assert!(LATER.vouches_for(&Stamp { taken_ns: 9_000_000_000, ..LATER }));
        assert!(!LATER.vouches_for(&Stamp { modified_ns: 1_000_000_001, ..LATER }));
        assert!(!LATER.vouches_for(&Stamp { inode: 8, ..LATER }));
    }

    #[test]
    fn a_stamp_taken_right_after_a_write_vouches_for_nothing() {
        let racy = Stamp { taken_ns: 1_010_000_000, ..LATER };
        assert!(!racy.vouches_for(&racy));
    }

    #[test]
    fn a_stamp_reads_back() {
        assert_eq!(Stamp::decode(&LATER.encode()), Some(LATER));
        assert_eq!(Stamp::decode(&LATER.encode()[1..]), None);
    }
}
