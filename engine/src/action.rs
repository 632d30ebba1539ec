//! The query that makes a task's action and key out of facts and its direct needs' outcomes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use vwfb_cas::profile::{Counter, count};
use vwfb_cas::{ActionKey, Artifact};
use vwfb_exec::action::{Action, Command, OutputSpec};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::scope::Scope as _;
use vwfb_rules::task::{self as rule, InputRef, Results, TaskDef};

use crate::db::{Db, Settings, Target};
use crate::key::KeyRecord;
use crate::package::QueryScope;
use crate::pins::pinned;
use crate::system::Content;
use crate::target::task;

/// The key of a task's action. The action itself is made again when it is run, as most are not.
#[derive(Debug, Clone)]
pub struct Keyed {
    /// The digest of the record.
    pub key: ActionKey,
    /// What it was made from, with all that is in no key.
    pub def: Arc<TaskDef>,
    /// The workspace's files among the inputs.
    pub sources: Vec<(WsPath, Artifact)>,
}

/// Equal keys are equal actions; the sources say only where the same bytes lie.
impl PartialEq for Keyed {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.sources == other.sources
    }
}

impl Eq for Keyed {}

/// Why a task has no key now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unkeyed {
    /// The target runs nothing, or has errors that were reported when it was loaded.
    #[error("`{0}` has no task")]
    NoTask(Label),
    /// The outcome of a task it reads is not known.
    #[error("`{0}` has no outcome yet")]
    Open(Label),
    /// The outcome it reads is known, but the store has lost the tree it must look into.
    #[error("the store has lost the output of `{0}`")]
    Lost(Label),
    /// An output that it names is not in a tree that was made.
    #[error("`{label}` made no `{path}`")]
    NotInTree {
        /// The task that made the tree.
        label: Label,
        /// The path in it.
        path: WsPath,
    },
    /// A source is gone since it was looked for.
    #[error("the file `{0}` is gone")]
    SourceGone(WsPath),
    /// A source cannot be read.
    #[error("cannot read `{path}`: {why}")]
    SourceUnreadable {
        /// The source.
        path: WsPath,
        /// What the system said.
        why: Arc<str>,
    },
    /// Its pin does not name all its outputs.
    #[error("the pin of `{label}` has no output `{output}`: unpin it, or pin it again")]
    Pin {
        /// The target.
        label: Label,
        /// The output.
        output: String,
    },
    /// A tool has no fingerprint.
    #[error("{0}")]
    Tool(Arc<str>),
}

/// The key of the task's action. It reads the task's definition, its sources, its tools and the
/// outcomes of its direct needs, and nothing deeper.
///
/// # Errors
/// See [`Unkeyed`].
#[salsa::tracked(returns(clone))]
pub fn keyed(db: &dyn Db, target: Target) -> Result<Arc<Keyed>, Unkeyed> {
    count(Counter::QueriesExecuted, 1);
    let Some(def) = &task(db, target).value else {
        return Err(Unkeyed::NoTask(target.label(db).clone()));
    };
    let (record, sources) = record(db, def)?;
    Ok(Arc::new(Keyed { key: record.key(), def: Arc::clone(def), sources }))
}

type Sources = Vec<(WsPath, Artifact)>;

/// What the key of the task `def` is made from now, with the workspace's files among its inputs.
///
/// # Errors
/// See [`Unkeyed`].
pub(crate) fn record(db: &dyn Db, def: &TaskDef) -> Result<(KeyRecord, Sources), Unkeyed> {
    if let Some(pinned) = pinned(db, &def.label) {
        let lacks = def.outputs.iter().find(|out| !pinned.outcome.contains_key(&out.name));
        if let Some(out) = lacks {
            return Err(Unkeyed::Pin { label: def.label.clone(), output: out.name.clone() });
        }
        return Ok((KeyRecord::of_pin(&pinned.outcome), Vec::new()));
    }
    if let rule::Command::Decide(_) = def.command {
        let (inputs, sources) = inputs(db, def)?;
        return Ok((KeyRecord::of_question(&inputs), sources));
    }
    let (action, sources) = action(db, def)?;
    Ok((KeyRecord::of(&action), sources))
}

/// What a task reads now, by path.
///
/// # Errors
/// See [`Unkeyed`].
pub(crate) fn read(db: &dyn Db, def: &TaskDef) -> Result<BTreeMap<String, Artifact>, Unkeyed> {
    inputs(db, def).map(|(inputs, _)| inputs)
}

/// What the task `def` runs now, with the workspace's files among its inputs.
///
/// # Errors
/// See [`Unkeyed`].
pub(crate) fn action(db: &dyn Db, def: &TaskDef) -> Result<(Action, Sources), Unkeyed> {
    let (inputs, sources) = inputs(db, def)?;
    let action = Action {
        command: command(&def.command),
        inputs,
        outputs: outputs(def),
        env: def.env.clone(),
        secrets: def.secrets.clone(),
        stdin: def.stdin.clone(),
        stdout: def.stdout.clone(),
        stderr: def.stderr.clone(),
        success_codes: BTreeSet::clone(&def.success_codes),
        tools: tools(db, def)?,
        network: def.network,
        service: def.service.as_ref().map(|service| service.identity()),
        terminal: def.terminal,
        seed: def.seed,
        take: take(db, def),
        feedback: None,
        platform: platform(db, def),
        rule_version: def.rule_version,
    };
    Ok((action, sources))
}

