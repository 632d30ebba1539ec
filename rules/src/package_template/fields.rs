//! The fields of a template's files: `@name@` stands for a value, and lines such as `@if name@` say
//! what is there for some values only, or once for each value of a list.
//!
//! A value reads in each file as that file's kind writes it, so that no value can be anything else.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{FILLED, Given, PACKAGE, PackageTemplate, WORKSPACE};
use crate::binding::scalar_text;
use crate::codes::{BAD_INTERPOLATION, UNKNOWN_INTERPOLATION};
use crate::diagnostic::{Anchor, Checked, Diagnostic};
use crate::label::WsPath;
use crate::read::Problems;
use crate::rule::{AttrType, Shape};
use crate::shell;
use crate::suggest::did_you_mean;
use crate::syntax::{Scalar, Value, quoted};
use crate::vars::VarDef;

/// What the fields of a template's files stand for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Fields(BTreeMap<String, Field>);

#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Field {
    values: Vec<Scalar>,
    list: bool,
    /// Whether it is as it is in every file.
    plain: bool,
    /// Whether the values are paths from the folder of the package.
    paths: bool,
}

impl Field {
    fn of(scalar: Scalar) -> Self {
        Self { values: vec![scalar], ..Self::default() }
    }

    /// Whether `@if@` takes it for a yes.
    fn holds(&self) -> bool {
        match self.values.as_slice() {
            [] => false,
            [Scalar::Bool(flag)] => *flag,
            [Scalar::Text(text)] => self.list || !text.is_empty(),
            _ => true,
        }
    }
}

impl Fields {
    /// What is given to the params of `template`, else their defaults, for the package `package` of
    /// a workspace.
    pub fn new(
        template: &PackageTemplate,
        given: &Given,
        package: &WsPath,
        workspace: &str,
    ) -> Self {
        let mut fields = Self::default();
        let package = Field { plain: true, ..Field::of(Scalar::Text(package.to_string())) };
        fields.0.insert(PACKAGE.to_owned(), package);
        fields.0.insert(WORKSPACE.to_owned(), Field::of(Scalar::Text(workspace.to_owned())));
        for param in &template.params {
            fields.add(param, given.get(&param.name));
            let name = format!("{}.name", param.name);
            if let Some(values) = given.get(&name) {
                fields.0.insert(name, Field { values: values.clone(), ..Field::default() });
            }
        }
        fields
    }

    /// Whether `param`, which may not be left out, has come to a blank text.
    pub(super) fn is_blank(&self, param: &VarDef) -> bool {
        let blank = |value: &Scalar| matches!(value, Scalar::Text(text) if text.trim().is_empty());
        let field = self.0.get(&param.name);
        !param.schema.optional && field.is_some_and(|field| field.values.iter().any(blank))
    }

    /// Adds `param`, which is `given`, and says what is wrong with the fields in its default.
    pub(super) fn add(&mut self, param: &VarDef, given: Option<&Vec<Scalar>>) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let mut default = |value: &Value| match &value.scalar {
            Scalar::Text(text) => {
                let filled = filled(&WsPath::root(), text, self);
                let at = |problem: Diagnostic| Diagnostic { places: Vec::new(), ..problem };
                let here = filled.problems.into_iter().map(|it| at(it).at(&value.anchor));
                problems.extend(here);
                Scalar::Text(filled.value)
            }
            other => other.clone(),
        };
        let values: Vec<Scalar> = match given {
            Some(values) => values.clone(),
            None => param.values.iter().map(&mut default).collect(),
        };
        if param.schema.ty.is_file() {
            let name = |value: &Scalar| {
                let path = scalar_text(value).unwrap_or_default();
                let name = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
                Scalar::Text(name.to_owned())
            };
            let names = Field { values: values.iter().map(name).collect(), ..Field::default() };
            self.0.insert(format!("{}.name", param.name), names);
        }
        let list = param.schema.shape == Shape::List;
        let paths = param.schema.ty == AttrType::File;
        self.0.insert(param.name.clone(), Field { values, list, paths, plain: false });
        problems
    }

    /// These for a package in the folder `below` of the one that is made: paths are from there.
    #[must_use]
    pub fn of_package(&self, below: &WsPath) -> Self {
        let up = "../".repeat(below.as_str().split('/').filter(|part| !part.is_empty()).count());
        let mut fields = self.0.clone();
        for field in fields.values_mut().filter(|field| field.paths) {
            for value in &mut field.values {
                if let Scalar::Text(path) = value {
                    path.insert_str(0, &up);
                }
            }
        }
        if let Some(Field { values, .. }) = fields.get_mut(PACKAGE)
            && let [Scalar::Text(package)] = values.as_mut_slice()
            && !below.is_root()
        {
            package.push('/');
            package.push_str(below.as_str());
        }
        Self(fields)
    }

    fn get(&self, name: &str) -> Result<&Field, (String, Option<String>)> {
        self.0.get(name).ok_or_else(|| {
            let near = did_you_mean(name, self.0.keys().map(String::as_str));
            (format!("the template has no param `{name}`"), near)
        })
    }

    /// These, with `item` for one value of a list.
    fn with(&self, item: &str, value: Scalar, number: usize) -> Self {
        let mut fields = self.0.clone();
        fields.insert(item.to_owned(), Field::of(value));
        let number = Scalar::Int(i64::try_from(number).unwrap_or(i64::MAX));
        fields.insert(format!("{item}.number"), Field::of(number));
        Self(fields)
    }
}

