//! Memory for samples that are read once and used often.

use rayon::prelude::*;

use super::{BadImage, DataError};

/// Samples of equal length that could be read, in memory if they fit.
pub(crate) struct Store {
    /// Bytes of a sample.
    length: usize,
    /// Index in the data set of each kept sample.
    pub kept: Vec<usize>,
    /// Kept samples one after another.
    samples: Option<Vec<u8>>,
    /// Faults of the other samples.
    pub bad: Vec<BadImage>,
}

impl Store {
    /// Reads samples `0..count` on all cores: `fill` writes sample `index` into its `length` bytes. Also returns the
    /// results of `fill` for the kept samples, in their order.
    ///
    /// # Errors
    /// Errors of `fill` other than [`DataError::BadImage`], which are collected.
    pub fn read<T: Send>(
        count: usize,
        length: usize,
        budget: u64,
        fill: impl Fn(usize, &mut [u8]) -> Result<T, DataError> + Sync,
    ) -> Result<(Self, Vec<T>), DataError> {
        let mut samples = reserve(count, length, budget);
        let outcomes: Vec<Result<T, DataError>> = match &mut samples {
            Some(samples) if length > 0 => {
                samples.par_chunks_exact_mut(length).enumerate().map(|(index, slot)| fill(index, slot)).collect()
            }
            _ => {
                let indices = (0..count).into_par_iter();
                indices.map_init(|| vec![0; length], |scratch, index| fill(index, scratch)).collect()
            }
        };
        let mut store = Self { length, kept: Vec::new(), samples, bad: Vec::new() };
        let mut results = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(result) => {
                    store.keep(index);
                    results.push(result);
                }
                Err(DataError::BadImage(bad)) => store.bad.push(bad),
                Err(other) => return Err(other),
            }
        }
        let left = store.kept.len() * length;
        if let Some(samples) = &mut store.samples {
            samples.truncate(left);
        }
        Ok((store, results))
    }

    fn keep(&mut self, index: usize) {
        let (length, place) = (self.length, self.kept.len());
        if let Some(samples) = &mut self.samples
            && place != index
        {
            // Closes the gap of bad samples.
            samples.copy_within(index * length..(index + 1) * length, place * length);
        }
        self.kept.push(index);
    }

    /// Kept sample `index`, if samples are in memory.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.samples.as_ref().map(|samples| &samples[index * self.length..(index + 1) * self.length])
    }

    /// Whether samples are in memory.
    pub fn in_memory(&self) -> bool {
        self.samples.is_some()
    }

    /// Bytes held.
    pub fn bytes(&self) -> u64 {
        self.samples.as_ref().map_or(0, |samples| samples.len() as u64)
    }
}

/// Memory for all samples, if budget and machine have it.
fn reserve(count: usize, length: usize, budget: u64) -> Option<Vec<u8>> {
    let bytes = count.checked_mul(length).filter(|&bytes| bytes as u64 <= budget)?;
    let mut samples = Vec::new();
    samples.try_reserve_exact(bytes).ok()?;
    samples.resize(bytes, 0);
    Some(samples)
}

/// Refuses bad samples unless `skip_bad`, and always data sets without good samples. `stores` are the parts with their
/// numbers of samples.
pub(crate) fn settle(stores: &[(&Store, usize)], skip_bad: bool) -> Result<(), DataError> {
    let bad: Vec<BadImage> = stores.iter().flat_map(|(store, _)| store.bad.iter().cloned()).collect();
    if !bad.is_empty() && !skip_bad {
        return Err(DataError::BadImages { checked: stores.iter().map(|(_, count)| count).sum(), bad });
    }
    match stores.iter().find(|(store, _)| store.kept.is_empty()) {
        Some((store, count)) => Err(DataError::NothingLeft { checked: *count, bad: store.bad.clone() }),
        None => Ok(()),
    }
}
