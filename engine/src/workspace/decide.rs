//! Deciding on what checkpoints ask.

use std::collections::BTreeSet;
use std::sync::Arc;

use vwfb_rules::checkpoint::{Checkpoint, OnReject};
use vwfb_rules::label::{Label, Reference, WsPath};
use vwfb_rules::task::{Command, Results};

use super::Workspace;
use super::prepare::Prepared;
use crate::db::Db;
use crate::event::{Event, Reporter};
use crate::graph::TaskGraph;
use crate::keep::KeepError;
use crate::names::members_of;
use crate::outputs::is_changed;
use crate::people::{NewDecision, PeopleError, Question, Verdict};
use crate::plan::TaskId;
use crate::run::{EnvironmentError, Known, Met, Run};
use crate::state::StateError;
use crate::target::task;

/// What somebody says at a checkpoint.
#[derive(Debug, Clone)]
pub struct Saying<'a> {
    /// Approve or reject.
    pub verdict: Verdict,
    /// What it is about, as labels or references; everything that is to be decided on if none is named.
    pub about: &'a [Reference],
    /// What is to be better.
    pub feedback: Option<String>,
    /// Why, for other people.
    pub note: Option<String>,
    /// Who says it.
    pub who: String,
}

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// What was decided on.
    pub subjects: Vec<String>,
    /// What nobody has decided on yet.
    pub open: Vec<String>,
    /// What stays rejected.
    pub rejected: Vec<String>,
    /// The targets of which another take is made by the next build.
    pub retaken: Vec<Label>,
    /// The targets that read what is to be better.
    pub heeding: Vec<Label>,
}

/// Why a decision is not taken.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// It is something else.
    #[error("`{0}` is no checkpoint")]
    NoCheckpoint(Label),
    /// What it asks about is not made, or not from what there is now.
    #[error("what `{0}` asks about is not made from what there is now")]
    Unmade(Label),
    /// Nobody was shown these bytes.
    #[error("`{subject}` is not what `{checkpoint}` last showed")]
    Changed {
        /// The checkpoint.
        checkpoint: Label,
        /// What changed.
        subject: String,
    },
    /// What lies where people were told to look is something else.
    #[error("`{path}` is not `{subject}` any more: it was changed")]
    Edited {
        /// What is asked about.
        subject: String,
        /// Where people look at it.
        path: String,
    },
    /// It asks about something else.
    #[error("`{checkpoint}` does not ask about `{subject}`")]
    NotAsked {
        /// The checkpoint.
        checkpoint: Label,
        /// What was named.
        subject: String,
        /// What it asks about.
        asked: Vec<String>,
    },
    /// Everything is decided on already.
    #[error("nothing waits at `{0}`")]
    NothingWaits(Label),
    /// What was decided on cannot be kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// The workspace's memory cannot be written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The records cannot be used.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// Something of the machine keeps it from being found out.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
}

/// Hears nothing.
pub(super) struct Silent;

impl Reporter for Silent {
    fn event(&mut self, _event: &Event) {}

    fn wants_unchanged(&self) -> bool {
        false
    }
}

impl Workspace {
    /// Every checkpoint among what `prepared` needs of which the subjects are made from what there is
    /// now, with them. Nothing is run or recorded.
    ///
    /// # Errors
    /// If the store or the workspace's memory cannot be read.
    pub fn questions(&mut self, prepared: &Prepared) -> Result<Vec<Met>, EnvironmentError> {
        self.asked_now(prepared, None).map(|(met, _)| met)
    }

    /// The same, with the checkpoint `label` also if only some of its subjects are made, and the graph
    /// with what fan-outs expand to by what is made.
    fn asked_now(
        &mut self,
        prepared: &Prepared,
        label: Option<&Label>,
    ) -> Result<(Vec<Met>, Arc<TaskGraph>), EnvironmentError> {
        let known = Known::of(&self.state, &prepared.graph)?;
        let mut silent = Silent;
        let mut run = Run::begin(self.ground(prepared), &mut silent, known);
        run.settle_known()?;
        while run.expand()? {
            run.settle_known()?;
        }
        let mut met = std::mem::take(&mut run.met);
        if let Some(label) = label.filter(|label| met.iter().all(|it| it.label != **label)) {
            met.extend(run.partly_met(label)?);
        }
        Ok((met, Arc::clone(&run.ground.graph)))
    }

