//! What to do about a task that failed, from its cause and the end of its log: the mistakes that
//! confinement turns into riddles.

use vwfb_exec::Cause;
use vwfb_rules::label::{Label, WsPath};
use vwfb_rules::task::{InputRef, OutputDef, TaskDef};

/// What is known of a failed task beyond its cause.
pub(crate) struct Circumstances<'a> {
    /// The task.
    pub(crate) def: &'a TaskDef,
    /// The end of what its process wrote.
    pub(crate) log: &'a str,
    /// Whether it was held to its declared files.
    pub(crate) confined: bool,
    /// Whether a path is a file of the workspace.
    pub(crate) is_source: &'a dyn Fn(&WsPath) -> bool,
    /// The only file of the workspace that another target reads.
    pub(crate) made_from: &'a dyn Fn(&Label) -> Option<WsPath>,
}

/// What to do next, where cause or log tell.
pub(crate) fn advice(cause: &Cause, seen: &Circumstances<'_>) -> Option<String> {
    let from_log = || seen.log.lines().rev().find_map(|line| seen.about(&Complaint::read(line)?));
    match cause {
        Cause::UndeclaredProgram { program } => Some(seen.declare(program)),
        Cause::Exit { .. } => from_log().or_else(|| seen.named_input()),
        Cause::MissingOutput { missing, .. } => from_log().or_else(|| {
            let role = missing.first()?;
            seen.def.outputs.iter().find(|output| output.role == *role).map(|it| seen.write_to(it))
        }),
        _ => None,
    }
}

/// What a program says of a name that it could not use, as shells and the coreutils word it.
#[derive(Debug, PartialEq, Eq)]
enum Complaint<'l> {
    /// A shell found no program of that name.
    NoProgram(&'l str),
    /// The kernel refused a path.
    Refused {
        path: &'l str,
        /// Whether it was to be made.
        made: bool,
    },
    /// There is no such path.
    Absent(&'l str),
    /// Python found no module of that name.
    NoModule(&'l str),
}

impl<'l> Complaint<'l> {
    fn read(line: &'l str) -> Option<Self> {
        if let Some(before) = line.strip_suffix(": not found") {
            // `sh: 1: find: not found`; what other programs do not find is no program.
            let (before, name) = before.rsplit_once(": ")?;
            let is_line = last_part(before).parse::<u32>().is_ok();
            return (is_line && is_program(name)).then_some(Self::NoProgram(name));
        }
        if let Some(before) = line.strip_suffix(": command not found") {
            let name = last_part(before);
            return is_program(name).then_some(Self::NoProgram(name));
        }
        if let Some((before, after)) = line.split_once(": Permission denied") {
            let made = before.contains("cannot create");
            return Some(Self::Refused { path: path_in(before, after), made });
        }
        if let Some((_, after)) = line.split_once("ModuleNotFoundError: No module named ") {
            return Some(Self::NoModule(after.split('\'').nth(1)?));
        }
        let (before, after) = line.split_once(": No such file or directory")?;
        Some(Self::Absent(path_in(before, after)))
    }
}

fn last_part(text: &str) -> &str {
    text.rsplit(": ").next().unwrap_or(text)
}

/// The path in `cat: x`, `sh: 1: cannot open x` or `mkdir: cannot create directory ‘x’`, with which
/// a complaint begins, or in `: 'x'`, with which Python ends one.
fn path_in<'l>(before: &'l str, after: &'l str) -> &'l str {
    let after = after.trim_end_matches('.');
    let text = if after.is_empty() { last_part(before) } else { after };
    match (text.split(['\'', '"', '‘', '’']).nth(1), text.strip_prefix("cannot ")) {
        (Some(quoted), _) => quoted,
        (None, Some(refused)) => refused.split_once(' ').map_or(refused, |(_, path)| path),
        (None, None) => text,
    }
}

/// Whether a word could be a program's name on PATH.
fn is_program(word: &str) -> bool {
    !word.is_empty() && !word.contains([' ', '/', '\'', '"'])
}

impl Circumstances<'_> {
    fn about(&self, complaint: &Complaint<'_>) -> Option<String> {
        match *complaint {
            Complaint::NoProgram(name) => Some(self.declare(name)),
            _ if !self.confined => None,
            Complaint::Refused { path, .. } if is_system_program(path) => {
                Some(self.declare(path.rsplit('/').next()?))
            }
            Complaint::Refused { path, made } => {
                let own = self.def.outputs.iter().find(|output| self.is_meant(output, path));
                Some(match own {
                    Some(output) => self.write_to(output),
                    None if made => "a task writes to `{out}`, or below `$TMPDIR`".to_owned(),
                    None => format!(
                        "a task reads only what it declares: add the file to {}, or its folder to \
                         the `data` of a toolchain",
                        self.place_for_files(),
                    ),
                })
            }
            Complaint::Absent(path) => self.about_absent(path),
            Complaint::NoModule(module) => Some(format!(
                "a task reads only what it declares: add the folder with the module `{module}` to \
                 the `data` of a toolchain, or the module itself to {}",
                self.place_for_files(),
            )),
        }
    }

    /// What the input is that the last line to name one speaks of: a task sees it by its role.
    fn named_input(&self) -> Option<String> {
        let named = |line: &str| {
            let inputs = &self.def.inputs;
            let whole = inputs.iter().filter(|(role, _)| names(line, role));
            let of_attribute = |role: &str| {
                let attribute = attribute(role).filter(|_| !self.is_free());
                attribute.is_some_and(|name| line.contains(&format!("`{name}`")))
            };
            let by_attribute = || inputs.iter().find(|(role, _)| of_attribute(role));
            whole.max_by_key(|(role, _)| role.len()).or_else(by_attribute)
        };
        let (role, from) = self.log.lines().rev().find_map(named)?;
        Some(match from {
            InputRef::Source(path) => format!("`{role}` is `{path}`"),
            InputRef::Output { label, subpath, .. } => {
                let part = subpath.as_ref().map(|path| format!("`{path}` of ")).unwrap_or_default();
                let made_from = (self.made_from)(label);
                let source = made_from.map(|it| format!(", made from `{it}`")).unwrap_or_default();
                format!("`{role}` is {part}`{label}`{source}")
            }
        })
    }

    /// A source that the task names by its place in the package, where no task sees it.
    fn about_absent(&self, path: &str) -> Option<String> {
        let source = self.def.label.package.join(path).ok()?;
        let given =
            self.def.inputs.iter().find(|(_, from)| **from == InputRef::Source(source.clone()));
        if let Some((role, _)) = given {
            return Some(format!("the task has `{source}` as `{role}`"));
        }
        let written = (self.is_source)(&source);
        let place = self.place_for_files();
        written.then(|| format!("a task sees only what it declares: add `{source}` to {place}"))
    }

    /// Whether a script that wrote to `path` meant `output`.
    fn is_meant(&self, output: &OutputDef, path: &str) -> bool {
        let within = self.def.label.package.join(path).is_ok_and(|path| path == output.path);
        within || output.role.strip_prefix("out/") == Some(path)
    }

    fn write_to(&self, output: &OutputDef) -> String {
        let written = match self.def.outputs.len() {
            1 => "{out}".to_owned(),
            _ => format!("{{out.{}}}", output.name),
        };
        format!("write it to `{written}`, which is `{}`", output.role)
    }

    fn declare(&self, program: &str) -> String {
        let whose = if self.is_free() { "" } else { " to its rule" };
        format!("a task starts only what it declares: add `tool {program:?}`{whose}")
    }

    fn place_for_files(&self) -> &'static str {
        if self.is_free() { "`srcs`" } else { "the attributes of its rule" }
    }

    /// Whether the target is a `task`, which says itself what other targets' rules say.
    fn is_free(&self) -> bool {
        self.def.rule == "task"
    }
}

