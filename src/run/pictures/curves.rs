//! Loss and scores over epochs, two panels side by side.

use image::RgbImage;

use super::axis::{Axis, Scale, drawable};
use super::canvas::{Anchor, Canvas, Colour, TextStyle};
use super::{PictureError, palette};
use crate::run::history::{EpochRow, Score};
use crate::train::lr_finder::{LrCurve, LrPoint};

const WIDTH: f32 = 1600.0;
const HEIGHT: f32 = 720.0;
const TITLE: f32 = 34.0;
const LABEL: f32 = 26.0;

/// What is plotted beside the loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Curve {
    /// Title of the panel.
    pub title: &'static str,
    /// Name of its axis.
    pub axis: &'static str,
    /// Values are shares, written as percentages.
    pub percent: bool,
    /// Up to four lines: name and score.
    pub series: Vec<(&'static str, Score)>,
}

/// Colours of lines in their order.
const COLOURS: [Colour; 4] = [palette::BLUE, palette::ORANGE, palette::RIGHT, palette::FAINT];

/// One line of a panel: its name, colour and one value per epoch.
struct Series {
    name: &'static str,
    colour: Colour,
    values: Vec<f64>,
}

/// A panel: what is plotted and where.
struct Panel {
    title: &'static str,
    axis: &'static str,
    series: Vec<Series>,
    scale: Scale,
    /// The horizontal axis holds exponents of 10; else it holds epochs.
    powers: bool,
    left: f32,
    width: f32,
}

/// The loss over the learning rate, as [`LrCurve`] has them.
///
/// # Errors
/// There are no points.
pub fn lr_picture(curve: &LrCurve) -> Result<RgbImage, PictureError> {
    if curve.points.is_empty() {
        return Err(PictureError::Empty { what: "the learning rate's curve" });
    }
    let mut canvas = Canvas::new("the learning rate's curve", WIDTH as u64, HEIGHT as u64)?;
    // A batch that is far off would flatten all that matters: it is drawn at the edge.
    let most = 2.0 * curve.points[0].smoothed;
    let line = |name, colour, value: fn(&LrPoint) -> f64| Series {
        name,
        colour,
        values: curve.points.iter().map(|p| value(p).min(most)).collect(),
    };
    let panel = Panel {
        title: "Loss by learning rate",
        axis: "loss",
        series: vec![line("batch", palette::LINE, |p| p.loss), line("smoothed", palette::BLUE, |p| p.smoothed)],
        scale: Scale::Plain,
        powers: true,
        left: 0.0,
        width: WIDTH,
    };
    panel.draw(&mut canvas, &curve.points.iter().map(|p| p.lr.log10()).collect::<Vec<_>>());
    Ok(canvas.finish())
}

/// Training and validation loss (left) and scores (right) over epochs.
///
/// # Errors
/// There are no rows.
pub fn curves_picture(rows: &[EpochRow], curve: &Curve) -> Result<RgbImage, PictureError> {
    if rows.is_empty() {
        return Err(PictureError::Empty { what: "the curves" });
    }
    let mut canvas = Canvas::new("the curves", WIDTH as u64, HEIGHT as u64)?;
    let epochs: Vec<f64> = rows.iter().map(|row| f64::from(row.epoch)).collect();
    let series = |index: usize, name, value: &dyn Fn(&EpochRow) -> f64| {
        let colour = COLOURS[index % COLOURS.len()];
        Series { name, colour, values: rows.iter().map(value).collect() }
    };
    let scores = curve.series.iter().enumerate();
    let scores = scores.map(|(i, (name, score))| series(i, name, &|r| r.score(*score).unwrap_or(f64::NAN)));
    let half = WIDTH / 2.0;
    let loss = Panel {
        title: "Loss",
        axis: "mean loss per image",
        series: vec![series(0, "training", &|r| r.train_loss), series(1, "validation", &|r| r.val_loss)],
        scale: Scale::Loss,
        powers: false,
        left: 0.0,
        width: half,
    };
    let right = Panel {
        title: curve.title,
        axis: curve.axis,
        series: scores.collect(),
        scale: if curve.percent { Scale::Share } else { Scale::Plain },
        powers: false,
        left: half,
        width: half,
    };
    loss.draw(&mut canvas, &epochs);
    right.draw(&mut canvas, &epochs);
    Ok(canvas.finish())
}

