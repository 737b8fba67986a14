//! Masks of one set that store classes in several notations: bits, palettes, colors.

use image::{Rgb, RgbImage};
use shadegrad::data::{DataError, SegmentationSplits};
use tempfile::TempDir;

use super::{HEIGHT, NAMES, WIDTH, pairs, segmentation, stripes, write};
use crate::sets::Notation::{self, Bits, Colors, Palette};
use crate::sets::save_as;
use crate::{picture, refused, save, temp};

const BLACK: [u8; 3] = [0; 3];
const WHITE: [u8; 3] = [255; 3];
const RED: [u8; 3] = [255, 0, 0];
const GREEN: [u8; 3] = [0, 255, 0];
const BW: Notation<'static> = Palette(&[BLACK, WHITE]);
const WB: Notation<'static> = Palette(&[WHITE, BLACK]);

/// Six images with masks in the first notation, except the third and the fifth, which are in the second.
fn set((values, notation): (&[u8], Notation<'_>), (others, other): (&[u8], Notation<'_>)) -> TempDir {
    let dir = temp();
    for (k, name) in NAMES.iter().enumerate() {
        save(&dir.path().join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, k as u8));
        let (values, notation) = if k == 2 || k == 4 { (others, other) } else { (values, notation) };
        save_as(&dir.path().join(format!("masks/{name}.png")), values, notation);
    }
    dir
}

/// The classes of the first `stripes` of the masks `im 0` and `im 2`.
fn both(splits: &SegmentationSplits, stripes: [u32; 2]) -> [Vec<u8>; 2] {
    let parts = [&splits.train, &splits.val];
    let named = |name: &str| {
        let all = parts.iter().flat_map(|set| (0..set.len()).map(move |at| (set, at)));
        all.into_iter()
            .find(|(set, at)| set.mask_name(*at).contains(name))
            .map(|(set, at)| set.mask(at).unwrap())
            .unwrap()
    };
    [("im 0", stripes[0]), ("im 2", stripes[1])].map(|(name, count)| {
        let mask = named(name);
        (0..count).map(|k| mask.get_pixel((2 * k + 1) * WIDTH / (2 * count), 0).0[0]).collect()
    })
}

fn named(set: &TempDir) -> Result<SegmentationSplits, DataError> {
    segmentation(set.path())
}

/// Programs that shrink PNG files store white as 1 in 1 bit. If raw and scaled samples both give classes, the set is
/// refused.
#[test]
fn greys_of_other_bits_are_read_in_the_way_that_fits() {
    for (wide, few, bits, words) in [
        (&[0, 1, 2, 255][..], &[0, 1][..], 1, ["#ffffff is value 255 in", "value 1 in"]),
        (&[0, 17, 255], &[0, 1, 15], 4, ["is value 17 in", "value 1 in"]),
        (&[0, 1, 2], &[0, 1], 1, ["value 1 is #010101 in", "#ffffff in"]),
    ] {
        let dir = set((wide, Bits(8)), (few, Bits(bits)));
        let parts =
            [words[0], words[1], "a sample)", "im 0.png", "im 2.png", "coding = \"value\" or coding = \"color\""];
        refused(named(&dir), &parts);
    }
    for (wide, few, bits, expected) in [
        (&[0, 255][..], &[0, 1][..], 1, [&[0, 1][..], &[0, 1]]),
        (&[0, 128, 255], &[0, 1], 1, [&[0, 1, 2], &[0, 2]]),
        (&[0, 85, 170, 255], &[0, 1, 2, 3], 2, [&[0, 1, 2, 3], &[0, 1, 2, 3]]),
        // Numbers of classes: as shades they would be no classes.
        (&[0, 1, 2, 3, 4], &[0, 1, 2, 3], 2, [&[0, 1, 2, 3, 4], &[0, 1, 2, 3]]),
        (&[0, 1], &[0, 1], 1, [&[0, 1], &[0, 1]]),
        (&[0, 1, 2, 255], &[0, 0], 1, [&[0, 1, 2, 255], &[0, 0]]),
    ] {
        let dir = set((wide, Bits(8)), (few, Bits(bits)));
        let splits = named(&dir).unwrap();
        assert_eq!(
            both(&splits, [wide.len() as u32, few.len() as u32]),
            expected.map(<[u8]>::to_vec),
            "{wide:?} {few:?}"
        );
    }
    // A line in classes.toml decides.
    let dir = set((&[0, 1, 2, 255], Bits(8)), (&[0, 1], Bits(1)));
    for (coding, of_few) in [("value", [0, 1]), ("color", [0, 255])] {
        write(&dir.path().join("classes.toml"), format!("coding = \"{coding}\"\n"));
        assert_eq!(both(&named(&dir).unwrap(), [4, 2]), [vec![0, 1, 2, 255], of_few.to_vec()], "{coding}");
    }
    // The colors of 1 bit are black and white.
    let dir = set((&[0, 1], Bits(1)), (&[0, 1], Colors(&[BLACK, WHITE])));
    write(&dir.path().join("label_colors.txt"), "0 0 0 soil\n255 255 255 root\n");
    assert_eq!(both(&named(&dir).unwrap(), [2, 2]), [[0, 1], [0, 1]]);
}

