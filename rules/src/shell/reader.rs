//! Follows a script character by character, to know what an interpolation stands in.
//!
//! It errs on the side of refusal: where shells differ, or a construct is too much for it, all
//! that follows counts as unclear.

use super::{Place, ends_word};

/// A construct that the reader is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Single,
    /// `$'...'`, which some shells have.
    Dollared,
    Double,
    /// A parenthesis of `$(...)`.
    Paren,
    /// A parenthesis of `$((...))` or `((...))`.
    Arithmetic,
    /// `${...}`.
    Parameter,
    /// `[[ ... ]]`.
    Test,
    Backtick,
    Comment,
}

/// The end of a here-document.
struct Delimiter {
    word: String,
    /// Whether tabs before it do not count.
    tabs: bool,
}

/// Follows a script's quoting.
#[derive(Default)]
pub(super) struct Reader {
    stack: Vec<Inside>,
    /// Delimiters of here-documents that begin after this line.
    pending: Vec<Delimiter>,
    /// Delimiters of here-documents that are being read, the first one first.
    heredocs: Vec<Delimiter>,
    /// The line of a here-document read so far.
    line: String,
    /// The word read so far.
    word: String,
    before: Option<char>,
    /// Whether the last character takes the meaning off the next one.
    escaped: bool,
    /// Whether a `$` and perhaps a name directly precede.
    dollar: bool,
    /// Whether this command runs its arguments as code.
    evaluates: bool,
    /// Whether this word is the file of a redirection.
    redirects: bool,
    /// Whether the delimiter of a here-document goes on.
    delimits: bool,
    unclear: bool,
}

impl Reader {
    pub(super) fn in_word(&self) -> bool {
        !self.word.is_empty()
    }

    /// Where an interpolation here stands; it is read as a part of a word.
    pub(super) fn interpolation(&mut self) -> Place {
        self.unclear |= self.delimits;
        let place = self.place();
        self.word.push('x');
        self.before = Some('x');
        self.escaped = false;
        self.dollar = false;
        place
    }

    fn place(&self) -> Place {
        if self.unclear {
            return Place::Unclear;
        }
        if !self.heredocs.is_empty() {
            return Place::Heredoc;
        }
        match self.stack.last() {
            Some(Inside::Single | Inside::Dollared | Inside::Double) => Place::Quotes,
            Some(Inside::Comment) => Place::Comment,
            Some(Inside::Backtick) => Place::Backticks,
            Some(Inside::Arithmetic) => Place::Arithmetic,
            Some(Inside::Parameter) => Place::Parameter,
            Some(Inside::Test) => Place::Test,
            _ if self.escaped => Place::Escaped,
            _ if self.dollar => Place::Dollar,
            _ if self.in_pattern() => Place::Pattern,
            _ if self.evaluates && !self.redirects => Place::Evaluated,
            Some(Inside::Paren) | None => Place::Word,
        }
    }

    /// Whether the word so far is `~`, or has a bracket or brace that is still open.
    fn in_pattern(&self) -> bool {
        let open = |opening, closing| self.word.rfind(opening) > self.word.rfind(closing);
        self.word.ends_with('~') || open('[', ']') || open('{', '}')
    }

