//! Splits KDL 2 text into tokens without losing a byte of it, and without judging it.
//!
//! The reader decides what is valid; this only has to agree with it on valid text.

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// White space within a line.
    Space,
    /// One line break, of any of KDL's kinds.
    Newline,
    /// `// …`, without its line break.
    LineComment,
    /// `/* … */`, which may nest.
    BlockComment,
    /// The `\` that continues a line.
    Backslash,
    /// `/-`.
    Slashdash,
    /// `{`.
    Open,
    /// `}`.
    Close,
    /// `(`.
    ParenOpen,
    /// `)`.
    ParenClose,
    /// `=`.
    Equals,
    /// `;`.
    Semicolon,
    /// A string, number, keyword or identifier.
    Word,
}

/// A token and its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token<'t> {
    pub(super) kind: Kind,
    pub(super) text: &'t str,
}

/// Where the text stops being tokens, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stray(pub(super) usize);

/// The tokens of `text`, which has no byte order mark.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, Stray> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (kind, length) = token(&text[at..]).ok_or(Stray(at))?;
        tokens.push(Token { kind, text: &text[at..at + length] });
        at += length;
    }
    Ok(tokens)
}

/// Whether KDL ends a line at `c`.
pub(super) const fn is_newline(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{b}' | '\u{c}' | '\u{2028}' | '\u{2029}')
}

/// Whether KDL takes `c` for white space within a line.
pub(super) const fn is_space(c: char) -> bool {
    matches!(
        c,
        '\t' | ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'
            ..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}'
    )
}

/// The kind and length of the token that `rest` begins with.
fn token(rest: &str) -> Option<(Kind, usize)> {
    let first = rest.chars().next()?;
    if let Some(kind) = punctuation(first) {
        return Some((kind, 1));
    }
    if is_newline(first) {
        let length = if rest.starts_with("\r\n") { 2 } else { first.len_utf8() };
        return Some((Kind::Newline, length));
    }
    if is_space(first) {
        return Some((Kind::Space, run(rest, is_space)));
    }
    if first == '/' {
        return comment(rest);
    }
    Some((Kind::Word, word(rest)?))
}

const fn punctuation(c: char) -> Option<Kind> {
    Some(match c {
        '\\' => Kind::Backslash,
        '{' => Kind::Open,
        '}' => Kind::Close,
        '(' => Kind::ParenOpen,
        ')' => Kind::ParenClose,
        '=' => Kind::Equals,
        ';' => Kind::Semicolon,
        _ => return None,
    })
}

/// The length of the longest start of `text` whose characters are all `wanted`.
fn run(text: &str, wanted: impl Fn(char) -> bool) -> usize {
    text.find(|c| !wanted(c)).unwrap_or(text.len())
}

fn comment(rest: &str) -> Option<(Kind, usize)> {
    if rest.starts_with("/-") {
        Some((Kind::Slashdash, 2))
    } else if rest.starts_with("//") {
        Some((Kind::LineComment, run(rest, |c| !is_newline(c))))
    } else if rest.starts_with("/*") {
        Some((Kind::BlockComment, block_comment(rest)?))
    } else {
        None
    }
}

fn block_comment(rest: &str) -> Option<usize> {
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        let tail = &rest[at..];
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return Some(at);
            }
        } else {
            at += tail.chars().next()?.len_utf8();
        }
    }
}

fn word(rest: &str) -> Option<usize> {
    let hashes = run(rest, |c| c == '#');
    let after = &rest[hashes..];
    if after.starts_with('"') {
        return if hashes == 0 { quoted(rest) } else { raw(rest, hashes) };
    }
    let length = hashes + run(after, is_word_char);
    (length > 0).then_some(length)
}

fn is_word_char(c: char) -> bool {
    !is_newline(c)
        && !is_space(c)
        && !matches!(c, '(' | ')' | '{' | '}' | '\\' | '/' | '"' | ';')
        && !matches!(c, '=' | '#' | '[' | ']')
}

/// Whether the quotes at the start of `text` open a string of several lines.
fn opens_lines(text: &str) -> bool {
    text.strip_prefix("\"\"\"").is_some_and(|after| after.starts_with(is_newline))
}

fn quoted(rest: &str) -> Option<usize> {
    let quotes = if opens_lines(rest) { "\"\"\"" } else { "\"" };
    let mut at = quotes.len();
    loop {
        let tail = &rest[at..];
        if tail.starts_with(quotes) {
            return Some(at + quotes.len());
        }
        let mut chars = tail.chars();
        let c = chars.next()?;
        at += c.len_utf8();
        if c == '\\' {
            at += chars.next()?.len_utf8();
        }
    }
}

fn raw(rest: &str, hashes: usize) -> Option<usize> {
    let quotes = if opens_lines(&rest[hashes..]) { "\"\"\"" } else { "\"" };
    let end = format!("{quotes}{}", &rest[..hashes]);
    let start = hashes + quotes.len();
    Some(start + rest[start..].find(&end)? + end.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        tokens(text).expect("the text is tokens").iter().map(|token| token.kind).collect()
    }

    #[test]
    fn tokens_put_together_are_the_text() {
        let text =
            "/* a /* b */ */ (t)\"n\\\"\" k=#\"r\"w\"# \\ // c\r\n{ /- x; }\n\"\"\"\n  a\n  \"\"\"";
        let joined: String = tokens(text).unwrap().iter().map(|token| token.text).collect();
        assert_eq!(joined, text);
    }

    #[test]
    fn a_string_of_several_lines_is_one_word() {
        assert_eq!(kinds("\"\"\"\n \" { // \n \"\"\""), [Kind::Word]);
        assert_eq!(kinds("##\"\"\"\n \"# \n \"\"\"##"), [Kind::Word]);
    }

    #[test]
    fn keywords_and_raw_strings_are_words() {
        assert_eq!(kinds("#true"), [Kind::Word]);
        assert_eq!(kinds("#-inf"), [Kind::Word]);
        assert_eq!(kinds("#\"\\\"#"), [Kind::Word]);
    }

    #[test]
    fn what_is_never_closed_is_stray() {
        for text in ["\"a", "#\"a\"", "/* /* */", "a /b", "\"\\"] {
            assert!(tokens(text).is_err(), "{text}");
        }
    }
}
