//! The sums of a batch over all ranks. A second thread computes them while this rank computes its last shard.

use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::outputs::{StepResults, Totals};
use crate::ranks::tree::Node;
use crate::ranks::{Buckets, Divisors, Messages, RankError, Ranks, Shares, Wait, all_gather, mean_of_shards};

/// The sums of a shard: its mean loss, and the totals.
pub(super) type Report = [f64; 5];

/// Results that this rank has finished.
pub(super) enum Finished {
    /// The reports of its shards. They come first.
    Reports(Vec<Report>),
    /// Its nodes in a bucket with this number.
    Bucket(usize, Vec<Node>),
}

/// The combined results of all ranks.
pub(super) struct Reduction {
    /// The results of the batch.
    pub results: StepResults,
    /// The first shard whose loss is not finite.
    pub bad: Option<usize>,
    /// Whether some rank requests a stop.
    pub stop: bool,
    /// The weighted mean over all shards: gradients, then changes of the running statistics. Empty if a loss is not
    /// finite.
    pub mean: Vec<f32>,
}

/// A batch whose shards are to be added up.
pub(super) struct Reducer<'a> {
    pub ranks: &'a dyn Ranks,
    pub shares: &'a Shares,
    pub shards: usize,
    pub buckets: &'a Buckets,
    pub messages: &'a mut Messages,
    /// Whether messages have 32 bits and include the rounding errors of earlier ones.
    pub exact: bool,
    /// Images of the batch.
    pub images: usize,
    /// Number of gradients.
    pub parameters: usize,
    /// Memory for the mean.
    pub mean: Vec<f32>,
    /// Whether this rank requests a stop.
    pub stop: bool,
}

impl Reducer<'_> {
    /// Adds up the shards of all ranks. `None` if this rank fails before its last bucket.
    ///
    /// # Errors
    /// When a rank does not answer.
    pub fn run(self, finished: &Receiver<Finished>) -> Result<Option<Reduction>, RankError> {
        let Ok(Finished::Reports(own)) = finished.recv() else { return Ok(None) };
        let (reports, stop) = self.gather(own)?;
        let mut results = combined(&reports);
        let bad = reports.iter().position(|report| !report[0].is_finite());
        if let Some(bad) = bad {
            results.loss = reports[bad][0] as f32;
            return Ok(Some(Reduction { results, bad: Some(bad), stop, mean: vec![] }));
        }
        let mut ready = vec![None; self.buckets.values().len()];
        let mut own = |bucket: usize| loop {
            match ready[bucket].take() {
                Some(nodes) => return Some(nodes),
                None => match finished.recv() {
                    Ok(Finished::Bucket(number, nodes)) => ready[number] = Some(nodes),
                    _ => return None,
                },
            }
        };
        let wire = (self.messages, self.exact || stop);
        let own = (&mut own as &mut dyn FnMut(usize) -> Option<Vec<Node>>, self.mean);
        let (weight, images) = (results.totals.weight as f32, self.images as f32);
        let buckets = (self.buckets, Divisors { end: self.parameters, weight, images });
        let mean = mean_of_shards(self.ranks, (self.shares, self.shards), buckets, own, wire)?;
        Ok(mean.map(|mean| Reduction { results, bad: None, stop, mean }))
    }

    /// The reports of all shards, in order, and whether some rank requests a stop.
    fn gather(&self, reports: Vec<Report>) -> Result<(Vec<Report>, bool), RankError> {
        if self.ranks.size() == 1 {
            return Ok((reports, false));
        }
        let mut own = vec![f64::from(u8::from(self.stop))];
        own.extend(reports.as_flattened());
        let (mut all, mut stop) = (vec![], false);
        for message in all_gather(self.ranks, bytemuck::cast_slice(&own))? {
            let numbers: Vec<f64> = bytemuck::pod_collect_to_vec(&message);
            let Some((wish, reports)) = numbers.split_first() else { continue };
            stop |= *wish > 0.0;
            all.extend(reports.as_chunks().0);
        }
        Ok((all, stop))
    }
}

/// The results of a batch from those of its shards, in their order.
fn combined(reports: &[Report]) -> StepResults {
    let mut totals = Totals::default();
    let mut weighted = 0.0;
    for [mean, loss, weight, right, counted] in reports {
        weighted += mean * weight;
        totals.loss += loss;
        totals.weight += weight;
        totals.right += right;
        totals.counted += counted;
    }
    let loss = if totals.weight == 0.0 { 0.0 } else { weighted / totals.weight };
    StepResults { loss: loss as f32, totals, gradient_norm: None, weight_norm: None }
}

/// An exchange of messages.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exchange {
    /// When it began.
    pub begin: Instant,
    /// When all its messages were sent and received.
    pub end: Instant,
    /// Bytes that this rank sent.
    pub bytes: usize,
}

/// Ranks whose exchanges are timed.
#[derive(Debug)]
pub(super) struct Timed<'a> {
    ranks: &'a dyn Ranks,
    exchanges: Mutex<Vec<Exchange>>,
}

impl<'a> Timed<'a> {
    /// Times the exchanges of these ranks.
    pub fn new(ranks: &'a dyn Ranks) -> Self {
        Timed { ranks, exchanges: Mutex::default() }
    }

    /// The exchanges so far, in order.
    pub fn into_exchanges(self) -> Vec<Exchange> {
        self.exchanges.into_inner().unwrap_or_default()
    }
}

impl Ranks for Timed<'_> {
    fn rank(&self) -> usize {
        self.ranks.rank()
    }

    fn size(&self) -> usize {
        self.ranks.size()
    }

    fn local(&self) -> usize {
        self.ranks.local()
    }

    fn exchange(
        &self,
        send: &[(usize, &[u8])],
        receive: &mut [(usize, &mut [u8])],
        wait: Wait,
    ) -> Result<(), RankError> {
        let begin = Instant::now();
        self.ranks.exchange(send, receive, wait)?;
        let bytes = send.iter().map(|(_, message)| message.len()).sum();
        if let Ok(mut exchanges) = self.exchanges.lock() {
            exchanges.push(Exchange { begin, end: Instant::now(), bytes });
        }
        Ok(())
    }

    fn ready(&self, from: usize) -> Result<bool, RankError> {
        self.ranks.ready(from)
    }

    fn abort(&self, code: u8) -> ! {
        self.ranks.abort(code)
    }
}