    pub(super) fn read(&mut self, text: &str) {
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            let skip = self.step(c, &text[at..]);
            for _ in 0..skip {
                chars.next();
            }
            self.before = Some(c);
        }
    }

    /// Reads one character; says how many more it has read with it.
    fn step(&mut self, c: char, rest: &str) -> usize {
        self.delimits = false;
        self.dollar = c == '$' || (self.dollar && (c.is_ascii_alphanumeric() || c == '_'));
        if !self.heredocs.is_empty() {
            self.heredoc_line(c);
            return 0;
        }
        match self.stack.last().copied() {
            Some(Inside::Single) => self.close_at(c, '\''),
            Some(Inside::Dollared) if c == '\\' => {
                // Shells without `$'...'` see its end here.
                self.unclear |= rest.starts_with("\\'");
                1
            }
            Some(Inside::Dollared) => self.close_at(c, '\''),
            Some(Inside::Comment) => {
                if c == '\n' {
                    self.stack.pop();
                    self.end_line();
                }
                0
            }
            _ if c == '\\' => self.escape(rest),
            Some(Inside::Backtick) => self.close_at(c, '`'),
            Some(Inside::Double) if c == '"' => self.close_at(c, '"'),
            _ if c == '$' && rest.starts_with("$((") => {
                self.stack.push(Inside::Arithmetic);
                self.open(Inside::Arithmetic, 2)
            }
            _ if c == '$' && rest.starts_with("$(") => self.open(Inside::Paren, 1),
            _ if c == '$' && rest.starts_with("${") => self.open(Inside::Parameter, 1),
            _ if c == '`' => self.open(Inside::Backtick, 0),
            Some(Inside::Double) => {
                self.unclear |= rest.starts_with("$[");
                0
            }
            inside => self.plain(c, rest, inside),
        }
    }

    /// Reads a character that is neither quoted nor escaped.
    fn plain(&mut self, c: char, rest: &str, inside: Option<Inside>) -> usize {
        self.unclear |= rest.starts_with("$[");
        if inside == Some(Inside::Parameter) {
            return self.parameter(c);
        }
        let first = !self.in_word();
        if first && let Some(skip) = self.test_bracket(rest, inside) {
            return skip;
        }
        match c {
            '\'' if self.before == Some('$') => return self.open(Inside::Dollared, 0),
            '\'' => return self.open(Inside::Single, 0),
            '"' => return self.open(Inside::Double, 0),
            '#' if first && inside != Some(Inside::Arithmetic) => {
                self.stack.push(Inside::Comment);
                return 0;
            }
            '(' if first && rest.starts_with("((") => {
                self.stack.push(Inside::Arithmetic);
                return self.open(Inside::Arithmetic, 1);
            }
            '(' if matches!(inside, Some(Inside::Paren | Inside::Arithmetic)) => {
                self.end_word();
                self.stack.extend(inside);
                return 0;
            }
            ')' if matches!(inside, Some(Inside::Paren | Inside::Arithmetic)) => {
                self.end_word();
                return self.close_paren();
            }
            '<' if self.heredoc_starts(rest, inside) => return self.heredoc_start(rest),
            _ => {}
        }
        if ends_word(c) {
            self.end_word();
        } else {
            self.word.push(c);
        }
        match c {
            '\n' => self.end_line(),
            '<' | '>' => self.redirects = true,
            '&' if matches!(self.before, Some('<' | '>')) => {}
            ';' | '&' | '|' if self.stack.is_empty() => self.evaluates = false,
            _ => {}
        }
        0
    }

    /// Reads a character within `${...}`.
    fn parameter(&mut self, c: char) -> usize {
        match c {
            // In `"${x:-it's}"` it is a plain character, in `"${x#'}'}"` it is none.
            '\'' if self.within_double() => self.unclear = true,
            '\'' => self.stack.push(Inside::Single),
            '"' => self.stack.push(Inside::Double),
            '}' => drop(self.stack.pop()),
            _ => {}
        }
        0
    }

    fn within_double(&self) -> bool {
        let outer = self.stack.iter().rev().find(|inside| **inside != Inside::Parameter);
        outer == Some(&Inside::Double)
    }

    /// Reads `[[` or `]]`, if a word is one of them.
    fn test_bracket(&mut self, rest: &str, inside: Option<Inside>) -> Option<usize> {
        let ends = |rest: &str| rest.chars().next().is_none_or(ends_word);
        if inside == Some(Inside::Test) && rest.strip_prefix("]]").is_some_and(ends) {
            self.stack.pop();
            return Some(1);
        }
        if inside != Some(Inside::Test) && rest.strip_prefix("[[").is_some_and(ends) {
            self.stack.push(Inside::Test);
            return Some(1);
        }
        None
    }

    fn open(&mut self, inside: Inside, skip: usize) -> usize {
        self.stack.push(inside);
        self.dollar = false;
        if matches!(inside, Inside::Paren | Inside::Arithmetic) {
            self.word.clear();
        } else {
            self.word.push('x');
        }
        skip
    }

    fn close_at(&mut self, c: char, end: char) -> usize {
        if c == end {
            self.stack.pop();
        }
        0
    }

    /// Leaves a parenthesis; a word goes on after a substitution.
    fn close_paren(&mut self) -> usize {
        self.stack.pop();
        self.word.push('x');
        0
    }

    fn escape(&mut self, rest: &str) -> usize {
        self.escaped = rest.len() == 1;
        if !rest.starts_with("\\\n") {
            self.word.push('x');
        }
        1
    }

    fn end_word(&mut self) {
        let word = std::mem::take(&mut self.word);
        self.redirects &= word.is_empty();
        self.evaluates |= matches!(word.as_str(), "eval" | "let" | "trap");
        // The `)` of its patterns closes nothing.
        self.unclear |= word == "case" && self.stack.contains(&Inside::Paren);
    }

    fn heredoc_starts(&self, rest: &str, inside: Option<Inside>) -> bool {
        inside != Some(Inside::Arithmetic)
            && rest.starts_with("<<")
            && !rest.starts_with("<<<")
            && self.before != Some('<')
    }

    /// Notes the delimiter after `<<`.
    fn heredoc_start(&mut self, rest: &str) -> usize {
        self.end_word();
        let tabs = rest.starts_with("<<-");
        let after = rest[2..].trim_start_matches('-').trim_start_matches([' ', '\t']);
        let raw: String = after.chars().take_while(|c| !ends_word(*c)).collect();
        self.delimits = raw.len() == after.len();
        let word: String = raw.chars().filter(|c| !matches!(c, '\'' | '"' | '\\')).collect();
        if !word.is_empty() {
            self.pending.push(Delimiter { word, tabs });
        }
        rest.chars().count() - after.chars().count() - 1 + raw.chars().count()
    }

    fn end_line(&mut self) {
        self.heredocs.append(&mut self.pending);
        self.word.clear();
        if self.stack.is_empty() {
            self.evaluates = false;
        }
    }

    fn heredoc_line(&mut self, c: char) {
        if c != '\n' {
            self.line.push(c);
            return;
        }
        let line = std::mem::take(&mut self.line);
        let ends = |end: &Delimiter| {
            let line = if end.tabs { line.trim_start_matches('\t') } else { &line };
            line == end.word
        };
        if self.heredocs.first().is_some_and(ends) {
            self.heredocs.remove(0);
        }
    }
}