/// The attribute that has the one file `role`, as `audio` has `in/audio.wav`.
fn attribute(role: &str) -> Option<&str> {
    let file = role.strip_prefix("in/").filter(|file| !file.contains('/'))?;
    Some(file.split_once('.').map_or(file, |(stem, _)| stem))
}

/// Whether `line` has the whole path `role` in it.
fn names(line: &str, role: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-');
    line.match_indices(role).any(|(at, _)| {
        !line[..at].ends_with(is_part) && !line[at + role.len()..].starts_with(is_part)
    })
}

/// Whether a path is a program of the system, which a task that does not declare it cannot start.
fn is_system_program(path: &str) -> bool {
    path.starts_with('/') && path.rsplit('/').nth(1).is_some_and(|folder| folder.ends_with("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_whole_path() {
        for line in ["`in/a.txt` is empty", "in/a.txt: no", "see in/a.txt."] {
            assert!(names(line, "in/a.txt"), "{line}");
        }
        for line in ["in/a.txt-1", "/in/a.txt", "in/a.tx"] {
            assert!(!names(line, "in/a.txt"), "{line}");
        }
        assert_eq!(attribute("in/audio.wav"), Some("audio"));
        assert_eq!(attribute("in/parts/0001.wav"), None);
    }

    #[test]
    fn complaints_are_read_as_programs_word_them() {
        let refused = |path, made| Some(Complaint::Refused { path, made });
        for (line, complaint) in [
            ("/usr/bin/sh: 1: find: not found", Some(Complaint::NoProgram("find"))),
            ("bash: line 1: find: command not found", Some(Complaint::NoProgram("find"))),
            ("/usr/bin/sh: 1: ./x/y: not found", None),
            ("page: not found", None),
            ("/usr/bin/sh: 1: cannot create y: Permission denied", refused("y", true)),
            ("mkdir: cannot create directory ‘/xx’: Permission denied", refused("/xx", true)),
            ("cat: /home/x y: Permission denied", refused("/home/x y", false)),
            ("Error processing file '/a/b': Permission denied.", refused("/a/b", false)),
            ("cat: a.txt: No such file or directory", Some(Complaint::Absent("a.txt"))),
            (
                "sort: cannot read: a.txt: No such file or directory",
                Some(Complaint::Absent("a.txt")),
            ),
            (
                "FileNotFoundError: [Errno 2]: No such file or directory: 'a'",
                Some(Complaint::Absent("a")),
            ),
            (
                "ModuleNotFoundError: No module named 'encodings'",
                Some(Complaint::NoModule("encodings")),
            ),
            ("all is well", None),
        ] {
            assert_eq!(Complaint::read(line), complaint, "{line}");
        }
    }
}
