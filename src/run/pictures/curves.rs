//! Loss and scores over epochs, in two panels side by side.

use image::RgbImage;

use super::axis::{Axis, Scale, drawable};
use super::canvas::{Anchor, Canvas, Color, TextStyle};
use super::vector::{Surface, Vector};
use super::{PictureError, palette};
use crate::run::Score;
use crate::run::history::{EpochRow, LrPoint};
use crate::run::score::Panel;

const WIDTH: f32 = 1600.0;
const HEIGHT: f32 = 720.0;
const TITLE: f32 = 34.0;
const LABEL: f32 = 26.0;

/// Colors of the lines, in order.
const COLORS: [Color; 4] = [palette::BLUE, palette::ORANGE, palette::RIGHT, palette::FAINT];

/// One line of a plot: its name, color and one value per epoch.
struct Series<'a> {
    name: &'a str,
    color: Color,
    values: Vec<f64>,
}

/// A plot: its lines and its position.
struct Plot<'a> {
    title: &'a str,
    axis: &'a str,
    series: Vec<Series<'a>>,
    scale: Scale,
    /// Whether the horizontal axis has powers of 10 instead of epochs.
    powers: bool,
    /// Index and name of the marked point: the best epoch or the suggested rate. The legend shows the values of the best epoch.
    marked: Option<(usize, &'a str)>,
    left: f32,
    width: f32,
}

/// The loss over the learning rate in a learning-rate range test. The suggested rate is marked.
///
/// # Errors
/// When there are no points.
pub fn lr_picture(points: &[LrPoint], suggested: Option<f64>) -> Result<RgbImage, PictureError> {
    if points.is_empty() {
        return Err(PictureError::Empty { what: "the learning rate's curve" });
    }
    let mut canvas = Canvas::new("the learning rate's curve", WIDTH as u64, HEIGHT as u64)?;
    // Outliers are drawn at the edge. On the axis they would flatten the rest of the curve.
    let most = 2.0 * points[0].smoothed;
    let line = |name, color, value: fn(&LrPoint) -> f64| Series {
        name,
        color,
        values: points.iter().map(|p| value(p).min(most)).collect(),
    };
    let panel = Plot {
        title: "Loss by learning rate",
        axis: "loss",
        series: vec![line("batch", palette::LINE, |p| p.loss), line("smoothed", palette::BLUE, |p| p.smoothed)],
        scale: Scale::Plain,
        powers: true,
        marked: points.iter().position(|point| Some(point.lr) == suggested).map(|place| (place, "suggested")),
        left: 0.0,
        width: WIDTH,
    };
    panel.draw(&mut canvas, &points.iter().map(|p| p.lr.log10()).collect::<Vec<_>>());
    Ok(canvas.finish())
}

/// Training and validation loss (left) and a panel of scores (right) over epochs. The epoch `best` is marked, and the
/// legend shows its values; if `None`, those of the last epoch.
///
/// # Errors
/// When there are no rows.
pub fn curves_picture(rows: &[EpochRow], panel: Option<&Panel>, best: Option<u32>) -> Result<RgbImage, PictureError> {
    let mut canvas = Canvas::new("the curves", WIDTH as u64, HEIGHT as u64)?;
    draw_curves(&mut canvas, rows, panel, best)?;
    Ok(canvas.finish())
}

/// [`curves_picture`] as SVG, light or dark like the page that shows it.
///
/// # Errors
/// When there are no rows.
pub fn curves_svg(rows: &[EpochRow], panel: Option<&Panel>, best: Option<u32>) -> Result<String, PictureError> {
    let mut drawing = Vector::new(WIDTH, HEIGHT);
    draw_curves(&mut drawing, rows, panel, best)?;
    Ok(drawing.finish())
}

fn draw_curves(
    canvas: &mut dyn Surface,
    rows: &[EpochRow],
    panel: Option<&Panel>,
    best: Option<u32>,
) -> Result<(), PictureError> {
    if rows.is_empty() {
        return Err(PictureError::Empty { what: "the curves" });
    }
    let epochs: Vec<f64> = rows.iter().map(|row| f64::from(row.epoch)).collect();
    fn series<'a>(rows: &[EpochRow], index: usize, name: &'a str, value: &dyn Fn(&EpochRow) -> f64) -> Series<'a> {
        let color = COLORS[index % COLORS.len()];
        Series { name, color, values: rows.iter().map(value).collect() }
    }
    let marked = rows.iter().position(|row| Some(row.epoch) == best).map(|place| (place, "best"));
    let half = if panel.is_some() { WIDTH / 2.0 } else { WIDTH };
    let loss = Plot {
        title: "Loss",
        axis: "mean loss per image",
        series: vec![series(rows, 0, "training", &|r| r.train_loss), series(rows, 1, "validation", &|r| r.val_loss)],
        scale: Scale::Loss,
        powers: false,
        marked,
        left: 0.0,
        width: half,
    };
    loss.draw(canvas, &epochs);
    if let Some(panel) = panel {
        let mut lines = vec![];
        let there = |(_, score): &&(_, Score)| rows.iter().any(|row| row.score(score).is_some());
        for (index, (name, score)) in panel.lines.iter().filter(there).enumerate() {
            lines.push(series(rows, index, name, &|row| row.score(score).unwrap_or(f64::NAN)));
        }
        let plot = Plot {
            title: &panel.title,
            axis: &panel.axis,
            series: lines,
            scale: Scale::of(panel.unit()),
            powers: false,
            marked,
            left: half,
            width: half,
        };
        plot.draw(canvas, &epochs);
    }
    Ok(())
}

