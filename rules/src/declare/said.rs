//! What the text of a target says beside what is in braces: the same for all that it is made into.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::given::{Given, nodes_of};
use crate::block::{Short, TargetDef};
use crate::core_rules::common_attrs;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::evaluate::Names;
use crate::interpolate::{Bound, Path, Template};
use crate::read::Problems;
use crate::rule::{Body, RuleDef, Stdio};
use crate::rule_check;
use crate::rule_reader::{RuleReader, TASK_NODES};
use crate::value::AttrValue;

/// What the texts of a `task` call its own.
const OWN: [&str; 2] = ["srcs", "out"];

/// A target's text as its rule reads it.
#[derive(Debug)]
pub(crate) struct Said {
    /// The rule that it names.
    named: Arc<RuleDef>,
    /// Its rule: that one, or the one that the nodes of a `task` make up.
    pub(super) rule: Arc<RuleDef>,
    /// What it gives to attributes.
    pub(super) given: Given,
    /// The interpolations in it that may mean something outside.
    mentions: Vec<(Path, Anchor)>,
    pub(super) problems: Vec<Diagnostic>,
    /// Whether its own rule can be checked.
    is_sound: bool,
    /// What is wrong with interpolations that stand for such values. It does not depend on more of
    /// them, so all items of a fan-out share it.
    faults: OnceLock<(Vec<Kind>, Faults)>,
}

/// What an interpolation stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Own,
    Single,
    List,
    /// Not set, or a list of nothing.
    Nothing,
}

/// What is wrong with interpolations.
#[derive(Debug, Clone)]
pub(super) struct Faults {
    pub(super) rule: Vec<Diagnostic>,
    pub(super) env: Vec<Diagnostic>,
}

/// What was found out of a target's text: how the first rule that it met reads it, and its digest.
/// It follows from the text, so it is no part of what that is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reading {
    said: OnceLock<Arc<Said>>,
    digest: OnceLock<Short>,
}

impl PartialEq for Reading {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reading {}

impl Reading {
    /// What `target` says, which names `rule`.
    pub(super) fn of(&self, target: &TargetDef, rule: &Arc<RuleDef>) -> Arc<Said> {
        let said = self.said.get_or_init(|| Arc::new(Said::new(target, rule)));
        match Arc::ptr_eq(&said.named, rule) {
            true => Arc::clone(said),
            false => Arc::new(Said::new(target, rule)),
        }
    }

    /// The digest of the text, which `make` makes.
    pub(crate) fn digest(&self, make: impl FnOnce() -> Short) -> Short {
        *self.digest.get_or_init(make)
    }
}

impl Said {
    pub(super) fn new(target: &TargetDef, named: &Arc<RuleDef>) -> Self {
        let mut problems = Problems::default();
        let nodes = nodes_of(&target.node);
        let (rule, rest) = if named.body == Body::Free {
            let (own, rest): (Vec<_>, Vec<_>) =
                nodes.into_iter().partition(|(node, _)| TASK_NODES.contains(&node.name.as_str()));
            let anchor = target.anchor().clone();
            let file = anchor.file.clone();
            let base = RuleDef { anchor, file, ..RuleDef::clone(named) };
            let mut reader = RuleReader::new(base, true);
            own.iter().for_each(|(node, _)| reader.read(node, &mut problems));
            (Arc::new(reader.finish(0, &mut problems)), rest)
        } else {
            (Arc::clone(named), nodes)
        };
        let is_sound = problems.count() == 0;
        let given = Given::new(&rest, &rule, common_attrs(), &mut problems);
        let mentions = mentions(named, &rule, &given.env);
        let (named, problems) = (Arc::clone(named), problems.0);
        Self { named, rule, given, mentions, problems, is_sound, faults: OnceLock::new() }
    }

    /// What its interpolations stand for outside.
    pub(super) fn bound(&self, names: Names<'_>, problems: &mut Problems) -> Bound {
        let mut bound = Bound::default();
        for (path, anchor) in &self.mentions {
            // What is unknown is noted, and reads as nothing.
            let value = names.outer(path, anchor).map(|value| problems.take(value));
            if let Some(value) = value {
                bound.add(path, value.unwrap_or_else(|| AttrValue::Text(String::new())));
            }
        }
        bound
    }

    /// What is wrong with its interpolations where they stand for `bound`.
    pub(super) fn faults(&self, bound: &Bound) -> Faults {
        let kinds: Vec<Kind> = self.mentions.iter().map(|(path, _)| kind(bound, path)).collect();
        let (known, faults) = self.faults.get_or_init(|| (kinds.clone(), self.faults_of(bound)));
        if *known == kinds { faults.clone() } else { self.faults_of(bound) }
    }

    fn faults_of(&self, bound: &Bound) -> Faults {
        let is_own = self.is_sound && self.named.body == Body::Free;
        let rule = if is_own { rule_check::check(&self.rule, bound) } else { Vec::new() };
        let env = match self.given.env.is_empty() {
            true => Vec::new(),
            false => {
                let only_env = RuleDef {
                    env: self.given.env.clone(),
                    body: Body::Free,
                    stdio: Stdio::default(),
                    outs: Vec::new(),
                    ..RuleDef::clone(&self.rule)
                };
                rule_check::check(&only_env, bound)
            }
        };
        Faults { rule, env }
    }
}

fn kind(bound: &Bound, path: &[String]) -> Kind {
    match bound.get(path) {
        None => Kind::Own,
        Some(AttrValue::List(values)) if values.is_empty() => Kind::Nothing,
        Some(AttrValue::List(_) | AttrValue::Map(_)) => Kind::List,
        Some(_) => Kind::Single,
    }
}

/// The interpolations in what a target says itself that are not its rule's own, each once.
fn mentions(
    named: &RuleDef,
    rule: &RuleDef,
    env: &BTreeMap<String, Template>,
) -> Vec<(Path, Anchor)> {
    let is_free = named.body == Body::Free;
    let is_own = |name: &str| OWN.contains(&name) || (!is_free && rule.attr(name).is_some());
    let own = is_free.then(|| templates(rule));
    let mut mentions: Vec<(Path, Anchor)> = Vec::new();
    for template in own.into_iter().flatten().chain(env.values()) {
        for path in template.fields().filter(|path| !is_own(&path[0])) {
            if mentions.iter().all(|(known, _)| **known != *path) {
                mentions.push((path.into(), template.anchor.clone()));
            }
        }
    }
    mentions
}

/// Every text of a rule that its target's variables may be in.
fn templates(rule: &RuleDef) -> Vec<&Template> {
    let stdio = &rule.stdio;
    let mut templates: Vec<&Template> =
        [&stdio.stdin, &stdio.stdout, &stdio.stderr].into_iter().flatten().collect();
    templates.extend(rule.outs.iter().map(|out| &out.path));
    templates.extend(rule.estimate.values());
    match &rule.body {
        Body::Run { args, .. } => templates.extend(args.iter().flat_map(|group| &group.args)),
        Body::Script { text, .. } => templates.push(text),
        Body::WriteFile | Body::Decide | Body::Forward | Body::Free => {}
    }
    templates
}
