//! A benchmark that fails on counts and never on times: what each kind of build of 1,000 tasks may
//! look at, read, evaluate, write and start. A lost optimisation fails it on any machine.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::world::World;

/// Tasks side by side; each layer is a package.
const WIDTH: usize = 100;
/// Layers; a task above the first reads two of the one below.
const LAYERS: usize = 10;
const TASKS: u64 = (WIDTH * LAYERS) as u64;
/// The tasks that stand on one of the first layer, itself included.
const CONE: u64 = (LAYERS * (LAYERS + 1) / 2) as u64;

/// Tasks `t0`, `t1`, ... in packages `d0`, `d1`, ..., each with a source of its own. Those of the
/// first layer take the first line of it.
fn graph(width: usize, layers: usize) -> World {
    let world = World::empty();
    for layer in 0..layers {
        let mut package = String::new();
        for column in 0..width {
            world.write(&source(layer, column), &format!("source {layer} {column}\n"));
            let mut needs = String::new();
            let mut program = "head -n 1";
            if layer > 0 {
                program = "cksum";
                for need in [column, (column + 1) % width] {
                    write!(needs, " \"//d{}:t{need}\"", layer - 1).unwrap();
                }
            }
            write!(
                package,
                "task \"t{column}\" {{\n    srcs \"s{column}.txt\"{needs}\n    \
                 out \"t{column}.txt\"\n    script \"{program} {{srcs}} > {{out}}\"\n}}\n"
            )
            .unwrap();
        }
        world.write(&format!("d{layer}/BUILD.kdl"), &package);
    }
    world
}

fn source(layer: usize, column: usize) -> String {
    format!("d{layer}/s{column}.txt")
}

/// What one command counted, and which bounds that breaks.
struct Counted<'a> {
    step: &'static str,
    timings: Value,
    broken: &'a mut Vec<String>,
}

impl Counted<'_> {
    fn of(&self, counter: &str) -> u64 {
        self.timings["counters"][counter].as_u64().unwrap()
    }

    /// How long the command took.
    fn micros(&self) -> u64 {
        self.timings["whole_us"].as_u64().unwrap()
    }

    /// How many there must be, no more and no less.
    fn is(&mut self, counter: &str, expected: u64) -> &mut Self {
        let found = self.of(counter);
        self.hold(found == expected, || format!("{counter} {found}, not {expected}"))
    }

    fn at_most(&mut self, counter: &str, most: u64) -> &mut Self {
        let found = self.of(counter);
        self.hold(found <= most, || format!("{counter} {found} > {most}"))
    }

    fn hold(&mut self, holds: bool, otherwise: impl FnOnce() -> String) -> &mut Self {
        if !holds {
            self.broken.push(format!("{}: {}", self.step, otherwise()));
        }
        self
    }
}

/// Commands in one workspace, and every bound that they broke.
struct Guard {
    world: World,
    broken: Vec<String>,
}

impl Guard {
    fn new(world: World) -> Self {
        Self { world, broken: Vec::new() }
    }

