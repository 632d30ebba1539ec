//! Who reads what from whom: the order of a workflow, and the data that flows through it.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_rules::codes::OUTPUT_CONFLICT;
use vwfb_rules::diagnostic::{Anchor, Diagnostic};
use vwfb_rules::label::WsPath;

use crate::command::{Command, commands};
use crate::ground::Ground;
use crate::order::order;
use crate::workflow::{Work, Workflow};

/// The flow of data through a workflow.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// An order in which each step comes after what it needs.
    pub(crate) order: Vec<usize>,
    /// The commands, by their steps.
    pub(crate) commands: BTreeMap<usize, Command>,
    /// By step, the paths that it reads that another one writes, and that one.
    pub(crate) origins: Vec<BTreeMap<String, usize>>,
    /// The steps that read what another writes without having said that they come after it.
    pub(crate) unsaid: Vec<(usize, usize)>,
    /// Paths that several steps write, which nobody reads in between.
    pub(crate) rewritten: Vec<(String, Vec<usize>)>,
}

/// The flow of `workflow`, whose `depends_on` have no circle.
pub(crate) fn flow(
    workflow: &Workflow,
    ground: &Ground<'_>,
    file: &WsPath,
) -> Result<Flow, Vec<Diagnostic>> {
    let mut needs: Vec<Vec<usize>> = workflow.steps.iter().map(|it| it.after.clone()).collect();
    let ordered = order(&needs).unwrap_or_default();
    let commands = commands(workflow, ground, &ordered);
    let (reads, writes) = uses(workflow, ground, &commands);
    let mut writers: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, paths) in writes.iter().enumerate() {
        for path in paths {
            writers.entry(path).or_default().push(at);
        }
    }
    let mut flow = Flow { origins: vec![BTreeMap::new(); reads.len()], ..Flow::default() };
    let mut problems = Vec::new();
    for at in &ordered {
        let mut before = None;
        for path in &reads[*at] {
            let Some(all) = writers.get(path.as_str()) else { continue };
            let others: Vec<usize> = all.iter().copied().filter(|other| other != at).collect();
            if others.is_empty() {
                continue;
            }
            // What is said outright needs no search.
            if let [one] = others.as_slice()
                && workflow.steps[*at].after.contains(one)
            {
                flow.origins[*at].insert(path.clone(), *one);
                continue;
            }
            let before = before.get_or_insert_with(|| reached(&needs, *at));
            let earlier: Vec<usize> =
                others.iter().copied().filter(|other| before.contains(other)).collect();
            let said = !earlier.is_empty();
            let possible = if said {
                latest(&needs, &earlier)
            } else {
                // What comes after this step writes the file anew, and not for it.
                let apart = |other: &&usize| !reached(&needs, **other).contains(at);
                others.iter().filter(apart).copied().collect()
            };
            match possible.as_slice() {
                [] => {}
                [one] => {
                    flow.origins[*at].insert(path.clone(), *one);
                    if !needs[*at].contains(one) {
                        needs[*at].push(*one);
                        before.insert(*one);
                        before.extend(reached(&needs, *one));
                    }
                    if !said {
                        flow.unsaid.push((*at, *one));
                    }
                }
                several => {
                    let shown = ground.shown(path);
                    problems.push(unclear(workflow, file, (*at, shown), several));
                }
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for (path, steps) in writers.iter().filter(|(_, steps)| steps.len() > 1) {
        let in_turn = |step: &usize| flow.origins[*step].contains_key(*path);
        if steps.iter().skip(1).any(|step| !in_turn(step)) {
            flow.rewritten.push(((*path).to_owned(), steps.clone()));
        }
    }
    // Edges were added only where they close no circle.
    flow.order = order(&needs).unwrap_or(ordered);
    flow.commands = commands;
    Ok(flow)
}

/// The paths that each step reads, and those that it writes.
fn uses(
    workflow: &Workflow,
    ground: &Ground<'_>,
    commands: &BTreeMap<usize, Command>,
) -> (Vec<BTreeSet<String>>, Vec<BTreeSet<String>>) {
    let mut reads = Vec::new();
    let mut writes = Vec::new();
    for (at, step) in workflow.steps.iter().enumerate() {
        let path = |text: &crate::text::Text| ground.path(&workflow.resolved(text));
        let mut read: BTreeSet<String> = step.work.reads().into_iter().map(path).collect();
        let mut written: BTreeSet<String> = step.work.writes().into_iter().map(path).collect();
        if let Some(command) = commands.get(&at) {
            read.extend(command.reads.iter().cloned());
            written.extend(command.writes.iter().cloned());
        }
        if let Work::RunCommand { capture: Some(capture), .. } = &step.work {
            written.insert(path(capture));
        }
        reads.push(read);
        writes.push(written);
    }
    (reads, writes)
}

/// Everything that the step `at` needs.
fn reached(needs: &[Vec<usize>], at: usize) -> BTreeSet<usize> {
    let mut reached = BTreeSet::new();
    let mut open = needs[at].clone();
    while let Some(step) = open.pop() {
        if reached.insert(step) {
            open.extend(&needs[step]);
        }
    }
    reached
}

/// Those of `steps` that no other of them comes after.
fn latest(needs: &[Vec<usize>], steps: &[usize]) -> Vec<usize> {
    let before: Vec<BTreeSet<usize>> = steps.iter().map(|step| reached(needs, *step)).collect();
    let is_last = |step: &&usize| before.iter().all(|before| !before.contains(*step));
    steps.iter().filter(is_last).copied().collect()
}

fn unclear(
    workflow: &Workflow,
    file: &WsPath,
    (reader, path): (usize, &str),
    writers: &[usize],
) -> Diagnostic {
    let anchor = |step: usize| {
        let span = &workflow.steps[step].span;
        Anchor::bytes(file.clone(), span.start, span.end)
    };
    let ids: Vec<String> =
        writers.iter().map(|step| format!("`{}`", workflow.steps[*step].id)).collect();
    let message = format!(
        "`{}` reads `{path}`, which {} write in no order",
        workflow.steps[reader].id,
        ids.join(" and ")
    );
    let mut problem =
        Diagnostic::error(OUTPUT_CONFLICT, message).noted(&anchor(reader), "reads it");
    for writer in writers {
        problem = problem.noted(&anchor(*writer), "writes it");
    }
    problem.hint("say with `depends_on` which of them comes last, or give them different paths")
}
