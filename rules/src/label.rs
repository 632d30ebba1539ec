//! Names of things in a workspace: labels, their steps, and references to outputs.

use std::fmt;
use std::sync::Arc;

pub use crate::path::WsPath;

/// Why a text is not a path, label, reference or pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    /// A path that begins with `/`.
    #[error("`{text}` is an absolute path")]
    Absolute {
        /// The text.
        text: String,
    },
    /// A path whose `..` lead out.
    #[error("`{text}` leaves the workspace")]
    Leaves {
        /// The text.
        text: String,
    },
    /// A path with a backslash or control character.
    #[error("a path may not contain {bad:?}, as `{text}` does")]
    PathCharacter {
        /// The text.
        text: String,
        /// The character.
        bad: char,
    },
    /// No colon.
    #[error("`{text}` has no `:`, so it is a path and not a label")]
    NoColon {
        /// The text.
        text: String,
    },
    /// Neither `//package:name` nor `:name`.
    #[error("a label begins with `//` or `:`, unlike `{text}`")]
    NoPackage {
        /// The text.
        text: String,
    },
    /// A package that could not be one.
    #[error("`{package}` cannot be a package: {reason}")]
    Package {
        /// The package as written.
        package: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A step that is empty or has a character that names may not have.
    #[error("`{name}` is not a name: names have ASCII letters, digits, `_` and `-`")]
    Name {
        /// The step as written.
        name: String,
    },
    /// An item without its bracket, or with a bad percent escape.
    #[error("`{text}` has an item id that is not written `[id]` with `%XX` for `%`, `[` and `]`")]
    Item {
        /// The text.
        text: String,
    },
    /// A `#` with nothing after it.
    #[error("`{text}` names no output after its `#`")]
    Output {
        /// The text.
        text: String,
    },
}

/// Whether `text` is a name: ASCII letters, digits, `_` and `-`, at least one.
pub fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Whether an attribute's text is a reference and not a path: it begins with `:`, or with `//` and
/// has a colon.
pub fn is_reference(text: &str) -> bool {
    text.starts_with(':') || (text.starts_with("//") && text.contains(':'))
}

/// What is wrong with `package` as the package part of a label, if anything.
pub fn check_package(package: &WsPath) -> Result<(), LabelError> {
    let fault = |reason| Err(LabelError::Package { package: package.to_string(), reason });
    for part in package.as_str().split('/').filter(|part| !part.is_empty()) {
        if part == "..." {
            return fault("`...` means all packages below");
        }
        if part.contains([':', '#', '[', ']', '%', '"', '{', '}']) {
            return fault("a folder's name may not have `:`, `#`, `%`, quotes, brackets or braces");
        }
        if part.starts_with('@') {
            return fault("a folder's name may not begin with `@`");
        }
        if matches!(part, ".vwfb" | "vwfb-out") {
            return fault("this folder is vwfb's own");
        }
    }
    Ok(())
}

/// One step of a label: a name, and the item of a fan-out child. Copies share the texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    /// ASCII letters, digits, `_` and `-`.
    pub name: Arc<str>,
    /// The item id of one fan-out child, decoded.
    pub item: Option<Arc<str>>,
}

/// A target's name: `//shorts:clips[attention].audio`. Copies share the texts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// The package's folder.
    pub package: WsPath,
    /// At least one step.
    pub steps: Arc<[Step]>,
}

impl Label {
    /// The target `name` of `package`, whose name is already checked.
    pub fn new(package: WsPath, name: impl Into<Arc<str>>) -> Self {
        Self { package, steps: Arc::new([Step { name: name.into(), item: None }]) }
    }

    /// The label that `text` (`//p:a.b[i]` or `:a`) means in `package`.
    pub fn parse(text: &str, package: &WsPath) -> Result<Self, LabelError> {
        let (package, steps) = split_package(text, package)?;
        Ok(Self { package, steps: parse_steps(text, steps)? })
    }

    /// The target of `package` that is listed there as `name`, which [`Label::target`] wrote.
    pub fn listed(package: WsPath, name: &str) -> Self {
        // A plain name, as almost all are, needs no parsing.
        if is_name(name) {
            return Self::new(package, name);
        }
        let steps = parse_steps(name, name).expect("a listed name is that of a label");
        Self { package, steps }
    }

