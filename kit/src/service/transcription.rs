//! What is said in a recording, word by word with times.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::files::{Made, Output, digest, input, input_text};
use super::http::{Ask, MOST_TEXT};
use super::multipart::Form;
use super::speech::PAID;
use super::{World, form, word_errors};

/// How a server of transcription is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// `POST /audio/transcriptions`, as OpenAI has it
    Openai,
}

/// Write down what is said in a recording.
#[derive(Debug, Args)]
pub struct Transcription {
    /// How the server is spoken to
    #[arg(long)]
    protocol: Protocol,
    /// The recording
    #[arg(long)]
    audio: PathBuf,
    /// The model
    #[arg(long)]
    model: String,
    /// The language, as in `en`
    #[arg(long)]
    language: Option<String>,
    /// Words to expect, such as names
    #[arg(long)]
    prompt: Option<String>,
    /// The file with what should be said: the transcript then tells how much of it is not
    #[arg(long)]
    text: Option<PathBuf>,
    /// What part of its words may be wrong before the recording counts as none of it
    #[arg(long, default_value_t = 0.2, requires = "text")]
    most_errors: f64,
    /// Fail where it counts as none of it
    #[arg(long, requires = "text")]
    require: bool,
    /// The JSON file to write
    #[arg(long)]
    out: PathBuf,
}

impl Transcription {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let Protocol::Openai = self.protocol;
        let text = self.text.as_deref().map(input_text).transpose()?;
        let bytes = input(&self.audio)?;
        let name = self.audio.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let extension = name.rsplit_once('.').map_or("wav", |(_, extension)| extension);
        let request = json!({
            "audio": digest(&bytes),
            "extension": extension,
            "model": self.model,
            "language": self.language,
            "prompt": self.prompt,
        });
        let mut form = Form::default()
            .text("model", &self.model)
            .text("response_format", "verbose_json")
            .text("timestamp_granularities[]", "word")
            .text("timestamp_granularities[]", "segment");
        if let Some(language) = &self.language {
            form = form.text("language", language);
        }
        if let Some(prompt) = &self.prompt {
            form = form.text("prompt", prompt);
        }
        let form = form.file("file", &format!("audio.{extension}"), media(extension), bytes);
        let mut call = Call::open(world, "openai", &json!({"transcription": request}))?;
        let secret = call.secret().map(str::to_owned);
        let ask = |id: &str| {
            let ask = Ask { patient: true, ..Ask::get("/audio/transcriptions") };
            let ask = ask.bearer(secret.as_deref()).header("x-client-request-id", id);
            Ask { body: Some(form.body()), ..ask }
        };
        if let Err(unanswered) = call.exchange(MOST_TEXT, &ask) {
            return Err(call.told(unanswered, false));
        }
        call.finish(&self.out, &|answer, media| {
            let mut bytes = Vec::new();
            let read = answer.read_to_end(&mut bytes);
            read.map_err(|error| Failure::local(format!("cannot read the answer: {error}")))?;
            let heard = serde_json::from_slice(&bytes).ok().and_then(|value| heard(&value));
            let wrong = || form::wrong("transcript with times", 200, media, &bytes).hint(PAID);
            let mut heard = heard.ok_or_else(wrong)?;
            heard["model"] = json!(self.model);
            if let Some(text) = &text {
                self.verify(text, &mut heard)?;
            }
            let usage = json!({
                "model": self.model,
                "characters": heard["text"].as_str().map(|text| text.chars().count()),
            });
            Ok(Made { output: Output::Bytes(format!("{heard:#}\n").into_bytes()), usage })
        })
    }
}

impl Transcription {
    /// Adds to what was heard how far it is the text.
    fn verify(&self, text: &str, heard: &mut Value) -> Result<(), Failure> {
        let told = word_errors::of(text, heard["text"].as_str().unwrap_or_default())?;
        let wer = told["wer"].as_f64().unwrap_or(1.0);
        let reason = (wer > self.most_errors).then(|| {
            format!("{:.0} % of its words are not those of the text", (wer * 100.0).min(100.0))
        });
        if self.require
            && let Some(reason) = &reason
        {
            let message = format!("wrong-reading: `{}`: {reason}", self.audio.display());
            return Err(Failure::new(message).hint("record it again, or correct the text"));
        }
        heard["aligned"] = json!(reason.is_none());
        heard["reason"] = json!(reason);
        for (name, value) in told.as_object().into_iter().flatten() {
            // Of a transcript `words` are those that were heard.
            if name != "words" {
                heard[name] = value.clone();
            }
        }
        Ok(())
    }
}

