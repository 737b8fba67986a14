//! Augmentation: the effect of each operation on pixels, equal maps of image and mask, and samples as functions of
//! their key.

use std::sync::Arc;

use shadegrad::data::augment::{
    AugmentError, BlurSpace, ColorMap, Keeps, Map, Op, Outside, Picture, Step, blur, mean_color, warp_image, warp_mask,
};
use shadegrad::data::scenes::{SceneDataset, SceneOptions, StreetDataset, StreetOptions};
use shadegrad::data::{
    Augment, Augmentation, Batch, ClassificationDataset, ClassificationSource, ColorSpace, ColorizationSource, IGNORED,
    ImageDataset, Loader, LoaderOptions, Normalization, PrepareOptions, SegmentationDataset, SegmentationSource,
    Source, prepare,
};
use shadegrad::run::ImageSize;
use shadegrad::tasks::segment::SegmentConfig;
use shadegrad::train::settings::TaskSettings;
use shadegrad::workflows::{PreviewOptions, preview};

/// Changes that keep the labels of a task: a class for an image, a class for each pixel, colors for each pixel.
const CLASSES: Keeps = Keeps { mirror: false, color: true, erase: true };
const MASKS: Keeps = Keeps { mirror: true, color: true, erase: false };
const COLORS: Keeps = Keeps { mirror: true, color: false, erase: false };

const SIZE: (usize, usize) = (24, 32);

/// A smooth picture without symmetry.
fn smooth((height, width): (usize, usize)) -> Vec<u8> {
    let value = |x: usize, y: usize, c: usize| {
        let (x, y, c) = (x as f64, y as f64, c as f64);
        (127.0 + 60.0 * (0.21 * x + c).sin() + 60.0 * (0.17 * y - 0.09 * x + 2.0 * c).cos()).round() as u8
    };
    let places = (0..height).flat_map(|y| (0..width).map(move |x| (x, y)));
    places.flat_map(|(x, y)| [0, 1, 2].map(|c| value(x, y, c))).collect()
}

fn warped(rgb: &[u8], map: Map, outside: Outside) -> Vec<u8> {
    let mut out = vec![0; rgb.len()];
    warp_image(rgb, SIZE, &map, (outside, [7, 8, 9]), &mut out);
    out
}

fn one(step: Step) -> Arc<Augmentation> {
    let list = Augment::list(vec![step], Outside::Reflect).expect("in range");
    list.prepare(CLASSES, 3).expect("something to do")
}

fn of(augmentation: &Augmentation, rgb: &[u8], epoch: u64, index: usize) -> Vec<u8> {
    augmentation.with(Picture { size: SIZE, rgb, mask: &[] }, epoch, index, |rgb, _| rgb.to_vec())
}

#[test]
fn no_steps_and_identity_maps_change_nothing() {
    assert!(Augment::NONE.prepare(MASKS, 1).is_none());
    assert!(Augment::list(vec![], Outside::Mean).expect("empty").prepare(MASKS, 1).is_none());
    let rgb = smooth(SIZE);
    for map in [Map::IDENTITY, Map::rotation(360.0), Map::scale(2.0, 0.5).then(Map::scale(0.5, 2.0))] {
        assert_eq!(warped(&rgb, map, Outside::Reflect), rgb);
    }
    let never = one(Step::of(Op::Rotate { degrees: 90.0 }).with_p(0.0));
    assert_eq!(of(&never, &rgb, 0, 0), rgb);
}

/// Bilinear interpolation in f64 at the point that the pixel was turned from, with the mirrored picture outside.
fn turned_at(rgb: &[u8], degrees: f64, (x, y): (usize, usize), c: usize) -> f64 {
    let (height, width) = SIZE;
    let (cx, cy) = ((width - 1) as f64 / 2.0, (height - 1) as f64 / 2.0);
    // With y up, a counter-clockwise turn by t turns (r, s) by t. The way back is a turn by -t.
    let t = -degrees.to_radians();
    let (r, s) = (x as f64 - cx, cy - y as f64);
    let (u, v) = (r * t.cos() - s * t.sin() + cx, cy - (r * t.sin() + s * t.cos()));
    let mirrored = |i: i64, n: i64| {
        if i < 0 {
            -1 - i
        } else if i >= n {
            2 * n - 1 - i
        } else {
            i
        }
    };
    let at = |x: i64, y: i64| {
        let (x, y) = (mirrored(x, width as i64), mirrored(y, height as i64));
        f64::from(rgb[3 * (y as usize * width + x as usize) + c])
    };
    let (x0, y0) = (u.floor(), v.floor());
    let (a, b) = (u - x0, v - y0);
    let (x0, y0) = (x0 as i64, y0 as i64);
    (1.0 - b) * ((1.0 - a) * at(x0, y0) + a * at(x0 + 1, y0))
        + b * ((1.0 - a) * at(x0, y0 + 1) + a * at(x0 + 1, y0 + 1))
}

