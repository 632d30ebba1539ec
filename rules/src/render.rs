//! Diagnostics as people read them: header, snippets by miette, hint.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource, SourceCode, ThemeCharacters,
    ThemeStyles,
};

use crate::diagnostic::{Diagnostic, Place, Severity, Spot};
use crate::label::WsPath;
use crate::syntax::{Spans, spans};

/// How to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RenderOptions {
    /// With ANSI colours.
    pub color: bool,
    /// With box-drawing characters, else ASCII.
    pub unicode: bool,
    /// Columns to fit into.
    pub width: usize,
}

/// `diagnostic` as text, with a trailing newline; `source` gives the text of a file.
pub fn render(
    diagnostic: &Diagnostic,
    source: &dyn Fn(&WsPath) -> Option<String>,
    options: RenderOptions,
) -> String {
    render_all(std::slice::from_ref(diagnostic), source, options)
}

/// Several as one text; each file is read once.
pub fn render_all(
    diagnostics: &[Diagnostic],
    source: &dyn Fn(&WsPath) -> Option<String>,
    options: RenderOptions,
) -> String {
    let mut files = Files { source, known: BTreeMap::new() };
    diagnostics.iter().map(|diagnostic| rendered(diagnostic, &mut files, options)).collect()
}

fn rendered(diagnostic: &Diagnostic, files: &mut Files<'_>, options: RenderOptions) -> String {
    let mut text = header(diagnostic, options.color);
    for group in groups(diagnostic, files) {
        let file = &group[0].anchor.file;
        let whole = group.iter().all(|place| place.anchor.spot == Spot::File);
        match files.of(file) {
            Some(known) if !whole && known.fits(&group) => {
                text.push_str(&snippet(file, known, &group, options));
            }
            Some(known) if !whole => text.push_str(&bare(file, known, &group, options)),
            _ => text.push_str(&format!("  {} {file}\n", if options.unicode { "─" } else { "-" })),
        }
    }
    if let Some(hint) = &diagnostic.hint {
        text.push_str(&format!("{}: {hint}\n", painted("hint", "36", options.color)));
    }
    text
}

/// The line and column of a byte, both from 1; a column is a character.
pub fn line_column(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(offset)];
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (line, before[start..].chars().count() + 1)
}

/// Where `diagnostic` mainly is: the file, and the line and column if its text is known.
pub fn position<'d>(
    diagnostic: &'d Diagnostic,
    source: &dyn Fn(&WsPath) -> Option<String>,
) -> Option<(&'d WsPath, usize, usize)> {
    let anchor = &diagnostic.places.first()?.anchor;
    let text = source(&anchor.file).unwrap_or_default();
    let range = spans(&text).resolve(anchor);
    let (line, column) = line_column(&text, range.start);
    Some((&anchor.file, line, column))
}

fn header(diagnostic: &Diagnostic, color: bool) -> String {
    let (word, style) = match diagnostic.severity {
        Severity::Error => ("error", "31;1"),
        Severity::Warning => ("warning", "33;1"),
    };
    let kind = painted(&format!("{word}[{}]", diagnostic.code), style, color);
    format!("{kind}: {}\n", painted(&diagnostic.message, "1", color))
}

