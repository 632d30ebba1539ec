//! Where a package is made, and that it is there whole or not at all.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process;

use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_rules::label::{LabelError, WsPath, check_package};
use vwfb_rules::package_template::lacking;
use vwfb_rules::workspace::workspace;

use crate::error::CommandError;
use crate::locate::Located;
use crate::new::draft::{Content, Draft};
use crate::session::Context;

/// A workspace, or the folder that becomes one.
pub(crate) struct Place {
    /// Its root.
    pub(crate) root: PathBuf,
    /// The current folder in it.
    current: WsPath,
    /// Whether it is no workspace yet.
    pub(crate) is_new: bool,
}

impl Place {
    /// The workspace around the current folder; that folder if there is none.
    pub(crate) fn around(ctx: &Context) -> Result<Self, CommandError> {
        match ctx.located() {
            Ok(Located { root, current }) => Ok(Self { root, current, is_new: false }),
            Err(CommandError::NoWorkspace { folder, .. }) => {
                Ok(Self { root: folder, current: WsPath::root(), is_new: true })
            }
            Err(error) => Err(error),
        }
    }

    /// What a new workspace is called.
    pub(crate) fn name(&self) -> String {
        let name = self.root.file_name().unwrap_or_default().to_string_lossy();
        if name.is_empty() { "films".to_owned() } else { name.into_owned() }
    }

    /// The package that `word` means, where nothing is yet.
    pub(crate) fn package(&self, word: &str) -> Result<WsPath, CommandError> {
        let failed = |error| {
            let reason = match error {
                LabelError::Package { reason, .. } => reason.to_owned(),
                other => other.to_string(),
            };
            CommandError::PackageName { text: word.to_owned(), reason }
        };
        let package = self.current.join(word.trim_end_matches('/')).map_err(failed)?;
        check_package(&package).map_err(failed)?;
        let path = self.root.join(package.as_str());
        match path.symlink_metadata() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(package),
            Err(source) => Err(CommandError::Read { path, source }),
            Ok(_) => Err(CommandError::PackageExists { path }),
        }
    }

    /// What the workspace that is there lacks of what `draft` would have written into a new one.
    pub(crate) fn lacking(&self, draft: &Draft) -> Result<Option<String>, CommandError> {
        if self.is_new {
            return Ok(None);
        }
        let path = self.root.join(WORKSPACE_FILE);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|source| CommandError::Read { path, source })?;
        let read = |text| workspace(&WsPath::root(), text).value;
        let lines = lacking(&read(&draft.workspace), &read(&text));
        Ok((!lines.is_empty()).then_some(lines))
    }

    /// Puts `draft` where `package` is to be; the paths of what was made, from the root. It is made
    /// beside and moved there, so nobody ever sees a part of it.
    pub(crate) fn put(&self, package: &WsPath, draft: &Draft) -> Result<Vec<String>, CommandError> {
        let folder = self.root.join(package.as_str());
        let parent = folder.parent().unwrap_or(&self.root);
        let there = parent.ancestors().find(|above| above.is_dir()).unwrap_or(&self.root);
        let beside = Beside(there.join(format!(".vwfb-new-{}", process::id())));
        beside.fill(draft)?;
        let deed = |deed, path: &Path| {
            let path = path.to_owned();
            move |source| CommandError::Io { deed, path, source }
        };
        let mut made = Vec::new();
        let workspace = self.root.join(WORKSPACE_FILE);
        if self.is_new {
            fs::File::create_new(&workspace)
                .and_then(|mut file| io::Write::write_all(&mut file, draft.workspace.as_bytes()))
                .map_err(deed("write", &workspace))?;
            made.push(WORKSPACE_FILE.to_owned());
        }
        let moved = fs::create_dir_all(parent).and_then(|()| fs::rename(&beside.0, &folder));
        if let Err(source) = moved {
            if self.is_new {
                // It was made here; what cannot be removed is the lesser trouble.
                let _kept = fs::remove_file(&workspace);
            }
            return Err(deed("make", &folder)(source));
        }
        made.extend(draft.files.iter().map(|file| format!("{package}/{}", file.path)));
        Ok(made)
    }
}

/// A folder that is removed unless it is moved away.
struct Beside(PathBuf);

impl Drop for Beside {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

impl Beside {
    fn fill(&self, draft: &Draft) -> Result<(), CommandError> {
        for file in &draft.files {
            let path = self.0.join(file.path.as_str());
            let folder = path.parent().unwrap_or(&self.0);
            let failed = |source| CommandError::Io { deed: "write", path: path.clone(), source };
            fs::create_dir_all(folder).map_err(failed)?;
            match &file.content {
                Content::Bytes(bytes) => fs::write(&path, bytes).map_err(failed)?,
                Content::Copy(from) => {
                    let failed =
                        |source| CommandError::Io { deed: "copy", path: from.clone(), source };
                    fs::copy(from, &path).map(drop).map_err(failed)?;
                }
            }
            if file.executable {
                let mode = fs::metadata(&path).map_err(failed)?.permissions().mode();
                let mode = fs::Permissions::from_mode(mode | 0o111);
                fs::set_permissions(&path, mode).map_err(failed)?;
            }
        }
        Ok(())
    }
}
