//! The workspace on disk: the real [`System`], and the source of the bytes that tasks read.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use vwfb_cas::profile::{Counter, Phase, Timed, count};
use vwfb_cas::{Artifact, Digest, Entry, FileRef, PutError, ReadError, Store, Take, TreeId};
use vwfb_rules::label::WsPath;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;
use walkdir::{DirEntry, WalkDir};

use crate::chain::chain;
use crate::package::{BUILD_FILE, WORKSPACE_FILE};
use crate::stamp::Stamp;
use crate::stamps::Stamps;
use crate::system::{Content, Lost, StoredText, System, Text};
use crate::tools::Tools;
use crate::trees::{file, tree_id};
use crate::workers::{Sources, Unprovided};

/// The folders that vwfb itself writes, which match no glob or pattern.
pub(crate) const OWN_FOLDERS: [&str; 2] = [".vwfb", "vwfb-out"];

/// The longest text that a fan-out's items are read from, in bytes.
const MOST_TEXT: u64 = 256 << 20;

/// A workspace folder.
pub(crate) struct Disk {
    root: PathBuf,
    store: Arc<Store>,
    stamps: Arc<Stamps>,
    tools: Arc<Tools>,
    listings: Mutex<BTreeMap<WsPath, Listing>>,
}

impl Disk {
    /// The workspace at `root`, an absolute path.
    pub(crate) fn new(
        root: PathBuf,
        store: Arc<Store>,
        stamps: Arc<Stamps>,
        tools: Arc<Tools>,
    ) -> Self {
        Self { root, store, stamps, tools, listings: Mutex::default() }
    }

    fn path(&self, path: &WsPath) -> PathBuf {
        self.root.join(path.as_str())
    }

    fn artifact(&self, path: &Path) -> io::Result<Artifact> {
        if metadata(path)?.is_dir() {
            return tree_id(&fs::canonicalize(path)?, &self.stamps).map(Artifact::Tree);
        }
        self.stamps.of(path).map(|stamped| Artifact::File(file(&stamped)))
    }

    fn ws_path(&self, path: &Path) -> Option<WsPath> {
        WsPath::new(path.strip_prefix(&self.root).ok()?.to_str()?).ok()
    }
}

impl System for Disk {
    fn look_again(&self) {
        self.tools.refresh();
    }

    fn text(&self, path: &WsPath) -> Text {
        match self.stamps.text(&self.path(path)) {
            Ok(text) => Text::Present(text.into()),
            Err(error) if is_absence(&error) => Text::Absent,
            Err(error) => Text::Unreadable(error.to_string().into()),
        }
    }

    fn kind(&self, path: &WsPath) -> SourceKind {
        match metadata(&self.path(path)) {
            Ok(metadata) if metadata.is_dir() => SourceKind::Directory,
            Err(error) if is_absence(&error) => SourceKind::Absent,
            // What cannot be looked at is said when its content is asked for.
            Ok(_) | Err(_) => SourceKind::File,
        }
    }

    fn content(&self, path: &WsPath) -> Content {
        match self.artifact(&self.path(path)) {
            Ok(artifact) => Content::Present(artifact),
            Err(error) if is_absence(&error) => Content::Absent,
            Err(error) => Content::Unreadable(error.to_string().into()),
        }
    }