    /// The name of the first `count` steps.
    pub fn prefix(&self, count: usize) -> Self {
        Self { package: self.package.clone(), steps: self.steps[..count].into() }
    }

    /// The name of the member `name` of what this names.
    #[must_use]
    pub fn member(&self, name: impl Into<Arc<str>>) -> Self {
        self.below(Step { name: name.into(), item: None })
    }

    /// The name of what `step` leads to in what this names.
    #[must_use]
    pub fn below(&self, step: Step) -> Self {
        let steps = self.steps.iter().cloned().chain([step]).collect();
        Self { package: self.package.clone(), steps }
    }

    /// The name of this for the item `item`, or for all of them, of the fan-out at the step `at`.
    #[must_use]
    pub fn with_item(&self, at: usize, item: Option<Arc<str>>) -> Self {
        let mut label = self.clone();
        if let Some(step) = Arc::make_mut(&mut label.steps).get_mut(at) {
            step.item = item;
        }
        label
    }

    /// The part after the colon: `clips[attention].audio`.
    pub fn target(&self) -> String {
        Steps(&self.steps).to_string()
    }

    /// How the package itself writes it: `:final`.
    pub fn relative_to(&self, package: &WsPath) -> String {
        if self.package == *package { format!(":{}", self.target()) } else { self.to_string() }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "//{}:{}", self.package, Steps(&self.steps))
    }
}

struct Steps<'a>(&'a [Step]);

impl fmt::Display for Steps<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, step) in self.0.iter().enumerate() {
            f.write_str(if at == 0 { "" } else { "." })?;
            step.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.item {
            Some(item) if item.contains(is_encoded) => write!(f, "[{}]", encode_item(item)),
            Some(item) => write!(f, "[{item}]"),
            None => Ok(()),
        }
    }
}

/// A label with the output it means: `//pkg:target#output/path/in/tree`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The target.
    pub label: Label,
    /// The output's or group's name; the rule's default group without it.
    pub output: Option<String>,
    /// A path inside that output, which must be a tree.
    pub subpath: Option<WsPath>,
}