/// `text` of the template's file `file`, with its fields filled in, and what is wrong with them. How
/// values are written is told by the name without [`FILLED`], or by a line `@as json@`.
pub fn filled(file: &WsPath, text: &str, fields: &Fields) -> Checked<String> {
    let mut problems = Problems::default();
    let lines = lines(text);
    let kind = Kind::of(made_of(file).extension().unwrap_or_default());
    let mut reading = Reading { file, lines: &lines, next: 0, kind, problems: &mut problems };
    let parts = reading.parts(None);
    let kind = reading.kind;
    let mut filling = Filling { file, kind, text: String::new(), problems };
    filling.parts(&parts, fields);
    Checked { value: filling.text, problems: filling.problems.0 }
}

/// The name of what is made of `file`.
fn made_of(file: &WsPath) -> WsPath {
    let made = file.as_str().strip_suffix(FILLED).and_then(|path| WsPath::new(path).ok());
    made.unwrap_or_else(|| file.clone())
}

/// A line with its end, and where it begins.
type Line<'t> = (usize, &'t str);

fn lines(text: &str) -> Vec<Line<'_>> {
    let mut end = 0;
    let from = |line: &str| {
        end += line.len();
        end - line.len()
    };
    let starts: Vec<usize> = text.split_inclusive('\n').map(from).collect();
    starts.into_iter().zip(text.split_inclusive('\n')).collect()
}

/// A part of a file.
enum Part<'t> {
    /// A line that is there.
    Line(Line<'t>),
    /// Lines that are there if a condition holds, and others if it does not.
    If { condition: Condition<'t>, then: Vec<Part<'t>>, otherwise: Vec<Part<'t>> },
    /// Lines that are there once for each value of a list.
    Each { at: Line<'t>, list: &'t str, item: &'t str, body: Vec<Part<'t>> },
}

struct Condition<'t> {
    at: Line<'t>,
    /// One of these is enough: a name, and what the value has to be; anything but nothing if it does
    /// not say.
    any: Vec<(&'t str, Option<&'t str>)>,
    holds: bool,
}

/// What is between the `@` of a line that says something of others.
fn directive(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('@')?.strip_suffix('@')?;
    let word = inner.split_whitespace().next()?;
    (matches!(inner, "else" | "end")
        || (matches!(word, "if" | "each" | "as") && inner.len() > word.len()))
    .then_some(inner)
}

struct Reading<'r, 't> {
    file: &'r WsPath,
    lines: &'r [Line<'t>],
    next: usize,
    /// How values are written.
    kind: Kind,
    problems: &'r mut Problems,
}

