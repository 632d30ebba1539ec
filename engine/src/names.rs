//! What labels name: targets and where they stand, and the fan-outs and templates around them.

mod expansion;
mod sketch;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use vwfb_cas::profile::{Counter, count};
use vwfb_rules::block::{Block, TargetDef};
use vwfb_rules::codes;
use vwfb_rules::diagnostic::{Anchor, Checked, Diagnostic};
use vwfb_rules::frame::{Frame, Placed};
use vwfb_rules::instance::{self, INSTANCE};
use vwfb_rules::items::Items;
use vwfb_rules::label::Label;
use vwfb_rules::placeholder::{self, For};
use vwfb_rules::template::TemplateDef;
use vwfb_rules::vars::Vars;

pub use expansion::Expansion;
pub(crate) use expansion::expansion;
use sketch::{sketch, sketch_without_items};
pub(crate) use sketch::{sketched, ways_to};

use crate::ahead;
use crate::db::{Database, Db, RuleText, Target};
use crate::package::{
    BUILD_FILE, QueryScope, file_in, package_def, package_file, package_vars, rule_table,
};
use crate::target::{declared, references};

/// What a label names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// A target.
    Target(Arc<Placed>),
    /// Several, in order: those of every item of a fan-out, or the last of a template. None where
    /// `when` switched it off.
    Family(Arc<[Label]>),
    /// Nothing yet: the items of a fan-out are in what this task makes.
    Waiting(Label),
    /// What it would name has errors, or is in what has.
    Broken,
}

/// A block whose members can be named, and where they stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) block: Arc<Block>,
    pub(crate) frame: Arc<Frame>,
}

/// The names of a package.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Names {
    /// Of its targets, those in fan-outs and templates too, in order.
    pub(crate) targets: Arc<[Label]>,
    /// Of its fan-outs and uses of templates.
    pub(crate) families: Arc<[Label]>,
}

/// How many children of a fan-out one query looks at. With more, what it read would be much to go
/// through whenever one of them changes, and to clear whenever another query is done.
pub(crate) const PART: usize = 512;

/// The package in `file`, if there is one.
#[salsa::tracked(returns(clone))]
fn package_opened(db: &dyn Db, file: RuleText) -> Option<Opened> {
    count(Counter::QueriesExecuted, 1);
    let package = &package_def(db, file).as_ref()?.value;
    let frame = Arc::new(Frame::of_package(package));
    Some(Opened { block: Arc::clone(&package.block), frame })
}

/// The block that the step `at` of `label` is a member of.
fn opened_at(db: &dyn Db, label: &Label, at: usize) -> Checked<Option<Opened>> {
    match at {
        0 => Checked::clean(package_opened(db, package_file(db, &label.package))),
        _ => opened(db, db.target(&label.prefix(at))).clone(),
    }
}

/// The variables that the text of `frame` sees: none in a rule file.
pub(crate) fn vars_of<'db>(db: &'db dyn Db, frame: &Frame) -> Option<&'db Vars> {
    if let Some(instance) = &frame.instance {
        return Some(instance_vars(db, db.target(instance)));
    }
    let is_package = frame.file.name() == BUILD_FILE;
    is_package.then(|| package_vars(db, db.rule_text(&frame.file)))
}

/// The variables that the targets of the instance `target` see.
#[salsa::tracked(returns(ref))]
fn instance_vars(db: &dyn Db, target: Target) -> Vars {
    count(Counter::QueriesExecuted, 1);
    let label = target.label(db);
    let Some((def, outer)) = member(db, label) else { return Vars::default() };
    let (label, frame) = (label.clone(), Arc::clone(&outer.frame));
    let placed = Placed { label, def, frame };
    let Ok(package) = instance::package_of(&placed) else { return Vars::default() };
    let file = package_file(db, &package);
    let Some(package) = package_def(db, file) else { return Vars::default() };
    let vars = (vars_of(db, &outer.frame), package_vars(db, file));
    instance::instance_vars(&placed, &package.value, vars)
}

/// The block of the package that `placed` is an instance of, and where it stands then.
fn instantiated(db: &dyn Db, placed: &Placed) -> Checked<Option<Opened>> {
    let package = match instance::package_of(placed) {
        Ok(package) => package,
        Err(problem) => return Checked { value: None, problems: vec![problem] },
    };
    let Some(def) = package_def(db, package_file(db, &package)) else {
        let problems = vec![instance::no_package(placed, &package)];
        return Checked { value: None, problems };
    };
    let vars = vars_of(db, &placed.frame);
    let Checked { value, problems } = instance::instantiate(placed, &def.value, vars);
    let block = Arc::clone(&def.value.block);
    let value = value.map(|frame| Opened { block, frame: Arc::new(frame) });
    Checked { value, problems }
}

