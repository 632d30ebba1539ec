//! The outputs of a rule and their groups.

use super::RuleReader;
use super::parts::template;
use crate::codes::{BAD_NODE, DUPLICATE_NAME, UNKNOWN_OUTPUT};
use crate::diagnostic::Diagnostic;
use crate::interpolate::Template;
use crate::read::{self, Problems};
use crate::rule::{GroupDef, OutDef};
use crate::schema;
use crate::suggest::did_you_mean;
use crate::syntax::Node;

impl RuleReader {
    pub(super) fn out(&mut self, node: &Node, problems: &mut Problems) {
        let Some(name) = read::name_arg(node, "the output's name", problems) else { return };
        read::only_props(node, &["path", "type", "media", "doc", "size", "length"], problems);
        let Some(path) = read::prop(node, "path") else {
            let problem = Diagnostic::error(BAD_NODE, "an output needs a path").at(&node.anchor);
            problems.push(problem.hint(format!("write `path=\"{{name}}.{name}\"`")));
            return;
        };
        let Some(path) = template(path, problems) else { return };
        self.add_out(name.into(), path, node, problems);
    }

    /// In a `task` the arguments are paths; `name=` names the only one.
    pub(super) fn free_out(&mut self, node: &Node, problems: &mut Problems) {
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
            extent: schema::extent(node, problems),
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

    pub(super) fn group(&mut self, node: &Node, problems: &mut Problems) {
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

    pub(super) fn check_groups(&self, problems: &mut Problems) {
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
