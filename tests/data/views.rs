//! Views of pictures at their own size: crops, resized crops and their masks in one resampling.

use std::sync::Arc;

use image::{GrayImage, RgbImage};
use shadegrad::data::augment::{Augment, Keeps, Op, Outside, Picture, Step, View};
use shadegrad::data::{
    Augmentation, Batch, ClassList, ClassificationDataset, ClassificationSource, CropSource, Crops, IGNORED, Inputs,
    Loader, LoaderOptions, MemoryClassification, MemorySegmentation, Normalization, Place, PrepareOptions,
    PreparedPairs, SegmentationDataset, Source, prepare, stretch_into,
};

const SIZE: (usize, usize) = (9, 12);

/// Pixels whose red and green name their row and column; the mask has the row plus the column, modulo 5.
fn numbered((height, width): (usize, usize)) -> (RgbImage, GrayImage) {
    let (h, w) = (height as u32, width as u32);
    let image = RgbImage::from_fn(w, h, |x, y| image::Rgb([(20 * y) as u8, (20 * x) as u8, 7]));
    (image, GrayImage::from_fn(w, h, |x, y| image::Luma([((x + y) % 5) as u8])))
}

fn seen(view: View) -> (Vec<u8>, Vec<u8>) {
    let (image, mask) = numbered(SIZE);
    let picture = Picture { size: SIZE, rgb: &image, mask: &mask };
    Augmentation::none().with_view(picture, view, 0, 0, |rgb, mask| (rgb.to_vec(), mask.to_vec()))
}

#[test]
fn an_unscaled_crop_copies_pixels() {
    for (at, top, left) in [((0.0, 0.0), 0, 0), ((1.0, 1.0), 4, 8), ((0.5, 0.25), 2, 2)] {
        let (rgb, mask) = seen(View::crop(SIZE, (5, 4), 1.0, at).on_pixels(SIZE));
        for (index, (pixel, class)) in rgb.chunks(3).zip(&mask).enumerate() {
            let (y, x) = (top + index / 4, left + index % 4);
            assert_eq!(
                (pixel, *class),
                (&[(20 * y) as u8, (20 * x) as u8, 7][..], ((x + y) % 5) as u8),
                "{at:?} {y} {x}"
            );
        }
    }
}

/// A picture that is smaller than the crop lies in it unchanged; the mask around it is ignored.
#[test]
fn pixels_beyond_the_picture_are_ignored() {
    let (rgb, mask) = seen(View::crop(SIZE, (13, 14), 1.0, (0.5, 0.5)).on_pixels(SIZE));
    for (index, (pixel, class)) in rgb.chunks(3).zip(&mask).enumerate() {
        let (y, x) = ((index / 14).wrapping_sub(2), (index % 14).wrapping_sub(1));
        match y < SIZE.0 && x < SIZE.1 {
            true => assert_eq!((pixel, *class), (&[(20 * y) as u8, (20 * x) as u8, 7][..], ((x + y) % 5) as u8)),
            false => assert_eq!(*class, IGNORED),
        }
    }
}

/// ```python
/// import numpy as np; from PIL import Image
/// y, x = np.mgrid[:40, :60]
/// v = np.stack([(x * 37 + y * 11) % 256, (x * y) % 256, (255 - 4 * x + y) % 256], -1).astype(np.uint8)
/// crop = Image.fromarray(v).resize((6, 4), Image.BILINEAR, box=(7.5, 3.25, 52.5, 36.25))
/// print(np.asarray(crop).ravel().tolist())
/// ```
#[test]
fn a_shrinking_crop_is_antialiased_as_in_pillow() {
    let size = (40, 60);
    let value = |x: usize, y: usize| [(x * 37 + y * 11) % 256, x * y % 256, (255 + y - 4 * x + 256) % 256];
    let rgb: Vec<u8> = (0..size.0).flat_map(|y| (0..size.1).flat_map(move |x| value(x, y).map(|v| v as u8))).collect();
    let [left, top, width, height] = [7.5, 3.25, 45.0, 33.0];
    let (w, h) = (size.1 as f64, size.0 as f64);
    let mut view = View::same((4, 6));
    let map = shadegrad::data::augment::Map::shift(w / 2.0 - left - width / 2.0, h / 2.0 - top - height / 2.0);
    view.map = map.then(shadegrad::data::augment::Map::scale(6.0 / width, 4.0 / height));
    let picture = Picture { size, rgb: &rgb, mask: &[] };
    let found = Augmentation::none().with_view(picture, view, 0, 0, |rgb, _| rgb.to_vec());
    let differ = found.iter().zip(PILLOW).map(|(a, b)| a.abs_diff(b)).max();
    assert!(differ <= Some(1), "{found:?}");
    // A slight rotation shows nearly the same, through another filter.
    view.map = view.map.then(shadegrad::data::augment::Map::rotation(0.01));
    let turned = Augmentation::none().with_view(picture, view, 0, 0, |rgb, _| rgb.to_vec());
    let mean: f64 = turned.iter().zip(PILLOW).map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>() / 72.0;
    assert!(mean < 8.0, "{mean}: {turned:?}");
}

