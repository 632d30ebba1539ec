//! What a person is told of a package that was imported.

use std::fs;

use vwfb_engine::workspace::WORKSPACE_FILE;
use vwfb_import::{Imported, Missing, Note};
use vwfb_rules::label::WsPath;
use vwfb_rules::syntax::quoted as in_kdl;
use vwfb_rules::workspace::workspace;

use super::Place;
use crate::again::quoted;
use crate::error::CommandError;
use crate::session::Context;
use crate::ui::Style;

/// Of more lines than these only the number is told.
const MOST_LINES: usize = 5;

/// Tells what was made of the workflow `file`, what is to be known of it, and what comes next.
pub(super) fn tell(
    ctx: &Context,
    file: &WsPath,
    place: &Place,
    imported: &Imported,
) -> Result<(), CommandError> {
    let ui = &ctx.ui;
    let Imported { steps, .. } = imported;
    let plural = if *steps == 1 { "" } else { "s" };
    ui.status(format_args!("made //{} of {file}, {steps} step{plural}", place.package));
    for Note { lines, text, lost } in &imported.notes {
        let at = at(file, lines);
        if *lost {
            let word = ui.styled(Style::Warning, "warning");
            ui.say(format_args!("{word}: {at}: {text}"));
        } else {
            ui.status(format_args!("{}: {at}: {text}", ui.styled(Style::Dim, "note")));
        }
    }
    for Missing { lines, named, place, outside } in &imported.missing {
        let at = at(file, lines);
        let word = ui.styled(Style::Warning, "missing");
        let what = match outside {
            true => format!("`{named}` is not in the workspace: copy it to `{place}`"),
            false => format!("there is no file `{place}` yet"),
        };
        ui.say(format_args!("{word}: {at}: {what}"));
    }
    for path in more_items(place, imported) {
        ui.hint(format_args!("`{path}` was there before, and is an item like the others"));
    }
    if let Some(lines) = lacking(place, imported)? {
        ui.hint(format_args!("`{WORKSPACE_FILE}` does not allow what the package starts: {lines}"));
    }
    if let Some(main) = &imported.main {
        let label = quoted(&format!("//{}:{main}", place.package));
        ui.hint(format_args!(
            "look at it with `vwfb preview {label}`, make it with `vwfb build {label}`"
        ));
    }
    Ok(())
}

/// Where something is in the workflow.
fn at(file: &WsPath, lines: &[usize]) -> String {
    let shown: Vec<String> = lines.iter().take(MOST_LINES).map(usize::to_string).collect();
    let shown = shown.join(", ");
    match lines.len().saturating_sub(MOST_LINES) {
        0 => format!("{file}:{shown}"),
        1 => format!("{file}:{shown} and 1 more"),
        more => format!("{file}:{shown} and {more} more"),
    }
}

/// The files in folders of items that are not of the workflow.
fn more_items(place: &Place, imported: &Imported) -> Vec<String> {
    let mut more = Vec::new();
    for folder in &imported.folders {
        let there = place.root.join(place.package.as_str()).join(folder);
        // What cannot be listed now is told by the next build.
        let entries = fs::read_dir(there).into_iter().flatten().flatten();
        for name in entries.map(|entry| entry.file_name().to_string_lossy().into_owned()) {
            let path = format!("{folder}/{name}");
            if imported.files.iter().all(|(known, _)| *known != path) {
                more.push(format!("{}/{path}", place.package));
            }
        }
    }
    more.sort();
    more
}

/// The line that the workspace, which was there before, lacks.
fn lacking(place: &Place, imported: &Imported) -> Result<Option<String>, CommandError> {
    if place.is_new || imported.tools.is_empty() {
        return Ok(None);
    }
    let path = place.root.join(WORKSPACE_FILE);
    let text = fs::read_to_string(&path);
    let text = text.map_err(|source| CommandError::Read { path, source })?;
    let known = workspace(&WsPath::root(), &text).value.tools;
    let lacking = imported.tools.iter().filter(|tool| !known.contains(*tool));
    let lacking: Vec<String> = lacking.map(|tool| in_kdl(tool)).collect();
    let line = || format!("add `tools {{ allow {} }}`", lacking.join(" "));
    Ok((!lacking.is_empty()).then(line))
}
