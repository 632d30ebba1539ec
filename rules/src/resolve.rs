//! From a declared target to its task: every reference followed, every path and argument settled.

mod expand;
mod files;
mod roles;

use std::collections::BTreeMap;
use std::sync::Arc;

use expand::{Expansion, seed};
use files::{Files, Found};
use roles::Slot;

use crate::checkpoint::{Checkpoint, Condition, OnReject, OnTimeout};
use crate::codes::{
    BAD_NODE, MISSING_ATTRIBUTE, RESOURCE_TOO_LARGE, TOO_MANY_FILES, UNKNOWN_SERVICE, WRONG_TYPE,
};
use crate::core_rules::ALIAS;
use crate::cost::Estimate;
use crate::declare::Declared;
use crate::diagnostic::{Anchor, Checked, Diagnostic, Severity};
use crate::frame::traced;
use crate::interpolate::Template;
use crate::label::{Label, Reference};
use crate::read::Problems;
use crate::rule::{AttrType, Body, RuleDef, Shape};
use crate::scope::Scope;
use crate::service::{self, ServiceUse};
use crate::task::{Command, InputRef, Provided, TaskDef};
use crate::tools;
use crate::value::{AttrValue, FileName, FileUse};
use crate::workspace::WorkspaceDef;

/// The targets that `declared` names, inputs and `after` alike, in the order of its rule.
pub fn references(declared: &Declared) -> Vec<(Label, Anchor)> {
    let mut references = Vec::new();
    // What a checkpoint lets people look at, or makes again, may need it in turn.
    let asks = declared.rule.body == Body::Decide;
    for attr in declared.rule.attrs.iter().filter(|it| !asks || it.ty != AttrType::Label) {
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
    let value = resolved(declared, (workspace, scope), found, &mut problems);
    let wrong = problems.0.iter().any(|problem| problem.severity == Severity::Error);
    Checked { value: value.filter(|_| !blocked && !wrong), problems: traced(problems) }
}

fn resolved(
    declared: &Declared,
    (workspace, scope): (&WorkspaceDef, &dyn Scope),
    found: BTreeMap<String, Vec<Found>>,
    problems: &mut Problems,
) -> Option<TaskDef> {
    let slots = roles::slots(declared, found);
    let inputs = roles::inputs(declared, &slots, problems);
    let expansion = Expansion { declared, slots: &slots, scope };
    let rule = &declared.rule;
    let stdio = &rule.stdio;
    let (env, secrets) = environment(declared, &expansion);
    check_metrics(declared, &slots, problems);
    let tools = tools::allowed(&declared.tools, workspace, &mut problems.0);
    check_resources(declared, workspace, problems);
    let out_role = |template: &Option<Template>| {
        template.as_ref().and_then(|template| expansion.text(template))
    };
    Some(TaskDef {
        label: declared.label.clone(),
        rule: rule.name.clone(),
        rule_version: rule.version,
        command: command(declared, &expansion, problems)?,
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
        service: service(&expansion, workspace, problems),
        terminal: rule.terminal,
        cpu_level: rule.cpu_level,
        results: rule.results,
        seed: seed(declared, scope),
        reads_feedback: reads_feedback(&declared.rule, &declared.env),
        expensive: rule.expensive,
        tags: declared.tags.clone(),
    })
}

/// The service that `declared` asks, as the workspace knows it.
fn service(
    expansion: &Expansion<'_>,
    workspace: &WorkspaceDef,
    problems: &mut Problems,
) -> Option<Arc<ServiceUse>> {
    let declared = expansion.declared;
    let (name, anchor) = service_named(declared)?;
    let Some(def) = workspace.services.get(&name) else {
        let (message, hint) = service::unknown(&name, &workspace.services);
        problems.push(Diagnostic::error(UNKNOWN_SERVICE, message).at(anchor).hint(hint));
        return None;
    };
    let model = model_named(declared);
    let mut estimate = Estimate::default();
    for (quantity, template) in &declared.rule.estimate {
        let Some(text) = expansion.text(template) else { continue };
        if !estimate.set(quantity, &text) {
            let message = format!("the estimate `{quantity}` is no number: {text:?}");
            problems.push(Diagnostic::error(WRONG_TYPE, message).at(&template.anchor));
        }
    }
    Some(Arc::new(ServiceUse { name, def: def.clone(), model, estimate }))
}

/// The name of the service that `declared` asks, and where that is said.
pub(crate) fn service_named(declared: &Declared) -> Option<(String, &Anchor)> {
    let named = declared.rule.service.as_ref()?;
    match named.attribute() {
        Some(attr) => Some((declared.attrs.get(attr)?.text()?, &declared.anchor)),
        None => Some((named.name.clone(), &named.anchor)),
    }
}

/// The model that `declared` asks a service for.
pub(crate) fn model_named(declared: &Declared) -> Option<String> {
    declared.attrs.get("model").and_then(AttrValue::text)
}

/// Whether what a person says changes what `rule` runs, with `env` beside its own.
fn reads_feedback(rule: &RuleDef, env: &BTreeMap<String, Template>) -> bool {
    if rule.attr("feedback").is_some() {
        return false;
    }
    let reads = |template: &Template| {
        template.fields().any(|path| matches!(path, [name] if name == "feedback"))
    };
    let in_body = match &rule.body {
        Body::Run { args, .. } => args.iter().any(|group| {
            group.condition.as_deref() == Some("feedback") || group.args.iter().any(reads)
        }),
        Body::Script { text, .. } => reads(text),
        _ => false,
    };
    in_body || rule.env.values().chain(env.values()).any(reads)
}

fn command(
    declared: &Declared,
    expansion: &Expansion<'_>,
    problems: &mut Problems,
) -> Option<Command> {
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
            let text = format!("{}{}", declared.prelude, expansion.script(text));
            let args = options.iter().map(|option| (*option).to_owned()).chain([text]).collect();
            Some(Command::Process { program: shell.clone(), args })
        }
        Body::WriteFile => {
            let text = declared.attrs.get("text")?.text()?;
            let executable = declared.attrs.get("executable") == Some(&AttrValue::Bool(true));
            Some(Command::WriteFile { text, executable })
        }
        Body::Decide => Some(Command::Decide(Arc::new(checkpoint(declared, problems)))),
        Body::Forward | Body::Free => None,
    }
}

