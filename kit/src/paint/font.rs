//! Letters as masks, made once each from the outlines of a font.

use std::collections::BTreeMap;

use ab_glyph::{Font, FontVec, Glyph, GlyphId, PxScale, ScaleFont, point};

use super::canvas::Mask;
use crate::screen::Style;
use crate::tape::Settings;

/// The fonts that text is drawn with.
pub struct Fonts {
    regular: FontVec,
    bold: Option<FontVec>,
    oblique: Option<FontVec>,
    /// For characters that the others lack, in this order.
    others: Vec<FontVec>,
}

/// A font file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("not a TrueType or OpenType font")]
pub struct BadFont;

impl Fonts {
    /// Fonts from the bytes of their files. `others` have what the first ones lack.
    ///
    /// # Errors
    /// If one is no font.
    pub fn new(
        regular: Vec<u8>,
        bold: Option<Vec<u8>>,
        oblique: Option<Vec<u8>>,
        others: Vec<Vec<u8>>,
    ) -> Result<Self, BadFont> {
        let font = |bytes| FontVec::try_from_vec(bytes).map_err(|_| BadFont);
        Ok(Self {
            regular: font(regular)?,
            bold: bold.map(font).transpose()?,
            oblique: oblique.map(font).transpose()?,
            others: others.into_iter().map(font).collect::<Result<_, _>>()?,
        })
    }

    /// The font that has `char`, in `style` if it can be.
    fn with(&self, char: char, style: Style) -> (&FontVec, GlyphId) {
        let styled = match style {
            Style { bold: true, .. } => self.bold.as_ref(),
            Style { italic: true, .. } => self.oblique.as_ref(),
            _ => None,
        };
        let fonts = styled.into_iter().chain([&self.regular]).chain(&self.others);
        let mut found = fonts.map(|font| (font, font.glyph_id(char)));
        found
            .find(|(_, glyph)| glyph.0 != 0)
            .unwrap_or_else(|| (&self.regular, self.regular.glyph_id('\u{fffd}')))
    }
}

/// The letters of one size, and the cells that they stand in.
pub(crate) struct Letters {
    fonts: Fonts,
    size: f32,
    width: u32,
    height: u32,
    /// From the top of a cell.
    baseline: f32,
    known: BTreeMap<(char, Style), Mask>,
}

impl Letters {
    pub(crate) fn new(fonts: Fonts, settings: &Settings) -> Self {
        let size = settings.font_size;
        let scaled = fonts.regular.as_scaled(scale(&fonts.regular, size));
        let natural = scaled.height() + scaled.line_gap();
        let height = (natural * settings.line_height).ceil().max(1.0);
        let advance = scaled.h_advance(fonts.regular.glyph_id('M'));
        let width = (advance + settings.letter_spacing).floor().max(1.0);
        let baseline = (scaled.ascent() + (height - natural) / 2.0).round();
        let (width, height) = (width as u32, height as u32);
        Self { fonts, size, width, height, baseline, known: BTreeMap::new() }
    }

    /// The width of a cell.
    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    /// The height of a cell.
    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// How thick lines are.
    pub(crate) fn stroke(&self) -> u32 {
        ((self.size / 16.0).round() as u32).max(1)
    }

    /// Where a line below the text begins, from the top of a cell.
    pub(crate) fn underline(&self) -> u32 {
        (self.baseline + self.size / 12.0).round() as u32
    }

    /// Where a line through the text begins.
    pub(crate) fn strike(&self) -> u32 {
        (self.baseline - self.size * 0.28).round().max(0.0) as u32
    }

    /// The shape of `char` in the middle of `cells` cells.
    pub(crate) fn mask(&mut self, char: char, cells: u8, style: Style) -> &Mask {
        let style = Style { underline: false, strike: false, ..style };
        let Self { fonts, size, width, baseline, .. } = self;
        self.known.entry((char, style)).or_insert_with(|| {
            let (font, glyph) = fonts.with(char, style);
            let scale = scale(font, *size);
            let room = *width as f32 * f32::from(cells);
            let left = (room - font.as_scaled(scale).h_advance(glyph)) / 2.0;
            outline(font, glyph.with_scale_and_position(scale, point(left.round(), *baseline)))
        })
    }
}

/// The scale at which an em has `size` pixels.
fn scale(font: &FontVec, size: f32) -> PxScale {
    PxScale::from(size * font.height_unscaled() / font.units_per_em().unwrap_or(1000.0))
}

fn outline(font: &FontVec, glyph: Glyph) -> Mask {
    let Some(outlined) = font.outline_glyph(glyph) else { return Mask::default() };
    let bounds = outlined.px_bounds();
    let (width, height) = (bounds.width() as usize, bounds.height() as usize);
    let mut cover = vec![0; width * height];
    outlined.draw(|x, y, covered| {
        if let Some(pixel) = cover.get_mut(y as usize * width + x as usize) {
            *pixel = (covered.clamp(0.0, 1.0) * 255.0).round() as u8;
        }
    });
    Mask { left: bounds.min.x as i32, top: bounds.min.y as i32, width, cover }
}
