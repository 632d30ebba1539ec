//! Finding the files that a target's attributes name.

use std::collections::BTreeMap;

use crate::codes::{
    BAD_GLOB, BAD_PLACEHOLDER, EMPTY_GLOB, EMPTY_LIST, EMPTY_REFERENCE, MISSING_FILE, NOT_A_TREE,
    OUTPUT_AS_SOURCE, TOO_MANY_FILES, UNKNOWN_LABEL, UNKNOWN_OUTPUT, UNKNOWN_PACKAGE, WRONG_KIND,
    WRONG_MEDIA,
};
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Diagnostic, Spot};
use crate::label::{Label, Reference, WsPath, is_name};
use crate::media::Media;
use crate::placeholder::{self, For, Placeholder};
use crate::read::{Problems, list};
use crate::rule::{AttrDef, AttrType, Shape};
use crate::scope::{Scope, SourceKind};
use crate::suggest::{did_you_mean, nearest};
use crate::task::{InputRef, Provided};
use crate::typed::check_extension;
use crate::value::{AttrValue, FileName, FileUse};

/// An artifact that an attribute stands for.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) from: InputRef,
    /// Its path in the workspace or below `vwfb-out/`.
    pub(super) path: WsPath,
    pub(super) media: Option<Media>,
    pub(super) tree: bool,
    /// The output's name; `files` for a source.
    pub(super) output: String,
    /// Its key in a map attribute.
    pub(super) key: Option<String>,
    /// Where it is named.
    pub(super) anchor: Anchor,
    /// Whether it is an item of a fan-out.
    pub(super) item: bool,
}

/// Finds files and notes what is wrong with how they are named.
pub(super) struct Files<'a> {
    declared: &'a Declared,
    scope: &'a dyn Scope,
    pub(super) problems: Problems,
    /// Whether a target that is needed has errors of its own.
    pub(super) blocked: bool,
    /// Where elements of lists are left out that are missing.
    skipped: Vec<Anchor>,
}

impl<'a> Files<'a> {
    pub(super) fn new(declared: &'a Declared, scope: &'a dyn Scope) -> Self {
        Self { declared, scope, problems: Problems::default(), blocked: false, skipped: Vec::new() }
    }

    /// The files of every file attribute that is set.
    pub(super) fn all(&mut self) -> BTreeMap<String, Vec<Found>> {
        let mut all = BTreeMap::new();
        for attr in self.declared.rule.attrs.iter().filter(|attr| attr.ty.is_file()) {
            let Some(value) = self.declared.attrs.get(&attr.name) else { continue };
            all.insert(attr.name.clone(), self.of_value(attr, value));
        }
        all
    }

    /// Notes labels that name no target, in `label` attributes and `after`.
    pub(super) fn check_labels(&mut self) {
        for attr in self.declared.rule.attrs.iter().filter(|attr| attr.ty == AttrType::Label) {
            if let Some(value) = self.declared.attrs.get(&attr.name) {
                self.labels_of(value);
            }
        }
        for (label, anchor) in &self.declared.after {
            self.exists(label, anchor);
        }
    }

    fn labels_of(&mut self, value: &AttrValue) {
        match value {
            AttrValue::Label(label, anchor) => drop(self.exists(label, anchor)),
            AttrValue::List(values) => values.iter().for_each(|value| self.labels_of(value)),
            AttrValue::Map(values) => values.values().for_each(|value| self.labels_of(value)),
            _ => {}
        }
    }

    fn of_value(&mut self, attr: &AttrDef, value: &AttrValue) -> Vec<Found> {
        match value {
            AttrValue::File(file) => self.of_use(attr, file),
            AttrValue::List(values) => {
                let before = self.skipped.len();
                let found: Vec<Found> =
                    values.iter().flat_map(|value| self.of_value(attr, value)).collect();
                // What is not known yet may be more; what only passes files on makes nothing of nothing.
                if found.is_empty() && !self.blocked && self.declared.runs() {
                    self.problems.0.extend(self.skipped.get(before).map(|it| emptied(attr, it)));
                }
                found
            }
            AttrValue::Map(values) => {
                let mut all = Vec::new();
                for (key, value) in values {
                    let found = self.of_value(attr, value);
                    all.extend(found.into_iter().map(|f| Found { key: Some(key.clone()), ..f }));
                }
                all
            }
            _ => Vec::new(),
        }
    }

