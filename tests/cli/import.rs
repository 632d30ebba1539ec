//! Workflows of VWF: what they become, what is refused, and that nothing is half made.

use std::fs;

use crate::world::{Ran, World};

/// A film of four slides, with four steps for each.
pub(crate) const FILM: &str = include_str!("../import/film.yaml");

/// A step of every kind.
const KINDS: &str = include_str!("../import/kinds.yaml");

const VWF: [&str; 2] = ["import", "vwf"];

/// Imports `w.yaml` with `text`.
pub(crate) fn import(world: &World, text: &str, rest: &[&str]) -> Ran {
    world.write("w.yaml", text);
    world.run(&[&VWF[..], &["w.yaml"], rest].concat())
}

/// Imports the steps `steps`, which must be right, into `//w`; the text of its `BUILD.kdl`.
#[track_caller]
pub(crate) fn build_of(world: &World, steps: &str) -> String {
    let text = format!("version: 1\nname: w\n{steps}");
    let _made = import(world, &text, &["--engines", "embedded"]).exits(0);
    let _checked = world.ok(&["check"]);
    let _formatted = world.ok(&["fmt", "--check"]);
    world.read("w/BUILD.kdl")
}

/// What is said of the workflow `text`, which must be refused.
#[track_caller]
pub(crate) fn refused(text: &str) -> String {
    let world = World::empty();
    let said = import(&world, text, &[]).exits(3).stderr;
    assert!(!world.path("w").exists() && !world.path("workflow").exists(), "{said}");
    said
}

