//! Strings: bare, quoted, raw and multi-line.

use super::Read;
use super::cursor::{Cursor, is_disallowed, is_newline, is_space};
use crate::codes::KDL_V1;

/// A string that is no keyword of KDL 1; nothing if none begins here.
pub(super) fn string(cursor: &mut Cursor<'_>) -> Read<Option<String>> {
    let start = cursor.offset();
    let bare = !matches!(cursor.peek(), Some('"' | '#'));
    let text = string_or_keyword(cursor)?;
    match text {
        Some(word) if bare && is_reserved(&word) => {
            Err(super::v1_keyword(cursor, start..cursor.offset(), &word))
        }
        text => Ok(text),
    }
}

/// A string, or a bare word that KDL 2 reserves; nothing if neither begins here.
pub(super) fn string_or_keyword(cursor: &mut Cursor<'_>) -> Read<Option<String>> {
    match cursor.peek() {
        Some('"') => quoted(cursor).map(Some),
        Some('#') => {
            let after = cursor.rest().trim_start_matches('#');
            if after.starts_with('"') { raw(cursor).map(Some) } else { Ok(None) }
        }
        Some(_) => Ok(identifier(cursor).map(str::to_owned)),
        None => Ok(None),
    }
}

/// Whether a bare `word` is reserved in KDL 2 because KDL 1 meant a keyword by it.
pub(super) fn is_reserved(word: &str) -> bool {
    matches!(word, "true" | "false" | "null" | "inf" | "-inf" | "nan")
}

/// Whether `c` may be part of a bare string.
pub(super) const fn is_identifier_char(c: char) -> bool {
    !is_space(c)
        && !is_newline(c)
        && !is_disallowed(c)
        && !matches!(c, '\\' | '/' | '(' | ')' | '{' | '}' | ';' | '[' | ']' | '"' | '#' | '=')
}

fn identifier<'t>(cursor: &mut Cursor<'t>) -> Option<&'t str> {
    let rest = cursor.rest();
    let end = rest.find(|c| !is_identifier_char(c)).unwrap_or(rest.len());
    let word = &rest[..end];
    let unsigned = word.strip_prefix(['+', '-']).unwrap_or(word);
    let undotted = unsigned.strip_prefix('.').unwrap_or(unsigned);
    if word.is_empty() || undotted.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    cursor.advance(end);
    Some(word)
}

fn quoted(cursor: &mut Cursor<'_>) -> Read<String> {
    if cursor.rest().starts_with("\"\"\"") {
        return multi_line(cursor, 0);
    }
    let start = cursor.offset();
    cursor.advance(1);
    let mut text = String::new();
    loop {
        match cursor.peek() {
            Some('"') => {
                cursor.advance(1);
                return Ok(text);
            }
            Some('\\') => escape(cursor, &mut text)?,
            None => return Err(unclosed(cursor, start)),
            Some(c) if is_newline(c) => return Err(broken(cursor, start)),
            Some(c) if is_disallowed(c) => return Err(cursor.unexpected("a character of a string")),
            Some(c) => {
                text.push(c);
                cursor.advance(c.len_utf8());
            }
        }
    }
}

fn raw(cursor: &mut Cursor<'_>) -> Read<String> {
    let start = cursor.offset();
    let hashes = cursor.rest().len() - cursor.rest().trim_start_matches('#').len();
    if cursor.rest()[hashes..].starts_with("\"\"\"") {
        // `#""#` is an empty string and `#"""#` holds one quote; only a line end makes it longer.
        let after = &cursor.rest()[hashes + 3..];
        if after.starts_with(is_newline) {
            return multi_line(cursor, hashes);
        }
    }
    let closing = format!("\"{}", "#".repeat(hashes));
    let body = &cursor.rest()[hashes + 1..];
    let Some(end) = body.find(&closing) else { return Err(unclosed(cursor, start)) };
    let text = &body[..end];
    if text.contains(is_newline) {
        return Err(broken(cursor, start));
    }
    if let Some(at) = text.find(is_disallowed) {
        cursor.advance(hashes + 1 + at);
        return Err(cursor.unexpected("a character of a string"));
    }
    cursor.advance(hashes + 1 + end + closing.len());
    Ok(text.to_owned())
}

