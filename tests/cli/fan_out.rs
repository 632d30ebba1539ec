//! Fan-outs and templates on the command line: what is told before and after they expand.

use crate::world::World;

/// A text is split into parts, each of which is made loud.
const PARTS: &str = r#"
task "split" {
    srcs "parts.txt"
    out "split" type="tree"
    script "mkdir {out}; while read -r name text; do echo \"$text\" > {out}/$name.txt; done < {srcs}"
}
each "parts" over=":split" as="part" {
    task "loud" { srcs "{part}"; out "loud.txt"; script "tr a-z A-Z < {srcs} > {out}" }
}
task "whole" { srcs ":parts"; out "whole.txt"; script "cat {srcs} > {out}" }
"#;

fn world() -> World {
    let world = World::new();
    world.write("p/BUILD.kdl", PARTS);
    world.write("p/parts.txt", "01-a first\n02-b second\n");
    world
}

#[test]
fn a_plan_and_the_answer_to_why_say_what_is_not_expanded() {
    let world = world();
    let plan = "runs      //p:split\nexpands   //p:parts after //p:split\n";
    assert_eq!(world.ok(&["plan", "//p:whole"]).stdout, plan);
    let json = world.ok(&["plan", "//p:whole", "--json"]).stdout;
    assert!(json.contains("\"fate\": \"expands\"") && json.contains("\"after\": \"//p:split\""));
    let _built = world.ok(&["build", "//p:whole"]);
    assert_eq!(world.read("vwfb-out/p/whole.txt"), "FIRST\nSECOND\n");
    world.write("p/parts.txt", "01-a first\n02-b third\n");
    let plan = world.ok(&["plan", "//p:whole"]).stdout;
    assert!(
        plan.ends_with("expands   //p:parts after //p:split (to 2 tasks last time)\n"),
        "{plan}"
    );
    let told = world.ok(&["why", "//p:whole"]).prints("//p:whole expands after //p:split");
    let _told = told.prints("+ 02-b third");
    let _built = world.ok(&["build", "//p:whole"]);
    let way = "//p:whole <- //p:parts[b].loud <- //p:split";
    let _told = world.ok(&["why", "//p:whole"]).prints(way);
}

#[test]
fn events_tell_that_there_are_more_tasks() {
    let world = world();
    let _built = world.ok(&["build", "//p:whole", "--events", "events.jsonl"]);
    let events = world.read("events.jsonl");
    assert!(events.contains("\"event\":\"expanded\",\"tasks\":4"), "{events}");
}

#[test]
fn what_a_name_became_is_printed() {
    let world = world();
    let _told = world.ok(&["expand", "//p:parts"]).says("//p:parts expands after //p:split");
    let _built = world.ok(&["build", "//p:split"]);
    let text = world.ok(&["expand", "//p:parts[b]"]).stdout;
    assert!(text.starts_with("// //p:parts[b].loud\ntask \"loud\" {\n"), "{text}");
    assert!(text.contains("    srcs \"//p:split#split/02-b.txt\"\n"), "{text}");
    assert!(text.contains("tr a-z A-Z < {srcs} > {out}"), "{text}");
    assert_eq!(world.ok(&["expand", "//p:parts"]).stdout.matches("// //p:").count(), 2);
}

#[test]
fn what_is_wrong_in_braces_shows_before_they_are_expanded() {
    let world = world();
    world.write("p/BUILD.kdl", &PARTS.replace("srcs \"{part}\"", "srcs \"{prat}\" \":quiet\""));
    let checked = world.run(&["check"]).exits(3);
    let checked = checked.says("error[unknown-interpolation]: `{prat}` names nothing here");
    let _told = checked.says("hint: did you mean `part`?");
    world.write("p/BUILD.kdl", &PARTS.replace("srcs \"{part}\"", "srcs \"{part}\" \":lod\""));
    let checked = world.run(&["check"]).exits(3).says("error[unknown-label]: no target `:lod`");
    let _told = checked.says("hint: did you mean `:loud`?");
}

#[test]
fn an_item_that_there_is_not_is_no_target() {
    let world = world();
    let _built = world.ok(&["build", "//p:whole"]);
    let _told = world.run(&["build", "//p:parts[c].loud"]).exits(3).says("`//p:parts[c].loud`");
    let _told = world.run(&["build", "//p:parts.laud"]).exits(3).says("`//p:parts.laud`");
    assert_eq!(world.ok(&["build", "//p:parts[a]"]).stdout, "[root]/vwfb-out/p/parts/a/loud.txt\n");
}

