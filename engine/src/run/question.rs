//! Checkpoints in a run: what is decided already, what nobody needs to decide, and what people are to
//! be asked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use vwfb_cas::{ActionResult, Artifact};
use vwfb_rules::checkpoint::{Checkpoint, OnReject, OnTimeout};
use vwfb_rules::label::Label;
use vwfb_rules::task::{Command, InputRef, TaskDef};

use super::{EnvironmentError, Failed, Run};
use crate::action::read;
use crate::db::Db;
use crate::event::{TaskResult, Waiting};
use crate::people::{AUTO_APPROVE, NewDecision, Question, TIMEOUT, Verdict, Verdicts};
use crate::plan::{Step, TaskId};
use crate::standing::Reason;
use crate::system::{Content, StoredText};
use crate::target::task;

/// A checkpoint that a run came upon and that is not open.
pub(crate) struct Closed {
    /// What is told of it.
    pub(crate) waiting: Waiting,
    /// What people are to look at: who makes it, and its path below the output folder.
    pub(crate) shown: Vec<(TaskId, String, Artifact)>,
}

/// A checkpoint that a run came upon, open or not, with all that it asks about and what was said.
#[derive(Debug, Clone)]
pub struct Met {
    /// The checkpoint.
    pub label: Label,
    /// Whether all that it asks about is made from what there is now.
    pub is_whole: bool,
    /// What it asks about, in the order of its text.
    pub subjects: Vec<(Question, Option<Verdict>)>,
    /// The bytes of each.
    pub artifacts: BTreeMap<String, Artifact>,
    /// What people are told.
    pub message: String,
    /// The target to look at before deciding.
    pub preview: Option<Label>,
}

/// One thing to be decided on.
struct Subject {
    question: Question,
    artifact: Artifact,
    /// Who makes it, and its path below the output folder; nothing for a source.
    made: Option<(Label, String)>,
}

/// Where one checkpoint stands.
struct State<'a> {
    label: &'a Label,
    checkpoint: &'a Checkpoint,
    subjects: Vec<Subject>,
    verdicts: Verdicts,
    /// The subjects whose metrics are good enough.
    by_metrics: BTreeSet<String>,
}

impl State<'_> {
    fn verdict(&self, subject: &Subject) -> Option<Verdict> {
        let on = self.verdicts.on(&subject.question.subject, subject.question.digest)?;
        // What metrics say is asked of them each time.
        let stands = on.who != AUTO_APPROVE || self.by_metrics.contains(&subject.question.subject);
        stands.then_some(on.verdict)
    }

    /// What nobody has decided on.
    fn open(&self) -> impl Iterator<Item = (usize, &Subject)> {
        let subjects = self.subjects.iter().enumerate();
        subjects.filter(|(_, subject)| self.verdict(subject).is_none())
    }

    fn met(&self) -> Met {
        let named = |it: &Subject| (it.question.subject.clone(), it.artifact);
        let with_verdict = |it: &Subject| (it.question.clone(), self.verdict(it));
        Met {
            label: self.label.clone(),
            is_whole: true,
            subjects: self.subjects.iter().map(with_verdict).collect(),
            artifacts: self.subjects.iter().map(named).collect(),
            message: self.checkpoint.message.clone(),
            preview: self.checkpoint.preview.clone(),
        }
    }

    fn is_approved(&self) -> bool {
        self.subjects.iter().all(|subject| self.verdict(subject) == Some(Verdict::Approve))
    }
}

