//! Rule files bent out of shape: the loader never panics, and all it says is well formed.
//!
//! `VWFB_FUZZ` sets how many files, `VWFB_SEED` repeats a run.

mod paper;

use std::fs;
use std::path::Path;

use vwfb_rules::codes;
use vwfb_rules::diagnostic::Diagnostic;
use vwfb_rules::format::format;
use vwfb_rules::label::WsPath;
use vwfb_rules::library;
use vwfb_rules::render::{RenderOptions, position, render};
use vwfb_rules::{package, rule_file, spans, workspace};

use crate::random::{Random, Replay, number, seed};

/// How many files without another wish.
const FILES: u64 = 4000;

/// What hurts readers of KDL, thrown in anywhere.
const TOKENS: &[&str] = &[
    "{",
    "}",
    "(",
    ")",
    "\"",
    "\"\"\"",
    "#\"",
    "\"#",
    "##\"",
    "\\",
    "\\\n",
    ";",
    "\n",
    "\r",
    "\r\n",
    "/-",
    "/*",
    "*/",
    "//",
    "=",
    "#true",
    "#null",
    "#inf",
    "#nan",
    "true",
    "{{",
    "}}",
    "{x}",
    "{vars.x}",
    "{out.}",
    "{.}",
    "0x",
    "1e999",
    "-",
    "--1",
    "99999999999999999999999",
    "(glob)",
    "(glob)\"**/*\"",
    "\u{feff}",
    "\u{0}",
    "\u{85}",
    "\u{2028}",
    "\u{202e}",
    "\u{e9}",
    "\u{1f3ac}",
    "\\u{110000}",
    "\\u{d800}",
    "\\s",
    "task",
    "rule",
    "attr",
    "out",
    "use",
    "vars",
    "run",
    "args",
    "if=",
    "type=",
    "\":a\"",
    "\"//a:b\"",
    "\"../x\"",
    "\"@std/video\"",
    "\"\"",
    "srcs",
    "script",
];

/// Everything in the project that is, or holds, rule files.
fn corpus() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for folder in ["examples", "rules/std", "tests/suite", "docs/errors"] {
        collect(&root.join(folder), &mut texts);
    }
    assert!(texts.len() > 100, "only {} texts", texts.len());
    texts
}

fn collect(folder: &Path, texts: &mut Vec<String>) {
    let mut paths: Vec<_> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths {
        match path.extension().and_then(|extension| extension.to_str()) {
            _ if path.is_dir() => collect(&path, texts),
            Some("kdl") => texts.push(fs::read_to_string(&path).unwrap()),
            Some("md") => fences(&fs::read_to_string(&path).unwrap(), texts),
            _ => {}
        }
    }
}

/// The `kdl` fences of a page.
fn fences(page: &str, texts: &mut Vec<String>) {
    for fence in page.split("```kdl").skip(1) {
        let text = fence.split("```").next().unwrap_or_default();
        texts.extend(text.split_once('\n').map(|(_, text)| text.to_owned()));
    }
}

/// A place in `text` between two characters.
fn place(text: &str, random: &mut Random) -> usize {
    text.floor_char_boundary(random.below(text.len() + 1))
}

/// A piece of `text`, mostly short.
fn piece<'t>(text: &'t str, random: &mut Random) -> &'t str {
    let start = place(text, random);
    let longest = if random.below(4) == 0 { text.len() } else { 40 };
    let end = text.floor_char_boundary((start + random.below(longest + 1)).min(text.len()));
    &text[start..end.max(start)]
}

/// `text` with one thing wrong.
fn bent(text: &str, other: &str, random: &mut Random) -> String {
    let (at, part) = (place(text, random), piece(text, random));
    let (before, after) = text.split_at(at);
    match random.below(9) {
        0 => flipped(text, random),
        1 => format!("{before}{}{after}", random.choose(TOKENS)),
        2 => format!("{before}{}{after}", piece(other, random)),
        3 if !part.is_empty() => text.replacen(part, TOKENS[random.below(TOKENS.len())], 1),
        4 if !part.is_empty() => text.replacen(part, "", 1),
        5 => format!("{before}{}{after}", part.repeat(1 + random.below(5))),
        6 => before.to_owned(),
        7 => nested(before, after, random),
        _ => swapped(text, random),
    }
}

