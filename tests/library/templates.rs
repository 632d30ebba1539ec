//! The built-in templates of `vwfb new`: what they make is right whatever it is given, previews and
//! builds at once, and is a film.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::media::{output, probed, rgb};
use crate::world::World;

/// Concepts that are hard to write into any of the files.
const HOSTILE: [&str; 5] = [
    "Attention, \"heads\" & keys",
    "}} {vars.x} {{ \"# \\",
    "<b>bold</b> $(exit 1) `id`",
    "## Concept 9\nnext line @title@",
    "Grüße und Ωmega",
];

/// Concepts that can be spoken as they are written: a film is joined of nothing else.
const SPEAKABLE: &str = "concepts=[\"Attention, heads and keys\", Queries, Values, Masks, Layers]";

/// A folder that is no workspace, with a project and a recording.
fn folder() -> World {
    let world = World::empty();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    world.write("code/tt-rs/README.md", "A project.\n");
    // As loud as sound can be.
    let demo = world.path("demo.mp4");
    let picture = ["-v", "error", "-f", "lavfi", "-i", "testsrc=s=320x180:d=2:r=25"];
    let sound = ["-f", "lavfi", "-i", "anoisesrc=d=2:a=0.9", "-shortest", demo.to_str().unwrap()];
    let _none = output("ffmpeg", &[&picture[..], &sound[..]].concat());
    world.write("hello.tape", "Type \"echo hello\"\nEnter\nSleep 300ms\n");
    world
}

/// The mean volume of a recording in dB, for `seconds` from `start` on.
fn volume(path: &Path, start: &str, seconds: &str) -> f64 {
    let filter = "astats=metadata=0:measure_perchannel=none:measure_overall=RMS_level";
    let args = ["-hide_banner", "-ss", start, "-t", seconds, "-i", path.to_str().unwrap()];
    let measured =
        Command::new("ffmpeg").args(args).args(["-af", filter, "-f", "null", "-"]).output();
    let told = String::from_utf8(measured.unwrap().stderr).unwrap();
    let level = told.rsplit_once("RMS level dB: ").unwrap().1;
    level.lines().next().unwrap().trim().parse().unwrap()
}

fn concepts() -> String {
    format!("concepts={}", serde_json::to_string(&HOSTILE).unwrap())
}

/// What `vwfb new TEMPLATE film` with these values prints.
fn made(world: &World, template: &str, values: &[&str]) -> String {
    let sets = values.iter().flat_map(|value| ["--var", value]);
    let args: Vec<&str> = ["new", template, "film"].into_iter().chain(sets).collect();
    world.ok(&args).stdout
}

#[test]
fn a_short_previews_and_builds_at_once() {
    let world = folder();
    let made = made(&world, "shorts", &["episode_number=17", SPEAKABLE]);
    assert_eq!(
        made,
        "WORKSPACE.kdl\nfilm/BUILD.kdl\nfilm/narration.md\nfilm/outline.json\nfilm/summary.txt\n"
    );
    let previewed = world.ok(&["preview", "//film:final", "--profile", "draft"]);
    let _told = previewed.says("0 of 7 segments real; missing: film/assets/background.png");
    let built = world.ok(&["build", "//film:all", "--profile", "draft"]);
    let _told =
        built.says(": film/assets/background.png, film/assets/intro.mp4, film/assets/outro.mp4");
    let film = world.path("vwfb-out/+draft/film/final.mp4");
    assert_eq!(probed(&film, "v:0", "width,height"), ["540", "960"]);
}

#[test]
fn what_a_short_says_and_shows_is_what_is_given() {
    let world = folder();
    let _made = made(&world, "shorts", &["episode_number=17", &concepts()]);
    let built = ["build", "//film:narration", "//film:slides", "--profile", "draft"];
    let _built = world.ok(&built);
    let spoken = world.read("vwfb-out/+draft/film/narration/05-concept-4.txt");
    assert!(spoken.starts_with("Number 4: ## Concept 9 next line @title@. "), "{spoken}");
    let outline: serde_json::Value =
        serde_json::from_str(&world.read("film/outline.json")).unwrap();
    for (index, concept) in HOSTILE.iter().enumerate() {
        assert_eq!(outline[index + 1]["title"], *concept);
    }
}

