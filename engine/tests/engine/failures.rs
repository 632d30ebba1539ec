//! What fails stops what needs it, is never stored, and is tried again.

use vwfb_cas::Artifact;

use crate::scene::Scene;

/// bad fails while its source holds `bad`; behind needs it, beside does not.
const BUILD: &str = r#"
task "bad" { srcs "a.txt"; out "bad.out"; script "fail-if bad {srcs} {out}" }
task "behind" { srcs ":bad"; out "behind.out"; script "join {srcs} {out}" }
task "last" { srcs ":behind"; out "last.out"; script "join {srcs} {out}" }
task "beside" { srcs "b.txt"; out "beside.out"; script "join {srcs} {out}" }
"#;

#[test]
fn a_failure_blocks_what_needs_it_and_nothing_else() {
    let scene = Scene::new(BUILD);
    scene.write("a.txt", "bad").write("b.txt", "b");
    let seen = scene.build("//:all");
    seen.expect("failed bad; blocked behind last; ran beside");
    assert_eq!(seen.reasons["bad"], "`sh` failed with exit code 1");
    assert_eq!(seen.reasons["last"], "`//:bad` failed");
    assert!(!seen.environment_failed);
}

#[test]
fn a_failure_is_not_remembered_as_a_result() {
    let scene = Scene::new(BUILD);
    scene.write("a.txt", "bad").write("b.txt", "b");
    scene.build("//:all");
    scene.build("//:all").expect("failed bad; blocked behind last; unchanged beside");
    scene.write("a.txt", "good");
    scene.build("//:all").expect("ran bad behind last; unchanged beside");
}

#[test]
fn after_a_failure_is_mended_the_old_result_still_stands() {
    let scene = Scene::new(BUILD);
    scene.write("a.txt", "good").write("b.txt", "b");
    scene.build("//:all").expect("ran bad behind last beside");
    scene.write("a.txt", "bad");
    scene.build("//:all").expect("failed bad; blocked behind last; unchanged beside");
    scene.write("a.txt", "good");
    scene.build("//:all").expect("unchanged bad behind last beside");
}

#[test]
fn fail_fast_starts_nothing_after_the_first_failure() {
    let mut scene = Scene::new(
        r#"
        task "bad" { srcs "a.txt"; out "bad.out"; script "fail-if bad {srcs} {out}" }
        task "x" after=":y" { srcs "b.txt"; out "x.out"; script "join {srcs} {out}" }
        task "y" after=":z" { srcs "b.txt"; out "y.out"; script "join {srcs} {out}" }
        task "z" { srcs ":bad"; out "z.out"; script "join {srcs} {out}" }
        task "w" { srcs "b.txt"; out "w.out"; script "join {srcs} {out} w" }
        "#,
    );
    scene.one_job().fail_fast().write("a.txt", "bad").write("b.txt", "b");
    // The longest chain starts first, so `bad` fails while `w` waits for the only worker.
    scene.build("//:all").expect("failed bad; blocked x y z; cancelled w");
}

#[test]
fn retries_start_a_failed_process_again_and_no_more_often_than_asked() {
    let scene = Scene::new(
        r#"task "bad" retries=2 { srcs "a.txt"; out "o"; script "fail-if bad {srcs} {out}" }"#,
    );
    scene.write("a.txt", "bad");
    scene.build("//:bad").expect("failed bad");
    assert_eq!(scene.runs.lock().unwrap().len(), 3);
}

#[test]
fn a_source_that_changes_while_the_build_runs_is_used_as_one_version() {
    let scene = Scene::new(
        r#"
        task "first" { srcs "a.txt"; out "first.out"; script "clobber b.txt new {srcs} {out}" }
        task "second" after=":first" { srcs "b.txt"; out "second.out"; script "join {srcs} {out}" }
        "#,
    );
    scene.write("a.txt", "a").write("b.txt", "old");
    scene.build("//:second").expect("ran first second");
    // The change was met before the task began, so the task was planned again with the new bytes.
    assert_eq!(scene.output("second.out"), "new");
    scene.build("//:second").expect("unchanged first second");
}

#[test]
fn a_secret_that_is_not_set_is_named() {
    let scene = Scene::new(
        r#"
        rule "keyed" {
            attr "key" type="secret"
            out "o" path="{name}"
            env { API_KEY "{key}" }
            tool "sh"
            script "join {out}"
        }
        keyed "call" key="VWFB_TEST_SECRET_THAT_NOBODY_SETS"
        "#,
    );
    let seen = scene.build("//:call");
    seen.expect("failed call");
    assert!(seen.reasons["call"].contains("VWFB_TEST_SECRET_THAT_NOBODY_SETS"));
    assert!(seen.environment_failed);
}

#[test]
fn only_successes_are_in_the_store() {
    let scene = Scene::new(BUILD);
    scene.write("a.txt", "bad").write("b.txt", "b");
    scene.build("//:all");
    let workspace = scene.open();
    let successes = workspace.state().successes().unwrap();
    assert_eq!(successes.keys().collect::<Vec<_>>(), ["//:beside"]);
    let key = successes["//:beside"].key;
    let result = scene.store().lookup(&[key]).unwrap().pop().flatten().unwrap();
    assert!(matches!(result.outputs.values().next(), Some(Artifact::File(_))));
}