impl Run<'_> {
    /// Settles the checkpoints of which all subjects are approved, and ends the others.
    pub(super) fn settle_questions(&mut self) -> Result<(), EnvironmentError> {
        for id in std::mem::take(&mut self.questions) {
            let def = Arc::clone(&self.keyed(id).def);
            let Command::Decide(checkpoint) = &def.command else { continue };
            let inputs = match read(self.ground.db, &def) {
                Ok(inputs) => inputs,
                Err(unkeyed) => {
                    self.fail(id, Failed::because(unkeyed.to_string().into()));
                    continue;
                }
            };
            let subjects = self.subjects(&def, &inputs);
            let verdicts = self.verdicts(&def.label)?;
            let by_metrics = BTreeSet::new();
            let mut state = State { label: &def.label, checkpoint, subjects, verdicts, by_metrics };
            let (new, notes) = self.without_people(&state, &def, &inputs)?;
            let is_open = self.decide(&mut state, &new)?;
            self.met.push(state.met());
            if self.preview.is_some() {
                if is_open {
                    self.open_gate(id);
                } else {
                    self.settle_as(id, Arc::default(), Reason::Unapproved(def.label.clone()));
                }
            } else if is_open {
                self.ask(&state, &[])?;
                self.open_gate(id);
            } else {
                self.close_gate(id, &state, notes)?;
            }
        }
        Ok(())
    }

    /// The checkpoint `label` with those of its subjects that are made from what there is now, where
    /// others are not.
    pub(crate) fn partly_met(&self, label: &Label) -> Result<Option<Met>, EnvironmentError> {
        let Some(id) = self.ground.graph.find(label) else { return Ok(None) };
        let def = self.def(id);
        let Command::Decide(checkpoint) = &def.command else { return Ok(None) };
        let db: &dyn Db = &*self.ground.db;
        let made = |from: &InputRef| match from {
            InputRef::Source(path) => match db.path_content(path) {
                Content::Present(artifact) => Some(*artifact),
                Content::Absent | Content::Unreadable(_) => None,
            },
            InputRef::Output { label, output, .. } => {
                let maker = self.ground.graph.find(label)?;
                let is_settled = matches!(self.plan.step(maker), Step::Settled(_));
                is_settled.then(|| self.answers.artifact(maker, output))?
            }
        };
        let inputs = def.inputs.iter().filter_map(|(role, from)| Some((role.clone(), made(from)?)));
        let subjects = self.subjects(&def, &inputs.collect());
        let verdicts = self.verdicts(label)?;
        let by_metrics = BTreeSet::new();
        let met = State { label, checkpoint, subjects, verdicts, by_metrics }.met();
        Ok(Some(Met { is_whole: false, ..met }))
    }

    fn verdicts(&self, label: &Label) -> Result<Verdicts, EnvironmentError> {
        self.ground.people.verdicts(label).map_err(|error| EnvironmentError::of(&error))
    }

    fn subjects(&self, def: &TaskDef, inputs: &BTreeMap<String, Artifact>) -> Vec<Subject> {
        let db: &dyn Db = &*self.ground.db;
        let of = def.inputs.iter().filter(|(role, _)| role.starts_with("in/of/"));
        let subject = |(role, from): (&String, &InputRef)| {
            let artifact = *inputs.get(role)?;
            let (subject, path, made) = match from {
                InputRef::Source(path) => (format!("//{path}"), path.to_string(), None),
                InputRef::Output { label, output, subpath } => {
                    let made = task(db, db.target(label)).value.as_ref()?;
                    let made = made.outputs.iter().find(|it| it.name == *output)?;
                    let inner = subpath.as_ref().map(|path| format!("/{path}")).unwrap_or_default();
                    let place = format!("{}{inner}", made.path);
                    let path = format!("{}/{place}", self.ground.output_folder);
                    (format!("{label}#{output}{inner}"), path, Some((label.clone(), place)))
                }
            };
            let question = Question { subject, digest: artifact.digest(), path };
            Some(Subject { question, artifact, made })
        };
        of.filter_map(subject).collect()
    }

    /// What metrics or time decide where nobody has, and why metrics do not.
    fn without_people(
        &self,
        state: &State<'_>,
        def: &TaskDef,
        inputs: &BTreeMap<String, Artifact>,
    ) -> Result<(Vec<NewDecision>, Vec<String>), EnvironmentError> {
        let (mut new, mut notes) = (Vec::new(), Vec::new());
        let decision = |subject: &Subject, verdict, who: &str, note| NewDecision {
            subject: subject.question.subject.clone(),
            digest: subject.question.digest,
            artifact: Some(subject.artifact),
            verdict,
            feedback: None,
            note: Some(note),
            who: who.to_owned(),
        };
        let metrics: Vec<&Artifact> = inputs
            .iter()
            .filter(|(role, _)| role.starts_with("in/metrics/"))
            .map(|it| it.1)
            .collect();
        for (index, subject) in state.open() {
            let Some(own) = metrics.get(index).or(metrics.first()) else { break };
            match self.holds(state.checkpoint, own) {
                Ok(told) => new.push(decision(subject, Verdict::Approve, AUTO_APPROVE, told)),
                Err(why) => notes.push(format!("{}: {why}", subject.question.subject)),
            }
        }
        if let Some(timeout) = def.timeout {
            let asked = self.ground.people.asked(state.label, self.ground.state.config());
            let asked = asked.map_err(|error| EnvironmentError::of(&error))?;
            let verdict = match state.checkpoint.on_timeout {
                OnTimeout::Approve => Verdict::Approve,
                OnTimeout::Reject => Verdict::Reject,
            };
            for (_, subject) in state.open() {
                let since = asked.iter().find(|it| it.question == subject.question);
                let waited = since.map_or(0, |it| self.ground.now_ms.saturating_sub(it.since_ms));
                let is_new = new.iter().any(|it| it.subject == subject.question.subject);
                if Duration::from_millis(waited.max(0).unsigned_abs()) >= timeout && !is_new {
                    let note = format!("nobody decided within {} s", timeout.as_secs_f64());
                    new.push(decision(subject, verdict, TIMEOUT, note));
                }
            }
        }
        Ok((new, notes))
    }

    /// Whether every condition holds of the metrics in `artifact`, with what they are.
    fn holds(&self, checkpoint: &Checkpoint, artifact: &Artifact) -> Result<String, String> {
        let Artifact::File(file) = artifact else {
            return Err("its metrics are a folder".to_owned());
        };
        let db: &dyn Db = &*self.ground.db;
        let text = match db.system().stored_text(*file) {
            Ok(StoredText::Text(text)) => text,
            Ok(StoredText::Not(why)) => return Err(format!("its metrics cannot be read: {why}")),
            Err(_) => return Err("its metrics are not in the store".to_owned()),
        };
        let json = serde_json::from_str(&text);
        let json = json.map_err(|error| format!("its metrics are no JSON: {error}"))?;
        let told: Result<Vec<String>, String> =
            checkpoint.auto_approve.iter().map(|condition| condition.check(&json)).collect();
        told.map(|told| told.join(", "))
    }

    /// Takes in decisions that nobody had to make, and says whether all is approved.
    fn decide(
        &mut self,
        state: &mut State<'_>,
        new: &[NewDecision],
    ) -> Result<bool, EnvironmentError> {
        let by_metrics = new.iter().filter(|it| it.who == AUTO_APPROVE);
        state.by_metrics = by_metrics.map(|it| it.subject.clone()).collect();
        let is_known = |it: &&NewDecision| {
            let known = state.verdicts.on(&it.subject, it.digest);
            known.is_some_and(|known| known.who == it.who && known.verdict == it.verdict)
        };
        let new: Vec<NewDecision> = new.iter().filter(|it| !is_known(it)).cloned().collect();
        if new.is_empty() {
            return Ok(state.is_approved());
        }
        if self.number == 0 {
            // Only what would be is asked for.
            let approved = |it: &NewDecision| it.verdict == Verdict::Approve;
            let undecided = state.open().count();
            let rejected =
                state.subjects.iter().any(|it| state.verdict(it) == Some(Verdict::Reject));
            return Ok(!rejected && new.len() == undecided && new.iter().all(approved));
        }
        let decided = self.ground.people.decide(state.label, self.ground.now_ms, &new);
        decided.map_err(|error| EnvironmentError::of(&error))?;
        state.verdicts = self.verdicts(state.label)?;
        Ok(state.is_approved())
    }

    fn ask(&self, state: &State<'_>, questions: &[Question]) -> Result<(), EnvironmentError> {
        if self.number == 0 {
            return Ok(());
        }
        let place = (state.label, self.ground.state.config());
        let asked = self.ground.people.ask(place, self.ground.now_ms, questions);
        asked.map_err(|error| EnvironmentError::of(&error))
    }

    /// Settles a checkpoint of which all is approved.
    fn open_gate(&mut self, id: TaskId) {
        if self.plan.answer(id) == Some(self.keyed(id).key) {
            return self.settled(id, self.plan.unchanged_or_cut_off(id), Duration::ZERO);
        }
        let (outputs, log) = (BTreeMap::new(), None);
        let result = ActionResult { outputs, log, duration_ms: 0, observed_inputs: None };
        self.adopt(id, result, TaskResult::Approved, Duration::ZERO);
    }

    /// Ends a checkpoint that is not open, and with it what waits for it.
    fn close_gate(
        &mut self,
        id: TaskId,
        state: &State<'_>,
        notes: Vec<String>,
    ) -> Result<(), EnvironmentError> {
        let mut questions: Vec<Question> =
            state.open().map(|(_, subject)| subject.question.clone()).collect();
        questions.dedup();
        self.ask(state, &questions)?;
        let rejected = state.subjects.iter().filter_map(|subject| {
            let said = state.verdicts.on(&subject.question.subject, subject.question.digest)?;
            let is_rejected = said.verdict == Verdict::Reject;
            let why = said.feedback.clone().or_else(|| said.note.clone());
            is_rejected.then(|| (subject.question.subject.clone(), why))
        });
        let rejected: Vec<_> = rejected.collect();
        self.aborted |= !rejected.is_empty() && state.checkpoint.on_reject == OnReject::Abort;
        let shown = state.open().filter_map(|(_, subject)| {
            let (label, path) = subject.made.as_ref()?;
            Some((self.ground.graph.find(label)?, path.clone(), subject.artifact))
        });
        let shown = shown.collect();
        let reason = match (questions.len(), rejected.len()) {
            (0, rejected) => format!("{rejected} of {} rejected", state.subjects.len()),
            (open, _) => format!("nobody decided on {open} of {}", state.subjects.len()),
        };
        let waiting = Waiting {
            label: state.label.clone(),
            message: state.checkpoint.message.clone(),
            preview: state.checkpoint.preview.clone(),
            subjects: questions,
            rejected,
            notes,
        };
        self.closed.push(Closed { waiting, shown });
        self.end(id, TaskResult::Waiting, Failed::because(reason.into()));
        Ok(())
    }
}
