//! Kills at random instants of a build: nothing lives on, the store verifies and has every result
//! that was told of, and the next build makes what a clean one makes.
//!
//! `VWFB_KILLS` sets how many kills, `VWFB_SEED` repeats a run.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

use serde_json::Value;

use crate::family::{Mark, kill_after};
use crate::random::{Random, Replay, number, seed};
use crate::world::{Ran, World, contents};

/// How many kills without another wish.
const KILLS: u64 = 200;

/// After how many kills all is looked at.
const ROUND: u64 = 25;

/// Sources of the workload.
const SOURCES: usize = 4;

/// Near twenty tasks: several outputs, trees, large outputs, a chain, and one that reads them all.
fn package(mark: &Mark) -> String {
    let mut text = String::new();
    let mut task = |name: &str, rest: &str| {
        let env = format!("env {{ {} \"{}\" }}", Mark::NAME, mark.value());
        text.push_str(&format!("task \"{name}\" {{\n    {env}\n    {rest}\n}}\n"));
    };
    for at in 0..SOURCES {
        let several = "out \"a\" name=\"a\"; out \"b\" name=\"b\"";
        let several = several.replace("\"a\" ", &format!("\"a{at}\" "));
        let several = several.replace("\"b\" ", &format!("\"b{at}\" "));
        let script = "sort {srcs} > {out.a}; sha256sum < {srcs} > {out.b}";
        task(&format!("two{at}"), &format!("srcs \"{at}.txt\"; {several}; script \"{script}\""));
        let script = "mkdir -p {out}/deep/empty; for i in 1 2 3 4 5 6 7 8; do \
                      tail -n $i {srcs} > {out}/$i; done; ln -s ../3 {out}/deep/link; \
                      chmod +x {out}/2";
        let output = format!("srcs \"{at}.txt\"; out \"tree{at}\" type=\"tree\"");
        task(&format!("tree{at}"), &format!("{output}; script \"{script}\""));
        let script = "yes \"$(cat {srcs})\" | head -c 700000 > {out}";
        let output = format!("srcs \":two{at}\"; out \"big{at}\"");
        task(&format!("big{at}"), &format!("{output}; script #\"{script}\"#"));
    }
    for at in 0..SOURCES {
        let before = if at == 0 { "0.txt".to_owned() } else { format!(":link{}", at - 1) };
        let script = "(cat {srcs}; echo next) > {out}";
        let output = format!("srcs \"{before}\"; out \"link{at}\"");
        task(&format!("link{at}"), &format!("{output}; script \"{script}\""));
    }
    let all: String = (0..SOURCES).map(|at| format!(" \":big{at}\" \":link{at}\"")).collect();
    task("sums", &format!("srcs{all}; out \"sums\"; script \"sha256sum {{srcs}} > {{out}}\""));
    text
}

fn edit(world: &World, source: usize, edition: u64) {
    world.write(&format!("p/{source}.txt"), format!("source {source}\nedition {edition}\n"));
}

/// What is about to be killed.
#[derive(Clone, Copy)]
enum Victim {
    Build(&'static [&'static str]),
    /// It may remove results.
    Remover(&'static [&'static str]),
    Verifier,
    /// It makes the index again, which `lose` took.
    Rebuilder {
        lose: fn(&Path),
    },
}

impl Victim {
    fn any(random: &mut Random) -> Self {
        match random.below(15) {
            0 => Self::Remover(&["cache", "gc", "--max-age", "1s"]),
            1 => Self::Remover(&["clean", "--expunge"]),
            2 => Self::Verifier,
            3 => Self::Rebuilder { lose: |_| {} },
            4 => Self::Rebuilder { lose: |index| fs::write(index, "no database").unwrap() },
            5..10 => Self::Build(&["-j", "1"]),
            _ => Self::Build(&["-j", "4"]),
        }
    }

    /// Starts it, after what must happen before.
    fn start(self, world: &World, mark: &Mark) -> Child {
        let events = events(world);
        let build = ["build", "//...", "--events", events.to_str().unwrap()];
        let args = match self {
            Self::Build(args) => [&build, args].concat(),
            Self::Remover(args) => args.to_vec(),
            Self::Verifier => vec!["cache", "verify", "--rebuild"],
            Self::Rebuilder { lose } => {
                lose_index(world, lose);
                REBUILD.to_vec()
            }
        };
        let mut command = world.command(&args);
        command.env(Mark::NAME, mark.value()).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }
}

/// Any command that opens the store does.
const REBUILD: [&str; 2] = ["cache", "stats"];

fn lose_index(world: &World, lose: fn(&Path)) {
    let index = world.store().join("index.db");
    for suffix in ["", "-wal", "-shm"] {
        let mut name = index.clone().into_os_string();
        name.push(suffix);
        // A clean end leaves the first alone.
        let _gone = fs::remove_file(name);
    }
    lose(&index);
}

/// Where builds write their events.
fn events(world: &World) -> PathBuf {
    world.beside("events.jsonl")
}

/// The keys whose results the store must have.
#[derive(Default)]
struct Promised(BTreeSet<String>);