#[test]
fn a_short_and_an_explainer_are_made_of_shared_files() {
    let world = folder();
    let values = [
        "project_path=code/tt-rs",
        "key_features=[\"Fast, small\", Placeholders]",
        SPEAKABLE,
        "demo_recordings=demo.mp4",
        "vhs_tapes=hello.tape",
        "use_avatar=true",
        "llm=replay",
    ];
    let made = made(&world, "dual", &values);
    assert!(made.contains("\nfilm/demo_recordings/demo.mp4\n"), "{made}");
    assert!(made.contains("\nfilm/explainer/answers/outline.txt\n"), "{made}");
    let built = world.ok(&["build", "//film:upload", "--profile", "draft"]);
    let _told = built.says("film/assets/avatar.mp4, film/assets/background.png");
    let out = |name: &str| world.path(&format!("vwfb-out/+draft/film/{name}"));
    assert_eq!(probed(&out("short/final.mp4"), "v:0", "width,height"), ["540", "960"]);
    assert_eq!(probed(&out("explainer/final.mp4"), "v:0", "width,height"), ["960", "540"]);
    let told = fs::read_to_string(out("explainer/description.txt")).unwrap();
    assert!(told.starts_with("tt-rs: Fast, small, Placeholders.\n\n00:00 tt-rs\n"), "{told}");
    let chapters: Vec<&str> =
        told.lines().skip(2).take_while(|line| !line.is_empty()).map(|line| &line[6..]).collect();
    assert_eq!(
        chapters,
        ["tt-rs", "Why", "Fast, small", "Placeholders", "Demo", "demo", "hello", "Try it"]
    );
    assert!(fs::read_to_string(out("explainer/subtitles.srt")).unwrap().contains("Placeholders."));
    assert!(out("explainer/thumbnail.jpg").is_file());
    let credit = "\n\nMusic: composed by a rule, from a mood, a key and a seed.\n\n#video\n";
    assert!(told.ends_with(credit), "{told}");
    let needed = world.ok(&["query", "deps(//film/explainer:final)", "--profile", "draft"]).stdout;
    assert!(needed.contains("//film/explainer:segments[hook].verified\n"), "{needed}");
    // What was loud makes nothing else quiet: the demo, the second sentence, and the whole.
    let film = out("explainer/final.mp4");
    let at = |title: &str| {
        let line = told.lines().find(|line| line.ends_with(&format!(" {title}"))).unwrap();
        let seconds: u32 = line[3..5].parse().unwrap();
        format!("{}", seconds + 1)
    };
    let [demo, why] = [volume(&film, &at("demo"), "1"), volume(&film, &at("Why"), "5")];
    assert!((demo + 25.0).abs() < 2.0 && (why + 25.0).abs() < 2.0, "{demo} {why}");
}

#[test]
fn a_draft_of_every_template_is_small_in_one_workspace() {
    let world = folder();
    let workspaces = ["shorts", "explainer", "dual"].map(|template| {
        let path = format!("{}/templates/{template}/WORKSPACE.kdl.in", env!("CARGO_MANIFEST_DIR"));
        fs::read_to_string(path).unwrap()
    });
    assert!(workspaces.iter().all(|text| *text == workspaces[0]));
    let _made = made(&world, "shorts", &["episode_number=1", "concepts=[a, b, c, d, e]"]);
    let long = [
        "new",
        "explainer",
        "long",
        "--var",
        "project_path=code/tt-rs",
        "--var",
        "key_features=[a]",
    ];
    let made = world.ok(&long);
    assert!(!made.stderr.contains("WORKSPACE.kdl"), "{}", made.stderr);
    let _built = world.ok(&["build", "//long:slides[title].slide", "--profile", "draft"]);
    let slide = world.path("vwfb-out/+draft/long/slides/title/slide.png");
    assert_eq!(probed(&slide, "v:0", "width,height"), ["960", "540"]);
}

