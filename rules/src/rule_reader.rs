//! The `rule` node, and the same nodes inside a `task`.

use std::collections::{BTreeMap, BTreeSet};

use crate::codes::{
    BAD_NODE, DUPLICATE_NAME, NO_ACTION, NO_OUTPUT, NOT_IN_ENUM, REPEATED_ATTRIBUTE, RESERVED_NAME,
    TWO_ACTIONS, UNKNOWN_ATTRIBUTE, UNKNOWN_OUTPUT, WRONG_TYPE, WRONG_UNIT,
};
use crate::diagnostic::Diagnostic;
use crate::interpolate::Template;
use crate::label::WsPath;
use crate::read::{self, Problems};
use crate::rule::{
    ArgGroup, AttrDef, AttrType, Body, GroupDef, Limits, OutDef, RuleDef, Shape, Stdio, ToolUse,
};
use crate::rule_check;
use crate::schema;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, Value};
use crate::task::Results;
use crate::units;

/// The nodes of a rule.
const NODES: [&str; 20] = [
    "doc",
    "attr",
    "out",
    "group",
    "tool",
    "run",
    "script",
    "env",
    "resource",
    "timeout",
    "retries",
    "results",
    "expensive",
    "network",
    "stdin",
    "stdout",
    "stderr",
    "exit-codes",
    "keep-names",
    "version",
];

/// The nodes of a rule that a `task` has too, beside the attributes that every target takes.
pub(crate) const TASK_NODES: [&str; 15] = [
    "doc",
    "out",
    "group",
    "tool",
    "run",
    "script",
    "results",
    "expensive",
    "network",
    "stdin",
    "stdout",
    "stderr",
    "exit-codes",
    "keep-names",
    "version",
];

/// The shells that a script may be for: those that read quoted words alike.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ksh", "zsh"];

/// The rule that a `rule` node defines.
pub(crate) fn rule(node: &Node, file: &WsPath, problems: &mut Problems) -> Option<RuleDef> {
    let name = read::name_arg(node, "the rule's name", problems)?;
    read::only_props(node, &["version"], problems);
    if crate::package::RESERVED_NODES.contains(&name) || crate::core_rules::is_core(name) {
        let message = format!("`{name}` cannot be the name of a rule");
        let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
        problems.push(problem.hint("the language has a node of this name"));
    }
    let before = problems.count();
    let mut reader = RuleReader::new(empty_rule(name, file, node), false);
    if let Some(value) = read::prop(node, "version") {
        reader.rule.version = read::count(value, problems).unwrap_or(1);
    }
    for child in &node.children {
        if NODES.contains(&child.name.as_str()) {
            reader.read(child, problems);
        } else {
            read::unknown_child("`rule`", child, &NODES, problems);
        }
    }
    Some(reader.finish(before, problems))
}

/// A rule without anything, to be filled in.
pub(crate) fn empty_rule(name: &str, file: &WsPath, node: &Node) -> RuleDef {
    RuleDef {
        name: name.into(),
        version: 1,
        doc: None,
        file: file.clone(),
        anchor: node.anchor.clone(),
        attrs: Vec::new(),
        outs: Vec::new(),
        groups: Vec::new(),
        body: Body::Free,
        tools: Vec::new(),
        env: BTreeMap::new(),
        stdio: Stdio::default(),
        limits: Limits::default(),
        results: Results::Deterministic,
        expensive: false,
        network: false,
        keep_names: false,
    }
}

/// Fills in a rule, node by node.
pub(crate) struct RuleReader {
    pub(crate) rule: RuleDef,
    /// Whether it is the rule that a `task` makes up: outputs are named by their paths, and what
    /// runs is its own tool.
    free: bool,
    seen: BTreeSet<&'static str>,
}

impl RuleReader {
    pub(crate) const fn new(rule: RuleDef, free: bool) -> Self {
        Self { rule, free, seen: BTreeSet::new() }
    }