/// Whether `def`, which stands in `frame`, expands to other targets without items.
fn is_use(db: &dyn Db, def: &TargetDef, frame: &Frame) -> bool {
    def.rule == INSTANCE || template_of(db, def, frame).is_some()
}

/// The template that `def`, which stands in `frame`, is a use of.
fn template_of<'db>(
    db: &'db dyn Db,
    def: &TargetDef,
    frame: &Frame,
) -> Option<&'db Arc<TemplateDef>> {
    if def.fan_out.is_some() {
        return None;
    }
    rule_table(db, db.rule_text(&frame.file)).value.template(&def.rule)
}

/// The items of the fan-out that `target` names. They may be in what other fan-outs pass on, so a
/// fan-out may meet itself in any of these queries; then there are none, and that is said.
#[salsa::tracked(returns(ref), cycle_result = items_in_cycle)]
pub(crate) fn items(db: &dyn Db, target: Target) -> Checked<Option<Items>> {
    count(Counter::QueriesExecuted, 1);
    let label = target.label(db);
    let Some((def, opened)) = member(db, label) else { return Checked::default() };
    let (frame, vars) = (&opened.frame, vars_of(db, &opened.frame));
    vwfb_rules::items::items(&def, frame, vars, &QueryScope(db))
}

fn items_in_cycle(db: &dyn Db, _id: salsa::Id, target: Target) -> Checked<Option<Items>> {
    let label = target.label(db);
    let message = format!("the items of `{label}` come from itself");
    let problem = Diagnostic::error(codes::CYCLE, message).at(&outermost(db, label));
    let problem = problem.hint("let `over` name what is made without it");
    Checked { value: None, problems: vec![problem] }
}

/// Where the first step of `label` is written, which no fan-out decides.
pub(crate) fn outermost(db: &dyn Db, label: &Label) -> Anchor {
    let package = package_def(db, package_file(db, &label.package)).as_ref();
    let member = package.and_then(|package| package.value.block.get(&label.steps[0].name));
    let file = || Anchor::file(file_in(&label.package, BUILD_FILE).clone());
    member.map_or_else(file, |member| member.anchor().clone())
}

fn places_in_cycle(_db: &dyn Db, _id: salsa::Id, _target: Target) -> HashMap<Arc<str>, usize> {
    HashMap::new()
}

fn opened_in_cycle(db: &dyn Db, id: salsa::Id, target: Target) -> Checked<Option<Opened>> {
    Checked { value: None, problems: items_in_cycle(db, id, target).problems }
}

fn named_in_cycle(_db: &dyn Db, _id: salsa::Id, _target: Target) -> Option<Named> {
    Some(Named::Broken)
}

fn is_named_in_cycle(_db: &dyn Db, _id: salsa::Id, _target: Target) -> bool {
    true
}

/// The last step of `label` as written, and the block that it is a member of.
fn member(db: &dyn Db, label: &Label) -> Option<(Arc<TargetDef>, Opened)> {
    let (last, outer) = label.steps.split_last()?;
    let opened = opened_at(db, label, outer.len()).value?;
    let def = Arc::clone(opened.block.get(&last.name)?);
    Some((def, opened))
}

/// The targets that the items of the fan-outs on the way to `label` come from, its own among them.
pub(crate) fn sources_of(db: &dyn Db, label: &Label) -> Vec<Label> {
    let source = |at: usize| {
        let of_all = of_all(label, at);
        let (def, outer) = member(db, &of_all)?;
        vwfb_rules::items::source(&def, &outer.frame, vars_of(db, &outer.frame))
    };
    (0..label.steps.len()).filter_map(source).collect()
}

/// Item -> its place among the items of the fan-out that `target` names.
#[salsa::tracked(returns(ref), cycle_result = places_in_cycle)]
fn item_places(db: &dyn Db, target: Target) -> HashMap<Arc<str>, usize> {
    count(Counter::QueriesExecuted, 1);
    let Some(Items::Known(items)) = &items(db, target).value else { return HashMap::new() };
    items.iter().enumerate().map(|(place, item)| (Arc::clone(&item.id), place)).collect()
}