fn painted(text: &str, style: &str, color: bool) -> String {
    if color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The places in the order of their importance, those that are near one another together.
fn groups<'d>(diagnostic: &'d Diagnostic, files: &mut Files<'_>) -> Vec<Vec<&'d Place>> {
    let mut groups: Vec<(usize, Vec<&Place>)> = Vec::new();
    for place in &diagnostic.places {
        let line = files.of(&place.anchor.file).map_or(0, |known| known.line(place));
        let near = groups.iter_mut().find(|(first, group)| {
            group[0].anchor.file == place.anchor.file && first.abs_diff(line) <= 3
        });
        match near {
            Some((_, group)) => group.push(place),
            None => groups.push((line, vec![place])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// The texts that one diagnostic points into, with their places.
struct Files<'s> {
    source: &'s dyn Fn(&WsPath) -> Option<String>,
    known: BTreeMap<WsPath, Option<KnownFile>>,
}

struct KnownFile {
    text: String,
    spans: Spans,
}

impl Files<'_> {
    fn of(&mut self, file: &WsPath) -> Option<&KnownFile> {
        let read = || {
            let text = (self.source)(file)?;
            Some(KnownFile { spans: spans(&text), text })
        };
        self.known.entry(file.clone()).or_insert_with(read).as_ref()
    }
}

/// A line with more bytes than that is no text for people.
const LONGEST_LINE: usize = 2000;

impl KnownFile {
    /// Whether the lines at and around the places can be shown.
    fn fits(&self, places: &[&Place]) -> bool {
        places.iter().all(|place| {
            let start = self.spans.resolve(&place.anchor).start;
            let (before, after) = self.text.split_at(self.text.floor_char_boundary(start));
            let begun = before.rsplit('\n').take(2).map(str::len);
            let ended = after.split('\n').take(2).map(str::len);
            begun.chain(ended).all(|length| length <= LONGEST_LINE)
        })
    }

    fn line(&self, place: &Place) -> usize {
        line_column(&self.text, self.spans.resolve(&place.anchor).start).0
    }
}

/// The places of one file without its text.
fn bare(file: &WsPath, known: &KnownFile, places: &[&Place], options: RenderOptions) -> String {
    let line = |place: &&Place| {
        let (line, column) = line_column(&known.text, known.spans.resolve(&place.anchor).start);
        let dash = if options.unicode { "─" } else { "-" };
        let space = if place.note.is_empty() { "" } else { " " };
        format!("  {dash} {file}:{line}:{column}{space}{}\n", place.note)
    };
    places.iter().map(line).collect()
}

/// The lines of one file with marks under the places.
fn snippet(file: &WsPath, known: &KnownFile, places: &[&Place], options: RenderOptions) -> String {
    let labels = places.iter().map(|place| {
        let range = known.spans.resolve(&place.anchor);
        let note = Some(place.note.clone()).filter(|note| !note.is_empty());
        let span = (range.start, visible_length(&known.text, &range));
        if std::ptr::eq(*place, places[0]) {
            LabeledSpan::new_primary_with_span(note, span)
        } else {
            LabeledSpan::new_with_span(note, span)
        }
    });
    let report = Snippet {
        source: NamedSource::new(file.as_str(), known.text.clone()),
        labels: labels.collect(),
    };
    let handler = GraphicalReportHandler::new_themed(theme(options))
        .with_width(options.width)
        .with_links(false)
        .with_context_lines(1);
    let mut text = String::new();
    if handler.render_report(&mut text, &report).is_err() {
        return format!("  {file}\n");
    }
    // The first line is miette's own header, which ours replaces.
    let lines = text.lines().skip_while(|line| !line.contains(file.as_str()));
    lines.map(|line| format!("{}\n", line.trim_end())).collect()
}

/// A mark stays on its line.
fn visible_length(source: &str, range: &Range<usize>) -> usize {
    let marked = source.get(range.clone()).unwrap_or_default();
    marked.find('\n').unwrap_or(marked.len())
}

fn theme(options: RenderOptions) -> GraphicalTheme {
    GraphicalTheme {
        characters: if options.unicode {
            ThemeCharacters::unicode()
        } else {
            ThemeCharacters::ascii()
        },
        styles: if options.color { ThemeStyles::ansi() } else { ThemeStyles::none() },
    }
}

/// One file's part of a diagnostic, as miette wants it.
struct Snippet {
    source: NamedSource<String>,
    labels: Vec<LabeledSpan>,
}

impl fmt::Debug for Snippet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Snippet")
    }
}

impl fmt::Display for Snippet {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Snippet {}

impl miette::Diagnostic for Snippet {
    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::package;

    const OPTIONS: RenderOptions = RenderOptions { color: false, unicode: true, width: 80 };

    fn rendered(text: &str, options: RenderOptions) -> String {
        let file = WsPath::new("shorts/BUILD.kdl").unwrap();
        let problems = package(&file, text).problems;
        let source = |_: &WsPath| Some(text.to_owned());
        problems.iter().map(|problem| render(problem, &source, options)).collect()
    }

    #[test]
    fn a_diagnostic_has_header_snippet_and_hint() {
        let text = "task \"a\" {\n}\n\n\ntask \"a\" {\n}\n";
        let expected = r#"error[duplicate-target]: two targets are named `a`
   ╭─[shorts/BUILD.kdl:5:6]
 4 │
 5 │ task "a" {
   ·      ─┬─
   ·       ╰── again here
 6 │ }
   ╰────
   ╭─[shorts/BUILD.kdl:1:6]
 1 │ task "a" {
   ·      ─┬─
   ·       ╰── first here
 2 │ }
   ╰────
hint: rename one of them
"#;
        assert_eq!(rendered(text, OPTIONS), expected);
    }

    #[test]
    fn without_unicode_it_is_ascii() {
        let text = rendered("task true\n}\n", RenderOptions { unicode: false, ..OPTIONS });
        assert!(text.is_ascii());
        assert!(text.contains("kdl-v1") && text.contains("BUILD.kdl:1:6"));
    }

    #[test]
    fn places_count_characters() {
        assert_eq!(line_column("é\nüx", 5), (2, 2));
        assert_eq!(line_column("", 9), (1, 1));
    }
}
