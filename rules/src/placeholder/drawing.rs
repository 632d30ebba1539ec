//! The picture of a placeholder, as SVG: a colour, words where there are some, and small in a corner
//! the name of what is missing.

use std::fmt;

/// What is drawn.
pub(super) struct Drawing<'a> {
    /// What is missing; nothing for what its user could do without, as a background, and so is not named
    /// in a film.
    pub(super) name: Option<&'a str>,
    /// The colour of the whole, `#rrggbb` or `#rrggbbaa`; without one it can be looked through.
    pub(super) color: Option<&'a str>,
    /// Words in the middle.
    pub(super) words: Option<&'a str>,
    /// Width and height, in pixels.
    pub(super) size: (i64, i64),
}

/// How wide a letter is on average, in hundredths of the letters' size.
const LETTER: i64 = 62;

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.size;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="DejaVu Sans">"#
        )?;
        if let Some(color) = self.color {
            let (plain, alpha) = color.split_at(color.len().min(7));
            let opacity = i64::from_str_radix(alpha, 16).unwrap_or(255) * 1000 / 255;
            let opacity = format!("{}.{:03}", opacity / 1000, opacity % 1000);
            writeln!(
                f,
                r#"<rect width="100%" height="100%" fill="{plain}" fill-opacity="{opacity}"/>"#
            )?;
        }
        self.words(f)?;
        self.label(f)?;
        f.write_str("</svg>\n")
    }
}

impl Drawing<'_> {
    fn words(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(words) = self.words else { return Ok(()) };
        let (width, height) = self.size;
        let size = (width / 16).max(8);
        let lines = wrapped(words, letters_in(width - width / 8, size));
        let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
        let top = height / 2 - count.saturating_mul(size) * 6 / 10 + size;
        for (line, number) in lines.iter().zip(0..) {
            let y = top + number * size * 6 / 5;
            let line = escaped(line);
            writeln!(
                f,
                r##"<text x="50%" y="{y}" font-size="{size}" text-anchor="middle" fill="#ffffff">{line}</text>"##
            )?;
        }
        Ok(())
    }

    /// The name in the lower left corner, with its end if not all of it fits.
    fn label(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(name) = self.name else { return Ok(()) };
        let (width, height) = self.size;
        let size = (width.min(height) / 36).max(8);
        let pad = size / 2;
        let most = letters_in(width - 4 * pad, size).max(4);
        let letters: Vec<char> = name.chars().collect();
        let name: String = match letters.len() > most {
            true => ['…'].iter().chain(&letters[letters.len() - most + 1..]).collect(),
            false => name.to_owned(),
        };
        let count = i64::try_from(name.chars().count()).unwrap_or(i64::MAX);
        let box_width = count * size * LETTER / 100 + 2 * pad;
        let (box_height, name) = (size * 2, escaped(&name));
        let top = height - pad - box_height;
        let base = top + size * 135 / 100;
        writeln!(
            f,
            r##"<rect x="{pad}" y="{top}" width="{box_width}" height="{box_height}" fill="#000000" fill-opacity="0.6"/>"##
        )?;
        let x = 2 * pad;
        writeln!(f, r##"<text x="{x}" y="{base}" font-size="{size}" fill="#ffd93d">{name}</text>"##)
    }
}

/// How many letters of `size` fit into `width`.
fn letters_in(width: i64, size: i64) -> usize {
    usize::try_from(width * 100 / (size * LETTER)).unwrap_or(0).max(1)
}

/// The lines of `words`, none with more than `most` letters.
fn wrapped(words: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in words.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let mut rest: Vec<char> = word.chars().collect();
            let used = line.chars().count();
            if used > 0 && used + 1 + rest.len() > most {
                lines.push(std::mem::take(&mut line));
            } else if used > 0 {
                line.push(' ');
            }
            while rest.len() > most {
                lines.push(rest.drain(..most).collect());
            }
            line.extend(rest);
        }
        lines.push(line);
    }
    lines
}

/// `text` as XML has it; what XML cannot have at all as a question mark.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c if (c.is_control() && c != '\t') || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                escaped.push('?');
            }
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(name: &str, words: Option<&str>) -> String {
        let name = Some(name);
        Drawing { name, color: Some("#1a1a2e80"), words, size: (640, 360) }.to_string()
    }

    #[test]
    fn a_drawing_has_its_colour_words_and_name() {
        let drawing = drawn("a/<b> & c.png", Some("one two"));
        assert!(drawing.contains(r##"fill="#1a1a2e" fill-opacity="0.501""##), "{drawing}");
        assert!(drawing.contains(">one two</text>"), "{drawing}");
        assert!(drawing.contains(">a/&lt;b&gt; &amp; c.png</text>"), "{drawing}");
    }

    #[test]
    fn what_is_too_long_is_wrapped_or_cut() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefghij k", 4), ["abcd", "efgh", "ij k"]);
        assert_eq!(wrapped("a\n\nb", 4), ["a", "", "b"]);
        let drawing = drawn(&"x".repeat(500), None);
        assert!(drawing.contains(">…xxx") && drawing.len() < 900, "{drawing}");
    }

    #[test]
    fn no_text_breaks_the_drawing() {
        for text in ["", "\u{0}\u{7}", "]]>", "\u{1f600}", "ünïcödé", "\u{fffe}"] {
            let drawing = drawn(text, Some(text));
            assert!(!drawing.contains(['\u{0}', '\u{7}', '\u{fffe}']), "{drawing:?}");
            assert_eq!(drawing.matches("<text").count(), drawing.matches("</text>").count());
        }
    }
}
