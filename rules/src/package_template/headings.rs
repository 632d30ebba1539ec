//! What a file that is given to a template is divided into.

use crate::codes::BAD_NODE;
use crate::diagnostic::{Anchor, Diagnostic};
use crate::read::{self, Problems};
use crate::syntax::Node;

/// The headings of the second level that a Markdown file may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headings {
    /// The param that is given the file.
    pub param: String,
    /// The headings.
    pub allowed: Vec<String>,
    /// Where they are declared.
    pub(super) anchor: Anchor,
}

impl Headings {
    pub(super) fn read(node: &Node, problems: &mut Problems) -> Option<Self> {
        read::only_props(node, &[], problems);
        read::no_children(node, problems);
        let mut texts = Vec::new();
        for value in &node.args {
            texts.push(read::text(value, "a text", problems)?.to_owned());
        }
        if texts.len() < 2 {
            let message = "`headings` needs a param and the headings of its file";
            problems.push(Diagnostic::error(BAD_NODE, message).at(&node.anchor));
            return None;
        }
        Some(Self { param: texts.remove(0), allowed: texts, anchor: node.anchor.clone() })
    }

    /// What is wrong with the headings of `text`, if anything is.
    pub fn problem(&self, text: &str) -> Option<String> {
        let mut found = Vec::new();
        let mut fence = None;
        for line in text.lines().map(|line| line.trim_start_matches('\u{feff}')) {
            let mark = ["```", "~~~"].into_iter().find(|mark| line.trim_start().starts_with(mark));
            match (fence, mark) {
                (None, Some(mark)) => fence = Some(mark),
                (Some(open), Some(mark)) if open == mark => fence = None,
                (None, None) => found.extend(heading(line)),
                _ => {}
            }
        }
        let first = self.allowed.first().map_or("", String::as_str);
        if found.is_empty() {
            return Some(format!("it has no heading such as `## {first}`"));
        }
        let is_odd = |heading: &&&str| self.allowed.iter().all(|it| plain(it) != plain(heading));
        if let Some(odd) = found.iter().find(is_odd) {
            return Some(format!("nothing belongs to its heading `## {odd}`"));
        }
        let is_again = |at: &usize| found[..*at].iter().any(|it| plain(it) == plain(found[*at]));
        let again = (0..found.len()).find(is_again)?;
        Some(format!("it has the heading `## {}` twice", found[again]))
    }
}

/// The heading of the second level that a line is.
fn heading(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("##")?;
    (rest.is_empty() || rest.starts_with([' ', '\t'])).then(|| rest.trim())
}

/// A heading as sections are named: letters and digits, with a hyphen for all between them.
fn plain(heading: &str) -> String {
    let words = heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use crate::label::WsPath;
    use crate::package_template::package_template;

    #[test]
    fn headings_are_those_that_belong_to_something() {
        let text = "params { words type=\"file\" optional=#true }\nheadings \"words\" \"Intro\" \"Concept 1\"";
        let checked = package_template(&WsPath::new("t/template.kdl").unwrap(), text);
        assert_eq!(checked.problems, []);
        let headings = &checked.value.headings[0];
        let problem = |text: &str| headings.problem(text).unwrap_or_default();
        assert_eq!(
            problem("# Title\n\n## INTRO\n### More\n```\n## code\n```\n## Concept  1\n"),
            ""
        );
        assert_eq!(problem("INTRO:\nHello.\n"), "it has no heading such as `## Intro`");
        assert_eq!(problem("## Intro\n## Outro\n"), "nothing belongs to its heading `## Outro`");
        assert_eq!(problem("## Intro\n## intro\n"), "it has the heading `## intro` twice");
    }

    #[test]
    fn headings_belong_to_a_file() {
        let file = WsPath::new("t/template.kdl").unwrap();
        let problems = |text: &str| package_template(&file, text).problems.len();
        assert_eq!(problems("params { n type=\"int\" }\nheadings \"n\" \"Intro\""), 1);
        assert_eq!(problems("headings \"n\""), 1);
    }
}
