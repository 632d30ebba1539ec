//! The values of a template's params: given on the command line, or asked for on a terminal.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use vwfb_rules::codes::BAD_OVERRIDE;
use vwfb_rules::diagnostic::{Checked, Diagnostic};
use vwfb_rules::label::WsPath;
use vwfb_rules::package_template::{Given, PackageTemplate, written};
use vwfb_rules::rule::{AttrType, Shape};
use vwfb_rules::syntax::Scalar;
use vwfb_rules::vars::{VarDef, VarOverride, listed};

use crate::again::quoted;
use crate::error::CommandError;
use crate::new::list::kind;
use crate::new::shelf::Template;
use crate::session::Context;
use crate::sources::Sources;

/// Where the file of a param is put in the package; those of a list are in a folder of its name.
const ASSETS: &str = "assets";

/// What the params of a template are given.
pub(crate) struct Values {
    /// The values; of files, their paths in the package.
    pub(crate) given: Given,
    /// The files that the package gets, each by its path there.
    pub(crate) copies: Vec<(WsPath, PathBuf)>,
    /// Files that are still to come: as they were named, and where in the package they go.
    pub(crate) later: Vec<(String, WsPath)>,
}

/// Somebody who wants a package.
pub(crate) struct Asking<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) template: &'a Template,
    pub(crate) definition: &'a PackageTemplate,
    /// The workspace's folder.
    pub(crate) root: &'a Path,
    /// The package as it was named.
    pub(crate) word: &'a str,
}

