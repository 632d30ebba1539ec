//! Speech from VoxCPM: a Gradio application, whose queue is asked by name and listened to as a stream.

use std::path::Path;

use serde_json::{Value, json};

use super::call::{Call, Unanswered};
use super::failure::Failure;
use super::files::{digest, input};
use super::http::Ask;
use super::ledger::State;
use super::multipart::Form;
use super::speech::{Speech, sound};
use super::sse::{self, Event};
use super::{World, form};

/// The application that was found.
struct App {
    prefix: String,
    version: Option<String>,
    secret: Option<String>,
}

/// How a job ended.
enum End {
    /// With a file of that description.
    Done(Value),
    /// With an error, in the server's words.
    Failed(String),
    /// The server does not know it, or has gone.
    Lost(String),
}

/// Speaks `text` as `speech` says.
pub(crate) fn speak(speech: &Speech, world: &World<'_>, text: &str) -> Result<(), Failure> {
    let reference = match (&speech.reference_audio, &speech.reference_text) {
        (Some(audio), Some(words)) => Some((audio, input(audio)?, words.trim())),
        _ => None,
    };
    let words = reference.as_ref().map_or("", |(_, _, words)| words);
    let request = json!({
        "text": text,
        "audio": reference.as_ref().map(|(_, bytes, _)| digest(bytes)),
        "words": words,
        "cfg": speech.cfg,
        "steps": speech.steps,
        "normalize": speech.normalize,
    });
    let mut call = Call::open(world, "voxcpm", &request)?;
    let mut version = None;
    if !matches!(call.ledger.state(), State::Answered { .. }) {
        let app = App::find(&mut call)?;
        if matches!(call.ledger.state(), State::Asked) && !call.settings.repeat {
            return Err(call.unknown("", true));
        }
        if matches!(call.ledger.state(), State::Nothing | State::Asked) {
            let voice =
                reference.as_ref().map(|(path, bytes, _)| app.upload(&mut call, path, bytes));
            let voice = voice
                .transpose()?
                .map(|path| json!({"path": path, "meta": {"_type": "gradio.FileData"}}));
            let data = json!([text, voice, words, speech.cfg, speech.steps, speech.normalize]);
            app.submit(&mut call, &data)?;
        }
        app.follow(&mut call)?;
        version = app.version;
    }
    let usage = json!({"characters": text.chars().count(), "gradio": version});
    call.finish(&speech.out, &|answer, media| sound(answer, media, usage.clone()))
}

impl App {
    /// Asks where the application's interface is; old ones have it at the root.
    fn find(call: &mut Call<'_>) -> Result<Self, Failure> {
        let secret = call.secret().map(str::to_owned);
        let (status, config) = call.json(&Ask::get("/config").bearer(secret.as_deref()))?;
        if status == 401 || status == 403 {
            return Err(Failure::new(format!("{} answers {status}", call.settings.name))
                .hint("the key is refused; look at the service's secret"));
        }
        let prefix = config["api_prefix"].as_str().unwrap_or_default().trim_end_matches('/');
        let version = config["version"].as_str().map(str::to_owned);
        Ok(Self { prefix: prefix.to_owned(), version, secret })
    }

    fn get(&self, path: &str) -> Ask {
        Ask::get(format!("{}{path}", self.prefix)).bearer(self.secret.as_deref())
    }

    /// Uploads a recording; the same one may be uploaded as often as one likes.
    fn upload(&self, call: &mut Call<'_>, path: &Path, bytes: &[u8]) -> Result<String, Failure> {
        let name = path.extension().map_or_else(
            || digest(bytes),
            |extension| format!("{}.{}", &digest(bytes)[..32], extension.to_string_lossy()),
        );
        let form = Form::default().file("files", &name, "application/octet-stream", bytes.to_vec());
        let ask = Ask { body: Some(form.body()), ..self.get("/upload") };
        let (status, media, bytes) = call.repeat(&ask, &mut |_, answer| {
            Ok((answer.status, answer.media.clone(), answer.bytes()?))
        })?;
        let paths: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        match paths[0].as_str() {
            Some(path) if status == 200 => Ok(path.to_owned()),
            _ => Err(form::wrong("list with the path of an upload", status, &media, &bytes)),
        }
    }

    fn submit(&self, call: &mut Call<'_>, data: &Value) -> Result<(), Failure> {
        let body = json!({"data": data});
        let path = format!("{}/call/generate", self.prefix);
        let ask = |_: &str| Ask::json(path.clone(), &body).bearer(self.secret.as_deref());
        let repeat = call.settings.repeat;
        let submitted = call.submit(repeat, &ask, &mut |ledger, answer| {
            let bytes = answer.bytes()?;
            let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let Some(job) = value["event_id"].as_str() else {
                return Err(
                    form::wrong("name of a job", answer.status, &answer.media, &bytes).into()
                );
            };
            Ok(ledger.run(job)?)
        });
        submitted.map_err(|unanswered| match unanswered {
            Unanswered::Refused(404, failure) => failure
                .hint("the application has no `/generate`; is it VoxCPM, under Gradio 4 or later?"),
            unanswered => call.told(unanswered, true),
        })
    }

