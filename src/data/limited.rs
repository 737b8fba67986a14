//! A part of a source, for small trials.

use std::sync::Arc;

use super::{DataError, Identity, SampleLayout, SampleMut, Source};
use crate::random::{op, shuffle};

/// Some samples of a source, in its order.
struct Limited {
    inner: Arc<dyn Source>,
    indices: Vec<usize>,
}

/// At most `limit` samples of a source, drawn by `seed`. They keep their order.
pub fn limited(source: Arc<dyn Source>, limit: Option<usize>, seed: u64) -> Arc<dyn Source> {
    let Some(limit) = limit.filter(|limit| *limit < source.len()) else { return source };
    let mut indices: Vec<usize> = (0..source.len()).collect();
    shuffle(&mut indices, seed, 0, op::LIMIT);
    indices.truncate(limit);
    indices.sort_unstable();
    Arc::new(Limited { inner: source, indices })
}

impl Source for Limited {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn layout(&self) -> SampleLayout {
        self.inner.layout()
    }

    fn identity(&self, index: usize) -> Option<Identity> {
        self.inner.identity(self.indices[index])
    }

    fn classes_of(&self, index: usize) -> Option<Vec<u32>> {
        self.inner.classes_of(self.indices[index])
    }

    fn load(&self, epoch: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
        self.inner.load(epoch, self.indices[index], sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Samples whose label is their number.
    struct Numbers(usize);

    impl Source for Numbers {
        fn len(&self) -> usize {
            self.0
        }

        fn layout(&self) -> SampleLayout {
            SampleLayout { image: 0, labels: 1, targets: 0 }
        }

        fn classes_of(&self, index: usize) -> Option<Vec<u32>> {
            Some(vec![index as u32 % 2])
        }

        fn load(&self, _: u64, index: usize, sample: SampleMut<'_>) -> Result<(), DataError> {
            sample.labels[0] = index as u32;
            Ok(())
        }
    }

    fn labels(limit: Option<usize>, seed: u64) -> Vec<u32> {
        let source = limited(Arc::new(Numbers(1000)), limit, seed);
        let label = |index: usize| {
            let mut label = [0];
            source.load(3, index, SampleMut { image: &mut [], labels: &mut label, targets: &mut [] }).unwrap();
            assert_eq!(source.classes_of(index), Some(vec![label[0] % 2]), "sample and class belong together");
            label[0]
        };
        (0..source.len()).map(label).collect()
    }

    #[test]
    fn a_limit_draws_by_the_seed_and_keeps_the_order() {
        let drawn = labels(Some(100), 7);
        assert_eq!(drawn.len(), 100);
        assert!(drawn.windows(2).all(|pair| pair[0] < pair[1]), "{drawn:?}");
        // A uniform draw: the mean of 100 of 0 to 999 deviates from 499.5 by 29 (one standard deviation).
        let mean = f64::from(drawn.iter().sum::<u32>()) / 100.0;
        assert!((mean - 499.5).abs() < 100.0, "{mean}");
        assert_eq!(drawn, labels(Some(100), 7));
        assert_ne!(drawn, labels(Some(100), 8));
        assert_eq!(labels(None, 7).len(), 1000);
        assert_eq!(labels(Some(1000), 7), labels(None, 7));
    }
}
