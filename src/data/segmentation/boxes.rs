//! Boxes that a tool wrote as polygons of four corners, upright or turned.

use super::found::Found;
use super::mask::MaskSource;
use super::shapes::Area;

/// A note on annotations whose regions are all rectangles.
pub(super) fn note(found: &Found) -> Option<String> {
    const FEWEST: usize = 4;
    let mut count = 0;
    for pair in found.parts().into_iter().flatten() {
        let MaskSource::Drawn(drawing) = &pair.mask else { return None };
        if !drawing.shapes.iter().all(|shape| is_rectangle(&shape.area)) {
            return None;
        }
        count += drawing.shapes.len();
    }
    (count >= FEWEST).then(|| {
        format!(
            "all {count} regions are rectangles: if they are boxes around objects, the pixels beside the objects count as theirs; draw \
             outlines in their place"
        )
    })
}

/// Whether an area is a polygon of four corners with equal opposite sides. In shares of a picture turned rectangles have no right
/// angles.
fn is_rectangle(area: &Area) -> bool {
    let Area::Polygons(rings) = area else { return false };
    let [ring] = &rings[..] else { return false };
    let corners = match &ring[..] {
        [a, b, c, d] => [a, b, c, d],
        [a, b, c, d, last] if last == a => [a, b, c, d],
        _ => return false,
    };
    let [a, b, c, d] = corners;
    let length = |axis: usize| (a[axis] - c[axis]).abs() + (b[axis] - d[axis]).abs();
    (0..2).all(|axis| (a[axis] + c[axis] - b[axis] - d[axis]).abs() <= 0.01 * length(axis))
}
