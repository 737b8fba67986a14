//! Small scenes: a dark ground with a bar and a disc. The three differ in lightness, so colors can be learned too.

use image::{GrayImage, Luma, Rgb, RgbImage};

use crate::support::Place;

/// Names of the classes, in the order of their numbers.
pub const CLASSES: [&str; 3] = ["ground", "disc", "bar"];

/// The ignored value of masks: the scenes' first row.
pub const VOID: u8 = 255;

/// Flags of a network that learns the scenes in seconds.
pub const TINY: &str = "--image-size 32x32 --base 4 --depth 2 --batch-size 2 --device cpu";

/// Class of a pixel of scene `index`.
fn class(index: u32, (width, height): (u32, u32), (x, y): (u32, u32)) -> u8 {
    let bar = index * 5 % (width - 8);
    let (cx, cy) = (10 + index * 7 % (width - 20), 10 + index * 11 % (height - 20));
    let (dx, dy) = (x.abs_diff(cx), y.abs_diff(cy));
    match (x, y) {
        _ if dx * dx + dy * dy < 40 + 8 * (index % 4) => 1,
        _ if (bar..bar + 6).contains(&x) => 2,
        _ => 0,
    }
}

/// Scene `index` in any size of at least 21 pixels.
pub fn scene(index: u32, size: (u32, u32)) -> RgbImage {
    let grain = |x: u32, y: u32, most: u32| ((x * 7 + y * 13 + index) % most) as u8;
    RgbImage::from_fn(size.0, size.1, |x, y| match class(index, size, (x, y)) {
        1 => Rgb([240, 150 - 4 * (index % 5) as u8, 60]),
        2 => Rgb([50, 140 + 10 * (index % 3) as u8, 60]),
        _ => Rgb([20, 30 + grain(x, y, 20), 90 + grain(y, x, 30)]),
    })
}

/// The classes of scene `index`.
pub fn mask(index: u32, size: (u32, u32)) -> GrayImage {
    GrayImage::from_fn(size.0, size.1, |x, y| Luma([if y == 0 { VOID } else { class(index, size, (x, y)) }]))
}

/// Writes `root/PART/images` and `root/PART/masks` of 32×32 pixels, the size that [`TINY`] trains at, and the class
/// names in `root/classes.toml`.
pub fn write(place: &Place, root: &str, [train, val]: [u32; 2]) {
    for (part, first, count) in [("train", 0, train), ("val", 100, val)] {
        for folder in ["images", "masks"] {
            place.folder(&format!("{root}/{part}/{folder}"));
        }
        for index in first..first + count {
            let path = |folder: &str| place.path(&format!("{root}/{part}/{folder}/{index:03}.png"));
            scene(index, (32, 32)).save(path("images")).expect("writes an image");
            mask(index, (32, 32)).save(path("masks")).expect("writes a mask");
        }
    }
    place.write(&format!("{root}/classes.toml"), format!("classes = {CLASSES:?}\n"));
}

/// Writes the same images without masks: `root/train` and `root/val`.
pub fn write_photos(place: &Place, root: &str, [train, val]: [u32; 2]) {
    for (part, first, count) in [("train", 0, train), ("val", 100, val)] {
        place.folder(&format!("{root}/{part}"));
        for index in first..first + count {
            let path = place.path(&format!("{root}/{part}/{index:03}.png"));
            scene(index, (32, 32)).save(path).expect("writes an image");
        }
    }
}

/// Requires a picture that is not blank.
#[track_caller]
pub fn is_a_figure(place: &Place, name: &str) {
    let picture = image::open(place.path(name)).unwrap_or_else(|e| panic!("{name}: {e}")).into_rgb8();
    let colors: std::collections::BTreeSet<_> = picture.pixels().map(|p| p.0).collect();
    let size = picture.dimensions();
    assert!(size.0 >= 90 && size.1 >= 60 && colors.len() > 8, "{name}: {size:?}, {} colors", colors.len());
}
