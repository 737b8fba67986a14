//! Images with masks: each layout opens, each kind of mask is read by its coding, and each fault is named.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use image::{GrayImage, Luma, Rgb, RgbImage};
use shadegrad::data::{
    Normalization, PrepareOptions, SampleLayout, SampleMut, SegmentationDataset, SegmentationSource, SetOptions,
    Source, open_segmentation, prepare,
};

use crate::sets::{segmentation, write};
use crate::{picture, refused, save, temp};

fn grey(path: &Path, values: &[u8], width: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_raw(width, values.len() as u32 / width, values.to_vec()).unwrap().save(path).unwrap();
}

/// Writes a PNG with a palette and `bits` bits per pixel. `rows` are packed.
fn palette_png(path: &Path, size: (u32, u32), bits: png::BitDepth, palette: &[u8], rows: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(fs::File::create(path).unwrap(), size.0, size.1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(bits);
    encoder.set_palette(palette.to_vec());
    encoder.write_header().unwrap().write_image_data(rows).unwrap();
}

fn ids(set: &Arc<dyn SegmentationDataset>, index: usize) -> Vec<u8> {
    set.mask(index).unwrap().into_raw()
}

/// Writes a 4 x 1 image and a mask of `values` for each name, at the paths of `at`.
fn pairs(names: &[&str], values: &[u8], at: impl Fn(&str) -> (std::path::PathBuf, std::path::PathBuf)) {
    for (tone, name) in names.iter().enumerate() {
        let (image, mask) = at(name);
        save(&image, &picture(4, 1, tone as u8));
        grey(&mask, values, 4);
    }
}

#[test]
fn masks_are_found_under_many_names() {
    let values = [0, 1, 2, 255];
    let layouts: [(&str, &str, bool); 12] = [
        ("images/{}.png", "masks/{}.png", false),
        ("imgs/{}.jpg", "labels/{}_mask.png", false),
        ("JPEGImages/{}.jpg", "annotations/trimaps/{}.png", false),
        ("{}.jpg", "{}_mask.png", false),
        ("all/{}.jpg", "all/{}-label.png", false),
        ("701_StillsRaw_full/{}.png", "LabeledApproved_full/{}_L.png", false),
        ("{s}/images/{}.jpg", "{s}/masks/{}.png", true),
        ("images/{s}/{}.jpg", "labels/{s}/{}.png", true),
        ("{s}/{}.png", "{s}annot/{}.png", true),
        ("{s}/{}.png", "{s}_labels/{}_L.png", true),
        ("{s}/deep/er/{}_image.jpg", "gt/{s}/deep/er/{}_gt.png", true),
        ("{s}/{}.jpg", "{s}/{}_segmentation.png", true),
    ];
    for (image, mask, divided) in layouts {
        let dir = temp();
        let parts: &[&str] = if divided { &["train", "val", "test"] } else { &[""] };
        for part in parts {
            let fill = |pattern: &str, name: &str| dir.path().join(pattern.replace("{s}", part).replace("{}", name));
            pairs(&["a1", "b_2", "c.3", "d"], &values, |name| (fill(image, name), fill(mask, name)));
        }
        let splits = segmentation(dir.path()).unwrap_or_else(|e| panic!("{image} {mask}: {e}"));
        let lens = (splits.train.len(), splits.val.len(), splits.test.as_ref().map(|t| t.len()));
        assert_eq!(lens, if divided { (4, 4, Some(4)) } else { (3, 1, None) }, "{image} {mask}");
        assert_eq!(ids(&splits.train, 0), values, "{image} {mask}");
        for i in 0..splits.train.len() {
            // The halves belong together: the name of the mask contains the name of the image.
            let stem = |name: String| Path::new(&name).file_stem().unwrap().to_string_lossy().into_owned();
            let (image, mask) = (stem(splits.train.name(i)), stem(splits.train.mask_name(i)));
            let base = image.trim_end_matches("_image");
            assert!(mask.starts_with(base), "{image} {mask}");
            assert!(!divided || splits.train.name(i).contains("train"));
        }
        assert_eq!(splits.train.classes().names, ["class 0", "class 1", "class 2"]);
        assert_eq!(splits.train.classes().ignored, "value 255");
    }
}

#[test]
fn incomplete_pairs_are_all_named_or_left_out() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    pairs(&["a", "b", "c", "d", "e"], &[0, 1, 0, 1], |n| {
        (at(&format!("images/{n}.jpg")), at(&format!("masks/{n}.png")))
    });
    fs::remove_file(at("images/a.jpg")).unwrap();
    fs::remove_file(at("masks/b.png")).unwrap();
    save(&at("images/c.png"), &picture(4, 1, 1));
    let parts = [
        "3 of 6",
        "a.png: is a mask without image",
        "b.jpg: has no mask",
        "c.jpg: cannot be paired",
        "have bad images skipped",
    ];
    let message = refused(segmentation(dir.path()).map(|_| ()), &parts[1..]);
    assert!(message.contains("c.png: cannot be paired"), "{message}");
    let options = SetOptions { skip_bad: true, ..SetOptions::default() };
    let splits = open_segmentation(dir.path(), &options).unwrap();
    assert_eq!((splits.train.len() + splits.val.len(), splits.left_out.len()), (2, 4));
    refused(segmentation(&at("images")).map(|_| ()), &["no pairs", "1 masks".replace('1', "0").as_str(), "x_mask.png"]);
    refused(segmentation(&at("nowhere")).map(|_| ()), &["nowhere", "no such"]);
}

