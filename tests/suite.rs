//! The Markdown suites of the rule language, and the examples of the error pages as tests.
//!
//! In a suite each heading below the title is a test. Its `kdl` blocks are rule files (`kdl lib/rules.kdl`;
//! `BUILD.kdl` if it does not say), a `text NAME` block is another file, a `files` block names
//! empty ones, and an `sh` block is the command that is run, `vwfb check` with its options. A
//! problem is expected by a comment above the line it is about, `// error[code]: message`, with
//! `// hint: ...` below it where the hint matters; above the command stand those without a line.
//! `task LABEL`, `targets`, `outputs` and `diagnostics` blocks are snapshots, which
//! `UPDATE_SUITE=1 cargo test --test suite` writes anew.

#[path = "suite/expect.rs"]
mod expect;
#[path = "suite/harness.rs"]
mod harness;
#[path = "suite/markdown.rs"]
mod markdown;
#[path = "suite/memory.rs"]
mod memory;
#[path = "suite/run.rs"]
mod run;
#[path = "suite/show.rs"]
mod show;
#[path = "suite/world.rs"]
mod world;

use std::fs;
use std::path::{Path, PathBuf};

use vwfb_rules::codes;

macro_rules! suites {
    ($($name:ident: $path:literal;)*) => {
        $(#[test] fn $name() { check(&[$path.to_owned()]); })*

        /// The suites that are run.
        const SUITES: &[&str] = &[$($path),*];
    };
}

suites! {
    the_language_guide: "docs/guide/language.md";
    checkpoint: "tests/suite/core/checkpoint.md";
    common: "tests/suite/core/common.md";
    others: "tests/suite/core/others.md";
    task: "tests/suite/core/task.md";
    cycles: "tests/suite/diagnostics/cycles.md";
    rendering: "tests/suite/diagnostics/rendering.md";
    several: "tests/suite/diagnostics/several.md";
    globs: "tests/suite/files/globs.md";
    media: "tests/suite/files/media.md";
    placeholders: "tests/suite/files/placeholders.md";
    sources: "tests/suite/files/sources.md";
    labels: "tests/suite/names/labels.md";
    packages: "tests/suite/names/packages.md";
    patterns: "tests/suite/names/patterns.md";
    outputs: "tests/suite/outputs/outputs.md";
    env: "tests/suite/process/env.md";
    stdio: "tests/suite/process/stdio.md";
    attributes: "tests/suite/rules/attributes.md";
    definition: "tests/suite/rules/definition.md";
    preludes: "tests/suite/rules/preludes.md";
    types: "tests/suite/rules/types.md";
    each: "tests/suite/many/each.md";
    matrix: "tests/suite/many/matrix.md";
    templates: "tests/suite/many/templates.md";
    instances: "tests/suite/many/instances.md";
    std: "tests/suite/sharing/std.md";
    rule_files: "tests/suite/sharing/rule_files.md";
    workspace: "tests/suite/sharing/workspace.md";
    encoding: "tests/suite/syntax/encoding.md";
    kdl: "tests/suite/syntax/kdl.md";
    kdl1: "tests/suite/syntax/kdl1.md";
    interpolation: "tests/suite/texts/interpolation.md";
    scripts: "tests/suite/texts/scripts.md";
    toolchains: "tests/suite/tools/toolchains.md";
    tools: "tests/suite/tools/tools.md";
    overrides: "tests/suite/vars/overrides.md";
    profiles: "tests/suite/vars/profiles.md";
    variables: "tests/suite/vars/variables.md";
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Markdown files below `folder`, as paths from the root, sorted.
fn markdown_files(folder: &str) -> Vec<String> {
    let mut folders = vec![PathBuf::from(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("the folder can be read") {
            let path = folder.join(entry.expect("the entry can be read").file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                files.push(path.display().to_string());
            }
        }
    }
    files.sort();
    files
}

/// Runs the tests of these files.
#[track_caller]
fn check(files: &[String]) {
    let faults: Vec<String> =
        files.iter().flat_map(|file| run::run(&root().join(file), file)).collect();
    assert!(faults.is_empty(), "{} tests fail\n\n{}\n", faults.len(), faults.join("\n\n"));
}

#[test]
fn every_suite_is_run() {
    let mut listed: Vec<&str> = SUITES.to_vec();
    listed.retain(|suite| suite.starts_with("tests/suite/"));
    listed.sort_unstable();
    assert_eq!(markdown_files("tests/suite"), listed);
}

fn page_of(code: codes::Code) -> String {
    format!("docs/errors/{code}.md")
}

#[test]
fn every_code_has_its_page_and_every_page_its_code() {
    let mut pages: Vec<String> = codes::ALL.iter().map(|(code, _)| page_of(*code)).collect();
    pages.sort();
    assert_eq!(markdown_files("docs/errors"), pages);
}

#[test]
fn every_page_begins_with_its_code_and_what_it_means() {
    for (code, title) in codes::ALL {
        let page = run::read(&root().join(page_of(*code)));
        assert_eq!(page.title, code.as_str());
        assert!(page.lead.starts_with(title), "{code}: `{}`", page.lead);
    }
}

#[test]
fn every_page_shows_its_problem_and_how_to_mend_it() {
    for (code, _) in codes::ALL {
        let page = run::read(&root().join(page_of(*code)));
        let headings: Vec<&str> = page.cases.iter().map(|case| case.heading.as_str()).collect();
        assert_eq!(headings, ["Example", "Mended"], "{code}");
        let shows = |case: &markdown::Case| {
            let said = format!(" error[{code}]: ");
            case.fences.iter().any(|fence| fence.text.contains(&said))
        };
        assert!(shows(&page.cases[0]), "{code}: the example does not show it");
        let clean = |fence: &markdown::Fence| !fence.text.contains("error[");
        assert!(page.cases[1].fences.iter().all(clean), "{code}: it is not mended");
        assert!(page.cases.iter().all(|case| !case.fences.is_empty()), "{code}: no example");
    }
}

#[test]
fn every_example_of_the_pages_is_right() {
    check(&markdown_files("docs/errors"));
}
