//! Chains of targets that are there several times, once for each item, as one fan-out.

mod canon;
mod chains;
mod items;

use std::collections::{BTreeMap, BTreeSet};

use canon::{Canon, Leaf};
use chains::best;
use items::{item_ids, json};

use crate::note::Notes;
use crate::target::{Attr, Id, Piece, Target, Value};
use crate::translate::Parts;
use crate::workflow::Workflow;

/// A fan-out.
#[derive(Debug)]
pub(crate) struct Fold {
    /// Its name.
    pub(crate) name: String,
    /// The file or folder of its items.
    pub(crate) over: String,
    /// What an item is called in braces.
    pub(crate) item: String,
    /// The items as JSON; none if they are the files of a folder.
    pub(crate) json: Option<String>,
    /// What the items are called.
    pub(crate) ids: Vec<String>,
    /// The targets of each item.
    pub(crate) members: Vec<Vec<Id>>,
    /// The targets in its braces; what they refer to is the first item's.
    pub(crate) block: Vec<Target>,
}

/// The fan-outs that the targets of `parts` make up; files of items get their places in it.
pub(crate) fn folds(parts: &mut Parts, workflow: &Workflow) -> Vec<Fold> {
    let mut folds: Vec<Fold> = Vec::new();
    let mut folded: BTreeSet<Id> = BTreeSet::new();
    while let Some(chains) = best(&parts.targets, &folded) {
        let fold = fold(chains, parts, workflow);
        folded.extend(fold.members.iter().flatten());
        folds.push(fold);
    }
    folds
}

/// The fan-out that `chains` are.
fn fold(mut chains: Vec<Canon>, parts: &mut Parts, workflow: &Workflow) -> Fold {
    in_order(&mut chains, &parts.targets);
    let members: Vec<Vec<Id>> = chains.iter().map(|chain| chain.members.clone()).collect();
    let ids = item_ids(&members, &chains, parts, workflow);
    let inner = inner_names(&members[0], &parts.targets);
    let name = parts.names.unique(&fold_name(&chains[0], &inner, &parts.targets));
    let columns = columns(&chains, &parts.targets);
    let mut fields: Vec<(String, Vec<Leaf>)> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    for (place, (name, leaves)) in columns {
        let same = fields.iter().position(|(_, known)| *known == leaves);
        let field = same.unwrap_or_else(|| {
            let name = field_name(&name, &fields);
            fields.push((name, leaves));
            fields.len() - 1
        });
        places.insert(place, field);
    }
    place_files(&fields, &ids, parts, &name);
    let as_folder = match fields.as_slice() {
        [(_, leaves)] => leaves.iter().all(|leaf| matches!(leaf, Leaf::File(_))),
        _ => false,
    };
    let item = if as_folder { fields[0].0.clone() } else { "item".to_owned() };
    let (over, json) = if as_folder {
        let Leaf::File(file) = fields[0].1[0] else { unreachable!("the items are files") };
        let path = &parts.files[file].path;
        (path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned(), None)
    } else {
        // `answers.json` is another file.
        let items = if name == "answers" { "answer-items" } else { name.as_str() };
        (format!("{items}.json"), Some(json(&ids, &fields, &parts.files)))
    };
    let field = |place: usize| {
        let field = places.get(&place)?;
        Some(if as_folder { String::new() } else { fields[*field].0.clone() })
    };
    let mut block = Block { chain: &chains[0], targets: &parts.targets, field: &field, leaf: 0 };
    let mut block: Vec<Target> = block.targets(&inner);
    afters(&mut block, &members, &parts.targets, &mut parts.notes, workflow);
    stand_ins(&mut block, &members, &parts.targets);
    Fold { name, over, item, json, ids, members, block }
}

/// What a fan-out is called: by its clips, else by what it is for.
fn fold_name(chain: &Canon, inner: &[String], targets: &[Target]) -> String {
    let is_clip = |id: &Id| matches!(targets[*id].rule, "still_clip" | "scale");
    if chain.members.iter().any(is_clip) {
        return "clips".to_owned();
    }
    let end = chain.members.iter().position(|id| *id == chain.end).unwrap_or_default();
    several(&inner[end])
}

/// What several of `name` are called.
fn several(name: &str) -> String {
    let hisses = ["s", "x", "ch", "sh"].iter().any(|end| name.ends_with(end));
    format!("{name}{}", if hisses { "es" } else { "s" })
}

