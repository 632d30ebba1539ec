//! Draws a screen as a picture: its text in a window, as VHS has it.

mod canvas;
mod font;

use std::ops::Range;

pub use canvas::Canvas;
pub use font::{BadFont, Fonts};

use crate::screen::{Cell, Screen};
use crate::tape::{Settings, WindowBar};
use crate::theme::Rgb;
use font::Letters;

/// Draws screens, each time only the rows that changed.
pub struct Painter {
    canvas: Canvas,
    letters: Letters,
    settings: Settings,
    /// Where the text begins.
    left: u32,
    top: u32,
    columns: usize,
    rows: usize,
    /// What is drawn.
    drawn: Vec<Vec<Cell>>,
}

impl Painter {
    /// For pictures of `width` x `height`; the screen that fits in has at least one cell.
    pub fn new(settings: &Settings, fonts: Fonts, (width, height): (u32, u32)) -> Self {
        let letters = Letters::new(fonts, settings);
        let margin = settings.margin.min(width.min(height) / 4);
        let bar = settings.window_bar.map_or(0, |_| settings.window_bar_size.min(height / 4));
        let padding = settings.padding.min((width.min(height) - 2 * margin) / 4);
        let room = |all: u32, more: u32| all.saturating_sub(2 * (margin + padding) + more);
        let fits = |room: u32, cell: u32| usize::try_from(room / cell.max(1)).unwrap_or(1).max(1);
        let mut painter = Self {
            canvas: Canvas::new(width, height, settings.theme.background),
            columns: fits(room(width, 0), letters.width()),
            rows: fits(room(height, bar), letters.height()),
            letters,
            settings: settings.clone(),
            left: margin + padding,
            top: margin + padding + bar,
            drawn: Vec::new(),
        };
        painter.window(margin, bar);
        painter
    }

    /// How many columns and rows the screen has.
    pub fn size(&self) -> (usize, usize) {
        (self.columns, self.rows)
    }

    /// The picture of `screen`, with its cursor if it is to be shown.
    pub fn picture(&mut self, screen: &Screen, cursor: bool) -> &Canvas {
        let rows = screen.rows(&self.settings.theme, cursor);
        for (index, row) in rows.iter().enumerate() {
            if self.drawn.get(index) != Some(row) {
                self.row(index, row);
            }
        }
        self.drawn = rows;
        &self.canvas
    }

    fn row(&mut self, index: usize, row: &[Cell]) {
        let (width, height) = (self.letters.width(), self.letters.height());
        let top = self.top + u32::try_from(index).unwrap_or_default() * height;
        let across = |column: usize, cells: u32| -> Range<u32> {
            let left = self.left + u32::try_from(column).unwrap_or_default() * width;
            left..left + cells * width
        };
        // Letters that are wider than their cells leave no trace beside the text.
        let text = across(0, u32::try_from(row.len()).unwrap_or_default());
        for (column, cell) in row.iter().enumerate() {
            self.canvas.fill(across(column, 1), top..top + height, cell.paper);
        }
        for (column, cell) in row.iter().enumerate().filter(|(_, cell)| cell.width > 0) {
            let x = across(column, cell.width.into());
            if !cell.char.is_whitespace() {
                let mask = self.letters.mask(cell.char, cell.width, cell.style);
                self.canvas.stamp(
                    mask,
                    (x.start, top),
                    (text.clone(), top..top + height),
                    cell.ink,
                );
            }
            let thick = self.letters.stroke();
            if cell.style.underline {
                let y = top + self.letters.underline();
                self.canvas.fill(x.clone(), y..(y + thick).min(top + height), cell.ink);
            }
            if cell.style.strike {
                let y = top + self.letters.strike();
                self.canvas.fill(x, y..y + thick, cell.ink);
            }
        }
    }