    fn run(&mut self, step: &'static str, args: &[&str]) -> Counted<'_> {
        let file = "../timings.json";
        let asked = format!("--timings={file}");
        let _ended = self.world.ok(&[args, &[asked.as_str()]].concat());
        let timings = serde_json::from_str(&self.world.read(file)).unwrap();
        Counted { step, timings, broken: &mut self.broken }
    }

    fn build(&mut self, step: &'static str) -> Counted<'_> {
        self.run(step, &["build", "//..."])
    }

    /// Builds until no file is so young that its stamp vouches for nothing.
    fn settle(&mut self) {
        for _ in 0..9 {
            let settled = self.build("settle");
            if settled.of("files-hashed") == 1 && settled.of("folders-listed") == 0 {
                return;
            }
        }
    }

    fn edit(&mut self, path: &str, change: impl FnOnce(String) -> String) {
        let text = self.world.read(path);
        self.world.write(path, &change(text));
    }
}

/// The stats of a null build that are for tools and the rest of the machine.
fn stats_of_the_machine() -> u64 {
    let mut guard = Guard::new(graph(1, 2));
    guard.settle();
    let null = guard.build("null build of two tasks");
    null.of("files-statted") - stats_of_the_workspace(1, 2)
}

/// Sources, outputs, rule files, and the folders that may get another package.
fn stats_of_the_workspace(width: u64, layers: u64) -> u64 {
    2 * width * layers + (layers + 1) + (layers + 1)
}

#[test]
fn no_build_of_a_thousand_tasks_does_more_than_it_must() {
    let machine = stats_of_the_machine();
    let mut guard = Guard::new(graph(WIDTH, LAYERS));
    let (width, layers) = (WIDTH as u64, LAYERS as u64);
    let stats = machine + stats_of_the_workspace(width, layers);

    // Batches are written so often a second, and when they are large.
    let mut full = guard.build("full build");
    let batches = 30 + full.micros() / 20_000;
    full.is("processes-spawned", TASKS)
        .is("packages-parsed", layers)
        .at_most("queries-executed", 7 * TASKS)
        .at_most("files-statted", 6 * TASKS)
        .at_most("folders-listed", 3 * layers)
        .at_most("state-rows-read", 4 * TASKS)
        .at_most("index-rows-read", 5 * TASKS)
        .at_most("transactions", batches)
        .is("files-stored", 1);

    guard.settle();
    // The one query and the one file are of `WORKSPACE.kdl`.
    let mut null = guard.build("null build");
    null.is("files-statted", stats)
        .is("files-hashed", 1)
        .is("folders-listed", 0)
        .is("packages-parsed", 0)
        .is("queries-executed", 1)
        .is("state-rows-read", 0)
        .is("index-rows-read", 0)
        .is("transactions", 4)
        .is("processes-spawned", 0)
        .is("outputs-placed", 0)
        .is("files-stored", 0);

    let mut why = guard.run("why", &["why", "//d9:t50"]);
    why.is("state-rows-read", 0)
        .at_most("files-statted", stats)
        .is("files-hashed", 0)
        .is("queries-executed", 0)
        .is("packages-parsed", 0)
        .is("index-rows-read", 0)
        .is("transactions", 2);

    let mut everything = guard.run("all evaluated", &["build", "//...", "--no-snapshot"]);
    everything
        .is("packages-parsed", layers)
        .is("processes-spawned", 0)
        .is("files-hashed", layers + 1)
        .at_most("queries-executed", 7 * TASKS)
        .at_most("files-statted", 6 * TASKS)
        .at_most("folders-listed", 3 * layers)
        .at_most("state-rows-read", 6 * TASKS)
        .at_most("index-rows-read", TASKS)
        .at_most("transactions", 8);

    guard.settle();
    guard.edit("d5/BUILD.kdl", |text| format!("// nothing new\n{text}"));
    let mut comment = guard.build("a comment in a package");
    comment
        .is("packages-parsed", 1)
        .is("processes-spawned", 0)
        .at_most("queries-executed", 5)
        .at_most("files-statted", stats + 5)
        .at_most("files-hashed", 4)
        .at_most("state-rows-read", 5)
        .is("index-rows-read", 0)
        .at_most("transactions", 8);

    // What the workspace needs of the store is told anew, which grows with it; nothing else does.
    guard.settle();
    guard.edit(&source(0, 50), |text| format!("{text}another line\n"));
    let mut same = guard.build("a leaf with the same result");
    same.is("processes-spawned", 1)
        .is("packages-parsed", 1)
        .at_most("queries-executed", 12)
        .at_most("files-statted", stats + 30)
        .is("folders-listed", 0)
        .at_most("state-rows-read", 20)
        .at_most("index-rows-read", 20)
        .at_most("transactions", 16);

    guard.settle();
    guard.edit(&source(0, 50), |text| format!("another line\n{text}"));
    let mut changed = guard.build("a leaf with another result");
    let batches = 30 + changed.micros() / 20_000;
    changed
        .is("processes-spawned", CONE)
        .is("packages-parsed", layers)
        .at_most("queries-executed", 10 * CONE)
        // A build that takes a while looks at the outputs once more at its end.
        .at_most("files-statted", 2 * stats + 10 * CONE)
        .is("folders-listed", 0)
        .at_most("state-rows-read", 10 * CONE)
        .at_most("index-rows-read", 10 * CONE)
        .at_most("transactions", batches);

    // Of the whole cone only the one task whose source changed is read: its success, the records
    // of both keys, and a tool's files.
    guard.settle();
    let mut why = guard.run("why after it", &["why", "//d9:t50"]);
    why.at_most("state-rows-read", 3)
        .at_most("files-statted", stats + 10)
        .is("packages-parsed", 1)
        .at_most("queries-executed", 8)
        .is("index-rows-read", 1)
        .is("transactions", 2);

    guard.edit(&source(0, 10), |text| format!("another line\n{text}"));
    let mut why = guard.run("why beside a change", &["why", "//d9:t50"]);
    why.at_most("state-rows-read", 3 + 1).at_most("queries-executed", 8 + 1);
    guard.edit(&source(0, 10), |text| text.replacen("another line\n", "", 1));

    guard.settle();
    let _cleaned = guard.world.ok(&["clean"]);
    let mut restored = guard.build("outputs restored");
    restored
        .is("outputs-placed", TASKS)
        .is("processes-spawned", 0)
        .is("packages-parsed", 0)
        .is("queries-executed", 1)
        // The rule files are read, in case an output is lost and its task has to run again.
        .is("files-hashed", 1 + layers)
        .at_most("files-statted", stats + TASKS + 3 * layers)
        .at_most("state-rows-read", TASKS + 10)
        .at_most("index-rows-read", TASKS)
        .at_most("transactions", 8);

    assert_eq!(guard.broken, Vec::<String>::new());
}

#[test]
fn each_way_to_ask_looks_at_every_file_once() {
    let (width, layers) = (WIDTH as u64, 2);
    let stats = stats_of_the_machine() + stats_of_the_workspace(width, layers);
    let mut guard = Guard::new(graph(width as usize, layers as usize));
    guard.settle();
    let unconfined = ["build", "//...", "--sandbox", "off"];
    for _ in 0..4 {
        guard.run("settle without a sandbox", &unconfined);
    }
    let mut null = guard.run("null build without a sandbox", &unconfined);
    null.is("files-statted", stats).is("queries-executed", 1);
    let mut plan = guard.run("plan", &["plan", "//..."]);
    plan.at_most("files-statted", stats);
    // Whoever doubts the snapshot does not wait for it.
    let mut plan = guard.run("plan of everything", &["plan", "//...", "--no-snapshot"]);
    plan.at_most("files-statted", 2 * stats);
    assert_eq!(guard.broken, Vec::<String>::new());
}

#[test]
fn what_people_say_of_other_targets_is_taken_up_once() {
    let mut guard = Guard::new(World::with(
        r#"
        task "said" { out "said.txt"; script "echo said > {out}" }
        checkpoint "heard" { of ":said" }
        task "other" { out "other.txt"; script "echo other > {out}" }
        "#,
    ));
    let _waits = guard.world.run(&["build", "//p:heard"]).exits(5);
    let _approved = guard.world.ok(&["approve", "//p:heard"]);
    let other = ["build", "//p:other"];
    for _ in 0..4 {
        guard.run("settle", &other);
    }
    let _undone = guard.world.ok(&["undo"]);
    guard.run("the first build after it", &other);
    // Where the graph is needed, which ends a snapshot's file, everything has to be evaluated now.
    for entry in fs::read_dir(guard.world.path(".vwfb/snapshots")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= u8::from(path.extension().is_none());
        fs::write(&path, bytes).unwrap();
    }
    guard.run("the next one", &other).is("packages-parsed", 0).is("queries-executed", 1);
    assert_eq!(guard.broken, Vec::<String>::new());
}

#[test]
fn a_file_that_several_targets_offer_is_put_in_place_once() {
    let mut guard = Guard::new(World::with(
        "write_file \"w\" { text \"x\"; out \"w.txt\" }\nalias \"p\" { actual \":w\" }\n",
    ));
    // Two who did it at once would each find what nobody is known to have put there.
    guard.run("the first time", &["build", "//p"]).is("outputs-placed", 1);
    let _cleaned = guard.world.ok(&["clean"]);
    guard.run("again", &["build", "//p"]).is("outputs-placed", 1);
    assert_eq!(guard.broken, Vec::<String>::new());
}
