//! `plan`, `why`, `check`, `explain`, `log`, `info`: what can be asked without running anything.

use serde_json::Value;

use crate::world::{FAILING, World};

#[test]
fn a_plan_tells_what_would_run() {
    let world = World::new();
    let ran = world.ok(&["plan", "//p:all"]);
    assert_eq!(ran.stdout, "runs      //p:greet\nmay-run   //p:copy\nruns      //p:alone\n");
    let _told = ran.says("runs 2, may-run 1\n");
    assert!(!world.path("vwfb-out").exists());
    let _built = world.ok(&["build", "//p:all"]);
    let ran = world.ok(&["plan", "//p:all"]).says("unchanged 3\n");
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_plan_tells_what_is_cached() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    world.write("p/greeting.txt", "other\n");
    let _built = world.ok(&["build", "//p:copy"]);
    world.write("p/greeting.txt", "hello\n");
    let ran = world.ok(&["plan", "//p:copy"]);
    assert_eq!(ran.stdout, "cached    //p:greet\ncached    //p:copy\n");
}

#[test]
fn a_plan_is_data_too() {
    let world = World::new();
    let ran = world.ok(&["plan", "//p:copy", "--json"]);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan[0]["label"], "//p:greet");
    assert_eq!(plan[0]["fate"], "runs");
    assert_eq!(plan[0]["key"].as_str().unwrap().len(), 64);
    assert_eq!(plan[1]["fate"], "may-run");
}

#[test]
fn why_names_the_changed_line_of_the_changed_file() {
    let world = World::new();
    world.write("p/greeting.txt", "one\ntwo\n");
    let first = world.ok(&["why", "//p:copy"]);
    assert!(first.stdout.starts_with("//p:copy <- //p:greet\n  it never succeeded here\n"));
    let _built = world.ok(&["build", "//p:copy"]);
    let _told = world.ok(&["why", "//p:copy"]).prints("//p:copy is up to date since run 1\n");
    world.write("p/greeting.txt", "one\n2\n");
    let ran = world.ok(&["-C", "p", "why", ":copy"]);
    let ran = ran.prints("//p:copy <- //p:greet\n  the file `p/greeting.txt` changed: ");
    let ran = ran.prints("    first difference at p/greeting.txt:2\n    - two\n    + 2\n");
    assert_eq!(ran.code, Some(0));
    let _built = world.ok(&["build", "//p:copy"]);
    let ran = world.ok(&["why", "//p:copy"]);
    let _told = ran.prints("//p:copy is up to date; run 2 made it anew, because of\n");
}

/// A workspace with a task whose tool is a script outside it.
fn with_tool() -> (World, std::path::PathBuf) {
    let world = World::with("");
    let tool = world.path("own tool");
    std::fs::write(&tool, "#!/bin/sh\necho made > $1\n").unwrap();
    std::fs::set_permissions(&tool, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let rules = format!(
        "toolchain \"mine\" {{ program {:?} }}\n\
         task \"tool\" {{ out \"t\"; tool \"mine\"; run \"own tool\" \"{{out}}\" }}\n\
         task \"user\" {{ srcs \":tool\"; out \"u\"; script \"cp {{srcs}} {{out}}\" }}\n",
        tool.to_str().unwrap()
    );
    world.write("p/BUILD.kdl", &rules);
    let allowed = format!("workspace \"w\" {{ tools {{ allow {:?} }} }}\n", tool.to_str().unwrap());
    world.write("WORKSPACE.kdl", &allowed);
    let _built = world.ok(&["build", "//p:all"]);
    (world, tool)
}

#[test]
fn why_names_the_files_of_a_tool_that_changed() {
    let (world, tool) = with_tool();
    std::fs::write(&tool, "#!/bin/sh\necho other > $1\n").unwrap();
    let ran = world.ok(&["why", "//p:tool"]);
    let ran = ran.prints("    `[root]/own tool` changed\n");
    assert!(!ran.stdout.contains("is gone"), "{}", ran.stdout);
}

#[test]
fn why_tells_what_keeps_a_task_from_running() {
    let (world, tool) = with_tool();
    std::fs::remove_file(&tool).unwrap();
    for (label, chain) in [("//p:tool", "//p:tool\n"), ("//p:user", "//p:user <- //p:tool\n")] {
        let ran = world.ok(&["why", label]);
        assert!(ran.stdout.starts_with(&format!("{chain}  it cannot run: ")), "{}", ran.stdout);
    }
    let ran = world.ok(&["why", "//p:user", "--json"]);
    let why: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(why["current"], false);
    assert_eq!(why["causes"][0]["before"]["result"], "cannot-run");
}

#[test]
fn why_is_data_too() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    world.write("p/greeting.txt", "other\n");
    let ran = world.ok(&["why", "//p:copy", "--json"]);
    let why: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(why["current"], false);
    assert_eq!(why["causes"][0]["path"], serde_json::json!(["//p:copy", "//p:greet"]));
    assert_eq!(why["causes"][0]["changes"][0]["what"], "the file `p/greeting.txt`");
}

