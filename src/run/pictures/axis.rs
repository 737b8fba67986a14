//! Axes of plots, for the pictures and the report: the range of the values, and the ticks.

use crate::run::score::Unit;

/// The kind of values along an axis. It decides the start of the axis and the form of the ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Losses: the axis begins at 0, their best value.
    Loss,
    /// Shares of 1, written as percentages.
    Percent,
    /// Shares of 1, written as decimals.
    Share,
    /// Other values: the axis spans them.
    Plain,
}

/// An axis: the values at its ends and its ticks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Axis {
    low: f64,
    high: f64,
    /// First and last value with a tick.
    labeled: (f64, f64),
    step: f64,
    percent: bool,
}

/// Whether a value can be drawn. A value that is not finite, or too large for a finite position, is a gap in the curve.
pub fn drawable(value: f64) -> bool {
    value.abs() < 1e30
}

impl Scale {
    /// The scale of a score's axis.
    pub fn of(unit: Unit) -> Self {
        match unit {
            Unit::Percent => Scale::Percent,
            Unit::Share => Scale::Share,
            Unit::Index | Unit::Decibel | Unit::Number => Scale::Plain,
        }
    }
}

impl Axis {
    /// An axis that contains all drawable values. Its ends are ticks.
    pub fn of_values(values: impl Iterator<Item = f64>, scale: Scale) -> Self {
        let (low, high) =
            values.filter(|v| drawable(*v)).fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let (low, high) = if low > high { (0.0, 1.0) } else { (low, high) };
        let (low, high) = match scale {
            // At least 0.1, otherwise the noise of a single epoch would fill the panel.
            Scale::Percent | Scale::Share => {
                let middle = ((low + high) / 2.0).clamp(0.05, 0.95);
                (low.min(middle - 0.05), high.max(middle + 0.05))
            }
            Scale::Loss => (low.min(0.0), high),
            Scale::Plain => (low, high),
        };
        let step = nice_step(high - low, 6);
        let (low, high) = ((low / step).floor() * step, (high / step).ceil() * step);
        let high = if high > low { high } else { low + step };
        let percent = scale == Scale::Percent;
        let (low, high) =
            if percent || scale == Scale::Share { (low.max(0.0), high.min(1.0).max(low + step)) } else { (low, high) };
        Axis { low, high, labeled: (low, high), step: nice_step(high - low, 6), percent }
    }

    /// From the first epoch to the last. For a single epoch the axis is wider, without further ticks.
    pub fn of_epochs(first: f64, last: f64) -> Self {
        let (low, high) = if last > first { (first, last) } else { (first - 1.0, first + 1.0) };
        let step = nice_step(high - low, 8).max(1.0);
        Axis { low, high, labeled: (first, last), step, percent: false }
    }

    /// Values of the ticks, ascending.
    pub fn ticks(&self) -> impl Iterator<Item = f64> {
        let (step, (low, high)) = (self.step, self.labeled);
        let first = (low / step - 1e-6).ceil();
        (0..32).map(move |i| (first + f64::from(i)) * step).take_while(move |v| *v <= high + step * 1e-6)
    }

    /// The text of a tick.
    pub fn text(&self, value: f64) -> String {
        let (value, step) = if self.percent { (value * 100.0, self.step * 100.0) } else { (value, self.step) };
        let unit = if self.percent { " %" } else { "" };
        // Ticks that differ by little beside their size need all their decimals.
        let largest = self.low.abs().max(self.high.abs());
        let small = step < 1e-4 && largest < 1e-2;
        if value.abs() >= 1e5 || (small && value != 0.0) {
            return format!("{value:.1e}{unit}");
        }
        let decimals = if small { 0.0 } else { (-step.log10().floor()).clamp(0.0, 8.0) } as usize;
        format!("{value:.decimals$}{unit}")
    }

    /// Position of a value along the axis: 0 at the low end, 1 at the high end.
    pub fn share(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }
}

/// A step of 1, 2 or 5 times a power of ten, about `span` / `count`.
fn nice_step(span: f64, count: u32) -> f64 {
    if !(span.is_finite() && span > 1e-9) {
        return 0.1;
    }
    let rough = span / f64::from(count);
    let power = 10f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(low: f64, high: f64) -> Vec<String> {
        let axis = Axis::of_values([low, high].into_iter(), Scale::Plain);
        axis.ticks().map(|tick| axis.text(tick)).collect()
    }

    #[test]
    fn ticks_differ_in_their_text() {
        assert_eq!(ticks(0.0, 3e-4), ["0", "5.0e-5", "1.0e-4", "1.5e-4", "2.0e-4", "2.5e-4", "3.0e-4"]);
        assert_eq!(ticks(1.0, 4.0), ["1.0", "1.5", "2.0", "2.5", "3.0", "3.5", "4.0"]);
        // Two structural similarities.
        assert_eq!(ticks(0.85181, 0.85184), ["0.85181", "0.85182", "0.85183", "0.85184"]);
        for (low, high) in [(0.85181, 0.85183), (20.9401, 20.9404), (1e-7, 3e-7), (0.0, 1e7), (99_999.0, 99_999.1)] {
            let texts = ticks(low, high);
            assert!(texts.windows(2).all(|pair| pair[0] != pair[1]), "{texts:?}");
        }
    }
}
