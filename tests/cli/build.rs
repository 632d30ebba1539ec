//! `vwfb build`: targets, options, and what is told where.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use crate::world::{FAILING, World};

#[test]
fn the_path_of_the_output_is_the_last_line_of_standard_output() {
    let world = World::new();
    let ran = world.ok(&["build", "//p:alone", "//p:copy"]);
    assert_eq!(ran.stdout, "[root]/vwfb-out/p/alone.txt\n[root]/vwfb-out/p/copy.txt\n");
    assert_eq!(world.read("vwfb-out/p/copy.txt"), "hello\n");
    assert!(ran.stderr.contains("ran 3 in "), "{}", ran.stderr);
}

#[test]
fn the_large_file_that_a_task_made_is_the_output_as_if_it_were_made_now() {
    let script = "yes {vars.x} | head -c 100000 > {out}; chmod 600 {out}; touch -d @0 {out}";
    let world = World::with(&format!(
        r#"
vars {{ x "x" }}
task "a" {{ out "a.txt"; script "{script}; stat -c %i {{out}}" }}
task "b" {{ srcs ":a"; out "b.txt"; script "cat {{srcs}} > {{out}}; stat -c %i {{out}}" }}
"#
    ));
    // One that is not asked for goes.
    let _built = world.ok(&["build", "//p:b"]);
    assert!(!world.path("vwfb-out/p/a.txt").exists());
    let found = |path: &str| world.path(path).metadata().unwrap();
    let made = |of: &[&str]| world.ok(of).stdout.trim().parse::<u64>().unwrap();
    // Where files have no label by themselves, as with SELinux.
    let listed = rustix::fs::listxattr(world.path("p/BUILD.kdl"), &mut [0_u8; 256]);
    let is_itself = listed.is_ok_and(|length| length == 0);
    assert_eq!(made(&["log", "//p:b"]) == found("vwfb-out/p/b.txt").ino(), is_itself);
    let _built = world.ok(&["build", "//p:a", "--var", "x=y"]);
    let a = found("vwfb-out/p/a.txt");
    assert_eq!(made(&["log", "//p:a", "--var", "x=y"]) == a.ino(), is_itself);
    assert_eq!(a.mode() & 0o7777, 0o644);
    assert!(a.modified().unwrap().elapsed().unwrap() < Duration::from_secs(600));
    assert_eq!(world.read("vwfb-out/p/a.txt"), "y\n".repeat(50_000));
    // What is changed by hand, or removed, comes from the store.
    let whole = "x\n".repeat(50_000);
    for change in ["edit", "remove"] {
        match change {
            "edit" => world.write("vwfb-out/p/b.txt", "by hand"),
            _ => std::fs::remove_file(world.path("vwfb-out/p/b.txt")).unwrap(),
        }
        let _built = world.ok(&["build", "//p:b"]);
        assert_eq!(world.read("vwfb-out/p/b.txt"), whole);
    }
}

#[test]
fn only_requested_targets_are_put_in_place() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    assert!(!world.path("vwfb-out/p/greet.txt").exists());
}

#[test]
fn nothing_runs_twice_and_a_change_runs_what_it_reaches() {
    let world = World::new();
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy ran", "//p:greet ran"]);
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy unchanged", "//p:greet unchanged"]);
    world.write("p/greeting.txt", "hi\n");
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy ran", "//p:greet ran"]);
    world.write("p/greeting.txt", "hello\n");
    assert_eq!(world.results(&["//p:copy"]), ["//p:copy cached", "//p:greet cached"]);
}

