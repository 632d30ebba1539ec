//! `vwfb fmt`: rewrites rule files in canonical form. It needs no workspace.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use vwfb_rules::format::{FormatError, format};
use vwfb_rules::label::WsPath;
use vwfb_rules::syntax::nodes;
use walkdir::WalkDir;

use crate::args::FmtArgs;
use crate::error::{CommandError, Exit};
use crate::labels::is_of_the_workspace;
use crate::session::Context;
use crate::sources::Sources;
use crate::ui::{Style, Ui};

/// What became of one file.
enum Formatted {
    Same,
    Changed,
    Wrong,
}

/// Formats.
pub(crate) fn run(ctx: &Context, args: &FmtArgs) -> Result<Exit, CommandError> {
    if args.stdin {
        return standard_input(&ctx.ui);
    }
    let mut exit = Exit::SUCCESS;
    let mut changed = 0;
    for file in rule_files(ctx, &args.paths)? {
        match one_file(ctx, &file, args.check)? {
            Formatted::Same => {}
            Formatted::Changed => changed += 1,
            Formatted::Wrong => exit = exit.and(Exit::INPUT),
        }
    }
    if args.check && changed > 0 {
        ctx.ui.status("run `vwfb fmt` to rewrite them");
        exit = exit.and(Exit::FAILED);
    }
    Ok(exit)
}

fn standard_input(ui: &Ui) -> Result<Exit, CommandError> {
    let name = "standard input";
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).map_err(|source| match source.kind() {
        ErrorKind::InvalidData => CommandError::Read { path: name.into(), source },
        _ => CommandError::Stream { stream: "input", source },
    })?;
    match format(&text) {
        Ok(formatted) => {
            ui.out(formatted)?;
            Ok(Exit::SUCCESS)
        }
        Err(error) => {
            tell(ui, name, &text, &error);
            Ok(Exit::INPUT)
        }
    }
}

fn one_file(ctx: &Context, file: &Path, check: bool) -> Result<Formatted, CommandError> {
    let text = fs::read_to_string(file)
        .map_err(|source| CommandError::Read { path: file.to_owned(), source })?;
    let shown = file.strip_prefix(&ctx.folder).unwrap_or(file).display().to_string();
    let formatted = match format(&text) {
        Ok(formatted) => formatted,
        Err(error) => {
            tell(&ctx.ui, &shown, &text, &error);
            return Ok(Formatted::Wrong);
        }
    };
    if formatted == text {
        return Ok(Formatted::Same);
    }
    if !check {
        replace(file, &formatted)?;
    }
    ctx.ui.out_line(shown)?;
    Ok(Formatted::Changed)
}

/// Shows what is wrong with a text as `check` does, as far as its name can stand in a workspace.
fn tell(ui: &Ui, name: &str, text: &str, error: &FormatError) {
    let Ok(file) = WsPath::new(name) else {
        let FormatError { line, column, message, .. } = error;
        let word = ui.styled(Style::Error, "error");
        return ui.say(format_args!("{word}: {name}:{line}:{column}: {message}"));
    };
    let problems = nodes(&file, text).problems;
    ui.diagnostics(&problems, &Sources::of_one(file, text));
}

/// Puts a new text in a file's place: a reader sees the old one or the new one, never a part.
fn replace(file: &Path, text: &str) -> Result<(), CommandError> {
    let failed = |deed, path: &Path| {
        let path = path.to_owned();
        move |source| CommandError::Io { deed, path, source }
    };
    // A link stays one; the file that it names is replaced.
    let file = fs::canonicalize(file).map_err(failed("find", file))?;
    let permissions = fs::metadata(&file).map_err(failed("look at", &file))?.permissions();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let new = file.with_file_name(format!(".{name}.{}.new", std::process::id()));
    let written = fs::write(&new, text)
        .and_then(|()| fs::set_permissions(&new, permissions))
        .and_then(|()| fs::rename(&new, &file));
    written.map_err(|source| {
        // Nobody else knows the name; what cannot be removed is the lesser trouble.
        let _kept = fs::remove_file(&new);
        failed("write", &file)(source)
    })
}

/// The files that `paths` name, and the rule files in the folders that they name.
fn rule_files(ctx: &Context, paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let here = [PathBuf::from(".")];
    let paths = if paths.is_empty() { &here[..] } else { paths };
    let mut files = Vec::new();
    for path in paths {
        let path = ctx.folder.join(path);
        let path = fs::canonicalize(&path)
            .map_err(|source| CommandError::Read { path: path.clone(), source })?;
        if path.is_dir() {
            files.extend(below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files.dedup();
    Ok(files)
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    WalkDir::new(folder)
        .into_iter()
        .filter_entry(is_of_the_workspace)
        .filter_map(Result::ok)
        .filter(|entry| entry.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .filter(|path| path.extension().is_some_and(|extension| extension == "kdl"))
}
