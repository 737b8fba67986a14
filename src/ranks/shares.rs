//! Which rank has which shards of a batch.

use std::ops::Range;

use super::RankError;

/// The share of each rank: a whole number of at least 1. Equal shares are all 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shares(Vec<usize>);

impl Shares {
    /// Equal shares for `ranks` ranks.
    pub fn equal(ranks: usize) -> Self {
        Shares(vec![1; ranks])
    }

    /// Shares by rank.
    ///
    /// # Errors
    /// [`RankError::Shares`] if the number of shares is not `ranks`; [`RankError::NoShard`] if a rank would have no
    /// shard of `shards`.
    pub fn new(shares: &[usize], ranks: usize, shards: usize) -> Result<Self, RankError> {
        if shares.len() != ranks {
            return Err(RankError::Shares { shares: shares.to_vec(), ranks });
        }
        let found = Shares(shares.iter().map(|&share| share.max(1)).collect());
        match found.parts(shards).iter().position(Range::is_empty) {
            Some(rank) => Err(RankError::NoShard { rank, shares: found.0, shards }),
            None => Ok(found),
        }
    }

    /// The shares whose slowest rank ends first. `seconds` holds the time that each rank takes for a shard; there are
    /// at least as many shards as ranks.
    pub fn by_speed(seconds: &[f64], shards: usize) -> Self {
        let mut shares = vec![1; seconds.len()];
        for _ in seconds.len()..shards {
            let end = |rank: &usize| (shares[*rank] + 1) as f64 * seconds[*rank];
            let next = (0..seconds.len()).min_by(|a, b| end(a).total_cmp(&end(b)));
            if let Some(rank) = next {
                shares[rank] += 1;
            }
        }
        Shares(shares)
    }

    /// The shares, by rank.
    pub fn shares(&self) -> &[usize] {
        &self.0
    }

    /// Number of ranks.
    pub fn ranks(&self) -> usize {
        self.0.len()
    }

    /// The items of `n` that a rank has.
    pub fn part(&self, rank: usize, n: usize) -> Range<usize> {
        let all: usize = self.0.iter().sum();
        let bound = |rank: usize| self.0[..rank].iter().sum::<usize>() * n / all;
        bound(rank)..bound(rank + 1)
    }

    /// The items of `n` that each rank has.
    pub fn parts(&self, n: usize) -> Vec<Range<usize>> {
        (0..self.ranks()).map(|rank| self.part(rank, n)).collect()
    }

    /// The length of a round: the smallest number of items that the shares divide exactly.
    pub fn round(&self) -> usize {
        let divisor = |a: usize, b: usize| {
            let (mut a, mut b) = (a, b);
            while b > 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        let common = self.0.iter().copied().reduce(divisor).unwrap_or(1);
        self.0.iter().sum::<usize>() / common
    }

    /// The rank that has item `number` of a sequence. The shares divide each round of the sequence.
    pub fn owner(&self, number: usize) -> usize {
        let (round, all) = (self.round(), self.parts(self.round()));
        all.iter().position(|part| part.contains(&(number % round))).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_the_shares() {
        let of =
            |shares: &[usize], shards| Shares::new(shares, shares.len(), shards).map(|shares| shares.parts(shards));
        assert_eq!(of(&[3, 1], 8).unwrap(), [0..6, 6..8]);
        assert_eq!(of(&[1, 1, 1], 8).unwrap(), [0..2, 2..5, 5..8]);
        assert_eq!(Shares::equal(4).parts(2), [0..0, 0..1, 1..1, 1..2]);
        assert!(matches!(of(&[1, 7], 4), Err(RankError::NoShard { rank: 0, .. })));
        assert!(matches!(Shares::new(&[3, 1], 3, 8), Err(RankError::Shares { ranks: 3, .. })));
    }

    #[test]
    fn speed_gives_the_shares_that_end_first() {
        let by_speed = |seconds: &[f64], shards| Shares::by_speed(seconds, shards).0;
        assert_eq!(by_speed(&[1.0, 1.0], 8), [4, 4]);
        assert_eq!(by_speed(&[1.0, 3.0], 8), [6, 2]);
        assert_eq!(by_speed(&[100.0, 1.0], 4), [1, 3], "each rank has a shard");
        // All ways to give 9 shards to three ranks.
        let seconds = [0.7, 1.9, 1.1];
        let end = |shares: &[usize]| shares.iter().zip(seconds).map(|(&n, s)| n as f64 * s).fold(0.0, f64::max);
        let all = (1..8).flat_map(|a| (1..9 - a).map(move |b| [a, b, 9 - a - b]));
        let best = all.map(|shares| end(&shares)).fold(f64::INFINITY, f64::min);
        assert_eq!(end(&by_speed(&seconds, 9)), best);
    }

    #[test]
    fn rounds_are_the_shortest() {
        let shares = Shares(vec![6, 2]);
        assert_eq!(shares.round(), 4);
        assert_eq!([0, 1, 2, 3, 4, 7].map(|number| shares.owner(number)), [0, 0, 0, 1, 0, 1]);
        assert_eq!([0, 1, 2, 3].map(|number| Shares::equal(3).owner(number)), [0, 1, 2, 0]);
    }
}
