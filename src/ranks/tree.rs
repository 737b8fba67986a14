//! Sums over shards along a fixed binary tree. Floating-point addition is not associative. The tree fixes the order,
//! whichever rank computes a shard.
//!
//! A node is a range of shards. The root is the range of all shards; a node of more than one shard splits at the
//! largest power of two below its length. The sum of a node is the sum of its left part plus the sum of its right part.
//!
//! ```text
//!           0..6
//!        ┌────┴────┐
//!       0..4      4..6
//!      ┌──┴──┐   ┌─┴─┐
//!     0..2  2..4 4   5
//!     ┌┴┐   ┌┴┐
//!     0 1   2 3
//! ```

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

/// A node of the tree, and its sum.
pub type Node = (Range<usize>, Vec<f32>);

/// Where a node splits into two.
fn split(node: &Range<usize>) -> usize {
    node.start + node.len().next_power_of_two() / 2
}

/// Whether two neighboring ranges are the two parts of a node of the tree over `shards` shards.
fn are_parts(shards: usize, left: &Range<usize>, right: &Range<usize>) -> bool {
    let mut node = 0..shards;
    while node.len() > 1 {
        let middle = split(&node);
        if node.start == left.start && node.end == right.end {
            return left.end == middle && right.start == middle;
        }
        node = if right.end <= middle { node.start..middle } else { middle..node.end };
        if left.start < node.start || right.end > node.end {
            return false;
        }
    }
    false
}

/// Number of values that one thread adds up or divides at a time.
pub(super) const SPAN: usize = 1 << 16;

/// The threads that add up vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The calling thread alone: it does not wait for threads that compute a shard.
    Calling,
    /// All threads.
    All,
}

/// The sum of two vectors, in the allocation of an owned one.
fn added<'a>(left: Cow<'a, [f32]>, right: Cow<'a, [f32]>, threads: Threads) -> Cow<'a, [f32]> {
    // a + b and b + a have the same bits.
    let (mut sum, more) = match (left, right) {
        (Cow::Borrowed(left), Cow::Owned(right)) => (right, Cow::Borrowed(left)),
        (left, right) => (left.into_owned(), right),
    };
    let add = |(sum, more): (&mut [f32], &[f32])| sum.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
    match threads == Threads::All && sum.len() > SPAN {
        true => sum.par_chunks_mut(SPAN).zip(more.par_chunks(SPAN)).for_each(add),
        false => add((&mut sum, &more)),
    }
    Cow::Owned(sum)
}

/// A sum of vectors along the tree. Nodes are added from left to right, each shard once.
#[derive(Clone, Debug)]
pub struct TreeSum<'a> {
    shards: usize,
    threads: Threads,
    /// Nodes that wait for their sibling.
    nodes: Vec<(Range<usize>, Cow<'a, [f32]>)>,
}

impl<'a> TreeSum<'a> {
    /// A sum over this number of shards.
    pub fn new(shards: usize, threads: Threads) -> Self {
        TreeSum { shards, threads, nodes: vec![] }
    }

    /// Adds the sum of a node, such as one shard. Two nodes with the same parent are added up.
    pub fn add(&mut self, mut node: Range<usize>, values: impl Into<Cow<'a, [f32]>>) {
        let mut values = values.into();
        while let Some((left, sum)) = self.nodes.pop_if(|(left, _)| are_parts(self.shards, left, &node)) {
            node.start = left.start;
            values = added(sum, values, self.threads);
        }
        self.nodes.push((node, values));
    }

    /// The sum so far, with the values of each node at positions `at`.
    pub fn at(&self, at: Range<usize>) -> TreeSum<'_> {
        let nodes = self.nodes.iter().map(|(node, values)| (node.clone(), Cow::Borrowed(&values[at.clone()])));
        TreeSum { nodes: nodes.collect(), ..*self }
    }

    /// The complete nodes, from left to right: a single one if all shards are added.
    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes.into_iter().map(|(node, values)| (node, values.into_owned())).collect()
    }

    /// The sum over all shards; `None` if no shard was added.
    pub fn into_sum(self) -> Option<Vec<f32>> {
        self.nodes.into_iter().next().map(|(_, sum)| sum.into_owned())
    }
}

/// The nodes to which shards `part` of `shards` add up, from left to right.
pub fn nodes_of(shards: usize, part: Range<usize>) -> Vec<Range<usize>> {
    let mut sum = TreeSum::new(shards, Threads::Calling);
    part.for_each(|shard| sum.add(shard..shard + 1, vec![]));
    sum.nodes.into_iter().map(|(node, _)| node).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The sum of a node by its definition.
    fn by_definition(values: &[f32], node: Range<usize>) -> f32 {
        if node.len() == 1 {
            return values[node.start];
        }
        let middle = split(&node);
        by_definition(values, node.start..middle) + by_definition(values, middle..node.end)
    }

    #[test]
    fn any_parts_give_the_bits_of_the_definition() {
        // Thirds are rounded, so another order gives other bits.
        let value = |i: usize| (i * i + 1) as f32 / 3.0;
        let mut order_matters = false;
        for shards in 1..=17usize {
            let values: Vec<f32> = (0..shards).map(value).collect();
            let expected = by_definition(&values, 0..shards);
            for ranks in 1..=shards {
                let mut whole = TreeSum::new(shards, Threads::Calling);
                for rank in 0..ranks {
                    let part = rank * shards / ranks..(rank + 1) * shards / ranks;
                    let mut own = TreeSum::new(shards, Threads::Calling);
                    part.clone().for_each(|shard| own.add(shard..shard + 1, vec![values[shard]]));
                    let nodes: Vec<_> = own.into_nodes();
                    let ranges: Vec<_> = nodes.iter().map(|(node, _)| node.clone()).collect();
                    assert_eq!(nodes_of(shards, part), ranges);
                    nodes.into_iter().for_each(|(node, sum)| whole.add(node, sum));
                }
                let sum = whole.into_sum().expect("a sum");
                assert_eq!(sum[0].to_bits(), expected.to_bits(), "{shards} shards on {ranks} ranks");
            }
            let in_order = values.iter().copied().reduce(|a, b| a + b).expect("a sum");
            order_matters |= in_order.to_bits() != expected.to_bits();
        }
        assert!(order_matters, "in these numbers");
    }

    #[test]
    fn nodes_follow_the_powers_of_two() {
        assert_eq!(nodes_of(6, 0..6).len(), 1);
        assert_eq!(nodes_of(6, 0..3), [0..2, 2..3]);
        assert_eq!(nodes_of(6, 3..6), [3..4, 4..6]);
        assert_eq!(nodes_of(8, 1..7), [1..2, 2..4, 4..6, 6..7]);
    }
}
