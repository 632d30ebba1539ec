//! Changed fields of a key in words: a file with its first changed line, a tool with its changed
//! files, an argument by the option before it.

use std::collections::BTreeMap;

use vwfb_cas::{BlobId, Digest, Store};
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::{InputRef, TaskDef};

use crate::key::{FieldChange, KeyRecord};
use crate::run::EnvironmentError;
use crate::state::State;
use crate::system::{System, Text};

/// One component of a key that changed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The component, in words a person uses: a file, a tool, an argument.
    pub what: String,
    /// The task whose output it is, if it is one.
    pub made_by: Option<Label>,
    /// Its value before; `None` if it is new.
    pub before: Option<String>,
    /// Its value now; `None` if it is gone.
    pub after: Option<String>,
    /// Further down: the first line that differs, the file of a tool that differs.
    pub detail: Vec<String>,
}

/// Where the words come from.
pub(super) struct Words<'a> {
    pub(super) state: &'a State,
    pub(super) store: &'a Store,
    pub(super) system: &'a dyn System,
}

impl Words<'_> {
    /// What differs between two records of the task `def`, the command as one component.
    pub(super) fn changes(
        &self,
        def: Option<&TaskDef>,
        before: &KeyRecord,
        now: &KeyRecord,
    ) -> Result<Vec<Change>, EnvironmentError> {
        let mut changes: Vec<Change> = command_change(before, now).into_iter().collect();
        for field in now.changes_since(before) {
            if !is_command(&field.name) {
                changes.push(self.change(def, field)?);
            }
        }
        Ok(changes)
    }

    fn change(
        &self,
        def: Option<&TaskDef>,
        field: FieldChange,
    ) -> Result<Change, EnvironmentError> {
        let FieldChange { name, before, after } = field;
        let mut change = Change { what: name.clone(), before, after, ..Change::default() };
        if let Some(role) = name.strip_prefix("input ") {
            self.input(&mut change, def, role);
        } else if let Some(tool) = name.strip_prefix("tool ") {
            self.tool(&mut change, tool)?;
        }
        Ok(change)
    }

    fn input(&self, change: &mut Change, def: Option<&TaskDef>, role: &str) {
        match def.and_then(|def| def.inputs.get(role)) {
            Some(InputRef::Source(path)) => {
                change.what = format!("the file `{path}`");
                change.detail = self.first_line(path, change);
            }
            Some(InputRef::Output { label, output, .. }) => {
                change.what = format!("the output `{output}` of `{label}`");
                change.made_by = Some(label.clone());
            }
            None => change.what = format!("the input `{role}`"),
        }
        shorten(change);
    }

    /// The first line that differs, where the store still has the old text and the new one is in
    /// the store or the workspace.
    fn first_line(&self, path: &WsPath, change: &Change) -> Vec<String> {
        let digest = |value: &Option<String>| -> Option<Digest> {
            value.as_ref()?.split(' ').next_back()?.parse().ok()
        };
        let stored = |digest| String::from_utf8(self.store.read(BlobId(digest)).ok()?).ok();
        let present = |digest| match self.system.text(path) {
            Text::Present(text) => {
                (Digest::of(text.as_bytes()) == digest).then(|| text.to_string())
            }
            Text::Absent | Text::Unreadable(_) => None,
        };
        let before = digest(&change.before).and_then(stored);
        let after = digest(&change.after).and_then(|now| present(now).or_else(|| stored(now)));
        match (before, after) {
            (Some(before), Some(after)) => first_difference(path.as_str(), &before, &after),
            _ => Vec::new(),
        }
    }

    fn tool(&self, change: &mut Change, tool: &str) -> Result<(), EnvironmentError> {
        change.what = format!("the tool `{tool}`");
        let (before, after) = (self.files(&change.before)?, self.files(&change.after)?);
        if !before.is_empty() && !after.is_empty() {
            for (path, digest) in &after {
                match before.get(path) {
                    Some(old) if old == digest => {}
                    Some(_) => change.detail.push(format!("`{path}` changed")),
                    None => change.detail.push(format!("`{path}` is new")),
                }
            }
            let gone = before.keys().filter(|path| !after.contains_key(*path));
            change.detail.extend(gone.map(|path| format!("`{path}` is gone")));
        }
        shorten(change);
        Ok(())
    }

    /// The files behind a recorded fingerprint.
    fn files(
        &self,
        fingerprint: &Option<String>,
    ) -> Result<BTreeMap<String, Digest>, EnvironmentError> {
        match fingerprint.as_ref().and_then(|text| text.parse::<Digest>().ok()) {
            None => Ok(BTreeMap::new()),
            Some(fingerprint) => match self.system.tool_files(fingerprint) {
                Some(files) => Ok(files),
                None => self.state.closure(fingerprint).map_err(|it| EnvironmentError::of(&it)),
            },
        }
    }
}

