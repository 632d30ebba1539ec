//! What a target's node says about each attribute, before types and interpolation.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::cases::Case;
use crate::codes::{BAD_NODE, UNKNOWN_ATTRIBUTE, UNKNOWN_PROPERTY};
use crate::diagnostic::{Anchor, Diagnostic, Spot};
use crate::interpolate::Template;
use crate::read::{self, Problems, repeated};
use crate::rule::{AttrDef, AttrType, Limits, RuleDef, Shape};
use crate::rule_reader;
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Scalar, Value};

/// The attributes of one target as written.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) attrs: BTreeMap<String, GivenAttr>,
    pub(super) env: BTreeMap<String, Template>,
    pub(super) limits: Limits,
}

/// One attribute as written.
#[derive(Debug)]
pub(super) struct GivenAttr {
    /// Its values; for a map with their keys.
    pub(super) values: Vec<GivenValue>,
    /// Whether it is a property, which no node may add to.
    prop: bool,
    /// Where it is given first.
    pub(super) anchor: Anchor,
}

/// One value as written.
#[derive(Debug, Clone)]
pub(super) struct GivenValue {
    pub(super) key: Option<String>,
    pub(super) value: Value,
    pub(super) options: Options,
}

/// What the properties of a node say of each of its values.
#[derive(Debug, Clone, Default)]
pub(super) struct Options {
    /// Whether a glob may match nothing.
    pub(super) allow_empty: bool,
    /// What stands in for a file while it is missing.
    pub(super) placeholder: Option<Value>,
}

impl Given {
    /// What `nodes` (properties are nodes with one argument here) say, given the attributes there
    /// are.
    pub(super) fn new(
        nodes: &Nodes<'_>,
        rule: &RuleDef,
        common: &[AttrDef],
        problems: &mut Problems,
    ) -> Self {
        let mut given = Self::default();
        for (node, prop) in nodes {
            match node.name.as_str() {
                "env" => rule_reader::env(node, &mut given.env, problems),
                "resource" => rule_reader::resource(node, &mut given.limits, problems),
                name => {
                    let attr =
                        rule.attr(name).or_else(|| common.iter().find(|attr| attr.name == name));
                    match attr {
                        Some(attr) => given.add(attr, node, *prop, problems),
                        None => problems.push(unknown(node, rule)),
                    }
                }
            }
        }
        given
    }

    fn add(&mut self, attr: &AttrDef, node: &Node, prop: bool, problems: &mut Problems) {
        let values = values(attr, node, problems);
        let anchor = if prop { node.args[0].anchor.clone() } else { node.anchor.clone() };
        match self.attrs.get_mut(&attr.name) {
            None => {
                self.attrs.insert(attr.name.clone(), GivenAttr { values, prop, anchor });
            }
            Some(first) if attr.shape == Shape::List && !prop && !first.prop => {
                first.values.extend(values);
            }
            Some(first) => {
                let blank = |anchor: &Anchor| Value {
                    scalar: Scalar::Null,
                    annotation: None,
                    anchor: anchor.clone(),
                };
                problems.push(repeated(&attr.name, &blank(&anchor), &blank(&first.anchor)));
            }
        }
    }
}

/// Nodes of a target, with whether each is a property.
pub(super) type Nodes<'a> = Vec<(Cow<'a, Node>, bool)>;

/// The nodes of a target, its properties first.
pub(super) fn nodes_of(target: &Node) -> Nodes<'_> {
    let props = target.props.iter().map(|(name, value)| {
        let node = Node {
            name: name.clone(),
            args: vec![value.clone()],
            props: Vec::new(),
            children: Vec::new(),
            anchor: value.anchor.clone(),
        };
        (Cow::Owned(node), true)
    });
    props.chain(target.children.iter().map(|child| (Cow::Borrowed(child), false))).collect()
}

