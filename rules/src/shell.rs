//! Just enough of the shell's grammar to put words into a script safely.

use crate::codes::{LIST_IN_TEXT, QUOTED_INTERPOLATION};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::interpolate::{Part, Template};

/// `word` so that a shell reads exactly it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What surrounds one interpolation of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    quoting: Quoting,
    /// Whether it is part of a longer word.
    glued: bool,
}

/// How the shell reads the characters around an interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    Single,
    Double,
    Comment,
    Heredoc,
}

/// Why an interpolation may not stand where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextProblem {
    Quoted,
    Heredoc,
    Comment,
    GluedList,
}

impl Context {
    /// What is wrong with an interpolation here, given whether it is a list.
    pub(crate) const fn problem(self, list: bool) -> Option<ContextProblem> {
        match self.quoting {
            Quoting::Single | Quoting::Double => Some(ContextProblem::Quoted),
            Quoting::Heredoc => Some(ContextProblem::Heredoc),
            Quoting::Comment => Some(ContextProblem::Comment),
            Quoting::None if list && self.glued => Some(ContextProblem::GluedList),
            Quoting::None => None,
        }
    }
}

impl ContextProblem {
    pub(crate) fn describe(self, field: &str, anchor: &Anchor) -> Diagnostic {
        let (code, message, hint) = match self {
            Self::Quoted => (
                QUOTED_INTERPOLATION,
                format!("`{field}` stands within the shell's quotes"),
                "leave the quotes out: it reaches the shell as a quoted word already".to_owned(),
            ),
            Self::Heredoc => (
                QUOTED_INTERPOLATION,
                format!("`{field}` stands within a here-document"),
                format!("assign it before: `x={field}`, then use `$x` there"),
            ),
            Self::Comment => (
                QUOTED_INTERPOLATION,
                format!("`{field}` stands within a comment of the script"),
                "double the braces, or leave it out: a newline in it would end the comment".into(),
            ),
            Self::GluedList => (
                LIST_IN_TEXT,
                format!("the list `{field}` is glued to another word"),
                "put spaces around it, or loop over it with `for`".to_owned(),
            ),
        };
        Diagnostic::error(code, message).at(anchor).hint(hint)
    }
}

/// The context of each interpolation of `script`, in order.
pub(crate) fn contexts(script: &Template) -> Vec<Context> {
    let mut reader = Reader::default();
    let mut contexts: Vec<Context> = Vec::new();
    for (index, part) in script.parts.iter().enumerate() {
        if let Part::Text(text) = part {
            reader.read(text);
            continue;
        }
        let glued = reader.in_word || word_follows(script.parts.get(index + 1));
        contexts.push(Context { quoting: reader.quoting(), glued });
        reader.in_word = true;
        reader.before = Some('x');
    }
    contexts
}

fn word_follows(part: Option<&Part>) -> bool {
    match part {
        Some(Part::Text(text)) => text.starts_with(|c: char| !ends_word(c)),
        Some(Part::Field(_) | Part::Value(_)) => true,
        None => false,
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || ";&|<>()`".contains(c)
}

/// A construct that the reader is inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Inside {
    Single,
    Double,
    Paren,
    Brace,
    Backtick,
    Comment,
}

/// Follows a script's quoting character by character.
#[derive(Default)]
struct Reader {
    stack: Vec<Inside>,
    /// Delimiters of here-documents that begin after this line.
    pending: Vec<String>,
    /// Delimiters of here-documents that are being read, the first one first.
    heredocs: Vec<String>,
    /// The line of a here-document read so far.
    line: String,
    in_word: bool,
    before: Option<char>,
}

impl Reader {
    fn quoting(&self) -> Quoting {
        if !self.heredocs.is_empty() {
            return Quoting::Heredoc;
        }
        match self.stack.last() {
            Some(Inside::Single) => Quoting::Single,
            // In `"${x:-word}"` a word is still within the outer quotes.
            Some(Inside::Double) => Quoting::Double,
            Some(Inside::Brace) if self.stack.contains(&Inside::Double) => Quoting::Double,
            Some(Inside::Comment) => Quoting::Comment,
            _ => Quoting::None,
        }
    }

    fn read(&mut self, text: &str) {
        let mut chars = text.char_indices();
        while let Some((at, c)) = chars.next() {
            let rest = &text[at..];
            let skip = self.step(c, rest);
            for _ in 0..skip {
                chars.next();
            }
            self.in_word = !ends_word(c);
            self.before = Some(c);
        }
    }

    /// Reads one character; says how many more it has read with it.
    fn step(&mut self, c: char, rest: &str) -> usize {
        if !self.heredocs.is_empty() {
            self.heredoc_line(c);
            return 0;
        }
        match self.stack.last() {
            Some(Inside::Single) => {
                if c == '\'' {
                    self.stack.pop();
                }
                0
            }
            Some(Inside::Comment) => {
                if c == '\n' {
                    self.stack.pop();
                    self.end_line();
                }
                0
            }
            _ if c == '\\' => 1,
            Some(Inside::Double) if c == '"' => {
                self.stack.pop();
                0
            }
            _ if c == '$' && rest.starts_with("$(") => self.open(Inside::Paren),
            _ if c == '$' && rest.starts_with("${") => self.open(Inside::Brace),
            _ if c == '`' => {
                self.backtick();
                0
            }
            Some(Inside::Double) => 0,
            inside => {
                let inside = inside.copied();
                self.plain(c, rest, inside)
            }
        }
    }

