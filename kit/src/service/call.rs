//! A call of a service: submitted once, tried again where that is safe, and finished from the ledger.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::World;
use super::failure::Failure;
use super::files::{self, Made};
use super::form;
use super::http::{Answer, Ask, Fault, Http, MOST_FILE};
use super::ledger::{Ledger, State};
use super::settings::{self, Settings};
use super::time::{backoff, retry_after, written};

/// How often a request is tried.
pub(crate) const TRIES: u32 = 6;

/// Bytes of an error answer that are read.
const MOST_ERROR: u64 = 256 << 10;

/// A call of a service.
pub(crate) struct Call<'w> {
    pub(crate) settings: Settings,
    pub(crate) ledger: Ledger,
    http: Http,
    key: String,
    now: &'w dyn Fn() -> u64,
}

/// Why a submission has no answer.
pub(crate) enum Unanswered {
    /// The service may have had the request.
    Unknown(String),
    /// The service refused it, with that status.
    Refused(u16, Failure),
    /// Anything else; where it is known that nothing was done, nothing is open.
    Failed(Failure),
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Takes an answer.
pub(crate) type Take<'t, T> = dyn FnMut(&mut Ledger, &mut Answer) -> Result<T, Fault> + 't;

impl<'w> Call<'w> {
    /// Opens the ledger of the call that asks for `request`.
    ///
    /// # Errors
    /// Where the environment lacks something, or the ledger is about something else.
    pub(crate) fn open(
        world: &World<'w>,
        protocol: &'static str,
        request: &Value,
    ) -> Result<Self, Failure> {
        let settings = Settings::read(world.env)?;
        let key = settings::action_key(world.env)?;
        let folder = settings::ledger_folder(world.env)?;
        let asked = json!({"protocol": protocol, "request": request}).to_string();
        let digest = blake3::hash(asked.as_bytes()).to_hex();
        let ledger = Ledger::open(&folder, &settings.name, protocol, &digest)?;
        let http = Http::new(&settings, Instant::now() + settings.deadline);
        Ok(Self { settings, ledger, http, key, now: world.now })
    }

    pub(crate) fn secret(&self) -> Option<&str> {
        self.settings.secret.as_deref()
    }