impl<'t> Reading<'_, 't> {
    /// The parts up to the `@end@` or `@else@` that belongs to `opened`.
    fn parts(&mut self, opened: Option<Line<'t>>) -> Vec<Part<'t>> {
        let mut parts = Vec::new();
        while let Some(&line) = self.lines.get(self.next) {
            match directive(line.1) {
                None => parts.push(Part::Line(line)),
                Some("end" | "else") if opened.is_some() => return parts,
                Some(inner @ ("end" | "else")) => {
                    self.fault(line, format!("`@{inner}@` ends nothing"), "remove it");
                }
                Some(inner) if inner.starts_with("as ") => {
                    self.kind = Kind::of(inner["as ".len()..].trim());
                }
                Some(inner) => {
                    self.next += 1;
                    parts.extend(self.opened(line, inner));
                    continue;
                }
            }
            self.next += 1;
        }
        if let Some(opened) = opened {
            self.fault(opened, "this has no `@end@`".into(), "write `@end@` on a line of its own");
        }
        parts
    }

    fn opened(&mut self, at: Line<'t>, inner: &'t str) -> Option<Part<'t>> {
        let words: Vec<&str> = inner.split_whitespace().collect();
        let body = self.parts(Some(at));
        let mut otherwise = Vec::new();
        if self.closing() == Some("else") {
            otherwise = self.parts(Some(at));
            if self.closing() == Some("else") {
                self.fault(at, "this has two `@else@`".into(), "remove one of them");
            }
        }
        let condition = |words: &[&'t str], holds| {
            let term = |words: &[&'t str]| match words {
                [word] => Some(word.split_once('=').map_or((*word, None), |(n, v)| (n, Some(v)))),
                _ => None,
            };
            let any = words.split(|word| *word == "or").map(term).collect::<Option<_>>()?;
            Some(Condition { at, any, holds })
        };
        let part = match words.as_slice() {
            ["if", "not", rest @ ..] => condition(rest, false),
            ["if", rest @ ..] => condition(rest, true),
            ["each", list, "as", item] if otherwise.is_empty() => {
                return Some(Part::Each { at, list, item, body });
            }
            _ => None,
        };
        if part.is_none() {
            let hint = "write `@if name@`, `@if not name@`, `@if name=value@`, \
                        `@if name or other@` or `@each names as name@`";
            self.fault(at, format!("`@{inner}@` is not written as it should be"), hint);
        }
        Some(Part::If { condition: part?, then: body, otherwise })
    }

    /// The line that ended some parts, which is passed.
    fn closing(&mut self) -> Option<&'t str> {
        let line = self.lines.get(self.next)?;
        self.next += 1;
        directive(line.1)
    }

    fn fault(&mut self, (start, line): Line<'t>, message: String, hint: &str) {
        let anchor = Anchor::bytes(self.file.clone(), start, start + line.trim_end().len());
        self.problems.push(Diagnostic::error(BAD_INTERPOLATION, message).at(&anchor).hint(hint));
    }
}

struct Filling<'f> {
    file: &'f WsPath,
    kind: Kind,
    text: String,
    problems: Problems,
}

impl Filling<'_> {
    fn parts(&mut self, parts: &[Part<'_>], fields: &Fields) {
        for part in parts {
            match part {
                Part::Line(line) => self.line(*line, fields),
                Part::If { condition, then, otherwise } => {
                    let Some(is_so) = self.is_so(condition, fields) else { continue };
                    self.parts(if is_so == condition.holds { then } else { otherwise }, fields);
                }
                Part::Each { at, list, item, body } => {
                    let Some(field) = self.field(fields, list, *at) else { continue };
                    for (index, value) in field.values.iter().enumerate() {
                        self.parts(body, &fields.with(item, value.clone(), index + 1));
                    }
                }
            }
        }
    }

    /// Whether what `condition` names is as it says; none if a field of it is unknown.
    fn is_so(&mut self, condition: &Condition<'_>, fields: &Fields) -> Option<bool> {
        let mut is_so = false;
        for (name, value) in &condition.any {
            let field = self.field(fields, name, condition.at)?;
            is_so |= match *value {
                None => field.holds(),
                Some(value) => {
                    let is_it = |it: &Scalar| scalar_text(it).as_deref() == Some(value);
                    field.values.iter().any(is_it)
                }
            };
        }
        Some(is_so)
    }

    fn line(&mut self, (start, line): Line<'_>, fields: &Fields) {
        let mut rest = line;
        while let Some(at) = rest.find('@') {
            let (before, after) = rest.split_at(at);
            self.text.push_str(before);
            rest = &after[1..];
            if let Some(after) = rest.strip_prefix('@') {
                self.text.push('@');
                rest = after;
            } else if let Some((name, after)) = rest.split_once('@').filter(|it| is_field(it.0)) {
                let place = (start + (line.len() - rest.len()), name);
                if let Some(field) = self.field(fields, name, place) {
                    let mut written = self.kind.written(field);
                    if self.kind == Kind::Markdown && begins_line(&self.text) {
                        written = no_markup(written);
                    }
                    self.text.push_str(&written);
                }
                rest = after;
            } else {
                self.text.push('@');
            }
        }
        self.text.push_str(rest);
    }

    /// The field `name`, which stands at `place`.
    fn field<'a>(&mut self, fields: &'a Fields, name: &str, place: Line<'_>) -> Option<&'a Field> {
        fields
            .get(name)
            .map_err(|(message, near)| {
                let (start, text) = place;
                let anchor = Anchor::bytes(self.file.clone(), start, start + text.trim_end().len());
                let hint = near.unwrap_or_else(|| "write `@@` for an `@`".into());
                let problem = Diagnostic::error(UNKNOWN_INTERPOLATION, message).at(&anchor);
                self.problems.push(problem.hint(hint));
            })
            .ok()
    }
}

