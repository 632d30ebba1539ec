//! The examples, built from a copy: the film is what its rules say, byte for byte again and again,
//! and an edit costs what it must.

use std::collections::BTreeSet;
use std::fs;
use std::ops::Range;
use std::path::Path;
use std::process::Command;

use crate::explainer;
use crate::review::approved;
use crate::world::{World, contents};

/// The film, in the small size.
const FILM: [&str; 3] = ["//shorts:final", "--profile", "draft"];

fn examples() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples"))
}

/// A workspace that is a copy of the examples.
pub(crate) fn copied() -> World {
    let world = World::empty();
    copy(examples(), world.root());
    world
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        if [".vwfb", "vwfb-out"].iter().any(|own| name == *own) {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            fs::create_dir(to.join(&name)).unwrap();
            copy(&entry.path(), &to.join(&name));
        } else {
            fs::copy(entry.path(), to.join(&name)).unwrap();
        }
    }
}

/// What a program prints on both streams; it must succeed.
pub(crate) fn printed(program: &str, args: &[&str], file: &Path) -> String {
    let output = Command::new(program).args(args).arg(file).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program}: {text}");
    text
}

/// What `ffprobe` says of the entries `entries` of a stream.
fn probed(file: &Path, stream: &str, entries: &str) -> Vec<String> {
    let entries = format!("stream={entries}");
    let args = ["-v", "error", "-count_frames", "-select_streams", stream, "-show_entries"];
    let args = [&args[..], &[&entries, "-of", "default=nokey=1:noprint_wrappers=1"]].concat();
    printed("ffprobe", &args, file).lines().map(str::to_owned).collect()
}

pub(crate) fn frames(file: &Path) -> u64 {
    probed(file, "v:0", "nb_read_frames")[0].parse().unwrap()
}

/// What an audio filter of ffmpeg writes about the film.
fn heard(film: &Path, filter: &str) -> String {
    let film = film.to_str().unwrap();
    let args = ["-hide_banner", "-nostats", "-i", film, "-vn", "-af", filter, "-f", "null"];
    printed("ffmpeg", &args, Path::new("-"))
}

/// The clips of the film, by the names of their targets.
const CLIPS: [&str; 6] = ["hook", "graph", "content", "incremental", "cutoff", "outro"];

/// The labels of the tasks that a build of the film ran.
fn ran(world: &World) -> BTreeSet<String> {
    let results = world.results(&FILM).into_iter();
    let ran = results.filter(|(_, result)| ["ran", "cached"].contains(&result.as_str()));
    ran.map(|(label, _)| label.trim_start_matches("//shorts:").to_owned()).collect()
}

/// What makes the sound anew, beside taking it out of the film.
const SOUND: [&str; 1] = ["final.level"];

/// These, what makes the sound, and what joins the film in any case.
fn joined(names: &[&str], sound: &[&str]) -> BTreeSet<String> {
    let film = ["body", "final.sound", "final.film"];
    let all = film.iter().chain(names).chain(sound);
    all.map(|name| (*name).to_owned()).collect()
}

