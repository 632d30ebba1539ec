//! `vwfb query`: the graph, its forms and its refusals.

use serde_json::Value;

use crate::world::World;

fn asked(world: &World, args: &[&str]) -> String {
    let mut all = vec!["query"];
    all.extend(args);
    world.ok(&all).stdout
}

#[test]
fn an_expression_may_be_one_word_or_several() {
    let world = World::new();
    assert_eq!(asked(&world, &["deps(//p:copy)"]), "//p:copy\n//p:greet\n");
    assert_eq!(asked(&world, &["deps", "//p:copy"]), "//p:copy\n//p:greet\n");
    assert_eq!(asked(&world, &["deps(//p:copy) except //p:greet"]), "//p:copy\n");
    assert_eq!(asked(&world, &["-C", "p", "rdeps", "//...", ":greet"]), "//p:copy\n//p:greet\n");
}

#[test]
fn queries_know_kinds_attributes_files() {
    let world = World::new();
    world.write("q/BUILD.kdl", "write_file \"w\" { text \"x\"; out \"w.txt\"; tags \"draft\" }\n");
    assert_eq!(asked(&world, &["kind(write_file, //...)"]), "//q:w\n");
    assert_eq!(asked(&world, &["attr(tags, draft, //...)"]), "//q:w\n");
    assert_eq!(asked(&world, &["filter(al.ne, //...)"]), "//p:alone\n");
    assert_eq!(asked(&world, &["inputs(//p:greet)"]), "p/greeting.txt\n");
    assert_eq!(asked(&world, &["outputs(//q:w)"]), "vwfb-out/q/w.txt\n");
    assert_eq!(asked(&world, &["somepath(//p:copy, //p:greet)"]), "//p:copy\n//p:greet\n");
}

#[test]
fn answers_have_several_forms() {
    let world = World::new();
    let query = "deps(//p:copy)";
    assert_eq!(asked(&world, &[query, "--output=tree"]), "//p:copy\n└── //p:greet\n");
    let json: Value = serde_json::from_str(&asked(&world, &[query, "--json"])).unwrap();
    assert_eq!(json[0]["label"], "//p:copy");
    assert_eq!(asked(&world, &[query, "-o", "json"]), asked(&world, &[query, "--json"]));
    assert!(asked(&world, &[query, "-o", "dot"]).starts_with("digraph vwfb {"));
    assert!(asked(&world, &[query, "-o", "mermaid"]).starts_with("flowchart TD\n"));
    let mut command = world.command(&["query", query, "-o", "tree"]);
    let ran = world.ended(command.env("LANG", "C").output().unwrap());
    assert_eq!(ran.stdout, "//p:copy\n`-- //p:greet\n");
}

#[test]
fn attributes_have_the_types_of_their_rules_and_tasks_tell_what_they_run() {
    let world = World::with(
        "task \"t\" { srcs \"a.txt\"; out \"o/b.txt\"; tool \"find\"; script \"cat {srcs} > {out}\" }\n\
         task \"r\" timeout=\"2.5s\" { srcs \":t\"; out \"r.txt\"; run \"sort\" \"-o\" \"{out}\" \"{srcs}\" }\n\
         rule \"blink\" {\n    attr \"width\" type=\"int\"\n    attr \"fade\" type=\"duration\" \
         default=\"200ms\"\n    attr \"loud\" type=\"bool\" default=#true\n    out \"x\" path=\"{name}\"\n    \
         script \"echo {width} {fade} {loud} > {out}\"\n}\nblink \"b\" width=540\n",
    );
    world.write("WORKSPACE.kdl", "workspace \"w\" { tools { allow \"find\" }; }\n");
    world.write("p/a.txt", "");
    let attributes = |label: &str| -> Value {
        let answer: Value = serde_json::from_str(&asked(&world, &[label, "-o", "json"])).unwrap();
        answer[0]["attributes"].clone()
    };
    assert_eq!(
        attributes("//p:t"),
        serde_json::json!({
            "name": "t", "tags": [], "when": true, "after": [], "env": {}, "resource": {}, "srcs": ["p/a.txt"], "out": ["o/b.txt"],
            "tool": ["find", "base"], "script": "cat {srcs} > {out}",
        })
    );
    let run = attributes("//p:r");
    assert_eq!(run["run"], serde_json::json!(["sort", "-o", "{out}", "{srcs}"]));
    assert_eq!(run["srcs"], serde_json::json!(["//p:t"]));
    assert_eq!(
        attributes("//p:b"),
        serde_json::json!({
            "name": "b", "tags": [], "when": true, "after": [], "env": {}, "resource": {},
            "width": 540, "fade": "0.2s", "loud": true,
        })
    );
    assert_eq!(asked(&world, &["attr(fade, ^0.2s$, //...)"]), "//p:b\n");
    assert_eq!(asked(&world, &["attr(script, srcs, //...)"]), "//p:t\n");
}

