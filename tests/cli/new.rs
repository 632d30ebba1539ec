//! Packages of templates: what is listed, asked for, refused, and made.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::world::World;

/// A template that needs nothing but a shell, and has every kind of field.
const TEMPLATE: &str = r#"
doc "Notes on something."
params {
    number type="int" min=1 doc="Which one."
    topics type="string" list=#true count=2 doc="What they are about."
    mood type="enum" default="calm" { values "calm" "loud" }
    picture type="file" default="assets/picture.txt" { extensions "txt" }
    extras type="file" list=#true optional=#true
    project type="tree" optional=#true
    review type="bool" default=#false
}
"#;

const BUILD: &str = r#"
vars { number @number@; topics @topics@; mood @mood@; picture @picture@ }
@if review@
checkpoint "read" { of "notes.md"; message "Good?" }
@end@
write_file "numbered" text="{vars.number}"
task "topics" { out "topics.txt"; stdout "{out}"; run "printf" "%s|" "{vars.topics}" }
filegroup "extras" { srcs (glob)"extras/*" allow-empty=#true }
task "final" {
    srcs "notes.md" ":topics"
@if review@
    after ":read"
@end@
    srcs "{vars.picture}" placeholder="text:no picture"
    out "final.txt"
    script "cat {srcs} > {out}"
}
"#;

const NOTES: &str = "# @mood@\n@each topics as topic@\n@topic.number@. @topic@\n@end@\n";

/// A workspace with the template `notes`.
fn world() -> World {
    let world = World::empty();
    world.write("templates/notes/template.kdl", TEMPLATE);
    world.write("templates/notes/BUILD.kdl.in", BUILD);
    world.write("templates/notes/notes.md.in", NOTES);
    world.write("templates/notes/plain.md", "@number@ stays\n");
    world
}

const GOOD: [&str; 4] = ["--var", "number=3", "--var", "topics=[one, \"two, too\"]"];

fn new<'a>(template: &'a str, package: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["new", template, package], rest].concat()
}

