//! Runs one Markdown file: every test in it, and its snapshots rewritten where that is asked for.

use std::env;
use std::fs;
use std::ops::Range;
use std::path::Path;

use crate::expect::{Problem, Spotted};
use crate::markdown::{self, Case, Fence, Suite};
use crate::world::World;

/// The variable that has snapshots rewritten.
const UPDATE: &str = "UPDATE_SUITE";

/// The suite in the file `path`; it panics if that cannot be read as one.
pub(crate) fn read(path: &Path) -> Suite {
    suite(path, &text_of(path))
}

fn text_of(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn suite(path: &Path, text: &str) -> Suite {
    markdown::suite(text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Runs the tests of the file `path`, shown as `name`; what is wrong, one text a test.
pub(crate) fn run(path: &Path, name: &str) -> Vec<String> {
    let text = text_of(path);
    let suite = suite(path, &text);
    let Some((new, faults)) = env::var_os(UPDATE).map(|_| rewritten(&text, &suite, name)) else {
        return faults(&suite, name);
    };
    if new != text {
        fs::write(path, new).expect("a suite that can be read can be written");
    }
    faults
}

/// What is wrong with the tests of `suite`, one text a test.
pub(crate) fn faults(suite: &Suite, name: &str) -> Vec<String> {
    let wrong = |case: &Case| {
        let ran = Ran::new(&suite.shared, case);
        let snapshots = ran.snapshots.iter().map(Snapshot::difference);
        described(name, case, ran.faults.into_iter().chain(snapshots).collect())
    };
    suite.cases.iter().filter_map(wrong).collect()
}

/// The text of `suite` with its snapshots as they are, and what else is wrong with its tests.
pub(crate) fn rewritten(text: &str, suite: &Suite, name: &str) -> (String, Vec<String>) {
    let mut changes = Vec::new();
    let mut faults = Vec::new();
    for case in &suite.cases {
        let ran = Ran::new(&suite.shared, case);
        changes.extend(ran.snapshots.into_iter().map(|snapshot| (snapshot.lines, snapshot.new)));
        faults.extend(described(name, case, ran.faults));
    }
    (markdown::rewritten(text, changes), faults)
}

fn described(name: &str, case: &Case, wrong: Vec<String>) -> Option<String> {
    let indented = wrong.concat().replace('\n', "\n  ");
    let text = format!("{name}:{}: {}\n  {}", case.line, case.heading, indented.trim_end());
    (!wrong.is_empty()).then_some(text)
}

/// One test after its run.
#[derive(Default)]
struct Ran {
    faults: Vec<String>,
    snapshots: Vec<Snapshot>,
}

/// A snapshot that does not hold.
struct Snapshot {
    lines: Range<usize>,
    old: String,
    new: String,
}

impl Ran {
    fn new(shared: &[Fence], case: &Case) -> Self {
        let mut ran = Self::default();
        if case.fences.is_empty() {
            return ran;
        }
        let mut world = World::default();
        let mut snapshots = Vec::new();
        for fence in shared.iter().chain(&case.fences) {
            match world.take(fence) {
                Ok(true) => {}
                Ok(false) => snapshots.push(fence),
                Err(why) => ran.fault(fence.lines.start, &why),
            }
        }
        let outcome = world.check();
        ran.compare(&world, world.found(&outcome));
        for fence in snapshots {
            match outcome.snapshot(fence) {
                Ok(new) if new == fence.text => {}
                Ok(new) => {
                    let (lines, old) = (fence.lines.clone(), fence.text.clone());
                    ran.snapshots.push(Snapshot { lines, old, new });
                }
                Err(why) => ran.fault(fence.lines.start, &why),
            }
        }
        ran
    }

    fn fault(&mut self, line: usize, why: &str) {
        self.faults.push(format!("line {line}: {why}\n"));
    }

    fn compare(&mut self, world: &World, mut found: Vec<Problem>) {
        let mut missing = Vec::new();
        for wanted in &world.expected {
            match found.iter().position(|found| wanted.is(found)) {
                Some(at) => drop(found.remove(at)),
                None => missing.push(wanted),
            }
        }
        for problem in missing {
            self.faults.push(format!("expected {}", shown(problem, world)));
        }
        for problem in &found {
            self.faults.push(format!("found {}", shown(problem, world)));
        }
    }
}

fn shown(problem: &Problem, world: &World) -> String {
    let (place, comment) = match &problem.at {
        Spotted::Command => ("nowhere in the files of the test".to_owned(), "#"),
        Spotted::Line(file, line) => {
            let start = world.starts.get(&Spotted::Line(file.clone(), 0));
            let start = start.map_or(0, |start| start + line + 1);
            (format!("at line {start}, {file}:{}", line + 1), "//")
        }
    };
    let hint = problem.hint.iter().map(|hint| format!("  {comment} hint: {hint}\n"));
    format!("{place}\n  {comment} {}\n{}", problem.text, hint.collect::<String>())
}

impl Snapshot {
    fn difference(&self) -> String {
        let old: Vec<&str> = self.old.lines().collect();
        let new: Vec<&str> = self.new.lines().collect();
        let begin = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        let rest = old.len().min(new.len()) - begin;
        let pairs = old.iter().rev().zip(new.iter().rev()).take(rest);
        let end = pairs.take_while(|(old, new)| old == new).count();
        let mut text = format!("the snapshot at line {} differs:\n", self.lines.start);
        for line in &old[begin..old.len() - end] {
            text.push_str(&format!("  - {line}\n"));
        }
        for line in &new[begin..new.len() - end] {
            text.push_str(&format!("  + {line}\n"));
        }
        text
    }
}
