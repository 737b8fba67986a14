//! A drawing surface: filled boxes, lines and text, anti-aliased.

use ab_glyph::{Font, GlyphId, PxScale, ScaleFont, point};
use image::RgbImage;
use tiny_skia::{FillRule, LineCap, LineJoin, Paint, PathBuilder, Pixmap, Rect, Stroke, Transform};

use super::drawn::{Drawn, Place};
use super::fonts::{Letter, letters};
use super::{PictureError, palette};

/// Largest number of pixels; they take 256 MiB.
const MAX_PIXELS: u64 = 1 << 26;

/// Red, green and blue, 0..=255 each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

impl Color {
    /// From this color (`share` 0) to `other` (`share` 1).
    pub fn mix(self, other: Self, share: f32) -> Self {
        let mix = |a: u8, b: u8| (f32::from(a) + (f32::from(b) - f32::from(a)) * share).round() as u8;
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }
}

impl From<Color> for Paint<'_> {
    fn from(color: Color) -> Self {
        let mut paint = Paint::default();
        paint.set_color_rgba8(color.0, color.1, color.2, 255);
        paint
    }
}

/// Horizontal anchor of a text. The vertical anchor is the middle of the capital letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// Font and placement of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextStyle {
    /// Height of the font in pixels.
    pub size: f32,
    pub color: Color,
    pub anchor: Anchor,
    /// Rotated to read from bottom to top.
    pub upright: bool,
}

impl TextStyle {
    pub fn new(size: f32, color: Color, anchor: Anchor) -> Self {
        Self { size, color, anchor, upright: false }
    }

    pub fn upright(self) -> Self {
        Self { upright: true, ..self }
    }
}

pub(super) struct Canvas {
    pixels: Pixmap,
    photographs: Vec<Place>,
}

impl Canvas {
    /// White paper of a size in pixels. `what` names the picture in errors.
    pub fn new(what: &'static str, width: u64, height: u64) -> Result<Self, PictureError> {
        let too_large = || PictureError::TooLarge { what, width, height };
        if width.saturating_mul(height) > MAX_PIXELS {
            return Err(too_large());
        }
        let (w, h) = (u32::try_from(width), u32::try_from(height));
        let (Ok(w), Ok(h)) = (w, h) else {
            return Err(too_large());
        };
        let mut pixels = Pixmap::new(w, h).ok_or_else(too_large)?;
        let Color(r, g, b) = palette::PAPER;
        pixels.fill(tiny_skia::Color::from_rgba8(r, g, b, 255));
        Ok(Self { pixels, photographs: vec![] })
    }

    pub fn fill_rect(&mut self, x: f32, y: f32, width: f32, height: f32, color: Color) {
        if let Some(rect) = Rect::from_xywh(x, y, width, height) {
            self.pixels.fill_rect(rect, &color.into(), Transform::identity(), None);
        }
    }

