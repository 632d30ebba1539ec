//! The generated pages of the reference are those that the binary prints.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::world::World;

/// `UPDATE=1 cargo test --test cli` writes the page anew.
fn holds(page: &str) {
    let printed = World::empty().ok(&["__docs", page]).stdout;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("docs/reference/{page}.md"));
    if std::env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &printed).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, printed, "run: UPDATE=1 cargo test --test cli docs");
}

#[test]
fn the_command_reference_is_that_of_the_grammar() {
    holds("commands");
}

#[test]
fn the_rule_reference_is_that_of_the_rules() {
    holds("rules");
}

/// The names of the fields of `value`, and of the objects in its lists.
fn fields(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Object(fields) => fields.keys().cloned().collect(),
        Value::Array(values) => values.iter().flat_map(fields).collect(),
        _ => BTreeSet::new(),
    }
}

#[test]
fn every_field_of_an_answer_is_documented() {
    let world = World::new();
    let _built = world.ok(&["build", "//p:copy"]);
    world.write("p/greeting.txt", "other\n");
    let page = include_str!("../../docs/reference/json.md");
    for args in [
        &["plan", "//p:copy", "--json"][..],
        &["why", "//p:copy", "--json"],
        &["query", "deps(//p:copy) + inputs(//p:greet)", "--json"],
        &["info", "--json"],
        &["new", "--list", "--json"],
        &["cache", "stats", "--json"],
    ] {
        let answer: Value = serde_json::from_str(&world.ok(args).stdout).unwrap();
        let causes = fields(&answer["causes"]);
        assert!(!fields(&answer).is_empty(), "{args:?}");
        let changes = fields(&answer["causes"][0]["changes"]);
        for field in fields(&answer).into_iter().chain(causes).chain(changes) {
            assert!(page.contains(&format!("`{field}`")), "`{field}` of {args:?}");
        }
    }
}
