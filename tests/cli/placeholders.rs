//! Placeholders: what stands in for missing files, how that is told, and what their arrival runs.

use crate::world::World;

/// A note is read by two tasks, one of which may do without an introduction.
const NOTES: &str = r#"
task "loud" {
    srcs "note.txt" placeholder="text:no note yet"
    out "loud.txt"
    script "tr a-z A-Z < {srcs} > {out}"
}
task "beside" { out "beside.txt"; script "echo beside > {out}" }
task "whole" {
    srcs "intro.txt" placeholder="skip"
    srcs ":loud" ":beside"
    out "whole.txt"
    script "cat {srcs} > {out}"
}
"#;

const PLACEHOLDER: &str = "//p:loud.placeholder[srcs:p/note.txt]";

#[test]
fn what_is_missing_is_stood_in_for_until_it_arrives() {
    let world = World::with(NOTES);
    let first = world.results(&["//p:whole"]);
    let all = ["//p:beside ran", "//p:loud ran", &format!("{PLACEHOLDER} ran"), "//p:whole ran"];
    assert_eq!(first, all);
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "NO NOTE YET\nbeside\n");
    let built = world.ok(&["build", "//p:whole"]);
    let _told = built.says("provisional //p:whole: p/intro.txt, p/note.txt");
    // Exactly those that read it run.
    world.write("p/note.txt", "a note\n");
    let arrived = world.results(&["//p:whole"]);
    assert_eq!(arrived, ["//p:beside unchanged", "//p:loud ran", "//p:whole ran"]);
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "A NOTE\nbeside\n");
    let _told = world.ok(&["build", "//p:whole"]).says("provisional //p:whole: p/intro.txt\n");
    world.write("p/intro.txt", "hear!\n");
    let arrived = world.results(&["//p:whole"]);
    assert_eq!(arrived, ["//p:beside unchanged", "//p:loud unchanged", "//p:whole ran"]);
    assert!(!world.ok(&["build", "//p:whole", "--final"]).stderr.contains("provisional"));
    // Without them all is as it was, and nothing runs.
    std::fs::remove_file(world.path("p/note.txt")).unwrap();
    std::fs::remove_file(world.path("p/intro.txt")).unwrap();
    let left = world.results(&["//p:whole"]);
    assert!(left.iter().all(|result| !result.ends_with(" ran")), "{left:?}");
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "NO NOTE YET\nbeside\n");
}

#[test]
fn what_has_no_child_yet_is_missing_all_the_same() {
    let world = World::with(
        r#"
        filegroup "intro" { srcs "intro.txt" placeholder="skip" }
        each "loud" over=":intro" as="text" {
            task "loud" { srcs "{text}"; out "loud.txt"; script "tr a-z A-Z < {srcs} > {out}" }
        }
        write_file "body" text="body\n"
        task "whole" { srcs ":loud" ":body"; out "whole.txt"; script "cat {srcs} > {out}" }
        "#,
    );
    let _told = world.ok(&["build", "//p:whole"]).says("provisional //p:whole: p/intro.txt\n");
    let refused = world.run(&["build", "//p:whole", "--final"]).exits(3);
    let _told = refused.says("  p/intro.txt: //p:intro waits for it\n");
    world.write("p/intro.txt", "hear!\n");
    let arrived = world.results(&["//p:whole"]);
    assert_eq!(arrived, ["//p:body unchanged", "//p:loud[intro].loud ran", "//p:whole ran"]);
    let _built = world.ok(&["build", "//p:whole", "--final"]);
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "HEAR!\nbody\n");
}

#[test]
fn only_what_is_final_is_built_if_that_is_asked_for() {
    let world = World::with(NOTES);
    let refused = world.run(&["build", "//p:whole", "--final"]).exits(3);
    let refused = refused.says("error: `//p:whole` is provisional, and `--final` was given");
    let refused = refused.says("  p/intro.txt: //p:whole waits for it\n");
    let _told = refused.says("  p/note.txt: //p:loud waits for it\n");
    assert!(!world.path("vwfb-out/p/whole.txt").exists());
    let _built = world.ok(&["build", "//p:beside", "--final"]);
    // What is asked for is final, and its neighbours are nobody's business.
    world.write("p/note.txt", "a note\n");
    let _built = world.ok(&["build", "//p:loud", "--final"]);
}

#[test]
fn a_plan_and_the_events_tell_how_each_target_stands() {
    let world = World::with(NOTES);
    let plan = world.ok(&["plan", "//p:whole"]).stdout;
    assert!(plan.contains("//p:loud (provisional: p/note.txt)\n"), "{plan}");
    assert!(plan.contains("//p:whole (provisional: p/intro.txt, p/note.txt)\n"), "{plan}");
    assert!(plan.contains("runs      //p:beside\n"), "{plan}");
    let json = world.ok(&["plan", "//p:whole", "--json"]).stdout;
    assert!(json.contains("\"provisional\": [\n      \"p/note.txt\"\n    ]"), "{json}");
    let _built = world.ok(&["build", "//p:whole", "--events", "events.jsonl"]);
    let events = world.events("events.jsonl");
    let event = events.iter().find(|event| event["event"] == "provisional").unwrap();
    assert_eq!(event["label"], "//p:whole");
    assert_eq!(event["reasons"], serde_json::json!(["p/intro.txt", "p/note.txt"]));
}

#[test]
fn questions_tell_how_a_target_stands() {
    let world = World::with(NOTES);
    let _built = world.ok(&["build", "//p:whole"]);
    let said = "provisional: p/intro.txt, p/note.txt";
    let why = world.ok(&["why", "//p:whole"]).stdout;
    assert!(why.contains(said), "{why}");
    let tree = world.ok(&["query", "deps(//p:whole)", "--output", "tree"]).stdout;
    assert!(tree.lines().next().unwrap().ends_with(&format!("({said})")), "{tree}");
    let json: serde_json::Value =
        serde_json::from_str(&world.ok(&["query", "//p:whole", "--json"]).stdout).unwrap();
    assert_eq!(json[0]["provisional"], serde_json::json!(["p/intro.txt", "p/note.txt"]));
    for file in ["p/intro.txt", "p/note.txt"] {
        world.write(file, "here\n");
    }
    assert!(!world.ok(&["why", "//p:whole"]).stdout.contains("provisional"));
    assert!(!world.ok(&["query", "//p:whole", "--json"]).stdout.contains("provisional"));
}

#[test]
fn a_placeholder_never_has_the_key_of_what_it_stands_for() {
    let world = World::with(NOTES);
    let _built = world.ok(&["build", "//p:loud"]);
    // The same bytes as the placeholder: whoever reads them need not run, and yet it is final.
    world.write("p/note.txt", "no note yet\n");
    let arrived = world.results(&["//p:loud"]);
    assert_eq!(arrived, ["//p:loud unchanged"]);
    assert!(!world.ok(&["build", "//p:loud", "--final"]).stderr.contains("provisional"));
}

#[test]
fn what_is_made_of_items_of_a_group_stands_as_they_do() {
    let text = r#"
filegroup "notes" { srcs "a.txt" "b.txt" placeholder="skip" }
alias "both" actual=":notes"
task "whole" { srcs ":both"; out "whole.txt"; script "cat {srcs} > {out}" }
"#;
    let world = World::with(text);
    world.write("p/b.txt", "b\n");
    let _told = world.ok(&["build", "//p:whole"]).says("provisional //p:whole: p/a.txt\n");
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "b\n");
}
