//! What one target's resolution may look at beyond its own text.

use std::sync::Arc;

use crate::label::{Label, Reference, WsPath};
use crate::placeholder::Placeholder;
use crate::rule_file::RuleFile;
use crate::task::Provided;

/// What stands at a workspace path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Nothing: a fact like any other.
    Absent,
    /// A regular file.
    File,
    /// A directory.
    Directory,
}

/// What an output holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It is not made, or what was made is not known to be what would be made now.
    Unknown,
    /// A directory with these files, sorted; folders in it are left out.
    Tree(Arc<[String]>),
    /// A file with this text.
    Text(Arc<str>),
    /// Neither; the words say why.
    Unreadable(String),
}

/// The world as a target sees it. In the engine each method is a query, so that a target is
/// resolved again exactly when something it looked at has changed.
pub trait Scope {
    /// What `path` is.
    fn source(&self, path: &WsPath) -> SourceKind;
    /// The names in the directory `path`, sorted, directories with a trailing `/`; empty if it is
    /// none. For near-miss suggestions.
    fn entries(&self, path: &WsPath) -> Arc<[String]>;
    /// The files below `package` that match `pattern`, sorted; never those of other packages,
    /// `.vwfb/` or `vwfb-out/`.
    fn glob(&self, package: &WsPath, pattern: &str) -> Arc<[WsPath]>;
    /// What `glob` had to leave out though it may match, each in words: files that no path can
    /// name, folders that cannot be read.
    fn left_out(&self, _package: &WsPath, _pattern: &str) -> Arc<[String]> {
        Arc::default()
    }
    /// The names of the targets of `package`, in file order; `None` if it is no package.
    fn targets(&self, package: &WsPath) -> Option<Arc<[String]>>;
    /// The names that `package` has as they are written, which no fan-out decides; for near-miss
    /// suggestions where the targets are not known yet.
    fn written(&self, package: &WsPath) -> Arc<[String]> {
        self.targets(package).unwrap_or_default()
    }
    /// Whether something is named `label`; `None` if its package is none.
    fn has_target(&self, label: &Label) -> Option<bool> {
        let name = label.target();
        Some(self.targets(&label.package)?.contains(&name))
    }
    /// The text of the file at `path`; `None` if it is not there or cannot be read as UTF-8.
    fn text(&self, path: &WsPath) -> Option<Arc<str>>;
    /// Whether the text of `package` has errors, so that more targets may be meant in it than
    /// `targets` names.
    fn is_broken(&self, _package: &WsPath) -> bool {
        false
    }
    /// What a target offers to others; empty if `when` switched it off, `None` if there is no such
    /// target or it has errors (which are reported there, not where it is used).
    fn provides(&self, label: &Label) -> Option<Arc<[Provided]>>;
    /// What there is in an output, which `reference` names, of another target.
    fn made(&self, _reference: &Reference) -> Made {
        Made::Unknown
    }
    /// What makes the items of a fan-out that `label` stands for, or passes on, and that are not
    /// known.
    fn waits(&self, _label: &Label) -> Option<Label> {
        None
    }
    /// What `label` is another name of, if it is an `alias`.
    fn alias(&self, _label: &Label) -> Option<Reference> {
        None
    }
    /// What the workspace lets stand in for a missing file of the media kind `kind`.
    fn placeholder(&self, _kind: &str) -> Option<Arc<Placeholder>> {
        None
    }
    /// What a person said is to be better of what the target makes.
    fn feedback(&self, _label: &Label) -> Option<Arc<str>> {
        None
    }
    /// Which take of the target's results is in use; 0 is the first.
    fn take(&self, _label: &Label) -> u32 {
        0
    }
    /// The rule file at `path`, `@std/...` included; `None` if there is none.
    fn rule_file(&self, path: &WsPath) -> Option<Arc<RuleFile>>;
}
