//! The files that a snapshot rests on, folder by folder, and the quick look at all of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::os::fd::OwnedFd;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{BlobId, Digest, FileRef};

use crate::columns::{Reader, Strings, Writer, narrow};
use crate::stamp::{Fields, Stamp, Stamped};

/// A file's place in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileId(pub(crate) u32);

/// Files by folder, each with the stamp it had when its bytes were read, and their digest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Files {
    /// Relative to the workspace.
    folders: Strings,
    /// Folder -> the end of its files.
    ends: Vec<u32>,
    names: Strings,
    seen: Seen,
    /// The rows that are not as in the file that this was read from.
    changed: BTreeSet<u32>,
}

/// What was seen of each file.
#[derive(Debug, Clone, Default)]
struct Seen {
    sizes: Vec<u64>,
    modified: Vec<u64>,
    changed: Vec<u64>,
    inodes: Vec<u64>,
    devices: Vec<u64>,
    modes: Vec<u32>,
    /// 1 where the stamp vouches for the bytes; 0 where they must be read again.
    vouched: Vec<u8>,
    digests: Vec<[u8; 32]>,
}

/// What was seen of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sight {
    fields: Fields,
    vouched: u8,
    digest: [u8; 32],
}

impl Sight {
    fn of(stamped: Option<Stamped>) -> Self {
        Self {
            fields: stamped.map(|stamped| stamped.stamp.fields()).unwrap_or_default(),
            vouched: u8::from(stamped.is_some_and(|stamped| stamped.stamp.is_settled())),
            digest: stamped.map_or([0; 32], |stamped| *stamped.digest.as_bytes()),
        }
    }
}

impl Seen {
    fn push(&mut self, sight: Sight) {
        let Sight { fields, vouched, digest } = sight;
        self.sizes.push(fields.size);
        self.modified.push(fields.modified_ns);
        self.changed.push(fields.changed_ns);
        self.inodes.push(fields.inode);
        self.devices.push(fields.device);
        self.modes.push(fields.mode);
        self.vouched.push(vouched);
        self.digests.push(digest);
    }

    fn set(&mut self, row: usize, sight: Sight) {
        let Sight { fields, vouched, digest } = sight;
        self.sizes[row] = fields.size;
        self.modified[row] = fields.modified_ns;
        self.changed[row] = fields.changed_ns;
        self.inodes[row] = fields.inode;
        self.devices[row] = fields.device;
        self.modes[row] = fields.mode;
        self.vouched[row] = vouched;
        self.digests[row] = digest;
    }

    fn get(&self, row: usize) -> Sight {
        let fields = Fields {
            size: self.sizes[row],
            modified_ns: self.modified[row],
            changed_ns: self.changed[row],
            inode: self.inodes[row],
            device: self.devices[row],
            mode: self.modes[row],
        };
        Sight { fields, vouched: self.vouched[row], digest: self.digests[row] }
    }

    fn write(&self, to: &mut Writer) {
        for column in [&self.sizes, &self.modified, &self.changed, &self.inodes, &self.devices] {
            to.column(column);
        }
        to.column(&self.modes);
        to.column(&self.vouched);
        to.column(&self.digests);
    }

    /// What was seen of `count` files.
    fn read(from: &mut Reader<'_>, count: usize) -> Option<Self> {
        let seen = Self {
            sizes: from.column()?,
            modified: from.column()?,
            changed: from.column()?,
            inodes: from.column()?,
            devices: from.column()?,
            modes: from.column()?,
            vouched: from.column()?,
            digests: from.column()?,
        };
        let numbers = [&seen.sizes, &seen.modified, &seen.changed, &seen.inodes, &seen.devices];
        let whole = numbers.iter().all(|column| column.len() == count)
            && [seen.modes.len(), seen.vouched.len(), seen.digests.len()] == [count; 3];
        whole.then_some(seen)
    }
}

/// A file on its way into a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewFile {
    /// What was last read; `None` if it is to be read again in any case.
    pub(crate) stamped: Option<Stamped>,
}

impl Files {
    /// A table of `files` by path, with the place of each in the order of the map.
    pub(crate) fn of(files: &BTreeMap<(String, String), NewFile>) -> Self {
        let mut table = Self::default();
        let mut last: Option<&str> = None;
        for ((folder, name), file) in files {
            if last != Some(folder) {
                if last.is_some() {
                    table.ends.push(narrow(table.names.len()));
                }
                table.folders.push(folder);
                last = Some(folder);
            }
            table.names.push(name);
            table.seen.push(Sight::of(file.stamped));
        }
        if last.is_some() {
            table.ends.push(narrow(table.names.len()));
        }
        table
    }

    /// Says what a file's bytes are now.
    pub(crate) fn set(&mut self, FileId(row): FileId, stamped: Option<Stamped>) {
        self.put(row, Sight::of(stamped));
    }

