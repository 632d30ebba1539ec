//! Errors in words.

/// An error with its sources, for one line; what a source only says again is left out.
pub fn chain(error: &dyn std::error::Error) -> String {
    let (mut text, mut last) = (error.to_string(), error.to_string());
    let mut source = error.source();
    while let Some(cause) = source {
        let told = cause.to_string();
        if !text.ends_with(&told) && !told.ends_with(&last) {
            text.push_str(": ");
            text.push_str(&told);
        }
        last = told;
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Told {
        text: &'static str,
        source: Option<Box<Told>>,
    }

    fn told(texts: &[&'static str]) -> Option<Box<Told>> {
        let (text, rest) = texts.split_first()?;
        Some(Box::new(Told { text, source: told(rest) }))
    }

    #[test]
    fn each_source_is_told_once() {
        for (texts, line) in [
            (&["cannot read"][..], "cannot read"),
            (&["cannot read", "gone"], "cannot read: gone"),
            (&["cannot read: gone", "gone"], "cannot read: gone"),
            (&["cannot use", "it is full", "code 13: it is full"], "cannot use: it is full"),
        ] {
            assert_eq!(chain(&*told(texts).unwrap()), line);
        }
    }
}
