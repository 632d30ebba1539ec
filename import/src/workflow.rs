//! A workflow of VWF: variables, steps of fifteen kinds, segments.

use std::ops::Range;

use crate::text::Text;

/// A whole workflow.
#[derive(Debug, Default)]
pub(crate) struct Workflow {
    /// What it is called.
    pub(crate) name: String,
    /// What it is for.
    pub(crate) description: String,
    /// Its variables.
    pub(crate) vars: Vec<Var>,
    /// Its steps, in the order of the file.
    pub(crate) steps: Vec<Step>,
    /// Its segments.
    pub(crate) segments: Vec<Segment>,
}

impl Workflow {
    /// The value of a variable; empty for one that is not declared, which is told elsewhere.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.vars.iter().find(|var| var.name == name).map_or("", |var| &var.value)
    }

    /// `text` with the values of its variables.
    pub(crate) fn resolved(&self, text: &Text) -> String {
        text.resolved(|name| self.value(name))
    }
}

/// A variable.
#[derive(Debug)]
pub(crate) struct Var {
    /// Its name in the workflow.
    pub(crate) name: String,
    /// What the package calls it.
    pub(crate) label: String,
    /// Its value.
    pub(crate) value: String,
    /// The line it is on.
    pub(crate) line: usize,
}

/// A segment of the film.
#[derive(Debug)]
pub(crate) struct Segment {
    /// Its id.
    pub(crate) id: String,
    /// What is heard in it.
    pub(crate) kind: String,
    /// What it is for.
    pub(crate) description: String,
    /// Its steps, as places in the workflow.
    pub(crate) steps: Vec<usize>,
}

/// A step.
#[derive(Debug)]
pub(crate) struct Step {
    /// Its id.
    pub(crate) id: String,
    /// Where its id is.
    pub(crate) span: Range<usize>,
    /// The line that its id is on.
    pub(crate) line: usize,
    /// The steps that come before it.
    pub(crate) after: Vec<usize>,
    /// The file that says whether it was done.
    pub(crate) resume: Option<Text>,
    /// What it does.
    pub(crate) work: Work,
}

/// What a step does.
#[derive(Debug)]
pub(crate) enum Work {
    /// Makes folders.
    EnsureDirs,
    /// Writes a text.
    WriteFile { path: Text, content: Text },
    /// Takes a text apart at its headings: each heading, and the file of its section.
    SplitSections { input: Text, outputs: Vec<(Text, Text)> },
    /// Starts a program.
    RunCommand { program: Text, args: Vec<Text>, cwd: Option<Text>, capture: Option<Text> },
    /// Asks a language model.
    Llm(Llm),
    /// Speaks a text.
    Tts(Tts),
    /// Draws a picture.
    TextToImage { prompt: Text, output: Text, frame: Frame, seed: Option<i64>, service: Service },
    /// Sets a picture in motion.
    ImageToVideo(Motion),
    /// Makes a film of a prompt.
    TextToVideo(Scene),
    /// Brings a film to a loudness, in place.
    Normalize { clip: Text, target: f64 },
    /// Lays music under a film.
    Mix(Mix),
    /// Joins films.
    Concat { clips: Vec<Text>, output: Text, reencode: bool },
    /// Draws a slide.
    Slide(Box<Slide>),
    /// Writes down what is said.
    Whisper(Whisper),
    /// Looks at films and pictures.
    Audit(Audit),
}

/// `llm_generate`
#[derive(Debug)]
pub(crate) struct Llm {
    pub(crate) system: Text,
    pub(crate) prompt: Text,
    pub(crate) output: Text,
    pub(crate) mock: bool,
    pub(crate) response: Option<Text>,
    pub(crate) model: Option<Text>,
}

/// `tts_generate`
#[derive(Debug)]
pub(crate) struct Tts {
    pub(crate) script: Text,
    pub(crate) output: Text,
    pub(crate) reference_audio: Option<Text>,
    pub(crate) reference_text: Option<Text>,
    pub(crate) service: Service,
}

/// Where a model runs.
#[derive(Debug)]
pub(crate) struct Service {
    /// The address, if it is given.
    pub(crate) server: Option<Text>,
    /// The Python of the client, if it is given.
    pub(crate) python: Option<Text>,
}

