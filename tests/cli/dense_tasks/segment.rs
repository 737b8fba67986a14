//! `train segment`, and every verb on its runs.

use shadegrad::interop::safetensors::TensorData;
use shadegrad::run::TRAIN_ACCURACY;
use shadegrad::tasks::segment::{MEAN_IOU, OWN_MEAN_IOU, PIXEL_ACCURACY, WEIGHTED_IOU};

use super::scenes::{CLASSES, TINY, VOID, is_a_figure, mask, scene, write, write_photos};
use crate::support::Place;

/// Pixels of the validation scenes by class: rows are the truth.
type Counts = [[u64; 3]; 3];

/// Class indices and size of a mask that `predict` wrote: a PNG whose palette has the classes' colors.
fn written(place: &Place, name: &str) -> (Vec<u8>, (u32, u32)) {
    let mut decoder = png::Decoder::new(std::io::Cursor::new(place.bytes(name)));
    decoder.set_transformations(png::Transformations::IDENTITY);
    let mut reader = decoder.read_info().expect("a PNG");
    let mut classes = vec![0; reader.output_buffer_size().expect("a size")];
    reader.next_frame(&mut classes).expect("a mask");
    let info = reader.info();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Indexed, png::BitDepth::Eight), "{name}");
    // Without colors in the data the palette is Pascal VOC's.
    assert_eq!(info.palette.as_deref(), Some(&[0, 0, 0, 128, 0, 0, 0, 128, 0][..]), "{name}");
    (classes, (info.width, info.height))
}

/// Counts from the masks that `predict` wrote for the validation scenes, without void.
fn counted(place: &Place, folder: &str, indices: std::ops::Range<u32>) -> Counts {
    let mut counts = Counts::default();
    for index in indices {
        let (predicted, size) = written(place, &format!("{folder}/{index:03}-mask.png"));
        let truth = mask(index, (32, 32));
        assert_eq!(size, truth.dimensions());
        let known = truth.iter().zip(predicted.iter()).filter(|(t, _)| **t != VOID);
        known.for_each(|(&t, &p)| counts[usize::from(t)][usize::from(p)] += 1);
    }
    counts
}

/// Intersection over union of each class.
fn ious(counts: &Counts) -> [f64; 3] {
    [0, 1, 2].map(|k| {
        let (truth, predicted) = (counts[k].iter().sum::<u64>(), counts.iter().map(|row| row[k]).sum::<u64>());
        counts[k][k] as f64 / (truth + predicted - counts[k][k]) as f64
    })
}

#[test]
fn a_segmentation_run_works_with_every_verb() {
    let place = Place::new();
    write(&place, "set", [24, 7]);
    let flags = "--epochs 12 --lr 0.02 --schedule cosine --out run";
    let outcome = place.run(&format!("train segment --data set {TINY} {flags}")).fine();
    outcome
        .printed(&[
            "24 training and 7 validation images",
            "classes: 3, from classes.toml",
            "masks:   ground (value 0), disc (value 1), bar (value 2)",
            "epoch 12/12",
        ])
        .printed(&["best validation mean IoU", "run/best.safetensors", "samples.png", "iou.csv"]);
    place.run("predict run set/val/images --out masks --device cpu").fine();
    let counts = counted(&place, "masks", 100..107);
    let mean = ious(&counts).iter().sum::<f64>() / 3.0;
    assert!(mean > 0.9, "the scenes are learned: mean IoU {mean}");
    run_directory(&place, &counts);
    checkpoint(&place);
    evaluation(&place, &counts);
    prediction(&place);
    explanations(&place);
    comparison(&place, mean);
    other_classes(&place);
}

