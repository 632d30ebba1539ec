//! Whether a service is there: where it is said to be, with its secret, and with the models that
//! targets ask for. `vwfb-kit` asks it, as it would for a task.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use vwfb_engine::desk::{Desk, GrantError, Variables};
use vwfb_engine::needs::{Needs, ServiceNeed};
use vwfb_engine::tools::KIT;
use vwfb_rules::service::ServiceDef;

use super::within::said;
use super::{State, Users, remedy};
use crate::locate::program;

/// How long all of them have.
const LIMIT: Duration = Duration::from_secs(6);

/// What is found of a service.
#[derive(Debug, Default, Serialize)]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) url: Option<String>,
    pub(super) protocol: Option<&'static str>,
    pub(super) version: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) models: Vec<Model>,
    #[serde(flatten)]
    pub(super) users: Users,
    /// What is the matter.
    pub(super) why: Vec<String>,
    /// What to type or to write.
    pub(super) fix: Vec<String>,
}

/// The secret that it wants. Never its value.
#[derive(Debug, Serialize)]
pub(super) struct Secret {
    pub(super) name: String,
    pub(super) found: bool,
}

/// A model that it is asked for.
#[derive(Debug, Serialize)]
pub(super) struct Model {
    pub(super) name: String,
    /// Nothing where the service does not say which it has.
    pub(super) found: Option<bool>,
}

/// How a service is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Anthropic,
    Comfyui,
    Ollama,
    Openai,
    Voxcpm,
}

/// The words for them, which are also the names of services.
const PROTOCOLS: [(&str, Protocol); 5] = [
    ("anthropic", Protocol::Anthropic),
    ("comfyui", Protocol::Comfyui),
    ("ollama", Protocol::Ollama),
    ("openai", Protocol::Openai),
    ("voxcpm", Protocol::Voxcpm),
];

