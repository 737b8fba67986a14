//! Pictures side by side, a row an image, with the classes' colours below.

use image::{GenericImage, RgbImage};

use super::canvas::{Anchor, Canvas, Colour, TextStyle};
use super::{Cell, PictureError, Sheet, palette};

/// A figure: columns with a name each, rows of pictures, and a legend.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Title.
    pub title: String,
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Names and colours below the pictures; may be empty.
    pub legend: Vec<(String, [u8; 3])>,
    cells: Vec<Cell>,
}

const LINE: f32 = 40.0;
const TEXT: f32 = 24.0;
const MARGIN: f32 = 32.0;

impl Comparison {
    /// A figure without rows.
    pub fn new(title: String, columns: Vec<String>) -> Self {
        Comparison { title, columns, legend: vec![], cells: vec![] }
    }

    /// Adds a row: a picture and a caption for each column.
    pub fn row(&mut self, pictures: impl IntoIterator<Item = (RgbImage, String)>) {
        for ((image, caption), column) in pictures.into_iter().zip(&self.columns) {
            let caption = format!("{column}\n{caption}");
            self.cells.push(Cell { image, caption, caption_colour: palette::INK });
        }
    }

    /// Draws the figure.
    ///
    /// # Errors
    /// There are no rows, or more than one picture holds.
    pub fn draw(&self) -> Result<RgbImage, PictureError> {
        let (title, cells) = (self.title.clone(), self.cells.clone());
        let sheet = Sheet { title, columns: self.columns.len(), cell_size: 320, cells }.draw()?;
        if self.legend.is_empty() {
            return Ok(sheet);
        }
        let legend = self.draw_legend(sheet.width())?;
        let mut whole = RgbImage::new(sheet.width(), sheet.height() + legend.height());
        // Both fit by construction.
        let _ = whole.copy_from(&sheet, 0, 0).and_then(|()| whole.copy_from(&legend, 0, sheet.height()));
        Ok(whole)
    }

    fn draw_legend(&self, width: u32) -> Result<RgbImage, PictureError> {
        let measure = Canvas::new("the legend", 1, 1)?;
        let (mut places, mut x, mut line) = (vec![], MARGIN, 0.0);
        for (name, _) in &self.legend {
            let needed = 34.0 + measure.text_width(name, TEXT) + 30.0;
            if x + needed > width as f32 - MARGIN && x > MARGIN {
                (x, line) = (MARGIN, line + LINE);
            }
            places.push((x, line));
            x += needed;
        }
        let mut canvas = Canvas::new("the legend", width.into(), (line + LINE + MARGIN) as u64)?;
        for ((name, [r, g, b]), (x, y)) in self.legend.iter().zip(places) {
            canvas.fill_rect(x, y + 8.0, 24.0, 24.0, Colour(*r, *g, *b));
            canvas.frame(x, y + 8.0, 24.0, 24.0, 1.0, palette::LINE);
            canvas.text(name, x + 34.0, y + 20.0, TextStyle::new(TEXT, palette::INK, Anchor::Start));
        }
        Ok(canvas.finish())
    }
}

/// A mask in the colours of its classes; what is no class is black.
pub fn painted((height, width): (u32, u32), mask: &[u8], colours: &[[u8; 3]]) -> RgbImage {
    let bytes = mask.iter().flat_map(|&class| colours.get(usize::from(class)).copied().unwrap_or([0; 3])).collect();
    RgbImage::from_raw(width, height, bytes).unwrap_or_default()
}
