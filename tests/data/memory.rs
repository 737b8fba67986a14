//! Data in memory: pictures and values without files.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use shadegrad::data::{
    ClassificationDataset, ClassificationSource, Loader, LoaderOptions, MemoryClassification, MemorySamples,
    Normalization, PrepareOptions, Splits, prepare,
};
use shadegrad::image::{DynamicImage, GrayImage, RgbImage, Rgba, RgbaImage};
use shadegrad::tasks::classify::{self, ClassifyConfig};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[test]
fn pictures_of_any_kind_and_size_reach_the_loader_with_their_labels() {
    let grey = DynamicImage::ImageLuma8(GrayImage::from_pixel(3, 5, [51].into()));
    let red = DynamicImage::ImageRgb8(RgbImage::from_pixel(4, 4, [255, 0, 0].into()));
    let glass = DynamicImage::ImageRgba8(RgbaImage::from_pixel(2, 2, Rgba([0, 0, 0, 0])));
    let data =
        MemoryClassification::new([grey, red, glass], vec![0, 1, 1], names(&["dark", "bright"])).expect("it fits");
    let data: Arc<dyn ClassificationDataset> = Arc::new(data);
    let parts = prepare(&[data], &PrepareOptions::square(2), &|_, _| {}).expect("it is prepared");
    let source = ClassificationSource::new(Arc::new(parts.into_iter().next().expect("a part")), &Normalization::NONE);
    let options = LoaderOptions { shuffle: false, ..LoaderOptions::new(2, 0) };
    let loader = Loader::new(Arc::new(source), options).expect("a loader");
    let batches: Vec<_> = loader.epoch(0).expect("an epoch").map(|batch| batch.expect("a batch")).collect();
    assert_eq!(batches.iter().map(|b| b.labels.clone()).collect::<Vec<_>>(), [vec![0, 1], vec![1]]);
    assert_eq!(batches[0].images[..12], [0.2; 12], "grey");
    assert_eq!(batches[0].images[12..15], [1.0, 0.0, 0.0], "red");
    assert_eq!(batches[1].images, [1.0; 12], "transparent pixels are white");
}

#[test]
fn values_with_any_number_of_channels_reach_the_loader() {
    let images: Vec<f32> = (0..3 * 2 * 2 * 5).map(|i| i as f32).collect();
    let samples = MemorySamples::new([2, 2, 5], images.clone()).expect("whole images");
    let samples = samples.with_labels((0..12).collect()).expect("a label a pixel").with_targets(vec![1.0, 2.0, 3.0]);
    let loader = Loader::new(Arc::new(samples.expect("a target each")), LoaderOptions::new(2, 7)).expect("a loader");
    let mut seen = vec![];
    for batch in loader.epoch(0).expect("an epoch") {
        let batch = batch.expect("a batch");
        for (slot, &index) in batch.indices.iter().enumerate() {
            assert_eq!(batch.images[slot * 20..][..20], images[index * 20..][..20]);
            assert_eq!(batch.labels[slot * 4..][..4], [0, 1, 2, 3].map(|p| index as u32 * 4 + p));
            assert_eq!(batch.targets[slot], index as f32 + 1.0);
            seen.push(index);
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, [0, 1, 2]);
}

#[test]
fn data_of_the_wrong_size_is_refused_with_the_right_size() {
    let images = || vec![RgbImage::new(2, 2), RgbImage::new(2, 2)];
    let refused = |labels: Vec<u32>, classes: &[&str], words: &str| {
        let error = MemoryClassification::new(images(), labels, names(classes)).expect_err(words).to_string();
        assert!(error.contains(words), "{error}");
    };
    refused(vec![0], &["a", "b"], "1 for 2 images");
    refused(vec![0, 2], &["a", "b"], "2 for image 1 of 2 classes");
    refused(vec![0, 0], &["a"], "at least 2 names");
    let error = MemorySamples::new([2, 2, 3], vec![0.0; 13]).expect_err("13 numbers").to_string();
    assert!(error.contains("13 numbers for images of [2, 2, 3]"), "{error}");
    let samples = MemorySamples::new([1, 1, 1], vec![0.0; 2]).expect("two images");
    assert!(samples.with_labels(vec![0, 1, 1]).expect_err("3 labels").to_string().contains("3 for 2 images"));
    let [a, b] = [["x", "y"], ["x", "z"]].map(|classes| {
        let data = MemoryClassification::new(images(), vec![0, 1], names(&classes)).expect("it fits");
        assert_eq!(data.class_names().len(), 2);
        data
    });
    assert!(Splits::in_memory(a, b).expect_err("other classes").to_string().contains("the same names"));
}

#[test]
fn images_in_memory_train_in_the_common_loop() {
    let part = |seed: u8, count: u32| {
        // Dark and bright squares.
        let shade = |i: u32| if i.is_multiple_of(2) { 40 + seed } else { 200 + seed };
        let images = (0..count).map(|i| RgbImage::from_pixel(9, 9, [shade(i); 3].into()));
        let labels = (0..count).map(|i| i % 2).collect();
        MemoryClassification::new(images.collect::<Vec<_>>(), labels, names(&["dark", "bright"])).expect("it fits")
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let config = ClassifyConfig {
        out: Some(folder.path().join("run")),
        image_size: 8,
        batch_size: 4,
        epochs: 2,
        device: "cpu".into(),
        ..ClassifyConfig::default()
    };
    let splits = Splits::in_memory(part(0, 12), part(5, 4)).expect("the same classes");
    let stop = AtomicBool::new(false);
    let outcome = classify::train_on(splits, &config, &(), &stop).expect("it trains");
    assert_eq!(outcome.rows.len(), 2);
    assert!(outcome.run.join("best.safetensors").is_file());
    let facts = std::fs::read_to_string(outcome.run.join("metrics.csv")).expect("a history");
    assert_eq!(facts.lines().count(), 3, "{facts}");
}
