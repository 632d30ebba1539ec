//! The layout of a KDL document: nodes, words and comments in the order they will be printed.
//!
//! Reading never fails on valid KDL and never drops a comment: one that stands inside a word, as
//! in `key=/* why */1`, moves in front of that word.

use super::lex::{Kind, Token};
use super::word::{self, Value};

/// The items between two braces, or of a whole document.
#[derive(Debug, Default)]
pub(super) struct Block {
    /// A `// …` on the line of the opening brace.
    pub(super) opening: Option<String>,
    /// What stands in it.
    pub(super) items: Vec<Item>,
    /// Whether it was written on one line.
    pub(super) flat: bool,
}

/// A node, or a comment with a line of its own.
#[derive(Debug)]
pub(super) struct Item {
    /// Whether an empty line stands before it.
    pub(super) spaced: bool,
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    Comment(String),
    Node(Node),
}

/// A node with everything up to the end of its line.
#[derive(Debug)]
pub(super) struct Node {
    /// Comments before it on its line.
    pub(super) lead: Vec<String>,
    /// `/-`, the type and the name, as they are printed.
    pub(super) head: String,
    pub(super) pieces: Vec<Piece>,
    /// The `// …` that ends it.
    pub(super) trailing: Option<String>,
}

/// What stands in a node after its name.
#[derive(Debug)]
pub(super) enum Piece {
    /// An argument or property: what is printed before its value, and the value.
    Word(String, Value),
    /// A `/* … */`.
    Comment(String),
    /// A `\` with its comment: the node goes on in the next line.
    Break(Option<String>),
    /// Children, and whether a `/-` stands before them.
    Children(bool, Block),
}

/// The layout of `tokens`; `None` if they are not what a valid document has.
pub(super) fn document(tokens: &[Token<'_>]) -> Option<Block> {
    let mut reader = Reader { tokens, at: 0 };
    let block = reader.block(true)?;
    (reader.at == tokens.len()).then_some(block)
}

struct Reader<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
}

/// The comments and line breaks met between two tokens.
type Trivia = Vec<Piece>;

/// Where a block's reader stands on the line.
struct Line {
    /// Line breaks since the last item.
    breaks: usize,
    /// Comments waiting for the node, or the line's end, that follows them.
    waiting: Vec<String>,
}

impl<'t> Reader<'t> {
    fn peek(&self) -> Option<Kind> {
        self.tokens.get(self.at).map(|token| token.kind)
    }

