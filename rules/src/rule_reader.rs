//! The `rule` node, and the same nodes inside a `task`.

mod outs;
mod parts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

pub(crate) use parts::{env, no_time, number_or_template, resource};
use parts::{template, template_arg, templates, timeout};

use crate::cases::{self, Base};
use crate::codes::{
    BAD_NODE, DUPLICATE_NAME, NO_ACTION, NO_OUTPUT, NOT_IN_ENUM, REPEATED_ATTRIBUTE, RESERVED_NAME,
    TWO_ACTIONS, UNKNOWN_ATTRIBUTE, WRONG_TYPE,
};
use crate::core_rules;
use crate::cost;
use crate::diagnostic::Diagnostic;
use crate::interpolate::{Bound, Template};
use crate::label::WsPath;
use crate::package;
use crate::read::{self, Problems};
use crate::rule::{
    ArgGroup, AttrDef, AttrType, Body, GroupDef, Limits, NameUse, RuleDef, Shape, Stdio,
};
use crate::rule_check;
use crate::rule_file::RuleFile;
use crate::schema;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, Value};
use crate::task::Results;

/// The nodes of a rule.
pub(crate) const NODES: [&str; 26] = [
    "doc",
    "attr",
    "attrs",
    "out",
    "group",
    "tool",
    "prelude",
    "run",
    "script",
    "env",
    "resource",
    "timeout",
    "retries",
    "results",
    "expensive",
    "network",
    "service",
    "estimate",
    "terminal",
    "cpu-level",
    "stdin",
    "stdout",
    "stderr",
    "exit-codes",
    "keep-names",
    "version",
];

/// The nodes of a rule that a `task` has too, beside the attributes that every target takes.
pub(crate) const TASK_NODES: [&str; 19] = [
    "doc",
    "out",
    "group",
    "tool",
    "run",
    "script",
    "results",
    "expensive",
    "network",
    "service",
    "estimate",
    "terminal",
    "cpu-level",
    "stdin",
    "stdout",
    "stderr",
    "exit-codes",
    "keep-names",
    "version",
];

/// The shells that a script may be for: those that read quoted words alike.
const SHELLS: [&str; 5] = ["sh", "bash", "dash", "ksh", "zsh"];

/// The rule that a `rule` node of `file` defines, after what the file has above it.
pub(crate) fn rule(node: &Node, file: &RuleFile, problems: &mut Problems) -> Option<RuleDef> {
    let name = read::name_arg(node, "the rule's name", problems)?;
    read::only_props(node, &["version"], problems);
    let reserved = package::RESERVED_NODES.contains(&name) || core_rules::is_core(name);
    if reserved {
        let message = format!("`{name}` cannot be the name of a rule");
        let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
        problems.push(problem.hint("the language has a node of this name"));
    }
    let before = problems.count();
    let mut reader = RuleReader::new(empty_rule(name, &file.file, node), false);
    if let Some(value) = read::prop(node, "version") {
        reader.rule.version = read::count(value, problems).unwrap_or(1);
    }
    let mut cases = Vec::new();
    for child in &node.children {
        if child.name == "case" {
            cases.push(child);
        } else if NODES.contains(&child.name.as_str()) {
            reader.read_of(file, child, problems);
        } else {
            let known: Vec<&str> = NODES.into_iter().chain(["case"]).collect();
            read::unknown_child("`rule`", child, &known, problems);
        }
    }
    let rule = match cases.is_empty() {
        true => reader.finish(before, problems),
        false => {
            let sound = problems.count() == before;
            cases::whole(Base { reader, file, sound }, &cases, problems)
        }
    };
    (!reserved).then_some(rule)
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
        preludes: Vec::new(),
        env: BTreeMap::new(),
        stdio: Stdio::default(),
        limits: Limits::default(),
        results: Results::Deterministic,
        expensive: false,
        network: false,
        terminal: false,
        cpu_level: false,
        keep_names: false,
        service: None,
        estimate: BTreeMap::new(),
        cases: None,
        case: None,
    }
}

