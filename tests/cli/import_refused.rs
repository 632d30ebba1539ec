//! What `vwfb import` refuses, and that nothing is overwritten or half made.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::import::{FILM, import, refused};
use crate::world::World;

/// What is in the workspace's folder.
fn names(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.root()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != ".vwfb");
    names.sort();
    names
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let said = refused(
        r#"version: 2
name: [w]
nam: w
vars: { voice: a, list: [1] }
steps:
  - id: a
    kind: write_fil
  - id: b
    kind: write_file
    path: b.txt
    contents: x
  - id: b
    kind: ensure_dirs
    dirs: work
  - id: c
    kind: text_to_image
    prompt: "A {{ voise }}"
    output_path: 5
    width: wide
    height: 100000
    orientation: round
    depends_on: [d, aa]
  - id: d
    kind: ensure_dirs
    dirs: []
    depends_on: [c]
  - kind: ensure_dirs
segments:
  - id: s
    steps: [nobody]
  - id: s
    segment_type: loud
"#,
    );
    for text in [
        "error[wrong-type]: the workflow is of version 2",
        "w.yaml:1:10",
        "error[wrong-type]: `name` is a text, not a list",
        "error[unknown-attribute]: the workflow has no `nam`",
        "hint: did you mean `name`?",
        "error[wrong-type]: the variable `list` is a text, not a list",
        "error[unknown-rule]: there is no kind `write_fil`",
        "hint: did you mean `write_file`?",
        "error[missing-attribute]: the step `b` needs `content`",
        "error[unknown-attribute]: the step `b` has no `contents`",
        "error[duplicate-target]: two steps are called `b`",
        "error[unknown-var]: there is no variable `voise`",
        "w.yaml:17:16",
        "hint: did you mean `voice`?",
        "error[wrong-type]: `output_path` is a text, not the number `5`",
        "error[wrong-type]: `width` is a whole number, not the text `wide`",
        "error[out-of-range]: `height` is from 16 to 8192, not 100000",
        "error[not-in-enum]: `orientation` cannot be `round`",
        "error[unknown-label]: there is no step `aa`",
        "error[missing-attribute]: a step needs an `id`",
        "error[unknown-label]: there is no step `nobody`",
        "error[duplicate-target]: two segments are called `s`",
        "error[not-in-enum]: `segment_type` cannot be `loud`",
    ] {
        assert!(said.contains(text), "no `{text}` in:\n{said}");
    }
    let said = refused(
        "version: 1\nname: w\nsteps:\n- { id: a, kind: ensure_dirs, dirs: [x], depends_on: [b] }\n- { id: b, kind: ensure_dirs, dirs: [x], depends_on: [a] }\n",
    );
    let text = "error[cycle]: steps depend on one another in a circle: `a` -> `b` -> `a`";
    assert!(said.contains(text), "{said}");
}

#[test]
fn what_is_no_workflow_is_refused() {
    for (text, expected) in [
        ("", "error[missing-attribute]: the workflow is empty"),
        ("# nothing\n", "error[missing-attribute]: the workflow is empty"),
        ("just a text", "error[wrong-type]: the workflow is a map, not the text `just a text`"),
        ("- 1\n- 2\n", "error[wrong-type]: the workflow is a map, not a list"),
        ("a: \"b", "error[syntax-error]: this is no YAML"),
        ("version: 1\nsteps:\n\t- a\n", "error[syntax-error]: this is no YAML"),
        ("\u{0}\u{1}\u{2}", "error[syntax-error]: this is no YAML"),
        ("version: 1\nsteps: {}\n", "error[wrong-type]: `steps` is a list, not a map"),
        ("version: 1\nsteps: [a]\n", "error[wrong-type]: a step is a map, not the text `a`"),
        ("a: &a [*a]\n", "error[syntax-error]: an alias refers to what it is in"),
        ("a: {{ b }}\n", "error[wrong-type]: a key is a plain text"),
    ] {
        let said = refused(text);
        assert!(said.contains(expected), "{text:?}: {said}");
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e]\n";
    assert!(refused(bomb).contains("error[too-many-items]"));
    assert!(refused(&format!("a: {}", "[".repeat(5000))).contains("error["));
    assert!(refused(&"# long\n".repeat(1 << 20)).contains("larger than 4 MiB"));
    let world = World::empty();
    fs::create_dir(world.path("folder")).unwrap();
    let _told = world.run(&["import", "vwf", "folder"]).exits(3).says("cannot read `folder`");
    let _told = world.run(&["import", "vwf", "no.yaml"]).exits(3).says("cannot read `no.yaml`");
    fs::write(world.path("latin.yaml"), b"name: \xe9\n").unwrap();
    let _told = world.run(&["import", "vwf", "latin.yaml"]).exits(3).says("cannot read");
    world.write("w.yaml", FILM);
    let _told = world.run(&["import", "vwf", "w.yaml", "--workdir", "no"]).exits(2).says("`no`");
    let _told =
        world.run(&["import", "vwf", "w.yaml", "-o", "a:b"]).exits(2).says("cannot be a package");
    let _told = world.run(&["import", "vwf", "w.yaml", "-o", "w.yaml"]).exits(2);
    assert_eq!(names(&world), ["WORKSPACE.kdl", "folder", "latin.yaml", "w.yaml"]);
}