    fn entries(&self, path: &WsPath) -> Arc<[String]> {
        let _looking = Timed::new(Phase::Stat);
        count(Counter::FoldersListed, 1);
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Arc::default() };
        let mut names: Vec<String> = entries
            .filter_map(Result::ok)
            .filter_map(|entry| {
                let name = entry.file_name().into_string().ok()?;
                let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                Some(if folder { format!("{name}/") } else { name })
            })
            .collect();
        names.sort();
        names.into()
    }

    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]> {
        let _looking = Timed::new(Phase::Stat);
        let mut files = Vec::new();
        for entry in self.walk_package(package).flatten() {
            let path = self.ws_path(entry.path());
            let below = path.as_ref().and_then(|path| path.below(package));
            if below.is_some_and(|below| fast_glob::glob_match(pattern, below)) {
                files.extend(path);
            }
        }
        files.sort();
        files.into()
    }

    fn left_out(&self, package: &WsPath, pattern: &str) -> Arc<[String]> {
        let _looking = Timed::new(Phase::Stat);
        let root = self.path(package);
        let mut left_out = Vec::new();
        for entry in self.walk_package(package) {
            match entry {
                Ok(entry) if self.ws_path(entry.path()).is_some() => {}
                Ok(entry) => {
                    let below = entry.path().strip_prefix(&root).unwrap_or(entry.path());
                    if fast_glob::glob_match(pattern, &*below.to_string_lossy()) {
                        left_out.push(format!("{below:?}, whose name is not plain UTF-8 text"));
                    }
                }
                Err(error) => left_out.push(format!("a folder that cannot be read: {error}")),
            }
        }
        left_out.sort();
        left_out.into()
    }

    fn packages(&self, path: &WsPath) -> Vec<WsPath> {
        let _looking = Timed::new(Phase::Stat);
        let mut packages = Vec::new();
        let folders = self.folders(path, &mut packages);
        packages.sort();
        let listing = Listing { packages: packages.clone(), folders };
        let mut listings = self.listings.lock().unwrap_or_else(PoisonError::into_inner);
        listings.insert(path.clone(), listing);
        packages
    }

    fn fingerprint(&self, tool: &ToolDef) -> Result<Digest, Arc<str>> {
        self.tools.closure(tool).map(|closure| closure.fingerprint)
    }

    fn tool_files(&self, fingerprint: Digest) -> Option<BTreeMap<String, Digest>> {
        self.tools.files(fingerprint)
    }

    fn in_tree(&self, tree: TreeId, path: &WsPath) -> Result<Option<Artifact>, Lost> {
        let mut found = Artifact::Tree(tree);
        for name in path.as_str().split('/').filter(|name| !name.is_empty()) {
            let Artifact::Tree(tree) = found else { return Ok(None) };
            let tree = self.store.tree(tree).map_err(|_: ReadError| Lost)?;
            found = match tree.entries.get(name) {
                Some(Entry::File(file)) => Artifact::File(*file),
                Some(Entry::Dir(tree)) => Artifact::Tree(*tree),
                Some(Entry::Symlink(_)) | None => return Ok(None),
            };
        }
        Ok(Some(found))
    }

    fn tree_files(&self, tree: TreeId) -> Result<Arc<[String]>, Lost> {
        let tree = self.store.tree(tree).map_err(|_: ReadError| Lost)?;
        let files = tree.entries.into_iter().filter(|(_, it)| matches!(it, Entry::File(_)));
        Ok(files.map(|(name, _)| name).collect())
    }

    fn stored_text(&self, file: FileRef) -> Result<StoredText, Lost> {
        if file.size > MOST_TEXT {
            let most = MOST_TEXT >> 20;
            return Ok(StoredText::Not(format!("it is longer than {most} MiB")));
        }
        let bytes = self.store.read(file.blob).map_err(|_: ReadError| Lost)?;
        Ok(match String::from_utf8(bytes) {
            Ok(text) => StoredText::Text(text.into()),
            Err(_) => StoredText::Not("it is not UTF-8".to_owned()),
        })
    }
}

/// The packages at and below a folder, and the folders that were looked into to find them.
#[derive(Debug, Clone)]
pub(crate) struct Listing {
    pub(crate) packages: Vec<WsPath>,
    /// With the stamp that each had before it was listed.
    pub(crate) folders: Vec<(WsPath, Stamp)>,
}

