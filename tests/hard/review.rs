//! The example that waits for people and for files: who is asked when, and what each answer and each
//! arrival runs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::film::{copied, frames, printed};
use crate::world::{Ran, World, results};

/// The film, in the small size.
pub(crate) const REVIEW: [&str; 3] = ["//review:final", "--profile", "draft"];

/// Its checkpoints, in the order in which they are met.
const CHECKPOINTS: [&str; 2] = ["//review:review_text", "//review:review_audio"];

const FILM: &str = "vwfb-out/+draft/review/final.mp4";

/// A build that ends with `code`, and what ran in it.
#[track_caller]
fn built(world: &World, code: i32) -> (Ran, BTreeSet<String>) {
    let events = world.beside("events.jsonl");
    let args = [&["build", "--events", events.to_str().unwrap()], &REVIEW[..]].concat();
    let built = world.run(&args).exits(code);
    let results = results(&fs::read_to_string(events).unwrap()).into_iter();
    let ran = results.filter(|(_, result)| result == "ran").map(|(label, _)| short(&label));
    (built, ran.collect())
}

/// A label as it is in the package; which of equal placeholders is made for all is nobody's business.
fn short(label: &str) -> String {
    match label.contains(".placeholder[") {
        true => "placeholder".to_owned(),
        false => label.trim_start_matches("//review:").to_owned(),
    }
}

#[track_caller]
fn ran(world: &World) -> BTreeSet<String> {
    built(world, 0).1
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// `target` of every section.
fn each(target: &str) -> BTreeSet<String> {
    ["hook", "content", "outro"].map(|section| format!("segments[{section}].{target}")).into()
}

/// What joins the film in any case.
fn film() -> BTreeSet<String> {
    set(&["body", "final.sound", "final.film"])
}

fn joined<const N: usize>(sets: [BTreeSet<String>; N]) -> BTreeSet<String> {
    sets.into_iter().flatten().collect()
}

#[track_caller]
fn approve(world: &World, checkpoint: &str) {
    let _told = world.ok(&["approve", checkpoint, "--profile", "draft"]);
}

/// Builds `targets` and approves whatever that asks for, until nothing waits.
#[track_caller]
pub(crate) fn approved(world: &World, targets: &[&str]) {
    let build = [&["build"], targets].concat();
    for checkpoint in CHECKPOINTS {
        let _waits = world.run(&build).exits(5).says(&format!("waiting {checkpoint}: "));
        approve(world, checkpoint);
    }
    let _built = world.ok(&build);
}

#[test]
fn nothing_is_spoken_before_its_text_is_read_or_joined_before_it_is_heard() {
    let world = copied();
    let (waits, drawn) = built(&world, 5);
    let _told = waits.says("waiting //review:review_text: Read every section");
    let silent = [set(&["narration", "placeholder"]), each("slide"), each("picture")];
    assert_eq!(drawn, joined(silent));

    approve(&world, CHECKPOINTS[0]);
    let (waits, spoken) = built(&world, 5);
    let _told = waits.says("waiting //review:review_audio: Listen to every section");
    assert_eq!(spoken, joined([each("speech"), each("clip")]));

    approve(&world, CHECKPOINTS[1]);
    let (made, last) = built(&world, 0);
    let missing = "review/assets/background.png, review/assets/intro.mp4";
    let _told = made.says(&format!("provisional //review:final: {missing}\n"));
    assert_eq!(last, joined([film(), set(&["final.level"])]));
    let refused = world.run(&[&["build", "--final"], &REVIEW[..]].concat()).exits(3);
    let refused = refused.says("error: `//review:final` is provisional");
    let _told = refused.says("review/assets/intro.mp4: //review:opening waits for it");

    let text = world.read("review/narration.md");
    world.write("review/narration.md", text.replace("You fix one word", "You mend one word"));
    let (waits, split) = built(&world, 5);
    let shown = waits.stderr.lines().filter(|line| line.contains("look at")).count();
    assert_eq!(shown, 1, "only the section that changed is asked about:\n{}", waits.stderr);
    assert_eq!(split, set(&["narration"]));
    approve(&world, CHECKPOINTS[0]);
    let (waits, spoken) = built(&world, 5);
    let _told = waits.says("//review:segments[hook].speech#wav");
    assert_eq!(spoken, set(&["segments[hook].speech", "segments[hook].clip"]));
    approve(&world, CHECKPOINTS[1]);
    assert_eq!(ran(&world), joined([film(), set(&["final.level"])]));

    world.write("review/narration.md", text);
    assert_eq!(ran(&world), set(&[]), "what was approved before is approved, and there");
}

#[test]
fn what_arrives_runs_exactly_what_reads_it() {
    let world = copied();
    approved(&world, &REVIEW);
    let without = frames(&world.path(FILM));
    fs::create_dir(world.path("review/assets")).unwrap();

    let background = world.path("review/assets/background.png");
    draw(&["-f", "lavfi", "-i", "gradients=s=300x600:seed=1", "-frames:v", "1"], &background);
    let (made, again) = built(&world, 0);
    let _told = made.says("provisional //review:final: review/assets/intro.mp4\n");
    assert_eq!(again, joined([each("picture"), each("clip"), film()]));
    fs::remove_file(&background).unwrap();
    assert_eq!(ran(&world), set(&[]), "the store has what was");

    // Of another size and rate, and its sound ends early.
    let picture = ["-f", "lavfi", "-i", "testsrc=s=320x240:r=25:d=2"];
    let sound = ["-f", "lavfi", "-i", "sine=r=48000:d=1.5", "-pix_fmt", "yuv420p"];
    let intro = world.path("review/assets/intro.mp4");
    draw(&[&picture[..], &sound].concat(), &intro);
    let (made, again) = built(&world, 0);
    let _told = made.says("provisional //review:final: review/assets/background.png\n");
    assert_eq!(again, joined([film(), set(&["intro[intro].scaled", "final.level"])]));
    assert_eq!(frames(&world.path(FILM)), without + 60, "two seconds more");
    fs::remove_file(&intro).unwrap();
    assert_eq!(ran(&world), set(&[]), "and without it all is as it was");
}

/// Has ffmpeg make `file`.
fn draw(args: &[&str], file: &Path) {
    let _made = printed("ffmpeg", &[&["-v", "error"], args].concat(), file);
}