/// Asks all services of `needs` at once; `settings` is the folder of the person's settings.
pub(super) fn look(needs: &Needs, desk: &Desk, settings: Option<&Path>) -> Vec<Service> {
    let limit = Instant::now() + LIMIT;
    thread::scope(|scope| {
        let asked: Vec<_> = needs
            .services
            .iter()
            .map(|(name, need)| {
                let patient = Patient { name, need, desk, settings, limit };
                scope.spawn(move || patient.found())
            })
            .collect();
        let join = |it: thread::ScopedJoinHandle<'_, Service>| it.join();
        asked.into_iter().map(|it| join(it).unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// A service that is looked at.
#[derive(Clone, Copy)]
struct Patient<'a> {
    name: &'a str,
    need: &'a ServiceNeed,
    desk: &'a Desk,
    settings: Option<&'a Path>,
    limit: Instant,
}

impl Patient<'_> {
    fn found(&self) -> Service {
        let mut found = Service {
            name: self.name.to_owned(),
            users: Users::of(&self.need.users),
            models: self
                .need
                .models
                .keys()
                .map(|it| Model { name: it.clone(), found: None })
                .collect(),
            ..Service::default()
        };
        let known = match self.desk.known(&self.need.service) {
            Ok(known) => known,
            Err(error) => return found.is(State::Broken, error, []),
        };
        found.url = known.url.clone();
        let secret = |name: String| Secret { found: self.desk.secret(&name).is_ok(), name };
        found.secret = known.secret.clone().map(secret);
        let protocol = self.protocol();
        found.protocol = protocol.map(|(word, _)| word);
        match self.desk.variables(self.name, &known) {
            Err(GrantError::Secret(error)) => {
                let fix = remedy(&error);
                found.is(State::Missing, error, [fix])
            }
            Err(GrantError::NoAddress(_)) => {
                let fix = self.elsewhere();
                found.is(State::Missing, "nothing says where it is", [fix])
            }
            Err(error) => found.is(State::Broken, error, []),
            Ok(variables) => match protocol {
                Some((word, protocol)) => self.asked(found, &known, variables, (word, protocol)),
                None => found.is(State::Unknown, "nothing here knows how to ask it", []),
            },
        }
    }

    /// As its name says, else as its tasks speak, else as its name begins.
    fn protocol(&self) -> Option<(&'static str, Protocol)> {
        let of = |is_it: &dyn Fn(&str) -> bool| PROTOCOLS.into_iter().find(|(word, _)| is_it(word));
        let said = self.need.protocol.as_deref();
        let known = of(&|word| word == self.name).or_else(|| of(&|word| Some(word) == said));
        known.or_else(|| of(&|word| self.name.starts_with(word)))
    }

    fn asked(
        &self,
        found: Service,
        known: &ServiceDef,
        Variables { env, secret }: Variables,
        (word, protocol): (&str, Protocol),
    ) -> Service {
        let Some(kit) = program(KIT) else {
            return found.is(State::Unknown, format!("`{KIT}` is not there to ask it"), []);
        };
        let mut command = Command::new(kit);
        command.args(["probe", word]).current_dir("/").env_clear().envs(env).envs(secret);
        let down = |found: Service, why: String| {
            let fix = [self.start(known, protocol), self.elsewhere()];
            found.is(State::Down, why, fix)
        };
        let Some(said) = said(command, self.limit) else {
            return down(found, "it does not answer in time".to_owned());
        };
        let told = said.text.lines().find_map(|line| serde_json::from_str::<Value>(line).ok());
        let Some(told) = told.filter(Value::is_object) else {
            return found.is(State::Broken, said.text.trim(), []);
        };
        let why = told["why"].as_str().map(str::to_owned);
        if told["up"] != true {
            return down(found, why.unwrap_or_default());
        }
        if let Some(why) = why {
            let fix = match &known.secret {
                Some(secret) => format!("export {secret}=... with one that it takes"),
                None => {
                    let name = self.name;
                    format!(
                        "services {{ {name} secret=\"NAME\" }} in WORKSPACE.kdl, and export NAME=..."
                    )
                }
            };
            return found.is(State::Refused, why, [fix]);
        }
        let version = told["version"].as_str().map(str::to_owned);
        let listed = told["models"].as_array().map_or(&[][..], Vec::as_slice);
        let listed: Vec<&str> = listed.iter().filter_map(Value::as_str).collect();
        Service { version, ..found }.with_models(&listed, known, protocol)
    }

    /// What starts it.
    fn start(&self, known: &ServiceDef, protocol: Protocol) -> String {
        let (host, port) = place(known.url.as_deref().unwrap_or_default());
        let is_local = host.starts_with("127.") || ["localhost", "[::1]"].contains(&host);
        let own = match protocol {
            Protocol::Ollama => {
                let other = (port != Some("11434")).then(|| {
                    format!(
                        "OLLAMA_HOST={host}{} ",
                        port.map(|port| format!(":{port}")).unwrap_or_default()
                    )
                });
                format!("{}ollama serve", other.filter(|_| is_local).unwrap_or_default())
            }
            Protocol::Comfyui => {
                format!("python main.py --port {}", port.unwrap_or("8188"))
                    + " in the folder of ComfyUI"
            }
            Protocol::Voxcpm => "python app.py in the folder of VoxCPM".to_owned(),
            Protocol::Openai | Protocol::Anthropic => {
                return format!("start it on {host}, or see that the network leads there");
            }
        };
        if is_local { own } else { format!("on {host}: {own}") }
    }

    /// How to say that it is at another place.
    fn elsewhere(&self) -> String {
        let own = self.settings.map(|folder| folder.join("services.kdl"));
        let own = own.as_deref().map(home).map(|path| format!(" or {path}")).unwrap_or_default();
        format!(
            "services {{ {} url=\"http://...\" }} in WORKSPACE.kdl{own}, with where it is",
            self.name
        )
    }
}

impl Service {
    fn is<const N: usize>(self, state: State, why: impl ToString, fix: [String; N]) -> Self {
        Self { state, why: vec![why.to_string()], fix: fix.into(), ..self }
    }

    /// Says which models are there, if the service `listed` any.
    fn with_models(mut self, listed: &[&str], known: &ServiceDef, protocol: Protocol) -> Self {
        for model in self.models.iter_mut().filter(|_| !listed.is_empty()) {
            let is_there = listed.iter().any(|listed| is_model(&model.name, listed, protocol));
            model.found = Some(is_there);
            if is_there {
                continue;
            }
            self.state = State::Missing;
            self.why.push(format!("it has no model `{}`", model.name));
            self.fix.push(match protocol {
                Protocol::Ollama => {
                    let url = known.url.as_deref().unwrap_or_default();
                    let is_usual =
                        ["http://127.0.0.1:11434", "http://localhost:11434"].contains(&url);
                    let host = if is_usual { String::new() } else { format!("OLLAMA_HOST={url} ") };
                    format!("{host}ollama pull {}", model.name)
                }
                _ => {
                    let some: Vec<&str> = listed.iter().copied().take(NAMED).collect();
                    let more = if listed.len() > NAMED { ", ..." } else { "" };
                    format!("name another model; it has {}{more}", some.join(", "))
                }
            });
        }
        self
    }
}

/// How many models are named to someone who names none of them.
const NAMED: usize = 8;

/// Whether `listed` is what is called `name`.
fn is_model(name: &str, listed: &str, protocol: Protocol) -> bool {
    match protocol {
        // A name without a tag is that of the latest.
        Protocol::Ollama if !name.contains(':') => listed.strip_suffix(":latest") == Some(name),
        // A date is left out, or `latest` stands for it.
        Protocol::Anthropic if name != listed => {
            let name = name.strip_suffix("-latest").unwrap_or(name);
            let date = listed.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
            date.is_some_and(|date| date.bytes().all(|byte| byte.is_ascii_digit()))
        }
        _ => name == listed,
    }
}

/// The host and the port of an address.
fn place(url: &str) -> (&str, Option<&str>) {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split('/').next().unwrap_or_default();
    match place.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (place, None),
    }
}

/// A path as people write it.
fn home(path: &Path) -> String {
    let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
    let below = home.and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned));
    below.map_or_else(|| path.display().to_string(), |below| format!("~/{}", below.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_may_be_called_without_its_tag_or_date() {
        for (name, listed, protocol) in [
            ("qwen:14b", "qwen:14b", Protocol::Ollama),
            ("qwen", "qwen:latest", Protocol::Ollama),
            ("claude-a-1", "claude-a-1-20260101", Protocol::Anthropic),
            ("claude-a-latest", "claude-a-20260101", Protocol::Anthropic),
            ("gpt", "gpt", Protocol::Openai),
        ] {
            assert!(is_model(name, listed, protocol), "{name}");
        }
        assert!(!is_model("qwen", "qwen:14b", Protocol::Ollama));
        assert!(!is_model("claude-a", "claude-a-1-20260101", Protocol::Anthropic));
        assert!(!is_model("gpt", "gpt-2", Protocol::Openai));
    }

    #[test]
    fn an_address_has_a_host_and_perhaps_a_port() {
        assert_eq!(place("http://127.0.0.1:8188/x"), ("127.0.0.1", Some("8188")));
        assert_eq!(place("https://api.a.com/v1"), ("api.a.com", None));
        assert_eq!(place("http://[::1]:1"), ("[::1]", Some("1")));
        assert_eq!(place("http://[::1]"), ("[::1]", None));
    }
}