    /// Takes what somebody says at the checkpoint `label`, which `prepared` has.
    ///
    /// # Errors
    /// If it cannot be about what there is now, or cannot be recorded.
    pub fn decide(
        &mut self,
        prepared: &Prepared,
        label: &Label,
        saying: &Saying<'_>,
    ) -> Result<Decided, DecideError> {
        // A checkpoint on what a fan-out makes is known when that is expanded.
        let (met, graph) = self.asked_now(prepared, Some(label))?;
        let checkpoint = self.checkpoint(label, &graph)?;
        let met = met.into_iter().find(|met| met.label == *label);
        // One subject can be decided on while another is not made.
        let met = met.filter(|met| met.is_whole || !saying.about.is_empty());
        let met = met.ok_or_else(|| DecideError::Unmade(label.clone()))?;
        let chosen = chosen(&met, saying)?;
        let asked = self.people.asked(label, self.state.config())?;
        for question in &chosen {
            let is_known = |other: &Question| {
                (&other.subject, other.digest) == (&question.subject, question.digest)
            };
            let was_shown = asked.iter().any(|it| is_known(&it.question));
            let was_decided =
                met.subjects.iter().any(|(it, verdict)| is_known(it) && verdict.is_some());
            let place = self.place.root.join(&question.path);
            let artifact = met.artifacts.get(&question.subject);
            let is_other = artifact.is_some_and(|artifact| !self.is_in_place(&place, artifact));
            let is_edited = is_other && is_changed(&place, &self.stamps, &self.store);
            if is_edited {
                let (subject, path) = (question.subject.clone(), question.path.clone());
                return Err(DecideError::Edited { subject, path });
            }
            if !was_shown && !was_decided {
                let (checkpoint, subject) = (label.clone(), question.subject.clone());
                return Err(DecideError::Changed { checkpoint, subject });
            }
        }
        let new: Vec<NewDecision> = chosen
            .iter()
            .map(|question| NewDecision {
                subject: question.subject.clone(),
                digest: question.digest,
                artifact: met.artifacts.get(&question.subject).copied(),
                verdict: saying.verdict,
                feedback: saying.feedback.clone().filter(|_| saying.verdict == Verdict::Reject),
                note: saying.note.clone(),
                who: saying.who.clone(),
            })
            .collect();
        // What was decided on is there also when the store is not.
        for artifact in new.iter().filter_map(|it| it.artifact.as_ref()) {
            if self.store.has(artifact).unwrap_or(false) {
                self.keep.keep(artifact)?;
            }
        }
        let first = self.people.decide(label, self.clock.now().0, &new)?;
        let subjects = new.iter().map(|it| it.subject.clone()).collect();
        let mut decided = Decided { subjects, ..Decided::default() };
        let is_open = |(question, verdict): &&(Question, Option<Verdict>)| {
            verdict.is_none() && !decided.subjects.contains(&question.subject)
        };
        decided.open =
            met.subjects.iter().filter(is_open).map(|(it, _)| it.subject.clone()).collect();
        let stays = |(question, verdict): &&(Question, Option<Verdict>)| match decided
            .subjects
            .contains(&question.subject)
        {
            true => saying.verdict == Verdict::Reject,
            false => *verdict == Some(Verdict::Reject),
        };
        decided.rejected =
            met.subjects.iter().filter(stays).map(|(it, _)| it.subject.clone()).collect();
        if saying.verdict == Verdict::Reject {
            self.follow_up(&graph, (&checkpoint, first), &mut decided)?;
        }
        self.state.mark_roots()?;
        self.publish_roots()?;
        self.choose()?;
        Ok(decided)
    }

    /// Takes back what was decided last, by whomever. Returns what that was.
    ///
    /// # Errors
    /// If the records cannot be used.
    pub fn undo_decision(
        &mut self,
        who: &str,
    ) -> Result<Vec<crate::people::Decision>, PeopleError> {
        let undone = self.people.undo_decision(self.clock.now().0, who)?;
        self.choose()?;
        Ok(undone)
    }