    /// The outline of a box, drawn inside it, `thickness` pixels wide.
    pub fn frame(&mut self, x: f32, y: f32, width: f32, height: f32, thickness: f32, color: Color) {
        let half = thickness / 2.0;
        let (x0, y0, x1, y1) = (x + half, y + half, x + width - half, y + height - half);
        self.line(&[(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], thickness, color);
    }

    /// A line through `points`.
    pub fn line(&mut self, points: &[(f32, f32)], thickness: f32, color: Color) {
        let mut path = PathBuilder::new();
        for (index, &(x, y)) in points.iter().enumerate() {
            if index == 0 {
                path.move_to(x, y);
            } else {
                path.line_to(x, y);
            }
        }
        let stroke =
            Stroke { width: thickness, line_cap: LineCap::Square, line_join: LineJoin::Round, ..Stroke::default() };
        if let Some(path) = path.finish() {
            self.pixels.stroke_path(&path, &color.into(), &stroke, Transform::identity(), None);
        }
    }

    pub fn disc(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        if let Some(path) = PathBuilder::from_circle(x, y, radius) {
            let (rule, still) = (FillRule::Winding, Transform::identity());
            self.pixels.fill_path(&path, &color.into(), rule, still, None);
        }
    }

    /// Copies a picture. Each pixel becomes a square of side `zoom`.
    pub fn picture(&mut self, picture: &RgbImage, x: u32, y: u32, zoom: u32) {
        self.keep(Place { x, y, width: picture.width() * zoom, height: picture.height() * zoom });
        let width = self.pixels.width();
        for dy in 0..picture.height() * zoom {
            for dx in 0..picture.width() * zoom {
                let [r, g, b] = picture.get_pixel(dx / zoom, dy / zoom).0;
                if x + dx < width {
                    let at = ((y + dy) * width + x + dx) as usize * 4;
                    if let Some(pixel) = self.pixels.data_mut().get_mut(at..at + 4) {
                        pixel.copy_from_slice(&[r, g, b, 255]);
                    }
                }
            }
        }
    }

    /// Width of a text in pixels at a font size.
    pub fn text_width(&self, text: &str, size: f32) -> f32 {
        text_width(text, size)
    }

    /// Draws one line of text with its anchor at (x, y).
    pub fn text(&mut self, text: &str, x: f32, y: f32, style: TextStyle) {
        let scale = PxScale::from(style.size);
        let shift = self.text_width(text, style.size)
            * match style.anchor {
                Anchor::Start => 0.0,
                Anchor::Middle => 0.5,
                Anchor::End => 1.0,
            };
        // Half the height of this font's capitals: the distance from their middle to the baseline.
        let baseline = style.size * 0.3;
        let mut pen = Pen::default();
        for letter in letters(text) {
            let (id, place) = pen.place(&letter, scale);
            let (font, along) = (letter.font, place - shift);
            // Upright text runs upwards, along −y where level text runs along +x, so its glyphs are rasterized at the
            // origin and rotated pixel by pixel.
            let origin = if style.upright { point(0.0, 0.0) } else { point(x + along, y + baseline) };
            let turned_to = ((x + baseline).round(), (y - along).round() - 1.0);
            if let Some(outline) = font.outline_glyph(id.with_scale_and_position(scale, origin)) {
                let corner = outline.px_bounds().min;
                outline.draw(|dx, dy, coverage| {
                    let (right, down) = (corner.x + dx as f32, corner.y + dy as f32);
                    let (px, py) = match style.upright {
                        true => (turned_to.0 + down, turned_to.1 - right),
                        false => (right, down),
                    };
                    blend(&mut self.pixels, px, py, coverage, style.color);
                });
            }
        }
    }

    /// Marks a part whose colors have a meaning: a dark page does not change them.
    pub fn keep(&mut self, place: Place) {
        self.photographs.push(place);
    }

    /// The finished figure with the places of its photographs.
    pub fn figure(mut self) -> Drawn {
        let photographs = std::mem::take(&mut self.photographs);
        Drawn { picture: self.finish(), photographs }
    }

    /// The finished picture.
    pub fn finish(self) -> RgbImage {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        let rgb: Vec<u8> = self.pixels.data().as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect();
        // The buffer always has this size, so the default is never used.
        RgbImage::from_raw(width, height, rgb).unwrap_or_default()
    }
}

fn blend(pixels: &mut Pixmap, x: f32, y: f32, coverage: f32, color: Color) {
    let (width, height) = (pixels.width() as f32, pixels.height() as f32);
    if !(0.0..width).contains(&x) || !(0.0..height).contains(&y) {
        return;
    }
    let at = (y as usize * width as usize + x as usize) * 4;
    if let Some(pixel) = pixels.data_mut().get_mut(at..at + 3) {
        let mixed = Color(pixel[0], pixel[1], pixel[2]).mix(color, coverage.clamp(0.0, 1.0));
        pixel.copy_from_slice(&[mixed.0, mixed.1, mixed.2]);
    }
}

/// Width of a text in pixels at a font size.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    let mut pen = Pen::default();
    for letter in letters(text) {
        pen.place(&letter, PxScale::from(size));
    }
    pen.at
}

/// The position of the next letter of a text. Letters of one font are kerned.
#[derive(Default)]
struct Pen {
    at: f32,
    /// Font and glyph of the previous letter.
    before: Option<(usize, GlyphId)>,
}

impl Pen {
    /// The glyph of a letter and its position. Advances the pen.
    fn place(&mut self, Letter { letter, font, number }: &Letter, scale: PxScale) -> (GlyphId, f32) {
        let scaled = font.as_scaled(scale);
        let id = scaled.glyph_id(*letter);
        let before = self.before.filter(|(known, _)| known == number);
        self.at += before.map_or(0.0, |(_, before)| scaled.kern(before, id));
        let place = self.at;
        self.at += scaled.h_advance(id);
        self.before = Some((*number, id));
        (id, place)
    }
}

/// The text, shortened with an ellipsis to at most `width` pixels.
pub(super) fn fit(text: &str, size: f32, width: f32) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    // A name from a data set may be very long. No picture is wide enough for 400 letters.
    let mut letters: Vec<char> = text.chars().take(400).collect();
    while !letters.is_empty() {
        letters.pop();
        let shortened = letters.iter().collect::<String>() + "…";
        if text_width(&shortened, size) <= width {
            return shortened;
        }
    }
    String::new()
}