#[test]
fn a_film_becomes_a_fan_out() {
    let world = World::empty();
    world.write("w/film.yaml", FILM);
    let made = world.ok(&["-C", "w", "import", "vwf", "film.yaml", "--engines", "embedded"]);
    let listed = "w/small-film/BUILD.kdl\nw/small-film/clips.json\n\
                  w/small-film/scripts/01-hook.txt\nw/small-film/scripts/02-graph.txt\n\
                  w/small-film/scripts/03-key.txt\nw/small-film/scripts/04-end.txt\n";
    assert_eq!(made.stdout, listed);
    let made = made.says("made //w/small-film of film.yaml, 19 steps");
    let made = made.says("note: film.yaml:10: `ensure_dirs` is left out");
    let made = made.says("film.yaml:32, 57, 83, 108: an ffmpeg command that shows");
    let made = made.says("there is no file `w/assets/background.png` yet");
    let _told = made.says("`vwfb build //w/small-film:normalize`");
    let build = world.read("w/small-film/BUILD.kdl");
    let expected = include_str!("../import/film.BUILD.kdl");
    assert_eq!(build, expected);
    assert_eq!(world.read("w/small-film/scripts/02-graph.txt"), "A film is a graph of steps.");
    let items = world.read("w/small-film/clips.json");
    assert!(items.contains(r#""text": "A graph {of} \"steps\"""#), "{items}");
    let _checked = world.ok(&["check"]);
    let _formatted = world.ok(&["fmt", "--check"]);
}

#[test]
fn every_kind_of_step_is_carried_over() {
    for (engines, expected) in [
        ("embedded", include_str!("../import/kinds.embedded.BUILD.kdl")),
        ("services", include_str!("../import/kinds.services.BUILD.kdl")),
    ] {
        let world = World::empty();
        world.write("kinds.yaml", KINDS);
        let made = world.ok(&["import", "vwf", "kinds.yaml", "--engines", engines]);
        let made = made.says("warning: kinds.yaml:145: a command is not carried over");
        let made = made.says("hint: `WORKSPACE.kdl` does not allow what the package starts: add");
        let _told = made.says("tools { allow \"convert\" \"ffprobe\" }");
        let build = world.read("All-kinds/BUILD.kdl");
        if std::env::var_os("UPDATE").is_some() {
            let file = format!("tests/import/kinds.{engines}.BUILD.kdl");
            let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
            fs::write(root.join(file), &build).unwrap();
            continue;
        }
        assert_eq!(build, expected, "run: UPDATE=1 cargo test --test cli import");
        let _formatted = world.ok(&["fmt", "--check"]);
        let text = "workspace \"test\" { tools { allow \"convert\" \"ffprobe\"; }; }\n";
        world.write("WORKSPACE.kdl", text);
        // Nothing can stand in for a model.
        world.write("ggml-base.en.bin", "");
        let _checked = world.ok(&["check"]);
    }
}

#[test]
fn a_folder_without_a_workspace_becomes_one() {
    let world = World::empty();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    world.write("kinds.yaml", KINDS);
    let made = world.ok(&["import", "vwf", "kinds.yaml", "--engines", "embedded"]);
    assert!(made.stdout.starts_with("WORKSPACE.kdl\nAll-kinds/BUILD.kdl\n"), "{}", made.stdout);
    let text = world.read("WORKSPACE.kdl");
    assert!(text.contains("allow \"convert\" \"ffprobe\""), "{text}");
    let _checked = world.ok(&["check"]);
    let _formatted = world.ok(&["fmt", "--check"]);
}

#[test]
fn chains_of_texts_alone_are_a_folder_of_files() {
    let world = World::empty();
    let mut steps = String::from("vars: { end: Bye }\nsteps:\n");
    for name in ["b one", "a", "c"] {
        steps.push_str(&format!(
            "- {{ id: say {name}, kind: write_file, path: 'x/{name}.md', content: 'Say \"{name}\".' }}\n\
             - {{ id: tts {name}, kind: tts_generate, script_path: 'x/{name}.md', output_path: '{name}.wav' }}\n"
        ));
    }
    steps.push_str("- { id: bye, kind: write_file, path: x/bye.txt, content: '{{ end }}' }\n");
    let build = build_of(&world, &steps);
    let each = "// One for each of the 3 files of `scripts`.\n\
                each \"speechs\" over=\"scripts\" as=\"script\" {\n    tts \"speech\" text=\"{script}\"\n}\n";
    let each = each.replace("speechs", "speeches");
    assert!(build.contains(&each), "{build}");
    assert!(build.contains("write_file \"bye\" out=\"x/bye.txt\" text=\"{vars.end}\""), "{build}");
    assert_eq!(world.read("w/scripts/01-b-one.md"), "Say \"b one\".");
    let expanded = world.ok(&["query", "//w:all"]).stdout;
    assert!(expanded.contains("//w:speeches[b-one].speech"), "{expanded}");
}

#[test]
fn what_goes_on_from_each_chain_is_in_the_fan_out_too() {
    let world = World::empty();
    let mut steps = String::from("steps:\n");
    for name in ["a", "b", "c"] {
        steps.push_str(&format!(
            "- {{ id: text-{name}, kind: write_file, path: {name}.txt, content: Say {name}. }}\n\
             - {{ id: tts-{name}, kind: tts_generate, script_path: {name}.txt, output_path: {name}.wav }}\n\
             - {{ id: slide-{name}, kind: create_slide, text: {name}, output_path: {name}.png }}\n\
             - {{ id: clip-{name}, kind: run_command, program: ffmpeg, args: [-loop, '1', -i, {name}.png, -i, {name}.wav, -shortest, {name}.mp4] }}\n\
             - {{ id: loud-{name}, kind: normalize_volume, clip_path: {name}.mp4, depends_on: [clip-{name}] }}\n\
             - {{ id: heard-{name}, kind: whisper_transcribe, input_path: {name}.wav, output_path: {name}-heard.txt }}\n\
             - {{ id: seen-{name}, kind: whisper_transcribe, input_path: {name}.mp4, output_path: {name}-seen.srt, format: srt, depends_on: [loud-{name}] }}\n"
        ));
    }
    steps.push_str(
        "- { id: all, kind: video_concat, clips: [a.mp4, b.mp4, c.mp4], output_path: all.mp4, depends_on: [loud-a, loud-b, loud-c] }\n\
         - { id: loud, kind: normalize_volume, clip_path: all.mp4, depends_on: [all] }\n\
         - { id: two, kind: llm_audit, assets: [b.mp4, b-seen.srt], output_path: two.json, depends_on: [seen-b] }\n",
    );
    let build = build_of(&world, &steps);
    for text in [
        "    normalize \"level\" clip=\":clip\"",
        "    transcribe \"transcript\" audio=\":speech\"",
        "    transcribe \"transcript-2\" audio=\":sound\" format=\"srt\"",
        "concat \"all-steps\" clips=\":clips.scaled\"",
        "assets \":clips[b].level\" \":clips[b].transcript-2\"",
    ] {
        assert!(build.contains(text), "no {text} in {build}");
    }
    assert_eq!(build.matches("each \"").count(), 1, "{build}");
}

#[test]
fn two_chains_stay_as_they_are() {
    let world = World::empty();
    let mut steps = String::from("steps:\n");
    for name in ["a", "b"] {
        steps.push_str(&format!(
            "- {{ id: say-{name}, kind: write_file, path: {name}.txt, content: {name}! }}\n\
             - {{ id: tts-{name}, kind: tts_generate, script_path: {name}.txt, output_path: {name}.wav }}\n"
        ));
    }
    let build = build_of(&world, &steps);
    assert!(build.contains("tts \"tts-a\" text=\"scripts/a.txt\""), "{build}");
    assert!(!build.contains("each \""), "{build}");
}

/// The workflow of 111 steps with which VWF makes the film about itself, in its shape.
fn long_workflow() -> String {
    let mut text = String::from(
        "version: 1\nname: self\nsteps:\n- { id: dirs, kind: ensure_dirs, dirs: [work] }\n",
    );
    let mut clips = Vec::new();
    for number in 1..=26 {
        let id = format!("{number:02}-part{number}");
        text.push_str(&format!(
            "- {{ id: write-{id}, kind: write_file, path: work/{id}.txt, content: \"Part {number}.\\nOf it.\" }}\n\
             - {{ id: tts-{id}, kind: tts_generate, depends_on: [write-{id}], script_path: work/{id}.txt, output_path: work/{id}.wav }}\n\
             - {{ id: slide-{id}, kind: create_slide, text: Part {number}, output_path: work/{id}.png }}\n\
             - {{ id: clip-{id}, kind: run_command, depends_on: [tts-{id}, slide-{id}], program: ffmpeg, args: [-y, -loop, '1', -i, work/{id}.png, -i, work/{id}.wav, -c:v, libx264, -tune, stillimage, -c:a, aac, -b:a, 192k, -pix_fmt, yuv420p, -shortest, work/{id}.mp4] }}\n"
        ));
        clips.push(format!("work/{id}.mp4"));
    }
    let clips = clips.join(", ");
    text.push_str(&format!(
        "- {{ id: title, kind: text_to_image, prompt: A title, output_path: work/title.png, seed: 1 }}\n\
         - {{ id: end, kind: text_to_image, prompt: An end, output_path: work/end.png, seed: 2 }}\n\
         - {{ id: title-clip, kind: run_command, depends_on: [title], program: ffmpeg, args: [-y, -loop, '1', -i, work/title.png, -t, '5', work/title.mp4] }}\n\
         - {{ id: end-clip, kind: run_command, depends_on: [end], program: ffmpeg, args: [-y, -loop, '1', -i, work/end.png, -t, '5', work/end.mp4] }}\n\
         - {{ id: final, kind: video_concat, depends_on: [title-clip, end-clip], clips: [work/title.mp4, {clips}, work/end.mp4], output_path: final.mp4 }}\n\
         - {{ id: audit, kind: llm_audit, depends_on: [final], assets: [final.mp4], output_path: audit.json }}\n"
    ));
    text
}

#[test]
fn the_workflow_of_111_steps_is_one_fan_out() {
    let world = World::empty();
    let allowed = "workspace \"test\" {\n    tools { allow \"ffmpeg\" }\n}\n";
    world.write("WORKSPACE.kdl", allowed);
    let text = long_workflow();
    assert_eq!(text.matches("- { id:").count(), 111);
    let made = import(&world, &text, &["--engines", "embedded", "-o", "made"]).exits(0);
    assert_eq!(made.stdout.lines().count(), 2 + 26, "{}", made.stdout);
    let _told = made.says("w.yaml:8, 12, 16, 20, 24 and 21 more: an ffmpeg command that shows");
    let build = world.read("made/BUILD.kdl");
    assert!(
        build.contains("each \"clips\" over=\"clips.json\" as=\"item\" key=\"id\" {"),
        "{build}"
    );
    assert!(
        build.contains("clips \":title-clip-scaled\" \":clips\" \":end-clip-scaled\""),
        "{build}"
    );
    assert!(build.lines().count() < 80, "{build}");
    assert!(world.read("made/scripts/26-part26.txt").starts_with("Part 26.\nOf it."));
    let _checked = world.ok(&["check"]);
    let _formatted = world.ok(&["fmt", "--check"]);
}

#[test]
fn steps_are_ordered_by_data_and_where_there_is_none_by_after() {
    let world = World::empty();
    world.write("src/in.txt", "in");
    let build = build_of(
        &world,
        r#"
steps:
- { id: c, kind: write_file, path: c.txt, content: c, depends_on: [d, a] }
- { id: d, kind: ensure_dirs, dirs: [x], depends_on: [b] }
- { id: a, kind: write_file, path: a.txt, content: a }
- { id: b, kind: run_command, program: cp, args: [a.txt, b.txt], resume_output: ./b.txt }
- { id: e, kind: run_command, program: cat, args: [b.txt, src/in.txt], capture_path: e.log, depends_on: [c, b] }
"#,
    );
    assert!(
        build.contains("write_file \"c\" text=\"c\" after=\":a\" after=\":b\"")
            || build.contains("after \":a\" \":b\""),
        "{build}"
    );
    assert!(build.contains("run \"cp\" \"{srcs}\" \"{out}\""), "{build}");
    assert!(build.contains("run \"cat\" \"in/b.txt\" \"in/src/in.txt\""), "{build}");
    assert!(build.contains("srcs \":b\" \"//src/in.txt\""), "{build}");
    assert!(build.contains("after \":c\""), "{build}");
    assert!(build.contains("stdout \"{out}\""), "{build}");
    let _built = world.ok(&["build", "//w:e"]);
}

#[test]
fn a_path_that_is_written_twice_is_what_it_was_when_it_was_read() {
    let world = World::empty();
    let build = build_of(
        &world,
        r#"
steps:
- { id: one, kind: write_file, path: x.txt, content: one }
- { id: early, kind: run_command, program: cat, args: [x.txt], capture_path: early.txt, depends_on: [one] }
- { id: two, kind: write_file, path: x.txt, content: two, depends_on: [early] }
- { id: late, kind: run_command, program: cat, args: [./x.txt], capture_path: late.txt, depends_on: [two, one] }
"#,
    );
    let part = |name: &str| build.split(&format!("\"{name}\" {{")).nth(1).unwrap().to_owned();
    assert!(part("early").contains("srcs \":one\""), "{build}");
    assert!(part("late").contains("srcs \":two\""), "{build}");
    let _built = world.ok(&["build", "//w:all"]);
    assert_eq!(world.read("vwfb-out/w/late.txt"), "two");
    assert_eq!(world.read("vwfb-out/w/early.txt"), "one");
}

#[test]
fn writers_in_no_order_are_an_error_where_somebody_reads() {
    let steps = |rest: &str| {
        format!(
            "version: 1\nname: w\nsteps:\n\
             - {{ id: one, kind: write_file, path: x.txt, content: one }}\n\
             - {{ id: two, kind: write_file, path: x.txt, content: two }}\n{rest}"
        )
    };
    let said = refused(&steps(
        "- { id: r, kind: run_command, program: cat, args: [x.txt], capture_path: y.txt, depends_on: [one, two] }\n",
    ));
    let text = "error[output-conflict]: `r` reads `x.txt`, which `one` and `two` write in no order";
    assert!(said.contains(text), "{said}");
    let world = World::empty();
    let _noted = import(&world, &steps(""), &[]).exits(0).says(
        "`one`, `two` write one path, `x.txt`".replace("`one`, `two`", "`one` and `two`").as_str(),
    );
    let _checked = world.ok(&["check"]);
    let _built = world.ok(&["build", "//w:all"]);
}

#[test]
fn a_step_that_reads_its_own_output_reads_what_was_there() {
    let world = World::empty();
    world.write("films/a.mp4", "");
    let build = build_of(
        &world,
        r#"
steps:
- { id: loud, kind: normalize_volume, clip_path: films/a.mp4 }
- { id: louder, kind: normalize_volume, clip_path: films/a.mp4, target_db: -20, depends_on: [loud] }
- { id: same, kind: run_command, program: sort, args: [-o, list.txt, list.txt] }
"#,
    );
    assert!(build.contains("scale \"a-scaled\""), "{build}");
    assert!(
        build.contains("clip=\"//films/a.mp4\" ") || build.contains("clip \"//films/a.mp4\""),
        "{build}"
    );
    assert!(build.contains("normalize \"loud\" clip=\":a-scaled\""), "{build}");
    assert!(build.contains("normalize \"louder\" clip=\":loud-scaled\" target-db=-20"), "{build}");
}

#[test]
fn files_outside_the_workspace_go_into_the_package() {
    let world = World::empty();
    let steps = r#"
steps:
- { id: s, kind: create_slide, text: a, background: ../../elsewhere/a b.png, output_path: s.png }
- { id: t, kind: create_slide, text: b, background: /elsewhere/a b.png, output_path: ../../../t.png }
- { id: u, kind: write_file, path: /tmp/u.txt, content: u }
- { id: v, kind: write_file, path: ../v.txt, content: v }
"#;
    let text = format!("version: 1\nname: w\n{steps}");
    let made = import(&world, &text, &["--engines", "embedded"]).exits(0);
    let made =
        made.says("`/elsewhere/a b.png` is not in the workspace: copy it to `w/assets/a b-2.png`");
    let _told = made.says("copy it to `w/assets/a b.png`");
    let build = world.read("w/BUILD.kdl");
    assert!(
        build.contains("background \"assets/a b.png\" placeholder=\"color:#1a1a2e\""),
        "{build}"
    );
    let _checked = world.ok(&["check"]);
    let _built = world.ok(&["build", "//w:u", "//w:v"]);
}

#[test]
fn a_workdir_elsewhere_is_where_paths_lead() {
    let world = World::empty();
    world.write("project/pictures/a.png", "");
    world.write("project/workflows/w.yaml", "version: 1\nname: w\nsteps:\n- { id: s, kind: create_slide, text: a, background: pictures/a.png, output_path: s.png }\n");
    let made = world.ok(&[
        "import",
        "vwf",
        "project/workflows/w.yaml",
        "--workdir",
        "project",
        "-o",
        "films/w",
    ]);
    assert_eq!(made.stdout, "films/w/BUILD.kdl\n");
    assert!(!made.stderr.contains("missing"), "{}", made.stderr);
    let build = world.read("films/w/BUILD.kdl");
    assert!(build.contains("background=\"//project/pictures/a.png\""), "{build}");
    let _checked = world.ok(&["check"]);
    // Into the workdir itself, as its own package.
    let made = world.ok(&[
        "import",
        "vwf",
        "project/workflows/w.yaml",
        "--workdir",
        "project",
        "-o",
        "project",
    ]);
    assert_eq!(made.stdout, "project/BUILD.kdl\n");
    assert!(world.read("project/BUILD.kdl").contains("background=\"pictures/a.png\""));
    let _checked = world.ok(&["check"]);
}

#[test]
fn names_that_are_none_become_names() {
    let world = World::empty();
    let build = build_of(
        &world,
        "steps:\n\
         - { id: 01 intro!, kind: write_file, path: a.txt, content: a }\n\
         - { id: 01-intro, kind: write_file, path: b.txt, content: b }\n\
         - { id: all, kind: write_file, path: c.txt, content: c }\n\
         - { id: 'true', kind: write_file, path: d.txt, content: d }\n\
         - { id: 日本, kind: write_file, path: 'd {1}/日本 \"x\".txt', content: e }\n\
         - { id: x, kind: write_file, path: all-steps.txt, content: f }\n\
         - { id: y, kind: write_file, path: a.txt/in, content: g }\n\
         - { id: z, kind: write_file, path: \"new\\nline\\\\.txt\", content: h }\n\
         segments:\n- { id: 01 intro!, steps: [x, y], description: \"two\\nlines\" }\n",
    );
    for name in ["01-intro", "01-intro-2", "all-steps", "true", "step", "x", "y", "z"] {
        assert!(build.contains(&format!("write_file \"{name}\"")), "{name}: {build}");
    }
    assert!(
        build.contains("out \"d {{1}}/日本 \\\"x\\\".txt\"")
            || build.contains("out=\"d {{1}}/日本 \\\"x\\\".txt\""),
        "{build}"
    );
    assert!(build.contains("filegroup \"01-intro-3\""), "{build}");
    let _built = world.ok(&["build", "//w:all"]);
}

#[test]
fn a_package_may_be_called_in_any_language() {
    let world = World::empty();
    let text = "version: 1\nname: \"Größe: 日本 {1}\"\nsteps:\n- { id: a, kind: write_file, path: a.txt, content: a }\n";
    let made = import(&world, text, &[]).exits(0);
    assert_eq!(made.stdout, "Größe-日本-1/BUILD.kdl\n");
    let _built = world.ok(&["build", "//Größe-日本-1:a"]);
}

#[test]
fn texts_come_through_as_they_are() {
    let texts = [
        "plain",
        "{braces} {{ not a var }} }} {",
        "\"quotes\" and \\backslashes\\n",
        "two\nlines\n",
        "a\n\"\"\"\n  b\n\t\nc\n{x}\n",
        "a\n\n\n\nb\u{301}\u{1f600}",
        "trailing   \n   \n",
        "",
        "# \"\"\" #\n/* */ // /-\n",
        "\u{202e}bidi\u{feff}",
    ];
    let world = World::empty();
    let mut text = String::from("version: 1\nname: w\nvars: { v: 'a {b} \"c\"' }\nsteps:\n");
    for (number, content) in texts.iter().enumerate() {
        let json = serde_json::Value::from(*content).to_string();
        text.push_str(&format!(
            "- {{ id: t{number}, kind: write_file, path: t{number}.txt, content: {json} }}\n"
        ));
        let json = serde_json::Value::from(format!("{content}{{{{v}}}}")).to_string();
        text.push_str(&format!(
            "- {{ id: v{number}, kind: write_file, path: v{number}.txt, content: {json} }}\n"
        ));
    }
    let _made = import(&world, &text, &[]).exits(0);
    let _formatted = world.ok(&["fmt", "--check"]);
    let _built = world.ok(&["build", "//w:all"]);
    for (number, content) in texts.iter().enumerate() {
        let kept = match content.lines().count() > 3 {
            true => world.read(&format!("w/texts/t{number}.txt")),
            false => world.read(&format!("vwfb-out/w/t{number}.txt")),
        };
        assert_eq!(kept, *content);
        assert_eq!(
            world.read(&format!("vwfb-out/w/v{number}.txt")),
            format!("{content}a {{b}} \"c\"")
        );
    }
}