    /// Takes in a node whose name is one of [`NODES`].
    pub(crate) fn read(&mut self, node: &Node, problems: &mut Problems) {
        let name = NODES.iter().find(|name| **name == node.name).copied().unwrap_or_default();
        let many = matches!(name, "attr" | "out" | "group" | "tool" | "env" | "resource");
        let action = matches!(name, "run" | "script");
        if !many && !self.seen.insert(if action { "run" } else { name }) {
            problems.push(twice(node, action));
            return;
        }
        match name {
            "attr" => self.attr(node, problems),
            "out" if self.free => self.free_out(node, problems),
            "out" => self.out(node, problems),
            "group" => self.group(node, problems),
            "tool" => self.tool(node, problems),
            "run" => self.run(node, problems),
            "script" => self.script(node, problems),
            "env" => env(node, &mut self.rule.env, problems),
            "resource" => resource(node, &mut self.rule.limits, problems),
            _ => self.setting(name, node, problems),
        }
    }

    fn setting(&mut self, name: &str, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_children(node, problems);
        let rule = &mut self.rule;
        match name {
            "doc" => rule.doc = read::text_arg(node, "a text", problems).map(Into::into),
            "version" => {
                let version = read::one_arg(node, "a whole number", problems);
                rule.version = version.and_then(|v| read::count(v, problems)).unwrap_or(1);
            }
            "timeout" => rule.limits.timeout = timeout(node, problems),
            "retries" => {
                let retries = read::one_arg(node, "a whole number", problems);
                rule.limits.retries = retries.and_then(|value| read::count(value, problems));
            }
            "results" => rule.results = results(node, problems),
            "expensive" => rule.expensive = read::flag_arg(node, problems).unwrap_or(false),
            "network" => rule.network = read::flag_arg(node, problems).unwrap_or(false),
            "keep-names" => rule.keep_names = read::flag_arg(node, problems).unwrap_or(false),
            "stdin" => rule.stdio.stdin = template_arg(node, problems),
            "stdout" => rule.stdio.stdout = template_arg(node, problems),
            "stderr" => rule.stdio.stderr = template_arg(node, problems),
            _ => self.exit_codes(node, problems),
        }
    }

    fn exit_codes(&mut self, node: &Node, problems: &mut Problems) {
        let mut codes = BTreeSet::new();
        for value in &node.args {
            match read::count(value, problems) {
                Some(code) if code <= 255 => drop(codes.insert(i32::try_from(code).unwrap_or(0))),
                Some(_) => problems.push(read::wrong_type(value, "an exit code from 0 to 255")),
                None => {}
            }
        }
        if codes.is_empty() {
            let message = "`exit-codes` needs the codes that mean success";
            problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
            codes.insert(0);
        }
        self.rule.stdio.success_codes = codes;
    }

    fn attr(&mut self, node: &Node, problems: &mut Problems) {
        let folder = self.rule.file.parent().unwrap_or_default();
        let Some(attr) = schema::attr(node, &folder, problems) else { return };
        match self.rule.attr(&attr.name) {
            Some(first) => problems.push(
                Diagnostic::error(DUPLICATE_NAME, format!("`{}` is declared twice", attr.name))
                    .noted(&attr.anchor, "again here")
                    .noted(&first.anchor, "first here"),
            ),
            None => self.rule.attrs.push(attr),
        }
    }

    fn out(&mut self, node: &Node, problems: &mut Problems) {
        let Some(name) = read::name_arg(node, "the output's name", problems) else { return };
        read::only_props(node, &["path", "type", "media", "doc"], problems);
        let Some(path) = read::prop(node, "path") else {
            let problem = Diagnostic::error(BAD_NODE, "an output needs a path").at(&node.anchor);
            problems.push(problem.hint(format!("write `path=\"{{name}}.{name}\"`")));
            return;
        };
        let Some(path) = template(path, problems) else { return };
        self.add_out(name.into(), path, node, problems);
    }

