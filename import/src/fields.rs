//! The entries of a map, read by name and type; what is wrong or left over is noted.

use std::cell::RefCell;
use std::ops::Range;

use vwfb_rules::codes::{
    Code, MISSING_ATTRIBUTE, NOT_IN_ENUM, OUT_OF_RANGE, UNKNOWN_ATTRIBUTE, UNKNOWN_VAR, WRONG_TYPE,
};
use vwfb_rules::diagnostic::{Anchor, Diagnostic};
use vwfb_rules::label::WsPath;
use vwfb_rules::nearest;

use crate::text::Text;
use crate::yaml::{Content, Key, Node};

/// Where problems go, and what texts may name.
pub(crate) struct Notebook<'a> {
    /// The workflow's file.
    pub(crate) file: &'a WsPath,
    /// Its text.
    pub(crate) source: &'a str,
    /// The names of its variables.
    pub(crate) vars: Vec<String>,
    /// What is wrong with it.
    pub(crate) problems: RefCell<Vec<Diagnostic>>,
}

impl Notebook<'_> {
    /// Notes an error at `span`.
    pub(crate) fn error(&self, code: Code, message: impl Into<String>, span: &Range<usize>) {
        self.push(Diagnostic::error(code, message).at(&self.at(span)));
    }

    /// Notes one with what to do.
    pub(crate) fn hinted(
        &self,
        code: Code,
        message: impl Into<String>,
        span: &Range<usize>,
        hint: impl Into<String>,
    ) {
        self.push(Diagnostic::error(code, message).at(&self.at(span)).hint(hint));
    }

    /// Notes a problem.
    pub(crate) fn push(&self, problem: Diagnostic) {
        self.problems.borrow_mut().push(problem);
    }

    /// The place of `span`.
    pub(crate) fn at(&self, span: &Range<usize>) -> Anchor {
        Anchor::bytes(self.file.clone(), span.start, span.end)
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, byte: usize) -> usize {
        vwfb_rules::render::line_column(self.source, byte).0
    }

    /// The text that `node` is; its variables must be declared.
    pub(crate) fn text(&self, name: &str, node: &Node) -> Option<Text> {
        let text = self.string(name, node)?;
        let text = Text::parse(&text, node.span.clone());
        let unknown: Vec<&str> =
            text.vars().filter(|var| self.vars.iter().all(|known| known != var)).collect();
        for var in unknown {
            let near = nearest(var, self.vars.iter().map(String::as_str));
            let hint = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it in `vars`: `{var}: \"...\"`"),
            };
            let span = self.field(var, &node.span);
            self.hinted(UNKNOWN_VAR, format!("there is no variable `{var}`"), &span, hint);
        }
        Some(text)
    }

    /// Where the field of `var` is in the text at `span`.
    fn field(&self, var: &str, span: &Range<usize>) -> Range<usize> {
        let within = self.source.get(span.clone()).unwrap_or_default();
        let mut from = 0;
        while let Some(at) = within[from..].find("{{").map(|at| from + at) {
            let inside = &within[at + 2..];
            let end = inside.find("}}").unwrap_or(inside.len());
            if inside[..end].trim() == var {
                let end = (at + end + 4).min(within.len());
                return span.start + at..span.start + end;
            }
            from = at + 1;
        }
        span.clone()
    }

    /// The string that `node` is.
    pub(crate) fn string(&self, name: &str, node: &Node) -> Option<String> {
        match &node.content {
            Content::Scalar { text, plain } if !plain || is_string(text) => Some(text.clone()),
            Content::Scalar { text, .. } if !node.is_null() => {
                let message = format!("`{name}` is a text, not {}", node.described());
                let hint = format!("write it in quotes: `\"{text}\"`");
                self.hinted(WRONG_TYPE, message, &node.span, hint);
                None
            }
            _ => {
                let message = format!("`{name}` is a text, not {}", node.described());
                self.error(WRONG_TYPE, message, &node.span);
                None
            }
        }
    }
}

/// Whether a plain scalar is a string in YAML's core schema.
fn is_string(text: &str) -> bool {
    let special = matches!(text, "" | "~" | "null" | "Null" | "NULL")
        || matches!(text, "true" | "True" | "TRUE" | "false" | "False" | "FALSE");
    let number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && (text.parse::<f64>().is_ok() || text.starts_with("0x") || text.starts_with("0o"));
    !special && !number
}

