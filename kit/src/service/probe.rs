//! Whether a service is there, and what it has.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::chat::place;
use super::chat::{model_names, with_key};
use super::failure::{Failure, without};
use super::form;
use super::http::{Ask, Fault, Http};
use super::settings::Settings;

/// The protocols of services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Ollama
    Ollama,
    /// OpenAI, and servers like it
    Openai,
    /// Anthropic
    Anthropic,
    /// VoxCPM, and other Gradio applications
    Voxcpm,
    /// ComfyUI
    Comfyui,
}

/// Tell whether a service is there, as one JSON object.
#[derive(Debug, Args)]
pub struct Probe {
    /// How the service is spoken to
    protocol: Protocol,
}

/// How long a service has for its answers.
const PATIENCE: Duration = Duration::from_secs(5);

impl Probe {
    pub(crate) fn run(&self, world: &super::World<'_>) -> Result<(), Failure> {
        let settings = Settings::read(world.env)?;
        let idle = settings.idle.min(PATIENCE);
        let settings = Settings { idle, deadline: PATIENCE, ..settings };
        // As it would be written in JSON.
        let secret = json!(settings.secret.as_deref().unwrap_or_default()).to_string();
        let told = without(&self.told(&settings).to_string(), secret.trim_matches('"'));
        writeln!(io::stdout(), "{told}")
            .map_err(|error| Failure::new(format!("cannot write the result: {error}")))
    }

    fn told(&self, settings: &Settings) -> Value {
        let http = Http::new(settings, Instant::now() + PATIENCE);
        let path = match self.protocol {
            Protocol::Ollama => "/api/version".to_owned(),
            Protocol::Openai => "/models".to_owned(),
            Protocol::Anthropic => place(&settings.url, "/models"),
            Protocol::Voxcpm => "/config".to_owned(),
            Protocol::Comfyui => "/system_stats".to_owned(),
        };
        let value = match self.look(&http, settings, &path) {
            Ok(value) => value,
            Err((up, why)) => {
                return json!({"up": up, "version": null, "models": [], "why": why});
            }
        };
        let ids = || {
            let models = value["data"].as_array().map_or(&[][..], Vec::as_slice);
            models.iter().filter_map(|model| model["id"].as_str().map(str::to_owned)).collect()
        };
        let (version, models) = match self.protocol {
            Protocol::Ollama => {
                let tags = self.look(&http, settings, "/api/tags").unwrap_or_default();
                (&value["version"], model_names(&tags))
            }
            Protocol::Openai | Protocol::Anthropic => (&Value::Null, ids()),
            Protocol::Voxcpm => (&value["version"], Vec::new()),
            Protocol::Comfyui => (&value["system"]["comfyui_version"], Vec::new()),
        };
        json!({"up": true, "version": version, "models": models, "why": null})
    }

    /// What is at `path`, or whether the service is up and why it is of no use.
    fn look(&self, http: &Http, settings: &Settings, path: &str) -> Result<Value, (bool, String)> {
        let secret = settings.secret.as_deref();
        let ask = match self.protocol {
            Protocol::Anthropic => with_key(Ask::get(path), secret),
            _ => Ask::get(path).bearer(secret),
        };
        let why = |fault| match fault {
            Fault::Unsent(why, _) | Fault::Lost(why) => (false, why),
            Fault::Wrong(failure) => (false, failure.to_string()),
        };
        let mut answer = http.send(&ask).map_err(why)?;
        match answer.status {
            200 => {}
            401 | 403 => return Err((true, "the key is refused".to_owned())),
            status => return Err((false, format!("it answers {status} at `{path}`"))),
        }
        let bytes = answer.bytes().map_err(why)?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object).ok_or_else(|| {
            (false, form::wrong("JSON object", 200, &answer.media, &bytes).to_string())
        })
    }
}