impl Asking<'_> {
    /// What `sets` and, on a terminal, the answers to questions come to.
    ///
    /// # Errors
    /// If a value does not fit or one is missing; everything that does not fit is shown.
    pub(crate) fn values(&self, sets: &[VarOverride]) -> Result<Values, CommandError> {
        let Checked { value: mut given, problems } = self.fitting(sets);
        let missing: Vec<&VarDef> = self
            .definition
            .params
            .iter()
            .filter(|param| param.schema.required() && !given.contains_key(&param.name))
            .filter(|param| sets.iter().all(|set| set.name != param.name))
            .collect();
        if !problems.is_empty() {
            self.ctx.ui.diagnostics(&problems, &Sources::new(self.root.to_owned()));
        }
        let can_ask = io::stdin().is_terminal() && io::stderr().is_terminal();
        if problems.is_empty() && can_ask {
            for param in &missing {
                match self.asked(param)? {
                    Some(values) => given.insert(param.name.clone(), values),
                    None => return Err(self.unmet(&missing, &given)),
                };
            }
        } else if !(problems.is_empty() && missing.is_empty()) {
            return Err(self.unmet(&missing, &given));
        }
        loop {
            let values = self.settled(given.clone());
            // A default may be made of something that comes to nothing.
            let blank = self.definition.blank(&values.given);
            let Some(param) = blank.first() else { return Ok(values) };
            match if can_ask { self.asked(param)? } else { None } {
                Some(values) => given.insert(param.name.clone(), values),
                None => return Err(self.unmet(&blank, &given)),
            };
        }
    }

    /// What `sets` give, if it fits and the files are there.
    fn fitting(&self, sets: &[VarOverride]) -> Checked<Given> {
        let mut checked = self.definition.given(sets);
        for param in self.definition.params.iter().filter(|param| param.schema.ty.is_file()) {
            let Some(values) = checked.value.get(&param.name) else { continue };
            let before = checked.problems.len();
            checked.problems.extend(values.iter().filter_map(|value| self.absent(param, value)));
            checked.problems.extend(values.iter().filter_map(|value| self.divided(param, value)));
            let names: Vec<_> =
                values.iter().filter_map(text).map(|it| Path::new(it).file_name()).collect();
            let twice = |at: &usize| names[..*at].contains(&names[*at]);
            if param.schema.ty == AttrType::File
                && let Some(at) = (0..names.len()).find(twice)
            {
                let name = names[at].unwrap_or_default().display();
                let message = format!("two files of `{}` are called `{name}`", param.name);
                checked.problems.push(Diagnostic::error(BAD_OVERRIDE, message).hint("rename one"));
            }
            if checked.problems.len() > before {
                checked.value.remove(&param.name);
            }
        }
        checked
    }

    /// The problem of a file or folder that is not there.
    fn absent(&self, param: &VarDef, value: &Scalar) -> Option<Diagnostic> {
        let named = text(value)?;
        let path = self.ctx.folder.join(named);
        if may_come_later(param) && !path.exists() {
            return None;
        }
        let (wanted, is_there) = match param.schema.ty {
            AttrType::File => ("file", path.is_file()),
            AttrType::Tree => ("folder", path.is_dir()),
            _ => ("file or folder", path.exists()),
        };
        let message = format!("`{}` does not fit: there is no {wanted} `{named}`", param.name);
        let hint = "paths are from the current folder";
        (!is_there).then(|| Diagnostic::error(BAD_OVERRIDE, message).hint(hint))
    }

    /// The problem of a file that is not divided as the template has it.
    fn divided(&self, param: &VarDef, value: &Scalar) -> Option<Diagnostic> {
        let named = text(value)?;
        let headings = self.definition.headings.iter().find(|it| it.param == param.name)?;
        let bytes = fs::read(self.ctx.folder.join(named)).ok()?;
        let problem = headings.problem(&String::from_utf8_lossy(&bytes))?;
        let message = format!("`{}` does not fit: `{named}`: {problem}", param.name);
        let allowed: Vec<String> =
            headings.allowed.iter().map(|heading| format!("`## {heading}`")).collect();
        let hint = format!("its parts begin with {}", allowed.join(", "));
        Some(Diagnostic::error(BAD_OVERRIDE, message).hint(hint))
    }

    /// `given`, with files as the package names them, and with the names of folders.
    fn settled(&self, mut given: Given) -> Values {
        let mut copies: Vec<(WsPath, PathBuf)> = Vec::new();
        let (mut names, mut later) = (Given::new(), Vec::new());
        for param in self.definition.params.iter().filter(|param| param.schema.ty.is_file()) {
            for value in given.get_mut(&param.name).into_iter().flatten() {
                let Scalar::Text(named) = value else { continue };
                let from = self.ctx.folder.join(&*named);
                *named = match param.schema.ty {
                    AttrType::File => {
                        let is_list = param.schema.shape == Shape::List;
                        let folder = if is_list { param.name.as_str() } else { ASSETS };
                        let to = free(folder, &from, &copies);
                        if !from.exists() {
                            later.push((named.clone(), to.clone()));
                        } else if copies.iter().all(|(taken, _)| *taken != to) {
                            copies.push((to.clone(), from));
                        }
                        to.to_string()
                    }
                    _ => {
                        let real = real(&from);
                        let name = real.file_name().unwrap_or_default().to_string_lossy();
                        let name = Scalar::Text(name.into_owned());
                        names.entry(format!("{}.name", param.name)).or_default().push(name);
                        self.seen(&from)
                    }
                };
            }
        }
        given.extend(names);
        Values { given, copies, later }
    }

    /// How a folder is named that stays where it is: from the root if it is in the workspace.
    fn seen(&self, path: &Path) -> String {
        let path = real(path);
        match path.strip_prefix(self.root) {
            Ok(below) => format!("//{}", below.display()),
            Err(_) => path.display().to_string(),
        }
    }

    /// What somebody at the terminal says of `param`; none where nothing more comes.
    fn asked(&self, param: &VarDef) -> Result<Option<Vec<Scalar>>, CommandError> {
        let ui = &self.ctx.ui;
        let doc = param.schema.doc.as_deref().unwrap_or_default();
        ui.say(format_args!("{} ({}): {doc}", param.name, kind(param)));
        if param.schema.shape == Shape::List {
            ui.say("several in a line have commas between them; one with a comma of its own stands in quotes");
        }
        loop {
            let Some(answer) = self.answer(param)? else { return Ok(None) };
            let Ok(set) = VarOverride::parse(&format!("{}={answer}", param.name)) else { continue };
            let Checked { mut value, problems } = self.fitting(&[set]);
            match value.remove(&param.name) {
                Some(values) => return Ok(Some(values)),
                None => ui.diagnostics(&problems, &Sources::new(self.root.to_owned())),
            }
        }
    }

    /// An answer as it would be written on a command line.
    fn answer(&self, param: &VarDef) -> Result<Option<String>, CommandError> {
        if param.schema.shape != Shape::List {
            return self.line("> ");
        }
        let mut values = Vec::new();
        let count = param.schema.count.map(|count| count as usize);
        while count.is_none_or(|count| values.len() < count) {
            let number = values.len() + 1;
            let ask = match count {
                Some(count) => format!("{number}/{count}> "),
                None => format!("{number}, or nothing more> "),
            };
            match self.line(&ask)? {
                None => return Ok(None),
                Some(line) if line.is_empty() && count.is_none() => break,
                Some(line) if line.is_empty() => {
                    let left = count.unwrap_or_default() - values.len();
                    self.ctx.ui.say(format_args!("that is no value: {left} more are needed"));
                }
                Some(line) => values.extend(listed(&line).into_iter().map(Scalar::Text)),
            }
        }
        Ok(Some(written(param, &values)))
    }

    fn line(&self, ask: &str) -> Result<Option<String>, CommandError> {
        let mut stderr = io::stderr().lock();
        // Where standard error is gone there is nobody left to ask.
        let _gone = stderr.write_all(ask.as_bytes()).and_then(|()| stderr.flush());
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let read = read.map_err(|source| CommandError::Stream { stream: "input", source })?;
        Ok((read > 0).then(|| line.trim().to_owned()))
    }

    /// The error of values that are missing or do not fit, with a command line that would do.
    fn unmet(&self, missing: &[&VarDef], given: &Given) -> CommandError {
        let mut command = format!("vwfb new {} {}", quoted(&self.template.name), quoted(self.word));
        for param in &self.definition.params {
            let value = match given.get(&param.name) {
                Some(values) => written(param, values),
                None if param.schema.required() || missing.contains(&param) => example(param),
                None => continue,
            };
            command.push_str(&format!(" --var {}", quoted(&format!("{}={value}", param.name))));
        }
        let told = missing.iter().map(|param| {
            let doc = param.schema.doc.as_deref().unwrap_or_default();
            format!("{} ({}): {doc}", param.name, kind(param))
        });
        let (template, missing) = (self.template.name.clone(), told.collect());
        CommandError::UnmetParams { template, missing, command }
    }
}

