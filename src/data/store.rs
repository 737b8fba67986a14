//! Memory for samples that are read once and used often.

use std::sync::Arc;

use rayon::prelude::*;

use super::kept::Kept;
use super::{BadImage, DataError};

/// When samples come into memory.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Memory {
    /// All samples at the first reading.
    First,
    /// Each sample at its first use, while this number of bytes lasts.
    OnDemand(u64),
}

/// Samples of equal length that could be read.
pub(crate) struct Store {
    /// Bytes of a sample.
    length: usize,
    /// Index in the data set of each kept sample.
    pub kept: Vec<usize>,
    /// Kept samples one after another, if they came into memory at the first reading.
    samples: Option<Vec<u8>>,
    /// Kept samples that came into memory at their first use.
    used: Kept<Vec<u8>>,
    /// Faults of the other samples.
    pub bad: Vec<BadImage>,
}

impl Store {
    /// Reads samples `0..count` on all cores: `fill` writes sample `index` into its `length` bytes. Also returns the
    /// results of `fill` for the kept samples, each with its place among them.
    ///
    /// # Errors
    /// Errors of `fill` other than [`DataError::BadImage`], which are collected.
    pub fn read<T: Send>(
        count: usize,
        length: usize,
        memory: Memory,
        fill: impl Fn(usize, &mut [u8]) -> Result<T, DataError> + Sync,
    ) -> Result<(Self, Vec<(usize, T)>), DataError> {
        let mut samples = match memory {
            Memory::First => reserve(count, length),
            Memory::OnDemand(_) => None,
        };
        let outcomes: Vec<Result<T, DataError>> = match &mut samples {
            Some(samples) if length > 0 => {
                samples.par_chunks_exact_mut(length).enumerate().map(|(index, slot)| fill(index, slot)).collect()
            }
            _ => {
                let indices = (0..count).into_par_iter();
                indices.map_init(|| vec![0; length], |scratch, index| fill(index, scratch)).collect()
            }
        };
        let mut store = Self { length, kept: Vec::new(), samples, used: Kept::new(0, 0), bad: Vec::new() };
        let mut results = Vec::new();
        for (index, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Ok(result) => {
                    results.push((store.kept.len(), result));
                    store.keep(index);
                }
                Err(DataError::BadImage(bad)) => store.bad.push(bad),
                Err(other) => return Err(other),
            }
        }
        let left = store.kept.len() * length;
        match &mut store.samples {
            Some(samples) => samples.truncate(left),
            None => store.used = Kept::new(store.kept.len(), memory.on_demand()),
        }
        Ok((store, results))
    }

    /// Keeps samples `0..count`, and reads those at `places` on all cores, as [`Self::read`]. Each sample comes into
    /// memory at its first use, while `budget` bytes last.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn sampled<T: Send>(
        count: usize,
        length: usize,
        budget: u64,
        places: &[usize],
        fill: impl Fn(usize, &mut [u8]) -> Result<T, DataError> + Sync,
    ) -> Result<(Self, Vec<(usize, T)>), DataError> {
        let read = |scratch: &mut Vec<u8>, &index: &usize| fill(index, scratch).map(|result| (index, result));
        let outcomes: Vec<Result<_, DataError>> =
            places.par_iter().map_init(|| vec![0; length], |scratch, index| read(scratch, index)).collect();
        let used = Kept::new(count, budget);
        let mut store = Self { length, kept: (0..count).collect(), samples: None, used, bad: Vec::new() };
        let mut results = Vec::with_capacity(outcomes.len());
        for outcome in outcomes {
            match outcome {
                Ok(result) => results.push(result),
                Err(DataError::BadImage(bad)) => store.bad.push(bad),
                Err(other) => return Err(other),
            }
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

    /// Kept sample `index`, if it came into memory at the first reading.
    pub fn first(&self, index: usize) -> Option<&[u8]> {
        self.samples.as_ref().map(|samples| &samples[index * self.length..(index + 1) * self.length])
    }

    /// Kept sample `index`, if it is in memory.
    pub fn get(&self, index: usize) -> Option<&[u8]> {
        self.first(index).or_else(|| self.used.held(index).map(Vec::as_slice))
    }

    /// Takes kept sample `index` into memory at its first use, if there is room.
    pub fn offer(&self, index: usize, sample: &[u8]) {
        self.used.offer(index, sample.len() as u64, || Arc::new(sample.to_vec()));
    }

    /// Whether all samples came into memory at the first reading.
    pub fn in_memory(&self) -> bool {
        self.samples.is_some()
    }
}

impl Memory {
    /// Bytes of samples that are kept at their first use.
    fn on_demand(self) -> u64 {
        match self {
            // The machine had no room for all of them.
            Memory::First => 0,
            Memory::OnDemand(bytes) => bytes,
        }
    }
}

/// Memory for all samples, if the machine has it.
fn reserve(count: usize, length: usize) -> Option<Vec<u8>> {
    let bytes = count.checked_mul(length)?;
    let mut samples = Vec::new();
    samples.try_reserve_exact(bytes).ok()?;
    samples.resize(bytes, 0);
    Some(samples)
}

/// Refuses bad samples unless `skip_bad`, and always data sets without good samples. `stores` are the parts with the
/// numbers of samples that were read.
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
