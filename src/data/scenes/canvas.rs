//! Drawings as lists of shapes, and their two renderings.
//!
//! A [`Drawing`] is pure data: paths with a fill, a label and a transform. [`Drawing::colors`] renders it anti-aliased.
//! [`Drawing::labels`] renders the label of the topmost shape at each pixel with hard edges. Both use the same list and
//! the same geometry, so the labels are exact.

use image::RgbImage;
use tiny_skia::{
    FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Paint, Path, PathBuilder, Pixmap, Point, Rect, Shader,
    SpreadMode, Stroke, Transform,
};

use super::Label;

/// A color: red, green, blue and opacity, each in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Color {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
    /// Opacity; 1 hides everything beneath.
    pub a: f32,
}

impl Color {
    /// An opaque color.
    pub const fn rgb(r: f32, g: f32, b: f32) -> Self {
        Self { r, g, b, a: 1.0 }
    }

    /// Opaque grey.
    pub const fn grey(value: f32) -> Self {
        Self::rgb(value, value, value)
    }

    /// Color of a hue (in turns), saturation and value.
    pub fn hsv(hue: f32, saturation: f32, value: f32) -> Self {
        let channel = |offset: f32| {
            let k = (offset + hue * 6.0).rem_euclid(6.0);
            value - value * saturation * k.min(4.0 - k).clamp(0.0, 1.0)
        };
        Self::rgb(channel(5.0), channel(3.0), channel(1.0))
    }

    /// Brighter (factor above 1) or darker (below 1).
    pub fn shade(self, factor: f32) -> Self {
        let scale = |v: f32| (v * factor).clamp(0.0, 1.0);
        Self { r: scale(self.r), g: scale(self.g), b: scale(self.b), a: self.a }
    }

    /// The same color with opacity `a`.
    pub fn alpha(self, a: f32) -> Self {
        Self { a, ..self }
    }

    fn to_skia(self) -> tiny_skia::Color {
        let unit = |v: f32| {
            if v.is_finite() { v.clamp(0.0, 1.0) } else { 0.0 }
        };
        tiny_skia::Color::from_rgba(unit(self.r), unit(self.g), unit(self.b), unit(self.a))
            .unwrap_or(tiny_skia::Color::BLACK)
    }
}

/// The fill of a shape.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Fill {
    /// One color.
    Solid(Color),
    /// From one color at a point to another at a second point, in the coordinates of the shape.
    Gradient([(f32, f32); 2], [Color; 2]),
}

impl From<Color> for Fill {
    fn from(color: Color) -> Self {
        Self::Solid(color)
    }
}

/// One shape of a drawing.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Outline, in the coordinates of its part.
    pub path: Path,
    /// Width of the line along the outline; `None` fills the inside.
    pub width: Option<f32>,
    /// Colors.
    pub fill: Fill,
    /// Label; `None` for effects: shadows, glow, reflections.
    pub label: Option<Label>,
    /// From the coordinates of the part to those of the drawing.
    pub transform: Transform,
}

/// A list of shapes, the last on top.
///
/// An object is drawn in object coordinates: **meters, y upward, the origin on the ground below its middle**.
/// [`Drawing::place`] moves it into a scene, whose coordinates are those of the frame: y downward, (0, 0) the upper
/// left corner, 1 the height of the picture.
#[derive(Debug, Clone)]
pub struct Drawing {
    /// The shapes, from the bottom up.
    pub shapes: Vec<Shape>,
    /// Label of the next shapes.
    pub label: Option<Label>,
}

impl Drawing {
    /// An empty drawing. Its shapes get `label`.
    pub fn new(label: Option<Label>) -> Self {
        Self { shapes: Vec::new(), label }
    }

    fn push(&mut self, path: Option<Path>, width: Option<f32>, fill: Fill) {
        // An outline without extent has no path, and draws nothing.
        if let Some(path) = path {
            let (label, transform) = (self.label, Transform::identity());
            self.shapes.push(Shape { path, width, fill, label, transform });
        }
    }

