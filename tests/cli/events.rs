//! `--events`: the documented fields of every line.

use serde_json::Value;

use crate::world::{FAILING, World};

fn named<'e>(events: &'e [Value], name: &str) -> Vec<&'e Value> {
    events.iter().filter(|event| event["event"] == name).collect()
}

#[test]
fn every_line_is_an_object_with_version_number_time_and_event() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy", "--events", "events.jsonl"]);
    let events = world.events("events.jsonl");
    let mut last = 0;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["v"], 1);
        assert_eq!(event["seq"], number);
        let ms = event["ms"].as_u64().unwrap();
        assert!(ms >= last, "time goes on: {event}");
        last = ms;
    }
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "run-started",
            "task-ready",
            "task-started",
            "task-finished",
            "task-ready",
            "task-started",
            "task-finished",
            "run-finished",
        ]
    );
}

#[test]
fn a_run_begins_with_its_targets_and_ends_with_its_counts() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy", "--events", "events.jsonl"]);
    let _built = world.ok(&["build", "//p:copy", "--events", "events.jsonl"]);
    let events = world.events("events.jsonl");
    let (first, last) = (&events[0], &events[events.len() - 1]);
    assert_eq!(first["run"], 2);
    assert_eq!(first["targets"], serde_json::json!(["//p:copy"]));
    assert_eq!(first["tasks"], 2);
    assert!(first["sandbox"].is_string());
    assert_eq!(
        last["counts"],
        serde_json::json!({
            "ran": 0, "cached": 0, "cut-off": 0, "unchanged": 2, "pinned": 0, "stand-in": 0, "approved": 0, "waiting": 0,
            "failed": 0, "blocked": 0, "cancelled": 0,
        })
    );
    assert_eq!(last["exit_code"], 0);
    assert!(last["duration_ms"].is_u64());
}

#[test]
fn a_task_is_told_with_its_key_and_result() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:alone", "--events", "events.jsonl"]);
    let events = world.events("events.jsonl");
    let started = named(&events, "task-started")[0];
    let finished = named(&events, "task-finished")[0];
    assert_eq!(started["label"], "//p:alone");
    assert_eq!(started["key"].as_str().unwrap().len(), 64);
    assert_eq!(finished["key"], started["key"]);
    assert_eq!(finished["result"], "ran");
    assert!(finished["duration_ms"].is_u64());
    assert!(finished.get("reason").is_none());
}

#[test]
fn a_failure_is_told_with_its_reason_and_what_is_blocked() {
    let world = World::with(FAILING);
    let _failed = world.run(&["build", "//p:behind", "--events", "events.jsonl"]).exits(1);
    let events = world.events("events.jsonl");
    let finished = named(&events, "task-finished");
    assert_eq!(finished[0]["result"], "failed");
    assert_eq!(finished[0]["reason"], "`sh` failed with exit code 3");
    assert_eq!(finished[0]["log"].as_str().unwrap().len(), 64);
    assert_eq!(finished[0]["reproduce"], "vwfb build //p:bad --keep-failed");
    assert_eq!(finished[1]["result"], "blocked");
    assert_eq!(finished[1]["reason"], "`//p:bad` failed");
    assert_eq!(events[events.len() - 1]["exit_code"], 1);
}

#[test]
fn a_wrong_workspace_is_told_with_places() {
    let world = World::with("\ntsk \"a\" { out \"a\" }\n");
    let _refused = world.run(&["build", "//p:a", "--events", "events.jsonl"]).exits(3);
    let events = world.events("events.jsonl");
    let problem = named(&events, "diagnostic")[0];
    assert_eq!(problem["severity"], "error");
    assert_eq!(problem["code"], "unknown-rule");
    assert_eq!(problem["message"], "no rule named `tsk`");
    assert_eq!(problem["places"][0]["file"], "p/BUILD.kdl");
    assert_eq!(problem["places"][0]["line"], 2);
    assert_eq!(problem["places"][0]["column"], 1);
    assert_eq!(problem["hint"], "did you mean `task`?");
    assert_eq!(events[events.len() - 1]["event"], "run-finished");
    assert_eq!(events[events.len() - 1]["exit_code"], 3);
}

#[test]
fn a_run_that_cannot_begin_ends_too() {
    let world = World::new();
    std::fs::write(world.store(), "a file").unwrap();
    let _refused = world.run(&["build", "//p:copy", "--events", "events.jsonl"]).exits(4);
    let events = world.events("events.jsonl");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["event"], "run-finished");
    assert_eq!(events[0]["exit_code"], 4);
}

#[test]
fn the_command_to_reproduce_is_the_one_that_people_are_told() {
    let world = World::with(FAILING);
    world.write("WORKSPACE.kdl", "workspace \"w\" { profile \"draft\"; }\n");
    for keep in [false, true] {
        let mut args = vec!["-C", "p", "build", ":bad", "--events", "e.jsonl", "--sandbox=off"];
        args.extend(["--profile", "draft"]);
        args.extend(keep.then_some("--keep-failed"));
        let failed = world.run(&args).exits(1);
        let events = world.events("p/e.jsonl");
        let told = named(&events, "task-finished")[0]["reproduce"].as_str().unwrap();
        let told = told.replace(world.root().to_str().unwrap(), "[root]");
        let told = told.replace(world.store().to_str().unwrap(), "[store]");
        let options = "-C p --sandbox off --profile draft";
        let again = format!("vwfb build //p:bad --keep-failed {options}");
        assert_eq!(told == again, !keep, "{told}");
        let _told = failed.says(&format!("  reproduce: {told}\n"));
    }
}

#[test]
fn a_file_that_is_no_file_of_its_own_is_appended_to() {
    let world = World::new();
    world.write("all.log", "before\n");
    let log = std::fs::OpenOptions::new().append(true).open(world.path("all.log")).unwrap();
    let mut command = world.command(&["build", "//p:alone", "--events", "/dev/stdout"]);
    let _built = world.ended(command.stdout(log).output().unwrap()).exits(0);
    let text = world.read("all.log");
    assert!(text.starts_with("before\n{\"v\":1,"), "{text}");
    std::os::unix::fs::symlink("all.log", world.path("link.log")).unwrap();
    let _built = world.ok(&["build", "//p:alone", "--events", "link.log"]);
    assert!(world.read("all.log").starts_with("{\"v\":1,"), "a link of the user's is a file");
}
