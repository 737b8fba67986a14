//! Changes of tones compared with torchvision's, and the operations that TrivialAugment and RandAugment draw.
//!
//! The values come from torchvision.transforms.v2.functional on `IMAGE` (5 rows of 6 pixels, interleaved RGB):
//!
//! ```python
//! image = torch.tensor(IMAGE, dtype=torch.uint8).reshape(5, 6, 3).permute(2, 0, 1)
//! adjust_sharpness(image, 1.8), adjust_sharpness(image, 0.25), posterize(image, 3), solarize(image, 100),
//! autocontrast(image), equalize(image.repeat(1, 8, 8))[:, :5, :6]
//! ```

use shadegrad::data::augment::{Keeps, Map, Op, Outside, Picture, Step, Tone};
use shadegrad::data::{Augment, Augmentation};

const SIZE: (usize, usize) = (5, 6);

#[rustfmt::skip]
const IMAGE: [u8; 90] = [
    40, 29, 58, 58, 77, 117, 77, 126, 177, 97, 176, 238, 116, 226, 43, 136, 21, 105, 157, 73, 168, 49, 125, 231, 70,
    178, 39, 92, 232, 104, 113, 30, 169, 135, 85, 235, 158, 141, 46, 52, 197, 113, 75, 254, 181, 99, 56, 250, 122,
    114, 63, 146, 173, 133, 43, 233, 204, 67, 37, 19, 92, 98, 91, 118, 160, 164, 143, 222, 237, 41, 29, 55, 68, 93,
    130, 94, 157, 205, 121, 222, 25, 149, 32, 102, 48, 98, 179, 76, 165, 1,
];

#[rustfmt::skip]
const SHARPER: [u8; 90] = [
    40, 29, 58, 58, 77, 117, 77, 126, 177, 97, 176, 238, 116, 226, 43, 136, 21, 105, 157, 73, 168, 30, 120, 255, 67,
    189, 0, 89, 255, 84, 110, 0, 180, 135, 85, 235, 158, 141, 46, 33, 224, 108, 72, 255, 208, 96, 3, 255, 127, 109,
    10, 146, 173, 133, 43, 233, 204, 56, 0, 0, 89, 78, 71, 123, 171, 175, 164, 255, 255, 41, 29, 55, 68, 93, 130,
    94, 157, 205, 121, 222, 25, 149, 32, 102, 48, 98, 179, 76, 165, 1,
];

#[rustfmt::skip]
const SMOOTHER: [u8; 90] = [
    40, 29, 58, 58, 77, 117, 77, 126, 177, 97, 176, 238, 116, 226, 43, 136, 21, 105, 157, 73, 168, 66, 129, 176, 72,
    167, 102, 94, 191, 122, 115, 78, 158, 135, 85, 235, 158, 141, 46, 69, 171, 117, 77, 199, 155, 101, 104, 195,
    116, 118, 111, 146, 173, 133, 43, 233, 204, 76, 100, 67, 94, 116, 109, 112, 149, 153, 122, 167, 182, 41, 29, 55,
    68, 93, 130, 94, 157, 205, 121, 222, 25, 149, 32, 102, 48, 98, 179, 76, 165, 1,
];

#[rustfmt::skip]
const POSTERIZED: [u8; 90] = [
    32, 0, 32, 32, 64, 96, 64, 96, 160, 96, 160, 224, 96, 224, 32, 128, 0, 96, 128, 64, 160, 32, 96, 224, 64, 160,
    32, 64, 224, 96, 96, 0, 160, 128, 64, 224, 128, 128, 32, 32, 192, 96, 64, 224, 160, 96, 32, 224, 96, 96, 32,
    128, 160, 128, 32, 224, 192, 64, 32, 0, 64, 96, 64, 96, 160, 160, 128, 192, 224, 32, 0, 32, 64, 64, 128, 64,
    128, 192, 96, 192, 0, 128, 32, 96, 32, 96, 160, 64, 160, 0,
];

