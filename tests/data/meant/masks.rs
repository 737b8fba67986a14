//! Values and colors of masks.

use std::collections::BTreeSet;

use image::{GrayImage, Luma, Rgb, RgbImage};
use shadegrad::data::{OpenOptions, PrepareOptions, SetOptions, Why, open_images, open_multi_label, prepare};

use super::{HEIGHT, NAMES, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::{open, picture, refused, save, temp};

/// A list of names gives values from 0. Masks whose values seem to count from 1 are refused or noted.
#[test]
fn a_list_of_classes_may_count_from_one() {
    let set = |names: &str, values: &[u8]| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(values));
        write(&dir.path().join("codes.txt"), names);
        let splits = segmentation(dir.path()).unwrap();
        let ids: BTreeSet<u8> = splits.train.mask(0).unwrap().into_raw().into_iter().collect();
        (ids.into_iter().collect::<Vec<_>>(), splits.decisions.notes.join("\n"))
    };
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[1, 2, 3]));
    write(&dir.path().join("codes.txt"), "sky\nroad\ncar\n");
    let both = ["values from 1 to 3 and no 0", "codes.txt", "count from 1 (give each its value", "3 is a fault"];
    refused(segmentation(dir.path()), &both);
    let (ids, notes) = set("sky\nroad\ncar\n", &[1, 2]);
    assert_eq!(ids, [1, 2]);
    assert!(notes.contains("no mask has the value 0, that of class 'sky'"), "{notes}");
    for (names, values) in [("sky\nroad\ncar\n", &[0, 1, 2][..]), ("background\nroad\ncar\n", &[1, 2])] {
        let (ids, notes) = set(names, values);
        assert_eq!(ids, values);
        assert!(!notes.contains("count from 1"), "{notes}");
    }
}

/// Train ids in files named as label ids would be read as other classes.
#[test]
fn train_ids_of_cityscapes_are_no_label_ids() {
    let set = |end: &str, values: &[u8]| {
        let dir = temp();
        for (part, number) in [("train", 0), ("train", 1), ("val", 2)] {
            let frame = format!("{part}/aachen/aachen_{number}");
            save(&dir.path().join(format!("leftImg8bit/{frame}_leftImg8bit.png")), &picture(WIDTH, HEIGHT, 1));
            save_grey(&dir.path().join(format!("gtFine/{frame}_gtFine_{end}.png")), &stripes(values));
        }
        segmentation(dir.path())
    };
    refused(set("labelIds", &[0, 1, 18, 255]), &["255 and some below 19", "*_labelTrainIds.png", "label ids"]);
    assert!(set("labelTrainIds", &[0, 1, 18, 255]).is_ok());
    assert!(set("labelIds", &[7, 11, 26, 0]).is_ok());
}

