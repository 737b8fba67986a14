//! Which samples an epoch holds: each once, or draws that are balanced over the classes.

use std::collections::BTreeMap;

use super::Source;
use crate::choices;
use crate::random::{Random, op};

choices! {
    /// The samples of an epoch.
    pub enum Sampler default All {
        /// Each sample once
        All = "all",
        /// As many draws as there are samples, with equal shares of all classes: a class at random, then one of its samples
        Balanced = "balanced",
    }
}

/// The samples of a source by class, for draws that are balanced over the classes. A sample of several classes belongs
/// to each. Samples without a class are one more class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// The samples of each class, without empty classes; samples without a class come last.
    groups: Vec<Vec<usize>>,
}

impl Balance {
    /// The classes of a source; `None` if its samples have no classes, or there is no sample.
    pub fn of(source: &dyn Source) -> Option<Self> {
        let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
        for index in 0..source.len() {
            let classes = source.classes_of(index)?;
            let without = classes.is_empty().then_some(u32::MAX);
            classes.into_iter().chain(without).for_each(|class| groups.entry(class).or_default().push(index));
        }
        let groups: Vec<_> = groups.into_values().collect();
        (!groups.is_empty()).then_some(Balance { groups })
    }

    /// The samples of an epoch. A draw is a function of seed, epoch and its position alone.
    pub(crate) fn order(&self, samples: usize, seed: u64, epoch: u64) -> Vec<usize> {
        let draw = |position: usize| {
            let mut random = Random::new(seed, epoch, position as u64, op::BALANCE);
            let group = &self.groups[random.below(self.groups.len())];
            group[random.below(group.len())]
        };
        (0..samples).map(draw).collect()
    }

    /// Share of the samples that have each of `classes` classes: in the source, and expected among the draws.
    pub fn shares(&self, source: &dyn Source, classes: usize) -> Vec<[f64; 2]> {
        let mut shares = vec![[0.0; 2]; classes];
        let each = 1.0 / source.len().max(1) as f64;
        let mut add = |index: usize, at: usize, share: f64| {
            for class in source.classes_of(index).unwrap_or_default() {
                if let Some(found) = shares.get_mut(class as usize) {
                    found[at] += share;
                }
            }
        };
        (0..source.len()).for_each(|index| add(index, 0, each));
        for group in &self.groups {
            let drawn = 1.0 / (self.groups.len() * group.len()) as f64;
            group.iter().for_each(|&index| add(index, 1, drawn));
        }
        shares
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{DataError, SampleLayout, SampleMut};

    /// Samples with given classes.
    struct Classes(Vec<Vec<u32>>);

    impl Source for Classes {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn layout(&self) -> SampleLayout {
            SampleLayout { image: 0, labels: 0, targets: 0 }
        }
        fn classes_of(&self, index: usize) -> Option<Vec<u32>> {
            Some(self.0[index].clone())
        }
        fn load(&self, _: u64, _: usize, _: SampleMut<'_>) -> Result<(), DataError> {
            Ok(())
        }
    }

    #[test]
    fn draws_have_equal_shares_of_the_classes() {
        // 90 of class 0, 9 of class 2, 1 of class 3; none of class 1.
        let source = Classes(
            (0..100)
                .map(|i| {
                    vec![if i < 90 {
                        0
                    } else if i < 99 {
                        2
                    } else {
                        3
                    }]
                })
                .collect(),
        );
        let balance = Balance::of(&source).unwrap();
        let order: Vec<usize> = (0..100).flat_map(|epoch| balance.order(100, 5, epoch)).collect();
        let of = |class: u32| order.iter().filter(|&&i| source.0[i] == [class]).count() as f64 / 1e4;
        for class in [0, 2, 3] {
            // Three standard deviations of a share of 1/3 among 10000 draws.
            assert!((of(class) - 1.0 / 3.0).abs() < 0.0142, "class {class}: {}", of(class));
        }
        let mut seen = order.clone();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 100, "every sample of a class is drawn");
        assert_eq!(balance.order(100, 5, 7), balance.order(100, 5, 7));
        assert_ne!(balance.order(100, 5, 7), balance.order(100, 5, 8));
        assert_ne!(balance.order(100, 5, 7), balance.order(100, 6, 7));
        let third = [[0.9, 1.0 / 3.0], [0.0, 0.0], [0.09, 1.0 / 3.0], [0.01, 1.0 / 3.0]];
        for (got, expected) in balance.shares(&source, 4).iter().flatten().zip(third.iter().flatten()) {
            assert!((got - expected).abs() < 1e-12, "{got} is not {expected}");
        }
    }

    #[test]
    fn a_sample_of_several_classes_belongs_to_each() {
        let source = Classes(vec![vec![0, 1], vec![1], vec![1], vec![]]);
        let balance = Balance::of(&source).unwrap();
        assert_eq!(balance.groups, [vec![0], vec![0, 1, 2], vec![3]]);
        // Class 0: its own draws, and a third of those of class 1. Class 1: both groups. No label: 1/3.
        let [first, second] = [0, 1].map(|class| balance.shares(&source, 2)[class]);
        assert_eq!(first[0], 0.25);
        assert!((first[1] - (1.0 / 3.0 + 1.0 / 9.0)).abs() < 1e-12, "{first:?}");
        assert_eq!(second[0], 0.75);
        assert!((second[1] - 2.0 / 3.0).abs() < 1e-12, "{second:?}");
        assert_eq!(Balance::of(&Classes(vec![])), None);
    }
}