impl Disk {
    /// The packages that were listed since this was opened, by the folder they lie below.
    pub(crate) fn listings(&self) -> BTreeMap<WsPath, Listing> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every folder of the workspace at and below `top` with its stamp; `packages` are those among
    /// them that have a rule file.
    fn folders(&self, top: &WsPath, packages: &mut Vec<WsPath>) -> Vec<(WsPath, Stamp)> {
        let mut folders = Vec::new();
        let mut next = vec![top.clone()];
        while let Some(folder) = next.pop() {
            let path = self.path(&folder);
            // One that cannot be looked into is looked at again each time.
            let before = folder_stamp(&path).unwrap_or_default();
            let Ok(entries) = fs::read_dir(&path) else {
                folders.push((folder, Stamp::default()));
                continue;
            };
            count(Counter::FoldersListed, 1);
            let (mut inner, mut is_package, mut is_workspace) = (Vec::new(), false, false);
            for entry in entries.filter_map(Result::ok) {
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let name = entry.file_name();
                if is_folder {
                    let own = OWN_FOLDERS.iter().any(|own| name == *own) || name == ".git";
                    inner.extend(self.ws_path(&entry.path()).filter(|_| !own));
                } else {
                    is_package |= name == BUILD_FILE;
                    is_workspace |= name == WORKSPACE_FILE;
                }
            }
            folders.push((folder.clone(), before));
            // Another workspace inside this one is not of this one.
            if is_workspace && folder != *top {
                continue;
            }
            if is_package {
                packages.push(folder);
            }
            next.extend(inner);
        }
        folders
    }

    /// The files of a package, none of a package below it, and what cannot be walked.
    fn walk_package(
        &self,
        package: &WsPath,
    ) -> impl Iterator<Item = Result<DirEntry, walkdir::Error>> {
        WalkDir::new(self.path(package))
            .into_iter()
            .filter_entry(|entry| {
                is_of_the_workspace(entry)
                    && (entry.depth() == 0
                        || !entry.file_type().is_dir()
                        || !entry.path().join(BUILD_FILE).is_file())
            })
            .inspect(|entry| {
                let is_folder = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
                count(if is_folder { Counter::FoldersListed } else { Counter::FilesStatted }, 1);
            })
            .filter(|entry| !entry.as_ref().is_ok_and(|entry| !entry.path().is_file()))
    }
}

/// Whether an entry belongs to this workspace: not to vwfb itself, to version control, or to
/// another workspace inside this one.
fn is_of_the_workspace(entry: &DirEntry) -> bool {
    if entry.depth() == 0 || !entry.file_type().is_dir() {
        return true;
    }
    let name = entry.file_name().to_str();
    let own = name.is_some_and(|name| OWN_FOLDERS.contains(&name) || name == ".git");
    !own && !entry.path().join(WORKSPACE_FILE).is_file()
}

/// The stamp of a folder, which changes whenever a name in it comes, goes or means another thing.
#[expect(clippy::disallowed_methods, reason = "the stamp's own clock, which no key sees")]
fn folder_stamp(path: &Path) -> io::Result<Stamp> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    let metadata = metadata(path)?;
    Ok(Stamp::of(&metadata, i128::try_from(now).unwrap_or(i128::MAX)))
}

fn metadata(path: &Path) -> io::Result<fs::Metadata> {
    let _looking = Timed::new(Phase::Stat);
    count(Counter::FilesStatted, 1);
    fs::metadata(path)
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

impl Sources for Disk {
    fn provide(&self, path: &WsPath, artifact: &Artifact) -> Result<(), Unprovided> {
        if self.store.has(artifact).unwrap_or(false) {
            return Ok(());
        }
        let absolute = self.path(path);
        match artifact {
            Artifact::File(file) => {
                let put = match self.store.put_known(&absolute, file.blob) {
                    // A link, perhaps.
                    Err(PutError::NotRegular { .. }) => {
                        self.store.put_known(&resolved(absolute), file.blob)
                    }
                    put => put,
                };
                match put {
                    Ok(_) => Ok(()),
                    Err(PutError::Changed { .. }) => Err(Unprovided::Changed),
                    Err(error) => Err(Unprovided::Store(chain(&error))),
                }
            }
            Artifact::Tree(tree) => match self.store.put_tree(&resolved(absolute), Take::Copy) {
                Ok(now) if now == *tree => Ok(()),
                Ok(_) => Err(Unprovided::Changed),
                Err(error) => Err(Unprovided::Store(chain(&error))),
            },
        }
    }
}

/// Where a path leads to: the store follows no link, and a source that is one counts by that.
fn resolved(path: PathBuf) -> PathBuf {
    fs::canonicalize(&path).unwrap_or(path)
}