    /// The rectangle between two corners.
    pub fn rect(&mut self, (x0, y0): (f32, f32), (x1, y1): (f32, f32), fill: impl Into<Fill>) {
        let rect = Rect::from_ltrb(x0.min(x1), y0.min(y1), x0.max(x1), y0.max(y1));
        self.push(rect.map(PathBuilder::from_rect), None, fill.into());
    }

    /// The rectangle between two corners, rounded with `radius`.
    pub fn round_rect(&mut self, a: (f32, f32), b: (f32, f32), radius: f32, fill: impl Into<Fill>) {
        let (x0, y0, x1, y1) = (a.0.min(b.0), a.1.min(b.1), a.0.max(b.0), a.1.max(b.1));
        let r = radius.min((x1 - x0) / 2.0).min((y1 - y0) / 2.0);
        let mut path = PathBuilder::new();
        path.move_to(x0 + r, y0);
        path.line_to(x1 - r, y0);
        path.quad_to(x1, y0, x1, y0 + r);
        path.line_to(x1, y1 - r);
        path.quad_to(x1, y1, x1 - r, y1);
        path.line_to(x0 + r, y1);
        path.quad_to(x0, y1, x0, y1 - r);
        path.line_to(x0, y0 + r);
        path.quad_to(x0, y0, x0 + r, y0);
        path.close();
        self.push(path.finish(), None, fill.into());
    }