#[test]
fn the_film_is_what_its_rules_say_and_an_edit_costs_what_it_must() {
    let world = copied();
    let _built = world.ok(&[&["build"], &FILM[..]].concat());
    let film = world.path("vwfb-out/+draft/shorts/final.mp4");
    assert_streams(&world, &film);
    assert_loudness(&film);
    let bytes = fs::read(&film).unwrap();

    let text = world.read("shorts/narration.md");
    world.write("shorts/narration.md", text.replace("It sees your film", "Really. It sees it"));
    let spoken = ["segments[graph].speech", "segments[graph].clip"];
    assert_eq!(ran(&world), joined(&["narration", spoken[0], spoken[1]], &SOUND));
    assert!(fs::read(&film).unwrap() != bytes, "one more word is heard");

    let rules = world.read("shorts/BUILD.kdl");
    world.write("shorts/BUILD.kdl", format!("// A comment.\n{rules}"));
    assert_eq!(ran(&world), BTreeSet::new());

    let moved = world.read("shorts/narration.md");
    let (before, rest) = moved.split_once("## Graph").unwrap();
    let (graph, rest) = rest.split_once("## Content").unwrap();
    let (content, rest) = rest.split_once("## Incremental").unwrap();
    let swapped = format!("{before}## Content{content}## Graph{graph}## Incremental{rest}");
    world.write("shorts/narration.md", swapped);
    assert_eq!(ran(&world), joined(&["narration"], &SOUND), "another order joins anew");
    world.write("shorts/narration.md", moved);
    assert_eq!(ran(&world), joined(&["narration"], &SOUND), "from the store");

    let shown = digests(&film);
    let slide = world.read("shorts/slides/cutoff.svg");
    let slide = slide.replace("</svg>", "<circle cx=\"99\" cy=\"99\" r=\"9\" fill=\"red\"/></svg>");
    world.write("shorts/slides/cutoff.svg", slide);
    let drawn = ["segments[cutoff].slide", "segments[cutoff].clip"];
    assert_eq!(ran(&world), joined(&drawn, &[]));
    let changed = frames_of(&world, "cutoff");
    let now = digests(&film);
    let other: Vec<usize> = (0..now.len()).filter(|at| shown[*at] != now[*at]).collect();
    assert_eq!(shown.len(), now.len());
    assert!(
        other.iter().all(|at| changed.contains(at)),
        "{changed:?}, but these differ: {other:?}"
    );
    assert!(other.len() * 2 > changed.len(), "the slide is seen: {other:?}");

    world.write("shorts/narration.md", text);
    copy_back(&world, "shorts/slides/cutoff.svg");
    let counts = world.counts(&FILM);
    assert_eq!(counts.get("ran"), None, "everything was made before: {counts:?}");
    assert!(fs::read(&film).unwrap() == bytes, "the film is the old one again");
}

/// A digest of each decoded frame of a film.
fn digests(film: &Path) -> Vec<String> {
    let args = ["-v", "error", "-i", film.to_str().unwrap(), "-map", "0:v:0", "-f", "framemd5"];
    let lines = printed("ffmpeg", &args, Path::new("-"));
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    lines.map(|line| line.rsplit(' ').next().unwrap().to_owned()).collect()
}

/// Where the frames of a segment are in the film.
fn frames_of(world: &World, segment: &str) -> Range<usize> {
    let counts = CLIPS.map(|clip| {
        let label = format!("//shorts:segments[{clip}].clip");
        let path = world.ok(&[&["build", &label], &FILM[1..]].concat()).stdout;
        usize::try_from(frames(Path::new(path.trim_end()))).unwrap()
    });
    let at = CLIPS.iter().position(|clip| *clip == segment).unwrap();
    let from: usize = counts[..at].iter().sum();
    from..from + counts[at]
}

fn copy_back(world: &World, path: &str) {
    fs::copy(examples().join(path), world.path(path)).unwrap();
}

fn assert_streams(world: &World, film: &Path) {
    let video = probed(film, "v:0", "codec_name,width,height,r_frame_rate,pix_fmt");
    assert_eq!(video, ["h264", "540", "960", "yuv420p", "30/1"]);
    assert_eq!(probed(film, "a:0", "codec_name"), ["aac"]);
    let labels = CLIPS.map(|clip| format!("//shorts:segments[{clip}].clip"));
    let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
    let clips = world.ok(&[&["build"], &labels[..], &FILM[1..]].concat()).stdout;
    let sum: u64 = clips.lines().map(|path| frames(Path::new(path))).sum();
    assert_eq!(clips.lines().count(), CLIPS.len());
    assert_eq!(frames(film), sum, "no frame is lost or added by the join");
    let lengths =
        ["v:0", "a:0"].map(|stream| probed(film, stream, "duration")[0].parse::<f64>().unwrap());
    let wanted = u32::try_from(sum).map(f64::from).unwrap() / 30.0;
    for length in lengths {
        assert!((length - wanted).abs() < 0.05, "{length} s, not {wanted} s");
    }
}