#[rustfmt::skip]
const SOLARIZED: [u8; 90] = [
    40, 29, 58, 58, 77, 138, 77, 129, 78, 97, 79, 17, 139, 29, 43, 119, 21, 150, 98, 73, 87, 49, 130, 24, 70, 77,
    39, 92, 23, 151, 142, 30, 86, 120, 85, 20, 97, 114, 46, 52, 58, 142, 75, 1, 74, 99, 56, 5, 133, 141, 63, 109,
    82, 122, 43, 22, 51, 67, 37, 19, 92, 98, 91, 137, 95, 91, 112, 33, 18, 41, 29, 55, 68, 93, 125, 94, 98, 50, 134,
    33, 25, 106, 32, 153, 48, 98, 76, 76, 90, 1,
];

#[rustfmt::skip]
const CONTRASTED: [u8; 90] = [
    0, 8, 58, 38, 61, 118, 79, 114, 180, 123, 169, 242, 164, 224, 43, 207, 0, 106, 252, 56, 171, 19, 113, 235, 64,
    171, 38, 112, 230, 105, 157, 9, 172, 205, 70, 239, 254, 131, 46, 25, 192, 114, 75, 254, 184, 127, 38, 254, 177,
    101, 63, 229, 166, 135, 6, 232, 207, 58, 17, 18, 112, 84, 92, 168, 152, 166, 222, 219, 241, 2, 8, 55, 60, 78,
    132, 116, 148, 208, 175, 219, 24, 235, 12, 103, 17, 84, 182, 77, 157, 0,
];

#[rustfmt::skip]
const EQUALIZED: [u8; 90] = [
    0, 9, 64, 55, 73, 128, 110, 137, 183, 146, 192, 255, 174, 238, 37, 219, 0, 110, 255, 64, 165, 37, 128, 229, 82,
    201, 27, 119, 247, 101, 165, 27, 174, 210, 82, 238, 255, 146, 46, 46, 210, 119, 91, 255, 201, 155, 55, 255, 201,
    119, 73, 238, 183, 146, 18, 255, 210, 64, 46, 9, 119, 101, 82, 183, 165, 155, 229, 219, 247, 9, 9, 55, 73, 91,
    137, 137, 155, 219, 192, 219, 18, 247, 37, 91, 27, 101, 192, 101, 174, 0,
];

const CLASSES: Keeps = Keeps { mirror: false, color: true, erase: true };
const COLORS: Keeps = Keeps { mirror: true, color: false, erase: false };

fn changed(tone: Tone, size: (usize, usize), rgb: &[u8]) -> Vec<u8> {
    let mut rgb = rgb.to_vec();
    tone.apply(&mut rgb, size, &mut vec![1, 2, 3]);
    rgb
}

#[test]
fn tones_are_torchvisions() {
    for (tone, expected) in [
        (Tone::Sharpness(1.0), IMAGE),
        (Tone::Posterize(3), POSTERIZED),
        (Tone::Posterize(8), IMAGE),
        (Tone::Solarize(100), SOLARIZED),
    ] {
        assert_eq!(changed(tone, SIZE, &IMAGE), expected, "{tone:?}");
    }
    // torchvision truncates where these round.
    for (tone, expected) in
        [(Tone::Sharpness(1.8), SHARPER), (Tone::Sharpness(0.25), SMOOTHER), (Tone::AutoContrast, CONTRASTED)]
    {
        let values = changed(tone, SIZE, &IMAGE);
        let off = |(a, b): (&u8, u8)| i32::from(*a) - i32::from(b);
        assert!(values.iter().zip(expected).map(off).all(|off| off == 0 || off == 1), "{tone:?}: {values:?}");
    }
    let contrasted = changed(Tone::AutoContrast, SIZE, &IMAGE);
    for channel in 0..3 {
        let values = || contrasted.iter().skip(channel).step_by(3);
        assert_eq!((values().min(), values().max()), (Some(&0), Some(&255)));
    }
}

