//! The wide films of the examples, as they were built: subtitles, chapters, loudness and joins.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::film::printed;
use crate::media::{frames, mean_volume, samples};
use crate::world::World;

/// Frames a second of all films.
const FPS: u32 = 30;

/// How far a cue may lie outside of its clip, in seconds.
const CUE: f64 = 0.05;

/// What was made of a package of the examples, in the small size.
struct Film {
    folder: PathBuf,
    /// The lengths of its clips, in frames.
    clips: Vec<(PathBuf, u64)>,
}

impl Film {
    fn of(world: &World, package: &str, segments: &[&str]) -> Self {
        let folder = world.path(&format!("vwfb-out/+draft/{package}"));
        let clip = |segment: &&str| {
            let path = folder.join(format!("segments/{segment}/clip.mov"));
            let count = frames(&path);
            (path, count)
        };
        let clips = segments.iter().map(clip).collect();
        Self { folder, clips }
    }

    /// When each clip begins, and at last the end, in seconds.
    fn times(&self) -> Vec<f64> {
        let mut at = 0;
        let mut times = vec![0.0];
        for (_, count) in &self.clips {
            at += *count;
            times.push(seconds(at));
        }
        times
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

fn seconds(frames: u64) -> f64 {
    u32::try_from(frames).map(f64::from).unwrap() / f64::from(FPS)
}

/// Looks at the explainer and both films of `dual`, which `world` has built.
pub(crate) fn are_right(world: &World) {
    let segments = [
        "title",
        "problem",
        "graph",
        "key",
        "store",
        "placeholders",
        "people",
        "loops",
        "why",
        "start",
    ];
    let explainer = Film::of(world, "explainer", &segments);
    joins_are_seamless(&explainer);
    cues_are_in_their_clips(&explainer, "english.srt");
    chapters_begin_with_clips(&explainer);
    is_loud(&explainer.path("final.mp4"), -25.0);
    let features = ["title", "hook", "feature-1", "feature-2", "feature-3", "cta"];
    let wide = Film::of(world, "dual/explainer", &features);
    joins_are_seamless(&wide);
    cues_are_in_their_clips(&wide, "subtitles.srt");
    chapters_begin_with_clips(&wide);
    is_loud(&wide.path("final.mp4"), -25.0);
    let concepts =
        ["intro", "concept-1", "concept-2", "concept-3", "concept-4", "concept-5", "cta"];
    let short = Film::of(world, "dual/short", &concepts);
    joins_are_seamless(&short);
    is_loud(&short.path("final.mp4"), -25.0);
}

/// The joined sound is that of the clips, sample by sample, and nothing is heard where they meet.
fn joins_are_seamless(film: &Film) {
    let body = film.path("body.mov");
    let joined = samples(&body);
    let parts: Vec<[i16; 2]> = film.clips.iter().flat_map(|(clip, _)| samples(clip)).collect();
    assert!(joined == parts, "{}: other samples than its clips", body.display());
    assert_eq!(frames(&body), film.clips.iter().map(|(_, count)| count).sum::<u64>());
    let per_frame = 44_100 / u64::from(FPS);
    let mut at = 0;
    for (clip, count) in &film.clips {
        at += count * per_frame;
        let at = usize::try_from(at).unwrap();
        let around = &joined[at.saturating_sub(2)..joined.len().min(at + 2)];
        let heard = around.iter().flatten().any(|sample| sample.unsigned_abs() > 8);
        assert!(!heard, "a click at the end of {}: {around:?}", clip.display());
    }
    assert_eq!(joined.len(), usize::try_from(at).unwrap(), "sound and picture drift apart");
}

fn cues_are_in_their_clips(film: &Film, name: &str) {
    let times = film.times();
    let text = std::fs::read_to_string(film.path(name)).unwrap();
    let cues: Vec<(f64, f64)> = text.lines().filter_map(cue).collect();
    for (from, to) in &cues {
        let inside = times.windows(2).any(|clip| clip[0] - CUE <= *from && *to <= clip[1] + CUE);
        assert!(inside, "the cue from {from} s to {to} s is in no clip: {times:?}");
    }
    for clip in times.windows(2) {
        let speaks = cues.iter().any(|(from, _)| (clip[0]..clip[1]).contains(from));
        assert!(speaks, "no cue from {} s to {} s", clip[0], clip[1]);
    }
}

/// `00:00:01,500 --> 00:00:02,750`
fn cue(line: &str) -> Option<(f64, f64)> {
    let (from, to) = line.split_once(" --> ")?;
    let time = |text: &str| {
        let fields = text.replace(',', ".");
        let fields = fields.split(':').map(|field| field.parse::<f64>().unwrap());
        fields.fold(0.0, |sum, field| sum * 60.0 + field)
    };
    Some((time(from), time(to)))
}

fn chapters_begin_with_clips(film: &Film) {
    let args = ["-v", "error", "-show_chapters", "-of", "json"];
    let said = printed("ffprobe", &args, &film.path("final.mp4"));
    let said: Value = serde_json::from_str(&said).unwrap();
    let number =
        |chapter: &Value, name: &str| chapter[name].as_str().unwrap().parse::<f64>().unwrap();
    let chapters = said["chapters"].as_array().unwrap();
    assert_eq!(chapters.len(), film.clips.len());
    for (chapter, clip) in chapters.iter().zip(film.times().windows(2)) {
        for (name, wanted) in [("start_time", clip[0]), ("end_time", clip[1])] {
            let found = number(chapter, name);
            assert!(
                (found - wanted).abs() < 0.002,
                "{name} is {found} s, and the clip's {wanted} s"
            );
        }
    }
}

fn is_loud(film: &Path, wanted: f64) {
    let mean = mean_volume(film);
    assert!((mean - wanted).abs() < 1.0, "{}: the mean volume is {mean} dB", film.display());
}