    /// In a `task` the arguments are paths; `name=` names the only one.
    fn free_out(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &["name", "type", "media", "doc"], problems);
        let name = read::text_prop(node, "name", problems);
        if node.args.is_empty() || (name.is_some() && node.args.len() > 1) {
            let _ = read::one_arg(node, "the output's path", problems);
            return;
        }
        for value in &node.args {
            let Some(path) = template(value, problems) else { continue };
            let name = match (name, read::prop(node, "name")) {
                (Some(name), Some(value)) if read::check_name(name, value, problems) => name.into(),
                _ => name_of_path(value.text().unwrap_or_default()),
            };
            self.add_out(name, path, node, problems);
        }
    }

    fn add_out(&mut self, name: String, path: Template, node: &Node, problems: &mut Problems) {
        if let Some(first) = self.rule.outs.iter().find(|out| out.name == name) {
            let problem =
                Diagnostic::error(DUPLICATE_NAME, format!("two outputs are named `{name}`"))
                    .noted(&path.anchor, "again here")
                    .noted(&first.anchor, "first here");
            let hint = self.free.then(|| "name one of them with `name=`".into());
            return problems.push(problem.maybe_hint(hint));
        }
        let mut out = OutDef {
            name,
            path,
            tree: out_is_tree(node, problems),
            media: schema::media(node, problems),
            doc: read::text_prop(node, "doc", problems).map(Into::into),
            anchor: node.anchor.clone(),
        };
        for child in &node.children {
            match child.name.as_str() {
                "doc" => out.doc = read::text_arg(child, "a text", problems).map(Into::into),
                _ => read::unknown_child("`out`", child, &["doc"], problems),
            }
        }
        self.rule.outs.push(out);
    }

    fn group(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_children(node, problems);
        let mut names = Vec::new();
        for value in &node.args {
            names.extend(read::text(value, "a name", problems).map(str::to_owned));
        }
        if names.len() < 2 {
            let message = "`group` needs its name and the names of its outputs";
            return problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
        }
        let name = names.remove(0);
        if !read::check_name(&name, &node.args[0], problems) {
            return;
        }
        self.rule.groups.push(GroupDef { name, outs: names });
    }

    fn tool(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_children(node, problems);
        if node.args.is_empty() {
            let _ = read::one_arg(node, "a toolchain or program", problems);
        }
        for value in &node.args {
            if let Some(name) = read::text(value, "a toolchain or program", problems) {
                self.rule.tools.push(ToolUse { name: name.into(), anchor: value.anchor.clone() });
            }
        }
    }

    fn run(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        let Some(program) = node.args.first() else {
            let _ = read::one_arg(node, "the program", problems);
            return;
        };
        let Some(name) = read::text(program, "the program's name", problems) else { return };
        let mut args =
            vec![ArgGroup { condition: None, args: templates(&node.args[1..], problems) }];
        for child in &node.children {
            if child.name != "args" {
                read::unknown_child("`run`", child, &["args"], problems);
                continue;
            }
            read::only_props(child, &["if"], problems);
            read::no_children(child, problems);
            let condition = read::text_prop(child, "if", problems).map(Into::into);
            args.push(ArgGroup { condition, args: templates(&child.args, problems) });
        }
        args.retain(|group| !group.args.is_empty());
        if self.free {
            self.rule.tools.push(ToolUse { name: name.into(), anchor: program.anchor.clone() });
        }
        let anchor = program.anchor.clone();
        self.rule.body = Body::Run { program: name.into(), anchor, args };
    }

    fn script(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &["shell"], problems);
        read::no_children(node, problems);
        let Some(value) = read::one_arg(node, "the script", problems) else { return };
        let shell = read::text_prop(node, "shell", problems).unwrap_or("sh");
        if let Some(value) = read::prop(node, "shell") {
            if !SHELLS.contains(&shell) {
                let message = format!("`{shell}` is no shell that a script may be for");
                let hint =
                    format!("it may be for {}; others take a file with `run`", read::list(&SHELLS));
                problems.push(Diagnostic::error(NOT_IN_ENUM, message).at(&value.anchor).hint(hint));
            } else if shell != "sh" {
                let anchor = value.anchor.clone();
                self.rule.tools.push(ToolUse { name: shell.into(), anchor });
            }
        }
        let Some(text) = template(value, problems) else { return };
        self.rule.body = Body::Script { shell: shell.into(), text };
    }

    /// The rule, whole; checked as one where its nodes had no problems of their own.
    pub(crate) fn finish(mut self, problems_before: usize, problems: &mut Problems) -> RuleDef {
        self.check_groups(problems);
        if self.rule.results == Results::Seeded && self.rule.attr("seed").is_none() {
            self.rule.attrs.push(seed(&self.rule));
        }
        if self.free && self.rule.groups.iter().all(|group| group.name != "default") {
            let outs = self.rule.outs.iter().map(|out| out.name.clone()).collect();
            self.rule.groups.push(GroupDef { name: "default".into(), outs });
        }
        if problems.count() == problems_before {
            self.check_whole(problems);
        }
        self.rule
    }

    fn check_groups(&self, problems: &mut Problems) {
        let names: Vec<&str> = self.rule.outs.iter().map(|out| out.name.as_str()).collect();
        for group in &self.rule.groups {
            let mut fault = |code, message: String, hint| {
                let problem = Diagnostic::error(code, message).at(&self.rule.anchor);
                problems.push(problem.maybe_hint(hint));
            };
            if names.contains(&group.name.as_str()) {
                let message = format!("`{}` is an output and a group", group.name);
                fault(DUPLICATE_NAME, message, None);
            }
            for out in group.outs.iter().filter(|out| !names.contains(&out.as_str())) {
                let message = format!("group `{}` has no output `{out}` to hold", group.name);
                fault(UNKNOWN_OUTPUT, message, did_you_mean(out, names.iter().copied()));
            }
        }
    }

    fn check_whole(&self, problems: &mut Problems) {
        let rule = &self.rule;
        let noun = if self.free { "task" } else { "rule" };
        if rule.body == Body::Free {
            let message = format!("the {noun} does not say what to run");
            let problem = Diagnostic::error(NO_ACTION, message).at(&rule.anchor);
            problems.push(problem.hint("add a `run` or a `script`"));
        } else if rule.outs.is_empty() {
            let message = format!("the {noun} declares no output");
            let problem = Diagnostic::error(NO_OUTPUT, message).at(&rule.anchor);
            problems.push(problem.hint("add an `out`: what a command makes is what it is run for"));
        }
        if !self.free {
            problems.0.extend(rule_check::check(rule));
        }
    }
}

