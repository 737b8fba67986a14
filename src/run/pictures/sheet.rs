//! A grid of images with captions.

use std::borrow::Cow;

use image::RgbImage;
use image::imageops::{FilterType, resize};

use super::canvas::{Anchor, Canvas, Color, TextStyle, fit, text_width};
use super::drawn::Drawn;
use super::{PictureError, palette};

const MARGIN: f32 = 28.0;
const GAP: f32 = 20.0;
const CAPTION: f32 = 22.0;
const LINE: f32 = 28.0;
const TITLE: f32 = 34.0;

/// An image with a caption.
#[derive(Debug, Clone)]
pub struct Cell {
    /// Shown whole and centered. Small images are enlarged by whole factors, so that pixels stay sharp, where that fills the cell.
    pub image: RgbImage,
    /// One or more lines under the image. A line that is too long is broken into two, and may end in an ellipsis.
    pub caption: String,
    /// Color of the caption's first line and of the bar under the image.
    pub caption_color: Color,
    /// Lines below the caption, each in its color, broken in the same way.
    pub below: Vec<(String, Color)>,
}

/// A grid of cells, filled row by row: predictions, or image | truth | model A | model B per row.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// Title above the grid; may be empty.
    pub title: String,
    /// Cells per row, at least 1.
    pub columns: usize,
    /// Side of the square for each image, in pixels.
    pub cell_size: u32,
    /// The cells, row by row.
    pub cells: Vec<Cell>,
}

/// The cell for one classified image: "prediction (truth)" and the confidence, 0..1.
pub fn prediction_cell(image: RgbImage, prediction: &str, truth: &str, confidence: f64) -> Cell {
    let right = prediction == truth;
    let color = if right { palette::RIGHT } else { palette::WRONG };
    Cell::new(image, format!("{prediction} ({truth})\n{:.0} %", confidence * 100.0), color)
}

impl Sheet {
    /// Draws the sheet.
    ///
    /// # Errors
    /// When there are no cells or columns, or the sheet is larger than a picture can be.
    pub fn draw(&self) -> Result<Drawn, PictureError> {
        let what = "the sheet of images";
        if self.cells.is_empty() || self.columns == 0 || self.cell_size == 0 {
            return Err(PictureError::Empty { what });
        }
        let columns = self.columns.min(self.cells.len());
        let rows = self.cells.len().div_ceil(columns);
        let size = self.cell_size as f32;
        let lines = self.cells.iter().map(|cell| cell.lines(size).count()).max().unwrap_or(0);
        let row_height = size + 12.0 + lines as f32 * LINE + GAP;
        let top = if self.title.is_empty() { MARGIN } else { MARGIN + 60.0 };
        let grid = columns as f32 * (size + GAP) - GAP;
        let width = grid.max(text_width(&self.title, TITLE)) + 2.0 * MARGIN;
        let height = top + rows as f32 * row_height - GAP + MARGIN;
        let mut canvas = Canvas::new(what, width as u64, height as u64)?;
        let title = TextStyle::new(TITLE, palette::INK, Anchor::Start);
        canvas.text(&self.title, MARGIN, MARGIN + 20.0, title);
        for (index, cell) in self.cells.iter().enumerate() {
            let x = MARGIN + (index % columns) as f32 * (size + GAP);
            let y = top + (index / columns) as f32 * row_height;
            cell.draw(&mut canvas, x, y, self.cell_size);
        }
        Ok(canvas.figure())
    }
}

impl Cell {
    /// An image and its caption.
    pub fn new(image: RgbImage, caption: impl Into<String>, caption_color: Color) -> Self {
        Cell { image, caption: caption.into(), caption_color, below: vec![] }
    }

    fn draw(&self, canvas: &mut Canvas, x: f32, y: f32, size: u32) {
        let edge = size as f32;
        canvas.fill_rect(x, y, edge, edge, palette::GRID);
        let (width, height) = self.image.dimensions();
        if width > 0 && height > 0 {
            let (image, zoom) = fit_image(&self.image, size);
            let inset = |extent: u32| (size - extent * zoom) / 2;
            let (dx, dy) = (inset(image.width()), inset(image.height()));
            canvas.picture(&image, x as u32 + dx, y as u32 + dy, zoom);
        }
        canvas.fill_rect(x, y + edge, edge, 5.0, self.caption_color);
        for (index, (color, line)) in self.lines(edge).enumerate() {
            let style = TextStyle::new(CAPTION, color, Anchor::Start);
            let line_y = y + edge + 12.0 + (index as f32 + 0.5) * LINE;
            canvas.text(&line, x, line_y, style);
        }
    }

    /// All lines, broken to at most `width`, with their colors.
    fn lines(&self, width: f32) -> impl Iterator<Item = (Color, String)> {
        let color = |index| if index == 0 { self.caption_color } else { palette::FAINT };
        let caption = self.caption.lines().enumerate().map(move |(index, line)| (color(index), line));
        let below = self.below.iter().map(|(line, color)| (*color, line.as_str()));
        caption.chain(below).flat_map(move |(color, line)| {
            let [first, second] = halves(line, width);
            [first, second]
                .into_iter()
                .filter(|half| !half.is_empty())
                .map(move |half| (color, fit(half, CAPTION, width)))
        })
    }
}

/// As many words of a line as fit into `width`, and the remaining words. A first word that does not fit stands alone.
fn halves(line: &str, width: f32) -> [&str; 2] {
    if text_width(line, CAPTION) <= width {
        return [line, ""];
    }
    let blanks = line.match_indices(' ').map(|(at, _)| at);
    let fits = blanks.clone().take_while(|&at| text_width(&line[..at], CAPTION) <= width).last();
    let (first, second) = line.split_at(fits.or_else(|| blanks.clone().next()).unwrap_or(line.len()));
    [first, second.trim_start()]
}

/// Share of a cell that an image must fill, in fifths.
const FILLED: u32 = 4;

/// The image, and the whole factor that enlarges it. An image that exceeds the square, or that no whole factor enlarges to most of
/// it, is scaled to its side.
fn fit_image(image: &RgbImage, size: u32) -> (Cow<'_, RgbImage>, u32) {
    let (width, height) = image.dimensions();
    let longest = width.max(height);
    let zoom = size / longest;
    if 5 * zoom * longest >= FILLED * size {
        return (Cow::Borrowed(image), zoom);
    }
    let scaled = |extent: u32| {
        let exact = f64::from(extent) * f64::from(size) / f64::from(longest);
        (exact.round() as u32).clamp(1, size)
    };
    (Cow::Owned(resize(image, scaled(width), scaled(height), FilterType::Triangle)), 1)
}