fn is_command(field: &str) -> bool {
    field == "program" || field.starts_with("argument ")
}

/// The program and its arguments.
fn command(record: &KeyRecord) -> Vec<&str> {
    record.fields().filter(|(name, _)| is_command(name)).map(|(_, value)| value).collect()
}

/// How the command differs: by the one word that changed, or as a whole.
fn command_change(before: &KeyRecord, now: &KeyRecord) -> Option<Change> {
    let (old, new) = (command(before), command(now));
    let mut differ = (0..old.len().max(new.len())).filter(|at| old.get(*at) != new.get(*at));
    let first = differ.next()?;
    let one = differ.next().is_none() && old.len() == new.len();
    let previous = first.checked_sub(1).map(|at| new[at]);
    if one && previous == Some("-c") {
        let detail = first_difference("script", old[first], new[first]);
        return Some(Change { what: "the script".to_owned(), detail, ..Change::default() });
    }
    let (what, before, after) = if one {
        let what = match previous {
            None => "the program".to_owned(),
            Some(option) if option.starts_with('-') => format!("the argument after `{option}`"),
            Some(_) => format!("argument {first}"),
        };
        (what, old[first].to_owned(), new[first].to_owned())
    } else {
        ("the command".to_owned(), old.join(" "), new.join(" "))
    };
    Some(Change { what, before: Some(before), after: Some(after), ..Change::default() })
}

/// Where two texts first differ, with the line of each.
fn first_difference(name: &str, before: &str, after: &str) -> Vec<String> {
    let (mut old, mut new) = (before.lines(), after.lines());
    for number in 1.. {
        match (old.next(), new.next()) {
            (None, None) => break,
            (old, new) if old == new => {}
            (old, new) => {
                let mut lines = vec![format!("first difference at {name}:{number}")];
                lines.extend(old.map(|line| format!("- {line}")));
                lines.extend(new.map(|line| format!("+ {line}")));
                return lines;
            }
        }
    }
    vec!["only the ends of lines differ".to_owned()]
}

/// Cuts the digests of a change to the length a person can compare.
fn shorten(change: &mut Change) {
    for value in [&mut change.before, &mut change.after] {
        *value = value.take().map(|text| {
            let words = text.split(' ').map(|word| {
                word.parse::<Digest>().map_or_else(|_| word.to_owned(), |digest| digest.short())
            });
            words.collect::<Vec<_>>().join(" ")
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::KeySink;

    fn record(words: &[&str]) -> KeyRecord {
        let mut record = KeyRecord::default();
        for (index, word) in words.iter().enumerate() {
            match index {
                0 => record.field("program", "", word),
                _ => record.field("argument", &index.to_string(), word),
            }
        }
        record
    }

    fn what(before: &[&str], now: &[&str]) -> String {
        command_change(&record(before), &record(now)).unwrap().what
    }

    #[test]
    fn an_argument_is_named_by_the_option_before_it() {
        assert_eq!(what(&["tts", "-s", "160"], &["tts", "-s", "180"]), "the argument after `-s`");
        assert_eq!(what(&["cat", "a", "b"], &["cat", "a", "c"]), "argument 2");
        assert_eq!(what(&["cat", "a"], &["tac", "a"]), "the program");
        assert_eq!(what(&["cat", "a"], &["cat", "-n", "a"]), "the command");
    }

    #[test]
    fn a_script_is_shown_by_its_first_changed_line() {
        let before = record(&["sh", "-eu", "-c", "one\ntwo\nthree"]);
        let change =
            command_change(&before, &record(&["sh", "-eu", "-c", "one\n2\nthree"])).unwrap();
        assert_eq!(change.what, "the script");
        assert_eq!(change.detail, ["first difference at script:2", "- two", "+ 2"]);
    }
}
