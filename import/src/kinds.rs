//! The fifteen kinds of steps: their parameters and defaults.

use vwfb_rules::codes::{MISSING_ATTRIBUTE, WRONG_TYPE};

use crate::fields::{Fields, Notebook};
use crate::text::Text;
use crate::workflow::{Audit, Frame, Llm, Mix, Motion, Scene, Service, Slide, Tts, Whisper, Work};
use crate::yaml::Node;

/// Every kind.
pub(crate) const ALL: &[&str] = &[
    "ensure_dirs",
    "write_file",
    "split_sections",
    "run_command",
    "llm_generate",
    "tts_generate",
    "text_to_image",
    "image_to_video",
    "text_to_video",
    "normalize_volume",
    "audio_mix",
    "video_concat",
    "create_slide",
    "whisper_transcribe",
    "llm_audit",
];

/// What a step of `kind` does; nothing, told, if something is missing.
pub(crate) fn work(kind: &str, fields: &Fields<'_>, book: &Notebook<'_>) -> Option<Work> {
    match kind {
        "ensure_dirs" => fields.texts("dirs", true).map(|_| Work::EnsureDirs),
        "write_file" => {
            let (path, content) = (fields.text("path"), fields.text("content"));
            Some(Work::WriteFile { path: path?, content: content? })
        }
        "split_sections" => split_sections(fields, book),
        "run_command" => {
            let program = fields.text("program");
            let args = fields.texts("args", false).unwrap_or_default();
            let (cwd, capture) = (fields.maybe("cwd"), fields.maybe("capture_path"));
            Some(Work::RunCommand { program: program?, args, cwd, capture })
        }
        "llm_generate" => llm(fields),
        "tts_generate" => tts(fields),
        "text_to_image" => {
            let (prompt, output) = (fields.text("prompt"), fields.text("output_path"));
            let orientation = fields.choice("orientation", &["portrait", "landscape", "square"]);
            let (width, height) = (fields.int("width", 16, 8192), fields.int("height", 16, 8192));
            let (seed, service) = (seed(fields), service(fields));
            let frame = Frame { orientation, width, height };
            Some(Work::TextToImage { prompt: prompt?, output: output?, frame, seed, service })
        }
        "image_to_video" => {
            let (input, output) = (fields.text("input_path"), fields.text("output_path"));
            let frames = fields.int("frames", 2, 1000).unwrap_or(14);
            let fps = fields.int("fps", 1, 120).unwrap_or(6);
            let motion = fields.int("motion", 1, 1023).unwrap_or(127);
            let (seed, service) = (seed(fields), service(fields));
            let (input, output) = (input?, output?);
            Some(Work::ImageToVideo(Motion { input, output, frames, fps, motion, seed, service }))
        }
        "text_to_video" => text_to_video(fields),
        "normalize_volume" => {
            let clip = fields.text("clip_path");
            let target = fields.float("target_db", -25.0, -70.0, -5.0);
            Some(Work::Normalize { clip: clip?, target })
        }
        "audio_mix" => {
            let (base, overlay) = (fields.text("base_clip"), fields.text("overlay_audio"));
            let output = fields.text("output_path");
            let volume = fields.float("overlay_volume", -32.0, -70.0, 0.0);
            let looped = fields.flag("loop_overlay", true);
            let fade = fields.float("fade_out", 2.0, 0.0, 3600.0);
            let (base, overlay, output) = (base?, overlay?, output?);
            Some(Work::Mix(Mix { base, overlay, output, volume, looped, fade }))
        }
        "video_concat" => {
            let (clips, output) = (fields.texts("clips", true), fields.text("output_path"));
            let reencode = fields.flag("reencode", false);
            let clips = clips?;
            let output = output?;
            if clips.is_empty() {
                book.error(MISSING_ATTRIBUTE, "`clips` names no clip", &output.span);
                return None;
            }
            Some(Work::Concat { clips, output, reencode })
        }
        "create_slide" => slide(fields),
        "whisper_transcribe" => whisper(fields),
        _ => audit(fields, book),
    }
}

fn service(fields: &Fields<'_>) -> Service {
    Service { server: fields.maybe("server"), python: fields.maybe("python_path") }
}

fn seed(fields: &Fields<'_>) -> Option<i64> {
    fields.int("seed", i64::MIN, i64::MAX)
}

fn words(text: &str) -> Text {
    Text::parse(text, 0..0)
}

