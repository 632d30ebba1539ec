//! The command reference, from clap's grammar.

use std::fmt::Write as _;

use clap::builder::StyledStr;
use clap::{Arg, Command, CommandFactory};

use crate::args::CommandLine;

const HEAD: &str = "\
# Commands

This page is generated from the command line's own grammar: `vwfb __docs commands` prints it, and a
test compares it with that.

";

const EXIT_CODES: &str = "\
## Exit codes

| code | meaning |
| --- | --- |
| 0 | success |
| 1 | a task failed, or `fmt --check` or `cache verify` found something |
| 2 | the command line is not understood |
| 3 | the workspace is not understood |
| 4 | the machine stands in the way: the disk, the store, a missing tool or service, the kernel |
| 5 | a build waits for people, or a decision is about what is not there any more |
| 70 | a bug in vwfb |
| 130, 143 | cancelled by Ctrl-C or SIGTERM |

If several hold, it is the first of 70, 130 or 143, 4, 3, 1, 5.

Results go to standard output, all else to standard error. A reader that closes standard output
early is not an error.
";

/// The page.
pub(super) fn page() -> String {
    let mut root = CommandLine::command();
    root.build();
    let mut page = HEAD.to_owned();
    for command in visible(&root) {
        section(&mut page, command, "vwfb", 2);
    }
    page.push_str("## Options of every command\n\n");
    let global = root.get_arguments().filter(|arg| arg.is_global_set());
    global.for_each(|arg| item(&mut page, arg));
    page.push('\n');
    page.push_str(EXIT_CODES);
    page
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|sub| !sub.is_hide_set())
}

fn section(page: &mut String, command: &Command, above: &str, level: usize) {
    let name = format!("{above} {}", command.get_name());
    let about = command.get_about().map(plain).unwrap_or_default();
    let _ = write!(page, "{} {name}\n\n{about}.\n\n", "#".repeat(level));
    let _ = write!(page, "```text\n{}\n```\n\n", usage(command, &name));
    let arguments = command
        .get_arguments()
        .filter(|arg| !arg.is_hide_set() && !arg.is_global_set() && arg.get_id() != "help");
    let before = page.len();
    arguments.for_each(|arg| item(page, arg));
    if page.len() > before {
        page.push('\n');
    }
    if let Some(more) = command.get_after_long_help() {
        let _ = write!(page, "```text\n{}\n```\n\n", plain(more));
    }
    for sub in visible(command) {
        section(page, sub, &name, level + 1);
    }
}

fn usage(command: &Command, name: &str) -> String {
    let usage = plain(&command.clone().render_usage());
    let usage = usage.trim_start_matches("Usage: ").to_owned();
    let after = usage.split_once(command.get_name()).map_or("", |(_, after)| after);
    format!("{name}{after}")
}

fn item(page: &mut String, arg: &Arg) {
    let mut names = Vec::new();
    names.extend(arg.get_short().map(|short| format!("-{short}")));
    names.extend(arg.get_long().map(|long| format!("--{long}")));
    let value = arg.get_value_names().filter(|_| arg.get_action().takes_values());
    let value = value.map(|value| value.iter().map(|name| format!("<{name}>")).collect::<String>());
    let mut shown = names.join(", ");
    if let Some(value) = value {
        let optional = arg.get_num_args().is_some_and(|range| range.min_values() == 0);
        shown = match shown.is_empty() {
            true => value,
            false if optional && arg.is_require_equals_set() => format!("{shown}[={value}]"),
            false => format!("{shown} {value}"),
        };
    }
    let help = arg.get_help().map(plain).unwrap_or_default();
    let text = escaped(&help) + &values(arg);
    let stop = if text.ends_with('.') { "" } else { "." };
    let _ = writeln!(page, "- `{shown}`: {text}{stop}");
}

/// The values to choose from, and which holds by default.
fn values(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    let choices: Vec<String> = arg
        .get_possible_values()
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    let default: Vec<String> = arg
        .get_default_values()
        .iter()
        .filter(|value| !value.is_empty())
        .map(|value| format!("`{}`", value.to_string_lossy()))
        .collect();
    let mut text = String::new();
    if !choices.is_empty() {
        let _ = write!(text, "; one of {}", choices.join(", "));
    }
    if !default.is_empty() {
        let _ = write!(text, "; {} by default", default.join(", "));
    }
    text
}

fn plain(text: &StyledStr) -> String {
    text.to_string().trim().to_owned()
}

/// Text as Markdown; what stands between backticks is as it is.
fn escaped(text: &str) -> String {
    let parts = text.split('`').enumerate().map(|(number, part)| match number % 2 {
        0 => part.replace('<', "\\<").replace('[', "(").replace(']', ")"),
        _ => part.to_owned(),
    });
    parts.collect::<Vec<_>>().join("`")
}
