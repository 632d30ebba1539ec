//! Facts in a snapshot's file: first what looking at everything needs, and later the rest.

use super::{Facts, NONE};
use crate::columns::{Reader, Writer};
use crate::snapshot::asked::Asked;
use crate::snapshot::files::Files;

impl Facts {
    /// Writes what looking at everything needs.
    pub(crate) fn write(&self, to: &mut Writer) {
        self.files.write(to);
        self.rules.write(to);
        to.column(&self.outputs);
        for asked in self.asked() {
            asked.write(to);
        }
    }

    const fn asked(&self) -> [&Asked; 7] {
        let Self { trees, kinds, folders, globs, packages, tools, walked, .. } = self;
        [trees, kinds, folders, globs, packages, tools, walked]
    }

    /// Reads what [`Facts::write`] wrote.
    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let facts = Self {
            files: Files::read(from)?,
            rules: Files::read(from)?,
            sources: Vec::new(),
            outputs: from.column()?,
            trees: Asked::read(from)?,
            kinds: Asked::read(from)?,
            folders: Asked::read(from)?,
            globs: Asked::read(from)?,
            packages: Asked::read(from)?,
            tools: Asked::read(from)?,
            walked: Asked::read(from)?,
        };
        let files = facts.files.len();
        let whole = facts.outputs.iter().all(|row| *row == NONE || (*row as usize) < files);
        whole.then_some(facts)
    }

    /// Writes what is needed besides where something is not as it was.
    pub(crate) fn write_rest(&self, to: &mut Writer) {
        self.files.write_digests(to);
        self.rules.write_digests(to);
        to.column(&self.sources);
    }

    /// Takes up what [`Facts::write_rest`] wrote.
    pub(crate) fn read_rest(&mut self, from: &mut Reader<'_>) -> Option<()> {
        self.files.read_digests(from)?;
        self.rules.read_digests(from)?;
        self.sources = from.column()?;
        Some(())
    }

    /// Writes what is not as in the file that this was read from, of what looking needs.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        self.files.write_changes(to);
        self.rules.write_changes(to);
        for asked in self.asked() {
            asked.write_change(to);
        }
    }

    /// Takes up what [`Facts::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        self.files.read_changes(from)?;
        self.rules.read_changes(from)?;
        let Self { trees, kinds, folders, globs, packages, tools, walked, .. } = self;
        for asked in [trees, kinds, folders, globs, packages, tools, walked] {
            asked.read_change(from)?;
        }
        Some(())
    }

    /// Writes the rest of what is not as in that file.
    pub(crate) fn write_rest_changes(&self, to: &mut Writer) {
        self.files.write_changed_digests(to);
        self.rules.write_changed_digests(to);
    }

    /// Takes up what [`Facts::write_rest_changes`] wrote.
    pub(crate) fn read_rest_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        self.files.read_changed_digests(from)?;
        self.rules.read_changed_digests(from)
    }
}
