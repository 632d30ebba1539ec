//! Rule files: the `rule`, `toolchain`, `prelude`, `attrs` and `use` nodes of one file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codes::{
    BAD_NAME, BAD_NODE, BAD_PATH, DUPLICATE_NAME, DUPLICATE_RULE, MISSING_RULE_FILE, RESERVED_NAME,
    UNDECLARED_TOOL, UNKNOWN_PRELUDE,
};
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::WsPath;
use crate::library;
use crate::read::{self, Problems};
use crate::rule::{AttrDef, Body, NameUse, PreludeDef, RuleDef, ToolchainDef};
use crate::rule_reader;
use crate::schema;
use crate::suggest::{did_you_mean, nearest};
use crate::syntax::{Node, nodes};
use crate::template::{self, TemplateDef};
use crate::tools::{self, is_program};
use crate::typed::bad_label;

/// What a rule file defines.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RuleFile {
    /// The file; `@std/...` for the built-in library.
    pub file: WsPath,
    /// The rule files whose toolchains and preludes its rules may name.
    pub uses: Vec<UseDef>,
    /// Its rules, in order; of two with one name only the first.
    pub rules: Vec<Arc<RuleDef>>,
    /// Its templates, in order; of two with one name only the first.
    pub templates: Vec<Arc<TemplateDef>>,
    /// Its toolchains, in order; of two with one name only the first.
    pub toolchains: Vec<Arc<ToolchainDef>>,
    /// Its preludes, in order; of two with one name only the first.
    pub preludes: Vec<Arc<PreludeDef>>,
    /// The attributes that several of its rules have, by the name of the set.
    attr_sets: BTreeMap<String, AttrSet>,
}

/// Attributes under one name.
#[derive(Debug, Clone, PartialEq, Eq)]
struct AttrSet {
    attrs: Vec<AttrDef>,
    anchor: Anchor,
}

/// A `use` node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UseDef {
    /// The rule file.
    pub path: WsPath,
    /// Where it is named.
    pub anchor: Anchor,
}

/// What may stand at the top of a rule file.
pub(crate) const ITEMS: [&str; 6] = ["use", "rule", "template", "toolchain", "prelude", "attrs"];

/// The rules of `text`, and what is wrong with it.
pub fn rule_file(file: &WsPath, text: &str) -> Checked<RuleFile> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let mut rules = RuleFile::new(file.clone());
    for node in &nodes {
        if !rules.read(node, &mut problems) {
            read::unknown_child("a rule file", node, &ITEMS, &mut problems);
        }
    }
    rules.check_programs(&mut problems);
    Checked { value: rules, problems: problems.0 }
}

impl RuleFile {
    /// The empty rule file at `file`.
    pub(crate) fn new(file: WsPath) -> Self {
        Self { file, ..Self::default() }
    }

    /// Notes programs that a rule runs and does not declare. Where a toolchain may come from
    /// another file, its programs are not known here and nothing is said.
    pub(crate) fn check_programs(&self, problems: &mut Problems) {
        for rule in self.rules.iter().flat_map(|rule| rule.variants()) {
            let Body::Run { program, anchor, .. } = &rule.body else { continue };
            let named = |tool: &NameUse| {
                let toolchain = self.toolchains.iter().find(|known| known.name == tool.name);
                toolchain.map_or_else(
                    || tool.name == *program || !self.uses.is_empty(),
                    |toolchain| toolchain.programs.iter().any(|known| is_program(known, program)),
                )
            };
            if !tools::is_base(program) && !rule.tools.iter().any(named) {
                let message = format!("`{}` runs `{program}` and does not declare it", rule.name);
                let problem = Diagnostic::error(UNDECLARED_TOOL, message).at(anchor);
                let problem = problem.hint(format!("add `tool \"{program}\"` to the rule"));
                problems.push_once(problem);
            }
        }
    }

    /// Takes `node` in; says whether it is one for a rule file.
    pub(crate) fn read(&mut self, node: &Node, problems: &mut Problems) -> bool {
        match node.name.as_str() {
            "use" => self.uses.extend(read_use(node, &self.file, problems)),
            "rule" => {
                if let Some(rule) = rule_reader::rule(node, self, problems) {
                    self.add_rule(rule, problems);
                }
            }
            "template" => {
                if let Some(template) = template::template(node, &self.file, problems) {
                    self.add_template(template, problems);
                }
            }
            "toolchain" => {
                if let Some(toolchain) = toolchain(node, problems) {
                    self.add_toolchain(toolchain, problems);
                }
            }
            "prelude" => {
                if let Some(prelude) = prelude(node, problems) {
                    self.add_prelude(prelude, problems);
                }
            }
            "attrs" => self.add_attrs(node, problems),
            _ => return false,
        }
        true
    }

