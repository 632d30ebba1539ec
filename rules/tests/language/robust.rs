//! No text makes the rule language panic, whatever it says about it.

use crate::world::World;

const BUILD: &str = include_str!("../../../examples/hello/BUILD.kdl");
const WORKSPACE: &str = include_str!("../../../examples/WORKSPACE.kdl");
const RULES: &str = include_str!("../../std/image.kdl");

/// Pieces that damage a rule file in places that matter.
const PIECES: &[&str] = &[
    "{",
    "}",
    "\"",
    "{{",
    "{vars.",
    "{out}",
    "{srcs}",
    ":",
    "//",
    "#",
    "[",
    "]",
    "\n",
    " ",
    "=",
    "..",
    "(glob)",
    "#true",
    "#null",
    "-1",
    "9e99",
    "\\",
    "'",
    "<<EOF\n",
    "é",
    "/-",
    "\"\"\"",
    "task \"x\" {",
    "rule \"r\" {",
    "attr \"a\" type=",
    "list=#true",
    "map=#true",
    "%zz",
    "{name.x.y}",
    "$(",
    "`",
];

/// A number generator of fixed seed, so that a failure repeats.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap_or(0) % limit
    }

    /// `text` with a piece put in, or some of it taken out.
    fn damaged(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..=self.below(3) {
            let at = text.floor_char_boundary(self.below(text.len() + 1));
            let end = text.floor_char_boundary((at + self.below(12)).min(text.len()));
            match self.below(3) {
                0 => text.replace_range(at..end.max(at), ""),
                _ => text.insert_str(at, PIECES[self.below(PIECES.len())]),
            }
        }
        text
    }
}

#[test]
fn damaged_files_give_diagnostics_and_nothing_worse() {
    let mut random = Random(11);
    let library = RULES.replace("svg_render", "own_render");
    for round in 0..600 {
        let mut texts = [WORKSPACE, BUILD, library.as_str()].map(str::to_owned);
        let which = round % 3;
        texts[which] = random.damaged(&texts[which]);
        let build =
            format!("use \"//lib/r.kdl\"\n{}\nown_render \"pic\" src=\"a.svg\"\n", texts[1]);
        let world = World::new(&[
            ("WORKSPACE.kdl", &texts[0]),
            ("hello/BUILD.kdl", &build),
            ("lib/r.kdl", &texts[2]),
            ("hello/greeting.txt", ""),
            ("hello/a.svg", ""),
            ("hello/parts/1.txt", ""),
        ]);
        let _ = world.rendered();
    }
}
