//! Several vwfb processes at once: in one workspace, in one store, and beside gc and clean.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::Signal;

use crate::family::{Mark, assert_end, signal};
use crate::world::{Running, World, contents};

/// Twelve tasks: three rows of three, and one that reads the ends, in three packages.
fn rows(world: &World) {
    for row in ["a", "b", "c"] {
        let text = "task \"one\" { srcs \"s.txt\"; out \"one\"; script \"sort {srcs} > {out}\" }\n\
                    task \"two\" { srcs \":one\"; out \"two\" type=\"tree\"; \
                    script \"mkdir -p {out}/x; cp {srcs} {out}/x/y\" }\n\
                    task \"three\" { srcs \":two\"; out \"three\"; \
                    script \"for tree in {srcs}; do cat $tree/x/y $tree/x/y; done > {out}\" }\n";
        world.write(&format!("{row}/BUILD.kdl"), text);
        world.write(&format!("{row}/s.txt"), format!("{row}\nrow\n"));
    }
    let all = "task \"sum\" { srcs \"//a:three\" \"//b:three\" \"//c:three\"; out \"sum\"; \
               script \"cat {srcs} > {out}\" }\n";
    world.write("sum/BUILD.kdl", all);
}

/// How often each task ran in all of `runs`.
fn times_ran(runs: &[BTreeMap<String, String>]) -> BTreeMap<&str, usize> {
    let mut times = BTreeMap::new();
    for (label, result) in runs.iter().flatten() {
        *times.entry(label.as_str()).or_default() += usize::from(result == "ran");
    }
    times
}

fn assert_each_runs_once(processes: usize) {
    let world = World::empty();
    rows(&world);
    let begin = |number: usize| world.begin(&number.to_string(), &["//...", "-j2"]);
    let running: Vec<Running> = (0..processes).map(begin).collect();
    let mut runs = Vec::new();
    for build in running {
        let (ran, results) = build.end();
        let _ended = ran.exits(0);
        assert_eq!(results.len(), 10);
        runs.push(results);
    }
    let times = times_ran(&runs);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
    let alone = world.with_store("another-store");
    let made = contents(&world.path("vwfb-out"));
    let _cleaned = alone.ok(&["clean"]);
    let _built = alone.ok(&["build", "//..."]);
    assert_eq!(made, contents(&world.path("vwfb-out")));
}

#[test]
fn two_builds_of_one_workspace_run_each_task_once() {
    assert_each_runs_once(2);
}

#[test]
fn four_builds_of_one_workspace_run_each_task_once() {
    assert_each_runs_once(4);
}

/// A task that goes on once somebody writes to a pipe, which it can open as it is not confined.
struct Gate {
    pipe: PathBuf,
    mark: Mark,
}

/// The options of builds with such a task.
const OPEN: [&str; 2] = ["//p:gated", "--sandbox=off"];

impl Gate {
    fn new(world: &World, name: &str) -> Self {
        let pipe = world.beside("gate");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RWXU, 0).unwrap();
        Self { pipe, mark: Mark::new(name) }
    }

    fn package(&self) -> String {
        let (name, mark) = (Mark::NAME, self.mark.value());
        format!(
            "task \"gated\" {{ out \"x\"; env {{ {name} \"{mark}\" }}\n\
             script \"read line < {}; echo made > {{out}}\" }}\n",
            self.pipe.display()
        )
    }

    /// Lets one task through; waits until it asks.
    fn open(&self) {
        let mut pipe = OpenOptions::new().write(true).open(&self.pipe).unwrap();
        pipe.write_all(b"go\n").unwrap();
    }
}

/// Two workspaces with one store and the same gated task, which the first of two builds runs.
fn rivals(name: &str) -> (World, Gate, Running, Running) {
    let world = World::empty();
    let gate = Gate::new(&world, name);
    world.write("p/BUILD.kdl", gate.package());
    let other = world.neighbour();
    other.write("p/BUILD.kdl", gate.package());
    let mut first = world.begin("first", &OPEN);
    first.wait_for(&["task-started"]);
    // Now its build holds the key.
    let _running = gate.mark.met();
    let mut second = other.begin("second", &OPEN);
    second.wait_for(&["task-started"]);
    (world, gate, first, second)
}

