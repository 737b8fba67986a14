//! Folders of masks that were misread or refused: two sets in one, names with constant ends, lists of one part.

use std::fs;
use std::path::Path;

use shadegrad::data::Why;
use shadegrad::data::check::{CheckOptions, check_segmentation};

use super::{HEIGHT, WIDTH, pairs, save_grey, segmentation, stripes, write};
use crate::{picture, refused, save, temp};

const NAMES: [&str; 4] = ["20", "21", "22", "23"];

fn image(path: &Path, tone: usize) {
    save(path, &picture(WIDTH, HEIGHT, tone as u8));
}

/// An image and a mask for each name, at patterns of paths.
fn at(root: &Path, image_at: &str, mask_at: &str) {
    for (tone, name) in NAMES.iter().enumerate() {
        image(&root.join(image_at.replace("{}", name)), tone);
        save_grey(&root.join(mask_at.replace("{}", name)), &stripes(&[0, 255]));
    }
}

#[test]
fn two_sets_in_one_folder_are_refused() {
    let dir = temp();
    for year in ["VOC2007", "VOC2012"] {
        at(&dir.path().join("VOCdevkit").join(year), "JPEGImages/{}.jpg", "SegmentationClass/{}.png");
    }
    refused(segmentation(dir.path()), &["several sets", "VOCdevkit/VOC2007 and VOCdevkit/VOC2012", "folder of one"]);
    // DRIVE: masks of the vessels and masks of the field of view.
    let dir = temp();
    at(dir.path(), "training/images/{}_training.png", "training/1st_manual/{}_manual1.png");
    assert_eq!(segmentation(dir.path()).unwrap().train.len(), 3);
    at(dir.path(), "training/images/{}_training.png", "training/mask/{}_training_mask.png");
    refused(segmentation(dir.path()), &["two masks of", "training/mask/", "training/1st_manual/"]);
    // Masks beside annotations.
    let polygon = "0 0.1 0.1 0.9 0.1 0.9 0.9\n";
    let coco = r#"{"images": [{"id": 1, "file_name": "20.png", "width": 40, "height": 32}],
        "annotations": [{"image_id": 1, "category_id": 1, "segmentation": [[0, 0, 9, 0, 9, 9]]}],
        "categories": [{"id": 1, "name": "cat"}]}"#;
    for (file, text, name) in [("labels/20.txt", polygon, "YOLO"), ("a.json", coco, "COCO")] {
        let dir = temp();
        at(dir.path(), "images/{}.png", "masks/{}.png");
        write(&dir.path().join(file), text);
        refused(segmentation(dir.path()), &[name, "masks/20.png"]);
    }
    // Masks without an image are left out, not read as images.
    let dir = temp();
    for name in NAMES {
        image(&dir.path().join(format!("images/{name}.png")), 1);
        image(&dir.path().join(format!("masks/other{name}.png")), 1);
        write(&dir.path().join(format!("labels/{name}.txt")), polygon);
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.len() + splits.val.len(), 4);
    assert_eq!(splits.decisions.left_out.iter().filter(|one| one.why == Why::Mask).count(), 4);
}

#[test]
fn names_with_constant_ends_are_pairs() {
    for (image, mask) in [
        ("images/{}.png", "masks/{}_seg0.png"),
        ("images/{}.png", "masks/{}_color_mask_k.png"),
        ("images/{}_training.png", "manual/{}_manual1.png"),
        ("images/im_{}.png", "labels/truth-{}.png"),
    ] {
        let dir = temp();
        at(dir.path(), image, mask);
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!(splits.train.len() + splits.val.len(), 4, "{mask}");
        for set in [&splits.train, &splits.val] {
            let same = |at: usize| NAMES.iter().any(|n| set.name(at).contains(n) && set.mask_name(at).contains(n));
            assert!((0..set.len()).all(same), "{mask}");
        }
        assert!(splits.decisions.notes.iter().any(|note| note.contains("differ in their ends")), "{mask}");
    }
    // DSB 2018: a folder for each image, with a mask for each object.
    let dir = temp();
    for (tone, name) in NAMES.iter().enumerate() {
        let root = dir.path().join(format!("stage1_train/{name}"));
        image(&root.join(format!("images/{name}.png")), tone);
        save_grey(&root.join(format!("masks/a{name}.png")), &stripes(&[0, 0, 0, 255]));
        save_grey(&root.join(format!("masks/b{name}.png")), &stripes(&[255, 0, 0, 0]));
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[1, 0, 0, 1]));
    // Superpixels of an image are no image.
    let dir = temp();
    at(dir.path(), "data/{}.jpg", "data/{}_segmentation.png");
    image(&dir.path().join("data/21_superpixels.png"), 9);
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.decisions.left_out.iter().filter(|one| one.why == Why::Accessory).count(), 1);
}