#[test]
fn queries_know_what_every_target_may_say() {
    let world = World::with(
        "task \"t\" timeout=\"2.5s\" retries=2 after=\":off\" {\n    env { MODE \"quick\" }\n    \
         resource \"gpu\" 1\n    out \"t.txt\"\n    script \"echo > {out}\"\n}\n\
         task \"off\" when=#false { out \"o\"; script \"echo > {out}\"; }\n",
    );
    world.write("WORKSPACE.kdl", "workspace \"w\" { resources { gpu 1; }; }\n");
    for (name, value) in [
        ("timeout", "^2.5s$"),
        ("retries", "^2$"),
        ("env", "MODE=quick"),
        ("resource", "gpu=1"),
        ("after", "off"),
        ("when", "true"),
    ] {
        let query = format!("attr({name}, '{value}', //...)");
        assert_eq!(asked(&world, &[&query]), "//p:t\n", "{query}");
    }
    assert_eq!(asked(&world, &["attr(when, false, //...)"]), "//p:off\n");
    let ran = world.run(&["query", "attr(timeuot, ., //...)"]).exits(3);
    let ran = ran.says("error: no rule in sight has an attribute `timeuot`");
    let _told = ran.says("hint: did you mean `timeout`?");
    let ran = world.ok(&["query", "kind(tsk, //...)"]);
    let _told = ran.says("no rule in sight is named like `tsk`; did you mean `task`?");
}

#[test]
fn what_a_query_names_wrongly_is_told_as_a_build_tells_it() {
    let world = World::new();
    world.write("shorts/BUILD.kdl", "write_file \"w\" { text \"x\"; out \"w.txt\"; }\n");
    for (pattern, message, hint) in [
        ("//p:gret", "there is no target `//p:gret`", "did you mean `//p:greet`?"),
        ("//short", "`//short` is not a package", "did you mean `//shorts`?"),
        ("//short/...", "`//short/...` means no package", "did you mean `//shorts/...`?"),
    ] {
        for args in [["query", pattern], ["build", pattern]] {
            let ran = world.run(&args).exits(3).says(message);
            let _told = ran.says(&format!("hint: {hint}"));
        }
    }
}

#[test]
fn a_refused_query_points_at_the_place() {
    let world = World::new();
    let ran = world.run(&["query", "deps(//p:copy) excpt //p:greet"]).exits(2);
    assert!(ran.stderr.starts_with("error: "), "{}", ran.stderr);
    let mark = ran.stderr.lines().nth(2).unwrap();
    assert_eq!(mark.find('^'), Some(2 + "deps(//p:copy) ".len()), "{}", ran.stderr);
}

#[test]
fn an_error_elsewhere_is_told_with_the_answer() {
    let world = World::new();
    world.write("q/BUILD.kdl", "tsk \"a\" { out \"a\" }\n");
    let ran = world.run(&["query", "deps(//p:copy)"]).exits(3).says("error[unknown-rule]");
    assert_eq!(ran.stdout, "//p:copy\n//p:greet\n");
}

#[test]
fn everything_of_an_empty_workspace_is_nothing() {
    let world = World::empty();
    assert_eq!(asked(&world, &["//..."]), "");
    let _refused = world.run(&["query", "//q/..."]).exits(3);
}