#[test]
fn patterns_are_relative_to_the_folder_that_is_worked_in() {
    let world = World::new();
    world.write("q/BUILD.kdl", "filegroup \"both\" { srcs \"//p:copy\" \"//p:alone\" }\n");
    assert_eq!(world.results(&["//p:alone"]).len(), 1);
    assert_eq!(world.results(&["//p:all"]).len(), 3);
    assert_eq!(world.results(&["//p"]).len(), 3);
    assert_eq!(world.results(&["//..."]).len(), 3);
    assert_eq!(world.results(&["p:alone"]).len(), 1);
    assert_eq!(world.results(&["//q:both"]).len(), 3);
    let _built = world.ok(&["-C", "p", "build", ":alone"]);
    let _built = world.ok(&["-C", "p", "build", "..."]);
    let _refused = world.run(&["-C", "q", "build", ":alone"]).exits(3);
}

#[test]
fn naming_no_target_lists_packages() {
    let world = World::new();
    world.write("q/BUILD.kdl", "");
    let ran = world.run(&["-C", "q", "build"]).exits(2).says("error: no target is named");
    let _told = ran.says("hint: name a target, or all of a package: `//q`, `//p`, or `//...`");
}

#[test]
fn a_file_that_two_targets_offer_is_printed_once() {
    let world = World::with(
        "write_file \"w\" { text \"x\"; out \"w.txt\" }\nalias \"p\" { actual \":w\" }\n",
    );
    let places = "[root]/vwfb-out/p/w.txt\n";
    assert_eq!(world.ok(&["build", "//p"]).stdout, places);
    // Also where nothing is evaluated.
    for word in ["--quiet", "--no-snapshot"] {
        assert_eq!(world.ok(&["build", "//p", word]).stdout, places);
    }
}

#[test]
fn what_is_no_package_is_told_with_what_it_may_be() {
    let world = World::new();
    let ran = world.run(&["-C", "p", "build", "greet"]).exits(3);
    let _told = ran.says("`//p/greet` is not a package").says("hint: did you mean `//p:greet`?");
    let ran = world.run(&["build", "p/greeting.txt"]).exits(3);
    let ran = ran.says("error[unknown-package]: `p/greeting.txt` is a file, and not a package");
    let _told = ran.says("hint: `vwfb query 'rdeps(//..., //p/greeting.txt)'` lists the targets");
    let _listed = world.ok(&["query", "rdeps(//..., //p/greeting.txt)"]).prints("//p:greet\n");
    let _told = world.run(&["check", "//q/..."]).exits(3).says("`//q/...` means no package");
}

#[test]
fn a_failure_shows_the_end_of_its_log_and_how_to_see_more() {
    let world = World::with(FAILING);
    let ran = world.run(&["build", "//p:behind"]).exits(1);
    assert_eq!(ran.stdout, "");
    let ran = ran
        .says("error: `//p:bad` failed after ")
        .says(": `sh` failed with exit code 3\n  | before the end\n")
        .says("  full log: [root]/.vwfb/logs/p/bad.log\n")
        .says("  reproduce: vwfb build //p:bad --keep-failed\n")
        .says("blocked //p:behind: `//p:bad` failed\n");
    let _told = ran.says("failed 1, blocked 1 in ");
    assert_eq!(world.read(".vwfb/logs/p/bad.log"), "before the end\n");
}

#[test]
fn a_failure_that_confinement_caused_says_what_to_declare() {
    let cases = [
        ("find . > {out}", "a task starts only what it declares: add `tool \"find\"`"),
        ("/usr/bin/find . > {out}", "a task starts only what it declares: add `tool \"find\"`"),
        ("echo hi > y.txt", "write it to `{out}`, which is `out/y.txt`"),
        ("echo hi", "write it to `{out}`, which is `out/y.txt`"),
        ("mkdir /made", "a task writes to `{out}`, or below `$TMPDIR`"),
        ("ls /root", "a task reads only what it declares: add the file to `srcs`, or its folder"),
        ("cat in.txt", "a task sees only what it declares: add `p/in.txt` to `srcs`"),
        ("cat given.txt", "the task has `p/given.txt` as `in/given.txt`"),
    ];
    for (script, hint) in cases {
        let world = World::with(&format!(
            "task \"bad\" {{ srcs \"given.txt\"; out \"y.txt\"; script {script:?} }}\n"
        ));
        world.write("p/in.txt", "");
        world.write("p/given.txt", "");
        let ran = world.run(&["build", "//p:bad", "--events", "e.jsonl"]).exits(1);
        let _told = ran.says(&format!("  hint: {hint}"));
        let events = world.events("e.jsonl");
        let ended = events.iter().find(|event| event["result"] == "failed").unwrap();
        assert!(ended["hint"].as_str().unwrap().starts_with(hint), "{ended}");
    }
}