    fn of_use(&mut self, attr: &AttrDef, file: &FileUse) -> Vec<Found> {
        let before = self.problems.count();
        let mut found: Vec<Found> = match &file.what {
            FileName::Path(path) if self.is_placeholder(path) => {
                self.problems.push(misplaced(path, &file.anchor));
                Vec::new()
            }
            FileName::Path(path) => match placeholder::stands_in(attr, file, path, self.scope) {
                Some(placeholder) if self.scope.source(path) == SourceKind::Absent => {
                    self.stand_in(attr, path, &placeholder, &file.anchor).into_iter().collect()
                }
                _ => self.source(path, &file.anchor).into_iter().collect(),
            },
            FileName::Reference(reference) => self.referenced(attr, reference, &file.anchor),
            FileName::Glob { package, pattern, allow_empty } => {
                self.globbed((package, pattern), *allow_empty, &file.anchor)
            }
        };
        found.iter_mut().for_each(|found| found.item = file.item);
        if self.problems.count() == before && !self.blocked {
            for one in &found {
                self.check_kind(attr, one, &file.anchor);
            }
            // An alias stands for whatever its target offers.
            if attr.shape != Shape::List && self.declared.runs() {
                self.check_single(attr, &found, file);
                found.truncate(1);
            }
        }
        found
    }

    /// Whether there is no file at `path`, and its name is written as a placeholder is.
    fn is_placeholder(&self, path: &WsPath) -> bool {
        let kinds = ["color:", "image:", "text:", "silence:"];
        let is_one = kinds.iter().any(|kind| path.name().starts_with(kind));
        is_one && self.scope.source(path) == SourceKind::Absent
    }

    /// What `placeholder` is for the missing file at `path`.
    fn stand_in(
        &mut self,
        attr: &AttrDef,
        path: &WsPath,
        placeholder: &Placeholder,
        anchor: &Anchor,
    ) -> Option<Found> {
        if *placeholder == Placeholder::Skip {
            self.skipped.push(anchor.clone());
            return None;
        }
        let what = For::Source { attr: attr.name.clone(), path: path.clone() };
        let label = what.label(&self.declared.label);
        let media = placeholder::media_of(attr, path);
        let output = placeholder::output(media.as_ref()).to_owned();
        let from = InputRef::Output { label, output, subpath: None };
        let (path, anchor, output) = (path.clone(), anchor.clone(), "files".into());
        Some(Found { from, path, media, tree: false, output, key: None, anchor, item: false })
    }

    fn source(&mut self, path: &WsPath, anchor: &Anchor) -> Option<Found> {
        let first = path.as_str().split('/').next().unwrap_or_default();
        if matches!(first, ".vwfb" | "vwfb-out") {
            let message = format!("`{path}` is in a folder of vwfb's own");
            let problem = Diagnostic::error(OUTPUT_AS_SOURCE, message).at(anchor);
            self.problems.push(problem.hint("name the target that makes it: `//package:name`"));
            return None;
        }
        if path.is_root() {
            let message = "the whole workspace has vwfb's own folders in it";
            let problem = Diagnostic::error(OUTPUT_AS_SOURCE, message).at(anchor);
            self.problems.push(problem.hint("name the files and folders that are needed"));
            return None;
        }
        let tree = match self.scope.source(path) {
            SourceKind::File => false,
            SourceKind::Directory => true,
            SourceKind::Absent => {
                let problem = self.missing(path, anchor);
                self.problems.push(problem);
                return None;
            }
        };
        Some(Found {
            from: InputRef::Source(path.clone()),
            path: path.clone(),
            media: Media::of_path(path).filter(|_| !tree),
            tree,
            output: "files".into(),
            key: None,
            anchor: anchor.clone(),
            item: false,
        })
    }

