//! Builds of single targets, and what there is in the media they make.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::world::{Ran, World};

/// A workspace whose package `//p` has the rules of the built-in files `libraries` in sight.
pub(crate) fn workshop(libraries: &[&str], targets: &str) -> World {
    let uses: String = libraries.iter().map(|name| format!("use \"@std/{name}\"\n")).collect();
    World::with(&format!("{uses}{targets}\n"))
}

/// Builds `//p:NAME`; the path of its output.
#[track_caller]
pub(crate) fn built(world: &World, name: &str) -> PathBuf {
    let ran = world.ok(&["build", &format!("//p:{name}")]);
    let path = ran.stdout.lines().next();
    PathBuf::from(path.unwrap_or_else(|| panic!("no output of `{name}`: {}", ran.stderr)))
}

/// Builds `//p:NAME`, which must fail; what was said.
#[track_caller]
pub(crate) fn refused(world: &World, name: &str) -> Ran {
    world.run(&["build", &format!("//p:{name}")]).exits(1)
}

/// What a program writes to its standard output; it must succeed.
#[track_caller]
pub(crate) fn output(program: &str, args: &[&str]) -> Vec<u8> {
    let output = Command::new(program).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {said}");
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What `ffprobe` says of the entries `entries` of stream `stream` (`v:0`, `a:0`).
pub(crate) fn probed(file: &Path, stream: &str, entries: &str) -> Vec<String> {
    let entries = format!("stream={entries}");
    let args = ["-v", "error", "-count_frames", "-select_streams", stream, "-show_entries"];
    let shape = ["-of", "default=nokey=1:noprint_wrappers=1"];
    let all = [&args[..], &[&entries], &shape[..], &[text(file)]].concat();
    String::from_utf8(output("ffprobe", &all)).unwrap().lines().map(str::to_owned).collect()
}

/// How many frames of video there are.
pub(crate) fn frames(file: &Path) -> u64 {
    probed(file, "v:0", "nb_read_frames")[0].parse().unwrap()
}

/// The decoded sound as 16-bit stereo at 44,100 Hz.
pub(crate) fn samples(file: &Path) -> Vec<[i16; 2]> {
    let args = ["-v", "error", "-i", text(file), "-map", "0:a:0", "-f", "s16le"];
    let bytes = output("ffmpeg", &[&args[..], &["-ar", "44100", "-ac", "2", "-"]].concat());
    let sample = |four: &[u8]| {
        [i16::from_le_bytes([four[0], four[1]]), i16::from_le_bytes([four[2], four[3]])]
    };
    bytes.chunks_exact(4).map(sample).collect()
}

/// The frame number `index`, decoded: RGB, row by row.
pub(crate) fn rgb(file: &Path, index: u64) -> Vec<u8> {
    let filter = format!("select=eq(n\\,{index})");
    let args = ["-v", "error", "-i", text(file), "-map", "0:v:0", "-vf", &filter];
    let rest = ["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
    output("ffmpeg", &[&args[..], &rest[..]].concat())
}

/// The mean volume in dB below full scale, as ffmpeg's `volumedetect` measures it.
pub(crate) fn mean_volume(file: &Path) -> f64 {
    let args = ["-hide_banner", "-nostats", "-i", text(file), "-vn", "-af", "volumedetect"];
    let all = [&args[..], &["-f", "null", "-"]].concat();
    let said = Command::new("ffmpeg").args(&all).output().unwrap().stderr;
    let said = String::from_utf8_lossy(&said).into_owned();
    let (_, mean) = said.split_once("mean_volume: ").unwrap_or_else(|| panic!("{said}"));
    mean.split(' ').next().unwrap().parse().unwrap()
}
