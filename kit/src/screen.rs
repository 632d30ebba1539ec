//! The screen of a terminal: what programs print comes in, cells with their colours come out.

use avt::{Color, Pen, Terminal};

use crate::theme::{Rgb, Theme};

/// A screen of some columns and rows.
pub struct Screen {
    terminal: Terminal,
    /// The beginning of a character whose other bytes have not come.
    rest: Vec<u8>,
}

/// What is shown in one cell, or in two next to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell {
    /// The character.
    pub char: char,
    /// How many cells it takes; 0 is the second one of a wide character.
    pub width: u8,
    /// Its colour.
    pub ink: Rgb,
    /// The colour behind it.
    pub paper: Rgb,
    /// How it is written.
    pub style: Style,
}

/// How a character is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[expect(missing_docs, reason = "their names say what they are")]
pub struct Style {
    pub bold: bool,
    pub italic: bool,
    pub underline: bool,
    pub strike: bool,
}

impl Screen {
    /// An empty screen; of nothing it is one cell.
    pub fn new(columns: usize, rows: usize) -> Self {
        let terminal = Terminal::new(columns.max(1), rows.max(1));
        Self { terminal: terminal.expect("it has a cell"), rest: Vec::new() }
    }

    /// Takes what a program printed; what a terminal answers to it.
    pub fn print(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.rest.extend_from_slice(bytes);
        let bytes = std::mem::take(&mut self.rest);
        let mut answers = Vec::new();
        let mut rest = bytes.as_slice();
        // A question is answered as of its place among what was printed.
        while let Some((at, question)) = next_question(rest) {
            self.feed(&rest[..at]);
            answers.extend(self.answer(question));
            rest = &rest[at + question.len()..];
        }
        let whole = whole_characters(rest);
        self.feed(&rest[..whole]);
        self.rest = rest[whole..].to_vec();
        answers
    }

    fn feed(&mut self, bytes: &[u8]) {
        self.terminal.feed(String::from_utf8_lossy(bytes).as_ref());
    }

    fn answer(&self, question: &[u8]) -> Vec<u8> {
        match question {
            CURSOR => {
                let cursor = self.terminal.cursor();
                format!("\x1b[{};{}R", cursor.row + 1, cursor.col + 1).into_bytes()
            }
            STATUS => b"\x1b[0n".to_vec(),
            _ => b"\x1b[?6c".to_vec(),
        }
    }

    /// Whether the program wants cursor keys in their other form.
    pub fn application_cursor(&self) -> bool {
        self.terminal.cursor_key_app_mode()
    }

    /// Whether the cursor is to be seen.
    pub fn has_cursor(&self) -> bool {
        self.terminal.cursor().visible
    }

