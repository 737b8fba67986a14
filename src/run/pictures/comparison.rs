//! Pictures side by side, one row per image, with the colors of the classes below.

use image::imageops::{FilterType, resize};
use image::{Rgb, RgbImage};

use super::canvas::{Anchor, Canvas, Color, TextStyle, fit};
use super::drawn::{Drawn, Place};
use super::{PictureError, palette};

/// A figure: named columns, rows of pictures, and a legend.
#[derive(Debug, Clone)]
pub struct PictureTable {
    /// Title.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names and colors below the pictures; may be empty.
    pub legend: Vec<(String, [u8; 3])>,
    rows: Vec<Vec<Cell>>,
}

/// A picture no wider than [`WIDTH`], the whole factor to enlarge it by, and its caption.
#[derive(Debug, Clone)]
struct Cell {
    picture: RgbImage,
    zoom: u32,
    caption: String,
}

const WHAT: &str = "the comparison";
const MARGIN: f32 = 32.0;
const GAP: f32 = 12.0;
const TITLE: f32 = 34.0;
const TEXT: f32 = 24.0;
const LINE: f32 = 40.0;
/// Width of a picture in pixels. Smaller ones are enlarged by a whole factor, larger ones reduced.
const WIDTH: u32 = 384;
/// Largest height of a picture.
const HEIGHT: u32 = 4 * WIDTH;

impl PictureTable {
    /// A figure without rows.
    pub fn new(title: String, columns: Vec<String>) -> Self {
        PictureTable { title, columns, legend: vec![], rows: vec![] }
    }

