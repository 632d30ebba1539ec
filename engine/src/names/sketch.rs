//! What is wrong with a fan-out's targets before it is known what its items are.

use std::sync::Arc;

use rustc_hash::FxHashSet;
use vwfb_rules::block::{Block, TargetDef};
use vwfb_rules::codes::{self, Code};
use vwfb_rules::diagnostic::{Anchor, Checked, Diagnostic};
use vwfb_rules::frame::Placed;
use vwfb_rules::items::{ANY, Items, Source, any_item, are_files};
use vwfb_rules::label::Label;
use vwfb_rules::{Declared, nearest};

use super::{Opened, is_named, is_use, items, member, of_all, opened, template_of, vars_of};
use crate::db::{Db, Target};
use crate::package::{is_package, package_file, rule_table};

/// The problems that show whatever an item is.
const ANYHOW: [Code; 10] = [
    codes::UNKNOWN_RULE,
    codes::UNKNOWN_ATTRIBUTE,
    codes::MISSING_ATTRIBUTE,
    codes::UNKNOWN_PROPERTY,
    codes::REPEATED_ATTRIBUTE,
    codes::UNKNOWN_INTERPOLATION,
    codes::UNKNOWN_VAR,
    codes::FILE_IN_TEXT,
    codes::LIST_IN_TEXT,
    codes::BAD_NODE,
];

/// What shows of the targets of a fan-out whatever its items are.
#[derive(Debug, Default)]
pub(crate) struct Sketch {
    /// What is wrong with them.
    pub(crate) problems: Vec<Diagnostic>,
    /// What they declare.
    pub(crate) members: Vec<Arc<Declared>>,
    /// Whether what some of them declare depends on the items.
    pub(crate) is_partial: bool,
}

impl Sketch {
    fn add(&mut self, other: Self) {
        self.problems.extend(other.problems);
        self.members.extend(other.members);
        self.is_partial |= other.is_partial;
    }
}

/// What shows of the targets of the first fan-out on the way to `label`, or that it is, whose items
/// are not known; with its label.
pub(crate) fn sketched(db: &dyn Db, label: &Label) -> Option<(Label, Sketch)> {
    (0..label.steps.len()).find_map(|at| {
        let of_all = of_all(label, at);
        let (def, outer) = member(db, &of_all)?;
        match &items(db, db.target(&of_all)).value {
            Some(Items::In(source)) => {
                let sketch = sketch_of_any(db, (&def, &outer), source.files == Some(true));
                Some((of_all, sketch))
            }
            _ => None,
        }
    })
}

/// What is wrong with the targets of the fan-out `def` whose items are in `source` and not known,
/// whatever these will be.
pub(super) fn sketch(
    db: &dyn Db,
    (def, outer): (&Arc<TargetDef>, &Opened),
    source: &Source,
) -> Vec<Diagnostic> {
    sketch_of_any(db, (def, outer), source.files == Some(true)).problems
}

/// The same of a fan-out that has no items now.
pub(super) fn sketch_without_items(
    db: &dyn Db,
    (def, outer): (&Arc<TargetDef>, &Opened),
) -> Vec<Diagnostic> {
    let is_off = def.fan_out.as_ref().is_some_and(|fan_out| fan_out.when.is_some());
    if is_off { Vec::new() } else { sketch_of_any(db, (def, outer), are_files(def)).problems }
}

fn sketch_of_any(db: &dyn Db, (def, outer): (&Arc<TargetDef>, &Opened), are_files: bool) -> Sketch {
    let item = any_item(def, are_files);
    let (Some(fan_out), Some(item)) = (&def.fan_out, item) else {
        return Sketch { is_partial: true, ..Sketch::default() };
    };
    let frame = outer.frame.inside((&def.name, Some(&item.id)), &fan_out.block, item.bindings);
    let block = Arc::clone(&fan_out.block);
    sketch_of_block(db, &Opened { block, frame: Arc::new(frame) })
}

