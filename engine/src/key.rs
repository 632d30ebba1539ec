//! The action key: one visitor names every field, and its record is both what is hashed and what
//! `vwfb why` shows.

use std::collections::BTreeMap;
use std::ops::Range;

use vwfb_cas::{ActionKey, Artifact, Digest};
use vwfb_exec::action::{Action, Command};

/// Begins every record; a new encoding gets a new number, and old keys are then simply unknown.
const MAGIC: &[u8] = b"vwfb-key 1\n";

/// What is told every field of an action.
pub trait KeySink {
    /// One field: its kind, its name if an action may have several of that kind, and its value.
    /// Both together are unique in an action.
    fn field(&mut self, kind: &str, name: &str, value: &str);
}

/// Names everything of `action` that may change its result, in one fixed order.
pub fn visit(action: &Action, sink: &mut impl KeySink) {
    visit_command(&action.command, sink);
    for (role, artifact) in &action.inputs {
        sink.field("input", role, &artifact_text(artifact));
    }
    for (name, output) in &action.outputs {
        let kind = if output.tree { "tree" } else { "file" };
        sink.field("output", name, &format!("{kind} {}", output.role));
    }
    for (name, value) in &action.env {
        sink.field("env", name, value);
    }
    for (name, secret) in &action.secrets {
        sink.field("secret", name, secret);
    }
    visit_stdio(action, sink);
    for (name, fingerprint) in &action.tools {
        sink.field("tool", name, &fingerprint.to_hex());
    }
    visit_rest(action, sink);
}

fn visit_command(command: &Command, sink: &mut impl KeySink) {
    match command {
        Command::Process { program, args } => {
            sink.field("program", "", program);
            for (index, arg) in args.iter().enumerate() {
                sink.field("argument", &(index + 1).to_string(), arg);
            }
        }
        Command::WriteFile { text, executable } => {
            sink.field("text", "", text);
            sink.field("executable", "", &executable.to_string());
        }
    }
}

fn visit_stdio(action: &Action, sink: &mut impl KeySink) {
    let routes = [("stdin", &action.stdin), ("stdout", &action.stdout), ("stderr", &action.stderr)];
    for (name, route) in routes {
        if let Some(role) = route {
            sink.field(name, "", role);
        }
    }
    let codes: Vec<String> = action.success_codes.iter().map(ToString::to_string).collect();
    sink.field("success codes", "", &codes.join(" "));
}

fn visit_rest(action: &Action, sink: &mut impl KeySink) {
    sink.field("network", "", &action.network.to_string());
    // Said only where it is so: the keys of all the others are from before there were these.
    if let Some(service) = &action.service {
        sink.field("service", "", service);
    }
    if action.terminal {
        sink.field("terminal", "", "true");
    }
    if let Some(seed) = action.seed {
        sink.field("seed", "", &seed.to_string());
    }
    sink.field("take", "", &action.take.to_string());
    if let Some(feedback) = &action.feedback {
        sink.field("feedback", "", feedback);
    }
    sink.field("platform", "", &action.platform);
    sink.field("rule version", "", &action.rule_version.to_string());
}

fn artifact_text(artifact: &Artifact) -> String {
    match artifact {
        Artifact::File(file) if file.executable => format!("executable {}", file.blob),
        Artifact::File(file) => format!("file {}", file.blob),
        Artifact::Tree(tree) => format!("tree {tree}"),
    }
}

/// The fields of one key in order: the exact bytes that are hashed.
///
/// They are a version, the number of fields, then each name and value with its length before it,
/// all numbers 32-bit little-endian. Names and values are UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRecord {
    bytes: Vec<u8>,
}

/// Where the number of fields is.
const COUNT: Range<usize> = MAGIC.len()..FIELDS;
/// Where the fields begin.
const FIELDS: usize = MAGIC.len() + 4;

impl Default for KeyRecord {
    fn default() -> Self {
        let mut bytes = Vec::with_capacity(1024);
        bytes.extend_from_slice(MAGIC);
        push_number(&mut bytes, 0);
        Self { bytes }
    }
}

impl KeySink for KeyRecord {
    fn field(&mut self, kind: &str, name: &str, value: &str) {
        let count = take_number(&mut &self.bytes[COUNT]).unwrap_or_default() + 1;
        self.bytes[COUNT].copy_from_slice(&count.to_le_bytes());
        let space = if name.is_empty() { "" } else { " " };
        push_number(&mut self.bytes, kind.len() + space.len() + name.len());
        for part in [kind, space, name] {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        push_text(&mut self.bytes, value);
    }
}

impl KeyRecord {
    /// The record of `action`.
    pub fn of(action: &Action) -> Self {
        let mut record = Self::default();
        visit(action, &mut record);
        record.bytes.shrink_to_fit();
        record
    }

    /// The record of a question about `subjects`, by path.
    pub fn of_question(subjects: &BTreeMap<String, Artifact>) -> Self {
        let mut record = Self::default();
        record.field("question", "", "1");
        for (role, artifact) in subjects {
            record.field("input", role, &artifact_text(artifact));
        }
        record.bytes.shrink_to_fit();
        record
    }

    /// The record of a pin to `outputs`.
    pub fn of_pin(outputs: &BTreeMap<String, Artifact>) -> Self {
        let mut record = Self::default();
        record.field("pin", "", "1");
        for (name, artifact) in outputs {
            record.field("output", name, &artifact_text(artifact));
        }
        record.bytes.shrink_to_fit();
        record
    }

    /// Whether it is of a pin.
    pub fn is_pin(&self) -> bool {
        self.fields().next().is_some_and(|(name, _)| name == "pin")
    }

