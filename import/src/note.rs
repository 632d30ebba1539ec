//! What a person who imports a workflow should know of what became of it.

/// Something to know, and the lines that it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The lines of the workflow, sorted.
    pub lines: Vec<usize>,
    /// What became of it, and what to do if anything.
    pub text: String,
    /// Whether something of the workflow is not in the package.
    pub lost: bool,
}

/// Notes; what is said of several lines is said once.
#[derive(Debug, Default)]
pub(crate) struct Notes(Vec<Note>);

impl Notes {
    /// Notes something of a line.
    pub(crate) fn add(&mut self, line: usize, text: impl Into<String>) {
        self.put(line, text.into(), false);
    }

    /// Notes something of a line that is not carried over.
    pub(crate) fn lose(&mut self, line: usize, text: impl Into<String>) {
        self.put(line, text.into(), true);
    }

    fn put(&mut self, line: usize, text: String, lost: bool) {
        match self.0.iter_mut().find(|note| note.text == text) {
            Some(note) if note.lines.contains(&line) => {}
            Some(note) => note.lines.push(line),
            None => self.0.push(Note { lines: vec![line], text, lost }),
        }
    }

    /// All of them: what is lost last, otherwise by line.
    pub(crate) fn finished(mut self) -> Vec<Note> {
        for note in &mut self.0 {
            note.lines.sort_unstable();
        }
        self.0.sort_by_key(|note| (note.lost, note.lines[0]));
        self.0
    }
}

/// A file that is not where the package names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The lines of the steps that read it.
    pub lines: Vec<usize>,
    /// Its path as the workflow has it.
    pub named: String,
    /// Where the package looks for it, from the workspace's root.
    pub place: String,
    /// Whether the workflow's own path leads out of the workspace, and the file is to be copied.
    pub outside: bool,
}
