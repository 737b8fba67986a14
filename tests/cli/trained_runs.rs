//! `eval`, `predict` and `compare` on a trained classifier: the images that they read, and their output.

use std::fs;

use crate::support::{CLASSES, Outcome, Place, TRAIN};

/// Training, validation and test images of every class, and a run of one epoch on the first two parts.
fn with_run() -> Place {
    let place = Place::new();
    for (part, count) in [("train", 4), ("val", 1), ("test", 2)] {
        place.photos(&format!("photos/{part}"), &CLASSES, count);
    }
    let outcome = place.run(&format!("{TRAIN} --out run --batch-size 4 --epochs 1")).fine();
    outcome.printed(&["12 training and 3 validation images"]);
    place
}

#[test]
fn verbs_read_the_images_that_they_are_given() {
    let place = with_run();
    test_parts(&place);
    own_data(&place);
    folders_of_images(&place);
    let outcome = place.run("compare run run/last.safetensors --data photos --device cpu").fine();
    outcome.printed(&["6 images of the test part of photos", "p (McNemar)", "1.000"]);
}

/// The test part comes from its folder or from a table's rows.
fn test_parts(place: &Place) {
    let line = "--split test --device cpu";
    let outcome =
        place.run(&format!("eval run --data photos {line}")).fine().printed(&["photos, test part", "6 images"]);
    let scores = |text: &str| text[text.find(" images, ").expect("scores")..].to_owned();
    let row = |part: &str, class: &str, file: &str| format!("photos/{part}/{class}/{file},{class},{part}\n");
    let rows: String = CLASSES
        .iter()
        .flat_map(|class| {
            [row("train", class, "00.png"), row("val", class, "00.png")]
                .into_iter()
                .chain(["00.png", "01.jpg"].map(|file| row("test", class, file)))
        })
        .collect();
    place.write("table.csv", rows);
    let of_table = place.run(&format!("eval run --data table.csv {line}")).fine();
    assert_eq!(scores(&of_table.stdout), scores(&outcome.stdout), "the same images");
    // The same images as the only held-out ones.
    fs::create_dir(place.path("other")).expect("makes a folder");
    for (from, to) in [("train", "train"), ("test", "val")] {
        copy(place, &format!("photos/{from}"), &format!("other/{to}"));
    }
    let alone = place.run("eval run --data other --device cpu").fine();
    assert_eq!(scores(&alone.stdout), scores(&outcome.stdout), "the same images");
    place.run(&format!("eval run --data other {line}")).refused(&["other has no test part", "flags: --split"]);
}

fn copy(place: &Place, from: &str, to: &str) {
    for class in CLASSES {
        place.folder(&format!("{to}/{class}"));
        for file in place.list(&format!("{from}/{class}")) {
            place.write(&format!("{to}/{class}/{file}"), place.bytes(&format!("{from}/{class}/{file}")));
        }
    }
}

/// Without --data a verb uses the data of the run, not built-in scenes.
fn own_data(place: &Place) {
    let outcome = place.run("eval run --device cpu").fine();
    let outcome = outcome.printed(&["photos, val part", "3 images, loss", "expected calibration error", "AUROC"]);
    let json = place.run("eval run --device cpu --json").fine().stdout;
    let json: serde_json::Value = serde_json::from_str(&json).expect("an object");
    let accuracy = json["scores"]["val_accuracy"].as_f64().expect("a number");
    assert!(outcome.stdout.contains(&format!("accuracy {:.2} %", 100.0 * accuracy)), "{json}");
    assert_eq!(json["trust"]["calibration"]["accuracy"].as_f64(), Some(accuracy));
    assert_eq!(json["trust"]["classes"].as_array().map(Vec::len), Some(CLASSES.len()));
    fs::rename(place.path("photos"), place.path("elsewhere")).expect("renames");
    for verb in ["eval", "doctor"] {
        let outcome = place.run(&format!("{verb} run --device cpu"));
        outcome.refused(&["best.safetensors was trained on photos, which is not there", "this folder", "--data"]);
    }
    place.run("doctor run --data elsewhere --device cpu").fine().printed(&["right"]);
    fs::rename(place.path("elsewhere"), place.path("photos")).expect("renames");
}

