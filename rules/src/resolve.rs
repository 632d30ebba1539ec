//! From a declared target to its task: every reference followed, every path and argument settled.

mod expand;
mod files;
mod roles;

use std::collections::BTreeMap;
use std::sync::Arc;

use expand::Expansion;
use files::{Files, Found};
use roles::Slot;

use crate::codes::{MISSING_ATTRIBUTE, RESOURCE_TOO_LARGE, TOO_MANY_FILES};
use crate::core_rules::ALIAS;
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Checked, Diagnostic, Severity};
use crate::frame::traced;
use crate::interpolate::Template;
use crate::label::{Label, Reference};
use crate::read::Problems;
use crate::rule::{Body, Shape};
use crate::scope::Scope;
use crate::task::{Command, InputRef, Provided, Results, TaskDef};
use crate::tools;
use crate::value::{AttrValue, FileName, FileUse};
use crate::workspace::WorkspaceDef;

/// The targets that `declared` names, inputs and `after` alike, in the order of its rule.
pub fn references(declared: &Declared) -> Vec<(Label, Anchor)> {
    let mut references = Vec::new();
    for attr in &declared.rule.attrs {
        if let Some(value) = declared.attrs.get(&attr.name) {
            add_references(value, &mut references);
        }
    }
    references.extend(declared.after.iter().cloned());
    references
}

fn add_references(value: &AttrValue, references: &mut Vec<(Label, Anchor)>) {
    match value {
        AttrValue::File(file) => {
            if let FileName::Reference(reference) = &file.what {
                references.push((reference.label.clone(), file.anchor.clone()));
            }
        }
        AttrValue::Label(label, anchor) => references.push((label.clone(), anchor.clone())),
        AttrValue::List(values) => values.iter().for_each(|v| add_references(v, references)),
        AttrValue::Map(values) => values.values().for_each(|v| add_references(v, references)),
        _ => {}
    }
}

/// What `declared` offers to others; nothing for a `filegroup` or `alias` with errors. Only those
/// two ask `scope`, and the caller guards against cycles of them.
pub fn provides(declared: &Declared, scope: &dyn Scope) -> Option<Arc<[Provided]>> {
    if !declared.runs() {
        return forwarded(declared, scope);
    }
    let defaults = declared.rule.default_outs();
    let provided = declared.outputs.iter().map(|out| Provided {
        output: out.name.clone(),
        default: defaults.contains(&out.name.as_str()),
        groups: groups_of(declared, &out.name),
        from: InputRef::Output {
            label: declared.label.clone(),
            output: out.name.clone(),
            subpath: None,
        },
        path: out.path.clone(),
        media: out.media.clone(),
        tree: out.tree,
    });
    Some(provided.collect())
}

fn groups_of(declared: &Declared, out: &str) -> Vec<String> {
    let groups = declared.rule.groups.iter();
    groups
        .filter(|group| group.name != "default" && group.outs.iter().any(|name| name == out))
        .map(|group| group.name.clone())
        .collect()
}

/// What `declared` is another name of, if it is an `alias` of what a target makes.
pub fn alias(declared: &Declared) -> Option<&Reference> {
    match declared.attrs.get("actual").filter(|_| declared.rule.name == ALIAS) {
        Some(AttrValue::File(FileUse { what: FileName::Reference(reference), .. })) => {
            Some(reference)
        }
        _ => None,
    }
}

fn forwarded(declared: &Declared, scope: &dyn Scope) -> Option<Arc<[Provided]>> {
    // An alias of a whole target offers all that the target does, by the same names.
    if let Some(reference) = alias(declared).filter(|reference| reference.output.is_none()) {
        return scope.provides(&reference.label);
    }
    let mut files = Files::new(declared, scope);
    let found = files.all();
    if files.blocked || !files.problems.0.is_empty() {
        return None;
    }
    let provided = found.into_values().flatten().map(|found| Provided {
        output: found.output,
        default: true,
        groups: Vec::new(),
        from: found.from,
        path: found.path,
        media: found.media.map(|media| media.to_string()),
        tree: found.tree,
    });
    Some(provided.collect())
}

/// The task that `declared` comes down to; nothing for a `filegroup` or `alias` (whose references
/// are checked all the same), and where it or a target it needs has errors.
pub fn task(
    declared: &Declared,
    workspace: &WorkspaceDef,
    scope: &dyn Scope,
) -> Checked<Option<TaskDef>> {
    let mut files = Files::new(declared, scope);
    let found = files.all();
    files.check_labels();
    let blocked = files.blocked;
    let mut problems = files.problems;
    let traced = |problems: Problems| -> Vec<Diagnostic> {
        problems.0.into_iter().map(|problem| traced(problem, &declared.uses)).collect()
    };
    if !declared.runs() {
        return Checked { value: None, problems: traced(problems) };
    }
    let value = resolved(declared, workspace, found, &mut problems);
    let wrong = problems.0.iter().any(|problem| problem.severity == Severity::Error);
    Checked { value: value.filter(|_| !blocked && !wrong), problems: traced(problems) }
}

