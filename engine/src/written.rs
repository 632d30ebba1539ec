//! Digests of what rule files say, target by target: which targets an edit of a file touched.

use std::collections::BTreeSet;

use vwfb_rules::package::PackageDef;

use crate::columns::{Reader, Writer};

pub(crate) use vwfb_rules::block::Short;

/// A digest of all that the targets of a package have in common: its own rules, what it uses, and
/// its variables.
pub(crate) fn of_package(def: &PackageDef) -> Short {
    short(&format!("{:?}\n{:?}", def.own, def.vars))
}

fn short(text: &str) -> Short {
    vwfb_rules::block::short(text)
}

/// Digests by number.
#[derive(Debug, Clone, Default)]
pub(crate) struct Written {
    digests: Vec<Short>,
    /// Those that are not as in the file that they were read from.
    changed: BTreeSet<u32>,
}

impl Written {
    pub(crate) fn push(&mut self, digest: Short) {
        self.digests.push(digest);
    }

    pub(crate) fn get(&self, number: u32) -> Short {
        self.digests[number as usize]
    }

    /// Says what a digest is now.
    pub(crate) fn set(&mut self, number: u32, digest: Short) {
        self.digests[number as usize] = digest;
        self.changed.insert(number);
    }

    pub(crate) const fn len(&self) -> usize {
        self.digests.len()
    }

    pub(crate) fn write(&self, to: &mut Writer) {
        to.column(&self.digests);
    }

    pub(crate) fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { digests: from.column()?, changed: BTreeSet::new() })
    }

    /// Writes those that are not as in the file that they were read from.
    pub(crate) fn write_changes(&self, to: &mut Writer) {
        to.column(&self.changed.iter().copied().collect::<Vec<u32>>());
        let digests = self.changed.iter().map(|number| self.get(*number));
        to.column(&digests.collect::<Vec<Short>>());
    }

    /// Takes up what [`Written::write_changes`] wrote.
    pub(crate) fn read_changes(&mut self, from: &mut Reader<'_>) -> Option<()> {
        let (numbers, digests) = (from.column::<4, u32>()?, from.column::<16, Short>()?);
        if numbers.len() != digests.len() {
            return None;
        }
        for (number, digest) in numbers.into_iter().zip(digests) {
            *self.digests.get_mut(number as usize)? = digest;
            self.changed.insert(number);
        }
        Some(())
    }
}
