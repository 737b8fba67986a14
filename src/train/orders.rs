//! Orders of rank 0 to the other ranks.

use crate::ranks::{RankError, Ranks, Wait, broadcast};

/// An order of rank 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Order {
    /// Begin an epoch after its first `first` batches.
    Epoch {
        /// Epoch, from 1.
        epoch: u64,
        /// Batches that are done.
        first: u64,
    },
    /// Train on the next batch.
    Step(StepOrder),
    /// Compare the weights.
    Compare {
        /// Epoch, from 1.
        epoch: u64,
        /// Optimizer step, from 1.
        step: u64,
    },
    /// Compute this rank's part of an evaluation.
    Evaluate,
    /// Training has ended.
    End {
        /// Whether it was interrupted.
        interrupted: bool,
    },
}

/// A batch, as rank 0 orders it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct StepOrder {
    /// Number of the batch in the epoch, from 0.
    pub index: usize,
    /// Learning rate.
    pub lr: f64,
    /// Optimizer step, from 1.
    pub step: u64,
    /// Whether gradients of earlier batches are added.
    pub more: bool,
    /// Whether it ends an optimizer step.
    pub last: bool,
}

/// Number of words in the message of an order.
pub(super) const WORDS: usize = 6;

impl Order {
    fn words(self) -> [u64; WORDS] {
        match self {
            Order::Epoch { epoch, first } => [0, epoch, first, 0, 0, 0],
            Order::Step(StepOrder { index, lr, step, more, last }) => {
                [1, index as u64, lr.to_bits(), step, more.into(), last.into()]
            }
            Order::Compare { epoch, step } => [2, epoch, step, 0, 0, 0],
            Order::End { interrupted } => [3, interrupted.into(), 0, 0, 0, 0],
            Order::Evaluate => [4, 0, 0, 0, 0, 0],
        }
    }

    pub(super) fn of(words: [u64; WORDS]) -> Self {
        match words {
            [0, epoch, first, ..] => Order::Epoch { epoch, first },
            [1, index, lr, step, more, last] => {
                let (index, lr) = (index as usize, f64::from_bits(lr));
                Order::Step(StepOrder { index, lr, step, more: more > 0, last: last > 0 })
            }
            [2, epoch, step, ..] => Order::Compare { epoch, step },
            [4, ..] => Order::Evaluate,
            [_, interrupted, ..] => Order::End { interrupted: interrupted > 0 },
        }
    }
}

/// Sends an order to the other ranks.
///
/// # Errors
/// When a rank does not answer.
pub(super) fn order(ranks: &dyn Ranks, order: Order) -> Result<(), RankError> {
    if ranks.size() == 1 {
        return Ok(());
    }
    broadcast(ranks, bytemuck::cast_slice_mut(&mut order.words()), Wait::Timeout)
}

#[cfg(test)]
mod tests {
    use super::{Order, StepOrder};

    #[test]
    fn orders_are_read_as_they_were_given() {
        let step = StepOrder { index: 7, lr: 1.5e-3, step: 9, more: true, last: false };
        let epoch = Order::Epoch { epoch: 3, first: 5 };
        let end = Order::End { interrupted: true };
        for order in [epoch, Order::Step(step), Order::Compare { epoch: 1, step: 2 }, Order::Evaluate, end] {
            assert_eq!(Order::of(order.words()), order);
        }
    }
}
