//! The ledger of a call: what was asked of a service and what came of it, on disk before it counts.
//!
//! It is a folder that outlives the task. `submission.json` is written before the request is sent, and
//! says after each step how far it went; `answer` has the bytes that came. Whoever starts the task
//! again reads it first, so that nothing is asked, or paid, twice.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::failure::Failure;
use super::time::written;

/// How far a submission went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing was asked, or what was asked came to nothing.
    Nothing,
    /// The request may have been sent.
    Asked,
    /// The provider has a job of that name; perhaps it has told where the result is.
    Running {
        /// The job's name.
        job: String,
        /// Where the result is, in the provider's words.
        result: Option<Value>,
    },
    /// The answer is in `answer`.
    Answered {
        /// Its media type.
        media: String,
        /// When it was whole, in milliseconds since 1970.
        at: u64,
    },
}

/// The ledger of one call.
#[derive(Debug)]
pub(crate) struct Ledger {
    folder: PathBuf,
    service: String,
    protocol: &'static str,
    request: String,
    id: String,
    at: u64,
    state: State,
}

const SUBMISSION: &str = "submission.json";

impl Ledger {
    /// Reads the ledger in `folder` for the request whose digest is `request`.
    ///
    /// # Errors
    /// Where it is damaged, or is about something else.
    pub(crate) fn open(
        folder: &Path,
        service: &str,
        protocol: &'static str,
        request: &str,
    ) -> Result<Self, Failure> {
        let mut ledger = Self {
            folder: folder.to_owned(),
            service: service.to_owned(),
            protocol,
            request: request.to_owned(),
            id: String::new(),
            at: 0,
            state: State::Nothing,
        };
        let path = folder.join(SUBMISSION);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ledger),
            Err(error) => return Err(unreadable(&path, &error.to_string())),
        };
        let entry: Value = serde_json::from_slice(&bytes)
            .map_err(|error| unreadable(&path, &error.to_string()))?;
        ledger.read(&entry).map_err(|why| unreadable(&path, &why))?;
        let (was_request, was_protocol) = (&entry["request"], &entry["protocol"]);
        if was_request != request || was_protocol != protocol {
            return Err(Failure::new(format!(
                "other-submission: the ledger is about another request to {service}, of {}",
                written(ledger.at)
            ))
            .hint(SETTLE)
            .open());
        }
        if matches!(ledger.state, State::Answered { .. }) && !ledger.answer().is_file() {
            return Err(unreadable(&ledger.answer(), "the answer is not there"));
        }
        Ok(ledger)
    }

    fn read(&mut self, entry: &Value) -> Result<(), String> {
        if entry["version"] != 1 {
            return Err(format!("its version is `{}`, not 1", entry["version"]));
        }
        let text = |name: &str| {
            entry[name].as_str().map(str::to_owned).ok_or_else(|| format!("it has no `{name}`"))
        };
        self.id = text("id")?;
        self.at = entry["at"].as_u64().ok_or("it has no `at`")?;
        text("request")?;
        text("protocol")?;
        self.state = match text("state")?.as_str() {
            "asked" => State::Asked,
            "running" => {
                let result = Some(entry["result"].clone()).filter(|result| !result.is_null());
                State::Running { job: text("job")?, result }
            }
            "answered" => {
                let at = entry["answered"].as_u64().unwrap_or(self.at);
                State::Answered { media: text("media")?, at }
            }
            state => return Err(format!("it has an unknown state `{state}`")),
        };
        Ok(())
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Our name for the submission.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// When it was asked, in milliseconds since 1970.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    /// Where the answer's bytes are.
    pub(crate) fn answer(&self) -> PathBuf {
        self.folder.join("answer")
    }

    /// Notes that the request is about to be sent, under our name `id`.
    pub(crate) fn ask(&mut self, id: &str, at: u64) -> Result<(), Failure> {
        (self.id, self.at) = (id.to_owned(), at);
        self.set(State::Asked)
    }

    /// Notes the provider's job.
    pub(crate) fn run(&mut self, job: &str) -> Result<(), Failure> {
        self.set(State::Running { job: job.to_owned(), result: None })
    }

    /// Notes where the job's result is.
    pub(crate) fn found(&mut self, job: &str, result: Value) -> Result<(), Failure> {
        self.set(State::Running { job: job.to_owned(), result: Some(result) })
    }

    /// A file for the answer while it comes.
    pub(crate) fn part(&self) -> Result<Part, Failure> {
        let path = self.folder.join("answer.part");
        let file = File::create(&path).map_err(|error| unwritable(&path, &error))?;
        Ok(Part { file, path })
    }

    /// Notes that the answer has come whole, and is in `part`.
    pub(crate) fn answered(&mut self, part: Part, media: &str, at: u64) -> Result<(), Failure> {
        let Part { file, path } = part;
        let kept = file
            .sync_all()
            .and_then(|()| fs::rename(&path, self.answer()))
            .and_then(|()| sync(&self.folder));
        kept.map_err(|error| unwritable(&self.answer(), &error))?;
        self.set(State::Answered { media: media.to_owned(), at })
    }

    /// Forgets the submission: nothing is open.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.state = State::Nothing;
        let path = self.folder.join(SUBMISSION);
        remove(&path)?;
        sync(&self.folder).map_err(|error| unwritable(&path, &error))?;
        remove(&self.answer())
    }

    /// Writes what the call used.
    pub(crate) fn usage(&self, usage: &Value) -> Result<(), Failure> {
        self.put("usage.json", usage)
    }

    fn set(&mut self, state: State) -> Result<(), Failure> {
        let (name, job) = match &state {
            State::Nothing => return self.clear(),
            State::Asked => ("asked", None),
            State::Running { job, .. } => ("running", Some(job)),
            State::Answered { .. } => ("answered", None),
        };
        let mut entry = json!({
            "version": 1,
            "service": self.service,
            "protocol": self.protocol,
            "request": self.request,
            "id": self.id,
            "state": name,
            "job": job,
            "at": self.at,
        });
        match &state {
            State::Running { result: Some(result), .. } => entry["result"] = result.clone(),
            State::Answered { media, at } => {
                entry["media"] = json!(media);
                entry["answered"] = json!(at);
            }
            _ => {}
        }
        self.put(SUBMISSION, &entry)?;
        self.state = state;
        Ok(())
    }

    fn put(&self, name: &str, value: &Value) -> Result<(), Failure> {
        let path = self.folder.join(name);
        let new = self.folder.join(format!("{name}.part"));
        let written = File::create(&new).and_then(|mut file| {
            file.write_all(format!("{value}\n").as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)?;
            sync(&self.folder)
        });
        written.map_err(|error| unwritable(&path, &error))
    }
}