impl Panel {
    fn draw(&self, canvas: &mut Canvas, epochs: &[f64]) {
        let frame = Frame {
            left: self.left + 146.0,
            right: self.left + self.width - 36.0,
            top: 84.0,
            bottom: HEIGHT - 96.0,
            x: Axis::of_epochs(epochs[0], epochs[epochs.len() - 1]),
            y: Axis::of_values(self.series.iter().flat_map(|s| &s.values).copied(), self.scale),
        };
        let title = TextStyle::new(TITLE, palette::INK, Anchor::Start);
        canvas.text(self.title, frame.left, 44.0, title);
        self.draw_axes(canvas, &frame);
        for series in &self.series {
            frame.draw_series(canvas, epochs, series);
        }
        self.draw_legend(canvas, frame.right);
    }

    fn draw_axes(&self, canvas: &mut Canvas, frame: &Frame) {
        let small = |anchor| TextStyle::new(LABEL, palette::FAINT, anchor);
        for value in frame.y.ticks() {
            let y = frame.at_y(value).round() + 0.5;
            canvas.line(&[(frame.left, y), (frame.right, y)], 1.0, palette::GRID);
            canvas.text(&frame.y.text(value), frame.left - 14.0, y, small(Anchor::End));
        }
        for value in frame.x.ticks() {
            let x = frame.at_x(value).round() + 0.5;
            canvas.line(&[(x, frame.top), (x, frame.bottom)], 1.0, palette::GRID);
            let text = if self.powers { format!("1e{value:.0}") } else { format!("{value:.0}") };
            canvas.text(&text, x, frame.bottom + 24.0, small(Anchor::Middle));
        }
        let (l, r, b) = (frame.left, frame.right, frame.bottom);
        canvas.line(&[(l, frame.top), (l, b), (r, b)], 2.0, palette::LINE);
        let below = if self.powers { "learning rate" } else { "epoch" };
        canvas.text(below, (l + r) / 2.0, b + 64.0, small(Anchor::Middle));
        let middle = (frame.top + b) / 2.0;
        canvas.text(self.axis, self.left + 28.0, middle, small(Anchor::Middle).upright());
    }

    /// A series' name and last value; that of a test of learning rates, where it has left all bounds, says nothing.
    fn legend(&self, series: &Series) -> String {
        let last = series.values.last().copied().unwrap_or(f64::NAN);
        match self.scale {
            _ if self.powers => series.name.to_owned(),
            Scale::Share => format!("{} {:.1} %", series.name, last * 100.0),
            _ => format!("{} {last:.3}", series.name),
        }
    }

    /// Names right-aligned on the title's line, where no curve can run through them.
    fn draw_legend(&self, canvas: &mut Canvas, right: f32) {
        let mut x = right;
        for series in self.series.iter().rev() {
            let text = self.legend(series);
            canvas.text(&text, x, 46.0, TextStyle::new(LABEL, palette::INK, Anchor::End));
            x -= canvas.text_width(&text, LABEL) + 14.0;
            canvas.line(&[(x - 34.0, 46.0), (x, 46.0)], 4.0, series.colour);
            x -= 34.0 + 28.0;
        }
    }
}

/// The plotting area in pixels, and its axes.
struct Frame {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    x: Axis,
    y: Axis,
}

impl Frame {
    fn at_x(&self, value: f64) -> f32 {
        self.left + self.x.share(value) as f32 * (self.right - self.left)
    }

    fn at_y(&self, value: f64) -> f32 {
        self.bottom - self.y.share(value) as f32 * (self.bottom - self.top)
    }

    /// The line breaks where a value is not finite, rather than bridging what is unknown.
    fn draw_series(&self, canvas: &mut Canvas, epochs: &[f64], series: &Series) {
        let points: Vec<_> = epochs.iter().copied().zip(series.values.iter().copied()).collect();
        for run in points.split(|(_, value)| !drawable(*value)) {
            let run: Vec<_> = run.iter().map(|&(e, v)| (self.at_x(e), self.at_y(v))).collect();
            canvas.line(&run, 3.5, series.colour);
            // Dots show where epochs are, until there are so many that they would merge.
            if epochs.len() <= 40 {
                run.iter().for_each(|&(x, y)| canvas.disc(x, y, 5.5, series.colour));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The batch at which the loss left all bounds is drawn at the edge, and its value is not told as one that is none.
    #[test]
    fn a_loss_that_explodes_is_drawn_at_the_edge() {
        let picture = |last: f64| {
            let loss = |i: i32| if i < 11 { 1.0 } else { last };
            let points =
                (0..12).map(|i| LrPoint { lr: 10f64.powi(i - 12), loss: loss(i), smoothed: loss(i) }).collect();
            let curve = LrCurve { points, suggested: None, lowest: None, run: "run".into() };
            lr_picture(&curve).expect("a picture")
        };
        assert!(picture(1e9) == picture(2.0), "at twice the first loss");
        assert!(picture(2.0) != picture(1.0));
    }
}