fn twice(node: &Node, action: bool) -> Diagnostic {
    if action {
        Diagnostic::error(TWO_ACTIONS, "there is a `run` or `script` already")
            .at(&node.anchor)
            .hint("make two targets, or one script")
    } else {
        Diagnostic::error(REPEATED_ATTRIBUTE, format!("`{}` is given twice", node.name))
            .at(&node.anchor)
    }
}

/// The implicit attribute of a seeded rule.
fn seed(rule: &RuleDef) -> AttrDef {
    let zero = Value { scalar: Scalar::Int(0), annotation: None, anchor: rule.anchor.clone() };
    AttrDef {
        name: "seed".into(),
        ty: AttrType::Int,
        shape: Shape::Single,
        doc: Some("What the result depends on beside its inputs.".into()),
        optional: false,
        default: Some(vec![zero]),
        min: None,
        max: None,
        values: Vec::new(),
        media: None,
        anchor: rule.anchor.clone(),
    }
}

/// The file's stem with what no name may have made `_`.
fn name_of_path(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    let stem =
        file.rsplit_once('.').map_or(file, |(stem, _)| if stem.is_empty() { file } else { stem });
    let name: String = stem
        .chars()
        .filter(|c| !matches!(c, '{' | '}'))
        .map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '_' })
        .collect();
    if name.is_empty() { "out".into() } else { name }
}

fn out_is_tree(node: &Node, problems: &mut Problems) -> bool {
    let Some(value) = read::prop(node, "type") else { return false };
    match value.text() {
        Some("tree") => true,
        Some("file") => false,
        _ => {
            problems.push(read::wrong_type(value, "`file` or `tree`"));
            false
        }
    }
}

fn results(node: &Node, problems: &mut Problems) -> Results {
    match read::text_arg(node, "`deterministic`, `seeded` or `sampled`", problems) {
        Some("seeded") => Results::Seeded,
        Some("sampled") => Results::Sampled,
        Some("deterministic") | None => Results::Deterministic,
        Some(other) => {
            let names = ["deterministic", "seeded", "sampled"];
            let message = format!("`results` cannot be `{other}`");
            let hint = did_you_mean(other, names)
                .unwrap_or_else(|| format!("it is one of {}", read::list(&names)));
            problems
                .push(Diagnostic::error(NOT_IN_ENUM, message).at(&node.args[0].anchor).hint(hint));
            Results::Deterministic
        }
    }
}

