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

/// The outputs by name, taken into the store. Nothing is taken unless all of them are there and
/// of the declared kind.
pub(crate) fn outputs(
    store: &Store,
    scratch: &Scratch,
    specs: &BTreeMap<String, OutputSpec>,
) -> Result<BTreeMap<String, Artifact>, Cause> {
    let mut missing = Vec::new();
    for spec in specs.values() {
        if !is_there(scratch, spec)? {
            missing.push(spec.role.clone());
        }
    }
    if !missing.is_empty() {
        return Err(Cause::MissingOutput { missing, made: scratch.made() });
    }
    specs.iter().map(|(name, spec)| Ok((name.clone(), take(store, scratch, spec)?))).collect()
}

fn is_there(scratch: &Scratch, spec: &OutputSpec) -> Result<bool, Cause> {
    let path = path_of(scratch, spec);
    if let Some(link) = replaced_parent(scratch, spec) {
        let role = link.strip_prefix(scratch.root()).unwrap_or(&link).display().to_string();
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
fn replaced_parent(scratch: &Scratch, spec: &OutputSpec) -> Option<PathBuf> {
    let root = scratch.root();
    let folders = Path::new(&spec.role).ancestors().skip(1).map(|folder| root.join(folder));
    folders.take_while(|folder| *folder != root).find(|folder| folder.is_symlink())
}

fn take(store: &Store, scratch: &Scratch, spec: &OutputSpec) -> Result<Artifact, Cause> {
    let path = path_of(scratch, spec);
    let taken = if spec.tree {
        store.put_tree(&path, Take::Move).map(Artifact::Tree)
    } else {
        store.put_file(&path, Take::Move).map(Artifact::File)
    };
    taken.map_err(|source| Cause::Store { role: spec.role.clone(), source })
}

fn path_of(scratch: &Scratch, spec: &OutputSpec) -> PathBuf {
    scratch.root().join(&spec.role)
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
