//! Loss and scores over epochs, two panels side by side.

use image::RgbImage;

use super::canvas::{Anchor, Canvas, Colour, TextStyle};
use super::{PictureError, palette};
use crate::train::history::{EpochRow, Score};
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
    /// Ticks are written as percentages of 1.
    percent: bool,
    /// The axis begins at 0.
    from_zero: bool,
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
    // A batch that is far off would flatten all that matters.
    let first = curve.points[0].smoothed;
    let shown = |v: f64| if v <= 2.0 * first { v } else { f64::NAN };
    let line = |name, colour, value: fn(&LrPoint) -> f64| Series {
        name,
        colour,
        values: curve.points.iter().map(|p| shown(value(p))).collect(),
    };
    let panel = Panel {
        title: "Loss by learning rate",
        axis: "loss",
        series: vec![line("batch", palette::LINE, |p| p.loss), line("smoothed", palette::BLUE, |p| p.smoothed)],
        percent: false,
        from_zero: false,
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
        percent: false,
        from_zero: true,
        powers: false,
        left: 0.0,
        width: half,
    };
    let right = Panel {
        title: curve.title,
        axis: curve.axis,
        series: scores.collect(),
        percent: curve.percent,
        from_zero: false,
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
            epochs: (epochs[0], epochs[epochs.len() - 1]),
            x: epoch_range(epochs),
            y: self.value_range(),
        };
        let title = TextStyle::new(TITLE, palette::INK, Anchor::Start);
        canvas.text(self.title, frame.left, 44.0, title);
        self.draw_axes(canvas, &frame);
        for series in &self.series {
            frame.draw_series(canvas, epochs, series);
        }
        self.draw_legend(canvas, frame.right);
    }

    /// Loss starts at 0, its best value. Scores span the values there are, percentages within 0..1.
    fn value_range(&self) -> (f64, f64) {
        let finite = self.series.iter().flat_map(|s| &s.values).copied().filter(|v| v.is_finite());
        let (low, high) = finite.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        if low > high {
            return (0.0, 1.0);
        }
        let (low, high) = if self.percent {
            // A tenth at least, or the noise of a single epoch would fill the panel.
            let middle = ((low + high) / 2.0).clamp(0.05, 0.95);
            (low.min(middle - 0.05), high.max(middle + 0.05))
        } else if self.from_zero {
            (low.min(0.0), high)
        } else {
            (low, high)
        };
        let step = nice_step(high - low, 6);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let high = if high > low { high } else { low + step };
        if self.percent { (low.max(0.0), high.min(1.0).max(low + step)) } else { (low, high) }
    }

    fn draw_axes(&self, canvas: &mut Canvas, frame: &Frame) {
        let small = |anchor| TextStyle::new(LABEL, palette::FAINT, anchor);
        let step = nice_step(frame.y.1 - frame.y.0, 6);
        for value in ticks(frame.y, step) {
            let y = frame.at_y(value).round() + 0.5;
            canvas.line(&[(frame.left, y), (frame.right, y)], 1.0, palette::GRID);
            canvas.text(&self.tick_text(value, step), frame.left - 14.0, y, small(Anchor::End));
        }
        let step = nice_step(frame.x.1 - frame.x.0, 8).max(1.0);
        for value in ticks(frame.epochs, step) {
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

    fn tick_text(&self, value: f64, step: f64) -> String {
        let (value, step) = if self.percent { (value * 100.0, step * 100.0) } else { (value, step) };
        let unit = if self.percent { " %" } else { "" };
        if value.abs() >= 1e5 {
            return format!("{value:.1e}{unit}");
        }
        let decimals = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
        format!("{value:.decimals$}{unit}")
    }

    /// Names right-aligned on the title's line, where no curve can run through them.
    fn draw_legend(&self, canvas: &mut Canvas, right: f32) {
        let mut x = right;
        for series in self.series.iter().rev() {
            let last = series.values.last().copied().unwrap_or(f64::NAN);
            let value = if self.percent { format!("{:.1} %", last * 100.0) } else { format!("{last:.3}") };
            let text = format!("{} {value}", series.name);
            canvas.text(&text, x, 46.0, TextStyle::new(LABEL, palette::INK, Anchor::End));
            x -= canvas.text_width(&text, LABEL) + 14.0;
            canvas.line(&[(x - 34.0, 46.0), (x, 46.0)], 4.0, series.colour);
            x -= 34.0 + 28.0;
        }
    }
}

/// The plotting area in pixels and the values at its edges.
struct Frame {
    left: f32,
    right: f32,
    top: f32,
    bottom: f32,
    /// First and last epoch; what is labelled. `x` is wider than that for a single epoch.
    epochs: (f64, f64),
    x: (f64, f64),
    y: (f64, f64),
}

impl Frame {
    fn at_x(&self, value: f64) -> f32 {
        let share = (value - self.x.0) / (self.x.1 - self.x.0);
        self.left + share as f32 * (self.right - self.left)
    }

    fn at_y(&self, value: f64) -> f32 {
        let share = (value - self.y.0) / (self.y.1 - self.y.0);
        self.bottom - share as f32 * (self.bottom - self.top)
    }

    /// The line breaks where a value is not finite, rather than bridging what is unknown.
    fn draw_series(&self, canvas: &mut Canvas, epochs: &[f64], series: &Series) {
        let points: Vec<_> = epochs.iter().copied().zip(series.values.iter().copied()).collect();
        for run in points.split(|(_, value)| !value.is_finite()) {
            let run: Vec<_> = run.iter().map(|&(e, v)| (self.at_x(e), self.at_y(v))).collect();
            canvas.line(&run, 3.5, series.colour);
            // Dots show where epochs are, until there are so many that they would merge.
            if epochs.len() <= 40 {
                run.iter().for_each(|&(x, y)| canvas.disc(x, y, 5.5, series.colour));
            }
        }
    }
}

fn epoch_range(epochs: &[f64]) -> (f64, f64) {
    let (first, last) = (epochs[0], epochs[epochs.len() - 1]);
    if last > first { (first, last) } else { (first - 1.0, first + 1.0) }
}

/// A step of 1, 2 or 5 times a power of ten that makes about `count` steps in `span`.
fn nice_step(span: f64, count: u32) -> f64 {
    if !(span.is_finite() && span > 1e-9) {
        return 0.1;
    }
    let rough = span / f64::from(count);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Multiples of `step` within the range.
fn ticks((low, high): (f64, f64), step: f64) -> impl Iterator<Item = f64> {
    let first = (low / step - 1e-6).ceil();
    (0..32).map(move |i| (first + f64::from(i)) * step).take_while(move |v| *v <= high + step * 1e-6)
}
