//! Statistics and batches do not depend on the number of threads, and a defect does not end the process.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use image::{ImageBuffer, Luma};
use shadegrad::data::{
    Batch, ClassificationDataset, ClassificationSource, DataError, Loader, LoaderOptions, Normalization,
    PrepareOptions, SAMPLED, SampleLayout, SampleMut, Source, Splits, prepare,
    scenes::{SceneDataset, SceneOptions},
};
use shadegrad::internals::random::shuffled;
use tempfile::TempDir;

use crate::refused;

#[test]
fn statistics_are_exact() {
    let set: Arc<dyn ClassificationDataset> =
        Arc::new(SceneDataset::new(SceneOptions { seed: 3, count: 40, side: 16 }));
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
    let set: Arc<dyn ClassificationDataset> =
        Arc::new(SceneDataset::new(SceneOptions { seed: 1, count: len, side: 16 }));
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
    let image = SceneDataset::new(SceneOptions { seed: 1, count: 37, side: 16 }).image(12).unwrap();
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
    for (image, threads, printed) in [(None, 2, "no layout"), (Some(1 << 61), usize::MAX, "capacity overflow")] {
        let options = LoaderOptions { shuffle: false, threads, ..LoaderOptions::new(1, 0) };
        let loader = Loader::new(Arc::new(Unsized(image)), options).unwrap();
        let mut epoch = loader.epoch(0).unwrap();
        refused(epoch.next().unwrap(), &["sample 0", printed]);
        assert_eq!(epoch.filter(Result::is_err).count(), 2, "the other batches report it too");
    }
}

/// 700 files of 8x8 in class folders: 600 training and 100 validation images. `replace` changes a training image that
/// is not in the sample of those that are read before training.
fn many(replace: impl Fn(&Path)) -> (TempDir, Splits) {
    let dir = crate::temp();
    for number in 0..700u32 {
        let part = if number < 600 { "train" } else { "val" };
        let path = dir.path().join(format!("{part}/{}/{number:03}.png", ["a", "b"][number as usize % 2]));
        crate::save(&path, &crate::picture(8, 8, (number % 251) as u8));
    }
    let splits = crate::open(dir.path()).unwrap();
    replace(splits.train.path(shuffled(600, 0, 0)[SAMPLED]).unwrap());
    (dir, splits)
}

#[test]
fn a_set_beyond_the_budget_is_read_on_demand() {
    let (_dir, splits) = many(|_| ());
    let sets = [splits.train, splits.val];
    let first = PrepareOptions::square(8);
    // 700 samples of 192 bytes do not fit.
    let on_demand = PrepareOptions { memory_budget: 700 * 192 - 1, ..first.clone() };
    let calls = AtomicUsize::new(0);
    let count = |_: usize, total: usize| {
        assert_eq!(total, SAMPLED + 100);
        calls.fetch_add(1, Ordering::Relaxed);
    };
    let whole = prepare(&sets, &first, &|_, _| ()).unwrap();
    let parts = prepare(&sets, &on_demand, &count).unwrap();
    assert_eq!(calls.into_inner(), SAMPLED + 100);
    assert_eq!([parts[0].is_sampled(), parts[1].is_sampled(), whole[0].is_sampled()], [true, false, false]);
    assert_eq!([parts[0].len(), parts[0].own_sizes().len(), parts[1].len()], [600, SAMPLED, 100]);
    assert_eq!(parts[0].facts().pixels, (SAMPLED * 64) as u64);
    assert_eq!(parts[1].facts(), whole[1].facts());
    let [expected, found] = [&whole, &parts].map(|parts| parts[0].facts().normalization());
    for channel in 0..3 {
        assert!((expected.mean[channel] - found.mean[channel]).abs() < 0.02, "{expected:?} {found:?}");
    }
    assert_eq!(*parts[0].facts(), *prepare(&sets, &on_demand, &|_, _| ()).unwrap()[0].facts(), "the same sample");
    // The second reading finds kept samples.
    for _ in 0..2 {
        for (whole, part) in whole.iter().zip(&parts) {
            (0..whole.len()).for_each(|i| assert_eq!(whole.sample(i).unwrap(), part.sample(i).unwrap()));
        }
    }
    // With `skip_bad`, all images are read first, because bad ones are left out.
    let skipping = PrepareOptions { skip_bad: true, ..on_demand };
    assert_eq!(prepare(&sets, &skipping, &|_, _| ()).unwrap()[0].facts(), whole[0].facts());
}

#[test]
fn an_image_that_is_read_on_demand_and_contradicts_the_sample_is_refused() {
    let budget = PrepareOptions { memory_budget: 0, ..PrepareOptions::square(8) };
    let source = |splits: Splits| {
        let prepared = prepare(&[splits.train, splits.val], &budget, &|_, _| ()).unwrap().remove(0);
        ClassificationSource::new(Arc::new(prepared), &Normalization::NONE)
    };
    let errors = |source: &dyn Source| -> Vec<String> {
        let load = |index: usize| {
            let (mut image, mut labels) = (vec![0.0; 192], vec![0]);
            source.load(1, index, SampleMut { image: &mut image, labels: &mut labels, targets: &mut [] })
        };
        (0..source.len()).filter_map(|index| load(index).err()).map(|error| error.to_string()).collect()
    };
    let broken = |path: &Path| std::fs::write(path, b"no image").unwrap();
    let dark = |path: &Path| {
        ImageBuffer::from_fn(8, 8, |x, y| Luma([(x * 500 + y) as u16])).save(path).unwrap();
    };
    for (replace, printed) in [(&broken as &dyn Fn(&Path), "not an image"), (&dark, "12 bits")] {
        let (_dir, splits) = many(replace);
        let name = splits.train.describe(shuffled(600, 0, 0)[SAMPLED]);
        let errors = errors(&source(splits));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].contains(&name) && errors[0].contains(printed), "{errors:?}");
    }
}
