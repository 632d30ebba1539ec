//! A package in memory: the files of a template with their fields filled in.

use std::path::PathBuf;

use vwfb_engine::workspace::{BUILD_FILE, WORKSPACE_FILE};
use vwfb_rules::diagnostic::Checked;
use vwfb_rules::format::format;
use vwfb_rules::label::WsPath;
use vwfb_rules::package_template::fields::{Fields, filled};
use vwfb_rules::package_template::{FILLED, PackageTemplate};
use vwfb_rules::syntax::quoted;

use crate::error::CommandError;
use crate::new::place::Place;
use crate::new::shelf::{Template, TemplateFile};
use crate::new::values::Values;
use crate::session::Context;
use crate::sources::Sources;

/// The target that a package is made for, if it has one of this name.
const MAIN: &str = "final";

/// A package that is nowhere yet.
pub(crate) struct Draft {
    /// Its files, sorted by path.
    pub(crate) files: Vec<DraftFile>,
    /// The text of `WORKSPACE.kdl`, for a folder that has none.
    pub(crate) workspace: String,
    has_main: bool,
}

/// A file of a package that is to be.
pub(crate) struct DraftFile {
    /// Its path in the package.
    pub(crate) path: WsPath,
    /// What is in it.
    pub(crate) content: Content,
    /// Whether it may be started.
    pub(crate) executable: bool,
}

/// What is in a file.
pub(crate) enum Content {
    /// These bytes.
    Bytes(Vec<u8>),
    /// What is in another file.
    Copy(PathBuf),
}

impl Draft {
    /// The package at a place that `values` make of a template; none, with what is wrong shown, if
    /// the template is at fault.
    pub(crate) fn of(
        ctx: &Context,
        template: &Template,
        definition: &PackageTemplate,
        values: &Values,
        (place, package): (&Place, &WsPath),
    ) -> Result<Option<Self>, CommandError> {
        let fields = Fields::new(definition, &values.given, package, &place.name());
        let workspace = format!("workspace {}\n", quoted(&place.name()));
        let mut draft = Self { files: Vec::new(), workspace, has_main: false };
        let mut good = true;
        let files = template.files()?;
        let packages = packages(&files);
        for file in files {
            let fields = fields.of_package(&package_of(&file.path, &packages));
            good &= draft.add(ctx, template, file, &fields);
        }
        let is_build = |file: &&DraftFile| file.path.as_str() == BUILD_FILE;
        let Some(build) = draft.files.iter().find(is_build) else {
            let folder = template.shown(".").to_string();
            return Err(CommandError::NoBuildFile { name: template.name.clone(), folder });
        };
        if let Content::Bytes(bytes) = &build.content {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let file = package.join(BUILD_FILE).unwrap_or_default();
            let checked = vwfb_rules::package(&file, &text);
            draft.has_main = checked.value.block.get(MAIN).is_some();
            good &= shown(ctx, &checked, &file, &text);
        }
        // What is given is there instead of what the template has.
        draft.files.retain(|file| values.copies.iter().all(|(path, _)| *path != file.path));
        draft.files.extend(values.copies.iter().map(|(path, from)| DraftFile {
            path: path.clone(),
            content: Content::Copy(from.clone()),
            executable: false,
        }));
        draft.files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(good.then_some(draft))
    }

    /// The name of what is looked at first.
    pub(crate) const fn main_target(&self) -> &'static str {
        if self.has_main { MAIN } else { "all" }
    }

    /// Adds what `file` of the template becomes; whether nothing is wrong with it.
    fn add(
        &mut self,
        ctx: &Context,
        template: &Template,
        file: TemplateFile,
        fields: &Fields,
    ) -> bool {
        let TemplateFile { path, bytes, executable } = file;
        let mut add = |path: WsPath, bytes: Vec<u8>| match path.as_str() {
            WORKSPACE_FILE => self.workspace = String::from_utf8_lossy(&bytes).into_owned(),
            _ => self.files.push(DraftFile { path, content: Content::Bytes(bytes), executable }),
        };
        let Some(path) = path.as_str().strip_suffix(FILLED).and_then(|it| WsPath::new(it).ok())
        else {
            add(path, bytes.into_owned());
            return true;
        };
        let text = String::from_utf8_lossy(&bytes);
        let of = template.shown(&format!("{path}{FILLED}"));
        let checked = filled(&of, &text, fields);
        let good = shown(ctx, &checked, &of, &text);
        // A file of which nothing is left is none.
        if !checked.value.trim().is_empty() {
            let is_rules = path.extension() == Some("kdl");
            let formatted = if is_rules { format(&checked.value).ok() } else { None };
            add(path, formatted.unwrap_or(checked.value).into_bytes());
        }
        good
    }
}

/// The folders of a template that become packages.
fn packages(files: &[TemplateFile]) -> Vec<WsPath> {
    let is_build = |file: &&TemplateFile| {
        file.path.name().strip_suffix(FILLED).unwrap_or(file.path.name()) == BUILD_FILE
    };
    files.iter().filter(is_build).filter_map(|file| file.path.parent()).collect()
}

/// The innermost of `packages` that has the file `path`.
fn package_of(path: &WsPath, packages: &[WsPath]) -> WsPath {
    let around = packages.iter().filter(|package| path.is_within(package));
    around.max_by_key(|package| package.as_str().len()).cloned().unwrap_or_default()
}

/// Shows what is wrong with `text`; whether there is nothing.
fn shown<T>(ctx: &Context, checked: &Checked<T>, file: &WsPath, text: &str) -> bool {
    ctx.ui.diagnostics(&checked.problems, &Sources::of_one(file.clone(), text));
    !checked.has_errors()
}
