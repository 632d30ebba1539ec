//! The output folder, `vwfb-out/`: where requested results are put for people.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rustix::fs::{XattrFlags, getxattr, setxattr};

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{
    Artifact, Destination, IoError, MaterialiseError, Placement, PutError, Store, Take,
};

use crate::build::{Placer, Unplaced};
use crate::chain::chain;
use crate::stamps::Stamps;
use crate::trees::{file, tree_id};

/// What keeps the folder out of version control.
pub(crate) const IGNORE_FILE: &str = ".gitignore";

/// The output folder of one workspace and configuration.
pub(crate) struct OutputFolder {
    root: PathBuf,
    /// Relative to the root.
    relative: PathBuf,
    /// The same, absolute.
    folder: PathBuf,
    /// Whether the folder is there, looked at when the first output is placed.
    prepared: OnceLock<Result<(), String>>,
    destination: Destination,
    store: Arc<Store>,
    stamps: Arc<Stamps>,
    rescued: Mutex<Vec<Rescued>>,
    /// Whether outputs can be marked, as far as that is known.
    marks_hold: AtomicBool,
}

/// The extended attribute with the digest of what was put somewhere.
const MARK: &str = "user.vwfb.digest";

/// The mark of what is at `place`, if it has one.
fn marked(place: &Path) -> Option<Vec<u8>> {
    let mut bytes = vec![0; 64];
    let length = getxattr(place, MARK, &mut bytes[..]).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// What is at `place`; nothing where that is neither file nor folder.
fn found(place: &Path, stamps: &Stamps) -> Option<Artifact> {
    let found = fs::symlink_metadata(place).ok()?;
    if found.is_dir() {
        return tree_id(place, stamps).ok().map(Artifact::Tree);
    }
    let there = found.is_file().then(|| stamps.of(place))?.ok()?;
    Some(Artifact::File(file(&there)))
}

/// Whether what is at `place` was changed since it was put there.
pub(crate) fn is_changed(place: &Path, stamps: &Stamps, store: &Store) -> bool {
    let Some(there) = found(place, stamps) else { return false };
    match marked(place) {
        Some(mark) => mark != there.digest().to_hex().as_bytes(),
        None => !store.has(&there).unwrap_or(true),
    }
}

/// What a person made cannot be kept.
#[derive(Debug, thiserror::Error)]
enum RescueError {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error(transparent)]
    Put(#[from] PutError),
    #[error(transparent)]
    Materialise(#[from] MaterialiseError),
}

/// A file in the output folder that a person changed and another output took the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rescued {
    /// Where it was, relative to the workspace.
    pub path: PathBuf,
    /// Where it is now.
    pub kept: PathBuf,
}

impl OutputFolder {
    /// Outputs below `relative` of the workspace `root`, made when the first is placed.
    pub(crate) fn new(
        root: &Path,
        relative: PathBuf,
        store: Arc<Store>,
        stamps: Arc<Stamps>,
    ) -> Result<Self, IoError> {
        let destination = Destination::open(root, &root.join(".vwfb/staging"))?;
        let prepared = OnceLock::new();
        let folder = root.join(&relative);
        let (root, rescued) = (root.to_owned(), Mutex::default());
        let marks_hold = AtomicBool::new(true);
        Ok(Self {
            root,
            relative,
            folder,
            prepared,
            destination,
            store,
            stamps,
            rescued,
            marks_hold,
        })
    }

    fn is_in_place(&self, destination: &Path, artifact: &Artifact) -> bool {
        count(Counter::FilesStatted, 1);
        let Ok(found) = fs::symlink_metadata(destination) else { return false };
        match artifact {
            Artifact::File(wanted) => {
                let there = found.is_file().then(|| self.stamps.of(destination));
                there.is_some_and(|there| there.is_ok_and(|there| file(&there) == *wanted))
            }
            Artifact::Tree(wanted) => {
                let there = found.is_dir().then(|| tree_id(destination, &self.stamps));
                there.is_some_and(|there| there.is_ok_and(|there| there == *wanted))
            }
        }
    }

    /// Keeps what a person made of an output before another takes its place: whatever is not what was
    /// put there, by the mark that it was given.
    fn rescue(&self, relative: &Path, place: &Path) -> Result<(), RescueError> {
        let Some(there) = found(place, &self.stamps) else { return Ok(()) };
        if marked(place).as_deref() == Some(there.digest().to_hex().as_bytes()) {
            return Ok(());
        }
        // Where files can have no marks, it is the store that knows its own.
        if !self.marks_hold.load(Ordering::Relaxed) && self.store.has(&there).unwrap_or(true) {
            return Ok(());
        }
        let folder = self.root.join(".vwfb/edited");
        let name = relative.to_string_lossy().replace('/', "%2F");
        let kept = folder.join(format!("{}-{name}", &there.digest().to_hex()[..12]));
        fs::create_dir_all(&folder)?;
        match there {
            Artifact::File(_) => _ = self.store.put_file(place, Take::Copy)?,
            Artifact::Tree(_) => _ = self.store.put_tree(place, Take::Copy)?,
        }
        self.store.materialise(&there, &kept, Placement::Owned)?;
        fs::File::open(&kept)?.sync_all()?;
        let rescued = Rescued { path: relative.to_owned(), kept };
        self.rescued.lock().unwrap_or_else(PoisonError::into_inner).push(rescued);
        Ok(())
    }

    /// Marks what was put at `place` as that.
    fn mark(&self, place: &Path, artifact: &Artifact) {
        let digest = artifact.digest().to_hex();
        let marked = setxattr(place, MARK, digest.as_bytes(), XattrFlags::empty());
        if marked.is_err() {
            self.marks_hold.store(false, Ordering::Relaxed);
        }
    }

    /// What people changed and other outputs took the place of.
    pub(crate) fn rescued(&self) -> Vec<Rescued> {
        std::mem::take(&mut *self.rescued.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes the folder, and keeps it out of version control.
    fn prepare(&self) -> std::io::Result<()> {
        let folder = self.root.join(&self.relative);
        if let Some(link) = self.relative.ancestors().find(|part| self.root.join(part).is_symlink())
        {
            let link = link.display();
            let why =
                format!("`{link}` is a symbolic link, which could lead anywhere: move it away");
            return Err(std::io::Error::other(why));
        }
        if folder.is_file() {
            let why = format!("`{}` is a file: move it away", self.relative.display());
            return Err(std::io::Error::other(why));
        }
        fs::create_dir_all(&folder)?;
        let ignore = folder.join(IGNORE_FILE);
        if ignore.exists() { Ok(()) } else { fs::write(ignore, "*\n") }
    }
}

impl Placer for OutputFolder {
    fn folder(&self) -> &Path {
        &self.folder
    }

    fn takes_files(&self) -> bool {
        self.destination.is_beside(&self.store)
    }

    fn place(&self, path: &str, artifact: &Artifact) -> Result<(), Unplaced> {
        count(Counter::OutputsPlaced, 1);
        let prepared = self.prepared.get_or_init(|| {
            self.prepare().map_err(|error| {
                let folder = self.root.join(&self.relative);
                format!("cannot put outputs into `{}`: {error}", folder.display())
            })
        });
        prepared.clone().map_err(Unplaced::Failed)?;
        let relative = self.relative.join(path);
        let destination = self.root.join(&relative);
        if self.is_in_place(&destination, artifact) {
            return Ok(());
        }
        self.rescue(&relative, &destination).map_err(|error| {
            Unplaced::Failed(format!(
                "`{}` was changed by hand, and no copy of it can be kept: {}",
                relative.display(),
                chain(&error)
            ))
        })?;
        match self.store.materialise_into(artifact, &self.destination, &relative) {
            Ok(()) => {
                self.mark(&destination, artifact);
                Ok(())
            }
            Err(MaterialiseError::Read(error)) if error.lost().is_some() => Err(Unplaced::Lost),
            Err(error) => Err(Unplaced::Failed(chain(&error))),
        }
    }
}
