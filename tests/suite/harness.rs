//! The harness itself: what it must not let pass.

use crate::markdown;
use crate::run;

/// The faults of one test with this text.
fn faults(test: &str) -> String {
    let suite = markdown::suite(&format!("# Suite\n\n## A test\n\n{test}"))
        .expect("a suite that this file wrote");
    run::faults(&suite, "suite.md").join("\n")
}

const UNKNOWN: &str = "error[unknown-rule]: no rule named `shout`";

#[test]
fn a_problem_that_is_expected_where_it_is_passes() {
    assert_eq!(faults(&format!("```kdl\n\n// {UNKNOWN}\nshout \"a\"\n```\n")), "");
    assert_eq!(faults("```kdl\nwrite_file \"a\" text=\"\"\n```\n"), "");
}

#[test]
fn a_problem_that_is_not_expected_fails() {
    let expected = format!("suite.md:3: A test\n  found at line 6, BUILD.kdl:1\n    // {UNKNOWN}");
    assert_eq!(faults("```kdl\nshout \"a\"\n```\n"), expected);
}

#[test]
fn a_problem_on_another_line_fails() {
    let faults = faults(&format!("```kdl\n// {UNKNOWN}\n\nshout \"a\"\n```\n"));
    assert!(faults.contains("expected at line 7, BUILD.kdl:2"), "{faults}");
    assert!(faults.contains("found at line 8, BUILD.kdl:3"), "{faults}");
}

#[test]
fn a_problem_that_is_not_found_fails() {
    for comment in [UNKNOWN, "error[unknown-rule]: another message", "error[bad-name]: no rule"] {
        let text = format!("```kdl\n// {comment}\nwrite_file \"a\" text=\"\"\n```\n");
        assert!(faults(&text).contains(&format!("// {comment}")), "{comment}");
    }
}

#[test]
fn a_hint_that_is_written_is_compared() {
    let text =
        "```kdl\n// error[unknown-rule]: no rule named `tsk`\n// hint: HINT\ntsk \"a\"\n```\n";
    assert_eq!(faults(&text.replace("HINT", "did you mean `task`?")), "");
    assert!(faults(text).contains("// hint: did you mean `task`?"));
}

#[test]
fn a_block_that_nothing_reads_fails() {
    assert!(faults("```kld\nwrite_file \"a\"\n```\n").contains("nothing is known of `kld`"));
    assert!(markdown::suite("# Suite\n\n```kdl\n").is_err());
    assert!(markdown::suite("no title\n").is_err());
}

#[test]
fn a_snapshot_that_differs_fails_and_is_rewritten() {
    let text = "# Suite\n\n## A test\n\n```kdl\nwrite_file \"a\" text=\"hi\"\n```\n\n```targets\n//:b\n```\n\nEnd.\n";
    let suite = markdown::suite(text).unwrap();
    let faults = run::faults(&suite, "suite.md").concat();
    assert!(faults.contains("the snapshot at line 9 differs:\n    - //:b\n    + //:a"), "{faults}");
    let (new, faults) = run::rewritten(text, &suite, "suite.md");
    assert_eq!(faults, Vec::<String>::new());
    assert_eq!(new, text.replace("//:b", "//:a"));
}
