//! A workspace in memory, which behaves as one on disk does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vwfb_cas::{Artifact, BlobId, Digest, FileRef, TreeId};
use vwfb_engine::system::{Content, Lost, System, Text};
use vwfb_rules::label::WsPath;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;

/// The files of a workspace by path.
#[derive(Default)]
pub(crate) struct Memory(pub(crate) BTreeMap<String, File>);

/// A file.
#[derive(Clone)]
pub(crate) enum File {
    /// One with a text.
    Text(String),
    /// One that is no text, with the comments that a test has in it.
    Binary(String),
}

impl File {
    /// What the test says of it.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Binary(text) => text,
        }
    }
}

impl Memory {
    /// The text of `path`.
    pub(crate) fn text_of(&self, path: &WsPath) -> Option<&str> {
        match self.0.get(path.as_str())? {
            File::Text(text) => Some(text),
            File::Binary(_) => None,
        }
    }

    /// The paths below `folder`, relative to it.
    fn below<'m>(&'m self, folder: &WsPath) -> impl Iterator<Item = &'m str> {
        let prefix = if folder.is_root() { String::new() } else { format!("{folder}/") };
        self.0.keys().filter_map(move |path| path.strip_prefix(&prefix))
    }

    fn is_package(&self, folder: &str) -> bool {
        self.0.contains_key(&format!("{folder}/BUILD.kdl"))
    }

    /// Whether a folder between `package` and its file `path` is a package or vwfb's own.
    fn is_elsewhere(&self, package: &WsPath, path: &str) -> bool {
        let folders = path.match_indices('/').map(|(end, _)| &path[..end]);
        let mut folders = folders.filter_map(|folder| package.join(folder).ok());
        folders.any(|folder| self.is_package(folder.as_str()) || is_own(folder.as_str()))
    }
}

/// Whether a folder is one of those that vwfb itself writes, or below one.
fn is_own(folder: &str) -> bool {
    folder.split('/').any(|name| matches!(name, ".vwfb" | "vwfb-out"))
}

impl System for Memory {
    fn text(&self, path: &WsPath) -> Text {
        match self.0.get(path.as_str()) {
            Some(File::Text(text)) => Text::Present(text.as_str().into()),
            Some(File::Binary(_)) => Text::Unreadable("stream did not contain valid UTF-8".into()),
            None => Text::Absent,
        }
    }

    fn kind(&self, path: &WsPath) -> SourceKind {
        if self.0.contains_key(path.as_str()) {
            SourceKind::File
        } else if path.is_root() || self.below(path).next().is_some() {
            SourceKind::Directory
        } else {
            SourceKind::Absent
        }
    }

    fn content(&self, path: &WsPath) -> Content {
        let Some(text) = self.text_of(path) else { return Content::Absent };
        let blob = BlobId(Digest::of(text.as_bytes()));
        let size = text.len() as u64;
        Content::Present(Artifact::File(FileRef { blob, size, executable: false }))
    }

    fn entries(&self, path: &WsPath) -> Arc<[String]> {
        let entry = |below: &str| match below.split_once('/') {
            Some((folder, _)) => format!("{folder}/"),
            None => below.to_owned(),
        };
        let entries: BTreeSet<String> = self.below(path).map(entry).collect();
        entries.into_iter().collect()
    }

    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]> {
        self.below(package)
            .filter(|path| !self.is_elsewhere(package, path))
            .filter(|path| fast_glob::glob_match(pattern, path))
            .filter_map(|path| package.join(path).ok())
            .collect()
    }

    fn packages(&self, path: &WsPath) -> Vec<WsPath> {
        let folder = |file: &str| match file.strip_suffix("BUILD.kdl") {
            Some("") => Some(path.clone()),
            Some(folder) => path.join(folder.strip_suffix('/')?).ok(),
            None => None,
        };
        let packages: BTreeSet<WsPath> = self.below(path).filter_map(folder).collect();
        packages.into_iter().filter(|package| !is_own(package.as_str())).collect()
    }

    fn fingerprint(&self, tool: &ToolDef) -> Result<Digest, Arc<str>> {
        Ok(Digest::of(tool.name.as_bytes()))
    }

    fn in_tree(&self, _: TreeId, _: &WsPath) -> Result<Option<Artifact>, Lost> {
        Ok(None)
    }
}
