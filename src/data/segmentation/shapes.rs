//! Masks drawn from the shapes of annotation files: polygons and run lengths.
//!
//! A pixel belongs to a polygon if its center lies inside by the even-odd rule. Polygons with a common edge share no
//! pixel. Shapes are drawn in order; later ones cover earlier ones.

use std::path::Path;

use super::class_list::{ClassList, voc_color};
use super::coding::Coding;
use super::raw::{RawMask, Shown, Stored};
use crate::data::decode::{Head, Posture, check_size};
use crate::data::names::shortened;
use crate::data::{DataError, DecodeLimits, ImageProblem};

/// Class of pixels without shape.
pub(super) const BACKGROUND: &str = "background";

/// The coding of masks drawn with the classes `names`, of which the first is the background.
///
/// # Errors
/// Where the number of classes is 1 or above 255.
pub(super) fn coding(names: &[String], source: &str, file: &Path) -> Result<Coding, DataError> {
    if !(2..=255).contains(&names.len()) {
        let problem = format!("has {} classes with the background; 2 to 255 are needed", names.len());
        return Err(DataError::malformed(file, problem));
    }
    let colors: Vec<(&str, [u8; 3])> =
        names.iter().enumerate().map(|(id, name)| (name.as_str(), voc_color(id as u8))).collect();
    Ok(Coding::by_position(ClassList::of(&colors, "nothing", source)))
}

/// Refuses boxes: the pixels of an object that has a box alone would be background. `noun` names the annotations, of
/// which `boxes` of `all` are boxes.
pub(super) fn require_no_boxes(
    file: &Path,
    noun: &str,
    (boxes, all): (usize, usize),
    remedy: &str,
) -> Result<(), DataError> {
    let problem = match boxes {
        0 => return Ok(()),
        boxes if boxes == all => format!("its {boxes} {noun} are boxes: a box is not a mask; {remedy}"),
        boxes => {
            format!(
                "{boxes} of its {all} {noun} are boxes, whose objects would be background; {remedy}, or remove the boxes"
            )
        }
    };
    Err(DataError::malformed(file, problem))
}

/// The fault of a region of a kind without an area, in words: its object would be background.
pub(super) fn without_area(kind: &str) -> String {
    let kind = shortened(kind);
    format!(
        "a region of type '{kind}' has no area, so its object would be background; draw a polygon, or remove the region"
    )
}

/// Background, then the other names in their order.
pub(super) fn with_background(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_background = |name: &String| matches!(name.to_lowercase().as_str(), "background" | "_background_");
    let others: Vec<String> = names.into_iter().filter(|name| !is_background(name)).collect();
    std::iter::once(BACKGROUND.to_string()).chain(others).collect()
}

/// Train id of the class `name`; 0, the background, if the class is unknown.
pub(super) fn id_of(names: &[String], name: &str) -> u8 {
    names.iter().position(|known| known == name).unwrap_or(0) as u8
}

/// The shapes of one image.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawing {
    /// Name of the mask for messages.
    pub name: String,
    /// Width and height in the annotation; `None` if coordinates are shares of the picture.
    pub size: Option<(u32, u32)>,
    pub shapes: Vec<Shape>,
}

/// An area with a train id.
#[derive(Debug, Clone)]
pub(crate) struct Shape {
    pub id: u8,
    pub area: Area,
}

/// A set of pixels.
#[derive(Debug, Clone)]
pub(crate) enum Area {
    /// The union of polygons of (x, y), in pixels, or in shares of the picture if the drawing has no size.
    Polygons(Vec<Vec<[f64; 2]>>),
    /// The pixels inside the first ring and outside the others.
    Holed(Vec<Vec<[f64; 2]>>),
    /// Alternating numbers of pixels outside and inside, by columns from the left (COCO's run lengths).
    Runs(Vec<u32>),
    /// The pixels of `set`: the rows of a rectangle of `size` (width, height) with its upper left pixel at `origin`.
    Bitmap { origin: [i64; 2], size: (u32, u32), set: Vec<bool> },
    /// The pixels within a radius of a center.
    Disc([f64; 2], f64),
}

