//! The `case` nodes of a rule: what it is for each value of one of its attributes, an engine mostly.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::codes::{BAD_NODE, DUPLICATE_NAME, NOT_IN_ENUM, UNKNOWN_ATTRIBUTE, WRONG_TYPE};
use crate::diagnostic::Diagnostic;
use crate::read::{self, Problems};
use crate::rule::{AttrDef, AttrType, RuleDef, Shape};
use crate::rule_file::RuleFile;
use crate::rule_reader::{NODES, RuleReader};
use crate::suggest::did_you_mean;
use crate::syntax::Node;

/// A rule for each value of one of its attributes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cases {
    /// The attribute, an `enum`.
    pub attr: String,
    /// The rule for each of its values, in their order.
    pub rules: Vec<Arc<RuleDef>>,
}

impl Cases {
    /// The rule for `value`.
    pub fn rule(&self, value: &str) -> Option<&Arc<RuleDef>> {
        self.rules.iter().find(|rule| rule.case.as_ref().is_some_and(|case| case.value == value))
    }
}

/// Which of the cases of a rule this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The attribute.
    pub attr: String,
    /// Its value.
    pub value: String,
    /// The attributes that only other cases have, with the values those are for.
    pub elsewhere: BTreeMap<String, Vec<String>>,
}

/// What a rule says for all its cases.
pub(crate) struct Base<'f> {
    /// What was read of it.
    pub(crate) reader: RuleReader,
    /// The file that it is in.
    pub(crate) file: &'f RuleFile,
    /// Whether nothing of it is wrong so far.
    pub(crate) sound: bool,
}

/// The rule that `base` has read, with the `nodes` for its cases; the one of the default value, or
/// of the first, stands for all of them. Each is checked as a whole where the base is `sound`.
pub(crate) fn whole(base: Base<'_>, nodes: &[&Node], problems: &mut Problems) -> RuleDef {
    let Base { reader: base, file, sound } = base;
    let Some(attr) = switch(&base.rule, nodes, problems).cloned() else { return base.rule };
    let by_value = by_value(nodes, &attr, problems);
    let mut rules: Vec<RuleDef> = Vec::new();
    for value in &attr.values {
        let mut own = Problems::default();
        let mut reader = base.clone();
        if let Some(node) = by_value.get(value.as_str()) {
            reader.begin_case();
            for child in &node.children {
                match NODES.contains(&child.name.as_str()) {
                    true => reader.read_of(file, child, &mut own),
                    false => read::unknown_child("`case`", child, &NODES, &mut own),
                }
            }
        }
        let checked = if sound { 0 } else { usize::MAX };
        rules.push(reader.finish(checked, &mut own));
        own.0.into_iter().for_each(|problem| problems.push_once(problem));
    }
    let default = attr.default.as_ref().and_then(|values| values.first()?.text());
    let chosen = attr.values.iter().position(|value| Some(value.as_str()) == default).unwrap_or(0);
    named(&attr, &mut rules);
    let representative = rules[chosen].clone();
    let rules = rules.into_iter().map(Arc::new).collect();
    let cases = Some(Arc::new(Cases { attr: attr.name, rules }));
    RuleDef { cases, ..representative }
}

/// Says of each of the `rules`, one for each value of `attr`, which case it is.
fn named(attr: &AttrDef, rules: &mut [RuleDef]) {
    let names: Vec<BTreeSet<String>> =
        rules.iter().map(|rule| rule.attrs.iter().map(|it| it.name.clone()).collect()).collect();
    for (index, rule) in rules.iter_mut().enumerate() {
        let mut elsewhere: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (other, value) in names.iter().zip(&attr.values) {
            for name in other.difference(&names[index]) {
                elsewhere.entry(name.clone()).or_default().push(value.clone());
            }
        }
        let (name, value) = (attr.name.clone(), attr.values[index].clone());
        rule.case = Some(Case { attr: name, value, elsewhere });
    }
}

/// The attribute that all the `nodes` name: an `enum`, declared outside of them.
fn switch<'r>(rule: &'r RuleDef, nodes: &[&Node], problems: &mut Problems) -> Option<&'r AttrDef> {
    let mut found: Option<&AttrDef> = None;
    for node in nodes {
        read::only_props(node, &[], problems);
        if node.args.len() < 2 {
            let message = "`case` needs an attribute and the values that it is for";
            let problem = Diagnostic::error(BAD_NODE, message).at(&node.anchor);
            problems.push(problem.hint("write it as `case \"engine\" \"openai\" { ... }`"));
            return None;
        }
        let name = read::text(&node.args[0], "an attribute's name", problems)?;
        let anchor = &node.args[0].anchor;
        let Some(attr) = rule.attr(name) else {
            let message = format!("`{}` has no attribute `{name}`", rule.name);
            let known = rule.attrs.iter().map(|attr| attr.name.as_str());
            let problem = Diagnostic::error(UNKNOWN_ATTRIBUTE, message).at(anchor);
            problems.push(problem.maybe_hint(did_you_mean(name, known)));
            return None;
        };
        let always = attr.shape == Shape::Single && !(attr.optional && attr.default.is_none());
        if attr.ty != AttrType::Enum || !always {
            let message = format!("`{name}` is no `enum` with one value for every target");
            problems.push(Diagnostic::error(WRONG_TYPE, message).at(anchor));
            return None;
        }
        if let Some(first) = found.filter(|first| first.name != name) {
            let message =
                format!("the cases of a rule are of one attribute, here `{}`", first.name);
            problems.push(Diagnostic::error(BAD_NODE, message).at(anchor));
            return None;
        }
        found = Some(attr);
    }
    found
}

/// The node for each value.
fn by_value<'n>(
    nodes: &[&'n Node],
    attr: &AttrDef,
    problems: &mut Problems,
) -> BTreeMap<&'n str, &'n Node> {
    let mut found: BTreeMap<&str, &Node> = BTreeMap::new();
    for node in nodes {
        for value in &node.args[1..] {
            let Some(text) = read::text(value, "a value of the attribute", problems) else {
                continue;
            };
            if !attr.values.iter().any(|known| known == text) {
                let message = format!("`{}` cannot be `{text}`", attr.name);
                let known = attr.values.iter().map(String::as_str);
                let problem = Diagnostic::error(NOT_IN_ENUM, message).at(&value.anchor);
                problems.push(problem.maybe_hint(did_you_mean(text, known)));
            } else if let Some(first) = found.insert(text, node) {
                let message = format!("`{text}` has two cases");
                let problem = Diagnostic::error(DUPLICATE_NAME, message);
                let problem = problem.noted(&value.anchor, "again here");
                problems.push(problem.noted(&first.anchor, "first here"));
            }
        }
    }
    found
}