/// The block that `target` stands for, as a child of a fan-out or as a use of a template.
#[salsa::tracked(returns(ref), cycle_result = opened_in_cycle)]
pub(crate) fn opened(db: &dyn Db, target: Target) -> Checked<Option<Opened>> {
    count(Counter::QueriesExecuted, 1);
    let label = target.label(db);
    let Some((def, outer)) = member(db, label) else { return Checked::default() };
    let item = label.steps.last().and_then(|step| step.item.as_ref());
    match (&def.fan_out, item) {
        (Some(fan_out), Some(id)) => {
            let of_all = db.target(&of_all(label, label.steps.len() - 1));
            let place = item_places(db, of_all).get(id);
            let (Some(place), Some(Items::Known(items))) = (place, &items(db, of_all).value) else {
                return Checked::default();
            };
            let bindings = Arc::clone(&items[*place].bindings);
            let frame = outer.frame.inside((&def.name, Some(id)), &fan_out.block, bindings);
            let block = Arc::clone(&fan_out.block);
            Checked::clean(Some(Opened { block, frame: Arc::new(frame) }))
        }
        (None, None) => {
            let (label, frame) = (label.clone(), Arc::clone(&outer.frame));
            let placed = Placed { label, def, frame };
            if placed.def.rule == INSTANCE {
                return instantiated(db, &placed);
            }
            let Some(template) = template_of(db, &placed.def, &outer.frame) else {
                return Checked::default();
            };
            let vars = vars_of(db, &outer.frame);
            let Checked { value, problems } = vwfb_rules::template::expand(&placed, template, vars);
            let block = Arc::clone(&template.block);
            let value = value.map(|frame| Opened { block, frame: Arc::new(frame) });
            Checked { value, problems }
        }
        _ => Checked::default(),
    }
}

/// What `target` names; nothing if there is nothing of that name.
#[salsa::tracked(returns(clone), cycle_result = named_in_cycle)]
pub(crate) fn named(db: &dyn Db, target: Target) -> Option<Named> {
    count(Counter::QueriesExecuted, 1);
    let label = target.label(db);
    if let Some((user, what, piece)) = For::of(label)
        && let Some(placed) = placed(db, db.target(&user))
    {
        let declared = declared(db, db.target(&user)).value.as_ref()?;
        let scope = QueryScope(db);
        let maker = placeholder::maker(declared, &placed.frame, (&what, piece), &scope)?;
        return Some(Named::Target(Arc::new(maker)));
    }
    // What opens the block that the last step is in was found to be there.
    let last = label.steps.len() - 1;
    let is_open = last > 0 && opened(db, db.target(&label.prefix(last))).value.is_some();
    for (at, step) in label.steps.iter().enumerate().skip(if is_open { last } else { 0 }) {
        let Checked { value, problems } = opened_at(db, label, at);
        let Some(opened) = value else {
            // The steps before this one name something.
            let empty = || Named::Family(Arc::default());
            return (at > 0).then(|| if problems.is_empty() { empty() } else { Named::Broken });
        };
        let def = opened.block.get(&step.name)?;
        if let Some(next) = label.steps.get(at + 1) {
            static_block(db, label, at, (def, &opened))?.get(&next.name)?;
        }
        let of_all = || db.target(&of_all(label, at));
        match (&def.fan_out, &step.item) {
            (Some(fan_out), None) => {
                let last = fan_out.block.last()?.name.clone();
                let items = match &items(db, of_all()).value {
                    Some(Items::Known(items)) => items,
                    Some(Items::In(source)) => {
                        return Some(Named::Waiting(source.label.clone()));
                    }
                    None => return Some(Named::Broken),
                };
                let of_item = |id: &Arc<str>| {
                    let child = label.with_item(at, Some(Arc::clone(id)));
                    if at + 1 == label.steps.len() {
                        child.member(Arc::clone(&last))
                    } else {
                        child
                    }
                };
                let members = items.iter().map(|item| of_item(&item.id));
                // What is further down may be there for some of them only.
                let is_deep = label.steps.len() > at + 2;
                let is_there = |label: &Label| !is_deep || is_named(db, db.target(label));
                let members: Arc<[Label]> = members.filter(is_there).collect();
                let is_nothing = is_deep && members.is_empty() && !items.is_empty();
                return (!is_nothing).then_some(Named::Family(members));
            }
            (Some(fan_out), Some(id)) => match &items(db, of_all()).value {
                Some(Items::In(source)) => {
                    return Some(Named::Waiting(source.label.clone()));
                }
                // Switched off, as a template may be.
                Some(Items::Known(items)) if items.is_empty() && fan_out.when.is_some() => {
                    return Some(Named::Family(Arc::default()));
                }
                Some(Items::Known(_)) => _ = item_places(db, of_all()).get(id)?,
                None => return Some(Named::Broken),
            },
            (None, Some(_)) => return None,
            (None, None) => {}
        }
        if at + 1 == label.steps.len() {
            return of_last(db, target, def, &opened);
        }
    }
    None
}