    fn take(&mut self) -> Option<&'t str> {
        let token = self.tokens.get(self.at)?;
        self.at += 1;
        Some(token.text)
    }

    fn take_if(&mut self, kind: Kind) -> bool {
        let found = self.peek() == Some(kind);
        self.at += usize::from(found);
        found
    }

    /// Everything up to the closing brace, or the end of the document.
    fn block(&mut self, top: bool) -> Option<Block> {
        let start = self.at;
        let mut block = Block::default();
        let mut line = Line { breaks: usize::from(top), waiting: Vec::new() };
        loop {
            match self.peek() {
                None | Some(Kind::Close) => {
                    if top != self.peek().is_none() {
                        return None;
                    }
                    line.end(&mut block, None);
                    block.flat = !top && self.is_flat(start);
                    return Some(block);
                }
                Some(Kind::Space | Kind::Semicolon) => self.at += 1,
                Some(Kind::Newline | Kind::Backslash) => {
                    line.end(&mut block, None);
                    let breaks = self.peek() == Some(Kind::Newline);
                    self.at += 1;
                    line.breaks += usize::from(breaks);
                }
                Some(Kind::LineComment) => {
                    let text = word::comment(self.take()?);
                    line.end(&mut block, Some(text));
                }
                Some(Kind::BlockComment) => line.waiting.push(word::comment(self.take()?)),
                Some(_) => {
                    let node = self.node(&mut block, &mut line)?;
                    let spaced = line.breaks > 1;
                    block.items.push(Item { spaced, content: Content::Node(node) });
                    line.breaks = 0;
                }
            }
        }
    }

    /// Whether all since `start` stands on one line.
    fn is_flat(&self, start: usize) -> bool {
        self.tokens[start..self.at].iter().all(|token| {
            !matches!(token.kind, Kind::Newline | Kind::LineComment)
                && !token.text.contains(super::lex::is_newline)
        })
    }

    /// A node up to the end of its line. Comments between `/-`, type and name go before it.
    fn node(&mut self, block: &mut Block, line: &mut Line) -> Option<Node> {
        let mut before = Trivia::new();
        let mut head = String::new();
        if self.take_if(Kind::Slashdash) {
            head.push_str("/-");
            self.line_space(&mut before);
        }
        self.type_annotation(&mut head, &mut before)?;
        if self.peek() != Some(Kind::Word) {
            return None;
        }
        head.push_str(&word::name(self.take()?));
        for piece in before {
            match piece {
                Piece::Comment(text) => line.waiting.push(text),
                Piece::Break(Some(text)) => {
                    line.breaks = line.breaks.max(1);
                    line.end(block, Some(text));
                    line.breaks = line.breaks.max(1);
                }
                _ => {}
            }
        }
        let mut node = Node {
            lead: std::mem::take(&mut line.waiting),
            head,
            pieces: Vec::new(),
            trailing: None,
        };
        self.pieces(&mut node)?;
        Some(node)
    }

    /// `(type)`, if one stands here, and the space after it.
    fn type_annotation(&mut self, to: &mut String, trivia: &mut Trivia) -> Option<()> {
        if !self.take_if(Kind::ParenOpen) {
            return Some(());
        }
        self.node_space(trivia);
        if self.peek() != Some(Kind::Word) {
            return None;
        }
        *to = format!("{to}({})", word::name(self.take()?));
        self.node_space(trivia);
        if !self.take_if(Kind::ParenClose) {
            return None;
        }
        self.node_space(trivia);
        Some(())
    }

    fn pieces(&mut self, node: &mut Node) -> Option<()> {
        loop {
            self.node_space(&mut node.pieces);
            match self.peek() {
                None | Some(Kind::Close | Kind::Newline | Kind::Semicolon) => break,
                Some(Kind::LineComment) => {
                    node.trailing = Some(word::comment(self.take()?));
                    break;
                }
                Some(Kind::Slashdash) => {
                    self.at += 1;
                    self.line_space(&mut node.pieces);
                    self.piece(node, true)?;
                }
                Some(_) => self.piece(node, false)?,
            }
        }
        node.settle_end();
        Some(())
    }

    /// An argument, a property or children.
    fn piece(&mut self, node: &mut Node, slashdash: bool) -> Option<()> {
        if self.take_if(Kind::Open) {
            let children = self.block(false)?;
            self.at += 1;
            if matches!(node.pieces.last(), Some(Piece::Break(None))) {
                node.pieces.pop();
            }
            node.pieces.push(Piece::Children(slashdash, children));
            return Some(());
        }
        let mut before = String::from(if slashdash { "/-" } else { "" });
        let trivia = &mut node.pieces;
        self.hoisting(trivia, |reader, trivia| reader.word(&mut before, trivia)).map(|value| {
            node.pieces.push(Piece::Word(before, value));
        })
    }

    /// Reads with `read`, keeping of the trivia within only what has words.
    fn hoisting<T>(
        &mut self,
        trivia: &mut Trivia,
        read: impl FnOnce(&mut Self, &mut Trivia) -> Option<T>,
    ) -> Option<T> {
        let mut inner = Trivia::new();
        let value = read(self, &mut inner)?;
        inner.retain(|piece| !matches!(piece, Piece::Break(None)));
        trivia.append(&mut inner);
        Some(value)
    }

    fn word(&mut self, before: &mut String, trivia: &mut Trivia) -> Option<Value> {
        self.type_annotation(before, trivia)?;
        if self.peek() != Some(Kind::Word) {
            return None;
        }
        let first = self.take()?;
        let back = (self.at, trivia.len());
        self.node_space(trivia);
        if !self.take_if(Kind::Equals) {
            self.at = back.0;
            trivia.truncate(back.1);
            return Some(word::value(first));
        }
        before.push_str(&word::name(first));
        before.push('=');
        self.node_space(trivia);
        self.type_annotation(before, trivia)?;
        if self.peek() != Some(Kind::Word) {
            return None;
        }
        Some(word::value(self.take()?))
    }

    /// White space, comments and continued lines within a node.
    fn node_space(&mut self, trivia: &mut Trivia) {
        while let Some(kind) = self.peek() {
            match kind {
                Kind::Space => self.at += 1,
                Kind::BlockComment => self.comment(trivia, Piece::Comment),
                Kind::Backslash => {
                    self.at += 1;
                    self.continuation(trivia);
                }
                _ => break,
            }
        }
    }

    /// What follows a `\`, up to and with the line break.
    fn continuation(&mut self, trivia: &mut Trivia) {
        let mut said = None;
        while let Some(kind) = self.peek() {
            match kind {
                Kind::Space => self.at += 1,
                Kind::BlockComment => self.comment(trivia, Piece::Comment),
                Kind::LineComment => said = self.take().map(word::comment),
                _ => break,
            }
        }
        self.take_if(Kind::Newline);
        push_break(trivia, said);
    }

    /// What may stand after `/-`: as in a node, and line breaks.
    fn line_space(&mut self, trivia: &mut Trivia) {
        loop {
            self.node_space(trivia);
            match self.peek() {
                Some(Kind::Newline) => self.at += 1,
                Some(Kind::LineComment) => push_break(trivia, self.take().map(word::comment)),
                _ => break,
            }
        }
    }

    fn comment(&mut self, trivia: &mut Trivia, piece: impl FnOnce(String) -> Piece) {
        trivia.extend(self.take().map(word::comment).map(piece));
    }
}

/// Adds a line break, unless the one before it can stand for both.
fn push_break(trivia: &mut Trivia, said: Option<String>) {
    match (trivia.last_mut(), &said) {
        (Some(Piece::Break(_)), None) => {}
        (Some(Piece::Break(earlier @ None)), Some(_)) => *earlier = said,
        _ => trivia.push(Piece::Break(said)),
    }
}

impl Line {
    /// Gives the waiting comments, and the `// …` that ends the line, a place in `block`.
    fn end(&mut self, block: &mut Block, last: Option<String>) {
        let beside_node = self.breaks == 0;
        if let (true, Some(Item { content: Content::Node(node), .. })) =
            (beside_node, block.items.last_mut())
            && node.trailing.is_none()
        {
            node.pieces.extend(self.waiting.drain(..).map(Piece::Comment));
            node.trailing = last;
            return;
        }
        if beside_node && block.items.is_empty() && self.waiting.is_empty() && last.is_some() {
            block.opening = last;
            return;
        }
        let texts: Vec<String> = self.waiting.drain(..).chain(last).collect();
        if !texts.is_empty() {
            let content = Content::Comment(texts.join(" "));
            block.items.push(Item { spaced: self.breaks > 1, content });
            self.breaks = 0;
        }
    }
}

impl Node {
    /// Drops a `\` before the node's end; its comment becomes the one that ends the node.
    fn settle_end(&mut self) {
        while self.trailing.is_none() {
            match self.pieces.pop() {
                Some(Piece::Break(said)) => self.trailing = said,
                Some(piece) => {
                    self.pieces.push(piece);
                    break;
                }
                None => break,
            }
        }
    }
}
