//! Whether a command printed what a page says, apart from what differs from run to run.

/// A line of a page that stands for any number of lines.
pub(crate) const ANYTHING: &str = "...";

/// What may stand after a number that is measured.
const UNITS: [&str; 8] = ["ms", "s", "min", "h", "B", "KiB", "MiB", "GiB"];

/// What may follow a number's unit or a digest.
const PUNCTUATION: [char; 5] = [')', ',', ';', '.', ':'];

/// Whether `printed` is what the page `says`: durations, sizes and digests may differ, and so may
/// the order in which tasks finished.
pub(crate) fn alike(says: &[String], printed: &[String]) -> bool {
    matches(&settled(says), &settled(printed))
}

fn matches(says: &[String], printed: &[String]) -> bool {
    match says.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == ANYTHING => {
            (0..=printed.len()).any(|from| matches(rest, &printed[from..]))
        }
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, left)| line == first && matches(rest, left))
        }
    }
}

/// The lines without what differs from run to run.
fn settled(lines: &[String]) -> Vec<String> {
    let mut lines: Vec<String> = lines.iter().map(|line| masked(line)).collect();
    for finished in lines.chunk_by_mut(|one, next| one.starts_with('[') && next.starts_with('[')) {
        finished.sort();
    }
    lines
}

/// `line` with `_` for what is measured, and without the count of tasks finished so far.
fn masked(line: &str) -> String {
    let counted = line.strip_prefix('[').and_then(|rest| rest.split_once('/'));
    let line = match counted {
        Some((number, rest)) if number.parse::<u32>().is_ok() => &format!("[_/{rest}"),
        _ => line,
    };
    let words: Vec<&str> = line.split(' ').collect();
    let mut shown: Vec<&str> = words.clone();
    for (index, word) in words.iter().enumerate() {
        let unit = words.get(index + 1).map(|next| next.trim_end_matches(PUNCTUATION));
        let number = word.trim_start_matches('(').parse::<f64>().is_ok();
        if is_digest(word) {
            shown[index] = "_";
        } else if number && unit.is_some_and(|unit| UNITS.contains(&unit)) {
            (shown[index], shown[index + 1]) = ("_", "_");
        }
    }
    match shown == words {
        true => line.to_owned(),
        false => {
            let indent = line.len() - line.trim_start().len();
            shown.retain(|word| !word.is_empty());
            format!("{}{}", &line[..indent], shown.join(" "))
        }
    }
}

fn is_digest(word: &str) -> bool {
    let word = word.trim_end_matches(PUNCTUATION);
    word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}
