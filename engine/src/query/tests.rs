//! The query language on a small film.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Format, Item, PatternError, Query, QueryError, QueryGraph, QueryNode, QueryValue, Vocabulary,
};

struct Film(BTreeMap<String, QueryNode>);

/// `final` of `body` of two clips, each of a slide and a voice; one script read by both voices.
fn film() -> Film {
    let nodes = [
        node("//s:final", "normalize", &[], &["//s:body"]),
        node("//s:body", "concat", &[], &["//s:clip1", "//s:clip2"]),
        node("//s:clip1", "still_clip", &[], &["//s:slide1", "//s:voice1"]),
        node("//s:clip2", "still_clip", &[], &["//s:slide2", "//s:voice2"]),
        node("//s:slide1", "svg_render", &["s/one.svg"], &[]),
        node("//s:slide2", "svg_render", &["s/two.svg"], &[]),
        node("//s:voice1", "tts", &["s/script.txt"], &[]),
        node("//s:voice2", "tts", &["s/script.txt"], &[]),
        node("//t:lone", "task", &[], &[]),
    ];
    Film(nodes.into())
}

fn node(label: &str, kind: &str, inputs: &[&str], deps: &[&str]) -> (String, QueryNode) {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let output = format!("vwfb-out/{}", label.trim_start_matches('/').replace(':', "/"));
    let tag = format!("{kind}-tag");
    let node = QueryNode {
        kind: kind.to_owned(),
        attributes: BTreeMap::from([(
            "tags".to_owned(),
            QueryValue::texts(["all".to_owned(), tag]),
        )]),
        inputs: owned(inputs),
        outputs: BTreeSet::from([output]),
        deps: owned(deps),
        missing: BTreeSet::new(),
    };
    (label.to_owned(), node)
}

impl QueryGraph for Film {
    fn nodes(&self) -> &BTreeMap<String, QueryNode> {
        &self.0
    }

    fn vocabulary(&self) -> Vocabulary {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let kinds = self.0.values().map(|node| node.kind.clone()).collect();
        Vocabulary { kinds, attributes: texts(&["tags", "timeout"]) }
    }

    fn expand(&self, pattern: &str) -> Result<BTreeSet<Item>, PatternError> {
        if !pattern.contains(':') && !pattern.ends_with("...") {
            return Ok(BTreeSet::from([Item::File(pattern.to_owned())]));
        }
        let prefix = pattern.trim_end_matches("...").trim_end_matches("all");
        let found = self.0.keys().filter(|label| {
            if prefix == pattern { **label == prefix } else { label.starts_with(prefix) }
        });
        let items: BTreeSet<Item> = found.cloned().map(Item::Target).collect();
        if items.is_empty() {
            let message = format!("nothing matches `{pattern}`");
            return Err(PatternError {
                message,
                hint: Some("see `//...`".to_owned()),
                code: None,
                is_pattern: true,
            });
        }
        Ok(items)
    }
}

/// The answer's labels without `//s:`, joined by spaces.
fn ask(query: &str) -> String {
    let film = film();
    let query = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let answer = query.answer(&film).expect("the query has an answer");
    answer.print(Format::Label).replace("//s:", "").trim_end().replace('\n', " ")
}

#[track_caller]
fn refuse(query: &str, column: usize, message: &str, hint: &str) {
    let film = film();
    let answer =
        Query::parse(query).and_then(|query| query.answer(&film).map(|answer| answer.items()));
    let error = answer.expect_err(query);
    let hinted = error.hint().unwrap_or_default();
    assert_eq!((error.column(), error.to_string().as_str()), (column, message), "{query}");
    assert!(hinted.contains(hint), "{query}: {hinted}");
}

#[test]
fn dependencies_are_followed_to_a_depth() {
    assert_eq!(ask("deps(//s:clip1)"), "clip1 slide1 voice1");
    assert_eq!(ask("deps(//s:final, 1)"), "final body");
    assert_eq!(ask("deps(//s:final, 0)"), "final");
    assert_eq!(ask("deps(//s:final)"), "final body clip1 clip2 slide1 slide2 voice1 voice2");
}

#[test]
fn dependents_stay_within_their_universe() {
    assert_eq!(ask("rdeps(//..., //s:voice1)"), "final body clip1 voice1");
    assert_eq!(ask("rdeps(//s:body, //s:voice1)"), "body clip1 voice1");
    assert_eq!(ask("rdeps(//..., //s:voice1, 1)"), "clip1 voice1");
    assert_eq!(ask("rdeps(//t:lone, //s:voice1)"), "");
}

#[test]
fn a_file_has_dependents_too() {
    assert_eq!(ask("rdeps(//..., s/script.txt, 1)"), "voice1 voice2 s/script.txt");
    assert_eq!(ask("somepath(//s:final, s/one.svg)"), "final body clip1 slide1 s/one.svg");
}

