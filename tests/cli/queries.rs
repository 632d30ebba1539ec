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