#[test]
fn only_the_last_lines_of_a_long_log_are_shown() {
    let world = World::with("task \"bad\" { out \"x\"; script \"seq 1 500; exit 1\" }\n");
    let ran = world.run(&["build", "//p:bad"]).exits(1);
    assert_eq!(ran.stderr.lines().filter(|line| line.starts_with("  | ")).count(), 20);
    assert!(ran.stderr.contains("  | 481\n") && ran.stderr.contains("  | 500\n"));
}

#[test]
fn a_kept_folder_holds_what_the_command_needs() {
    let world =
        World::with("task \"bad\" { srcs \"in.txt\"; out \"x\"; script \"cat {srcs}; exit 3\" }\n");
    world.write("p/in.txt", "before the end\n");
    let ran = world.run(&["build", "//p:bad", "--keep-failed"]).exits(1);
    let ran = ran.says("  reproduce: cd [root]/.vwfb/failed/");
    let line = ran.stderr.lines().find_map(|line| line.trim().strip_prefix("reproduce: "));
    let line = line.unwrap().replace("[root]", world.root().to_str().unwrap());
    let line = line.replace("[store]", world.store().to_str().unwrap());
    let again = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    assert_eq!(again.status.code(), Some(3), "{line}\n{again:?}");
    assert_eq!(again.stdout, b"before the end\n");
}

#[test]
fn a_failure_stops_what_needs_it_and_with_fail_fast_everything() {
    let text = format!("{FAILING}\ntask \"z\" {{ out \"z\"; script \"echo > {{out}}\" }}\n");
    let world = World::with(&text);
    let kept_going = world.results(&["//p:all", "-j", "1"]);
    assert_eq!(kept_going, ["//p:bad failed", "//p:behind blocked", "//p:z ran"]);
    let world = World::with(&text);
    let stopped = world.results(&["//p:bad", "//p:z", "--fail-fast", "-j1"]);
    assert!(stopped.contains(&"//p:bad failed".to_owned()), "{stopped:?}");
    let ended: Vec<_> = stopped.iter().filter(|result| !result.starts_with("//p:bad")).collect();
    assert!(matches!(ended[..], [end] if end == "//p:z cancelled" || end == "//p:z ran"));
}

#[test]
fn variables_come_from_the_command_line_over_profiles_over_files() {
    let world = World::empty();
    world.write("WORKSPACE.kdl", "workspace \"w\" {\n    vars { word \"file\" }\n    profile \"draft\" { word \"profile\" }\n}\n");
    let text = "task \"say\" { out \"say.txt\"; script \"echo {vars.word} > {out}\" }\n";
    world.write("p/BUILD.kdl", text);
    let said = |args: &[&str], path: &str| {
        let mut all = vec!["build", "//p:say"];
        all.extend(args);
        let _built = world.ok(&all);
        world.read(path)
    };
    assert_eq!(said(&[], "vwfb-out/p/say.txt"), "file\n");
    let draft = "vwfb-out/+draft/p/say.txt";
    assert_eq!(said(&["--profile", "draft"], draft), "profile\n");
    assert_eq!(said(&["--profile", "draft", "--var", "word=given"], draft), "given\n");
    assert_eq!(said(&["--var", "word=given"], "vwfb-out/p/say.txt"), "given\n");
}

