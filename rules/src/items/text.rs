//! Items in a text: its lines, or the JSON values in it.

use super::{Raw, raw};
use crate::binding::Binding;
use crate::codes::BAD_ITEM;
use crate::diagnostic::Diagnostic;
use crate::fan_out::{Each, Split};

/// The mark of its encoding that some editors begin a file with.
pub(super) const BOM: char = '\u{feff}';

/// The items in a text, and what is wrong with it.
pub(super) fn in_text(
    each: &Each,
    split: Split,
    text: &str,
) -> (Option<Vec<Raw>>, Vec<Diagnostic>) {
    let text = text.trim_start_matches(BOM);
    match split {
        Split::Lines => {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            let raw = |line: &str| raw(each, None, line.to_owned(), Binding::text(line));
            (Some(lines.map(raw).collect()), Vec::new())
        }
        Split::Json => in_json(each, text),
    }
}

fn in_json(each: &Each, text: &str) -> (Option<Vec<Raw>>, Vec<Diagnostic>) {
    let elements = match elements(text) {
        Ok(elements) => elements,
        Err(why) => {
            let problem = Diagnostic::error(BAD_ITEM, format!("its items cannot be read: {why}"));
            let hint = "a JSON array, or one JSON value a line; `split=\"lines\"` for plain lines";
            return (None, vec![problem.at(&each.over.anchor).hint(hint)]);
        }
    };
    let mut raws = Vec::with_capacity(elements.len());
    let mut problems = Vec::new();
    for (at, element) in elements.iter().enumerate() {
        let binding = Binding::of_json(element);
        let key = each.key.as_deref().map(|key| (key, binding.field(key)));
        let plain = |field: &Binding| field.as_text().filter(|_| field.fields.is_empty());
        let id = match key.map(|(key, field)| (key, field.and_then(plain))) {
            None => None,
            Some((_, Some(id))) if !id.is_empty() => Some(id),
            Some((key, _)) => {
                let (key, number) = (key.join("."), at + 1);
                let message = format!("item {number} has no `{key}`, which is to name it");
                let problem = Diagnostic::error(BAD_ITEM, message).at(&each.over.anchor);
                problems.push(problem.hint("give it one: a text, a number or a flag"));
                continue;
            }
        };
        raws.push(raw(each, id, element.to_string(), binding));
    }
    (problems.is_empty().then_some(raws), problems)
}

/// The elements of an array, or the values of the lines.
fn elements(text: &str) -> Result<Vec<serde_json::Value>, String> {
    if text.trim_start().starts_with('[')
        && let Ok(elements) = serde_json::from_str(text)
    {
        return Ok(elements);
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let value = |(at, line): (usize, &str)| {
        serde_json::from_str(line).map_err(|error| format!("line {}: {error}", at + 1))
    };
    let by_line: Result<Vec<_>, String> = lines.map(value).collect();
    by_line.map_err(|why| match serde_json::from_str::<serde_json::Value>(text) {
        Ok(_) => "it is JSON, and no array".to_owned(),
        Err(whole) if text.trim_start().starts_with(['[', '{']) => whole.to_string(),
        Err(_) => why,
    })
}
