//! Target patterns that mean nothing, and what they may have been meant for.

use std::collections::BTreeSet;

use vwfb_rules::diagnostic::{Anchor, Diagnostic};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::pattern::Pattern;
use vwfb_rules::scope::SourceKind;
use vwfb_rules::{codes, nearest};

use crate::db::Db;
use crate::names::named;
use crate::package::{package_file, target_names};

/// What is wrong with `pattern`, if it means no target that there is.
pub(crate) fn unknown(db: &dyn Db, pattern: &Pattern) -> Option<Diagnostic> {
    match pattern {
        Pattern::Below(folder) => no_package_below(db, folder, pattern),
        Pattern::Package(package) => match target_names(db, package_file(db, package)) {
            Some(_) => None,
            None => Some(unknown_package(db, package, package.name())),
        },
        Pattern::Target(label) => unknown_target(db, label),
    }
}

fn unknown_target(db: &dyn Db, label: &Label) -> Option<Diagnostic> {
    let file = package_file(db, &label.package);
    let Some(names) = target_names(db, file) else {
        return Some(unknown_package(db, &label.package, &label.target()));
    };
    let name = label.target();
    if named(db, db.target(label)).is_some() {
        return None;
    }
    let near = nearest(&name, names.iter().map(String::as_str));
    let hint = near.map(|near| format!("did you mean `//{}:{near}`?", label.package));
    let message = format!("there is no target `{label}`");
    let problem = Diagnostic::error(codes::UNKNOWN_LABEL, message);
    Some(problem.at(&Anchor::file(file.path(db).clone())).maybe_hint(hint))
}

fn no_package_below(db: &dyn Db, folder: &WsPath, pattern: &Pattern) -> Option<Diagnostic> {
    if !db.system().packages(folder).is_empty() {
        return None;
    }
    let packages = db.system().packages(&WsPath::root());
    let folders: BTreeSet<WsPath> = packages.iter().cloned().flat_map(with_parents).collect();
    let near = nearest(folder.as_str(), folders.iter().map(WsPath::as_str));
    let hint = near.map(|near| format!("did you mean `//{near}/...`?"));
    Some(no_package(format!("`{pattern}` means no package"), hint))
}

/// A folder and those it is in, but for the root, whose name is near to every short one.
fn with_parents(folder: WsPath) -> impl Iterator<Item = WsPath> {
    std::iter::successors(Some(folder), WsPath::parent).filter(|folder| !folder.is_root())
}

/// The problem of `package`, which is none, where a target `name` may have been meant.
fn unknown_package(db: &dyn Db, package: &WsPath, name: &str) -> Diagnostic {
    if db.path_kind(package) == SourceKind::File {
        let query = format!("`vwfb query 'rdeps(//..., //{package})'`");
        let hint = format!("{query} lists the targets that use it");
        return no_package(format!("`{package}` is a file, and not a package"), Some(hint));
    }
    let message = format!("`//{package}` is not a package");
    if package.as_str().contains('*') {
        let hint =
            "a pattern has no `*`: `//...` means every target, `//film:all` those of a package";
        return no_package(message, Some(hint.to_owned()));
    }
    let packages = db.system().packages(&WsPath::root());
    let named = packages.iter().map(WsPath::as_str).filter(|name| !name.is_empty());
    let near = nearest(package.as_str(), named).map(|near| format!("did you mean `//{near}`?"));
    let hint = target_of_that_name(db, package).or_else(|| elsewhere(db, name)).or(near);
    no_package(message, hint)
}

/// The hint for a target's name that stands without its package, or in a wrong one.
fn elsewhere(db: &dyn Db, name: &str) -> Option<String> {
    let packages = db.system().packages(&WsPath::root());
    let has = |package: &&WsPath| {
        let names = target_names(db, package_file(db, package)).unwrap_or_default();
        names.iter().any(|known| known == name)
    };
    let package = packages.iter().find(has)?;
    Some(format!("did you mean `{}`?", Label::new(package.clone(), name)))
}

/// The hint for `shorts/final` or, within the folder `shorts`, for `final`, which is a target's
/// name without its colon.
fn target_of_that_name(db: &dyn Db, path: &WsPath) -> Option<String> {
    let folder = path.parent()?;
    let label = Label::new(folder.clone(), path.name());
    let is_target = target_names(db, package_file(db, &folder))?.contains(&label.target());
    is_target.then(|| format!("did you mean `{label}`?"))
}

fn no_package(message: String, hint: Option<String>) -> Diagnostic {
    Diagnostic::error(codes::UNKNOWN_PACKAGE, message)
        .hint("a package is a folder with a `BUILD.kdl`")
        .maybe_hint(hint)
}