#[test]
fn nothing_is_overwritten_unless_it_is_asked_for() {
    let world = World::empty();
    let embedded = ["--engines", "embedded"];
    world.write("small-film/BUILD.kdl", "// mine\n");
    world.write("small-film/scripts/02-graph.txt", "mine");
    let there = import(&world, FILM, &embedded).exits(2);
    let there = there.says("these are there already: `[root]/small-film/BUILD.kdl`, `[root]/small-film/scripts/02-graph.txt`");
    let _told = there.says("--force");
    assert_eq!(world.read("small-film/BUILD.kdl"), "// mine\n");
    assert!(!world.path("small-film/clips.json").exists());
    let _made = import(&world, FILM, &["--engines", "embedded", "--force"]).exits(0);
    assert!(world.read("small-film/BUILD.kdl").starts_with("// Imported"));
    assert_eq!(world.read("small-film/scripts/02-graph.txt"), "A film is a graph of steps.");
    let _checked = world.ok(&["check"]);
    assert_eq!(names(&world), ["WORKSPACE.kdl", "small-film", "w.yaml"]);
    // What lies in a folder of items is one of them.
    let text = "version: 1\nname: w\nsteps:\n".to_owned();
    let steps = ["a", "b", "c"].map(|name| {
        format!(
            "- {{ id: say-{name}, kind: write_file, path: {name}.txt, content: {name}! }}\n\
             - {{ id: tts-{name}, kind: tts_generate, script_path: {name}.txt, output_path: {name}.wav }}\n"
        )
    });
    world.write("w/scripts/04-old.txt", "old");
    let made = import(&world, &(text + &steps.concat()), &embedded).exits(0);
    let _told =
        made.says("hint: `w/scripts/04-old.txt` was there before, and is an item like the others");
}

#[test]
fn what_fails_half_way_leaves_nothing() {
    let world = World::empty();
    world.write("small-film/keep.txt", "kept");
    // A folder is where the last of the files goes.
    fs::create_dir_all(world.path("small-film/scripts/04-end.txt")).unwrap();
    world.write("small-film/BUILD.kdl", "// mine\n");
    let _told = import(&world, FILM, &["--engines", "embedded", "--force"]).exits(4);
    assert_eq!(world.read("small-film/BUILD.kdl"), "// mine\n");
    assert!(!world.path("small-film/clips.json").exists());
    assert!(!world.path("small-film/scripts/01-hook.txt").exists());
    assert_eq!(names(&world), ["WORKSPACE.kdl", "small-film", "w.yaml"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_told() {
    let world = World::empty();
    world.write("locked/w.yaml", FILM);
    fs::set_permissions(world.path("locked"), fs::Permissions::from_mode(0o555)).unwrap();
    let is_root = fs::write(world.path("locked/probe"), "").is_ok();
    let ran = world.run(&["import", "vwf", "locked/w.yaml"]);
    fs::set_permissions(world.path("locked"), fs::Permissions::from_mode(0o755)).unwrap();
    // Nobody is locked out who is root.
    if !is_root {
        let _told = ran.exits(4).says("permission denied");
    }
}

#[test]
fn where_nothing_can_be_made_nothing_is() {
    let world = World::empty();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    // Nobody makes folders there.
    let ran = import(&world, FILM, &["-o", "/proc/film"]).exits(4);
    let _told = ran.says("error: cannot make `/proc/.vwfb-import-");
    assert_eq!(names(&world), ["w.yaml"]);
}