/// Greys at edges between two classes are not classes. Beside such greys, 255 may be ignored or a class.
#[test]
fn ambiguous_masks_are_refused_with_the_setting_that_decides() {
    let smooth = |high: u8| {
        let small = GrayImage::from_fn(10, 8, |x, _| Luma([if x % 5 < 2 { 0 } else { high }]));
        image::imageops::resize(&small, WIDTH, HEIGHT, image::imageops::FilterType::CatmullRom)
    };
    let stray = |value: u8| {
        let mut mask = stripes(&[0, 255]);
        mask.put_pixel(0, 0, Luma([value]));
        mask
    };
    let jpeg = || {
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 60);
        let disc = GrayImage::from_fn(64, 64, |x, y| Luma([if x * x + y * y < 1500 { 255 } else { 0 }]));
        encoder.encode_image(&disc).unwrap();
        image::load_from_memory(&bytes).unwrap().into_luma8()
    };
    for (mask, parts) in [
        (smooth(255), ["without areas", "threshold = 128"]),
        (smooth(200), ["without areas", "nearest = true"]),
        (stray(254), ["254 (0.08 % of the pixels)", "threshold = 128"]),
        (stray(1), ["255 in 50.0", "threshold = 128"]),
        (jpeg(), ["without areas", "threshold"]),
        (stripes(&[0, 15, 255]), ["0, 15 and 255", "a class or ignored"]),
    ] {
        let dir = temp();
        for name in ["a", "b"] {
            save(&dir.path().join(format!("images/{name}.png")), &picture(mask.width(), mask.height(), 1));
            save_grey(&dir.path().join(format!("masks/{name}.png")), &mask);
        }
        refused(segmentation(dir.path()).map(|_| ()), &[parts[0], parts[1], "classes.toml"]);
        // With the setting the mask is read.
        write(&dir.path().join("classes.toml"), "threshold = 128\n");
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, ["background", "foreground"]);
        let read: BTreeSet<u8> = splits.train.mask(0).unwrap().into_raw().into_iter().collect();
        assert_eq!(read, BTreeSet::from([0, 1]));
        let expected: Vec<u8> = mask.as_raw().iter().map(|&v| u8::from(v >= 128)).collect();
        assert_eq!(splits.train.mask(0).unwrap().into_raw(), expected);
    }
    let dir = temp();
    pairs(dir.path(), ["a", "b", "c", "d"], |k| stripes(if k % 2 == 0 { &[0, 1] } else { &[0, 255] }));
    refused(
        segmentation(dir.path()).map(|_| ()),
        &["two notations", "0 and 1 in 2 files", "0 and 255 in 2", "a.png", "b.png"],
    );
    write(&dir.path().join("classes.toml"), "threshold = 1\nclasses = [\"soil\", \"root\"]\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.mask(0).unwrap(), splits.train.mask(1).unwrap());
    assert_eq!(splits.train.classes().names[1], "root");
}

/// Colors at edges between two classes are blends of their colors.
#[test]
fn blended_colors_are_no_classes() {
    let dir = temp();
    let mask = RgbImage::from_fn(WIDTH, HEIGHT, |x, _| Rgb(if x < 20 { [200, 10, 10] } else { [10, 10, 200] }));
    let mut soft = mask.clone();
    (0..9).for_each(|y| soft.put_pixel(20, y, Rgb([105, 10, 105])));
    for (name, mask) in [("a", &mask), ("b", &soft)] {
        save(&dir.path().join(format!("images/{name}.png")), &picture(WIDTH, HEIGHT, 1));
        save(&dir.path().join(format!("masks/{name}.png")), mask);
    }
    refused(segmentation(dir.path()).map(|_| ()), &["1 rare colors between others", "#690a69", "nearest = true"]);
    let list = "nearest = true\n[[classes]]\nname = \"red\"\ncolor = [200, 10, 10]\n[[classes]]\nname = \"blue\"\n\
                color = [10, 10, 200]\n";
    write(&dir.path().join("classes.toml"), list);
    let splits = segmentation(dir.path()).unwrap();
    let mask = |set: &dyn shadegrad::data::SegmentationDataset| set.mask(0).unwrap().into_raw();
    let ids: BTreeSet<u8> = [mask(&*splits.train), mask(&*splits.val)].concat().into_iter().collect();
    assert_eq!(ids, BTreeSet::from([0, 1]));
}

/// A class without pixels would lower the mean of the scores.
#[test]
fn every_detected_class_has_pixels() {
    for (values, names) in [
        ([1, 2, 3], ["class 1", "class 2", "class 3"]),
        ([0, 2, 5], ["class 0", "class 2", "class 5"]),
        ([3, 4, 9], ["class 3", "class 4", "class 9"]),
    ] {
        let dir = temp();
        pairs(dir.path(), ["a", "b"], |_| stripes(&values));
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.classes().names, names);
        let ids: BTreeSet<u8> = splits.train.mask(0).unwrap().into_raw().into_iter().collect();
        assert_eq!(ids, BTreeSet::from([0, 1, 2]));
        assert_eq!(splits.decisions.classes[1].from, format!("value {}", values[1]));
    }
}