impl Plot<'_> {
    fn draw(&self, canvas: &mut dyn Surface, epochs: &[f64]) {
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
        if let Some((place, name)) = self.marked.filter(|_| epochs.len() > 1) {
            let x = frame.at_x(epochs[place]);
            canvas.line(&[(x, frame.top), (x, frame.bottom)], 3.0, palette::LINE);
            let faint = TextStyle::new(LABEL, palette::FAINT, Anchor::Middle);
            let half = canvas.text_width(name, LABEL) / 2.0;
            canvas.text(name, x.clamp(frame.left + half, frame.right - half), frame.top - 14.0, faint);
        }
        for series in &self.series {
            frame.draw_series(canvas, epochs, series);
        }
        self.draw_legend(canvas, frame.right);
    }

    fn draw_axes(&self, canvas: &mut dyn Surface, frame: &Frame) {
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

    /// The name of a series and its value at the best epoch. In a range test the name alone: the last loss has no meaning.
    fn legend(&self, series: &Series<'_>) -> String {
        let shown = self.marked.map_or(series.values.last(), |(place, _)| series.values.get(place));
        let shown = shown.copied().unwrap_or(f64::NAN);
        match self.scale {
            _ if self.powers => series.name.to_owned(),
            Scale::Percent => format!("{} {:.1} %", series.name, shown * 100.0),
            _ => format!("{} {shown:.3}", series.name),
        }
    }

    /// Draws names right-aligned on the line of the title, where no curve passes.
    fn draw_legend(&self, canvas: &mut dyn Surface, right: f32) {
        let mut x = right;
        for series in self.series.iter().rev() {
            let text = self.legend(series);
            canvas.text(&text, x, 46.0, TextStyle::new(LABEL, palette::INK, Anchor::End));
            x -= canvas.text_width(&text, LABEL) + 14.0;
            canvas.line(&[(x - 34.0, 46.0), (x, 46.0)], 4.0, series.color);
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

    /// Draws a line. A value that is not finite interrupts it.
    fn draw_series(&self, canvas: &mut dyn Surface, epochs: &[f64], series: &Series<'_>) {
        let points: Vec<_> = epochs.iter().copied().zip(series.values.iter().copied()).collect();
        for run in points.split(|(_, value)| !drawable(*value)) {
            let run: Vec<_> = run.iter().map(|&(e, v)| (self.at_x(e), self.at_y(v))).collect();
            canvas.line(&run, 3.5, series.color);
            // Dots mark epochs, unless there are too many to distinguish.
            if epochs.len() <= 40 {
                run.iter().for_each(|&(x, y)| canvas.disc(x, y, 5.5, series.color));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::score::{TRAIN_ACCURACY, Unit};

    /// Pixels of a series in the picture lie where the SVG has its points.
    #[test]
    fn the_svg_has_the_points_of_the_picture() {
        let row = |epoch: u32, loss: f64| EpochRow {
            epoch,
            train_loss: loss,
            val_loss: 2.0 * loss,
            scores: vec![(TRAIN_ACCURACY, 1.0 - loss / 4.0)],
            lr: 0.1,
            images_per_s: 1.0,
            data_wait: 0.0,
            seconds: 1.0,
        };
        let rows = [row(1, 1.0), row(2, 0.5), row(3, 0.7)];
        let panel = Panel::new("Accuracy <&>", "correct", &[("training", TRAIN_ACCURACY)]);
        assert_eq!(panel.unit(), Unit::Percent);
        let picture = curves_picture(&rows, Some(&panel), Some(2)).expect("a picture");
        let svg = curves_svg(&rows, Some(&panel), Some(2)).expect("an SVG");
        assert!(svg.contains("Accuracy &lt;&amp;&gt;") && svg.ends_with("</svg>\n"), "{svg}");
        for color in [palette::BLUE, palette::ORANGE] {
            let Color(r, g, b) = color;
            let fill = format!("fill=\"#{r:02x}{g:02x}{b:02x}\"/>");
            let discs: Vec<&str> = svg.lines().filter(|l| l.starts_with("<circle") && l.ends_with(&fill)).collect();
            assert!(discs.len() >= 3, "{discs:?}");
            for disc in discs {
                let number = |key: &str| -> f32 {
                    let rest = disc.split(key).nth(1).expect("the attribute");
                    rest.split('"').next().and_then(|text| text.parse().ok()).expect("a number")
                };
                let (x, y) = (number("cx=\""), number("cy=\""));
                assert_eq!(picture.get_pixel(x as u32, y as u32).0, [r, g, b], "{disc}");
            }
        }
    }

    /// The batch at which the loss explodes is drawn at the edge.
    #[test]
    fn a_loss_that_explodes_is_drawn_at_the_edge_and_the_suggested_rate_is_marked() {
        let rates: Vec<f64> = (0..12).map(|i| 10f64.powi(i - 12)).collect();
        let picture = |last: f64, suggested| {
            let loss = |i| if i < 11 { 1.0 } else { last };
            let point = |(i, &lr)| LrPoint { lr, loss: loss(i), smoothed: loss(i) };
            let points: Vec<_> = rates.iter().enumerate().map(point).collect();
            lr_picture(&points, suggested).expect("a picture")
        };
        assert!(picture(1e9, None) == picture(2.0, None), "at twice the first loss");
        assert!(picture(2.0, None) != picture(1.0, None));
        assert!(picture(2.0, None) == picture(2.0, Some(0.5)), "no point has this rate");
        assert!(picture(2.0, None) != picture(2.0, Some(rates[0])), "the suggested rate is marked");
    }
}