    fn missing(&self, path: &WsPath, anchor: &Anchor) -> Diagnostic {
        let package = &self.declared.label.package;
        let message = format!("no file `{path}`");
        let problem = Diagnostic::error(MISSING_FILE, message).at(anchor);
        let relative = path.below(package).filter(|name| is_name(name));
        if let Some(name) = relative
            && self.scope.has_target(&Label::new(package.clone(), name)) == Some(true)
        {
            return problem.hint(format!("did you mean the target `:{name}`?"));
        }
        problem
            .hint("create it, or name the target that makes it: `:name`")
            .maybe_hint(self.nearest_path(path))
    }

    /// The existing path nearest to `path`: another name in the same folder, or for a folder that
    /// does not exist either, the nearest to that.
    fn nearest_path(&self, path: &WsPath) -> Option<String> {
        let mut missing = path.clone();
        let mut folder = path.parent()?;
        while self.scope.source(&folder) == SourceKind::Absent && !folder.is_root() {
            missing = folder.clone();
            folder = folder.parent()?;
        }
        let entries = self.scope.entries(&folder);
        let names = entries.iter().map(|name| name.strip_suffix('/').unwrap_or(name));
        let near = nearest(missing.name(), names);
        let shown = |path: &WsPath| {
            let own = path.below(&self.declared.label.package).filter(|below| !below.is_empty());
            own.map_or_else(|| format!("//{path}"), str::to_owned)
        };
        match near {
            Some(name) => {
                let near = folder.join(name).ok()?;
                let whole = path.below(&missing).and_then(|rest| near.join(rest).ok());
                let there = whole.filter(|path| self.scope.source(path) != SourceKind::Absent);
                Some(format!("did you mean `{}`?", shown(&there.unwrap_or(near))))
            }
            None if missing != *path => Some(format!("there is no folder `{}`", shown(&missing))),
            None => None,
        }
    }

    fn globbed(
        &mut self,
        (package, pattern): (&WsPath, &str),
        allow_empty: bool,
        anchor: &Anchor,
    ) -> Vec<Found> {
        let paths = self.scope.glob(package, pattern);
        for left_out in self.scope.left_out(package, pattern).iter() {
            let message = format!("`{pattern}` would leave out {left_out}");
            let problem = Diagnostic::error(BAD_GLOB, message).at(anchor);
            self.problems.push(
                problem.hint("rename the file, make the folder readable, or narrow the pattern"),
            );
        }
        if paths.is_empty() && !allow_empty {
            let message = format!("`{pattern}` matches no file");
            let problem = Diagnostic::error(EMPTY_GLOB, message).at(anchor);
            self.problems.push(problem.hint("add `allow-empty=#true` if that is right"));
        }
        let found = |path: &WsPath| Found {
            from: InputRef::Source(path.clone()),
            path: path.clone(),
            media: Media::of_path(path),
            tree: false,
            output: "files".into(),
            key: None,
            anchor: anchor.clone(),
            item: false,
        };
        paths.iter().map(found).collect()
    }

    fn referenced(&mut self, attr: &AttrDef, reference: &Reference, anchor: &Anchor) -> Vec<Found> {
        if !self.exists(&reference.label, anchor) {
            return Vec::new();
        }
        let Some(provided) = self.scope.provides(&reference.label) else {
            self.blocked = true;
            return Vec::new();
        };
        let chosen: Vec<&Provided> = match &reference.output {
            None => provided.iter().filter(|one| one.default).collect(),
            Some(name) => provided
                .iter()
                .filter(|one| one.output == *name || one.groups.contains(name))
                .collect(),
        };
        if let (true, Some(name)) = (chosen.is_empty(), &reference.output)
            && !provided.is_empty()
        {
            let problem = unknown_output(name, reference, &provided, anchor);
            self.problems.push(problem);
            return Vec::new();
        }
        let mut found = Vec::new();
        for one in chosen {
            match &reference.subpath {
                None => found.push(of_provided(one, anchor)),
                Some(subpath) => found.extend(self.inside(attr, one, subpath, reference, anchor)),
            }
        }
        found
    }

