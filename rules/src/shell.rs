//! Just enough of the shell's grammar to put words into a script safely.

use crate::codes::{LIST_IN_TEXT, QUOTED_INTERPOLATION};
use crate::diagnostic::{Anchor, Diagnostic};
use crate::interpolate::{Part, Template};
use reader::Reader;

mod reader;

/// `word` so that a shell reads exactly it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    in_quotes(word)
}

/// `word` before `text` of a script: digits before a redirection would be its file descriptor.
pub(crate) fn quoted_before(word: &str, text: Option<&Part>) -> String {
    match text {
        Some(Part::Text(text)) if text.starts_with(['<', '>']) => in_quotes(word),
        _ => quoted(word),
    }
}

fn in_quotes(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// What surrounds one interpolation of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Context {
    place: Place,
    /// Whether it is part of a longer word.
    glued: bool,
}

/// How the shell reads what stands at an interpolation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// As words of a command: the only place where a quoted word stays one.
    Word,
    Quotes,
    Comment,
    Heredoc,
    Backticks,
    Arithmetic,
    Parameter,
    Test,
    Escaped,
    Dollar,
    Pattern,
    Evaluated,
    Unclear,
}

/// Why an interpolation may not stand where it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextProblem {
    Place(Place),
    GluedList,
}

impl Context {
    /// What is wrong with an interpolation here, given whether it is a list.
    pub(crate) fn problem(self, list: bool) -> Option<ContextProblem> {
        match self.place {
            Place::Word if list && self.glued => Some(ContextProblem::GluedList),
            Place::Word => None,
            place => Some(ContextProblem::Place(place)),
        }
    }
}

impl ContextProblem {
    pub(crate) fn describe(self, field: &str, anchor: &Anchor) -> Diagnostic {
        let (code, message, hint) = match self {
            Self::Place(place) => {
                (QUOTED_INTERPOLATION, format!("`{field}` {}", place.says()), place.hint(field))
            }
            Self::GluedList => (
                LIST_IN_TEXT,
                format!("the list `{field}` is glued to another word"),
                "put spaces around it, or loop over it with `for`".to_owned(),
            ),
        };
        Diagnostic::error(code, message).at(anchor).hint(hint)
    }
}

impl Place {
    const fn says(self) -> &'static str {
        match self {
            Self::Word => "is a word",
            Self::Quotes => "stands within the shell's quotes",
            Self::Comment => "stands within a comment of the script",
            Self::Heredoc => "stands within a here-document",
            Self::Backticks => "stands within backticks",
            Self::Arithmetic => "stands within arithmetic, which the shell would evaluate",
            Self::Parameter => "stands within the `${...}` of a variable",
            Self::Test => "stands within `[[ ... ]]`",
            Self::Escaped => "follows a `\\`",
            Self::Dollar => "is glued to a `$`",
            Self::Pattern => "is glued to a pattern of the shell",
            Self::Evaluated => "would be run as shell code",
            Self::Unclear => "stands after shell code that cannot be followed",
        }
    }

    fn hint(self, field: &str) -> String {
        match self {
            Self::Word | Self::Quotes => {
                "leave the quotes out: it reaches the shell as a quoted word already".to_owned()
            }
            Self::Comment => {
                "double the braces, or leave it out: a newline in it would end the comment".into()
            }
            Self::Heredoc | Self::Parameter => {
                format!("assign it before: `x={field}`, then use `$x` there")
            }
            Self::Backticks => "write `$(...)` for the backticks".to_owned(),
            Self::Unclear => format!("assign it first, where the script begins: `x={field}`"),
            Self::Dollar => {
                "leave the `$` out; a variable of the shell is written `${{x}}`".to_owned()
            }
            _ => format!("assign it first: `x={field}`, then use `\"$x\"`"),
        }
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
        let glued = reader.in_word() || word_follows(script.parts.get(index + 1));
        contexts.push(Context { place: reader.interpolation(), glued });
    }
    contexts
}

fn word_follows(part: Option<&Part>) -> bool {
    match part {
        Some(Part::Text(text)) => text.starts_with(|c: char| !ends_word(c)),
        Some(Part::Field(_)) => true,
        None => false,
    }
}

