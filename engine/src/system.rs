//! The one door to the workspace's files and the machine's tools. What comes through it becomes a
//! salsa input; a test gives another implementation.

use std::collections::BTreeMap;
use std::sync::Arc;

use vwfb_cas::{Artifact, Digest, FileRef, TreeId};
use vwfb_rules::label::WsPath;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::task::ToolDef;

/// A rule file's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Text {
    /// There is no such file.
    Absent,
    /// Its content.
    Present(Arc<str>),
    /// It cannot be read as UTF-8 text; the words say why.
    Unreadable(Arc<str>),
}

/// A source's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// There is no such path.
    Absent,
    /// A file or a directory with this digest.
    Present(Artifact),
    /// It cannot be read, or is neither file nor directory; the words say why.
    Unreadable(Arc<str>),
}

/// What the engine's queries may learn of the world. Each answer is recorded as a fact and not
/// asked for again until [`crate::db::Database::refresh`].
pub trait System: Send + Sync {
    /// Says that every answer is about to be asked for again, so nothing may be remembered.
    fn look_again(&self) {}
    /// The text of a rule file.
    fn text(&self, path: &WsPath) -> Text;
    /// What stands at `path`.
    fn kind(&self, path: &WsPath) -> SourceKind;
    /// The content of `path`.
    fn content(&self, path: &WsPath) -> Content;
    /// The names in the directory `path`, sorted, directories with a trailing `/`.
    fn entries(&self, path: &WsPath) -> Arc<[String]>;
    /// The files of `package` that match `pattern`, sorted; none of another package's.
    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]>;
    /// Files that `pattern` would match if a [`WsPath`] could name them, and folders below
    /// `package` that cannot be read; each in words.
    fn left_out(&self, _package: &WsPath, _pattern: &str) -> Arc<[String]> {
        Arc::default()
    }
    /// The packages at and below `path`, sorted.
    fn packages(&self, path: &WsPath) -> Vec<WsPath>;
    /// The fingerprint of a tool's closure, or why it has none.
    fn fingerprint(&self, tool: &ToolDef) -> Result<Digest, Arc<str>>;
    /// The files of a closure that was found since the last look, by its fingerprint.
    fn tool_files(&self, _fingerprint: Digest) -> Option<BTreeMap<String, Digest>> {
        None
    }
    /// The artifact at `path` in a stored tree: `Ok(None)` if the tree has no such path, an error
    /// if the store has lost the tree.
    fn in_tree(&self, tree: TreeId, path: &WsPath) -> Result<Option<Artifact>, Lost>;
    /// The names of the files in a stored tree, sorted, but for those in its folders.
    fn tree_files(&self, _tree: TreeId) -> Result<Arc<[String]>, Lost> {
        Err(Lost)
    }
    /// The text of a stored file.
    fn stored_text(&self, _file: FileRef) -> Result<StoredText, Lost> {
        Err(Lost)
    }
}

/// What a stored file holds, as far as it is text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredText {
    /// This.
    Text(Arc<str>),
    /// It is no UTF-8, or too long; the words say why.
    Not(String),
}

/// The store no longer has what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost;
