//! A map of importance over a picture.

use image::{Rgb, RgbImage};

use super::Color;
use super::comparison::grey;

/// Colors of the values 0 to 1: the inferno map of Smith and van der Walt (2015) without its black end.
const STOPS: [Color; 5] = [
    Color(0x57, 0x10, 0x6e),
    Color(0x8a, 0x22, 0x6a),
    Color(0xbc, 0x37, 0x54),
    Color(0xf9, 0x8e, 0x09),
    Color(0xfc, 0xff, 0xa4),
];
/// Share of the color where the map is largest.
const STRONGEST: f32 = 0.8;

/// The picture in grey under a map `[h,w]` that covers it, from no color at 0 and below to yellow at the largest value. Values between
/// the pixels of the map are interpolated bilinearly.
pub fn heat_overlay(picture: &RgbImage, map: &[f64], [h, w]: [usize; 2]) -> RgbImage {
    let (width, height) = picture.dimensions();
    let largest = map.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let mut overlay = picture.clone();
    for (x, y, pixel) in overlay.enumerate_pixels_mut() {
        let value = if largest > 0.0 { at(map, [h, w], [y, x], [height, width]) / largest } else { 0.0 };
        let value = value.clamp(0.0, 1.0) as f32;
        let Color(r, g, b) = grey(*pixel).mix(shade(value), STRONGEST * value.sqrt());
        *pixel = Rgb([r, g, b]);
    }
    overlay
}

/// Values `[h,w]` as a picture of a pixel each, from violet at the smallest value to yellow at the largest. Equal
/// values are violet.
pub fn shaded(values: &[f64], [h, w]: [usize; 2]) -> RgbImage {
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), &v| (low.min(v), high.max(v)));
    let share = |v: f64| if high > low { (v - low) / (high - low) } else { 0.0 };
    RgbImage::from_fn(w as u32, h as u32, |x, y| {
        let Color(r, g, b) = shade(share(values[y as usize * w + x as usize]) as f32);
        Rgb([r, g, b])
    })
}

/// The value of a map at a pixel of a picture. Both cover the same area; the map is constant beyond the centers of its border.
fn at(map: &[f64], [h, w]: [usize; 2], pixel: [u32; 2], size: [u32; 2]) -> f64 {
    let place = |k: usize, cells: usize| {
        let exact = (f64::from(pixel[k]) + 0.5) * cells as f64 / f64::from(size[k]) - 0.5;
        let exact = exact.clamp(0.0, (cells - 1) as f64);
        let low = exact.floor() as usize;
        (low, (low + 1).min(cells - 1), exact - exact.floor())
    };
    let ((top, bottom, down), (left, right, along)) = (place(0, h), place(1, w));
    let row = |y: usize| map[y * w + left] * (1.0 - along) + map[y * w + right] * along;
    row(top) * (1.0 - down) + row(bottom) * down
}

fn shade(value: f32) -> Color {
    let place = value * (STOPS.len() - 1) as f32;
    let low = (place as usize).min(STOPS.len() - 2);
    STOPS[low].mix(STOPS[low + 1], place - low as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_interpolated_between_the_centers_of_its_pixels() {
        let map = [0.0, 1.0, 2.0, 3.0];
        let value = |y, x| at(&map, [2, 2], [y, x], [4, 4]);
        // Pixel 1 of 4 lies a quarter of the way from the first center to the second.
        assert_eq!([value(0, 0), value(1, 1), value(3, 3), value(0, 2)], [0.0, 0.75, 3.0, 0.75]);
    }

    #[test]
    fn only_positive_values_have_color() {
        let picture = RgbImage::from_pixel(2, 1, Rgb([10, 200, 30]));
        let overlay = heat_overlay(&picture, &[-1.0, 4.0], [1, 2]);
        let [Rgb(low), Rgb(high)] = [0, 1].map(|x| *overlay.get_pixel(x, 0));
        assert!(low.iter().all(|&v| v == low[0]), "grey where nothing raises the class: {low:?}");
        assert!(high[0] > 200 && high[0] > high[2], "yellow where the map is largest: {high:?}");
        assert_eq!(*heat_overlay(&picture, &[0.0, 0.0], [1, 2]).get_pixel(1, 0), Rgb(low), "a map of zeros is grey");
    }
}
