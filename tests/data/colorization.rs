//! Sets of color images: how they are found, prepared and converted to lightness and colors.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use image::{Rgb, RgbImage};
use shadegrad::data::{
    ColorSpace, ColorizationSource, DataError, ImageDataset, ImageSplits, PrepareOptions, SampleLayout, SampleMut,
    SetOptions, Source, cover_into, decode_file, open_images, prepare,
};

use crate::{picture, refused, save, temp};

fn open(root: &Path) -> Result<ImageSplits, DataError> {
    open_images(root, &SetOptions { val_split: 0.25, seed: 1, skip_bad: false })
}

fn sizes(splits: &ImageSplits) -> (usize, usize, Option<usize>) {
    (splits.train.len(), splits.val.len(), splits.test.as_ref().map(|t| t.len()))
}

fn names(set: &Arc<dyn ImageDataset>) -> Vec<String> {
    (0..set.len()).map(|i| set.name(i)).collect()
}

#[test]
fn images_are_found_in_parts_or_split() {
    let dir = temp();
    let fill = |folder: &str, count: usize| {
        for i in 0..count {
            save(&dir.path().join(folder).join(format!("{i}.png")), &picture(9, 7, i as u8));
        }
    };
    refused(open(dir.path()), &["0 images found", "at least 2"]);
    fill("cats", 4);
    fill("dogs/deep", 4);
    let splits = open(dir.path()).unwrap();
    assert_eq!(sizes(&splits), (6, 2, None));
    let mut all = [names(&splits.train), names(&splits.val)].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 8, "each image is in one part");
    fill("test", 2);
    refused(open(dir.path()), &["no train/ beside it"]);
    fill("Training/a", 3);
    assert_eq!(sizes(&open(dir.path()).unwrap()), (3, 2, None), "what is beside the parts does not count");
    fill("val", 1);
    assert_eq!(sizes(&open(dir.path()).unwrap()), (3, 1, Some(2)));
    fs::remove_file(dir.path().join("val/0.png")).unwrap();
    refused(open(dir.path()), &["validation part is empty"]);
}

#[test]
fn images_become_lightness_and_colors() {
    let dir = temp();
    for i in 0..4u8 {
        save(&dir.path().join(format!("train/{i}.png")), &picture(30, 20, 60 * i));
        save(&dir.path().join(format!("val/{i}.png")), &RgbImage::from_pixel(8, 8, Rgb([i * 50; 3])));
    }
    let splits = open(dir.path()).unwrap();
    let sets = [splits.train, splits.val];
    let prepared = prepare(&sets, &PrepareOptions::new(6, 12), &|_, _| ()).unwrap();
    assert_eq!((prepared[0].grey(), prepared[1].grey()), ([].as_slice(), [0, 1, 2, 3].as_slice()));
    let mut expected = vec![0; 6 * 12 * 3];
    cover_into(&decode_file(Path::new(&prepared[0].name(2))).unwrap(), 12, 6, &mut expected);
    assert_eq!(*prepared[0].sample(2).unwrap(), expected);
    let train = Arc::new({ prepared }.remove(0));
    for space in [ColorSpace::Lab, ColorSpace::Rgb] {
        let source = ColorizationSource::new(Arc::clone(&train), space);
        let channels = space.channels();
        assert_eq!(source.layout(), SampleLayout { image: 72, labels: 0, targets: 72 * channels });
        let (mut image, mut targets) = (vec![9.0; 72], vec![9.0; 72 * channels]);
        source.load(0, 2, SampleMut { image: &mut image, labels: &mut [], targets: &mut targets }).unwrap();
        assert_eq!(space.decode(&image, &targets), expected, "nothing is lost in {space:?}");
    }

    fs::write(dir.path().join("train/1.png"), b"no image").unwrap();
    refused(prepare(&sets, &PrepareOptions::new(6, 12), &|_, _| ()).map(|_| ()), &["1 of 8", "1.png: not an image"]);
    let grey = [Arc::clone(&sets[1])];
    refused(prepare(&grey, &PrepareOptions::new(6, 12), &|_, _| ()).map(|_| ()), &["all 4 training images are grey"]);
}

#[test]
fn covering_keeps_proportions() {
    // A disc stays round: its width equals its height in a frame of another shape.
    let disc = RgbImage::from_fn(90, 40, |x, y| {
        let (dx, dy) = (x as f32 - 44.5, y as f32 - 19.5);
        Rgb([if dx * dx + dy * dy < 225.0 { 255 } else { 0 }; 3])
    });
    let mut out = vec![0; 60 * 40 * 3];
    cover_into(&disc, 40, 60, &mut out);
    let bright = |x: usize, y: usize| out[(y * 40 + x) * 3] > 127;
    let wide = (0..40).filter(|&x| bright(x, 30)).count();
    let high = (0..60).filter(|&y| bright(20, y)).count();
    assert_eq!((wide, high), (40, 46), "scaled by 1.5: 45 across, of which the frame shows 40");
}
