//! The sums of a batch over all ranks. A second thread computes them while this rank computes its last shard.

use std::sync::Mutex;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use crate::ranks::tree::Node;
use crate::ranks::{Buckets, Messages, RankError, Ranks, Shares, Wait, all_gather, sum_shards};

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
    /// The reports of all shards, in order.
    pub reports: Vec<Report>,
    /// Whether some rank requests a stop.
    pub stop: bool,
    /// The sum over all shards; `None` if a loss is not finite.
    pub sum: Option<Vec<f32>>,
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
    /// Memory for the sum.
    pub sum: Vec<f32>,
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
        if reports.iter().any(|report| !report[0].is_finite()) {
            return Ok(Some(Reduction { reports, stop, sum: None }));
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
        let own = (&mut own as &mut dyn FnMut(usize) -> Option<Vec<Node>>, self.sum);
        let sum = sum_shards(self.ranks, (self.shares, self.shards), self.buckets, own, wire)?;
        Ok(sum.map(|sum| Reduction { reports, stop, sum: Some(sum) }))
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
