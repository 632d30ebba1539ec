//! `WORKSPACE.kdl`: variables, profiles, allowed tools and resources of the whole workspace.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::codes::{BAD_NODE, DUPLICATE_NAME, RESERVED_NAME};
use crate::cost::Budgets;
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::WsPath;
use crate::media::KINDS;
use crate::placeholder::Placeholder;
use crate::read::{self, Problems};
use crate::rule::ToolchainDef;
use crate::rule_file::toolchain;
use crate::service::{self, Services};
use crate::syntax::{Node, Value, nodes};
use crate::vars::{VarDef, add_vars};

/// What `WORKSPACE.kdl` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkspaceDef {
    /// Its name.
    pub name: String,
    /// The file, for diagnostics that point at it.
    pub file: WsPath,
    /// Variables that hold everywhere.
    pub vars: Vec<VarDef>,
    /// Named sets of overrides.
    pub profiles: Vec<ProfileDef>,
    /// Programs that rules outside the built-in library may start.
    pub tools: BTreeSet<String>,
    /// Capacities by name.
    pub resources: BTreeMap<String, u32>,
    /// What stands in for missing files, by their media kind.
    pub placeholders: BTreeMap<String, Arc<Placeholder>>,
    /// Toolchains that stand in for those of the same name in rule files.
    pub toolchains: Vec<Arc<ToolchainDef>>,
    /// The services that rules may ask, those that are known everywhere among them.
    pub services: Services,
    /// What may be spent on them.
    pub budgets: Budgets,
}

/// A named set of overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileDef {
    /// Its name.
    pub name: String,
    /// Its overrides, in order.
    pub vars: Vec<ProfileVar>,
    /// Where it is declared.
    pub anchor: Anchor,
}

/// What a profile sets one variable to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProfileVar {
    /// The variable.
    pub name: String,
    /// Its value; several for a list.
    pub values: Vec<Value>,
    /// Where it is set.
    pub anchor: Anchor,
}

const NODES: [&str; 9] = [
    "budgets",
    "vars",
    "params",
    "profile",
    "tools",
    "resources",
    "toolchain",
    "placeholders",
    "services",
];

/// The workspace that `text` declares, and what is wrong with it.
pub fn workspace(file: &WsPath, text: &str) -> Checked<WorkspaceDef> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let (file, services) = (file.clone(), service::built_in());
    let mut workspace = WorkspaceDef { file, services, ..WorkspaceDef::default() };
    let mut seen: Option<&Node> = None;
    for node in &nodes {
        if node.name != "workspace" {
            read::unknown_child("WORKSPACE.kdl", node, &["workspace"], &mut problems);
        } else if let Some(first) = seen {
            problems.push(
                Diagnostic::error(DUPLICATE_NAME, "there is one `workspace` node")
                    .noted(&node.anchor, "again here")
                    .noted(&first.anchor, "first here"),
            );
        } else {
            seen = Some(node);
            workspace.read(node, &mut problems);
        }
    }
    if seen.is_none() && problems.0.is_empty() {
        let problem = Diagnostic::error(BAD_NODE, "the file declares no workspace");
        let hint = "write `workspace \"name\"`";
        problems.push(problem.at(&Anchor::file(workspace.file.clone())).hint(hint));
    }
    Checked { value: workspace, problems: problems.0 }
}

impl WorkspaceDef {
    fn read(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        if let Some(name) = read::text_arg(node, "the workspace's name", problems) {
            self.name = name.into();
        }
        for child in &node.children {
            match child.name.as_str() {
                "vars" | "params" => add_vars(child, &self.file, &mut self.vars, problems),
                "profile" => self.profile(child, problems),
                "tools" => self.allowed_tools(child, problems),
                "resources" => self.capacities(child, problems),
                "placeholders" => self.stand_ins(child, problems),
                "toolchain" => self.toolchains.extend(toolchain(child, problems).map(Arc::new)),
                "budgets" => self.budgets.read(child, problems),
                "services" => service::read(child, &mut self.services, problems),
                _ => read::unknown_child("`workspace`", child, &NODES, problems),
            }
        }
    }