fn timeout(node: &Node, problems: &mut Problems) -> Option<std::time::Duration> {
    let text = read::text_arg(node, "a duration such as `\"5m\"`", problems)?;
    let duration = units::duration(text).filter(|duration| !duration.is_zero());
    if duration.is_none() {
        let problem = Diagnostic::error(WRONG_UNIT, format!("`{text}` is no time to wait"));
        problems.push(problem.at(&node.args[0].anchor).hint("write it as `30s`, `5m` or `1h`"));
    }
    duration
}

/// A `resource` node: a name and how much of it, 1 if it does not say.
pub(crate) fn resource(node: &Node, limits: &mut Limits, problems: &mut Problems) {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    let Some(first) = node.args.first() else {
        let _ = read::one_arg(node, "the resource's name", problems);
        return;
    };
    let Some(name) = read::text(first, "the resource's name", problems) else { return };
    if !read::check_name(name, first, problems) {
        return;
    }
    let amount = match node.args.get(1) {
        Some(value) => read::count(value, problems),
        None => Some(1),
    };
    if let Some(extra) = node.args.get(2) {
        let message = "`resource` takes a name and an amount";
        problems.push(Diagnostic::error(BAD_NODE, message).at(&extra.anchor));
    }
    limits.resources.extend(amount.map(|amount| (name.to_owned(), amount)));
}

/// An `env` node: one child or property for each variable.
pub(crate) fn env(node: &Node, env: &mut BTreeMap<String, Template>, problems: &mut Problems) {
    read::no_args(node, problems);
    let mut pairs: Vec<(&str, &Value)> =
        node.props.iter().map(|(name, value)| (name.as_str(), value)).collect();
    for child in &node.children {
        read::only_props(child, &[], problems);
        read::no_children(child, problems);
        let value = read::one_arg(child, "the variable's value", problems);
        pairs.extend(value.map(|value| (child.name.as_str(), value)));
    }
    for (name, value) in pairs {
        if !is_variable(name) {
            let message = format!("`{name}` is no environment variable that a task may set");
            let problem = Diagnostic::error(WRONG_TYPE, message).at(&value.anchor);
            problems.push(problem.hint("PATH, HOME, TMPDIR and the like are set for every task"));
            continue;
        }
        let Some(template) = env_value(value, problems) else { continue };
        if env.insert(name.into(), template).is_some() {
            let message = format!("`{name}` is given twice");
            problems.push(Diagnostic::error(REPEATED_ATTRIBUTE, message).at(&value.anchor));
        }
    }
}

fn env_value(value: &Value, problems: &mut Problems) -> Option<Template> {
    match &value.scalar {
        Scalar::Int(number) => Some(Template::plain(&number.to_string(), &value.anchor)),
        Scalar::Float(number) => Some(Template::plain(&number.0.to_string(), &value.anchor)),
        _ => template(value, problems),
    }
}

fn is_variable(name: &str) -> bool {
    let fixed = ["PATH", "HOME", "TMPDIR", "PWD", "SOURCE_DATE_EPOCH", "LD_PRELOAD"];
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !fixed.contains(&name)
}

fn template_arg(node: &Node, problems: &mut Problems) -> Option<Template> {
    template(read::one_arg(node, "an interpolation", problems)?, problems)
}

fn templates(values: &[Value], problems: &mut Problems) -> Vec<Template> {
    values.iter().filter_map(|value| env_value(value, problems)).collect()
}

/// `value` as a text with interpolations.
pub(crate) fn template(value: &Value, problems: &mut Problems) -> Option<Template> {
    read::no_annotation(value, problems);
    let text = read::text(value, "a text", problems)?;
    problems.take(Template::parse(text, &value.anchor))
}

/// The problem of a node that a `task` does not have.
pub(crate) fn unknown_task_node(name: &str, node: &Node) -> Diagnostic {
    let known: Vec<&str> =
        TASK_NODES.iter().chain(&schema::COMMON).copied().chain(["srcs"]).collect();
    Diagnostic::error(UNKNOWN_ATTRIBUTE, format!("`task` has no attribute `{name}`"))
        .at(&node.anchor)
        .maybe_hint(did_you_mean(name, known))
}