fn values(attr: &AttrDef, node: &Node, problems: &mut Problems) -> Vec<GivenValue> {
    if attr.shape == Shape::Map {
        return map_values(node, problems);
    }
    read::no_children(node, problems);
    let options = options(attr, node, problems);
    if attr.ty == AttrType::Bool && node.args.is_empty() {
        let scalar = Scalar::Bool(true);
        let value = Value { scalar, annotation: None, anchor: node.anchor.clone() };
        return vec![GivenValue { key: None, value, options }];
    }
    if attr.shape == Shape::Single && node.args.len() != 1 {
        let message = format!("`{}` takes one value, not {}", attr.name, node.args.len());
        let anchor = node.args.get(1).map_or(&node.anchor, |value| &value.anchor);
        problems.push(noted(Diagnostic::error(BAD_NODE, message).at(anchor), attr));
        return Vec::new();
    }
    let value =
        |value: &Value| GivenValue { key: None, value: value.clone(), options: options.clone() };
    node.args.iter().map(value).collect()
}

/// The properties that hold for each value of the node.
fn options(attr: &AttrDef, node: &Node, problems: &mut Problems) -> Options {
    let mut options = Options::default();
    for (name, value) in &node.props {
        match name.as_str() {
            "allow-empty" if attr.ty.is_file() => {
                options.allow_empty = read::flag(value, problems).unwrap_or(false);
            }
            "placeholder" if attr.ty.is_file() => options.placeholder = Some(value.clone()),
            _ => {
                let message = format!("`{}` takes no property `{name}`", node.name);
                let problem = Diagnostic::error(UNKNOWN_PROPERTY, message).at(&value.anchor);
                let known: &[&str] =
                    if attr.ty.is_file() { &["allow-empty", "placeholder"] } else { &[] };
                problems.push(problem.maybe_hint(did_you_mean(name, known.iter().copied())));
            }
        }
    }
    options
}

fn map_values(node: &Node, problems: &mut Problems) -> Vec<GivenValue> {
    read::no_args(node, problems);
    let mut pairs: Vec<(&String, &Value)> =
        node.props.iter().map(|(name, value)| (name, value)).collect();
    for child in &node.children {
        read::only_props(child, &[], problems);
        read::no_children(child, problems);
        let value = read::one_arg(child, "a value", problems);
        pairs.extend(value.map(|value| (&child.name, value)));
    }
    let mut values: Vec<GivenValue> = Vec::new();
    for (key, value) in pairs {
        if let Some(first) = values.iter().find(|other| other.key.as_ref() == Some(key)) {
            problems.push(repeated(key, value, &first.value));
            continue;
        }
        let value = value.clone();
        values.push(GivenValue { key: Some(key.clone()), value, options: Options::default() });
    }
    values
}

fn unknown(node: &Node, rule: &RuleDef) -> Diagnostic {
    if rule.name == "task" {
        return rule_reader::unknown_task_node(&node.name, node);
    }
    let names: Vec<&str> = rule.attrs.iter().map(|attr| attr.name.as_str()).collect();
    let known = names.iter().copied().chain(crate::schema::COMMON);
    let hint = did_you_mean(&node.name, known)
        .unwrap_or_else(|| format!("`{}` has {}", rule.name, read::list(&names)));
    let (message, hint) = match &rule.case {
        Some(Case { attr, value, elsewhere }) => {
            let message =
                format!("`{}` with {attr}={value:?} has no attribute `{}`", rule.name, node.name);
            let others = elsewhere.get(&node.name).map(|values| {
                let values: Vec<String> =
                    values.iter().map(|value| format!("{attr}={value:?}")).collect();
                format!("it is one with {}", values.join(", or with "))
            });
            (message, others.unwrap_or(hint))
        }
        None => (format!("`{}` has no attribute `{}`", rule.name, node.name), hint),
    };
    let problem = Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(&node.anchor).hint(hint);
    match rule.anchor.spot {
        Spot::Node { .. } => problem.noted(&rule.anchor, "the rule"),
        _ => problem,
    }
}

/// `problem`, with the place where `attr` is declared, if it is declared in a file.
pub(super) fn noted(problem: Diagnostic, attr: &AttrDef) -> Diagnostic {
    match attr.anchor.spot {
        Spot::Node { .. } => problem.noted(&attr.anchor, "declared here"),
        _ => problem,
    }
}
