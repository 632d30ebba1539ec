//! Steps whose results are texts of the workflow itself: files that are written, and taken apart.

use super::Making;
use crate::ground::Spot;
use crate::names::Names;
use crate::target::{TextFile, Value, text};
use crate::text::Text;
use crate::workflow::Work;

/// A text of more lines than this is a file.
const MOST_LINES: usize = 3;

impl Making<'_> {
    pub(super) fn write_file(&mut self, at: usize, path: &Text, content: &Text) {
        let place = self.path(path);
        let name = place.rsplit('/').next().unwrap_or_default().to_owned();
        let spoken = self.is_spoken(at, &place);
        let is_long = self.workflow.resolved(content).lines().count() > MOST_LINES;
        if (spoken || is_long) && !content.has_vars() {
            let path = self.file_path(if spoken { "scripts" } else { "texts" }, &name);
            let text = self.workflow.resolved(content);
            let file = self.parts.files.len();
            self.parts.files.push(TextFile { path, text, step: at });
            self.outputs.insert((at, place), Value::File(file));
            return;
        }
        let target = self.target(at, "write_file");
        let out = self.out_path(&place).unwrap_or_else(|| format!("{}.txt", target.name));
        let target = target.with("out", text(&out)).with("text", self.value(content));
        self.made(at, target, path);
    }

    /// Whether what the step `at` writes to `path` is spoken.
    fn is_spoken(&self, at: usize, path: &str) -> bool {
        let steps = self.workflow.steps.iter().zip(&self.flow.origins);
        steps.into_iter().any(|(step, origins)| match &step.work {
            Work::Tts(tts) => origins.get(path) == Some(&at) && self.path(&tts.script) == path,
            _ => false,
        })
    }

    /// Where an output of the package is that the workflow writes to `path`.
    pub(super) fn out_path(&self, path: &str) -> Option<String> {
        let shown = self.ground.shown(path);
        let odd = |c: char| c.is_control() || c == '\\' || c == '\u{feff}';
        if shown.contains(odd) {
            return None;
        }
        match (shown.starts_with('/'), self.ground.spot(path)) {
            (false, _) => Some(shown.to_owned()),
            (true, Spot::Workspace(_) | Spot::Outside(_)) => {
                path.rsplit('/').next().filter(|name| !name.is_empty()).map(str::to_owned)
            }
            (true, Spot::Unnamable) => None,
        }
    }

    pub(super) fn split_sections(&mut self, at: usize, input: &Text, outputs: &[(Text, Text)]) {
        let src = self.file(at, input, "text");
        let headings: Vec<Value> = outputs.iter().map(|(heading, _)| self.value(heading)).collect();
        let target = self.target(at, "split_sections").with("src", src).with("style", text("caps"));
        let target = target.list("headings", headings);
        let id = self.add(at, target);
        let mut names = Names::default();
        let digits = outputs.len().to_string().len().max(2);
        for (index, (heading, path)) in outputs.iter().enumerate() {
            if heading.has_vars() {
                let line = self.line(at);
                let text = "headings have variables: who reads the sections names them by what \
                            the variables are now";
                self.parts.notes.add(line, text);
            }
            let name = names.unique(&section_name(&self.workflow.resolved(heading)));
            let place = self.path(path);
            let output = format!("#sections/{:0digits$}-{name}.txt", index + 1);
            self.outputs.insert((at, place), Value::Made(id, output));
        }
    }
}

/// The name that the rule `split_sections` gives to a section.
fn section_name(heading: &str) -> String {
    let mut name = String::new();
    for byte in heading.to_ascii_lowercase().bytes() {
        match byte {
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.strip_prefix('-').unwrap_or(&name);
    let name = name.strip_suffix('-').unwrap_or(name);
    let name: String = name.chars().take(80).collect();
    let name = name.strip_suffix('-').unwrap_or(&name);
    if name.is_empty() { checksum(heading.as_bytes()).to_string() } else { name.to_owned() }
}

/// The checksum of POSIX's `cksum`.
fn checksum(bytes: &[u8]) -> u32 {
    let mut sum: u32 = 0;
    let mut add = |byte: u8| {
        sum ^= u32::from(byte) << 24;
        for _ in 0..8 {
            sum = if sum >> 31 == 1 { (sum << 1) ^ 0x04c1_1db7 } else { sum << 1 };
        }
    };
    bytes.iter().for_each(|byte| add(*byte));
    let mut length = bytes.len();
    while length > 0 {
        add((length & 0xff) as u8);
        length >>= 8;
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_are_named_as_the_rule_names_them() {
        assert_eq!(section_name("NARRATION:"), "narration");
        assert_eq!(section_name("CALL TO ACTION (2):"), "call-to-action-2");
        // printf 123456789 | cksum
        assert_eq!(checksum(b"123456789"), 930_766_865);
    }
}