    fn profile(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        let Some(name) = read::name_arg(node, "the profile's name", problems) else { return };
        if name == "preview" {
            let message = "no profile can be named `preview`";
            let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
            return problems.push(problem.hint("`vwfb preview` has a folder of that name"));
        }
        if let Some(first) = self.profiles.iter().find(|profile| profile.name == name) {
            let problem = Diagnostic::error(DUPLICATE_NAME, format!("two profiles named `{name}`"))
                .noted(&node.anchor, "again here");
            return problems.push(problem.noted(&first.anchor, "first here"));
        }
        let mut vars: Vec<ProfileVar> = Vec::new();
        for child in &node.children {
            read::only_props(child, &[], problems);
            read::no_children(child, problems);
            if child.args.is_empty() {
                let _ = read::one_arg(child, "the variable's value", problems);
            } else if let Some(first) = vars.iter().find(|var| var.name == child.name) {
                let first = Value { anchor: first.anchor.clone(), ..child.args[0].clone() };
                problems.push(read::repeated(&child.name, &child.args[0], &first));
            } else {
                let (name, values) = (child.name.clone(), child.args.clone());
                vars.push(ProfileVar { name, values, anchor: child.anchor.clone() });
            }
        }
        self.profiles.push(ProfileDef { name: name.into(), vars, anchor: node.anchor.clone() });
    }

    fn allowed_tools(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_args(node, problems);
        for child in &node.children {
            if child.name != "allow" {
                read::unknown_child("`tools`", child, &["allow"], problems);
                continue;
            }
            read::only_props(child, &[], problems);
            read::no_children(child, problems);
            for value in &child.args {
                self.tools.extend(read::text(value, "a program", problems).map(str::to_owned));
            }
        }
    }

    fn stand_ins(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_args(node, problems);
        for child in &node.children {
            read::only_props(child, &[], problems);
            read::no_children(child, problems);
            let Some(value) = read::one_arg(child, "a placeholder", problems) else { continue };
            let kind = child.name.as_str();
            if !KINDS.contains(&kind) {
                read::unknown_child("`placeholders`", child, &KINDS, problems);
                continue;
            }
            let folder = WsPath::root();
            let Some(placeholder) = problems.take(Placeholder::read(value, &folder)) else {
                continue;
            };
            if let Err(problem) = placeholder.check_kind(kind, &value.anchor) {
                problems.push(problem);
            } else if self.placeholders.insert(kind.to_owned(), Arc::new(placeholder)).is_some() {
                let message = format!("`{kind}` has two placeholders");
                problems.push(Diagnostic::error(DUPLICATE_NAME, message).at(&child.anchor));
            }
        }
    }

    fn capacities(&mut self, node: &Node, problems: &mut Problems) {
        read::only_props(node, &[], problems);
        read::no_args(node, problems);
        for child in &node.children {
            read::only_props(child, &[], problems);
            read::no_children(child, problems);
            let Some(value) = read::one_arg(child, "how much of it there is", problems) else {
                continue;
            };
            let Some(amount) = read::count(value, problems) else { continue };
            if self.resources.insert(child.name.clone(), amount).is_some() {
                let message = format!("resource `{}` is declared twice", child.name);
                problems.push(Diagnostic::error(DUPLICATE_NAME, message).at(&child.anchor));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Checked<WorkspaceDef> {
        workspace(&WsPath::new("WORKSPACE.kdl").unwrap(), text)
    }

    #[test]
    fn a_workspace_has_its_parts() {
        let Checked { value, problems } = checked(
            "workspace \"films\" {\n vars { voice \"en-us\"; accent \"#00d4ff\" }\n profile \"draft\" { width 540 }\n tools { allow \"sox\" \"awk\" }\n resources { cpu 2; tts 1 }\n}",
        );
        assert_eq!(problems, []);
        assert_eq!(value.name, "films");
        assert_eq!(value.vars.len(), 2);
        assert_eq!(value.profiles[0].vars[0].name, "width");
        assert!(value.tools.contains("sox") && value.tools.contains("awk"));
        assert_eq!(value.resources["tts"], 1);
    }

    #[test]
    fn what_is_wrong_is_found_at_once() {
        let problems = checked(
            "workspace \"w\" {\n vras { a 1 }\n resources { cpu \"two\" }\n vars { a 1; a 2 }\n}\nextra",
        )
        .problems;
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, ["unknown-node", "wrong-type", "duplicate-name", "unknown-node"]);
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `vars`?"));
    }
}
