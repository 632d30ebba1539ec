//! Sees to it that no two targets place an output at one path, or one in the other.

use std::collections::BTreeSet;

use crate::fold::Fold;
use crate::target::{Id, Target, Value, plain_text, text};
use crate::translate::Parts;

/// Gives outputs that are where others are a folder of their target's name.
pub(crate) fn part(parts: &mut Parts, folds: &[Fold]) {
    let folded: BTreeSet<Id> =
        folds.iter().flat_map(|fold| &fold.members).flatten().copied().collect();
    let mut taken: Vec<String> = folds.iter().map(|fold| fold.name.clone()).collect();
    let is_own = |(id, target): &(Id, &Target)| !folded.contains(id) && target.is_there();
    for (_, target) in parts.targets.iter().enumerate().filter(is_own) {
        if target.rule == "filegroup" || target.attr("out").is_some() {
            continue;
        }
        taken.push(target.output(&target.name));
        match target.rule {
            "transcribe" => taken.push(format!("{}.report.json", target.name)),
            // It expands to targets that are placed below it.
            "normalize" => taken.push(target.name.clone()),
            _ => {}
        }
    }
    for (id, target) in parts.targets.iter_mut().enumerate() {
        if folded.contains(&id) || !target.is_there() {
            continue;
        }
        let name = target.name.clone();
        for attr in target.attrs.iter_mut().filter(|attr| attr.name == "out") {
            let Some(Value::Text(pieces)) = attr.values.first() else { continue };
            let wanted = plain_text(pieces);
            let mut path = wanted.clone();
            let file = wanted.rsplit('/').next().unwrap_or_default();
            let mut number = 1;
            while taken.iter().any(|other| clash(other, &path)) {
                path = match number {
                    1 => format!("{name}/{file}"),
                    number => format!("{name}-{number}/{file}"),
                };
                number += 1;
            }
            if path != wanted {
                attr.values[0] = text(&path);
            }
            taken.push(path);
        }
    }
}

/// Whether two paths are one, or one is in the other.
fn clash(one: &str, other: &str) -> bool {
    let within = |path: &str, folder: &str| {
        path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    within(one, other) || within(other, one)
}
