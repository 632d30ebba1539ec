//! Services: what `services` of WORKSPACE.kdl, and of a person's own settings, say of the servers
//! that rules ask. Their names and versions are in keys; where they are, and with which secret they
//! are asked, is not.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::codes::{DUPLICATE_NAME, WRONG_TYPE, WRONG_UNIT};
use crate::cost::{Estimate, Money, Price, Reading};
use crate::diagnostic::{Checked, Diagnostic};
use crate::label::WsPath;
use crate::read::{self, Problems};
use crate::suggest::did_you_mean;
use crate::syntax::{Node, Value, nodes};
use crate::typed::is_variable;
use crate::units;

/// What is known of one service. What is not said is unset, so that one file can go over another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceDef {
    /// Where it is: an `http` or `https` address without a query.
    pub url: Option<String>,
    /// The name of the secret that it wants.
    pub secret: Option<String>,
    /// What keys know it by beside its name: the version of the model behind it, say.
    pub version: Option<String>,
    /// Whether to be asked twice costs nothing, so that an answer that was lost is asked for again.
    pub repeat: Option<bool>,
    /// How long it may be silent.
    pub idle: Option<Duration>,
    /// How long one task may wait for it in all.
    pub deadline: Option<Duration>,
    /// What it takes for its answers.
    pub prices: Vec<Price>,
}

/// The properties of a service.
const PROPERTIES: [&str; 6] = ["url", "secret", "version", "repeat", "idle", "deadline"];

/// The services that are known everywhere: name, address and secret.
const BUILT_IN: [(&str, &str, Option<&str>); 5] = [
    ("anthropic", "https://api.anthropic.com", Some("ANTHROPIC_API_KEY")),
    ("comfyui", "http://127.0.0.1:8188", None),
    ("ollama", "http://127.0.0.1:11434", None),
    ("openai", "https://api.openai.com/v1", Some("OPENAI_API_KEY")),
    ("voxcpm", "http://127.0.0.1:7860", None),
];

/// Services by name.
pub type Services = BTreeMap<String, ServiceDef>;

/// The services that every workspace knows.
pub fn built_in() -> Services {
    let service = |(name, url, secret): (&str, &str, Option<&str>)| {
        let (url, secret) = (Some(url.to_owned()), secret.map(str::to_owned));
        (name.to_owned(), ServiceDef { url, secret, ..ServiceDef::default() })
    };
    BUILT_IN.into_iter().map(service).collect()
}

/// The services that a person's own file says, which go over those of workspaces.
pub fn of_person(file: &WsPath, text: &str) -> Checked<Services> {
    let Checked { value: nodes, problems } = nodes(file, text);
    let (mut problems, mut services) = (Problems(problems), Services::new());
    for node in &nodes {
        match node.name.as_str() {
            "services" => read(node, &mut services, &mut problems),
            _ => read::unknown_child("the file", node, &["services"], &mut problems),
        }
    }
    Checked { value: services, problems: problems.0 }
}

/// Takes in a `services` node.
pub(crate) fn read(node: &Node, services: &mut Services, problems: &mut Problems) {
    read::only_props(node, &[], problems);
    read::no_args(node, problems);
    let mut seen: Vec<&Node> = Vec::new();
    for child in &node.children {
        read::no_args(child, problems);
        read::only_props(child, &PROPERTIES, problems);
        if let Some(first) = seen.iter().find(|first| first.name == child.name) {
            let message = format!("service `{}` is declared twice", child.name);
            let problem = Diagnostic::error(DUPLICATE_NAME, message);
            let problem = problem.noted(&child.anchor, "again here");
            problems.push(problem.noted(&first.anchor, "first here"));
            continue;
        }
        seen.push(child);
        let said = service(child, problems);
        services.entry(child.name.clone()).or_default().overlay(&said);
    }
}

fn service(node: &Node, problems: &mut Problems) -> ServiceDef {
    let mut service = ServiceDef::default();
    for (name, value) in &node.props {
        match name.as_str() {
            "url" => {
                let given = text(value, "an address", problems);
                service.url = given.and_then(|text| problems.take(address(text, value)));
            }
            "secret" => {
                let given = text(value, "a secret's name", problems);
                service.secret = given.and_then(|text| problems.take(secret(text, value)));
            }
            "version" => service.version = text(value, "a version", problems).map(str::to_owned),
            "repeat" => service.repeat = read::flag(value, problems),
            "idle" => service.idle = duration(value, problems),
            "deadline" => service.deadline = duration(value, problems),
            // Noted by the caller.
            _ => {}
        }
    }
    for child in &node.children {
        match child.name.as_str() {
            "price" => service.prices.push(Price::read(child, problems)),
            _ => read::unknown_child(&format!("`{}`", node.name), child, &["price"], problems),
        }
    }
    service
}

fn text<'v>(value: &'v Value, what: &str, problems: &mut Problems) -> Option<&'v str> {
    let text = read::text(value, what, problems)?;
    if text.is_empty() || text.contains(char::is_control) {
        problems.push(read::wrong_type(value, what));
        return None;
    }
    Some(text)
}

