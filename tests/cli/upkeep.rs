//! `clean`, `cache`, `fmt`: what changes files other than outputs.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::world::World;

#[test]
fn clean_removes_outputs_and_keeps_results() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    let _cleaned = world.ok(&["clean"]).says("removed [root]/vwfb-out");
    assert!(!world.path("vwfb-out").exists());
    assert!(world.path("p/greeting.txt").exists());
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy unchanged", "//p:greet unchanged"]);
    assert_eq!(world.read("vwfb-out/p/copy.txt"), "hello\n");
    let _cleaned = world.ok(&["clean"]);
    let _cleaned = world.ok(&["clean"]).says("there is no [root]/vwfb-out");
}

#[test]
fn clean_with_expunge_forgets_results() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    let _cleaned = world.ok(&["clean", "--expunge"]).says("forgot 2 results");
    assert!(!world.path("vwfb-out").exists());
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy ran", "//p:greet ran"]);
}

#[test]
fn clean_can_forget_one_label() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    let ran = world.ok(&["-C", "p", "clean", "--expunge", ":copy"]);
    let _told = ran.says("forgot 1 result\n");
    assert!(world.path("vwfb-out").exists());
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy ran", "//p:greet unchanged"]);
}

#[test]
fn cache_stats_counts_without_a_workspace() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let ran = world.ok(&["cache", "stats", "--json"]);
    let stats: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(stats["results"], 2);
    assert_eq!(stats["workspaces"], 1);
    let ran = world.ok(&["cache", "stats"]);
    let ran = ran.prints("store            [store]\nresults          2\n");
    assert_eq!(stats["other_processes"], 0);
    assert!(!ran.stdout.contains("processes"), "{}", ran.stdout);
}

/// Changes the bytes of the blobs with `content`.
fn damage(world: &World, content: &str) {
    for entry in fs::read_dir(world.store().join("packs")).unwrap().map(Result::unwrap) {
        let mut pack = fs::read(entry.path()).unwrap();
        let found = pack.windows(content.len()).position(|bytes| bytes == content.as_bytes());
        pack[found.expect("one pack has it")] ^= 1;
        fs::write(entry.path(), pack).unwrap();
    }
}

#[test]
fn cache_verify_finds_damage_and_the_next_build_mends_it() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:alone"]);
    let _sound = world.ok(&["cache", "verify"]);
    damage(&world, "alone\n");
    let ran = world.run(&["cache", "verify"]).exits(1);
    let _told = ran.prints("damaged ").prints("broken result //p:alone\n");
    let _cleaned = world.ok(&["clean"]);
    assert_eq!(world.results(&["//p:alone"]), ["//p:alone ran"]);
    assert_eq!(world.read("vwfb-out/p/alone.txt"), "alone\n");
    let _sound = world.ok(&["cache", "verify"]);
    let _sound = world.ok(&["cache", "verify", "--rebuild"]).says("took up ");
}

#[test]
fn cache_gc_keeps_what_the_workspace_needs_and_names_what_goes() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    let ran = world.ok(&["cache", "gc", "--max-size=0B"]).says("removed 0 results");
    let ran = ran.says("more than 0 B is kept: workspaces built it last");
    assert_eq!(ran.stdout, "");
    let ran = world.ok(&["cache", "gc"]).says("removed 0 results");
    let _told = ran.says("hint: `--max-age` and `--max-size` say what goes");
    world.write("p/greeting.txt", "other\n");
    let _built = world.ok(&["build", "//p:copy"]);
    let ran = world.ok(&["cache", "gc", "--max-size", "0B", "--dry-run"]);
    let ran = ran.says("would remove 2 results");
    let mut named: Vec<_> = ran.stdout.lines().filter_map(|l| l.split_once("  //")).collect();
    named.sort_by_key(|(_, name)| *name);
    assert!(matches!(named[..], [(_, "p:copy"), (_, "p:greet")]), "{}", ran.stdout);
    let _removed = world.ok(&["cache", "gc", "--max-size", "0B"]).says("removed 2 results");
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy unchanged", "//p:greet unchanged"]);
    let _sound = world.ok(&["cache", "verify"]);
}

#[test]
fn fmt_rewrites_files_and_keeps_comments() {
    let world = World::empty();
    world.write("p/BUILD.kdl", "// why\ntask   \"a\"  {\nout \"a\"   // what\n}\n");
    let check = world.run(&["fmt", "--check"]).exits(1);
    assert_eq!(check.stdout, "p/BUILD.kdl\n");
    let _formatted = world.ok(&["fmt"]).prints("p/BUILD.kdl\n");
    let formatted = "// why\ntask \"a\" {\n    out \"a\" // what\n}\n";
    assert_eq!(world.read("p/BUILD.kdl"), formatted);
    let again = world.ok(&["fmt", "--check"]);
    assert_eq!((again.stdout.as_str(), again.stderr.as_str()), ("", ""));
}

#[test]
fn fmt_takes_files_and_folders_and_leaves_outputs_alone() {
    let world = World::empty();
    for path in ["p/BUILD.kdl", "q/BUILD.kdl", "vwfb-out/x.kdl"] {
        world.write(path, "a    1\n");
    }
    assert_eq!(world.ok(&["fmt", "p"]).stdout, "p/BUILD.kdl\n");
    assert_eq!(world.ok(&["-C", "q", "fmt", "BUILD.kdl"]).stdout, "BUILD.kdl\n");
    assert_eq!(world.ok(&["fmt"]).stdout, "");
    assert_eq!(world.read("vwfb-out/x.kdl"), "a    1\n");
}

#[test]
fn fmt_tells_what_is_no_kdl_and_formats_the_rest() {
    let world = World::empty();
    world.write("a.kdl", "node \"unclosed\n");
    world.write("b.kdl", "b    1\n");
    let ran = world.run(&["fmt"]).exits(3).says("error[syntax-error]: ").says("[a.kdl:1:");
    assert_eq!(ran.stdout, "b.kdl\n");
    assert_eq!(world.read("a.kdl"), "node \"unclosed\n");
    let _both = world.run(&["fmt", "--check"]).exits(3);
}

#[test]
fn fmt_works_in_a_pipe() {
    let world = World::empty();
    let mut command = world.command(&["fmt", "--stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a    1\n").unwrap();
    let ran = world.ended(child.wait_with_output().unwrap()).exits(0);
    assert_eq!(ran.stdout, "a 1\n");
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"a {\n").unwrap();
    let ran = world.ended(child.wait_with_output().unwrap()).exits(3);
    let _told = ran.says("error[syntax-error]: ").says("[standard input:1:").says(" 1 │ a {");
}
