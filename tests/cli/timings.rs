//! `--timings`: where a command's own time goes, and the counts that do not depend on the machine.

use serde_json::Value;

use crate::world::World;

/// What `args` with `--timings=FILE` wrote.
fn timed(world: &World, args: &[&str]) -> Value {
    let mut all = args.to_vec();
    all.push("--timings=timings.json");
    let _ended = world.ok(&all);
    serde_json::from_str(&world.read("timings.json")).unwrap()
}

#[track_caller]
fn counted(timings: &Value, counter: &str) -> u64 {
    timings["counters"][counter].as_u64().unwrap_or_else(|| panic!("`{counter}` is counted"))
}

#[test]
fn every_counter_and_phase_is_documented() {
    let world = World::new();
    let timings = timed(&world, &["build", "//..."]);
    assert_eq!(timings["v"], 1);
    let page = include_str!("../../docs/reference/json.md");
    for object in [&timings, &timings["phases"], &timings["counters"], &timings["phases"]["load"]] {
        for name in object.as_object().unwrap().keys() {
            assert!(page.contains(&format!("`{name}`")), "`{name}`");
        }
    }
}

#[test]
fn a_build_counts_what_it_does() {
    let world = World::new();
    let first = timed(&world, &["build", "//..."]);
    assert_eq!(counted(&first, "packages-parsed"), 1);
    assert!(counted(&first, "queries-executed") > 0);
    assert_eq!(counted(&first, "processes-spawned"), 3);
    for phase in first["phases"].as_object().unwrap().keys() {
        assert!(first["phases"][phase]["times"].as_u64().unwrap() > 0, "{phase}");
    }
    world.write("p/greeting.txt", "other\n");
    let second = timed(&world, &["build", "//..."]);
    assert_eq!(counted(&second, "processes-spawned"), 2, "`alone` is unchanged");
    let third = timed(&world, &["build", "//..."]);
    assert_eq!(counted(&third, "processes-spawned"), 0);
}

#[test]
fn why_reads_only_the_tasks_that_it_names() {
    let world = World::new();
    // Until the stamps of files and outputs vouch for them, each is looked up.
    let settle = || {
        for _ in 0..3 {
            let _built = world.ok(&["build", "//..."]);
            std::thread::sleep(std::time::Duration::from_millis(40));
        }
    };
    let rows = |label| counted(&timed(&world, &["why", label]), "state-rows-read");
    settle();
    assert_eq!([rows("//p:alone"), rows("//p:copy")], [0, 0]);
    world.write("p/greeting.txt", "other\n");
    settle();
    // The success of `greet` and the records of both its keys; `copy` only followed.
    assert_eq!([rows("//p:alone"), rows("//p:copy")], [0, 3]);
}

#[test]
fn people_get_a_table_after_the_summary() {
    let world = World::new();
    let told = world.ok(&["build", "//...", "--timings"]).stderr;
    let (before, table) = told.split_once("where the ").unwrap();
    assert!(before.contains("ran 3 in "), "{told}");
    assert!(table.contains("\n  packages-parsed           1"), "{told}");
    assert!(!table.contains(" 0\n"), "{told}");
    let without = world.ok(&["build", "//..."]).stderr;
    assert!(!without.contains("where the "), "{without}");
    for args in [
        &["build", "--dry-run", "//...", "--timings"][..],
        &["plan", "--timings", "//..."],
        &["why", "--timings", "//p:copy"],
        &["query", "--timings", "deps(//p:copy)"],
        &["check", "--timings"],
    ] {
        let _told = world.ok(args).says("where the ").says("  load ");
    }
}

#[test]
fn timings_that_cannot_be_written_stop_a_build_before_it_begins() {
    let world = World::new();
    let ended = world.run(&["build", "//...", "--timings=missing/timings.json"]);
    let _ended = ended.exits(4).says("cannot write timings to");
    assert!(!world.path("vwfb-out").exists());
}
