//! YAML as a tree whose every node knows its bytes: guarded against what is huge, deep or a bomb.

use std::collections::BTreeMap;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};
use vwfb_rules::codes::{
    REPEATED_ATTRIBUTE, SYNTAX_ERROR, TOO_DEEP, TOO_MANY_ITEMS, UNREADABLE_FILE, WRONG_TYPE,
};
use vwfb_rules::diagnostic::{Anchor, Diagnostic};
use vwfb_rules::label::WsPath;

/// The most bytes of a workflow.
const MOST_BYTES: usize = 4 << 20;

/// The most nodes, each use of an alias counted anew.
const MOST_NODES: usize = 200_000;

/// How deep lists and maps may be in one another.
const MOST_DEPTH: usize = 64;

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// What it is.
    pub(crate) content: Content,
    /// Where it is.
    pub(crate) span: Range<usize>,
}

/// What a node is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    /// A text, number, flag or nothing; `plain` if it stands without quotes.
    Scalar {
        /// The text.
        text: String,
        /// Whether it could be more than a text.
        plain: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, whose keys are scalars, each once.
    Map(Vec<(Key, Node)>),
}

/// The key of an entry of a map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    /// Its text.
    pub(crate) text: String,
    /// Where it is.
    pub(crate) span: Range<usize>,
}

impl Node {
    /// Whether it is nothing: `key:`, `~` or `null`.
    pub(crate) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar { text, plain: true }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What it is, for messages.
    pub(crate) fn described(&self) -> String {
        match &self.content {
            Content::List(_) => "a list".into(),
            Content::Map(_) => "a map".into(),
            Content::Scalar { .. } if self.is_null() => "nothing".into(),
            Content::Scalar { text, plain } => {
                let shown: String = text.chars().take(40).collect();
                let shown = shown.escape_debug();
                let what = match text.as_str() {
                    "true" | "false" if *plain => "the flag",
                    text if *plain && text.parse::<f64>().is_ok() => "the number",
                    _ => "the text",
                };
                format!("{what} `{shown}`")
            }
        }
    }
}

/// The tree that `text` is; nothing for a text without a node.
pub(crate) fn tree(file: &WsPath, text: &str) -> Result<Option<Node>, Diagnostic> {
    if text.len() > MOST_BYTES {
        let message = format!("the workflow is larger than {} MiB", MOST_BYTES >> 20);
        let problem = Diagnostic::error(UNREADABLE_FILE, message).at(&Anchor::file(file.clone()));
        return Err(problem.hint("move long texts into files that steps read"));
    }
    let mut reading = Reading {
        file,
        places: Places::of(text),
        open: Vec::new(),
        root: None,
        known: BTreeMap::new(),
        nodes: 0,
    };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| reading.syntax(&error))?;
        reading.event(event, span)?;
    }
    Ok(reading.root)
}

/// The entries of a map, and the key whose value comes next.
type Entries = (Vec<(Key, Node)>, Option<Key>);

/// A list or map that is not at its end.
struct Open {
    anchor: usize,
    start: usize,
    items: Vec<Node>,
    /// What is in it if it is a map.
    map: Option<Entries>,
}

struct Reading<'a> {
    file: &'a WsPath,
    places: Places,
    open: Vec<Open>,
    root: Option<Node>,
    /// The nodes with an anchor, and how many nodes each is.
    known: BTreeMap<usize, (Node, usize)>,
    nodes: usize,
}

