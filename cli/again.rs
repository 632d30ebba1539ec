//! The command that runs a failed task again.

use std::borrow::Cow;

use vwfb_engine::event::{Event, TaskFinished};
use vwfb_rules::label::Label;
use vwfb_rules::vars::VarOverride;

use clap::Parser;

use crate::args::{BuildArgs, Command, CommandLine, GlobalArgs, Sandbox, VarArgs};

/// How a person runs a failed task of this build again.
#[derive(Debug, Clone)]
pub(crate) struct Again {
    /// Whether working folders of failed tasks are kept. Without its folder a task's own command
    /// has no inputs.
    keeps: bool,
    /// The options that a build of the same configuration needs, each after a space.
    options: String,
}

impl Again {
    /// What a build with these options needs.
    pub(crate) fn new(global: &GlobalArgs, args: &BuildArgs) -> Self {
        let mut options = String::new();
        let mut add = |name: &str, value: &str| {
            options.push_str(&format!(" {name} {}", quoted(value)));
        };
        match args.sandbox {
            Sandbox::Auto => {}
            Sandbox::Require => add("--sandbox", "require"),
            Sandbox::Off => add("--sandbox", "off"),
        }
        let (place, vars) = (place_options(global), var_options(&args.vars));
        Self { keeps: args.keep_failed, options: format!("{place}{options}{vars}") }
    }

    /// The event as it is told: a task whose working folder is gone is run again by a build that
    /// keeps it.
    pub(crate) fn told<'e>(&self, event: &'e Event) -> Cow<'e, Event> {
        match event {
            Event::TaskFinished(finished) if finished.reproduce.is_some() && !self.keeps => {
                let reproduce = Some(self.command(&finished.label).into());
                let finished = TaskFinished { reproduce, ..TaskFinished::clone(finished) };
                Cow::Owned(Event::TaskFinished(Box::new(finished)))
            }
            _ => Cow::Borrowed(event),
        }
    }

    fn command(&self, label: &Label) -> String {
        let label = quoted(&label.to_string());
        format!("vwfb build {label} --keep-failed{}", self.options)
    }
}

/// The options that a command about the same workspace and store needs, each after a space.
pub(crate) fn place_options(global: &GlobalArgs) -> String {
    let mut options = String::new();
    let folders = [("-C", &global.directory), ("--store", &global.store)];
    for (name, folder) in folders {
        if let Some(folder) = folder {
            options.push_str(&format!(" {name} {}", quoted(&folder.to_string_lossy())));
        }
    }
    options
}

/// The options that a command about the same configuration needs, each after a space.
pub(crate) fn var_options(vars: &VarArgs) -> String {
    words(vars).iter().map(|word| format!(" {}", quoted(word))).collect()
}

/// The same as JSON, to be remembered.
pub(crate) fn var_words(vars: &VarArgs) -> String {
    serde_json::Value::from(words(vars)).to_string()
}

/// What [`var_words`] wrote.
pub(crate) fn remembered(text: &str) -> Option<VarArgs> {
    let words: Vec<String> = serde_json::from_str(text).ok()?;
    let all = ["vwfb", "check"].into_iter().map(str::to_owned).chain(words);
    match CommandLine::try_parse_from(all).ok()?.command {
        Command::Check(args) => Some(args.vars),
        _ => None,
    }
}

fn words(VarArgs { vars, files, profile }: &VarArgs) -> Vec<String> {
    let mut words = Vec::new();
    let mut add = |name: &str, value: String| words.extend([name.to_owned(), value]);
    for file in files {
        let file = std::path::absolute(file).unwrap_or_else(|_| file.clone());
        add("--vars", file.to_string_lossy().into_owned());
    }
    if let Some(profile) = profile {
        add("--profile", profile.clone());
    }
    for VarOverride { package, name, value, given: _, origin: _ } in vars {
        let place = package.as_ref().map(|package| format!("//{package}:")).unwrap_or_default();
        add("--var", format!("{place}{name}={value}"));
    }
    words
}

/// `text` as one word of a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./=:,+@%".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_can_be_asked_for_again() {
        let words = [
            "vwfb",
            "build",
            "-Csub",
            "--store=a b",
            "--sandbox=off",
            "--profile=draft",
            "--var=//a:x=it's",
            "--var",
            "y=1",
        ];
        let CommandLine { global, command } = CommandLine::try_parse_from(words).unwrap();
        let Command::Build(build) = command else { panic!("it is a build") };
        let again =
            r" -C sub --store 'a b' --sandbox off --profile draft --var '//a:x=it'\''s' --var y=1";
        assert_eq!(Again::new(&global, &build).options, again);
    }
}