#[test]
fn a_build_waits_for_another_workspace_that_makes_the_same() {
    let (_world, gate, first, second) = rivals("waits");
    gate.open();
    let (ran, results) = first.end();
    assert_eq!(ran.exits(0).code, Some(0));
    assert_eq!(results["//p:gated"], "ran");
    let (ran, results) = second.end();
    assert_eq!(ran.exits(0).code, Some(0));
    assert_eq!(results["//p:gated"], "cached");
}

#[test]
fn a_build_takes_over_from_one_that_was_killed() {
    let (_world, gate, mut first, second) = rivals("takes-over");
    let task = gate.mark.met();
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    assert_end(&task);
    gate.open();
    let (ran, results) = second.end();
    assert_eq!(ran.exits(0).code, Some(0));
    assert_eq!(results["//p:gated"], "ran");
    gate.mark.assert_gone();
}

#[test]
fn a_build_that_waits_for_another_can_be_stopped() {
    let (_world, gate, first, second) = rivals("stopped");
    signal(&second.child, Signal::INT);
    let (ran, results) = second.end();
    let _ended = ran.exits(130);
    assert_eq!(results["//p:gated"], "cancelled");
    gate.open();
    let _ended = first.end().0.exits(0);
}

/// Runs `command` again and again until dropped.
struct Again<'w> {
    stop: &'w AtomicBool,
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// How often a build is made beside something else.
const BUILDS: usize = 12;

/// Builds after edits while `rival` runs over and over, whose exit codes must be 0.
fn build_beside(rival: &[&str], looked_at: impl Fn(&World, usize)) {
    let world = World::empty();
    rows(&world);
    let _built = world.ok(&["build", "//..."]);
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let again = scope.spawn(|| {
            let mut times = 0;
            while !stop.load(Ordering::Relaxed) || times == 0 {
                let _ran = world.ok(rival);
                times += 1;
            }
        });
        let _stopping = Again { stop: &stop };
        for edition in 0..BUILDS {
            world.write("a/s.txt", format!("{}\n", edition % 4));
            let _built = world.ok(&["build", "//..."]);
            looked_at(&world, edition % 4);
        }
        stop.store(true, Ordering::Relaxed);
        again.join().unwrap();
    });
    let _verified = world.ok(&["cache", "verify"]);
    let _built = world.ok(&["build", "//..."]);
    let sum = world.read("vwfb-out/sum/sum");
    assert_eq!(sum, "3\n3\nb\nrow\nb\nrow\nc\nrow\nc\nrow\n");
}

#[test]
fn gc_beside_builds_makes_none_fail() {
    build_beside(&["cache", "gc", "--max-age", "0s", "--max-size", "1B"], |world, edition| {
        let sum = world.read("vwfb-out/sum/sum");
        assert!(sum.starts_with(&format!("{edition}\n{edition}\n")), "{sum}");
    });
}

#[test]
fn verifying_beside_builds_finds_nothing() {
    build_beside(&["cache", "verify"], |world, edition| {
        let sum = world.read("vwfb-out/sum/sum");
        assert!(sum.starts_with(&format!("{edition}\n{edition}\n")), "{sum}");
    });
}

#[test]
fn forgetting_results_beside_builds_makes_none_fail() {
    build_beside(&["clean", "--expunge", "//a:one", "//sum:sum"], |_, _| {});
}

#[test]
fn cleaning_during_a_build_leaves_it_able_to_finish() {
    let world = World::empty();
    let gate = Gate::new(&world, "cleaned");
    world.write("p/BUILD.kdl", gate.package());
    let mut building = world.begin("build", &OPEN);
    building.wait_for(&["task-started"]);
    let _cleaned = world.ok(&["clean", "--expunge"]);
    gate.open();
    let _built = building.end().0.exits(0);
    assert_eq!(world.read("vwfb-out/p/x"), "made\n");
    assert_eq!(fs::read_dir(world.path(".vwfb/staging")).unwrap().count(), 0);
}
