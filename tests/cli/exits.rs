//! Exit codes, one by one.

use std::fs;

use crate::world::{FAILING, World};

#[test]
fn success_is_0() {
    let world = World::new();
    let _ran = world.run(&["build", "//p:copy"]).exits(0);
    let _ran = world.run(&["check"]).exits(0);
    let _ran = world.run(&["--help"]).exits(0).prints("Usage: vwfb");
    let _ran = world.run(&["help"]).exits(2);
}

#[test]
fn a_failed_task_is_1() {
    let world = World::with(FAILING);
    let _ran = world.run(&["build", "//p:bad"]).exits(1);
}

#[test]
fn a_command_line_that_makes_no_sense_is_2() {
    let world = World::new();
    for args in [
        &[][..],
        &["bild"],
        &["build"],
        &["build", "--jobs=0", "//p:copy"],
        &["build", ":::"],
        &["build", "../x:y"],
        &["build", "--var", "x", "//p:copy"],
        &["build", "--sandbox=maybe", "//p:copy"],
        &["plan"],
        &["why"],
        &["why", "//p"],
        &["why", "//p:all"],
        &["log", "//..."],
        &["clean", "--expunge", "//p"],
        &["query", "deps("],
        &["query", "dep(//p:copy)"],
        &["query", "deps(:::)"],
        &["explain", "unknown-rul"],
        &["clean", "//p:copy"],
        &["cache", "gc", "--max-age", "old"],
        &["completions", "tcsh"],
        &["-C", "nowhere", "check"],
        &["-C", "WORKSPACE.kdl", "check"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(2), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error") || args.is_empty(), "{args:?}\n{}", ran.stderr);
    }
}

#[test]
fn a_workspace_that_is_wrong_is_3() {
    let world = World::with("tsk \"a\" { out \"a\" }\n");
    for args in [
        &["build", "//p:a"][..],
        &["build", "//p:none"],
        &["build", "//none:a"],
        &["plan", "//p:a"],
        &["check"],
        &["why", "//p:a"],
        &["log", "//p:none"],
        &["plan", "//none"],
        &["check", "//none/..."],
        &["why", "//none:a"],
        &["query", "deps(//p:none)"],
        &["query", "//none"],
        &["query", "inputs(none.txt)"],
        &["clean", "--expunge", "//p:none"],
        &["clean", "--expunge", "//none"],
        &["why", "none"],
        &["log", "//none"],
        &["query", "*"],
        &["query", "//..."],
        &["build", "//p:a", "--profile", "none"],
        &["build", "//p:a", "--var", "none=1"],
        &["fmt", "none.kdl"],
    ] {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(3), "{args:?}\n{}{}", ran.stdout, ran.stderr);
        assert!(ran.stderr.contains("error"), "{args:?}\n{}", ran.stderr);
    }
}

#[test]
fn an_unknown_target_is_the_same_error_everywhere() {
    let world = World::new();
    world.write("shorts/BUILD.kdl", "write_file \"w\" { text \"x\"; out \"w.txt\"; }\n");
    let _built = world.ok(&["build", "//p:greet"]);
    let commands = [&["build"][..], &["plan"], &["check"], &["why"], &["log"], &["query"]];
    for command in commands.into_iter().chain([&["clean", "--expunge"][..]]) {
        for (slip, message, hint) in [
            ("//p:gret", "error[unknown-label]: there is no target `//p:gret`", "`//p:greet`?"),
            ("greet", "error[unknown-package]: `//greet` is not a package", "`//p:greet`?"),
            (":greet", "error[unknown-package]: `//` is not a package", "`//p:greet`?"),
            ("//short:x", "error[unknown-package]: `//short` is not a package", "`//shorts`?"),
            ("*", "error[unknown-package]: `//*` is not a package", "a pattern has no `*`"),
        ] {
            let args: Vec<&str> = command.iter().copied().chain([slip]).collect();
            let ran = world.run(&args);
            assert_eq!(ran.code, Some(3), "{args:?}\n{}{}", ran.stdout, ran.stderr);
            let told = ran.says(message).stderr;
            assert!(told.contains("hint: ") && told.contains(hint), "{args:?}\n{told}");
        }
    }
    let ran = world.run(&["clean", "--expunge", "//p:greet", "//p:gret"]).exits(3);
    let _told = ran.says("there is no target `//p:gret`").says("forgot 1 result");
}

#[test]
fn text_that_is_no_text_is_3() {
    let world = World::new();
    std::fs::write(world.path("latin.kdl"), b"a \"\xe9\"\n").unwrap();
    let _told = world.run(&["fmt", "latin.kdl"]).exits(3).says("latin.kdl`: ");
    let mut command = world.command(&["fmt", "--stdin"]);
    command.stdin(std::fs::File::open(world.path("latin.kdl")).unwrap());
    let ran = world.ended(command.output().unwrap()).exits(3);
    let _told = ran.says("error: cannot read `standard input`: ");
}