    /// A name for a new submission, as a UUID: from the action's key, and the moment, as a provider
    /// may still know an earlier one that failed.
    fn new_id(&self, at: u64) -> String {
        let digest = blake3::hash(format!("vwfb submission {} {at}", self.key).as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest.as_bytes()[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        parts.join("-")
    }

    /// Asks, once: the intent is in the ledger before the request is sent, and away again when it is
    /// known that nothing was done. `ask` gets our name for the submission.
    pub(crate) fn submit<T>(
        &mut self,
        repeat: bool,
        ask: &dyn Fn(&str) -> Ask,
        take: &mut Take<'_, T>,
    ) -> Result<T, Unanswered> {
        let mut failed = 0;
        loop {
            let at = (self.now)();
            self.ledger.ask(&self.new_id(at), at)?;
            let ask = ask(self.ledger.id());
            let sent = self.http.send(&ask);
            // Who answers for a gateway does not say what became of the question behind it.
            let gateway =
                sent.as_ref().ok().map(|answer| answer.status).filter(|it| is_gateway(*it));
            if sent.as_ref().is_ok_and(|answer| !answer.is_success())
                && (repeat || gateway.is_none())
            {
                // That it is an error is enough; what it says may take its time.
                self.ledger.clear()?;
            }
            let came = match sent {
                Ok(mut answer) if gateway.is_some() && !repeat => {
                    let said = error_text(&mut answer);
                    Err(Fault::Lost(format!("{}: {said}", answer.status)))
                }
                Ok(answer) => match self.refused(answer)? {
                    Ok(mut answer) => take(&mut self.ledger, &mut answer),
                    Err(No::Later(why, wait)) => {
                        failed += 1;
                        self.wait(failed, wait, &why)?;
                        continue;
                    }
                    Err(No::Never(status, failure)) => {
                        return Err(Unanswered::Refused(status, failure));
                    }
                },
                Err(fault) => Err(fault),
            };
            match came {
                Ok(taken) => return Ok(taken),
                Err(Fault::Unsent(why, again)) => {
                    self.ledger.clear()?;
                    failed += 1;
                    if !again {
                        return Err(self.unreachable(&why).into());
                    }
                    self.wait(failed, None, &why)?;
                }
                Err(Fault::Lost(why)) if repeat => {
                    failed += 1;
                    if let Err(failure) = self.wait(failed, None, &why) {
                        self.ledger.clear()?;
                        return Err(failure.into());
                    }
                }
                Err(Fault::Lost(why)) => return Err(Unanswered::Unknown(why)),
                Err(Fault::Wrong(failure)) => {
                    if !failure.is_local() {
                        self.ledger.clear()?;
                    }
                    return Err(failure.into());
                }
            }
        }
    }

    /// Asks what may be asked as often as one likes, until the deadline: looks, and uploads.
    pub(crate) fn repeat<T>(&mut self, ask: &Ask, take: &mut Take<'_, T>) -> Result<T, Failure> {
        let (mut broken, mut refused) = (0, 0);
        loop {
            let came = match self.http.send(ask) {
                Ok(answer) => match self.later(answer)? {
                    Ok(mut answer) => take(&mut self.ledger, &mut answer),
                    Err((why, wait)) => {
                        (broken, refused) = (0, refused + 1);
                        self.wait(refused, wait, &why)?;
                        continue;
                    }
                },
                Err(fault) => Err(fault),
            };
            match came {
                Ok(taken) => return Ok(taken),
                Err(Fault::Unsent(why, false)) => return Err(self.unreachable(&why)),
                Err(Fault::Unsent(why, true) | Fault::Lost(why)) => {
                    (broken, refused) = (broken + 1, 0);
                    self.pause(backoff(self.settings.pace, broken, &self.key), &why)?;
                }
                Err(Fault::Wrong(failure)) => return Err(failure),
            }
        }
    }

    /// The JSON at `ask`, with its status.
    pub(crate) fn json(&mut self, ask: &Ask) -> Result<(u16, Value), Failure> {
        let (status, media, bytes) = self.repeat(ask, &mut |_, answer| {
            Ok((answer.status, answer.media.clone(), answer.bytes()?))
        })?;
        if !(200..300).contains(&status) {
            return Ok((status, Value::Null));
        }
        serde_json::from_slice(&bytes)
            .map(|value| (status, value))
            .map_err(|_| form::wrong("JSON", status, &media, &bytes))
    }

    /// Downloads the result of a job into the ledger.
    pub(crate) fn download(&mut self, ask: &Ask) -> Result<(), Failure> {
        let now = self.now;
        let status = self.repeat(ask, &mut |ledger, answer| {
            if answer.status == 200 {
                keep(ledger, answer, MOST_FILE, now)?;
            }
            Ok(answer.status)
        })?;
        let failure = Failure::new(format!(
            "{} has finished its job, but answers {status} where the result should be",
            self.settings.name
        ));
        match status {
            200 => Ok(()),
            404 | 410 => {
                self.ledger.clear()?;
                Err(failure.hint("the submission is forgotten; the next run asks again"))
            }
            _ => Err(failure.hint("the next run tries to download it again")),
        }
    }

    /// Asks a service that answers in one go; the answer is in the ledger then.
    pub(crate) fn exchange(
        &mut self,
        most: u64,
        ask: &dyn Fn(&str) -> Ask,
    ) -> Result<(), Unanswered> {
        match self.ledger.state() {
            State::Answered { .. } => return Ok(()),
            State::Running { .. } => {
                return Err(Failure::new(
                    "damaged-ledger: the protocol has no jobs, but there is one",
                )
                .hint(super::ledger::SETTLE)
                .open()
                .into());
            }
            State::Asked if !self.settings.repeat => {
                return Err(Unanswered::Unknown(String::new()));
            }
            State::Asked | State::Nothing => {}
        }
        let now = self.now;
        let repeat = self.settings.repeat;
        self.submit(repeat, ask, &mut |ledger, answer| keep(ledger, answer, most, now))
    }

    /// What to say where it is not known whether the service did the work.
    pub(crate) fn unknown(&self, why: &str, jobs: bool) -> Failure {
        let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
        let hint = if jobs {
            "`vwfb settle LABEL --again` asks again, which may be paid twice; \
             `vwfb settle LABEL --job ID` goes on with that job"
        } else {
            "`vwfb settle LABEL --again` asks again, which may be paid twice"
        };
        Failure::new(format!(
            "unknown-submission: {} was asked at {} and whether it did the work is not known{why}",
            self.settings.name,
            written(self.ledger.at())
        ))
        .hint(hint)
        .open()
    }

    /// The plain way from what a submission came to, to what is said.
    pub(crate) fn told(&self, unanswered: Unanswered, jobs: bool) -> Failure {
        match unanswered {
            Unanswered::Unknown(why) => self.unknown(&why, jobs),
            Unanswered::Refused(_, failure) | Unanswered::Failed(failure) => failure,
        }
    }

    /// Writes what the answer in the ledger holds to `out`, and what the call used to the ledger.
    pub(crate) fn finish(
        &mut self,
        out: &Path,
        read: &dyn Fn(&mut File, &str) -> Result<Made, Failure>,
    ) -> Result<(), Failure> {
        let State::Answered { media, at } = self.ledger.state().clone() else {
            return Err(Failure::new("damaged-ledger: there is no answer to finish from").open());
        };
        let path = self.ledger.answer();
        let mut answer = File::open(&path).map_err(|error| files::cannot("read", &path, &error))?;
        let made = match read(&mut answer, &media) {
            Ok(made) => made,
            Err(failure) if failure.is_local() => return Err(failure),
            Err(failure) => {
                // It is of no use, and has cost what it has cost.
                let took = Duration::from_millis(at.saturating_sub(self.ledger.at()));
                self.ledger.usage(&json!({"seconds": took.as_secs_f64()}))?;
                self.ledger.clear()?;
                return Err(failure);
            }
        };
        files::write(&mut answer, out, &made.output)
            .map_err(|error| files::cannot("write", out, &error))?;
        let mut usage = made.usage;
        let took = Duration::from_millis(at.saturating_sub(self.ledger.at()));
        usage["seconds"] = json!(took.as_secs_f64());
        if let Some(known) = usage.as_object_mut() {
            known.retain(|_, value| !value.is_null());
        }
        self.ledger.usage(&usage)
    }

    /// Waits between two looks at a job.
    pub(crate) fn pause(&self, wait: Duration, last: &str) -> Result<(), Failure> {
        let left = self.http.end().saturating_duration_since(Instant::now());
        if wait >= left {
            thread::sleep(left);
            return Err(self.late(last));
        }
        thread::sleep(wait);
        Ok(())
    }

    /// What to say when the time is over.
    pub(crate) fn late(&self, last: &str) -> Failure {
        let last = if last.is_empty() { String::new() } else { format!("; last: {last}") };
        let seconds = self.settings.deadline.as_secs_f64();
        let name = &self.settings.name;
        match self.ledger.state() {
            State::Running { job, .. } => Failure::new(format!(
                "too-late: {name} has not finished job {job} within {seconds} s{last}"
            ))
            .hint(
                "the next run goes on with that job; `vwfb settle LABEL --again` forgets it and asks \
                 again",
            ),
            _ => Failure::new(format!("too-late: {name} did not answer within {seconds} s{last}")),
        }
    }

    pub(crate) fn unreachable(&self, why: &str) -> Failure {
        Failure::new(format!("unreachable: {} cannot be asked: {why}", self.settings.name))
            .hint(format!("is there a service at `{}`?", self.settings.url))
    }

    /// Waits before another try, unless there were enough or there is no time for it.
    fn wait(&self, failed: u32, asked: Option<Duration>, why: &str) -> Result<(), Failure> {
        let name = &self.settings.name;
        if failed >= TRIES {
            return Err(Failure::new(format!(
                "unavailable: {name} was asked {failed} times, and failed each time: {why}"
            )));
        }
        let left = self.http.end().saturating_duration_since(Instant::now());
        let wait = backoff(self.settings.pace, failed, &self.key).max(asked.unwrap_or_default());
        if wait >= left {
            let (wait, left) = (wait.as_secs_f64(), left.as_secs_f64());
            return Err(Failure::new(format!(
                "too-late: {name} says `{why}`, and the next try would be in {wait:.1} s, when only \
                 {left:.1} s are left"
            )));
        }
        thread::sleep(wait);
        Ok(())
    }

    /// The answer, or how to go on where it is none.
    fn refused(&self, answer: Answer) -> Result<Result<Answer, No>, Failure> {
        let mut answer = match self.later(answer)? {
            Ok(answer) => answer,
            Err((why, wait)) => return Ok(Err(No::Later(why, wait))),
        };
        let status = answer.status;
        if answer.is_success() {
            return Ok(Ok(answer));
        }
        let name = &self.settings.name;
        if (300..400).contains(&status) {
            let place = answer.location.take().unwrap_or_default();
            let failure = Failure::new(format!("{name} sends us elsewhere: {status} `{place}`"));
            return Ok(Err(No::Never(status, failure.hint("name that address for the service"))));
        }
        let failure = Failure::new(format!("{name} answers {status}: {}", error_text(&mut answer)));
        let failure = match status {
            401 | 403 => failure.hint("the key is refused; look at the service's secret"),
            404 | 405 => failure
                .hint(format!("is `{}` the right address for this protocol?", self.settings.url)),
            _ => failure,
        };
        Ok(Err(No::Never(status, failure)))
    }

    /// The answer, or why to ask later.
    fn later(&self, mut answer: Answer) -> Result<Result<Answer, Later>, Failure> {
        if !matches!(answer.status, 429 | 500 | 503 | 529) && !is_gateway(answer.status) {
            return Ok(Ok(answer));
        }
        let asked = answer.retry_after.as_deref();
        let asked = asked.and_then(|text| retry_after(text, (self.now)()));
        let status = answer.status;
        Ok(Err((format!("{status}: {}", error_text(&mut answer)), asked)))
    }
}

/// Whether a status is of one who passed the question on, and got no answer in time.
const fn is_gateway(status: u16) -> bool {
    matches!(status, 408 | 502 | 504 | 520..=524)
}

/// Why to ask later, and how much later the service would like it.
type Later = (String, Option<Duration>);

/// An answer that is none.
enum No {
    /// For now.
    Later(String, Option<Duration>),
    /// For good.
    Never(u16, Failure),
}

/// Puts an answer into the ledger.
fn keep(
    ledger: &mut Ledger,
    answer: &mut Answer,
    most: u64,
    now: &dyn Fn() -> u64,
) -> Result<(), Fault> {
    let mut part = ledger.part()?;
    answer.copy(&mut part.file, most)?;
    Ok(ledger.answered(part, &answer.media, now())?)
}

/// What an error answer says; that it broke off does not matter.
fn error_text(answer: &mut Answer) -> String {
    let mut bytes = Vec::new();
    let _ = answer.copy(&mut bytes, MOST_ERROR);
    let said = form::said(&bytes);
    if said.is_empty() { "it says no more".to_owned() } else { said }
}
