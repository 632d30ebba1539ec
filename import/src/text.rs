//! Texts of a workflow: plain words and variables, `{{ name }}`.

use std::ops::Range;

/// A text that is rendered when its step runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Text {
    /// Its parts; never two plain ones in a row.
    pub(crate) parts: Vec<Part>,
    /// Where it is.
    pub(crate) span: Range<usize>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// As it stands.
    Plain(String),
    /// The variable of that name.
    Var(String),
}

impl Text {
    /// `text` as it stands, whatever is in it.
    pub(crate) fn plain(text: &str) -> Self {
        let parts = if text.is_empty() { Vec::new() } else { vec![Part::Plain(text.to_owned())] };
        Self { parts, span: 0..0 }
    }

    /// `text`, which stands at `span`.
    pub(crate) fn parse(text: &str, span: Range<usize>) -> Self {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("{{") {
            let Some((name, length)) = variable(&rest[at..]) else {
                // In `{{{ name }}` the second brace may begin one.
                plain.push_str(&rest[..=at]);
                rest = &rest[at + 1..];
                continue;
            };
            plain.push_str(&rest[..at]);
            if !plain.is_empty() {
                parts.push(Part::Plain(std::mem::take(&mut plain)));
            }
            parts.push(Part::Var(name.to_owned()));
            rest = &rest[at + length..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Self { parts, span }
    }

    /// The variables in it.
    pub(crate) fn vars(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().filter_map(|part| match part {
            Part::Var(name) => Some(name.as_str()),
            Part::Plain(_) => None,
        })
    }

    /// Whether it has any.
    pub(crate) fn has_vars(&self) -> bool {
        self.vars().next().is_some()
    }

    /// The text, with what `value` gives for its variables.
    pub(crate) fn resolved<'v>(&self, value: impl Fn(&str) -> &'v str) -> String {
        let part = |part: &Part| match part {
            Part::Plain(text) => text.clone(),
            Part::Var(name) => value(name).to_owned(),
        };
        self.parts.iter().map(part).collect()
    }
}

/// The variable that `text` begins with, and the length of its field.
fn variable(text: &str) -> Option<(&str, usize)> {
    let inside = text.strip_prefix("{{")?;
    let end = inside.find("}}")?;
    let name = inside[..end].trim_matches(' ');
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some((name, end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let parts = Text::parse(text, 0..0).parts;
        let part = |part: &Part| match part {
            Part::Plain(text) => format!("({text})"),
            Part::Var(name) => format!("<{name}>"),
        };
        parts.iter().map(part).collect()
    }

    #[test]
    fn variables_stand_in_two_braces_and_nothing_else_does() {
        assert_eq!(shown("a {{x}} b {{ y.z-1 }}"), "(a )<x>( b )<y.z-1>");
        assert_eq!(shown("{{ a b }} {x} {{}} {{"), "({{ a b }} {x} {{}} {{)");
        assert_eq!(shown("{{{ x }}}"), "({)<x>(})");
        assert_eq!(shown(""), "");
    }
}