fn ends_word(c: char) -> bool {
    c.is_whitespace() || ";&|<>()`".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::label::WsPath;

    fn places(script: &str) -> Vec<Place> {
        let template = Template::parse(script, &Anchor::file(WsPath::root())).unwrap();
        contexts(&template).into_iter().map(|context| context.place).collect()
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
        assert_eq!(places("cat {a} > {b}"), [Place::Word, Place::Word]);
        assert_eq!(places("cat \"{a}\" '{b}'"), [Place::Quotes, Place::Quotes]);
        assert_eq!(places("x=\"$(cat {a})\" {b}"), [Place::Word, Place::Word]);
        assert_eq!(places("# it's {a}\ncat {b}"), [Place::Comment, Place::Word]);
        assert_eq!(places("echo \\\" {a} \"\\\"{b}\""), [Place::Word, Place::Quotes]);
        assert_eq!(places("${{x#*/}} {a}"), [Place::Word]);
        assert_eq!(places("echo `cat {a}` {b}"), [Place::Backticks, Place::Word]);
        assert_eq!(places("case x in a) b ;; esac {a}"), [Place::Word]);
    }

    #[test]
    fn what_the_shell_would_evaluate_is_refused() {
        use Place::{
            Arithmetic, Backticks, Dollar, Escaped, Evaluated, Parameter, Pattern, Test, Word,
        };
        assert_eq!(places("`echo {a}` `echo \\`{b}\\` `"), [Backticks, Backticks]);
        assert_eq!(places("$(( {a} + (1) )) {b}"), [Arithmetic, Word]);
        assert_eq!(places("(( {a} > 1 )) && echo {b}"), [Arithmetic, Word]);
        assert_eq!(places("$(( $(wc -l {a}) )) {b}"), [Word, Word]);
        assert_eq!(places("echo ${a} $'x' \\{b} \\\\{c}"), [Dollar, Escaped, Word]);
        assert_eq!(places("echo $x{a} ${{x}}{b} $x/{c}"), [Dollar, Word, Word]);
        assert_eq!(places("${{x:-{a}}} {b} ${{x:-$(cat {c})}}"), [Parameter, Word, Word]);
        assert_eq!(places("[[ {a} -eq 1 ]] && [ {b} = 1 ]"), [Test, Word]);
        assert_eq!(places("n[{a}]=1 ~{b} x{{p,{c}}} {d}/*.png"), [Pattern, Pattern, Pattern, Word]);
        assert_eq!(places("eval {a} > {b}; let {c}\ncat {d}"), [Evaluated, Word, Evaluated, Word]);
    }

    #[test]
    fn what_follows_code_that_cannot_be_followed_is_refused() {
        use Place::{Unclear, Word};
        assert_eq!(places("\"$(case x in a) echo \"{a}\" ;; esac)\""), [Unclear]);
        assert_eq!(places("case $x in {a}) {b} ;; esac"), [Word, Word]);
        assert_eq!(places("$[1] {a}"), [Unclear]);
        assert_eq!(places("cat <<{a}\n{b}"), [Unclear, Unclear]);
        assert_eq!(places("cat <<E{a}\n{b}"), [Unclear, Unclear]);
        assert_eq!(places("\"${{x:-it's}}\" {a}"), [Unclear]);
        assert_eq!(places("$'it\\'s' {a}"), [Unclear]);
        assert_eq!(places("IFS=$'\\n' {a}"), [Word]);
    }

    #[test]
    fn a_substitution_goes_on_with_its_word() {
        assert_eq!(places("$(x)#'a\n{a}"), [Place::Quotes]);
        assert_eq!(places("(x)#'a\n{a}"), [Place::Word]);
        assert_eq!(places("\"$(echo ${{x:-'a'}} {a})\""), [Place::Word]);
    }

    #[test]
    fn here_documents_are_seen() {
        assert_eq!(places("cat <<'EOF'\nit's {a}\nEOF\ncat {b}"), [Place::Heredoc, Place::Word]);
        assert_eq!(places("cat <<E\n\tE\n{a}\nE\n{b}"), [Place::Heredoc, Place::Word]);
        assert_eq!(places("cat <<-E\n\tE\n{a}"), [Place::Word]);
        assert_eq!(places("x=$((1 << 2)) {a}\n{b}"), [Place::Word, Place::Word]);
        assert_eq!(places("cat <<< {a}\n{b}"), [Place::Word, Place::Word]);
    }

    #[test]
    fn a_list_glued_to_a_word_is_seen() {
        let template =
            Template::parse("a {b} --c={d} {e}f;{g}", &Anchor::file(WsPath::root())).unwrap();
        let glued: Vec<bool> = contexts(&template).iter().map(|context| context.glued).collect();
        assert_eq!(glued, [false, true, true, false]);
    }
}