#[test]
fn test_images_without_masks_and_lists_of_one_part() {
    for test in ["test/images/t.png", "images/test/t.png"] {
        let dir = temp();
        let (images, masks) = match test.starts_with("test") {
            true => ("train/images/{}.png", "train/masks/{}.png"),
            false => ("images/train/{}.png", "masks/train/{}.png"),
        };
        at(dir.path(), images, masks);
        image(&dir.path().join(test), 9);
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!((splits.train.len(), splits.test.is_none()), (3, true));
        assert_eq!(splits.decisions.left_out[0].why, Why::UnlabeledTest);
    }
    for list in ["valid.txt", "val.txt"] {
        let dir = temp();
        at(dir.path(), "images/{}.png", "labels/{}_P.png");
        write(&dir.path().join(list), "21.png\n");
        let splits = segmentation(dir.path()).unwrap();
        assert_eq!((splits.train.len(), splits.val.len(), splits.by_seed), (3, 1, false));
        assert!(splits.val.name(0).contains("21"), "{list}");
        let note = format!("3 images that {list} does not name");
        assert!(splits.decisions.notes.iter().any(|one| one.contains(&note)), "{:?}", splits.decisions.notes);
    }
}

#[test]
fn values_in_other_forms_are_read_or_refused() {
    // 0 and 65535 are black and white of 16 bits.
    let dir = temp();
    for (tone, name) in NAMES.iter().enumerate() {
        image(&dir.path().join(format!("images/{name}.png")), tone);
        let white = |x: u32, _| image::Luma([if x < 20 { 0u16 } else { 65535 }]);
        let mask = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_fn(WIDTH, HEIGHT, white);
        fs::create_dir_all(dir.path().join("masks")).unwrap();
        mask.save(dir.path().join(format!("masks/{name}.png"))).unwrap();
    }
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["background", "foreground"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[0, 1]));
    // Values in some files, colors in others.
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1]));
    let red = |x: u32, _| image::Rgb(if x < 20 { [0, 0, 0] } else { [128, 0, 0] });
    save(&dir.path().join("masks/21.png"), &image::RgbImage::from_fn(WIDTH, HEIGHT, red));
    refused(segmentation(dir.path()), &["two notations", "20.png", "21.png", "classes.toml"]);
    // Numbers of objects.
    let dir = temp();
    let counts = [1, 3, 5, 6];
    pairs(dir.path(), NAMES, |at| stripes(&(0..=counts[at]).collect::<Vec<u8>>()));
    let notes = segmentation(dir.path()).unwrap().decisions.notes;
    assert!(notes.iter().any(|note| note.contains("numbers of objects")), "{notes:?}");
    pairs(dir.path(), NAMES, |at| stripes(&[0, counts[at], 2, 6]));
    let notes = segmentation(dir.path()).unwrap().decisions.notes;
    assert!(notes.iter().all(|note| !note.contains("numbers of objects")), "{notes:?}");
}

/// A file of classes may have any case, values before its names, and must agree with another one.
#[test]
fn files_of_classes_in_any_case_with_values_and_beside_others() {
    let set = |files: &[(&str, &str)]| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        files.iter().for_each(|(name, text)| write(&dir.path().join(name), text));
        segmentation(dir.path()).map(|splits| splits.train.classes().names.clone())
    };
    let plain = "sky\nroad\ncar\n";
    for (name, text) in [("codes.txt", plain), ("Codes.TXT", plain), ("codes.txt", "2 car\n0 sky\n1 road\n")] {
        let mut names = set(&[(name, text)]).unwrap();
        names.sort();
        assert_eq!(names, ["car", "road", "sky"], "{name}: {text}");
    }
    for same in ["0 sky\n1 road\n2 car\n", "sky\nroad\ncar\n", "one\ntwo\n"] {
        assert!(set(&[("codes.txt", plain), ("classes.txt", same)]).is_ok(), "{same}");
    }
    for other in ["0 sky\n2 road\n1 car\n", "bg\ncar\nroad\n"] {
        let words = ["by codes.txt", "by classes.txt", "remove the file that does not hold"];
        refused(set(&[("codes.txt", plain), ("classes.txt", other)]), &words);
    }
}

/// Object numbers that run over all files.
#[test]
fn numbers_of_objects_may_have_gaps() {
    let notes = |values: &dyn Fn(usize) -> [u8; 4]| {
        let dir = temp();
        pairs(dir.path(), NAMES, |at| stripes(&values(at)));
        segmentation(dir.path()).unwrap().decisions.notes.join("\n")
    };
    let found = notes(&|at| [0, 3 * at as u8 + 1, 3 * at as u8 + 2, 3 * at as u8 + 3]);
    assert!(found.contains("12 of the 12 values of the masks are in one mask alone"), "{found}");
    let found = notes(&|at| [0, at as u8, 3, 9]);
    assert!(!found.contains("in one mask alone"), "{found}");
}