#[test]
fn parts_with_ignored_pixels_only_are_refused() {
    let dir = temp();
    pairs(dir.path(), NAMES, |k| if k < 4 { stripes(&[0, 1]) } else { stripes(&[255]) });
    write(&dir.path().join("train.txt"), NAMES[..4].join("\n"));
    write(&dir.path().join("val.txt"), NAMES[4..].join("\n"));
    let splits = segmentation(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let prepared = prepare(&sets, &PrepareOptions::new(8, 8), &|_, _| ());
    refused(prepared.map(|_| ()), &["every pixel of the 2 masks", "im 4.png", "ignored"]);
}

/// Masks beside pictures are not pictures: neither for colorization nor in class folders.
#[test]
fn masks_are_no_pictures() {
    let dir = temp();
    pairs(dir.path(), ["a", "b", "c", "d"], |_| stripes(&[0, 1]));
    let splits = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 4);
    let left_out: Vec<&Why> = splits.decisions.left_out.iter().map(|one| &one.why).collect();
    assert_eq!(left_out, [&Why::Mask; 4]);
    // A list names each picture once, and without a second list the seed divides them.
    write(&dir.path().join("train.txt"), "a\nb\nc\n");
    let splits = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!((splits.train.len() + splits.val.len(), splits.by_seed), (3, true));
    std::fs::remove_file(dir.path().join("train.txt")).unwrap();
    // A folder `masks` may hold photographs of people with masks.
    let photo = |k: u8| RgbImage::from_fn(64, 64, |x, y| Rgb([(x * 4) as u8, (y * 4) as u8, k]));
    ["a", "b", "c", "d"].iter().for_each(|name| save(&dir.path().join(format!("masks/{name}.png")), &photo(9)));
    let splits = open_images(dir.path(), &SetOptions::default()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 8);
    // Class folders with a mask beside each picture.
    let dir = temp();
    for class in ["benign", "malignant"] {
        for k in 0..3 {
            save(&dir.path().join(format!("{class}/{k}.png")), &photo(k));
            save_grey(&dir.path().join(format!("{class}/{k}_mask.png")), &stripes(&[0, 255]));
        }
    }
    let splits = open(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 6);
    let pixels = |k: usize| splits.train.image(k).unwrap().dimensions();
    assert!((0..splits.train.len()).all(|k| pixels(k) == (64, 64)), "the pictures are 64x64, the masks are not");
    let splits = open_multi_label(dir.path(), &OpenOptions::default()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 3);
}

#[test]
fn a_training_part_of_one_class_is_refused() {
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 100]));
    write(&dir.path().join("classes.toml"), "threshold = 200\n");
    refused(segmentation(dir.path()).map(|_| ()), &["the class 'background' alone in its training part"]);
}

/// The folders of Pascal VOC with masks of other classes.
#[test]
fn the_layout_alone_does_not_make_pascal_vocs_classes() {
    let names = |stem: fn(usize) -> String, values: &[u8]| {
        let dir = temp();
        for k in 0..6 {
            save(&dir.path().join(format!("JPEGImages/{}.png", stem(k))), &picture(WIDTH, HEIGHT, 1));
            save_grey(&dir.path().join(format!("SegmentationClass/{}.png", stem(k))), &stripes(values));
        }
        segmentation(dir.path()).unwrap().train.classes().names.clone()
    };
    let own: fn(usize) -> String = |k| format!("img{k}");
    assert_eq!(names(own, &[0, 1]), ["class 0", "class 1"]);
    assert_eq!(names(own, &[0, 255]), ["background", "foreground"]);
    assert_eq!(names(|k| format!("2007_{k:06}"), &[0, 1, 255])[1], "aeroplane");
}

