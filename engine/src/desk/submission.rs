//! What a client wrote down of what it asks: `submission.json` in the folder of its task.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use vwfb_cas::{ActionKey, Digest};

/// The file that a client writes.
const SUBMISSION_FILE: &str = "submission.json";
/// The file that says for which task the folder is.
const TASK_FILE: &str = "task.json";

/// The file in which a client says what the answer took.
const USAGE_FILE: &str = "usage.json";

/// The task that a folder is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Task {
    /// Its label.
    pub(super) label: String,
    /// The service that it asks.
    pub(super) service: String,
}

impl Task {
    /// Writes it to the folder of the task, in which the task itself cannot write.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        replace(folder, TASK_FILE, &serde_json::to_vec(self)?)
    }
}

/// How far a submission is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// It was sent, or was about to be; whether it arrived is not known.
    Asked,
    /// The service has it, under the id of a job.
    Running,
    /// The answer is here.
    Answered,
}

/// What was asked of a service for one task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The task's label when it was asked.
    pub label: String,
    /// The service.
    pub service: String,
    /// How far it is.
    pub stage: Stage,
    /// The service's id for it.
    pub job: Option<String>,
    /// When it was asked, in milliseconds since 1970.
    pub at_ms: i64,
    /// How the service is spoken to.
    protocol: Option<String>,
    /// Our name for it.
    pub(super) id: Option<String>,
    /// The folder of the task.
    folder: PathBuf,
    ledger: PathBuf,
}

/// The fields of the file that are read here.
#[derive(Debug, Deserialize)]
struct Written {
    state: Stage,
    #[serde(default)]
    job: Option<String>,
    #[serde(default)]
    at: i64,
    #[serde(default)]
    protocol: Option<String>,
    #[serde(default)]
    id: Option<String>,
}

/// What an answer says that it took.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Usage {
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens that were read.
    pub input_tokens: Option<u64>,
    /// Tokens that were written.
    pub output_tokens: Option<u64>,
    /// Characters that were spoken.
    pub characters: Option<u64>,
    /// From question to answer.
    pub seconds: Option<f64>,
    /// How many questions that were, if not one.
    pub requests: Option<u64>,
}

impl Usage {
    /// Whether the client in `ledger` wrote any.
    pub(super) fn is_there(ledger: &Path) -> bool {
        ledger.join(USAGE_FILE).symlink_metadata().is_ok()
    }

    /// Takes away what the client in `ledger` wrote of it.
    pub(super) fn remove(ledger: &Path) {
        let _gone = fs::remove_file(ledger.join(USAGE_FILE));
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        let seconds = match (self.seconds, other.seconds) {
            (Some(one), Some(other)) => Some(one + other),
            (one, other) => one.or(other),
        };
        Self {
            model: self.model.or(other.model),
            input_tokens: sum(self.input_tokens, other.input_tokens),
            output_tokens: sum(self.output_tokens, other.output_tokens),
            characters: sum(self.characters, other.characters),
            requests: sum(self.requests.or(Some(1)), other.requests.or(Some(1))),
            seconds,
        }
    }

    /// What the client in `ledger` wrote of it.
    pub(crate) fn read(ledger: &Path) -> Option<Self> {
        serde_json::from_slice(&read(&ledger.join(USAGE_FILE)).ok()?).ok()
    }
}

