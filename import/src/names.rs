//! Names that labels may have, made of ids that may be anything.

use std::collections::BTreeSet;

/// Names in use; no two are alike.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(BTreeSet<String>);

impl Names {
    /// `name`, or with a number behind it if that is in use.
    pub(crate) fn unique(&mut self, name: &str) -> String {
        let mut unique = name.to_owned();
        let mut number = 1;
        while !self.0.insert(unique.clone()) {
            number += 1;
            unique = format!("{name}-{number}");
        }
        unique
    }
}

/// `text` as a name: ASCII letters, digits, `_` and `-`; `otherwise` if nothing is left of it.
pub(crate) fn plain(text: &str, otherwise: &str) -> String {
    let mut name = String::new();
    for c in text.chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '_' || c == '-' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name: String = name.trim_matches('-').chars().take(80).collect();
    if name.is_empty() { otherwise.to_owned() } else { name }
}

/// The same for a target, of which none may be called `all`.
pub(crate) fn target(text: &str) -> String {
    let name = plain(text, "step");
    if name == "all" { "all-steps".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_text_becomes_a_name() {
        assert_eq!(target("01 intro!"), "01-intro");
        assert_eq!(target("größe / zwei"), "gr-e-zwei");
        assert_eq!(target("###"), "step");
        assert_eq!(target("all"), "all-steps");
        assert_eq!(target("true"), "true");
    }

    #[test]
    fn names_are_unique() {
        let mut names = Names::default();
        assert_eq!(names.unique("a"), "a");
        assert_eq!(names.unique("a-2"), "a-2");
        assert_eq!(names.unique("a"), "a-3");
    }
}
