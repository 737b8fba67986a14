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

/// A training step on equal ranks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// Bytes that a rank sends, the most of all ranks.
    pub bytes: usize,
    /// Seconds of messages, which do not overlap with computation.
    pub message_s: f64,
    /// The largest part of the shards that a rank computes.
    pub part: f64,
    ranks: usize,
}

/// Exchanges of a step beside those of the sum: the order of rank 0, and the lengths and losses of all shards.
const EXCHANGES: usize = 3;

impl Forecast {
    /// The step of a batch of `shards` shards, whose gradients and running statistics have these buckets, on `ranks` ranks.
    pub fn new(ranks: usize, shards: usize, buckets: &Buckets, wire: Wire, network: Network) -> Self {
        let shares = Shares::equal(ranks);
        let bytes = traffic((&shares, shards), buckets, wire).into_iter().max().unwrap_or(0);
        let exchanges = if ranks > 1 { buckets.exchanges() + EXCHANGES } else { 0 };
        let message_s = bytes as f64 / network.bytes_per_s + exchanges as f64 * network.latency_s;
        let most = shares.parts(shards).iter().map(ExactSizeIterator::len).max().unwrap_or(0);
        Forecast { bytes, message_s, part: most as f64 / shards as f64, ranks }
    }

    /// The speed over that of `ranks` times one rank, whose step takes `step_s` seconds.
    pub fn efficiency(&self, step_s: f64) -> f64 {
        step_s / self.ranks as f64 / (step_s * self.part + self.message_s)
    }

    /// Seconds of a step of one rank above which the efficiency is higher than `efficiency`; `None` where the shards do not divide
    /// equally enough.
    pub fn step_s(&self, efficiency: f64) -> Option<f64> {
        let gain = 1.0 / self.ranks as f64 - efficiency * self.part;
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
        let forecast = Forecast::new(2, 8, buckets, Wire::F32, network);
        assert!((forecast.bytes as f64 - 46.8e6).abs() < 1e4, "{}", forecast.bytes);
        // 46.8 MB are 44.6 MiB: 12 buckets of up to 4 MiB and one for the rest, in 14 exchanges.
        assert!((forecast.message_s - (0.3744 + 0.017)).abs() < 1e-3, "{}", forecast.message_s);
        assert!((forecast.efficiency(2.0) - 1.0 / (1.0 + forecast.message_s)).abs() < 1e-12);
        let step_s = forecast.step_s(0.9).expect("shards divide equally");
        assert!((forecast.efficiency(step_s) - 0.9).abs() < 1e-12);
        let half = Forecast::new(2, 8, buckets, Wire::F16, network);
        // Two bytes a value instead of four, and four a block of 1024 values.
        assert!((half.bytes as f64 / forecast.bytes as f64 - 2052.0 / 4096.0).abs() < 1e-5, "{}", half.bytes);
        // Three ranks compute 3, 3 and 2 shards of 8.
        let three = Forecast::new(3, 8, &Buckets::new(900, 1000), Wire::F32, Network { latency_s: 0.0, ..network });
        assert_eq!((three.part, three.step_s(0.9)), (3.0 / 8.0, None));
        assert_eq!(Forecast::new(1, 8, buckets, Wire::F32, network).efficiency(1.0), 1.0);
    }
}