/// Brings the chains into the order in which somebody lists them, or into that of their steps.
fn in_order(chains: &mut [Canon], targets: &[Target]) {
    let mut chain_of: BTreeMap<Id, Id> = BTreeMap::new();
    for chain in chains.iter() {
        chain_of.extend(chain.members.iter().map(|id| (*id, chain.end)));
    }
    let mut lists = targets.iter().filter(|target| target.is_there()).flat_map(|it| &it.attrs);
    let listed = lists.find_map(|attr| {
        let ends = attr.values.iter().filter_map(|value| match value {
            Value::Made(id, _) => chain_of.get(id).copied(),
            _ => None,
        });
        let ends: Vec<Id> = ends.collect();
        let distinct: BTreeSet<Id> = ends.iter().copied().collect();
        (attr.list && distinct.len() == chains.len()).then_some(ends)
    });
    chains.sort_by_key(|chain| match &listed {
        Some(ends) => ends.iter().position(|id| *id == chain.end).unwrap_or_default(),
        None => targets[chain.end].step,
    });
}

/// What the targets of a chain are called in braces.
fn inner_names(members: &[Id], targets: &[Target]) -> Vec<String> {
    let mut names = crate::names::Names::default();
    let name = |id: &Id| {
        let target = &targets[*id];
        let name = match target.rule {
            "write_file" => "text",
            "tts" => "speech",
            "still_clip" => "clip",
            "text_to_image" => "image",
            "image_to_video" => "motion",
            "text_to_video" => "scene",
            "normalize" => "level",
            "audio_mix" => "mix",
            "scale" => "scaled",
            "concat" => "film",
            "resample" => "sound",
            "transcribe" => "transcript",
            "llm" => "answer",
            "llm_audit" => "audit",
            "split_sections" => "sections",
            "task" => match target.attr("run").map(|run| &run.values[0]) {
                Some(Value::Text(pieces)) => {
                    return names.unique(&crate::names::target(&crate::target::plain_text(pieces)));
                }
                _ => "task",
            },
            other => other,
        };
        names.unique(name)
    };
    members.iter().map(name).collect()
}

/// The places at which the chains differ: the attribute's name, and what each has there.
fn columns(chains: &[Canon], targets: &[Target]) -> BTreeMap<usize, (String, Vec<Leaf>)> {
    let mut columns = BTreeMap::new();
    for (place, (first, of)) in chains[0].leaves.iter().enumerate() {
        let leaves: Vec<Leaf> = chains.iter().map(|chain| chain.leaves[place].0.clone()).collect();
        if leaves.iter().all(|leaf| leaf == first) {
            continue;
        }
        let (member, attr) = of;
        let name = match (targets[chains[0].members[*member]].rule, *attr) {
            ("tts", "text") => "script",
            (_, "run") => "arg",
            (_, "srcs") => "src",
            (_, attr) => attr,
        };
        columns.insert(place, (name.to_owned(), leaves));
    }
    columns
}

/// A name for a field that is not in use; `id` is.
fn field_name(name: &str, fields: &[(String, Vec<Leaf>)]) -> String {
    let mut unique = name.to_owned();
    let mut number = 1;
    while unique == "id" || fields.iter().any(|(known, _)| *known == unique) {
        number += 1;
        unique = format!("{name}-{number}");
    }
    unique
}

/// Puts the files of items into folders of their own, in order.
fn place_files(fields: &[(String, Vec<Leaf>)], ids: &[String], parts: &mut Parts, fold: &str) {
    let digits = ids.len().to_string().len().max(2);
    for (name, leaves) in fields {
        let files: Vec<usize> = leaves
            .iter()
            .filter_map(|leaf| match leaf {
                Leaf::File(file) => Some(*file),
                _ => None,
            })
            .collect();
        if files.len() < leaves.len() {
            continue;
        }
        let other = |folder: &str| {
            let within =
                |path: &str| path.strip_prefix(folder).is_some_and(|it| it.starts_with('/'));
            let others = parts.files.iter().enumerate().filter(|(at, _)| !files.contains(at));
            others.into_iter().any(|(_, file)| within(&file.path))
        };
        let mut folder = several(name);
        if other(&folder) {
            folder = format!("{fold}-{folder}");
        }
        for (number, (file, id)) in files.iter().zip(ids).enumerate() {
            let path = &parts.files[*file].path;
            let extension = path.rsplit_once('.').map_or("txt", |(_, extension)| extension);
            let path = format!("{folder}/{:0digits$}-{id}.{extension}", number + 1);
            parts.files[*file].path = path;
        }
    }
}

