//! Steps that ask models: with the services that the workflow has, or with what is built in.

use super::{ANSWERS, Making};
use crate::Engines;
use crate::target::{Target, Value, text};
use crate::text::Text;
use crate::workflow::{Audit, Frame, Llm, Motion, Scene, Service, Tts, Whisper};

const SEED: &str = "without `seed` every run of the workflow made another result; here the seed is 0, \
                    and `vwfb redo` makes another take";

impl Making<'_> {
    /// `target` with its engine: a service, or nothing, which is what is built in.
    fn engine(&self, target: Target, service: &'static str) -> Target {
        match self.engines {
            Engines::Services => target.with("engine", text(service)),
            Engines::Embedded => target,
        }
    }

    /// Notes what a step says of the service that is called `name` here.
    fn service(&mut self, at: usize, name: &str, service: &Service) {
        if let Some(server) = &service.server {
            let server = self.workflow.resolved(server);
            let text = format!(
                "`server` is left out: where services are is said in `services` of WORKSPACE.kdl, as \
                 `{name} url=\"{server}\"`"
            );
            self.note(at, text);
        }
        if service.python.is_some() {
            self.note(at, "`python_path` is left out: no Python is needed to ask a service");
        }
    }

    fn seeded(&mut self, at: usize, target: Target, seed: Option<i64>) -> Target {
        match seed {
            Some(seed) => target.with("seed", Value::Int(seed)),
            None => {
                self.note(at, SEED);
                target
            }
        }
    }

    pub(super) fn llm(&mut self, at: usize, llm: &Llm) {
        let prompt = self.file(at, &llm.prompt, "text");
        let replayed = llm.mock || self.engines == Engines::Embedded;
        let mut target = self.target(at, "llm");
        target = target.with("engine", text(if replayed { "replay" } else { "ollama" }));
        target = target.with("prompt", prompt);
        if !llm.system.parts.is_empty() {
            target = target.with("system", self.value(&llm.system));
        }
        target = target.maybe("model", llm.model.as_ref().map(|model| self.value(model)));
        if replayed {
            self.parts.has_answers = true;
            target = target.with("answers", text(ANSWERS));
        }
        if llm.mock {
            let name = target.name.clone();
            target = target.with("answer", text(&name));
            match &llm.response {
                Some(response) => {
                    if response.has_vars() {
                        self.note(at, "variables in `mock_response` are written out in the answer");
                    }
                    let answer = self.workflow.resolved(response);
                    self.parts.answers.insert(name, answer);
                }
                None => {
                    let text = format!(
                        "there is no `mock_response`: write one into `{ANSWERS}`, as `\"{name}\"`"
                    );
                    self.note(at, text);
                }
            }
        } else if replayed {
            let text = format!(
                "no model is asked: `replay` gives the answer in `{ANSWERS}` under the key that the \
                 first build tells"
            );
            self.note(at, text);
        }
        self.made(at, target, &llm.output);
    }

    pub(super) fn tts(&mut self, at: usize, tts: &Tts) {
        let script = self.file(at, &tts.script, "text");
        let target = self.target(at, "tts");
        let mut target = self.engine(target, "voxcpm").with("text", script);
        if self.engines == Engines::Services {
            if let Some(audio) = &tts.reference_audio {
                let audio = self.file(at, audio, "audio");
                target = target.with("reference-audio", audio);
            }
            let words = tts.reference_text.as_ref().map(|words| self.value(words));
            target = target.maybe("reference-text", words);
        } else if tts.reference_audio.is_some() || tts.reference_text.is_some() {
            let text = "the reference voice is left out: espeak-ng speaks with voices of its own, \
                        see `voice`";
            self.note(at, text);
        }
        self.service(at, "voxcpm", &tts.service);
        self.made(at, target, &tts.output);
    }

    pub(super) fn text_to_image(
        &mut self,
        at: usize,
        (prompt, output): (&Text, &Text),
        frame: &Frame,
        seed: Option<i64>,
        service: &Service,
    ) {
        let target = self.target(at, "text_to_image");
        let mut target = self.engine(target, "comfyui").with("prompt", self.value(prompt));
        if frame.orientation != "portrait" {
            target = target.with("orientation", text(frame.orientation));
        }
        target = target.maybe("width", frame.width.map(Value::Int));
        target = target.maybe("height", frame.height.map(Value::Int));
        let target = self.seeded(at, target, seed);
        self.service(at, "comfyui", service);
        self.made(at, target, output);
    }

    pub(super) fn image_to_video(&mut self, at: usize, motion: &Motion) {
        let image = self.file(at, &motion.input, "image");
        let target = self.target(at, "image_to_video");
        let mut target = self.engine(target, "comfyui").with("image", image);
        if motion.frames != 14 {
            target = target.with("frames", Value::Int(motion.frames));
        }
        if motion.fps != 6 {
            target = target.with("fps", Value::Int(motion.fps));
        }
        if motion.motion != 127 {
            target = target.with("motion", Value::Int(motion.motion.min(255)));
        }
        if motion.motion > 255 {
            let text = format!("`motion` is at most 255 here, not {}", motion.motion);
            self.note(at, text);
        }
        let target = self.seeded(at, target, motion.seed);
        self.service(at, "comfyui", &motion.service);
        self.made(at, target, &motion.output);
    }

    pub(super) fn text_to_video(&mut self, at: usize, scene: &Scene) {
        let target = self.target(at, "text_to_video");
        let mut target = self.engine(target, "comfyui").with("prompt", self.value(&scene.prompt));
        if scene.orientation != "landscape" {
            target = target.with("orientation", text(scene.orientation));
        }
        // Four times something and one.
        let length = ((scene.length + 2) / 4 * 4 + 1).clamp(5, 1001);
        if length != scene.length {
            let text =
                format!("`length` is four times something and one: {length}, not {}", scene.length);
            self.note(at, text);
        }
        if length != 81 {
            target = target.with("length", Value::Int(length));
        }
        if scene.steps != 20 {
            target = target.with("steps", Value::Int(scene.steps));
        }
        if scene.cfg != 5.0 {
            target = target.with("cfg", Value::Float(scene.cfg));
        }
        let target = self.seeded(at, target, scene.seed);
        self.service(at, "comfyui", &scene.service);
        self.made(at, target, &scene.output);
    }

    pub(super) fn whisper(&mut self, at: usize, whisper: &Whisper) {
        let mut audio = self.file(at, &whisper.input, "audio");
        if self.media(&audio) == Some("video") {
            let name = self.label(at);
            let name = self.parts.names.unique(&format!("{name}-sound"));
            let sound = Target::new(name, "resample", at)
                .with("audio", audio)
                .with("rate", Value::Int(16_000))
                .with("channels", Value::Int(1));
            audio = Value::Made(self.add(at, sound), String::new());
        }
        let target = self.target(at, "transcribe");
        let mut target = self.engine(target, "whisper-cli").with("audio", audio);
        let language = self.workflow.resolved(&whisper.language);
        if self.engines == Engines::Services {
            let model = self.file(at, &whisper.model, "model");
            target = target.with("model", model);
            if language != "en" {
                target = target.with("language", self.value(&whisper.language));
            }
            if let Some(cli) = &whisper.cli {
                let cli = self.workflow.resolved(cli);
                let text = format!(
                    "`whisper_cli` is left out: a `toolchain` says where a program is that is not \
                     on the usual path ({cli})"
                );
                self.note(at, text);
            }
        } else if language != "en" {
            let text = format!("pocketsphinx knows English only, not `{language}`");
            self.note(at, text);
        }
        if whisper.format != "txt" {
            target = target.with("format", text(whisper.format));
        }
        self.made(at, target, &whisper.output);
    }

    pub(super) fn audit(&mut self, at: usize, audit: &Audit) {
        let mut assets = Vec::new();
        for asset in &audit.assets {
            assets.push(self.file(at, asset, "any"));
        }
        let target = self.target(at, "llm_audit");
        let mut target = self.engine(target, "ollama").list("assets", assets);
        target = target.maybe("audit-prompt", audit.prompt.as_ref().map(|it| self.value(it)));
        target = target.maybe("model", audit.model.as_ref().map(|model| self.value(model)));
        if audit.frames != 5 {
            target = target.with("frame-count", Value::Int(audit.frames));
        }
        if let Some(keywords) = &audit.keywords {
            let keywords = keywords.iter().map(|word| self.value(word)).collect();
            target = target.list("critical-keywords", keywords);
        }
        if audit.fail {
            target = target.with("fail-on-issues", Value::Flag(true));
        }
        if self.engines == Engines::Embedded {
            let text = "no vision model is asked: frames are measured, until there are `answers`";
            self.note(at, text);
        }
        self.service(at, "ollama", &audit.service);
        self.made(at, target, &audit.output);
    }
}