/// The files that training reads count as images: at any depth, with any extension, not hidden.
fn folders_of_images(place: &Place) {
    place.folder("mixed/deep");
    place.write("mixed/b.png", place.bytes("photos/train/disc/00.png"));
    place.write("mixed/deep/a.jfif", place.bytes("photos/train/disc/01.jpg"));
    place.write("mixed/deep/b.JPE", place.bytes("photos/train/disc/01.jpg"));
    place.write("mixed/._b.png", "resource fork");
    place.write("mixed/notes.txt", "text");
    let outcome = place.run("predict run mixed --device cpu").fine();
    let images: Vec<&str> = outcome.stdout.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(images, ["mixed/b.png", "mixed/deep/a.jfif", "mixed/deep/b.JPE"]);
    place.write("mixed/page.tif", "II*\x00\x08\x00\x00\x00");
    let outcome = place.run("predict run mixed --device cpu");
    assert_eq!(
        (outcome.code, outcome.stdout.lines().count()),
        (Some(2), 3),
        "what cannot be read is named, and the rest done"
    );
    assert!(outcome.stderr.contains("mixed/page.tif: truncated"), "{}", outcome.stderr);
    place.folder("nothing/deep");
    place
        .run("predict run nothing --device cpu")
        .refused(&["nothing", "holds no JPEG, PNG, WebP, BMP, GIF or TIFF file"]);
}

#[test]
fn runs_on_built_in_scenes_are_evaluated_on_them() {
    let place = Place::new();
    let flags = "--device cpu --scenes 10 --epochs 1 --image-size 16x16 --base 4 --depth 1";
    place.run(&format!("train colorize {flags} --out run")).fine();
    place.run("eval run --device cpu").fine().printed(&["built-in scenes, val part"]);
    place.run("eval run --device cpu --split train").fine().printed(&["built-in scenes, train part", "10 images"]);
    place.run("eval run --device cpu --split test").refused(&["built-in scenes has no test part"]);
}

/// A line break in a class name does not break the rows of a table.
#[cfg(unix)]
#[test]
fn every_class_has_one_line() {
    let place = Place::new();
    place.photos("photos", &["disc", "two\nlines"], 2);
    place.run(&format!("{TRAIN} --out run --batch-size 2 --epochs 1")).fine();
    let one_each = |outcome: Outcome| {
        assert!(outcome.stdout.lines().any(|line| line.starts_with("two lines")), "{}", outcome.stdout);
    };
    one_each(place.run("eval run --data photos --device cpu").fine());
    one_each(place.run("data check --task classify photos").fine());
    let outcome = place.run("predict run photos/disc --device cpu").fine();
    assert_eq!(outcome.stdout.lines().count(), 2, "a line an image: {}", outcome.stdout);
}

/// The search for images that no row names stays below the folder of the table, which has an empty path here.
#[test]
fn a_table_in_the_working_folder_may_name_images_elsewhere() {
    let (images, place) = (Place::with_photos(3), Place::new());
    let rows = CLASSES.iter().flat_map(|class| (0..3).map(move |index| (class, index)));
    let rows = rows.map(|(class, index)| {
        let name = format!("photos/{class}/{index:02}.{}", ["png", "jpg"][index % 2]);
        format!("{},{class}\n", images.path(&name).display())
    });
    place.write("labels.csv", format!("path,label\n{}", rows.collect::<String>()));
    place.run("data check --task classify labels.csv").fine().printed(&["nothing is wrong"]);
}

