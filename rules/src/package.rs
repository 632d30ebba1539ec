//! `BUILD.kdl`: the targets of one package, read but not yet typed.

use std::sync::Arc;

use crate::block::Block;
use crate::codes::BAD_PACKAGE_NAME;
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::{WsPath, check_package};
use crate::read::Problems;
use crate::rule_file::RuleFile;
use crate::syntax::nodes;
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
    /// Its targets.
    pub block: Arc<Block>,
}

/// The nodes of a `BUILD.kdl` that are no targets or more than one, and those that later versions
/// will have.
pub(crate) const RESERVED_NODES: [&str; 14] = [
    "use",
    "vars",
    "params",
    "rule",
    "toolchain",
    "prelude",
    "attrs",
    "template",
    "instance",
    "each",
    "matrix",
    "axis",
    "where",
    "exclude",
];

/// The package that `text` declares, and what is wrong with it.
pub fn package(file: &WsPath, text: &str) -> Checked<PackageDef> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let mut problems = Problems(problems);
    let mut own = RuleFile::new(file.clone());
    let package = file.parent().unwrap_or_default();
    let mut block = Block::default();
    let mut def = PackageDef { package, file: file.clone(), ..PackageDef::default() };
    for node in nodes {
        match node.name.as_str() {
            "vars" | "params" => add_vars(&node, file, &mut def.vars, &mut problems),
            _ if own.read(&node, &mut problems) => {}
            _ => block.read(node, &mut problems),
        }
    }
    own.check_programs(&mut problems);
    def.own = Arc::new(own);
    def.block = Arc::new(block);
    Checked { value: def, problems: problems.0 }
}

/// What is wrong with the place of the `BUILD.kdl` at `file`, if its folder cannot be a package.
pub fn bad_package(file: &WsPath) -> Option<Diagnostic> {
    let error = check_package(&file.parent()?).err()?;
    let hint = "rename the folder, or move its BUILD.kdl up";
    let anchor = Anchor::file(file.clone());
    Some(Diagnostic::error(BAD_PACKAGE_NAME, error.to_string()).at(&anchor).hint(hint))
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
        assert_eq!(
            (value.block.members[0].name.as_ref(), value.block.members[0].rule.as_str()),
            ("a", "tts")
        );
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
        assert_eq!(before.block.get("y"), after.block.get("y"));
        assert_ne!(before.block.get("x"), after.block.get("x"));
    }
}