#[test]
fn check_reports_everything_at_once_and_runs_nothing() {
    let world = World::with(
        "tsk \"a\" { out \"a\" }\ntask \"b\" { srcs \"none.txt\"; out \"b\"; script \"true\" }\n",
    );
    let ran = world.run(&["check"]).exits(3);
    let ran = ran.says("error[unknown-rule]: no rule named `tsk`").says("error[missing-file]");
    let _told = ran.says("2 targets: 2 errors, 0 warnings");
    assert!(!world.path("vwfb-out").exists());
}

#[test]
fn check_and_build_report_by_file_and_line() {
    let world = World::with(
        "task \"a\" { srcs \":b\" \"nowhere.txt\"; out \"a\"; script \"cat {srcs} > {out}\" }\n\
         tsk \"c\" { out \"c\" }\n\
         task \"b\" { srcs \"gone.txt\"; out \"b\"; script \"cat {srcs} > {out}\" }\n",
    );
    let checked = world.run(&["check"]).exits(3);
    let lines = |text: &str| -> Vec<String> {
        let places = text.lines().filter(|line| line.contains("p/BUILD.kdl:"));
        places.map(|line| line.rsplit(':').nth(1).unwrap().to_owned()).collect()
    };
    assert_eq!(lines(&checked.stderr), ["1", "2", "3"], "{}", checked.stderr);
    let built = world.run(&["build", "//p:a"]).exits(3);
    assert_eq!(lines(&built.stderr), ["1", "3"], "{}", built.stderr);
}

#[test]
fn a_hundred_problems_are_told_and_the_others_counted() {
    let world = World::with(&"tsk \"a\" { out \"a\" }\n".repeat(300));
    let ran = world.run(&["check"]).exits(3);
    assert_eq!(ran.stderr.matches("error[").count(), 100);
    let _told = ran.says("more problems\n").says("100 errors, 0 warnings and more\n");
}

#[test]
fn check_of_one_target_leaves_others_alone() {
    let world = World::new();
    world.write("q/BUILD.kdl", "tsk \"a\" { out \"a\" }\n");
    let _told = world.ok(&["check", "//p:copy"]).says("1 target: 0 errors, 0 warnings\n");
}

#[test]
fn a_workspace_without_packages_is_sound() {
    let world = World::empty();
    let _told = world.ok(&["check"]).says("0 targets: 0 errors, 0 warnings\n");
    world.write("WORKSPACE.kdl", "workspac \"w\"\n");
    let _told = world.run(&["check"]).exits(3).says("error[unknown-node]");
}