impl Area {
    /// Lowest and highest x and y in pixels, at `[sx, sy]` pixels per unit; `None` for run lengths, which have the
    /// picture's size.
    fn bounds(&self, [sx, sy]: [f64; 2]) -> Option<[[f64; 2]; 2]> {
        let around = |corners: &mut dyn Iterator<Item = [f64; 2]>| {
            corners.map(|[x, y]| [x * sx, y * sy]).fold(None, |bounds: Option<[[f64; 2]; 2]>, [x, y]| {
                let [[left, top], [right, bottom]] = bounds.unwrap_or([[x, y]; 2]);
                Some([[left.min(x), top.min(y)], [right.max(x), bottom.max(y)]])
            })
        };
        match self {
            Area::Polygons(rings) => around(&mut rings.iter().flatten().copied()),
            Area::Holed(rings) => around(&mut rings.iter().take(1).flatten().copied()),
            Area::Runs(_) => None,
            Area::Bitmap { origin: [x, y], size: (width, height), .. } => {
                let [x, y] = [*x as f64, *y as f64];
                Some([[x, y], [x + f64::from(*width), y + f64::from(*height)]])
            }
            Area::Disc([x, y], radius) => Some([[x - radius, y - radius], [x + radius, y + radius]]),
        }
    }
}

impl Drawing {
    /// Draws the mask of the image at `image`. Pixels without shape are 0.
    ///
    /// # Errors
    /// Where the size of the image is needed and cannot be read, or run lengths do not fit the size.
    pub fn draw(&self, image: &Path, posture: Posture) -> Result<RawMask, ImageProblem> {
        let own = Head::of(image).map(|head| head.size_in(posture));
        let size = match (self.size, own) {
            (Some(size), Some(own)) if size != own => {
                let image = image.display().to_string();
                return Err(ImageProblem::DrawnForOtherSize { image, image_size: own, size });
            }
            (Some(size), _) | (None, Some(size)) => size,
            (None, None) => return Err(ImageProblem::Missing),
        };
        // A damaged file can claim terapixels.
        check_size(size, &DecodeLimits::default())?;
        let is_share = self.size.is_none();
        let mut canvas = Canvas::new(size);
        for shape in &self.shapes {
            canvas.require_inside(&shape.area, is_share)?;
            canvas.draw(shape, is_share)?;
        }
        Ok(RawMask { width: size.0, height: size.1, stored: Stored::Values(canvas.ids, Shown::Greys(1)) })
    }
}

struct Canvas {
    width: usize,
    height: usize,
    ids: Vec<u8>,
}