#[test]
fn a_variable_of_one_package_is_set_by_its_label() {
    let world = World::with(
        "vars { word \"own\" }\nwrite_file \"say\" { text \"{vars.word}\"; out \"say.txt\" }\n",
    );
    world.write(
        "q/BUILD.kdl",
        "vars { word \"other\" }\nwrite_file \"say\" { text \"{vars.word}\"; out \"say.txt\" }\n",
    );
    let _built = world.ok(&["build", "//...", "--var", "//p:word=given"]);
    assert_eq!(world.read("vwfb-out/p/say.txt"), "given");
    assert_eq!(world.read("vwfb-out/q/say.txt"), "other");
}

#[test]
fn quiet_leaves_results_and_errors() {
    let world = World::new();
    let ran = world.ok(&["build", "-q", "//p:copy"]);
    assert_eq!(ran.stdout, "[root]/vwfb-out/p/copy.txt\n");
    assert_eq!(ran.stderr, "");
    let world = World::with(FAILING);
    let ran = world.run(&["build", "--quiet", "//p:bad"]).exits(1);
    assert!(ran.stderr.starts_with("error: `//p:bad` failed"), "{}", ran.stderr);
}

#[test]
fn lines_are_plain_where_there_is_no_terminal() {
    let world = World::new();
    let ran = world.ok(&["build", "//p:copy"]);
    assert!(!ran.stderr.contains('\x1b'), "{}", ran.stderr);
    let ran = ran.says("[1/2] //p:greet in ");
    let _told = ran.says("[2/2] //p:copy in ");
}

#[test]
fn colour_can_be_asked_for_and_refused() {
    let world = World::with(FAILING);
    let ran = world.run(&["build", "//p:bad", "--color=always"]).exits(1);
    let _told = ran.says("\x1b[1;31merror\x1b[0m: `//p:bad` failed");
    let ran = world.run(&["build", "//p:bad", "--color", "never"]).exits(1);
    assert!(!ran.stderr.contains('\x1b'));
}

#[test]
fn a_dry_run_is_a_plan() {
    let world = World::new();
    let planned = world.ok(&["plan", "//p:copy"]);
    let ran = world.ok(&["build", "--dry-run", "//p:copy"]);
    assert_eq!(ran.stdout, planned.stdout);
    assert!(!world.path("vwfb-out").exists());
}