impl Reading<'_> {
    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Diagnostic> {
        let range = self.places.range(&span);
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_text = tag.is_some_and(|tag| tag.suffix == "str");
                let plain = style == ScalarStyle::Plain && !is_text;
                let content = Content::Scalar { text: text.into_owned(), plain };
                self.add(Node { content, span: range }, anchor, 1)
            }
            Event::SequenceStart(anchor, _) => self.begin(anchor, range, None),
            Event::MappingStart(anchor, _) => self.begin(anchor, range, Some((Vec::new(), None))),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(open) = self.open.pop() else { return Ok(()) };
                let content = match open.map {
                    Some((entries, _)) => Content::Map(entries),
                    None => Content::List(open.items),
                };
                // A block ends where the next thing begins; its first line is what is shown.
                let span = open.start..range.end.max(open.start);
                self.add(Node { content, span }, open.anchor, 1)
            }
            Event::Alias(anchor) => {
                let Some((node, size)) = self.known.get(&anchor).cloned() else {
                    let problem =
                        self.error(SYNTAX_ERROR, "an alias refers to what it is in", range);
                    return Err(problem.hint("write out what it stands for"));
                };
                self.add(Node { span: range, ..node }, 0, size)
            }
            Event::DocumentStart(_) if self.root.is_some() => {
                let problem = self.error(SYNTAX_ERROR, "a second document begins here", range);
                Err(problem.hint("a workflow is one document: remove this `---` and what follows"))
            }
            _ => Ok(()),
        }
    }

    fn begin(
        &mut self,
        anchor: usize,
        range: Range<usize>,
        map: Option<Entries>,
    ) -> Result<(), Diagnostic> {
        if self.open.len() >= MOST_DEPTH {
            let message = format!("lists and maps are nested deeper than {MOST_DEPTH}");
            return Err(self.error(TOO_DEEP, &message, range));
        }
        if let Some(Open { map: Some((_, None)), .. }) = self.open.last() {
            return Err(self.key(range));
        }
        self.open.push(Open { anchor, start: range.start, items: Vec::new(), map });
        Ok(())
    }

    /// Puts a node that is `size` nodes where it belongs.
    fn add(&mut self, node: Node, anchor: usize, size: usize) -> Result<(), Diagnostic> {
        self.nodes += size;
        if self.nodes > MOST_NODES {
            let message = format!("the workflow has more than {MOST_NODES} values");
            let problem = self.error(TOO_MANY_ITEMS, &message, node.span);
            return Err(problem.hint("each use of an alias counts: write out what is needed"));
        }
        if anchor > 0 {
            let size = count(&node);
            self.known.insert(anchor, (node.clone(), size));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let Some((entries, key)) = &mut open.map else {
            open.items.push(node);
            return Ok(());
        };
        if let Some(key) = key.take() {
            entries.push((key, node));
            return Ok(());
        }
        let Content::Scalar { text, .. } = node.content else {
            return Err(self.key(node.span));
        };
        if let Some((first, _)) = entries.iter().find(|(key, _)| key.text == text) {
            let first = Anchor::bytes(self.file.clone(), first.span.start, first.span.end);
            let message = format!("`{text}` is there twice");
            let problem = self.error(REPEATED_ATTRIBUTE, &message, node.span);
            return Err(problem.noted(&first, "first here").hint("remove one of them"));
        }
        *key = Some(Key { text, span: node.span });
        Ok(())
    }

    fn key(&self, range: Range<usize>) -> Diagnostic {
        self.error(WRONG_TYPE, "a key is a plain text", range)
            .hint("a text that begins with `{` or `[` stands in quotes: `\"{{ name }}\"`")
    }

    fn error(
        &self,
        code: vwfb_rules::codes::Code,
        message: &str,
        range: Range<usize>,
    ) -> Diagnostic {
        let anchor = Anchor::bytes(self.file.clone(), range.start, range.end);
        Diagnostic::error(code, message).at(&anchor)
    }

    fn syntax(&self, error: &ScanError) -> Diagnostic {
        let at = self.places.byte(error.marker());
        let message = format!("this is no YAML: {}", error.info());
        self.error(SYNTAX_ERROR, &message, at..at)
            .hint("a text with `: `, ` #`, quotes or braces stands in quotes, or after `|`")
    }
}

/// How many nodes a node is.
fn count(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar { .. } => 0,
        Content::List(items) => items.iter().map(count).sum::<usize>(),
        Content::Map(entries) => entries.iter().map(|(_, value)| 1 + count(value)).sum(),
    }
}

/// The bytes of characters.
struct Places {
    /// Where each character begins, unless all are ASCII.
    starts: Vec<usize>,
    length: usize,
}

impl Places {
    fn of(text: &str) -> Self {
        let starts = match text.is_ascii() {
            true => Vec::new(),
            false => text.char_indices().map(|(at, _)| at).collect(),
        };
        Self { starts, length: text.len() }
    }

    fn byte(&self, marker: &Marker) -> usize {
        let index = marker.index();
        let byte =
            if self.starts.is_empty() { Some(index) } else { self.starts.get(index).copied() };
        byte.unwrap_or(self.length).min(self.length)
    }

    fn range(&self, span: &Span) -> Range<usize> {
        let start = self.byte(&span.start);
        start..self.byte(&span.end).max(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Node>, Diagnostic> {
        tree(&WsPath::new("w.yaml").unwrap(), text)
    }

    fn fault(text: &str) -> String {
        let problem = read(text).unwrap_err();
        format!("{}: {}", problem.code, problem.message)
    }

    #[test]
    fn nodes_know_their_bytes() {
        let text = "a: é\nb: [1, \"x\"]\n";
        let Some(Node { content: Content::Map(entries), .. }) = read(text).unwrap() else {
            panic!("it is a map")
        };
        assert_eq!(&text[entries[0].1.span.clone()], "é");
        assert_eq!(&text[entries[1].0.span.clone()], "b");
        let Content::List(items) = &entries[1].1.content else { panic!("it is a list") };
        assert_eq!(&text[items[1].span.clone()], "\"x\"");
        assert_eq!(items[0].described(), "the number `1`");
        assert_eq!(items[1].described(), "the text `x`");
    }

    #[test]
    fn what_is_empty_has_no_node() {
        assert_eq!(read("").unwrap(), None);
        assert_eq!(read("# only a comment\n").unwrap(), None);
    }

    #[test]
    fn bombs_depth_and_slips_are_errors() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let uses = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{uses}]\n"));
        }
        assert!(fault(&bomb).starts_with("too-many-items"), "{}", fault(&bomb));
        assert!(fault(&"[".repeat(100)).starts_with("too-deep"));
        assert!(fault(&"- ".repeat(100)).starts_with("too-deep"));
        // The parser itself has had enough of this.
        assert!(fault(&"[".repeat(100_000)).starts_with("syntax-error"));
        assert!(fault("a: 1\na: 2\n").starts_with("repeated-attribute"));
        assert!(fault("a: &x [*x]\n").starts_with("syntax-error"));
        assert!(fault("a: 1\n---\nb: 2\n").starts_with("syntax-error"));
        assert!(fault("a: {{ name }}\n").starts_with("wrong-type"));
        assert!(fault("a: \"open\n").starts_with("syntax-error"));
        assert!(fault(&"x".repeat(MOST_BYTES + 1)).starts_with("unreadable-file"));
    }
}
