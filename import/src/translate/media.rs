//! Steps that make clips, films and slides.

use super::Making;
use crate::target::{Id, Target, Value, text};
use crate::text::Text;
use crate::workflow::{Mix, Slide, Work};

/// The size of a frame.
pub(super) type Size = (i64, i64);

/// The frames of a clip, as far as clips that are joined must agree in them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Form {
    size: Size,
    fps: Option<i64>,
    preset: Option<Value>,
}

const WIDE: Size = (1920, 1080);
const TALL: Size = (1080, 1920);

impl Making<'_> {
    pub(super) fn slide(&mut self, at: usize, slide: &Slide) {
        let (width, height) = size_of(slide.orientation);
        let mut target = self.target(at, "slide");
        if slide.template != "title" {
            target = target.with("style", text(slide.template));
        }
        target = target.with("text", self.value(&slide.text));
        let subtext = slide.subtext.clone().unwrap_or_default();
        target = target.with("subtext", self.value(&subtext));
        if let Some(background) = &slide.background {
            let background = self.file(at, background, "image");
            // The workflow lays nothing between a picture and its text.
            target = target.with("background", background).with("shade", Value::Int(0));
        }
        let ground = self.color(at, &slide.background_color, "#1a1a2e");
        let ink = self.color(at, &slide.text_color, "#ffffff");
        target = target.maybe("background-color", ground).maybe("text-color", ink);
        if (width, height) != WIDE {
            target = target.with("width", Value::Int(width)).with("height", Value::Int(height));
        }
        if let Some(font) = &slide.font {
            let font = self.workflow.resolved(font);
            match family(&font) {
                Some("DejaVu Sans") => {}
                Some(family) => target = target.with("font", text(family)),
                None => self.note(
                    at,
                    format!(
                        "the font `{font}` is left out: give its file with `fonts`, and its \
                             family with `font`"
                    ),
                ),
            }
        }
        self.made(at, target, &slide.output);
    }

    /// A colour, unless it is the usual one.
    fn color(&mut self, at: usize, color: &Text, usual: &str) -> Option<Value> {
        if color.has_vars() {
            return Some(self.value(color));
        }
        let said = self.workflow.resolved(color).to_ascii_lowercase();
        let hex = match said.as_str() {
            "white" => "#ffffff".to_owned(),
            "black" => "#000000".to_owned(),
            "red" => "#ff0000".to_owned(),
            "yellow" => "#ffff00".to_owned(),
            "blue" => "#0000ff".to_owned(),
            "gray" | "grey" => "#7e7e7e".to_owned(),
            said => match said.strip_prefix('#') {
                Some(digits) if digits.len() == 3 && digits.is_ascii() => {
                    digits.chars().fold("#".to_owned(), |hex, digit| format!("{hex}{digit}{digit}"))
                }
                _ => said.to_owned(),
            },
        };
        let digits = hex.strip_prefix('#').unwrap_or_default();
        let good = matches!(digits.len(), 6 | 8) && digits.bytes().all(|b| b.is_ascii_hexdigit());
        if !good {
            let text = format!("the colour `{said}` is left out: write it as `#rrggbb`");
            self.note(at, text);
            return None;
        }
        (hex != usual).then(|| text(&hex))
    }

    /// The size of most of the frames that the workflow draws.
    pub(super) fn film_size(&self) -> Size {
        let mut tall = 0;
        let mut wide = 0;
        for step in &self.workflow.steps {
            let orientation = match &step.work {
                Work::Slide(slide) => slide.orientation,
                Work::TextToVideo(scene) => scene.orientation,
                Work::TextToImage { frame, .. } => frame.orientation,
                _ => continue,
            };
            if orientation == "portrait" { tall += 1 } else { wide += 1 }
        }
        if tall > wide { TALL } else { WIDE }
    }

    /// The frames of a clip that is in the form that films are joined from.
    fn form(&self, clip: &Value) -> Option<Form> {
        let Value::Made(id, _) = clip else { return None };
        let target = &self.parts.targets[*id];
        let value = |name: &str| target.attr(name).map(|attr| attr.values[0].clone());
        let number = |name: &str| match value(name) {
            Some(Value::Int(number)) => Some(number),
            _ => None,
        };
        match target.rule {
            "still_clip" | "scale" => Some(Form {
                size: (number("width")?, number("height")?),
                fps: number("fps"),
                preset: value("preset"),
            }),
            "concat" => self.form(target.attr("clips")?.values.first()?),
            "audio_mix" => self.form(&target.attr("base")?.values[0]),
            _ => None,
        }
    }

    /// `clip` with frames such as `form` says.
    fn formed(&mut self, at: usize, clip: Value, form: &Form) -> Value {
        if self.form(&clip).as_ref() == Some(form) {
            return clip;
        }
        let known = self.scaled.iter().find(|(of, known, _)| *of == clip && known == form);
        if let Some((_, _, id)) = known {
            return Value::Made(*id, String::new());
        }
        let base = match &clip {
            Value::Made(id, _) => self.parts.targets[*id].name.clone(),
            Value::Source(pieces, _) => {
                let path = crate::target::plain_text(pieces);
                let name = path.rsplit('/').next().unwrap_or_default();
                name.split('.').next().unwrap_or_default().to_owned()
            }
            _ => self.label(at),
        };
        let name = self.parts.names.unique(&crate::names::target(&format!("{base}-scaled")));
        let target = Target::new(name, "scale", at)
            .with("clip", clip.clone())
            .with("width", Value::Int(form.size.0))
            .with("height", Value::Int(form.size.1))
            .maybe("fps", form.fps.map(Value::Int))
            .maybe("preset", form.preset.clone());
        let id = self.add(at, target);
        self.scaled.push((clip, form.clone(), id));
        let text = "clips of other forms are brought into that of the others by `scale` before they \
                    are joined or brought to a loudness: look at its `width` and `height`";
        self.note(at, text);
        Value::Made(id, String::new())
    }

    /// Clips of one form: that of the first that is in one.
    pub(super) fn alike(&mut self, at: usize, clips: Vec<Value>) -> Vec<Value> {
        let form = clips.iter().find_map(|clip| self.form(clip));
        let usual = Form { size: self.film_size(), fps: None, preset: None };
        let form = form.unwrap_or(usual);
        clips.into_iter().map(|clip| self.formed(at, clip, &form)).collect()
    }

    pub(super) fn concat(&mut self, at: usize, clips: &[Text], output: &Text, reencode: bool) {
        if reencode {
            let text = "`reencode` is left out: `concat` joins clips of one form, exactly";
            self.note(at, text);
        }
        let mut values = Vec::new();
        for clip in clips {
            values.push(self.file(at, clip, "video"));
        }
        let values = self.alike(at, values);
        let target = self.target(at, "concat").list("clips", values);
        self.made(at, target, output);
        if !self.is_read(at) {
            let text = "a film that `concat` joins has PCM sound, in a `.mov`; a `normalize` of it \
                        makes the `.mp4` to upload";
            self.note(at, text);
        }
    }

    /// Whether another step reads what the step `at` writes.
    fn is_read(&self, at: usize) -> bool {
        self.flow.origins.iter().any(|origins| origins.values().any(|origin| *origin == at))
    }

    pub(super) fn normalize(&mut self, at: usize, clip: &Text, target_db: f64) {
        let from = self.file(at, clip, "video");
        let from = match self.form(&from) {
            Some(_) => from,
            None => self.alike(at, vec![from]).remove(0),
        };
        let target = self.target(at, "normalize").with("clip", from);
        let target = match target_db == -25.0 {
            true => target,
            false => target.with("target-db", Value::Float(target_db)),
        };
        self.made(at, target, clip);
        let path = self.path(clip);
        let readers: Vec<String> = self
            .workflow
            .steps
            .iter()
            .zip(&self.flow.origins)
            .filter(|(_, origins)| origins.get(&path) == Some(&at))
            .map(|(step, _)| format!("`{}`", step.id))
            .collect();
        let label = self.label(at);
        let who = match readers.as_slice() {
            [] => "nothing reads it afterwards".to_owned(),
            readers => format!("{} read it", readers.join(", ")),
        };
        let text = format!(
            "`normalize_volume` changes its clip in place; `:{label}` is a film of its own, and {who}"
        );
        self.note(at, text);
    }

    pub(super) fn mix(&mut self, at: usize, mix: &Mix) {
        let base = self.file(at, &mix.base, "file");
        let music = self.file(at, &mix.overlay, "file");
        let is_sound = self.media(&base) == Some("audio");
        let mut target = self.target(at, "audio_mix").with("base", base).with("music", music);
        if mix.volume != -32.0 {
            target = target.with("level-db", Value::Float(mix.volume));
        }
        if !mix.looped {
            target = target.with("loop", Value::Flag(false));
        }
        if mix.fade != 2.0 {
            target = target.with("fade-out", text(&format!("{}s", mix.fade)));
        }
        if is_sound {
            target = target.with("format", text("wav"));
        }
        self.made(at, target, &mix.output);
    }

    /// The size of the picture that `image` is, if it is known.
    pub(super) fn picture_size(&self, image: &Value) -> Option<Size> {
        let Value::Made(id, _) = image else { return None };
        picture_size(&self.parts.targets, *id)
    }
}

fn picture_size(targets: &[Target], id: Id) -> Option<Size> {
    let target = &targets[id];
    let number = |name: &str| match target.attr(name).map(|attr| &attr.values[0]) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let usual = match (target.rule, target.attr("orientation").map(|attr| &attr.values[0])) {
        ("slide", _) => WIDE,
        ("text_to_image", None) => (720, 1280),
        ("text_to_image", Some(value)) if *value == text("landscape") => (1280, 720),
        ("text_to_image", _) => (1024, 1024),
        _ => return None,
    };
    // Frames have even sides.
    let side = |name: &str, usual: i64| number(name).unwrap_or(usual) / 2 * 2;
    Some((side("width", usual.0), side("height", usual.1)))
}

fn size_of(orientation: &str) -> Size {
    if orientation == "portrait" { TALL } else { WIDE }
}

/// The family of a font as ImageMagick names it, if vwfb has it.
fn family(font: &str) -> Option<&'static str> {
    ["DejaVu Sans Mono", "DejaVu Serif", "DejaVu Sans"]
        .into_iter()
        .find(|family| font.replace('-', " ").starts_with(family))
}