    /// Tells the queries what people chose.
    pub(super) fn choose(&mut self) -> Result<(), PeopleError> {
        let choices = self.people.choices(self.state.config())?;
        self.said = self.people.said(&choices)?;
        self.db.set_choices(choices);
        Ok(())
    }

    fn checkpoint(&self, label: &Label, graph: &TaskGraph) -> Result<Arc<Checkpoint>, DecideError> {
        let db: &dyn Db = &self.db;
        let def = task(db, db.target(label)).value.as_ref();
        match def.map(|def| &def.command) {
            Some(Command::Decide(checkpoint)) => Ok(Arc::clone(checkpoint)),
            None if !graph.is_expanded() => Err(DecideError::Unmade(label.clone())),
            _ => Err(DecideError::NoCheckpoint(label.clone())),
        }
    }

    /// What a rejection leads to: other takes, and readers of what is to be better.
    fn follow_up(
        &self,
        graph: &TaskGraph,
        (checkpoint, decision): (&Checkpoint, i64),
        decided: &mut Decided,
    ) -> Result<(), DecideError> {
        let db: &dyn Db = &self.db;
        let named: BTreeSet<Label> =
            checkpoint.regenerate.iter().flat_map(|label| members_of(db, label)).collect();
        for subject in &decided.subjects {
            let Ok(reference) = Reference::parse(subject, &WsPath::root()) else { continue };
            let Some(id) = graph.find(&reference.label) else { continue };
            if graph.def(db, id).reads_feedback {
                decided.heeding.push(reference.label.clone());
            }
            if checkpoint.on_reject != OnReject::Regenerate {
                continue;
            }
            for producer in producers(db, graph, id, &named) {
                if !decided.retaken.contains(&producer) {
                    decided.retaken.push(producer);
                }
            }
        }
        for label in &decided.retaken {
            let _take =
                self.people.begin_take((label, self.state.config()), true, Some(decision))?;
        }
        Ok(())
    }
}

/// The nearest tasks before `id`, itself included, of whose results there can be other takes; of
/// those `named` only, if any are.
fn producers(db: &dyn Db, graph: &TaskGraph, id: TaskId, named: &BTreeSet<Label>) -> Vec<Label> {
    let (mut found, mut seen, mut next) = (Vec::new(), BTreeSet::new(), vec![id]);
    while let Some(id) = next.pop() {
        if !seen.insert(id) {
            continue;
        }
        let def = graph.def(db, id);
        let can = def.results != Results::Deterministic;
        if can && (named.is_empty() || named.contains(&def.label)) {
            found.push(def.label.clone());
        } else {
            next.extend(graph.shape().inputs(id));
        }
    }
    found.sort();
    found
}

/// What `saying` is about, of what is there.
fn chosen(met: &Met, saying: &Saying<'_>) -> Result<Vec<Question>, DecideError> {
    if saying.about.is_empty() {
        // Who overrides a decision names what it is about.
        let due = met.subjects.iter().filter(|(_, verdict)| verdict.is_none());
        let due: Vec<Question> = due.map(|(question, _)| question.clone()).collect();
        return match due.is_empty() {
            true => Err(DecideError::NothingWaits(met.label.clone())),
            false => Ok(due),
        };
    }
    let mut chosen = Vec::new();
    for about in saying.about {
        let text = about.to_string();
        let whole = format!("{text}#");
        let is_meant = |question: &&Question| {
            question.subject == text
                || (about.output.is_none() && question.subject.starts_with(&whole))
        };
        let before = chosen.len();
        let questions = met.subjects.iter().map(|(question, _)| question);
        chosen.extend(questions.filter(is_meant).cloned());
        if chosen.len() == before {
            let asked = met.subjects.iter().map(|(question, _)| question.subject.clone()).collect();
            let checkpoint = met.label.clone();
            return Err(DecideError::NotAsked { checkpoint, subject: text, asked });
        }
    }
    Ok(chosen)
}
