//! Services as they are: what each of them answers when all is well, with their own memory.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::server::{Reply, Request};

/// A second of sound, 8 kHz, as a server streams it: without sizes.
pub(crate) fn streamed_wav() -> Vec<u8> {
    wav(0xffff_ffff, 0xffff_ffff)
}

/// The same with right sizes.
pub(crate) fn right_wav() -> Vec<u8> {
    wav(36 + 16_000, 16_000)
}

fn wav(riff: u32, data: u32) -> Vec<u8> {
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(riff.to_le_bytes());
    bytes.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    bytes.extend(8000_u32.to_le_bytes());
    bytes.extend(16_000_u32.to_le_bytes());
    bytes.extend(b"\x02\0\x10\0data");
    bytes.extend(data.to_le_bytes());
    bytes.extend((0..16_000).map(|at| (at % 251) as u8));
    bytes
}

/// Speech, as OpenAI has it.
pub(crate) fn speech(request: &Request) -> Reply {
    match request.line.as_str() {
        "POST /audio/speech" => Reply::with(200, "audio/wav", streamed_wav()),
        _ => Reply::json(404, &json!({"error": {"message": "no such place"}})),
    }
}

/// A text of Ollama's, as a stream.
pub(crate) fn ollama_stream() -> String {
    let line = |value: Value| format!("{value}\n");
    [
        line(json!({"model": "llava:7b", "response": " Because", "done": false})),
        line(json!({"model": "llava:7b", "response": " it is.", "done": false})),
        line(json!({"model": "llava:7b", "response": "", "done": true, "done_reason": "stop",
                    "prompt_eval_count": 11, "eval_count": 4})),
    ]
    .concat()
}

/// Ollama, with the model `llava:7b`.
pub(crate) fn ollama(request: &Request) -> Reply {
    match request.line.as_str() {
        "GET /api/version" => Reply::json(200, &json!({"version": "0.12.3"})),
        "GET /api/tags" => {
            Reply::json(200, &json!({"models": [{"name": "llava:7b"}, {"name": "qwen:14b"}]}))
        }
        "POST /api/generate" if request.json()["model"] == "llava:7b" => {
            Reply::with(200, "application/x-ndjson", ollama_stream())
        }
        "POST /api/generate" => {
            let text = format!("model '{}' not found", request.json()["model"].as_str().unwrap());
            Reply::json(404, &json!({"error": text}))
        }
        _ => Reply::with(404, "text/plain", "404 page not found"),
    }
}

/// A ComfyUI: its queue, what ended, and what it still has to do.
#[derive(Debug, Default)]
pub(crate) struct Comfy {
    queue: Vec<Value>,
    history: serde_json::Map<String, Value>,
    uploads: Vec<String>,
    /// Looks until a job is done.
    pub(crate) looks: usize,
    /// Whether it is too old to take our names for jobs.
    pub(crate) old: bool,
    /// Whether jobs fail.
    pub(crate) fails: bool,
    /// Whether films come out, rather than pictures.
    pub(crate) films: bool,
}

impl Comfy {
    pub(crate) fn new() -> Arc<Mutex<Self>> {
        Arc::new(Mutex::new(Self { looks: 2, ..Self::default() }))
    }

    /// It is started again, and forgets all but its files.
    pub(crate) fn restart(&mut self) {
        self.queue.clear();
        self.history.clear();
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty()
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        let path = request.line.split_once(' ').unwrap().1;
        match request.line.as_str() {
            "GET /system_stats" => {
                Reply::json(200, &json!({"system": {"comfyui_version": "0.3.60"}, "devices": []}))
            }
            "POST /upload/image" => {
                let text = request.text();
                let name = text.split("filename=\"").nth(1).unwrap().split('"').next().unwrap();
                self.uploads.push(name.to_owned());
                Reply::json(200, &json!({"name": name, "subfolder": "", "type": "input"}))
            }
            "POST /prompt" => self.submit(&request.json()),
            "GET /queue" => {
                let (running, pending) = self.queue.split_at(self.queue.len().min(1));
                Reply::json(200, &json!({"queue_running": running, "queue_pending": pending}))
            }
            "GET /history" => Reply::json(200, &Value::Object(self.history.clone())),
            _ if path.starts_with("/history/") => {
                self.work();
                let job = &path["/history/".len()..];
                let found = self.history.get(job).map(|entry| json!({job: entry}));
                Reply::json(200, &found.unwrap_or_else(|| json!({})))
            }
            "GET /view" if self.films => Reply::with(200, "video/mp4", film()),
            "GET /view" => Reply::with(200, "image/png", picture()),
            _ => Reply::with(404, "text/plain", "404: Not Found"),
        }
    }

