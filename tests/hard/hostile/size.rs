//! More of everything than anybody writes by hand.

use serde_json::Value;

use crate::world::{World, contents};

#[test]
fn ten_thousand_targets_check_and_plan() {
    let mut text =
        "task \"t0\" { srcs \"s.txt\"; out \"t0\"; script \"cat {srcs} > {out}\" }\n".to_owned();
    for at in 1..10_000 {
        let needs = at / 10;
        text.push_str(&format!(
            "task \"t{at}\" {{ srcs \":t{needs}\"; out \"t{at}\"; \
             script \"cat {{srcs}} > {{out}}; echo {at} >> {{out}}\" }}\n"
        ));
    }
    let world = World::with(&text);
    world.write("p/s.txt", "source\n");
    let _checked = world.ok(&["check"]);
    let plan: Value = serde_json::from_str(&world.ok(&["plan", "//...", "--json"]).stdout).unwrap();
    let tasks = plan.as_array().unwrap();
    assert_eq!(tasks.len(), 10_000);
    let plan = world.ok(&["plan", "//p:t9999"]).stdout;
    for target in ["t0", "t9", "t99", "t999", "t9999"] {
        assert!(plan.lines().any(|line| line.ends_with(&format!("//p:{target}"))), "{plan}");
    }
    let counts = world.counts(&["//p:t9999"]);
    assert_eq!(counts["ran"], 5);
}

#[test]
fn a_task_may_make_five_thousand_files() {
    let script = "mkdir -p {out}/a {out}/b; cd {out}; seq 5000 | \
                  while read n; do echo $n > a/$n; done; cp a/1 b/same";
    let world = World::with(&format!(
        "task \"many\" {{ out \"many\" type=\"tree\"; script \"{script}\" }}\n\
         task \"next\" {{ srcs \":many\"; out \"next\"; \
         script \"for tree in {{srcs}}; do ls $tree/a | wc -l; done > {{out}}\" }}\n"
    ));
    let _built = world.ok(&["build", "//..."]);
    let made = contents(&world.path("vwfb-out/p/many"));
    assert_eq!(made.len(), 5001);
    assert_eq!(made["a/4321"], b"4321\n");
    assert_eq!(world.read("vwfb-out/p/next"), "5000\n");
    let _verified = world.ok(&["cache", "verify"]);
    assert_eq!(world.counts(&["//..."])["unchanged"], 2);
}

#[test]
fn a_chain_of_a_hundred_is_built_link_by_link() {
    let mut text = String::new();
    for at in 0..100 {
        let needs = if at == 0 { "s.txt".to_owned() } else { format!(":t{}", at - 1) };
        text.push_str(&format!(
            "task \"t{at}\" {{ srcs \"{needs}\"; out \"t{at}\"; \
             script \"cat {{srcs}} > {{out}}; echo {at} >> {{out}}\" }}\n"
        ));
    }
    let world = World::with(&text);
    world.write("p/s.txt", "source\n");
    assert_eq!(world.counts(&["//p:t99"])["ran"], 100);
    assert_eq!(world.read("vwfb-out/p/t99").lines().count(), 101);
    let changed = text.replace("echo 50 >>", "echo fifty >>");
    world.write("p/BUILD.kdl", changed);
    let counts = world.counts(&["//p:t99"]);
    assert_eq!((counts["ran"], counts["unchanged"]), (50, 50));
}