/// Whether `name` can be between two `@`: names with points between them.
fn is_field(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c))
}

/// How values are written in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// As KDL writes them, a list as arguments.
    Kdl,
    /// With entities for what is markup.
    Markup,
    /// As JSON writes them.
    Json,
    /// As words of a shell.
    Shell,
    /// As one line of text that is no heading, fence or item of Markdown.
    Markdown,
    /// As one line of text.
    Text,
}

impl Kind {
    /// That of files with this extension.
    fn of(extension: &str) -> Self {
        match extension.to_ascii_lowercase().as_str() {
            "kdl" => Self::Kdl,
            "svg" | "xml" | "html" | "htm" => Self::Markup,
            "json" | "jsonl" | "yaml" | "yml" | "toml" => Self::Json,
            "sh" | "bash" => Self::Shell,
            "md" | "markdown" => Self::Markdown,
            _ => Self::Text,
        }
    }

    fn written(self, field: &Field) -> String {
        let text = |scalar: &Scalar| scalar_text(scalar).unwrap_or_default();
        if field.plain {
            return field.values.iter().map(text).collect();
        }
        let each: Vec<String> = match self {
            Self::Kdl => field.values.iter().map(kdl).collect(),
            Self::Markup => field.values.iter().map(|it| markup(&text(it))).collect(),
            Self::Json => field.values.iter().map(json).collect(),
            Self::Shell => field.values.iter().map(|it| shell::quoted(&text(it))).collect(),
            Self::Markdown | Self::Text => {
                field.values.iter().map(|it| one_line(&text(it))).collect()
            }
        };
        match self {
            Self::Kdl | Self::Shell => each.join(" "),
            Self::Json if field.list => format!("[{}]", each.join(", ")),
            Self::Json if each.is_empty() => "null".to_owned(),
            Self::Json | Self::Markup | Self::Markdown | Self::Text => each.join(", "),
        }
    }
}

pub(super) fn kdl(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => quoted(text),
        Scalar::Bool(flag) => format!("#{flag}"),
        // With a point, so that it stays a number with a fraction.
        Scalar::Float(number) => format!("{:?}", number.0),
        Scalar::Int(number) => number.to_string(),
        Scalar::Null => "#null".to_owned(),
    }
}

fn json(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Text(text) => serde_json::Value::from(text.as_str()).to_string(),
        other => scalar_text(other).unwrap_or_else(|| "null".to_owned()),
    }
}

/// `text` in an element or a quoted attribute; what XML has no way to write is a space.
fn markup(text: &str) -> String {
    let mut written = String::new();
    for c in text.chars() {
        match c {
            '&' => written.push_str("&amp;"),
            '<' => written.push_str("&lt;"),
            '>' => written.push_str("&gt;"),
            '"' => written.push_str("&quot;"),
            '\'' => written.push_str("&#39;"),
            '\n' | '\t' => {
                let _ = write!(written, "&#{};", u32::from(c));
            }
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => written.push(' '),
            c => written.push(c),
        }
    }
    written
}

/// Whether what follows `text` is the first on its line, or in an item or quotation there.
fn begins_line(text: &str) -> bool {
    let line = text.rsplit('\n').next().unwrap_or_default();
    line.chars().all(|c| c.is_whitespace() || c.is_ascii_digit() || "-+*>.)".contains(c))
}

/// `text` with a backslash before what Markdown would read as more than text where a line begins.
fn no_markup(mut text: String) -> String {
    if text.starts_with(['#', '`', '~', '=', '-', '+', '*', '_', '>', '<', '|']) {
        text.insert(0, '\\');
    }
    text
}

/// `text` on one line, so that what it says cannot be a line of its own.
fn one_line(text: &str) -> String {
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    text.split(is_space).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
