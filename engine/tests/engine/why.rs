//! `why` names the component that changed, down to the line, and the way to it.

use vwfb_engine::why::{Before, Cause, Why};

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
    assert!(!why.current, "{why:?}");
    why.causes
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
    assert_eq!(change.what, "the script");
    assert!(change.detail[1].starts_with("- join"), "{change:?}");
    assert!(change.detail[2].starts_with("+ head 3"), "{change:?}");
}

#[test]
fn a_target_that_never_succeeded_says_so() {
    let scene = Scene::new(CHAIN);
    scene.write("a.txt", "1");
    let causes = causes(scene.why("//:b"));
    assert_eq!(path(&causes[0]), ["//:b", "//:a"]);
    assert_eq!(causes[0].before, Before::Nothing);
    assert!(!causes[0].stored);
}

#[test]
fn a_target_that_failed_says_in_which_run_and_why() {
    let scene = Scene::new(&CHAIN.replace(
        "\"join {srcs} {out}\" }\ntask \"b\"",
        "\"fail-if bad {srcs} {out}\" }\ntask \"b\"",
    ));
    scene.write("a.txt", "bad");
    scene.build("//:b").expect("failed a; blocked b");
    let causes = causes(scene.why("//:b"));
    let reason = "`sh` failed with exit code 1".to_owned();
    assert_eq!(causes[0].before, Before::Failure { run: 1, reason });
}

#[test]
fn what_the_store_has_is_said_to_be_there() {
    let scene = chain();
    scene.write("a.txt", "two\n");
    scene.build("//:b").expect("ran a b");
    scene.write("a.txt", "one\ntwo\n");
    let causes = causes(scene.why("//:b"));
    assert!(causes.iter().all(|cause| cause.stored), "{causes:?}");
}

#[test]
fn a_label_that_was_cut_off_was_not_made_anew() {
    let scene =
        Scene::new(&CHAIN.replace(
            "\"join {srcs} {out}\" }\ntask \"b\"",
            "\"head 3 {srcs} {out}\" }\ntask \"b\"",
        ));
    scene.write("a.txt", "one\n");
    scene.build("//:b").expect("ran a b");
    scene.write("a.txt", "one two\n");
    scene.build("//:b").expect("ran a; cut-off b");
    let why = scene.why("//:b");
    assert_eq!((why.current, why.since, why.last), (true, 1, 2));
    assert_eq!(path(&why.causes[0]), ["//:b", "//:a"]);
}

#[test]
fn after_the_build_it_says_what_changed_then() {
    let scene = chain();
    scene.write("a.txt", "one\nzwei\n");
    scene.build("//:b").expect("ran a b");
    let why = scene.why("//:b");
    assert_eq!((why.current, why.since, why.last), (true, 2, 2));
    assert_eq!(why.causes.len(), 1, "what only follows is left out: {why:?}");
    assert_eq!(path(&why.causes[0]), ["//:b", "//:a"]);
    assert_eq!(why.causes[0].changes[0].what, "the file `a.txt`");
}
