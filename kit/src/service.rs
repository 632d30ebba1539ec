//! Clients of model services: speech, transcripts, text, pictures and films from servers.
//!
//! Such servers are slow, paid, flaky, and never answer the same twice. So that nothing is asked or
//! paid twice, what is asked is in a ledger before it is asked; see `ledger`. What may change a
//! result is an argument; where the service is, its key and how long to wait are in the environment.

mod call;
mod chat;
mod comfy;
mod failure;
mod files;
mod form;
mod gradio;
mod graphs;
mod http;
mod ledger;
mod multipart;
mod picture;
mod probe;
mod settings;
mod speech;
mod sse;
mod time;
mod transcription;
mod watch;
mod wav;
mod word_errors;

use clap::Subcommand;

pub use chat::Chat;
pub use comfy::{ImageToVideo, TextToImage, TextToVideo};
pub use failure::Failure;
pub use probe::Probe;
pub use settings::Environment;
pub use speech::Speech;
pub use transcription::Transcription;
pub use word_errors::WordErrors;

/// What the clients see of the world outside of the service.
#[derive(Clone, Copy)]
pub struct World<'w> {
    /// The environment.
    pub env: &'w Environment<'w>,
    /// The moment, in milliseconds since 1970.
    pub now: &'w dyn Fn() -> u64,
}

/// The work that services do.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// Speak a text, with a model service
    Speech(Speech),
    /// Write down what is said in a recording, with a model service
    Transcription(Transcription),
    /// Let a language model write a text
    Chat(Chat),
    /// Let a model paint a picture
    TextToImage(TextToImage),
    /// Let a model move a picture
    ImageToVideo(ImageToVideo),
    /// Let a model make a film
    TextToVideo(TextToVideo),
    /// Tell whether a model service is there, as one JSON object
    Probe(Probe),
    /// Count the words of a text that were not heard as they are
    WordErrors(WordErrors),
}

impl Work {
    /// Does the work.
    ///
    /// # Errors
    /// Where it comes to nothing; the failure's code tells whether something is open.
    pub fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let done = match self {
            Self::Speech(speech) => speech.run(world),
            Self::Transcription(transcription) => transcription.run(world),
            Self::Chat(chat) => chat.run(world),
            Self::TextToImage(picture) => picture.run(world),
            Self::ImageToVideo(film) => film.run(world),
            Self::TextToVideo(film) => film.run(world),
            Self::Probe(probe) => return probe.run(world),
            Self::WordErrors(errors) => return errors.run(),
        };
        done.map_err(|failure| {
            let secret = (world.env)("VWFB_SERVICE_SECRET").unwrap_or_default();
            let failure = failure.without(secret.to_string_lossy().trim());
            let open = settings::ledger_folder(world.env).is_ok_and(|it| ledger::is_open(&it));
            if open { failure.open() } else { failure }
        })
    }
}
