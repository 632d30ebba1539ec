//! Near misses: which of the known names somebody may have meant.

/// The name of `names` that differs from `word` by the fewest letters, if these are few.
pub(crate) fn nearest<'n>(word: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let word = word.to_lowercase();
    let far = |name: &str| distance(&word, &name.to_lowercase());
    let (miss, name) = names.into_iter().map(|name| (far(name), name)).min()?;
    (miss * 3 <= name.chars().count().max(3)).then_some(name)
}

/// How many letters to insert, drop, change or swap with the next one.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<_>>()];
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let change = rows[i][j] + usize::from(a != b);
            let mut least = change.min(rows[i][j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from[i - 1] == *b && to[j - 1] == *a {
                least = least.min(rows[i - 1][j - 1] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near_and_another_word_is_not() {
        let names = ["Type", "Sleep", "Enter"];
        assert_eq!(nearest("Tpye", names), Some("Type"));
        assert_eq!(nearest("sleep", names), Some("Sleep"));
        assert_eq!(nearest("Screenshot", names), None);
    }
}
