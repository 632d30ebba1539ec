//! Versions, pins, edits and takes: which of a target's results is in use.

use crate::world::World;

/// A line is spoken, with another voice for each seed, and printed.
const SPOKEN: &str = r#"
rule "speak" {
    attr "text" type="file"
    out "txt" path="{name}.txt"
    results "seeded"
    script "echo $(cat {text}) {seed} > {out}"
}
speak "speech" text="line.txt"
task "print" { srcs ":speech"; out "print.txt"; script "cat {srcs} > {out}" }
"#;

fn world() -> World {
    let world = World::with(SPOKEN);
    world.write("p/line.txt", "one\n");
    let _built = world.ok(&["build", "//p:print"]);
    world
}

fn ran(world: &World) -> Vec<String> {
    let results = world.results(&["//p:print"]);
    let ran = results.iter().filter_map(|result| result.strip_suffix(" ran"));
    ran.map(str::to_owned).collect()
}

fn printed(world: &World) -> String {
    let _built = world.ok(&["build", "//p:print"]);
    world.read("vwfb-out/p/print.txt")
}

fn json(world: &World, command: &str) -> Vec<serde_json::Value> {
    let text = world.ok(&[command, "//p:speech", "--json"]).stdout;
    serde_json::from_str(&text).unwrap()
}

/// `1 2* 3`: the versions, with a star at the one in use.
fn versions(world: &World) -> String {
    let one = |it: &serde_json::Value| {
        let star = if it["mark"].is_string() { "*" } else { "" };
        format!("{}{star}", it["number"])
    };
    json(world, "versions").iter().map(one).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_result_is_a_version_and_an_old_one_keeps_its_number() {
    let world = world();
    assert_eq!(versions(&world), "1*");
    world.write("p/line.txt", "two\n");
    assert_eq!(printed(&world), "two 0\n");
    assert_eq!(versions(&world), "1 2*");
    world.write("p/line.txt", "one\n");
    assert_eq!(printed(&world), "one 0\n");
    assert_eq!(versions(&world), "1* 2");
    let all = json(&world, "versions");
    assert_eq!((&all[0]["run"], &all[1]["run"]), (&1.into(), &2.into()));
    assert!(all[0]["key"].is_string() && all[0]["outputs"][0]["size"] == 6, "{all:?}");
    let diff = world.ok(&["diff", "//p:speech@1", "//p:speech@2"]).stdout;
    assert!(diff.ends_with("-one 0\n+two 0\n"), "{diff}");
}

#[test]
fn a_pin_holds_whatever_the_inputs_say() {
    let world = world();
    world.write("p/line.txt", "two\n");
    assert_eq!(printed(&world), "two 0\n");
    let _pinned = world.ok(&["pin", "//p:speech@1"]).says("pinned //p:speech to version 1");
    assert!(world.read("vwfb.pins.kdl").contains("pin \"//p:speech\" version=1"));
    assert_eq!(printed(&world), "one 0\n");
    // What it is made from is not even looked at.
    world.write("p/line.txt", "three\n");
    let built = world.ok(&["build", "//p:print"]);
    assert!(built.stderr.contains("unchanged 2"), "{}", built.stderr);
    let _unpinned = world.ok(&["unpin", "//p:speech"]);
    assert!(!world.path("vwfb.pins.kdl").exists());
    assert_eq!(printed(&world), "three 0\n");
    assert_eq!(versions(&world), "1 2 3*");
    let _restored = world.ok(&["restore", "//p:speech@2"]);
    assert_eq!(printed(&world), "two 0\n");
    let _undone = world.ok(&["undo"]).says("taken back: what //p:speech was pinned to");
    assert_eq!(printed(&world), "three 0\n");
    let _none = world.run(&["unpin", "//p:speech"]).exits(1).says("is not pinned");
    let _none = world.run(&["pin", "//p:speech@9"]).exits(2).says("has no version 9");
    let _none = world.run(&["restore", "//p:speech"]).exits(2).says("names no version");
}

#[test]
fn an_edit_is_never_overwritten_and_a_conflict_is_told_once() {
    let world = world();
    let place = "vwfb-out/p/speech.txt";
    let _built = world.ok(&["build", "//p:speech"]);
    let none =
        world.run(&["edit", "//p:speech"]).exits(1).says("no file of `//p:speech` is changed");
    let _told = none.says("name a file with `--from`");
    world.write(place, "by hand\n");
    let _edited = world.ok(&["edit", "//p:speech"]).says("version 2 of //p:speech");
    assert_eq!(printed(&world), "by hand\n");
    world.write("p/line.txt", "changed\n");
    let built = world.ok(&["build", "//p:print"]);
    let _told = built.says("conflict //p:speech: its task would make something else now");
    assert_eq!(world.read("vwfb-out/p/print.txt"), "by hand\n");
    let again = world.ok(&["build", "//p:print"]);
    assert!(!again.stderr.contains("conflict"), "{}", again.stderr);
    let versions = world.ok(&["versions", "//p:speech"]).stdout;
    assert!(versions.lines().nth(1).unwrap().starts_with("@2   edited"), "{versions}");
    let _unpinned = world.ok(&["unpin", "//p:speech"]);
    assert_eq!(printed(&world), "changed 0\n");
    let _undone = world.ok(&["undo"]);
    assert_eq!(printed(&world), "by hand\n");
}

#[test]
fn a_changed_file_that_nobody_took_is_not_lost() {
    let world = world();
    let _built = world.ok(&["build", "//p:speech"]);
    world.write("vwfb-out/p/speech.txt", "precious\n");
    world.write("p/line.txt", "two\n");
    let built = world.ok(&["build", "//p:speech"]);
    let built = built.says("kept vwfb-out/p/speech.txt was changed by hand");
    assert_eq!(world.read("vwfb-out/p/speech.txt"), "two 0\n");
    let kept = built.stderr.split("it is ").nth(1).unwrap().split(" now").next().unwrap();
    let kept = kept.replace("[root]", world.root().to_str().unwrap());
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "precious\n");
    let _edited = world.ok(&["edit", "//p:speech", "--from", &kept]);
    assert_eq!(printed(&world), "precious\n");
}

