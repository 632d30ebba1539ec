//! The files that a snapshot rests on, folder by folder, and the quick look at all of them.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

use rayon::prelude::*;
use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};
use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{BlobId, Digest, FileRef};

use crate::columns::{Reader, Strings, Writer, narrow};
use crate::stamp::{Stamp, Stamped};

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
            table.push_stamp(file.stamped);
        }
        if last.is_some() {
            table.ends.push(narrow(table.names.len()));
        }
        table
    }

    fn push_stamp(&mut self, stamped: Option<Stamped>) {
        let fields = stamped.map(|stamped| stamped.stamp.fields()).unwrap_or_default();
        self.sizes.push(fields.size);
        self.modified.push(fields.modified_ns);
        self.changed.push(fields.changed_ns);
        self.inodes.push(fields.inode);
        self.devices.push(fields.device);
        self.modes.push(fields.mode);
        let settled = stamped.is_some_and(|stamped| stamped.stamp.is_settled());
        self.vouched.push(u8::from(settled));
        self.digests.push(stamped.map_or([0; 32], |stamped| *stamped.digest.as_bytes()));
    }

    /// Says what a file's bytes are now.
    pub(crate) fn set(&mut self, FileId(row): FileId, stamped: Option<Stamped>) {
        let row = row as usize;
        let fields = stamped.map(|stamped| stamped.stamp.fields()).unwrap_or_default();
        self.sizes[row] = fields.size;
        self.modified[row] = fields.modified_ns;
        self.changed[row] = fields.changed_ns;
        self.inodes[row] = fields.inode;
        self.devices[row] = fields.device;
        self.modes[row] = fields.mode;
        let settled = stamped.is_some_and(|stamped| stamped.stamp.is_settled());
        self.vouched[row] = u8::from(settled);
        self.digests[row] = stamped.map_or([0; 32], |stamped| *stamped.digest.as_bytes());
    }

    pub(crate) const fn len(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn digest(&self, FileId(row): FileId) -> Digest {
        Digest::from_bytes(self.digests[row as usize])
    }

    pub(crate) fn executable(&self, FileId(row): FileId) -> bool {
        self.modes[row as usize] & 0o100 != 0
    }

    /// A file as artifacts name it; `None` if nothing is known of its bytes.
    pub(crate) fn file(&self, id: FileId) -> Option<FileRef> {
        let row = id.0 as usize;
        let known = self.digests[row] != [0; 32];
        let (blob, size) = (BlobId(self.digest(id)), self.sizes[row]);
        known.then(|| FileRef { blob, size, executable: self.executable(id) })
    }

    /// The path of a file, relative to the workspace.
    pub(crate) fn path(&self, FileId(row): FileId) -> String {
        let folder = self.ends.partition_point(|end| *end <= row);
        join(self.folders.get(narrow(folder)), self.names.get(row))
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
        let index = row as usize;
        if self.vouched[index] == 0 {
            return false;
        }
        let Ok(now) = statat(folder, self.names.get(row), AtFlags::empty()) else { return false };
        let now = Stamp::of_stat(&now).fields();
        now.size == self.sizes[index]
            && now.modified_ns == self.modified[index]
            && now.changed_ns == self.changed[index]
            && now.inode == self.inodes[index]
            && now.device == self.devices[index]
            && now.mode == self.modes[index]
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.strings(&self.folders);
        to.column(&self.ends);
        to.strings(&self.names);
        for column in [&self.sizes, &self.modified, &self.changed, &self.inodes, &self.devices] {
            to.column(column);
        }
        to.column(&self.modes);
        to.column(&self.vouched);
        to.column(&self.digests);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let files = Self {
            folders: from.strings()?,
            ends: from.column()?,
            names: from.strings()?,
            sizes: from.column()?,
            modified: from.column()?,
            changed: from.column()?,
            inodes: from.column()?,
            devices: from.column()?,
            modes: from.column()?,
            vouched: from.column()?,
            digests: from.column()?,
        };
        let count = files.len();
        let numbers =
            [&files.sizes, &files.modified, &files.changed, &files.inodes, &files.devices];
        let whole = files.ends.is_sorted()
            && files.ends.len() == files.folders.len()
            && files.ends.last().copied().unwrap_or(0) as usize == count
            && numbers.iter().all(|column| column.len() == count)
            && [files.modes.len(), files.vouched.len(), files.digests.len()] == [count; 3];
        whole.then_some(files)
    }
}

/// A path as its folder and its name.
pub(crate) fn split(path: &str) -> (String, String) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    (folder.to_owned(), name.to_owned())
}

fn join(folder: &str, name: &str) -> String {
    if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") }
}
