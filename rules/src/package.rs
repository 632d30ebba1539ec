//! `BUILD.kdl`: the targets of one package, read but not yet typed.

use std::collections::HashMap;
use std::sync::Arc;

use crate::codes::{BAD_NODE, BAD_PACKAGE_NAME, DUPLICATE_TARGET, RESERVED_NAME};
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::{WsPath, check_package};
use crate::read::{self, Problems};
use crate::rule_file::RuleFile;
use crate::syntax::{Node, nodes};
use crate::vars::{VarDef, add_vars};

/// What a `BUILD.kdl` says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PackageDef {
    /// Its folder.
    pub package: WsPath,
    /// The file.
    pub file: WsPath,
    /// Its own rules, toolchains and `use` nodes.
    pub own: Arc<RuleFile>,
    /// Its variables.
    pub vars: Vec<VarDef>,
    /// Its targets, in order; of two with one name only the first.
    pub targets: Vec<Arc<TargetDef>>,
    /// Name -> its place among them.
    places: HashMap<String, usize>,
}

impl PackageDef {
    /// The target `name`.
    pub fn target(&self, name: &str) -> Option<&Arc<TargetDef>> {
        self.places.get(name).map(|place| &self.targets[*place])
    }
}

/// A target as written. It stays equal while its own node does, whatever else changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetDef {
    /// Its name.
    pub name: String,
    /// The rule it names.
    pub rule: String,
    /// Its node.
    pub node: Node,
}

impl TargetDef {
    /// Where it is.
    pub const fn anchor(&self) -> &Anchor {
        &self.node.anchor
    }
}

/// The nodes of a `BUILD.kdl` that are no targets, and those that later versions will have.
pub(crate) const RESERVED_NODES: [&str; 9] =
    ["use", "vars", "params", "rule", "toolchain", "template", "each", "matrix", "checkpoint"];

/// The package that `text` declares, and what is wrong with it.
pub fn package(file: &WsPath, text: &str) -> Checked<PackageDef> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let mut own = RuleFile { file: file.clone(), ..RuleFile::default() };
    let package = file.parent().unwrap_or_default();
    let mut def = PackageDef { package, file: file.clone(), ..PackageDef::default() };
    for node in nodes {
        match node.name.as_str() {
            "vars" | "params" => add_vars(&node, file, &mut def.vars, &mut problems),
            _ if own.read(&node, &mut problems) => {}
            _ => {
                let Some(target) = target(node, &mut problems) else { continue };
                match def.target(&target.name) {
                    Some(first) => problems.push(duplicate(&target, first)),
                    None => {
                        def.places.insert(target.name.clone(), def.targets.len());
                        def.targets.push(Arc::new(target));
                    }
                }
            }
        }
    }
    own.check_programs(&mut problems);
    def.own = Arc::new(own);
    Checked { value: def, problems: problems.0 }
}

/// What is wrong with the place of the `BUILD.kdl` at `file`, if its folder cannot be a package.
pub fn bad_package(file: &WsPath) -> Option<Diagnostic> {
    let error = check_package(&file.parent()?).err()?;
    let hint = "rename the folder, or move its BUILD.kdl up";
    let anchor = Anchor::file(file.clone());
    Some(Diagnostic::error(BAD_PACKAGE_NAME, error.to_string()).at(&anchor).hint(hint))
}

fn target(node: Node, problems: &mut Problems) -> Option<TargetDef> {
    let Some(value) = node.args.first() else {
        let message = format!("`{}` needs a name", node.name);
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("a target is written `rule \"name\"`"));
        return None;
    };
    let name = read::text(value, "the target's name", problems)?.to_owned();
    if !read::check_name(&name, value, problems) {
        return None;
    }
    if name == "all" {
        let problem = Diagnostic::error(RESERVED_NAME, "no target can be named `all`");
        problems.push(problem.at(&value.anchor).hint("`:all` means every target of the package"));
        return None;
    }
    if let Some(extra) = node.args.get(1) {
        let message = "a target has its name as its only argument";
        let problem = Diagnostic::error(BAD_NODE, message).at(&extra.anchor);
        problems.push(problem.hint("write attributes as `name=value` or in braces"));
    }
    Some(TargetDef { name, rule: node.name.clone(), node })
}

fn duplicate(again: &TargetDef, first: &TargetDef) -> Diagnostic {
    Diagnostic::error(DUPLICATE_TARGET, format!("two targets are named `{}`", again.name))
        .noted(&again.node.args[0].anchor, "again here")
        .noted(&first.node.args[0].anchor, "first here")
        .hint("rename one of them")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(text: &str) -> Checked<PackageDef> {
        package(&WsPath::new("shorts/BUILD.kdl").unwrap(), text)
    }

    #[test]
    fn a_package_has_targets_vars_and_uses() {
        let text = "use \"@std/video\"\nuse \"lib.kdl\"\nvars { x 1 }\ntts \"a\" text=\"a.txt\"\n";
        let Checked { value, problems } = checked(text);
        assert_eq!(problems, []);
        assert_eq!(value.package.as_str(), "shorts");
        assert_eq!(value.own.uses[1].path.as_str(), "shorts/lib.kdl");
        assert_eq!((value.targets[0].name.as_str(), value.targets[0].rule.as_str()), ("a", "tts"));
    }

    #[test]
    fn targets_need_names_of_their_own() {
        let problems = checked("task \"a\"\ntask \"a\"\ntask\ntask \"all\"\ntask \"a b\"").problems;
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code.as_str()).collect();
        assert_eq!(codes, ["duplicate-target", "bad-node", "reserved-name", "bad-name"]);
    }

    #[test]
    fn a_folder_must_be_able_to_stand_in_a_label() {
        let problem = |path: &str| bad_package(&WsPath::new(path).unwrap());
        assert_eq!(problem("shorts/BUILD.kdl"), None);
        assert_eq!(problem("BUILD.kdl"), None);
        let problem = problem("a:b/BUILD.kdl").unwrap();
        assert_eq!(problem.code, BAD_PACKAGE_NAME);
        assert!(problem.message.contains("`a:b` cannot be a package"));
    }

    #[test]
    fn an_unknown_library_file_is_named() {
        let problems = checked("use \"@std/vidoe\"").problems;
        assert_eq!(problems[0].hint.as_deref(), Some("did you mean `@std/video`?"));
    }

    #[test]
    fn a_target_stays_equal_when_others_change() {
        let before = checked("a \"x\" k=1\nb \"y\" { c \"{vars.z}\" }").value;
        let after = checked("// note\nn \"n\"\na \"x\"  k=2\nb \"y\" {\n c \"{vars.z}\"\n}").value;
        assert_eq!(before.target("y"), after.target("y"));
        assert_ne!(before.target("x"), after.target("x"));
    }
}
