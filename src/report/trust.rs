//! Calibration of a run: the error in words, and the reliability diagram.

use super::html::{escaped, push};
use super::page::Page;
use crate::run::trust::BINS;
use crate::run::{Calibration, Trust};
use crate::text::capitalized;

/// Sides of the diagram and of its plotting area, in units of the SVG.
const SIZE: f64 = 300.0;
const LEFT: f64 = 52.0;
const TOP: f64 = 10.0;
const SIDE: f64 = 236.0;
/// Number of images below which the accuracy of a bin is mostly chance.
const FEW: u64 = 5;

/// Top-5 accuracy, boundary F1 and calibration, below a heading of `level`; nothing without them.
pub(super) fn section(page: &mut Page, trust: &Trust, level: usize) {
    let mut lines = vec![];
    lines.extend(trust.top5.map(|share| format!("Top-5 accuracy {:.1} %.", 100.0 * share)));
    lines.extend(trust.boundary.map(|[mean, tolerance]| {
        format!(
            "Boundary F1 {mean:.3}: outlines agree if they are within {} % of the image's diagonal (Csurka et al. 2013).",
            100.0 * tolerance
        )
    }));
    lines.extend(trust.calibration.iter().map(|calibration| format!("{}.", capitalized(&calibration.words()))));
    if lines.is_empty() {
        return;
    }
    page.section(level, "Can it be trusted?");
    for line in lines {
        page.push(format_args!("<p>{}</p>\n", escaped(line)));
    }
    if let Some(calibration) = &trust.calibration {
        page.add(&diagram(calibration));
    }
}

/// The reliability diagram (DeGroot & Fienberg 1983): accuracy by confidence, beside the diagonal of perfect calibration.
fn diagram(calibration: &Calibration) -> String {
    let (x, y) = (|share: f64| LEFT + share * SIDE, |share: f64| TOP + (1.0 - share) * SIDE);
    let mut html = format!(
        "<div class=\"charts\"><figure class=\"chart reliability\"><div class=\"name\">Reliability diagram</div>\n\
         <svg viewBox=\"0 0 {SIZE} {SIZE}\" role=\"img\" aria-label=\"Accuracy of the predictions by their confidence\">\n\
         <g class=\"grid\">"
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let (at, percent) = (y(tick), 100.0 * tick);
        push(&mut html, format_args!("<path d=\"M{LEFT} {at:.1}H{:.1}\"/>", LEFT + SIDE));
        push(&mut html, format_args!("<text x=\"{}\" y=\"{:.1}\" class=\"e\">{percent}</text>", LEFT - 6.0, at + 4.0));
        let below = TOP + SIDE + 17.0;
        push(&mut html, format_args!("<text x=\"{:.1}\" y=\"{below}\" class=\"m\">{percent}</text>", x(tick)));
    }
    html.push_str("</g>\n<g class=\"bars\">");
    let width = SIDE / BINS as f64;
    for (place, bin) in calibration.bins.iter().enumerate().filter(|(_, bin)| bin.count > 0) {
        let (left, top) = (LEFT + place as f64 * width, y(bin.accuracy));
        push(
            &mut html,
            format_args!(
                "<rect{} x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"><title>{} predictions: mean confidence \
                 {:.1} %, accuracy {:.1} %</title></rect>",
                if bin.count < FEW { " class=\"few\"" } else { "" },
                width - 1.0,
                (TOP + SIDE - top).max(1.5),
                bin.count,
                100.0 * bin.confidence,
                100.0 * bin.accuracy
            ),
        );
    }
    push(
        &mut html,
        format_args!(
            "</g>\n<g class=\"axes\"><path class=\"ideal\" d=\"M{LEFT} {:.1}L{:.1} {TOP}\"/>\
             <path d=\"M{LEFT} {TOP}V{:.1}H{:.1}\"/>\
             <text x=\"{:.1}\" y=\"{}\" class=\"m\">confidence in %</text>\
             <text transform=\"translate(13 {:.1}) rotate(-90)\" class=\"m\">accuracy in %</text></g></svg>\n\
             <figcaption>Bars below the dashed line: the model is more confident than accurate; above it, less. Pale bars stand for fewer than {FEW} images.</figcaption></figure></div>\n",
            TOP + SIDE,
            LEFT + SIDE,
            TOP + SIDE,
            LEFT + SIDE,
            LEFT + SIDE / 2.0,
            TOP + SIDE + 38.0,
            TOP + SIDE / 2.0
        ),
    );
    html
}
