//! The canonical spelling of single words and comments.

use super::lex::{is_newline, is_space};

/// How a value is printed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// As it stands.
    Line(String),
    /// A string of several lines, which takes the indentation of its place.
    Lines {
        open: String,
        /// Without their common indentation.
        body: Vec<String>,
        close: String,
    },
}

/// A comment without trailing white space, lines ended by `\n`.
///
/// In a comment whose further lines all begin with `*` these lose their indentation.
pub(super) fn comment(text: &str) -> String {
    let text = unix_lines(text);
    let lines: Vec<&str> = text.split('\n').map(str::trim_end).collect();
    if has_stars(&lines) {
        let stripped: Vec<&str> = lines.iter().map(|line| line.trim_start()).collect();
        return stripped.join("\n");
    }
    lines.join("\n")
}

/// Whether every line but the first begins with `*`.
pub(super) fn has_stars(lines: &[&str]) -> bool {
    lines.iter().skip(1).all(|line| line.trim_start().starts_with('*'))
}

/// A node's, property's or type's name: bare where that is the same.
pub(super) fn name(text: &str) -> String {
    match plain_content(text) {
        Some(content) if is_bare(content) => content.to_owned(),
        _ => unix_lines(text),
    }
}

/// A value: strings in quotes, raw ones only where rawness is of use.
pub(super) fn value(text: &str) -> Value {
    if let Some(lines) = lines(text) {
        return lines;
    }
    if is_identifier(text) {
        return Value::Line(format!("\"{text}\""));
    }
    match plain_content(text) {
        Some(content) if text.starts_with('#') => Value::Line(format!("\"{content}\"")),
        _ => Value::Line(unix_lines(text)),
    }
}

/// The content of a string of one line that means itself: no quotes, no escapes.
fn plain_content(text: &str) -> Option<&str> {
    let content = text.trim_matches('#').strip_prefix('"')?.strip_suffix('"')?;
    let special = |c: char| matches!(c, '"' | '\\') || is_newline(c);
    (!content.contains(special)).then_some(content)
}

/// Whether an unquoted word is a string, not a number or keyword.
fn is_identifier(text: &str) -> bool {
    !text.starts_with(['#', '"']) && !is_number(text)
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    unsigned.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether `name` needs no quotes; some that need none are quoted all the same.
fn is_bare(name: &str) -> bool {
    let keyword = matches!(name, "true" | "false" | "null" | "inf" | "nan");
    let starts = name.starts_with(|c: char| c.is_alphabetic() || c == '_');
    starts && !keyword && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
}

/// The parts of a string of several lines; `None` for any other, and where escaped white space
/// makes its lines depend on one another.
fn lines(text: &str) -> Option<Value> {
    let hashes = &text[..text.len() - text.trim_start_matches('#').len()];
    let close = format!("\"\"\"{hashes}");
    let inner = text.strip_prefix(hashes)?.strip_prefix("\"\"\"")?.strip_suffix(&close)?;
    if hashes.is_empty() && escapes_space(inner) {
        return None;
    }
    let inner = unix_lines(inner);
    let (body, indent) = inner.strip_prefix('\n')?.rsplit_once('\n').unwrap_or(("", &inner[1..]));
    if !indent.chars().all(is_space) {
        return None;
    }
    let body = if inner.matches('\n').count() == 1 { Vec::new() } else { dedent(body, indent)? };
    Some(Value::Lines { open: format!("{hashes}\"\"\""), body, close })
}

fn dedent(body: &str, indent: &str) -> Option<Vec<String>> {
    let line = |line: &str| {
        if line.chars().all(is_space) {
            Some(String::new())
        } else {
            line.strip_prefix(indent).map(str::to_owned)
        }
    };
    body.split('\n').map(line).collect()
}

/// Whether a `\` swallows white space somewhere in `text`.
fn escapes_space(text: &str) -> bool {
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c == '\\' && chars.next().is_none_or(|next| is_space(next) || is_newline(next)) {
            return true;
        }
    }
    false
}

fn unix_lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> String {
        match value(text) {
            Value::Line(line) => line,
            Value::Lines { .. } => panic!("{text} is one line"),
        }
    }

    #[test]
    fn values_are_quoted_and_names_bare() {
        assert_eq!(line("fast"), "\"fast\"");
        assert_eq!(name("\"fast\""), "fast");
        assert_eq!(name("\"two words\""), "\"two words\"");
        assert_eq!(name("\"true\""), "\"true\"");
    }

    #[test]
    fn numbers_and_keywords_stand_as_they_are() {
        for text in ["1", "-25", "+1_000", "0x1F", "1.5e-3", "#true", "#-inf", "\"a\\nb\""] {
            assert_eq!(line(text), text);
        }
    }

    #[test]
    fn raw_strings_stay_raw_only_where_that_is_of_use() {
        assert_eq!(line("#\"plain\"#"), "\"plain\"");
        assert_eq!(line("#\"a\\d+\"#"), "#\"a\\d+\"#");
        assert_eq!(line("##\"say \"hi\"#\"##"), "##\"say \"hi\"#\"##");
    }

    #[test]
    fn lines_lose_their_common_indentation() {
        let Value::Lines { body, .. } = value("\"\"\"\r\n  a\r\n\r\n    b\r\n  \"\"\"") else {
            panic!("several lines");
        };
        assert_eq!(body, ["a", "", "  b"]);
    }

    #[test]
    fn lines_with_escaped_white_space_stand_as_they_are() {
        assert_eq!(line("\"\"\"\n  a \\\n  b\n  \"\"\""), "\"\"\"\n  a \\\n  b\n  \"\"\"");
    }
}