#[test]
fn explain_prints_the_page_of_a_code() {
    let world = World::empty();
    let ran = world.ok(&["explain", "unknown-rule"]);
    assert!(ran.stdout.starts_with("# unknown-rule\n\n"), "{}", ran.stdout);
    let ran = ran.prints("\n    svg_render \"slide\" src=\"slide.svg\"\n");
    assert!(!ran.stdout.contains("```") && !ran.stdout.contains("// error["), "{}", ran.stdout);
    assert_eq!(world.ok(&["explain", "error[unknown-rule]:"]).stdout, ran.stdout);
    let ran = world.run(&["explain", "unknown-rul"]).exits(2);
    let _told = ran.says("hint: did you mean `unknown-rule`?");
    let _told = world.ok(&["explain"]).prints("unknown-rule").prints("syntax-error");
}

#[test]
fn log_prints_what_a_task_wrote_whether_it_failed_or_not() {
    let world = World::new();
    assert_eq!(world.ok(&["log", "//p:greet"]).stdout, "");
    let _told = world.ok(&["log", "//p:greet"]).says("has not run here yet");
    let _built = world.ok(&["build", "//p:copy"]);
    assert_eq!(world.ok(&["log", "//p:greet"]).stdout, "greeted\n");
    assert_eq!(world.ok(&["-C", "p", "log", ":greet"]).stdout, "greeted\n");
    world.write("q/BUILD.kdl", FAILING);
    let _failed = world.run(&["build", "//q:bad"]).exits(1);
    let ran = world.ok(&["log", "//q:bad"]).says("//q:bad failed in run 2: `sh` failed");
    assert_eq!(ran.stdout, "before the end\n");
    assert_eq!(world.ok(&["log", "-q", "//q:bad"]).stderr, "");
}

#[test]
fn log_says_which_targets_run_no_task_and_follows_an_alias() {
    let world = World::new();
    world.write(
        "q/BUILD.kdl",
        "alias \"a\" actual=\"//p:greet\"\nfilegroup \"f\" { srcs \"//p:greet\" \"//p:alone\"; }\n\
         task \"off\" when=#false { out \"o\"; script \"echo > {out}\"; }\n",
    );
    let _built = world.ok(&["build", "//p:all"]);
    let ran =
        world.ok(&["log", "//q:a"]).says("//q:a runs no task; its files are made by //p:greet");
    assert_eq!(ran.stdout, "greeted\n");
    let ran = world.ok(&["log", "//q:f"]);
    let _told = ran.says("//q:f runs no task; its files are made by //p:alone, //p:greet\n");
    let _told = world.ok(&["log", "//q:off"]).says("//q:off runs no task\n");
}

#[test]
fn info_tells_of_workspace_store_sandbox_and_tools() {
    let world = World::new();
    world.write("WORKSPACE.kdl", "workspace \"films\" { tools { allow \"no-such-tool\" } }\n");
    let ran = world.ok(&["info"]);
    let ran = ran.prints("workspace  [root]\n").prints("name       films\n");
    let ran = ran.prints("store      [store]\n").prints("sandbox    ");
    let ran = ran.prints("programs   looked for in /usr/local/bin:/usr/bin:/bin\n");
    let _told = ran.prints("  no-such-tool   not found\n").prints("  ffmpeg ");
    assert!(!world.store().exists(), "nothing is opened");
    let ran = world.ok(&["info", "--json"]);
    let info: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(info["name"], "films");
    assert_eq!(info["search_path"][0], "/usr/local/bin");
    assert_eq!(info["tools"]["no-such-tool"], Value::Null);
    assert!(info["tools"]["vwfb-kit"].as_str().unwrap().ends_with("/vwfb-kit"), "beside vwfb");
    assert!(info["tools"].as_object().unwrap().keys().all(|name| !name.contains('{')));
    assert!(info["jobs"].as_u64().unwrap() >= 1);
}

#[test]
fn info_and_version_need_no_workspace() {
    let world = World::empty();
    std::fs::remove_file(world.path("WORKSPACE.kdl")).unwrap();
    let _told = world.ok(&["info"]).prints("workspace  none");
    let version = concat!("vwfb ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(world.ok(&["version"]).stdout, version);
    assert_eq!(world.ok(&["--version"]).stdout, version);
}