#[test]
fn a_query_shows_what_waits_and_what_a_combination_came_to() {
    let world = world();
    let asked = |query: &str| world.ok(&["query", query]).stdout;
    assert_eq!(asked("kind(each, //...)"), "//p:parts\n");
    assert_eq!(asked("attr(expands-after, split, //...)"), "//p:parts\n");
    assert_eq!(asked("somepath(//p:whole, //p:split)"), "//p:whole\n//p:parts\n//p:split\n");
    let runs = "matrix \"runs\" { axis \"n\" 1 2; write_file \"t\" text=\"n{n}\" }
                task \"table\" { srcs \":runs\"; out \"t.txt\"; script \"cat {srcs} > {out}\" }";
    world.write("p/BUILD.kdl", runs);
    assert_eq!(asked("deps(//p:table)"), "//p:table\n//p:runs[n=1].t\n//p:runs[n=2].t\n");
}

#[test]
fn what_a_fan_out_came_to_is_forgotten_with_it() {
    let world = world();
    let _built = world.ok(&["build", "//p:whole"]);
    let _told = world.ok(&["clean", "--expunge", "//p:parts"]).says("forgot 2 results");
    let results = world.results(&["//p:whole"]);
    let ran = ["//p:parts[a].loud ran", "//p:parts[b].loud ran"];
    assert_eq!(results[..2], ran);
    assert_eq!(results[2..], ["//p:split unchanged", "//p:whole cut-off"]);
}

#[test]
fn what_an_item_says_must_be_text_and_short() {
    let world = World::new();
    world.write(
        "BUILD.kdl",
        "each \"said\" over=(glob)\"parts/*\" as=\"part\" { write_file \"a\" text=\"{part.content}\" }\n",
    );
    world.write("parts/long.txt", &"x".repeat((64 << 10) + 1));
    std::fs::write(world.path("parts/noise.bin"), b"\xff\xfe").unwrap();
    let told = world.run(&["check", "//..."]).exits(3);
    let _told = told
        .says("cannot be had of `parts/long.txt`: it is longer than 64 KiB")
        .says("cannot be had of `parts/noise.bin`: it is not text in UTF-8")
        .says("take the file itself, `{part}`");
}

#[test]
fn a_query_knows_what_is_made() {
    let world = world();
    let labels = |query: &str| {
        let answer = world.ok(&["query", query]).stdout;
        let mut labels: Vec<String> = answer.lines().map(str::to_owned).collect();
        labels.sort();
        labels.join(" ")
    };
    assert_eq!(labels("kind(task, //p/...)"), "//p:split //p:whole");
    let _built = world.ok(&["build", "//p:whole"]);
    let all = "//p:parts[a].loud //p:parts[b].loud //p:split //p:whole";
    assert_eq!(labels("kind(task, //p/...)"), all);
    assert_eq!(labels("deps(//p:parts[a].loud)"), "//p:parts[a].loud //p:split");
    world.write("p/parts.txt", "03-c third\n");
    assert_eq!(labels("kind(task, //p/...)"), "//p:split //p:whole", "they are not known now");
}

#[test]
fn a_chain_of_names_may_be_long() {
    let world = World::new();
    let groups = (0..3_000).map(|at| format!("filegroup \"a{at}\" {{ srcs \":a{}\" }}\n", at + 1));
    let last = "write_file \"a3000\" text=\"x\"\n".to_owned();
    world.write("BUILD.kdl", &groups.chain([last]).collect::<String>());
    assert_eq!(world.ok(&["build", ":a0"]).stdout, "[root]/vwfb-out/a3000.txt\n");
    let _checked = world.ok(&["check", "//..."]);
}

#[test]
fn a_plan_tells_what_is_wrong_with_what_a_fan_out_comes_to() {
    let world = world();
    let _built = world.ok(&["build", "//p:split"]);
    world.write(
        "p/BUILD.kdl",
        &PARTS.replace("srcs \"{part}\"", "srcs \"{part}\" \"{part.stem}.absent\""),
    );
    let plan = world.run(&["plan", "//p:whole"]).exits(3);
    let build = world.run(&["build", "//p:whole"]).exits(3);
    for ran in [plan, build] {
        let _told = ran.says("error[missing-file]").says("b.absent");
    }
}