#[test]
fn being_in_no_workspace_is_3_and_says_what_one_is() {
    let world = World::empty();
    fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    for args in [&["build"][..], &["build", "//p:a"], &["check"], &["clean"], &["query", "//..."]] {
        let ran = world.run(args).exits(3).says("error: `[root]` is not in a workspace");
        let ran = ran.says("hint: `vwfb new --list` lists what can be begun here");
        let _told = ran.says("a workspace is a folder with a `WORKSPACE.kdl`");
    }
    // As in a clone of vwfb: the workspaces are below.
    world.write("more/films/WORKSPACE.kdl", "workspace \"films\"\n");
    world.write("my films/WORKSPACE.kdl", "workspace \"mine\"\n");
    world.write(".hidden/WORKSPACE.kdl", "workspace \"hidden\"\n");
    let ran = world.run(&["build", "//p:a"]).exits(3);
    let ran = ran.says("hint: go into the workspace below: `cd more/films` or `cd 'my films'`");
    assert!(!ran.stderr.contains(".hidden"), "{}", ran.stderr);
}

#[test]
fn a_store_that_cannot_be_opened_is_4() {
    let world = World::new();
    fs::write(world.store(), "a file").unwrap();
    let _ran = world.run(&["build", "//p:copy"]).exits(4).says("[store]");
    let _ran = world.run(&["cache", "stats"]).exits(4).says("[store]");
}

#[test]
fn having_no_place_for_the_store_is_4() {
    let world = World::new();
    let mut command = world.command(&["build", "//p:copy"]);
    command.env_remove("VWFB_STORE").env_remove("HOME");
    let _ran = world.ended(command.output().unwrap()).exits(4).says("--store DIR");
}

#[test]
fn the_store_is_in_the_cache_folder_unless_it_is_named() {
    let world = World::new();
    let root = world.root();
    let store = |name: &str, value: &str| {
        let mut command = world.command(&["info", "--json"]);
        command.env_remove("VWFB_STORE").env(name, value);
        let ran = world.ended(command.output().unwrap()).exits(0);
        let info: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
        info["store"].as_str().unwrap().to_owned()
    };
    assert_eq!(store("HOME", "/h"), "/h/.cache/vwfb");
    assert_eq!(store("XDG_CACHE_HOME", "/x"), "/x/vwfb");
    assert_eq!(store("VWFB_STORE", "s"), "[root]/s");
    assert!(store("XDG_CACHE_HOME", "x").ends_with("/home/.cache/vwfb"));
    let ran = world.ok(&["info", "--json", "--store", root.join("t").to_str().unwrap()]);
    let _told = ran.prints("\"store\": \"[root]/t\"");
}

#[test]
fn events_that_cannot_be_written_are_4_before_anything_runs() {
    let world = World::new();
    let ran = world.run(&["build", "//p:copy", "--events", "none/events.jsonl"]).exits(4);
    let _told = ran.says("error: cannot write events to `[root]/none/events.jsonl`");
    assert!(!world.path("vwfb-out").exists());
}

#[test]
fn a_machine_in_the_way_outweighs_a_failed_task() {
    let text = format!(
        "{FAILING}\ntask \"t\" {{ out \"t\"; tool \"no-such-tool\"; run \"no-such-tool\" \"{{out}}\" }}\n"
    );
    let world = World::with(&text);
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"no-such-tool\" } }\n");
    let ran = world.run(&["build", "//p:bad", "//p:t"]).exits(4);
    let ran = ran.says("`//p:bad` failed").says("no program `no-such-tool` in `/usr/local/bin:");
    let _told = ran.says("declare its absolute path as the `program` of a `toolchain`");
    let ran = world.run(&["plan", "//p:t"]).exits(4);
    let _told = ran.prints("cannot-run //p:t: ");
}

#[test]
fn a_bug_is_70_with_one_sentence_and_no_backtrace() {
    let world = World::new();
    let mut command = world.command(&["version"]);
    command.env("VWFB_TEST_PANIC", "1");
    let ran = world.ended(command.output().unwrap()).exits(70);
    assert!(ran.stderr.starts_with("internal error: this is a trial (cli/bug.rs:"));
    assert!(ran.stderr.contains("please report it"));
    assert_eq!(ran.stderr.lines().count(), 2, "{}", ran.stderr);
    command.env("RUST_BACKTRACE", "1");
    let _told = world.ended(command.output().unwrap()).exits(70).says("stack backtrace:");
}

#[test]
fn a_folder_that_cannot_be_written_is_4() {
    let world = World::new();
    world.write(".vwfb", "a file");
    let _ran = world.run(&["build", "//p:copy"]).exits(4).says("[root]/.vwfb");
}

#[test]
fn a_full_disk_behind_standard_output_is_4() {
    let world = World::new();
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = world.command(&["explain"]);
    let ran = world.ended(command.stdout(full).output().unwrap()).exits(4);
    let _told = ran.says("error: cannot use standard output: ");
}

#[test]
fn a_store_of_another_format_is_told_with_what_to_do() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    fs::write(world.store().join("format"), "vwfb-store 1\n").unwrap();
    for args in [&["build", "//p:copy"][..], &["cache", "stats"]] {
        let ran = world.run(args).exits(4);
        let _told = ran.says("has format 1").says("move it away (`mv ");
    }
}

#[test]
fn a_file_in_the_place_of_the_output_folder_is_told_with_what_to_do() {
    let world = World::new();
    world.write("vwfb-out", "mine");
    let ran = world.run(&["build", "//p:copy"]).exits(4);
    let _told = ran.says("`vwfb-out` is a file: move it away");
    assert_eq!(world.read("vwfb-out"), "mine");
}