    /// What is at `subpath` in the tree `provided`.
    fn inside(
        &mut self,
        attr: &AttrDef,
        provided: &Provided,
        subpath: &WsPath,
        reference: &Reference,
        anchor: &Anchor,
    ) -> Option<Found> {
        if !provided.tree {
            let message = format!("`{}` of `{}` is a file", provided.output, reference.label);
            let problem = Diagnostic::error(NOT_A_TREE, message).at(anchor);
            let hint = format!("leave out `/{subpath}`: only a directory has paths inside");
            self.problems.push(problem.hint(hint));
            return None;
        }
        let path = provided.path.join(subpath.as_str()).ok()?;
        let from = match &provided.from {
            InputRef::Source(folder) => {
                return self.source(&folder.join(subpath.as_str()).ok()?, anchor);
            }
            InputRef::Output { label, output, subpath: outer } => {
                let inner = outer.clone().unwrap_or_default().join(subpath.as_str()).ok()?;
                InputRef::Output {
                    label: label.clone(),
                    output: output.clone(),
                    subpath: Some(inner),
                }
            }
        };
        let tree = attr.ty == AttrType::Tree;
        let media = Media::of_path(&path).filter(|_| !tree);
        let found = of_provided(provided, anchor);
        Some(Found { from, path, media, tree, ..found })
    }

    /// Whether there is a target `label`; notes it if not.
    fn exists(&mut self, label: &Label, anchor: &Anchor) -> bool {
        let target = label.target();
        let Some(found) = self.scope.has_target(label) else {
            let message = format!("no package `//{}`", label.package);
            let hint = self.nearest_package(&label.package);
            let problem = Diagnostic::error(UNKNOWN_PACKAGE, message).at(anchor);
            self.problems.push(problem.hint(hint));
            return false;
        };
        if found {
            return true;
        }
        if self.scope.is_broken(&label.package) {
            self.blocked = true;
            return false;
        }
        let package = &self.declared.label.package;
        let message = format!("no target `{}`", label.relative_to(package));
        let names = self.scope.targets(&label.package).unwrap_or_default();
        let near = nearest(&target, names.iter().map(String::as_str));
        let hint = near.map(|name| {
            let near = Label::new(label.package.clone(), name);
            format!("did you mean `{}`?", near.relative_to(package))
        });
        self.problems.push(Diagnostic::error(UNKNOWN_LABEL, message).at(anchor).maybe_hint(hint));
        false
    }

    fn nearest_package(&self, package: &WsPath) -> String {
        let parent = package.parent().unwrap_or_default();
        let entries = self.scope.entries(&parent);
        let folders = entries.iter().filter_map(|name| name.strip_suffix('/'));
        let near = nearest(package.name(), folders).and_then(|name| parent.join(name).ok());
        match near.filter(|near| self.scope.targets(near).is_some()) {
            Some(near) => format!("did you mean `//{near}`?"),
            None => "a package is a folder with a BUILD.kdl".into(),
        }
    }

    fn check_kind(&mut self, attr: &AttrDef, found: &Found, anchor: &Anchor) {
        let message = match (attr.ty, found.tree) {
            (AttrType::File, true) => "is a directory, and a file is needed",
            (AttrType::Tree, false) => "is a file, and a directory is needed",
            _ => {
                let named = check_extension(&found.path, attr, anchor);
                self.problems.take(named.map_err(|problem| noted(problem, attr, "declared here")));
                return self.check_media(attr, found, anchor);
            }
        };
        let message = format!("`{}` {message}", found.path);
        let problem =
            noted(Diagnostic::error(WRONG_KIND, message).at(anchor), attr, "declared here");
        self.problems.push(problem);
    }

