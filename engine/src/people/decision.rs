//! Decisions on the subjects of checkpoints, and the questions that were put.

use std::collections::{BTreeSet, HashMap};

use rusqlite::{Connection, Row, params};
use vwfb_cas::{Artifact, BlobId, Digest, FileRef, TreeId};
use vwfb_rules::label::Label;

use super::{People, PeopleError};

/// Who decides where metrics do.
pub const AUTO_APPROVE: &str = "auto-approve";

/// Who decides where nobody did in time.
pub const TIMEOUT: &str = "timeout";

/// Those of whom nobody is a person.
const NOBODY: [&str; 2] = [AUTO_APPROVE, TIMEOUT];

/// What somebody said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// Good as it is.
    Approve,
    /// Not good.
    Reject,
    /// An earlier decision is taken back.
    Undo,
}

impl Verdict {
    /// Every verdict with its word.
    const ALL: [(Self, &'static str); 3] =
        [(Self::Approve, "approve"), (Self::Reject, "reject"), (Self::Undo, "undo")];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(verdict, _)| *verdict == self).map_or("", |(_, word)| word)
    }

    fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == word).map(|(verdict, _)| *verdict)
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Its number, from 1.
    pub id: i64,
    /// The checkpoint.
    pub checkpoint: String,
    /// What it is about: an output (`//p:clips[hook].audio#wav`) or a source (`//p/intro.png`).
    pub subject: String,
    /// The digest of the bytes that it is about.
    pub digest: Digest,
    /// What was said.
    pub verdict: Verdict,
    /// What is to be better.
    pub feedback: Option<String>,
    /// Why, for other people.
    pub note: Option<String>,
    /// Who said it; `auto-approve` and `timeout` for what nobody had to.
    pub who: String,
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// The record that it takes back.
    pub undoes: Option<i64>,
}

/// A record to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDecision {
    /// As in [`Decision`].
    pub subject: String,
    /// As in [`Decision`].
    pub digest: Digest,
    /// The bytes, which no gc may take from now on.
    pub artifact: Option<Artifact>,
    /// As in [`Decision`].
    pub verdict: Verdict,
    /// As in [`Decision`].
    pub feedback: Option<String>,
    /// As in [`Decision`].
    pub note: Option<String>,
    /// As in [`Decision`].
    pub who: String,
}

/// One thing that people are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// As in [`Decision`].
    pub subject: String,
    /// As in [`Decision`].
    pub digest: Digest,
    /// Where it can be looked at, relative to the workspace.
    pub path: String,
}

/// What was asked last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// What.
    pub question: Question,
    /// Since when, in milliseconds since 1970.
    pub since_ms: i64,
}

/// The decisions on one checkpoint that hold: the last on each subject and digest that was not taken
/// back.
#[derive(Debug, Clone, Default)]
pub struct Verdicts(HashMap<(String, Digest), Decision>);

impl Verdicts {
    fn of(decisions: Vec<Decision>) -> Self {
        let undone: Vec<i64> = decisions.iter().filter_map(|it| it.undoes).collect();
        let holds = |it: &Decision| it.verdict != Verdict::Undo && !undone.contains(&it.id);
        let held = decisions.into_iter().filter(holds);
        Self(held.map(|it| ((it.subject.clone(), it.digest), it)).collect())
    }

    /// The one on `subject` where its bytes have `digest`.
    pub fn on(&self, subject: &str, digest: Digest) -> Option<&Decision> {
        self.0.get(&(subject.to_owned(), digest))
    }
}

impl People {
    /// Every record, in order.
    ///
    /// # Errors
    /// If the database cannot be read; so for every method here.
    pub fn decisions(&self) -> Result<Vec<Decision>, PeopleError> {
        self.with(Vec::new(), |db| select(db, "ORDER BY id", params![]))
    }