impl Submission {
    /// The submission in the folder `ledger`; one that cannot be read counts as asked.
    pub(super) fn read(folder: &Path, ledger: &Path) -> Option<Self> {
        let bytes = match read(&ledger.join(SUBMISSION_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            read => read.unwrap_or_default(),
        };
        let damaged = Written { state: Stage::Asked, job: None, at: 0, protocol: None, id: None };
        let written: Written = serde_json::from_slice(&bytes).unwrap_or(damaged);
        let task = read(&folder.join(TASK_FILE)).ok();
        let task: Option<Task> = task.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Task { label, service } =
            task.unwrap_or_else(|| Task { label: "?".to_owned(), service: "?".to_owned() });
        let Written { state: stage, job, at: at_ms, protocol, id } = written;
        let (folder, ledger) = (folder.to_owned(), ledger.to_owned());
        Some(Self { label, service, stage, job, at_ms, protocol, id, folder, ledger })
    }

    /// Whether the service may have work of ours whose answer is not here.
    pub fn is_open(&self) -> bool {
        self.stage != Stage::Answered
    }

    /// How to go on after it was not answered.
    pub(crate) fn advice(&self) -> String {
        let Self { label, service, .. } = self;
        let job = match self.has_jobs() {
            true => format!("; if you know its job, `vwfb settle {label} --job ID` waits for that"),
            false => String::new(),
        };
        format!(
            "`{service}` may have done the work already: `vwfb settle {label} --again` asks again, \
             and may be paid again{job}"
        )
    }

    /// Whether the service tells its questions apart by jobs.
    pub fn has_jobs(&self) -> bool {
        matches!(self.protocol.as_deref(), Some("voxcpm" | "comfyui"))
    }

    /// The key of the action that asks it.
    pub fn key(&self) -> Option<ActionKey> {
        let name = self.folder.file_name()?.to_str()?;
        name.parse::<Digest>().ok().map(ActionKey)
    }

    /// Forgets it, so that the next build asks again.
    ///
    /// # Errors
    /// If its file cannot be removed.
    pub fn forget(&self) -> io::Result<()> {
        fs::remove_file(self.ledger.join(SUBMISSION_FILE))
    }

    /// Says that the service has it as `job`, so that the next build waits for that.
    ///
    /// # Errors
    /// If its file cannot be read or written.
    pub fn has_job(&self, job: &str) -> io::Result<()> {
        let bytes = read(&self.ledger.join(SUBMISSION_FILE))?;
        let mut written: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(&bytes)?;
        written.insert("state".to_owned(), "running".into());
        written.insert("job".to_owned(), job.into());
        replace(&self.ledger, SUBMISSION_FILE, &serde_json::to_vec(&written)?)
    }
}

/// More than a client writes into one of its files.
const MOST: u64 = 1 << 20;

/// The bytes of a file that a task may have put there: no link is followed, nothing is waited for, and
/// what is no file, or too large, is an error.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > MOST {
        return Err(io::Error::other("it is no file of a client"));
    }
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts `bytes` into the file `name` of `folder`, whole or not at all, for good.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = folder.join(format!(".{name}"));
    // Whatever lies there is not written through.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(&temporary)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    fs::rename(&temporary, folder.join(name))?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_asked_can_be_settled_by_hand() {
        let ledger = tempfile::tempdir().unwrap();
        let ledger = ledger.path();
        assert_eq!(Submission::read(ledger, ledger), None);
        Task { label: "//a:b".into(), service: "openai".into() }.write(ledger).unwrap();
        let text = "{\"version\":1,\"request\":\"ff\",\"state\":\"asked\",\"job\":null,\"at\":7}";
        fs::write(ledger.join(SUBMISSION_FILE), text).unwrap();
        let asked = Submission::read(ledger, ledger).unwrap();
        assert_eq!((asked.label.as_str(), asked.stage, asked.at_ms), ("//a:b", Stage::Asked, 7));
        asked.has_job("job-1").unwrap();
        let running = Submission::read(ledger, ledger).unwrap();
        assert_eq!((running.stage, running.job.as_deref()), (Stage::Running, Some("job-1")));
        let kept = fs::read_to_string(ledger.join(SUBMISSION_FILE)).unwrap();
        assert!(kept.contains("\"request\":\"ff\""), "the rest is the client's");
        running.forget().unwrap();
        assert_eq!(Submission::read(ledger, ledger), None);
        fs::write(ledger.join(SUBMISSION_FILE), "{").unwrap();
        assert!(
            Submission::read(ledger, ledger).unwrap().is_open(),
            "what cannot be read may be open"
        );
    }
}
