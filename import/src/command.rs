//! What commands read and write, which their workflow does not say: told from their arguments.

use std::collections::{BTreeMap, BTreeSet};

use crate::ground::Ground;
use crate::text::Text;
use crate::workflow::{Step, Work, Workflow};

/// A command, its arguments taken apart into words and paths.
#[derive(Debug, Clone, Default)]
pub(crate) struct Command {
    /// Its arguments.
    pub(crate) args: Vec<Vec<Word>>,
    /// The files that it reads, absolute.
    pub(crate) reads: BTreeSet<String>,
    /// The files that it writes, absolute, in the order of its arguments; not its capture.
    pub(crate) writes: Vec<String>,
    /// What looks like files that are not there and that nobody writes.
    pub(crate) unknown: Vec<String>,
    /// Whether nothing says what it writes.
    pub(crate) unclear: bool,
}

/// A part of an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// Words, with their variables.
    Text(Text),
    /// A file, absolute.
    Path(String),
}

/// What an argument says of a path in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Reads,
    Writes,
    Unclear,
}

/// The commands of `workflow` by their steps, which come in the order `order`.
pub(crate) fn commands(
    workflow: &Workflow,
    ground: &Ground<'_>,
    order: &[usize],
) -> BTreeMap<usize, Command> {
    let mut finding = Finding::new(workflow, ground, order);
    for at in finding.all.clone() {
        finding.mention(at);
    }
    for at in finding.all.clone() {
        finding.explicit(at);
    }
    for at in finding.all.clone() {
        finding.rest(at);
    }
    finding.commands
}

struct Finding<'a> {
    workflow: &'a Workflow,
    ground: &'a Ground<'a>,
    /// The steps that are commands, each after those that it depends on.
    all: Vec<usize>,
    commands: BTreeMap<usize, Command>,
    /// Which steps of other kinds write a path, and which read it.
    written: BTreeMap<String, Vec<usize>>,
    read: BTreeMap<String, Vec<usize>>,
    /// The commands that have a path among their arguments.
    mentioned: BTreeMap<String, Vec<usize>>,
    /// The steps before each, as bits.
    before: Vec<Vec<u64>>,
}

