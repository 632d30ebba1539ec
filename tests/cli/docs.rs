//! The generated pages of the reference are those that the binary prints.

use std::fs;
use std::path::Path;

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
