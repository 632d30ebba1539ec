//! From a query's text to its expression.

use std::num::IntErrorKind;

use super::QueryError;
use super::function::{self, Function, Parameter, Signature};

/// Parentheses and calls may nest this deep.
const MAX_DEPTH: usize = 64;

/// A parsed query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    pub(super) expression: Expr,
}

/// A set, and how it is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expr {
    /// What a pattern stands for.
    Pattern { column: usize, pattern: String },
    /// A function of its arguments, whose number and types are right.
    Call { function: Function, arguments: Vec<Argument> },
    /// Sets joined from the left.
    Joined(Box<Expr>, Vec<(Operator, Expr)>),
}

/// An operation on two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Union,
    Intersect,
    Except,
}

/// An argument, typed as its function wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Argument {
    Set(Expr),
    Text { column: usize, text: String },
    Depth(usize),
}

impl Query {
    /// Reads a query, in full (`deps(//a) except //b`) or in the short form that shells like
    /// (`deps //a`): a function's name, then its arguments with spaces between them.
    ///
    /// ```
    /// use vwfb_engine::query::Query;
    ///
    /// assert!(Query::parse("deps(//shorts:final) except kind(tts, //...)").is_ok());
    /// assert!(Query::parse("deps //shorts:final except kind(tts, //...)").is_ok());
    /// assert_eq!(Query::parse("//a:b dps").unwrap_err().column(), 7);
    /// ```
    ///
    /// # Errors
    /// If `text` is no query: with the column, what is wrong there and what to write instead.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut parser = Parser { chars: text.chars().collect(), at: 0, depth: 0 };
        let expression = parser.query()?;
        Ok(Self { expression })
    }

    /// Reads a query from the words of a command line.
    pub fn from_words<W: AsRef<str>>(words: &[W]) -> Result<Self, QueryError> {
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Self::parse(&words.join(" "))
    }
}

struct Parser {
    chars: Vec<char>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn query(&mut self) -> Result<Expr, QueryError> {
        let first = match self.short_call()? {
            Some(call) => call,
            None => self.operand()?,
        };
        let expression = self.joined(first)?;
        match self.peek() {
            None => Ok(expression),
            Some(')') => Err(self.syntax("a `)` without its `(`", "remove it")),
            Some(_) => Err(self.missing_operator(&expression)),
        }
    }

    /// `deps //a 2`: a call without parentheses, at the start of the text only.
    fn short_call(&mut self) -> Result<Option<Expr>, QueryError> {
        self.skip_space();
        let start = self.at;
        let word = self.word();
        let is_call = self.peek() == Some('(');
        let Some(signature) = Signature::named(&word).filter(|_| !is_call) else {
            self.at = start;
            return Ok(None);
        };
        let mut arguments = Vec::new();
        for parameter in signature.parameters {
            let stands = match (parameter, self.peek()) {
                (_, None) => false,
                (Parameter::Set, _) => self.peek_operator().is_none(),
                (Parameter::Text, _) => true,
                (Parameter::Depth, Some(c)) => c.is_ascii_digit(),
            };
            if !stands {
                break;
            }
            arguments.push(self.argument(*parameter, signature)?);
        }
        call(signature, arguments, start + 1).map(Some)
    }

    fn expression(&mut self) -> Result<Expr, QueryError> {
        let first = self.operand()?;
        self.joined(first)
    }

    /// `first` with the operators and operands that follow it.
    fn joined(&mut self, first: Expr) -> Result<Expr, QueryError> {
        let mut rest = Vec::new();
        while let Some((operator, length)) = self.peek_operator() {
            self.at += length;
            rest.push((operator, self.operand()?));
        }
        Ok(if rest.is_empty() { first } else { Expr::Joined(Box::new(first), rest) })
    }

    fn operand(&mut self) -> Result<Expr, QueryError> {
        if self.depth == MAX_DEPTH {
            return Err(self.syntax("the query nests too deep", "ask for less at a time"));
        }
        self.depth += 1;
        let operand = self.operand_within();
        self.depth -= 1;
        operand
    }

    fn operand_within(&mut self) -> Result<Expr, QueryError> {
        if self.take_if('(') {
            let inner = self.expression()?;
            self.close(&inner)?;
            return Ok(inner);
        }
        if self.peek().is_none() || self.peek_operator().is_some() {
            return Err(self.syntax("a set is missing here", "write a pattern such as `//...`"));
        }
        let column = self.column();
        if let Some(pattern) = self.quoted()? {
            return Ok(Expr::Pattern { column, pattern });
        }
        let word = self.word();
        if word.is_empty() {
            return Err(self.syntax("a set is missing here", "write a pattern such as `//...`"));
        }
        if self.peek() == Some('(') {
            return self.call(&word, column);
        }
        Ok(Expr::Pattern { column, pattern: word })
    }