#[test]
fn paths_lead_from_a_target_to_what_it_needs() {
    assert_eq!(
        ask("allpaths(//s:body, //s:voice1 + //s:slide2)"),
        "body clip1 clip2 slide2 voice1"
    );
    assert_eq!(ask("somepath(//s:body, //s:voice1 + //s:slide2)"), "body clip1 voice1");
    assert_eq!(ask("somepath(//s:voice1, //s:body)"), "");
    assert_eq!(ask("allpaths(//s:voice1, //s:body)"), "");
}

#[test]
fn patterns_match_anywhere_in_kind_attribute_and_label() {
    assert_eq!(ask("kind(tts, //...)"), "voice1 voice2");
    assert_eq!(ask("kind(^t, //...)"), "voice1 voice2 //t:lone");
    assert_eq!(ask("kind('^(tts|concat)$', //...)"), "body voice1 voice2");
    assert_eq!(ask("attr(tags, ^concat-tag$, //...)"), "body");
    assert_eq!(ask("attr(timeout, ., //...)"), "");
    assert_eq!(ask("filter(\"1$\", //...)"), "clip1 slide1 voice1");
}

#[test]
fn files_are_members_of_sets() {
    assert_eq!(ask("inputs(deps(//s:final))"), "s/one.svg s/script.txt s/two.svg");
    assert_eq!(ask("outputs(//s:final + //t:lone)"), "vwfb-out/s/final vwfb-out/t/lone");
    assert_eq!(ask("inputs(//s:slide1) + //s:slide1"), "slide1 s/one.svg");
    assert_eq!(ask("rdeps(//..., inputs(//s:slide1), 1)"), "slide1 s/one.svg");
    assert_eq!(ask("kind(file, inputs(//...)) - s/one.svg"), "s/script.txt s/two.svg");
}

#[test]
fn operators_bind_alike_from_the_left() {
    assert_eq!(ask("//s:body union //s:final"), "final body");
    assert_eq!(ask("//s:body + //s:final - //s:body"), "final");
    assert_eq!(ask("//s:body + (//s:final - //s:final)"), "body");
    assert_eq!(ask("//s:... ^ kind(tts, //...) except //s:voice2"), "voice1");
    assert_eq!(ask("//s:all intersect //t:all"), "");
    assert_eq!(ask("(((//s:body)))"), "body");
    assert_eq!(ask("'//s:body'"), "body");
}

#[test]
fn the_short_form_needs_no_parentheses() {
    assert_eq!(ask("deps //s:clip1"), ask("deps(//s:clip1)"));
    assert_eq!(ask("deps //s:final 1"), "final body");
    assert_eq!(ask("rdeps //... //s:voice1 1"), "clip1 voice1");
    assert_eq!(ask("kind tts //..."), "voice1 voice2");
    assert_eq!(ask("attr tags ^tts //..."), "voice1 voice2");
    assert_eq!(
        ask("deps //s:final except kind(tts, //...)"),
        ask("deps(//s:final) - kind(tts, //...)")
    );
    assert_eq!(ask("inputs deps(//s:clip1)"), "s/one.svg s/script.txt");
    let words = Query::from_words(&["deps", "//s:clip1"]).unwrap();
    assert_eq!(words.answer(&film()).unwrap().items().len(), 3);
}

#[test]
fn mistakes_are_named_with_their_place_and_a_way_out() {
    refuse("", 1, "a set is missing here", "//...");
    refuse("deps(", 6, "a set is missing here", "//...");
    refuse("deps()", 1, "`deps` has 0 of its 1 arguments", "deps(x[, depth])");
    refuse("deps", 1, "`deps` has 0 of its 1 arguments", "deps(x[, depth])");
    refuse("deps(//s:body", 14, "a `,` or `)` is missing here", "deps(x[, depth])");
    refuse("deps(//s:body, one)", 16, "`one` is no depth: a whole number is", "deps(x[, depth])");
    refuse("deps(//s:body, -1)", 16, "`-1` is no depth: a whole number is", "deps(x[, depth])");
    let far = "99999999999999999999";
    refuse(&format!("deps(//s:body, {far})"), 16, &format!("the depth `{far}` is too large"), "");
    refuse("deps(//s:body, 1, 2)", 17, "`deps` has too many arguments", "deps(x[, depth])");
    refuse("dep(//s:body)", 1, "no function named `dep`", "did you mean `deps`");
    refuse("rdep //s:body", 1, "no function named `rdep`", "did you mean `rdeps`");
    refuse("zebra(//s:body)", 1, "no function named `zebra`", "deps, rdeps, allpaths");
    refuse("//s:body //s:final", 10, "an operator is missing here", "union");
    refuse("(//s:body", 10, "a `(` is not closed", "add a `)`");
    refuse("//s:body)", 9, "a `)` without its `(`", "remove it");
    refuse("//s:body +", 11, "a set is missing here", "//...");
    refuse("+ //s:body", 1, "a set is missing here", "//...");
    refuse("//s:body union except //s:a", 16, "a set is missing here", "//...");
    refuse("'//s:body", 1, "a quote is not closed", "add a `'`");
    refuse("  //s:nobody", 3, "nothing matches `//s:nobody`", "//...");
    let message = "no rule in sight has an attribute `timeuot`";
    refuse("attr(timeuot, ., //...)", 6, message, "did you mean `timeout`?");
    refuse("deps(s/none.svg)", 6, "no target reads or makes `s/none.svg`", "");
}