    fn put(&mut self, row: u32, sight: Sight) {
        if self.seen.get(row as usize) != sight {
            self.seen.set(row as usize, sight);
            self.changed.insert(row);
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn digest(&self, FileId(row): FileId) -> Digest {
        Digest::from_bytes(self.seen.digests[row as usize])
    }

    pub(crate) fn executable(&self, FileId(row): FileId) -> bool {
        self.seen.modes[row as usize] & 0o100 != 0
    }

    /// A file as artifacts name it; `None` if nothing is known of its bytes.
    pub(crate) fn file(&self, id: FileId) -> Option<FileRef> {
        let row = id.0 as usize;
        let known = self.seen.digests[row] != [0; 32];
        let (blob, size) = (BlobId(self.digest(id)), self.seen.sizes[row]);
        known.then(|| FileRef { blob, size, executable: self.executable(id) })
    }

    /// The path of a file, relative to the workspace.
    pub(crate) fn path(&self, FileId(row): FileId) -> String {
        let folder = self.ends.partition_point(|end| *end <= row);
        join(self.folders.get(narrow(folder)), self.names.get(row))
    }

    /// The file at a path, relative to the workspace.
    pub(crate) fn find(&self, path: &str) -> Option<FileId> {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let folder = search(&self.folders, 0..narrow(self.folders.len()), folder)?;
        let start = if folder == 0 { 0 } else { self.ends[folder as usize - 1] };
        search(&self.names, start..self.ends[folder as usize], name).map(FileId)
    }

    /// Looks at every file without reading any: whether each is as its stamp says. Those that are
    /// not, or whose stamp vouches for nothing, are to be read.
    pub(crate) fn look(&self, root: &OwnedFd) -> Vec<bool> {
        let _waiting = Timed::waiting();
        let folders: Vec<Vec<bool>> = (0..self.ends.len())
            .into_par_iter()
            .with_min_len(8)
            .map(|folder| self.look_into(root, folder))
            .collect();
        folders.concat()
    }

    fn look_into(&self, root: &OwnedFd, folder: usize) -> Vec<bool> {
        let start = if folder == 0 { 0 } else { self.ends[folder - 1] };
        let rows = start..self.ends[folder];
        let path = match self.folders.get(narrow(folder)) {
            "" => ".",
            path => path,
        };
        let _looking = Timed::new(Phase::Stat);
        count(Counter::FilesStatted, rows.len() as u64);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(opened) = openat(root, path, flags, Mode::empty()) else {
            return vec![false; rows.len()];
        };
        rows.map(|row| self.is_as_stamped(&opened, row)).collect()
    }

    fn is_as_stamped(&self, folder: &OwnedFd, row: u32) -> bool {
        let before = self.seen.get(row as usize);
        if before.vouched == 0 {
            return false;
        }
        let Ok(now) = statat(folder, self.names.get(row), AtFlags::empty()) else { return false };
        Stamp::of_stat(&now).fields() == before.fields
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.strings(&self.folders);
        to.column(&self.ends);
        to.strings(&self.names);
        self.seen.write(to);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (folders, ends, names) = (from.strings()?, from.column::<4, u32>()?, from.strings()?);
        let seen = Seen::read(from, names.len())?;
        let whole = ends.is_sorted()
            && ends.len() == folders.len()
            && ends.last().copied().unwrap_or(0) as usize == names.len();
        whole.then_some(Self { folders, ends, names, seen, changed: BTreeSet::new() })
    }

    /// Writes the rows that are not as in the file that this was read from.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        let rows: Vec<u32> = self.changed.iter().copied().collect();
        let mut seen = Seen::default();
        for row in &rows {
            seen.push(self.seen.get(*row as usize));
        }
        to.column(&rows);
        seen.write(to);
    }

    /// Takes up what [`Files::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let rows: Vec<u32> = from.column()?;
        let seen = Seen::read(from, rows.len())?;
        for (at, row) in rows.into_iter().enumerate() {
            if row as usize >= self.len() {
                return None;
            }
            self.put(row, seen.get(at));
        }
        Some(())
    }
}

/// Where `text` is in a range of `texts` that is in order.
fn search(texts: &Strings, range: Range<u32>, text: &str) -> Option<u32> {
    let (mut start, mut end) = (range.start, range.end);
    while start < end {
        let middle = start + (end - start) / 2;
        match texts.get(middle).cmp(text) {
            Ordering::Less => start = middle + 1,
            Ordering::Equal => return Some(middle),
            Ordering::Greater => end = middle,
        }
    }
    None
}

/// A path as its folder and its name.
pub(crate) fn split(path: &str) -> (String, String) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (folder.to_owned(), name.to_owned())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_found_by_its_path_and_no_other() {
        let paths = ["a", "b", "d/a", "d/b/a", "d/b/c", "d.x/a"];
        let new = NewFile { stamped: None };
        let files = Files::of(&paths.iter().map(|path| (split(path), new)).collect());
        for path in paths {
            assert_eq!(files.find(path).map(|id| files.path(id)).as_deref(), Some(path));
        }
        for path in ["", "c", "d", "d/", "d/b", "e/a", "d/b/d", "A"] {
            assert_eq!(files.find(path), None, "{path}");
        }
    }
}
