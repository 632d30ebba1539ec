//! Templates: typed macros, each use of which expands to the targets in its braces.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::binding::{Binding, Fields};
use crate::block::Block;
use crate::codes::{BAD_NODE, DUPLICATE_NAME, RESERVED_NAME, UNKNOWN_ATTRIBUTE};
use crate::core_rules;
use crate::declare::given_attrs;
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::frame::{Face, Frame, Placed};
use crate::label::WsPath;
use crate::package::RESERVED_NODES;
use crate::read::{self, Problems};
use crate::rule::{AttrDef, AttrType, Shape};
use crate::schema;
use crate::syntax::Node;
use crate::value::AttrValue;
use crate::vars::Vars;

/// A template, as its `template` node defines it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateDef {
    /// Its name, the node name of its uses.
    pub name: String,
    /// What it is for, for people.
    pub doc: Option<String>,
    /// The file that defines it.
    pub file: WsPath,
    /// Where in it.
    pub anchor: Anchor,
    /// Its attributes, in order.
    pub attrs: Vec<AttrDef>,
    /// What each use of it expands to.
    pub block: Arc<Block>,
}

/// The template that a `template` node defines.
pub(crate) fn template(node: &Node, file: &WsPath, problems: &mut Problems) -> Option<TemplateDef> {
    let name = read::name_arg(node, "the template's name", problems)?;
    read::only_props(node, &[], problems);
    if RESERVED_NODES.contains(&name) || core_rules::is_core(name) {
        let message = format!("`{name}` cannot be the name of a template");
        let problem = Diagnostic::error(RESERVED_NAME, message).at(&node.args[0].anchor);
        problems.push(problem.hint("the language has a node of this name"));
        return None;
    }
    let mut attrs: Vec<AttrDef> = Vec::new();
    let (mut doc, mut block) = (None, Block::default());
    let mut seen: Option<&Node> = None;
    for child in &node.children {
        match child.name.as_str() {
            "doc" => doc = read::text_arg(child, "a text", problems).map(Into::into),
            "attr" => {
                let folder = file.parent().unwrap_or_default();
                let attr = schema::attr(child, &folder, problems);
                if let Some(attr) = attr.filter(|attr| is_bindable(attr, problems)) {
                    add(&mut attrs, attr, problems);
                }
            }
            "targets" => {
                if let Some(first) = seen.replace(child) {
                    let twice = Diagnostic::error(DUPLICATE_NAME, "`targets` is there twice");
                    let twice = twice.noted(&child.anchor, "again here");
                    problems.push(twice.noted(&first.anchor, "first here"));
                }
                read::no_args(child, problems);
                read::only_props(child, &[], problems);
                child.children.iter().for_each(|target| block.read(target.clone(), problems));
            }
            _ => {
                let known = ["doc", "attr", "targets"];
                read::unknown_child("`template`", child, &known, problems);
            }
        }
    }
    if block.members.is_empty() {
        let message = format!("the template `{name}` has no targets");
        let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
        problems.push(problem.hint("put them into `targets { ... }`"));
        return None;
    }
    let (name, anchor) = (name.to_owned(), node.anchor.clone());
    Some(TemplateDef { name, doc, file: file.clone(), anchor, attrs, block: Arc::new(block) })
}

fn add(attrs: &mut Vec<AttrDef>, attr: AttrDef, problems: &mut Problems) {
    match attrs.iter().find(|other| other.name == attr.name) {
        Some(first) => problems.push(
            Diagnostic::error(DUPLICATE_NAME, format!("`{}` is declared twice", attr.name))
                .noted(&attr.anchor, "again here")
                .noted(&first.anchor, "first here"),
        ),
        None => attrs.push(attr),
    }
}

/// Whether braces can stand for the values of `attr`.
fn is_bindable(attr: &AttrDef, problems: &mut Problems) -> bool {
    let what = match (attr.ty, attr.shape) {
        (AttrType::Secret, _) => "a secret",
        (_, Shape::Map) => "a map",
        _ => return true,
    };
    let message = format!("a template's attribute cannot be {what}");
    let problem = Diagnostic::error(BAD_NODE, message).at(&attr.anchor);
    problems.push(problem.hint("its targets cannot interpolate it"));
    false
}

/// Where the targets of `template` stand that its use `placed` expands to; nothing, without a
/// problem, if `when` switches it off, and nothing if it has errors.
pub fn expand(
    placed: &Placed,
    template: &TemplateDef,
    vars: Option<&Vars>,
) -> Checked<Option<Frame>> {
    let frame = &placed.frame;
    let Checked { value, mut problems } = given_attrs(placed, template, vars);
    for (name, anchor) in value.iter().flat_map(|given| &given.common) {
        if name != "when" {
            let message = format!("the use of a template has no `{name}`");
            let problem = Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(anchor);
            problems.push(frame.traced(problem.hint("give it to the targets in the template")));
        }
    }
    let Some(given) = value.filter(|_| problems.is_empty()) else {
        return Checked { value: None, problems };
    };
    let is_off = given.settings.get("when") == Some(&AttrValue::Bool(false));
    if is_off {
        return Checked { value: None, problems };
    }
    let outer = Frame {
        file: template.file.clone(),
        folder: template.file.parent().unwrap_or_default(),
        instance: None,
        ..Frame::clone(frame)
    };
    let bindings = bindings(template, &given.attrs);
    match outer.of_use(placed, &template.block, Arc::new(bindings)) {
        Ok(inside) => {
            let face = template.block.last().map(|last| {
                let (folder, name) = placed.face();
                Face { member: Arc::clone(&last.name), folder, name: Arc::clone(name) }
            });
            Checked::clean(Some(Frame { face, ..inside }))
        }
        Err(problem) => Checked { value: None, problems: vec![problem] },
    }
}

fn bindings(template: &TemplateDef, attrs: &BTreeMap<String, AttrValue>) -> Fields {
    let bound = |attr: &AttrDef| {
        let unset = || Binding {
            list: attr.shape == Shape::List,
            file: attr.ty.is_file(),
            ..Binding::default()
        };
        let binding = attrs.get(&attr.name).map_or_else(unset, Binding::of_value);
        (attr.name.clone().into(), binding)
    };
    template.attrs.iter().map(bound).collect()
}

/// The use of a template as a target has it: its attributes, and settings that every target takes.
pub(crate) struct GivenAttrs {
    pub(crate) attrs: BTreeMap<String, AttrValue>,
    pub(crate) settings: BTreeMap<String, AttrValue>,
    /// The settings that are given.
    pub(crate) common: Vec<(String, Anchor)>,
}
