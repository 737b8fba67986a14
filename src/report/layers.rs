//! The layers of a run over its epochs, as strips of cells: gradients, growth of the weights, dead units.

use super::html::{escaped, push};
use crate::run::layers::LayerRow;
use crate::text::number;

/// Maximum number of epochs drawn. Of more epochs, every second, third, … is drawn.
const COLUMNS: usize = 48;
/// Width of the names, width of the cells, and height of a row, in units of the SVG. The longest names of ResNets,
/// `layer2.0.downsample.0`, fit; the whole is as wide as a phone.
const NAMES: f64 = 148.0;
const WIDTH: f64 = 212.0;
const ROW: f64 = 13.0;

/// The content of a strip of cells.
struct Strip<'a> {
    title: &'a str,
    /// Values of the faintest and of the strongest cell.
    ends: [String; 2],
    /// The value of a row, and its shade from 0 to 1; `None` if the row has no cell.
    cell: &'a dyn Fn(&LayerRow) -> Option<(String, f64)>,
}

/// A value rounded to one digit, without an exponent.
fn one_digit(value: f64) -> String {
    let rounded = format!("{value:.0e}");
    rounded.parse().map_or(rounded, |rounded: f64| number(rounded))
}

/// The epochs of the rows, in their order.
fn epochs(rows: &[LayerRow]) -> Vec<u32> {
    let mut epochs: Vec<u32> = rows.iter().map(|row| row.epoch).collect();
    epochs.dedup();
    epochs
}

/// Number of epochs from one column to the next.
pub(super) fn epochs_per_column(rows: &[LayerRow]) -> usize {
    epochs(rows).len().div_ceil(COLUMNS)
}

/// The strips, side by side; empty without rows.
pub(super) fn strips(rows: &[LayerRow]) -> String {
    let mut layers = Vec::<&str>::new();
    for row in rows {
        if !layers.contains(&row.layer.as_str()) {
            layers.push(&row.layer);
        }
    }
    if layers.is_empty() {
        return String::new();
    }
    let (epochs, step) = (epochs(rows), epochs_per_column(rows));
    // The last epoch is always drawn.
    let shown: Vec<u32> = epochs.iter().rev().step_by(step).rev().copied().collect();
    let share = |row: &LayerRow| Some(row.gradient_norm / row.weight_norm).filter(|v| v.is_finite() && *v > 0.0);
    let (low, high) = range(rows.iter().filter_map(share).map(f64::log10));
    let first = |layer: &str| rows.iter().find(|row| row.layer == layer).map_or(f64::NAN, |row| row.weight_norm);
    let growth = |row: &LayerRow| Some(row.weight_norm / first(&row.layer)).filter(|v| v.is_finite());
    let (least, most) = range(rows.iter().filter_map(growth));
    // A growth of some thousandths is none: it stays pale.
    let most = most.max(least + 0.1);
    let place = |v: f64, low: f64, high: f64| if high > low { (v - low) / (high - low) } else { 0.0 };
    let strips = [
        Strip {
            title: "Gradient norm / weight norm",
            ends: [low, high].map(|end| one_digit(10f64.powf(end))),
            cell: &|row| share(row).map(|v| (format!("{v:.1e}"), place(v.log10(), low, high))),
        },
        Strip {
            title: "Weight norm / that after the first epoch",
            ends: [least, most].map(|end| format!("{end:.2}")),
            cell: &|row| growth(row).map(|v| (format!("{v:.3}"), place(v, least, most))),
        },
        Strip {
            title: "Dead units",
            ends: ["0 %", "100 %"].map(String::from),
            cell: &|row| row.dead.map(|v| (format!("{:.1} %", 100.0 * v), v)),
        },
    ];
    let drawn: String = strips.iter().map(|strip| strip.html(rows, &layers, &shown)).collect();
    format!("<div class=\"charts\">\n{drawn}</div>\n")
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
    if low > high { (0.0, 0.0) } else { (low, high) }
}

/// The rows of a layer.
fn of<'a>(rows: &'a [LayerRow], layer: &'a str) -> impl Iterator<Item = &'a LayerRow> {
    rows.iter().filter(move |row| row.layer == layer)
}