impl<'a> Finding<'a> {
    fn new(workflow: &'a Workflow, ground: &'a Ground<'a>, order: &[usize]) -> Self {
        let is_command = |at: &usize| matches!(workflow.steps[*at].work, Work::RunCommand { .. });
        let all: Vec<usize> = order.iter().copied().filter(is_command).collect();
        let mut written: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        let mut read: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, step) in workflow.steps.iter().enumerate() {
            let path = |text: &Text| ground.path(&workflow.resolved(text));
            for text in step.work.writes() {
                written.entry(path(text)).or_default().push(at);
            }
            if let Work::RunCommand { capture: Some(capture), .. } = &step.work {
                written.entry(path(capture)).or_default().push(at);
            }
            for text in step.work.reads() {
                read.entry(path(text)).or_default().push(at);
            }
        }
        let (commands, mentioned) = (BTreeMap::new(), BTreeMap::new());
        let before = before(&workflow.steps, order);
        Self { workflow, ground, all, commands, written, read, mentioned, before }
    }

    fn step(&self, at: usize) -> &'a Step {
        &self.workflow.steps[at]
    }

    fn args(&self, at: usize) -> &'a [Text] {
        match &self.step(at).work {
            Work::RunCommand { args, .. } => args,
            _ => &[],
        }
    }

    /// The folder that a command's paths are relative to.
    fn folder(&self, at: usize) -> String {
        match &self.step(at).work {
            Work::RunCommand { cwd: Some(cwd), .. } => {
                self.ground.path(&self.workflow.resolved(cwd))
            }
            _ => self.ground.workdir.clone(),
        }
    }

    fn program(&self, at: usize) -> String {
        match &self.step(at).work {
            Work::RunCommand { program, .. } => {
                let program = self.workflow.resolved(program);
                program.rsplit('/').next().unwrap_or_default().to_owned()
            }
            _ => String::new(),
        }
    }

    /// Notes the arguments that may be paths.
    fn mention(&mut self, at: usize) {
        let folder = self.folder(at);
        for arg in self.args(at) {
            let text = self.workflow.resolved(arg);
            let text = text.split_once('=').map_or(text.as_str(), |(_, value)| value);
            if looks_like_path(text) {
                let path = self.ground.absolute(&folder, text);
                let steps = self.mentioned.entry(path).or_default();
                if steps.last() != Some(&at) {
                    steps.push(at);
                }
            }
        }
    }

    /// Takes the arguments of a command apart, and finds what flags say of paths.
    fn explicit(&mut self, at: usize) {
        let (folder, program) = (self.folder(at), self.program(at));
        let resume = self.step(at).resume.as_ref();
        let resume = resume.map(|text| self.ground.path(&self.workflow.resolved(text)));
        let args = self.args(at);
        let mut command = Command::default();
        for (index, arg) in args.iter().enumerate() {
            let text = self.workflow.resolved(arg);
            let before = index.checked_sub(1).map(|at| self.workflow.resolved(&args[at]));
            let is_last = index + 1 == args.len();
            let said = flagged(&program, before.as_deref(), &text, is_last);
            let words = self.words(at, arg, &text, &folder, said, resume.as_deref());
            for word in &words {
                let Word::Path(path) = word else { continue };
                let said = if resume.as_ref() == Some(path) { Use::Writes } else { said };
                match said {
                    Use::Writes if !command.writes.contains(path) => {
                        command.writes.push(path.clone());
                    }
                    Use::Reads => drop(command.reads.insert(path.clone())),
                    _ => {}
                }
            }
            command.args.push(words);
        }
        // A script that the workflow writes.
        if let Work::RunCommand { program, .. } = &self.step(at).work {
            let path = self.ground.path(&self.workflow.resolved(program));
            if self.workflow.resolved(program).contains('/') && self.written.contains_key(&path) {
                command.reads.insert(path);
            }
        }
        for path in &command.writes {
            self.written.entry(path.clone()).or_default().push(at);
        }
        for path in &command.reads {
            self.read.entry(path.clone()).or_default().push(at);
        }
        self.commands.insert(at, command);
    }

    /// An argument as words and paths.
    fn words(
        &self,
        at: usize,
        arg: &Text,
        text: &str,
        folder: &str,
        said: Use,
        resume: Option<&str>,
    ) -> Vec<Word> {
        let is_known = |path: &str| {
            let several = has_extension(path)
                && self.mentioned.get(path).is_some_and(|steps| steps.len() > 1);
            let typed = self.written.contains_key(path) || self.read.contains_key(path);
            typed || several || resume == Some(path)
        };
        let is_path = |text: &str, said: Use| {
            let path = self.ground.absolute(folder, text);
            let plain = looks_like_path(text);
            let known = is_known(&path) && (plain || !text.starts_with('-'));
            let flagged = said != Use::Unclear && !text.is_empty() && !is_address(text);
            // A file that nobody knows is told of.
            let likely = has_extension(text) && !arg.has_vars();
            let speaks = matches!(self.program(at).as_str(), "echo" | "printf");
            let is_name = plain || (is_word(text) && !speaks);
            let there = (plain && likely) || (is_name && (self.ground.exists)(&path));
            (known || flagged || there).then_some(path)
        };
        // As a whole, then what follows `=`, then what looks like a path within.
        let whole = if text.contains('=') { Use::Unclear } else { said };
        if let Some(path) = is_path(text, whole) {
            return vec![Word::Path(path)];
        }
        if let Some((flag, value)) = text.split_once('=')
            && let Some(path) = is_path(value, said)
        {
            let flag = Text::plain(&format!("{flag}="));
            return vec![Word::Text(flag), Word::Path(path)];
        }
        let parts = runs(text);
        let known = |run: &str| {
            let path = self.ground.absolute(folder, run);
            let is_there = || has_extension(run) && (self.ground.exists)(&path);
            (looks_like_path(run) && (is_known(&path) || is_there())).then_some(path)
        };
        if !parts.iter().any(|run| known(run).is_some()) {
            return vec![Word::Text(arg.clone())];
        }
        let mut words: Vec<Word> = Vec::new();
        let mut plain = String::new();
        for run in parts {
            let Some(path) = known(run) else {
                plain.push_str(run);
                continue;
            };
            if !plain.is_empty() {
                let text = std::mem::take(&mut plain);
                words.push(Word::Text(Text::plain(&text)));
            }
            words.push(Word::Path(path));
        }
        if !plain.is_empty() {
            words.push(Word::Text(Text::plain(&plain)));
        }
        words
    }

    /// Decides about the paths of which no flag says anything.
    fn rest(&mut self, at: usize) {
        let Some(mut command) = self.commands.remove(&at) else { return };
        let captures = matches!(&self.step(at).work, Work::RunCommand { capture: Some(_), .. });
        let has_outputs = captures || !command.writes.is_empty();
        for words in &mut command.args {
            for word in words.iter_mut() {
                let Word::Path(path) = word else { continue };
                if command.reads.contains(path) || command.writes.contains(path) {
                    continue;
                }
                match self.decided(at, path, has_outputs) {
                    Use::Reads => drop(command.reads.insert(path.clone())),
                    Use::Writes => {
                        self.written.entry(path.clone()).or_default().push(at);
                        command.writes.push(path.clone());
                    }
                    Use::Unclear => {
                        command.unknown.push(self.ground.shown(path).to_owned());
                        let text = self.ground.shown(path).to_owned();
                        *word = Word::Text(Text::plain(&text));
                    }
                }
            }
        }
        command.unclear = command.writes.is_empty() && !captures;
        self.commands.insert(at, command);
    }

    fn decided(&self, at: usize, path: &str, has_outputs: bool) -> Use {
        let others = |map: &BTreeMap<String, Vec<usize>>| {
            map.get(path).into_iter().flatten().any(|step| *step != at)
        };
        if others(&self.written) {
            return Use::Reads;
        }
        let exists = (self.ground.exists)(path);
        let readers = self.read.get(path).into_iter().flatten().copied();
        let users = readers.chain(self.mentioned.get(path).into_iter().flatten().copied());
        let mut later = users.filter(|user| *user != at && !self.is_before(*user, at)).peekable();
        let is_used = later.peek().is_some();
        let depends = later.any(|user| self.is_before(at, user));
        match (exists, is_used) {
            // It may be there from when the workflow ran.
            (true, true) if depends && !has_outputs => Use::Writes,
            (true, _) => Use::Reads,
            (false, true) => Use::Writes,
            (false, false) if others(&self.read) => Use::Reads,
            (false, false) => Use::Unclear,
        }
    }

    fn is_before(&self, one: usize, other: usize) -> bool {
        self.before[other][one / 64] >> (one % 64) & 1 == 1
    }
}

