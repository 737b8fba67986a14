//! Buffers of the CPU engine.

use std::ops::{Deref, DerefMut};

use crate::exec::twin::Real;

/// Bytes of a cache line, and of the longest vector. Reading a vector that lies in two lines takes twice the time.
/// Allocators start large buffers 16 bytes after the start of a page.
pub(super) const LINE: usize = 64;

/// Numbers that start at a cache line.
pub(super) struct Aligned<T> {
    memory: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Real> Aligned<T> {
    /// `len` zeros.
    pub fn zeros(len: usize) -> Self {
        let memory = vec![T::zero(); len + LINE / size_of::<T>()];
        let start = memory.as_ptr().align_offset(LINE).min(LINE / size_of::<T>());
        Aligned { memory, start, len }
    }

    /// Enlarges the buffer to at least `len` numbers and keeps its content; new numbers are 0.
    pub fn grow(&mut self, len: usize) {
        if len > self.len {
            let mut grown = Self::zeros(len);
            grown[..self.len].copy_from_slice(self);
            *self = grown;
        }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.memory[self.start..][..self.len]
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.memory[self.start..][..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_start_at_a_line_and_grow_with_what_they_hold() {
        for len in [0, 1, 15, 64, 1000, 1 << 20] {
            let mut buffer = Aligned::<f32>::zeros(len);
            assert_eq!((buffer.as_ptr() as usize % LINE, buffer.len()), (0, len));
            buffer.fill(1.0);
            buffer.grow(len / 2);
            assert_eq!(buffer.len(), len, "it does not shrink");
            buffer.grow(2 * len + 1);
            assert_eq!((buffer.as_ptr() as usize % LINE, buffer.len()), (0, 2 * len + 1));
            assert!(buffer[..len].iter().all(|&v| v == 1.0) && buffer[len..].iter().all(|&v| v == 0.0), "{len}");
        }
    }
}
