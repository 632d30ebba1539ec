//! Why a call of a service came to nothing, as people read it.

use thiserror::Error;

/// A call that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("error: {message}{}", shown_hint(hint.as_deref()))]
pub struct Failure {
    message: String,
    hint: Option<String>,
    open: bool,
    local: bool,
}

impl Failure {
    /// The exit code of a call after which nothing is open.
    pub const FAILED: u8 = 1;

    /// The exit code of a call that may still be at work, or may have been paid.
    pub const OPEN: u8 = 3;

    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, open: false, local: false }
    }

    /// A failure of this machine, which says nothing about the answer.
    pub(crate) fn local(message: impl Into<String>) -> Self {
        Self { local: true, ..Self::new(message) }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, where a person has to decide.
    pub(crate) fn open(mut self) -> Self {
        self.open = true;
        self
    }

    pub(crate) fn is_local(&self) -> bool {
        self.local
    }

    /// The same without a word that is to stay secret.
    pub(crate) fn without(mut self, secret: &str) -> Self {
        self.message = without(&self.message, secret);
        self.hint = self.hint.map(|hint| without(&hint, secret));
        self
    }

    /// With which code the program ends.
    pub fn code(&self) -> u8 {
        if self.open { Self::OPEN } else { Self::FAILED }
    }
}

/// How much of a secret's beginning gives it away.
const GIVEN_AWAY: usize = 8;

/// A text without a secret, or the beginning of one that was cut off.
pub(crate) fn without(text: &str, secret: &str) -> String {
    let Some(begin) = secret.get(..GIVEN_AWAY.min(secret.len())).filter(|it| !it.is_empty()) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(begin) {
        plain.push_str(&rest[..at]);
        plain.push_str("[secret]");
        let found = rest[at..].bytes().zip(secret.bytes());
        rest = &rest[at + found.take_while(|(a, b)| a == b).count()..];
    }
    plain.push_str(rest);
    plain
}

fn shown_hint(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_of_a_secret_is_one() {
        let secret = "sk-0123456789";
        assert_eq!(without("key sk-0123456789!", secret), "key [secret]!");
        assert_eq!(without("key sk-01234567", secret), "key [secret]");
        assert_eq!(without("sk-01234 sk-0123456789", secret), "[secret] [secret]");
        assert_eq!(without("key sk-0123", secret), "key sk-0123");
        assert_eq!(without("abc", ""), "abc");
    }

    #[test]
    fn a_secret_is_in_neither_line() {
        let failure = Failure::new("bad key sk-1").hint("not sk-1").without("sk-1");
        assert_eq!(failure.to_string(), "error: bad key [secret]\nhint: not [secret]");
        assert_eq!(failure.code(), 1);
        assert_eq!(failure.open().code(), 3);
    }
}