const PILLOW: [u8; 72] = [
    128, 74, 219, 127, 118, 189, 126, 127, 159, 127, 124, 129, 128, 123, 99, 127, 124, 69, 126, 144, 226, 127, 131,
    197, 128, 125, 167, 129, 128, 137, 127, 128, 107, 127, 129, 77, 127, 135, 220, 128, 129, 205, 128, 127, 175, 128,
    125, 145, 127, 126, 115, 128, 128, 85, 128, 125, 195, 128, 127, 214, 127, 126, 184, 126, 130, 154, 128, 125, 124,
    128, 127, 94,
];

fn pairs() -> Arc<PreparedPairs> {
    let (images, masks): (Vec<_>, Vec<_>) = [(30, 40), (18, 25), (9, 12)].map(numbered).into_iter().unzip();
    let names = (0..5).map(|class| format!("class {class}")).collect();
    let classes = ClassList { names, palette: vec![[0; 3]; 5], ignored: String::new(), source: String::new() };
    let set = MemorySegmentation::new(images, masks, classes).expect("a set");
    let set = Arc::new(set) as Arc<dyn SegmentationDataset>;
    Arc::new(prepare(&[set], &PrepareOptions::new(8, 8), &|_, _| {}).expect("good images").remove(0))
}

fn batches(source: impl Source + 'static, threads: usize, epoch: u64) -> Vec<Batch> {
    let options = LoaderOptions { threads, ..LoaderOptions::new(2, 5) };
    let loader = Loader::new(Arc::new(source), options).expect("a loader");
    loader.epoch(epoch).expect("threads").collect::<Result<_, _>>().expect("batches")
}

/// Crops are `f(seed, epoch, sample)`: they depend neither on threads nor on whether pictures stay decoded.
#[test]
fn crops_depend_on_seed_epoch_and_sample_alone() {
    let crops = Crops { size: (16, 20), scale: [0.5, 2.0], place: Place::Random(9) };
    let augment = Augment::list(vec![Step::of(Op::FlipHorizontal)], Outside::Reflect).expect("in range");
    let how = augment.prepare(Keeps { mirror: true, color: true, erase: false }, 9);
    let source =
        |budget| CropSource::new(pairs(), Inputs::rgb(&Normalization::NONE), crops, budget).augmented(how.clone());
    let first = batches(source(0), 1, 3);
    for (budget, threads) in [(1 << 20, 1), (3000, 3)] {
        assert_eq!(batches(source(budget), threads, 3), first, "{budget} bytes, {threads} threads");
    }
    assert_ne!(batches(source(0), 1, 4)[0].images, first[0].images);
    let other = Crops { place: Place::Random(10), ..crops };
    let other = CropSource::new(pairs(), Inputs::rgb(&Normalization::NONE), other, 0).augmented(how.clone());
    assert_ne!(batches(other, 1, 3)[0].images, first[0].images);
    // The picture of 9x12 pixels, at most doubled, does not fill 16x20 pixels in every epoch.
    let ignored = (0..8).flat_map(|epoch| batches(source(0), 1, epoch)).flat_map(|batch| batch.labels);
    assert!(ignored.filter(|&label| label == u32::from(IGNORED)).count() > 100);
}

fn classes(images: Vec<RgbImage>) -> Arc<dyn ClassificationDataset> {
    let labels = (0..images.len() as u32).map(|index| index % 2).collect();
    let names = ["a", "b"].map(String::from).to_vec();
    Arc::new(MemoryClassification::new(images, labels, names).expect("a set"))
}

