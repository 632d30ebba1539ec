//! The labels of a workspace, found by reading rule files only: no store is opened, so a shell can
//! ask for them at every press of a key.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use vwfb_engine::workspace::{BUILD_FILE, WORKSPACE_FILE};
use vwfb_rules::label::{Label, WsPath};
use walkdir::{DirEntry, WalkDir};

use crate::locate::Located;

/// The packages of a workspace, those at and below the current folder first.
pub(crate) fn packages_near(located: &Located) -> Vec<WsPath> {
    let mut packages = packages(located);
    packages.sort_by_key(|package| (!package.is_within(&located.current), package.clone()));
    packages
}

/// Whether there is a package at all.
pub(crate) fn has_packages(located: &Located) -> bool {
    is_package(&located.root) || holds_packages(&located.root)
}

/// What a label that begins with `text` may go on with, written as `text` begins: labels
/// (`//a:b`, `:b`) where only one package is left, else packages (`//a:`) and folders with packages
/// (`//a/`), a folder at a time. Only the rule file of the package that is left is read.
pub(crate) fn beginning_with(located: &Located, text: &str) -> Vec<String> {
    if text.starts_with(':') {
        let labels = targets(located, &located.current);
        let relative = labels.iter().map(|label| label.relative_to(&located.current));
        return relative.filter(|label| label.starts_with(text)).collect();
    }
    let path = if "//".starts_with(text) { Some("") } else { text.strip_prefix("//") };
    match path.map(|path| path.split_once(':').ok_or(path)) {
        None => Vec::new(),
        Some(Err(path)) => below(located, path),
        Some(Ok((package, _))) => match WsPath::new(package) {
            Ok(package) if is_inside(located, &package) => {
                let mut labels = absolute(located, &package);
                labels.retain(|label| label.starts_with(text));
                labels
            }
            _ => Vec::new(),
        },
    }
}

/// What is at the first folder, at or below the one that `path` is in, where there is a choice.
fn below(located: &Located, path: &str) -> Vec<String> {
    let (parent, mut begun) = path.rsplit_once('/').unwrap_or(("", path));
    let Ok(mut parent) = WsPath::new(parent) else { return Vec::new() };
    if !is_inside(located, &parent) {
        return Vec::new();
    }
    loop {
        let Level { packages, folders } = Level::of(located, &parent, begun);
        match (packages.as_slice(), folders.as_slice()) {
            ([package], []) => return absolute(located, package),
            ([], [folder]) => (parent, begun) = (folder.clone(), ""),
            _ => {
                let packages = packages.iter().map(|package| format!("//{package}:"));
                let folders = folders.iter().map(|folder| format!("//{folder}/"));
                let mut all: Vec<String> = packages.chain(folders).collect();
                all.sort();
                return all;
            }
        }
    }
}

/// What one folder has for the labels of packages.
#[derive(Default)]
struct Level {
    packages: Vec<WsPath>,
    /// Those with packages in them.
    folders: Vec<WsPath>,
}

impl Level {
    /// What is in `parent` and begins with `begun`.
    fn of(located: &Located, parent: &WsPath, begun: &str) -> Self {
        let mut level = Self::default();
        if parent.as_str().is_empty() && begun.is_empty() && is_package(&located.root) {
            level.packages.push(parent.clone());
        }
        for folder in folders(&located.root.join(parent.as_str())) {
            let name = folder.file_name().and_then(OsStr::to_str);
            let name = name.filter(|name| name.starts_with(begun));
            let Some(path) = name.and_then(|name| parent.join(name).ok()) else { continue };
            if holds_packages(&folder) {
                level.folders.push(path.clone());
            }
            if is_package(&folder) {
                level.packages.push(path);
            }
        }
        level
    }
}

/// The folders in `folder` that belong to its workspace.
fn folders(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    folders.map(|entry| entry.path()).filter(|path| !is_foreign(path))
}

fn is_package(folder: &Path) -> bool {
    fs::symlink_metadata(folder.join(BUILD_FILE)).is_ok_and(|found| !found.is_dir())
}

/// Whether there is a package below `folder`.
fn holds_packages(folder: &Path) -> bool {
    // A folder has two links and one more for each folder in it, or 1 where that is not counted.
    let may_hold = fs::symlink_metadata(folder).is_ok_and(|found| found.nlink() != 2);
    may_hold && folders(folder).any(|folder| is_package(&folder) || holds_packages(&folder))
}

/// Whether `package` would be one of this workspace.
fn is_inside(located: &Located, package: &WsPath) -> bool {
    let path = Path::new(package.as_str());
    let mut above = path.ancestors().filter(|path| !path.as_os_str().is_empty());
    above.all(|path| !is_foreign(&located.root.join(path)))
}

/// Whether a folder is vwfb's own, version control's or another workspace.
fn is_foreign(folder: &Path) -> bool {
    let name = folder.file_name().and_then(OsStr::to_str);
    let own = matches!(name, Some(".vwfb" | "vwfb-out" | ".git"));
    own || folder.join(WORKSPACE_FILE).is_file()
}

fn absolute(located: &Located, package: &WsPath) -> Vec<String> {
    targets(located, package).iter().map(ToString::to_string).collect()
}

fn targets(located: &Located, package: &WsPath) -> Vec<Label> {
    let Ok(file) = package.join(BUILD_FILE) else { return Vec::new() };
    let Ok(text) = fs::read_to_string(located.root.join(file.as_str())) else { return Vec::new() };
    let block = vwfb_rules::package(&file, &text).value.block;
    block.members.iter().map(|target| Label::new(package.clone(), target.name.clone())).collect()
}

fn packages(located: &Located) -> Vec<WsPath> {
    let files = WalkDir::new(&located.root).into_iter().filter_entry(is_of_the_workspace);
    let mut packages: Vec<WsPath> = files
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name() == BUILD_FILE && !entry.file_type().is_dir())
        .filter_map(|entry| {
            let folder = entry.path().parent()?.strip_prefix(&located.root).ok()?;
            WsPath::new(folder.to_str()?).ok()
        })
        .collect();
    packages.sort();
    packages
}

/// Whether an entry is neither vwfb's own, nor version control's, nor of another workspace.
pub(crate) fn is_of_the_workspace(entry: &DirEntry) -> bool {
    entry.depth() == 0 || !entry.file_type().is_dir() || !is_foreign(entry.path())
}
