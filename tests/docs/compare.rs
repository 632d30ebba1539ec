//! Whether a command printed what a page says, apart from what differs from run to run.

/// A line of a page that stands for any number of lines.
pub(crate) const ANYTHING: &str = "...";

/// What may stand after a number that is measured.
const UNITS: [&str; 9] = ["ms", "s", "min", "h", "B", "KiB", "MiB", "GiB", "dB"];

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

/// The lines without what differs from run to run, or tells what this kernel cannot enforce.
fn settled(lines: &[String]) -> Vec<String> {
    let lines = lines.iter().filter(|line| !line.starts_with("sandbox: "));
    let mut lines: Vec<String> = lines.map(|line| masked(line)).collect();
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
        if is_digest(word) || is_time(word) {
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
            shown.dedup_by(|next, one| next == one && *next == "_");
            format!("{}{}", &line[..indent], shown.join(" "))
        }
    }
}

fn is_digest(word: &str) -> bool {
    let word = word.trim_end_matches(PUNCTUATION);
    word.len() >= 12 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether `word` is a time such as `2026-11-22T02:37:31Z`.
fn is_time(word: &str) -> bool {
    let word = word.trim_end_matches(PUNCTUATION);
    let shape = |byte: u8| if byte.is_ascii_digit() { b'0' } else { byte };
    word.bytes().map(shape).eq(*b"0000-00-00T00:00:00Z")
}

#[cfg(test)]
mod tests {
    use super::alike;

    fn same(says: &str, printed: &str) -> bool {
        let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
        alike(&lines(says), &lines(printed))
    }

    #[test]
    fn another_count_is_noticed() {
        assert!(!same("ran 4, unchanged 16 in 9 s", "ran 5, unchanged 15 in 9 s"));
        assert!(!same("[1/2] //a:b in 9 ms", "[1/3] //a:b in 9 ms"));
    }

    #[test]
    fn a_missing_line_is_noticed() {
        assert!(!same("one\ntwo", "one"));
        assert!(!same("one", "one\ntwo"));
        assert!(!same("one\n...\nthree", "one\ntwo"));
    }

    #[test]
    fn what_is_measured_may_differ() {
        assert!(same("ran 4 in 9 s", "ran 4 in 1 min 12 s"));
        assert!(same("file 26e70f0a4387 (took 7 ms)", "file 123456789012 (took 1.5 s)"));
        assert!(same("size   13.6 MiB", "size   2 KiB"));
        assert!(same("at 2026-11-22T02:37:31Z by me", "at 2027-01-02T12:07:00Z by me"));
    }

    #[test]
    fn tasks_may_finish_in_another_order() {
        assert!(same(
            "[1/2] //:a in 9 ms\n[2/2] //:b in 9 ms",
            "[1/2] //:b in 1 s\n[2/2] //:a in 1 s"
        ));
    }

    #[test]
    fn dots_stand_for_any_lines() {
        assert!(same("one\n...\nfour", "one\ntwo\nthree\nfour"));
        assert!(same("one\n...\ntwo", "one\ntwo"));
    }
}
