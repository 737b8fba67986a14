//! Plots as SVG, drawn by the same calls as pixels.

use std::fmt::Write;

use super::canvas::{Anchor, Canvas, Color, TextStyle};
use super::palette;

/// A surface that plots are drawn on.
pub(super) trait Surface {
    /// Width of a text in pixels at a font size.
    fn text_width(&self, text: &str, size: f32) -> f32 {
        super::canvas::text_width(text, size)
    }

    /// A line through `points`.
    fn line(&mut self, points: &[(f32, f32)], thickness: f32, color: Color);

    /// A filled circle.
    fn disc(&mut self, x: f32, y: f32, radius: f32, color: Color);

    /// One line of text with its anchor at (x, y).
    fn text(&mut self, text: &str, x: f32, y: f32, style: TextStyle);
}

impl Surface for Canvas {
    fn line(&mut self, points: &[(f32, f32)], thickness: f32, color: Color) {
        Canvas::line(self, points, thickness, color);
    }

    fn disc(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        Canvas::disc(self, x, y, radius, color);
    }

    fn text(&mut self, text: &str, x: f32, y: f32, style: TextStyle) {
        Canvas::text(self, text, x, y, style);
    }
}

/// An SVG under construction.
pub(super) struct Vector {
    body: String,
}

/// Colors on a dark page, beside those on a white one.
const DARK: [(Color, &str); 8] = [
    (palette::ORANGE, "#ff9147"),
    (palette::BLUE, "#56b4e9"),
    (palette::RIGHT, "#3fc79f"),
    (palette::INK, "#e4e7ea"),
    (palette::FAINT, "#a2abb5"),
    (palette::LINE, "#5b636c"),
    (palette::GRID, "#2b3036"),
    (palette::PAPER, "#15181c"),
];

impl Vector {
    /// White paper, dark on a dark page.
    pub fn new(width: f32, height: f32) -> Self {
        let mut body = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"system-ui, sans-serif\">\n\
             <style>\n@media (prefers-color-scheme: dark) {{\n"
        );
        for (color, dark) in DARK {
            let light = hex(color);
            // Writing into memory does not fail.
            let _ = writeln!(body, "[fill=\"{light}\"] {{ fill: {dark} }} [stroke=\"{light}\"] {{ stroke: {dark} }}");
        }
        let paper = hex(palette::PAPER);
        let _ = writeln!(body, "}}\n</style>\n<rect width=\"{width}\" height=\"{height}\" fill=\"{paper}\"/>");
        Vector { body }
    }

    /// The text of the SVG.
    pub fn finish(self) -> String {
        self.body + "</svg>\n"
    }
}

impl Surface for Vector {
    fn line(&mut self, points: &[(f32, f32)], thickness: f32, color: Color) {
        let places: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{thickness}\" stroke-linejoin=\"round\" \
             stroke-linecap=\"square\"/>",
            places.join(" "),
            hex(color)
        );
    }

    fn disc(&mut self, x: f32, y: f32, radius: f32, color: Color) {
        let _ = writeln!(self.body, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{}\"/>", hex(color));
    }

    fn text(&mut self, text: &str, x: f32, y: f32, TextStyle { size, color, anchor, upright }: TextStyle) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let turned = if upright { format!(" transform=\"rotate(-90 {x:.1} {y:.1})\"") } else { String::new() };
        // The anchor is the middle of the capital letters. The page may have another font, so `textLength` keeps the
        // width that the plot counts on.
        let width = self.text_width(text, size);
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" dy=\"0.36em\" font-size=\"{size}\" textLength=\"{width:.1}\" \
             lengthAdjust=\"spacingAndGlyphs\" fill=\"{}\" text-anchor=\"{anchor}\"{turned}>{}</text>",
            hex(color),
            escaped(text)
        );
    }
}

fn hex(Color(r, g, b): Color) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