fn run_directory(place: &Place, counts: &Counts) {
    let files = [
        "best.safetensors",
        "config.toml",
        "confusion.csv",
        "confusion.png",
        "curves.png",
        "curves.svg",
        "finished.safetensors",
        "gradcam.png",
        "iou.csv",
        "last.safetensors",
        "layers.csv",
        "metrics.csv",
        "metrics.jsonl",
        "run.json",
        "samples.png",
        "trust.json",
    ];
    assert_eq!(place.list("run"), files, "and no temporary file is left");
    for picture in ["confusion", "curves", "gradcam", "samples"] {
        is_a_figure(place, &format!("run/{picture}.png"));
    }
    let expected = ious(counts);
    let table = String::from_utf8(place.bytes("run/iou.csv")).expect("text");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "class,pixels,iou"));
    for (k, class) in CLASSES.iter().enumerate() {
        let pixels: u64 = counts[k].iter().sum();
        assert_eq!(lines[1 + k], format!("{class},{pixels},{:.4}", expected[k]));
    }
    let rows = place.metrics("run");
    assert_eq!(rows.iter().map(|row| row.epoch).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
    assert!(rows[11].train_loss < 0.5 * rows[0].train_loss, "{rows:?}");
    for score in [TRAIN_ACCURACY, MEAN_IOU, WEIGHTED_IOU, PIXEL_ACCURACY] {
        assert!(rows.iter().all(|row| row.score(&score).is_some_and(|v| (0.0..=1.0).contains(&v))), "{score:?}");
    }
}