/// A string between `"""`, raw if `hashes` is not zero.
fn multi_line(cursor: &mut Cursor<'_>, hashes: usize) -> Read<String> {
    let start = cursor.offset();
    cursor.advance(hashes + 3);
    if cursor.rest().starts_with("\r\n") {
        cursor.advance(2);
    } else if cursor.peek().is_some_and(is_newline) {
        cursor.bump();
    } else {
        return Err(cursor.fault(start..start + 3 + hashes, "a `\"\"\"` ends its line"));
    }
    let body = multi_line_body(cursor, start, hashes)?;
    let joined = if hashes == 0 { join_escaped_lines(&body) } else { body };
    let dedented =
        dedent(&joined).map_err(|message| cursor.fault(start..cursor.offset(), message))?;
    if hashes > 0 {
        return Ok(dedented);
    }
    unescape(&dedented).ok_or_else(|| {
        cursor.fault(start..cursor.offset(), "this string has a `\\` that escapes nothing")
    })
}

/// The text up to the closing quotes, newlines made `\n`, escapes as written.
fn multi_line_body(cursor: &mut Cursor<'_>, start: usize, hashes: usize) -> Read<String> {
    let closing = format!("\"\"\"{}", "#".repeat(hashes));
    let mut body = String::new();
    loop {
        if cursor.rest().starts_with(&closing) {
            cursor.advance(closing.len());
            return Ok(body);
        }
        match cursor.bump() {
            None => {
                cursor.reset(start);
                return Err(unclosed(cursor, start));
            }
            Some('\\') if hashes == 0 => {
                body.push('\\');
                // An escaped quote does not close, an escaped backslash does not escape.
                if let Some(c @ ('"' | '\\')) = cursor.peek() {
                    body.push(c);
                    cursor.bump();
                }
            }
            Some('\r') => {
                if cursor.peek() == Some('\n') {
                    cursor.bump();
                }
                body.push('\n');
            }
            Some(c) if is_newline(c) => body.push('\n'),
            Some(c) if is_disallowed(c) => {
                cursor.reset(cursor.offset() - c.len_utf8());
                return Err(cursor.unexpected("a character of a string"));
            }
            Some(c) => body.push(c),
        }
    }
}

/// Removes each `\` that is followed by space or newlines, with them.
fn join_escaped_lines(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    let mut rest = body;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let trimmed = after.trim_start_matches(|c| is_space(c) || c == '\n');
        if trimmed.len() < after.len() {
            rest = trimmed;
        } else {
            let next = after.chars().next().map_or(0, char::len_utf8);
            text.push_str(&rest[at..at + 1 + next]);
            rest = &after[next..];
        }
    }
    text.push_str(rest);
    text
}

/// Takes the last line's indentation off every line.
fn dedent(body: &str) -> Result<String, &'static str> {
    let Some((lines, indent)) = body.rsplit_once('\n') else {
        return match body.chars().all(is_space) {
            true => Ok(String::new()),
            false => Err("the closing `\"\"\"` stands on a line of its own"),
        };
    };
    if !indent.chars().all(is_space) {
        return Err("the closing `\"\"\"` stands on a line of its own");
    }
    let mut text = String::with_capacity(lines.len());
    for (index, line) in lines.split('\n').enumerate() {
        if index > 0 {
            text.push('\n');
        }
        if line.chars().all(is_space) {
            continue;
        }
        match line.strip_prefix(indent) {
            Some(line) => text.push_str(line),
            None => return Err("a line is indented less than the closing `\"\"\"`"),
        }
    }
    Ok(text)
}

fn unescape(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        let (c, length) = escaped(&rest[at + 1..])?;
        plain.push(c);
        rest = &rest[at + 1 + length..];
    }
    plain.push_str(rest);
    Some(plain)
}