    /// The decisions on `checkpoint` that hold.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn verdicts(&self, checkpoint: &Label) -> Result<Verdicts, PeopleError> {
        let rest = "WHERE checkpoint = ?1 ORDER BY id";
        let all = self.with(Vec::new(), |db| select(db, rest, params![checkpoint.to_string()]))?;
        Ok(Verdicts::of(all))
    }

    /// What was said to be better of each subject, in decisions that were not taken back, in order.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn feedback(&self) -> Result<Vec<(String, String)>, PeopleError> {
        let all = self.decisions()?;
        let undone: BTreeSet<i64> = all.iter().filter_map(|it| it.undoes).collect();
        let said = all.into_iter().filter(|it| !undone.contains(&it.id));
        Ok(said.filter_map(|it| Some((it.subject, it.feedback?))).collect())
    }

    /// Records decisions on `checkpoint`. Returns the number of the first.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn decide(
        &self,
        checkpoint: &Label,
        now_ms: i64,
        new: &[NewDecision],
    ) -> Result<i64, PeopleError> {
        self.change(|db| {
            let mut first = None;
            for decision in new {
                db.prepare_cached(
                    "INSERT INTO decisions (checkpoint, subject, digest, verdict, feedback, note,
                     who, at_ms, kind, size) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                )?
                .execute(params![
                    checkpoint.to_string(),
                    decision.subject,
                    decision.digest.as_bytes().as_slice(),
                    decision.verdict.as_str(),
                    decision.feedback,
                    decision.note,
                    decision.who,
                    now_ms,
                    decision.artifact.map(kind),
                    decision.artifact.map(size),
                ])?;
                first.get_or_insert_with(|| db.last_insert_rowid());
            }
            Ok(first.unwrap_or_default())
        })
    }

    /// The bytes of all that was decided on.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub(crate) fn decided(&self) -> Result<Vec<Artifact>, PeopleError> {
        self.with(Vec::new(), |db| {
            let select = "SELECT DISTINCT digest, kind, size FROM decisions WHERE kind NOT NULL";
            let mut statement = db.prepare(select)?;
            let rows = statement.query_map([], |row| {
                let (digest, kind, size) = (digest(row, 0)?, row.get(1)?, row.get::<_, i64>(2)?);
                let (blob, executable) = (BlobId(digest), kind == EXECUTABLE);
                Ok(match kind {
                    TREE => Artifact::Tree(TreeId(digest)),
                    _ => Artifact::File(FileRef { blob, size: size.unsigned_abs(), executable }),
                })
            })?;
            rows.collect()
        })
    }

    /// When a person last decided something that was not taken back, in milliseconds since 1970.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn last_decision(&self) -> Result<Option<i64>, PeopleError> {
        let all = self.decisions()?;
        let undone: Vec<i64> = all.iter().filter_map(|it| it.undoes).collect();
        let holds = |it: &&Decision| {
            let is_open = it.verdict != Verdict::Undo && !undone.contains(&it.id);
            is_open && !NOBODY.contains(&it.who.as_str())
        };
        Ok(all.iter().rev().find(holds).map(|it| it.at_ms))
    }

    /// Takes back the last decisions that were made together and not taken back yet, by a person.
    /// Returns them.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn undo_decision(&self, now_ms: i64, who: &str) -> Result<Vec<Decision>, PeopleError> {
        self.change(|db| {
            let all = select(db, "ORDER BY id", params![])?;
            let undone: Vec<i64> = all.iter().filter_map(|it| it.undoes).collect();
            let holds = |it: &&Decision| {
                let is_open = it.verdict != Verdict::Undo && !undone.contains(&it.id);
                is_open && !NOBODY.contains(&it.who.as_str())
            };
            let Some(last) = all.iter().rev().find(holds) else { return Ok(Vec::new()) };
            let together = |it: &&Decision| {
                (&it.checkpoint, it.at_ms, &it.who) == (&last.checkpoint, last.at_ms, &last.who)
            };
            let taken_back: Vec<Decision> =
                all.iter().filter(holds).filter(together).cloned().collect();
            for it in &taken_back {
                db.execute(
                    "UPDATE takes SET in_use = retakes.before FROM retakes
                     WHERE retakes.decision = ?1 AND retakes.label = takes.label
                         AND retakes.config = takes.config",
                    [it.id],
                )?;
                db.execute(
                    "INSERT INTO decisions (checkpoint, subject, digest, verdict, who, at_ms, undoes)
                     VALUES (?1, ?2, ?3, 'undo', ?4, ?5, ?6)",
                    params![
                        it.checkpoint,
                        it.subject,
                        it.digest.as_bytes().as_slice(),
                        who,
                        now_ms,
                        it.id
                    ],
                )?;
            }
            Ok(taken_back)
        })
    }

    /// Notes what people are asked at `checkpoint` under a configuration, in the place of what they
    /// were asked before; what they were asked already keeps its time.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn ask(
        &self,
        (checkpoint, config): (&Label, Digest),
        now_ms: i64,
        questions: &[Question],
    ) -> Result<(), PeopleError> {
        let before = self.asked(checkpoint, config)?;
        let mut sorted: Vec<&Question> = questions.iter().collect();
        sorted.sort_by(|a, b| a.subject.cmp(&b.subject));
        if before.iter().map(|asked| &asked.question).eq(sorted) {
            return Ok(());
        }
        let since = |question: &Question| {
            let known = before.iter().find(|asked| asked.question == *question);
            known.map_or(now_ms, |asked| asked.since_ms)
        };
        self.change(|db| {
            let (checkpoint, config) = (checkpoint.to_string(), config.as_bytes().as_slice());
            db.execute(
                "DELETE FROM asked WHERE checkpoint = ?1 AND config = ?2",
                params![checkpoint, config],
            )?;
            for question in questions {
                db.execute(
                    "INSERT OR REPLACE INTO asked VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        checkpoint,
                        config,
                        question.subject,
                        question.digest.as_bytes().as_slice(),
                        question.path,
                        since(question)
                    ],
                )?;
            }
            Ok(())
        })
    }

    /// What people were last asked at `checkpoint` under a configuration, sorted by subject.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn asked(&self, checkpoint: &Label, config: Digest) -> Result<Vec<Asked>, PeopleError> {
        self.with(Vec::new(), |db| {
            let mut statement = db.prepare_cached(
                "SELECT subject, digest, path, since_ms FROM asked
                 WHERE checkpoint = ?1 AND config = ?2 ORDER BY subject",
            )?;
            let config = config.as_bytes().as_slice();
            let rows = statement.query_map(params![checkpoint.to_string(), config], |row| {
                let (subject, path) = (row.get(0)?, row.get(2)?);
                let question = Question { subject, digest: digest(row, 1)?, path };
                Ok(Asked { question, since_ms: row.get(3)? })
            })?;
            rows.collect()
        })
    }

    /// The checkpoints at which people were asked something under a configuration, sorted.
    ///
    /// # Errors
    /// See [`People::decisions`].
    pub fn asking(&self, config: Digest) -> Result<Vec<String>, PeopleError> {
        self.with(Vec::new(), |db| {
            let mut statement = db.prepare_cached(
                "SELECT DISTINCT checkpoint FROM asked WHERE config = ?1 ORDER BY checkpoint",
            )?;
            let rows = statement.query_map([config.as_bytes().as_slice()], |row| row.get(0))?;
            rows.collect()
        })
    }
}