/// Black and white have one meaning, whatever stores them.
#[test]
fn black_and_white_are_two_classes_in_every_notation() {
    for (few, notation) in [(&[0, 1], BW), (&[1, 0], WB), (&[0, 1], Colors(&[BLACK, WHITE]))] {
        let dir = set((&[0, 255], Bits(8)), (few, notation));
        let splits = named(&dir).unwrap();
        assert_eq!(splits.train.classes().names, ["background", "foreground"]);
        assert_eq!(both(&splits, [2, 2]), [[0, 1], [0, 1]]);
        // Also with a list.
        write(&dir.path().join("codes.txt"), "soil\nroot\n");
        assert_eq!(both(&named(&dir).unwrap(), [2, 2]), [[0, 1], [0, 1]]);
    }
    // A palette that gives each value its own grey is the same as no palette.
    let ramp: Vec<[u8; 3]> = (0..=255).map(|v| [v; 3]).collect();
    refused(named(&set((&[0, 1], Bits(8)), (&[0, 255], Palette(&ramp)))), &["two notations", "0 and 1 in 4 files"]);
    refused(named(&set((&[0, 1], BW), (&[0, 1], WB))), &["#000000 is value", "im 0.png", "coding"]);
}

/// Palettes that were made for each file from its colors.
#[test]
fn a_value_of_two_colors_is_refused() {
    let dir = set((&[0, 1], Palette(&[BLACK, RED])), (&[0, 1], Palette(&[BLACK, GREEN])));
    refused(named(&dir), &["value 1 is #ff0000 in", "#00ff00 in", "im 0.png", "im 2.png", "coding"]);
    for (coding, ids) in [("value", [[0, 1], [0, 1]]), ("color", [[0, 2], [0, 1]])] {
        write(&dir.path().join("classes.toml"), format!("coding = \"{coding}\"\n"));
        assert_eq!(both(&named(&dir).unwrap(), [2, 2]), ids, "{coding}");
    }
    // Numbers of classes in grey files beside palettes for viewing.
    let dir = set((&[0, 1, 2], Palette(&[BLACK, RED, GREEN])), (&[0, 1, 2], Bits(8)));
    let splits = named(&dir).unwrap();
    assert_eq!(both(&splits, [3, 3]), [[0, 1, 2]; 2]);
    // Files of the same colors, with palettes and without.
    let colors = [BLACK, RED, GREEN];
    let dir = set((&[0, 1, 2], Palette(&colors)), (&[0, 1, 2], Colors(&colors)));
    let splits = named(&dir).unwrap();
    assert_eq!(both(&splits, [3, 3]), [[0, 1, 2]; 2]);
    let dir = set((&[0, 1], Palette(&[BLACK, RED])), (&[0, 1, 2], Colors(&colors)));
    let splits = named(&dir).unwrap();
    assert_eq!(both(&splits, [2, 3]), [vec![0, 2], vec![0, 2, 1]], "by color, since values have no green");
}