#[test]
fn camvid_lists_open_with_their_classes() {
    let dir = temp();
    let at = |name: String| dir.path().join(name);
    for part in ["train", "val", "test"] {
        pairs(&["x", "y"], &[0, 10, 11, 255], |n| (at(format!("{part}/{n}.png")), at(format!("{part}annot/{n}.png"))));
        // Paths of another machine, as in published lists.
        let line = |n: &str| format!("/SegNet/CamVid/{part}/{n}.png /SegNet/CamVid/{part}annot/{n}.png\n");
        write(&at(format!("{part}.txt")), &(line("x") + &line("y")));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.test.as_ref().unwrap().len(), 2);
    let classes = splits.train.classes();
    assert_eq!((classes.len(), classes.names[10].as_str(), classes.palette[3]), (11, "Bicyclist", [128, 64, 128]));
    assert_eq!(ids(&splits.val, 1), [0, 10, 255, 255]);

    // A class file beside the lists has precedence.
    let names: Vec<String> = (0..11).map(|i| format!("\"c{i}\"")).collect();
    let json = format!(r#"{{"classes": [{}, "Void"], "ignore_index": 11, "splits": {{"a": 1}}}}"#, names.join(", "));
    write(&at("info.json".into()), &json);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().ignored, "value 11 (Void), value 255");
    assert_eq!(splits.train.classes().names[4], "c4");
    assert_eq!(ids(&splits.val, 1), [0, 10, 255, 255]);

    write(&at("train.txt".into()), "train/x.png trainannot/x.png\ntrain/gone.png trainannot/x.png\ntrain/y.png\n");
    let parts = ["train.txt, line 2", "the image train/gone.png is not there", "line 3", "'train/y.png' is not"];
    refused(segmentation(dir.path()).map(|_| ()), &parts);
    write(&at("train.txt".into()), "../../etc/passwd.png trainannot/x.png\ntrain/x.png trainannot/x.png\n");
    refused(segmentation(dir.path()).map(|_| ()), &["line 1", "passwd.png is not there"]);
}

