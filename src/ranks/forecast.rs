//! A forecast of the bytes and seconds that messages among ranks take in a step, without starting the ranks.

use super::sum::traffic;
use super::{Buckets, Shares, Wire};

/// A network: every rank sends and receives at this speed at once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    /// Bytes a second.
    pub bytes_per_s: f64,
    /// Seconds until the first byte of a message arrives.
    pub latency_s: f64,
}

/// The division of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RankDivision {
    /// Number of equal ranks.
    pub ranks: usize,
    /// Number of shards that they share.
    pub shards: usize,
}

/// A training step on equal ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Bytes that the busiest rank sends.
    pub bytes: usize,
    /// Seconds of all messages.
    pub message_s: f64,
    /// Seconds of the messages that start when the backward pass has ended: those of the first layers' weights and of the values
    /// that belong to all layers.
    pub late_s: f64,
    /// The largest fraction of the shards that one rank computes.
    pub part: f64,
    division: RankDivision,
}

/// Exchanges of a step besides those of the sum: the order of rank 0, and the lengths and losses of all shards.
const EXCHANGES: usize = 3;

/// The backward pass's fraction of a shard's time: a convolution has two products backward and one forward.
const BACKWARD: f64 = 2.0 / 3.0;

impl Forecast {
    /// The step of a batch in this division, whose gradients and running statistics have these buckets.
    pub fn new(division: RankDivision, buckets: &Buckets, wire: Wire, network: Network) -> Self {
        let RankDivision { ranks, shards } = division;
        let shares = Shares::equal(ranks);
        let bytes = traffic((&shares, shards), buckets, wire).into_iter().max().unwrap_or(0);
        let seconds = |bytes: f64, exchanges: usize| match ranks {
            1 => 0.0,
            _ => bytes / network.bytes_per_s + exchanges as f64 * network.latency_s,
        };
        let message_s = seconds(bytes as f64, buckets.exchanges() + EXCHANGES);
        let (values, late) = buckets.late();
        let late_s = seconds(bytes as f64 * values as f64 / buckets.vector() as f64, late + 1);
        let most = shares.parts(shards).iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        Forecast { bytes, message_s, late_s, part: most as f64 / shards as f64, division }
    }

    /// The speedup divided by the number of ranks, if no message overlaps with computation. A step of one rank takes
    /// `step_s` seconds.
    pub fn efficiency(&self, step_s: f64) -> f64 {
        self.efficiency_with(step_s, 0.0)
    }

    /// [`Self::efficiency`], if messages overlap with the backward pass of a rank's last shard as far as possible.
    pub fn efficiency_overlapped(&self, step_s: f64) -> f64 {
        let backward_s = BACKWARD * step_s / self.division.shards as f64;
        self.efficiency_with(step_s, backward_s.min(self.message_s - self.late_s))
    }

    fn efficiency_with(&self, step_s: f64, hidden_s: f64) -> f64 {
        step_s / self.division.ranks as f64 / (step_s * self.part + self.message_s - hidden_s)
    }

    /// Minimum seconds of a step on one rank with which the ranks reach `efficiency`; `None` if the shards are too
    /// unequal for it.
    pub fn step_s(&self, efficiency: f64) -> Option<f64> {
        let gain = 1.0 / self.division.ranks as f64 - efficiency * self.part;
        (gain > 0.0).then(|| efficiency * self.message_s / gain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_foreseen_by_hand() {
        // 11.7 million values: two ranks send half of them twice, in 32 bits.
        let buckets = &Buckets::new(11_680_000, 11_700_000);
        let network = Network { bytes_per_s: 125e6, latency_s: 1e-3 };
        let forecast = Forecast::new(RankDivision { ranks: 2, shards: 8 }, buckets, Wire::F32, network);
        assert!((forecast.bytes as f64 - 46.8e6).abs() < 1e4, "{}", forecast.bytes);
        // 46.8 MB are 44.6 MiB: 12 buckets of up to 4 MiB and one for the rest, in 14 exchanges.
        assert!((forecast.message_s - (0.3744 + 0.017)).abs() < 1e-3, "{}", forecast.message_s);
        assert!((forecast.efficiency(2.0) - 1.0 / (1.0 + forecast.message_s)).abs() < 1e-12);
        let step_s = forecast.step_s(0.9).expect("shards divide equally");
        assert!((forecast.efficiency(step_s) - 0.9).abs() < 1e-12);
        // The backward pass of a shard takes 2/3 · 2 s / 8 = 0.1667 s, in which messages travel. In a step of 8 s, it
        // takes longer than all messages except the late ones: a bucket of 11.68/12 million weights, 20,000 other
        // values, and 3 exchanges.
        let late_s = 0.3744 * (11.68 / 12.0 + 0.02) / 11.7 + 3e-3;
        assert!((forecast.late_s - late_s).abs() < 1e-4, "{} and {late_s}", forecast.late_s);
        let left = 1.0 + forecast.message_s - 2.0 / 3.0 * 2.0 / 8.0;
        assert!((forecast.efficiency_overlapped(2.0) - 1.0 / left).abs() < 1e-12);
        assert!((forecast.efficiency_overlapped(8.0) - 4.0 / (4.0 + forecast.late_s)).abs() < 1e-12);
        let half = Forecast::new(RankDivision { ranks: 2, shards: 8 }, buckets, Wire::F16, network);
        // Two bytes a value instead of four, and four a block of 1024 values.
        assert!((half.bytes as f64 / forecast.bytes as f64 - 2052.0 / 4096.0).abs() < 1e-5, "{}", half.bytes);
        // Three ranks compute 3, 3 and 2 shards of 8.
        let three = Forecast::new(
            RankDivision { ranks: 3, shards: 8 },
            &Buckets::new(900, 1000),
            Wire::F32,
            Network { latency_s: 0.0, ..network },
        );
        assert_eq!((three.part, three.step_s(0.9)), (3.0 / 8.0, None));
        let alone = Forecast::new(RankDivision { ranks: 1, shards: 8 }, buckets, Wire::F32, network);
        assert_eq!((alone.efficiency(1.0), alone.efficiency_overlapped(1.0)), (1.0, 1.0));
    }
}