    /// Adds a row: a picture and a caption (possibly empty) for each column. A large picture is reduced now, so that a figure
    /// takes little memory.
    pub fn row(&mut self, pictures: impl IntoIterator<Item = (RgbImage, String)>) {
        let cell = |(picture, caption)| {
            let (picture, zoom) = fitted(picture);
            Cell { picture, zoom, caption }
        };
        self.rows.push(pictures.into_iter().take(self.columns.len()).map(cell).collect());
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// When there are no rows, or the figure is larger than a picture can be.
    pub fn draw(&self) -> Result<Drawn, PictureError> {
        let cells = || self.rows.iter().flatten();
        let widest = cells().map(|cell| cell.picture.width() * cell.zoom).max();
        let Some(cell) = widest.filter(|&w| w > 0) else { return Err(PictureError::Empty { what: WHAT }) };
        let captions = cells().any(|cell| !cell.caption.is_empty());
        let caption_height = if captions { LINE } else { 0.0 };
        let highest = |row: &Vec<Cell>| row.iter().map(|cell| cell.picture.height() * cell.zoom).max().unwrap_or(0);
        let heights: Vec<f32> = self.rows.iter().map(|row| highest(row) as f32 + caption_height + GAP).collect();
        let measure = Canvas::new(WHAT, 1, 1)?;
        let columns = self.columns.len() as f32;
        let width = (columns * (cell as f32 + GAP) - GAP).max(measure.text_width(&self.title, TITLE)) + 2.0 * MARGIN;
        let legend = self.legend_places(&measure, width);
        let legend_height = legend.last().map_or(0.0, |(_, y)| y + LINE + GAP);
        let top = MARGIN + 60.0 + LINE;
        let height = top + heights.iter().sum::<f32>() + legend_height + MARGIN;
        let mut canvas = Canvas::new(WHAT, width as u64, height as u64)?;
        let ink = |size| TextStyle::new(size, palette::INK, Anchor::Start);
        canvas.text(&self.title, MARGIN, MARGIN + 20.0, ink(TITLE));
        let left = |column: usize| MARGIN + column as f32 * (cell as f32 + GAP);
        for (column, name) in self.columns.iter().enumerate() {
            canvas.text(&fit(name, TEXT, cell as f32), left(column), top - LINE / 2.0, ink(TEXT));
        }
        let mut y = top;
        for (row, height) in self.rows.iter().zip(heights) {
            for (column, Cell { picture, zoom, caption }) in row.iter().enumerate() {
                canvas.picture(picture, left(column) as u32, y as u32, *zoom);
                let line = y + height - GAP - LINE / 2.0;
                let caption = fit(caption, TEXT, cell as f32);
                canvas.text(&caption, left(column), line, TextStyle::new(TEXT, palette::FAINT, Anchor::Start));
            }
            y += height;
        }
        for ((name, [r, g, b]), (x, line)) in self.legend.iter().zip(legend) {
            let at = y + line + 8.0;
            canvas.fill_rect(x, at, 24.0, 24.0, Color(*r, *g, *b));
            canvas.keep(Place { x: x as u32, y: at as u32, width: 24, height: 24 });
            canvas.frame(x, at, 24.0, 24.0, 1.0, palette::LINE);
            canvas.text(name, x + 34.0, at + 12.0, ink(TEXT));
        }
        Ok(canvas.figure())
    }

    /// Left edge and line of each entry of the legend.
    fn legend_places(&self, measure: &Canvas, width: f32) -> Vec<(f32, f32)> {
        let (mut x, mut line) = (MARGIN, 0.0);
        let mut place = |(name, _): &(String, [u8; 3])| {
            let needed = 34.0 + measure.text_width(name, TEXT) + 30.0;
            if x + needed > width - MARGIN && x > MARGIN {
                (x, line) = (MARGIN, line + LINE);
            }
            x += needed;
            (x - needed, line)
        };
        self.legend.iter().map(&mut place).collect()
    }
}

/// A picture as a [`PictureTable`] holds it. A large one is reduced at once, to free its memory before the next is made.
pub fn reduced(picture: RgbImage) -> RgbImage {
    fitted(picture).0
}

/// A picture no wider than [`WIDTH`] and no higher than [`HEIGHT`], and the whole factor to enlarge it by.
fn fitted(picture: RgbImage) -> (RgbImage, u32) {
    let (width, height) = picture.dimensions();
    if width <= WIDTH && height <= HEIGHT {
        return (picture, (WIDTH / width.max(1)).min(HEIGHT / height.max(1)));
    }
    let scaled = |side: u32, by: u32, of: u32| (u64::from(side) * u64::from(by)).div_ceil(u64::from(of)) as u32;
    let (width, height) = match scaled(height, WIDTH, width) {
        _ if width <= WIDTH => (scaled(width, HEIGHT, height), HEIGHT),
        wide if wide > HEIGHT => (scaled(width, HEIGHT, height), HEIGHT),
        wide => (WIDTH, wide),
    };
    (resize(&picture, width, height, FilterType::Triangle), 1)
}

/// Color of pixels without a class. It is not black, which is a class in Pascal VOC's color map.
pub const VOID: [u8; 3] = [255; 3];
/// Share of a class's color in [`tinted`].
const TINT: f32 = 0.6;

/// A mask in the colors of its classes. Pixels without a class are white.
pub fn painted((height, width): (u32, u32), mask: &[u8], colors: &[[u8; 3]]) -> RgbImage {
    let bytes = mask.iter().flat_map(|&class| colors.get(usize::from(class)).copied().unwrap_or(VOID)).collect();
    RgbImage::from_raw(width, height, bytes).unwrap_or_default()
}

/// An image mixed with the colors of its pixels' classes. Pixels without a class are white.
pub fn tinted(image: &RgbImage, mask: &[u8], colors: &[[u8; 3]]) -> RgbImage {
    let mut tinted = image.clone();
    for (pixel, &class) in tinted.pixels_mut().zip(mask) {
        let color = colors.get(usize::from(class)).map(|&[r, g, b]| Color(r, g, b));
        *pixel = mixed(grey(*pixel), color.unwrap_or(palette::PAPER), TINT);
    }
    tinted
}

/// An image in which pixels that are not kept are pale and grey.
pub fn faded(image: &RgbImage, kept: &[bool]) -> RgbImage {
    let mut faded = image.clone();
    for (pixel, _) in faded.pixels_mut().zip(kept).filter(|(_, kept)| !**kept) {
        *pixel = mixed(grey(*pixel), palette::PAPER, 0.7);
    }
    faded
}

/// An image in grey. Pixels of kind 1 are red, those of higher kinds white.
pub fn marked(image: &RgbImage, kinds: &[u8]) -> RgbImage {
    let mut marked = image.clone();
    for (pixel, &kind) in marked.pixels_mut().zip(kinds) {
        let (color, share) = match kind {
            0 => (palette::PAPER, 0.25),
            1 => (palette::WRONG, 0.75),
            _ => (palette::PAPER, 0.9),
        };
        *pixel = mixed(grey(*pixel), color, share);
    }
    marked
}

/// The lightness of a pixel.
pub(super) fn grey(Rgb([r, g, b]): Rgb<u8>) -> Color {
    let luma = (0.299 * f32::from(r) + 0.587 * f32::from(g) + 0.114 * f32::from(b)).round() as u8;
    Color(luma, luma, luma)
}

fn mixed(from: Color, to: Color, share: f32) -> Rgb<u8> {
    let Color(r, g, b) = from.mix(to, share);
    Rgb([r, g, b])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_pixels_keep_their_colors_and_others_are_pale() {
        let image = RgbImage::from_pixel(2, 1, Rgb([200, 10, 30]));
        let faded = faded(&image, &[true, false]);
        assert_eq!(faded.get_pixel(0, 0), image.get_pixel(0, 0));
        let Rgb([r, g, b]) = *faded.get_pixel(1, 0);
        assert!(r == g && g == b && r > 190, "{r} {g} {b}");
    }
}
