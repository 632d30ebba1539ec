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
        if !secret.is_empty() {
            self.message = self.message.replace(secret, "[secret]");
            self.hint = self.hint.map(|hint| hint.replace(secret, "[secret]"));
        }
        self
    }

    /// With which code the program ends.
    pub fn code(&self) -> u8 {
        if self.open { Self::OPEN } else { Self::FAILED }
    }
}

fn shown_hint(hint: Option<&str>) -> String {
    hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_in_neither_line() {
        let failure = Failure::new("bad key sk-1").hint("not sk-1").without("sk-1");
        assert_eq!(failure.to_string(), "error: bad key [secret]\nhint: not [secret]");
        assert_eq!(failure.code(), 1);
        assert_eq!(failure.open().code(), 3);
    }
}
