//! The weighted mean of all shards on every rank.
//!
//! The vectors are cut into buckets, and each bucket into one segment a rank. A rank receives the nodes of its segment from all
//! ranks, adds them along the tree, divides the sum by the weight of the batch, and sends the mean to all. The means of a bucket
//! travel together with the nodes of the next bucket. A rank sends and receives about twice the length of a vector.

use std::borrow::Cow;
use std::ops::Range;

use rayon::prelude::*;

use super::tree::{Node, SPAN, Threads, TreeSum, nodes_of};
use super::wire::{self, Incoming, Messages, Wire};
use super::{RankError, Ranks, Shares, Wait};

/// Values to which segments are aligned.
const ALIGN: usize = 64;
/// Maximum number of values of a bucket: 4 MiB in 32 bits.
const BUCKET: usize = 1 << 20;

/// The buckets of vectors, in the order in which they travel.
///
/// A backward pass ends with the first layers, so the last weights of a vector travel first. The other values (biases,
/// scales, changes of running statistics) belong to all layers and travel last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buckets {
    values: Vec<Range<usize>>,
    len: usize,
}

impl Buckets {
    /// Equal buckets of up to 4 MiB for the first `weights` of `len` values, and for the other values.
    pub fn new(weights: usize, len: usize) -> Self {
        let cut = |values: Range<usize>| {
            let bucket = values.len().div_ceil(values.len().div_ceil(BUCKET).max(1)).next_multiple_of(ALIGN).max(ALIGN);
            let end = values.end;
            values.step_by(bucket).map(move |start| start..(start + bucket).min(end))
        };
        let weights = weights.min(len);
        let mut values: Vec<_> = cut(0..weights).collect();
        values.reverse();
        values.extend(cut(weights..len));
        Buckets { values, len }
    }

    /// The values of each bucket.
    pub fn values(&self) -> &[Range<usize>] {
        &self.values
    }

    /// Values of a vector.
    pub fn vector(&self) -> usize {
        self.len
    }

    /// Number of values and of buckets that are complete only after the backward pass: the first weights and the other
    /// values.
    pub(super) fn late(&self) -> (usize, usize) {
        let early = self.values.iter().position(|bucket| bucket.start == 0).unwrap_or(0);
        (self.values[early..].iter().map(ExactSizeIterator::len).sum(), self.values.len() - early)
    }

    /// Exchanges of a sum.
    pub(super) fn exchanges(&self) -> usize {
        self.values.len() + 1
    }
}

/// What turns a sum of vectors into their weighted mean.
#[derive(Clone, Copy, Debug)]
pub struct Divisors {
    /// The values before this position are divided by the weight, the others by the number of images.
    pub end: usize,
    /// The sum of all weights.
    pub weight: f32,
    /// Number of images.
    pub images: f32,
}

impl Divisors {
    /// Divides the values from position `at` of the sum. A weight of 0, as when every label is ignored, counts as 1.
    fn apply(&self, values: &mut [f32], at: usize) {
        let (weighted, counted) = values.split_at_mut(self.end.saturating_sub(at).min(values.len()));
        let divide = |values: &mut [f32], by: f32| values.iter_mut().for_each(|value| *value /= by);
        divide(weighted, if self.weight == 0.0 { 1.0 } else { self.weight });
        divide(counted, self.images);
    }
}

/// The values of a bucket that one of `ranks` ranks adds up.
fn segment(bucket: &Range<usize>, ranks: usize, rank: usize) -> Range<usize> {
    let n = bucket.len();
    let bound =
        |rank: usize| bucket.start + if rank == ranks { n } else { (n * rank / ranks).next_multiple_of(ALIGN).min(n) };
    bound(rank)..bound(rank + 1)
}

