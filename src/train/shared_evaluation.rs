//! An evaluation over ranks. Each rank computes the outputs of its batches; rank 0 adds them in the order of the set, so loss and
//! scores have the bits of a single process. Every batch is computed once.

use std::sync::Arc;

use super::TrainError;
use super::model::LoadedModel;
use super::objective::{Evaluation, Objective};
use super::outputs::Outputs;
use crate::data::{Batch, Loader, Part};
use crate::ranks::{RankError, Ranks, Shares, Wait, gather};

/// The evaluations of a run on several ranks.
pub(super) struct SharedEvaluation {
    ranks: Arc<dyn Ranks>,
    shares: Shares,
    /// Reads this rank's batches; those of other ranks are empty.
    loader: Loader,
    /// Images of a batch.
    batch: usize,
}

impl SharedEvaluation {
    /// Evaluations of the set of `loader`, in batches of `batch`.
    pub fn new(ranks: Arc<dyn Ranks>, shares: Shares, mut loader: Loader, batch: usize) -> Self {
        let (owners, rank) = (shares.clone(), ranks.rank());
        let own = move |number, images| 0..if owners.owner(number) == rank { images } else { 0 };
        loader.read_part(Some(Part(Arc::new(own))));
        SharedEvaluation { ranks, shares, loader, batch }
    }

    /// Evaluates the whole set. All ranks call it; rank 0 has the result.
    ///
    /// # Errors
    /// When an image cannot be read, the device is lost, or a rank does not answer.
    pub fn run(
        &self,
        model: &mut LoadedModel,
        objective: &dyn Objective,
    ) -> Result<Option<Box<dyn Evaluation>>, TrainError> {
        let leads = self.ranks.rank() == 0;
        let mut result = leads.then(|| objective.begin(self.loader.source().len()));
        let (all, round) = (self.loader.batches(), self.shares.round());
        let mut batches = self.loader.epoch(0)?;
        for first in (0..all).step_by(round) {
            let numbers = first..(first + round).min(all);
            let mut own = vec![];
            for number in numbers.clone() {
                let batch = batches.next().transpose()?.unwrap_or_default();
                if self.shares.owner(number) == self.ranks.rank() {
                    let outputs = model.forward(objective, self.batch, &batch)?;
                    own.push((batch, outputs));
                }
            }
            let mut message = vec![];
            if !leads {
                own.iter().for_each(|(batch, outputs)| write(&mut message, batch, outputs, objective.scores_images()));
            }
            let messages = gather(&*self.ranks, &message, Wait::Timeout)?;
            if let Some(result) = &mut result {
                self.add(&mut **result, numbers, own, &messages)?;
            }
        }
        Ok(result)
    }

    /// Adds the batches of a round in their order: this rank's, and those in the messages of the others.
    fn add(
        &self,
        result: &mut dyn Evaluation,
        numbers: std::ops::Range<usize>,
        own: Vec<(Batch, Outputs)>,
        messages: &[Vec<u8>],
    ) -> Result<(), TrainError> {
        let mut own = own.into_iter();
        let mut others: Vec<Reader<'_>> = messages.iter().map(|message| Reader(message)).collect();
        for number in numbers {
            let rank = self.shares.owner(number);
            let found = if rank == 0 { own.next() } else { others.get_mut(rank).and_then(Reader::batch) };
            let cut_off = || RankError::Failed { rank, problem: "its part of an evaluation is cut off".into() };
            let (batch, outputs) = found.ok_or_else(cut_off)?;
            result.add(&batch, &outputs)?;
            self.loader.recycle(batch);
        }
        Ok(())
    }
}

/// Kinds of values in a message: words of 4 bytes, and whole numbers up to 255 in a byte, such as classes.
const WORDS: u8 = 0;
const SMALL_WHOLES: u8 = 1;
const SMALL_FLOATS: u8 = 2;

