//! What fields come to in files of every kind.

use super::*;
use crate::package_template::package_template;
use crate::syntax::nodes;
use crate::vars::VarOverride;

const TEMPLATE: &str = "params {
    number type=\"int\" default=17
    concepts type=\"string\" list=#true { default \"attention\" \"loss\" }
    title type=\"string\" optional=#true
    picture type=\"file\" default=\"assets/picture.png\"
    review type=\"bool\" default=#false
    llm type=\"enum\" default=\"none\" { values \"none\" \"replay\" }
}";

fn fill(name: &str, text: &str, set: &[&str]) -> Checked<String> {
    let template = package_template(&WsPath::new("t/template.kdl").unwrap(), TEMPLATE);
    assert_eq!(template.problems, []);
    let sets: Vec<VarOverride> = set.iter().map(|it| VarOverride::parse(it).unwrap()).collect();
    let given = template.value.given(&sets);
    assert_eq!(given.problems, []);
    let fields = Fields::new(&template.value, &given.value, &WsPath::new("a/b").unwrap(), "films");
    filled(&WsPath::new(name).unwrap(), text, &fields)
}

#[track_caller]
fn good(name: &str, text: &str, set: &[&str]) -> String {
    let Checked { value, problems } = fill(name, text, set);
    assert_eq!(problems, []);
    value
}

fn told(text: &str) -> Vec<String> {
    let problems = fill("a.md", text, &[]).problems;
    problems.into_iter().map(|it| format!("{}: {}", it.code, it.message)).collect()
}

#[test]
fn a_field_is_written_as_its_file_writes_values() {
    let text = "@number@ @concepts@ @picture@ @review@ @picture.name@ @package@";
    let shown = |name: &str| good(&format!("{name}.in"), text, &[]);
    let quoted = "\"assets/picture.png\"";
    assert_eq!(
        shown("a.kdl"),
        format!("17 \"attention\" \"loss\" {quoted} #false \"picture.png\" a/b")
    );
    assert_eq!(
        shown("a.json"),
        format!("17 [\"attention\", \"loss\"] {quoted} false \"picture.png\" a/b")
    );
    let plain = "17 attention, loss assets/picture.png false picture.png a/b";
    assert_eq!([shown("a.md"), shown("a.svg")], [plain, plain]);
    assert_eq!(shown("a.sh"), plain.replace(',', ""));
    assert_eq!(good("a.txt.in", &format!("@as kdl@\n{text}"), &[]), shown("a.kdl"));
}

#[test]
fn a_default_may_have_fields_of_the_params_above() {
    let text =
        "params { project type=\"tree\"; title type=\"string\" default=\"About @project.name@\" }";
    let template = package_template(&WsPath::root(), text);
    assert_eq!(template.problems, []);
    let given = Given::from([("project".to_owned(), vec![Scalar::Text("//code/tt-rs".into())])]);
    let fields = Fields::new(&template.value, &given, &WsPath::root(), "films");
    assert_eq!(filled(&WsPath::root(), "@title@", &fields).value, "About tt-rs");
}

#[test]
fn paths_are_from_the_package_that_a_file_is_in() {
    let template = package_template(&WsPath::new("t/template.kdl").unwrap(), TEMPLATE).value;
    let fields = Fields::new(&template, &Given::new(), &WsPath::new("a/b").unwrap(), "films");
    let fields = fields.of_package(&WsPath::new("c/d").unwrap());
    let text = filled(&WsPath::root(), "@package@ @picture@ @picture.name@", &fields);
    assert_eq!(text.value, "a/b/c/d ../../assets/picture.png picture.png");
}

#[test]
fn no_value_is_markup_of_markdown() {
    let set = ["concepts=[\"## Fast\", \"```js\"]", "title=~~~"];
    let text = "@title@\n# @title@\n  @concepts@\n@each concepts as it@\n- @it@ @it@\n@end@\n";
    let escaped = "\\~~~\n# ~~~\n  \\## Fast, ```js\n- \\## Fast ## Fast\n- \\```js ```js\n";
    assert_eq!(good("a.md.in", text, &set), escaped);
    assert_eq!(good("a.txt.in", &format!("@as md@\n{text}"), &set), escaped);
    assert_eq!(good("a.txt.in", "@title@", &set), "~~~");
}