#[test]
fn colors_stand_for_classes() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    write(&at("label_colors.txt"), "64 128 64\tAnimal\n192 0 128\t\tArchway\n0 0 0 Void\n");
    let colors = [[64, 128, 64], [192, 0, 128], [0, 0, 0], [64, 128, 64]];
    for name in ["a", "b"] {
        save(&at(&format!("images/{name}.png")), &picture(4, 1, 3));
        let mask = RgbImage::from_fn(4, 1, |x, _| Rgb(colors[x as usize]));
        save(&at(&format!("labels/{name}_L.png")), &mask);
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["Animal", "Archway"]);
    assert_eq!(ids(&splits.train, 0), [0, 1, 255, 0]);
    // The same colors through a palette in another order.
    let palette = [0, 0, 0, 192, 0, 128, 64, 128, 64];
    palette_png(&at("labels/a_L.png"), (4, 1), png::BitDepth::Two, &palette, &[0b10_01_00_10]);
    palette_png(&at("labels/b_L.png"), (4, 1), png::BitDepth::Two, &palette, &[0b10_01_00_10]);
    assert_eq!(ids(&segmentation(dir.path()).unwrap().train, 0), [0, 1, 255, 0]);
    // The same list in another common form.
    fs::remove_file(at("label_colors.txt")).unwrap();
    write(&at("class_dict.csv"), "name,r,g,b\nAnimal, 64, 128, 64\nArchway,192,0,128\nVoid,0,0,0\n");
    assert_eq!(ids(&segmentation(dir.path()).unwrap().train, 0), [0, 1, 255, 0]);
    write(&at("class_dict.csv"), "name,r,g,b\nAnimal,64,128\n");
    refused(segmentation(dir.path()).map(|_| ()), &["class_dict.csv, line 2", "'name,r,g,b'"]);
    fs::remove_file(at("class_dict.csv")).unwrap();
    write(&at("codes.txt"), "Void\nArchway\nAnimal\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(ids(&splits.train, 0), [1, 0, 255, 1]);
    assert_eq!(splits.train.classes().names, ["Archway", "Animal"]);
    fs::remove_file(at("codes.txt")).unwrap();
    // Without a list the colors are the classes, and palettes are read as indices.
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(ids(&splits.train, 0), [2, 1, 0, 2]);
    assert_eq!(splits.train.classes().palette[2], [64, 128, 64]);
    for name in ["a", "b"] {
        save(&at(&format!("labels/{name}_L.png")), &RgbImage::from_fn(4, 1, |x, _| Rgb(colors[x as usize])));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["#000000", "#408040", "#c00080"]);
    assert!(splits.train.classes().to_string().contains("from the colors in the masks; name them in a classes.toml"));
}

