//! Texts with `{names}` in them: how they are read, not what the names mean.

use std::fmt;
use std::sync::Arc;

use crate::codes::BAD_INTERPOLATION;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::is_name;
use crate::value::AttrValue;

/// A text with interpolations, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its parts, in order; never two texts in a row.
    pub parts: Vec<Part>,
    /// Where it is written.
    pub anchor: Anchor,
}

/// A part of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// An interpolation: `out.png` as `["out", "png"]`.
    Field(Vec<String>),
}

/// What stands between the dots of an interpolation.
pub(crate) type Path = Arc<[String]>;

/// What interpolations in a target's own texts stand for that mean something outside of it:
/// variables, items of fan-outs, attributes of templates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Bound(Vec<(Path, AttrValue)>);

impl Bound {
    /// What `path` stands for.
    pub fn get(&self, path: &[String]) -> Option<&AttrValue> {
        self.0.iter().find(|(known, _)| **known == *path).map(|(_, value)| value)
    }

    pub(crate) fn add(&mut self, path: &Path, value: AttrValue) {
        self.0.reserve_exact(1);
        self.0.push((Arc::clone(path), value));
    }
}

impl Template {
    /// `text` taken apart; `{{` and `}}` are braces.
    pub fn parse(text: &str, anchor: &Anchor) -> Result<Self, Diagnostic> {
        let mut template = Self { parts: Vec::new(), anchor: anchor.clone() };
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let (field, after) = match rest.split_once('}') {
                Some(split) if brace == "{" => split,
                _ => return Err(lone_brace(brace, anchor)),
            };
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            if !path.iter().all(|part| is_name(part)) {
                return Err(bad_field(field, anchor));
            }
            template.push_text(&mut plain);
            template.parts.push(Part::Field(path));
            rest = after;
        }
        plain.push_str(rest);
        template.push_text(&mut plain);
        Ok(template)
    }

    /// A template without interpolations.
    pub fn plain(text: &str, anchor: &Anchor) -> Self {
        let mut template = Self { parts: Vec::new(), anchor: anchor.clone() };
        template.push_text(&mut text.to_owned());
        template
    }

    /// Its only part, if that is an interpolation.
    pub fn whole_field(&self) -> Option<&[String]> {
        match self.parts.as_slice() {
            [Part::Field(path)] => Some(path),
            _ => None,
        }
    }

    /// Its interpolations.
    pub fn fields(&self) -> impl Iterator<Item = &[String]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Field(path) => Some(path.as_slice()),
            Part::Text(_) => None,
        })
    }

    fn push_text(&mut self, plain: &mut String) {
        if !plain.is_empty() {
            self.parts.push(Part::Text(std::mem::take(plain)));
        }
    }
}

/// The template as it is written.
impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    f.write_str(&text.replace('{', "{{").replace('}', "}}"))?;
                }
                Part::Field(path) => f.write_str(&written(path))?,
            }
        }
        Ok(())
    }
}

/// An interpolation as written.
pub(crate) fn written(path: &[String]) -> String {
    format!("{{{}}}", path.join("."))
}

fn lone_brace(brace: &str, anchor: &Anchor) -> Diagnostic {
    Diagnostic::error(BAD_INTERPOLATION, format!("a `{brace}` stands alone"))
        .at(anchor)
        .hint(format!("write `{brace}{brace}` for the brace itself"))
}

fn bad_field(field: &str, anchor: &Anchor) -> Diagnostic {
    // A name is short: what is longer is some other language's braces.
    let shown: String = field.chars().take(40).collect();
    Diagnostic::error(BAD_INTERPOLATION, format!("`{{{shown}}}` is no interpolation"))
        .at(anchor)
        .hint("write `{name}`, or `{{` and `}}` for braces themselves")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::WsPath;

    fn parts(text: &str) -> Result<Vec<String>, String> {
        let template = Template::parse(text, &Anchor::file(WsPath::root()));
        let template = template.map_err(|problem| problem.message)?;
        Ok(template
            .parts
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Field(path) => written(path),
            })
            .collect())
    }

    #[test]
    fn texts_and_interpolations_alternate() {
        assert_eq!(parts("a{b.c}{d}e").unwrap(), ["a", "{b.c}", "{d}", "e"]);
        assert_eq!(parts("{{x}} {{{y}}}").unwrap(), ["{x} {", "{y}", "}"]);
        assert_eq!(parts("").unwrap(), [""; 0]);
    }

    #[test]
    fn a_template_reads_as_it_is_written() {
        for text in ["a{b.c}{d}e", "{{x}} ${{HOME}}", ""] {
            let template = Template::parse(text, &Anchor::file(WsPath::root())).unwrap();
            assert_eq!(template.to_string(), text);
        }
    }

    #[test]
    fn braces_that_form_nothing_are_errors() {
        assert_eq!(parts("a {").unwrap_err(), "a `{` stands alone");
        assert_eq!(parts("a } b").unwrap_err(), "a `}` stands alone");
        assert_eq!(parts("{ print $1 }").unwrap_err(), "`{ print $1 }` is no interpolation");
        assert_eq!(parts("{}").unwrap_err(), "`{}` is no interpolation");
    }
}
