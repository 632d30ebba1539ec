//! What formatting keeps and what it settles.

#![expect(clippy::disallowed_methods, reason = "a test may look at the repository")]

use std::path::{Path, PathBuf};

use kdl::KdlDocument;

use super::format;

/// Checks that `before` becomes `after`, and that `after` stays.
#[track_caller]
fn check(before: &str, after: &str) {
    let once = format(before).expect("the text is KDL");
    assert_eq!(once, after, "from:\n{before}");
    assert_eq!(format(&once).expect("the result is KDL"), once, "twice, from:\n{before}");
}

#[test]
fn spaces_quotes_and_indentation_are_settled() {
    check(
        "  task   \"a\"   k = fast{\nsrcs \"x\"   \"y\";out \"a.txt\"\n}",
        "task \"a\" k=\"fast\" {\n    srcs \"x\" \"y\"\n    out \"a.txt\"\n}\n",
    );
    check("(\"t\") \"node\" ( glob ) \"*.svg\"", "(t)node (glob)\"*.svg\"\n");
}

#[test]
fn an_empty_text_stays_empty() {
    check("", "");
    check(" \n\t\n", "");
}

#[test]
fn one_empty_line_is_kept_and_none_at_the_edges() {
    check("\n\na\n\n\n\nb {\n\n c\n\n}\nd\n\n", "a\n\nb {\n    c\n}\nd\n");
}

#[test]
fn nodes_on_one_line_part_and_blocks_on_one_line_stay() {
    check("a; b;c", "a\nb\nc\n");
    check("vars {voice \"x\";accent \"y\" ; }", "vars { voice \"x\"; accent \"y\" }\n");
    check("a{b{c}}", "a { b { c } }\n");
    check("a{}", "a {}\n");
}

#[test]
fn a_block_too_wide_for_its_line_is_opened() {
    let long = "x".repeat(90);
    check(&format!("a {{ b \"{long}\"; c }}"), &format!("a {{\n    b \"{long}\"\n    c\n}}\n"));
}

#[test]
fn deep_blocks_on_one_line_take_no_exponential_time() {
    let text = format!("{}{}{}", "aaaa { ".repeat(60), "b", " }".repeat(60));
    let once = format(&text).unwrap();
    assert_eq!(format(&once).unwrap(), once);
}

#[test]
fn comments_stay_beside_what_they_stood_beside() {
    check(
        "// top\n\n// of a\na 1 // beside a\nb{// of b\nc // beside c\n// last\n} // after b\n// end",
        "// top\n\n// of a\na 1 // beside a\nb { // of b\n    c // beside c\n    // last\n} // after b\n\
         // end\n",
    );
    check("a; // beside a\nb", "a // beside a\nb\n");
    check("a /* x */ 1 /* y */\n/* z */ b", "a /* x */ 1 /* y */\n/* z */ b\n");
    check("a; /* x */\n/* y */ // z\n", "a /* x */\n/* y */ // z\n");
    check("a {\n/* only */\n}", "a {\n    /* only */\n}\n");
    check("a { /* only */ }", "a { /* only */ }\n");
}

#[test]
fn comments_within_a_word_move_before_it() {
    check("a k=/* x */1", "a /* x */ k=1\n");
    check("a (/* x */t /* y */)/* z */1", "a /* x */ /* y */ /* z */ (t)1\n");
    check("(/* x */t)a", "/* x */ (t)a\n");
    check("/- /* x */ a", "/* x */ /-a\n");
    check("/- // x\n a", "// x\n/-a\n");
    check("a /- // x\n \"b\" \"c\"", "a \\ // x\n    /-\"b\" \"c\"\n");
}

#[test]
fn slashdashed_parts_are_formatted_like_others() {
    check("/-  a   1{b}", "/-a 1 { b }\n");
    check("a /- 1 /- k = v /-{ b } { c }", "a /-1 /-k=\"v\" /-{ b } { c }\n");
    check("a { /-b\n /-c }", "a {\n    /-b\n    /-c\n}\n");
}

#[test]
fn continued_lines_stay_continued() {
    check(
        "a \"b\" \\\n\"c\" \\ // why\n  \"d\" \\\n{ e }",
        "a \"b\" \\\n    \"c\" \\ // why\n    \"d\" { e }\n",
    );
    check("a \\\n \\\n b", "a \\\n    \"b\"\n");
    check("a \\ // x\n\nb", "a // x\nb\n");
    check("\\\na", "a\n");
}