#[test]
fn lists_of_class_names_are_read_or_named() {
    let names = |file: &str, text: &str| {
        let dir = temp();
        pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
        write(&dir.path().join(file), text);
        let splits = segmentation(dir.path()).unwrap();
        (splits.train.classes().names.join(" "), splits.decisions.notes)
    };
    for (file, text) in [
        ("classes.txt", "background\n# pets\ncat\ndog\n"),
        ("labels.txt", "__ignore__\nbackground\ncat\ndog\n"),
        ("labels.txt", "2: dog\n0: background\n1: cat\n"),
        ("codes.txt", "background\n# pets\ncat\ndog\n"),
    ] {
        let sorted = |names: String| {
            let mut names: Vec<String> = names.split(' ').map(String::from).collect();
            names.sort();
            names
        };
        assert_eq!(sorted(names(file, text).0), ["background", "cat", "dog"], "{file}");
    }
    for (file, text) in [("classes.txt", "cat\ndog\n"), ("id2label.json", "{\"0\": \"a\"}"), ("labels.csv", "0,bg\n")] {
        let (names, notes) = names(file, text);
        assert_eq!(names, "class 0 class 1 class 2");
        assert!(notes.iter().any(|note| note.starts_with(&format!("{file} is not read"))), "{notes:?}");
    }
    // Names by color, with remarks, and with a comma in quotes.
    let dir = temp();
    let color = |x: u32, _| image::Rgb(if x < 20 { [0, 0, 0] } else { [0, 0, 255] });
    for (tone, name) in NAMES.iter().enumerate() {
        image(&dir.path().join(format!("images/{name}.png")), tone);
        save(&dir.path().join(format!("masks/{name}.png")), &image::RgbImage::from_fn(WIDTH, HEIGHT, color));
    }
    write(&dir.path().join("class_dict_seg.csv"), "name, r, g, b\nground, 0, 0, 0\nsky, 0, 0, 255\n");
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["ground", "sky"]);
    write(&dir.path().join("label_colors.txt"), "# c\n0 0 0 ground\n0 0 255 sky # blue\n");
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["ground", "sky"]);
    write(&dir.path().join("label_colors.txt"), "0 0 0 Void\n0 0 255 sky\n");
    fs::remove_file(dir.path().join("class_dict_seg.csv")).unwrap();
    refused(segmentation(dir.path()), &["label_colors.txt", "rename it to background"]);
    let dir = temp();
    at(dir.path(), "train/{}.jpg", "train/{}_mask.png");
    write(&dir.path().join("train/_classes.csv"), "Pixel Value, Class\n0, background\n255, \"cat, \"\"small\"\"\"\n");
    assert_eq!(segmentation(dir.path()).unwrap().train.classes().names, ["background", "cat, \"small\""]);
    // ADE20K: 0 is no class.
    let dir = temp();
    pairs(dir.path(), NAMES, |_| stripes(&[0, 1, 2]));
    write(&dir.path().join("objectInfo150.txt"), "Idx\tRatio\tName\n1\t0.1\twall\n2\t0.1\tbuilding, edifice\n");
    let splits = segmentation(dir.path()).unwrap();
    assert_eq!(splits.train.classes().names, ["wall", "building, edifice"]);
    assert_eq!(splits.train.mask(0).unwrap(), stripes(&[255, 0, 1]));
}