/// The mean over all shards along the tree, on every rank, in the allocation of `mean`. `own` waits for this rank's
/// nodes of a bucket, given by number; if it returns `None`, the function ends without a result. An `exact` mean has 32
/// bits on the wire, and includes the rounding errors of earlier messages.
///
/// # Errors
/// When a rank does not answer.
pub fn mean_of_shards(
    ranks: &dyn Ranks,
    (shares, shards): (&Shares, usize),
    (buckets, divisors): (&Buckets, Divisors),
    (own, mut mean): (&mut dyn FnMut(usize) -> Option<Vec<Node>>, Vec<f32>),
    (messages, exact): (&mut Messages, bool),
) -> Result<Option<Vec<f32>>, RankError> {
    mean.resize(buckets.len, 0.0);
    if ranks.size() == 1 {
        for (bucket, values) in buckets.values.iter().enumerate() {
            let Some(own) = own(bucket) else { return Ok(None) };
            for (_, node) in own {
                let spans = mean[values.clone()].par_chunks_mut(SPAN).zip(node.par_chunks(SPAN));
                spans.enumerate().for_each(|(span, (mean, sum))| {
                    mean.copy_from_slice(sum);
                    divisors.apply(mean, values.start + span * SPAN);
                });
            }
        }
        return Ok(Some(mean));
    }
    let nodes = shares.parts(shards).into_iter().map(|part| nodes_of(shards, part)).collect();
    let wire = messages.begin(buckets.len, exact);
    let mut all = Sum { ranks, shards, nodes, divisors, wire, messages, mean };
    let mut before = None;
    for (bucket, values) in buckets.values.iter().enumerate() {
        let Some(own) = own(bucket) else { return Ok(None) };
        before = Some((values, all.advance(values, own, before)?));
    }
    all.exchange(&[], &mut [], before)?;
    let Sum { mean, .. } = all;
    messages.end(wire);
    Ok(Some(mean))
}

/// A sum under way.
struct Sum<'a> {
    ranks: &'a dyn Ranks,
    shards: usize,
    /// The nodes that each rank has.
    nodes: Vec<Vec<Range<usize>>>,
    divisors: Divisors,
    wire: Wire,
    messages: &'a mut Messages,
    mean: Vec<f32>,
}

/// A bucket whose segments are added up, and the message with this rank's segment; `None` if the message is the means
/// themselves.
type Added<'a> = (&'a Range<usize>, Option<Vec<u8>>);
/// A rank, one of its nodes, and the message with it.
type Received = (usize, Range<usize>, Incoming);