fn wave((height, width): (usize, usize)) -> RgbImage {
    let value = |x: u32, y: u32| [(x * 4) as u8, (y * 6) as u8, (255 - 2 * x - 3 * y) as u8];
    RgbImage::from_fn(width as u32, height as u32, |x, y| image::Rgb(value(x, y)))
}

fn pixels(batch: &Batch) -> Vec<i32> {
    batch.images.iter().map(|v| (v * 255.0).round() as i32).collect()
}

/// ```python
/// import numpy as np; from PIL import Image; from torchvision import transforms as T
/// y, x = np.mgrid[:40, :60]
/// v = np.stack([4 * x, 6 * y, 255 - 2 * x - 3 * y], -1).astype(np.uint8)
/// seen = T.CenterCrop(14)(T.Resize(16)(Image.fromarray(v)))
/// print(np.asarray(seen)[::13, ::13].ravel().tolist())
/// ```
#[test]
fn a_margin_is_torchvisions_resize_and_center_crop() {
    let options = PrepareOptions { margin: 16.0 / 14.0, ..PrepareOptions::square(14) };
    let image = wave((40, 60));
    let prepared = prepare(&[classes(vec![image.clone(), image])], &options, &|_, _| {}).expect("good").remove(0);
    let sample = prepared.sample(0).expect("in memory");
    let found: Vec<u8> = [0, 13]
        .iter()
        .flat_map(|y| [0, 13].map(|x| (y * 14 + x) * 3))
        .flat_map(|at| sample[at..at + 3].to_vec())
        .collect();
    assert!(found.iter().zip(TORCHVISION).all(|(a, b)| a.abs_diff(b) <= 1), "{found:?}");
}

const TORCHVISION: [u8; 12] = [53, 19, 219, 183, 19, 153, 53, 215, 122, 183, 215, 56];

/// A resized crop of an original picture. With the whole area it is the stretched picture; otherwise it is a rectangle
/// with the requested area, and the requested proportions in pixels.
#[test]
fn resized_crops_are_cut_from_the_whole_picture() {
    let image = wave((40, 60));
    let prepared = prepare(&[classes(vec![image.clone(), image.clone()])], &PrepareOptions::square(10), &|_, _| {});
    let prepared = Arc::new(prepared.expect("good").remove(0));
    let source = |area, ratio| {
        let list = Augment::list(vec![Step::of(Op::ResizedCrop { area, ratio })], Outside::Reflect).expect("in range");
        let how = list.prepare(Keeps { mirror: true, color: true, erase: true }, 4);
        ClassificationSource::new(prepared.clone(), &Normalization::NONE).augmented(how).from_originals(0)
    };
    let mut whole = vec![0; 300];
    stretch_into(&image, 10, 10, &mut whole);
    let found = batches(source([1.0; 2], [1.5; 2]), 1, 0).remove(0);
    let differ = pixels(&found)[..300].iter().zip(&whole).map(|(a, b)| a.abs_diff(i32::from(*b))).max();
    assert!(differ <= Some(1), "{differ:?}");
    let (mut lefts, mut areas) = (vec![], vec![]);
    for epoch in 0..20 {
        for sample in pixels(&batches(source([0.2, 0.4], [1.0; 2]), 1, epoch).remove(0)).chunks(300) {
            // Red is 4 a column, green 6 a row: their change over nine pixels gives the sides.
            let (width, height) = (f64::from(sample[27] - sample[0]) / 3.6, f64::from(sample[271] - sample[1]) / 5.4);
            assert!((width - height).abs() < 0.8, "a square of the picture's pixels: {width} {height}");
            areas.push(width * height / 2400.0);
            lefts.push(sample[0]);
        }
    }
    let (least, most) = areas.iter().fold((f64::MAX, 0.0), |(a, b): (f64, f64), &v| (a.min(v), b.max(v)));
    assert!(least > 0.17 && least < 0.26 && most > 0.33 && most < 0.43, "{least} {most}");
    // Beyond the central square of 40 pixels, which starts at column 10.
    assert!(lefts.iter().any(|&left| left < 36) && lefts.iter().any(|&left| left > 80), "{lefts:?}");
}
