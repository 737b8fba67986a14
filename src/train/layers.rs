//! The layers at the end of an epoch: norms of weights and gradients, and dead units. They are measured on a fixed batch of a few training
//! images. No state of the training changes by a bit.

use super::TrainError;
use super::masks::Masks;
use super::model::LoadedModel;
use super::objective::Objective;
use super::outputs::Outputs;
use super::settings::TrainSettings;
use super::stages::StepInputs;
use super::step::{Phase, port};
use crate::data::{Batch, Source};
use crate::exec::{ExecError, PlanId};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, Group, StateSpec, Value};
use crate::nn::Mode;
use crate::ops::{self, LOSS_SCALE};
use crate::plan::PlanOptions;
use crate::precision::Precision;
use crate::run::RunDir;
use crate::run::layers::LayerRow;
use crate::run::pictures::spread;

/// Images of the batch: few, since an epoch may have few steps.
const IMAGES: usize = 8;

/// The record of a run's layers.
#[derive(Default)]
pub(super) struct Layers {
    /// Made at its first use.
    probe: Option<LayerProbe>,
    /// Why the layers are not recorded, if they cannot be.
    pub left_out: Option<String>,
}

/// The batch and the plans that show the layers.
struct LayerProbe {
    batch: Batch,
    gradients: PlanId,
    forward: PlanId,
    /// The layer before each ReLU, in the order of the plan's outputs.
    rectified: Vec<String>,
}

impl Layers {
    /// Adds a row for each layer to `layers.csv`. After a failure the run goes on without these rows, because nothing
    /// depends on them.
    pub fn record(
        &mut self,
        (run, epoch): (&RunDir, usize),
        (model, objective): (&mut LoadedModel, &dyn Objective),
        training: &dyn Source,
        settings: &TrainSettings,
    ) {
        if self.left_out.is_some() {
            return;
        }
        let rows = self.rows(epoch, (model, objective), training, settings);
        let written = rows.and_then(|rows| Ok(run.append_layers(&rows)?));
        self.left_out = written.err().map(|error| format!("layers.csv is left out: {error}"));
    }

    fn rows(
        &mut self,
        epoch: usize,
        (model, objective): (&mut LoadedModel, &dyn Objective),
        training: &dyn Source,
        settings: &TrainSettings,
    ) -> Result<Vec<LayerRow>, TrainError> {
        let probe = match &self.probe {
            Some(probe) => probe,
            None => self.probe.insert(LayerProbe::new(model, objective, training, settings.batch_size)?),
        };
        let statistics = model.session.read_group(Group::Statistics)?;
        let made = probe.run(model, objective);
        // In training mode BatchNorm moves its running statistics.
        model.session.write_group(Group::Statistics, &statistics)?;
        let (gradients, dead) = made?;
        let weights = model.session.read_group(Group::Parameters)?;
        let states = model.session.states();
        let offsets = states.layout().offsets;
        let layers = states.iter().enumerate().filter(|(_, (_, spec))| {
            spec.group == Group::Parameters && spec.ty.shape.rank() > 1 && spec.name.ends_with(".weight")
        });
        let row = |(index, (_, spec)): (usize, (_, &StateSpec))| {
            let layer = spec.name.trim_end_matches(".weight").to_owned();
            let range = offsets[index]..offsets[index] + spec.ty.len();
            let dead = probe.rectified.iter().zip(&dead).find(|(name, _)| **name == layer).map(|(_, share)| *share);
            LayerRow {
                epoch: epoch as u32,
                weight_norm: norm(&weights[range.clone()]),
                gradient_norm: norm(gradients.get(range).unwrap_or_default()),
                dead,
                layer,
            }
        };
        let mut rows: Vec<LayerRow> = layers.map(row).collect();
        let scale = match settings.precision {
            Precision::F16 => ops::loss_scale_of(&model.session.read_state(LOSS_SCALE)?),
            Precision::F32 => 1.0,
        };
        rows.iter_mut().for_each(|row| row.gradient_norm /= scale);
        Ok(rows)
    }
}