impl Sum<'_> {
    /// Exchanges the nodes of a bucket and the sums of the previous bucket. `own` are this rank's nodes. Returns the
    /// message with this rank's sum of the bucket; `None` if the message is the mean itself.
    fn advance(
        &mut self,
        bucket: &Range<usize>,
        own: Vec<Node>,
        before: Option<Added<'_>>,
    ) -> Result<Option<Vec<u8>>, RankError> {
        let size = self.ranks.size();
        let values = segment(bucket, size, self.ranks.rank());
        let within = |segment: &Range<usize>| segment.start - bucket.start..segment.end - bucket.start;
        let (mut send, mut received): (Vec<(usize, Cow<'_, [u8]>)>, Vec<Received>) = (vec![], vec![]);
        for other in (0..size).filter(|&other| other != self.ranks.rank()) {
            let segment = segment(bucket, size, other);
            for (_, node) in &own {
                send.push((other, self.messages.write(&node[within(&segment)], segment.start, self.wire)));
            }
            let message = || Incoming::new(values.len(), self.wire);
            received.extend(self.nodes[other].iter().map(|node| (other, node.clone(), message())));
        }
        self.exchange(&send, &mut received, before)?;
        let mut parts: Vec<(Range<usize>, Cow<'_, [f32]>)> =
            own.iter().map(|(node, sum)| (node.clone(), sum[within(&values)].into())).collect();
        parts.extend(received.into_iter().map(|(_, node, message)| (node, message.into_values().into())));
        parts.sort_by_key(|(node, _)| node.start);
        let mut tree = TreeSum::new(self.shards, Threads::Calling);
        parts.into_iter().for_each(|(node, part)| tree.add(node, part));
        let total = tree.into_sum().unwrap_or_default();
        let message = self.messages.write(&total, values.start, self.wire);
        // All ranks keep the sum as it was sent, after rounding.
        wire::read(&message, &mut self.mean[values.clone()], self.wire);
        self.divisors.apply(&mut self.mean[values.clone()], values.start);
        Ok(match self.wire {
            Wire::F32 => None,
            // Its blocks hold the sum.
            Wire::F16 => Some(message.into_owned()),
        })
    }

    /// Exchanges nodes of a bucket, and the sums of the previous bucket.
    fn exchange(
        &mut self,
        nodes: &[(usize, Cow<'_, [u8]>)],
        received: &mut [Received],
        before: Option<Added<'_>>,
    ) -> Result<(), RankError> {
        let (rank, size, wire) = (self.ranks.rank(), self.ranks.size(), self.wire);
        let mut send: Vec<(usize, &[u8])> = nodes.iter().map(|(to, message)| (*to, &**message)).collect();
        let mut receive: Vec<(usize, &mut [u8])> = vec![];
        receive.extend(received.iter_mut().map(|(from, _, message)| (*from, message.bytes())));
        let mut packed = vec![];
        // Messages from a rank arrive in the order in which it sends them.
        if let Some((bucket, mine)) = &before {
            let (mut own, mut rest) = (&[][..], &mut self.mean[bucket.start..bucket.end]);
            for other in 0..size {
                let (values, at);
                at = segment(bucket, size, other);
                (values, rest) = rest.split_at_mut(at.len());
                match wire {
                    _ if other == rank => own = bytemuck::cast_slice(values),
                    Wire::F32 => receive.push((other, bytemuck::cast_slice_mut(values))),
                    Wire::F16 => packed.push((other, vec![0; wire::bytes(values.len(), wire)], (at.start, values))),
                }
            }
            let mine = mine.as_deref().unwrap_or(own);
            send.extend((0..size).filter(|&to| to != rank).map(|to| (to, mine)));
        }
        receive.extend(packed.iter_mut().map(|(from, message, _)| (*from, message.as_mut_slice())));
        self.ranks.exchange(&send, &mut receive, Wait::Timeout)?;
        for (_, message, (at, values)) in packed {
            wire::read(&message, values, wire);
            self.divisors.apply(values, at);
        }
        Ok(())
    }
}

/// Bytes that each rank sends for a sum.
pub fn traffic((shares, shards): (&Shares, usize), buckets: &Buckets, wire: Wire) -> Vec<usize> {
    let ranks = shares.ranks();
    let bytes = |bucket: &Range<usize>, rank: usize| wire::bytes(segment(bucket, ranks, rank).len(), wire);
    let of_rank = |rank: usize| {
        let nodes = nodes_of(shards, shares.part(rank, shards)).len();
        let others =
            |bucket: &Range<usize>| (0..ranks).filter(|&to| to != rank).map(|to| bytes(bucket, to)).sum::<usize>();
        buckets.values.iter().map(|bucket| nodes * others(bucket) + (ranks - 1) * bytes(bucket, rank)).sum()
    };
    (0..ranks).map(of_rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_and_segments_cover_the_vector_once() {
        for (weights, len, ranks) in
            [(0, 0, 2), (0, 1, 3), (900, 1000, 3), (3 * BUCKET + 5, 3 * BUCKET + 70, 8), (64, 64, 5)]
        {
            let buckets = Buckets::new(weights, len);
            let mut in_order = buckets.values().to_vec();
            in_order.sort_by_key(|bucket| bucket.start);
            let mut at = 0;
            for (bucket, rank) in in_order.iter().flat_map(|bucket| (0..ranks).map(move |rank| (bucket, rank))) {
                let segment = segment(bucket, ranks, rank);
                assert_eq!(segment.start, at, "{len} on {ranks}");
                at = segment.end;
            }
            assert_eq!(at, len);
            assert!(in_order.iter().all(|bucket| bucket.len() <= BUCKET));
        }
        let starts: Vec<_> =
            Buckets::new(2 * BUCKET, 2 * BUCKET + 70).values().iter().map(|bucket| bucket.start).collect();
        assert_eq!(starts, [BUCKET, 0, 2 * BUCKET], "the last weights first, the rest last");
    }
}