impl Reference {
    /// The reference that `text` means in `package`.
    pub fn parse(text: &str, package: &WsPath) -> Result<Self, LabelError> {
        let Some((label, output)) = split_output(text) else {
            return Ok(Self { label: Label::parse(text, package)?, output: None, subpath: None });
        };
        let (output, subpath) = match output.split_once('/') {
            Some((output, inside)) => (output, Some(WsPath::root().join(inside)?)),
            None => (output, None),
        };
        if !is_name(output) {
            return Err(LabelError::Output { text: text.into() });
        }
        Ok(Self {
            label: Label::parse(label, package)?,
            output: Some(output.into()),
            subpath: subpath.filter(|path| !path.is_root()),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.label.fmt(f)?;
        if let Some(output) = &self.output {
            write!(f, "#{output}")?;
        }
        match &self.subpath {
            Some(subpath) => write!(f, "/{subpath}"),
            None => Ok(()),
        }
    }
}

/// An item id as it stands between brackets: `%`, `[`, `]` and controls as `%XX`.
pub fn encode_item(item: &str) -> String {
    let mut text = String::with_capacity(item.len());
    for c in item.chars() {
        if is_encoded(c) {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                text.push_str(&format!("%{byte:02X}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

fn is_encoded(c: char) -> bool {
    matches!(c, '%' | '[' | ']') || c.is_control()
}

/// The item id that stands between brackets as `text`; nothing if it is not written as one.
pub fn decode_item(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        match first {
            b'%' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                    return None;
                }
                bytes.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            b'[' | b']' | 0..=0x1f | 0x7f => return None,
            byte => bytes.push(byte),
        }
    }
    String::from_utf8(bytes).ok().filter(|item| !item.is_empty())
}

/// Splits a label into its package and the text of its steps.
pub(crate) fn split_package<'t>(
    text: &'t str,
    package: &WsPath,
) -> Result<(WsPath, &'t str), LabelError> {
    if let Some(steps) = text.strip_prefix(':') {
        return Ok((package.clone(), steps));
    }
    let Some((before, steps)) = text.split_once(':') else {
        return Err(LabelError::NoColon { text: text.into() });
    };
    let Some(folder) = before.strip_prefix("//") else {
        return Err(LabelError::NoPackage { text: text.into() });
    };
    let package = parse_package(folder)?;
    Ok((package, steps))
}

/// The package written `folder`, without its `//`.
pub(crate) fn parse_package(folder: &str) -> Result<WsPath, LabelError> {
    let fault = |reason| LabelError::Package { package: folder.into(), reason };
    if folder.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(fault("`.` and `..` have no place in a label"));
    }
    if folder.contains("//") || folder.starts_with('/') || folder.ends_with('/') {
        return Err(fault("it has an empty part"));
    }
    let package = WsPath::root().join(folder)?;
    check_package(&package)?;
    Ok(package)
}

fn parse_steps(whole: &str, text: &str) -> Result<Arc<[Step]>, LabelError> {
    let mut steps = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let name = &rest[..end];
        if !is_name(name) {
            return Err(LabelError::Name { name: name.into() });
        }
        rest = &rest[end..];
        let mut item = None;
        if let Some(inside) = rest.strip_prefix('[') {
            let fault = || LabelError::Item { text: whole.into() };
            let (id, tail) = inside.split_once(']').ok_or_else(fault)?;
            item = Some(decode_item(id).ok_or_else(fault)?.into());
            rest = tail;
        }
        steps.push(Step { name: name.into(), item });
        match rest.strip_prefix('.') {
            Some(tail) => rest = tail,
            None if rest.is_empty() => return Ok(steps.into()),
            None => return Err(LabelError::Item { text: whole.into() }),
        }
    }
}

/// Splits a reference at the `#` that follows its label, not at one inside an item id.
fn split_output(text: &str) -> Option<(&str, &str)> {
    let mut inside = false;
    for (index, c) in text.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            '#' if !inside => return Some((&text[..index], &text[index + 1..])),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> String {
        match Reference::parse(text, &WsPath::new("shorts").unwrap()) {
            Ok(reference) => reference.to_string(),
            Err(problem) => problem.to_string(),
        }
    }

    #[test]
    fn references_print_as_they_are_written() {
        for text in [
            "//shorts:final",
            "//:top",
            "//a/b:clips[attention].audio#wav",
            "//a:x[50%25 of %5Ball%5D].y#pages/sub/1.png",
            "//a:x[a/b:c#d]",
        ] {
            assert_eq!(parsed(text), text);
        }
    }

    #[test]
    fn a_label_without_a_package_is_in_its_own() {
        assert_eq!(parsed(":final"), "//shorts:final");
        assert_eq!(parsed(":clips[a].b"), "//shorts:clips[a].b");
    }

    #[test]
    fn what_is_no_label_says_why() {
        assert!(parsed("final").contains("has no `:`"));
        assert!(parsed("shorts:final").contains("begins with `//` or `:`"));
        assert!(parsed(":a b").contains("is not a name"));
        assert!(parsed(":").contains("is not a name"));
        assert!(parsed(":a.").contains("is not a name"));
        assert!(parsed(":a[x").contains("item id"));
        assert!(parsed(":a[%zz]").contains("item id"));
        assert!(parsed(":a[]").contains("item id"));
        assert!(parsed(":a[x]y").contains("item id"));
        assert!(parsed(":a#").contains("no output"));
        assert!(parsed("//a/../b:c").contains("`..`"));
        assert!(parsed("//a/:c").contains("empty part"));
        assert!(parsed("//...:c").contains("all packages"));
        assert!(parsed(":a#tree/../../x").contains("leaves"));
    }

    #[test]
    fn item_ids_survive_encoding() {
        for item in ["attention", "50% [x]", "tab\there", "ümläut", "a.b/c"] {
            assert_eq!(decode_item(&encode_item(item)).as_deref(), Some(item));
        }
        assert_eq!(decode_item("%ff"), None);
        assert_eq!(decode_item("%+1"), None);
    }
}