/// A list gives classes by place and by color, and a palette has a listed color at another place.
#[test]
fn listed_colors_at_other_values_are_refused() {
    let list = "[[classes]]\nname = \"soil\"\ncolor = [0, 0, 0]\n[[classes]]\nname = \"red\"\ncolor = [255, 0, 0]\n\
                [[classes]]\nname = \"green\"\ncolor = [0, 255, 0]\n";
    let dir = set((&[0, 1], Palette(&[BLACK, GREEN])), (&[0, 1], Palette(&[BLACK, GREEN])));
    write(&dir.path().join("classes.toml"), list);
    refused(
        named(&dir),
        &["value 1 of", "im ", "class 'red' by its value", "class 'green' by its color", "#00ff00", "coding"],
    );
    for (coding, id) in [("value", 1), ("color", 2)] {
        write(&dir.path().join("classes.toml"), format!("coding = \"{coding}\"\n{list}"));
        // One class besides the background, so that training is possible.
        assert_eq!(both(&named(&dir).unwrap(), [2, 2]), [[0, id]; 2]);
    }
    // Values that no list has, in the listed colors.
    let palette = [BLACK, BLACK, BLACK, BLACK, RED, GREEN];
    let dir = set((&[0, 4, 5], Palette(&palette)), (&[0, 4, 5], Palette(&palette)));
    write(&dir.path().join("classes.toml"), list);
    let splits = named(&dir).unwrap();
    assert_eq!(both(&splits, [3, 3]), [[0, 1, 2]; 2]);
    assert!(
        splits.decisions.notes.iter().any(|note| note.contains("read by the colors")),
        "{:?}",
        splits.decisions.notes
    );
    // Bits: 255 in one file may be 1 in another, or each is a class.
    let dir = set((&[0, 1, 2, 255], Bits(8)), (&[0, 1], Bits(1)));
    write(&dir.path().join("codes.txt"), "soil\nred\ngreen\n");
    refused(named(&dir), &["#ffffff is value 255 in", "value 1 in", "(1 bit a sample)", "coding"]);
}

/// Smoothed edges between colors are not classes, as between greys.
#[test]
fn mixed_colors_without_areas_are_refused() {
    let dir = temp();
    for (k, name) in NAMES.iter().enumerate() {
        save(&dir.path().join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, k as u8));
        let small = RgbImage::from_fn(10, 8, |x, _| Rgb([BLACK, RED, GREEN][x as usize * 3 / 10]));
        let smooth = image::imageops::resize(&small, WIDTH, HEIGHT, image::imageops::FilterType::CatmullRom);
        save(&dir.path().join(format!("masks/{name}.png")), &smooth);
    }
    refused(named(&dir), &["colors without areas between others", "rims", "nearest = true", "classes.toml"]);
    write(&dir.path().join("classes.toml"), "nearest = true\n");
    assert_eq!(named(&dir).unwrap().train.classes().names, ["#000000", "#00ff00", "#ff0000"]);
}

/// 254 may be ignored as 255 is.
#[test]
fn a_value_near_255_is_a_class_or_ignored() {
    let set = |values: &[u8]| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(values));
        dir
    };
    for (values, words) in
        [(&[0, 1, 2, 254][..], "0 to 2 and 254"), (&[1, 2, 250], "1 to 2 and 250"), (&[0, 1, 253], "253")]
    {
        refused(named(&set(values)), &[words, "ignore_index = 25", "classes.toml"]);
    }
    for values in [&[0, 254][..], &[0, 7, 254], &[0, 1, 2, 100]] {
        assert_eq!(named(&set(values)).unwrap().train.classes().len(), values.len(), "{values:?}");
    }
}

/// Each entry of `classes.toml` is optional.
#[test]
fn entries_without_a_list_of_classes_are_read() {
    let set = |values: &[u8], toml: &str| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(values));
        write(&dir.path().join("classes.toml"), toml);
        dir
    };
    for (values, toml, ids) in [
        (&[0, 1, 2][..], "ignore_index = 2", &[0, 1, 255][..]),
        (&[0, 1, 2, 254], "ignore_index = 254", &[0, 1, 2, 255]),
        (&[0, 1, 2, 3], "ignore_index = [1, 254]", &[0, 255, 1, 2]),
        (&[0, 128, 255], "ignore_index = 255", &[0, 1, 255]),
        (&[0, 1, 2], "coding = \"color\"", &[0, 1, 2]),
        (&[0, 1, 2], "nearest = true", &[0, 1, 2]),
    ] {
        let dir = set(values, toml);
        let both = |dir: &TempDir| both(&named(dir).unwrap(), [values.len() as u32; 2]);
        assert_eq!(both(&dir), [ids, ids], "{toml}");
        // Beside a list of names in another file.
        if values == [0, 1, 2] {
            write(&dir.path().join("codes.txt"), "a\nb\nc\n");
            assert_eq!(both(&dir), [ids, ids], "{toml} beside codes.txt");
        }
    }
    refused(named(&set(&[0, 1, 2], "ignore_index = [1, 2]")), &["value 0 alone"]);
    refused(named(&set(&[0, 1, 2], "palette = [[0, 0, 0]]")), &["palette and no classes"]);
    refused(named(&set(&[0, 1, 2], "")), &["says nothing", "ignore_index"]);
    let dir = set(&[0, 1, 2], "ignore_index = [0, 2]");
    write(&dir.path().join("codes.txt"), "a\nb\nc\n");
    refused(named(&dir), &["fewer than 2 classes", "value 0, value 2"]);
}

