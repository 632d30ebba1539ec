//! Where the paths of a workflow lead, and how the package names what is there.

use vwfb_rules::label::{WsPath, check_package};

/// The folders around a package that is to be.
pub struct Ground<'a> {
    /// The workspace's folder, absolute.
    pub root: String,
    /// The folder that the workflow's paths are relative to, absolute.
    pub workdir: String,
    /// The package.
    pub package: WsPath,
    /// Whether there is a file or folder at an absolute path.
    pub exists: &'a dyn Fn(&str) -> bool,
}

/// Where a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spot {
    /// In the workspace, at this path from its root.
    Workspace(WsPath),
    /// Elsewhere; what it is called there.
    Outside(String),
    /// Nowhere that could be named: a path with a backslash or control character.
    Unnamable,
}

impl Ground<'_> {
    /// `written` as an absolute path without `.` and `..`, from the folder `base`.
    pub(crate) fn absolute(&self, base: &str, written: &str) -> String {
        let whole = match written.starts_with('/') {
            true => written.to_owned(),
            false => format!("{base}/{written}"),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in whole.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        format!("/{}", parts.join("/"))
    }

    /// The absolute path that the workflow means by `written`.
    pub(crate) fn path(&self, written: &str) -> String {
        self.absolute(&self.workdir, written)
    }

    /// `path` as the workflow would write it.
    pub(crate) fn shown<'p>(&self, path: &'p str) -> &'p str {
        below(path, &self.workdir).filter(|rest| !rest.is_empty()).unwrap_or(path)
    }

    /// Where the source at `path` is.
    pub(crate) fn spot(&self, path: &str) -> Spot {
        if path.chars().any(|c| c.is_control() || c == '\\') {
            return Spot::Unnamable;
        }
        let name = || path.rsplit('/').next().unwrap_or_default().to_owned();
        let Some(inside) = below(path, &self.root).filter(|inside| !inside.is_empty()) else {
            return Spot::Outside(name());
        };
        if matches!(inside.split('/').next(), Some(".vwfb" | "vwfb-out")) {
            return Spot::Outside(name());
        }
        WsPath::new(inside).map_or(Spot::Unnamable, Spot::Workspace)
    }

    /// How the package writes the path of a source of the workspace.
    pub(crate) fn written(&self, source: &WsPath) -> String {
        match source.below(&self.package).filter(|below| !below.is_empty()) {
            // A path that looks like a label is one, but for its beginning.
            Some(below) if below.starts_with(':') => format!("./{below}"),
            Some(below) => below.to_owned(),
            // What looks like a label is a path from here.
            None if source.as_str().contains(':') => {
                let up = self.package.as_str().split('/').filter(|part| !part.is_empty()).count();
                format!("{}{source}", "../".repeat(up))
            }
            None => format!("//{source}"),
        }
    }

    /// Where a task of the package finds `source`.
    pub(crate) fn role(&self, source: &WsPath) -> String {
        match source.below(&self.package).filter(|below| !below.is_empty()) {
            Some(below) => format!("in/{below}"),
            None => format!("in/{source}"),
        }
    }
}

/// What follows `folder` in `path`, if it is in it.
fn below<'p>(path: &'p str, folder: &str) -> Option<&'p str> {
    if folder == "/" {
        return path.strip_prefix('/');
    }
    match path.strip_prefix(folder)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

/// A name for the package of a workflow, for a folder without one.
#[must_use]
pub fn package_name(workflow: &str, file: &str) -> String {
    let stem = file.rsplit('/').next().unwrap_or(file);
    let stem = stem.rsplit_once('.').map_or(stem, |(stem, _)| stem);
    let named = if workflow.trim().is_empty() { stem } else { workflow };
    let mut name = String::new();
    for c in named.trim().chars().take(80) {
        match c {
            c if c.is_alphanumeric() || c == '_' || c == '-' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let mut name = name.trim_matches('-').to_owned();
    let fits = WsPath::new(&name).is_ok_and(|path| !path.is_root() && check_package(&path).is_ok());
    if !fits {
        name = "workflow".to_owned();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ground() -> Ground<'static> {
        Ground {
            root: "/films".into(),
            workdir: "/films/old".into(),
            package: WsPath::new("old/short").unwrap(),
            exists: &|_| false,
        }
    }

    #[test]
    fn paths_are_those_of_the_workdir() {
        let ground = ground();
        assert_eq!(ground.path("work/./a//b/../c.txt"), "/films/old/work/a/c.txt");
        assert_eq!(ground.path("/x/y"), "/x/y");
        assert_eq!(ground.path("../../../.."), "/");
        assert_eq!(ground.shown("/films/old/work/a"), "work/a");
        assert_eq!(ground.shown("/films/other"), "/films/other");
    }

    #[test]
    fn sources_are_named_from_the_package() {
        let ground = ground();
        let spot = |path: &str| match ground.spot(&ground.path(path)) {
            Spot::Workspace(path) => ground.written(&path),
            other => format!("{other:?}"),
        };
        assert_eq!(spot("assets/a b.png"), "//old/assets/a b.png");
        assert_eq!(spot("short/a.png"), "a.png");
        assert_eq!(spot("short/:a.png"), "./:a.png");
        assert_eq!(spot("x:y.png"), "../../old/x:y.png");
        assert_eq!(spot("../../etc/a.png"), "Outside(\"a.png\")");
        assert_eq!(spot("../vwfb-out/a.png"), "Outside(\"a.png\")");
        assert_eq!(spot("a\\b.png"), "Unnamable");
    }

    #[test]
    fn a_package_has_a_name() {
        assert_eq!(package_name("My film: 1", "w.yaml"), "My-film-1");
        assert_eq!(package_name(" ", "x/short film.yml"), "short-film");
        assert_eq!(package_name("Größe: 日本", "…"), "Größe-日本");
        assert_eq!(package_name("…", "…"), "workflow");
    }
}