#[test]
fn a_turned_picture_follows_the_formula() {
    let rgb = smooth(SIZE);
    for degrees in [10.0, -33.5, 90.0, 180.0] {
        let found = warped(&rgb, Map::rotation(degrees), Outside::Reflect);
        for (index, &byte) in found.iter().enumerate() {
            let (pixel, c) = (index / 3, index % 3);
            let expected = turned_at(&rgb, degrees, (pixel % SIZE.1, pixel / SIZE.1), c);
            assert!((f64::from(byte) - expected).abs() < 0.6, "{degrees}: {byte}, {expected} at {pixel}");
        }
    }
    // Counter-clockwise as seen: the right edge becomes the top.
    let mut dot = vec![0; rgb.len()];
    dot[3 * (11 * SIZE.1 + 20)] = 255;
    let top = warped(&dot, Map::rotation(90.0), Outside::Mean);
    let place = top.chunks(3).position(|p| p[0] > 60).expect("seen");
    assert!(place / SIZE.1 < 9, "row {}", place / SIZE.1);
    assert!(top.starts_with(&[7, 8, 9]), "outside is the mean color");
}

#[test]
fn flips_and_shifts_are_exact() {
    let rgb = smooth(SIZE);
    let (height, width) = SIZE;
    let from = |place: &dyn Fn(usize, usize) -> (usize, usize)| -> Vec<u8> {
        let places = (0..height).flat_map(|y| (0..width).map(move |x| place(x, y)));
        places.flat_map(|(x, y)| rgb[3 * (y * width + x)..3 * (y * width + x) + 3].to_vec()).collect()
    };
    assert_eq!(warped(&rgb, Map::scale(-1.0, 1.0), Outside::Mean), from(&|x, y| (width - 1 - x, y)));
    assert_eq!(warped(&rgb, Map::scale(1.0, -1.0), Outside::Mean), from(&|x, y| (x, height - 1 - y)));
    let right = warped(&rgb, Map::shift(2.0, 0.0), Outside::Reflect);
    assert_eq!(right, from(&|x, y| (if x < 2 { 1 - x } else { x - 2 }, y)));
    let flip = one(Step::of(Op::FlipHorizontal).with_p(1.0));
    assert_eq!(of(&flip, &rgb, 0, 0), from(&|x, y| (width - 1 - x, y)));
    // The order of a list is the order of the operations: a shift to the right, then a counter-clockwise turn.
    let both = Map::shift(3.0, 0.0).then(Map::rotation(90.0));
    let other = Map::rotation(90.0).then(Map::shift(0.0, -3.0));
    assert!(both.0.iter().zip(other.0).all(|(a, b)| (a - b).abs() < 1e-9), "{both:?} {other:?}");
}