/// Images of 8 bits, and the same in 16 bits of which 12 are used.
fn write_twins(place: &Place, [flat, deep]: [&str; 2], divisor: u8) {
    for class in CLASSES {
        [flat, deep].iter().for_each(|root| place.folder(&format!("{root}/{class}")));
        for name in place.list(&format!("photos/{class}")) {
            let picture = image::open(place.path(&format!("photos/{class}/{name}"))).expect("reads").into_rgb8();
            let bytes: Vec<u8> = picture.iter().map(|v| v / divisor).collect();
            let samples: Vec<u16> = bytes.iter().map(|&v| ((u32::from(v) * 4095 + 127) / 255) as u16).collect();
            let path = |root: &str| place.path(&format!("{root}/{class}/{name}")).with_extension("png");
            let (width, height) = picture.dimensions();
            image::RgbImage::from_raw(width, height, bytes).expect("a picture").save(path(flat)).expect("writes");
            let picture =
                image::ImageBuffer::<image::Rgb<u16>, _>::from_raw(width, height, samples).expect("a picture");
            picture.save(path(deep)).expect("writes");
        }
    }
}

/// Samples of 12 bits are read alike in training, evaluation and prediction, also from images so dark that 10 bits hold them.
#[test]
fn samples_of_12_bits_are_read_alike_everywhere() {
    let place = Place::with_photos(4);
    write_twins(&place, ["flat", "deep"], 1);
    write_twins(&place, ["dim", "deepdim"], 4);
    for set in ["flat", "deep"] {
        place.run(&format!("{} --out on-{set} --batch-size 4 --epochs 1", TRAIN.replace("photos", set))).fine();
    }
    let losses = |run: &str| place.metrics(run).iter().map(|row| (row.train_loss, row.val_loss)).collect::<Vec<_>>();
    assert_eq!(losses("on-flat"), losses("on-deep"), "12 bits are seen and scaled to 8");
    let after = |line: &str, mark: &str| {
        let outcome = place.run(line).fine();
        outcome.stdout[outcome.stdout.find(mark).expect("output")..].to_owned()
    };
    for (flat, deep) in [("flat", "deep"), ("dim", "deepdim")] {
        let scores = |run: &str, data: &str| after(&format!("eval {run} --data {data} --device cpu"), " images, ");
        assert_eq!(scores("on-flat", flat), scores("on-deep", deep), "{deep}");
        let found = |run: &str, data: &str| {
            let line = format!("predict {run} {data}/disc/00.png --json --device cpu");
            after(&line, "{").replace(data, "")
        };
        assert_eq!(found("on-flat", flat), found("on-deep", deep), "{deep}");
        // A run on 8-bit images does not know their white.
        let predict = format!("predict on-flat {deep}/disc/00.png --device cpu");
        for line in [&predict, &format!("eval on-flat --data {deep} --device cpu")] {
            place.run(line).refused(&["16-bit values reach", "trained on images of 8 bits", "save it with 8 bits"]);
        }
        // An image that uses all 16 bits shows it.
        image::ImageBuffer::from_pixel(4, 4, image::Rgb([u16::MAX; 3])).save(place.path("bright.png")).expect("writes");
        place.run(&format!("{predict} bright.png")).fine();
    }
}

/// A head starts from weights if its classes are those of the weights, in the same order.
#[test]
fn a_head_for_other_classes_is_not_loaded() {
    let place = Place::with_photos(2);
    place.photos("others", &["disc", "grass", "zebra"], 2);
    let train = |data: &str, more: &str| {
        place.run(&format!("{} --batch-size 2 --epochs 1 {more}", TRAIN.replace("photos", data))).fine()
    };
    train("photos", "--out run");
    let outcome = train("others", "--init run --out other");
    outcome.printed(&["2 of other classes, not loaded: fc.weight, fc.bias"]);
    let outcome = train("photos", "--init run --out same");
    assert!(!outcome.stdout.contains("not loaded"), "{}", outcome.stdout);
}
