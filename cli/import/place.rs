//! Where an imported package goes, and that it is there whole or not at all.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::process;

use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_import::Imported;
use vwfb_rules::label::{LabelError, WsPath, check_package};

use crate::error::CommandError;
use crate::locate;

/// A workspace, or the folder that becomes one, and a package in it.
pub(super) struct Place {
    /// The workspace's folder.
    pub(super) root: PathBuf,
    /// The folder that the workflow's paths are relative to.
    pub(super) workdir: PathBuf,
    /// The package.
    pub(super) package: WsPath,
    /// Whether there is no workspace yet.
    pub(super) is_new: bool,
    folder: PathBuf,
}

impl Place {
    /// The place of the package in `folder`, whose workflow's paths are relative to `workdir`.
    pub(super) fn of(folder: &Path, workdir: PathBuf) -> Result<Self, CommandError> {
        let folder = without_links(folder)?;
        let (root, is_new) = match locate::workspace(&folder) {
            Ok(located) => (located.root, false),
            Err(CommandError::NoWorkspace { .. }) => {
                let parent = folder.parent().unwrap_or(&folder);
                // What the workflow reads is in the workspace, where one folder has both.
                let root = if folder.starts_with(&workdir) { &workdir } else { parent };
                (root.to_owned(), true)
            }
            Err(error) => return Err(error),
        };
        let below = folder.strip_prefix(&root).unwrap_or(&folder);
        let text = below.to_str();
        let text = text.ok_or_else(|| CommandError::FolderName { path: folder.clone() })?;
        let failed = |error| {
            let reason = match error {
                LabelError::Package { reason, .. } => reason.to_owned(),
                other => other.to_string(),
            };
            CommandError::PackageName { text: text.to_owned(), reason }
        };
        let package = WsPath::new(text).map_err(failed)?;
        check_package(&package).map_err(failed)?;
        Ok(Self { root, workdir, package, is_new, folder })
    }

    /// What a new workspace is called.
    fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or_default().to_string_lossy();
        if name.is_empty() { "films".to_owned() } else { name.into_owned() }
    }

    /// Puts the package there, all of it or nothing; the paths of its files, from the root.
    pub(super) fn put(
        &self,
        imported: &Imported,
        force: bool,
    ) -> Result<Vec<String>, CommandError> {
        let mut files: Vec<(PathBuf, String)> = Vec::new();
        if self.is_new {
            let text = imported.workspace(&self.name());
            files.push((self.root.join(WORKSPACE_FILE), text));
        }
        let of_package = imported.files.iter();
        files.extend(of_package.map(|(path, text)| (self.folder.join(path), text.clone())));
        let there: Vec<PathBuf> = files
            .iter()
            .map(|(path, _)| path)
            .filter(|path| path.symlink_metadata().is_ok())
            .cloned()
            .collect();
        if !there.is_empty() && !force {
            return Err(CommandError::ImportExists { paths: there });
        }
        let existing = self.folder.ancestors().find(|above| above.is_dir());
        let beside = existing.unwrap_or(&self.root).join(format!(".vwfb-import-{}", process::id()));
        let mut moving = Moving { beside, moved: Vec::new(), folders: Vec::new(), done: false };
        moving.stage(&files)?;
        for (number, (path, _)) in files.iter().enumerate() {
            moving.place(number, path)?;
        }
        moving.done = true;
        let shown =
            |path: &Path| path.strip_prefix(&self.root).unwrap_or(path).display().to_string();
        Ok(files.iter().map(|(path, _)| shown(path)).collect())
    }
}

/// Files that are written in a folder of their own and moved from there; what was moved goes back
/// unless all of it is `done`.
struct Moving {
    beside: PathBuf,
    /// Where files are now, and where what was there before is, if anything was.
    moved: Vec<(PathBuf, Option<PathBuf>)>,
    /// The folders that were made.
    folders: Vec<PathBuf>,
    done: bool,
}

impl Drop for Moving {
    fn drop(&mut self) {
        if !self.done {
            for (path, before) in self.moved.drain(..).rev() {
                // Nothing more can be done about what does not go back.
                let _gone = match before {
                    Some(before) => fs::rename(before, path),
                    None => fs::remove_file(path),
                };
            }
            for folder in self.folders.drain(..).rev() {
                let _kept = fs::remove_dir(folder);
            }
        }
        let _gone = fs::remove_dir_all(&self.beside);
    }
}

fn failed(deed: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CommandError {
    let path = path.to_owned();
    move |source| CommandError::Io { deed, path, source }
}

impl Moving {
    fn new_of(&self, number: usize) -> PathBuf {
        self.beside.join(format!("new-{number}"))
    }

    fn stage(&self, files: &[(PathBuf, String)]) -> Result<(), CommandError> {
        fs::create_dir(&self.beside).map_err(failed("make", &self.beside))?;
        for (number, (path, text)) in files.iter().enumerate() {
            fs::write(self.new_of(number), text).map_err(failed("write", path))?;
        }
        Ok(())
    }

    fn place(&mut self, number: usize, path: &Path) -> Result<(), CommandError> {
        let folder = path.parent().unwrap_or(path);
        let missing: Vec<&Path> = folder.ancestors().take_while(|it| !it.exists()).collect();
        for folder in missing.into_iter().rev() {
            fs::create_dir(folder).map_err(failed("make", folder))?;
            self.folders.push(folder.to_owned());
        }
        let before = match path.symlink_metadata() {
            Ok(there) if there.is_dir() => {
                return Err(failed("write", path)(io::ErrorKind::IsADirectory.into()));
            }
            Ok(_) => {
                let kept = self.beside.join(format!("old-{number}"));
                fs::rename(path, &kept).map_err(failed("replace", path))?;
                Some(kept)
            }
            Err(_) => None,
        };
        self.moved.push((path.to_owned(), before));
        fs::rename(self.new_of(number), path).map_err(failed("write", path))
    }
}

/// `folder`, which need not be there, without links, `.` and `..`.
fn without_links(folder: &Path) -> Result<PathBuf, CommandError> {
    let mut plain = PathBuf::new();
    for part in folder.components() {
        match part {
            Component::ParentDir => drop(plain.pop()),
            Component::CurDir => {}
            part => plain.push(part),
        }
        if let Ok(real) = plain.canonicalize() {
            plain = real;
        } else if plain.symlink_metadata().is_ok() {
            // A link to nothing, or what cannot be looked at.
            let source =
                plain.canonicalize().err().unwrap_or_else(|| io::ErrorKind::NotFound.into());
            return Err(CommandError::Folder { path: plain, source });
        }
    }
    let there = plain.ancestors().find(|above| above.exists());
    match there {
        Some(there) if !there.is_dir() => {
            let source = io::ErrorKind::NotADirectory.into();
            Err(CommandError::Folder { path: there.to_owned(), source })
        }
        _ => Ok(plain),
    }
}