    /// The window's edge, corners and buttons.
    fn window(&mut self, margin: u32, bar: u32) {
        let (width, height) = self.canvas.size();
        let paper = self.settings.theme.background;
        let around = self.settings.margin_fill.unwrap_or(paper);
        if margin > 0 || self.settings.border_radius > 0 {
            self.canvas.fill(0..width, 0..height, around);
            let inside = (margin..width - margin, margin..height - margin);
            self.canvas.rounded(inside, self.settings.border_radius, paper);
        }
        if let Some(WindowBar { rings, right }) = self.settings.window_bar {
            let size = f64::from(bar);
            let colors = [Rgb(0xff, 0x5f, 0x56), Rgb(0xff, 0xbd, 0x2e), Rgb(0x27, 0xc9, 0x3f)];
            for (index, color) in colors.into_iter().enumerate() {
                let along = f64::from(margin) + size * (0.65 + 0.65 * index as f64);
                let x = if right { f64::from(width) - along } else { along };
                let center = (x, f64::from(margin) + size / 2.0);
                self.canvas.disc(center, size / 5.0, color);
                if rings {
                    self.canvas.disc(center, size / 5.0 - (size / 15.0).max(1.0), paper);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fonts() -> Fonts {
        let file = |name: &str| std::fs::read(format!("/usr/share/fonts/truetype/dejavu/{name}"));
        Fonts::new(file("DejaVuSansMono.ttf").unwrap(), None, None, Vec::new()).unwrap()
    }

    fn painted(settings: &Settings, text: &str) -> Canvas {
        let mut painter = Painter::new(settings, fonts(), (400, 200));
        let (columns, rows) = painter.size();
        let mut screen = Screen::new(columns, rows);
        let _ = screen.print(text.as_bytes());
        painter.picture(&screen, false).clone()
    }

    fn pixels_unlike(canvas: &Canvas, color: Rgb) -> usize {
        let color = [color.0, color.1, color.2];
        canvas.rgb().chunks_exact(3).filter(|pixel| *pixel != color).count()
    }

    #[test]
    fn a_picture_shows_what_the_screen_says() {
        let settings = Settings::default();
        let paper = settings.theme.background;
        assert_eq!(pixels_unlike(&painted(&settings, ""), paper), 0);
        let (one, two) = (painted(&settings, "h"), painted(&settings, "hh"));
        let ink = pixels_unlike(&one, paper);
        assert!((50..500).contains(&ink), "{ink} pixels of ink");
        assert_eq!(pixels_unlike(&two, paper), 2 * ink);
        // 32 pixels an em: 19 across and 38 down; 360 and 160 pixels are there.
        assert_eq!(Painter::new(&settings, fonts(), (400, 200)).size(), (18, 4));
    }

    #[test]
    fn rows_that_changed_are_drawn_over() {
        let settings = Settings::default();
        let mut painter = Painter::new(&settings, fonts(), (400, 200));
        let mut screen = Screen::new(18, 4);
        for text in [
            "one\r\ntwo",
            "\x1b[H\x1b[Jtwo",
            "\x1b[4mx\x1b[0m",
            "\x1b[H\x1b[J\x1b[41m ",
            "\x1b[H──────────────────",
            "\x1b[2J",
        ] {
            let _ = screen.print(text.as_bytes());
            let afresh =
                Painter::new(&settings, fonts(), (400, 200)).picture(&screen, true).clone();
            assert_eq!(painter.picture(&screen, true).rgb(), afresh.rgb(), "{text:?}");
        }
    }

    #[test]
    fn block_characters_fill_their_cells() {
        let settings = Settings { padding: 0, ..Settings::default() };
        let canvas = painted(&settings, "\u{2588}");
        let ink = settings.theme.foreground;
        assert_eq!(canvas.pixel(9, 18), ink);
        assert_eq!(canvas.pixel(1, 1), ink);
        assert_eq!(canvas.pixel(30, 18), settings.theme.background);
    }

    #[test]
    fn a_window_may_have_a_margin_corners_and_buttons() {
        let fill = Rgb(1, 2, 3);
        let settings = Settings {
            margin: 20,
            margin_fill: Some(fill),
            border_radius: 12,
            window_bar: WindowBar::named("Colorful"),
            ..Settings::default()
        };
        let canvas = painted(&settings, "");
        assert_eq!(canvas.pixel(5, 100), fill);
        assert_eq!(canvas.pixel(21, 21), fill, "the corner is round");
        assert_eq!(canvas.pixel(200, 100), settings.theme.background);
        assert_eq!(canvas.pixel(39, 35), Rgb(0xff, 0x5f, 0x56));
    }
}
