//! The samples of one training step.

/// The samples of one step. Each field holds them one after another.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// Images `[N,H,W,C]`, normalized as the network expects them.
    pub images: Vec<f32>,
    /// Class indices: `[N]` of images, `[N,H,W]` of pixels, or empty.
    pub labels: Vec<u32>,
    /// Target values: `[N,H,W,C]` or `[N,C]`, or empty.
    pub targets: Vec<f32>,
    /// Index of each sample in its data set.
    pub indices: Vec<usize>,
}

impl Batch {
    /// `samples` images without labels, for prediction.
    pub fn new(samples: usize, images: Vec<f32>) -> Self {
        Batch { images, indices: (0..samples).collect(), ..Batch::default() }
    }

    /// Images `[N,H,W,C]` with one class index for each.
    pub fn labeled(images: Vec<f32>, labels: Vec<u32>) -> Self {
        Batch::new(labels.len(), images).with_labels(labels)
    }

    /// Adds class indices, `[N]` or `[N,H,W]`.
    pub fn with_labels(self, labels: Vec<u32>) -> Self {
        Batch { labels, ..self }
    }

    /// Adds target values, `[N,H,W,C]` or `[N,C]`.
    pub fn with_targets(self, targets: Vec<f32>) -> Self {
        Batch { targets, ..self }
    }

    /// Samples `range` of the batch.
    #[cfg(feature = "tasks")]
    pub(crate) fn part(&self, range: std::ops::Range<usize>) -> Batch {
        fn of<T: Copy>(values: &[T], samples: usize, range: &std::ops::Range<usize>) -> Vec<T> {
            let each = values.len() / samples.max(1);
            values[range.start * each..range.end * each].to_vec()
        }
        let samples = self.len();
        Batch {
            images: of(&self.images, samples, &range),
            labels: of(&self.labels, samples, &range),
            targets: of(&self.targets, samples, &range),
            indices: of(&self.indices, samples, &range),
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}