#[test]
fn mask_and_image_move_alike() {
    // Classes as grey levels. The image shows a class unmixed if all four neighbors have it.
    let (height, width) = SIZE;
    let mask: Vec<u8> = (0..height * width).map(|i| ((i % width) / 8 + 4 * ((i / width) / 8)) as u8).collect();
    let rgb: Vec<u8> = mask.iter().flat_map(|&class| [20 * class; 3]).collect();
    let steps = [
        Op::ResizedCrop { area: [0.4, 1.0], ratio: [0.75, 1.3] },
        Op::Rotate { degrees: 40.0 },
        Op::Stretch { share: 0.3 },
        Op::Crop { padding: 5 },
        Op::FlipHorizontal,
        Op::FlipVertical,
    ];
    let list = Augment::list(steps.map(Step::of).to_vec(), Outside::Reflect).expect("in range");
    let augmentation = list.prepare(MASKS, 9).expect("something to do");
    let (mut agree, mut differ, mut ignored) = (0, 0, 0);
    for index in 0..60 {
        augmentation.with(Picture { size: SIZE, rgb: &rgb, mask: &mask }, 2, index, |rgb, mask| {
            for (pixel, &class) in rgb.chunks_exact(3).zip(mask) {
                match class {
                    IGNORED => ignored += 1,
                    _ if pixel[0] == 20 * class => agree += 1,
                    _ => differ += 1,
                }
            }
        });
    }
    // Of the pixels, 20 to 25 % are between two classes 8 pixels wide and are mixtures.
    assert!(agree > 3 * differ && ignored > 500, "{agree} agree, {differ} on borders, {ignored} ignored");
    // Away from borders they agree everywhere: pixels whose whole neighborhood has one class.
    let map = Map::rotation(21.0).then(Map::scale(0.9, 0.8));
    let (mut image, mut labels) = (vec![0; rgb.len()], vec![0; mask.len()]);
    warp_image(&rgb, SIZE, &map, (Outside::Mean, [255; 3]), &mut image);
    warp_mask(&mask, SIZE, &map, &mut labels);
    let mut inner = 0;
    for y in 1..height - 1 {
        for x in 1..width - 1 {
            let around = |i: usize| {
                [i - 1, i, i + 1, i - width, i + width, i - width - 1, i - width + 1, i + width - 1, i + width + 1]
            };
            let here = y * width + x;
            if labels[here] != IGNORED && around(here).iter().all(|&i| labels[i] == labels[here]) {
                assert_eq!(image[3 * here], 20 * labels[here], "at {x}, {y}");
                inner += 1;
            }
        }
    }
    assert!(inner > 100, "{inner}");
}

#[test]
fn blur_is_gaussian_and_keeps_the_mean() {
    let mut rgb = smooth(SIZE);
    let before = mean_color(&rgb);
    blur(&mut rgb, SIZE, 1.7, &mut BlurSpace::default());
    for (a, b) in before.iter().zip(mean_color(&rgb)) {
        assert!((a - b).abs() < 0.1, "{a} {b}");
    }
    let mut point = vec![0; rgb.len()];
    let middle = 12 * SIZE.1 + 15;
    point[3 * middle + 1] = 255;
    blur(&mut point, SIZE, 1.0, &mut BlurSpace::default());
    // exp(-k²/2) for k = 0 to 3, divided by its sum over -3..=3.
    let g = [0.399_050_28, 0.242_036_23, 0.054_005_58, 0.004_433_05_f64];
    for (dx, dy) in [(0, 0), (1, 0), (0, 1), (1, 1), (2, 0), (2, 1)] {
        let expected = 255.0 * g[dx] * g[dy];
        let found = f64::from(point[3 * (middle + dx + dy * SIZE.1) + 1]);
        assert!((found - expected).abs() < 0.6, "{dx} {dy}: {found}, {expected}");
    }
    assert!(point.iter().enumerate().all(|(i, &v)| i % 3 == 1 || v == 0), "channels do not mix");
    // A kernel wider than the picture, and one of width 0.
    let mut tiny = vec![10, 20, 30, 50, 60, 70];
    blur(&mut tiny, (1, 2), 10.0, &mut BlurSpace::default());
    assert_eq!(tiny, [30, 40, 50, 30, 40, 50]);
    let plain = smooth(SIZE);
    let mut same = plain.clone();
    blur(&mut same, SIZE, 0.0, &mut BlurSpace::default());
    assert_eq!(same, plain);
}