    fn check_media(&mut self, attr: &AttrDef, found: &Found, anchor: &Anchor) {
        if let (Some(wanted), Some(offered)) = (&attr.media, &found.media)
            && !wanted.takes(offered)
        {
            let message =
                format!("`{}` takes {wanted}, and `{}` is {offered}", attr.name, found.path);
            let note = format!("takes {wanted}");
            let problem = noted(Diagnostic::error(WRONG_MEDIA, message).at(anchor), attr, &note);
            self.problems.push(problem);
        }
    }

    fn check_single(&mut self, attr: &AttrDef, found: &[Found], file: &FileUse) {
        if found.len() == 1 {
            return;
        }
        let what = match &file.what {
            FileName::Path(path) => path.to_string(),
            FileName::Reference(reference) => {
                reference.to_string().replacen(&format!("//{}", self.declared.label.package), "", 1)
            }
            FileName::Glob { pattern, .. } => pattern.clone(),
        };
        let problem = if found.is_empty() {
            let message = format!("`{what}` stands for no file, and `{}` needs one", attr.name);
            Diagnostic::error(EMPTY_REFERENCE, message)
        } else {
            let count = found.len();
            let message =
                format!("`{what}` stands for {count} files, and `{}` takes one", attr.name);
            let first = &found[0].output;
            let told_apart = found[1..].iter().all(|found| found.output != *first);
            let hint = match &file.what {
                FileName::Reference(reference) if told_apart && reference.output.is_none() => {
                    format!("name one output: `{what}#{first}`")
                }
                _ => "name one file".into(),
            };
            Diagnostic::error(TOO_MANY_FILES, message).hint(hint)
        };
        self.problems.push(noted(problem.at(&file.anchor), attr, "declared here"));
    }
}

/// The problem of a list whose elements are all missing and left out, one of them at `anchor`.
fn emptied(attr: &AttrDef, anchor: &Anchor) -> Diagnostic {
    let message = format!("every element of `{}` is missing and left out", attr.name);
    let problem = Diagnostic::error(EMPTY_LIST, message).at(anchor);
    problem.hint("put one of the files in place, or let something stand in for it")
}

/// The problem of a placeholder in the place of the file that it would stand for.
fn misplaced(path: &WsPath, anchor: &Anchor) -> Diagnostic {
    let name = path.name();
    let message = format!("`{name}` is a placeholder, and this is the place of a file");
    let hint = match name.starts_with("color:") {
        true => {
            "name the file, and give it `placeholder=` beside it; for a plain colour instead of a \
             picture, leave the picture out and set the rule's own colour, as `background-color`"
        }
        false => "name the file, and give it `placeholder=` beside it",
    };
    Diagnostic::error(BAD_PLACEHOLDER, message).at(anchor).hint(hint)
}

fn of_provided(provided: &Provided, anchor: &Anchor) -> Found {
    Found {
        from: provided.from.clone(),
        path: provided.path.clone(),
        media: provided.media.as_deref().and_then(Media::new),
        tree: provided.tree,
        output: provided.output.clone(),
        key: None,
        anchor: anchor.clone(),
        item: false,
    }
}

fn unknown_output(
    name: &str,
    reference: &Reference,
    provided: &[Provided],
    anchor: &Anchor,
) -> Diagnostic {
    let mut names: Vec<&str> = Vec::new();
    for known in provided.iter().flat_map(|one| [&one.output].into_iter().chain(&one.groups)) {
        if !names.contains(&known.as_str()) {
            names.push(known);
        }
    }
    let hint = did_you_mean(name, names.iter().copied())
        .unwrap_or_else(|| format!("its outputs are {}", list(&names)));
    let message = format!("`{}` has no output `{name}`", reference.label);
    Diagnostic::error(UNKNOWN_OUTPUT, message).at(anchor).hint(hint)
}

fn noted(problem: Diagnostic, attr: &AttrDef, note: &str) -> Diagnostic {
    match attr.anchor.spot {
        Spot::Node { .. } => problem.noted(&attr.anchor, note),
        _ => problem,
    }
}
