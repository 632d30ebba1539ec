//! Pictures and films from ComfyUI: the arguments, and what is asked.

mod job;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::call::Call;
use super::failure::Failure;
use super::files::{Made, Output, digest, input};
use super::graphs::{self, Film, Graph, Models, Moved};
use super::http::Ask;
use super::ledger::State;
use super::multipart::Form;
use super::speech::PAID;
use super::{World, form, picture};

/// The shape of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Orientation {
    /// Higher than wide
    Portrait,
    /// Wider than high
    Landscape,
    /// As wide as high
    Square,
}

impl Orientation {
    /// Width and height, of a long and a short side or of a square's.
    const fn of(self, long: u32, short: u32, square: u32) -> (u32, u32) {
        match self {
            Self::Portrait => (short, long),
            Self::Landscape => (long, short),
            Self::Square => (square, square),
        }
    }
}

/// Let a model paint a picture.
#[derive(Debug, Args)]
pub struct TextToImage {
    /// What is to be seen
    #[arg(long)]
    prompt: String,
    /// Its shape: 720x1280, 1280x720 or 1024x1024
    #[arg(long, default_value = "landscape")]
    orientation: Orientation,
    /// The width, if it is another, in whole eights
    #[arg(long)]
    width: Option<u32>,
    /// The height, if it is another, in whole eights
    #[arg(long)]
    height: Option<u32>,
    /// Which of all such pictures
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: i64,
    /// The checkpoint
    #[arg(long, default_value = "flux1-schnell-fp8.safetensors")]
    model: String,
    /// How many steps the model takes
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// How closely the model keeps to the text
    #[arg(long, default_value_t = 1.0)]
    cfg: f64,
    /// The PNG file to write
    #[arg(long)]
    out: PathBuf,
}

/// Let a model move a picture.
#[derive(Debug, Args)]
pub struct ImageToVideo {
    /// The picture: PNG or JPEG, or another where the size is given
    #[arg(long)]
    image: PathBuf,
    /// How many pictures the film has
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(2..=1000))]
    frames: u32,
    /// How many of them a second
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// How much moves
    #[arg(long, default_value_t = 127, value_parser = clap::value_parser!(u32).range(1..=255))]
    motion: u32,
    /// The width; the picture's own by default; at most 1024, in whole eights
    #[arg(long, requires = "height")]
    width: Option<u32>,
    /// The height
    #[arg(long, requires = "width")]
    height: Option<u32>,
    /// Which of all such films
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: i64,
    /// The checkpoint
    #[arg(long, default_value = "svd_xt.safetensors")]
    model: String,
    /// How many steps the model takes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// How closely the model keeps to the picture
    #[arg(long, default_value_t = 2.5)]
    cfg: f64,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

/// Let a model make a film.
#[derive(Debug, Args)]
pub struct TextToVideo {
    /// What is to be seen
    #[arg(long)]
    prompt: String,
    /// Its shape: 480x832, 832x480 or 640x640
    #[arg(long, default_value = "landscape")]
    orientation: Orientation,
    /// The width, if it is another, in whole sixteens
    #[arg(long)]
    width: Option<u32>,
    /// The height, if it is another, in whole sixteens
    #[arg(long)]
    height: Option<u32>,
    /// How many pictures the film has: a multiple of four, and one
    #[arg(long, default_value_t = 81)]
    length: u32,
    /// How many steps the model takes
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    steps: u32,
    /// How closely the model keeps to the text
    #[arg(long, default_value_t = 5.0)]
    cfg: f64,
    /// How many pictures a second
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=120))]
    fps: u32,
    /// Which of all such films
    #[arg(long, default_value_t = 0, allow_negative_numbers = true)]
    seed: i64,
    /// What is not to be seen
    #[arg(long, default_value = NEGATIVE)]
    negative: String,
    /// The model
    #[arg(long, default_value = "wan2.2_ti2v_5B_fp16.safetensors")]
    model: String,
    /// Its reader of text
    #[arg(long, default_value = "umt5_xxl_fp8_e4m3fn_scaled.safetensors")]
    clip: String,
    /// Its decoder of pictures
    #[arg(long, default_value = "wan2.2_vae.safetensors")]
    vae: String,
    /// The file to write
    #[arg(long)]
    out: PathBuf,
}

const NEGATIVE: &str = "blurry, low quality, distorted, static, watermark, text, subtitles";

/// The longest side of a film that SVD makes.
const MOST_SIDE: u32 = 1024;

impl TextToImage {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let (width, height) = self.orientation.of(1280, 720, 1024);
        let size = sides(self.width.unwrap_or(width), self.height.unwrap_or(height), 8)?;
        let graph = graphs::picture(&graphs::Picture {
            prompt: &self.prompt,
            size,
            seed: self.seed.cast_unsigned(),
            model: &self.model,
            steps: self.steps,
            cfg: self.cfg,
        });
        let call = Call::open(world, "comfyui", &graph.nodes)?;
        make(call, &self.out, &self.model, &graph, &is_png)
    }
}

