//! Statistics and batches do not depend on the number of threads, and a defect does not end the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use shadegrad::data::{
    Batch, ClassificationDataset, ClassificationSource, DataError, Loader, LoaderOptions, Normalization,
    PrepareOptions, SampleLayout, SampleMut, Source, prepare, scenes::SceneDataset,
};

use crate::refused;

#[test]
fn statistics_are_exact() {
    let set: Arc<dyn ClassificationDataset> = Arc::new(SceneDataset::new(3, 40, 16));
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| prepare(&[Arc::clone(&set)], &PrepareOptions::square(16), &|_, _| ())).unwrap().remove(0)
    };
    let (one, four) = (at(1), at(4));
    assert_eq!(one.facts(), four.facts());
    let found = one.facts().normalization();
    for channel in 0..3 {
        let values: Vec<f64> = (0..40)
            .flat_map(|i| set.image(i).unwrap().pixels().map(|p| f64::from(p.0[channel]) / 255.0).collect::<Vec<_>>())
            .collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let std = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        assert!((f64::from(found.mean[channel]) - mean).abs() < 1e-6);
        assert!((f64::from(found.std[channel]) - std).abs() < 1e-6);
    }
}

fn scene_source(len: usize) -> Arc<dyn Source> {
    let set: Arc<dyn ClassificationDataset> = Arc::new(SceneDataset::new(1, len, 16));
    let prepared = prepare(&[set], &PrepareOptions::square(16), &|_, _| ()).unwrap().remove(0);
    Arc::new(ClassificationSource::new(Arc::new(prepared), &Normalization::IMAGENET))
}

fn batches(loader: &Loader, epoch: u64) -> Vec<Batch> {
    loader.epoch(epoch).unwrap().map(Result::unwrap).collect()
}

#[test]
fn batches_depend_on_seed_and_epoch_alone() {
    let source = scene_source(37);
    let loader = |threads, seed| {
        Loader::new(Arc::clone(&source), LoaderOptions { threads, ..LoaderOptions::new(8, seed) }).unwrap()
    };
    let (one, four) = (loader(1, 6), loader(4, 6));
    let first = batches(&one, 0);
    assert_eq!(first, batches(&four, 0), "bit for bit, with any number of threads");
    assert_eq!(first.iter().map(Batch::len).collect::<Vec<_>>(), [8, 8, 8, 8, 5]);
    assert_eq!(first[4].images.len(), 5 * 16 * 16 * 3);
    let order = |batches: &[Batch]| batches.iter().flat_map(|b| b.indices.clone()).collect::<Vec<_>>();
    let mut sorted = order(&first);
    sorted.sort_unstable();
    assert_eq!(sorted, (0..37).collect::<Vec<_>>());
    assert_ne!(order(&first), order(&batches(&one, 1)));
    assert_ne!(order(&first), order(&batches(&loader(1, 7), 0)));
    assert_eq!(first[2..], four.epoch_from(0, 2).unwrap().map(Result::unwrap).collect::<Vec<_>>());
    assert_eq!(one.epoch_from(0, 99).unwrap().count(), 0);
    // Recycled memory keeps no old values.
    for batch in batches(&four, 1) {
        four.recycle(batch);
    }
    assert_eq!(first, batches(&four, 0));
    let plain = LoaderOptions { shuffle: false, ..LoaderOptions::new(10, 6) };
    let plain = batches(&Loader::new(Arc::clone(&source), plain).unwrap(), 3);
    assert_eq!(order(&plain), (0..37).collect::<Vec<_>>());
    let image = SceneDataset::new(1, 37, 16).image(12).unwrap();
    let expected = (f32::from(image.get_pixel(3, 2).0[1]) / 255.0 - 0.456) / 0.224;
    assert_eq!(plain[1].images[2 * 768 + (2 * 16 + 3) * 3 + 1], expected);
    assert_eq!(plain[1].labels[2], 2);
    assert!(Loader::new(source, LoaderOptions::new(0, 1)).is_err());
}

/// Fails at one sample, panics at another, and finishes batch 3 only after batch 4 has begun.
#[derive(Default)]
struct Faulty {
    later_batch_begun: AtomicBool,
}

impl Source for Faulty {
    fn len(&self) -> usize {
        1000
    }
    fn layout(&self) -> SampleLayout {
        SampleLayout { image: 1, labels: 0, targets: 2 }
    }
    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        sample.image[0] = index as f32;
        sample.targets.fill(epoch as f32);
        match index {
            13 => Err(DataError::NotFound("13.png".into())),
            27 => panic!("on purpose"),
            39 => {
                while !self.later_batch_begun.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                Ok(())
            }
            49 => {
                self.later_batch_begun.store(true, Ordering::Relaxed);
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn errors_come_in_order_and_an_early_drop_ends_the_threads() {
    let options = LoaderOptions { shuffle: false, threads: 4, queue: 3, ..LoaderOptions::new(10, 0) };
    let loader = Loader::new(Arc::new(Faulty::default()), options).unwrap();
    let mut epoch = loader.epoch(2).unwrap();
    assert_eq!(epoch.len(), 100);
    assert_eq!(epoch.next().unwrap().unwrap().targets, [2.0; 20]);
    refused(epoch.next().unwrap(), &["13.png"]);
    refused(epoch.next().unwrap(), &["sample 27", "on purpose"]);
    assert_eq!(epoch.next().unwrap().unwrap().images[0], 30.0);
    drop(epoch);
    drop(loader.epoch(0).unwrap());
    assert_eq!(loader.epoch(1).unwrap().count(), 100);
}

/// Panics before any sample is loaded: in its layout, or when the memory of a batch is allocated.
struct Unsized(Option<usize>);

impl Source for Unsized {
    fn len(&self) -> usize {
        3
    }
    fn layout(&self) -> SampleLayout {
        SampleLayout { image: self.0.expect("no layout"), labels: 0, targets: 0 }
    }
    fn load(&self, _: u64, _: usize, _: SampleMut<'_>) -> Result<(), DataError> {
        Ok(())
    }
}

/// The reader must not wait for a batch whose thread has ended.
#[test]
fn a_panic_outside_of_a_sample_ends_no_thread() {
    for (image, threads, told) in [(None, 2, "no layout"), (Some(1 << 61), usize::MAX, "capacity overflow")] {
        let options = LoaderOptions { shuffle: false, threads, ..LoaderOptions::new(1, 0) };
        let loader = Loader::new(Arc::new(Unsized(image)), options).unwrap();
        let mut epoch = loader.epoch(0).unwrap();
        refused(epoch.next().unwrap(), &["sample 0", told]);
        assert_eq!(epoch.filter(Result::is_err).count(), 2, "the other batches report it too");
    }
}
