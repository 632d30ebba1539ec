//! Turns a workflow of VWF, a YAML file of steps, into a package of vwfb.
//!
//! Texts go in and texts come out: it reads no file, writes none, and knows of the engine nothing at
//! all. [`import`] is the way in.

mod text;
mod workflow;
mod yaml;

mod fields;
mod kinds;
mod read;

mod command;
mod flow;
mod ground;
mod order;

mod names;
mod note;
mod target;
mod translate;

mod clash;
mod fold;
mod print;

use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::label::WsPath;
use vwfb_rules::syntax::quoted;

pub use ground::{Ground, package_name};
pub use note::{Missing, Note};

/// Who does what models do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engines {
    /// What is built in, which runs anywhere.
    Embedded,
    /// The services that the workflow names.
    Services,
}

/// What a workflow became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The files of the package: their paths in it, and their texts.
    pub files: Vec<(String, String)>,
    /// Folders of the package whose files are items, whatever else there is in them.
    pub folders: Vec<String>,
    /// The programs that the workspace must allow.
    pub tools: Vec<String>,
    /// The target to look at first, if there is any.
    pub main: Option<String>,
    /// How many steps there were.
    pub steps: usize,
    /// What to know of it.
    pub notes: Vec<Note>,
    /// Files that are not there yet.
    pub missing: Vec<Missing>,
}

impl Imported {
    /// The text of a `WORKSPACE.kdl` of that name in which the package can be built.
    #[must_use]
    pub fn workspace(&self, name: &str) -> String {
        let tools: Vec<String> = self.tools.iter().map(|tool| quoted(tool)).collect();
        let text = match tools.as_slice() {
            [] => format!("workspace {}\n", quoted(name)),
            tools => format!(
                "workspace {} {{\ntools {{\nallow {}\n}}\n}}\n",
                quoted(name),
                tools.join(" ")
            ),
        };
        vwfb_rules::format::format(&text).unwrap_or(text)
    }
}

/// What the workflow `name` is called where there is nothing else to call it by; nothing if it
/// cannot be read.
#[must_use]
pub fn workflow_name(file: &WsPath, source: &str) -> Option<String> {
    read::workflow(file, source).ok().map(|workflow| workflow.name)
}

/// The package on `ground` that the workflow `source` becomes; `file` is what it is called.
///
/// # Errors
/// All that is wrong with the workflow, in the order of its text.
pub fn import(
    file: &WsPath,
    source: &str,
    ground: &Ground<'_>,
    engines: Engines,
) -> Result<Imported, Vec<Diagnostic>> {
    let workflow = read::workflow(file, source)?;
    let flow = flow::flow(&workflow, ground, file)?;
    let mut parts = translate::parts(&workflow, ground, &flow, engines, file)?;
    let folds = fold::folds(&mut parts, &workflow);
    clash::part(&mut parts, &folds);
    let package = ground.package.as_str();
    let build = print::build(&workflow, &parts, &folds, package, file.name());
    let mut files = vec![("BUILD.kdl".to_owned(), build)];
    for fold in &folds {
        files.extend(fold.json.iter().map(|json| (fold.over.clone(), json.clone())));
    }
    let texts = parts.files.iter().filter(|file| !file.path.is_empty());
    files.extend(texts.map(|file| (file.path.clone(), file.text.clone())));
    if parts.has_answers {
        let answers = serde_json::Value::from_iter(parts.answers.clone());
        files.push((translate::ANSWERS.to_owned(), format!("{answers:#}\n")));
    }
    let mut missing: Vec<Missing> = std::mem::take(&mut parts.missing).into_values().collect();
    missing.sort_by_key(|missing| missing.lines.clone());
    let of_files = folds.iter().filter(|fold| fold.json.is_none());
    Ok(Imported {
        files,
        folders: of_files.map(|fold| fold.over.clone()).collect(),
        tools: parts.tools.iter().cloned().collect(),
        main: print::main(&parts, &folds),
        steps: workflow.steps.len(),
        notes: parts.notes.finished(),
        missing,
    })
}
