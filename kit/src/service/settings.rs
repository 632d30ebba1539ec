//! Where a service is, its key, and how long to wait: what the environment grants and no key sees.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::failure::Failure;

/// Reads a variable of the environment.
pub type Environment<'e> = dyn Fn(&str) -> Option<OsString> + 'e;

/// What the environment says of a service.
#[derive(Clone)]
pub(crate) struct Settings {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Where it is, without a slash at the end.
    pub(crate) url: String,
    /// The key that it asks for.
    pub(crate) secret: Option<String>,
    /// How long to wait for a byte, or for a connection.
    pub(crate) idle: Duration,
    /// How long the whole call may take.
    pub(crate) deadline: Duration,
    /// Whether asking again costs nothing.
    pub(crate) repeat: bool,
    /// The first pause between tries.
    pub(crate) pace: Duration,
    /// The first pause between looks at a job.
    pub(crate) look: Duration,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// Where one that is needed is missing, or one is not of its form.
    pub(crate) fn read(env: &Environment<'_>) -> Result<Self, Failure> {
        let url = text(env, "VWFB_SERVICE_URL")?
            .ok_or_else(|| Failure::new("`VWFB_SERVICE_URL` says nothing"))?;
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(Failure::new(format!("`{url}` is no address of a service"))
                .hint("`VWFB_SERVICE_URL` begins with `http://` or `https://`"));
        }
        let secret = text(env, "VWFB_SERVICE_SECRET")?;
        if secret.as_deref().is_some_and(|secret| !secret.bytes().all(|b| b.is_ascii_graphic())) {
            return Err(Failure::new("the service's secret has characters that no header carries")
                .hint("look for spaces and line ends in it"));
        }
        let pace = seconds(env, "VWFB_SERVICE_PACE")?;
        Ok(Self {
            name: text(env, "VWFB_SERVICE")?.unwrap_or_else(|| "the service".to_owned()),
            url: url.trim_end_matches('/').to_owned(),
            secret,
            idle: seconds(env, "VWFB_SERVICE_IDLE")?.unwrap_or(Duration::from_secs(120)),
            deadline: seconds(env, "VWFB_SERVICE_DEADLINE")?.unwrap_or(Duration::from_secs(1800)),
            repeat: text(env, "VWFB_SERVICE_REPEAT")?.as_deref() == Some("1"),
            pace: pace.unwrap_or(Duration::from_millis(500)),
            look: pace.unwrap_or(Duration::from_secs(1)),
        })
    }
}

/// The action's key, in lower case.
///
/// # Errors
/// Where it is missing or no 64 hex digits.
pub(crate) fn action_key(env: &Environment<'_>) -> Result<String, Failure> {
    let key = text(env, "VWFB_SERVICE_KEY")?.unwrap_or_default().to_ascii_lowercase();
    if key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(key);
    }
    Err(Failure::new("`VWFB_SERVICE_KEY` is no action key").hint("it has 64 hex digits"))
}

/// The folder that outlives the task.
///
/// # Errors
/// Where there is none.
pub(crate) fn ledger_folder(env: &Environment<'_>) -> Result<PathBuf, Failure> {
    let folder = env("VWFB_SERVICE_LEDGER").map(PathBuf::from);
    match folder {
        Some(folder) if folder.is_dir() => Ok(folder),
        Some(folder) => Err(Failure::new(format!("`{}` is no folder", folder.display()))
            .hint("`VWFB_SERVICE_LEDGER` names an existing folder")),
        None => Err(Failure::new("`VWFB_SERVICE_LEDGER` says nothing")),
    }
}

fn text(env: &Environment<'_>, name: &str) -> Result<Option<String>, Failure> {
    let Some(value) = env(name) else { return Ok(None) };
    let value = value.into_string().map_err(|_| Failure::new(format!("`{name}` is no text")))?;
    let value = value.trim();
    Ok((!value.is_empty()).then(|| value.to_owned()))
}

fn seconds(env: &Environment<'_>, name: &str) -> Result<Option<Duration>, Failure> {
    let Some(value) = text(env, name)? else { return Ok(None) };
    let read = value.parse::<f64>().ok().filter(|seconds| (0.001..=1e7).contains(seconds));
    let seconds = read.ok_or_else(|| {
        Failure::new(format!("`{name}` is no number of seconds: `{value}`"))
            .hint("write `0.5` or `120`; a millisecond to four months can be said")
    })?;
    Ok(Some(Duration::from_secs_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<Settings, Failure> {
        Settings::read(&|name| {
            let found = given.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn what_is_not_said_has_its_default() {
        let settings = read(&[("VWFB_SERVICE_URL", "http://127.0.0.1:1/v1/")]).unwrap();
        assert_eq!(settings.url, "http://127.0.0.1:1/v1");
        assert_eq!(settings.idle, Duration::from_secs(120));
        assert_eq!(settings.deadline, Duration::from_secs(1800));
        assert_eq!(settings.look, Duration::from_secs(1));
        assert!(!settings.repeat);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(read(&[]).is_err());
        assert!(read(&[("VWFB_SERVICE_URL", "ftp://a")]).is_err());
        let url = ("VWFB_SERVICE_URL", "http://a");
        assert!(read(&[url, ("VWFB_SERVICE_IDLE", "soon")]).is_err());
        assert!(read(&[url, ("VWFB_SERVICE_IDLE", "-1")]).is_err());
        let told = read(&[url, ("VWFB_SERVICE_SECRET", "a\u{e9}b")]).err().unwrap().to_string();
        assert!(!told.contains("a\u{e9}b"), "{told}");
    }

    #[test]
    fn a_line_end_behind_a_secret_is_not_part_of_it() {
        let given = [("VWFB_SERVICE_URL", "http://a"), ("VWFB_SERVICE_SECRET", "sk-1\n")];
        assert_eq!(read(&given).unwrap().secret.as_deref(), Some("sk-1"));
    }
}
