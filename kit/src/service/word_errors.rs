//! How much of a text was heard: errors in words, with their places.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::failure::Failure;
use super::files::{input, input_text};

/// Count the words of a text that were not heard as they are.
#[derive(Debug, Args)]
pub struct WordErrors {
    /// The file with the text
    #[arg(long)]
    text: PathBuf,
    /// The transcript, as `transcription` writes it
    #[arg(long)]
    heard: PathBuf,
    /// The JSON file to write
    #[arg(long)]
    out: PathBuf,
}

/// Words that a comparison takes at most: it is a table of both.
const MOST_WORDS: usize = 20_000;

impl WordErrors {
    pub(crate) fn run(&self) -> Result<(), Failure> {
        let text = input_text(&self.text)?;
        let heard: Value = serde_json::from_slice(&input(&self.heard)?).unwrap_or_default();
        let Some(heard) = heard["text"].as_str() else {
            let path = self.heard.display();
            return Err(Failure::new(format!("`{path}` is no transcript: it has no `text`")));
        };
        let told = of(&text, heard)?;
        fs::write(&self.out, format!("{told:#}\n")).map_err(|error| {
            Failure::new(format!("cannot write `{}`: {error}", self.out.display()))
        })
    }
}

/// How much of a text was not heard as it is.
pub(super) fn of(text: &str, heard: &str) -> Result<Value, Failure> {
    let (text, heard) = (words(text), words(heard));
    if text.is_empty() {
        return Err(Failure::new("the text has no words"));
    }
    if text.len().max(heard.len()) > MOST_WORDS {
        return Err(Failure::new(format!("more than {MOST_WORDS} words cannot be compared")));
    }
    Ok(compare(&text, &heard))
}

/// The words of a text: lower case, without punctuation, numbers as they are written.
fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut plain = String::with_capacity(text.len());
    for (at, c) in characters.iter().enumerate() {
        let beside = |step: isize| {
            at.checked_add_signed(step).and_then(|at| characters.get(at)).copied().unwrap_or(' ')
        };
        let (before, after) = (beside(-1), beside(1));
        match c {
            c if c.is_alphanumeric() => plain.extend(c.to_lowercase()),
            '.' | ',' | ':' | '/' if before.is_numeric() && after.is_numeric() => plain.push(*c),
            // What is one word with its mark stays one: it's, don't.
            '\'' | '\u{2019}' if before.is_alphanumeric() && after.is_alphanumeric() => {}
            // Marks that make other letters of the ones before them.
            '\u{300}'..='\u{36f}' => plain.push(*c),
            _ => plain.push(' '),
        }
    }
    plain.split_whitespace().map(str::to_owned).collect()
}

/// The fewest changes that make `heard` of `text`.
fn compare(text: &[String], heard: &[String]) -> Value {
    // `far[i][j]`: changes between the first i words of the text and the first j heard.
    let width = heard.len() + 1;
    let mut far: Vec<u16> = (0..=u16::MAX).take(width).collect();
    far.resize(width * (text.len() + 1), 0);
    for (i, word) in text.iter().enumerate() {
        far[(i + 1) * width] = u16::try_from(i + 1).unwrap_or(u16::MAX);
        for (j, other) in heard.iter().enumerate() {
            let change = far[i * width + j] + u16::from(word != other);
            let drop = far[i * width + j + 1] + 1;
            let insert = far[(i + 1) * width + j] + 1;
            far[(i + 1) * width + j + 1] = change.min(drop).min(insert);
        }
    }
    let (mut i, mut j) = (text.len(), heard.len());
    let (mut substitutions, mut deletions, mut insertions) = (0, 0, 0);
    let mut differences = Vec::new();
    while i > 0 || j > 0 {
        let here = far[i * width + j];
        let both = i > 0 && j > 0;
        if both && text[i - 1] == heard[j - 1] && here == far[(i - 1) * width + j - 1] {
            (i, j) = (i - 1, j - 1);
        } else if both && here == far[(i - 1) * width + j - 1] + 1 {
            (i, j) = (i - 1, j - 1);
            substitutions += 1;
            differences.push(json!({"at": i, "expected": text[i], "heard": heard[j]}));
        } else if i > 0 && here == far[(i - 1) * width + j] + 1 {
            i -= 1;
            deletions += 1;
            differences.push(json!({"at": i, "expected": text[i], "heard": null}));
        } else {
            j -= 1;
            insertions += 1;
            differences.push(json!({"at": i, "expected": null, "heard": heard[j]}));
        }
    }
    differences.reverse();
    let errors = substitutions + deletions + insertions;
    json!({
        "wer": f64::from(errors) / text.len().max(1) as f64,
        "words": text.len(),
        "substitutions": substitutions,
        "deletions": deletions,
        "insertions": insertions,
        "differences": differences,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(text: &str, heard: &str) -> Value {
        compare(&words(text), &words(heard))
    }

    #[test]
    fn words_are_compared_without_case_and_punctuation() {
        assert_eq!(
            words("It\u{2019}s 3.5 km, \u{201c}Stra\u{df}e\u{201d}\u{2014}OK?"),
            ["its", "3.5", "km", "stra\u{df}e", "ok"]
        );
        assert_eq!(compared("Hello, World!", "hello world")["wer"], 0.0);
    }

    #[test]
    fn each_kind_of_error_has_its_place() {
        let told = compared("the quick brown fox jumps", "the quack fox jumps high");
        assert_eq!(told["wer"], 0.6);
        assert_eq!(told["words"], 5);
        let counts = ["substitutions", "deletions", "insertions"].map(|name| told[name].clone());
        assert_eq!(counts, [json!(1), json!(1), json!(1)]);
        let all = told["differences"].as_array().unwrap();
        assert_eq!(all.len(), 3);
        assert!(all.contains(&json!({"at": 5, "expected": null, "heard": "high"})), "{told}");
    }

    #[test]
    fn nothing_heard_is_all_missed() {
        let told = compared("one two", "");
        assert_eq!((&told["wer"], &told["deletions"]), (&json!(1.0), &json!(2)));
        let told = compared("one", "one two three");
        assert_eq!((&told["wer"], &told["insertions"]), (&json!(2.0), &json!(2)));
    }
}
