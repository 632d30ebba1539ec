//! Runs the pages for people: the files they show are written, their commands are run, and what
//! those print is compared with what the pages say.
//!
//! `UPDATE=1 cargo test --test docs` writes anew what commands print.

mod compare;
mod page;
mod session;

use std::path::Path;

use page::{Block, Command, Page};
use session::Session;

/// The pages that show commands; those of one list are run in one home folder, in this order.
const PAGES: [&[&str]; 6] = [
    &["README.md"],
    &["docs/guide/week.md"],
    &["docs/guide/new.md"],
    &["docs/guide/tutorial.md", "docs/guide/why-plan-query.md", "docs/guide/store-and-sandbox.md"],
    &["docs/guide/import.md"],
    &["docs/guide/services.md"],
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
    run(PAGES[3]);
}

#[test]
fn the_week_goes_as_it_says() {
    run(PAGES[1]);
}

#[test]
fn templates_are_as_they_are_described() {
    run(PAGES[2]);
}

#[test]
fn workflows_are_imported_as_it_is_described() {
    run(PAGES[4]);
}

#[test]
fn services_are_as_they_are_described() {
    run(PAGES[5]);
}

#[test]
fn every_page_with_commands_is_run() {
    let forgotten: Vec<String> = guide()
        .filter(|name| Page::read(&root().join(name)).commands() > 0)
        .filter(|name| !PAGES.concat().contains(&name.as_str()))
        .collect();
    assert_eq!(forgotten, Vec::<String>::new(), "name them in PAGES");
}

#[test]
fn every_link_and_picture_leads_somewhere() {
    let others = ["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/glossary.md"];
    let mut dead = Vec::new();
    for name in others.into_iter().map(str::to_owned).chain(guide()) {
        let path = root().join(&name);
        for (link, anchor) in Page::read(&path).links() {
            let file = match link {
                "" => path.clone(),
                link => path.parent().expect("a page is in a folder").join(link),
            };
            if !file.exists() || !(anchor.is_empty() || Page::read(&file).has(anchor)) {
                dead.push(format!("{name}: {link}#{anchor}"));
            }
        }
    }
    assert_eq!(dead, Vec::<String>::new());
}

#[test]
fn the_glossary_has_each_word_once_and_in_order() {
    let page = Page::read(&root().join("docs/glossary.md"));
    let rows = page.prose().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words: Vec<&str> = rows.skip(1).collect();
    assert!(words.is_sorted_by(|one, next| one < next), "{words:?}");
}

/// The pages of the guide.
fn guide() -> impl Iterator<Item = String> {
    let entries = std::fs::read_dir(root().join("docs/guide")).expect("the guide is a folder");
    let names = entries.map(|entry| entry.expect("the guide can be read").file_name());
    names.map(|name| format!("docs/guide/{}", name.display()))
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