#[test]
fn colors_change_as_named() {
    let rgb = smooth(SIZE);
    let changed = |map: ColorMap| {
        let mut out = rgb.clone();
        map.apply(&mut out);
        out
    };
    for map in [ColorMap::hue(0.0), ColorMap::hue(360.0), ColorMap::saturation(1.0), ColorMap::brightness(1.0)] {
        assert_eq!(changed(map), rgb);
    }
    assert_eq!(changed(ColorMap::hue(120.0).then(ColorMap::hue(-120.0))), rgb);
    assert_eq!(changed(ColorMap::contrast(1.0, [90.0; 3])), rgb);
    // In W3C's feColorMatrix, hueRotate of 90 degrees has 0.213 - 0.213 = 0 first, and 0.213 + 0.143 below it.
    let matrix = ColorMap::hue(90.0).matrix;
    for (found, expected) in [(matrix[0][0], 0.0), (matrix[1][0], 0.356), (matrix[0][2], 1.0), (matrix[2][1], 1.43)] {
        assert!((found - expected).abs() < 1e-6, "{found} {expected}");
    }
    let grey = ColorMap::saturation(0.0).of([200.0, 100.0, 50.0]);
    let lightness = 0.213 * 200.0 + 0.715 * 100.0 + 0.072 * 50.0;
    assert!(grey.iter().all(|v| (v - lightness).abs() < 1e-3), "{grey:?}");
    let grey = ColorMap::hue(77.0).of([99.0; 3]);
    assert!(grey.iter().all(|v| (v - 99.0).abs() < 1e-2), "{grey:?}");
    assert_eq!(ColorMap::contrast(0.5, [100.0; 3]).of([60.0, 100.0, 140.0]).map(f32::round), [80.0, 100.0, 120.0]);
    let mut clipped = [200, 10, 0];
    ColorMap::brightness(2.0).apply(&mut clipped);
    assert_eq!(clipped, [255, 20, 0]);
}

#[test]
fn erasing_hides_a_rectangle_of_image_and_mask() {
    let augmentation = one(Step::of(Op::Erase { area: [0.1, 0.1], ratio: [1.0, 1.0] }).with_p(1.0));
    let (rgb, mask) = (smooth(SIZE), vec![3; SIZE.0 * SIZE.1]);
    let mean = mean_color(&rgb).map(|v| v.round() as u8);
    augmentation.with(Picture { size: SIZE, rgb: &rgb, mask: &mask }, 0, 5, |found, labels| {
        let hidden = labels.iter().filter(|&&l| l == IGNORED).count();
        assert_eq!(hidden, 81, "9 x 9 of 768 pixels");
        for (i, &label) in labels.iter().enumerate() {
            let expected = if label == IGNORED { &mean[..] } else { &rgb[3 * i..3 * i + 3] };
            assert_eq!(&found[3 * i..3 * i + 3], expected);
        }
    });
}

#[test]
fn drawn_amounts_follow_probabilities_and_ranges() {
    let blurred = one(Step::of(Op::Blur { sigma: [0.5, 2.0] }).with_p(0.2));
    let sigmas: Vec<f32> = (0..10_000).map(|i| blurred.draw(SIZE, [0.0; 3], 1, i).sigma).filter(|&s| s > 0.0).collect();
    assert!((1_850..2_150).contains(&sigmas.len()), "{}", sigmas.len());
    let mean = sigmas.iter().sum::<f32>() / sigmas.len() as f32;
    assert!(sigmas.iter().all(|s| (0.5..2.0).contains(s)) && (mean - 1.25).abs() < 0.05, "{mean}");
    let turned = one(Step::of(Op::Rotate { degrees: 10.0 }));
    let angles: Vec<f64> = (0..5_000).map(|i| turned.draw(SIZE, [0.0; 3], 1, i).map.0[3].asin().to_degrees()).collect();
    let (low, high) = angles.iter().fold((0.0f64, 0.0f64), |(l, h), &a| (l.min(a), h.max(a)));
    assert!((-10.0..-9.9).contains(&low) && (9.9..=10.0).contains(&high), "{low} {high}");
    assert!((angles.iter().sum::<f64>() / 5_000.0).abs() < 0.3);
    // A crop shows nothing from outside.
    let cropped = one(Step::of(Op::ResizedCrop { area: [0.1, 1.0], ratio: [0.5, 2.0] }));
    for index in 0..2_000 {
        let [a, _, c, _, e, f] = cropped.draw(SIZE, [0.0; 3], 1, index).map.0;
        assert!(a * 16.0 + c.abs() < 16.001 && e * 12.0 + f.abs() < 12.001, "{a} {c} {e} {f}");
        assert!((0.0999..1.0001).contains(&(a * e)) && (0.4999..2.0001).contains(&(a / e)), "{a} {e}");
    }
}