    fn add_rule(&mut self, rule: RuleDef, problems: &mut Problems) {
        match self.rules.iter().find(|other| other.name == rule.name) {
            Some(first) => problems.push(duplicate_rule(&rule, &rule.anchor, first)),
            None => self.rules.push(Arc::new(rule)),
        }
    }

    fn add_template(&mut self, template: TemplateDef, problems: &mut Problems) {
        match self.templates.iter().find(|other| other.name == template.name) {
            Some(first) => {
                let places = (&template.anchor, &first.anchor);
                problems.push(duplicate_template(&template.name, places));
            }
            None => self.templates.push(Arc::new(template)),
        }
    }

    fn add_toolchain(&mut self, toolchain: ToolchainDef, problems: &mut Problems) {
        match self.toolchains.iter().find(|other| other.name == toolchain.name) {
            Some(first) => {
                let what = format!("toolchain `{}`", toolchain.name);
                problems.push(declared_twice(&what, (&toolchain.anchor, &first.anchor)));
            }
            None => self.toolchains.push(Arc::new(toolchain)),
        }
    }

    fn add_prelude(&mut self, prelude: PreludeDef, problems: &mut Problems) {
        match self.preludes.iter().find(|other| other.name == prelude.name) {
            Some(first) => {
                let what = format!("prelude `{}`", prelude.name);
                problems.push(declared_twice(&what, (&prelude.anchor, &first.anchor)));
            }
            None => self.preludes.push(Arc::new(prelude)),
        }
    }

    fn add_attrs(&mut self, node: &Node, problems: &mut Problems) {
        let Some(name) = read::name_arg(node, "the name of the attributes", problems) else {
            return;
        };
        read::only_props(node, &[], problems);
        let folder = self.file.parent().unwrap_or_default();
        let mut attrs = Vec::new();
        for child in &node.children {
            match child.name.as_str() {
                "attr" => attrs.extend(schema::attr(child, &folder, problems)),
                _ => read::unknown_child("`attrs`", child, &["attr"], problems),
            }
        }
        if let Some(first) = self.attr_sets.get(name) {
            let what = format!("`attrs \"{name}\"`");
            problems.push(declared_twice(&what, (&node.anchor, &first.anchor)));
            return;
        }
        self.attr_sets.insert(name.to_owned(), AttrSet { attrs, anchor: node.anchor.clone() });
    }

    /// The attributes of the sets that the node `attrs` of a rule names.
    pub(crate) fn attr_sets(&self, node: &Node, problems: &mut Problems) -> Vec<AttrDef> {
        let mut attrs = Vec::new();
        for set in rule_reader::names(node, "the name of attributes", problems) {
            match self.attr_sets.get(&set.name) {
                Some(known) => attrs.extend(known.attrs.iter().cloned()),
                None => {
                    let message = format!("there is no `attrs \"{}\"` above", set.name);
                    let names = self.attr_sets.keys().map(String::as_str);
                    let hint = did_you_mean(&set.name, names);
                    let problem = Diagnostic::error(UNKNOWN_PRELUDE, message).at(&set.anchor);
                    problems.push(problem.maybe_hint(hint));
                }
            }
        }
        attrs
    }
}

fn declared_twice(what: &str, (again, first): (&Anchor, &Anchor)) -> Diagnostic {
    Diagnostic::error(DUPLICATE_NAME, format!("{what} is declared twice"))
        .noted(again, "again here")
        .noted(first, "first here")
}

/// The problem of a template with the name of another one or of a rule, `again` and `first`.
pub(crate) fn duplicate_template(name: &str, (again, first): (&Anchor, &Anchor)) -> Diagnostic {
    Diagnostic::error(DUPLICATE_RULE, format!("`{name}` is defined twice"))
        .noted(again, "again here")
        .noted(first, "first here")
        .hint("rename one of them, or leave out its `use`")
}

/// The problem of two rules with one name, the second in sight through `anchor`.
pub(crate) fn duplicate_rule(rule: &RuleDef, anchor: &Anchor, first: &RuleDef) -> Diagnostic {
    let message = format!("rule `{}` is defined twice", rule.name);
    let hint = match rule.anchor == *anchor {
        true => "rename one of them",
        false => "rename one of them, or leave out this `use`",
    };
    Diagnostic::error(DUPLICATE_RULE, message)
        .noted(anchor, "again here")
        .noted(&first.anchor, "first here")
        .hint(hint)
}

