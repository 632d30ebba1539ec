//! Text from a language model, perhaps about pictures.

mod anthropic;
mod ollama;
mod openai;

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use regex_lite::Regex;
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::files::{Made, Output, digest, input, input_text};
use super::http::MOST_TEXT;
use super::speech::PAID;
use super::{World, form};

pub(crate) use anthropic::{place, with_key};
pub(crate) use ollama::names as model_names;

/// How a server of a language model is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// `POST /api/generate`, as Ollama has it
    Ollama,
    /// `POST /chat/completions`, as OpenAI has it
    Openai,
    /// `POST /v1/messages`, as Anthropic has it
    Anthropic,
}

/// Let a language model write a text.
#[derive(Debug, Args)]
pub struct Chat {
    /// How the server is spoken to
    #[arg(long)]
    protocol: Protocol,
    /// The model
    #[arg(long)]
    model: String,
    /// What the model is to be
    #[arg(long)]
    system: Option<String>,
    /// The file with what is asked
    #[arg(long)]
    prompt: PathBuf,
    /// What was said of the last answer, to be heeded
    #[arg(long)]
    feedback: Option<String>,
    /// A picture to look at: PNG, JPEG, WebP or GIF; may be given again
    #[arg(long)]
    image: Vec<PathBuf>,
    /// How freely the model chooses; its own by default
    #[arg(long)]
    temperature: Option<f64>,
    /// The most tokens that it writes
    #[arg(long, default_value_t = 2048, value_parser = clap::value_parser!(u32).range(1..))]
    max_tokens: u32,
    /// Which of all such texts, where the server can choose
    #[arg(long, allow_negative_numbers = true)]
    seed: Option<i64>,
    /// Ask for JSON, and take nothing else
    #[arg(long)]
    json: bool,
    /// Take a text that was cut at the most tokens
    #[arg(long)]
    allow_cut: bool,
    /// A regular expression that each line of the answer matches as a whole
    #[arg(long)]
    lines: Option<Regex>,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

/// A picture to look at.
struct Picture {
    media: &'static str,
    base64: String,
}

/// What a model said.
#[derive(Debug, Default, PartialEq)]
struct Said {
    text: String,
    /// Whether it was cut at the most tokens.
    cut: bool,
    /// Why it does not answer, if it says so.
    refused: Option<String>,
    model: Option<String>,
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
}

impl Chat {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let mut prompt = input_text(&self.prompt)?;
        if let Some(feedback) = self.feedback.as_deref().filter(|it| !it.trim().is_empty()) {
            prompt =
                format!("{}\n\nHeed this about an earlier answer: {feedback}", prompt.trim_end());
        }
        let mut pictures = Vec::new();
        let mut digests = Vec::new();
        for path in &self.image {
            let bytes = input(path)?;
            let media = super::picture::media(&bytes).ok_or_else(|| {
                Failure::local(format!("`{}` is no picture that models know", path.display()))
                    .hint("PNG, JPEG, WebP and GIF are")
            })?;
            digests.push(digest(&bytes));
            pictures.push(Picture { media, base64: form::base64(&bytes) });
        }
        let protocol = match self.protocol {
            Protocol::Ollama => "ollama",
            Protocol::Openai => "openai",
            Protocol::Anthropic if self.seed.is_some() => {
                return Err(Failure::new("the protocol anthropic takes no seed")
                    .hint("leave `--seed` out; the prompt tells requests apart"));
            }
            Protocol::Anthropic => "anthropic",
        };
        let request = json!({"chat": {
            "model": self.model, "system": self.system, "prompt": prompt, "images": digests,
            "temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed,
            "json": self.json, "lines": self.lines.as_ref().map(Regex::as_str),
        }});
        let mut call = Call::open(world, protocol, &request)?;
        let secret = call.secret().map(str::to_owned);
        let secret = secret.as_deref();
        let base = call.settings.url.clone();
        let ask = |id: &str| match self.protocol {
            Protocol::Ollama => ollama::ask(self, &prompt, &pictures, secret),
            Protocol::Openai => openai::ask(self, &prompt, &pictures, secret, &base, id),
            Protocol::Anthropic => anthropic::ask(self, &prompt, &pictures, secret, &base),
        };
        if let Err(unanswered) = call.exchange(MOST_TEXT, &ask) {
            return Err(match self.protocol {
                Protocol::Ollama => ollama::told(&mut call, unanswered, &self.model),
                _ => call.told(unanswered, false),
            });
        }
        call.finish(&self.out, &|answer, media| self.read(answer, media))
    }

