//! Expected problems, written as comments above the line they are about, against those found.

use std::collections::BTreeMap;

use vwfb_rules::diagnostic::{Diagnostic, Severity, Spot};

/// Where a problem is shown: a file's line, or nowhere in the files of the test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spotted {
    /// The line of a file, counted from 0.
    Line(String, usize),
    /// No line: the command itself, or a built-in rule file.
    Command,
}

/// A problem, as much of it as a comment says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Where.
    pub(crate) at: Spotted,
    /// `error[code]: message`.
    pub(crate) text: String,
    /// What to do, where the comment says it.
    pub(crate) hint: Option<String>,
}

/// The problems that the comments of `text` expect. `comment` begins one, and `at` says what the
/// line below it means.
pub(crate) fn expected(text: &str, comment: &str, at: impl Fn(usize) -> Spotted) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut above: Vec<Problem> = Vec::new();
    for (index, line) in text.lines().chain([""]).enumerate() {
        let said = line.trim_start().strip_prefix(comment).map(str::trim_start);
        match said.and_then(Word::read) {
            Some(Word::Problem(text)) => {
                above.push(Problem { at: Spotted::Command, text: text.into(), hint: None });
            }
            Some(Word::Hint(hint)) if !above.is_empty() => {
                let last = above.len() - 1;
                above[last].hint = Some(hint.into());
            }
            Some(Word::Hint(_)) | None => {
                let here = |problem| Problem { at: at(index), ..problem };
                problems.extend(above.drain(..).map(here));
            }
        }
    }
    problems
}

/// The first line of `text` that is no expectation.
fn first_line(text: &str) -> usize {
    let is_word = |line: &str| {
        let said = line.trim_start().strip_prefix("//").map(str::trim_start);
        said.and_then(Word::read).is_some()
    };
    text.lines().take_while(|line| is_word(line)).count()
}

/// What a comment says.
enum Word<'t> {
    Problem(&'t str),
    Hint(&'t str),
}

impl<'t> Word<'t> {
    fn read(comment: &'t str) -> Option<Self> {
        if let Some(hint) = comment.strip_prefix("hint: ") {
            return Some(Self::Hint(hint.trim_end()));
        }
        let problem = comment.starts_with("error[") || comment.starts_with("warning[");
        problem.then(|| Self::Problem(comment.trim_end()))
    }
}

/// `problem` as a comment would say it, in a workspace with these `files`.
pub(crate) fn found(problem: &Diagnostic, files: &BTreeMap<String, &str>) -> Problem {
    let severity = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let text = format!("{severity}[{}]: {}", problem.code, problem.message);
    Problem { at: spotted(problem, files), text, hint: problem.hint.clone() }
}

fn spotted(problem: &Diagnostic, files: &BTreeMap<String, &str>) -> Spotted {
    let Some(place) = problem.places.first() else { return Spotted::Command };
    let file = place.anchor.file.as_str();
    let Some(text) = files.get(file) else { return Spotted::Command };
    let line = match place.anchor.spot {
        Spot::File => first_line(text),
        _ => {
            let start = vwfb_rules::spans(text).resolve(&place.anchor).start;
            text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count()
        }
    };
    Spotted::Line(file.to_owned(), line)
}

impl Problem {
    /// Whether this, as expected, is what was `found`.
    pub(crate) fn is(&self, found: &Self) -> bool {
        let hint = self.hint.is_none() || self.hint == found.hint;
        self.at == found.at && self.text == found.text && hint
    }
}
