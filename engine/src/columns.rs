//! Tables as a few long vectors: what a graph of 100,000 tasks is kept in, and written to disk as
//! it is.

use std::ops::Range;

use rayon::prelude::*;

/// Columns of so many bytes are read with all cores: for fresh memory the system takes longer than
/// it takes to fill it. To wake another core for less takes longer than that.
pub(crate) const LONG: usize = 2 << 20;

/// Texts by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Strings {
    text: String,
    ends: Vec<u32>,
}

impl Strings {
    /// Adds a text and returns its number.
    pub(crate) fn push(&mut self, text: &str) -> u32 {
        let number = narrow(self.ends.len());
        self.text.push_str(text);
        self.ends.push(narrow(self.text.len()));
        number
    }

    /// Adds a text that is made of parts and returns its number.
    pub(crate) fn push_joined(&mut self, parts: [&str; 3]) -> u32 {
        let number = narrow(self.ends.len());
        for part in parts {
            self.text.push_str(part);
        }
        self.ends.push(narrow(self.text.len()));
        number
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        &self.text[range(&self.ends, number as usize)]
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &str> {
        (0..self.len()).map(|number| &self.text[range(&self.ends, number)])
    }
}

/// Lists of numbers, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lists {
    items: Vec<u32>,
    ends: Vec<u32>,
}

impl Lists {
    /// Adds a list.
    pub(crate) fn push(&mut self, items: impl IntoIterator<Item = u32>) {
        self.items.extend(items);
        self.ends.push(narrow(self.items.len()));
    }

    pub(crate) fn get(&self, number: usize) -> &[u32] {
        &self.items[range(&self.ends, number)]
    }

    pub(crate) const fn len(&self) -> usize {
        self.ends.len()
    }

    /// For each item below `count` the lists that hold it, in order.
    pub(crate) fn reversed(&self, count: usize) -> Self {
        let mut ends = vec![0_u32; count];
        for item in &self.items {
            ends[*item as usize] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            end += *count;
            *count = end;
        }
        let mut items = vec![0; self.items.len()];
        let mut next = ends.clone();
        for list in (0..self.len()).rev() {
            for item in self.get(list).iter().rev() {
                let at = &mut next[*item as usize];
                *at -= 1;
                items[*at as usize] = narrow(list);
            }
        }
        Self { items, ends }
    }
}

/// Those of `items`, which are below `limit`, that do not come again later, in order.
pub(crate) fn last_of_each(items: &[u32], limit: usize) -> Vec<u32> {
    let mut seen = vec![false; limit];
    let is_last = |item: &u32| !std::mem::replace(&mut seen[*item as usize], true);
    let mut last: Vec<u32> = items.iter().rev().copied().filter(is_last).collect();
    last.reverse();
    last
}

fn range(ends: &[u32], number: usize) -> Range<usize> {
    let start = if number == 0 { 0 } else { ends[number - 1] as usize };
    start..ends[number] as usize
}

/// Numbers in tables are 32 bits: the tables of a workspace are far smaller than 4 GiB.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).expect("a workspace's tables hold less than 4 GiB")
}

/// Columns on their way to a file: each its length, then its items little-endian.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub(crate) Vec<u8>);

impl Writer {
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.0.extend_from_slice(bytes);
    }

    pub(crate) fn column<const N: usize, T: Item<N>>(&mut self, items: &[T]) {
        self.0.extend_from_slice(&(items.len() as u64).to_le_bytes());
        self.0.reserve(items.len() * N);
        for item in items {
            self.0.extend_from_slice(&item.put());
        }
    }

    pub(crate) fn strings(&mut self, strings: &Strings) {
        self.bytes(strings.text.as_bytes());
        self.column(&strings.ends);
    }

    pub(crate) fn lists(&mut self, lists: &Lists) {
        self.column(&lists.items);
        self.column(&lists.ends);
    }
}

