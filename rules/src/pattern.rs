//! Target patterns of the command line: which labels a word means.

use std::fmt;

use crate::label::{Label, LabelError, WsPath, check_package, parse_package};

/// Which targets a word of the command line means.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Pattern {
    /// Every target at and below a folder: `//shorts/...`.
    Below(WsPath),
    /// Every target of a package: `//shorts:all`, `//shorts`.
    Package(WsPath),
    /// One target, with what it expands to: `//shorts:final`.
    Target(Label),
}

impl Pattern {
    /// The pattern `text` in the folder `current`: `//...`, `//x/...`, `//x:all`, `//x`, `//x:name`,
    /// and without the leading `//` the same from that folder (`...`, `x:name`, `:name`, `x`).
    pub fn parse(text: &str, current: &WsPath) -> Result<Self, LabelError> {
        let (folder, name) = match text.split_once(':') {
            Some((folder, name)) => (folder, Some(name)),
            None => (text, None),
        };
        if name.is_none() && (folder == "..." || folder.ends_with("/...")) {
            let above = folder.strip_suffix("...").unwrap_or(folder);
            return Ok(Self::Below(folder_of(above.strip_suffix('/').unwrap_or(above), current)?));
        }
        let package = folder_of(folder, current)?;
        match name {
            None | Some("all") => Ok(Self::Package(package)),
            Some(name) => Label::parse(&format!(":{name}"), &package).map(Self::Target),
        }
    }

    /// Whether it means `label`.
    pub fn matches(&self, label: &Label) -> bool {
        match self {
            Self::Below(folder) => label.package.is_within(folder),
            Self::Package(package) => label.package == *package,
            Self::Target(wanted) => wanted == label,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Below(folder) if folder.is_root() => f.write_str("//..."),
            Self::Below(folder) => write!(f, "//{folder}/..."),
            Self::Package(package) => write!(f, "//{package}:all"),
            Self::Target(label) => label.fmt(f),
        }
    }
}

fn folder_of(text: &str, current: &WsPath) -> Result<WsPath, LabelError> {
    // `//...` leaves a single `/` once its dots are gone.
    if matches!(text, "//" | "/") {
        return Ok(WsPath::root());
    }
    if let Some(folder) = text.strip_prefix("//") {
        return parse_package(folder.strip_suffix('/').unwrap_or(folder));
    }
    let folder = current.join(text)?;
    check_package(&folder)?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Pattern::parse(text, &WsPath::new("shorts").unwrap()) {
            Ok(pattern) => pattern.to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn patterns_mean_what_the_guide_says() {
        assert_eq!(parsed("//..."), "//...");
        assert_eq!(parsed("//a/..."), "//a/...");
        assert_eq!(parsed("//a/b"), "//a/b:all");
        assert_eq!(parsed("//a/b/"), "//a/b:all");
        assert_eq!(parsed("//a:all"), "//a:all");
        assert_eq!(parsed("//a:x"), "//a:x");
        assert_eq!(parsed("//:x"), "//:x");
    }

    #[test]
    fn patterns_are_relative_to_the_current_folder() {
        assert_eq!(parsed(":final"), "//shorts:final");
        assert_eq!(parsed("..."), "//shorts/...");
        assert_eq!(parsed("sub/..."), "//shorts/sub/...");
        assert_eq!(parsed("sub:x"), "//shorts/sub:x");
        assert_eq!(parsed("../other:x"), "//other:x");
        assert_eq!(parsed("."), "//shorts:all");
        assert!(parsed("../../x").contains("leaves the workspace"));
        assert!(parsed(":").contains("is not a name"));
    }

    #[test]
    fn a_pattern_matches_its_labels() {
        let all = Pattern::parse("//a/...", &WsPath::root()).unwrap();
        let label = |text| Label::parse(text, &WsPath::root()).unwrap();
        assert!(all.matches(&label("//a:x")) && all.matches(&label("//a/b:x")));
        assert!(!all.matches(&label("//ab:x")));
    }
}
