//! `why` names the component that changed, down to the line, and the way to it.

use std::fs;

use vwfb_engine::why::{Before, Cause, Why};
use vwfb_engine::workspace::Evaluate;

use crate::lost::lose;
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

#[test]
fn without_a_snapshot_it_says_the_same() {
    for evaluate in [Evaluate::Changes, Evaluate::Everything] {
        let mut scene = chain();
        scene.evaluate = evaluate;
        scene.write("a.txt", "one\nzwei\n");
        scene.build("//:b").expect("ran a b");
        let with = scene.why("//:b");
        fs::remove_dir_all(scene.root().join(".vwfb/snapshots")).unwrap();
        assert_eq!(scene.why("//:b"), with);
        assert_eq!((with.causes.len(), path(&with.causes[0]).len()), (1, 2), "{with:?}");
    }
}

#[test]
fn a_source_that_changed_during_the_build_is_a_cause() {
    let scene = Scene::new(
        r#"
        task "z" { srcs "z.txt"; out "z"; script "clobber s.txt two" }
        task "x" { srcs "s.txt" ":z"; out "x"; script "join {out}" }
        "#,
    );
    scene.write("s.txt", "two").write("z.txt", "1");
    scene.build("//:x").expect("ran z x");
    scene.write("s.txt", "one");
    scene.build("//:x").expect("unchanged z; ran x");
    // So it has to be read again, and then it is another.
    lose(&scene, "one");
    scene.write("z.txt", "2");
    scene.build("//:x").expect("ran z x");
    let why = scene.why("//:x");
    assert_eq!((why.current, why.since, why.last), (true, 3, 3));
    let paths: Vec<Vec<String>> = why.causes.iter().map(path).collect();
    assert_eq!(paths, [vec!["//:x"], vec!["//:x", "//:z"]]);
    assert!(why.causes[0].changes.iter().any(|change| change.what == "the file `s.txt`"));
}

#[test]
fn what_was_lost_and_made_again_otherwise_is_told_where_it_is_read() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "a.txt"; out "a"; script "nth {out}" }
        task "b" { srcs ":a"; out "b"; script "join {out}" }
        task "x" { srcs ":a" "x.txt"; out "x"; script "join {out}" }
        "#,
    );
    scene.write("a.txt", "one").write("x.txt", "1");
    scene.build("//...").expect("ran a b x");
    lose(&scene, "1one");
    scene.write("x.txt", "2");
    scene.build("//...").expect("ran a b x");
    assert_ne!(scene.output("a"), "1one");
    let why = scene.why("//:a");
    assert_eq!((why.current, why.since, why.last), (true, 1, 1), "it has the key that it had");
    let why = scene.why("//:b");
    assert_eq!((why.current, why.since, why.last), (true, 2, 2));
    assert_eq!(why.causes.iter().map(path).collect::<Vec<_>>(), [["//:b"]]);
    assert_eq!(why.causes[0].changes[0].what, "the output `a` of `//:a`");
}

#[test]
fn a_label_with_no_task_and_one_beside_a_change_are_up_to_date() {
    let scene = Scene::new(
        r#"
        task "a" { srcs "a.txt"; out "a"; script "join {out}" }
        task "b" { srcs "b.txt"; out "b"; script "join {out}" }
        filegroup "f" { srcs "b.txt" }
        "#,
    );
    scene.write("a.txt", "1").write("b.txt", "1");
    scene.build("//...").expect("ran a b");
    scene.write("b.txt", "2");
    let answer = |label| {
        let why = scene.why(label);
        (why.current, why.since, why.last, why.causes.len())
    };
    assert_eq!(answer("//:a"), (true, 1, 1, 0));
    assert_eq!(answer("//:f"), (true, 0, 0, 0));
    assert_eq!(answer("//:b"), (false, 1, 0, 1));
}
