//! Reads a Markdown suite: one test for each `##` or `###` heading, with its fenced blocks.

use std::ops::Range;

/// A suite.
pub(crate) struct Suite {
    /// The heading of the file, without its `#`.
    pub(crate) title: String,
    /// The first paragraph after it, its lines joined.
    pub(crate) lead: String,
    /// The blocks before the first test, which every test has too.
    pub(crate) shared: Vec<Fence>,
    /// The tests, in order.
    pub(crate) cases: Vec<Case>,
}

/// A test.
pub(crate) struct Case {
    /// The heading, without its marks.
    pub(crate) heading: String,
    /// The line of the heading, counted from 1.
    pub(crate) line: usize,
    /// Its blocks, in order.
    pub(crate) fences: Vec<Fence>,
}

/// A fenced block.
#[derive(Clone)]
pub(crate) struct Fence {
    /// The first word after the backticks.
    pub(crate) kind: String,
    /// The other words there; quotes hold a word with spaces together.
    pub(crate) words: Vec<String>,
    /// Its lines, each with its end.
    pub(crate) text: String,
    /// The index of its first line in the file, counted from 0, and of the line that closes it.
    pub(crate) lines: Range<usize>,
}

/// The suite that `markdown` holds.
pub(crate) fn suite(markdown: &str) -> Result<Suite, String> {
    let mut suite =
        Suite { title: String::new(), lead: String::new(), shared: Vec::new(), cases: Vec::new() };
    let lines: Vec<&str> = markdown.lines().collect();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        if let Some(fence) = fence(&lines, at)? {
            at = fence.lines.end;
            suite.cases.last_mut().map_or(&mut suite.shared, |case| &mut case.fences).push(fence);
        } else if let Some(heading) = heading(line) {
            let heading = heading.trim().to_owned();
            suite.cases.push(Case { heading, line: at + 1, fences: Vec::new() });
        } else if let Some(title) = line.strip_prefix("# ") {
            suite.title = title.trim().to_owned();
            suite.lead = paragraph(&lines[at + 1..]);
        }
        at += 1;
    }
    match suite.title.is_empty() {
        true => Err("it has no `# title`".to_owned()),
        false => Ok(suite),
    }
}

/// `text` with the lines of each fence in `changes` replaced.
pub(crate) fn rewritten(text: &str, mut changes: Vec<(Range<usize>, String)>) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    changes.sort_by_key(|(range, _)| range.start);
    for (range, new) in changes.iter().rev() {
        lines.splice(range.clone(), [new.as_str()]);
    }
    lines.concat()
}

/// The words of a heading of the second or third level.
fn heading(line: &str) -> Option<&str> {
    line.strip_prefix("## ").or_else(|| line.strip_prefix("### "))
}

fn paragraph(lines: &[&str]) -> String {
    let lines = lines.iter().skip_while(|line| line.is_empty());
    let lines: Vec<&str> = lines.take_while(|line| !line.is_empty()).copied().collect();
    lines.join(" ")
}

/// The block that opens at line `at`, if one does.
fn fence(lines: &[&str], at: usize) -> Result<Option<Fence>, String> {
    let info = lines[at].trim_start_matches('`');
    let ticks = &lines[at][..lines[at].len() - info.len()];
    if ticks.len() < 3 {
        return Ok(None);
    }
    let Some(length) = lines[at + 1..].iter().position(|line| *line == ticks) else {
        return Err(format!("line {}: the block is never closed", at + 1));
    };
    let mut words = words(info);
    if words.is_empty() {
        return Err(format!("line {}: the block does not say what it is", at + 1));
    }
    let inside = at + 1..at + 1 + length;
    let text = lines[inside.clone()].iter().map(|line| format!("{line}\n")).collect();
    Ok(Some(Fence { kind: words.remove(0), words, text, lines: inside }))
}

/// The words of a line; quotes hold a word with spaces together.
pub(crate) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, piece) in line.split('"').enumerate() {
        match index % 2 {
            0 => words.extend(piece.split_whitespace().map(str::to_owned)),
            _ => words.push(piece.to_owned()),
        }
    }
    words
}
