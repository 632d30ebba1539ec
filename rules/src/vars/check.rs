//! What is wrong with profiles and overrides, given every declaration of the workspace.

use std::collections::BTreeSet;

use super::overrides::override_values;
use super::{Overrides, VarDef, VarOverride, typed_values};
use crate::codes::{BAD_OVERRIDE, UNKNOWN_PACKAGE, UNKNOWN_PROFILE, UNKNOWN_VAR};
use crate::diagnostic::Diagnostic;
use crate::label::WsPath;
use crate::package::PackageDef;
use crate::read;
use crate::suggest::{did_you_mean, nearest};
use crate::workspace::{ProfileDef, WorkspaceDef};

/// What is wrong with the profiles and with `overrides`, given every declaration of the workspace:
/// names that nobody declares, values that do not fit.
pub fn check_overrides<'p>(
    workspace: &WorkspaceDef,
    packages: impl IntoIterator<Item = &'p PackageDef>,
    overrides: &Overrides,
) -> Vec<Diagnostic> {
    let mut declared: Vec<(Option<&WsPath>, &VarDef)> =
        workspace.vars.iter().map(|def| (None, def)).collect();
    let mut folders = BTreeSet::new();
    for package in packages {
        folders.insert(&package.package);
        declared.extend(package.vars.iter().map(|def| (Some(&package.package), def)));
    }
    let mut problems = Vec::new();
    for profile in &workspace.profiles {
        check_profile(profile, &declared, &mut problems);
    }
    problems.extend(unknown_profile(workspace, overrides));
    for set in overrides.params.iter().chain(&overrides.vars) {
        check_override(set, &declared, &folders, &mut problems);
    }
    problems
}

fn check_profile(
    profile: &ProfileDef,
    declared: &[(Option<&WsPath>, &VarDef)],
    problems: &mut Vec<Diagnostic>,
) {
    for var in &profile.vars {
        let defs: Vec<&VarDef> =
            declared.iter().map(|(_, def)| *def).filter(|def| def.name == var.name).collect();
        if defs.is_empty() {
            let message = format!("no variable named `{}`", var.name);
            let names = declared.iter().map(|(_, def)| def.name.as_str());
            let hint = did_you_mean(&var.name, names)
                .unwrap_or_else(|| "declare it in `vars` before a profile sets it".into());
            problems.push(Diagnostic::error(UNKNOWN_VAR, message).at(&var.anchor).hint(hint));
        }
        for def in defs {
            if let Err(problem) = typed_values(def, &var.values) {
                problems.push(problem.noted(&def.anchor, "declared here"));
            }
        }
    }
}

fn unknown_profile(workspace: &WorkspaceDef, overrides: &Overrides) -> Option<Diagnostic> {
    let name = overrides.profile.as_ref()?;
    if workspace.profiles.iter().any(|profile| profile.name == *name) {
        return None;
    }
    let names: Vec<&str> = workspace.profiles.iter().map(|profile| profile.name.as_str()).collect();
    let hint =
        did_you_mean(name, names.iter().copied()).unwrap_or_else(|| match names.is_empty() {
            true => "WORKSPACE.kdl declares none".into(),
            false => format!("the profiles are {}", read::list(&names)),
        });
    Some(Diagnostic::error(UNKNOWN_PROFILE, format!("no profile named `{name}`")).hint(hint))
}

fn check_override(
    set: &VarOverride,
    declared: &[(Option<&WsPath>, &VarDef)],
    folders: &BTreeSet<&WsPath>,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(package) = &set.package
        && !folders.contains(package)
    {
        let message = format!("no package `//{package}`, which `{}` is for", set.shown());
        let near = nearest(package.as_str(), folders.iter().map(|folder| folder.as_str()));
        let hint = near.map(|near| format!("did you mean `//{near}`?"));
        problems.push(Diagnostic::error(UNKNOWN_PACKAGE, message).maybe_hint(hint));
        return;
    }
    let in_reach =
        |place: &Option<&WsPath>| set.package.is_none() || *place == set.package.as_ref();
    let defs: Vec<&VarDef> = declared
        .iter()
        .filter(|(place, def)| def.name == set.name && in_reach(place))
        .map(|(_, def)| *def)
        .collect();
    if defs.is_empty() {
        let names =
            declared.iter().filter(|(place, _)| in_reach(place)).map(|(_, d)| d.name.as_str());
        let message = format!("no variable named `{}`, which `{}` sets", set.name, set.shown());
        let hint = did_you_mean(&set.name, names).unwrap_or_else(|| set.declaration());
        problems.push(Diagnostic::error(UNKNOWN_VAR, message).hint(hint));
    }
    for def in defs {
        if let Err(problem) = override_values(def, set).and_then(|v| typed_values(def, &v)) {
            let message = format!("`{}` does not fit: {}", set.shown(), problem.message);
            problems.push(
                Diagnostic::error(BAD_OVERRIDE, message)
                    .noted(&def.anchor, "declared here")
                    .maybe_hint(problem.hint),
            );
        }
    }
}