/// The steps before each step, as bits.
fn before(steps: &[Step], order: &[usize]) -> Vec<Vec<u64>> {
    let mut before = vec![vec![0_u64; steps.len().div_ceil(64)]; steps.len()];
    for at in order {
        let mut bits = std::mem::take(&mut before[*at]);
        for need in &steps[*at].after {
            for (bits, more) in bits.iter_mut().zip(&before[*need]) {
                *bits |= more;
            }
            bits[need / 64] |= 1 << (need % 64);
        }
        before[*at] = bits;
    }
    before
}

/// What is said of an argument by the one before it, itself, and where it is.
fn flagged(program: &str, before: Option<&str>, text: &str, is_last: bool) -> Use {
    const OUT: &[&str] = &["-o", "--output", "--out", "-out", "--output-file"];
    const IN: &[&str] = &["--input", "-input", "--input-file"];
    let is_ff = matches!(program, "ffmpeg" | "ffprobe" | "ffplay");
    let own = text.split_once('=').map(|(flag, _)| flag);
    let is_one = |flags: &[&str], flag: Option<&str>| flag.is_some_and(|it| flags.contains(&it));
    if text.starts_with('-') && own.is_none() {
        Use::Unclear
    } else if is_one(OUT, before) || is_one(OUT, own) {
        Use::Writes
    } else if is_one(IN, before) || is_one(IN, own) || (is_ff && before == Some("-i")) {
        // A source of ffmpeg's own, such as `color=black`, is no file.
        if is_ff && !looks_like_path(text) { Use::Unclear } else { Use::Reads }
    } else if program == "ffmpeg" && is_last && looks_like_path(text) {
        Use::Writes
    } else {
        Use::Unclear
    }
}

/// Whether `text` can hardly be anything but a path.
fn looks_like_path(text: &str) -> bool {
    let odd = |c: char| c.is_control() || "=:,;|<>()[]{}'\"*?$&`\\".contains(c);
    if text.is_empty() || text.starts_with('-') || text.chars().any(odd) {
        return false;
    }
    let is_number = text.chars().all(|c| c.is_ascii_digit() || c == '/');
    has_extension(text) || (text.contains('/') && !is_number && !text.contains(' '))
}

/// Whether a path ends as files do: `.mp4`, but not `.5` or `.5s`.
fn has_extension(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let Some((stem, end)) = name.rsplit_once('.') else { return false };
    !stem.is_empty()
        && end.len() <= 11
        && end.starts_with(|c: char| c.is_ascii_alphabetic())
        && end.chars().all(|c| c.is_ascii_alphanumeric())
}

/// Whether `text` may be the name of a file or folder.
fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || "_-.".contains(c);
    text.starts_with(char::is_alphabetic) && text.chars().all(plain)
}

fn is_address(text: &str) -> bool {
    text.contains("://") || text.starts_with('-')
}

/// `text` in runs of characters that paths have, and of others.
fn runs(text: &str) -> Vec<&str> {
    let in_path = |c: char| c.is_alphanumeric() || "_-./~+@%".contains(c);
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = in_path(first);
        let end = rest.find(|c| in_path(c) != kind).unwrap_or(rest.len());
        runs.push(&rest[..end]);
        rest = &rest[end..];
    }
    runs
}
