//! The items of a fan-out: what they are called, and what is in their file.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::canon::{Canon, Leaf};
use crate::names::Names;
use crate::target::{Id, TextFile};
use crate::translate::Parts;
use crate::workflow::Workflow;

/// What the items are called: the words that the ids of an item's steps have in common, and those of
/// no other item's.
pub(super) fn item_ids(
    members: &[Vec<Id>],
    chains: &[Canon],
    parts: &Parts,
    workflow: &Workflow,
) -> Vec<String> {
    let steps = |item: usize| -> BTreeSet<usize> {
        let steps = members[item].iter().map(|id| parts.targets[*id].step);
        steps.chain(chains[item].files().map(|file| parts.files[file].step)).collect()
    };
    let steps: Vec<BTreeSet<usize>> = (0..members.len()).map(steps).collect();
    let mut uses: BTreeMap<usize, usize> = BTreeMap::new();
    for step in steps.iter().flatten() {
        *uses.entry(*step).or_default() += 1;
    }
    // A step of all items, such as one that joins them, says nothing of one.
    let of_item = |steps: &BTreeSet<usize>| {
        let own = steps.iter().filter(|step| uses[step] == 1);
        own.map(|at| words(&workflow.steps[*at].id)).collect::<Vec<_>>()
    };
    let ids: Vec<Vec<Vec<String>>> = steps.iter().map(of_item).collect();
    let mut counts: BTreeMap<&String, usize> = BTreeMap::new();
    for ids in &ids {
        let distinct: BTreeSet<&String> = ids.iter().flatten().collect();
        for word in distinct {
            *counts.entry(word).or_default() += 1;
        }
    }
    let named: Vec<String> = ids.iter().map(|ids| name(ids, &counts, members.len())).collect();
    let mut names = Names::default();
    let distinct: BTreeSet<&String> = named.iter().filter(|name| !name.is_empty()).collect();
    if distinct.len() == named.len() {
        return named.iter().map(|name| names.unique(name)).collect();
    }
    // Something is there for all, and told apart by a number.
    (1..=named.len()).map(|number| format!("item-{number}")).collect()
}

/// The words that all ids of an item have, but for those that all items have.
fn name(ids: &[Vec<String>], counts: &BTreeMap<&String, usize>, items: usize) -> String {
    let Some(first) = ids.first() else { return String::new() };
    let common = first.iter().filter(|word| {
        ids.iter().all(|id| id.contains(word)) && counts.get(word).is_some_and(|many| *many < items)
    });
    let common: Vec<&str> = common.map(String::as_str).collect();
    // A number counts the items, unless it is all that tells them apart.
    let is_number = |word: &&str| word.chars().all(|c| c.is_ascii_digit());
    let words: Vec<&str> = common.iter().copied().filter(|word| !is_number(word)).collect();
    let unique = words.iter().any(|word| counts.get(&(*word).to_owned()) == Some(&1));
    if unique { words.join("-") } else { common.join("-") }
}

/// The words of an id.
fn words(id: &str) -> Vec<String> {
    let name = crate::names::plain(id, "step");
    name.split(['-', '_']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// The items as a JSON file.
pub(super) fn json(ids: &[String], fields: &[(String, Vec<Leaf>)], files: &[TextFile]) -> String {
    let one = |(at, id): (usize, &String)| {
        let mut lines = vec![format!("        \"id\": {}", Json::from(id.as_str()))];
        for (name, leaves) in fields {
            let value = match &leaves[at] {
                Leaf::Text(text) => Json::from(text.as_str()),
                Leaf::Int(number) => Json::from(*number),
                Leaf::Float(number) => Json::from(*number),
                Leaf::Flag(flag) => Json::from(*flag),
                Leaf::File(file) => Json::from(files[*file].path.as_str()),
                Leaf::FileRole(file) => Json::from(format!("in/{}", files[*file].path)),
            };
            lines.push(format!("        {}: {value}", Json::from(name.as_str())));
        }
        format!("    {{\n{}\n    }}", lines.join(",\n"))
    };
    let items: Vec<String> = ids.iter().enumerate().map(one).collect();
    format!("[\n{}\n]\n", items.join(",\n"))
}
