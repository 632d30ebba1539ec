//! Questions that a snapshot rests on, with digests of their answers.

use crate::columns::{Reader, Strings, Writer};

/// Questions with digests of their answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    questions: Strings,
    answers: Vec<[u8; 32]>,
    /// Whether it is not as in the file that it was read from.
    changed: bool,
}

impl Asked {
    pub(super) fn push(&mut self, question: &str, answer: [u8; 32]) {
        self.questions.push(question);
        self.answers.push(answer);
        self.changed = true;
    }

    /// Adds a question that may have been asked before; `None` if its answer was another.
    pub(super) fn add(&mut self, question: &str, answer: [u8; 32]) -> Option<()> {
        match self.find(question) {
            Some(at) => (self.answers[at] == answer).then_some(()),
            None => {
                self.push(question, answer);
                Some(())
            }
        }
    }

    /// Forgets all questions.
    pub(super) fn clear(&mut self) {
        *self = Self { changed: true, ..Self::default() };
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.answers.is_empty()
    }

    pub(super) fn find(&self, question: &str) -> Option<usize> {
        self.questions.iter().position(|it| it == question)
    }

    pub(super) fn answer(&self, at: usize) -> [u8; 32] {
        self.answers[at]
    }

    /// Says what the answer is now, and returns whether it was another.
    pub(super) fn set(&mut self, at: usize, answer: [u8; 32]) -> bool {
        let other = self.answers[at] != answer;
        self.answers[at] = answer;
        self.changed |= other;
        other
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &[u8; 32])> {
        self.questions.iter().zip(&self.answers)
    }

    /// Whether every question is answered as it was; no answer is another one.
    pub(super) fn hold(&self, ask: impl Fn(&str) -> Option<[u8; 32]>) -> bool {
        self.iter().all(|(question, answer)| ask(question) == Some(*answer))
    }

    pub(super) fn write(&self, to: &mut Writer) {
        to.strings(&self.questions);
        to.column(&self.answers);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (questions, answers) = (from.strings()?, from.column::<32, [u8; 32]>()?);
        let whole = questions.len() == answers.len();
        whole.then_some(Self { questions, answers, changed: false })
    }

    /// Writes it if it is not as in the file that it was read from.
    pub(super) fn write_change(&self, to: &mut Writer) {
        to.column(&[u8::from(self.changed)]);
        if self.changed {
            self.write(to);
        }
    }

    /// Takes up what [`Asked::write_change`] wrote.
    pub(super) fn read_change(&mut self, from: &mut Reader<'_>) -> Option<()> {
        match from.column::<1, u8>()?.as_slice() {
            [0] => Some(()),
            [1] => {
                *self = Self { changed: true, ..Self::read(from)? };
                Some(())
            }
            _ => None,
        }
    }
}