impl Strip<'_> {
    fn html(&self, rows: &[LayerRow], layers: &[&str], epochs: &[u32]) -> String {
        let layers: Vec<&&str> =
            layers.iter().filter(|layer| of(rows, layer).any(|row| (self.cell)(row).is_some())).collect();
        if layers.is_empty() {
            return String::new();
        }
        let (width, title) = (WIDTH / epochs.len().max(1) as f64, escaped(self.title));
        let height = ROW * layers.len() as f64 + 20.0;
        let mut html = format!(
            "<figure class=\"chart strip\"><div class=\"name\">{title}</div>\n<svg viewBox=\"0 0 {} {height}\" role=\"img\" \
             aria-label=\"{title}, by layer and epoch\">\n",
            NAMES + WIDTH
        );
        for (line, layer) in layers.iter().enumerate() {
            let top = ROW * line as f64;
            push(
                &mut html,
                format_args!("<text x=\"{}\" y=\"{}\" class=\"e\">{}</text>", NAMES - 6.0, top + 10.0, escaped(layer)),
            );
            for row in of(rows, layer) {
                let Some(column) = epochs.iter().position(|&epoch| epoch == row.epoch) else { continue };
                let Some((value, shade)) = (self.cell)(row) else { continue };
                push(
                    &mut html,
                    format_args!(
                        "<rect x=\"{:.1}\" y=\"{top}\" width=\"{:.1}\" height=\"{}\" style=\"--s:{shade:.2}\"><title>{}, \
                         epoch {}: {value}</title></rect>",
                        NAMES + width * column as f64,
                        (width - 0.6).max(0.6),
                        ROW - 1.0,
                        escaped(layer),
                        row.epoch
                    ),
                );
            }
            html.push('\n');
        }
        let ends = [(NAMES, "", epochs.first()), (NAMES + WIDTH, "e", epochs.last())];
        for (x, class, epoch) in ends.into_iter().take(epochs.len()) {
            let epoch = epoch.copied().unwrap_or(0);
            push(&mut html, format_args!("<text x=\"{x}\" y=\"{}\" class=\"{class}\">{epoch}</text>", height - 4.0));
        }
        let [low, high] = &self.ends;
        push(
            &mut html,
            format_args!(
                "<text x=\"{}\" y=\"{}\" class=\"m\">epoch</text></svg>\n<figcaption class=\"legend\"><span>{low} \
                 <i class=\"ramp\"></i> {high}</span></figcaption></figure>\n",
                NAMES + WIDTH / 2.0,
                height - 4.0
            ),
        );
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(epoch: u32, layer: &str, numbers: [f64; 2], dead: Option<f64>) -> LayerRow {
        LayerRow { epoch, layer: layer.into(), weight_norm: numbers[0], gradient_norm: numbers[1], dead }
    }

    #[test]
    fn a_strip_has_a_cell_for_each_layer_and_epoch() {
        let rows = [
            row(1, "conv1", [2.0, 0.2], Some(0.25)),
            row(1, "fc<", [1.0, 0.001], None),
            row(2, "conv1", [3.0, 0.3], Some(0.5)),
            row(2, "fc<", [1.0, 0.01], None),
        ];
        let html = strips(&rows);
        assert_eq!(html.matches("<svg").count(), 3);
        // Only the first layer has units that can die.
        assert_eq!(html.matches("<rect").count(), 4 + 4 + 2);
        for part in [
            "style=\"--s:0.50\"><title>conv1, epoch 2: 50.0 %",
            "<title>fc&lt;, epoch 1: 1.0e-3",
            "style=\"--s:1.00\"><title>conv1, epoch 2: 1.500",
            "<span>0.001 <i class=\"ramp\"></i> 0.1",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(strips(&[]), "");
        let still = [row(1, "conv1", [2.0, 0.2], None), row(2, "conv1", [2.002, 0.3], None)];
        let html = strips(&still);
        for part in ["style=\"--s:0.01\"><title>conv1, epoch 2: 1.001", "<span>1.00 <i class=\"ramp\"></i> 1.10"] {
            assert!(html.contains(part), "{part} in {html}");
        }
    }

    #[test]
    fn of_many_epochs_some_are_drawn_and_the_last_one() {
        let rows: Vec<_> = (1..=500).map(|epoch| row(epoch, "conv1", [1.0, 1.0], None)).collect();
        let html = strips(&rows);
        assert_eq!([epochs_per_column(&rows), epochs_per_column(&rows[..COLUMNS])], [11, 1]);
        assert!(html.contains("epoch 500:") && html.matches("<rect").count() <= 2 * COLUMNS);
    }
}