fn sources(augment: &Augment, seed: u64) -> [Arc<dyn Source>; 3] {
    let how = |purpose| augment.prepare(purpose, seed);
    let scenes = SceneOptions { seed: 1, count: 20, side: 16 };
    let scenes: Arc<dyn ClassificationDataset> = Arc::new(SceneDataset::new(scenes));
    let streets = || Arc::new(StreetDataset::new(StreetOptions { seed: 1, count: 20, height: 24, width: 32 }));
    let size = PrepareOptions::new(24, 32);
    let prepared = prepare(&[scenes], &PrepareOptions::square(16), &|_, _| ()).expect("scenes").remove(0);
    let pairs: Arc<dyn SegmentationDataset> = streets();
    let pairs = prepare(&[pairs], &size, &|_, _| ()).expect("streets").remove(0);
    let images: Arc<dyn ImageDataset> = streets();
    let images = prepare(&[images], &size, &|_, _| ()).expect("streets").remove(0);
    [
        Arc::new(ClassificationSource::new(prepared.into(), &Normalization::NONE).augmented(how(CLASSES))),
        Arc::new(SegmentationSource::new(pairs.into(), &Normalization::NONE).augmented(how(MASKS))),
        Arc::new(ColorizationSource::new(images.into(), ColorSpace::Lab).augmented(how(COLORS))),
    ]
}

#[test]
fn samples_depend_on_seed_epoch_and_index_alone() {
    let read = |source: &Arc<dyn Source>, threads, epoch| -> Vec<Batch> {
        let options = LoaderOptions { threads, shuffle: false, ..LoaderOptions::new(6, 0) };
        let loader = Loader::new(Arc::clone(source), options).expect("a loader");
        loader.epoch(epoch).expect("threads").map(|batch| batch.expect("a batch")).collect()
    };
    let plain = sources(&Augment::NONE, 4);
    for augment in [Augment::LIGHT, Augment::STRONG, Augment::TRIVIAL] {
        let (these, others) = (sources(&augment, 4), sources(&augment, 5));
        for ((source, other), plain) in these.iter().zip(&others).zip(&plain) {
            let first = read(source, 1, 3);
            assert_eq!(first, read(source, 5, 3), "with any number of threads");
            assert_ne!(first, read(source, 1, 4), "another epoch");
            assert_ne!(first, read(other, 1, 3), "another seed");
            assert_ne!(first, read(plain, 1, 3));
            assert_eq!(read(plain, 2, 3), read(plain, 1, 4), "no change without augmentation");
        }
    }
}