fn resolved(
    declared: &Declared,
    workspace: &WorkspaceDef,
    found: BTreeMap<String, Vec<Found>>,
    problems: &mut Problems,
) -> Option<TaskDef> {
    let slots = roles::slots(declared, found);
    let inputs = roles::inputs(declared, &slots, problems);
    let expansion = Expansion { declared, slots: &slots };
    let rule = &declared.rule;
    let stdio = &rule.stdio;
    let (env, secrets) = environment(declared, &expansion);
    let tools = tools::allowed(&declared.tools, workspace, &mut problems.0);
    check_resources(declared, workspace, problems);
    let out_role = |template: &Option<Template>| {
        template.as_ref().and_then(|template| expansion.text(template))
    };
    Some(TaskDef {
        label: declared.label.clone(),
        rule: rule.name.clone(),
        rule_version: rule.version,
        command: command(declared, &expansion)?,
        inputs,
        outputs: Arc::clone(&declared.outputs),
        env,
        secrets,
        stdin: stdin(declared, &slots, problems),
        stdout: out_role(&stdio.stdout),
        stderr: out_role(&stdio.stderr),
        success_codes: Arc::clone(&stdio.success_codes),
        tools,
        after: declared.after.iter().map(|(label, _)| label.clone()).collect(),
        resources: declared.limits.resources.clone(),
        timeout: declared.limits.timeout,
        retries: declared.limits.retries.unwrap_or(0),
        network: rule.network,
        cpu_level: rule.cpu_level,
        results: rule.results,
        seed: seed(declared),
        expensive: rule.expensive,
        tags: declared.tags.clone(),
    })
}

fn seed(declared: &Declared) -> Option<i64> {
    match declared.attrs.get("seed") {
        Some(AttrValue::Int(seed)) if declared.rule.results == Results::Seeded => Some(*seed),
        _ => None,
    }
}

fn command(declared: &Declared, expansion: &Expansion<'_>) -> Option<Command> {
    match &declared.rule.body {
        Body::Run { program, args, .. } => {
            let args = args
                .iter()
                .filter(|group| expansion.holds(group.condition.as_deref()))
                .flat_map(|group| &group.args)
                .flat_map(|template| expansion.args(template))
                .collect();
            Some(Command::Process { program: program.clone(), args })
        }
        Body::Script { shell, text } => {
            // An error in a pipe counts too where the shell can tell.
            let options: &[&str] = match shell.as_str() {
                "sh" | "dash" => &["-eu", "-c"],
                _ => &["-eu", "-o", "pipefail", "-c"],
            };
            let text = expansion.script(text);
            let args = options.iter().map(|option| (*option).to_owned()).chain([text]).collect();
            Some(Command::Process { program: shell.clone(), args })
        }
        Body::WriteFile => {
            let text = declared.attrs.get("text")?.text()?;
            let executable = declared.attrs.get("executable") == Some(&AttrValue::Bool(true));
            Some(Command::WriteFile { text, executable })
        }
        Body::Forward | Body::Free => None,
    }
}

/// The environment by value, and the variables that secrets fill.
fn environment(
    declared: &Declared,
    expansion: &Expansion<'_>,
) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let mut env = BTreeMap::new();
    let mut secrets = BTreeMap::new();
    for (name, template) in declared.rule.env.iter().chain(&declared.env) {
        env.remove(name);
        secrets.remove(name);
        if let Some(secret) = expansion.secret(template) {
            secrets.insert(name.clone(), secret);
        } else if let Some(text) = expansion.text(template) {
            env.insert(name.clone(), text);
        }
    }
    (env, secrets)
}

fn stdin(
    declared: &Declared,
    slots: &BTreeMap<String, Vec<Slot>>,
    problems: &mut Problems,
) -> Option<String> {
    let template = declared.rule.stdio.stdin.as_ref()?;
    let attr = template.whole_field()?.first()?;
    let given = match declared.attrs.get(attr) {
        Some(AttrValue::List(values)) => !values.is_empty(),
        Some(_) => true,
        None => declared.rule.attr(attr).is_some_and(|attr| attr.shape == Shape::Single),
    };
    if !given {
        let message = format!("standard input takes one file, and `{attr}` has none");
        let problem = Diagnostic::error(MISSING_ATTRIBUTE, message).at(&template.anchor);
        problems.push(problem.hint("leave `stdin` out for an empty one"));
    }
    match slots.get(attr)?.as_slice() {
        [] => None,
        [slot] => Some(slot.role.clone()),
        [_, ..] => {
            let message = "standard input takes one file, and this is several";
            problems.push(Diagnostic::error(TOO_MANY_FILES, message).at(&template.anchor));
            None
        }
    }
}

fn check_resources(declared: &Declared, workspace: &WorkspaceDef, problems: &mut Problems) {
    for (name, wanted) in &declared.limits.resources {
        let Some(there) = workspace.resources.get(name) else { continue };
        if wanted > there {
            let message = format!("{wanted} of `{name}` are asked for, and there is {there}");
            problems.push(
                Diagnostic::error(RESOURCE_TOO_LARGE, message)
                    .at(&declared.anchor)
                    .hint("ask for less, or raise it in `resources` of WORKSPACE.kdl"),
            );
        }
    }
}
