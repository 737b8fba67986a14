//! Curves over epochs as inline SVG, with a legend below. The style of the page sets the colors, light or dark.

use super::html::{escaped, push};
use crate::run::Score;
use crate::run::pictures::{Axis, Scale, drawable};

/// One line: its name, and a value for each epoch.
pub(super) struct Line {
    pub name: String,
    pub points: Vec<(u32, f64)>,
    /// The best epoch of this line, in a chart of several runs. A ring marks it, and the legend shows its value.
    pub best: Option<u32>,
}

/// A panel of curves.
pub(super) struct Chart {
    pub title: String,
    /// Name of the vertical axis.
    pub axis: String,
    pub scale: Scale,
    /// The score that formats values in the legend; `None` formats them by the scale.
    pub score: Option<Score>,
    /// Color of the first line, of [`COLORS`].
    pub color: usize,
    pub lines: Vec<Line>,
    /// The best epoch of all lines. It is marked, and the legend shows its values. If `None`, the legend shows those of
    /// each line's best epoch, or else of the last one.
    pub best: Option<u32>,
}

/// Size of a panel, and of its plotting area, in units of the SVG.
const SIZE: (f64, f64) = (420.0, 270.0);
const LEFT: f64 = 72.0;
const RIGHT: f64 = 408.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 224.0;
/// Largest number of points that are drawn with dots.
const DOTS: usize = 60;

/// Charts side by side across the width of the page. Charts without any line are left out.
pub(super) fn charts(charts: &[Chart]) -> String {
    let drawn: Vec<String> = charts.iter().filter(|chart| !chart.lines.is_empty()).map(Chart::html).collect();
    // Four charts form two rows of two. In rows of three, the last chart would be alone.
    let class = if drawn.len() == 4 { "charts pairs" } else { "charts" };
    if drawn.is_empty() { String::new() } else { format!("<div class=\"{class}\">\n{}</div>\n", drawn.concat()) }
}

impl Chart {
    fn html(&self) -> String {
        let names: Vec<&str> = self.lines.iter().map(|line| line.name.as_str()).collect();
        let label = escaped(format!("{} over epochs: {}", self.title, names.join(", ")));
        let mut html = format!(
            "<figure class=\"chart\"><div class=\"name\">{}</div>\n<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{label}\">\n",
            escaped(&self.title),
            SIZE.0,
            SIZE.1
        );
        let points = || self.lines.iter().flat_map(|line| &line.points);
        let epochs = points().map(|(epoch, _)| *epoch);
        let (first, last) = (epochs.clone().min().unwrap_or(0), epochs.max().unwrap_or(0));
        let x = Axis::of_epochs(first.into(), last.into());
        let y = Axis::of_values(points().map(|(_, value)| *value), self.scale);
        self.axes(&mut html, &x, &y);
        if let Some(best) = self.best.filter(|_| last > first) {
            let at = at_x(&x, best.into());
            push(
                &mut html,
                format_args!(
                    "<g class=\"best\"><path d=\"M{at:.1} {TOP}V{BOTTOM}\"/>\
                     <text x=\"{:.1}\" y=\"{}\" class=\"m\">best</text></g>\n",
                    at.clamp(LEFT + 14.0, RIGHT - 14.0),
                    TOP - 6.0
                ),
            );
        }
        for (index, line) in self.lines.iter().enumerate() {
            line.draw(&mut html, self.color + index, [&x, &y], &|value| self.text(value));
        }
        html.push_str("</svg>\n");
        self.legend(&mut html);
        html.push_str("</figure>\n");
        html
    }

    /// Names of the lines, each with its color and a value.
    fn legend(&self, html: &mut String) {
        let own = self.lines.iter().any(|line| line.best.is_some());
        let of = match self.best {
            Some(best) => format!("at epoch {best}, the best:"),
            None if own => "at the best epoch of each run (ring):".to_owned(),
            None => "after the last epoch:".to_owned(),
        };
        push(html, format_args!("<figcaption class=\"legend\"><small>{of}</small> "));
        for (index, line) in self.lines.iter().enumerate() {
            let best = self.best.or(line.best);
            let at = |point: &&(u32, f64)| Some(point.0) == best;
            let shown = line.points.iter().find(at).or(line.points.last().filter(|_| best.is_none()));
            let shown = shown.map_or("–".into(), |(_, value)| self.text(*value));
            let (name, shown) = (escaped(&line.name), escaped(shown));
            let (color, dashed) = style(self.color + index);
            let key = format!("<i class=\"{dashed}\"></i>");
            push(html, format_args!("<span class=\"{color}\">{key}{name} <b>{shown}</b></span> "));
        }
        html.push_str("</figcaption>");
    }

