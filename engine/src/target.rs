//! Queries over one target: what it declares, what it offers, and the task it comes down to.

use std::sync::Arc;

use vwfb_cas::profile::{Counter, count};
use vwfb_rules::Declared;
use vwfb_rules::diagnostic::{Anchor, Checked};
use vwfb_rules::label::Label;
use vwfb_rules::placeholder::missing;
use vwfb_rules::task::{Provided, TaskDef};

use crate::db::{Db, Target};
use crate::names::{Named, PART, named, outermost, placed, sources_of, vars_of};
use crate::package::{QueryScope, rule_table, workspace};

/// The target with its rule, typed attributes and outputs; nothing if it does not exist, `when`
/// switched it off, or its text is too wrong.
#[salsa::tracked(returns(ref), cycle_result = declared_in_cycle)]
pub(crate) fn declared(db: &dyn Db, target: Target) -> Checked<Option<Arc<Declared>>> {
    count(Counter::QueriesExecuted, 1);
    let Some(placed) = placed(db, target) else { return Checked::default() };
    let rules = &rule_table(db, db.rule_text(&placed.frame.file)).value;
    vwfb_rules::declare(&placed, rules, vars_of(db, &placed.frame))
}

/// Nothing: what is wrong is told of the fan-out whose items come from it.
fn declared_in_cycle(
    _db: &dyn Db,
    _id: salsa::Id,
    _target: Target,
) -> Checked<Option<Arc<Declared>>> {
    Checked::default()
}

/// What the target offers to those who refer to it. A `filegroup` or `alias` asks those it names,
/// so this is the one query that may meet itself; a cycle offers nothing here and is reported by
/// the search over `references`.
#[salsa::tracked(returns(clone), cycle_result = provides_in_cycle)]
pub(crate) fn provides(db: &dyn Db, target: Target) -> Option<Arc<[Provided]>> {
    count(Counter::QueriesExecuted, 1);
    match named(db, target)? {
        Named::Target(_) => {}
        Named::Family(members) if members.len() > PART => {
            let parts = 0..members.len().div_ceil(PART);
            let parts = parts.map(|part| provided_in_part(db, target, part));
            return joined(parts);
        }
        Named::Family(members) => return provided_by(db, &members),
        Named::Waiting(_) | Named::Broken => return None,
    }
    let checked = declared(db, target);
    match &checked.value {
        Some(declared) => vwfb_rules::provides(declared, &QueryScope(db)),
        None if checked.has_errors() => None,
        None => Some(Arc::default()),
    }
}

fn provided_by(db: &dyn Db, members: &[Label]) -> Option<Arc<[Provided]>> {
    joined(members.iter().map(|member| provides(db, db.target(member))))
}

fn joined(parts: impl Iterator<Item = Option<Arc<[Provided]>>>) -> Option<Arc<[Provided]>> {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part?.iter().cloned());
    }
    Some(all.into())
}

/// What the members of the family `target` offer, those of `part`.
#[salsa::tracked(returns(clone), cycle_result = part_in_cycle)]
fn provided_in_part(db: &dyn Db, target: Target, part: usize) -> Option<Arc<[Provided]>> {
    count(Counter::QueriesExecuted, 1);
    let Named::Family(members) = named(db, target)? else { return None };
    provided_by(db, members.chunks(PART).nth(part).unwrap_or_default())
}

fn part_in_cycle(
    _db: &dyn Db,
    _id: salsa::Id,
    _target: Target,
    _part: usize,
) -> Option<Arc<[Provided]>> {
    None
}

fn provides_in_cycle(_db: &dyn Db, _id: salsa::Id, _target: Target) -> Option<Arc<[Provided]>> {
    None
}

/// The targets that the target names, with the places where it names them.
#[salsa::tracked(returns(ref))]
pub(crate) fn references(db: &dyn Db, target: Target) -> Vec<(Label, Anchor)> {
    count(Counter::QueriesExecuted, 1);
    let members: Arc<[Label]> = match named(db, target) {
        // What is missing among its items is missing in it, though it has no child for that.
        Some(Named::Family(members)) => {
            let sources = sources_of(db, target.label(db)).into_iter();
            members.iter().cloned().chain(sources).collect()
        }
        Some(Named::Waiting(on)) => Arc::new([on]),
        // So that what is wrong there is met.
        Some(Named::Broken) => sources_of(db, target.label(db)).into(),
        _ => Arc::default(),
    };
    if !members.is_empty() {
        let anchor = outermost(db, target.label(db));
        return members.iter().map(|member| (member.clone(), anchor.clone())).collect();
    }
    let Some(declared) = declared(db, target).value.as_deref() else { return Vec::new() };
    let mut references = vwfb_rules::references(declared);
    let stand_ins = missing(declared, &QueryScope(db)).into_iter();
    references.extend(stand_ins.filter_map(|it| Some((it.label?, it.anchor))));
    references
}

/// The task that the target comes down to.
#[salsa::tracked(returns(ref))]
pub(crate) fn task(db: &dyn Db, target: Target) -> Checked<Option<Arc<TaskDef>>> {
    count(Counter::QueriesExecuted, 1);
    let Some(declared) = &declared(db, target).value else { return Checked::default() };
    let Checked { value, problems } =
        vwfb_rules::task(declared, &workspace(db).value, &QueryScope(db));
    Checked { value: value.map(Arc::new), problems }
}
