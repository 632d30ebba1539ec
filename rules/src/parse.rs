//! A KDL 2 reader: one pass, bounded nesting, byte ranges, KDL 1 spellings recognised.
//!
//! It knows nothing of vwfb. It stands in for the `kdl` crate here because rule files are read on
//! every build: it costs about a microsecond a node, and no text makes it overflow its stack. Tests
//! hold the two to the same answers.

#[cfg(test)]
mod agreement;
mod cursor;
mod numbers;
mod strings;

use std::ops::Range;

use cursor::{Cursor, Fault};

use crate::codes::{KDL_V1, TOO_DEEP};
use crate::syntax::Scalar;

/// How deeply braces may nest.
const MAX_DEPTH: usize = 64;
/// How many problems of one text are reported.
const MAX_FAULTS: usize = 20;

/// A node as read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawNode {
    pub(crate) name: String,
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) children: Vec<RawNode>,
    /// Its name.
    pub(crate) range: Range<usize>,
    /// Its type annotation, which no node of a rule file has.
    pub(crate) annotation: Option<String>,
}

/// An argument or property as read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawEntry {
    pub(crate) name: Option<String>,
    pub(crate) annotation: Option<String>,
    pub(crate) scalar: Scalar,
    pub(crate) range: Range<usize>,
}

/// The nodes of `text` and what of it could not be read.
pub(crate) fn parse(text: &str) -> (Vec<RawNode>, Vec<Fault>) {
    let mut cursor = Cursor::new(text);
    let mut faults = Vec::new();
    let mut nodes = Vec::new();
    loop {
        match read_top(&mut cursor) {
            Ok(Some(node)) => nodes.push(node),
            Ok(None) => break,
            Err(fault) => {
                let end = fault.ends_reading;
                faults.push(*fault);
                if end || faults.len() == MAX_FAULTS {
                    break;
                }
                cursor.skip_to_next_item();
            }
        }
    }
    (nodes, faults)
}

type Read<T> = Result<T, Box<Fault>>;

fn read_top(cursor: &mut Cursor<'_>) -> Read<Option<RawNode>> {
    loop {
        cursor.line_space()?;
        if cursor.at_end() {
            return Ok(None);
        }
        if cursor.peek() == Some('}') {
            return Err(cursor.fault_here("a `}` closes nothing"));
        }
        if let Some(node) = read_node(cursor, 0)? {
            return Ok(Some(node));
        }
    }
}

/// One node with its terminator; nothing if it is commented out with `/-`.
fn read_node(cursor: &mut Cursor<'_>, depth: usize) -> Read<Option<RawNode>> {
    let hidden = slashdash(cursor)?;
    let annotation = annotation(cursor)?;
    let start = cursor.offset();
    let name = strings::string(cursor)?.ok_or_else(|| cursor.unexpected("a node's name"))?;
    let range = start..cursor.offset();
    let mut node = RawNode { name, entries: Vec::new(), children: Vec::new(), range, annotation };
    let mut has_children = false;
    loop {
        let spaced = cursor.node_space()?;
        let here = cursor.offset();
        let skipped = slashdash(cursor)?;
        match cursor.peek() {
            Some('{') => {
                let children = read_children(cursor, depth + 1)?;
                if skipped {
                    continue;
                }
                if has_children {
                    let range = here..here + 1;
                    return Err(cursor.fault(range, "a node has one pair of braces"));
                }
                node.children = children;
                has_children = true;
            }
            _ if skipped => {
                read_entry(cursor)?;
            }
            None | Some(';' | '}') => break,
            Some(c) if cursor::is_newline(c) => break,
            Some('/') if cursor.rest().starts_with("//") => break,
            Some(_) if has_children => {
                return Err(cursor.unexpected("the end of the node after its `}`"));
            }
            Some(_) if !spaced => return Err(cursor.unexpected("a space")),
            Some(_) => node.entries.push(read_entry(cursor)?),
        }
    }
    if cursor.peek() == Some(';') {
        cursor.bump();
    }
    Ok((!hidden).then_some(node))
}