fn select(
    db: &Connection,
    rest: &str,
    values: &[&dyn rusqlite::ToSql],
) -> rusqlite::Result<Vec<Decision>> {
    let columns = "id, checkpoint, subject, digest, verdict, feedback, note, who, at_ms, undoes";
    let mut statement = db.prepare_cached(&format!("SELECT {columns} FROM decisions {rest}"))?;
    let rows = statement.query_map(values, |row| {
        let verdict: String = row.get(4)?;
        Ok(Decision {
            id: row.get(0)?,
            checkpoint: row.get(1)?,
            subject: row.get(2)?,
            digest: digest(row, 3)?,
            verdict: Verdict::named(&verdict).ok_or_else(|| damaged(4))?,
            feedback: row.get(5)?,
            note: row.get(6)?,
            who: row.get(7)?,
            at_ms: row.get(8)?,
            undoes: row.get(9)?,
        })
    })?;
    rows.collect()
}

const FILE: i64 = 0;
const EXECUTABLE: i64 = 1;
const TREE: i64 = 2;

const fn kind(artifact: Artifact) -> i64 {
    match artifact {
        Artifact::File(FileRef { executable: true, .. }) => EXECUTABLE,
        Artifact::File(_) => FILE,
        Artifact::Tree(_) => TREE,
    }
}