    /// Listens to the job until it ends, and downloads its result.
    fn follow(&self, call: &mut Call<'_>) -> Result<(), Failure> {
        let State::Running { job, result } = call.ledger.state().clone() else { return Ok(()) };
        let file = match result {
            Some(file) => file,
            None => self.listen(call, &job)?,
        };
        let ask = match (file["path"].as_str(), file["url"].as_str()) {
            (Some(path), _) => self.get(&format!("/file={}", form::escaped(path))),
            // Another address gets no key of ours.
            (None, Some(url)) => Ask::get(url),
            (None, None) => {
                call.ledger.clear()?;
                let bytes = file.to_string().into_bytes();
                return Err(form::wrong("description of a file", 200, "text/event-stream", &bytes));
            }
        };
        call.download(&Ask { follow: true, ..ask })
    }

    /// The description of the file that the job made.
    fn listen(&self, call: &mut Call<'_>, job: &str) -> Result<Value, Failure> {
        let ask = self.get(&format!("/call/generate/{}", form::escaped(job)));
        let name = call.settings.name.clone();
        let end = call.repeat(&ask, &mut |_, answer| match answer.status {
            200 if answer.media == "text/event-stream" => sse::until(answer, &end),
            200 => {
                let bytes = answer.bytes()?;
                Ok(End::Failed(
                    form::wrong("stream of events", 200, &answer.media, &bytes).to_string(),
                ))
            }
            404 => Ok(End::Lost("404".to_owned())),
            status => Err(Failure::new(format!("{name} answers {status} for job {job}")).into()),
        })?;
        match end {
            End::Done(file) => {
                call.ledger.found(job, file.clone())?;
                Ok(file)
            }
            End::Failed(why) => {
                call.ledger.clear()?;
                let why = why.trim_start_matches("error: ");
                Err(Failure::new(format!("job-failed: {name} could not speak: {why}")))
            }
            End::Lost(why) => {
                let failure = Failure::new(format!(
                    "job-lost: {name} does not know job {job} any more ({why})"
                ));
                if call.settings.repeat {
                    call.ledger.clear()?;
                    return Err(
                        failure.hint("the submission is forgotten; the next run asks again")
                    );
                }
                Err(failure.hint(super::ledger::SETTLE).open())
            }
        }
    }
}

/// How the job ended, if an event says so.
fn end(event: &Event) -> Option<End> {
    if event.kind != "complete" && event.kind != "error" {
        return None;
    }
    let Ok(data) = serde_json::from_str::<Value>(&event.data) else {
        let bytes = event.data.as_bytes();
        let failure = form::wrong("event of a job", 200, "text/event-stream", bytes);
        return Some(End::Failed(failure.to_string()));
    };
    Some(match data {
        data if event.kind == "complete" => End::Done(data[0].clone()),
        // What Gradio says of a job that it does not know, and when it goes.
        Value::String(text) if text.starts_with("404") || text.starts_with("Server stopped") => {
            End::Lost(text)
        }
        Value::Null => End::Failed("it says no more; its log may".to_owned()),
        Value::String(text) => End::Failed(text),
        data => End::Failed(match &data["error"] {
            Value::String(text) => text.clone(),
            // Gradio tells other errors than its own only where `show_error` is set.
            _ => "it says no more; its log may".to_owned(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(kind: &str, data: &str) -> Option<End> {
        end(&Event { kind: kind.to_owned(), data: data.to_owned() })
    }

    #[test]
    fn the_end_of_a_job_is_told_apart() {
        assert!(told("heartbeat", "null").is_none());
        assert!(told("generating", "[1]").is_none());
        assert!(matches!(told("complete", "[{\"path\":\"/a\"}]"), Some(End::Done(_))));
        assert!(matches!(told("error", "null"), Some(End::Failed(_))));
        assert!(matches!(told("error", "{\"error\":null}"), Some(End::Failed(_))));
        assert!(matches!(told("error", "\"404: Not Found\""), Some(End::Lost(_))));
        let stopped = "\"Server stopped unexpectedly.\"";
        assert!(matches!(told("error", stopped), Some(End::Lost(_))));
        assert!(matches!(told("complete", "[{"), Some(End::Failed(_))));
        assert!(matches!(told("complete", "{}"), Some(End::Done(Value::Null))));
    }
}