/// What shows of the members of a block that stands for any of its kind.
fn sketch_of_block(db: &dyn Db, opened: &Opened) -> Sketch {
    let Opened { block, frame } = opened;
    let (rules, vars) = (&rule_table(db, db.rule_text(&frame.file)).value, vars_of(db, frame));
    let anyhow = |problem: &Diagnostic| ANYHOW.contains(&problem.code);
    let mut sketch = Sketch::default();
    for member in &block.members {
        if member.fan_out.is_some() {
            sketch.add(sketch_of_any(db, (member, opened), are_files(member)));
            continue;
        }
        let label = frame.member(&member.name, None);
        let placed = Placed { label, def: Arc::clone(member), frame: Arc::clone(frame) };
        if let Some(template) = template_of(db, member, frame) {
            let Checked { value, problems: found } =
                vwfb_rules::template::expand(&placed, template, vars);
            sketch.is_partial |= value.is_none() && !found.is_empty();
            sketch.problems.extend(found.into_iter().filter(anyhow));
            if let Some(inside) = value {
                let block = Arc::clone(&template.block);
                let inside = Opened { block, frame: Arc::new(inside) };
                sketch.add(sketch_of_block(db, &inside));
            }
            continue;
        }
        if is_use(db, member, frame) {
            sketch.is_partial = true;
            continue;
        }
        let checked = vwfb_rules::declare(&placed, rules, vars);
        sketch.is_partial |= checked.value.is_none() && !checked.problems.is_empty();
        sketch.problems.extend(checked.problems.into_iter().filter(anyhow));
        let Some(declared) = checked.value else { continue };
        for (label, anchor) in vwfb_rules::references(&declared) {
            let named = (&label, &anchor);
            sketch.problems.extend(unknown_member(db, block, named, &declared.label));
        }
        sketch.members.push(declared);
    }
    sketch
}

/// The problem of a reference to a target that there is not, whatever `from` stands for, which is a
/// member of `block`.
fn unknown_member(
    db: &dyn Db,
    block: &Block,
    (label, anchor): (&Label, &Anchor),
    from: &Label,
) -> Option<Diagnostic> {
    let (at, outer) = (from.steps.len() - 1, &from.steps[..from.steps.len() - 1]);
    let is_beside = label.package == from.package && label.steps.starts_with(outer);
    let is_there = match (is_beside, label.steps.get(at)) {
        (true, Some(next)) => block.get(&next.name).is_some(),
        _ => is_named(db, db.target(label)) || !is_package(db, package_file(db, &label.package)),
    };
    let has_any = |text: &str| text.contains(ANY);
    let depends = label
        .steps
        .iter()
        .skip(if is_beside { at } else { 0 })
        .any(|step| has_any(&step.name) || step.item.as_deref().is_some_and(has_any));
    if is_there || depends {
        return None;
    }
    let last = label.steps.last()?;
    let names = block.members.iter().map(|member| member.name.as_ref());
    let hint = nearest(&last.name, names).map(|name| format!("did you mean `:{name}`?"));
    let message = format!("no target `:{}`", last.name);
    Some(Diagnostic::error(codes::UNKNOWN_LABEL, message).at(anchor).maybe_hint(hint))
}

/// What is wrong with the fan-outs and uses of templates that lead to `label`, or are it, but for
/// the fan-outs that were `seen`.
pub(crate) fn ways_to(
    db: &dyn Db,
    label: &Label,
    seen: &mut FxHashSet<Target>,
) -> Vec<Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for at in 0..label.steps.len() {
        // The item of the last step is no matter.
        let Some((def, outer)) = member(db, &label.prefix(at + 1)) else { break };
        if def.fan_out.is_some() {
            let of_all = db.target(&of_all(label, at));
            if !seen.insert(of_all) {
                continue;
            }
            let checked = items(db, of_all);
            problems.push(checked.problems.clone());
            match &checked.value {
                Some(Items::In(source)) => {
                    problems.push(sketch(db, (&def, &outer), source));
                }
                Some(Items::Known(items)) if items.is_empty() => {
                    problems.push(sketch_without_items(db, (&def, &outer)));
                }
                _ => {}
            }
        } else if is_use(db, &def, &outer.frame) {
            problems.push(opened(db, db.target(&label.prefix(at + 1))).problems.clone());
        }
    }
    problems
}