    fn text(&self, value: f64) -> String {
        if let Some(score) = &self.score {
            return score.format(value);
        }
        match self.scale {
            _ if !value.is_finite() => format!("{value}"),
            Scale::Percent => format!("{:.1} %", 100.0 * value),
            Scale::Share => format!("{value:.3}"),
            _ if value != 0.0 && !(1e-3..1e5).contains(&value.abs()) => format!("{value:.2e}"),
            _ => format!("{value:.4}"),
        }
    }

    fn axes(&self, html: &mut String, x: &Axis, y: &Axis) {
        html.push_str("<g class=\"grid\">");
        for tick in y.ticks() {
            let (at, text) = (at_y(y, tick), y.text(tick));
            push(html, format_args!("<path d=\"M{LEFT} {at:.1}H{RIGHT}\"/>"));
            push(html, format_args!("<text x=\"{}\" y=\"{:.1}\" class=\"e\">{text}</text>", LEFT - 7.0, at + 4.0));
        }
        for tick in x.ticks() {
            let at = at_x(x, tick);
            push(html, format_args!("<path d=\"M{at:.1} {TOP}V{BOTTOM}\"/>"));
            push(html, format_args!("<text x=\"{at:.1}\" y=\"{}\" class=\"m\">{tick:.0}</text>", BOTTOM + 18.0));
        }
        html.push_str("</g>\n<g class=\"axes\">");
        push(html, format_args!("<path d=\"M{LEFT} {TOP}V{BOTTOM}H{RIGHT}\"/>"));
        let (middle, half) = ((LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
        push(html, format_args!("<text x=\"{middle}\" y=\"{}\" class=\"m\">epoch</text>", BOTTOM + 39.0));
        let axis = escaped(&self.axis);
        push(
            html,
            format_args!("<text transform=\"translate(12 {half}) rotate(-90)\" class=\"m\">{axis}</text></g>\n"),
        );
    }
}

/// Number of line colors. Further lines repeat them, dashed.
pub(super) const COLORS: usize = 8;

/// CSS classes of a line: its color and its dashes.
fn style(index: usize) -> (String, &'static str) {
    (format!("l{}", index % COLORS), if index < COLORS { "" } else { "dashed" })
}

fn at_x(axis: &Axis, epoch: f64) -> f64 {
    LEFT + axis.share(epoch) * (RIGHT - LEFT)
}

fn at_y(axis: &Axis, value: f64) -> f64 {
    BOTTOM - axis.share(value) * (BOTTOM - TOP)
}

impl Line {
    /// Draws a line. It has a gap where a value cannot be drawn.
    fn draw(&self, html: &mut String, index: usize, [x, y]: [&Axis; 2], text: &dyn Fn(f64) -> String) {
        let (color, dashed) = style(index);
        push(html, format_args!("<g class=\"{color}\">"));
        let name = escaped(&self.name);
        for run in self.points.split(|(_, value)| !drawable(*value)).filter(|run| !run.is_empty()) {
            let place = |(epoch, value): &(u32, f64)| (at_x(x, f64::from(*epoch)), at_y(y, *value));
            let path: Vec<String> = run.iter().map(place).map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            push(html, format_args!("<polyline class=\"{dashed}\" points=\"{}\"/>", path.join(" ")));
            if self.points.len() > DOTS && run.len() > 1 {
                continue;
            }
            for (point, (cx, cy)) in run.iter().zip(run.iter().map(place)) {
                let title = format!("<title>{name}, epoch {}: {}</title>", point.0, escaped(text(point.1)));
                push(html, format_args!("<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"3\">{title}</circle>"));
            }
        }
        let best = self.points.iter().find(|(epoch, value)| Some(*epoch) == self.best && drawable(*value));
        if let Some((epoch, value)) = best {
            let (cx, cy) = (at_x(x, f64::from(*epoch)), at_y(y, *value));
            let title = format!("<title>{name}, the best epoch, {epoch}: {}</title>", escaped(text(*value)));
            push(html, format_args!("<circle class=\"ring\" cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"6\">{title}</circle>"));
        }
        html.push_str("</g>\n");
    }
}