    /// Its text, a line for each row, without blanks at the ends.
    pub fn text(&self) -> String {
        let lines = self.terminal.screen().visible_lines().map(|line| line.text());
        let lines: Vec<String> = lines.map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// The text of the cursor's row.
    pub fn line(&self) -> String {
        let row = self.terminal.cursor().row;
        let line = self.terminal.screen().line(row).map(|line| line.text());
        line.unwrap_or_default().trim_end().to_owned()
    }

    /// The cells, row by row, in the colours of `theme`; with a cursor, if it is to be shown.
    pub fn rows(&self, theme: &Theme, cursor: bool) -> Vec<Vec<Cell>> {
        let lines = self.terminal.screen().visible_lines();
        let looks = |cell: &avt::Cell| look(cell.char(), cell.width(), cell.pen(), theme);
        let mut rows: Vec<Vec<Cell>> =
            lines.map(|line| line.cells().iter().map(looks).collect()).collect();
        let at = self.terminal.cursor();
        if cursor && at.visible {
            let row = rows.get_mut(at.row);
            if let Some(cell) = row.and_then(|row| {
                let last = row.len().saturating_sub(1);
                row.get_mut(at.col.min(last))
            }) {
                cell.ink = theme.background;
                cell.paper = theme.cursor;
            }
        }
        rows
    }
}

const CURSOR: &[u8] = b"\x1b[6n";
const STATUS: &[u8] = b"\x1b[5n";

/// The first question to the terminal among `bytes`, and where it begins.
fn next_question(bytes: &[u8]) -> Option<(usize, &'static [u8])> {
    let questions: [&'static [u8]; 4] = [CURSOR, STATUS, b"\x1b[c", b"\x1b[0c"];
    let place = |question: &'static [u8]| {
        let at = bytes.windows(question.len()).position(|window| window == question)?;
        Some((at, question))
    };
    questions.into_iter().filter_map(place).min()
}

/// How many of `bytes` are whole characters; bytes that are none count as such.
fn whole_characters(bytes: &[u8]) -> usize {
    let tail = bytes.len().saturating_sub(3);
    let start = (tail..bytes.len()).rev().find(|at| bytes[*at] & 0xc0 != 0x80);
    let Some(start) = start else { return bytes.len() };
    let wants = match bytes[start] {
        0xc0..0xe0 => 2,
        0xe0..0xf0 => 3,
        0xf0..0xf8 => 4,
        _ => 1,
    };
    if start + wants > bytes.len() { start } else { bytes.len() }
}

fn look(char: char, width: u8, pen: &Pen, theme: &Theme) -> Cell {
    let color = |color: Color| match color {
        Color::Indexed(index) => theme.indexed(index),
        Color::RGB(rgb) => Rgb(rgb.r, rgb.g, rgb.b),
    };
    // As most terminals do, bold text in one of the eight colours is bright.
    let bright = |color: Color| match color {
        Color::Indexed(index @ 0..8) if pen.is_bold() => Color::Indexed(index + 8),
        other => other,
    };
    let mut ink = pen.foreground().map_or(theme.foreground, |it| color(bright(it)));
    let mut paper = pen.background().map_or(theme.background, color);
    if pen.is_inverse() {
        std::mem::swap(&mut ink, &mut paper);
    }
    if pen.is_faint() {
        ink = ink.mixed(paper, 128);
    }
    let style = Style {
        bold: pen.is_bold(),
        italic: pen.is_italic(),
        underline: pen.is_underline(),
        strike: pen.is_strikethrough(),
    };
    Cell { char, width, ink, paper, style }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(text: &str) -> Screen {
        let mut screen = Screen::new(10, 3);
        let _ = screen.print(text.as_bytes());
        screen
    }

    #[test]
    fn what_is_printed_is_in_the_cells_with_its_colours() {
        let theme = Theme::dracula();
        let rows = screen("a\x1b[1;32mb\x1b[0;7mc").rows(&theme, false);
        let cell = |column: usize| rows[0][column];
        assert_eq!(
            (cell(0).char, cell(0).ink, cell(0).paper),
            ('a', theme.foreground, theme.background)
        );
        assert_eq!((cell(1).char, cell(1).ink, cell(1).style.bold), ('b', theme.colors[10], true));
        assert_eq!((cell(2).ink, cell(2).paper), (theme.background, theme.foreground));
        assert_eq!((rows.len(), rows[0].len()), (3, 10));
    }

    #[test]
    fn the_cursor_is_a_cell_in_its_own_colour_unless_it_is_hidden() {
        let theme = Theme::dracula();
        assert_eq!(screen("ab").rows(&theme, true)[0][2].paper, theme.cursor);
        assert_eq!(screen("ab").rows(&theme, false)[0][2].paper, theme.background);
        assert_eq!(screen("ab\x1b[?25l").rows(&theme, true)[0][2].paper, theme.background);
        assert_eq!(screen("0123456789").rows(&theme, true)[0][9].paper, theme.cursor);
    }

    #[test]
    fn a_character_may_come_in_parts_and_take_two_cells() {
        let mut screen = Screen::new(10, 1);
        for byte in "é漢".bytes() {
            let _ = screen.print(&[byte]);
        }
        let widths: Vec<_> = screen.rows(&Theme::dracula(), false)[0][..4]
            .iter()
            .map(|cell| (cell.char, cell.width))
            .collect();
        assert_eq!(widths[0], ('é', 1));
        assert_eq!(widths[1], ('漢', 2));
        assert_eq!(widths[2].1, 0);
        assert_eq!(widths[3].1, 1);
        let _ = screen.print(b"\xff!");
        assert!(screen.text().ends_with("\u{fffd}!"));
    }

    #[test]
    fn questions_are_answered_as_of_their_place() {
        let mut screen = Screen::new(10, 3);
        assert_eq!(screen.print(b"ab\x1b[6ncd\x1b[5n"), b"\x1b[1;3R\x1b[0n");
        assert_eq!(screen.line(), "abcd");
    }
}