/// The entries of one map.
pub(crate) struct Fields<'a> {
    book: &'a Notebook<'a>,
    /// What the map is: `write_file`, `the workflow`.
    what: String,
    entries: &'a [(Key, Node)],
    /// Where it is, for what is missing.
    span: Range<usize>,
    known: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// Those of `node`, which must be a map.
    pub(crate) fn of(
        book: &'a Notebook<'a>,
        what: &str,
        node: &'a Node,
        span: Range<usize>,
    ) -> Option<Self> {
        let Content::Map(entries) = &node.content else {
            let message = format!("{what} is a map, not {}", node.described());
            book.error(WRONG_TYPE, message, &node.span);
            return None;
        };
        let known = RefCell::default();
        Some(Self { book, what: what.to_owned(), entries, span, known })
    }

    /// What is called `name`, if it is there and something.
    pub(crate) fn find(&self, name: &'static str) -> Option<&'a Node> {
        self.known.borrow_mut().push(name);
        let entry = self.entries.iter().find(|(key, _)| key.text == name);
        entry.map(|(_, node)| node).filter(|node| !node.is_null())
    }

    fn required(&self, name: &'static str) -> Option<&'a Node> {
        let node = self.find(name);
        if node.is_none() {
            let message = format!("{} needs `{name}`", self.what);
            self.book.error(MISSING_ATTRIBUTE, message, &self.span);
        }
        node
    }

    /// A text that must be there.
    pub(crate) fn text(&self, name: &'static str) -> Option<Text> {
        self.book.text(name, self.required(name)?)
    }

    /// A text that may be there.
    pub(crate) fn maybe(&self, name: &'static str) -> Option<Text> {
        self.book.text(name, self.find(name)?)
    }

    /// A text without variables, or `default`.
    pub(crate) fn string(&self, name: &'static str, default: &str) -> String {
        let found = self.find(name).and_then(|node| self.book.string(name, node));
        found.unwrap_or_else(|| default.to_owned())
    }

    /// A list that must be there, if `needed`.
    pub(crate) fn list(&self, name: &'static str, needed: bool) -> Option<&'a [Node]> {
        let node = if needed { self.required(name)? } else { self.find(name)? };
        match &node.content {
            Content::List(items) => Some(items),
            _ => {
                let message = format!("`{name}` is a list, not {}", node.described());
                self.book.hinted(
                    WRONG_TYPE,
                    message,
                    &node.span,
                    "write each on a line after `- `",
                );
                None
            }
        }
    }

    /// A list of texts.
    pub(crate) fn texts(&self, name: &'static str, needed: bool) -> Option<Vec<Text>> {
        let items = self.list(name, needed)?;
        Some(items.iter().filter_map(|item| self.book.text(name, item)).collect())
    }

    /// A whole number within bounds, if it is there.
    pub(crate) fn int(&self, name: &'static str, least: i64, most: i64) -> Option<i64> {
        let node = self.find(name)?;
        let number = match &node.content {
            Content::Scalar { text, plain: true } => text.parse::<i64>().ok(),
            _ => None,
        };
        let Some(number) = number else {
            let message = format!("`{name}` is a whole number, not {}", node.described());
            self.book.error(WRONG_TYPE, message, &node.span);
            return None;
        };
        if number < least || number > most {
            let message = format!("`{name}` is from {least} to {most}, not {number}");
            self.book.error(OUT_OF_RANGE, message, &node.span);
            return None;
        }
        Some(number)
    }

    /// A number within bounds, or `default`.
    pub(crate) fn float(&self, name: &'static str, default: f64, least: f64, most: f64) -> f64 {
        let Some(node) = self.find(name) else { return default };
        let number = match &node.content {
            Content::Scalar { text, plain: true } => text.parse::<f64>().ok(),
            _ => None,
        };
        let Some(number) = number.filter(|number| number.is_finite()) else {
            let message = format!("`{name}` is a number, not {}", node.described());
            self.book.error(WRONG_TYPE, message, &node.span);
            return default;
        };
        if number < least || number > most {
            let message = format!("`{name}` is from {least} to {most}, not {number}");
            self.book.error(OUT_OF_RANGE, message, &node.span);
        }
        number
    }

    /// A flag, or `default`.
    pub(crate) fn flag(&self, name: &'static str, default: bool) -> bool {
        let Some(node) = self.find(name) else { return default };
        match &node.content {
            Content::Scalar { text, plain: true } if text == "true" => true,
            Content::Scalar { text, plain: true } if text == "false" => false,
            _ => {
                let message = format!("`{name}` is `true` or `false`, not {}", node.described());
                self.book.error(WRONG_TYPE, message, &node.span);
                default
            }
        }
    }

    /// One of `values`; the first of them by default.
    pub(crate) fn choice(
        &self,
        name: &'static str,
        values: &'static [&'static str],
    ) -> &'static str {
        let Some(node) = self.find(name) else { return values[0] };
        let Some(text) = self.book.string(name, node) else { return values[0] };
        values.iter().find(|value| **value == text).copied().unwrap_or_else(|| {
            let names: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            let message = format!("`{name}` cannot be `{text}`");
            let hint = format!("it is one of {}", names.join(", "));
            self.book.hinted(NOT_IN_ENUM, message, &node.span, hint);
            values[0]
        })
    }

    /// Notes the entries that nobody asked for.
    pub(crate) fn finish(self) {
        let known = self.known.into_inner();
        for (key, _) in self.entries.iter().filter(|(key, _)| !known.contains(&key.text.as_str())) {
            let message = format!("{} has no `{}`", self.what, key.text);
            let hint = match nearest(&key.text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("it has {}", known.join(", ")),
            };
            self.book.hinted(UNKNOWN_ATTRIBUTE, message, &key.span, hint);
        }
    }
}