#[test]
fn what_people_chose_outlives_the_store() {
    let world = world();
    world.write("p/mine.txt", "mine\n");
    let _edited = world.ok(&["edit", "//p:speech", "--from", "p/mine.txt"]);
    assert_eq!(printed(&world), "mine\n");
    let _gone = world.ok(&["cache", "gc", "--max-size", "0B"]);
    std::fs::remove_dir_all(world.store()).unwrap();
    std::fs::remove_dir_all(world.path("vwfb-out")).unwrap();
    assert_eq!(printed(&world), "mine\n");
    // Where its bytes are nowhere any more, nothing else is passed for it.
    std::fs::remove_dir_all(world.store()).unwrap();
    std::fs::remove_dir_all(world.path(".vwfb/keep")).unwrap();
    std::fs::remove_dir_all(world.path(".vwfb/snapshots")).unwrap();
    std::fs::remove_dir_all(world.path("vwfb-out")).unwrap();
    let _failed = world.run(&["build", "//p:print"]).exits(4).says("its pinned bytes are gone");
}

#[test]
fn a_take_is_made_for_that_target_only_and_one_is_picked() {
    let world = world();
    let _redone = world.ok(&["redo", "//p:speech"]);
    assert_eq!(ran(&world), ["//p:print"]);
    assert_eq!(world.read("vwfb-out/p/print.txt"), "one 1\n");
    let _redone = world.ok(&["redo", "//p:speech", "-n", "2", "--keep"]);
    assert_eq!(ran(&world), [""; 0]);
    assert_eq!(printed(&world), "one 1\n");
    let takes = json(&world, "takes");
    let numbers: Vec<i64> = takes.iter().map(|it| it["number"].as_i64().unwrap()).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(takes[1]["mark"], "in use");
    let _picked = world.ok(&["pick", "//p:speech@4"]);
    assert_eq!(printed(&world), "one 3\n");
    // Takes are of what there is now.
    world.write("p/line.txt", "two\n");
    assert_eq!(printed(&world), "two 3\n");
    let refused = world.run(&["pick", "//p:speech@1"]).exits(1);
    let _told = refused.says("version 1 of `//p:speech` was not made from what there is now");
    assert_eq!(json(&world, "takes").len(), 1);
    let _no = world.run(&["redo", "//p:print"]).exits(2).says("its rule is deterministic");
}

