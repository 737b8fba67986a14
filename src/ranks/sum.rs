//! The sum of all shards on every rank.
//!
//! The vectors are cut into buckets, and each bucket into one segment a rank. A rank receives the nodes of its segment from all
//! ranks, adds them along the tree, and sends the sum to all. The sums of a bucket travel together with the nodes of the next
//! bucket. A rank sends and receives about twice the length of a vector.

use std::borrow::Cow;
use std::ops::Range;

use super::tree::{TreeSum, nodes_of};
use super::wire::{self, Messages, Wire};
use super::{RankError, Ranks, Shares};

/// Values to which segments are aligned.
const ALIGN: usize = 64;
/// Most values of a bucket: 8 MiB in 32 bits. Longer vectors have equal buckets of 4 to 8 MiB.
const BUCKET: usize = 2 << 20;

/// Buckets and segments of vectors.
#[derive(Clone, Copy)]
struct Cut {
    /// Values of a vector.
    len: usize,
    ranks: usize,
    /// Values of a bucket.
    bucket: usize,
}

impl Cut {
    fn new(len: usize, ranks: usize, most: usize) -> Self {
        let buckets = len.div_ceil(most).max(1);
        Cut { len, ranks, bucket: len.div_ceil(buckets).next_multiple_of(ALIGN).max(ALIGN) }
    }

    fn buckets(self) -> usize {
        self.len.div_ceil(self.bucket)
    }

    /// The values of a bucket that a rank adds up.
    fn segment(self, bucket: usize, rank: usize) -> Range<usize> {
        let start = (bucket * self.bucket).min(self.len);
        let n = self.bucket.min(self.len - start);
        let bound = |rank: usize| {
            start + if rank == self.ranks { n } else { (n * rank / self.ranks).next_multiple_of(ALIGN).min(n) }
        };
        bound(rank)..bound(rank + 1)
    }
}

/// The sum over all shards along the tree, on every rank; `own` has this rank's shards, and all vectors have `len` values. An
/// `exact` sum has 32 bits on the wire, and includes all that earlier messages have lost.
///
/// # Errors
/// When a rank does not answer.
pub fn sum_shards(
    ranks: &dyn Ranks,
    (shares, shards): (&Shares, usize),
    len: usize,
    own: TreeSum,
    (messages, exact): (&mut Messages, bool),
) -> Result<Vec<f32>, RankError> {
    if ranks.size() == 1 {
        return Ok(own.into_sum().unwrap_or_default());
    }
    let nodes = shares.parts(shards).into_iter().map(|part| nodes_of(shards, part)).collect();
    let wire = messages.begin(len, exact);
    let cut = Cut::new(len, ranks.size(), BUCKET);
    let mut sum = Sum { ranks, shards, nodes, cut, wire, messages, own: own.into_nodes(), sum: vec![0.0; len] };
    let mut last = None;
    for bucket in 0..=cut.buckets() {
        last = sum.advance(bucket, last.as_deref())?;
    }
    let Sum { sum, .. } = sum;
    messages.end(wire);
    Ok(sum)
}

/// A sum under way.
struct Sum<'a> {
    ranks: &'a dyn Ranks,
    shards: usize,
    /// The nodes that each rank has.
    nodes: Vec<Vec<Range<usize>>>,
    cut: Cut,
    wire: Wire,
    messages: &'a mut Messages,
    own: Vec<(Range<usize>, Vec<f32>)>,
    sum: Vec<f32>,
}