    /// The ellipse around `center` with radii `rx` and `ry`.
    pub fn ellipse(&mut self, center: (f32, f32), rx: f32, ry: f32, fill: impl Into<Fill>) {
        let (x, y) = center;
        let oval = Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry).and_then(PathBuilder::from_oval);
        self.push(oval, None, fill.into());
    }

    /// The disc around `center`.
    pub fn disc(&mut self, center: (f32, f32), radius: f32, fill: impl Into<Fill>) {
        self.ellipse(center, radius, radius, fill);
    }

    /// A circular line around `center`.
    pub fn ring(&mut self, center: (f32, f32), radius: f32, width: f32, fill: impl Into<Fill>) {
        let path = PathBuilder::from_circle(center.0, center.1, radius);
        self.push(path, Some(width), fill.into());
    }

    /// The polygon with these corners.
    pub fn polygon(&mut self, corners: &[(f32, f32)], fill: impl Into<Fill>) {
        self.push(through(corners, true), None, fill.into());
    }

    /// The regular polygon with `sides` corners on a circle, the first `turn` (in turns) from the right.
    pub fn regular(&mut self, center: (f32, f32), radius: f32, sides: usize, turn: f32, fill: impl Into<Fill>) {
        let corner = |i: usize| {
            let angle = (i as f32 / sides as f32 + turn) * std::f32::consts::TAU;
            (center.0 + radius * angle.cos(), center.1 + radius * angle.sin())
        };
        self.polygon(&(0..sides).map(corner).collect::<Vec<_>>(), fill);
    }

    /// A line through these points with round ends and joints.
    pub fn line(&mut self, points: &[(f32, f32)], width: f32, fill: impl Into<Fill>) {
        self.push(through(points, false), Some(width), fill.into());
    }

    /// A curved line from `from` to `to`, pulled towards `via`.
    pub fn curve(&mut self, from: (f32, f32), via: (f32, f32), to: (f32, f32), width: f32, fill: impl Into<Fill>) {
        let mut path = PathBuilder::new();
        path.move_to(from.0, from.1);
        path.quad_to(via.0, via.1, to.0, to.1);
        self.push(path.finish(), Some(width), fill.into());
    }

    /// Runs `draw` with `label` in place of the drawing's label.
    pub fn labeled(&mut self, label: Option<Label>, draw: impl FnOnce(&mut Self)) {
        let before = std::mem::replace(&mut self.label, label);
        draw(self);
        self.label = before;
    }

    /// Adds `part`, transformed, on top.
    pub fn place(&mut self, part: Drawing, transform: Transform) {
        self.shapes.extend(part.shapes.into_iter().map(|mut shape| {
            shape.transform = shape.transform.post_concat(transform);
            shape
        }));
    }

    /// Left, top (smallest y), right and bottom of all labeled shapes; zeros without labeled shapes.
    pub fn bounds(&self) -> [f32; 4] {
        let mut bounds: Option<[f32; 4]> = None;
        for shape in self.shapes.iter().filter(|shape| shape.label.is_some()) {
            let Some(path) = shape.path.clone().transform(shape.transform) else {
                continue;
            };
            let (r, margin) = (path.bounds(), shape.width.unwrap_or(0.0) / 2.0);
            let b = bounds.get_or_insert([r.left(), r.top(), r.right(), r.bottom()]);
            *b = [
                b[0].min(r.left() - margin),
                b[1].min(r.top() - margin),
                b[2].max(r.right() + margin),
                b[3].max(r.bottom() + margin),
            ];
        }
        bounds.unwrap_or_default()
    }

    /// The picture: anti-aliased, `width` by `height` pixels, on black.
    pub fn colors(&self, width: u32, height: u32) -> RgbImage {
        let paint = |shape: &Shape| {
            let mut paint = Paint { anti_alias: true, ..Paint::default() };
            paint.shader = shader(&shape.fill);
            Some(paint)
        };
        let pixmap = self.render(width, height, paint);
        RgbImage::from_fn(width, height, |x, y| {
            let pixel = pixmap.as_ref().and_then(|p| p.pixel(x, y));
            image::Rgb(pixel.map_or([0; 3], |p| [p.red(), p.green(), p.blue()]))
        })
    }

    /// The label of each pixel by rows: that of the topmost labeled shape at its center, else [`Label::Void`].
    pub fn labels(&self, width: u32, height: u32) -> Vec<u8> {
        let paint = |shape: &Shape| {
            let id = shape.label? as u8;
            let mut paint = Paint { anti_alias: false, ..Paint::default() };
            paint.set_color_rgba8(id, 0, 0, 255);
            Some(paint)
        };
        let pixmap = self.render(width, height, paint);
        pixmap.map_or_else(Vec::new, |p| p.pixels().iter().map(|p| p.red()).collect())
    }

    /// Paints every shape for which `paint` returns a paint. `None` for a size of 0 pixels.
    fn render<'a>(&'a self, width: u32, height: u32, paint: impl Fn(&'a Shape) -> Option<Paint<'a>>) -> Option<Pixmap> {
        let mut pixmap = Pixmap::new(width, height)?;
        let scale = height as f32;
        for shape in &self.shapes {
            let Some(paint) = paint(shape) else { continue };
            let transform = shape.transform.post_scale(scale, scale);
            match shape.width {
                None => pixmap.fill_path(&shape.path, &paint, FillRule::Winding, transform, None),
                Some(width) => {
                    let stroke =
                        Stroke { width, line_cap: LineCap::Round, line_join: LineJoin::Round, ..Stroke::default() };
                    pixmap.stroke_path(&shape.path, &paint, &stroke, transform, None);
                }
            }
        }
        Some(pixmap)
    }
}

fn shader(fill: &Fill) -> Shader<'static> {
    match *fill {
        Fill::Solid(color) => Shader::SolidColor(color.to_skia()),
        Fill::Gradient([from, to], [first, last]) => {
            let stops = vec![GradientStop::new(0.0, first.to_skia()), GradientStop::new(1.0, last.to_skia())];
            let (from, to) = (Point::from_xy(from.0, from.1), Point::from_xy(to.0, to.1));
            LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
                .unwrap_or(Shader::SolidColor(first.to_skia()))
        }
    }
}

fn through(points: &[(f32, f32)], close: bool) -> Option<Path> {
    let (&(x, y), rest) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(x, y);
    for &(x, y) in rest {
        path.line_to(x, y);
    }
    if close {
        path.close();
    }
    path.finish()
}