fn read_children(cursor: &mut Cursor<'_>, depth: usize) -> Read<Vec<RawNode>> {
    let open = cursor.offset();
    if depth > MAX_DEPTH {
        let mut fault = cursor.fault(open..open + 1, "braces are nested more than 64 deep");
        fault.code = TOO_DEEP;
        fault.ends_reading = true;
        return Err(fault);
    }
    cursor.bump();
    let mut nodes = Vec::new();
    loop {
        cursor.line_space()?;
        match cursor.peek() {
            Some('}') => {
                cursor.bump();
                return Ok(nodes);
            }
            None => {
                let mut fault = cursor.fault(open..open + 1, "this `{` is never closed");
                fault.ends_reading = true;
                return Err(fault);
            }
            Some(_) => nodes.extend(read_node(cursor, depth)?),
        }
    }
}

fn read_entry(cursor: &mut Cursor<'_>) -> Read<RawEntry> {
    let start = cursor.offset();
    if cursor.peek() != Some('(') {
        v1_raw_string(cursor)?;
        let bare = cursor.peek() != Some('"') && cursor.peek() != Some('#');
        if let Some(text) = strings::string_or_keyword(cursor)? {
            let end = cursor.offset();
            if let Some(entry) = property(cursor, start, &text)? {
                return Ok(entry);
            }
            if bare && strings::is_reserved(&text) {
                return Err(v1_keyword(cursor, start..end, &text));
            }
            let scalar = Scalar::Text(text);
            return Ok(RawEntry { name: None, annotation: None, scalar, range: start..end });
        }
    }
    let annotation = annotation(cursor)?;
    let scalar = read_scalar(cursor)?;
    Ok(RawEntry { name: None, annotation, scalar, range: start..cursor.offset() })
}

/// The rest of a property whose name was just read; nothing if no `=` follows.
fn property(cursor: &mut Cursor<'_>, start: usize, name: &str) -> Read<Option<RawEntry>> {
    let before = cursor.offset();
    cursor.node_space()?;
    if cursor.peek() != Some('=') {
        cursor.reset(before);
        return Ok(None);
    }
    if strings::is_reserved(name) && cursor.text()[start..before] == *name {
        return Err(v1_keyword(cursor, start..before, name));
    }
    cursor.bump();
    cursor.node_space()?;
    let annotation = annotation(cursor)?;
    let scalar = read_scalar(cursor)?;
    let range = start..cursor.offset();
    Ok(Some(RawEntry { name: Some(name.into()), annotation, scalar, range }))
}

fn read_scalar(cursor: &mut Cursor<'_>) -> Read<Scalar> {
    v1_raw_string(cursor)?;
    let start = cursor.offset();
    if let Some(scalar) = numbers::keyword(cursor)? {
        return Ok(scalar);
    }
    if let Some(scalar) = numbers::number(cursor)? {
        return Ok(scalar);
    }
    let bare = !matches!(cursor.peek(), Some('"' | '#'));
    match strings::string_or_keyword(cursor)? {
        Some(text) if bare && strings::is_reserved(&text) => {
            Err(v1_keyword(cursor, start..cursor.offset(), &text))
        }
        Some(text) => Ok(Scalar::Text(text)),
        None => Err(cursor.unexpected("a value")),
    }
}

fn annotation(cursor: &mut Cursor<'_>) -> Read<Option<String>> {
    if cursor.peek() != Some('(') {
        return Ok(None);
    }
    cursor.bump();
    cursor.node_space()?;
    let name = strings::string(cursor)?.ok_or_else(|| cursor.unexpected("a type's name"))?;
    cursor.node_space()?;
    if cursor.peek() != Some(')') {
        return Err(cursor.unexpected("`)`"));
    }
    cursor.bump();
    cursor.node_space()?;
    Ok(Some(name))
}

fn slashdash(cursor: &mut Cursor<'_>) -> Read<bool> {
    if !cursor.rest().starts_with("/-") {
        return Ok(false);
    }
    cursor.advance(2);
    cursor.line_space()?;
    Ok(true)
}

fn v1_keyword(cursor: &Cursor<'_>, range: Range<usize>, word: &str) -> Box<Fault> {
    let mut fault = cursor.fault(range, &format!("`{word}` is the KDL 1 spelling"));
    fault.code = KDL_V1;
    fault.hint = Some(format!("write `#{word}`, or `\"{word}\"` for text"));
    fault
}