#[test]
fn a_kind_that_no_rule_has_is_doubted() {
    let doubts = |query: &str| Query::parse(query).unwrap().doubts(&film().vocabulary());
    assert!(doubts("kind(tts, //...) + kind('^s.*_clip$', //...) - kind(file, //...)").is_empty());
    let doubt = "no rule in sight is named like `still_clp`; did you mean `still_clip`?";
    assert_eq!(doubts("deps(//s:body) - deps(kind(still_clp, //...))"), [doubt]);
    assert_eq!(doubts("kind '^zzz$' //..."), ["no rule in sight is named like `^zzz$`"]);
}

#[test]
fn a_bad_regular_expression_is_an_error_of_the_query() {
    let error = Query::parse("kind('(', //...)").unwrap().answer(&film()).err();
    assert!(matches!(error, Some(QueryError::Regex { column: 6, .. })), "{error:?}");
}

#[test]
fn nesting_beyond_the_limit_is_refused() {
    let deep = format!("{}//s:body{}", "(".repeat(10_000), ")".repeat(10_000));
    refuse(&deep, 65, "the query nests too deep", "less");
    let long = format!("//s:body{}", " + //s:body".repeat(10_000));
    assert_eq!(ask(&long), "body");
}

/// What `query` prints in `format`.
fn print(query: &str, format: Format) -> String {
    Query::parse(query).unwrap().answer(&film()).unwrap().print(format)
}

#[test]
fn a_tree_shows_each_branch_once() {
    let mut film = film();
    film.0.get_mut("//s:clip2").unwrap().deps.insert("//s:clip1".to_owned());
    let query = Query::parse("deps(//s:final) + //t:lone").unwrap();
    let tree = query.answer(&film).unwrap().print(Format::Tree);
    let expected = "\
//s:final
└── //s:body
    ├── //s:clip2
    │   ├── //s:clip1
    │   │   ├── //s:slide1
    │   │   └── //s:voice1
    │   ├── //s:slide2
    │   └── //s:voice2
    └── //s:clip1 (*)
//t:lone
";
    assert_eq!(tree, expected);
    let ascii = query.answer(&film).unwrap().print(Format::AsciiTree);
    assert!(ascii.is_ascii());
    assert_eq!(ascii.lines().count(), tree.lines().count());
}

#[test]
fn a_cycle_and_a_long_chain_are_shown_too() {
    let name = |number: usize| format!("//c:{number:05}");
    let link = |number: usize| node(&name(number), "task", &[], &[&name((number + 1) % 20_000)]);
    let film = Film((0..20_000).map(link).collect());
    let answer = Query::parse("deps(//c:00000)").unwrap().answer(&film).unwrap();
    assert_eq!(answer.items().len(), 20_000);
    let tree = answer.print(Format::Tree);
    assert!(tree.starts_with("//c:00000\n└── //c:00001\n"));
    assert!(tree.contains('…'));
}

#[test]
fn json_has_what_a_program_asks_for() {
    let json: serde_json::Value =
        serde_json::from_str(&print("//s:slide1 + s/one.svg", Format::Json)).unwrap();
    assert_eq!(json[0]["label"], "//s:slide1");
    assert_eq!(json[0]["kind"], "svg_render");
    assert_eq!(json[0]["inputs"][0], "s/one.svg");
    assert_eq!(json[0]["attributes"]["tags"][0], "all");
    assert_eq!(json[1]["file"], "s/one.svg");
    assert_eq!(print("//s:all - //s:all", Format::Json), "[]\n");
}

#[test]
fn dot_and_mermaid_draw_the_arrows_within_the_answer() {
    let dot = print("deps(//s:final, 1) + s/one.svg", Format::Dot);
    let expected = "\
digraph vwfb {
  node [shape=box];
  \"//s:final\";
  \"//s:body\";
  \"s/one.svg\" [shape=note];
  \"//s:final\" -> \"//s:body\";
}
";
    assert_eq!(dot, expected);
    let mermaid = print("deps(//s:final, 1)", Format::Mermaid);
    let expected = "flowchart TD\n  n0[\"//s:final\"]\n  n1[\"//s:body\"]\n  n0 --> n1\n";
    assert_eq!(mermaid, expected);
}