/// Whether `target` names anything: only that, so that other edits of what it names wake nobody.
#[salsa::tracked(returns(copy), cycle_result = is_named_in_cycle)]
pub(crate) fn is_named(db: &dyn Db, target: Target) -> bool {
    count(Counter::QueriesExecuted, 1);
    named(db, target).is_some()
}

/// The block that the member `def` opens, the step `at` of `label`, as far as its text says.
fn static_block(
    db: &dyn Db,
    label: &Label,
    at: usize,
    (def, outer): (&Arc<TargetDef>, &Opened),
) -> Option<Arc<Block>> {
    if let Some(fan_out) = &def.fan_out {
        return Some(Arc::clone(&fan_out.block));
    }
    if def.rule == INSTANCE {
        let (label, def) = (label.prefix(at + 1), Arc::clone(def));
        let placed = Placed { label, def, frame: Arc::clone(&outer.frame) };
        let package = instance::package_of(&placed).ok()?;
        let def = package_def(db, package_file(db, &package)).as_ref()?;
        return Some(Arc::clone(&def.value.block));
    }
    template_of(db, def, &outer.frame).map(|template| Arc::clone(&template.block))
}

/// What a label names whose last step is `def`, for one item if it is a fan-out.
fn of_last(db: &dyn Db, target: Target, def: &Arc<TargetDef>, outer: &Opened) -> Option<Named> {
    let label = target.label(db);
    if def.fan_out.is_none() && !is_use(db, def, &outer.frame) {
        let (label, def) = (label.clone(), Arc::clone(def));
        let frame = Arc::clone(&outer.frame);
        return Some(Named::Target(Arc::new(Placed { label, def, frame })));
    }
    let Checked { value, problems } = opened(db, target);
    let members: Arc<[Label]> = match value {
        Some(opened) => Arc::new([label.member(Arc::clone(&opened.block.last()?.name))]),
        None if problems.is_empty() => Arc::default(),
        None => return Some(Named::Broken),
    };
    Some(Named::Family(members))
}

/// The name of what the step `at` of `label` leads to, for all its items.
fn of_all(label: &Label, at: usize) -> Label {
    label.prefix(at + 1).with_item(at, None)
}

/// The target of that name.
pub(crate) fn placed(db: &dyn Db, target: Target) -> Option<Arc<Placed>> {
    match named(db, target)? {
        Named::Target(placed) => Some(placed),
        Named::Family(_) | Named::Waiting(_) | Named::Broken => None,
    }
}

/// The targets that `label` stands for: itself, unless it names several.
pub(crate) fn members_of(db: &dyn Db, label: &Label) -> Vec<Label> {
    let (mut found, mut next) = (Vec::new(), vec![label.clone()]);
    while let Some(label) = next.pop() {
        match named(db, db.target(&label)) {
            Some(Named::Family(members)) => next.extend(members.iter().rev().cloned()),
            _ => found.push(label),
        }
    }
    found
}

/// The rule or template of what the last step of `label` names; `each` or `matrix` for a fan-out.
pub(crate) fn rule_of(db: &dyn Db, label: &Label) -> Option<String> {
    member(db, label).map(|(def, _)| def.rule.clone())
}

/// The same only of fan-outs that `label` stands for or passes on, and not of what it is made from.
pub(crate) fn waits_directly(db: &dyn Db, label: &Label) -> Option<Label> {
    let mut next = vec![label.clone()];
    let mut seen = HashSet::new();
    while let Some(label) = next.pop() {
        let target = db.target(&label);
        if !seen.insert(target) {
            continue;
        }
        match named(db, target) {
            Some(Named::Waiting(on)) => return Some(on),
            Some(Named::Family(members)) => next.extend(members.iter().cloned()),
            Some(Named::Target(_)) => {
                let passes_on = declared(db, target).value.as_ref().is_some_and(|it| !it.runs());
                let named = references(db, target).iter().filter(|_| passes_on);
                next.extend(named.map(|(label, _)| label.clone()));
            }
            Some(Named::Broken) | None => {}
        }
    }
    None
}

/// Whether `label` names a fan-out whose items are not known.
pub(crate) fn is_open(db: &dyn Db, label: &Label) -> bool {
    matches!(named(db, db.target(label)), Some(Named::Waiting(_)))
}