fn split_sections(fields: &Fields<'_>, book: &Notebook<'_>) -> Option<Work> {
    let input = fields.text("input_path");
    let nodes = fields.list("outputs", true)?;
    let one = |node: &Node| {
        let start = node.span.start..node.span.start + 1;
        let fields = Fields::of(book, "an output", node, start)?;
        let (heading, path) = (fields.text("heading"), fields.text("path"));
        fields.finish();
        let heading = heading?;
        if heading.parts.is_empty() || heading.resolved(|_| "").contains('\n') {
            book.error(WRONG_TYPE, "a heading is the words of one line", &heading.span);
            return None;
        }
        Some((heading, path?))
    };
    let outputs: Vec<(Text, Text)> = nodes.iter().filter_map(one).collect();
    let input = input?;
    if nodes.is_empty() {
        book.error(MISSING_ATTRIBUTE, "`outputs` names no section", &input.span);
        return None;
    }
    Some(Work::SplitSections { input, outputs })
}

fn llm(fields: &Fields<'_>) -> Option<Work> {
    let system = fields.maybe("system").unwrap_or_default();
    let (prompt, output) = (fields.text("user_prompt_path"), fields.text("output_path"));
    let mock = fields.choice("provider", &["ollama", "mock"]) == "mock";
    let (response, model) = (fields.maybe("mock_response"), fields.maybe("model"));
    let (prompt, output) = (prompt?, output?);
    Some(Work::Llm(Llm { system, prompt, output, mock, response, model }))
}

fn tts(fields: &Fields<'_>) -> Option<Work> {
    let (script, output) = (fields.text("script_path"), fields.text("output_path"));
    let reference_audio = fields.maybe("reference_audio");
    let reference_text = fields.maybe("reference_text");
    let service = service(fields);
    let (script, output) = (script?, output?);
    Some(Work::Tts(Tts { script, output, reference_audio, reference_text, service }))
}

fn text_to_video(fields: &Fields<'_>) -> Option<Work> {
    let (prompt, output) = (fields.text("prompt"), fields.text("output_path"));
    let orientation = fields.choice("orientation", &["landscape", "portrait", "square"]);
    let length = fields.int("length", 1, 1001).unwrap_or(81);
    let steps = fields.int("steps", 1, 1000).unwrap_or(20);
    let cfg = fields.float("cfg", 5.0, 0.0, 100.0);
    let (seed, service) = (seed(fields), service(fields));
    let (prompt, output) = (prompt?, output?);
    Some(Work::TextToVideo(Scene {
        prompt,
        output,
        orientation,
        length,
        steps,
        cfg,
        seed,
        service,
    }))
}

fn slide(fields: &Fields<'_>) -> Option<Work> {
    let template = fields.choice("template", &["title", "bullet", "quote"]);
    let (text, output) = (fields.text("text"), fields.text("output_path"));
    let (subtext, background) = (fields.maybe("subtext"), fields.maybe("background"));
    let background_color = fields.maybe("background_color").unwrap_or_else(|| words("#1a1a2e"));
    let text_color = fields.maybe("text_color").unwrap_or_else(|| words("#ffffff"));
    let orientation = fields.choice("orientation", &["landscape", "portrait"]);
    let font = fields.maybe("font");
    Some(Work::Slide(Box::new(Slide {
        template,
        text: text?,
        subtext,
        background,
        background_color,
        text_color,
        output: output?,
        orientation,
        font,
    })))
}

fn whisper(fields: &Fields<'_>) -> Option<Work> {
    let (input, output) = (fields.text("input_path"), fields.text("output_path"));
    let model = fields.maybe("model").unwrap_or_else(|| words("ggml-base.en.bin"));
    let cli = fields.maybe("whisper_cli");
    let language = fields.maybe("language").unwrap_or_else(|| words("en"));
    let format = fields.choice("format", &["txt", "srt", "vtt"]);
    let (input, output) = (input?, output?);
    Some(Work::Whisper(Whisper { input, output, model, cli, language, format }))
}

fn audit(fields: &Fields<'_>, book: &Notebook<'_>) -> Option<Work> {
    let (assets, output) = (fields.texts("assets", true), fields.text("output_path"));
    let (prompt, model) = (fields.maybe("audit_prompt"), fields.maybe("model"));
    let service = service(fields);
    let frames = fields.int("frame_count", 1, 1000).unwrap_or(5);
    let fail = fields.flag("fail_on_issues", false);
    let keywords = fields.texts("critical_keywords", false);
    let (assets, output) = (assets?, output?);
    if assets.is_empty() {
        book.error(MISSING_ATTRIBUTE, "`assets` names nothing to look at", &output.span);
        return None;
    }
    Some(Work::Audit(Audit { assets, prompt, model, service, frames, output, fail, keywords }))
}