#[test]
fn voc_and_cityscapes_open() {
    let dir = temp();
    let voc = dir.path().join("VOCdevkit/VOC2012");
    let palette: Vec<u8> = (0..=255).flat_map(|v| [v, 255 - v, 7]).collect();
    for name in ["2007_000032", "2007_000039", "2007_000063"] {
        save(&voc.join(format!("JPEGImages/{name}.jpg")), &picture(4, 1, 0));
        let mask = voc.join(format!("SegmentationClass/{name}.png"));
        palette_png(&mask, (4, 1), png::BitDepth::Eight, &palette, &[0, 15, 20, 255]);
    }
    write(&voc.join("ImageSets/Segmentation/train.txt"), "2007_000032\n2007_000039\n");
    write(&voc.join("ImageSets/Segmentation/val.txt"), "2007_000063\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.len(), splits.val.len()), ("Pascal VOC", 2, 1));
    let classes = splits.train.classes();
    // Published colors: person 192 128 128, tv monitor 0 64 128.
    assert_eq!(
        (classes.names[15].as_str(), classes.palette[15], classes.palette[20]),
        ("person", [192, 128, 128], [0, 64, 128])
    );
    assert_eq!(ids(&splits.val, 0), [0, 15, 20, 255]);
    write(&voc.join("ImageSets/Segmentation/val.txt"), "2007_000063\n2007_000999\n");
    refused(segmentation(dir.path()).map(|_| ()), &["val.txt, line 2", "'2007_000999' has neither"]);

    let dir = temp();
    for (part, city) in [("train", "aachen"), ("train", "bonn"), ("val", "ulm")] {
        let name = format!("{part}/{city}/{city}_000000_000019");
        save(&dir.path().join(format!("leftImg8bit/{name}_leftImg8bit.png")), &picture(4, 1, 0));
        grey(&dir.path().join(format!("gtFine/{name}_gtFine_labelIds.png")), &[7, 33, 4, 26], 4);
        save(&dir.path().join(format!("gtFine/{name}_gtFine_color.png")), &picture(4, 1, 0));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!((splits.format, splits.train.len(), splits.val.len()), ("Cityscapes", 2, 1));
    assert_eq!(splits.train.classes().names[13], "car");
    assert_eq!(ids(&splits.val, 0), [0, 18, 255, 13], "road, bicycle, static (not trained), car");
}

#[test]
fn class_files_are_followed_and_their_faults_are_named() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    pairs(&["a", "b"], &[3, 7, 9, 255], |n| (at(&format!("images/{n}.jpg")), at(&format!("masks/{n}.png"))));
    let written = "ignore_index = [9]\n[[classes]]\nname = \"sky\"\nvalue = 7\ncolour = [1, 2, 3]\n[[classes]]\n\
                   name = \"road\"\nvalue = 3\n";
    write(&at("classes.toml"), written);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(ids(&splits.train, 0), [1, 0, 255, 255]);
    assert_eq!(splits.train.classes().palette[0], [1, 2, 3]);
    let words = splits.train.classes().to_string();
    assert_eq!(words, "2 classes, from classes.toml: sky, road; ignored: value 9, value 255");
    for (content, parts) in [
        ("classes = [\"a\", \"a\"]", ["classes.toml", "'a' is listed twice"]),
        ("classes = [\"a\"]", ["1 classes", "at least 2"]),
        ("classes = [\"a\", \"b\"]\npalette = [[1, 2, 3]]", ["1 colors for 2 classes", "one for each"]),
        ("klasses = []", ["unknown field", "klasses"]),
        ("[[classes]]\nname = \"a\"\nvalue = 1\n[[classes]]\nname = \"b\"", ["value 1", "'b'"]),
        ("[[classes]]\nname = \"a\"\n[[classes]]\nname = \"b\"\ntint = [1, 2, 3]", ["class 2: unknown", "`colour`"]),
        ("classes = [\"a\", 3]", ["class 2: ", "expected a name, or a table of name, color and value"]),
        ("[[classes]]\nvalue = 1", ["class 1: ", "missing field `name`"]),
        ("[[classes]]\nname = \"a\"\nvalue = 300", ["class 1: ", "`300`"]),
        (
            "classes = [\"a\", \"b\"]\nignore_index = 300",
            ["`300`", "expected a value from 0 to 255, or a list of them"],
        ),
        (
            "classes = [\"a\", \"b\"]\nignore_index = \"a\"",
            ["\"a\"", "expected a value from 0 to 255, or a list of them"],
        ),
    ] {
        write(&at("classes.toml"), content);
        let message = refused(segmentation(dir.path()).map(|_| ()), &parts);
        assert!(message.contains("classes.toml") && !message.contains("variant"), "{message}");
    }
    fs::remove_file(at("classes.toml")).unwrap();
    write(&at("info.json"), r#"{"classes": ["a", {"name": "b", "tint": [1, 2, 3]}]}"#);
    refused(segmentation(dir.path()).map(|_| ()), &["info.json", "class 2: unknown field `tint`", "`colour`"]);
}

#[test]
fn classes_are_detected_from_the_values_of_masks() {
    let dir = temp();
    let at = |name: &str| dir.path().join(name);
    let detected = |values: &[u8]| {
        pairs(&["a", "b"], values, |n| (at(&format!("images/{n}.jpg")), at(&format!("masks/{n}.png"))));
        let splits = segmentation(dir.path()).unwrap();
        (ids(&splits.train, 0), splits.train.classes().names.clone())
    };
    let (mask, names) = detected(&[0, 255, 255, 0]);
    assert_eq!((mask, names), (vec![0, 1, 1, 0], vec!["background".to_string(), "foreground".into()]));
    let (mask, names) = detected(&[0, 85, 170, 255]);
    let steps = ["value 0", "value 85", "value 170", "value 255"];
    assert_eq!((mask, names), (vec![0, 1, 2, 3], steps.map(String::from).to_vec()), "255 is a step of the scale");
    for (values, found) in
        [([0; 4], "value 0 alone"), ([7, 7, 255, 7], "value 7 alone"), ([255; 4], "nothing but value 255")]
    {
        pairs(&["a", "b"], &values, |n| (at(&format!("images/{n}.jpg")), at(&format!("masks/{n}.png"))));
        refused(segmentation(dir.path()).map(|_| ()), &[found, "at least 2 classes", "classes.toml"]);
    }
    for name in ["a", "b"] {
        save(&at(&format!("masks/{name}.png")), &RgbImage::from_pixel(4, 1, Rgb([9, 8, 7])));
    }
    refused(segmentation(dir.path()).map(|_| ()), &["the color #090807 alone", "at least 2 classes", "classes.toml"]);
}

/// As in the other tasks, an empty part is an error.
#[test]
fn an_empty_validation_part_is_refused() {
    for (empty, train) in [("val/images", "train/images"), ("images/Val", "images/train"), ("valid", "train/images")] {
        let dir = temp();
        let at = |name: String| dir.path().join(name);
        let masks = train.replace("images", "masks");
        pairs(&["a", "b", "c"], &[0, 1, 2, 0], |n| (at(format!("{train}/{n}.jpg")), at(format!("{masks}/{n}.png"))));
        segmentation(dir.path()).unwrap();
        fs::create_dir_all(at(empty.into())).unwrap();
        refused(segmentation(dir.path()).map(|_| ()), &["validation part is empty", "no complete pair"]);
    }
}

#[test]
fn pairs_are_prepared_together() {
    let dir = temp();
    let at = |name: String| dir.path().join(name);
    write(&at("classes.toml".into()), "classes = [\"a\", \"b\", \"c\"]");
    for i in 0..8u8 {
        save(&at(format!("images/{i}.png")), &RgbImage::from_fn(8, 6, |x, y| Rgb([x as u8 * 20, y as u8 * 30, i])));
        let mask = GrayImage::from_fn(8, 6, |x, y| Luma([if y == 0 { 255 } else { u8::from(x >= 4) }]));
        fs::create_dir_all(at("masks".into())).unwrap();
        mask.save(at(format!("masks/{i}.png"))).unwrap();
    }
    let splits = segmentation(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let prepared = prepare(&sets, &PrepareOptions::new(3, 4), &|_, _| ()).unwrap();
    let train = &prepared[0];
    assert_eq!((train.len(), train.size(), train.in_memory()), (6, (3, 4), true));
    // Rows 1, 3, 5 and columns 1, 3, 5, 7 contain the centers. No pixel of the ignored row 0 remains.
    let pair = train.sample(0).unwrap();
    assert_eq!(pair[36..], [0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1]);
    assert_eq!((train.facts().class_pixels.as_slice(), train.facts().ignored_pixels), ([36, 36, 0].as_slice(), 0));
    assert_eq!(train.facts().sums.pixels, 6 * 12);
    let upright =
        prepare(&sets, &PrepareOptions { memory_budget: 0, ..PrepareOptions::new(6, 8) }, &|_, _| ()).unwrap();
    assert_eq!(
        (upright[0].in_memory(), upright[0].facts().class_pixels.as_slice(), upright[0].facts().ignored_pixels),
        (false, [120, 120, 0].as_slice(), 48)
    );
    let source =
        SegmentationSource::new(Arc::new({ upright }.remove(0)), &Normalization { mean: [0.5; 3], std: [0.25; 3] });
    assert_eq!(source.layout(), SampleLayout { image: 144, labels: 48, targets: 0 });
    let (mut image, mut labels) = (vec![9.0; 144], vec![9; 48]);
    source.load(0, 0, SampleMut { image: &mut image, labels: &mut labels, targets: &mut [] }).unwrap();
    assert_eq!((labels[7], labels[8], labels[12]), (255, 0, 1));
    assert!((image[3 * 47] - (140.0 / 255.0 - 0.5) / 0.25).abs() < 1e-6, "{}", image[3 * 47]);

    // Faults of every kind, all reported at once.
    grey(&at("masks/0.png".into()), &[[2; 40].as_slice(), &[3, 3, 7, 2, 2, 2, 2, 2]].concat(), 8);
    grey(&at("masks/1.png".into()), &[0; 48], 6);
    fs::write(at("masks/2.png".into()), b"").unwrap();
    image::ImageBuffer::<Luma<u16>, _>::from_pixel(8, 6, Luma([1000])).save(at("masks/3.png".into())).unwrap();
    save(&at("masks/4.png".into()), &RgbImage::from_pixel(8, 6, Rgb([5, 6, 7])));
    let whole = fs::read(at("masks/5.png".into())).unwrap();
    fs::write(at("masks/5.png".into()), &whole[..whole.len() - 20]).unwrap();
    let parts = [
        "6 of 8",
        "0.png: value 3 (2 pixels), value 7 (1 pixel) outside the 3 classes",
        "1.png: is 6x8 pixels, but its image",
        "is 8x6",
        "2.png: file is empty",
        "3.png: cannot be a mask: its values of 16 bits reach",
        "4.png: color #050607 (48 pixels) outside",
        "5.png: truncated",
    ];
    refused(prepare(&sets, &PrepareOptions::new(3, 4), &|_, _| ()).map(|_| ()), &parts);
    let options = PrepareOptions { skip_bad: true, ..PrepareOptions::new(3, 4) };
    let kept = prepare(&sets, &options, &|_, _| ()).unwrap();
    assert_eq!(kept.iter().map(|p| (p.len(), p.bad().len())).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)), (2, 6));
    refused(prepare(&sets, &PrepareOptions::new(0, 4), &|_, _| ()).map(|_| ()), &["image_size", "0x4"]);
}

/// The network reads small copies. An edit between their pixels changes the digest at the own size alone.
#[test]
fn edits_between_the_pixels_of_the_small_copy_change_the_own_digest() {
    let dir = temp();
    let at = |name: &str| (dir.path().join(format!("images/{name}.png")), dir.path().join(format!("masks/{name}.png")));
    for name in ["a", "b", "c", "d"] {
        save(&at(name).0, &picture(40, 32, 9));
        grey(&at(name).1, &[[0; 640], [1; 640]].concat(), 40);
    }
    let identity = || {
        let splits = segmentation(dir.path()).unwrap();
        let prepared = prepare(&[splits.train], &PrepareOptions::square(8), &|_, _| ()).unwrap().remove(0);
        SegmentationSource::new(Arc::new(prepared), &Normalization::IMAGENET).identity(0).unwrap()
    };
    let before = identity();
    assert_eq!(before, identity());
    let path = Path::new(before.mask.as_deref().unwrap()).to_path_buf();
    let mut mask = image::open(&path).unwrap().into_luma8();
    mask.put_pixel(0, 0, Luma([1]));
    mask.save(&path).unwrap();
    let after = identity();
    assert_eq!((after.mask_digest, after.image_digest), (before.mask_digest, before.image_digest));
    assert_ne!(after.own_digest, before.own_digest);
}