fn checkpoint(declared: &Declared, problems: &mut Problems) -> Checkpoint {
    let text = |name: &str| declared.attrs.get(name).and_then(AttrValue::text).unwrap_or_default();
    let label = |value: &AttrValue| match value {
        AttrValue::Label(label, _) => Some(label.clone()),
        _ => None,
    };
    let regenerate = match declared.attrs.get("regenerate") {
        Some(AttrValue::List(values)) => values.iter().filter_map(label).collect(),
        _ => Vec::new(),
    };
    let mut auto_approve = Vec::new();
    if let Some(AttrValue::Map(conditions)) = declared.attrs.get("auto-approve") {
        for (field, condition) in conditions {
            let text = condition.text().unwrap_or_default();
            let read = Condition::read(field, &text, &declared.anchor);
            auto_approve.extend(problems.take(read));
        }
    }
    Checkpoint {
        message: text("message"),
        preview: declared.attrs.get("preview").and_then(label),
        on_reject: OnReject::named(&text("on-reject")).unwrap_or(OnReject::Retry),
        on_timeout: OnTimeout::named(&text("on-timeout")).unwrap_or(OnTimeout::Reject),
        regenerate,
        auto_approve,
    }
}

/// Notes metrics that are neither one for all subjects nor one for each.
fn check_metrics(
    declared: &Declared,
    slots: &BTreeMap<String, Vec<Slot>>,
    problems: &mut Problems,
) {
    let count = |name: &str| slots.get(name).map_or(0, Vec::len);
    if declared.rule.body != Body::Decide {
        return;
    }
    let (subjects, metrics) = (count("of"), count("metrics"));
    let has_conditions = declared.attrs.contains_key("auto-approve");
    let fault = match (has_conditions, metrics) {
        (false, 0) => return,
        (true, _) if metrics == 1 || metrics == subjects => return,
        (true, 0) => "`auto-approve` needs `metrics` to look at".to_owned(),
        (false, _) => "`metrics` is for `auto-approve`, which is not given".to_owned(),
        (true, _) => format!("there are {metrics} `metrics` for {subjects} subjects"),
    };
    let problem = Diagnostic::error(BAD_NODE, fault).at(&declared.anchor);
    problems.push(problem.hint("give one JSON file for all subjects, or one for each of them"));
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
