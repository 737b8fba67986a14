//! A picture of a network as SVG. Each node is a box, from the image at the top to the result at the bottom. A connection that passes
//! over other nodes is a curve to the left of the boxes.

use std::fmt::Write;

use super::summary::NodeRow;

/// Height of a row, and of its box.
const ROW: usize = 30;
const BOX: usize = 22;
/// Width of a box.
const WIDTH: usize = 250;
/// Space around the picture, and top of the first row.
const MARGIN: usize = 20;
const TOP: usize = 50;
/// Width of the text to the right of the boxes, and the place of the field in it.
const TEXT: usize = 235;
const FIELD: usize = 130;
/// Distance between two curves.
const LANE: usize = 12;

/// Colors of the picture, with others for a dark page.
const STYLE: &str = "text{font:12px system-ui,sans-serif;fill:#1e293b}.n rect{fill:#f1f5f9;stroke:#64748b}.p rect{fill:#dbeafe;\
    stroke:#1d4ed8}.s rect{fill:#fef3c7;stroke:#b45309}path{fill:none;stroke:#475569;stroke-width:1.5}.c{stroke:#b45309}\
    .q{fill:#64748b}.e{text-anchor:end}@media(prefers-color-scheme:dark){svg{background:#0f172a}text{fill:#e2e8f0}\
    .n rect{fill:#1e293b}.p rect{fill:#1e3a8a}.s rect{fill:#78350f}.q{fill:#94a3b8}path{stroke:#94a3b8}.c{stroke:#fbbf24}}";

/// The picture of a network's nodes. `title` is written above it, `image` describes the input.
pub fn svg(title: &str, image: &str, nodes: &[NodeRow]) -> String {
    let curves = curves(nodes);
    let lanes = curves.iter().map(|curve| curve.lane + 1).max().unwrap_or(0);
    let left = MARGIN + LANE * lanes;
    let (width, height) = (left + WIDTH + TEXT + MARGIN, TOP + ROW * (nodes.len() + 1) + 10);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" \
         role=\"img\">\n<title>{0}</title>\n<style>{STYLE}</style>\n<text x=\"{MARGIN}\" y=\"28\" font-weight=\"bold\">{0}</text>\n",
        escaped(title)
    );
    let mut row = |at: usize, class: &str, [name, op, result, field]: [&str; 4]| {
        let (y, text) = (top(at), top(at) + 15);
        // Writing into memory does not fail.
        let _ = writeln!(
            out,
            "<g class=\"{class}\"><rect x=\"{left}\" y=\"{y}\" width=\"{WIDTH}\" height=\"{BOX}\" rx=\"4\"/><text x=\"{}\" \
             y=\"{text}\">{}</text><text class=\"q e\" x=\"{}\" y=\"{text}\">{}</text><text x=\"{}\" y=\"{text}\">{}</text><text x=\"{}\" y=\"{text}\">{}</text></g>",
            left + 8,
            escaped(name),
            left + WIDTH - 8,
            escaped(op),
            left + WIDTH + 10,
            escaped(result),
            left + WIDTH + FIELD,
            escaped(field)
        );
    };
    row(0, "n", ["image", "", image, ""]);
    for (index, node) in nodes.iter().enumerate() {
        let class = match (node.parameters > 0, node.inputs.len() > 1) {
            (true, _) => "p",
            (false, true) => "s",
            (false, false) => "n",
        };
        let [h, w] = node.field;
        row(index + 1, class, [&node.name, node.op, &sizes(&node.shape), &format!("field {h:.0}×{w:.0}")]);
    }
    for (index, node) in nodes.iter().enumerate().filter(|(index, node)| reads_above(*index, node)) {
        let (x, from, to) = (left + WIDTH / 2, top(index) + BOX, top(index + 1));
        let _ = writeln!(out, "<path d=\"M{x} {from}V{to}\"><title>{}</title></path>", escaped(&node.name));
    }
    for Curve { from, to, lane } in curves {
        let side = left - LANE * (lane + 1);
        let (start, end) = (top(from) + BOX / 2 + 4, top(to) + BOX / 2 - 4);
        let _ = writeln!(out, "<path class=\"c\" d=\"M{left} {start}H{side}V{end}H{left}\"/>");
    }
    out + "</svg>\n"
}

/// Height, width and channels of a result.
fn sizes(shape: &[usize]) -> String {
    shape.iter().skip(1).map(ToString::to_string).collect::<Vec<_>>().join("×")
}

fn top(row: usize) -> usize {
    TOP + ROW * row
}

/// Row of a node's input: the image is row 0.
fn row_of(input: Option<usize>) -> usize {
    input.map_or(0, |index| index + 1)
}

/// Whether a node reads the result in the row above.
fn reads_above(index: usize, node: &NodeRow) -> bool {
    node.inputs.iter().any(|&input| row_of(input) == index)
}

/// A connection that passes over rows.
struct Curve {
    from: usize,
    to: usize,
    /// Place to the left of the boxes, from 0.
    lane: usize,
}

/// All connections that pass over rows, the shortest first. Two that pass the same row have different lanes.
fn curves(nodes: &[NodeRow]) -> Vec<Curve> {
    let of = |(index, node): (usize, &NodeRow)| {
        let rows: Vec<usize> = node.inputs.iter().map(|&input| row_of(input)).filter(|&row| row != index).collect();
        rows.into_iter().map(move |from| (from, index + 1))
    };
    let mut ends: Vec<(usize, usize)> = nodes.iter().enumerate().flat_map(of).collect();
    ends.sort_by_key(|&(from, to)| (to - from, from));
    ends.dedup();
    let mut curves: Vec<Curve> = vec![];
    for (from, to) in ends {
        let taken = |lane: usize| curves.iter().any(|c| c.lane == lane && c.from < to && from < c.to);
        let lane = (0..).find(|&lane| !taken(lane)).unwrap_or(0);
        curves.push(Curve { from, to, lane });
    }
    curves
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
