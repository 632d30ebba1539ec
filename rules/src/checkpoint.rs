//! `checkpoint`: a target whose outcome is a person's decision on exactly what it names.

use std::fmt;

use crate::codes::WRONG_TYPE;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::label::Label;

/// What a checkpoint asks, and what becomes of the answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkpoint {
    /// What people are told.
    pub message: String,
    /// The target to look at before deciding, if that is not the subjects themselves.
    pub preview: Option<Label>,
    /// What a rejection does.
    pub on_reject: OnReject,
    /// What it comes to when nobody decides in time.
    pub on_timeout: OnTimeout,
    /// The targets of which a rejection makes another take; those nearest to the subjects if there
    /// are none.
    pub regenerate: Vec<Label>,
    /// What must hold of the metrics of a subject for it to need nobody; never if there is nothing.
    pub auto_approve: Vec<Condition>,
}

/// What a rejection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnReject {
    /// Another take of what made the subject.
    Regenerate,
    /// Nothing: the checkpoint asks again when the subject's bytes change.
    Retry,
    /// The build ends.
    Abort,
}

/// What a checkpoint comes to when nobody decides in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OnTimeout {
    /// It stays closed.
    Reject,
    /// It opens.
    Approve,
}

impl OnReject {
    /// Every way with its name.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Retry, "retry"), (Self::Regenerate, "regenerate"), (Self::Abort, "abort")];

    /// The way that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(way, _)| *way)
    }
}

impl OnTimeout {
    /// Every way with its name.
    pub const ALL: [(Self, &'static str); 2] =
        [(Self::Reject, "reject"), (Self::Approve, "approve")];

    /// The way that is called `name`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == name).map(|(way, _)| *way)
    }
}

/// A condition on one field of a JSON object: `word_error_rate="<0.1"`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Condition {
    /// The field, with dots between the names on the way to it.
    pub field: String,
    comparison: Comparison,
    /// What it is compared with, as JSON.
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Comparison {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
}

const COMPARISONS: [(&str, Comparison); 5] = [
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("==", Comparison::Equal),
    ("<", Comparison::Less),
    (">", Comparison::More),
];

impl Condition {
    /// The condition on `field` that `text` says.
    pub(crate) fn read(field: &str, text: &str, anchor: &Anchor) -> Result<Self, Diagnostic> {
        let fault = |message: String| {
            let problem = Diagnostic::error(WRONG_TYPE, message).at(anchor);
            Err(problem.hint("write it as `\"<0.1\"`, `\">=0.9\"` or `\"==true\"`"))
        };
        let found = COMPARISONS.iter().find_map(|(sign, it)| Some((it, text.strip_prefix(sign)?)));
        let Some((comparison, value)) = found else {
            return fault(format!("`{text}` is no condition on `{field}`"));
        };
        let value = value.trim();
        let json: Option<serde_json::Value> = serde_json::from_str(value).ok();
        let is_number = json.as_ref().is_some_and(serde_json::Value::is_number);
        if *comparison != Comparison::Equal && !is_number {
            return fault(format!("`{value}` is no number to compare `{field}` with"));
        }
        // What is no JSON is a text.
        let value = match json {
            Some(json) => json.to_string(),
            None => serde_json::Value::from(value).to_string(),
        };
        Ok(Self { field: field.to_owned(), comparison: *comparison, value })
    }

    /// Whether it holds of `metrics`; where not, why.
    ///
    /// # Errors
    /// If it does not hold, as where the field is missing.
    pub fn check(&self, metrics: &serde_json::Value) -> Result<String, String> {
        let field = self.field.split('.').try_fold(metrics, |json, name| json.get(name));
        let Some(field) = field else { return Err(format!("there is no `{}`", self.field)) };
        let told = format!("`{}` is {field}", self.field);
        if self.holds(field) { Ok(told) } else { Err(format!("{told}, not {self}")) }
    }

    fn holds(&self, field: &serde_json::Value) -> bool {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&self.value) else {
            return false;
        };
        let (Some(field), Some(value)) = (field.as_f64(), value.as_f64()) else {
            return self.comparison == Comparison::Equal && *field == value;
        };
        match self.comparison {
            Comparison::Less => field < value,
            Comparison::AtMost => field <= value,
            Comparison::More => field > value,
            Comparison::AtLeast => field >= value,
            #[expect(clippy::float_cmp, reason = "equal is what was asked for")]
            Comparison::Equal => field == value,
        }
    }
}

/// What is asked of the field: `<0.1`.
impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = COMPARISONS.iter().find(|(_, it)| *it == self.comparison);
        write!(f, "{}{}", sign.map_or("", |(sign, _)| sign), self.value)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::label::WsPath;

    fn condition(text: &str) -> Result<Condition, String> {
        let anchor = Anchor::file(WsPath::root());
        Condition::read("a.rate", text, &anchor).map_err(|problem| problem.message)
    }

    fn holds(text: &str, rate: serde_json::Value) -> bool {
        condition(text).unwrap().check(&json!({ "a": { "rate": rate } })).is_ok()
    }

    #[test]
    fn conditions_compare_numbers_and_equal_anything() {
        assert!(holds("<0.1", json!(0.05)) && !holds("<0.1", json!(0.1)));
        assert!(holds("<= 0.1", json!(0.1)) && holds(">=1", json!(1)) && holds(">0", json!(1)));
        assert!(holds("==true", json!(true)) && holds("==good", json!("good")));
        assert!(holds("==1", json!(1.0)) && !holds("==1", json!("1")));
        assert!(!holds("<0.1", json!("0.05")) && !holds("<0.1", json!(null)));
    }

    #[test]
    fn what_is_no_condition_is_told() {
        assert_eq!(condition("0.1").unwrap_err(), "`0.1` is no condition on `a.rate`");
        assert_eq!(condition("<low").unwrap_err(), "`low` is no number to compare `a.rate` with");
    }

    #[test]
    fn why_it_does_not_hold_is_told() {
        let condition = condition("<0.10").unwrap();
        let told = condition.check(&json!({ "a": { "rate": 0.2 } }));
        assert_eq!(told, Err("`a.rate` is 0.2, not <0.1".to_owned()));
        assert_eq!(condition.check(&json!({})), Err("there is no `a.rate`".to_owned()));
    }
}