impl ImageToVideo {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let bytes = input(&self.image)?;
        let size = self.width.zip(self.height).or_else(|| picture::size(&bytes));
        let Some(size) = size else {
            let path = self.image.display();
            return Err(Failure::new(format!("the size of `{path}` cannot be read"))
                .hint("take a PNG or a JPEG, or give `--width` and `--height`"));
        };
        // The name says what is in the file, so that an upload never changes another film's picture.
        let kind = picture::media(&bytes).unwrap_or("image/png");
        let extension = kind.trim_start_matches("image/").replace("jpeg", "jpg");
        let name = format!("vwfb-{}.{extension}", &digest(&bytes)[..32]);
        let graph = |picture: &str| {
            graphs::moved(&Moved {
                picture,
                size: picture::scaled(size, MOST_SIDE, 8),
                frames: self.frames,
                fps: self.fps,
                motion: self.motion,
                seed: self.seed.cast_unsigned(),
                model: &self.model,
                steps: self.steps,
                cfg: self.cfg,
            })
        };
        let mut call = Call::open(world, "comfyui", &graph(&name).nodes)?;
        let mut picture = name.clone();
        if matches!(call.ledger.state(), State::Nothing | State::Asked) {
            picture = upload(&mut call, &name, kind, bytes)?;
        }
        make(call, &self.out, &self.model, &graph(&picture), &is_film)
    }
}

impl TextToVideo {
    pub(crate) fn run(&self, world: &World<'_>) -> Result<(), Failure> {
        let (width, height) = self.orientation.of(832, 480, 640);
        let size = sides(self.width.unwrap_or(width), self.height.unwrap_or(height), 16)?;
        if self.length % 4 != 1 || self.length > 2001 {
            let near = (self.length / 4 * 4 + 1).min(2001);
            return Err(Failure::new(format!("no film has {} pictures", self.length))
                .hint(format!("take a multiple of four and one, such as {near}")));
        }
        let graph = graphs::film(&Film {
            prompt: &self.prompt,
            negative: &self.negative,
            size,
            length: self.length,
            fps: self.fps,
            seed: self.seed.cast_unsigned(),
            models: Models { unet: &self.model, clip: &self.clip, vae: &self.vae },
            steps: self.steps,
            cfg: self.cfg,
        });
        let call = Call::open(world, "comfyui", &graph.nodes)?;
        make(call, &self.out, &self.model, &graph, &is_film)
    }
}

fn sides(width: u32, height: u32, step: u32) -> Result<(u32, u32), Failure> {
    let fits = |side: u32| side.is_multiple_of(step) && (step * 2..=8192).contains(&side);
    if fits(width) && fits(height) {
        return Ok((width, height));
    }
    let near = |side: u32| (side.min(8192) / step * step).max(step * 2);
    Err(Failure::new(format!("{width}x{height} cannot be made")).hint(format!(
        "sides are multiples of {step}; take {}x{}",
        near(width),
        near(height)
    )))
}

/// Makes what `graph` describes, and writes it to `out`.
fn make(
    mut call: Call<'_>,
    out: &Path,
    model: &str,
    graph: &Graph,
    is_result: &dyn Fn(&str, &[u8]) -> bool,
) -> Result<(), Failure> {
    job::run(&mut call, graph)?;
    let usage = json!({"model": model});
    call.finish(out, &|answer, media| result(answer, media, &usage, is_result))
}

/// Uploads a picture under a name that its content has; the answer is its name in graphs.
fn upload(call: &mut Call<'_>, name: &str, kind: &str, bytes: Vec<u8>) -> Result<String, Failure> {
    let form = Form::default().file("image", name, kind, bytes).text("overwrite", "true");
    let ask = Ask::get("/upload/image").bearer(call.secret());
    let ask = Ask { body: Some(form.body()), ..ask };
    let (status, media, bytes) = call.repeat(&ask, &mut |_, answer| {
        Ok((answer.status, answer.media.clone(), answer.bytes()?))
    })?;
    let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    match (status, value["name"].as_str(), value["subfolder"].as_str()) {
        (200, Some(name), None | Some("")) => Ok(name.to_owned()),
        (200, Some(name), Some(folder)) => Ok(format!("{folder}/{name}")),
        _ => Err(form::wrong("name of an upload", status, &media, &bytes)),
    }
}

fn result(
    answer: &mut File,
    media: &str,
    usage: &Value,
    is_result: &dyn Fn(&str, &[u8]) -> bool,
) -> Result<Made, Failure> {
    let mut begin = Vec::new();
    let read = answer.rewind().and_then(|()| answer.take(512).read_to_end(&mut begin));
    read.map_err(|error| Failure::local(format!("cannot read the answer: {error}")))?;
    if !is_result(media, &begin) {
        return Err(form::wrong("picture or film as it was wanted", 200, media, &begin).hint(PAID));
    }
    Ok(Made { output: Output::Whole, usage: usage.clone() })
}

fn is_png(_: &str, begin: &[u8]) -> bool {
    picture::media(begin) == Some("image/png")
}

/// Whether it is MP4, WebM, GIF or WebP, as nodes write films.
fn is_film(_: &str, begin: &[u8]) -> bool {
    begin.get(4..8) == Some(b"ftyp")
        || begin.starts_with(b"\x1a\x45\xdf\xa3")
        || matches!(picture::media(begin), Some("image/gif" | "image/webp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sides_are_whole_steps() {
        assert_eq!(sides(832, 480, 16).unwrap(), (832, 480));
        let told = sides(1000, 487, 16).unwrap_err().to_string();
        assert!(told.contains("992x480"), "{told}");
        assert!(sides(0, 480, 16).is_err());
    }

    #[test]
    fn films_are_known_by_their_first_bytes() {
        assert!(is_film("video/mp4", b"\0\0\0\x20ftypisom"));
        assert!(is_film("image/gif", b"GIF89a"));
        assert!(!is_film("video/mp4", b"<html>"));
        assert!(!is_png("image/png", b"{\"error\":1}"));
    }
}