/// OpenCV's order is blue, green, red.
#[test]
fn columns_of_colors_have_the_places_that_the_header_names() {
    let dir = set((&[0, 1, 2], Colors(&[BLACK, RED, GREEN])), (&[0, 1], Colors(&[BLACK, RED])));
    for (table, names) in [
        ("name,b,g,r\nsoil,0,0,0\nred,0,0,255\ngreen,0,255,0\n", ["soil", "red", "green"]),
        ("r,g,b,name\n0,0,0,soil\n255,0,0,red\n0,255,0,green\n", ["soil", "red", "green"]),
        ("id;name;blue;green;red\n0;soil;0;0;0\n1;red;0;0;255\n2;green;0;255;0\n", ["soil", "red", "green"]),
        ("soil,0,0,0\nred,255,0,0\ngreen,0,255,0\n", ["soil", "red", "green"]),
        ("Farbe,R\u{fc}ben,x,y\nsoil,0,0,0\nred,255,0,0\ngreen,0,255,0\n", ["soil", "red", "green"]),
    ] {
        write(&dir.path().join("class_dict.csv"), table);
        let splits = named(&dir).unwrap();
        assert_eq!(splits.train.classes().names, names, "{table}");
        assert_eq!(both(&splits, [3, 2]), [vec![0, 1, 2], vec![0, 1]], "{table}");
    }
    write(&dir.path().join("class_dict.csv"), "name,r,g\nsoil,0,0\n");
    refused(named(&dir), &["class_dict.csv, line 1", "name, r, g and b"]);
}

/// A color of a few pixels in one file is a slip of the pen or a class. Two nearly equal colors that never share a file
/// are one class or two.
#[test]
fn slips_and_twins_among_colors_are_refused() {
    let colors = |edit: &dyn Fn(usize, &mut RgbImage)| {
        let dir = temp();
        for (k, name) in NAMES.iter().enumerate() {
            save(&dir.path().join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, k as u8));
            let mut mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| Rgb(if x < WIDTH / 2 { RED } else { GREEN }));
            edit(k, &mut mask);
            save(&dir.path().join(format!("masks/{name}.png")), &mask);
        }
        dir
    };
    let slip = |pixels: u32| {
        colors(&|k, mask| {
            // No pixel is a neighbor of two of these.
            (0..pixels).filter(|_| k == 3).for_each(|at| mask.put_pixel(3 * at + 1, 9, Rgb([0, 0, 200])));
        })
    };
    for pixels in [1, 9] {
        let dir = slip(pixels);
        let words = format!("color #0000c8 in {pixels} pixels of one file alone");
        refused(named(&dir), &[&words, "ignore_color = [0, 0, 200]", "classes.toml"]);
        write(&dir.path().join("classes.toml"), "ignore_color = [0, 0, 200]\n");
        assert_eq!(named(&dir).unwrap().train.classes().len(), 2);
        write(&dir.path().join("classes.toml"), "nearest = true\n");
        assert_eq!(named(&dir).unwrap().train.classes().len(), 2);
    }
    let near = colors(&|k, mask| {
        let [left, right] = [Rgb([254, 0, 0]), Rgb([0, 255, 0])];
        if k < 2 {
            *mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| if x < WIDTH / 2 { left } else { right });
        }
    });
    refused(named(&near), &["#fe0000 and #ff0000", "never stand in one mask", "nearest = true"]);
    write(&near.path().join("classes.toml"), "nearest = true\n");
    let splits = named(&near).unwrap();
    assert_eq!(splits.train.classes().names, ["#00ff00", "#ff0000"]);
    assert_eq!(splits.train.mask(0).unwrap().get_pixel(0, 0).0, [1]);
    // Colors that encode class numbers differ little, but share a file.
    let numbers = |b: u8| Rgb([0, 0, b]);
    let dir = colors(&|_, mask| {
        *mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| numbers((4 * x / WIDTH) as u8));
    });
    assert_eq!(named(&dir).unwrap().train.classes().len(), 4);
}