/// Whether a package is right without the file of `param`: something says where it would be, or what
/// stands in for it.
fn may_come_later(param: &VarDef) -> bool {
    let schema = &param.schema;
    schema.ty == AttrType::File && (schema.default.is_some() || schema.placeholder.is_some())
}

/// Where `path` is without links and points.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

fn text(scalar: &Scalar) -> Option<&str> {
    match scalar {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

/// Where in `folder` the file `from` is put, beside those that are put there too.
fn free(folder: &str, from: &Path, copies: &[(WsPath, PathBuf)]) -> WsPath {
    let name = from.file_name().unwrap_or_default().to_string_lossy();
    let path = |name: &str| WsPath::new(&format!("{folder}/{name}")).unwrap_or_default();
    let numbered = (2..).map(|number| path(&format!("{number}-{name}")));
    let mut names = std::iter::once(path(&name)).chain(numbered);
    let is_free =
        |path: &WsPath| copies.iter().all(|(taken, other)| taken != path || other == from);
    names.find(is_free).unwrap_or_default()
}

/// A value that `param` takes, as it is written on a command line.
fn example(param: &VarDef) -> String {
    const WORDS: [&str; 5] = ["one", "two", "three", "four", "five"];
    let one = |index: usize| match param.schema.ty {
        AttrType::Bool => "true".to_owned(),
        AttrType::Int => {
            param.schema.min.map_or_else(|| "1".to_owned(), |min| min.0.ceil().to_string())
        }
        AttrType::Float => param.schema.min.map_or(1.0, |min| min.0).to_string(),
        AttrType::Enum => param.schema.values.first().cloned().unwrap_or_default(),
        AttrType::Duration => "1s".to_owned(),
        AttrType::Size => "1MiB".to_owned(),
        AttrType::Color => "#1a1a2e".to_owned(),
        AttrType::Json => "{}".to_owned(),
        AttrType::File => {
            let extension = param.schema.extensions.first().map_or("txt", String::as_str);
            format!("FILE.{extension}")
        }
        AttrType::Tree | AttrType::Artifact => "FOLDER".to_owned(),
        _ => WORDS.get(index).map_or_else(|| format!("text {}", index + 1), |it| (*it).to_owned()),
    };
    if param.schema.shape != Shape::List {
        return one(0);
    }
    let count = param.schema.count.map_or(2, |count| count as usize);
    format!("[{}]", (0..count).map(one).collect::<Vec<_>>().join(", "))
}