/// The KDL 1 raw string `r"..."` or `r#"..."#`, which KDL 2 writes without the `r`.
fn v1_raw_string(cursor: &mut Cursor<'_>) -> Read<()> {
    let Some(after) = cursor.rest().strip_prefix('r') else { return Ok(()) };
    let hashes = after.len() - after.trim_start_matches('#').len();
    if !after[hashes..].starts_with('"') {
        return Ok(());
    }
    let start = cursor.offset();
    let closing = format!("\"{}", "#".repeat(hashes));
    let body = &after[hashes + 1..];
    let length = body.find(&closing).map_or(body.len(), |end| end + closing.len());
    cursor.advance(1 + hashes + 1 + length);
    let mut fault = cursor.fault(start..start + 1 + hashes + 1, "`r\"` is the KDL 1 spelling");
    fault.code = KDL_V1;
    fault.hint = Some("write a raw string as `#\"...\"#`".into());
    Err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<String> {
        let (_, faults) = parse(text);
        faults.iter().map(|fault| format!("{}: {}", fault.code, fault.message)).collect()
    }

    #[test]
    fn nodes_have_their_entries_and_children() {
        let (nodes, faults) = parse("a \"x\" k=1 (glob)y { b; c #true }\n/- gone 1\nd /-1 2 {}");
        assert_eq!(faults, []);
        assert_eq!(nodes.len(), 2);
        assert_eq!(nodes[0].entries.len(), 3);
        assert_eq!(nodes[0].entries[1].name.as_deref(), Some("k"));
        assert_eq!(nodes[0].entries[2].annotation.as_deref(), Some("glob"));
        assert_eq!(nodes[0].children[1].entries[0].scalar, Scalar::Bool(true));
        assert_eq!(nodes[1].entries[0].scalar, Scalar::Int(2));
    }

    #[test]
    fn kdl_1_spellings_are_named() {
        assert_eq!(faults("a true"), ["kdl-v1: `true` is the KDL 1 spelling"]);
        assert_eq!(faults("a b=null"), ["kdl-v1: `null` is the KDL 1 spelling"]);
        assert_eq!(faults("a r\"x\""), ["kdl-v1: `r\"` is the KDL 1 spelling"]);
        assert_eq!(faults("a b=r#\"x\"#"), ["kdl-v1: `r\"` is the KDL 1 spelling"]);
        assert_eq!(faults("a \"x\n y\"\nb"), ["kdl-v1: a quoted string ends on its line"]);
        assert_eq!(
            faults("a true\nb false\nc"),
            ["kdl-v1: `true` is the KDL 1 spelling", "kdl-v1: `false` is the KDL 1 spelling"]
        );
    }

    #[test]
    fn what_is_no_kdl_says_where_and_goes_on() {
        assert_eq!(faults("a {"), ["syntax-error: this `{` is never closed"]);
        assert_eq!(faults("}"), ["syntax-error: a `}` closes nothing"]);
        assert_eq!(faults("a \"x"), ["syntax-error: this string is never closed"]);
        assert_eq!(
            faults("a ]\nb )\nc"),
            [
                "syntax-error: expected a value, found `]`",
                "syntax-error: expected a value, found `)`"
            ]
        );
        assert_eq!(faults("a \"b\"c"), ["syntax-error: expected a space, found `c`"]);
        assert_eq!(faults("a 1x"), ["syntax-error: `1x` is not a number"]);
        assert_eq!(
            faults("a {} b"),
            ["syntax-error: expected the end of the node after its `}`, found `b`"]
        );
    }

    #[test]
    fn no_text_overflows_the_stack() {
        for text in [
            "a {".repeat(100_000),
            "}".repeat(100_000),
            "/*".repeat(100_000),
            format!("/*{}*/", "*/ /*".repeat(100_000)),
            format!("/*{}*/a", "*".repeat(100_000)),
            "(".repeat(100_000),
            "/-".repeat(100_000),
            "a /-{".repeat(100_000),
            ")\n".repeat(100_000),
            "\"\"\"\n".repeat(100_000),
        ] {
            let _ = parse(&text);
        }
        assert_eq!(faults(&"a {".repeat(100)), ["too-deep: braces are nested more than 64 deep"]);
    }
}
