//! Kills at random instants of a build: nothing lives on, the store verifies, and the next build
//! makes what a clean one makes.
//!
//! `VWFB_KILLS` sets how many kills, `VWFB_SEED` repeats a run.

use std::process::Stdio;
use std::time::Instant;

use crate::family::{Mark, kill_after};
use crate::random::{Random, Replay, number, seed};
use crate::world::{World, contents};

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

/// A build, or now and then something else that writes to the store, about to be killed.
fn victim(random: &mut Random) -> &'static [&'static str] {
    match random.below(12) {
        0 => &["cache", "gc", "--max-age", "1s"],
        1 => &["cache", "verify", "--rebuild"],
        2 => &["clean", "--expunge"],
        3..7 => &["build", "//...", "-j", "1"],
        _ => &["build", "//...", "-j", "4"],
    }
}

/// The store verifies, and the next build is right.
fn assert_sound(world: &World, mark: &Mark, round: u64) {
    mark.assert_gone();
    let verified = world.run(&["cache", "verify"]);
    assert_eq!(verified.code, Some(0), "{}{}", verified.stdout, verified.stderr);
    let _built = world.ok(&["build", "//..."]);
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
    let begun = Instant::now();
    let _built = world.ok(&["build", "//..."]);
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let mut killed = 0;
    for attempt in 1.. {
        edit(&world, random.below(SOURCES), random.next() % 50);
        edit(&world, random.below(SOURCES), random.next() % 50);
        let mut command = world.command(victim(&mut random));
        command.env(Mark::NAME, mark.value()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        killed += u64::from(kill_after(&mut child, random.next() % whole));
        mark.assert_gone();
        if attempt % ROUND == 0 {
            assert_sound(&world, &mark, attempt);
        }
        if killed >= kills {
            return assert_sound(&world, &mark, attempt);
        }
        assert!(attempt < 20 * kills, "most builds end before they are killed");
    }
}