/// What is in the workspace's folder, but for vwfb's own.
fn names(world: &World) -> Vec<String> {
    let entries = fs::read_dir(world.root()).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_package_is_made_of_a_template() {
    let world = world();
    let made = world.ok(&new("notes", "film/first", &GOOD));
    assert_eq!(made.stdout, "film/first/BUILD.kdl\nfilm/first/notes.md\nfilm/first/plain.md\n");
    let made = made.says("made //film/first of the template notes");
    let _told = made.says("`vwfb build //film/first:final`");
    assert_eq!(world.read("film/first/notes.md"), "# calm\n1. one\n2. two, too\n");
    assert_eq!(world.read("film/first/plain.md"), "@number@ stays\n");
    let build = world.read("film/first/BUILD.kdl");
    assert!(
        build.contains("topics \"one\" \"two, too\"") && !build.contains("checkpoint"),
        "{build}"
    );
    let _built = world.ok(&["build", "//film/first:final"]).says("provisional");
    let text = "# calm\n1. one\n2. two, too\none|two, too|no picture\n";
    assert_eq!(world.read("vwfb-out/film/first/final.txt"), text);
    // From a folder, and with a checkpoint.
    let second =
        world.ok(&[&["-C", "film"], &new("notes", "second", &GOOD)[..], &["--var", "review=true"]]
            .concat());
    let _told = second.says("made //film/second");
    let _waits = world.run(&["build", "//film/second:final"]).exits(5);
}

#[test]
fn files_are_copied_and_folders_named() {
    let world = world();
    world.write("pictures/one.txt", "1\n");
    world.write("pictures/two.txt", "2\n");
    let files = [
        "--var",
        "picture=pictures/one.txt",
        "--var",
        "extras=[pictures/one.txt,pictures/two.txt]",
    ];
    let made =
        world.ok(&[&new("notes", "n", &GOOD)[..], &files, &["--var", "project=pictures"]].concat());
    let _listed = made.prints("n/assets/one.txt\nn/extras/one.txt\nn/extras/two.txt\n");
    assert_eq!(world.read("n/extras/two.txt"), "2\n");
    let built = world.ok(&["build", "//n:final"]);
    assert!(!built.stderr.contains("provisional"), "{}", built.stderr);
}

#[test]
fn a_file_with_a_placeholder_may_come_later() {
    let world = world();
    let made =
        world.ok(&[&new("notes", "n", &GOOD)[..], &["--var", "picture=x/later.txt"]].concat());
    assert!(!made.stdout.contains("later"), "{}", made.stdout);
    let _told =
        made.says("hint: there is no file `x/later.txt` yet; put it at `n/assets/later.txt`");
    let _built = world.ok(&["build", "//n:final"]).says("provisional");
    world.write("n/assets/later.txt", "here\n");
    let _built = world.ok(&["build", "//n:final"]);
    assert!(world.read("vwfb-out/n/final.txt").ends_with("here\n"));
}

#[test]
fn a_folder_without_a_workspace_becomes_one() {
    let world = world();
    fs::create_dir_all(world.path("alone")).unwrap();
    fs::rename(world.path("templates"), world.root().with_file_name("kept")).unwrap();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let user = world.root().with_file_name("config");
    fs::create_dir_all(user.join("vwfb")).unwrap();
    fs::rename(world.root().with_file_name("kept"), user.join("vwfb/templates")).unwrap();
    let mut command = world.command(&[&["-C", "alone"], &new("notes", "n", &GOOD)[..]].concat());
    let made = world.ended(command.env("XDG_CONFIG_HOME", &user).output().unwrap()).exits(0);
    assert!(made.stdout.starts_with("WORKSPACE.kdl\nn/BUILD.kdl\n"), "{}", made.stdout);
    assert_eq!(world.read("alone/WORKSPACE.kdl"), "workspace \"alone\"\n");
    let _built = world.ok(&["-C", "alone", "build", "//n:final"]);
}

#[test]
fn a_template_may_have_packages_below_and_a_workspace() {
    let world = world();
    let build = "// @package@\nvars { picture @picture@ }\n\
                 filegroup \"final\" { srcs \"{vars.picture}\" placeholder=\"text:none\"; }\n";
    world.write("templates/notes/part/BUILD.kdl.in", build);
    world.write("templates/notes/part/words/a.md.in", "@picture@ of @package@\n");
    world.write(
        "templates/notes/WORKSPACE.kdl.in",
        "workspace @workspace@ { vars { n @number@ } }\n",
    );
    let made = world.ok(&new("notes", "n", &GOOD)).stdout;
    assert!(!made.contains("WORKSPACE.kdl"), "{made}");
    assert_eq!(world.read("n/part/words/a.md"), "../assets/picture.txt of n/part\n");
    assert!(world.read("n/part/BUILD.kdl").starts_with("// n/part\nvars {"));
    let _checked = world.ok(&["check", "//n/part:final"]);
    // It is for folders that are none.
    fs::rename(world.path("templates"), world.root().with_file_name("templates")).unwrap();
    fs::create_dir_all(world.root().with_file_name("vwfb")).unwrap();
    let user = world.root().with_file_name("vwfb").join("templates");
    fs::rename(world.root().with_file_name("templates"), user).unwrap();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let mut command = world.command(&new("notes", "m", &GOOD));
    command.env("XDG_CONFIG_HOME", world.root().parent().unwrap());
    let _made = world.ended(command.output().unwrap()).exits(0);
    assert!(world.read("WORKSPACE.kdl").starts_with("workspace \"root\" {"));
}

#[test]
fn templates_are_listed_with_their_params() {
    let world = world();
    let listed = world.ok(&["new", "--list"]);
    let listed = listed.prints("notes  (templates/notes)\n  Notes on something.\n");
    let listed = listed.prints("  number   int                required; Which one.\n");
    let listed = listed.prints("  topics   list of 2: string  required; What they are about.\n");
    let _listed = listed.prints("shorts  (built in)\n");
    let only = world.ok(&["new", "--list", "notes", "--json"]).stdout;
    let only: Value = serde_json::from_str(&only).unwrap();
    assert_eq!(only.as_array().unwrap().len(), 1);
    assert_eq!((&only[0]["from"], &only[0]["name"]), (&"workspace".into(), &"notes".into()));
    let params = only[0]["params"].as_array().unwrap();
    assert_eq!((&params[1]["count"], &params[1]["required"]), (&2.into(), &true.into()));
    assert_eq!((&params[2]["default"], &params[2]["values"][1]), (&"calm".into(), &"loud".into()));
    // A template of one's own is stronger than a built-in one.
    world.write("templates/shorts/template.kdl", "doc \"Mine.\"");
    let listed = world.ok(&["new", "--list"]).prints("shorts  (templates/shorts)\n  Mine.\n");
    assert_eq!(listed.stdout.matches("shorts").count(), 2);
}

#[test]
fn all_that_is_missing_is_told_at_once() {
    let world = world();
    let refused = world.run(&new("notes", "n", &["--var", "mood=loud"])).exits(2);
    let refused = refused.says("error: the template `notes` needs\n  number (int): Which one.\n  topics (list of 2: string): What they are about.\n");
    let command = "hint: this would do: vwfb new notes n --var number=1 --var 'topics=[one, two]' --var mood=loud\n";
    let _refused = refused.says(command);
    // And it does.
    let _made = world.ok(&new(
        "notes",
        "n",
        &["--var", "number=1", "--var", "topics=[one, two]", "--var", "mood=loud"],
    ));
}

#[test]
fn all_that_does_not_fit_is_told_at_once() {
    let world = world();
    let wrong = [
        "number=0",
        "topics=[a]",
        "mood=odd",
        "picture=x.gif",
        "extras=[no.txt]",
        "revew=true",
        "review=maybe",
        "project=WORKSPACE.kdl",
    ];
    let sets: Vec<&str> = wrong.iter().flat_map(|set| ["--var", set]).collect();
    let refused = world.run(&new("notes", "n", &sets)).exits(2);
    for told in [
        "`--var number=0` does not fit: `number` is at least 1, not 0",
        "`--var topics=[a]` does not fit: `topics` has 2 values, not 1",
        "`--var mood=odd` does not fit: `mood` cannot be `odd`",
        "`--var picture=x.gif` does not fit: `picture` cannot be `x.gif`",
        "`extras` does not fit: there is no file `no.txt`",
        "the template has no param that `--var revew=true` sets",
        "`--var review=maybe` does not fit",
        "`project` does not fit: there is no folder `WORKSPACE.kdl`",
        "this would do: vwfb new notes n --var number=1 --var 'topics=[one, two]'\n",
    ] {
        assert!(refused.stderr.contains(told), "no `{told}` in:\n{}", refused.stderr);
    }
    assert_eq!(names(&world), ["WORKSPACE.kdl", "templates"]);
}

#[test]
fn what_is_there_is_left_alone() {
    let world = world();
    world.write("p/mine.txt", "mine\n");
    let refused = world.run(&new("notes", "p", &GOOD)).exits(2);
    let _told = refused.says("error: `[root]/p` is there already\n");
    let _told = world.run(&new("notes", "//vwfb-out/p", &GOOD)).exits(2).says("vwfb's own");
    let _told = world.run(&new("notes", "../p", &GOOD)).exits(2).says("leaves the workspace");
    let _told = world.run(&new("notse", "q", &GOOD)).exits(2).says("did you mean `notes`?");
    assert_eq!(names(&world), ["WORKSPACE.kdl", "p", "templates"]);
    assert_eq!(fs::read_dir(world.path("p")).unwrap().count(), 1);
}

#[test]
fn a_template_that_is_wrong_makes_nothing() {
    let world = world();
    world.write("templates/notes/notes.md.in", "@numbr@\n@if review@\n");
    let refused = world.run(&new("notes", "n", &GOOD)).exits(3);
    let refused = refused.says("error[unknown-interpolation]: the template has no param `numbr`");
    let refused = refused.says("[templates/notes/notes.md.in:1:2]");
    let _told = refused.says("this has no `@end@`");
    world.write("templates/notes/notes.md.in", "");
    world.write("templates/notes/BUILD.kdl.in", "task \"final\" {\n");
    let _told = world.run(&new("notes", "n", &GOOD)).exits(3).says("never closed");
    fs::remove_file(world.path("templates/notes/BUILD.kdl.in")).unwrap();
    let _told = world.run(&new("notes", "n", &GOOD)).exits(3).says("neither `BUILD.kdl.in` nor");
    world.write("templates/notes/template.kdl", "params { x }\n");
    let _told = world.run(&new("notes", "n", &GOOD)).exits(3).says("an attribute needs a type");
    assert_eq!(names(&world), ["WORKSPACE.kdl", "templates"]);
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let world = world();
    world.write("templates/notes/assets", "a file where a folder is to be\n");
    world.write("one.txt", "1\n");
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let user = world.root().with_file_name("vwfb");
    fs::create_dir_all(&user).unwrap();
    fs::rename(world.path("templates"), user.join("templates")).unwrap();
    let args = [&new("notes", "deep/n", &GOOD)[..], &["--var", "picture=one.txt"]].concat();
    let mut command = world.command(&args);
    command.env("XDG_CONFIG_HOME", world.root().parent().unwrap());
    let refused = world.ended(command.output().unwrap()).exits(4);
    let _told = refused.says("error: cannot write `");
    assert_eq!(names(&world), ["one.txt"]);
}

#[test]
fn no_value_is_more_than_text() {
    let world = world();
    let hostile = ["\" \"# }} {x} {{ \\", "<b>&'\n## two\u{202e}\u{2028}@number@ $(exit 1) ü"];
    let list = serde_json::to_string(&hostile).unwrap();
    let set = format!("topics={list}");
    let _made = world.ok(&new("notes", "n", &["--var", "number=1", "--var", &set]));
    let _built = world.ok(&["build", "//n:final", "//n:topics"]);
    assert_eq!(world.read("vwfb-out/n/topics.txt"), hostile.map(|it| format!("{it}|")).concat());
    let notes = world.read("n/notes.md");
    assert_eq!(notes.lines().count(), 3, "{notes}");
    assert!(notes.contains("\n1. \" \"# }} {x} {{ \\\n"), "{notes}");
}

#[test]
fn a_folder_is_called_what_it_is() {
    let world = World::empty();
    world.write(
        "templates/about/template.kdl",
        "params { project type=\"tree\"; title type=\"string\" default=\"@project.name@\"; \
         names type=\"string\" list=#true; }",
    );
    let build = "vars { project @project@; title @title@; }\nwrite_file \"final\" text=\"\"\n";
    world.write("templates/about/BUILD.kdl.in", build);
    world.write("code/tt-rs/src/a.txt", "a\n");
    let here = ["--var", "project=.", "--var", "names=a"];
    let above = ["--var", "project=src/..", "--var", "names=a"];
    for (package, project) in [("n", here), ("m", above)] {
        let args = [&["-C", "code/tt-rs"], &new("about", package, &project)[..]].concat();
        let _made = world.ok(&args);
        let build = world.read(&format!("code/tt-rs/{package}/BUILD.kdl"));
        assert!(build.contains("project \"//code/tt-rs\"; title \"tt-rs\""), "{build}");
    }
    let nothing = ["--var", "project=/", "--var", "names=a"];
    let refused = world.run(&new("about", "n", &nothing)).exits(2);
    let refused = refused.says("error: the template `about` needs\n  title (string): ");
    let _told = refused.says("--var project=/ --var title=one --var 'names=[a]'");
    let none = ["--var", "project=.", "--var", "names=[]"];
    let refused = world.run(&new("about", "n", &none)).exits(2);
    let _told = refused.says("`--var names=[]` does not fit: `names` has at least one value");
    assert_eq!(names(&world), ["WORKSPACE.kdl", "code", "templates"]);
}

#[test]
fn the_headings_of_a_file_are_looked_at() {
    let world = world();
    let template = format!("{TEMPLATE}headings \"picture\" \"One\" \"Two\"");
    world.write("templates/notes/template.kdl", &template);
    world.write("a.txt", "ONE:\nHello.\n");
    world.write("b.txt", "## one\n\nHello.\n");
    let with = |file: &'static str| [&GOOD[..], &["--var", file]].concat();
    let refused = world.run(&new("notes", "n", &with("picture=a.txt"))).exits(2);
    let told = "`picture` does not fit: `a.txt`: it has no heading such as `## One`";
    let _told = refused.says(told).says("its parts begin with `## One`, `## Two`");
    let _made = world.ok(&new("notes", "n", &with("picture=b.txt")));
}

#[test]
fn what_a_workspace_lacks_is_told() {
    let world = world();
    let workspace = |name: &str| {
        format!("workspace {name} {{ vars {{ w 1; }}; profile \"draft\" {{ w 2; }} }}\n")
    };
    world.write("templates/notes/WORKSPACE.kdl.in", &workspace("@workspace@"));
    let made = world.ok(&new("notes", "n", &GOOD));
    let made = made
        .says("hint: the template needs more in `WORKSPACE.kdl`: put these lines into the braces");
    let _told = made.says("    vars {\n        w 1\n    }\n    profile \"draft\" {\n        w 2\n");
    world.write("WORKSPACE.kdl", &workspace("other"));
    let made = world.ok(&new("notes", "m", &GOOD));
    assert!(!made.stderr.contains("WORKSPACE.kdl"), "{}", made.stderr);
}

#[test]
fn what_is_told_can_be_pasted() {
    let world = world();
    let made = world.ok(&new("notes", "it's $HOME", &GOOD));
    let _told = made.says(r"look at it with `vwfb preview '//it'\''s $HOME:final'`");
    let refused = world.run(&new("notes", "\"q\"x", &GOOD)).exits(2);
    assert_eq!(refused.stderr.matches("cannot be a package").count(), 1, "{}", refused.stderr);
}

#[test]
fn values_may_be_in_a_file() {
    let world = world();
    world.write("values.json", r#"{ "number": 5, "topics": ["a, b", "c"], "mood": "loud" }"#);
    let _made = world.ok(&new("notes", "n", &["--vars", "values.json", "--var", "mood=calm"]));
    assert_eq!(world.read("n/notes.md"), "# calm\n1. a, b\n2. c\n");
}

#[test]
fn what_is_missing_is_asked_for_on_a_terminal() {
    let world = world();
    let binary = env!("CARGO_BIN_EXE_vwfb");
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &format!("{binary} new notes n"), "/dev/null"])
        .current_dir(world.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let typed = b"none\n7\none, two, three\n\"first, of all\"\n\nsecond\n";
    child.stdin.take().unwrap().write_all(typed).unwrap();
    let ended = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&ended.stdout);
    assert!(ended.status.success(), "{shown}");
    assert!(shown.contains("number (int): Which one."), "{shown}");
    assert!(shown.contains("expected a whole number"), "{shown}");
    assert!(shown.contains("`topics` has 2 values, not 3"), "{shown}");
    assert!(shown.contains("that is no value: 1 more are needed"), "{shown}");
    assert!(shown.contains("1/2> ") && shown.contains("2/2> "), "{shown}");
    assert_eq!(world.read("n/notes.md"), "# calm\n1. first, of all\n2. second\n");
    assert!(world.read("n/BUILD.kdl").contains("number 7"));
}

#[test]
fn without_a_package_it_says_how_to_make_one() {
    let world = world();
    let refused =
        world.run(&["new"]).exits(2).says("error: `vwfb new` needs a template and a package");
    let _told = refused
        .says("hint: `vwfb new --list` lists the templates; then `vwfb new TEMPLATE PACKAGE`");
    let refused = world.run(&["new", "notes"]).exits(2).says("needs the name of a package");
    let _told = refused
        .says("hint: `vwfb new notes PACKAGE`; `vwfb new --list notes` says what it asks for");
}