    fn plain(&mut self, c: char, rest: &str, inside: Option<Inside>) -> usize {
        match c {
            '\'' if self.within_double_brace() => {}
            '\'' => self.stack.push(Inside::Single),
            '"' => self.stack.push(Inside::Double),
            '#' if !self.in_word && inside != Some(Inside::Brace) => {
                self.stack.push(Inside::Comment);
            }
            '(' if inside == Some(Inside::Paren) => self.stack.push(Inside::Paren),
            ')' if inside == Some(Inside::Paren) => drop(self.stack.pop()),
            '}' if inside == Some(Inside::Brace) => drop(self.stack.pop()),
            '<' if rest.starts_with("<<")
                && !rest.starts_with("<<<")
                && self.before != Some('<') =>
            {
                return self.heredoc_start(rest);
            }
            '\n' => self.end_line(),
            _ => {}
        }
        0
    }

    /// In `"${x:-it's}"` a quote is a plain character.
    fn within_double_brace(&self) -> bool {
        self.stack.last() == Some(&Inside::Brace) && self.stack.contains(&Inside::Double)
    }

    fn open(&mut self, inside: Inside) -> usize {
        self.stack.push(inside);
        1
    }

    fn backtick(&mut self) {
        match self.stack.iter().rposition(|inside| *inside == Inside::Backtick) {
            Some(at) => self.stack.truncate(at),
            None => self.stack.push(Inside::Backtick),
        }
    }

    /// Notes the delimiter after `<<`; an arithmetic shift has none that matters.
    fn heredoc_start(&mut self, rest: &str) -> usize {
        if self.stack.ends_with(&[Inside::Paren, Inside::Paren]) {
            return 1;
        }
        let after = rest[2..].trim_start_matches('-').trim_start_matches([' ', '\t']);
        let word: String = after
            .chars()
            .take_while(|c| !ends_word(*c))
            .filter(|c| !matches!(c, '\'' | '"' | '\\'))
            .collect();
        if !word.is_empty() {
            self.pending.push(word);
        }
        let length = rest.len() - after.len();
        rest[..length].chars().count() - 1 + after.chars().take_while(|c| !ends_word(*c)).count()
    }

    fn end_line(&mut self) {
        self.heredocs.append(&mut self.pending);
    }

    fn heredoc_line(&mut self, c: char) {
        if c != '\n' {
            self.line.push(c);
            return;
        }
        let line = std::mem::take(&mut self.line);
        if self.heredocs.first().is_some_and(|word| line.trim_start_matches('\t') == word) {
            self.heredocs.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::WsPath;

    fn quotings(script: &str) -> Vec<Quoting> {
        let template = Template::parse(script, &Anchor::file(WsPath::root())).unwrap();
        contexts(&template).into_iter().map(|context| context.quoting).collect()
    }

    #[test]
    fn words_are_quoted_only_where_they_must_be() {
        assert_eq!(quoted("in/src.svg"), "in/src.svg");
        assert_eq!(quoted("a b"), "'a b'");
        assert_eq!(quoted("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(quoted(""), "''");
        assert_eq!(quoted("~"), "'~'");
        assert_eq!(quoted("#1a1a2e"), "'#1a1a2e'");
    }

    #[test]
    fn quotes_around_an_interpolation_are_seen() {
        assert_eq!(quotings("cat {a} > {b}"), [Quoting::None, Quoting::None]);
        assert_eq!(quotings("cat \"{a}\" '{b}'"), [Quoting::Double, Quoting::Single]);
        assert_eq!(quotings("x=\"$(cat {a})\" {b}"), [Quoting::None, Quoting::None]);
        assert_eq!(quotings("# it's {a}\ncat {b}"), [Quoting::Comment, Quoting::None]);
        assert_eq!(quotings("echo \\\" {a} \"\\\"{b}\""), [Quoting::None, Quoting::Double]);
        assert_eq!(quotings("${{x#*/}} {a}"), [Quoting::None]);
        assert_eq!(quotings("\"${{x:-it's}}\" {a}"), [Quoting::None]);
        assert_eq!(quotings("echo `cat {a}` {b}"), [Quoting::None, Quoting::None]);
        assert_eq!(quotings("case x in a) b ;; esac {a}"), [Quoting::None]);
    }

    #[test]
    fn here_documents_are_seen() {
        assert_eq!(
            quotings("cat <<'EOF'\nit's {a}\nEOF\ncat {b}"),
            [Quoting::Heredoc, Quoting::None]
        );
        assert_eq!(quotings("x=$((1 << 2)) {a}\n{b}"), [Quoting::None, Quoting::None]);
        assert_eq!(quotings("cat <<< {a}\n{b}"), [Quoting::None, Quoting::None]);
    }

    #[test]
    fn a_list_glued_to_a_word_is_seen() {
        let template =
            Template::parse("a {b} --c={d} {e}f;{g}", &Anchor::file(WsPath::root())).unwrap();
        let glued: Vec<bool> = contexts(&template).iter().map(|context| context.glued).collect();
        assert_eq!(glued, [false, true, true, false]);
    }
}
