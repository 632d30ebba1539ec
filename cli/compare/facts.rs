//! What is known of two files, one line for each fact that differs.

use crate::units;

/// The facts told so far.
#[derive(Debug, Default)]
pub(super) struct Facts {
    lines: String,
    same: Vec<String>,
}

/// Facts of one kind about one file: their names and what they are.
pub(super) type Group = Vec<(String, String)>;

impl Facts {
    /// Tells a fact, or remembers that it is the same; a file may be without it.
    pub(super) fn tell(&mut self, name: &str, before: Option<String>, after: Option<String>) {
        if before != after {
            let [before, after] = [before, after].map(|fact| fact.unwrap_or("none".to_owned()));
            self.note(&format!("{name} {before} -> {after}"));
        } else if before.is_some() {
            self.same(name);
        }
    }

    /// Tells two sizes, to the byte where rounding would hide that they differ.
    pub(super) fn tell_sizes(&mut self, before: u64, after: u64) {
        let rounded = [before, after].map(units::bytes);
        let exact = before != after && rounded[0] == rounded[1];
        let [before, after] =
            if exact { [before, after].map(|size| format!("{size} B")) } else { rounded };
        self.tell("size", Some(before), Some(after));
    }

    /// Tells those of a group that differ; the others are named together.
    pub(super) fn tell_group(&mut self, group: &str, before: &Group, after: &Group) {
        if before == after && !before.is_empty() {
            return self.same(group);
        }
        let missing = after.iter().filter(|(name, _)| !before.iter().any(|(was, _)| was == name));
        let mut equal = 0;
        for (name, _) in before.iter().chain(missing) {
            let [was, is] = [before, after].map(|facts| fact(facts, name));
            if was == is {
                equal += 1;
            } else {
                self.tell(name, was, is);
            }
        }
        if equal > 0 {
            self.same(&format!("other {group}"));
        }
    }

    /// Tells something that is not a fact of each.
    pub(super) fn note(&mut self, line: &str) {
        self.lines.push_str(line);
        self.lines.push('\n');
    }

    /// Remembers that both are alike in something.
    pub(super) fn same(&mut self, name: &str) {
        self.same.push(name.to_owned());
    }

    /// Only what differs, in lines.
    pub(super) fn differing(self) -> String {
        self.lines
    }

    /// What differs, in lines, then what does not, in one.
    pub(super) fn told(mut self) -> String {
        if !self.same.is_empty() {
            self.note(&format!("the same: {}", self.same.join(", ")));
        }
        self.lines
    }
}

fn fact(facts: &Group, name: &str) -> Option<String> {
    facts.iter().find(|(named, _)| named == name).map(|(_, fact)| fact.clone())
}

/// `text` from a file or a program, with nothing in it that moves the cursor of a terminal.
pub(super) fn plain(text: &str) -> String {
    let escaped = |c: char| match c.is_control() {
        true => c.escape_default().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect()
}