/// Columns from a file. What is cut or does not fit its own lengths is `None`. The file's checksum
/// vouches for the rest.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl<'a> Reader<'a> {
    fn length(&mut self) -> Option<usize> {
        let (length, rest) = self.0.split_first_chunk::<8>()?;
        self.0 = rest;
        usize::try_from(u64::from_le_bytes(*length)).ok()
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn column<const N: usize, T: Item<N>>(&mut self) -> Option<Vec<T>> {
        let length = self.length()?;
        let (bytes, rest) = self.0.split_at_checked(length.checked_mul(N)?)?;
        self.0 = rest;
        let chunks = bytes.as_chunks::<N>().0;
        Some(match bytes.len() < LONG {
            true => chunks.iter().map(|chunk| T::take(*chunk)).collect(),
            false => chunks.par_iter().map(|chunk| T::take(*chunk)).collect(),
        })
    }

    pub(crate) fn strings(&mut self) -> Option<Strings> {
        let text = std::str::from_utf8(self.bytes()?).ok()?.to_owned();
        let ends = self.column()?;
        let within = |end: &u32| text.is_char_boundary(*end as usize);
        let whole = ends.is_sorted() && ends.iter().all(within);
        whole.then_some(Strings { text, ends })
    }

    /// Lists whose items are all below `limit`.
    pub(crate) fn lists(&mut self, limit: usize) -> Option<Lists> {
        let (items, ends) = (self.column::<4, u32>()?, self.column::<4, u32>()?);
        let whole = ends.is_sorted()
            && ends.last().copied().unwrap_or(0) as usize == items.len()
            && items.iter().all(|item| (*item as usize) < limit);
        whole.then_some(Lists { items, ends })
    }
}

/// Something of `N` bytes.
pub(crate) trait Item<const N: usize>: Send + Sized {
    fn put(&self) -> [u8; N];
    fn take(bytes: [u8; N]) -> Self;
}

impl Item<1> for u8 {
    fn put(&self) -> [u8; 1] {
        [*self]
    }

    fn take([byte]: [u8; 1]) -> Self {
        byte
    }
}

impl Item<4> for u32 {
    fn put(&self) -> [u8; 4] {
        self.to_le_bytes()
    }

    fn take(bytes: [u8; 4]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Item<8> for u64 {
    fn put(&self) -> [u8; 8] {
        self.to_le_bytes()
    }

    fn take(bytes: [u8; 8]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl<const N: usize> Item<N> for [u8; N] {
    fn put(&self) -> [u8; N] {
        *self
    }

    fn take(bytes: [u8; N]) -> Self {
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_read_back_and_damage_is_found() {
        let mut strings = Strings::default();
        for text in ["a", "", "é x"] {
            strings.push(text);
        }
        let mut lists = Lists::default();
        lists.push([0, 2]);
        lists.push([]);
        lists.push([1]);
        let mut writer = Writer::default();
        writer.strings(&strings);
        writer.lists(&lists);
        writer.column(&[[7_u8; 32]]);
        let mut reader = Reader(&writer.0);
        assert_eq!(reader.strings(), Some(strings));
        assert_eq!(reader.lists(3), Some(lists.clone()));
        assert_eq!(reader.column(), Some(vec![[7_u8; 32]]));
        for length in 0..writer.0.len() {
            let mut reader = Reader(&writer.0[..length]);
            let read = reader.strings().and_then(|_| reader.lists(3)).map(|_| ());
            let whole = read.and_then(|()| reader.column::<32, [u8; 32]>());
            assert_eq!(whole, None, "{length}");
        }
        let mut writer = Writer::default();
        writer.lists(&lists);
        assert_eq!(Reader(&writer.0).lists(2), None, "an item that is out of range");
    }

    #[test]
    fn a_long_column_reads_back_in_order() {
        let numbers: Vec<u32> = (0..600_000).collect();
        let mut writer = Writer::default();
        writer.column(&numbers);
        assert!(writer.0.len() > LONG);
        assert_eq!(Reader(&writer.0).column(), Some(numbers));
    }

    #[test]
    fn of_equal_items_the_last_one_stays() {
        assert_eq!(last_of_each(&[3, 1, 3, 0, 1], 4), [3, 0, 1]);
        assert!(last_of_each(&[], 0).is_empty());
    }

    #[test]
    fn lists_are_reversed_in_order() {
        let mut needs = Lists::default();
        needs.push([]);
        needs.push([0]);
        needs.push([0, 1]);
        let feeds = needs.reversed(3);
        assert_eq!([feeds.get(0), feeds.get(1), feeds.get(2)], [&[1, 2][..], &[2], &[]]);
    }
}
