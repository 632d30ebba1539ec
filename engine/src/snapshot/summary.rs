//! What a build needs to know of the last finished state besides the facts, where they all hold.

use crate::columns::{Reader, Strings, Writer};
use crate::people::Said;

/// The state in short.
#[derive(Debug, Clone)]
pub(crate) struct Summary {
    pub(crate) tasks: u64,
    /// Whether there is nothing to do and nothing to tell for as long as all facts hold.
    pub(crate) steady: bool,
    /// The mark of the workspace's successes when they were those of the state.
    pub(crate) mark: Option<i64>,
    /// What people had said of its targets.
    pub(crate) said: Said,
    pub(crate) tools: Tools,
}

/// The closures of tools and the stamps of their files, as they are stored.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tools {
    pub(crate) bytes: [Vec<u8>; 2],
    /// Whether they are not as in the file that they were read from.
    changed: bool,
}

impl Tools {
    pub(crate) const fn new(bytes: [Vec<u8>; 2]) -> Self {
        Self { bytes, changed: true }
    }

    /// Takes up what they are now.
    pub(crate) fn update(&mut self, bytes: [Vec<u8>; 2]) {
        if self.bytes != bytes {
            *self = Self::new(bytes);
        }
    }

    pub(super) fn write(&self, to: &mut Writer) {
        for bytes in &self.bytes {
            to.bytes(bytes);
        }
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let bytes = [from.bytes()?.to_vec(), from.bytes()?.to_vec()];
        Some(Self { bytes, changed: false })
    }
}

impl Summary {
    pub(super) fn write(&self, to: &mut Writer) {
        self.write_without_tools(to);
        self.tools.write(to);
    }

    pub(super) fn read(from: &mut Reader<'_>) -> Option<Self> {
        let mut summary = Self::read_without_tools(from)?;
        summary.tools = Tools::read(from)?;
        Some(summary)
    }

    /// Writes it for a file with what differs.
    pub(super) fn write_change(&self, to: &mut Writer) {
        self.write_without_tools(to);
        to.column(&[u8::from(self.tools.changed)]);
        if self.tools.changed {
            self.tools.write(to);
        }
    }

    /// Takes up what [`Summary::write_change`] wrote.
    pub(super) fn read_change(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let now = Self::read_without_tools(from)?;
        let tools = match from.column::<1, u8>()?.as_slice() {
            [0] => std::mem::take(&mut self.tools),
            [1] => Tools { changed: true, ..Tools::read(from)? },
            _ => return None,
        };
        *self = Self { tools, ..now };
        Some(())
    }

    fn write_without_tools(&self, to: &mut Writer) {
        to.column(&[self.tasks, u64::from(self.steady)]);
        let mark: Vec<u64> = self.mark.iter().map(|mark| mark.cast_unsigned()).collect();
        to.column(&mark);
        let mut texts = Strings::default();
        for (label, text) in &self.said {
            texts.push(label);
            texts.push(text);
        }
        to.strings(&texts);
    }

    fn read_without_tools(from: &mut Reader<'_>) -> Option<Self> {
        let [tasks, steady] = <[u64; 2]>::try_from(from.column::<8, u64>()?).ok()?;
        let mark = from.column::<8, u64>()?.first().map(|mark| mark.cast_signed());
        let texts = from.strings()?;
        let texts: Vec<&str> = texts.iter().collect();
        let (pairs, rest) = texts.as_chunks::<2>();
        let said = pairs.iter().map(|[label, text]| ((*label).to_owned(), (*text).to_owned()));
        let said: Said = said.collect();
        let tools = Tools::default();
        rest.is_empty().then_some(Self { tasks, steady: steady == 1, mark, said, tools })
    }
}