/// One byte is another, and what is no text any more is marked.
fn flipped(text: &str, random: &mut Random) -> String {
    let mut bytes = text.as_bytes().to_vec();
    if let Some(last) = bytes.len().checked_sub(1) {
        bytes[random.below(last + 1)] ^= 1 << random.below(8);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn nested(before: &str, after: &str, random: &mut Random) -> String {
    let open = *random.choose(&["a {", "{", "(", "/* ", "/- a {", "task \"t\" {\n"]);
    let depth = *random.choose(&[1, 2, 63, 64, 65, 3000]);
    let close = if random.below(2) == 0 { "}".repeat(depth) } else { String::new() };
    format!("{before}{}{close}{after}", open.repeat(depth))
}

fn swapped(text: &str, random: &mut Random) -> String {
    let mut words: Vec<&str> = text.split_inclusive(' ').collect();
    let (one, two) = (random.below(words.len().max(1)), random.below(words.len().max(1)));
    if !words.is_empty() {
        words.swap(one, two);
    }
    words.concat()
}

/// Reads `text` as every kind of rule file, and looks at all that is said of it.
fn read(text: &str) {
    let file = WsPath::new("p/BUILD.kdl").unwrap();
    let mut problems = paper::problems(text);
    problems.extend(package(&file, text).problems);
    problems.extend(rule_file(&file, text).problems);
    problems.extend(workspace(&file, text).problems);
    let _spans = spans(text);
    for problem in problems.iter().take(30) {
        assert_well_formed(problem, text);
    }
    let Ok(formatted) = format(text) else { return };
    assert_eq!(format(&formatted).as_deref(), Ok(formatted.as_str()), "formatted twice");
}

/// The text of a file of the workspace, which is `text` unless it is not the package's to say.
fn text_of(file: &WsPath, text: &str) -> Option<String> {
    match file.as_str() {
        "WORKSPACE.kdl" => Some(paper::WORKSPACE.to_owned()),
        path if path.starts_with("@std/") => library::source(file).map(str::to_owned),
        _ => Some(text.to_owned()),
    }
}

fn assert_well_formed(problem: &Diagnostic, text: &str) {
    assert!(codes::ALL.iter().any(|(code, _)| *code == problem.code), "{:?}", problem.code);
    assert!(!problem.message.is_empty(), "{problem:?}");
    let source = |file: &WsPath| text_of(file, text);
    for place in &problem.places {
        let text = source(&place.anchor.file).unwrap();
        let range = spans(&text).resolve(&place.anchor);
        assert!(text.get(range.clone()).is_some(), "{range:?} of {}: {problem:?}", text.len());
    }
    if let Some((_, line, column)) = position(problem, &source) {
        assert!(line >= 1 && column >= 1, "{problem:?}");
    }
    let options = RenderOptions { color: false, unicode: true, width: 80 };
    assert!(render(problem, &source, options).starts_with(['e', 'w']), "{problem:?}");
}

#[test]
fn the_loader_bears_any_text() {
    let texts = corpus();
    for text in &texts {
        read(text);
    }
    let seed = seed();
    for at in 0..number("VWFB_FUZZ").unwrap_or(FILES) {
        let test = "cargo test --test hard fuzz";
        let this = seed.wrapping_add(at);
        let _replay = Replay(format!("VWFB_SEED={this} VWFB_FUZZ=1 {test}"));
        let mut random = Random::new(this);
        let mut text = random.choose(&texts).clone();
        for _ in 0..=random.below(4) {
            let other = random.below(texts.len());
            text = bent(&text, &texts[other], &mut random);
        }
        text.truncate(text.floor_char_boundary(20_000));
        read(&text);
    }
}

#[test]
fn any_bytes_at_all_are_borne() {
    let seed = seed();
    let _replay = Replay(format!("VWFB_SEED={seed} cargo test --test hard fuzz"));
    let mut random = Random::new(seed);
    for _ in 0..500 {
        let length = random.below(300);
        let noise: Vec<u8> = (0..length).map(|_| random.next().to_le_bytes()[0]).collect();
        read(&String::from_utf8_lossy(&noise));
        let tokens: String = (0..length / 8).map(|_| *random.choose(TOKENS)).collect();
        read(&tokens);
    }
}
