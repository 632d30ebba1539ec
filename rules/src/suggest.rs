//! Near names for names that mean nothing.

/// `did you mean `x`?` for the candidate nearest to `word`, if one is near enough.
pub(crate) fn did_you_mean<'c>(
    word: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> Option<String> {
    nearest(word, candidates).map(|name| format!("did you mean `{name}`?"))
}

/// The candidate nearest to `word`, if a third of its letters or fewer differ; of a word of one
/// or two letters only the case may.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let limit = word.chars().count() / 3;
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= limit && *candidate != word)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How many letters to insert, delete, change or swap with their neighbour; case does not count.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.to_lowercase().chars().collect();
    let right: Vec<char> = right.to_lowercase().chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, l) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, r) in right.iter().enumerate() {
            let changed = above[column] + usize::from(l != r);
            let mut best = changed.min(above[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && *l == right[column - 1] && left[row - 1] == *r {
                best = best.min(before[column - 1] + 1);
            }
            current.push(best);
        }
        before = std::mem::replace(&mut above, current);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let names = ["still_clip", "svg_render", "tts"];
        assert_eq!(nearest("stil_clip", names), Some("still_clip"));
        assert_eq!(nearest("svg_redner", names), Some("svg_render"));
        assert_eq!(nearest("TTS", names), Some("tts"));
        assert_eq!(nearest("normalize", names), None);
        assert_eq!(nearest("x", ["y", "us"]), None);
        assert_eq!(nearest("us", ["use"]), None);
        assert_eq!(nearest("US", ["us"]), Some("us"));
        assert_eq!(did_you_mean("ttx", names).unwrap(), "did you mean `tts`?");
    }
}
