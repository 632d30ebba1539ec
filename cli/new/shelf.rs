//! The templates that there are: the workspace's, the user's, and those compiled in.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use vwfb_rules::diagnostic::Checked;
use vwfb_rules::label::WsPath;
use vwfb_rules::package_template::{PackageTemplate, TEMPLATE_FILE, package_template};
use walkdir::WalkDir;

use crate::error::CommandError;
use crate::labels::is_of_the_workspace;
use crate::locate;
use crate::new::place::Place;

/// Files that are compiled in, by their paths.
type Files = &'static [(&'static str, &'static [u8])];

/// The files of every folder of `templates/`; made by `build.rs`.
const BUILT_IN: &[(&str, Files)] = include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// The folder of templates in a workspace, and in the user's folder of vwfb.
const FOLDER: &str = "templates";

/// All templates.
pub(crate) struct Shelf {
    /// Sorted by name; of those with one name the workspace's counts, then the user's.
    pub(crate) templates: Vec<Template>,
}

/// A template, not yet read.
pub(crate) struct Template {
    /// Its name, that of its folder.
    pub(crate) name: String,
    /// Where it is from.
    pub(crate) origin: Origin,
}

/// Where a template is from.
pub(crate) enum Origin {
    /// Compiled in.
    BuiltIn(Files),
    /// A folder of the workspace.
    Workspace(PathBuf),
    /// A folder of the user.
    User(PathBuf),
}

/// One file of a template.
pub(crate) struct TemplateFile {
    /// Its path in the template.
    pub(crate) path: WsPath,
    /// Its bytes.
    pub(crate) bytes: Cow<'static, [u8]>,
    /// Whether it may be started.
    pub(crate) executable: bool,
}

impl Shelf {
    /// Those that can be used at `place`.
    pub(crate) fn of(place: &Place) -> Result<Self, CommandError> {
        let mut templates = Vec::new();
        if !place.is_new {
            templates.extend(folders(&place.root.join(FOLDER), Origin::Workspace)?);
        }
        if let Some(folder) = user_folder() {
            templates.extend(folders(&folder, Origin::User)?);
        }
        templates.extend(BUILT_IN.iter().map(|(name, files)| Template {
            name: (*name).to_owned(),
            origin: Origin::BuiltIn(files),
        }));
        // Stable, so the first of one name stays the first.
        templates.sort_by(|one, other| one.name.cmp(&other.name));
        templates.dedup_by(|later, first| later.name == first.name);
        Ok(Self { templates })
    }
}

/// `vwfb/templates` in the user's folder of settings.
fn user_folder() -> Option<PathBuf> {
    Some(locate::settings()?.join(FOLDER))
}

fn folders(folder: &Path, origin: fn(PathBuf) -> Origin) -> Result<Vec<Template>, CommandError> {
    let failed = |source| CommandError::Read { path: folder.to_owned(), source };
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some(name) = name.filter(|_| path.join(TEMPLATE_FILE).is_file()) {
            found.push(Template { name: name.to_owned(), origin: origin(path.clone()) });
        }
    }
    Ok(found)
}

impl Template {
    /// What its `template.kdl` says, with that file's name and text.
    pub(crate) fn definition(
        &self,
    ) -> Result<(WsPath, String, Checked<PackageTemplate>), CommandError> {
        let file = self.shown(TEMPLATE_FILE);
        let text = match &self.origin {
            Origin::BuiltIn(files) => {
                let bytes = files.iter().find(|(path, _)| *path == TEMPLATE_FILE);
                bytes.map_or(Cow::Borrowed(""), |(_, bytes)| String::from_utf8_lossy(bytes))
            }
            Origin::Workspace(folder) | Origin::User(folder) => {
                let path = folder.join(TEMPLATE_FILE);
                let text = fs::read_to_string(&path);
                Cow::Owned(text.map_err(|source| CommandError::Read { path, source })?)
            }
        };
        let checked = package_template(&file, &text);
        Ok((file, text.into_owned(), checked))
    }

    /// Its files, sorted by path, without `template.kdl`.
    pub(crate) fn files(&self) -> Result<Vec<TemplateFile>, CommandError> {
        let mut files = match &self.origin {
            Origin::BuiltIn(files) => files
                .iter()
                .filter_map(|(path, bytes)| {
                    let (path, bytes) = (WsPath::new(path).ok()?, Cow::Borrowed(*bytes));
                    Some(TemplateFile { path, bytes, executable: false })
                })
                .collect(),
            Origin::Workspace(folder) | Origin::User(folder) => files_in(folder)?,
        };
        files.retain(|file| file.path.as_str() != TEMPLATE_FILE);
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(files)
    }

    /// The file `path` of it, as messages name it.
    pub(crate) fn shown(&self, path: &str) -> WsPath {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let path = match &self.origin {
            Origin::BuiltIn(_) => format!("@{FOLDER}/{}/{path}", self.name),
            Origin::Workspace(_) => format!("{FOLDER}/{}/{path}", self.name),
            Origin::User(folder) => {
                let path = folder.join(path);
                let below = home.as_deref().and_then(|home| path.strip_prefix(home).ok());
                below.map_or_else(
                    || path.display().to_string().trim_start_matches('/').to_owned(),
                    |below| format!("~/{}", below.display()),
                )
            }
        };
        WsPath::new(&path).unwrap_or_default()
    }
}

fn files_in(folder: &Path) -> Result<Vec<TemplateFile>, CommandError> {
    let mut files = Vec::new();
    for entry in
        WalkDir::new(folder).follow_links(true).into_iter().filter_entry(is_of_the_workspace)
    {
        let read = |path: &Path, source| CommandError::Read { path: path.to_owned(), source };
        let entry = entry.map_err(|error| read(folder, error.into()))?;
        if !entry.file_type().is_file() {
            continue;
        }
        let below = entry.path().strip_prefix(folder).ok().and_then(Path::to_str);
        let path = below.and_then(|below| WsPath::new(below).ok());
        let Some(path) = path else {
            return Err(CommandError::FolderName { path: entry.into_path() });
        };
        let of = |source| read(entry.path(), source);
        let mode = fs::metadata(entry.path()).map_err(of)?.permissions().mode();
        let bytes = fs::read(entry.path()).map_err(of)?.into();
        files.push(TemplateFile { path, bytes, executable: mode & 0o111 != 0 });
    }
    Ok(files)
}
