//! What `ffprobe` says of a file.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::CompareError;
use super::facts::{Group, plain};
use super::tools::{Ran, Tools};

/// What `ffprobe` calls a mere guess has less (`AVPROBE_SCORE_RETRY` in its sources).
const SURE: u32 = 25;

/// A file of sound, video or a picture.
#[derive(Debug)]
pub(super) struct Media {
    /// How the file is laid out; a picture's codec says it.
    pub(super) format: Option<String>,
    /// How long it takes; a picture has none.
    pub(super) duration: Option<String>,
    /// What is in it.
    pub(super) streams: Vec<Stream>,
    /// Title, author, encoder and the like.
    pub(super) tags: Group,
}

/// One stream of a file.
#[derive(Debug)]
pub(super) struct Stream {
    /// Its number in the file.
    pub(super) index: u32,
    /// `audio`, or with its number from the second on: `audio 2`.
    pub(super) name: String,
    /// Codec, size, rate.
    pub(super) told: String,
    /// Whether it is sound.
    pub(super) sound: bool,
    /// Width and height of pictures that are not a cover.
    pub(super) size: Option<(u32, u32)>,
}

/// What the file at `path` holds, if that is media.
pub(super) fn media(tools: &mut Tools, path: &Path) -> Result<Option<Media>, CompareError> {
    // A `%` makes it read `a%d.png` as all of `a0.png`, `a1.png` and so on.
    if path.to_string_lossy().contains('%') {
        return Ok(None);
    }
    let Ran::Done { out, .. } = tools.ffprobe(path)? else { return Ok(None) };
    Ok(serde_json::from_str(&out).ok().and_then(read))
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    streams: Vec<RawStream>,
    format: RawFormat,
}

#[derive(Deserialize)]
struct RawFormat {
    format_name: String,
    probe_score: u32,
    duration: Option<String>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct RawStream {
    index: u32,
    codec_type: Option<String>,
    codec_name: Option<String>,
    width: Option<u32>,
    height: Option<u32>,
    pix_fmt: Option<String>,
    avg_frame_rate: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    channel_layout: Option<String>,
    #[serde(default)]
    disposition: BTreeMap<String, u32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
}

fn read(answer: Answer) -> Option<Media> {
    let Answer { streams, format } = answer;
    let usable = |stream: &RawStream| stream.is("audio") || stream.size().is_some();
    // It sees text art in any text.
    let sure = format.probe_score >= SURE && format.format_name != "tty";
    if !sure || !streams.iter().any(usable) {
        return None;
    }
    let still = format.format_name == "image2" || format.format_name.ends_with("_pipe");
    let duration = format.duration.filter(|_| !still).map(|text| seconds(&text));
    let tags = format.tags.iter().map(tag).collect();
    let format = Some(plain(&format.format_name)).filter(|_| !still);
    Some(Media { format, duration, streams: named(&streams, still), tags })
}

/// Matroska writes `TITLE` what others call `title`.
fn tag((name, tag): (&String, &String)) -> (String, String) {
    (plain(&format!("tag {}", name.to_lowercase())), plain(tag))
}

fn seconds(text: &str) -> String {
    text.parse().map_or_else(|_| plain(text), |seconds: f64| format!("{seconds:.2} s"))
}

fn named(streams: &[RawStream], still: bool) -> Vec<Stream> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    let named = streams.iter().map(|raw| {
        let noun = raw.noun(still);
        let count = counts.entry(noun).or_default();
        *count += 1;
        let name = if *count == 1 { plain(noun) } else { plain(&format!("{noun} {count}")) };
        let size = raw.size().filter(|_| noun != COVER);
        Stream { index: raw.index, name, told: raw.told(still), sound: raw.is("audio"), size }
    });
    named.collect()
}

const COVER: &str = "cover";

impl RawStream {
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    fn noun(&self, still: bool) -> &str {
        match self.codec_type.as_deref() {
            Some("video") if self.disposition.get("attached_pic") == Some(&1) => COVER,
            Some("video") if still => "picture",
            Some(kind) => kind,
            None => "stream",
        }
    }

    fn size(&self) -> Option<(u32, u32)> {
        self.width.zip(self.height).filter(|(width, height)| *width > 0 && *height > 0)
    }

    fn told(&self, still: bool) -> String {
        let words = [
            Some(self.codec_name.clone().unwrap_or("unknown".to_owned())),
            self.size().map(|(width, height)| format!("{width}x{height}")),
            self.avg_frame_rate.as_deref().filter(|_| !still).and_then(frames),
            self.pix_fmt.clone(),
            self.sample_rate.as_ref().map(|rate| format!("{rate} Hz")),
            self.channel_layout.clone().or(self.channels.map(channels)),
            self.tags.get("language").filter(|language| *language != "und").cloned(),
        ];
        plain(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}

/// What a stream says that does not say where its channels stand.
fn channels(count: u32) -> String {
    match count {
        1 => "mono".to_owned(),
        2 => "stereo".to_owned(),
        count => format!("{count} channels"),
    }
}

/// `30000/1001` as `29.97 fps`.
fn frames(rate: &str) -> Option<String> {
    let (count, of) = rate.split_once('/')?;
    let per_second = count.parse::<f64>().ok()? / of.parse::<f64>().ok()?;
    let usable = per_second.is_finite() && per_second > 0.0;
    usable.then(|| {
        let rounded = format!("{per_second:.2}");
        format!("{} fps", rounded.trim_end_matches('0').trim_end_matches('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_rates_are_short() {
        assert_eq!(frames("30/1").as_deref(), Some("30 fps"));
        assert_eq!(frames("30000/1001").as_deref(), Some("29.97 fps"));
        assert_eq!(frames("25/2").as_deref(), Some("12.5 fps"));
        for none in ["0/0", "0/1", "x", "1/0"] {
            assert_eq!(frames(none), None, "{none}");
        }
    }
}
