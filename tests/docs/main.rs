//! Runs the pages for people: the files they show are written, their commands are run, and what
//! those print is compared with what the pages say.
//!
//! `UPDATE=1 cargo test --test docs` writes anew what commands print.

mod compare;
mod page;
mod session;

use std::path::{Path, PathBuf};

use page::{Block, Command, Page};
use session::Session;

/// The pages that show commands; those of one list are run in one home folder, in this order.
const PAGES: [&[&str]; 2] = [
    &["README.md"],
    &["docs/guide/tutorial.md", "docs/guide/why-plan-query.md", "docs/guide/store-and-sandbox.md"],
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_readme_does_what_it_says() {
    run(PAGES[0]);
}

#[test]
fn the_guide_does_what_it_says() {
    run(PAGES[1]);
}

#[test]
fn every_page_with_commands_is_run() {
    let guide = std::fs::read_dir(root().join("docs/guide")).expect("the guide is a folder");
    let names = guide.map(|entry| entry.expect("the guide can be read").file_name());
    let pages = names.map(|name| PathBuf::from("docs/guide").join(name));
    let forgotten: Vec<PathBuf> = pages
        .filter(|path| Page::read(&root().join(path)).commands() > 0)
        .filter(|path| !PAGES.concat().iter().any(|page| Path::new(page) == path))
        .collect();
    assert_eq!(forgotten, [] as [PathBuf; 0], "name them in PAGES");
}

#[test]
fn every_link_and_picture_leads_somewhere() {
    let mut dead = Vec::new();
    for name in PAGES.concat().into_iter().chain(["docs/guide/README.md"]) {
        let path = root().join(name);
        let folder = path.parent().expect("a page is in a folder");
        dead.extend(
            Page::read(&path)
                .links()
                .filter(|link| !folder.join(link).exists())
                .map(|link| format!("{name}: {link}")),
        );
    }
    assert_eq!(dead, Vec::<String>::new());
}

/// Runs `names` in one home, and fails with every difference, unless it is to write them.
fn run(names: &[&str]) {
    let update = std::env::var_os("UPDATE").is_some();
    let mut session = Session::new();
    let mut wrong = Vec::new();
    for name in names {
        let path = root().join(name);
        let mut page = Page::read(&path);
        session.go_home();
        let found = play(&mut page, &mut session);
        wrong.extend(found.iter().map(|problem| format!("{name}:{problem}")));
        if update {
            page.write(&path);
        }
    }
    assert!(update || wrong.is_empty(), "\n{}", wrong.join("\n"));
}

/// Runs `page`, puts into it what its commands print, and returns where that was different.
fn play(page: &mut Page, session: &mut Session) -> Vec<String> {
    let mut wrong = Vec::new();
    for block in &mut page.blocks {
        match block {
            Block::Prose(_) => {}
            Block::File { path, lines, .. } => session.write(path, lines),
            Block::Console { exit, commands, .. } => {
                let last = commands.len().saturating_sub(1);
                for (index, command) in commands.iter_mut().enumerate() {
                    let exit = if index == last { *exit } else { 0 };
                    wrong.extend(step(command, exit, session));
                }
            }
        }
    }
    wrong
}

/// Runs one command that should end with `exit`, and says what is not as the page has it.
fn step(command: &mut Command, exit: i32, session: &mut Session) -> Option<String> {
    let ran = session.run(&command.text);
    let mut problem = String::new();
    if ran.code != Some(exit) {
        problem = format!("exit code {:?}, not {exit}\n{}", ran.code, ran.lines.join("\n"));
    } else if !compare::alike(&command.prints, &ran.lines) {
        problem = format!(
            "the page says\n{}\nbut it prints\n{}",
            command.prints.join("\n"),
            ran.lines.join("\n")
        );
        if !command.prints.iter().any(|line| line == compare::ANYTHING) {
            command.prints = ran.lines;
        }
    }
    (!problem.is_empty()).then(|| format!("{}: `{}`: {problem}", command.line, command.text))
}