fn address(text: &str, value: &Value) -> Result<String, Diagnostic> {
    let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split('/').next().unwrap_or_default());
    let fault = |message: &str, hint: &str| {
        Err(Diagnostic::error(WRONG_TYPE, message.to_owned()).at(&value.anchor).hint(hint))
    };
    match host {
        None | Some("") => fault(
            "a service's address begins with `http://` or `https://`",
            "write it whole, as in `http://127.0.0.1:11434`",
        ),
        Some(host) if host.contains('@') => fault(
            "an address holds no user or password",
            "name a `secret`, whose value is read from the environment",
        ),
        Some(_) if text.contains(['?', '#', ' ']) => {
            fault("an address has no query, fragment or space", "leave out what is after the path")
        }
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
    }
}

fn secret(text: &str, value: &Value) -> Result<String, Diagnostic> {
    match is_variable(text) {
        true => Ok(text.to_owned()),
        false => Err(Diagnostic::error(WRONG_TYPE, "this is no secret's name")
            .at(&value.anchor)
            .hint("write the name of the environment variable that holds it, never the secret")),
    }
}

fn duration(value: &Value, problems: &mut Problems) -> Option<Duration> {
    let text = read::text(value, "a duration such as `\"5m\"`", problems)?;
    let duration = units::duration(text).filter(|duration| !duration.is_zero());
    if duration.is_none() {
        let problem = Diagnostic::error(WRONG_UNIT, format!("`{text}` is no time to wait"));
        problems.push(problem.at(&value.anchor).hint("write it as `30s`, `5m` or `1h`"));
    }
    duration
}

impl ServiceDef {
    /// Takes over all that `other` says.
    pub fn overlay(&mut self, other: &Self) {
        let Self { url, secret, version, repeat, idle, deadline, prices } = other.clone();
        self.url = url.or(self.url.take());
        self.secret = secret.or(self.secret.take());
        self.version = version.or(self.version.take());
        self.repeat = repeat.or(self.repeat);
        self.idle = idle.or(self.idle);
        self.deadline = deadline.or(self.deadline);
        if !prices.is_empty() {
            self.prices = prices;
        }
    }
}

/// The service that a task asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceUse {
    /// Its name.
    pub name: String,
    /// What the workspace says of it.
    pub def: ServiceDef,
    /// The model that the task asks for, by its attribute `model`.
    pub model: Option<String>,
    /// What the task is expected to take.
    pub estimate: Estimate,
}

impl ServiceUse {
    /// What the task is expected to cost, as far as its rule tells.
    pub fn expected(&self) -> Money {
        self.estimate.money(&self.def.prices, self.model.as_deref())
    }

    /// What it is expected to cost when it reads this.
    pub fn expected_of(&self, reading: Reading) -> Money {
        self.estimate.of(reading).money(&self.def.prices, self.model.as_deref())
    }

    /// What keys know it by.
    pub fn identity(&self) -> String {
        match &self.def.version {
            Some(version) => format!("{} {version}", self.name),
            None => self.name.clone(),
        }
    }
}

/// The problem of a service that nobody declares.
pub(crate) fn unknown(name: &str, known: &Services) -> (String, String) {
    let hint = did_you_mean(name, known.keys().map(String::as_str)).unwrap_or_else(|| {
        format!("add `services {{ {name} url=\"http://...\" }}` to WORKSPACE.kdl")
    });
    (format!("no service named `{name}`"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::workspace;

    fn services(text: &str) -> Checked<Services> {
        let text = format!("workspace \"w\" {{\n services {{\n{text}\n }}\n}}");
        let Checked { value, problems } = workspace(&WsPath::new("WORKSPACE.kdl").unwrap(), &text);
        Checked { value: value.services, problems }
    }

    #[test]
    fn a_workspace_adds_to_what_is_known_of_services() {
        let Checked { value, problems } = services(
            "ollama url=\"http://gpu:11434/\" repeat=#true idle=\"2m\"\ngroq url=\"https://api.groq.com/openai/v1\" secret=\"GROQ_API_KEY\"\nopenai version=\"2026-11\"",
        );
        assert_eq!(problems, []);
        assert_eq!(value["ollama"].url.as_deref(), Some("http://gpu:11434"));
        assert_eq!(value["ollama"].idle, Some(Duration::from_secs(120)));
        assert_eq!(value["groq"].secret.as_deref(), Some("GROQ_API_KEY"));
        assert_eq!(value["openai"].url.as_deref(), Some("https://api.openai.com/v1"));
        let def = value["openai"].clone();
        let (name, model, estimate) = ("openai".to_owned(), None, Estimate::default());
        assert_eq!(ServiceUse { name, def, model, estimate }.identity(), "openai 2026-11");
    }

    #[test]
    fn what_is_wrong_with_services_is_found_at_once() {
        let Checked { problems, .. } = services(
            "a url=\"gpu:11434\"\nb url=\"https://me:pw@host/\"\nc secret=\"sk-12 34\"\nd idle=\"soon\"\ne urll=\"http://x\"\nf\nf",
        );
        let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
        assert_eq!(
            messages,
            [
                "a service's address begins with `http://` or `https://`",
                "an address holds no user or password",
                "this is no secret's name",
                "`soon` is no time to wait",
                "`e` takes no property `urll`",
                "service `f` is declared twice",
            ]
        );
    }
}