/// Whether there is no target `label`.
pub(crate) fn is_unknown(db: &dyn Db, label: &Label) -> bool {
    named(db, db.target(label)).is_none()
}

/// What makes the items of the first fan-out that `label` is in or needs whose items are not known.
pub(crate) fn waits_for(db: &dyn Db, label: &Label) -> Option<Label> {
    let mut next = vec![db.target(label)];
    let mut seen = HashSet::new();
    while let Some(target) = next.pop() {
        if let Some(Named::Waiting(on)) = named(db, target) {
            return Some(on);
        }
        if seen.insert(target) {
            next.extend(references(db, target).iter().map(|(label, _)| db.target(label)));
        }
    }
    None
}

/// The names of a package, and what is wrong with its fan-outs and uses of templates.
#[salsa::tracked(returns(ref))]
pub(crate) fn names(db: &dyn Db, file: RuleText) -> Option<Checked<Names>> {
    count(Counter::QueriesExecuted, 1);
    let opened = package_opened(db, file)?;
    let mut listing = Listing::default();
    listing.add(db, &opened);
    Some(listing.into())
}

/// Asks for the names in the children of large fan-outs of the package in `file` beforehand.
pub(crate) fn names_ahead(database: &Database, file: RuleText) {
    let db: &dyn Db = database;
    let Some(opened) = package_opened(db, file) else { return };
    let fan_outs = opened.block.members.iter().filter(|member| member.fan_out.is_some());
    let parts = fan_outs.flat_map(|def| {
        let target = db.target(&opened.frame.member(&def.name, None));
        let count = match &items(db, target).value {
            Some(Items::Known(items)) => items.len().div_ceil(PART),
            _ => 0,
        };
        (0..count).map(move |part| (target, part))
    });
    let parts: Vec<(Target, usize)> = parts.collect();
    ahead::ask_each(database, &parts, |db, (target, part)| {
        let _names = names_in_part(db, *target, *part);
    });
}

/// The names in the children of the fan-out `target`, those of `part`.
#[salsa::tracked(returns(ref))]
fn names_in_part(db: &dyn Db, target: Target, part: usize) -> Checked<Names> {
    count(Counter::QueriesExecuted, 1);
    let mut listing = Listing::default();
    let items = match &items(db, target).value {
        Some(Items::Known(items)) => items.chunks(PART).nth(part).unwrap_or_default(),
        _ => &[],
    };
    let last = target.label(db).steps.len() - 1;
    for item in items {
        listing.open(db, &target.label(db).with_item(last, Some(Arc::clone(&item.id))));
    }
    listing.into()
}

#[derive(Default)]
struct Listing {
    targets: Vec<Label>,
    families: Vec<Label>,
    problems: Vec<Diagnostic>,
}

impl From<Listing> for Checked<Names> {
    fn from(listing: Listing) -> Self {
        let Listing { targets, families, problems } = listing;
        let value = Names { targets: targets.into(), families: families.into() };
        Self { value, problems }
    }
}

impl Listing {
    fn add(&mut self, db: &dyn Db, outer: &Opened) {
        for def in &outer.block.members {
            let label = outer.frame.member(&def.name, None);
            if def.fan_out.is_some() {
                self.families.push(label.clone());
                let of_all = db.target(&label);
                let Checked { value, problems } = items(db, of_all);
                self.problems.extend(problems.iter().cloned());
                let items = match value {
                    Some(Items::Known(items)) if items.is_empty() => {
                        self.problems.extend(sketch_without_items(db, (def, outer)));
                        continue;
                    }
                    Some(Items::Known(items)) => items,
                    // Until it is known what it stands for, its name does.
                    Some(Items::In(source)) => {
                        self.targets.push(label);
                        self.problems.extend(sketch(db, (def, outer), source));
                        continue;
                    }
                    None => continue,
                };
                for part in 0..items.len().div_ceil(PART) {
                    let Checked { value, problems } = names_in_part(db, of_all, part);
                    self.targets.extend(value.targets.iter().cloned());
                    self.families.extend(value.families.iter().cloned());
                    self.problems.extend(problems.iter().cloned());
                }
            } else if is_use(db, def, &outer.frame) {
                self.families.push(label.clone());
                self.open(db, &label);
            } else {
                self.targets.push(label);
            }
        }
    }

    fn open(&mut self, db: &dyn Db, label: &Label) {
        let Checked { value, problems } = opened(db, db.target(label));
        self.problems.extend(problems.iter().cloned());
        if let Some(opened) = value {
            self.add(db, opened);
        }
    }
}
