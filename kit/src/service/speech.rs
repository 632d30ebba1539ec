//! Speech from text: asks a server for a WAV file, and writes it with right sizes.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::files::{Made, Output, input_text};
use super::http::{Ask, MOST_FILE};
use super::{World, form, gradio, wav};

/// How a server of speech is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// `POST /audio/speech`, as OpenAI has it
    Openai,
    /// A Gradio application with `/generate`, as VoxCPM has it
    Voxcpm,
}

/// Speak a text.
#[derive(Debug, Args)]
pub struct Speech {
    /// How the server is spoken to
    #[arg(long)]
    pub(crate) protocol: Protocol,
    /// The file with the text
    #[arg(long)]
    pub(crate) text: PathBuf,
    /// The WAV file to write
    #[arg(long)]
    pub(crate) out: PathBuf,
    /// The model (openai)
    #[arg(long, default_value = "tts-1")]
    pub(crate) model: String,
    /// The voice (openai)
    #[arg(long, default_value = "alloy")]
    pub(crate) voice: String,
    /// How fast, 1 being as the voice speaks by itself (openai)
    #[arg(long)]
    pub(crate) speed: Option<f64>,
    /// How to speak, in words (openai)
    #[arg(long)]
    pub(crate) instructions: Option<String>,
    /// A recording of the voice to speak with (voxcpm)
    #[arg(long, requires = "reference_text")]
    pub(crate) reference_audio: Option<PathBuf>,
    /// What is said in it, word for word (voxcpm)
    #[arg(long, requires = "reference_audio")]
    pub(crate) reference_text: Option<String>,
    /// How many steps the model takes (voxcpm)
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) steps: u32,
    /// How closely the model keeps to the voice (voxcpm)
    #[arg(long, default_value_t = 2.0)]
    pub(crate) cfg: f64,
    /// Let the server write numbers and signs out (voxcpm)
    #[arg(long)]
    pub(crate) normalize: bool,
}

impl Speech {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let text = input_text(&self.text)?;
        match self.protocol {
            Protocol::Openai => self.openai(world, &text),
            Protocol::Voxcpm => gradio::speak(self, world, &text),
        }
    }

    fn openai(&self, world: &World<'_>, text: &str) -> Result<(), Failure> {
        let mut body = json!({
            "model": self.model,
            "voice": self.voice,
            "input": text,
            "response_format": "wav",
        });
        if let Some(speed) = self.speed {
            if !(0.25..=4.0).contains(&speed) {
                return Err(Failure::new(format!("nothing speaks at a speed of {speed}"))
                    .hint("0.25 to 4 can be said"));
            }
            body["speed"] = json!(speed);
        }
        if let Some(instructions) = &self.instructions {
            body["instructions"] = json!(instructions);
        }
        let mut call = Call::open(world, "openai", &json!({"speech": body}))?;
        let secret = call.secret().map(str::to_owned);
        let ask = |id: &str| {
            let ask = Ask::json("/audio/speech", &body).bearer(secret.as_deref());
            ask.header("x-client-request-id", id)
        };
        if let Err(unanswered) = call.exchange(MOST_FILE, &ask) {
            return Err(call.told(unanswered, false));
        }
        let usage = json!({"characters": text.chars().count(), "model": self.model});
        call.finish(&self.out, &|answer, media| sound(answer, media, usage.clone()))
    }
}

/// The sound in an answer.
///
/// # Errors
/// Where there is none.
pub(crate) fn sound(answer: &mut File, media: &str, mut usage: Value) -> Result<Made, Failure> {
    let audio = media.starts_with("audio/") || media == "application/octet-stream";
    let read = if audio || media.is_empty() { wav::read(answer) } else { Err(String::new()) };
    match read {
        Ok(wav) => {
            usage["audio_seconds"] = json!(wav.seconds);
            let tail = if wav.size % 2 == 0 { Vec::new() } else { vec![0] };
            let output = Output::Slice { head: wav.head, from: wav.from, size: wav.size, tail };
            Ok(Made { output, usage })
        }
        Err(why) => {
            let mut begin = Vec::new();
            let _ = answer.rewind().and_then(|()| answer.take(256).read_to_end(&mut begin));
            let why = if why.is_empty() { why } else { format!(" ({why})") };
            Err(form::wrong(&format!("WAV file{why}"), 200, media, &begin).hint(PAID))
        }
    }
}

/// What a wrong answer means.
pub(crate) const PAID: &str = "the service has answered, and may have to be paid; the next run asks again, as nothing else helps";