fn read_use(node: &Node, file: &WsPath, problems: &mut Problems) -> Option<UseDef> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    let text = read::text_arg(node, "a rule file", problems)?;
    let anchor = node.args[0].anchor.clone();
    if let Some(name) = text.strip_prefix("@std/") {
        if library::names().all(|known| known != text) {
            let names = library::names().filter_map(|known| known.strip_prefix("@std/"));
            let hint = match nearest(name, names) {
                Some(near) => format!("did you mean `@std/{near}`?"),
                None => {
                    let names: Vec<&str> = library::names().collect();
                    format!("the built-in rule files are {}", read::list(&names))
                }
            };
            let message = format!("no built-in rule file `{text}`");
            problems.push(Diagnostic::error(MISSING_RULE_FILE, message).at(&anchor).hint(hint));
            return None;
        }
        return Some(UseDef { path: WsPath::new(text).ok()?, anchor });
    }
    if text.starts_with('@') {
        let message = format!("`{text}` names no library");
        let problem = Diagnostic::error(MISSING_RULE_FILE, message).at(&anchor);
        problems.push(problem.hint("the built-in library is `@std/...`"));
        return None;
    }
    if !text.ends_with(".kdl") {
        let problem = Diagnostic::error(BAD_PATH, format!("`{text}` is no rule file")).at(&anchor);
        problems.push(problem.hint("a rule file's name ends in `.kdl`"));
        return None;
    }
    let folder = file.parent().unwrap_or_default();
    let path = folder.join(text).map_err(|error| bad_label(&error, &anchor));
    Some(UseDef { path: problems.take(path)?, anchor })
}

/// The prelude that a `prelude` node declares.
fn prelude(node: &Node, problems: &mut Problems) -> Option<PreludeDef> {
    read::only_props(node, &[], problems);
    read::no_children(node, problems);
    let [name, text] = node.args.as_slice() else {
        let message = "`prelude` needs two arguments: its name and its shell functions";
        problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
        return None;
    };
    let text = read::text(text, "shell functions", problems)?.trim_end();
    let word = read::text(name, "the prelude's name", problems)?;
    read::check_name(word, name, problems).then(|| PreludeDef {
        name: word.to_owned(),
        text: format!("{text}\n"),
        anchor: node.anchor.clone(),
    })
}

/// The toolchain that a `toolchain` node declares.
pub(crate) fn toolchain(node: &Node, problems: &mut Problems) -> Option<ToolchainDef> {
    let name = read::name_arg(node, "the toolchain's name", problems)?;
    if name == tools::BASE {
        let message = format!("`{name}` cannot be the name of a toolchain");
        let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
        problems.push(problem.hint("it is that of `sh` and the coreutils"));
        return None;
    }
    read::only_props(node, &[], problems);
    let mut toolchain = ToolchainDef {
        name: name.into(),
        doc: None,
        programs: Vec::new(),
        data: Vec::new(),
        version: None,
        anchor: node.anchor.clone(),
    };
    for child in &node.children {
        match child.name.as_str() {
            "doc" => toolchain.doc = read::text_arg(child, "a text", problems).map(Into::into),
            "program" => toolchain.programs.extend(tool_paths(child, false, problems)),
            "data" => toolchain.data.extend(tool_paths(child, true, problems)),
            "version" => toolchain.version = tool_version(child, problems),
            _ => {
                let known = ["program", "data", "version", "doc"];
                read::unknown_child("`toolchain`", child, &known, problems);
                continue;
            }
        }
        read::only_props(child, &[], problems);
        read::no_children(child, problems);
    }
    if toolchain.programs.is_empty() {
        toolchain.programs.push(name.into());
    }
    Some(toolchain)
}

/// The version that stands for a toolchain in keys: not empty, on one line.
fn tool_version(node: &Node, problems: &mut Problems) -> Option<String> {
    let text = read::text_arg(node, "a version", problems)?;
    if text.is_empty() || text.contains(char::is_control) {
        let problem = Diagnostic::error(BAD_NAME, format!("{text:?} is no version"));
        problems.push(problem.at(&node.args[0].anchor));
        return None;
    }
    Some(text.to_owned())
}

/// The programs or data of a toolchain: names on PATH (programs only), absolute or `//` paths.
fn tool_paths(node: &Node, absolute: bool, problems: &mut Problems) -> Vec<String> {
    let mut paths = Vec::new();
    for value in &node.args {
        let Some(text) = read::text(value, "a path", problems) else { continue };
        let relative = text.contains('/') && !text.starts_with('/');
        let leaves = text.split('/').any(|part| part == "..");
        if relative || leaves || text.is_empty() || (absolute && !text.starts_with('/')) {
            let message = format!("`{text}` is neither an absolute path nor a `//` path");
            problems.push(Diagnostic::error(BAD_PATH, message).at(&value.anchor));
        } else {
            paths.push(text.to_owned());
        }
    }
    paths
}
