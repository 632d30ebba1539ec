//! The query language on a workspace of rule files.

use vwfb_engine::query::{Format, Query, QueryError};
use vwfb_rules::label::WsPath;

use crate::scene::Scene;

const BUILD: &str = r#"
task "words" {
    srcs "words.txt"
    out "sorted.txt"
    tags "quick"
    script "sort {srcs} > {out}"
}
task "count" {
    srcs ":words" ":inputs"
    out "count.txt"
    script "cat {srcs} | wc -l > {out}"
}
filegroup "inputs" { srcs (glob)"more/*.txt" }
alias "result" { actual ":count" }
task "broken" nonsense=1
"#;

fn ask(query: &str) -> Result<Vec<String>, QueryError> {
    let scene = Scene::new("");
    scene.write("text/BUILD.kdl", BUILD).write("text/words.txt", "b\na\n");
    scene.write("text/more/one.txt", "1\n").write("text/more/two.txt", "2\n");
    let folder = WsPath::new("text").expect("it is a path");
    let workspace = scene.open();
    let graph = workspace.query_graph(&folder);
    let answer = Query::parse(query)?.answer(&graph)?;
    Ok(answer.print(Format::Label).lines().map(str::to_owned).collect())
}

#[track_caller]
fn check(query: &str, expected: &[&str]) {
    assert_eq!(ask(query).expect(query), expected, "{query}");
}

#[test]
fn labels_are_relative_to_the_current_folder() {
    check(":words", &["//text:words"]);
    check("//text:words", &["//text:words"]);
    check(
        "//...",
        &["//text:broken", "//text:result", "//text:count", "//text:inputs", "//text:words"],
    );
}

#[test]
fn dependencies_lead_through_aliases_and_groups() {
    check("deps(:result)", &["//text:result", "//text:count", "//text:inputs", "//text:words"]);
    check("rdeps(//..., :inputs, 1)", &["//text:count", "//text:inputs"]);
}

#[test]
fn files_are_found_by_their_paths() {
    check("inputs(:words)", &["text/words.txt"]);
    check("inputs(:inputs)", &["text/more/one.txt", "text/more/two.txt"]);
    check("outputs(:count)", &["vwfb-out/text/count.txt"]);
    check("rdeps(//..., words.txt, 1) - words.txt", &["//text:words"]);
    check("kind(task, rdeps(//..., //text/more/one.txt))", &["//text:count"]);
}

#[test]
fn kinds_and_attributes_are_those_of_the_rule_file() {
    check("kind(filegroup, //...)", &["//text:inputs"]);
    check("attr(tags, quick, //...)", &["//text:words"]);
    check("attr(name, ^count$, //...)", &["//text:count"]);
}

#[test]
fn a_pattern_that_matches_nothing_names_a_near_one() {
    let error = ask("deps(:word)").unwrap_err();
    assert_eq!(error.column(), 6);
    assert_eq!(error.hint().as_deref(), Some("did you mean `//text:words`?"));
    assert!(ask("//nowhere/...").is_err());
    let error = ask("word.txt").unwrap_err();
    assert_eq!(error.to_string(), "no target reads or makes `text/word.txt`");
    assert_eq!(error.hint().as_deref(), Some("did you mean `//text/words.txt`?"));
}