#[test]
fn strings_of_several_lines_follow_their_node() {
    check(
        "a {\nscript \"\"\"\n  one\n\n    two \\\"\n  \"\"\" k=1\n}",
        "a {\n    script \"\"\"\n        one\n\n          two \\\"\n        \"\"\" k=1\n}\n",
    );
    check("a #\"\"\"\nx \"\\\n\"\"\"#", "a #\"\"\"\n    x \"\\\n    \"\"\"#\n");
    check("a \"\"\"\n  \"\"\"", "a \"\"\"\n    \"\"\"\n");
    check("a \"\"\"\n\n  \"\"\"", "a \"\"\"\n\n    \"\"\"\n");
}

#[test]
fn strings_with_escaped_line_breaks_keep_their_lines() {
    check("a  \"x \\\n   y\"", "a \"x \\\n   y\"\n");
    check("a  \"\"\"\n  x \\\n  y\n  \"\"\"", "a \"\"\"\n  x \\\n  y\n  \"\"\"\n");
}

#[test]
fn starred_comments_keep_their_column() {
    check(
        "a {\n/*\n * x\n   * y\n */\nb\n}",
        "a {\n    /*\n     * x\n     * y\n     */\n    b\n}\n",
    );
    check("a {\n  /* x\n  y */\n}", "a {\n    /* x\n  y */\n}\n");
}

#[test]
fn windows_lines_and_the_byte_order_mark_go() {
    check("\u{feff}a 1\r\n\r\n\r\nb 2 // x\r\n", "a 1\n\nb 2 // x\n");
    check("a /* x\r\n y */ 1\r\n", "a /* x\n y */ 1\n");
}

#[test]
fn what_is_not_kdl_2_is_refused_with_its_place() {
    let error = format("a 1\nb true\n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 3), "{error}");
    assert_eq!(error.hint.as_deref(), Some("write `#true`, or `\"true\"` for text"));
    for text in ["a {", "a }", "a \"b", "/* x", "a k=", "a =1", "(t)", "a ((t))1", "a /b"] {
        assert!(format(text).is_err(), "{text}");
    }
}

#[test]
fn deep_nesting_is_formatted_to_its_limit_and_then_refused() {
    let nested = |depth| format!("{}b{}", "a {\n".repeat(depth), "\n}".repeat(depth));
    assert!(format(&nested(64)).is_ok_and(|text| text.ends_with("}\n")));
    assert!(format(&nested(65)).is_err());
    for text in ["a {".repeat(50_000), "/*".repeat(50_000), "\"".to_owned() + &"a{".repeat(50_000)]
    {
        assert!(format(&text).is_err());
    }
    let comment = format!("{}{}", "/*".repeat(50_000), "*/".repeat(50_000));
    assert_eq!(format(&comment), Ok(comment.clone() + "\n"));
}

/// Small pieces whose every sequence of three is tried, valid or not.
const PIECES: &[&str] = &[
    "a",
    " ",
    "\n",
    ";",
    "{",
    "}",
    "// c\n",
    "/* c */",
    "/-",
    "\\\n",
    "k=",
    "\"s\"",
    "(t)",
    "#true",
    "1",
    "\"\"\"\n x\n \"\"\"",
    "=",
    "\r\n",
];

/// What another reader makes of `text`; nothing if it refuses it.
fn meaning(text: &str) -> Option<String> {
    let mut document = KdlDocument::parse_v2(text).ok()?;
    document.autoformat_no_comments();
    Some(document.to_string())
}

#[test]
fn every_short_text_formats_to_a_text_that_stays() {
    let mut formatted = 0;
    let mut kept = Vec::new();
    let mut visit = |text: &str| {
        let Ok(once) = format(text) else { return };
        formatted += 1;
        // kdl 6.7 loses an argument after `#true/-`.
        if let (false, Some(meant)) = (text.contains("#true/-"), meaning(text)) {
            assert_eq!(meaning(&once), Some(meant), "from {text:?}");
        }
        assert_eq!(format(&once).as_deref(), Ok(once.as_str()), "twice, from {text:?}");
        if once == text && !text.is_empty() && !text.ends_with('\n') {
            kept.push(text.to_owned());
        }
    };
    for x in PIECES {
        for y in PIECES {
            for z in PIECES {
                visit(&format!("{x}{y}{z}"));
                visit(&format!("a {x}{y}{z} b"));
                visit(&format!("a {{ b {x}{y}{z} }} // d\nc"));
            }
        }
    }
    assert!(formatted > 2_000, "{formatted}");
    assert_eq!(kept, Vec::<String>::new(), "not understood, so returned as they were");
}

#[test]
fn the_kdl_of_the_repository_is_in_canonical_form() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    kdl_files(&root.join("examples"), &mut files);
    kdl_files(&root.join("rules/std"), &mut files);
    assert!(!files.is_empty());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert_eq!(format(&text), Ok(text), "run `vwfb fmt {}`", file.display());
    }
}

fn kdl_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            kdl_files(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "kdl") {
            into.push(path);
        }
    }
}