#[test]
fn what_is_said_can_be_no_heading() {
    let world = folder();
    let values =
        ["project_path=code/tt-rs", "key_features=[\"## Fast\", \"~~~\", plain]", "title=```js"];
    for llm in ["llm=none", "llm=replay"] {
        let _made = made(&world, "explainer", &[&values[..], &[llm]].concat());
        let _built = world.ok(&["build", "//film:narration"]);
        let sections = fs::read_dir(world.path("vwfb-out/film/narration")).unwrap().count();
        assert_eq!(sections, 6);
        fs::remove_dir_all(world.path("film")).unwrap();
    }
}

#[test]
fn a_narration_of_other_headings_is_refused() {
    let world = folder();
    world.write("mine{}.txt", "INTRO:\nHello.\n");
    let values = ["--var", "episode_number=1", "--var", "concepts=[a, b, c, d, e]"];
    let args =
        [&["new", "shorts", "film", "--var", "custom_narration=mine{}.txt"], &values[..]].concat();
    let _told =
        world.run(&args).exits(2).says("`mine{}.txt`: it has no heading such as `## Intro`");
    world.write("mine{}.txt", "## Intro\n\nHello.\n\n## CTA\n\nSubscribe.\n");
    let _made = world.ok(&args);
    let _built = world.ok(&["build", "//film:narration"]);
}

#[test]
fn every_choice_makes_a_package_without_problems() {
    let short = ["episode_number=1", "concepts=[a, b, c, d, e]"];
    let long = ["project_path=code/tt-rs", "key_features=[a]"];
    let both = [&short[..], &long[..]].concat();
    for (template, values) in
        [("shorts", &short[..]), ("explainer", &long[..]), ("dual", &both[..])]
    {
        for choice in [
            &["review=true"][..],
            &["review=true", "llm=replay"],
            &["review=true", "llm=ollama"],
            &["use_avatar=true", "review=true", "demo_recordings=[demo.mp4]", "title=A \"title\""],
            &["custom_narration=code/mine.md", "llm=replay"],
        ] {
            let world = folder();
            world.write("code/mine.md", "## Intro\n\nHello.\n");
            let listed = world.ok(&["new", "--list", template]).stdout;
            let is_param = |value: &&&str| {
                let name = value.split_once('=').unwrap().0;
                listed.contains(&format!("\n  {name} "))
            };
            let choice: Vec<&str> = choice.iter().filter(is_param).copied().collect();
            let _made = made(&world, template, &[values, &choice].concat());
            let checked = world.ok(&["check"]).says(": 0 errors, 0 warnings");
            // What is written is as `vwfb fmt` writes it.
            let _formatted = world.ok(&["fmt", "--check"]);
            assert!(!checked.stderr.starts_with("0 targets"), "{template} {choice:?}");
        }
    }
}

#[test]
fn checkpoints_stop_a_film_that_is_to_be_reviewed() {
    let world = folder();
    let values = ["episode_number=1", "concepts=[a, b, c, d, e]", "review=true"];
    let _made = made(&world, "shorts", &values);
    let build = ["build", "//film:final", "--profile", "draft"];
    let _waits = world.run(&build).exits(5).says("waiting //film:review_text: ");
    let _open = world.ok(&["approve", "//film:review_text", "--profile", "draft"]);
    let _waits = world.run(&build).exits(5).says("waiting //film:review_audio: ");
}

#[test]
fn an_engine_that_is_not_there_is_named() {
    let world = folder();
    let values = ["--var", "episode_number=1", "--var", "concepts=[a, b, c, d, e]"];
    let args = [&["new", "shorts", "film", "--var", "llm=gpt"], &values[..]].concat();
    let refused = world.run(&args).exits(2);
    let _told = refused.says("`llm` cannot be `gpt`").says("one of `none`, `replay`, `ollama`");
    assert!(!world.path("film").exists() && !world.path("WORKSPACE.kdl").exists());
}

