//! Two folders: what only one of them has, then what differs in both, each sorted.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::tools::Tools;
use super::{CompareError, Names, shown};

/// Every path below a folder, parents first, and whether it is a folder.
type Listing = BTreeMap<PathBuf, bool>;

/// The difference between two folders.
pub(super) fn difference(
    tools: &mut Tools,
    before: &Path,
    after: &Path,
    names: &Names<'_>,
) -> Result<String, CompareError> {
    let (was, is) = (listing(before)?, listing(after)?);
    let mut text = only(names.before, &was, &is) + &only(names.after, &is, &was);
    for (path, was_folder) in &was {
        match is.get(path) {
            Some(is_folder) if !(*was_folder && *is_folder) => {
                let [one, other] = [names.before, names.after].map(|name| below(name, path));
                let names = Names { before: &one, after: &other };
                let (before, after) = (before.join(path), after.join(path));
                text.push_str(&super::difference(tools, &before, &after, &names)?);
            }
            _ => {}
        }
    }
    Ok(text)
}

fn listing(root: &Path) -> Result<Listing, CompareError> {
    let mut found = Listing::new();
    for entry in WalkDir::new(root).min_depth(1) {
        let entry = entry.map_err(|error| unread(root, error))?;
        if let Ok(path) = entry.path().strip_prefix(root) {
            found.insert(path.to_owned(), entry.file_type().is_dir());
        }
    }
    Ok(found)
}

fn unread(root: &Path, error: walkdir::Error) -> CompareError {
    let path = error.path().unwrap_or(root).to_owned();
    let source = error.into_io_error().unwrap_or_else(|| io::ErrorKind::Other.into());
    CompareError::Read { path, source }
}

/// What `one` has and `other` has not; a folder only if it is empty, as its files name it.
fn only(name: &str, one: &Listing, other: &Listing) -> String {
    let missing = one.iter().filter(|(path, _)| !other.contains_key(*path));
    let told = missing.filter_map(|(path, folder)| match folder {
        true if has_children(one, path) => None,
        true => Some(format!("only in {name}: {}/\n", shown(path))),
        false => Some(format!("only in {name}: {}\n", shown(path))),
    });
    told.collect()
}

fn has_children(listing: &Listing, folder: &Path) -> bool {
    let mut later = listing.range::<Path, _>((Bound::Excluded(folder), Bound::Unbounded));
    later.next().is_some_and(|(path, _)| path.starts_with(folder))
}

fn below(name: &str, path: &Path) -> String {
    format!("{}/{}", name.trim_end_matches('/'), shown(path))
}