#[test]
fn one_of_several_conditions_is_enough() {
    let text = "@if title or llm=replay or review@\nyes\n@else@\nno\n@end@\n";
    let text = format!("{text}@if not title or review@\nneither\n@end@\n");
    assert_eq!(good("a.md", &text, &[]), "no\nneither\n");
    assert_eq!(good("a.md", &text, &["llm=replay"]), "yes\nneither\n");
    assert_eq!(good("a.md", &text, &["review=true"]), "yes\n");
    assert_eq!(told("@if title or@\n@end@").len(), 1);
}

#[test]
fn a_default_that_comes_to_nothing_is_blank() {
    let text = "params { project type=\"tree\"; title type=\"string\" default=\"@project.name@\" }";
    let template = package_template(&WsPath::root(), text).value;
    let text = |text: &str| vec![Scalar::Text(text.into())];
    let mut given = Given::from([("project".to_owned(), text("//"))]);
    assert_eq!(template.blank(&given).len(), 1);
    given.insert("project.name".to_owned(), text("films"));
    assert_eq!(template.blank(&given).len(), 0);
}

#[test]
fn no_value_is_anything_but_text() {
    let hostile = "\" \"# {x} {{ <b>&'\u{202e}\n## @number@ \\ $(ls)\u{7}";
    let set = [&*format!("title={hostile}")];
    let kdl = good("a.kdl", "vars { title @title@; }\n", &set);
    let read = nodes(&WsPath::root(), &kdl);
    assert_eq!(read.problems, []);
    assert_eq!(read.value[0].children[0].args[0].text(), Some(hostile));
    let json: serde_json::Value = serde_json::from_str(&good("a.json", "@title@", &set)).unwrap();
    assert_eq!(json, hostile);
    let svg = good("a.svg", "<t a='@title@'/>", &set);
    assert_eq!(svg.matches(['<', '\'', '"']).count(), 3, "{svg}");
    assert_eq!(
        good("a.md", "## @title@\n", &set),
        "## \" \"# {x} {{ <b>&'\u{202e} ## @number@ \\ $(ls)\n"
    );
    assert!(good("a.sh", "@title@", &set).starts_with('\''));
}

#[test]
fn lines_are_there_for_some_values_only() {
    let text = "a\n@if review@\nb @number@\n@else@\nc\n@end@\n  @if not title@\nd\n@end@\n@if llm=replay@\ne\n@end@\n";
    assert_eq!(good("a.md", text, &[]), "a\nc\nd\n");
    assert_eq!(good("a.md", text, &["review=true", "title=x", "llm=replay"]), "a\nb 17\ne\n");
}

#[test]
fn lines_are_there_once_for_each_value() {
    let text = "@each concepts as it@\n## @it.number@. @it@\n@if review@\n!\n@end@\n@end@\n.";
    assert_eq!(good("a.md", text, &[]), "## 1. attention\n## 2. loss\n.");
    assert_eq!(good("a.md", text, &["concepts=[]"]), ".");
}

#[test]
fn what_is_no_field_stays() {
    let text = "use \"@std/audio\" me@home.net @ @@number@@ @media (a) { }\n@end of it@\n";
    assert_eq!(good("a.txt", text, &[]), text.replace("@@", "@"));
}

#[test]
fn what_is_wrong_is_told() {
    assert_eq!(told("a @numbr@"), ["unknown-interpolation: the template has no param `numbr`"]);
    assert_eq!(
        told("@it.number@"),
        ["unknown-interpolation: the template has no param `it.number`"]
    );
    assert_eq!(
        told("@if reviw@\n@end@"),
        ["unknown-interpolation: the template has no param `reviw`"]
    );
    assert_eq!(told("@if review@\na"), ["bad-interpolation: this has no `@end@`"]);
    assert_eq!(told("a\n@end@"), ["bad-interpolation: `@end@` ends nothing"]);
    assert_eq!(told("@if review@\n@else@\n@else@\n@end@").len(), 2);
    let written = "bad-interpolation: `@each concepts@` is not written as it should be";
    assert_eq!(told("@each concepts@\n@end@\n"), [written]);
}