/// The colours that a picture has in its lower left corner, where placeholders have their names.
fn corner(picture: &Path) -> Vec<[u8; 3]> {
    let (pixels, width) = (rgb(picture, 0), 960);
    let row = |y: usize| (0..width / 3).map(move |x| (y * width + x) * 3);
    let mut seen: Vec<[u8; 3]> =
        (480..540).flat_map(row).map(|at| [pixels[at], pixels[at + 1], pixels[at + 2]]).collect();
    seen.sort_unstable();
    seen.dedup();
    seen
}

#[test]
fn what_stands_for_a_background_is_a_plain_colour() {
    let world = folder();
    let _made = made(&world, "explainer", &["project_path=code/tt-rs", "key_features=[One]"]);
    let build = ["build", "//film:slides[title].slide", "//film:thumbnail", "--profile", "draft"];
    let _built = world.ok(&build).says("provisional");
    let slide = world.path("vwfb-out/+draft/film/slides/title/slide.png");
    assert_eq!(corner(&slide).len(), 1);
}

#[test]
fn a_film_can_do_without_each_of_its_files() {
    let world = folder();
    let short = ["episode_number=1", SPEAKABLE];
    let long = ["project_path=code/tt-rs", "key_features=[One]"];
    let words = ["## Intro\n\nHello.\n", "## Title\n\nHello.\n\n## CTA\n\nBye.\n"];
    for (template, values, narration) in
        [("shorts", &short[..], words[0]), ("explainer", &long, words[1])]
    {
        let _made = made(&world, template, values);
        let text = world.read("film/BUILD.kdl");
        let lines = text.lines().map(|line| {
            let line = line.replace("\"#1a1a2e\"", "\"#203040\"");
            match line.trim().strip_prefix("default ") {
                Some(_) => "default".to_owned(),
                None if line.trim().starts_with("music_credit ") => "music_credit \"\"".to_owned(),
                None => line,
            }
        });
        world.write("film/BUILD.kdl", lines.collect::<Vec<_>>().join("\n"));
        world.write("film/narration.md", narration);
        let film =
            world.ok(&["build", "//film:upload", "//film:slides", "--final", "--profile", "draft"]);
        assert!(!film.stderr.contains("provisional"), "{}", film.stderr);
        let told = world.read("vwfb-out/+draft/film/description.txt");
        assert!(!told.contains("Music"), "{told}");
        fs::remove_dir_all(world.path("film")).unwrap();
    }
    let slide = world.path("vwfb-out/+draft/film/slides/title/slide.png");
    assert_eq!(corner(&slide), [[0x20, 0x30, 0x40]]);
    assert_eq!(probed(&world.path("vwfb-out/+draft/film/final.mp4"), "a:0", "codec_name"), ["aac"]);
}

#[test]
fn an_empty_narration_is_told_by_its_name() {
    let world = folder();
    let _made = made(&world, "shorts", &["episode_number=1", SPEAKABLE]);
    world.write("film/narration.md", "## Intro\n\nHello.\n\n## Concept 1\n\n## CTA\n\nBye.\n");
    let build = ["build", "//film:body", "--profile", "draft"];
    let refused = world.run(&build).exits(1);
    let refused = refused.says("`//film:segments[concept-1].speech` failed");
    let refused = refused.says("`in/text.txt` has no word that is spoken").says("write a sentence");
    let _told =
        refused.says("is `02-concept-1.txt` of `//film:narration`, made from `film/narration.md`");
    world.write("film/narration.md", "");
    let refused =
        world.run(&build).exits(1).says("`in/src.md` is empty").says("write `## Intro` and");
    let _told = refused.says("hint: `in/src.md` is `film/narration.md`");
}