    fn submit(&mut self, asked: &Value) -> Reply {
        let graph = &asked["prompt"];
        for node in graph.as_object().unwrap().values() {
            if node["class_type"] == "LoadImage" {
                let name = node["inputs"]["image"].as_str().unwrap();
                assert!(
                    self.uploads.iter().any(|upload| upload == name),
                    "{name} was not uploaded"
                );
            }
        }
        let own = format!("own-{}", self.queue.len() + self.history.len());
        let given = asked["prompt_id"].as_str().filter(|_| !self.old).map(str::to_owned);
        let job = given.unwrap_or(own);
        let extra = json!({"client_id": asked["client_id"]});
        self.queue.push(json!([1, job, graph, extra, ["7"]]));
        Reply::json(200, &json!({"prompt_id": job, "number": 1, "node_errors": {}}))
    }

    /// A look goes by; the first job may end.
    fn work(&mut self) {
        if self.queue.is_empty() || self.looks > 0 {
            self.looks = self.looks.saturating_sub(1);
            return;
        }
        let item = self.queue.remove(0);
        let job = item[1].as_str().unwrap().to_owned();
        let last = item[2].as_object().unwrap().keys().max().unwrap().clone();
        let entry = if self.fails {
            let error = json!({
                "node_id": "5", "node_type": "KSampler", "exception_type": "OutOfMemoryError",
                "exception_message": "Allocation on device failed",
            });
            let messages = json!([["execution_start", {}], ["execution_error", error]]);
            json!({"prompt": item, "outputs": {}, "status":
                {"status_str": "error", "completed": false, "messages": messages}})
        } else {
            let kind = if self.films { "gifs" } else { "images" };
            let file =
                json!({"filename": "vwfb a_00001.bin", "subfolder": "a/b", "type": "output"});
            json!({"prompt": item, "outputs": {last: {kind: [file]}}, "status":
                {"status_str": "success", "completed": true, "messages": []}})
        };
        self.history.insert(job, entry);
    }
}

/// The beginning of a PNG, and something behind it.
pub(crate) fn picture() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\x07\x80\0\0\x04\x38\x08\x02\0\0\0".to_vec();
    bytes.extend((0..5000).map(|at| (at % 241) as u8));
    bytes
}

/// The beginning of an MP4, and something behind it.
pub(crate) fn film() -> Vec<u8> {
    let mut bytes = b"\0\0\0\x20ftypisom\0\0\x02\0".to_vec();
    bytes.extend((0..9000).map(|at| (at % 239) as u8));
    bytes
}

/// VoxCPM under Gradio 5.
#[derive(Debug, Default)]
pub(crate) struct Gradio {
    /// The job that it knows, and what it was given.
    pub(crate) job: Option<String>,
    pub(crate) given: Value,
    /// What it says when the job ends; as Gradio does, by default.
    pub(crate) end: Option<String>,
    jobs: usize,
}

impl Gradio {
    pub(crate) fn new() -> Arc<Mutex<Self>> {
        Arc::default()
    }

    pub(crate) fn answer(&mut self, request: &Request) -> Reply {
        const EVENTS: &str = "text/event-stream";
        let job = request.line.strip_prefix("GET /gradio_api/call/generate/");
        match (request.line.as_str(), job) {
            ("GET /config", _) => {
                Reply::json(200, &json!({"version": "5.49.1", "api_prefix": "/gradio_api"}))
            }
            ("POST /gradio_api/upload", _) => {
                assert!(request.text().contains("name=\"files\""));
                Reply::json(200, &json!(["/tmp/gradio/abc/voice.wav"]))
            }
            ("POST /gradio_api/call/generate", _) => {
                self.jobs += 1;
                self.job = Some(format!("job{}", self.jobs));
                self.given = request.json()["data"].clone();
                Reply::json(200, &json!({"event_id": self.job}))
            }
            // Whoever listens gets the end, once: then Gradio forgets the job.
            (_, Some(job)) if self.job.as_deref() == Some(job) => {
                self.job = None;
                let file = json!([{"path": "/tmp/gradio/out/a b.wav", "url": "http://0.0.0.0/x",
                                   "meta": {"_type": "gradio.FileData"}}]);
                let end = format!("event: complete\ndata: {file}\n\n");
                let end = self.end.clone().unwrap_or(end);
                let begin = "event: heartbeat\ndata: null\n\nevent: generating\ndata: [null]\n\n";
                let first = Reply::chunk(EVENTS, begin);
                let second = format!("{:x}\r\n{end}\r\n0\r\n\r\n", end.len());
                Reply::Halves(first, second.into())
            }
            (_, Some(_)) => Reply::with(200, EVENTS, "event: error\ndata: \"404: Not Found\"\n\n"),
            ("GET /gradio_api/file=/tmp/gradio/out/a%20b.wav", _) => {
                Reply::with(200, "audio/x-wav", right_wav())
            }
            _ => Reply::json(404, &json!({"detail": "Not Found"})),
        }
    }
}