/// Fills in a rule, node by node.
#[derive(Clone)]
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

    /// What comes now is of a `case`, and goes over what the rule says for all of them.
    pub(crate) fn begin_case(&mut self) {
        self.seen.clear();
    }

    /// Takes in a node whose name is one of [`NODES`], of a rule in `file`.
    pub(crate) fn read_of(&mut self, file: &RuleFile, node: &Node, problems: &mut Problems) {
        if node.name != "attrs" {
            return self.read(node, problems);
        }
        for attr in file.attr_sets(node, problems) {
            self.add_attr(attr, problems);
        }
    }

    /// Takes in a node whose name is one of [`NODES`].
    pub(crate) fn read(&mut self, node: &Node, problems: &mut Problems) {
        let name = NODES.iter().find(|name| **name == node.name).copied().unwrap_or_default();
        let many =
            matches!(name, "attr" | "out" | "group" | "tool" | "prelude" | "env" | "resource");
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
            "tool" => self.rule.tools.extend(names(node, "a toolchain or program", problems)),
            "prelude" => self.rule.preludes.extend(names(node, "a prelude", problems)),
            "run" => self.run(node, problems),
            "script" => self.script(node, problems),
            "env" => env(node, &mut self.rule.env, problems),
            "estimate" => self.rule.estimate = cost::estimate(node, problems),
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
            "service" => {
                rule.service = service(node, problems);
                // Whoever asks a service needs the network.
                rule.network |= rule.service.is_some();
            }
            "terminal" => rule.terminal = read::flag_arg(node, problems).unwrap_or(false),
            "cpu-level" => rule.cpu_level = read::flag_arg(node, problems).unwrap_or(false),
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
        if node.args.is_empty() {
            let message = "`exit-codes` needs the codes that mean success";
            problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
        }
        self.rule.stdio.success_codes = Arc::new(codes);
    }

    fn attr(&mut self, node: &Node, problems: &mut Problems) {
        let folder = self.rule.file.parent().unwrap_or_default();
        if let Some(attr) = schema::attr(node, &folder, problems) {
            self.add_attr(attr, problems);
        }
    }

    fn add_attr(&mut self, attr: AttrDef, problems: &mut Problems) {
        match self.rule.attr(&attr.name) {
            Some(first) => problems.push(
                Diagnostic::error(DUPLICATE_NAME, format!("`{}` is declared twice", attr.name))
                    .noted(&attr.anchor, "again here")
                    .noted(&first.anchor, "first here"),
            ),
            None => self.rule.attrs.push(attr),
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
            self.rule.tools.push(NameUse { name: name.into(), anchor: program.anchor.clone() });
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
                self.rule.tools.push(NameUse { name: shell.into(), anchor });
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

    fn check_whole(&self, problems: &mut Problems) {
        let rule = &self.rule;
        let noun = if self.free { "task" } else { "rule" };
        if rule.body == Body::Free {
            let message = format!("the {noun} does not say what to run");
            let problem = Diagnostic::error(NO_ACTION, message).at(&rule.anchor);
            problems.push(problem.hint("add a `run` or a `script`"));
        } else if let (false, Some(prelude)) =
            (matches!(rule.body, Body::Script { .. }), rule.preludes.first())
        {
            let message = format!("`{}` has no script that could begin with a prelude", rule.name);
            problems.push(Diagnostic::error(BAD_NODE, message).at(&prelude.anchor));
        } else if rule.outs.is_empty() {
            let message = format!("the {noun} declares no output");
            let problem = Diagnostic::error(NO_OUTPUT, message).at(&rule.anchor);
            problems.push(problem.hint("add an `out`: what a command makes is what it is run for"));
        }
        self.check_tools(problems);
        self.check_extents(problems);
        if !self.free {
            problems.0.extend(rule_check::check(rule, &Bound::default()));
        }
    }
}

impl RuleReader {
    /// Notes what sizes and lengths of placeholders name that is no attribute.
    /// What holds the names of tools or of a service is an attribute of texts.
    fn check_tools(&self, problems: &mut Problems) {
        for tool in self.rule.tools.iter().chain(&self.rule.service) {
            let Some(name) = tool.attribute() else { continue };
            let problem = match self.rule.attr(name) {
                Some(attr) if attr.ty == AttrType::Text && attr.shape != Shape::Map => continue,
                Some(_) => {
                    let message = format!("`{name}` holds no names");
                    Diagnostic::error(WRONG_TYPE, message)
                        .hint("it is to be of the type `string`, a single one or a list")
                }
                None => {
                    let message = format!("`{}` has no attribute `{name}`", self.rule.name);
                    let known = self.rule.attrs.iter().map(|attr| attr.name.as_str());
                    let hint = did_you_mean(name, known);
                    Diagnostic::error(UNKNOWN_ATTRIBUTE, message).maybe_hint(hint)
                }
            };
            problems.push(problem.at(&tool.anchor));
        }
    }

    fn check_extents(&self, problems: &mut Problems) {
        let rule = &self.rule;
        let of_attrs = rule.attrs.iter().map(|attr| (&attr.extent, &attr.anchor));
        let of_outs = rule.outs.iter().map(|out| (&out.extent, &out.anchor));
        for (extent, anchor) in of_attrs.chain(of_outs) {
            let sizes = extent.size.iter().flat_map(Template::fields).map(|path| path[0].as_str());
            for name in sizes.chain(extent.length.as_deref()) {
                if rule.attr(name).is_some() {
                    continue;
                }
                let message = format!("`{}` has no attribute `{name}`", rule.name);
                let names = rule.attrs.iter().map(|attr| attr.name.as_str());
                let problem = Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(anchor);
                problems.push(problem.maybe_hint(did_you_mean(name, names)));
            }
        }
    }
}

/// The names that are the arguments of `node`, each `what`; there is at least one.
pub(crate) fn names(node: &Node, what: &str, problems: &mut Problems) -> Vec<NameUse> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    if node.args.is_empty() {
        let _ = read::one_arg(node, what, problems);
    }
    let name = |value: &Value| {
        let name = read::text(value, what, problems)?.to_owned();
        Some(NameUse { name, anchor: value.anchor.clone() })
    };
    node.args.iter().filter_map(name).collect()
}

/// The service that a rule asks: its name, or the attribute in braces that holds it.
fn service(node: &Node, problems: &mut Problems) -> Option<NameUse> {
    let value = read::one_arg(node, "a service's name", problems)?;
    let name = read::text(value, "a service's name", problems)?.to_owned();
    Some(NameUse { name, anchor: value.anchor.clone() })
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
        doc: Some("What the result depends on beside its inputs.".into()),
        default: Some(vec![zero]),
        ..AttrDef::plain("seed", AttrType::Int, &rule.anchor)
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

/// The problem of a node that a `task` does not have.
pub(crate) fn unknown_task_node(name: &str, node: &Node) -> Diagnostic {
    let known: Vec<&str> =
        TASK_NODES.iter().chain(&schema::COMMON).copied().chain(["srcs"]).collect();
    Diagnostic::error(UNKNOWN_ATTRIBUTE, format!("`task` has no attribute `{name}`"))
        .at(&node.anchor)
        .maybe_hint(did_you_mean(name, known))
}