fn media(extension: &str) -> &'static str {
    match extension.to_ascii_lowercase().as_str() {
        "wav" => "audio/wav",
        "mp3" | "mpga" => "audio/mpeg",
        "flac" => "audio/flac",
        "ogg" | "oga" | "opus" => "audio/ogg",
        "m4a" | "mp4" => "audio/mp4",
        "webm" => "audio/webm",
        _ => "application/octet-stream",
    }
}

/// A server's transcript as ours; nothing where it has no text, or text without times.
fn heard(value: &Value) -> Option<Value> {
    let text = value["text"].as_str()?.trim();
    let segments = value["segments"].as_array().map_or(&[][..], Vec::as_slice);
    let mut words = timed(&value["words"]);
    if words.is_empty() {
        words = segments.iter().flat_map(|segment| timed(&segment["words"])).collect();
    }
    let estimated = words.is_empty();
    if estimated {
        words = segments.iter().flat_map(spread).collect();
    }
    if words.is_empty() && !text.is_empty() {
        return None;
    }
    let last = words.last().map(|word| word["end"].clone());
    let duration = value["duration"].as_f64().map(Value::from).or(last).unwrap_or(json!(0.0));
    let mut heard = json!({
        "language": value["language"],
        "duration": duration,
        "text": text,
        "words": words,
    });
    if estimated && !text.is_empty() {
        heard["estimated"] = json!(true);
    }
    Some(heard)
}

/// The words of a list that have their times.
fn timed(words: &Value) -> Vec<Value> {
    let words = words.as_array().map_or(&[][..], Vec::as_slice);
    let timed = words.iter().filter_map(|word| {
        let text = word["word"].as_str()?.trim();
        let (start, end) = (word["start"].as_f64()?, word["end"].as_f64()?);
        (!text.is_empty()).then(|| json!({"word": text, "start": start, "end": end.max(start)}))
    });
    timed.collect()
}

/// The words of a segment, each as long as its part of the segment's letters.
fn spread(segment: &Value) -> Vec<Value> {
    let (Some(start), Some(end), Some(text)) =
        (segment["start"].as_f64(), segment["end"].as_f64(), segment["text"].as_str())
    else {
        return Vec::new();
    };
    let letters = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).count().max(1) as f64;
    let all: f64 = text.split_whitespace().map(letters).sum();
    let length = (end - start).max(0.0);
    let place = |letters: f64| ((start + length * letters / all) * 1000.0).round() / 1000.0;
    let mut before = 0.0;
    let words = text.split_whitespace().map(|word| {
        let from = place(before);
        before += letters(word);
        json!({"word": word, "start": from, "end": place(before)})
    });
    words.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_with_times_are_taken_as_they_are() {
        let value = json!({
            "language": "english", "duration": 1.5, "text": " Hello there. ",
            "words": [{"word": " Hello", "start": 0.0, "end": 0.5},
                      {"word": "there", "start": 0.6, "end": 1.0}],
            "segments": [{"start": 0.0, "end": 1.0, "text": "Hello there."}],
        });
        let heard = heard(&value).unwrap();
        assert_eq!(heard["text"], "Hello there.");
        assert_eq!(heard["words"][0], json!({"word": "Hello", "start": 0.0, "end": 0.5}));
        assert_eq!(heard["duration"], 1.5);
        assert!(heard.get("estimated").is_none());
    }

    #[test]
    fn words_in_segments_are_as_good() {
        let word = json!({"word": " Hi", "start": 0.1, "end": 0.4, "probability": 0.9});
        let value = json!({"text": "Hi", "segments": [{"text": "Hi", "words": [word]}]});
        let heard = heard(&value).unwrap();
        assert_eq!(heard["words"][0]["word"], "Hi");
        assert!(heard.get("estimated").is_none());
        assert_eq!(heard["duration"], 0.4);
    }

    #[test]
    fn segments_alone_are_spread_by_letters() {
        let segment =
            |start: f64, end: f64, text: &str| json!({"start": start, "end": end, "text": text});
        let value = json!({
            "text": "Go there. Now",
            "segments": [segment(1.0, 2.4, " Go there."), segment(3.0, 4.0, "Now")],
        });
        let heard = heard(&value).unwrap();
        let expected = json!([
            {"word": "Go", "start": 1.0, "end": 1.4},
            {"word": "there.", "start": 1.4, "end": 2.4},
            {"word": "Now", "start": 3.0, "end": 4.0},
        ]);
        assert_eq!(heard["words"], expected);
        assert_eq!(heard["estimated"], true);
    }

    #[test]
    fn silence_is_an_answer_and_text_without_times_is_none() {
        assert_eq!(heard(&json!({"text": "", "segments": []})).unwrap()["words"], json!([]));
        assert!(heard(&json!({"text": "Hello"})).is_none());
        assert!(heard(&json!({"error": "x"})).is_none());
    }
}