    fn call(&mut self, name: &str, column: usize) -> Result<Expr, QueryError> {
        let signature = Signature::named(name).ok_or_else(|| unknown_function(name, column))?;
        self.take_if('(');
        let mut arguments = Vec::new();
        for parameter in signature.parameters {
            if self.peek() == Some(')') {
                break;
            }
            if !arguments.is_empty() && !self.take_if(',') {
                let hint = format!("it is called as `{}`", signature.usage);
                return Err(self.syntax("a `,` or `)` is missing here", &hint));
            }
            arguments.push(self.argument(*parameter, signature)?);
        }
        if self.peek() == Some(',') {
            let message = format!("`{name}` has too many arguments");
            let column = self.column();
            return Err(QueryError::Arguments { column, message, usage: signature.usage });
        }
        if !self.take_if(')') {
            let hint = format!("it is called as `{}`", signature.usage);
            return Err(self.syntax("a `)` is missing here", &hint));
        }
        call(signature, arguments, column)
    }

    fn argument(
        &mut self,
        parameter: Parameter,
        signature: &Signature,
    ) -> Result<Argument, QueryError> {
        if parameter == Parameter::Set {
            return self.set_argument().map(Argument::Set);
        }
        self.skip_space();
        let column = self.column();
        let text = match self.quoted()? {
            Some(text) => text,
            None => self.word(),
        };
        let message = match parameter {
            Parameter::Depth => match text.parse::<usize>() {
                Ok(depth) => return Ok(Argument::Depth(depth)),
                Err(error) if *error.kind() == IntErrorKind::PosOverflow => {
                    format!("the depth `{text}` is too large")
                }
                Err(_) => format!("`{text}` is no depth: a whole number is"),
            },
            _ if text.is_empty() => format!("`{}` lacks an argument", signature.name),
            _ => return Ok(Argument::Text { column, text }),
        };
        Err(QueryError::Arguments { column, message, usage: signature.usage })
    }

    /// Within parentheses an argument is a whole expression; in the short form it is one operand,
    /// for there the space ends it.
    fn set_argument(&mut self) -> Result<Expr, QueryError> {
        if self.depth == 0 { self.operand() } else { self.expression() }
    }

    fn close(&mut self, inner: &Expr) -> Result<(), QueryError> {
        if self.take_if(')') {
            return Ok(());
        }
        match self.peek() {
            None => Err(self.syntax("a `(` is not closed", "add a `)`")),
            Some(_) => Err(self.missing_operator(inner)),
        }
    }

    /// What stands here should be joined to `before`, or `before` be a function.
    fn missing_operator(&self, before: &Expr) -> QueryError {
        if let Expr::Pattern { column, pattern } = before
            && !pattern.contains([':', '/', '.'])
        {
            return unknown_function(pattern, *column);
        }
        let hint = "join two sets with `union`, `intersect` or `except`";
        self.syntax("an operator is missing here", hint)
    }

    fn skip_space(&mut self) {
        while self.chars.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_space();
        self.chars.get(self.at).copied()
    }

    fn take_if(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        self.at += usize::from(found);
        found
    }

    /// The operator that stands here, and its length.
    fn peek_operator(&mut self) -> Option<(Operator, usize)> {
        match self.peek()? {
            '+' => return Some((Operator::Union, 1)),
            '^' => return Some((Operator::Intersect, 1)),
            '-' => return Some((Operator::Except, 1)),
            _ => {}
        }
        let word = self.chars[self.at..].iter().take_while(|c| is_word(**c)).collect::<String>();
        let operator = match word.as_str() {
            "union" => Operator::Union,
            "intersect" => Operator::Intersect,
            "except" => Operator::Except,
            _ => return None,
        };
        Some((operator, word.len()))
    }

    /// The characters up to a space, parenthesis, comma or quote.
    fn word(&mut self) -> String {
        let word: String = self.chars[self.at..].iter().take_while(|c| is_word(**c)).collect();
        self.at += word.chars().count();
        word
    }

    /// A text in quotes, if one stands here.
    fn quoted(&mut self) -> Result<Option<String>, QueryError> {
        let Some(quote @ ('"' | '\'')) = self.peek() else { return Ok(None) };
        let rest = &self.chars[self.at + 1..];
        let Some(length) = rest.iter().position(|c| *c == quote) else {
            return Err(self.syntax("a quote is not closed", &format!("add a `{quote}`")));
        };
        let text = rest[..length].iter().collect();
        self.at += length + 2;
        Ok(Some(text))
    }

    const fn column(&self) -> usize {
        self.at + 1
    }

    fn syntax(&self, message: &str, hint: &str) -> QueryError {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        QueryError::Syntax { column: self.column(), message, hint }
    }
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | ',' | '"' | '\'')
}

/// A call with as many arguments as its function needs.
fn call(
    signature: &Signature,
    arguments: Vec<Argument>,
    column: usize,
) -> Result<Expr, QueryError> {
    let needed = signature.needed();
    if arguments.len() < needed {
        let (name, given) = (signature.name, arguments.len());
        let message = format!("`{name}` has {given} of its {needed} arguments");
        return Err(QueryError::Arguments { column, message, usage: signature.usage });
    }
    Ok(Expr::Call { function: signature.function, arguments })
}

fn unknown_function(name: &str, column: usize) -> QueryError {
    QueryError::UnknownFunction { column, name: name.to_owned(), hint: function::hint(name) }
}
