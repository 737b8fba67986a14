//! Values that are read when first needed, and kept while a number of bytes lasts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use super::DataError;

/// One slot for each value. A value that no longer fits is read at each use.
pub(crate) struct Kept<T> {
    slots: Vec<OnceLock<Arc<T>>>,
    /// Bytes that may still be kept.
    left: AtomicU64,
}

impl<T> Kept<T> {
    /// `count` empty slots that keep at most `budget` bytes together.
    pub fn new(count: usize, budget: u64) -> Self {
        Self { slots: (0..count).map(|_| OnceLock::new()).collect(), left: AtomicU64::new(budget) }
    }

    /// Value `index`, from its slot or from `read`. `bytes` is the size of a value.
    ///
    /// # Errors
    /// Errors of `read`.
    pub fn get(
        &self,
        index: usize,
        bytes: impl FnOnce(&T) -> u64,
        read: impl FnOnce() -> Result<T, DataError>,
    ) -> Result<Arc<T>, DataError> {
        if let Some(kept) = self.slots[index].get() {
            return Ok(Arc::clone(kept));
        }
        let value = Arc::new(read()?);
        self.offer(index, bytes(&value), || Arc::clone(&value));
        Ok(value)
    }

    /// Value `index`, if it is kept.
    pub fn held(&self, index: usize) -> Option<&T> {
        self.slots.get(index)?.get().map(|value| &**value)
    }

    /// Keeps value `index`, if `bytes` bytes are free for it. Where two threads offer the same value, one copy is kept.
    pub fn offer(&self, index: usize, bytes: u64, value: impl FnOnce() -> Arc<T>) {
        let fits = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes)).is_ok();
        if fits && self.slots[index].set(value()).is_err() {
            self.left.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_kept_while_the_bytes_last() {
        let (kept, reads) = (Kept::new(3, 10), AtomicU64::new(0));
        let get = |index: usize, bytes: u64| {
            let read = || Ok(10 * index as u64 + reads.fetch_add(1, Ordering::Relaxed));
            *kept.get(index, |_| bytes, read).unwrap()
        };
        // 6 of 10 bytes are kept, 5 more do not fit, 4 do.
        assert_eq!([get(0, 6), get(0, 6), get(1, 5), get(1, 5), get(2, 4), get(2, 4)], [0, 0, 11, 12, 23, 23]);
        assert_eq!(reads.into_inner(), 4);
        assert_eq!([0, 1, 2, 3].map(|index| kept.held(index).copied()), [Some(0), None, Some(23), None]);
        let failed = kept.get(1, |_| 1, || Err(DataError::NothingLeft { checked: 1, bad: vec![] }));
        assert!(failed.is_err());
    }
}