/// An answer while it comes.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) file: File,
    path: PathBuf,
}

/// Whether the ledger in `folder` has a submission whose outcome is open.
pub(crate) fn is_open(folder: &Path) -> bool {
    match fs::read(folder.join(SUBMISSION)) {
        Ok(bytes) => serde_json::from_slice::<Value>(&bytes)
            .map_or(true, |entry| entry["state"] != "answered"),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

/// What a person can do about a submission in general.
pub(crate) const SETTLE: &str =
    "`vwfb settle LABEL --again` forgets it and asks again, which may be paid twice";

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::new(format!("damaged-ledger: `{}` cannot be used: {why}", path.display()))
        .hint(SETTLE)
        .open()
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::local(format!("cannot write `{}`: {error}", path.display()))
}

fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::local(format!("cannot remove `{}`: {error}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Makes what was renamed in `folder` durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, request: &str) -> Result<Ledger, Failure> {
        Ledger::open(folder, "tts", "openai", request)
    }

    #[test]
    fn each_step_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path(), "d1").unwrap();
        assert_eq!(ledger.state(), &State::Nothing);
        assert!(!is_open(folder.path()));

        ledger.ask("mine", 5).unwrap();
        let again = open(folder.path(), "d1").unwrap();
        assert_eq!((again.state(), again.id(), again.at()), (&State::Asked, "mine", 5));
        assert!(is_open(folder.path()));

        ledger.run("theirs").unwrap();
        ledger.found("theirs", json!({"path": "/a"})).unwrap();
        let running = State::Running { job: "theirs".into(), result: Some(json!({"path": "/a"})) };
        assert_eq!(open(folder.path(), "d1").unwrap().state(), &running);
        assert!(is_open(folder.path()));

        let mut part = ledger.part().unwrap();
        part.file.write_all(b"sound").unwrap();
        ledger.answered(part, "audio/wav", 9).unwrap();
        let again = open(folder.path(), "d1").unwrap();
        assert_eq!(again.state(), &State::Answered { media: "audio/wav".into(), at: 9 });
        assert_eq!(fs::read(again.answer()).unwrap(), b"sound");
        assert!(!is_open(folder.path()));

        ledger.clear().unwrap();
        assert_eq!(open(folder.path(), "d1").unwrap().state(), &State::Nothing);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_ledger_of_something_else_or_a_damaged_one_is_a_matter_for_people() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), "d1").unwrap().ask("mine", 5).unwrap();
        let failure = open(folder.path(), "d2").unwrap_err();
        assert_eq!(failure.code(), 3);
        assert!(failure.to_string().contains("other-submission"), "{failure}");

        for text in ["", "{", "[]", "{\"version\":2}", "{\"version\":1,\"id\":\"a\",\"at\":1}"] {
            fs::write(folder.path().join(SUBMISSION), text).unwrap();
            let failure = open(folder.path(), "d1").unwrap_err();
            assert_eq!(failure.code(), 3, "{text}");
            assert!(failure.to_string().contains("damaged-ledger"), "{failure}");
            assert!(is_open(folder.path()));
        }
    }

    #[test]
    fn an_answer_that_is_gone_is_damage() {
        let folder = tempfile::tempdir().unwrap();
        let mut ledger = open(folder.path(), "d1").unwrap();
        ledger.ask("mine", 5).unwrap();
        let part = ledger.part().unwrap();
        ledger.answered(part, "text/plain", 6).unwrap();
        fs::remove_file(ledger.answer()).unwrap();
        assert_eq!(open(folder.path(), "d1").unwrap_err().code(), 3);
    }
}