fn checkpoint(place: &Place) {
    let file = place.checkpoint("run/last.safetensors");
    let said = |key: &str| file.metadata.get(key).map_or("nothing", String::as_str);
    for (key, value) in [
        ("task", "segment"),
        ("model", "unet"),
        ("depth", "2"),
        ("base", "4"),
        ("up", "transposed"),
        ("skips", "true"),
        ("image_size", "32"),
        ("classes", r#"["ground","disc","bar"]"#),
    ] {
        assert_eq!(said(key), value, "{key}");
    }
    let shape = |name: &str| file.tensors.get(name).unwrap_or_else(|| panic!("no {name}")).shape.clone();
    assert_eq!(shape("down0.conv1.weight"), [4, 3, 3, 3]);
    assert_eq!(shape("bottom.conv2.weight"), [16, 16, 3, 3]);
    // In PyTorch's transposed convolutions the input channels come first.
    assert_eq!(shape("up1.enlarge.weight"), [16, 8, 2, 2]);
    assert_eq!((shape("up0.conv1.weight"), shape("head.bias")), (vec![4, 8, 3, 3], vec![3]));
    let counter = &file.tensors["bottom.bn1.num_batches_tracked"].data;
    assert_eq!(*counter, TensorData::I64(vec![144]), "24 images in batches of 2, twelve times");
}

/// `eval` reports the scores of training, and those counted from the masks that `predict` wrote.
fn evaluation(place: &Place, counts: &Counts) {
    let outcome = place.run("eval run --data set --device cpu").fine().printed(&CLASSES).printed(&["7 images, loss"]);
    let mean = outcome.number_before(", weighted IoU");
    let best = place.metrics("run").iter().filter_map(|row| row.score(&MEAN_IOU)).fold(0.0, f64::max);
    assert!((mean - best).abs() < 5.1e-5, "{mean}, and {best} in the best epoch");
    let (ious, all) = (ious(counts), counts.iter().flatten().sum::<u64>() as f64);
    let weighted = (0..3).map(|k| ious[k] * counts[k].iter().sum::<u64>() as f64 / all).sum::<f64>();
    let right = (0..3).map(|k| counts[k][k]).sum::<u64>() as f64 / all;
    assert!((mean - ious.iter().sum::<f64>() / 3.0).abs() < 5.1e-5, "{mean}, the masks have {ious:?}");
    assert!((outcome.number_before(", pixel accuracy") - weighted).abs() < 5.1e-5, "the masks have {weighted}");
    assert!(outcome.stdout.contains(&format!("pixel accuracy {right:.4}")), "{right}: {}", outcome.stdout);
    // 7 images in batches of 3 and of 4: the padding of the last batch does not count.
    for part in ["val", "train"] {
        let eval = |batch: usize| {
            place.run(&format!("eval run --data set --split {part} --device cpu --batch-size {batch}")).fine().stdout
        };
        assert_eq!(eval(3), eval(4), "{part}");
        assert_eq!(eval(3), eval(32), "{part}");
    }
}

/// Seg-Grad-CAM and feature maps of an image of the size that the network takes; the fixture of PyTorch has the numbers of the maps.
fn explanations(place: &Place) {
    let explained = |flags: &str| {
        let outcome = place.run(&format!("predict run set/val/images/100.png --device cpu --json {flags}")).fine();
        let json: serde_json::Value = serde_json::from_str(&outcome.stdout).expect("an object");
        (json["explanation"].clone(), json["files"].as_array().map(Vec::len))
    };
    let (all, files) = explained("--explain --out cam");
    assert_eq!(files, Some(3), "mask, overlay and map");
    is_a_figure(place, "cam/100-gradcam.png");
    let (classes, _) = written(place, "cam/100-mask.png");
    let share = |class: u8| classes.iter().filter(|&&of| of == class).count() as f64 / classes.len() as f64;
    let of_class = |name: &str| share(CLASSES.iter().position(|class| *class == name).expect("a class") as u8);
    let (most, bar) = (all["class"].as_str().expect("a class"), explained("--explain --class bar --out bar").0);
    assert!(CLASSES.iter().all(|class| of_class(class) <= of_class(most)), "{most} has the most pixels: {all}");
    for (explanation, class) in [(&all, most), (&bar, "bar")] {
        assert_eq!((&explanation["class"], &explanation["layer"]), (&class.into(), &"bottom".into()));
        assert_eq!(explanation["share"], of_class(class), "{class}");
        let map: Vec<Vec<f64>> = serde_json::from_value(explanation["map"].clone()).expect("rows");
        assert!(map.iter().flatten().all(|&v| v >= 0.0), "{explanation}");
    }
    assert_ne!(all["map"], bar["map"], "each class has its own map");
    let (features, files) = explained("--explain features --layer down* --out maps");
    assert_eq!(files, Some(3));
    is_a_figure(place, "maps/100-features.png");
    let layers = features["layers"].as_array().expect("layers");
    assert!(layers.iter().all(|layer| layer["layer"].as_str().is_some_and(|name| name.starts_with("down"))));
    assert_eq!(layers[0]["layer"], "down0.conv1");
    assert_eq!((&layers[0]["height"], &layers[0]["width"]), (&32.into(), &32.into()));
    place
        .run("predict run set/val/images/100.png --device cpu --explain occlusion")
        .refused(&["a segmentation model has gradcam and features"]);
}

fn prediction(place: &Place) {
    place.folder("photos");
    for (name, size) in [("wide.png", (61, 22)), ("small.png", (21, 24)), ("wide.jpg", (40, 33))] {
        scene(3, size).save(place.path(&format!("photos/{name}"))).expect("writes an image");
    }
    place.folder("photos/deep");
    scene(3, (23, 22)).save(place.path("photos/deep/Small-2.png")).expect("writes an image");
    let outcome = place.run("predict run photos photos/small.png --out found --device cpu").fine();
    assert_eq!(outcome.stdout.lines().count(), 5, "a line an image");
    let names = ["Small-2", "small-3", "small", "wide-2", "wide"]
        .map(|name| [format!("{name}-mask.png"), format!("{name}-overlay.png")]);
    assert_eq!(place.list("found"), names.concat(), "names stay distinct without regard to case");
    // Of two images with the same name, the first in order keeps it: wide.jpg before wide.png.
    let sizes =
        [("wide-2", (61, 22)), ("wide", (40, 33)), ("small", (21, 24)), ("small-3", (21, 24)), ("Small-2", (23, 22))];
    for (name, size) in sizes {
        let (classes, own) = written(place, &format!("found/{name}-mask.png"));
        assert_eq!(own, size, "{name}: the image's own size");
        assert!(classes.iter().all(|&class| class < 3), "{name}");
        let overlay = image::open(place.path(&format!("found/{name}-overlay.png"))).expect("an overlay");
        assert_eq!((overlay.width(), overlay.height()), size);
    }
    let before = place.bytes("found/wide-mask.png");
    let line = "predict run photos/wide.png --out found --device cpu";
    place.run(line).refused(&["found exists already", "choose another folder"]);
    assert_eq!(place.bytes("found/wide-mask.png"), before);
    let json = place.run("predict run photos/wide.png --out again --json --device cpu").fine();
    let said: serde_json::Value = serde_json::from_str(&json.stdout).expect("a line of JSON");
    assert_eq!(said["classes"], serde_json::json!(CLASSES), "the meaning of a mask's values");
    let shares = said["shares"].as_object().expect("shares");
    assert!((shares.values().filter_map(serde_json::Value::as_f64).sum::<f64>() - 1.0).abs() < 1e-9, "{said}");
}

/// A worse run and a run of another task, compared with the first.
fn comparison(place: &Place, mean: f64) {
    let flags = "--epochs 1 --lr 0.001 --skips false --up bilinear --out worse";
    place.run(&format!("train segment --data set {TINY} {flags}")).fine();
    let outcome = place.run("compare run worse --data set --out side --device cpu").fine();
    assert_eq!(place.list("side"), ["classes.csv", "comparison.csv", "comparison.md", "comparison.png"]);
    is_a_figure(place, "side/comparison.png");
    let text = |name: &str| String::from_utf8(place.bytes(&format!("side/{name}"))).expect("text");
    let (table, markdown) = (text("comparison.csv"), text("comparison.md"));
    assert!(outcome.stdout.contains(markdown.trim_end()), "the table is shown too: {}", outcome.stdout);
    let row = |name: &str| {
        let line = table.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {table}"));
        line.split(',').map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(row("model"), ["model", "mean IoU", "weighted IoU", "pixel accuracy"]);
    assert_eq!(row("run")[1], format!("{mean:.3}"));
    let worse = place.run("eval worse --data set --device cpu").fine().number_before(", weighted IoU");
    assert!((row("worse")[1].parse::<f64>().expect("a number") - worse).abs() < 6e-4);
    assert!(worse < mean);
    assert_eq!(text("classes.csv").lines().next(), Some("model,ground,disc,bar"));
    place.run("compare run worse --data set --out side --device cpu").refused(&["side exists already"]);
    let outcome =
        place.run("compare run/best.safetensors run/last.safetensors --data set --out epochs --device cpu").fine();
    outcome.printed(&["| run/best.safetensors |", "| run/last.safetensors |"]);

    write_photos(place, "colors", [4, 2]);
    let colors = "train colorize --data colors --image-size 32x32 --base 2 --depth 1 --epochs 1 --device cpu";
    place.run(&format!("{colors} --out painter")).fine();
    let refusal =
        ["run and painter cannot be compared", "one was trained for the task `segment`, the other for `colorize`"];
    place.run("compare run painter --data set --device cpu").refused(&refusal);
    assert!(!place.has("runs"), "nothing is written for a comparison that is refused");
}

/// Data with as many classes under other names does not fit the network.
fn other_classes(place: &Place) {
    place.write("set/classes.toml", "classes = [\"ground\", \"ball\", \"bar\"]\n");
    let refusal = [r#"the data has the classes ["ground", "ball", "bar"]"#, r#"["ground", "disc", "bar"]"#];
    place.run("eval run --data set --device cpu").refused(&refusal);
    place.run("compare run worse --data set --device cpu").refused(&refusal);
}

/// The network overfits two scenes.
#[test]
fn a_network_learns_two_scenes_by_heart() {
    let place = Place::new();
    write(&place, "set", [2, 1]);
    let flags = "--auto false --epochs 60 --lr 0.05 --out run";
    place.run(&format!("train segment --data set {TINY} {flags}")).fine();
    let outcome = place.run("eval run/last.safetensors --data set --split train --device cpu").fine();
    let mean = outcome.number_before(", weighted IoU");
    assert!(mean > 0.95, "{}", outcome.stdout);
    let rows = place.metrics("run");
    assert!(rows[59].train_loss < 0.05, "{:?}", rows[59]);
}

/// Images without a counted pixel do not change the training loss.
#[test]
fn the_training_loss_ignores_images_without_counted_pixels() {
    let place = Place::new();
    write(&place, "some", [6, 1]);
    write(&place, "known", [3, 1]);
    for index in 3..6 {
        let void = image::GrayImage::from_pixel(32, 32, image::Luma([VOID]));
        void.save(place.path(&format!("some/train/masks/{index:03}.png"))).expect("writes a mask");
    }
    // The weights do not move and a batch is one image, so nothing else can differ.
    let flags =
        "--image-size 32x32 --base 4 --depth 2 --batch-size 1 --normalize none --device cpu --epochs 1 --lr 1e-30";
    let loss = |data: &str| {
        place.run(&format!("train segment --data {data} {flags} --out {data}-run")).fine();
        place.metrics(&format!("{data}-run"))[0].train_loss
    };
    let (some, known) = (loss("some"), loss("known"));
    assert!(known > 0.1 && (some - known).abs() < 1e-6, "{some} for {known}");
}

/// A model trained on crops takes pictures of any size: its scores are those of the masks that `predict` writes.
#[test]
fn a_model_of_crops_takes_pictures_at_their_own_size() {
    let place = Place::new();
    write(&place, "set", [6, 3]);
    for (index, size) in [(100, (61, 38)), (101, (33, 50))] {
        scene(index, size).save(place.path(&format!("set/val/images/{index}.png"))).expect("writes an image");
        mask(index, size).save(place.path(&format!("set/val/masks/{index}.png"))).expect("writes a mask");
    }
    let net = "--base 2 --depth 1 --batch-size 2 --device cpu --epochs 1 --lr 0.02";
    let flags = format!("--data set --crop 24x20 --scale 0.8..1.5 {net}");
    place.run(&format!("train segment {flags} --out run")).fine().printed(&["crops:   24x20 from pictures"]);
    place.run("train segment --config run/config.toml --out again").fine();
    assert_eq!(place.bytes("run/best.safetensors"), place.bytes("again/best.safetensors"));
    place.run("predict run set/val/images --out masks --device cpu").fine();
    let mut counts = Counts::default();
    for (index, size) in [(100, (61, 38)), (101, (33, 50)), (102, (32, 32))] {
        let (predicted, own) = written(&place, &format!("masks/{index}-mask.png"));
        assert_eq!(own, size);
        let truth = mask(index, size);
        let known = truth.iter().zip(&predicted).filter(|(t, _)| **t != VOID);
        known.for_each(|(&t, &p)| counts[usize::from(t)][usize::from(p)] += 1);
    }
    let mean = ious(&counts).iter().sum::<f64>() / 3.0;
    let eval = place.run("eval run --device cpu").fine().number_before(", weighted IoU");
    let trained = place.metrics("run")[0].score(&MEAN_IOU).expect("a score");
    assert!((eval - mean).abs() < 5.1e-5 && (trained - mean).abs() < 1e-9, "{mean} {eval} {trained}");
    // Tiles give nearly the score of the whole picture.
    let tiled = place.run("eval run --device cpu --tile 32x16").fine().number_before(", weighted IoU");
    assert!((tiled - mean).abs() < 0.1 && tiled > 0.0, "{tiled} for {mean}");
    place.run(&format!("train segment --data set --image-size 16x24 {net} --out small")).fine();
    let row = place.metrics("small").remove(0);
    assert!(row.score(&OWN_MEAN_IOU).is_some() && row.score(&MEAN_IOU).is_some(), "{row:?}");
    let outcome = place.run("compare run small --device cpu --out side").fine();
    outcome.printed(&["own-size mean IoU", "run at the pictures' own size, small at 16x24"]);
    place.run("eval small --device cpu --tile 32").refused(&["--tile 32x32", "trained with --crop"]);
    place.run(&format!("train segment {flags} --image-size 32 --out no")).refused(&["--image-size", "beside --crop"]);
    place.run("train segment --scale 0.5..2 --out no").refused(&["--scale 0.5..2: no effect without --crop"]);
}