fn assert_loudness(film: &Path) {
    let volume = heard(film, "volumedetect");
    let (_, mean) = volume.split_once("mean_volume: ").unwrap();
    let mean: f64 = mean.split(' ').next().unwrap().parse().unwrap();
    assert!((mean + 25.0).abs() < 1.5, "the mean volume is {mean} dB");
    let silence = heard(film, "silencedetect=noise=-50dB:duration=3");
    assert!(!silence.contains("silence_start"), "a hole in the sound:\n{silence}");
}

#[test]
fn two_clean_builds_of_every_example_make_the_same_bytes() {
    let (one, two) = (copied(), copied());
    let folders = packages(examples(), "");
    assert!(folders.len() >= 2, "{folders:?}");
    let made = [&one, &two].map(|world| {
        approved(world, &["//...", "--profile", "draft", "-j2"]);
        contents(&world.path("vwfb-out/+draft"))
    });
    let names = made[0].keys().collect::<Vec<_>>();
    for folder in folders {
        let placed = names.iter().any(|name| name.starts_with(&format!("{folder}/")));
        assert!(placed, "nothing of `//{folder}` is in place: {names:?}");
    }
    for (path, bytes) in &made[0] {
        assert!(made[1].get(path) == Some(bytes), "`{path}` differs between two builds");
    }
    assert_eq!(made[0].len(), made[1].len());
    explainer::are_right(&one);
}

#[test]
fn the_demo_makes_what_there_is() {
    let script = fs::read_to_string(examples().with_file_name("scripts").join("demo")).unwrap();
    let words = script.split([' ', '|', '\'', '\n']);
    let labels: Vec<&str> = words.filter(|word| word.starts_with("//")).collect();
    assert!(labels.len() > 8, "{labels:?}");
    let world = copied();
    for label in labels {
        let _there = world.ok(&["query", label]);
    }
}

/// The packages below a folder.
fn packages(folder: &Path, path: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let own = [".vwfb", "vwfb-out"].contains(&name.as_str());
        if name == "BUILD.kdl" && !path.is_empty() {
            found.push(path.to_owned());
        } else if entry.file_type().unwrap().is_dir() && !own {
            let below = if path.is_empty() { name } else { format!("{path}/{name}") };
            found.extend(packages(&entry.path(), &below));
        }
    }
    found
}

#[test]
fn a_picture_that_a_drawing_names_but_is_not_given_is_an_error() {
    let world = World::empty();
    let allowed = r#"workspace "w" { tools { allow "rsvg-convert" } }"#;
    world.write("WORKSPACE.kdl", allowed);
    let drawing = |inner: &str| {
        format!(r#"<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9">{inner}</svg>"#)
    };
    world.write("p/lost.svg", drawing("<image\n href='photo.png'/>"));
    let link = r##"<a href="https://example.org"><rect id="r"/></a><use href="#r"/>"##;
    world.write("p/whole.svg", drawing(link));
    let rules = r#"
        use "@std/image"
        svg_render "lost" src="lost.svg"
        svg_render "whole" src="whole.svg"
    "#;
    world.write("p/BUILD.kdl", rules);
    let _refused = world.run(&["build", "//p:lost"]).exits(1).says("names `photo.png`");
    let _drawn = world.ok(&["build", "//p:whole"]);
}

#[test]
fn another_value_of_a_sweep_runs_alone() {
    let world = copied();
    let table = ["build", "//sweep:table"];
    let _built = world.ok(&table);
    let lines = |world: &World| world.read("vwfb-out/sweep/table.txt").lines().count();
    assert_eq!(lines(&world), 1 + 6);
    let rules = world.read("sweep/BUILD.kdl");
    assert!(rules.contains("axis \"rate\" 10 50 200"));
    world.write("sweep/BUILD.kdl", rules.replace("10 50 200", "10 50 100 200"));
    let results = world.results(&table[1..]).into_iter();
    let ran = results.filter(|(_, result)| result == "ran").map(|(label, _)| label);
    let new = ["steps=20", "steps=5"].map(|it| format!("//sweep:runs[rate=100,{it}].descend"));
    assert_eq!(ran.collect::<Vec<_>>(), [&new[0], &new[1], "//sweep:table"]);
    assert_eq!(lines(&world), 1 + 8);
}
