//! The names of rules and attributes in a query, held against those that there are.

use regex_lite::Regex;
use vwfb_rules::nearest;

use super::function::Function;
use super::parse::{Argument, Expr, Query};
use super::{QueryError, Vocabulary};

/// The kind of files.
pub(super) const FILE: &str = "file";

impl Query {
    /// What of the query can match nothing, for whoever asks what an empty answer means: each a
    /// sentence, with what may have been meant.
    pub fn doubts(&self, vocabulary: &Vocabulary) -> Vec<String> {
        let mut doubts = Vec::new();
        doubts_of(&self.expression, vocabulary, &mut doubts);
        doubts
    }
}

fn doubts_of(expression: &Expr, vocabulary: &Vocabulary, doubts: &mut Vec<String>) {
    match expression {
        Expr::Pattern { .. } => {}
        Expr::Joined(first, rest) => {
            let all = std::iter::once(&**first).chain(rest.iter().map(|(_, operand)| operand));
            all.for_each(|operand| doubts_of(operand, vocabulary, doubts));
        }
        Expr::Call { function, arguments } => {
            if let (Function::Kind, [Argument::Text { text, .. }, ..]) = (function, &**arguments) {
                doubts.extend(doubt_of_kind(text, vocabulary));
            }
            for argument in arguments {
                if let Argument::Set(set) = argument {
                    doubts_of(set, vocabulary, doubts);
                }
            }
        }
    }
}

fn doubt_of_kind(pattern: &str, vocabulary: &Vocabulary) -> Option<String> {
    let regex = Regex::new(pattern).ok()?;
    let kinds = || vocabulary.kinds.iter().map(String::as_str).chain([FILE]);
    if kinds().any(|kind| regex.is_match(kind)) {
        return None;
    }
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    let near = nearest(bare, kinds()).map(|near| format!("; did you mean `{near}`?"));
    Some(format!("no rule in sight is named like `{pattern}`{}", near.unwrap_or_default()))
}

/// Refuses the name of an attribute that no rule declares.
pub(super) fn known_attribute(
    column: usize,
    name: &str,
    vocabulary: &Vocabulary,
) -> Result<(), QueryError> {
    let Vocabulary { attributes, .. } = vocabulary;
    if attributes.contains(name) {
        return Ok(());
    }
    let hint = match nearest(name, attributes.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "`vwfb query //... --output json` shows the attributes of targets".to_owned(),
    };
    Err(QueryError::UnknownAttribute { column, name: name.to_owned(), hint })
}