impl LayerProbe {
    /// The probe of a network, with a batch of `batch_size` training images at most.
    fn new(
        model: &mut LoadedModel,
        objective: &dyn Objective,
        training: &dyn Source,
        batch_size: usize,
    ) -> Result<Self, TrainError> {
        let n = batch_size.min(training.len()).min(IMAGES);
        // From the whole set, which may be sorted by class.
        let batch = Batch::load(training, &spread(training.len(), n).collect::<Vec<_>>())?;
        let gradients = model.training_plan(objective, (n, Phase::Shard), PlanOptions::default())?;
        let images = model.session.plan(gradients).input(port::IMAGES).map(|port| port.ty.clone());
        let images = images.ok_or_else(|| ExecError::NotWritten { input: port::IMAGES.into() })?;
        let mut g = Graph::with_states(model.session.states().clone());
        let x = g.input(port::IMAGES, images);
        objective.card().network.apply(&mut g, x, Mode::Eval)?;
        let mut rectified = vec![];
        for value in ops::rectified(&g) {
            let layer = layer_before(&g, value).unwrap_or_default();
            let sums = ops::channel_sums(&mut g, value)?;
            g.output(&layer, sums);
            rectified.push(layer);
        }
        fuse(&mut g, FuseOptions::default());
        let forward = model.session.load(&g, PlanOptions::default())?;
        Ok(LayerProbe { batch, gradients, forward, rectified })
    }

    /// Gradients of all parameters, and the share of dead units of each ReLU.
    fn run(&self, model: &mut LoadedModel, objective: &dyn Objective) -> Result<(Vec<f32>, Vec<f64>), TrainError> {
        let LayerProbe { batch, gradients, forward, .. } = self;
        objective.feed(&mut model.session, *gradients, batch, batch.len())?;
        Masks::default().write(&mut model.session, *gradients)?;
        if model.session.plan(*gradients).input(port::HYPER).is_some() {
            StepInputs::none(Masks::default()).write(&mut model.session, *gradients)?;
        }
        let values = model.session.run_now(*gradients)?;
        let gradients = Outputs::new(&model.session, *gradients, values).get(port::GRADIENTS).to_vec();
        model.session.write(*forward, port::IMAGES, &batch.images)?;
        let sums = model.session.run_now(*forward)?;
        let dead = |sums: &Vec<f32>| sums.iter().filter(|&&sum| sum == 0.0).count() as f64 / sums.len().max(1) as f64;
        Ok((gradients, sums.iter().map(dead).collect()))
    }
}

/// The last layer with weights before a value, along the first inputs.
fn layer_before(g: &Graph, mut value: Value) -> Option<String> {
    loop {
        let node = g.nodes().iter().find(|node| node.outputs.contains(&value))?;
        if g.states().find(&format!("{}.weight", node.scope)).is_some_and(|id| g.states().spec(id).ty.shape.rank() > 1)
        {
            return Some(node.scope.clone());
        }
        value = *node.inputs.first()?;
    }
}

fn norm(values: &[f32]) -> f64 {
    values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::ImageSize;
    use crate::tasks::segment::{self, SegmentConfig};
    use crate::train::Trainer;

    #[test]
    fn states_keep_their_bits_and_dead_channels_are_counted() {
        let place = tempfile::tempdir().expect("a temporary folder");
        let config = SegmentConfig {
            out: Some(place.path().join("run")),
            device: "cpu".into(),
            scenes: 10,
            batch_size: 4,
            image_size: ImageSize { height: 32, width: 32 },
            base: 4,
            depth: 1,
            ..SegmentConfig::default()
        };
        let mut trainer = segment::open(&config, &()).unwrap_or_else(|e| panic!("{e}"));
        // Scale 0 and shift −1: the ReLU of these two of four channels is 0 everywhere.
        for (state, value) in [("down0.bn1.weight", 0.0), ("down0.bn1.bias", -1.0)] {
            let mut values = trainer.model.session.read_state(state).expect("a state");
            values[..2].fill(value);
            trainer.model.session.write_state(state, &values).expect("fits");
        }
        let bits = |trainer: &mut Trainer| {
            let session = &mut trainer.model.session;
            let groups = Group::ALL.map(|group| session.read_group(group).expect("a group"));
            groups.map(|values| values.into_iter().map(f32::to_bits).collect::<Vec<_>>())
        };
        let before = bits(&mut trainer);
        trainer.record_layers(1);
        trainer.record_layers(2);
        assert!(bits(&mut trainer) == before, "training continues from the same bits");
        assert_eq!(trainer.layers.left_out, None);
        let rows = trainer.run().read_layers().expect("rows");
        let dead: Vec<_> = rows.iter().filter(|row| row.layer == "down0.conv1").map(|row| row.dead).collect();
        assert_eq!(dead, [Some(0.5); 2]);
    }
}
