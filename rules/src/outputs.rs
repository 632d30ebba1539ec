//! Problems that only several targets together have: outputs in one place, and cycles.

use rustc_hash::FxHashSet;

use crate::codes::{CYCLE, OUTPUT_CONFLICT};
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::{Label, WsPath};
use crate::task::OutputDef;

/// The outputs that cannot stand beside one another: one path twice, or one inside another.
pub fn check_outputs<'d>(targets: impl IntoIterator<Item = &'d Declared>) -> Vec<Diagnostic> {
    let mut outputs: Vec<(&OutputDef, &Declared)> = targets
        .into_iter()
        .flat_map(|target| target.outputs.iter().map(move |output| (output, target)))
        .collect();
    if stand_beside(outputs.iter().map(|(output, _)| output.path.as_str())) {
        return Vec::new();
    }
    // Part by part, so that whatever is inside a folder follows it at once.
    outputs.sort_by_cached_key(|(output, target)| (by_parts(&output.path), &target.label));
    let mut problems = Vec::new();
    let mut above: Vec<(&OutputDef, &Declared)> = Vec::new();
    for (output, target) in outputs {
        above.retain(|(folder, _)| output.path.is_within(&folder.path));
        if let Some((folder, first)) = above.last() {
            problems.push(conflict(output, target, folder, first));
        }
        above.push((output, target));
    }
    problems
}

/// Whether no path is there twice or lies inside another, as it nearly always is.
fn stand_beside<'p>(paths: impl Iterator<Item = &'p str> + Clone) -> bool {
    let mut all = FxHashSet::default();
    paths.clone().all(|path| all.insert(path))
        && paths
            .into_iter()
            .all(|path| path.match_indices('/').all(|(slash, _)| !all.contains(&path[..slash])))
}

/// `path` as a text that stands in order before what its parts stand before: no character comes
/// before the one between them.
fn by_parts(path: &WsPath) -> String {
    path.as_str().replace('/', "\0")
}

fn conflict(
    output: &OutputDef,
    target: &Declared,
    other: &OutputDef,
    first: &Declared,
) -> Diagnostic {
    let message = if output.path == other.path && target.label == first.label {
        format!("`{}` makes `{}` twice", target.label, output.path)
    } else if output.path == other.path {
        format!("`{}` and `{}` both make `{}`", first.label, target.label, output.path)
    } else {
        format!(
            "`{}` of `{}` lies inside `{}` of `{}`",
            output.path, target.label, other.path, first.label
        )
    };
    let problem = Diagnostic::error(OUTPUT_CONFLICT, message).noted(&target.anchor, "made here");
    let problem = match target.label == first.label {
        true => problem,
        false => problem.noted(&first.anchor, "and here"),
    };
    problem.hint("give one of them another name or path")
}

/// How many targets of a circle are told, the first and the last of them.
const MOST_TOLD: usize = 16;

/// The problem of targets that need one another in a circle: each label with the place where it
/// names the next, the last naming the first.
pub fn cycle(path: &[(Label, Anchor)]) -> Diagnostic {
    let is_told = |index: usize| {
        path.len() <= MOST_TOLD || index < MOST_TOLD / 2 || index >= path.len() - MOST_TOLD / 2
    };
    let mut names: Vec<String> = Vec::new();
    let mut notes = Vec::new();
    for (index, (label, anchor)) in path.iter().enumerate() {
        if is_told(index) {
            names.push(format!("`{label}`"));
            notes.push((anchor, format!("needs `{}`", path[(index + 1) % path.len()].0)));
        } else if is_told(index - 1) {
            names.push(format!("{} more", path.len() - MOST_TOLD));
        }
    }
    let message = match names.as_slice() {
        [only] => format!("{only} needs itself"),
        _ => {
            names.extend(names.first().cloned());
            format!("targets need one another in a circle: {}", names.join(" -> "))
        }
    };
    let problem = Diagnostic::error(CYCLE, message).hint("take one of these references out");
    notes.into_iter().fold(problem, |problem, (anchor, note)| problem.noted(anchor, note))
}