#[test]
fn lists_read_back_and_invalid_lists_are_refused() {
    let read = |text: &str| {
        let folder = crate::temp();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, text).expect("writes");
        SegmentConfig::from_file(&path).map_err(|e| e.to_string())
    };
    let list = "[{ rotate = 10 }, { stretch = 0.1, p = 0.5 }, { crop = 4 }, { resized_crop = 0.5, ratio = [0.8, 1.25] }, \
        { flip = \"horizontal\" }, { flip = \"vertical\", p = 0.1 }, { brightness = 0.2 }, { contrast = 0.3 }, \
        { saturation = 0.1 }, { hue = 20 }, { blur = [0.1, 1.0], p = 0.2 }, { erase = 0.2 }, { trivial = 0.5 }, \
        { rand = 3, magnitude = 12 }, { outside = \"mean\" }]";
    let config = read(&format!("augment = {list}")).expect("valid");
    assert_eq!(config.augment, list.parse().expect("the same on the command line"));
    let steps = config.augment.steps(CLASSES);
    assert_eq!(steps[3].op, Op::ResizedCrop { area: [0.5, 1.0], ratio: [0.8, 1.25] });
    assert_eq!((steps.len(), steps[1].p, steps[4].p), (14, 0.5, 0.5));
    assert_eq!(read(&config.to_toml().expect("TOML")).expect("reads back"), config);
    assert_eq!(config.augment.to_string().parse::<Augment>().expect("reads back"), config.augment);
    for name in ["none", "light", "strong", "trivial"] {
        let config = read(&format!("augment = \"{name}\"")).expect(name);
        assert_eq!(
            (config.augment.to_string(), read(&config.to_toml().expect("TOML")).as_ref()),
            (name.into(), Ok(&config))
        );
    }
    for (entry, parts) in [
        ("rotate = 400", ["rotate = 400", "0 to 180"]),
        ("rotate = nan", ["rotate = NaN", "0 to 180"]),
        ("rotate = \"far\"", ["rotate = \"far\"", "a number"]),
        ("stretch = 0.9", ["stretch = 0.9", "0 to 0.5"]),
        ("crop = 0", ["crop = 0", "1 to 1024"]),
        ("crop = 1.5", ["crop = 1.5", "1 to 1024"]),
        ("resized_crop = [0.9, 0.5]", ["resized_crop = [0.9, 0.5]", "least <= most"]),
        ("resized_crop = 0.5, ratio = 0", ["ratio = [0, 0]", "0.1 <= least"]),
        ("flip = \"both\"", ["flip = \"both\"", "horizontal"]),
        ("brightness = -0.1", ["brightness = -0.1", "0 to 1"]),
        ("hue = 181", ["hue = 181", "0 to 180"]),
        ("blur = [1, 2, 3]", ["blur = [1, 2, 3]", "[least, most]"]),
        ("blur = 11", ["blur = [0, 11]", "0 to 10"]),
        ("erase = 0", ["erase = [0, 0]", "0 < least"]),
        ("blur = 1, p = 1.5", ["p = 1.5", "0 to 1"]),
        ("trivial = 2", ["trivial = 2", "0 to 1"]),
        ("rand = 9", ["rand = 9", "1 to 4"]),
        ("rand = 2, magnitude = 31", ["magnitude = 31", "0 to 30"]),
        ("blur = 1, magnitude = 3", ["keys", "magnitude with rand"]),
        ("spin = 3", ["keys spin", "rotate"]),
        ("rotate = 1, blur = 1", ["keys", "one of"]),
        ("rotate = 1, ratio = 1", ["keys", "ratio with resized_crop"]),
        ("outside = \"black\"", ["outside = \"black\"", "mean"]),
        ("hue = 1 }, { hue = 2", ["entry 3", "twice"]),
        ("", ["no key", "one of"]),
    ] {
        let message = read(&format!("augment = [{{ saturation = 0.1 }}, {{ {entry} }}]")).expect_err(entry);
        assert!(parts.iter().all(|part| message.contains(part)) && message.contains("entry"), "{entry}: {message}");
        assert!(message.contains("run.toml") && message.contains("line 1"), "{message}");
    }
    for text in ["\"medium\"", "3", "[1, 2]"] {
        let message = read(&format!("augment = {text}")).expect_err(text);
        assert!(message.contains("augment"), "{message}");
    }
    for text in ["medium", "[1]", "[{ rotate = ", "[]\nepochs = 1"] {
        assert!(text.parse::<Augment>().is_err(), "{text}");
    }
    let step = Step::of(Op::Hue { degrees: 5.0 });
    let twice = Augment::list(vec![step, step], Outside::Reflect).expect_err("twice");
    assert_eq!(twice, AugmentError::Twice { place: 2, key: "hue" });
}

#[test]
fn a_preview_shows_samples_of_every_task() {
    for task in shadegrad::tasks::tasks() {
        let image_size = Some(ImageSize { height: 48, width: 48 });
        let of = |augment| PreviewOptions { image_size, samples: 2, epochs: 2, ..PreviewOptions::new(task, augment) };
        let (plain, changed) =
            (preview(&of(Augment::NONE)).expect("draws"), preview(&of(Augment::STRONG)).expect("draws"));
        assert_eq!(plain.height(), changed.height());
        assert_ne!(plain, changed, "{}", task.name());
    }
    let image_size = Some(ImageSize { height: 48, width: 64 });
    let options =
        PreviewOptions { image_size, ..PreviewOptions::new(&shadegrad::tasks::classify::Classify, Augment::LIGHT) };
    let message = preview(&options).expect_err("no square").to_string();
    assert!(message.contains("48x64") && message.contains("square"), "{message}");
}