/// A histogram of 30 pixels has no step of 1/255, so the picture is repeated 8 times down and across.
#[test]
fn equalization_is_torchvisions() {
    assert_eq!(changed(Tone::Equalize, SIZE, &IMAGE), IMAGE, "too few pixels to equalize");
    let (height, width) = (8 * SIZE.0, 8 * SIZE.1);
    let at = |y: usize, x: usize| 3 * (y % SIZE.0 * SIZE.1 + x % SIZE.1);
    let places = || (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
    let repeated: Vec<u8> = places().flat_map(|(y, x)| IMAGE[at(y, x)..at(y, x) + 3].to_vec()).collect();
    let equalized = changed(Tone::Equalize, (height, width), &repeated);
    for ((y, x), pixel) in places().zip(equalized.chunks(3)) {
        assert_eq!(pixel, &EQUALIZED[at(y, x)..at(y, x) + 3], "row {y}, column {x}");
    }
}

#[test]
fn one_color_stays_under_contrast_and_equalization() {
    let flat = [90u8; 300];
    for tone in [Tone::AutoContrast, Tone::Equalize] {
        assert_eq!(changed(tone, (10, 10), &flat), flat, "{tone:?}");
    }
    // A picture without inner pixels has none to sharpen.
    assert_eq!(changed(Tone::Sharpness(2.0), (1, 30), &IMAGE), IMAGE);
    assert_eq!(changed(Tone::Sharpness(2.0), (30, 1), &IMAGE), IMAGE);
}

fn prepared(op: Op, keeps: Keeps) -> std::sync::Arc<Augmentation> {
    Augment::list(vec![Step::of(op)], Outside::Reflect).expect("in range").prepare(keeps, 3).expect("a step")
}

/// Each of 14 operations is drawn equally often; identity, and others of strength 0, change nothing.
#[test]
fn trivial_augment_draws_one_operation() {
    let trivial = prepared(Op::Trivial { strength: 1.0, colors: true }, CLASSES);
    let (mut moved, mut toned, mut colored) = (0, 0, 0);
    for index in 0..7000 {
        let drawn = trivial.draw((40, 60), [100.0; 3], 0, index);
        let tones = drawn.tones.iter().flatten().count();
        let changes = [drawn.map != Map::IDENTITY, drawn.colors != shadegrad::data::augment::ColorMap::IDENTITY];
        assert!(tones + changes.iter().filter(|&&c| c).count() <= 1, "one operation: {drawn:?}");
        moved += usize::from(changes[0]);
        colored += usize::from(changes[1]);
        toned += tones;
        if let Some(Tone::Posterize(bits)) = drawn.tones[0] {
            assert!((2..=8).contains(&bits));
        }
    }
    // 5, 3 and 5 of 14 operations; a strength of 0, one of 31, moves and colors nothing. σ is below 42.
    for (what, count, expected) in
        [("moved", moved, 2500.0 * 30.0 / 31.0), ("colored", colored, 1500.0 * 30.0 / 31.0), ("toned", toned, 2484.0)]
    {
        assert!((f64::from(count as u32) - expected).abs() < 200.0, "{what}: {count} for {expected}");
    }
}

#[test]
fn rand_augment_draws_as_many_as_asked_and_colors_only_where_they_may_change() {
    let rand = prepared(Op::Rand { count: 4, magnitude: 30, colors: true }, CLASSES);
    let tones = |index| rand.draw((40, 60), [100.0; 3], 2, index).tones.iter().flatten().count();
    assert_eq!((0..3000).map(tones).max(), Some(4));
    for op in [Op::Trivial { strength: 1.0, colors: true }, Op::Rand { count: 4, magnitude: 30, colors: true }] {
        let geometric = prepared(op, COLORS);
        let grey = [77u8; 3 * 40 * 60];
        for index in 0..300 {
            let same = |rgb: &[u8], _: &[u8]| assert_eq!(rgb, grey, "{op:?} of sample {index}");
            geometric.with(Picture { size: (40, 60), rgb: &grey, mask: &[] }, 0, index, same);
        }
    }
}
