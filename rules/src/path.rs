//! Paths from the workspace root, the only kind of path the rule language knows.

use std::fmt;
use std::sync::Arc;

use crate::label::LabelError;

/// A path from the workspace root with `/` between its parts; empty for the root itself.
///
/// It never starts with `/`, and holds no empty part, `.` or `..`. Built-in rule files are
/// `@std/<name>`. Copies share the text.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WsPath(Arc<str>);

impl WsPath {
    /// The workspace's root.
    pub fn root() -> Self {
        Self(Arc::from(""))
    }

    /// A path written from the root, with or without a leading `//`.
    pub fn new(text: &str) -> Result<Self, LabelError> {
        Self::root().join(text.strip_prefix("//").unwrap_or(text))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether this is the workspace's root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is a built-in rule file.
    pub fn is_built_in(&self) -> bool {
        self.0.starts_with("@std/")
    }

    /// The path that `text` means in this folder: `//a/b` from the root, else below this folder;
    /// `.` and `..` are resolved, and `..` may not leave the workspace.
    pub fn join(&self, text: &str) -> Result<Self, LabelError> {
        let (base, relative) = match text.strip_prefix("//") {
            Some(rest) => ("", rest),
            None => (self.as_str(), text),
        };
        if relative.starts_with('/') {
            return Err(LabelError::Absolute { text: text.into() });
        }
        if let Some(bad) = relative.chars().find(|c| c.is_control() || *c == '\\') {
            return Err(LabelError::PathCharacter { text: text.into(), bad });
        }
        let mut parts: Vec<&str> = base.split('/').filter(|part| !part.is_empty()).collect();
        for part in relative.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop().ok_or_else(|| LabelError::Leaves { text: text.into() })?;
                }
                name => parts.push(name),
            }
        }
        Ok(Self(Arc::from(parts.join("/"))))
    }

    /// The folder it is in; the root for a path of one part, nothing for the root.
    pub fn parent(&self) -> Option<Self> {
        match self.0.rsplit_once('/') {
            Some((parent, _)) => Some(Self(Arc::from(parent))),
            None if self.is_root() => None,
            None => Some(Self::root()),
        }
    }

    /// The last part; empty for the root.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or("")
    }

    /// The last part without its extension.
    pub fn stem(&self) -> &str {
        match self.name().rsplit_once('.') {
            Some((stem, _)) if !stem.is_empty() => stem,
            _ => self.name(),
        }
    }

    /// The extension without its dot, as written.
    pub fn extension(&self) -> Option<&str> {
        match self.name().rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() && !extension.is_empty() => Some(extension),
            _ => None,
        }
    }

    /// Whether it is `folder` or below it.
    pub fn is_within(&self, folder: &Self) -> bool {
        self.below(folder).is_some()
    }

    /// What follows `folder` in it; empty if it is the folder, nothing if it is elsewhere.
    pub fn below(&self, folder: &Self) -> Option<&str> {
        if folder.is_root() {
            return Some(self.as_str());
        }
        match self.0.strip_prefix(folder.as_str())? {
            "" => Some(""),
            rest => rest.strip_prefix('/'),
        }
    }
}

impl Default for WsPath {
    fn default() -> Self {
        Self::root()
    }
}

impl fmt::Display for WsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for WsPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WsPath({:?})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(folder: &str, text: &str) -> String {
        match WsPath::new(folder).unwrap().join(text) {
            Ok(path) => path.to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn a_path_is_relative_to_its_folder_or_from_the_root() {
        assert_eq!(joined("shorts", "a/b.png"), "shorts/a/b.png");
        assert_eq!(joined("shorts", "./a//b.png"), "shorts/a/b.png");
        assert_eq!(joined("shorts", "../lib/b.png"), "lib/b.png");
        assert_eq!(joined("shorts", "//lib/b.png"), "lib/b.png");
        assert_eq!(joined("", "b.png"), "b.png");
    }

    #[test]
    fn a_path_cannot_leave_the_workspace() {
        assert_eq!(joined("shorts", "../../x"), "`../../x` leaves the workspace");
        assert_eq!(joined("shorts", "/etc/passwd"), "`/etc/passwd` is an absolute path");
        assert!(joined("shorts", "a\\b").contains("may not contain"));
    }

    #[test]
    fn parts_of_a_path() {
        let path = WsPath::new("shorts/a.tar.gz").unwrap();
        assert_eq!((path.name(), path.stem(), path.extension()), ("a.tar.gz", "a.tar", Some("gz")));
        assert_eq!(path.below(&WsPath::new("shorts").unwrap()), Some("a.tar.gz"));
        assert_eq!(path.below(&WsPath::new("short").unwrap()), None);
        assert_eq!(WsPath::new(".hidden").unwrap().extension(), None);
        assert_eq!(path.parent().unwrap().parent().unwrap(), WsPath::root());
    }
}