#[test]
fn a_sampled_target_is_sampled_again_only_when_asked() {
    let text = r#"
rule "roll" { out "txt" path="{name}.txt"; results "sampled"; script "head -c 8 /dev/urandom | cksum > {out}" }
roll "dice"
task "print" { srcs ":dice"; out "print.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    let first = printed(&world);
    assert_eq!(printed(&world), first);
    let _redone = world.ok(&["redo", "//p:dice"]);
    let second = printed(&world);
    assert_ne!(first, second);
    let _picked = world.ok(&["pick", "//p:dice@1"]);
    assert_eq!(printed(&world), first);
}

#[test]
fn a_file_of_pins_that_is_not_understood_stops_everything() {
    let world = world();
    let _pinned = world.ok(&["pin", "//p:speech"]);
    let text = world.read("vwfb.pins.kdl");
    world.write("vwfb.pins.kdl", &text.replace("size=6", "sise=6"));
    let _told = world.run(&["build", "//p:print"]).exits(3).says("error[unknown-property]");
    let _told = world.run(&["unpin", "//p:speech"]).exits(3);
    assert!(world.read("vwfb.pins.kdl").contains("sise=6"));
}

#[test]
fn a_pin_of_what_is_gone_is_told_and_can_be_taken_away() {
    let world = world();
    let _pinned = world.ok(&["pin", "//p:speech"]);
    world.write("p/BUILD.kdl", "task \"other\" { out \"o.txt\"; script \"echo > {out}\" }\n");
    assert!(world.ok(&["status"]).stdout.contains("there is no such target any more"));
    let _unpinned = world.ok(&["unpin", "//p:speech"]);
    assert!(!world.path("vwfb.pins.kdl").exists());
}

#[test]
fn what_is_pinned_is_as_final_as_it_was() {
    let text = r#"
task "a" { srcs "missing.txt" placeholder="text:not yet"; out "a.txt"; script "cat {srcs} > {out}" }
task "b" { srcs ":a"; out "b.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    let _built = world.ok(&["build", "//p:b"]);
    let _told = world.ok(&["versions", "//p:a"]).prints("(provisional: p/missing.txt)\n");
    let _pinned = world.ok(&["pin", "//p:a"]);
    assert!(world.read("vwfb.pins.kdl").contains("missing \"p/missing.txt\""));
    let refused = world.run(&["build", "//p:b", "--final"]).exits(3);
    let _told = refused.says("p/missing.txt: //p:a waits for it");
    // What a person made is final.
    world.write("p/mine.txt", "mine\n");
    let _edited = world.ok(&["edit", "//p:a", "--from", "p/mine.txt"]);
    let _built = world.ok(&["build", "//p:b", "--final"]);
    assert_eq!(world.read("vwfb-out/p/b.txt"), "mine\n");
}

#[test]
fn what_a_person_put_into_a_tree_or_in_the_place_of_a_file_is_not_lost() {
    let text = r#"
task "t" { srcs "s.txt"; out "pages" type="tree"; script "mkdir -p {out}; cat {srcs} > {out}/s.txt" }
"#;
    let world = World::with(text);
    world.write("p/s.txt", "one\n");
    let _built = world.ok(&["build", "//p:t"]);
    world.write("vwfb-out/p/pages/mine.txt", "an hour of work\n");
    world.write("p/s.txt", "two\n");
    let _told = world.ok(&["build", "//p:t"]).says("kept vwfb-out/p/pages was changed by hand");
    let kept = std::fs::read_dir(world.path(".vwfb/edited")).unwrap().next().unwrap().unwrap();
    let text = std::fs::read_to_string(kept.path().join("mine.txt")).unwrap();
    assert_eq!(text, "an hour of work\n");
    // What is as it was put there is nobody's work, also where it stands for something older.
    world.write("p/s.txt", "one\n");
    let again = world.ok(&["build", "//p:t"]);
    assert!(!again.stderr.contains("by hand"), "{}", again.stderr);
}

#[test]
fn edits_at_the_same_time_are_all_kept() {
    let text: String =
        (1..=6).map(|n| format!("write_file \"w{n}\" text=\"made {n}\"\n")).collect();
    let world = World::with(&text);
    let _built = world.ok(&["build", "//..."]);
    let mut all = Vec::new();
    for n in 1..=6 {
        world.write(&format!("vwfb-out/p/w{n}.txt"), &format!("by hand {n}"));
        let mut command = world.command(&["edit", &format!("//p:w{n}"), "--quiet"]);
        all.push(command.spawn().unwrap());
    }
    assert!(all.iter_mut().all(|child| child.wait().unwrap().success()));
    let _built = world.ok(&["build", "//..."]);
    for n in 1..=6 {
        assert_eq!(world.read(&format!("vwfb-out/p/w{n}.txt")), format!("by hand {n}"));
    }
}

#[test]
fn what_was_decided_on_comes_back_where_the_store_has_lost_it() {
    let text = r#"
rule "roll" { out "txt" path="{name}.txt"; results "sampled"; script "head -c 8 /dev/urandom | cksum > {out}" }
roll "dice"
checkpoint "look" { of ":dice" }
task "print" { srcs ":dice"; after ":look"; out "print.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    let _built = world.run(&["build", "//p:print"]).exits(5);
    let _approved = world.ok(&["approve", "//p:look"]);
    let first = printed(&world);
    std::fs::remove_dir_all(world.store()).unwrap();
    std::fs::remove_dir_all(world.path("vwfb-out")).unwrap();
    assert_eq!(printed(&world), first);
}