#[test]
fn areas_of_255_beside_listed_classes_are_a_class_or_refused() {
    let two = [0, 255];
    // The file with the list, its text, the values of the masks, and the ids of their stripes or the words of the
    // error.
    for (file, text, values, expected) in [
        ("codes.txt", "bg\nfg\n", &two[..], Ok([0, 1].as_slice())),
        ("class_names.txt", "bg\nfg\n", &two, Ok(&[0, 1])),
        ("classes.toml", "classes = [\"bg\", \"fg\"]", &two, Ok(&[0, 1])),
        (
            "classes.toml",
            "classes = [\"bg\", \"fg\"]\nignore_index = 255",
            &two,
            Err("the class 'bg' alone in its training part"),
        ),
        ("codes.txt", "bg\ncat\ndog\n", &two, Err("only class 'bg' of the 3 classes from codes.txt")),
        // Two listed classes have pixels, so 255 is ignored.
        ("codes.txt", "bg\nfg\n", &[0, 1, 255], Ok(&[0, 1, 255])),
    ] {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(values));
        write(&dir.path().join(file), text);
        match expected {
            Err(problem) => drop(refused(segmentation(dir.path()), &[problem, "classes.toml"])),
            Ok(ids) => {
                let mask = segmentation(dir.path()).unwrap().train.mask(0).unwrap();
                assert_eq!(mask, stripes(ids), "{file} {text}");
            }
        }
    }
}

/// WebP with loss is refused, as JPEG is. An alpha channel is dropped only if the values determine it.
#[test]
fn masks_with_loss_and_masks_of_alpha_are_refused() {
    let prepared = |root: &std::path::Path| {
        let splits = segmentation(root)?;
        prepare(&[splits.train, splits.val], &PrepareOptions::new(8, 8), &|_, _| ()).map(|_| ())
    };
    let lossy = |frame: &[u8]| {
        let mut bytes = b"RIFF\0\0\0\0WEBP".to_vec();
        bytes.extend(frame);
        bytes
    };
    for frame in [&b"VP8 \x04\0\0\0abcd"[..], b"VP8X\x0a\0\0\0\0\0\0\0\x09\0\0\x07\0\0VP8 \x04\0\0\0abcd"] {
        let dir = temp();
        pairs(dir.path(), ["a", "b", "c"], |_| stripes(&[0, 1]));
        std::fs::remove_file(dir.path().join("masks/a.png")).unwrap();
        write(&dir.path().join("masks/a.webp"), lossy(frame));
        refused(prepared(dir.path()), &["a.webp", "WebP with loss", "save masks as PNG"]);
    }
    // Lossless WebP is read.
    let dir = temp();
    pairs(dir.path(), ["a", "b", "c"], |_| stripes(&[0, 1]));
    for name in ["a", "b", "c"] {
        let mask = image::open(dir.path().join(format!("masks/{name}.png"))).unwrap();
        mask.save(dir.path().join(format!("masks/{name}.webp"))).unwrap();
        std::fs::remove_file(dir.path().join(format!("masks/{name}.png"))).unwrap();
    }
    assert_eq!(segmentation(dir.path()).unwrap().train.mask(0).unwrap(), stripes(&[0, 1]));

    let with_alpha = |alpha: fn(u32, u8) -> u8| {
        let dir = temp();
        pairs(dir.path(), ["a", "b", "c"], |_| stripes(&[0, 1]));
        for name in ["a", "b", "c"] {
            let path = dir.path().join(format!("masks/{name}.png"));
            let grey = image::open(&path).unwrap().into_luma8();
            let rgba = image::RgbaImage::from_fn(grey.width(), grey.height(), |x, y| {
                let value = grey.get_pixel(x, y).0[0];
                image::Rgba([value, value, value, alpha(y, value)])
            });
            rgba.save(&path).unwrap();
        }
        dir
    };
    for alpha in
        [|y: u32, _: u8| if y < 2 { 0 } else { 255 }, |y: u32, value: u8| if value == 1 && y == 0 { 128 } else { 255 }]
    {
        let dir = with_alpha(alpha);
        refused(prepared(dir.path()), &["a.png", "several alphas", "without alpha"]);
    }
    for alpha in [|_: u32, _: u8| 255, |_: u32, value: u8| if value == 0 { 0 } else { 255 }] {
        let dir = with_alpha(alpha);
        assert_eq!(segmentation(dir.path()).unwrap().train.mask(0).unwrap(), stripes(&[0, 1]));
    }
}