/// Writes the first chain with fields where the chains differ.
struct Block<'a> {
    chain: &'a Canon,
    targets: &'a [Target],
    /// The field at a place.
    field: &'a dyn Fn(usize) -> Option<String>,
    /// The place that comes next.
    leaf: usize,
}

impl Block<'_> {
    fn targets(&mut self, inner: &[String]) -> Vec<Target> {
        let mut block = Vec::new();
        for (id, name) in self.chain.members.iter().zip(inner) {
            let target = &self.targets[*id];
            let mut made = Target::new(name.clone(), target.rule, target.step);
            for attr in &target.attrs {
                let values = match attr.name == "out" {
                    true => out_values(attr, name, target),
                    false => attr.values.iter().map(|value| self.value(value)).collect(),
                };
                made.attrs.push(Attr { values, ..attr.clone() });
            }
            block.push(made);
        }
        block
    }

    fn next(&mut self) -> Option<String> {
        self.leaf += 1;
        (self.field)(self.leaf - 1)
    }

    fn value(&mut self, value: &Value) -> Value {
        match value {
            Value::Text(pieces) => Value::Text(self.pieces(pieces)),
            Value::Source(pieces, stand_in) => Value::Source(self.pieces(pieces), *stand_in),
            Value::Int(_) | Value::Float(_) | Value::Flag(_) | Value::File(_) => {
                match self.next() {
                    Some(field) => Value::Text(vec![Piece::Item(field)]),
                    None => value.clone(),
                }
            }
            Value::Made(..) | Value::Named(..) => value.clone(),
        }
    }

    fn pieces(&mut self, pieces: &[Piece]) -> Vec<Piece> {
        let piece = |piece: &Piece| match piece {
            Piece::Plain(_) | Piece::FileRole(_) => {
                self.next().map_or_else(|| piece.clone(), Piece::Item)
            }
            other => other.clone(),
        };
        pieces.iter().map(piece).collect()
    }
}

/// An output in a fan-out, which is named by its target and not by its item.
fn out_values(attr: &Attr, name: &str, target: &Target) -> Vec<Value> {
    let Some(Value::Text(pieces)) = attr.values.first() else { return attr.values.clone() };
    let path = crate::target::plain_text(pieces);
    let file = path.rsplit('/').next().unwrap_or_default();
    let extension = file.rsplit_once('.').map_or(String::new(), |(_, end)| format!(".{end}"));
    let outs: Vec<&Attr> = target.attrs.iter().filter(|attr| attr.name == "out").collect();
    let number = outs.iter().position(|out| *out == attr).unwrap_or_default();
    let suffix = if number == 0 { String::new() } else { format!("-{}", number + 1) };
    let mut values = attr.values.clone();
    values[0] = crate::target::text(&format!("{name}{suffix}{extension}"));
    values
}

/// What comes before each target of the block: what comes before it in every chain, and is in none.
fn afters(
    block: &mut [Target],
    members: &[Vec<Id>],
    targets: &[Target],
    notes: &mut Notes,
    workflow: &Workflow,
) {
    let within: BTreeSet<Id> = members.iter().flatten().copied().collect();
    for (place, target) in block.iter_mut().enumerate() {
        let all = || members.iter().map(|members| &targets[members[place]]);
        let outside = |target: &Target| -> BTreeSet<Id> {
            target.after.iter().copied().filter(|id| !within.contains(id)).collect()
        };
        let mut common = outside(&targets[members[0][place]]);
        for member in all() {
            common = &common & &outside(member);
        }
        for member in all().filter(|member| member.after.iter().any(|id| !common.contains(id))) {
            let text = "the order of one item after another is not kept: items do not wait for one \
                        another, and `resources` say how many of a kind run at once";
            notes.add(workflow.steps[member.step].line, text);
        }
        target.after = common.into_iter().collect();
    }
}

/// What stands in for a file of any item stands there for all.
fn stand_ins(block: &mut [Target], members: &[Vec<Id>], targets: &[Target]) {
    for (place, target) in block.iter_mut().enumerate() {
        for (at, attr) in target.attrs.iter_mut().enumerate() {
            for (number, value) in attr.values.iter_mut().enumerate() {
                let Value::Source(_, stand_in) = value else { continue };
                let same = members.iter().map(|it| &targets[it[place]].attrs[at].values[number]);
                *stand_in = same.into_iter().find_map(|value| match value {
                    Value::Source(_, stand_in) => *stand_in,
                    _ => None,
                });
            }
        }
    }
}
