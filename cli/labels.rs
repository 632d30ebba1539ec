//! The labels of a workspace, found by reading rule files only: no store is opened, so a shell can
//! ask for them at every press of a key.

use std::fs;

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

/// The labels that begin with `text`, written as `text` begins: `//...` or `:...`.
pub(crate) fn beginning_with(located: &Located, text: &str) -> Vec<String> {
    if text.starts_with(':') {
        let labels = targets(located, &located.current);
        let relative = labels.iter().map(|label| label.relative_to(&located.current));
        return relative.filter(|label| label.starts_with(text)).collect();
    }
    let mut found = Vec::new();
    for package in packages(located) {
        let name = format!("//{package}");
        if text.starts_with(&format!("{name}:")) || name.starts_with(text) {
            let labels = targets(located, &package).into_iter().map(|label| label.to_string());
            found.extend(labels.filter(|label| label.starts_with(text)));
        }
    }
    found
}

fn targets(located: &Located, package: &WsPath) -> Vec<Label> {
    let Ok(file) = package.join(BUILD_FILE) else { return Vec::new() };
    let Ok(text) = fs::read_to_string(located.root.join(file.as_str())) else { return Vec::new() };
    let targets = vwfb_rules::package(&file, &text).value.targets;
    targets.iter().map(|target| Label::new(package.clone(), target.name.clone())).collect()
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
    if entry.depth() == 0 || !entry.file_type().is_dir() {
        return true;
    }
    let own = matches!(entry.file_name().to_str(), Some(".vwfb" | "vwfb-out" | ".git"));
    !own && !entry.path().join(WORKSPACE_FILE).is_file()
}
