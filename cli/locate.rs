//! Finds the current folder, the workspace around it, the store, and programs.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vwfb_engine::tools::KIT;
use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_exec::SEARCH_PATH;
use vwfb_rules::label::WsPath;

use crate::args::GlobalArgs;
use crate::error::CommandError;

/// Where vwfb was started, or where `-C` sends it; absolute and without links.
pub(crate) fn current_folder(global: &GlobalArgs) -> Result<PathBuf, CommandError> {
    let named = global.directory.clone().unwrap_or_else(|| PathBuf::from("."));
    match fs::canonicalize(&named) {
        Ok(folder) if folder.is_dir() => Ok(folder),
        Ok(path) => {
            Err(CommandError::Folder { path, source: std::io::ErrorKind::NotADirectory.into() })
        }
        Err(source) => Err(CommandError::Folder { path: named, source }),
    }
}

/// A place within a workspace.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    /// The workspace's folder.
    pub(crate) root: PathBuf,
    /// The current folder within it.
    pub(crate) current: WsPath,
}

/// The workspace around `folder`: the nearest folder at or above it with a `WORKSPACE.kdl`.
pub(crate) fn workspace(folder: &Path) -> Result<Located, CommandError> {
    let found = folder.ancestors().find(|above| above.join(WORKSPACE_FILE).is_file());
    let Some(root) = found else {
        let below = below(folder, folder, LEVELS);
        let below = if below.len() > SHOWN { Vec::new() } else { below };
        return Err(CommandError::NoWorkspace { folder: folder.to_owned(), below });
    };
    let below = folder.strip_prefix(root).ok().and_then(Path::to_str);
    let current = below.and_then(|below| WsPath::new(below).ok());
    let current = current.ok_or_else(|| CommandError::FolderName { path: folder.to_owned() })?;
    Ok(Located { root: root.to_owned(), current })
}

/// How many levels below the current folder workspaces are looked for, and how many are named.
const LEVELS: usize = 2;
const SHOWN: usize = 3;

/// How many entries of a folder are looked at there.
const ENTRIES: usize = 500;

/// The workspaces at most `levels` below `folder`, from `start`, sorted; none within another.
fn below(start: &Path, folder: &Path, levels: usize) -> Vec<PathBuf> {
    let is_hidden =
        |path: &Path| path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    // A hint is worth no error.
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().take(ENTRIES);
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    let folders = entries.filter(is_folder).map(|entry| entry.path());
    let mut found: Vec<PathBuf> = folders
        .filter(|path| !is_hidden(path))
        .flat_map(|path| match path.join(WORKSPACE_FILE).is_file() {
            true => path.strip_prefix(start).map(Path::to_owned).into_iter().collect(),
            false if levels > 1 => below(start, &path, levels - 1),
            false => Vec::new(),
        })
        .collect();
    found.sort();
    found
}

/// The store's folder: `--store`, else `VWFB_STORE`, else `vwfb` in the user's cache folder.
pub(crate) fn store(global: &GlobalArgs, current: &Path) -> Result<PathBuf, CommandError> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(named) = global.store.clone().or_else(|| set("VWFB_STORE")) {
        return Ok(current.join(named));
    }
    // A relative XDG_CACHE_HOME is to be ignored, says the XDG base directory specification.
    let cache = set("XDG_CACHE_HOME").filter(|path| path.is_absolute());
    let cache = cache.or_else(|| set("HOME").map(|home| home.join(".cache")));
    cache.map(|cache| cache.join("vwfb")).ok_or(CommandError::NoCache)
}

/// The folder of the user's settings of vwfb: `vwfb` in `$XDG_CONFIG_HOME` or `~/.config`.
pub(crate) fn settings() -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    // A relative XDG_CONFIG_HOME is to be ignored, says the XDG base directory specification.
    let settings = set("XDG_CONFIG_HOME").filter(|path| path.is_absolute());
    let settings = settings.or_else(|| set("HOME").map(|home| home.join(".config")))?;
    Some(settings.join("vwfb"))
}

/// Where tasks find the program of that name; our own comes with vwfb.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let own = (name == KIT).then(|| Some(env::current_exe().ok()?.parent()?.to_owned()));
    let folders = own.flatten().into_iter().chain(SEARCH_PATH.iter().map(PathBuf::from));
    folders.map(|folder| folder.join(name)).find(|path| is_program(path))
}

/// Whether a file can be started.
pub(crate) fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_workspace_above_is_the_one() {
        let outer = tempfile::tempdir().unwrap();
        let inner = outer.path().join("films/shorts");
        fs::create_dir_all(&inner).unwrap();
        assert!(matches!(workspace(&inner), Err(CommandError::NoWorkspace { .. })));
        fs::write(outer.path().join(WORKSPACE_FILE), "").unwrap();
        let located = workspace(&inner).unwrap();
        assert_eq!(located.root, outer.path());
        assert_eq!(located.current.as_str(), "films/shorts");
        fs::write(outer.path().join("films").join(WORKSPACE_FILE), "").unwrap();
        assert_eq!(workspace(&inner).unwrap().current.as_str(), "shorts");
    }
}
