//! Workflows that somebody damaged: whatever they are, they are refused or become a package.

use vwfb_import::{Engines, Ground, import, package_name};
use vwfb_rules::label::WsPath;
use vwfb_rules::{format::format, package};

const WORKFLOWS: [&str; 2] =
    [include_str!("../../tests/import/film.yaml"), include_str!("../../tests/import/kinds.yaml")];

/// What is put where something was.
const WORDS: [&str; 16] = [
    "{{ project_name }}",
    "{x}",
    "\"\"\"",
    "~",
    "[]",
    "{}",
    "- ",
    ": ",
    "../../..",
    "/",
    "work/mixed.mp4",
    "work/slide.png",
    "\\",
    "\u{202e}",
    "all",
    "99999999999999999999",
];

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most.max(1)
    }
}

/// `text` with a few lines gone, doubled, moved, or with other words in them.
fn damaged(text: &str, chance: &mut Chance) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=chance.below(2) {
        let at = chance.below(lines.len());
        let other = chance.below(lines.len());
        match chance.below(12) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            _ => {
                let word = WORDS[chance.below(WORDS.len())];
                let line = &mut lines[at];
                let words: Vec<&str> = line.split(' ').collect();
                // Most often the end of a value, which leaves a workflow that can be read.
                let place =
                    if chance.below(4) > 0 { words.len() - 1 } else { chance.below(words.len()) };
                let old = words[place].to_owned();
                *line = line.replacen(&old, word, 1);
            }
        }
    }
    lines.join("\n")
}

#[test]
fn whatever_a_workflow_says_is_refused_or_becomes_a_package() {
    let file = WsPath::new("w.yaml").expect("it is a path");
    let mut chance = Chance(7);
    let (mut good, mut bad) = (0, 0);
    for round in 0..3000 {
        let text = damaged(WORKFLOWS[round % 2], &mut chance);
        let ground = Ground {
            root: "/films".into(),
            workdir: "/films/w".into(),
            package: WsPath::new("w")
                .and_then(|it| it.join(&package_name("w", "")))
                .expect("a path"),
            exists: &|path| path.ends_with("assets/background.png"),
        };
        let engines = if round % 4 < 2 { Engines::Embedded } else { Engines::Services };
        let imported = match import(&file, &text, &ground, engines) {
            Ok(imported) => imported,
            Err(problems) => {
                assert!(!problems.is_empty(), "{text}");
                bad += 1;
                continue;
            }
        };
        good += 1;
        let (path, build) = &imported.files[0];
        assert_eq!(path, "BUILD.kdl");
        let checked = package(&WsPath::new("w/BUILD.kdl").expect("a path"), build);
        assert_eq!(checked.problems, [], "{text}\n{build}");
        assert_eq!(format(build).as_deref(), Ok(build.as_str()), "{text}");
        let mut paths: Vec<&String> = imported.files.iter().map(|(path, _)| path).collect();
        paths.sort();
        paths.dedup();
        assert_eq!(paths.len(), imported.files.len(), "{paths:?}\n{text}");
        assert!(
            paths.iter().all(|path| !path.contains("..") && !path.starts_with('/')),
            "{paths:?}"
        );
    }
    assert!(good > 300 && bad > 300, "{good} {bad}");
}