/// The size of a picture or film.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) orientation: &'static str,
    pub(crate) width: Option<i64>,
    pub(crate) height: Option<i64>,
}

/// `image_to_video`
#[derive(Debug)]
pub(crate) struct Motion {
    pub(crate) input: Text,
    pub(crate) output: Text,
    pub(crate) frames: i64,
    pub(crate) fps: i64,
    pub(crate) motion: i64,
    pub(crate) seed: Option<i64>,
    pub(crate) service: Service,
}

/// `text_to_video`
#[derive(Debug)]
pub(crate) struct Scene {
    pub(crate) prompt: Text,
    pub(crate) output: Text,
    pub(crate) orientation: &'static str,
    pub(crate) length: i64,
    pub(crate) steps: i64,
    pub(crate) cfg: f64,
    pub(crate) seed: Option<i64>,
    pub(crate) service: Service,
}

/// `audio_mix`
#[derive(Debug)]
pub(crate) struct Mix {
    pub(crate) base: Text,
    pub(crate) overlay: Text,
    pub(crate) output: Text,
    pub(crate) volume: f64,
    pub(crate) looped: bool,
    pub(crate) fade: f64,
}

/// `create_slide`
#[derive(Debug)]
pub(crate) struct Slide {
    pub(crate) template: &'static str,
    pub(crate) text: Text,
    pub(crate) subtext: Option<Text>,
    pub(crate) background: Option<Text>,
    pub(crate) background_color: Text,
    pub(crate) text_color: Text,
    pub(crate) output: Text,
    pub(crate) orientation: &'static str,
    pub(crate) font: Option<Text>,
}

/// `whisper_transcribe`
#[derive(Debug)]
pub(crate) struct Whisper {
    pub(crate) input: Text,
    pub(crate) output: Text,
    pub(crate) model: Text,
    pub(crate) cli: Option<Text>,
    pub(crate) language: Text,
    pub(crate) format: &'static str,
}

/// `llm_audit`
#[derive(Debug)]
pub(crate) struct Audit {
    pub(crate) assets: Vec<Text>,
    pub(crate) prompt: Option<Text>,
    pub(crate) model: Option<Text>,
    pub(crate) service: Service,
    pub(crate) frames: i64,
    pub(crate) output: Text,
    pub(crate) fail: bool,
    pub(crate) keywords: Option<Vec<Text>>,
}

impl Work {
    /// The files that it reads, as far as its kind says; not those of a command.
    pub(crate) fn reads(&self) -> Vec<&Text> {
        match self {
            Self::EnsureDirs | Self::WriteFile { .. } | Self::RunCommand { .. } => Vec::new(),
            Self::TextToImage { .. } | Self::TextToVideo(_) => Vec::new(),
            Self::SplitSections { input, .. } => vec![input],
            Self::Llm(llm) => vec![&llm.prompt],
            Self::Tts(tts) => [&tts.script].into_iter().chain(&tts.reference_audio).collect(),
            Self::ImageToVideo(motion) => vec![&motion.input],
            Self::Normalize { clip, .. } => vec![clip],
            Self::Mix(mix) => vec![&mix.base, &mix.overlay],
            Self::Concat { clips, .. } => clips.iter().collect(),
            Self::Slide(slide) => slide.background.iter().collect(),
            Self::Whisper(whisper) => vec![&whisper.input],
            Self::Audit(audit) => audit.assets.iter().collect(),
        }
    }

    /// The files that it writes, as far as its kind says.
    pub(crate) fn writes(&self) -> Vec<&Text> {
        match self {
            Self::EnsureDirs | Self::RunCommand { .. } => Vec::new(),
            Self::WriteFile { path, .. } => vec![path],
            Self::SplitSections { outputs, .. } => outputs.iter().map(|(_, path)| path).collect(),
            Self::Llm(Llm { output, .. })
            | Self::Tts(Tts { output, .. })
            | Self::TextToImage { output, .. }
            | Self::ImageToVideo(Motion { output, .. })
            | Self::TextToVideo(Scene { output, .. })
            | Self::Mix(Mix { output, .. })
            | Self::Concat { output, .. }
            | Self::Whisper(Whisper { output, .. })
            | Self::Audit(Audit { output, .. }) => vec![output],
            Self::Slide(slide) => vec![&slide.output],
            Self::Normalize { clip, .. } => vec![clip],
        }
    }
}