fn write(message: &mut Vec<u8>, batch: &Batch, outputs: &Outputs, with_images: bool) {
    let indices: Vec<u32> = batch.indices.iter().map(|&index| index as u32).collect();
    write_words(message, &indices);
    write_floats(message, if with_images { &batch.images } else { &[] });
    write_words(message, &batch.labels);
    write_floats(message, &batch.targets);
    message.extend((outputs.pairs().len() as u64).to_le_bytes());
    for (name, values) in outputs.pairs() {
        message.extend((name.len() as u64).to_le_bytes());
        message.extend(name.as_bytes());
        write_floats(message, values);
    }
}

fn write_words(message: &mut Vec<u8>, values: &[u32]) {
    let kind = if values.iter().all(|&value| value < 256) { SMALL_WHOLES } else { WORDS };
    message.push(kind);
    message.extend((values.len() as u64).to_le_bytes());
    match kind {
        WORDS => message.extend(bytemuck::cast_slice::<u32, u8>(values)),
        _ => message.extend(values.iter().map(|&value| value as u8)),
    }
}

fn write_floats(message: &mut Vec<u8>, values: &[f32]) {
    // By bits, since −0 is not 0.
    if values.iter().all(|value| f32::from(*value as u8).to_bits() == value.to_bits()) {
        message.push(SMALL_FLOATS);
        message.extend((values.len() as u64).to_le_bytes());
        message.extend(values.iter().map(|value| *value as u8));
    } else {
        message.push(WORDS);
        message.extend((values.len() as u64).to_le_bytes());
        message.extend(bytemuck::cast_slice::<f32, u8>(values));
    }
}

/// The unread part of a message.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn batch(&mut self) -> Option<(Batch, Outputs)> {
        let indices = self.words()?.into_iter().map(|index| index as usize).collect();
        let (images, labels, targets) = (self.floats()?, self.words()?, self.floats()?);
        let mut pairs = vec![];
        for _ in 0..self.count()? {
            let len = self.count()?;
            let name = String::from_utf8(self.bytes(len)?.to_vec()).ok()?;
            pairs.push((name, self.floats()?));
        }
        Some((Batch { images, labels, targets, indices }, Outputs::of_pairs(pairs)))
    }

    fn bytes(&mut self, len: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    fn count(&mut self) -> Option<usize> {
        Some(u64::from_le_bytes(self.bytes(8)?.try_into().ok()?) as usize)
    }

    /// The kind of some values, and their bytes.
    fn values(&mut self) -> Option<(u8, &'a [u8])> {
        let kind = self.bytes(1)?[0];
        let len = self.count()?;
        Some((kind, self.bytes(if kind == WORDS { len.checked_mul(4)? } else { len })?))
    }

    fn words(&mut self) -> Option<Vec<u32>> {
        let (kind, bytes) = self.values()?;
        Some(match kind {
            WORDS => bytemuck::pod_collect_to_vec(bytes),
            _ => bytes.iter().map(|&byte| byte.into()).collect(),
        })
    }

    fn floats(&mut self) -> Option<Vec<f32>> {
        let (kind, bytes) = self.values()?;
        Some(match kind {
            WORDS => bytemuck::pod_collect_to_vec(bytes),
            _ => bytes.iter().map(|&byte| byte.into()).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_read_as_they_were_written() {
        let batch = Batch {
            images: vec![0.5, -0.0, f32::NAN],
            labels: vec![3, 255, u32::MAX],
            targets: vec![],
            indices: vec![300, 2],
        };
        let values = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        let outputs = Outputs::of_pairs(vec![
            ("classes".into(), vec![0.0, 7.0, 255.0]),
            ("logits".into(), vec![-0.0, 256.0, 1e-3]),
        ]);
        let mut message = vec![];
        write(&mut message, &batch, &outputs, true);
        write(&mut message, &batch, &outputs, false);
        let mut reader = Reader(&message);
        for images in [&batch.images[..], &[]] {
            let (read, found) = reader.batch().expect("whole");
            assert_eq!(values(&read.images), values(images));
            assert_eq!((read.labels, read.targets, read.indices), (batch.labels.clone(), vec![], vec![300, 2]));
            for (name, expected) in outputs.pairs() {
                assert_eq!(values(found.get(name)), values(expected), "{name}");
            }
        }
        assert!(Reader(&message[..message.len() / 2 - 1]).batch().is_none(), "cut off");
    }
}
