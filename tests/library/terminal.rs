//! Recordings of a terminal.

use std::fs;
use std::path::Path;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::media::{built, frames, probed, refused, rgb, samples, workshop};
use crate::world::World;

/// A workspace with the rule in sight and `tape`, and the targets `targets`.
fn studio(tape: &str, targets: &str) -> World {
    let world = workshop(&["video"], targets);
    let tools = r#"workspace "test" { tools { allow "sed" } }"#;
    world.write("WORKSPACE.kdl", format!("{tools}\n"));
    world.write("p/demo.tape", tape);
    world
}

/// A small recording called `demo`, with further attributes.
fn demo(more: &str) -> String {
    format!(
        "record_terminal \"demo\" tape=\"demo.tape\" width=320 height=180 preset=\"ultrafast\" {more}"
    )
}

/// How many pixels of frame `index` are clearly brighter than the theme's background.
fn lit(film: &Path, index: u64) -> usize {
    rgb(film, index).chunks_exact(3).filter(|pixel| pixel[1] > 140).count()
}

const HELLO: &str =
    "Set FontSize 16\nSet CursorBlink false\nType@100ms \"echo hi\"\nEnter@300ms\nSleep 1s\n";

#[test]
fn a_recording_is_as_long_as_its_tape_and_shows_what_was_said() {
    let world = studio(HELLO, &demo(""));
    let film = built(&world, "demo");
    assert_eq!(frames(&film), 60);
    assert_eq!(samples(&film).len(), 2 * 44_100);
    assert_eq!(probed(&film, "v:0", "codec_name,width,height"), ["h264", "320", "180"]);
    assert_eq!(probed(&film, "a:0", "codec_name"), ["pcm_s16le"]);
    let (first, typed, last) = (lit(&film, 0), lit(&film, 20), lit(&film, 59));
    assert!(first < typed && typed < last, "{first}, {typed}, {last} bright pixels");

    let bytes = fs::read(&film).unwrap();
    fs::remove_dir_all(world.path("vwfb-out")).unwrap();
    let other = world.with_store("other");
    assert_eq!(fs::read(built(&other, "demo")).unwrap(), bytes, "another recording is the same");
}

#[test]
fn a_recording_joins_clips_of_its_form() {
    let targets = format!(
        "{}\nscale \"again\" clip=\":demo\" width=320 height=180 preset=\"ultrafast\"\n\
         concat \"film\" {{ clips \":demo#clip\" \":again\" }}",
        demo("")
    );
    let world = studio("Sleep 500ms\n", &targets);
    assert_eq!(frames(&built(&world, "film")), 30);
}

#[test]
fn programs_see_a_terminal_of_their_own_and_the_files_they_are_given() {
    let tape = "Set Width 640\nSet Height 360\nSet FontSize 12\n\
        Type \"cat note.txt; tty; stty size; echo seen > /dev/tty; sed s/a/b/ note.txt; echo $TERM\" Enter\n\
        Wait+Screen /\\nxterm-256color/\n\
        Wait+Screen /\\nbanana\\n\\/dev\\/pts\\/\\d+\\n\\d+ \\d+\\nseen\\nbbnana\\n/\nScreenshot all.png\n";
    let world = studio(tape, &demo("tools=\"sed\" srcs=\"note.txt\""));
    world.write("p/note.txt", "banana\n");
    let film = built(&world, "demo");
    let shot = film.with_file_name("demo.screenshots").join("all.png");
    assert_eq!(probed(&shot, "v:0", "width,height"), ["640", "360"]);
}

#[test]
fn programs_cannot_open_the_terminals_of_others() {
    let somebodys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&somebodys).unwrap();
    unlockpt(&somebodys).unwrap();
    let name = ptsname(&somebodys, Vec::new()).unwrap().into_string().unwrap();
    assert!(fs::OpenOptions::new().write(true).open(&name).is_ok(), "we may open it");
    let tape = format!(
        "Set FontSize 8\nType \"echo x > {name}\" Enter\nWait+Screen /{}: Permission denied/\n\
         Type \"echo x > /dev/ptmx\" Enter\nWait+Screen /ptmx: Permission denied/\n",
        name.replace('/', "\\/"),
    );
    let _film = built(&studio(&tape, &demo("")), "demo");
}

#[test]
fn a_recording_may_name_only_tools_that_the_workspace_allows() {
    let world = studio(HELLO, &demo("tools=\"python3\""));
    let ran = world.run(&["build", "//p:demo"]);
    let _told = ran
        .exits(3)
        .says("error[tool-not-allowed]: the workspace does not allow the tool `python3`");
}

#[test]
fn all_that_is_wrong_with_a_tape_is_told() {
    let world = studio("Tpye \"ls\"\nSleep soon\n", &demo(""));
    let _told = refused(&world, "demo")
        .says("error: no command `Tpye`")
        .says("--> in/demo.tape:1:1")
        .says("hint: did you mean `Type`?")
        .says("error: `soon` is no time");
}

#[test]
fn a_program_that_never_answers_is_told_with_its_screen() {
    let world = studio("Type \"cat\" Enter Wait+Screen@500ms /done/\n", &demo(""));
    let _told =
        refused(&world, "demo").says("error: `/done/` was not seen within 0.5 s").says("| > cat");
}

#[test]
fn what_a_tape_requires_must_be_there() {
    let world = studio("Require sed\nRequire git\nSet Shell zsh\n", &demo(""));
    let _told = refused(&world, "demo")
        .says("error: the tape requires `sed`, which is not on PATH")
        .says("error: the tape requires `git`, which is not on PATH");
}