impl Promised {
    /// Takes up what a build told, whole or cut short: nothing that was promised ran again.
    fn hear(&mut self, world: &World, after: u64) {
        let Ok(text) = fs::read_to_string(events(world)) else { return };
        fs::remove_file(events(world)).unwrap();
        let whole_lines = text.rfind('\n').map_or("", |end| &text[..end]);
        for line in whole_lines.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            if event["event"] == "task-finished" {
                self.finished(&event, after);
            }
        }
    }

    fn finished(&mut self, event: &Value, after: u64) {
        let Some(key) = event["key"].as_str() else { return };
        if event["result"] == "ran" {
            assert!(!self.0.contains(key), "the store lost a result by round {after}: {event}");
        }
        if event["result"] == "ran" || event["result"] == "cached" {
            self.0.insert(key.to_owned());
        }
    }
}

/// The store verifies, and the next build is right.
fn assert_sound(world: &World, mark: &Mark, promised: &mut Promised, round: u64) {
    mark.assert_gone();
    let verified = world.run(&["cache", "verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let _built = world.ok(&["build", "//...", "--events", events(world).to_str().unwrap()]);
    promised.hear(world, round);
    let made = contents(&world.path("vwfb-out"));
    let clean = World::with(&package(mark));
    for source in 0..SOURCES {
        let path = format!("p/{source}.txt");
        clean.write(&path, world.read(&path));
    }
    let _built = clean.ok(&["build", "//..."]);
    let wanted = contents(&clean.path("vwfb-out"));
    let names = |all: &std::collections::BTreeMap<String, Vec<u8>>| -> Vec<String> {
        all.keys().cloned().collect()
    };
    assert_eq!(names(&made), names(&wanted), "after round {round}");
    for (path, bytes) in wanted {
        assert!(made[&path] == bytes, "`{path}` has other bytes after round {round}");
    }
}

#[test]
fn a_kill_at_any_instant_loses_nothing() {
    let seed = seed();
    let kills = number("VWFB_KILLS").unwrap_or(KILLS);
    let test = "cargo test --test hard crash";
    let _replay = Replay(format!("VWFB_SEED={seed} VWFB_KILLS={kills} {test}"));
    let mut random = Random::new(seed);
    let mark = Mark::new("crash");
    let world = World::with(&package(&mark));
    (0..SOURCES).for_each(|source| edit(&world, source, 0));
    let _built = world.ok(&["build", "//..."]);
    edit(&world, 0, 1);
    let whole = micros(|| world.ok(&["build", "//..."]));
    lose_index(&world, |_| {});
    let rebuild = micros(|| world.ok(&REBUILD));
    let mut promised = Promised::default();
    let mut killed = 0;
    for attempt in 1.. {
        edit(&world, random.below(SOURCES), random.next() % 50);
        edit(&world, random.below(SOURCES), random.next() % 50);
        let victim = Victim::any(&mut random);
        let time = if matches!(victim, Victim::Rebuilder { .. }) { rebuild } else { whole };
        let mut child = victim.start(&world, &mark);
        killed += u64::from(kill_after(&mut child, random.next() % time));
        mark.assert_gone();
        promised.hear(&world, attempt);
        if matches!(victim, Victim::Remover(_)) {
            promised = Promised::default();
        }
        if attempt % ROUND == 0 {
            assert_sound(&world, &mark, &mut promised, attempt);
        }
        if killed >= kills {
            return assert_sound(&world, &mark, &mut promised, attempt);
        }
        assert!(attempt < 20 * kills, "most builds end before they are killed");
    }
}

/// How many kills hit the making of one index.
const REBUILDS: u64 = 10;

#[test]
fn a_kill_while_the_index_is_made_again_loses_nothing() {
    let seed = seed();
    let test = "cargo test --test hard crash";
    let _replay = Replay(format!("VWFB_SEED={seed} {test}"));
    let mut random = Random::new(seed);
    let script = "mkdir {out}; seq 800 | split -l 1 -a 4 - {out}/";
    let text = format!("task \"many\" {{ out \"many\" type=\"tree\"; script \"{script}\" }}");
    let world = World::with(&text);
    let _built = world.ok(&["build", "//..."]);
    lose_index(&world, |_| {});
    let rebuild = micros(|| world.ok(&REBUILD));
    let mut killed = 0;
    while killed < REBUILDS {
        lose_index(&world, |_| {});
        let mut child = world.command(&REBUILD).stdout(Stdio::null()).spawn().unwrap();
        killed += u64::from(kill_after(&mut child, random.next() % rebuild));
        let _kept = world.ok(&["cache", "gc"]);
        // Another workspace remembers nothing and must find it in the store.
        let other = world.neighbour();
        other.write("p/BUILD.kdl", &text);
        assert_eq!(other.results(&["//..."])["//p:many"], "cached");
        fs::remove_dir_all(other.root()).unwrap();
    }
    let _verified = world.ok(&["cache", "verify"]);
}

/// How long a run takes.
fn micros(run: impl FnOnce() -> Ran) -> u64 {
    let begun = Instant::now();
    let _ran = run();
    u64::try_from(begun.elapsed().as_micros()).unwrap()
}