    fn read(&self, answer: &mut File, media: &str) -> Result<Made, Failure> {
        let mut bytes = Vec::new();
        let read = answer.read_to_end(&mut bytes);
        read.map_err(|error| Failure::local(format!("cannot read the answer: {error}")))?;
        let said = match self.protocol {
            Protocol::Ollama => ollama::said(&bytes)?,
            Protocol::Openai => openai::said(&bytes),
            Protocol::Anthropic => anthropic::said(&bytes),
        };
        let said = said.ok_or_else(|| {
            form::wrong("answer of a language model", 200, media, &bytes).hint(PAID)
        })?;
        let text = self.text(&said)?;
        let usage = json!({
            "model": said.model,
            "input_tokens": said.input_tokens,
            "output_tokens": said.output_tokens,
            "characters": text.chars().count(),
        });
        Ok(Made { output: Output::Bytes(format!("{text}\n").into_bytes()), usage })
    }

    /// The text to write, if it may be written.
    fn text(&self, said: &Said) -> Result<String, Failure> {
        if let Some(why) = &said.refused {
            return Err(Failure::new(format!("refused: `{}` does not answer: {why}", self.model)));
        }
        if said.cut && !self.allow_cut {
            return Err(Failure::new(format!(
                "cut-answer: `{}` was not done after {} tokens",
                self.model, self.max_tokens
            ))
            .hint("allow more with `--max-tokens`, or take what there is with `--allow-cut`"));
        }
        let mut text = said.text.trim();
        if self.json {
            text = unfenced(text);
        }
        if text.is_empty() {
            return Err(Failure::new(format!("empty-answer: `{}` says nothing", self.model)));
        }
        if self.json && serde_json::from_str::<Value>(text).is_err() {
            return Err(form::wrong("JSON", 200, "text", text.as_bytes()).hint(PAID));
        }
        let form = self.lines.as_ref();
        // As a whole, whichever of its alternatives that takes.
        let whole = form.and_then(|form| Regex::new(&format!("^(?:{form})$")).ok());
        let wrong = |line: &&str| whole.as_ref().is_some_and(|whole| !whole.is_match(line));
        if let (Some(form), Some(line)) = (form, text.lines().find(wrong)) {
            let message = format!("wrong-answer: a line is not of the form `{form}`: {line}");
            return Err(Failure::new(message).hint(PAID));
        }
        Ok(text.to_owned())
    }
}

/// A text without the fence that models like to put around it.
fn unfenced(text: &str) -> &str {
    let inner = text.strip_prefix("```").and_then(|text| text.strip_suffix("```"));
    let Some(inner) = inner else { return text };
    inner.strip_prefix("json").unwrap_or(inner).trim()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        chat: Chat,
    }

    pub(super) fn chat(more: &[&str]) -> Chat {
        let fixed = ["x", "--protocol", "ollama", "--model", "m", "--prompt", "p", "--out", "o"];
        Program::parse_from(fixed.iter().chain(more)).chat
    }

    fn said(text: &str) -> Said {
        Said { text: text.to_owned(), ..Said::default() }
    }

    #[test]
    fn a_text_is_taken_and_what_is_none_is_told() {
        assert_eq!(chat(&[]).text(&said("\n Hello.\n\n")).unwrap(), "Hello.");
        assert!(chat(&[]).text(&said(" \n")).is_err());
        let refused = Said { refused: Some("no".into()), ..said("Hello") };
        assert!(chat(&[]).text(&refused).is_err());
        let cut = Said { cut: true, ..said("Hel") };
        assert!(chat(&[]).text(&cut).unwrap_err().to_string().contains("2048"));
        assert_eq!(chat(&["--allow-cut"]).text(&cut).unwrap(), "Hel");
    }

    #[test]
    fn every_line_is_of_the_form_that_is_wanted() {
        let lines = chat(&["--lines", "SEGMENT\\|[a-z]+|END"]);
        assert_eq!(lines.text(&said("SEGMENT|one\nEND")).unwrap(), "SEGMENT|one\nEND");
        let wrong = lines.text(&said("SEGMENT|one\nSEGMENT|two!")).unwrap_err().to_string();
        assert!(wrong.contains("SEGMENT|two!"), "{wrong}");
        assert!(lines.text(&said("Sure: END")).is_err());
        let either = chat(&["--lines", "yes|yes, but .*"]);
        assert!(either.text(&said("yes, but later")).is_ok());
    }

    #[test]
    fn json_is_taken_out_of_its_fence_and_nothing_else_is_taken() {
        let json = chat(&["--json"]);
        assert_eq!(json.text(&said("```json\n{\"a\": 1}\n```")).unwrap(), "{\"a\": 1}");
        assert_eq!(json.text(&said("[1]")).unwrap(), "[1]");
        assert!(json.text(&said("Sure! {\"a\": 1}")).is_err());
    }
}