impl Sum<'_> {
    /// Exchanges the nodes of a bucket, and the sums of the bucket before it, of which `mine` is this rank's. Returns the message
    /// with this rank's sum of the bucket.
    fn advance(&mut self, bucket: usize, mine: Option<&[u8]>) -> Result<Option<Vec<u8>>, RankError> {
        let (rank, size, cut, wire) = (self.ranks.rank(), self.ranks.size(), self.cut, self.wire);
        let others: Vec<usize> = (0..size).filter(|&other| other != rank).collect();
        let segment = |rank: usize| cut.segment(bucket, rank);
        let mut send: Vec<(usize, Cow<'_, [u8]>)> = vec![];
        for &to in &others {
            for (_, node) in &self.own {
                send.push((to, self.messages.write(&node[segment(to)], segment(to).start, wire)));
            }
        }
        send.extend(others.iter().filter_map(|&to| mine.map(|mine| (to, Cow::Borrowed(mine)))));
        let (mut nodes, mut sums) = (vec![], vec![]);
        for &from in &others {
            let message = || vec![0; wire::bytes(segment(rank).len(), wire)];
            nodes.extend(self.nodes[from].iter().map(|node| (from, node.clone(), message())));
            if let Some(before) = bucket.checked_sub(1) {
                let values = cut.segment(before, from);
                sums.push((from, vec![0; wire::bytes(values.len(), wire)], values));
            }
        }
        // Messages from a rank arrive in the order in which it sends them.
        let send: Vec<(usize, &[u8])> = send.iter().map(|(to, message)| (*to, &**message)).collect();
        let mut receive: Vec<(usize, &mut [u8])> = vec![];
        receive.extend(nodes.iter_mut().map(|(from, _, message)| (*from, message.as_mut_slice())));
        receive.extend(sums.iter_mut().map(|(from, message, _)| (*from, message.as_mut_slice())));
        self.ranks.exchange(&send, &mut receive, false)?;
        for (_, message, values) in sums {
            wire::read(&message, &mut self.sum[values], wire);
        }
        if bucket == cut.buckets() {
            return Ok(None);
        }
        let values = segment(rank);
        let total = self.add(&values, nodes);
        let message = self.messages.write(&total, values.start, wire).into_owned();
        // All ranks have the sum as it was sent.
        wire::read(&message, &mut self.sum[values], wire);
        Ok(Some(message))
    }

    /// Adds the nodes of this rank's segment along the tree.
    fn add(&self, values: &Range<usize>, received: Vec<(usize, Range<usize>, Vec<u8>)>) -> Vec<f32> {
        let mut parts: Vec<_> = received
            .into_iter()
            .map(|(_, node, message)| {
                let mut part = vec![0f32; values.len()];
                wire::read(&message, &mut part, self.wire);
                (node, part)
            })
            .chain(self.own.iter().map(|(node, sum)| (node.clone(), sum[values.clone()].to_vec())))
            .collect();
        parts.sort_by_key(|(node, _)| node.start);
        let mut tree = TreeSum::new(self.shards);
        parts.into_iter().for_each(|(node, part)| tree.add(node, part));
        tree.into_sum().unwrap_or_default()
    }
}

/// Exchanges of a sum of vectors of `len` values.
pub(super) fn exchanges(len: usize, ranks: usize) -> usize {
    Cut::new(len, ranks, BUCKET).buckets() + 1
}

/// Bytes that each rank sends for a sum of vectors of `len` values.
pub fn traffic((shares, shards): (&Shares, usize), len: usize, wire: Wire) -> Vec<usize> {
    let ranks = shares.ranks();
    let cut = Cut::new(len, ranks, BUCKET);
    let bytes = |bucket: usize, rank: usize| wire::bytes(cut.segment(bucket, rank).len(), wire);
    let of_rank = |rank: usize| {
        let nodes = nodes_of(shards, shares.part(rank, shards)).len();
        let others = |bucket: usize| (0..ranks).filter(|&to| to != rank).map(|to| bytes(bucket, to)).sum::<usize>();
        (0..cut.buckets()).map(|bucket| nodes * others(bucket) + (ranks - 1) * bytes(bucket, rank)).sum()
    };
    (0..ranks).map(of_rank).collect()
}

#[cfg(test)]
mod tests {
    use super::Cut;

    #[test]
    fn buckets_and_segments_cover_the_vector_once() {
        for (len, ranks, most) in [(0, 2, 128), (1, 3, 128), (1000, 3, 128), (4096, 8, 1024), (100, 5, 4096)] {
            let cut = Cut::new(len, ranks, most);
            let mut at = 0;
            for (bucket, rank) in (0..cut.buckets()).flat_map(|bucket| (0..ranks).map(move |rank| (bucket, rank))) {
                let segment = cut.segment(bucket, rank);
                assert_eq!(segment.start, at, "{len} on {ranks}");
                at = segment.end;
            }
            assert_eq!(at, len);
            assert!(cut.bucket <= most.next_multiple_of(64));
        }
    }
}