#[test]
fn annotations_that_are_not_read_are_named() {
    for (file, text, parts) in [
        ("annotations.xml", "<?xml?>\n<annotations>\n<version>1.1", ["CVAT's XML", "Segmentation mask"]),
        ("Annotations/0.xml", "<annotation><bndbox>", ["boxes", "not a mask"]),
        ("via.json", "{\"_via_settings\": {}}", ["project of VIA", "COCO"]),
        ("via.csv", "filename,region_shape_attributes\n", ["table of VIA", "COCO"]),
        ("b.csv", "filename,class,xmin,ymin,xmax,ymax\n", ["boxes", "not a mask"]),
        ("train.csv", "ImageId,EncodedPixels\n0.jpg,1 2\n", ["run lengths", "PNG"]),
        ("masks/0.npy", "\u{93}NUMPY", ["NumPy", "PNG"]),
        ("cut.json", "{\"annotations\": [[[[", ["cut off", "COCO"]),
        ("e.json", "[{\"DataRow ID\": 1, \"Label\": {}}]", ["Labelbox", "COCO"]),
        ("e.ndjson", "{\"data_row\": {}, \"media_attributes\": {}}", ["Labelbox", "COCO"]),
        ("0.jpg.json", "{\"metadata\": {\"lastAction\": {}}, \"instances\": []}", ["SuperAnnotate", "COCO"]),
        ("0.json", "{\"version\": \"2.0\", \"item\": {\"slots\": []}, \"annotations\": []}", ["V7 Darwin", "COCO"]),
        ("map.geojson", "{\"type\": \"FeatureCollection\", \"features\": []}", ["GeoJSON", "gdal_rasterize"]),
        ("x.mat", "MATLAB 5.0", ["MATLAB file", "masks as PNG"]),
        ("x.npz", "PK\u{3}\u{4}", ["NumPy arrays", "masks as PNG"]),
        ("x.h5", "\u{89}HDF", ["HDF5", "masks as PNG"]),
        ("x.parquet", "PAR1", ["Parquet", "masks as PNG"]),
        ("x-00000-of-00001.tfrecord", "x", ["TFRecord", "masks as PNG"]),
        ("set.zip", "PK\u{3}\u{4}", ["ZIP archive", "unpack it"]),
    ] {
        let dir = temp();
        image(&dir.path().join("0.jpg"), 1);
        write(&dir.path().join(file), text);
        refused(segmentation(dir.path()), &[file, parts[0], parts[1]]);
    }
    // The cause is reported before its consequence.
    let dir = temp();
    image(&dir.path().join("images/0.jpg"), 1);
    write(&dir.path().join("labels/0.txt"), "0 0.1 0.1 0.9 0.1 0.9 0.9 0.5\n");
    write(&dir.path().join("data.yaml"), "names: [cat]\n");
    let report = check_segmentation(dir.path(), &CheckOptions::default()).unwrap();
    let faults: Vec<String> = report.faults.iter().map(|fault| format!("{fault:?}")).collect();
    assert!(faults[0].contains("odd number") && faults[1].contains("is empty"), "{faults:?}");
}

/// The folders of SegNet's CamVid prove no classes: names of its videos do.
#[test]
fn camvids_folders_do_not_make_its_classes() {
    let set = |video: &str| {
        let dir = temp();
        for (part, names) in [("train", &NAMES[..3]), ("val", &NAMES[3..])] {
            let mut list = String::new();
            for (tone, name) in names.iter().enumerate() {
                let (at, mask) = (format!("{part}/{video}{name}.png"), format!("{part}annot/{video}{name}.png"));
                image(&dir.path().join(&at), tone);
                save_grey(&dir.path().join(&mask), &stripes(&[0, 1, 11]));
                list += &format!("{at} {mask}\n");
            }
            write(&dir.path().join(format!("{part}.txt")), list);
        }
        let splits = segmentation(dir.path()).unwrap();
        (splits.train.classes().names.clone(), splits.train.mask(0).unwrap())
    };
    let (names, mask) = set("");
    assert_eq!((names.join(" ").as_str(), mask), ("class 0 class 1 class 11", stripes(&[0, 1, 2])));
    let (names, mask) = set("0016E5_079");
    assert_eq!((names.len(), names[0].as_str(), mask), (11, "Sky", stripes(&[0, 1, 255])));
}

/// Annotations that are not read may differ from the masks.
#[test]
fn annotations_beside_masks_that_are_not_read_are_noted() {
    let dir = temp();
    pairs(dir.path(), super::NAMES, |_| stripes(&[0, 1]));
    assert!(!segmentation(dir.path()).unwrap().decisions.notes.iter().any(|note| note.contains("not read")));
    let polygon = "<polygon label=\"cat\" points=\"1,1;20,1;20,20\"/>";
    let tracks = format!("<track id=\"0\" label=\"cat\">{polygon}</track>");
    for (at, inner) in [("annotations.xml", polygon), ("cvat/annotations.xml", &tracks)] {
        let text = format!("<?xml version=\"1.0\"?>\n<annotations>\n  <version>1.1</version>{inner}</annotations>\n");
        write(&dir.path().join(at), text);
        let notes = segmentation(dir.path()).unwrap().decisions.notes;
        let words = format!("{at} is CVAT's XML, which is not read: the masks are");
        assert!(notes.contains(&words), "{notes:?}");
        fs::remove_file(dir.path().join(at)).unwrap();
    }
}

/// A file of classes is looked for in the folder of the set. Elsewhere it is named.
#[test]
fn files_of_classes_in_the_folders_of_masks_are_named() {
    let dir = temp();
    pairs(dir.path(), super::NAMES, |_| stripes(&[0, 1, 2]));
    for name in ["masks/codes.txt", "images/classes.txt"] {
        write(&dir.path().join(name), "sky\nroad\ncar\n");
        let notes = segmentation(dir.path()).unwrap().decisions.notes.join("; ");
        assert!(notes.contains(&format!("{name} is not read in that folder; move it to ")), "{notes}");
    }
    write(&dir.path().join("masks/classes.toml"), "ignore_index = 2\n");
    refused(segmentation(dir.path()), &["masks/classes.toml", "is not read in this folder", "move it to"]);
}
