//! A picture of 24-bit pixels, and the few shapes that windows need.

use std::io::{self, Write};
use std::ops::Range;

use crate::theme::Rgb;

/// A picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
}

/// How much of each pixel of a shape is covered, from a place relative to where it is stamped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Mask {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: usize,
    /// Row by row, 255 for all of a pixel.
    pub(crate) cover: Vec<u8>,
}

impl Canvas {
    /// A picture of one colour.
    pub fn new(width: u32, height: u32, color: Rgb) -> Self {
        let mut canvas = Self { width, height, rgb: vec![0; (width * height * 3) as usize] };
        canvas.fill(0..width, 0..height, color);
        canvas
    }

    /// Width and height.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// Its pixels, row by row.
    pub fn rgb(&self) -> &[u8] {
        &self.rgb
    }

    /// One pixel.
    pub fn pixel(&self, x: u32, y: u32) -> Rgb {
        let at = self.at(x, y);
        Rgb(self.rgb[at], self.rgb[at + 1], self.rgb[at + 2])
    }

    /// Writes it as a PPM file, which says its own size.
    ///
    /// # Errors
    /// If `out` cannot be written.
    pub fn write(&self, out: &mut impl Write) -> io::Result<()> {
        write!(out, "P6\n{} {}\n255\n", self.width, self.height)?;
        out.write_all(&self.rgb)
    }

    /// Fills a rectangle, as far as it is in the picture.
    pub(crate) fn fill(&mut self, x: Range<u32>, y: Range<u32>, color: Rgb) {
        let x = x.start.min(self.width)..x.end.min(self.width);
        for y in y.start..y.end.min(self.height) {
            let (start, end) = (self.at(x.start, y), self.at(x.end, y));
            for pixel in self.rgb[start..end].chunks_exact_mut(3) {
                pixel.copy_from_slice(&[color.0, color.1, color.2]);
            }
        }
    }

    /// Draws `mask` from `place` in `color`, only in the columns and rows `clip`.
    pub(crate) fn stamp(
        &mut self,
        mask: &Mask,
        place: (u32, u32),
        (columns, rows): (Range<u32>, Range<u32>),
        color: Rgb,
    ) {
        if mask.width == 0 {
            return;
        }
        let moved = |start: u32, by: i32| i64::from(start) + i64::from(by);
        let (left, top) = (moved(place.0, mask.left), moved(place.1, mask.top));
        for (y, row) in (top..).zip(mask.cover.chunks_exact(mask.width)) {
            let Some(y) = u32::try_from(y).ok().filter(|y| rows.contains(y) && *y < self.height)
            else {
                continue;
            };
            for (x, cover) in (left..).zip(row) {
                if let Some(x) =
                    u32::try_from(x).ok().filter(|x| columns.contains(x) && *x < self.width)
                {
                    self.blend(x, y, color, *cover);
                }
            }
        }
    }

    /// A rectangle with round corners.
    pub(crate) fn rounded(&mut self, (x, y): (Range<u32>, Range<u32>), radius: u32, color: Rgb) {
        let least = x.len().min(y.len()) / 2;
        let radius = radius.min(u32::try_from(least).unwrap_or_default());
        self.fill(x.start + radius..x.end - radius, y.clone(), color);
        self.fill(x.clone(), y.start + radius..y.end - radius, color);
        let reach = f64::from(radius);
        for (center_x, columns) in
            [(x.start + radius, x.start..x.start + radius), (x.end - radius, x.end - radius..x.end)]
        {
            for (center_y, rows) in [
                (y.start + radius, y.start..y.start + radius),
                (y.end - radius, y.end - radius..y.end),
            ] {
                let center = (f64::from(center_x), f64::from(center_y));
                self.round(center, reach, (columns.clone(), rows), color);
            }
        }
    }

    /// A disc.
    pub(crate) fn disc(&mut self, center: (f64, f64), radius: f64, color: Rgb) {
        let span = |middle: f64| {
            (middle - radius).floor().max(0.0) as u32..(middle + radius).ceil().max(0.0) as u32
        };
        self.round(center, radius, (span(center.0), span(center.1)), color);
    }

    /// What there is of a disc in a rectangle.
    fn round(
        &mut self,
        center: (f64, f64),
        radius: f64,
        (columns, rows): (Range<u32>, Range<u32>),
        color: Rgb,
    ) {
        for y in rows.start..rows.end.min(self.height) {
            for x in columns.start..columns.end.min(self.width) {
                let (dx, dy) = (f64::from(x) + 0.5 - center.0, f64::from(y) + 0.5 - center.1);
                let inside = radius - (dx * dx + dy * dy).sqrt() + 0.5;
                self.blend(x, y, color, (inside.clamp(0.0, 1.0) * 255.0).round() as u8);
            }
        }
    }

    fn blend(&mut self, x: u32, y: u32, color: Rgb, cover: u8) {
        if cover == 0 {
            return;
        }
        let Rgb(r, g, b) = self.pixel(x, y).mixed(color, cover);
        let at = self.at(x, y);
        self.rgb[at..at + 3].copy_from_slice(&[r, g, b]);
    }

    fn at(&self, x: u32, y: u32) -> usize {
        (y as usize * self.width as usize + x as usize) * 3
    }
}