impl Canvas {
    fn new((width, height): (u32, u32)) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self { width, height, ids: vec![0; width * height] }
    }

    /// Pixels per unit of coordinates.
    fn scale(&self, is_share: bool) -> [f64; 2] {
        if is_share { [self.width as f64, self.height as f64] } else { [1.0; 2] }
    }

    /// Refuses an area most of which lies outside of the picture: it was drawn on a picture of another size.
    fn require_inside(&self, area: &Area, is_share: bool) -> Result<(), ImageProblem> {
        let Some([from, to]) = area.bounds(self.scale(is_share)) else { return Ok(()) };
        let has_corners = matches!(area, Area::Polygons(_) | Area::Holed(_));
        if has_corners && !is_share && from.iter().all(|&low| low >= 0.0) && to.iter().all(|&high| high <= 1.0) {
            return Err(ImageProblem::Annotation(format!(
                "a region has coordinates from 0 to 1 alone, as ({:.3}, {:.3}) to ({:.3}, {:.3}), so it covers one pixel at most: they may \
                 be shares of the picture's size; write them in pixels, times {} and {}",
                from[0], from[1], to[0], to[1], self.width, self.height
            )));
        }
        let share = |axis: usize, side: usize| {
            let inside = to[axis].min(side as f64) - from[axis].max(0.0);
            let extent = (to[axis] - from[axis]).max(f64::MIN_POSITIVE);
            (inside / extent).clamp(0.0, 1.0)
        };
        if share(0, self.width) * share(1, self.height) >= 0.5 {
            return Ok(());
        }
        let [[left, top], [right, bottom]] = [from, to];
        Err(ImageProblem::Annotation(format!(
            "an area from ({left:.0}, {top:.0}) to ({right:.0}, {bottom:.0}) lies mostly outside of the picture of {}x{} \
             pixels; it may be drawn on a picture of another size: annotate this picture, or scale the coordinates",
            self.width, self.height
        )))
    }

    fn draw(&mut self, shape: &Shape, is_share: bool) -> Result<(), ImageProblem> {
        let scale = self.scale(is_share);
        match &shape.area {
            Area::Polygons(polygons) => polygons.iter().for_each(|polygon| self.fill(&[polygon], scale, shape.id)),
            Area::Holed(rings) => self.fill(&rings.iter().collect::<Vec<_>>(), scale, shape.id),
            Area::Runs(runs) => return self.runs(runs, shape.id),
            Area::Bitmap { origin, size, set } => self.stamp(*origin, *size, set, shape.id),
            Area::Disc([x, y], radius) => {
                for row in 0..self.height {
                    let dy = row as f64 + 0.5 - y;
                    let half = (radius * radius - dy * dy).max(0.0).sqrt();
                    self.span(row, x - half, x + half, shape.id);
                }
            }
        }
        Ok(())
    }

    /// Sets the pixels of a bitmap that lie in the picture.
    fn stamp(&mut self, [left, top]: [i64; 2], (width, _): (u32, u32), set: &[bool], id: u8) {
        for (y, row) in set.chunks(width.max(1) as usize).enumerate() {
            let Some(y) = usize::try_from(top.saturating_add(y as i64)).ok().filter(|y| *y < self.height) else {
                continue;
            };
            for (x, _) in row.iter().enumerate().filter(|(_, set)| **set) {
                if let Some(x) = usize::try_from(left.saturating_add(x as i64)).ok().filter(|x| *x < self.width) {
                    self.ids[y * self.width + x] = id;
                }
            }
        }
    }

    /// Fills the pixels whose centers lie inside an odd number of `rings`.
    fn fill(&mut self, rings: &[&Vec<[f64; 2]>], [sx, sy]: [f64; 2], id: u8) {
        let mut crossings = Vec::new();
        for row in 0..self.height {
            let y = row as f64 + 0.5;
            crossings.clear();
            for ring in rings {
                for (k, &[x0, y0]) in ring.iter().enumerate() {
                    let [x1, y1] = ring[(k + 1) % ring.len()];
                    let ([x0, y0], [x1, y1]) = ([x0 * sx, y0 * sy], [x1 * sx, y1 * sy]);
                    if (y0 <= y) != (y1 <= y) {
                        crossings.push(x0 + (y - y0) / (y1 - y0) * (x1 - x0));
                    }
                }
            }
            crossings.sort_by(f64::total_cmp);
            let (pairs, _) = crossings.as_chunks::<2>();
            let spans = pairs.to_vec();
            spans.into_iter().for_each(|[from, to]| self.span(row, from, to, id));
        }
    }

    /// Sets the pixels of a row whose centers lie in `from..to`.
    fn span(&mut self, row: usize, from: f64, to: f64, id: u8) {
        let pixel = |x: f64| (x - 0.5).ceil().clamp(0.0, self.width as f64) as usize;
        let (from, to) = (pixel(from), pixel(to));
        if from < to {
            self.ids[row * self.width + from..row * self.width + to].fill(id);
        }
    }

    fn runs(&mut self, runs: &[u32], id: u8) -> Result<(), ImageProblem> {
        let total: u64 = runs.iter().map(|&run| u64::from(run)).sum();
        if total != (self.width * self.height) as u64 {
            let problem = format!("its run lengths cover {total} pixels of {}x{}", self.width, self.height);
            return Err(ImageProblem::MaskFormat(problem));
        }
        let mut at = 0;
        for (number, &run) in runs.iter().enumerate() {
            if number % 2 == 1 {
                for place in at..at + run as usize {
                    self.ids[place % self.height * self.width + place / self.height] = id;
                }
            }
            at += run as usize;
        }
        Ok(())
    }
}

