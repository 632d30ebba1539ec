//! `why` names the component that changed, down to the line, and the way to it.

use vwfb_engine::why::{Cause, Why};

use crate::scene::Scene;

const CHAIN: &str = r#"
task "a" { srcs "a.txt"; out "a.out"; script "join {srcs} {out}" }
task "b" { srcs ":a"; out "b.out"; script "join {srcs} {out}" }
"#;

fn chain() -> Scene {
    let scene = Scene::new(CHAIN);
    scene.write("a.txt", "one\ntwo\n");
    scene.build("//:b").expect("ran a b");
    scene
}

fn causes(why: Why) -> Vec<Cause> {
    match why {
        Why::Causes(causes) => causes,
        Why::Current { run, then } => panic!("current since {run}: {then:?}"),
    }
}

fn path(cause: &Cause) -> Vec<String> {
    cause.path.iter().map(ToString::to_string).collect()
}

#[test]
fn an_edited_file_is_named_with_its_first_changed_line() {
    let scene = chain();
    scene.write("a.txt", "one\nzwei\n");
    // The store must have the new text to show a line of it; asking alone puts nothing there.
    let causes = causes(scene.why("//:b"));
    assert_eq!(causes.len(), 1);
    assert_eq!(path(&causes[0]), ["//:b", "//:a"]);
    let change = &causes[0].changes[0];
    assert_eq!(change.what, "the file `a.txt`");
    assert_eq!(change.detail, ["first difference at a.txt:2", "- two", "+ zwei"]);
}

#[test]
fn an_edited_command_is_named_by_its_argument() {
    let scene = chain();
    scene.write(
        "BUILD.kdl",
        &CHAIN.replace("join {srcs} {out}\" }\ntask \"b\"", "head 3 {srcs} {out}\" }\ntask \"b\""),
    );
    let causes = causes(scene.why("//:b"));
    assert_eq!(path(&causes[0]), ["//:b", "//:a"]);
    let change = &causes[0].changes[0];
    assert!(change.what.starts_with("argument "), "{change:?}");
    assert!(change.before.as_ref().unwrap().contains("join"));
    assert!(change.after.as_ref().unwrap().contains("head 3"));
}

#[test]
fn a_target_that_never_succeeded_says_so() {
    let scene = Scene::new(CHAIN);
    scene.write("a.txt", "1");
    let causes = causes(scene.why("//:b"));
    assert_eq!(path(&causes[0]), ["//:b", "//:a"]);
    assert!(causes[0].changes.is_empty());
}

#[test]
fn after_the_build_it_says_what_changed_then() {
    let scene = chain();
    scene.write("a.txt", "one\nzwei\n");
    scene.build("//:b").expect("ran a b");
    let Why::Current { run, then } = scene.why("//:b") else { panic!("all is built") };
    assert_eq!(run, 2);
    assert_eq!(then.len(), 1, "what only follows is left out: {then:?}");
    assert_eq!(path(&then[0]), ["//:b", "//:a"]);
    assert_eq!(then[0].changes[0].what, "the file `a.txt`");
}
