//! The confusion matrix as a picture.

use image::RgbImage;

use super::canvas::{Anchor, Canvas, Color, TextStyle, fit, text_width};
use super::{PictureError, palette};
use crate::run::confusion::ConfusionMatrix;

const MARGIN: f32 = 28.0;
const LONGEST_NAME: f32 = 300.0;
/// Smallest cell with room for the name of a row, in pixels.
const NAMED_CELL: f32 = 14.0;

/// Positions of the parts, in pixels.
struct Places {
    /// Edge of one square cell.
    cell: f32,
    /// Left edge of the first column.
    left: f32,
    /// Top edge of the first row.
    top: f32,
    /// Height of the class names' font; 0 without room for names.
    name_size: f32,
    width: f32,
    height: f32,
}

impl Places {
    fn new(classes: usize, names: &[String], title_width: f32) -> Self {
        let cell = match classes {
            0..=6 => 110.0,
            7..=12 => 84.0,
            13..=24 => 56.0,
            25..=128 => 34.0,
            _ => (4000.0 / classes as f32).floor().max(1.0),
        };
        let name_size = if cell < NAMED_CELL { 0.0 } else { (cell * 0.6).min(26.0) };
        let longest = names.iter().map(|name| text_width(name, name_size)).fold(0.0, f32::max);
        let names_room = longest.min(LONGEST_NAME) + 18.0;
        let left = MARGIN + 40.0 + names_room;
        let top = MARGIN + 110.0 + names_room;
        let side = cell * classes as f32;
        Self {
            cell,
            left,
            top,
            name_size,
            width: (left + side).max(MARGIN + title_width) + MARGIN,
            height: top + side + MARGIN,
        }
    }
}

/// The matrix with truth in rows and prediction in columns. It counts `images` or `pixels`, its unit. The number in a cell is the
/// count. A cell is shaded by its share of the row, so rare classes show as clearly as frequent ones. Zeros are empty. Above 128
/// classes the cells shrink and lose first their counts, then the names.
///
/// # Errors
/// When there are no classes, too many classes for a picture, or a different number of names.
pub fn confusion_picture(matrix: &ConfusionMatrix, names: &[String], unit: &str) -> Result<RgbImage, PictureError> {
    let classes = matrix.classes();
    let what = "the confusion matrix";
    if classes == 0 {
        return Err(PictureError::Empty { what });
    }
    if names.len() != classes {
        return Err(PictureError::ClassNames { names: names.len(), classes });
    }
    let title = match matrix.accuracy() {
        Some(accuracy) => format!("Accuracy {:.1} % of {} {unit}", accuracy * 100.0, matrix.total()),
        None => format!("No {unit}"),
    };
    let places = Places::new(classes, names, text_width(&title, 34.0));
    let mut canvas = Canvas::new(what, places.width as u64, places.height as u64)?;
    canvas.text(&title, MARGIN, MARGIN + 20.0, TextStyle::new(34.0, palette::INK, Anchor::Start));
    draw_cells(&mut canvas, matrix, &places);
    draw_names(&mut canvas, names, &places);
    Ok(canvas.finish())
}

fn draw_cells(canvas: &mut Canvas, matrix: &ConfusionMatrix, places: &Places) {
    let (cell, classes) = (places.cell, matrix.classes());
    let gap = if cell > 8.0 { 1.0 } else { 0.0 };
    for truth in 0..classes {
        let row_total = matrix.row_total(truth).max(1) as f32;
        for prediction in 0..classes {
            let count = matrix.count(truth, prediction);
            let share = count as f32 / row_total;
            let (x, y) = (places.left + prediction as f32 * cell, places.top + truth as f32 * cell);
            canvas.fill_rect(x, y, cell - gap, cell - gap, shade(share));
            if count > 0 {
                draw_count(canvas, count, share, (x, y), cell);
            }
        }
    }
    let side = cell * classes as f32 + 2.0;
    canvas.frame(places.left - 2.0, places.top - 2.0, side + 1.0, side + 1.0, 2.0, palette::LINE);
}

/// A color from nearly white to blue. The square root makes a few mistakes among many images visible.
fn shade(share: f32) -> Color {
    let empty = Color(0xf5, 0xf7, 0xf9);
    empty.mix(palette::BLUE.mix(palette::INK, 0.25), share.sqrt())
}

/// Draws the count as large as the cell allows. A count too small to read is left out.
fn draw_count(canvas: &mut Canvas, count: u64, share: f32, (x, y): (f32, f32), cell: f32) {
    let text = if count < 10_000 { count.to_string() } else { format!("{:.0}k", count as f64 / 1000.0) };
    let widest = (cell - 6.0) / text_width(&text, 1.0);
    let size = widest.min(cell * 0.42).min(30.0);
    if size >= 9.0 {
        let color = if share > 0.3 { palette::PAPER } else { palette::INK };
        let style = TextStyle::new(size, color, Anchor::Middle);
        canvas.text(&text, x + cell / 2.0, y + cell / 2.0, style);
    }
}

fn draw_names(canvas: &mut Canvas, names: &[String], places: &Places) {
    let axis = TextStyle::new(26.0, palette::FAINT, Anchor::Middle);
    let half = places.cell * names.len() as f32 / 2.0;
    canvas.text("prediction", places.left + half, MARGIN + 84.0, axis);
    canvas.text("truth", MARGIN + 10.0, places.top + half, axis.upright());
    if places.name_size == 0.0 {
        return;
    }
    let style = |anchor| TextStyle::new(places.name_size, palette::INK, anchor);
    for (index, name) in names.iter().enumerate() {
        let name = fit(name, places.name_size, LONGEST_NAME);
        let middle = (index as f32 + 0.5) * places.cell;
        canvas.text(&name, places.left - 12.0, places.top + middle, style(Anchor::End));
        let column = style(Anchor::Start).upright();
        canvas.text(&name, places.left + middle, places.top - 12.0, column);
    }
}
