//! Tensors on the host, the form in which the library takes and returns values.

use crate::shape::Shape;

/// Values in logical order, the last axis fastest: images N H W C, convolution weights KH KW I O.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Length of each axis.
    pub shape: Shape,
    /// The values; their number is that of the shape's elements.
    pub values: Vec<f32>,
}

impl Tensor {
    /// A tensor of these values.
    ///
    /// # Panics
    /// When the number of values differs from the number of the shape's elements.
    pub fn new(shape: impl Into<Shape>, values: Vec<f32>) -> Self {
        let shape = shape.into();
        assert_eq!(shape.elements(), values.len(), "numbers of a tensor of the shape {shape}");
        Tensor { shape, values }
    }

    /// The rows along the last axis: for logits `[N,C]` the C values of each sample, for `[N,H,W,C]` those of each
    /// pixel.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.values.chunks_exact(self.shape.channels().max(1))
    }

    /// The index of the largest value of each row, the first among equals: the class of each sample or pixel.
    pub fn argmax(&self) -> Vec<usize> {
        let best = |row: &[f32]| (0..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best });
        self.rows().map(best).collect()
    }

    /// Softmax along the last axis: probabilities `e^x / Σ e^x` of logits.
    pub fn softmax(&self) -> Tensor {
        let probabilities = |row: &[f32]| {
            let top = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let e: Vec<f32> = row.iter().map(|&x| (x - top).exp()).collect();
            let sum: f32 = e.iter().sum();
            e.into_iter().map(move |e| e / sum).collect::<Vec<_>>()
        };
        Tensor { shape: self.shape.clone(), values: self.rows().flat_map(probabilities).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_a_class_and_probabilities() {
        let logits = Tensor::new([2, 3], vec![1.0, 3.0, 3.0, 1000.0, 0.0, -1000.0]);
        assert_eq!(logits.argmax(), [1, 0], "the first of equals");
        let p = logits.softmax();
        // 1 / (1 + 2 e²)
        assert!((p.values[0] - 0.063_378).abs() < 1e-6, "{p:?}");
        assert_eq!(p.values[3..], [1.0, 0.0, 0.0], "no overflow");
    }
}