    /// Every field with its value, in order.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &self.bytes[FIELDS..];
        std::iter::from_fn(move || Some((take_text(&mut rest)?, take_text(&mut rest)?)))
    }

    /// The key: the digest of the record's encoding.
    pub fn key(&self) -> ActionKey {
        ActionKey(Digest::of(&self.bytes))
    }

    /// The bytes that are hashed.
    pub fn encode(&self) -> Vec<u8> {
        self.bytes.clone()
    }

    /// Reads what [`KeyRecord::encode`] wrote; `None` for another version or damaged bytes.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let count = take_number(&mut rest)?;
        for _ in 0..count {
            let _field = (take_text(&mut rest)?, take_text(&mut rest)?);
        }
        rest.is_empty().then(|| Self { bytes: bytes.to_vec() })
    }

    /// What differs from `before` to `self`, by field name.
    pub fn changes_since(&self, before: &Self) -> Vec<FieldChange> {
        let old: BTreeMap<&str, &str> = before.by_name();
        let new: BTreeMap<&str, &str> = self.by_name();
        let mut changes = Vec::new();
        for (name, value) in self.fields() {
            if old.get(name) != Some(&value) {
                let before = old.get(name).map(|text| (*text).to_owned());
                let after = Some(value.to_owned());
                changes.push(FieldChange { name: name.to_owned(), before, after });
            }
        }
        for (name, value) in before.fields() {
            if !new.contains_key(name) {
                let before = Some(value.to_owned());
                changes.push(FieldChange { name: name.to_owned(), before, after: None });
            }
        }
        changes
    }

    fn by_name(&self) -> BTreeMap<&str, &str> {
        self.fields().collect()
    }
}

/// One field that is not what it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The field (`input in/src.svg`, `argument 2`, `tool espeak-ng`).
    pub name: String,
    /// Its value then; `None` if it is new.
    pub before: Option<String>,
    /// Its value now; `None` if it is gone.
    pub after: Option<String>,
}

fn push_number(bytes: &mut Vec<u8>, number: usize) {
    let number = u32::try_from(number).expect("a key field is shorter than 4 GiB");
    bytes.extend_from_slice(&number.to_le_bytes());
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    push_number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn take_number(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

fn take_text<'a>(rest: &mut &'a [u8]) -> Option<&'a str> {
    let length = take_number(rest)? as usize;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    std::str::from_utf8(text).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use vwfb_cas::{BlobId, FileRef};
    use vwfb_exec::action::OutputSpec;

    use super::*;

    fn sample() -> Action {
        let file = FileRef { blob: BlobId(Digest::of(b"svg")), size: 3, executable: false };
        let output = OutputSpec { role: "out/png.png".into(), tree: false };
        Action {
            command: Command::Process {
                program: "rsvg-convert".into(),
                args: vec!["--width=1080".into(), "in/src.svg".into()],
            },
            inputs: [("in/src.svg".to_owned(), Artifact::File(file))].into(),
            outputs: [("png".to_owned(), output)].into(),
            env: BTreeMap::new(),
            secrets: BTreeMap::new(),
            stdin: None,
            stdout: None,
            stderr: None,
            success_codes: BTreeSet::from([0]),
            tools: [("rsvg-convert".to_owned(), Digest::of(b"tool"))].into(),
            network: false,
            service: None,
            terminal: false,
            seed: None,
            take: 0,
            feedback: None,
            platform: "linux-x86_64".into(),
            rule_version: 1,
        }
    }

    #[test]
    fn the_encoding_is_pinned() {
        let key = KeyRecord::of(&sample()).key();
        assert_eq!(
            key.digest().to_hex(),
            "20ab698e970adb1b39512bd4c28a40986e24108f86c05584133b8d394b61cb89"
        );
    }

    #[test]
    fn a_record_reads_back() {
        let record = KeyRecord::of(&sample());
        assert_eq!(KeyRecord::decode(&record.encode()), Some(record.clone()));
        let mut damaged = record.encode();
        damaged.pop();
        assert_eq!(KeyRecord::decode(&damaged), None);
    }

    #[test]
    fn every_field_of_an_action_changes_the_key() {
        let base = KeyRecord::of(&sample()).key();
        let edits: [fn(&mut Action); 16] = [
            |a| a.command = Command::WriteFile { text: String::new(), executable: false },
            |a| a.inputs.clear(),
            |a| a.outputs.clear(),
            |a| drop(a.env.insert("A".into(), "b".into())),
            |a| drop(a.secrets.insert("A".into(), "b".into())),
            |a| a.stdin = Some("in/src.svg".into()),
            |a| a.stdout = Some("out/png.png".into()),
            |a| a.stderr = Some("out/png.png".into()),
            |a| a.success_codes = BTreeSet::from([1]),
            |a| a.tools.clear(),
            |a| a.network = true,
            |a| a.service = Some("s".into()),
            |a| a.terminal = true,
            |a| a.seed = Some(1),
            |a| a.take = 1,
            |a| a.rule_version = 2,
        ];
        let mut seen = vec![base];
        for edit in edits {
            let mut action = sample();
            edit(&mut action);
            let key = KeyRecord::of(&action).key();
            assert!(!seen.contains(&key));
            seen.push(key);
        }
    }

    #[test]
    fn a_change_is_named_by_its_field() {
        let mut after = sample();
        after.tools.insert("rsvg-convert".into(), Digest::of(b"newer"));
        let changes = KeyRecord::of(&after).changes_since(&KeyRecord::of(&sample()));
        assert_eq!(changes.len(), 1);
        assert_eq!(changes[0].name, "tool rsvg-convert");
    }
}