fn escape(cursor: &mut Cursor<'_>, text: &mut String) -> Read<()> {
    let start = cursor.offset();
    cursor.advance(1);
    let space = cursor.take_while(|c| is_space(c) || is_newline(c));
    if !space.is_empty() {
        return Ok(());
    }
    if let Some((c, length)) = escaped(cursor.rest()) {
        text.push(c);
        cursor.advance(length);
        return Ok(());
    }
    if cursor.peek() == Some('/') {
        let mut fault = cursor.fault(start..start + 2, "`\\/` is the KDL 1 spelling");
        fault.code = KDL_V1;
        fault.hint = Some("write `/`".into());
        return Err(fault);
    }
    let length = cursor.peek().map_or(0, char::len_utf8);
    let mut fault = cursor.fault(start..start + 1 + length, "this `\\` escapes nothing");
    fault.hint = Some("write `\\\\` for a backslash, or a raw string `#\"...\"#`".into());
    Err(fault)
}

/// The character that an escape without its backslash means, and its length.
fn escaped(rest: &str) -> Option<(char, usize)> {
    let c = match rest.chars().next()? {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        's' => ' ',
        'b' => '\u{8}',
        'f' => '\u{c}',
        '"' => '"',
        '\\' => '\\',
        'u' => {
            let digits = rest.strip_prefix("u{")?;
            let end = digits.find('}').filter(|end| (1..=6).contains(end))?;
            let digits = &digits[..end];
            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return None;
            }
            let code = u32::from_str_radix(digits, 16).ok()?;
            return Some((char::from_u32(code)?, end + 3));
        }
        _ => return None,
    };
    Some((c, 1))
}

fn unclosed(cursor: &Cursor<'_>, start: usize) -> Box<super::Fault> {
    let mut fault = cursor.fault(start..start + 1, "this string is never closed");
    fault.ends_reading = true;
    fault
}

/// A newline in a quoted string, which KDL 1 allowed; where no end of it is in sight, the quote that
/// should have ended the line was forgotten.
fn broken(cursor: &mut Cursor<'_>, start: usize) -> Box<super::Fault> {
    let text = &cursor.text()[start..];
    let line = text.find(is_newline).unwrap_or(text.len());
    let mut fault = cursor.fault(start..start + line, "a quoted string ends on its line");
    let end = text[line..].find('"').map(|end| line + end + 1);
    let ends = |c: char| is_space(c) || is_newline(c) || matches!(c, ';' | '}' | '{');
    let closes = |end: &usize| text[*end..].is_empty() || text[*end..].starts_with(ends);
    if let Some(end) = end.filter(closes) {
        cursor.reset(start + end);
        fault.code = KDL_V1;
        fault.hint = Some("write a text of several lines between `\"\"\"` lines".into());
    } else {
        fault.hint = Some("close the string with `\"`".into());
    }
    fault
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<String> {
        string(&mut Cursor::new(text)).ok().flatten()
    }

    #[test]
    fn strings_of_every_spelling() {
        assert_eq!(read("bare-word").as_deref(), Some("bare-word"));
        assert_eq!(read("\"a\\n\\u{e9}\\s\\\"\"").as_deref(), Some("a\né \""));
        assert_eq!(read("\"a\\   \n  b\"").as_deref(), Some("ab"));
        assert_eq!(read("#\"a\\n\"#").as_deref(), Some("a\\n"));
        assert_eq!(read("##\"a\"#b\"##").as_deref(), Some("a\"#b"));
        assert_eq!(read("\"\"").as_deref(), Some(""));
        assert_eq!(read("+.5"), None);
    }

    #[test]
    fn a_multi_line_string_loses_its_last_lines_indentation() {
        assert_eq!(read("\"\"\"\n    a\n\n      b\n    \"\"\"").as_deref(), Some("a\n\n  b"));
        assert_eq!(read("#\"\"\"\n  a\\n\n  \"\"\"#").as_deref(), Some("a\\n"));
        assert_eq!(read("\"\"\"\r\n  a\r\n  \"\"\"").as_deref(), Some("a"));
        assert_eq!(read("\"\"\"\n  a \\\n     b\n  \"\"\"").as_deref(), Some("a b"));
        assert_eq!(read("\"\"\"\n\"\"\"").as_deref(), Some(""));
        assert_eq!(read("\"\"\"\n  \\\"\"\"\n  \"\"\"").as_deref(), Some("\"\"\""));
        assert_eq!(read("\"\"\"\n a\n  \"\"\""), None);
        assert_eq!(read("\"\"\"\n a\"\"\""), None);
    }
}