/// Decodes COCO's run lengths from a string. A character has 5 bits from `0` up, and 32 for "more follows". From the
/// third run on, a run is stored as the difference to the run two before.
///
/// # Errors
/// Where the string is not of this form.
pub(crate) fn unpack_runs(packed: &str) -> Result<Vec<u32>, String> {
    let damaged = || "its packed run lengths are damaged".to_string();
    let mut runs: Vec<i64> = Vec::new();
    let mut bytes = packed.bytes();
    while let Some(first) = bytes.next() {
        let (mut value, mut shift, mut byte) = (0i64, 0, first);
        loop {
            let bits = i64::from(byte.checked_sub(48).filter(|bits| *bits < 64).ok_or_else(damaged)?);
            value |= (bits & 31) << shift;
            shift += 5;
            if bits & 32 == 0 {
                if bits & 16 != 0 {
                    value -= 1 << shift;
                }
                break;
            }
            if shift > 40 {
                return Err(damaged());
            }
            byte = bytes.next().ok_or_else(damaged)?;
        }
        if runs.len() > 2 {
            value += runs[runs.len() - 2];
        }
        runs.push(value);
    }
    runs.into_iter().map(|run| u32::try_from(run).map_err(|_| damaged())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(size: (u32, u32), shapes: Vec<Shape>) -> Vec<u8> {
        let drawing = Drawing { name: String::new(), size: Some(size), shapes };
        match drawing.draw(Path::new(""), Posture::Upright).unwrap().stored {
            Stored::Values(ids, _) => ids,
            Stored::Colors(_) => unreachable!(),
        }
    }

    fn polygon(id: u8, corners: &[[f64; 2]]) -> Shape {
        Shape { id, area: Area::Polygons(vec![corners.to_vec()]) }
    }

    #[test]
    fn polygons_cover_pixels_whose_centers_they_hold() {
        let square = polygon(1, &[[5.0, 5.0], [25.0, 5.0], [25.0, 15.0], [5.0, 15.0]]);
        let ids = drawn((40, 32), vec![square]);
        assert_eq!(ids.iter().filter(|&&id| id == 1).count(), 200);
        assert_eq!((ids[5 * 40 + 5], ids[14 * 40 + 24], ids[15 * 40 + 24], ids[5 * 40 + 25]), (1, 1, 0, 0));
        // A triangle, pixel by pixel, by the definition.
        let [a, b, c] = [[1.3, 0.2], [9.1, 4.4], [2.6, 8.9]];
        let ids = drawn((10, 9), vec![polygon(3, &[a, b, c])]);
        let side = |[x, y]: [f64; 2], p: [f64; 2], q: [f64; 2]| (q[0] - p[0]) * (y - p[1]) - (q[1] - p[1]) * (x - p[0]);
        for (at, &id) in ids.iter().enumerate() {
            let center = [(at % 10) as f64 + 0.5, (at / 10) as f64 + 0.5];
            let inside = [(a, b), (b, c), (c, a)].iter().all(|&(p, q)| side(center, p, q) > 0.0);
            assert_eq!(id == 3, inside, "{center:?}");
        }
        // Two squares with a common edge have no gap and no overlap. The later shape covers the earlier one.
        let left = polygon(1, &[[0.0, 0.0], [2.5, 0.0], [2.5, 2.0], [0.0, 2.0]]);
        let right = polygon(2, &[[2.5, 0.0], [4.0, 0.0], [4.0, 2.0], [2.5, 2.0]]);
        assert_eq!(drawn((4, 2), vec![left.clone(), right]), [1, 1, 2, 2, 1, 1, 2, 2]);
        assert_eq!(
            drawn((4, 1), vec![left, polygon(5, &[[1.0, 0.0], [2.0, 0.0], [2.0, 1.0], [1.0, 1.0]])]),
            [1, 5, 0, 0]
        );
    }

    #[test]
    fn holes_and_runs() {
        let ring = |from: f64, to: f64| vec![[from, from], [to, from], [to, to], [from, to]];
        let holed = Shape { id: 1, area: Area::Holed(vec![ring(0.0, 4.0), ring(1.0, 3.0)]) };
        assert_eq!(drawn((4, 4), vec![holed]), [1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1]);
        // By columns: 1 outside, 2 inside, 3 outside.
        assert_eq!(drawn((2, 3), vec![Shape { id: 7, area: Area::Runs(vec![1, 2, 3]) }]), [0, 0, 7, 0, 7, 0]);
        // From `pycocotools.mask.encode` (2.0) of a mask of 7 rows and 300 columns.
        assert_eq!(unpack_runs("X2250RY1o:jfNcMU2").unwrap(), [72, 2, 5, 2, 1319, 353, 1, 276, 70]);
        assert!(unpack_runs("X2250RY1o:jfNcM\u{7f}").is_err() && unpack_runs("n").is_err());
    }
}
