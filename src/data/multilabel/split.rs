//! Splits images with several labels into training and validation, with equal shares of each label.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::{MultiLabelSet, MultiLabelSplits};
use crate::data::copies::Units;
use crate::data::decisions::Decisions;
use crate::data::split::{UNDIVIDED, by_seed};
use crate::data::{DataError, OpenOptions};
use crate::random::{self, op};

/// Splits `all` by iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): the images of the rarest label are
/// dealt first, each to the part that lacks most of that label. The split depends on `options.seed` alone. Both parts
/// keep the order of `all`.
pub(super) fn stratified(
    all: &MultiLabelSet,
    options: &OpenOptions,
    root: &Path,
    format: &'static str,
    mut decisions: Decisions,
) -> Result<MultiLabelSplits, DataError> {
    let share = options.checked_val_split()?;
    if options.undivided {
        decisions.split = UNDIVIDED.into();
        let (train, val) = (all.clone(), all.clone());
        return Ok(MultiLabelSplits { train, val, test: None, by_seed: true, format, decisions });
    }
    let names: Vec<PathBuf> = (0..all.len()).map(|index| PathBuf::from(all.name(index))).collect();
    let copies = Units::of(names.iter().map(|name| Some(name.as_path())), options.keep_copies);
    // The first image of each unit stands for its copies.
    let first: Vec<usize> = copies.units.iter().filter_map(|unit| unit.first().copied()).collect();
    let originals = all.subset(&first);
    let [mut train, mut val] = deal(&originals, f64::from(share), options.seed);
    if val.is_empty() {
        val.extend(spare(&originals, &train).map(|place| train.remove(place)));
    }
    let [mut train, mut val] =
        [train, val].map(|part| part.into_iter().flat_map(|unit| copies.units[unit].clone()).collect::<Vec<usize>>());
    for (part, split) in [(&mut train, "train"), (&mut val, "validation")] {
        if part.is_empty() {
            let count = all.len();
            let reason =
                format!("{count} images are too few to hold out the share {share}; add images, or a val/ part");
            return Err(DataError::EmptySplit { path: root.to_path_buf(), split, reason });
        }
        part.sort_unstable();
    }
    decisions.split = by_seed(share, options.seed) + &copies.words();
    Ok(MultiLabelSplits {
        train: all.subset(&train),
        val: all.subset(&val),
        test: None,
        by_seed: true,
        format,
        decisions,
    })
}

/// Index in `train` of an image whose labels all occur in other images of `train`.
fn spare(all: &MultiLabelSet, train: &[usize]) -> Option<usize> {
    let positives = all.subset(train).positives();
    train
        .iter()
        .position(|&index| all.labels(index).iter().all(|&label| positives[label as usize] > 1))
        .filter(|_| train.len() > 1)
}

/// Deals images to training (0) and validation (1).
struct Dealer<'a> {
    all: &'a MultiLabelSet,
    /// Number of images of each label that are not yet dealt.
    left: Vec<usize>,
    /// For each label with such images: their number and the label. The rarest label is first.
    by_rarity: BTreeSet<(usize, usize)>,
    /// Number of images of each label that each part lacks.
    lacking_of: Vec<[f64; 2]>,
    /// Number of images that each part lacks.
    lacking: [f64; 2],
    dealt: Vec<bool>,
    parts: [Vec<usize>; 2],
}

impl Dealer<'_> {
    /// Deals image `index` to the part that lacks more of `label`; on a tie to the part that lacks more images, then to
    /// training. An image that is already dealt stays.
    fn deal(&mut self, index: usize, label: Option<usize>) {
        if std::mem::replace(&mut self.dealt[index], true) {
            return;
        }
        let [train, val] = label.map_or([0.0; 2], |label| self.lacking_of[label]);
        let part = usize::from(if train == val { self.lacking[1] > self.lacking[0] } else { val > train });
        for label in self.all.labels(index).iter().map(|&label| label as usize) {
            self.by_rarity.remove(&(self.left[label], label));
            self.left[label] -= 1;
            if self.left[label] > 0 {
                self.by_rarity.insert((self.left[label], label));
            }
            self.lacking_of[label][part] -= 1.0;
        }
        self.lacking[part] -= 1.0;
        self.parts[part].push(index);
    }
}

/// Indices of the training and of the validation images.
fn deal(all: &MultiLabelSet, share: f64, seed: u64) -> [Vec<usize>; 2] {
    let (left, shares) = (all.positives(), [1.0 - share, share]);
    let mut order: Vec<usize> = (0..all.len()).collect();
    random::shuffle(&mut order, seed, 0, op::SPLIT);
    let mut members = vec![Vec::new(); left.len()];
    for &index in &order {
        all.labels(index).iter().for_each(|&label| members[label as usize].push(index));
    }
    let mut dealer = Dealer {
        all,
        lacking_of: left.iter().map(|&n| shares.map(|share| share * n as f64)).collect(),
        lacking: shares.map(|share| share * all.len() as f64),
        by_rarity: left.iter().copied().zip(0..).filter(|(count, _)| *count > 0).collect(),
        left,
        dealt: vec![false; all.len()],
        parts: Default::default(),
    };
    while let Some((_, label)) = dealer.by_rarity.first().copied() {
        members[label].iter().for_each(|&index| dealer.deal(index, Some(label)));
    }
    order.iter().for_each(|&index| dealer.deal(index, None));
    dealer.parts
}