const fn size(artifact: Artifact) -> i64 {
    match artifact {
        Artifact::File(file) => file.size.cast_signed(),
        Artifact::Tree(_) => 0,
    }
}

fn digest(row: &Row<'_>, column: usize) -> rusqlite::Result<Digest> {
    let bytes: Vec<u8> = row.get(column)?;
    let bytes = bytes.try_into().map_err(|_| damaged(column))?;
    Ok(Digest::from_bytes(bytes))
}

fn damaged(column: usize) -> rusqlite::Error {
    rusqlite::Error::InvalidColumnType(column, "people.db".to_owned(), rusqlite::types::Type::Blob)
}

#[cfg(test)]
mod tests {
    use vwfb_rules::label::WsPath;

    use super::*;
    use crate::people::PEOPLE_FILE;

    fn label() -> Label {
        Label::parse("//p:gate", &WsPath::root()).unwrap()
    }

    fn said(subject: &str, verdict: Verdict) -> NewDecision {
        NewDecision {
            subject: subject.into(),
            digest: Digest::of(subject.as_bytes()),
            artifact: None,
            verdict,
            feedback: (verdict == Verdict::Reject).then(|| "slower".into()),
            note: None,
            who: "ada".into(),
        }
    }

    #[test]
    fn the_last_decision_that_was_not_taken_back_holds() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path()).unwrap();
        assert!(people.decisions().unwrap().is_empty());
        assert!(!folder.path().join(PEOPLE_FILE).exists(), "reading makes nothing");
        let holds = |people: &People| {
            let verdicts = people.verdicts(&label()).unwrap();
            verdicts.on("a", Digest::of(b"a")).map(|it| it.verdict)
        };
        people.decide(&label(), 1, &[said("a", Verdict::Approve)]).unwrap();
        people.decide(&label(), 2, &[said("a", Verdict::Reject)]).unwrap();
        assert_eq!(holds(&people), Some(Verdict::Reject));
        assert_eq!(people.feedback().unwrap(), [("a".to_owned(), "slower".to_owned())]);
        assert_eq!(people.undo_decision(3, "bob").unwrap().len(), 1);
        assert_eq!(holds(&People::open(folder.path()).unwrap()), Some(Verdict::Approve));
        assert!(people.feedback().unwrap().is_empty());
        assert_eq!(people.undo_decision(4, "bob").unwrap().len(), 1);
        assert_eq!(holds(&people), None);
        assert!(people.undo_decision(5, "bob").unwrap().is_empty());
        assert_eq!(people.decisions().unwrap().len(), 4);
    }

    #[test]
    fn what_was_asked_keeps_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path()).unwrap();
        let config = Digest::of(b"config");
        let question = |subject: &str, bytes: &str| Question {
            subject: subject.into(),
            digest: Digest::of(bytes.as_bytes()),
            path: "x".into(),
        };
        let place = label();
        people.ask((&place, config), 1, &[question("a", "1"), question("b", "1")]).unwrap();
        people.ask((&place, config), 2, &[question("a", "1"), question("b", "2")]).unwrap();
        let asked = people.asked(&place, config).unwrap();
        assert_eq!(asked.iter().map(|it| it.since_ms).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(people.asking(config).unwrap(), ["//p:gate"]);
        people.ask((&place, config), 3, &[]).unwrap();
        assert!(people.asking(config).unwrap().is_empty());
    }

    #[test]
    fn what_a_newer_vwfb_wrote_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let people = People::open(folder.path()).unwrap();
        people.decide(&label(), 1, &[said("a", Verdict::Approve)]).unwrap();
        drop(people);
        let path = folder.path().join(PEOPLE_FILE);
        let db = Connection::open(&path).unwrap();
        db.pragma_update(None, "user_version", 99).unwrap();
        drop(db);
        let error = People::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("a newer vwfb (format 99, and this one knows 1)"), "{error}");
        let db = Connection::open(&path).unwrap();
        let count: i64 =
            db.query_row("SELECT count(*) FROM decisions", [], |row| row.get(0)).unwrap();
        assert_eq!(count, 1);
        drop(db);
        std::fs::write(&path, "no database at all, and longer than a header of one").unwrap();
        let error = People::open(folder.path()).err().unwrap().to_string();
        assert!(error.contains("nothing in it was changed"), "{error}");
    }
}
