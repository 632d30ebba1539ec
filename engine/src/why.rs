//! `vwfb why`: which component of which key changed since a label's last success.

use std::collections::{BTreeMap, BTreeSet};

use vwfb_cas::{ActionKey, BlobId, Digest, Store};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::InputRef;

use crate::event::{Event, Reporter};
use crate::graph::{Node, TaskGraph};
use crate::key::{FieldChange, KeyRecord};
use crate::plan::{Step, TaskId};
use crate::run::{EnvironmentError, Ground, Run};
use crate::state::{State, Success};
use crate::system::{System, Text};

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Nothing changed since the last success; what changed at that time.
    Current {
        /// The run of that success.
        run: u64,
        /// What was different from the success before it; empty if it was the first.
        then: Vec<Cause>,
    },
    /// Something would be made again, for these reasons.
    Causes(Vec<Cause>),
}

/// One task that would run, or did, for a reason of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// From the label that was asked about to the task, each needing the next.
    pub path: Vec<Label>,
    /// What is different; empty where the task never succeeded here.
    pub changes: Vec<Change>,
}

/// One component of a key that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The component, in words a person uses: a file, a tool, an argument.
    pub what: String,
    /// Its value before; `None` if it is new.
    pub before: Option<String>,
    /// Its value now; `None` if it is gone.
    pub after: Option<String>,
    /// Further down: the first line that differs, the file of a tool that differs.
    pub detail: Vec<String>,
}

struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _event: &Event) {}
}

/// Why `label` is not what it was.
///
/// # Errors
/// If the store or the workspace's state cannot be read.
pub(crate) fn why(ground: Ground<'_>, label: &Label) -> Result<Why, EnvironmentError> {
    let (store, state, graph) = (ground.store.clone(), ground.state, ground.graph);
    let system = ground.db.system();
    let known = state.successes().map_err(|error| EnvironmentError::of(&error))?;
    let mut silent = Silent;
    let mut run = Run::begin(ground, &mut silent)?;
    run.settle_known()?;
    let teller = Teller { graph, state, store: &store, system: &*system, known: &known };
    let mut causes = Vec::new();
    for (id, path) in paths_down(graph, label) {
        // A task that waits for another is explained by that other one.
        let asked = run.known_key(id).filter(|_| !matches!(run.plan.step(id), Step::Waiting));
        let Some(key) = asked else { continue };
        let before = teller.success(id).map(|success| success.key);
        if before != Some(key) {
            causes.push(teller.cause(path, before, key, &run.keyed(id).record)?);
        }
    }
    if causes.is_empty() { teller.current(label) } else { Ok(Why::Causes(causes)) }
}

/// Every task that `label` needs with a shortest way to it, nearest first.
fn paths_down(graph: &TaskGraph, label: &Label) -> Vec<(TaskId, Vec<Label>)> {
    let mut seen = BTreeSet::new();
    let mut found: Vec<(TaskId, Vec<Label>)> = Vec::new();
    for output in graph.requested().iter().flat_map(|request| &request.outputs) {
        if seen.insert(output.task) {
            let own = &graph.node(output.task).label;
            let mut path = vec![label.clone()];
            path.extend((own != label).then(|| own.clone()));
            found.push((output.task, path));
        }
    }
    let mut next = 0;
    while let Some((id, path)) = found.get(next).cloned() {
        next += 1;
        for need in graph.shape().inputs(id) {
            if seen.insert(*need) {
                let mut longer = path.clone();
                longer.push(graph.node(*need).label.clone());
                found.push((*need, longer));
            }
        }
    }
    found
}

/// Puts changed fields into words.
struct Teller<'a> {
    graph: &'a TaskGraph,
    state: &'a State,
    store: &'a Store,
    system: &'a dyn System,
    known: &'a std::collections::HashMap<String, Success>,
}

