//! A Markdown page as its prose, the files it shows and the commands it has its reader type.

use std::fs;
use std::path::Path;

/// A page, which can be written again as it was.
pub(crate) struct Page {
    pub(crate) blocks: Vec<Block>,
}

/// A part of a page.
pub(crate) enum Block {
    /// Lines that ask for nothing.
    Prose(Vec<String>),
    /// A fence with a file's path after its language: ```` ```kdl hello/BUILD.kdl ````.
    File { fence: String, path: String, lines: Vec<String> },
    /// A `console` fence; `exit=1` after the word is the exit code of its last command.
    Console { fence: String, exit: i32, commands: Vec<Command> },
}

/// A line that begins with `$ `, and the lines below it.
pub(crate) struct Command {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) prints: Vec<String>,
}

impl Page {
    pub(crate) fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self::parse(&text)
    }

    fn parse(text: &str) -> Self {
        let mut blocks = vec![Block::Prose(Vec::new())];
        let mut fenced = false;
        for (index, line) in text.lines().enumerate() {
            let opens = !fenced && line.starts_with("```");
            let closes = fenced && line == "```";
            fenced = (fenced || opens) && !closes;
            match opens.then(|| Block::opened_by(line)).flatten() {
                Some(block) => blocks.push(block),
                None if closes && blocks.last().is_some_and(Block::is_run) => {
                    blocks.push(Block::Prose(vec![line.to_owned()]));
                }
                None => blocks.last_mut().expect("there is a first block").add(index + 1, line),
            }
        }
        Self { blocks }
    }

    /// How many commands the page has its reader type.
    pub(crate) fn commands(&self) -> usize {
        let count = |block: &Block| match block {
            Block::Console { commands, .. } => commands.len(),
            Block::Prose(_) | Block::File { .. } => 0,
        };
        self.blocks.iter().map(count).sum()
    }

    /// The lines outside of files and consoles.
    pub(crate) fn prose(&self) -> impl Iterator<Item = &str> {
        let prose = self.blocks.iter().filter_map(|block| match block {
            Block::Prose(lines) => Some(lines),
            Block::File { .. } | Block::Console { .. } => None,
        });
        prose.flatten().map(String::as_str)
    }

    /// The files that the page's prose links to or shows, each with its heading or nothing.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&str, &str)> {
        self.prose()
            .flat_map(|line| line.split("](").skip(1))
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"))
            .map(|link| link.split_once('#').unwrap_or((link, "")))
    }

    /// Whether a heading of the page is linked to as `anchor`.
    pub(crate) fn has(&self, anchor: &str) -> bool {
        let headings = self.prose().filter(|line| line.starts_with('#'));
        headings.map(|line| line.trim_start_matches('#').trim()).any(|line| slug(line) == anchor)
    }

    /// Writes the page, if it is no longer what is there.
    pub(crate) fn write(&self, path: &Path) {
        let text: String =
            self.blocks.iter().flat_map(Block::text).map(|line| line + "\n").collect();
        if fs::read_to_string(path).is_ok_and(|old| old != text) {
            fs::write(path, text).expect("the page can be written");
        }
    }
}

impl Block {
    /// The block that a fence's first line opens, if it is one to run.
    fn opened_by(line: &str) -> Option<Self> {
        let fence = line.to_owned();
        let (language, rest) =
            line.trim_start_matches('`').split_once(' ').unwrap_or((&line[3..], ""));
        match (language, rest) {
            ("console", rest) => {
                let exit =
                    rest.strip_prefix("exit=").map_or(0, |code| code.parse().expect("a code"));
                Some(Self::Console { fence, exit, commands: Vec::new() })
            }
            (_, "") => None,
            (_, path) => Some(Self::File { fence, path: path.to_owned(), lines: Vec::new() }),
        }
    }

    fn is_run(&self) -> bool {
        !matches!(self, Self::Prose(_))
    }

    fn add(&mut self, number: usize, line: &str) {
        match self {
            Self::Prose(lines) | Self::File { lines, .. } => lines.push(line.to_owned()),
            Self::Console { commands, .. } => match line.strip_prefix("$ ") {
                Some(text) => {
                    commands.push(Command {
                        line: number,
                        text: text.to_owned(),
                        prints: Vec::new(),
                    });
                }
                None => {
                    let command = commands.last_mut().expect("a console begins with a command");
                    command.prints.push(line.to_owned());
                }
            },
        }
    }

    /// The block's lines.
    fn text(&self) -> Vec<String> {
        match self {
            Self::Prose(lines) => lines.clone(),
            Self::File { fence, lines, .. } => [vec![fence.clone()], lines.clone()].concat(),
            Self::Console { fence, commands, .. } => {
                let shown = |command: &Command| {
                    [vec![format!("$ {}", command.text)], command.prints.clone()].concat()
                };
                [vec![fence.clone()], commands.iter().flat_map(shown).collect()].concat()
            }
        }
    }
}

/// A heading as links name it.
fn slug(heading: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || " -_".contains(*c);
    heading.to_lowercase().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}