/// Which take of a task's results is in use.
fn take(db: &dyn Db, def: &TaskDef) -> u32 {
    match def.results {
        Results::Deterministic => 0,
        Results::Seeded | Results::Sampled => QueryScope(db).take(&def.label),
    }
}

type Inputs = (BTreeMap<String, Artifact>, Vec<(WsPath, Artifact)>);

fn inputs(db: &dyn Db, def: &TaskDef) -> Result<Inputs, Unkeyed> {
    let mut inputs = BTreeMap::new();
    let mut sources = Vec::new();
    for (role, input) in &def.inputs {
        let artifact = match input {
            InputRef::Source(path) => {
                let artifact = source(db, path)?;
                sources.push((path.clone(), artifact));
                artifact
            }
            InputRef::Output { label, output, subpath: None } => {
                made(db, db.target(label), output)?
            }
            InputRef::Output { label, output, subpath: Some(path) } => {
                in_tree(db, db.target(label), output.clone(), path.clone())?
            }
        };
        inputs.insert(role.clone(), artifact);
    }
    Ok((inputs, sources))
}

fn source(db: &dyn Db, path: &WsPath) -> Result<Artifact, Unkeyed> {
    match db.path_content(path) {
        Content::Present(artifact) => Ok(*artifact),
        Content::Absent => Err(Unkeyed::SourceGone(path.clone())),
        Content::Unreadable(why) => {
            Err(Unkeyed::SourceUnreadable { path: path.clone(), why: Arc::clone(why) })
        }
    }
}

fn made(db: &dyn Db, target: Target, output: &str) -> Result<Artifact, Unkeyed> {
    let outcome = target.outcome(db).as_ref();
    outcome
        .and_then(|outcome| outcome.get(output))
        .copied()
        .ok_or_else(|| Unkeyed::Open(target.label(db).clone()))
}

/// One path in a tree that a task made: a reader of it wakes only when that path changes.
#[salsa::tracked(returns(clone))]
fn in_tree(db: &dyn Db, target: Target, output: String, path: WsPath) -> Result<Artifact, Unkeyed> {
    count(Counter::QueriesExecuted, 1);
    let label = || target.label(db).clone();
    let Artifact::Tree(tree) = made(db, target, &output)? else {
        return Err(Unkeyed::NotInTree { label: label(), path });
    };
    match db.system().in_tree(tree, &path) {
        Ok(Some(artifact)) => Ok(artifact),
        Ok(None) => Err(Unkeyed::NotInTree { label: label(), path }),
        Err(crate::system::Lost) => {
            // The tree's content never changes, but whether the store has it does.
            db.report_untracked_read();
            Err(Unkeyed::Lost(label()))
        }
    }
}

/// The platform as far as the task's results depend on it.
fn platform(db: &dyn Db, def: &TaskDef) -> String {
    let machine = Settings::get(db).machine(db);
    let mut platform = machine.platform.clone();
    if def.cpu_level && !machine.cpu_level.is_empty() {
        platform.push('-');
        platform.push_str(&machine.cpu_level);
    }
    if !machine.confined {
        platform.push_str(" unconfined");
    }
    platform
}

fn command(command: &rule::Command) -> Command {
    match command {
        rule::Command::Process { program, args } => {
            Command::Process { program: program.clone(), args: args.clone() }
        }
        rule::Command::WriteFile { text, executable } => {
            Command::WriteFile { text: text.clone(), executable: *executable }
        }
        rule::Command::Decide(_) => unreachable!("a question has no action"),
    }
}

fn outputs(def: &TaskDef) -> BTreeMap<String, OutputSpec> {
    def.outputs
        .iter()
        .map(|output| {
            (output.name.clone(), OutputSpec { role: output.role.clone(), tree: output.tree })
        })
        .collect()
}

fn tools(db: &dyn Db, def: &TaskDef) -> Result<BTreeMap<String, vwfb_cas::Digest>, Unkeyed> {
    let mut tools = BTreeMap::new();
    for tool in &def.tools {
        match db.fingerprint(tool) {
            Ok(fingerprint) => tools.insert(tool.name.clone(), *fingerprint),
            Err(why) => return Err(Unkeyed::Tool(Arc::clone(why))),
        };
    }
    Ok(tools)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_base_tools_of_rules_and_of_exec_are_the_same() {
        let of_rules: std::collections::BTreeSet<&str> =
            vwfb_rules::tools::BASE_PROGRAMS.iter().copied().collect();
        let of_exec: std::collections::BTreeSet<&str> =
            vwfb_exec::BASE_TOOLS.iter().copied().collect();
        assert_eq!(of_rules, of_exec);
        assert_eq!(vwfb_rules::tools::BASE, vwfb_exec::BASE_TOOLCHAIN);
    }
}