impl Teller<'_> {
    fn success(&self, id: TaskId) -> Option<&Success> {
        self.known.get(&self.graph.node(id).label.to_string())
    }

    fn record(&self, key: ActionKey) -> Result<Option<KeyRecord>, EnvironmentError> {
        let bytes = self.state.record(key).map_err(|error| EnvironmentError::of(&error))?;
        Ok(bytes.as_deref().and_then(KeyRecord::decode))
    }

    /// What is different between the key `before` and the record of `key`, at the end of `path`.
    fn cause(
        &self,
        path: Vec<Label>,
        before: Option<ActionKey>,
        key: ActionKey,
        now: &KeyRecord,
    ) -> Result<Cause, EnvironmentError> {
        debug_assert_eq!(now.key(), key, "the record is that of the key");
        let then = before.map_or(Ok(None), |before| self.record(before))?;
        let label = path.last().expect("a path holds the label that was asked about");
        let node = self.graph.find(label).map(|id| self.graph.node(id));
        let changes = then.map_or_else(Vec::new, |then| now.changes_since(&then));
        let changes = changes
            .into_iter()
            .map(|change| self.change(node, change))
            .collect::<Result<_, _>>()?;
        Ok(Cause { path, changes })
    }

    /// What changed at the last success of everything that `label` needs.
    fn current(&self, label: &Label) -> Result<Why, EnvironmentError> {
        let paths = paths_down(self.graph, label);
        let run = paths.iter().filter_map(|(id, _)| self.success(*id)).map(|s| s.run).max();
        let run = run.unwrap_or(0);
        let mut then = Vec::new();
        for (id, path) in paths {
            let Some(success) = self.success(id).filter(|success| success.run == run) else {
                continue;
            };
            let Some(record) = self.record(success.key)? else { continue };
            let cause = self.cause(path, success.previous_key, success.key, &record)?;
            // What only follows from another task of that run is not a cause.
            if cause.changes.iter().any(|change| !self.follows(id, change, run)) {
                then.push(cause);
            }
        }
        Ok(Why::Current { run, then })
    }

    /// Whether a change of `id` is that of an output which another task made anew in `run`.
    fn follows(&self, id: TaskId, change: &Change, run: u64) -> bool {
        self.graph.shape().inputs(id).iter().any(|need| {
            self.success(*need).is_some_and(|success| success.run == run)
                && change.what.contains(&format!("`{}`", self.graph.node(*need).label))
        })
    }

    fn change(&self, node: Option<&Node>, field: FieldChange) -> Result<Change, EnvironmentError> {
        let FieldChange { name, before, after } = field;
        let mut change = Change { what: name.clone(), before, after, detail: Vec::new() };
        if let Some(role) = name.strip_prefix("input ") {
            self.input(&mut change, node, role);
        } else if let Some(tool) = name.strip_prefix("tool ") {
            self.tool(&mut change, tool)?;
        }
        Ok(change)
    }

    fn input(&self, change: &mut Change, node: Option<&Node>, role: &str) {
        match node.and_then(|node| node.def.inputs.get(role)) {
            Some(InputRef::Source(path)) => {
                change.what = format!("the file `{path}`");
                change.detail = self.first_line(path, change);
            }
            Some(InputRef::Output { label, output, .. }) => {
                change.what = format!("the output `{output}` of `{label}`");
            }
            None => {}
        }
        for value in [&mut change.before, &mut change.after] {
            *value = value.take().map(|text| shortened(&text));
        }
    }

    /// The first line that differs, where the store still has the old text and the new one is in
    /// the store or the workspace.
    fn first_line(&self, path: &WsPath, change: &Change) -> Vec<String> {
        let digest = |value: &Option<String>| -> Option<Digest> {
            value.as_ref()?.split(' ').next_back()?.parse().ok()
        };
        let stored = |digest| String::from_utf8(self.store.read(BlobId(digest)).ok()?).ok();
        let present = |digest| match self.system.text(path) {
            Text::Present(text) => {
                (Digest::of(text.as_bytes()) == digest).then(|| text.to_string())
            }
            Text::Absent | Text::Unreadable(_) => None,
        };
        let before = digest(&change.before).and_then(stored);
        let after = digest(&change.after).and_then(|now| present(now).or_else(|| stored(now)));
        let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
        let (mut old, mut new) = (before.lines(), after.lines());
        for number in 1.. {
            match (old.next(), new.next()) {
                (None, None) => break,
                (old, new) if old == new => {}
                (old, new) => {
                    let mut lines = vec![format!("first difference at {path}:{number}")];
                    lines.extend(old.map(|line| format!("- {line}")));
                    lines.extend(new.map(|line| format!("+ {line}")));
                    return lines;
                }
            }
        }
        vec!["only the ends of lines differ".to_owned()]
    }

    fn tool(&self, change: &mut Change, tool: &str) -> Result<(), EnvironmentError> {
        change.what = format!("the tool `{tool}`");
        let files = |value: &Option<String>| -> Result<_, EnvironmentError> {
            match value.as_ref().and_then(|text| text.parse::<Digest>().ok()) {
                None => Ok(BTreeMap::new()),
                Some(fingerprint) => {
                    self.state.closure(fingerprint).map_err(|error| EnvironmentError::of(&error))
                }
            }
        };
        let (before, after) = (files(&change.before)?, files(&change.after)?);
        if !before.is_empty() {
            for (path, digest) in &after {
                match before.get(path) {
                    Some(old) if old == digest => {}
                    Some(_) => change.detail.push(format!("`{path}` changed")),
                    None => change.detail.push(format!("`{path}` is new")),
                }
            }
            for path in before.keys().filter(|path| !after.contains_key(*path)) {
                change.detail.push(format!("`{path}` is gone"));
            }
        }
        for value in [&mut change.before, &mut change.after] {
            *value = value.take().map(|text| shortened(&text));
        }
        Ok(())
    }
}

/// A digest cut to the length a person can compare.
fn shortened(text: &str) -> String {
    let words: Vec<String> = text
        .split(' ')
        .map(|word| word.parse::<Digest>().map_or_else(|_| word.to_owned(), |d| d.short()))
        .collect();
    words.join(" ")
}
