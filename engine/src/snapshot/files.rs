//! The files that a snapshot rests on, folder by folder, and the quick look at all of them.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::os::fd::OwnedFd;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{BlobId, Digest, FileRef};

use crate::columns::{Item, Reader, Strings, Writer, narrow};
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
    seen: Vec<Sight>,
    /// In a snapshot of which only what a look needs was read, none.
    digests: Vec<[u8; 32]>,
    /// The rows that are not as in the file that this was read from.
    changed: BTreeSet<u32>,
}

/// A file's stamp in its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sight([u8; Sight::BYTES]);

impl Sight {
    /// The stamp, and 1 where it vouches for the bytes; 0 where they must be read again.
    const BYTES: usize = Fields::BYTES + 1;

    fn new(fields: Fields, vouched: bool) -> Self {
        let mut bytes = [u8::from(vouched); Self::BYTES];
        bytes[..Fields::BYTES].copy_from_slice(&fields.to_bytes());
        Self(bytes)
    }

    fn of(stamped: Option<Stamped>) -> Self {
        let fields = stamped.map(|stamped| stamped.stamp.fields()).unwrap_or_default();
        Self::new(fields, stamped.is_some_and(|stamped| stamped.stamp.is_settled()))
    }

    /// In bytes.
    fn size(self) -> u64 {
        u64::from_le_bytes(*self.0.first_chunk().expect("a stamp begins with the size"))
    }

    const fn is_executable(self) -> bool {
        // The mode is the last of the fields; its lowest bits come first.
        self.0[Fields::BYTES - 4] & 0o100 != 0
    }
}

impl Item<{ Self::BYTES }> for Sight {
    fn put(&self) -> [u8; Self::BYTES] {
        self.0
    }

    fn take(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }
}

/// All zeros if nothing is known of the bytes.
fn digest_of(stamped: Option<Stamped>) -> [u8; 32] {
    stamped.map_or([0; 32], |stamped| *stamped.digest.as_bytes())
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
            table.digests.push(digest_of(file.stamped));
        }
        if last.is_some() {
            table.ends.push(narrow(table.names.len()));
        }
        table
    }

    /// Says what a file's bytes are now.
    pub(crate) fn set(&mut self, FileId(row): FileId, stamped: Option<Stamped>) {
        let (at, sight, digest) = (row as usize, Sight::of(stamped), digest_of(stamped));
        if self.seen[at] != sight || self.digests[at] != digest {
            self.seen[at] = sight;
            self.digests[at] = digest;
            self.changed.insert(row);
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn digest(&self, FileId(row): FileId) -> Digest {
        Digest::from_bytes(self.digests[row as usize])
    }

    pub(crate) fn executable(&self, FileId(row): FileId) -> bool {
        self.seen[row as usize].is_executable()
    }

    /// A file as artifacts name it; `None` if nothing is known of its bytes.
    pub(crate) fn file(&self, id: FileId) -> Option<FileRef> {
        let row = id.0 as usize;
        let known = self.digests[row] != [0; 32];
        let (blob, size) = (BlobId(self.digest(id)), self.seen[row].size());
        known.then(|| FileRef { blob, size, executable: self.executable(id) })
    }

    /// The path of a file, relative to the workspace.
    pub(crate) fn path(&self, id: FileId) -> String {
        let (folder, name) = self.folder_and_name(id);
        join(folder, name)
    }

    /// The folder of a file, relative to the workspace, and its name there.
    pub(crate) fn folder_and_name(&self, FileId(row): FileId) -> (&str, &str) {
        let folder = self.ends.partition_point(|end| *end <= row);
        (self.folders.get(narrow(folder)), self.names.get(row))
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
        // One that vouches for nothing is none that there is now.
        statat(folder, self.names.get(row), AtFlags::empty()).is_ok_and(|now| {
            Sight::new(Stamp::of_stat(&now).fields(), true) == self.seen[row as usize]
        })
    }

    /// Writes all but the digests.
    pub(crate) fn write(&self, to: &mut Writer) {
        to.strings(&self.folders);
        to.column(&self.ends);
        to.strings(&self.names);
        to.column(&self.seen);
    }

    /// Reads what [`Files::write`] wrote; what the digests are is not known then.
    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (folders, ends, names) = (from.strings()?, from.column::<4, u32>()?, from.strings()?);
        let seen: Vec<Sight> = from.column()?;
        let whole = ends.is_sorted()
            && ends.len() == folders.len()
            && ends.last().copied().unwrap_or(0) as usize == names.len()
            && seen.len() == names.len();
        let files = Self { folders, ends, names, seen, ..Self::default() };
        whole.then_some(files)
    }

    pub(crate) fn write_digests(&self, to: &mut Writer) {
        to.column(&self.digests);
    }

    pub(crate) fn read_digests(&mut self, from: &mut Reader<'_>) -> Option<()> {
        self.digests = from.column()?;
        (self.digests.len() == self.len()).then_some(())
    }

    /// Writes the rows that are not as in the file that this was read from, without digests.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        let rows: Vec<u32> = self.changed.iter().copied().collect();
        let seen: Vec<Sight> = rows.iter().map(|row| self.seen[*row as usize]).collect();
        to.column(&rows);
        to.column(&seen);
    }

    /// Takes up what [`Files::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let rows: Vec<u32> = from.column()?;
        let seen: Vec<Sight> = from.column()?;
        for (row, sight) in rows.iter().zip(&seen) {
            *self.seen.get_mut(*row as usize)? = *sight;
            self.changed.insert(*row);
        }
        (seen.len() == rows.len()).then_some(())
    }

    /// Writes the digests of the same rows.
    pub(crate) fn write_changed_digests(&self, to: &mut Writer) {
        let digests = self.changed.iter().map(|row| self.digests[*row as usize]);
        to.column(&digests.collect::<Vec<_>>());
    }

    /// Takes up what [`Files::write_changed_digests`] wrote, after the rows.
    pub(crate) fn read_changed_digests(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let digests: Vec<[u8; 32]> = from.column()?;
        for (row, digest) in self.changed.iter().zip(&digests) {
            self.digests[*row as usize] = *digest;
        }
        (digests.len() == self.changed.len()).then_some(())
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