#[test]
fn the_sandbox_is_named_where_it_is_less_than_full() {
    let world = World::new();
    let _told = world.ok(&["build", "//p:alone", "--sandbox=off"]).says("sandbox: none\n");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let world = World::new();
    let mut command = world.command(&["explain"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(ended.status.code(), Some(0));
    assert_eq!(ended.stderr, b"");
}

#[test]
fn a_terminal_gets_a_bar_that_is_gone_at_the_end() {
    let world = World::new();
    let vwfb = env!("CARGO_BIN_EXE_vwfb");
    let mut command = world.command(&[]);
    let args = ["-qec", &format!("{vwfb} build //p:copy"), "/dev/null"];
    let mut script = std::process::Command::new("script");
    script.args(args).current_dir(world.root()).env_clear().env("TERM", "xterm");
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = world.ended(script.stdin(std::process::Stdio::null()).output().unwrap()).exits(0);
    let shown = ran.stdout.replace("\r\n", "\n");
    assert!(shown.contains("[                        ] 0/2"), "{shown:?}");
    assert!(shown.contains("  //p:greet  "), "{shown:?}");
    let (_, last) = shown.rsplit_once("\x1b[J").unwrap();
    assert!(last.starts_with("ran 2 in ") && last.ends_with("/vwfb-out/p/copy.txt\n"), "{last:?}");
    command.env("NO_COLOR", "1");
    script.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let plain = world.ended(script.output().unwrap()).exits(0);
    assert!(!plain.stdout.contains('\x1b'), "{}", plain.stdout);
}

#[test]
fn no_more_processes_run_at_once_than_jobs() {
    let task = |number: usize| {
        format!(
            "task \"t{number}\" {{ out \"t{number}\"; script \"a=$(date +%s%N); sleep 0.004; \
             echo $a $(date +%s%N) > {{out}}\" }}\n"
        )
    };
    let world = World::with(&(0..12).map(task).collect::<String>());
    let _built = world.ok(&["build", "//p:all", "-j1"]);
    let mut times: Vec<Vec<u64>> = (0..12)
        .map(|number| world.read(&format!("vwfb-out/p/t{number}")))
        .map(|text| text.split_whitespace().map(|time| time.parse().unwrap()).collect())
        .collect();
    times.sort();
    assert!(times.windows(2).all(|pair| pair[0][1] <= pair[1][0]), "{times:?}");
}

#[test]
fn values_come_from_a_file_and_the_command_line_wins() {
    let world = World::new();
    world.write(
        "p/BUILD.kdl",
        "params { names type=\"string\" list=#true; n type=\"int\" }\n\
         write_file \"a\" text=\"n is {vars.n}\"\n\
         matrix \"greet\" { axis \"who\" \"{vars.names}\"; write_file \"b\" text=\"{who}\" }\n",
    );
    let refused = world.run(&["build", "//..."]).exits(3);
    let _told = refused.says("error[missing-param]: `n` needs a value");
    world.write("episode.kdl", "n 7\nnames \"ada\" \"bob, the builder\"\n");
    let built = world.ok(&["build", "//...", "--vars", "episode.kdl"]);
    let found = |path: &str| world.read(&format!("vwfb-out/p/{path}"));
    assert_eq!(found("a.txt"), "n is 7");
    assert_eq!(found("greet/who=bob, the builder/b.txt"), "bob, the builder");
    assert_eq!(built.stdout.lines().count(), 3);
    world.write("episode.json", "{ \"n\": 8, \"names\": [\"ada\"] }");
    let set = ["--vars", "episode.json", "--var", "n=9"];
    let _built = world.ok(&[&["build", "//..."], &set[..]].concat());
    assert_eq!(found("a.txt"), "n is 9");
    world.write("episode.kdl", "n\n");
    let wrong = world.run(&["build", "//...", "--vars", "episode.kdl"]).exits(3);
    let _told = wrong.says("cannot take variables from `episode.kdl`: line 1");
    let gone = world.run(&["build", "//...", "--vars", "none.kdl"]);
    let _told = gone.exits(3).says("`none.kdl`: No such file");
}

#[test]
fn the_workspace_has_a_file_of_params() {
    let world = World::new();
    world
        .write("BUILD.kdl", "params { n type=\"int\" }\nwrite_file \"a\" text=\"n is {vars.n}\"\n");
    world.write("vwfb.params.kdl", "n 7\n");
    let built = |args: &[&str]| {
        let _built = world.ok(&[&["build", ":a"], args].concat());
        world.read("vwfb-out/a.txt")
    };
    assert_eq!(built(&[]), "n is 7");
    assert_eq!(built(&["--var", "n=8"]), "n is 8");
    world.write("vwfb.params.kdl", "n 9\n");
    assert_eq!(built(&[]), "n is 9");
    world.write("vwfb.params.kdl", "m 9\n");
    let _told = world.run(&["build", ":a"]).exits(3).says("unknown-var");
    world.write("vwfb.params.kdl", "n\n");
    let _told = world.run(&["build", ":a"]).exits(3).says("vwfb.params.kdl");
    world.write("vwfb.params.kdl", "n 1\nn 2\n");
    let _told = world.run(&["build", ":a"]).exits(3).says("`n` is set twice");
    world.write("vwfb.params.kdl", "n \"one\"\n");
    let told = world.run(&["build", ":a"]).exits(3);
    let _told = told.says("`n one in vwfb.params.kdl` does not fit");
    std::fs::remove_file(world.path("vwfb.params.kdl")).unwrap();
    std::os::unix::fs::symlink("nowhere", world.path("vwfb.params.kdl")).unwrap();
    let _told = world.run(&["build", ":a"]).exits(3).says("vwfb.params.kdl");
}
