//! Takes what a task made into the store, once all its processes are dead.

use std::collections::BTreeMap;
use std::fs::{self, FileType};
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use vwfb_cas::{Artifact, Store, Take};

use crate::action::OutputSpec;
use crate::failure::Cause;
use crate::scratch::{Scratch, failed};

/// Where the outputs of a task are, and where they go.
pub(crate) struct Collector<'a> {
    pub(crate) store: &'a Store,
    pub(crate) scratch: &'a Scratch,
    /// What becomes of the files that they are.
    pub(crate) take: Take,
}

impl Collector<'_> {
    /// The outputs by name, taken into the store. Nothing is taken unless all of them are there and
    /// of the declared kind.
    pub(crate) fn outputs(
        &self,
        specs: &BTreeMap<String, OutputSpec>,
    ) -> Result<BTreeMap<String, Artifact>, Cause> {
        let mut missing = Vec::new();
        for spec in specs.values() {
            if !self.is_there(spec)? {
                missing.push(spec.role.clone());
            }
        }
        if !missing.is_empty() {
            return Err(Cause::MissingOutput { missing, made: self.scratch.made() });
        }
        specs.iter().map(|(name, spec)| Ok((name.clone(), self.taken(spec)?))).collect()
    }

    fn is_there(&self, spec: &OutputSpec) -> Result<bool, Cause> {
        let path = self.path_of(spec);
        if let Some(link) = self.replaced_parent(spec) {
            let role = link.strip_prefix(self.scratch.root()).unwrap_or(&link);
            let role = role.display().to_string();
            return Err(Cause::BadOutput { role, found: "a symbolic link", wanted: "a folder" });
        }
        let kind = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata.file_type(),
            Err(error) if is_absence(&error) => return Ok(false),
            Err(error) => return Err(failed("inspect", &path, error)),
        };
        if if spec.tree { kind.is_dir() } else { kind.is_file() } {
            return Ok(true);
        }
        let wanted = if spec.tree { "a folder" } else { "a regular file" };
        Err(Cause::BadOutput { role: spec.role.clone(), found: kind_name(kind), wanted })
    }

    /// A folder on the way to the output that the task has replaced by a link, which could lead to
    /// files that it may not read itself.
    fn replaced_parent(&self, spec: &OutputSpec) -> Option<PathBuf> {
        let root = self.scratch.root();
        let folders = Path::new(&spec.role).ancestors().skip(1).map(|folder| root.join(folder));
        folders.take_while(|folder| *folder != root).find(|folder| folder.is_symlink())
    }

    fn taken(&self, spec: &OutputSpec) -> Result<Artifact, Cause> {
        let path = self.path_of(spec);
        let taken = if spec.tree {
            self.store.put_tree(&path, self.take).map(Artifact::Tree)
        } else {
            self.store.put_file(&path, self.take).map(Artifact::File)
        };
        taken.map_err(|source| Cause::Store { role: spec.role.clone(), source })
    }

    fn path_of(&self, spec: &OutputSpec) -> PathBuf {
        self.scratch.root().join(&spec.role)
    }
}

/// Whether nothing is at the path, or a file where a folder on the way must be.
fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn kind_name(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a named pipe"
    } else if kind.is_socket() {
        "a socket"
    } else if kind.is_file() {
        "a regular file"
    } else {
        "a device"
    }
}
