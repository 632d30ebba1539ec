//! Finds chains that are alike: what targets of one shape need, each for itself.

use std::collections::{BTreeMap, BTreeSet};

use super::canon::{Canon, canon, shape};
use crate::target::{Id, Target};

/// Fewer chains than this stay as they are.
const FEWEST: usize = 3;

/// The chains that are alike and make up most of what is not `folded` yet.
pub(super) fn best(targets: &[Target], folded: &BTreeSet<Id>) -> Option<Vec<Canon>> {
    let groups = groups(targets, folded);
    let mut best: Option<(usize, Vec<Canon>)> = None;
    for ends in groups.values().filter(|ends| ends.len() >= FEWEST) {
        for chains in alike(targets, ends, folded) {
            let files: BTreeSet<usize> = chains[0].files().collect();
            let length = chains[0].members.len() + files.len();
            let score = length * chains.len();
            if length >= 2 && best.as_ref().is_none_or(|(most, _)| score > *most) {
                best = Some((score, chains));
            }
        }
    }
    let (_, mut chains) = best?;
    let count = chains.len();
    for ends in groups.values().filter(|ends| ends.len() == count) {
        chains = with_ends(targets, chains, ends, folded);
    }
    Some(chains)
}

/// The targets that are not `folded`, by their shape.
fn groups(targets: &[Target], folded: &BTreeSet<Id>) -> BTreeMap<String, Vec<Id>> {
    let mut groups: BTreeMap<String, Vec<Id>> = BTreeMap::new();
    for (id, target) in targets.iter().enumerate() {
        if target.is_there() && target.step != usize::MAX && !folded.contains(&id) {
            groups.entry(shape(target)).or_default().push(id);
        }
    }
    groups
}

/// The chains that end with `ends`, those together that are alike. What comes after another of
/// `ends` ends none.
fn alike(targets: &[Target], ends: &[Id], folded: &BTreeSet<Id>) -> Vec<Vec<Canon>> {
    let all: BTreeSet<Id> = ends.iter().copied().collect();
    let reach = ends.iter().filter_map(|end| {
        let reached = reached(targets, *end, folded, &all)?;
        Some((*end, reached))
    });
    let reach: Vec<(Id, BTreeSet<Id>)> = reach.collect();
    let counts = counts(reach.iter().map(|(_, reached)| reached));
    let mut groups: BTreeMap<String, Vec<Canon>> = BTreeMap::new();
    for (end, reached) in reach {
        let own = reached.into_iter().filter(|id| counts[id] == 1).chain([end]).collect();
        let canon = canon(targets, &[end], end, &own);
        groups.entry(canon.signature.clone()).or_default().push(canon);
    }
    groups.into_values().filter(|chains| chains.len() >= FEWEST).collect()
}

/// `chains` with `ends` and what only these need, if each of them goes on from one chain of its own.
fn with_ends(
    targets: &[Target],
    chains: Vec<Canon>,
    ends: &[Id],
    folded: &BTreeSet<Id>,
) -> Vec<Canon> {
    let mut chain_of: BTreeMap<Id, usize> = BTreeMap::new();
    for (at, chain) in chains.iter().enumerate() {
        chain_of.extend(chain.members.iter().map(|id| (*id, at)));
    }
    if ends.iter().any(|end| chain_of.contains_key(end)) {
        return chains;
    }
    let all: BTreeSet<Id> = ends.iter().copied().collect();
    let mut longer: BTreeMap<usize, (Id, BTreeSet<Id>)> = BTreeMap::new();
    for end in ends {
        let Some(reached) = reached(targets, *end, folded, &all) else { return chains };
        let of: BTreeSet<usize> =
            reached.iter().filter_map(|id| chain_of.get(id)).copied().collect();
        let (Some(of), 1) = (of.first(), of.len()) else { return chains };
        longer.insert(*of, (*end, reached));
    }
    if longer.len() != chains.len() {
        return chains;
    }
    let counts = counts(longer.values().map(|(_, reached)| reached));
    let canons = longer.iter().map(|(at, (end, reached))| {
        let chain = &chains[*at];
        let private = reached.iter().copied().filter(|id| counts[id] == 1);
        let own = private.chain(chain.members.iter().copied()).chain([*end]).collect();
        // The chain itself comes last, where nothing goes on from its end.
        let known = chain.ends.iter().filter(|end| **end != chain.end).copied();
        let ends: Vec<Id> = known.chain([*end, chain.end]).collect();
        canon(targets, &ends, chain.end, &own)
    });
    let canons: Vec<Canon> = canons.collect();
    let same = canons.iter().all(|canon| canon.signature == canons[0].signature);
    if same { canons } else { chains }
}

/// How many of `sets` have each target.
fn counts<'s>(sets: impl Iterator<Item = &'s BTreeSet<Id>>) -> BTreeMap<Id, usize> {
    let mut counts = BTreeMap::new();
    for id in sets.flatten() {
        *counts.entry(*id).or_default() += 1;
    }
    counts
}

/// What the target `end` needs, but for what is `folded`; nothing if it needs one of `others`.
fn reached(
    targets: &[Target],
    end: Id,
    folded: &BTreeSet<Id>,
    others: &BTreeSet<Id>,
) -> Option<BTreeSet<Id>> {
    let mut reached = BTreeSet::new();
    let mut open: Vec<Id> = targets[end].needs().collect();
    while let Some(id) = open.pop() {
        if others.contains(&id) {
            return None;
        }
        if !folded.contains(&id) && reached.insert(id) {
            open.extend(targets[id].needs());
        }
    }
    Some(reached)
}
