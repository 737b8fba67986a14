//! Grad-CAM maps of a batch.

use serde_json::json;

use super::map::{Map, rows};
use super::settings::ExplainError;
use crate::exec::{AnyEngine, ExecError, PlanId, Session};
use crate::graph::names;
use crate::nn::Network;
use crate::plan::PlanOptions;
use crate::run::card::ModelCard;
use crate::train::TrainError;
use crate::train::objective::filled;
use crate::train::outputs::Outputs;
use crate::train::step::port;
use crate::training::grad_cam::{self, FEATURE_GRADIENT, FEATURES, FeatureMap, GradCam, OUTPUT_WEIGHTS, OUTPUTS};

/// Smallest side of the feature map that Grad-CAM takes by default, in pixels.
const LEAST: usize = 4;

/// The plan of Grad-CAM for a batch.
pub(crate) struct CamPlan {
    plan: PlanId,
    batch: usize,
    /// Values of an image.
    each: usize,
    /// Outputs for an image.
    outputs: usize,
    layer: String,
    size: [usize; 3],
}

impl CamPlan {
    /// The plan for batches of images of the card's size and the feature map of a layer. The default is the encoder's last layer whose map
    /// has at least [`LEAST`] pixels a side.
    ///
    /// # Errors
    /// The outer error when memory runs out; the inner error when there is no such map.
    pub fn new(
        session: &mut Session<AnyEngine>,
        card: &ModelCard,
        batch: usize,
        layer: Option<&str>,
    ) -> Result<Result<CamPlan, ExplainError>, TrainError> {
        let ([h, w], c) = (card.image_size, card.channels());
        let states = session.states().clone();
        let (mut layers, network) = (vec![], &card.network);
        let choose = |maps: &[FeatureMap]| {
            layers = maps.iter().map(|map| map.layer.clone()).collect();
            choose(maps, network, layer)
        };
        let cam = GradCam::graph(states, network, [batch, h, w, c], choose)?;
        let missing = match layer {
            Some(layer) if !layers.is_empty() => {
                ExplainError::Layer { layer: layer.to_owned(), layers: layers.clone() }
            }
            _ => ExplainError::TooSmall { height: h, width: w },
        };
        let Some(GradCam { graph, layer, size }) = cam else { return Ok(Err(missing)) };
        let output = graph.outputs().iter().find(|(name, _)| name == OUTPUTS);
        let outputs = output.map_or(0, |(_, value)| graph.ty(*value).shape.elements() / batch.max(1));
        let plan = session.load(&graph, PlanOptions::default())?;
        Ok(Ok(CamPlan { plan, batch, each: h * w * c, outputs, layer, size }))
    }

    /// The network's outputs for at most a batch of images, from normalized pixels.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn outputs(&self, session: &mut Session<AnyEngine>, pixels: &[f32]) -> Result<Vec<f32>, ExecError> {
        let images = pixels.len() / self.each;
        let made = self.run(session, pixels, &[])?;
        Ok(made.get(OUTPUTS)[..images * self.outputs].to_vec())
    }

    /// The map `[H,W]` of each image for its class, from normalized pixels.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn maps(
        &self,
        session: &mut Session<AnyEngine>,
        pixels: &[f32],
        classes: &[usize],
    ) -> Result<Vec<Vec<f64>>, ExecError> {
        let mut weights = vec![0.0; classes.len() * self.outputs];
        classes.iter().enumerate().for_each(|(row, class)| weights[row * self.outputs + class] = 1.0);
        self.weighted_maps(session, pixels, &weights)
    }

    /// The map `[H,W]` of each image for the sum of its outputs, each times its weight.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn weighted_maps(
        &self,
        session: &mut Session<AnyEngine>,
        pixels: &[f32],
        weights: &[f32],
    ) -> Result<Vec<Vec<f64>>, ExecError> {
        let (mut maps, [h, w, c]) = (vec![], self.size);
        for (pixels, weights) in pixels.chunks(self.batch * self.each).zip(weights.chunks(self.batch * self.outputs)) {
            let made = self.run(session, pixels, weights)?;
            let each = |name| made.get(name).chunks_exact(h * w * c);
            let rows = each(FEATURES).zip(each(FEATURE_GRADIENT)).take(weights.len() / self.outputs);
            maps.extend(rows.map(|(features, gradient)| grad_cam::grad_cam(features, gradient, c)));
        }
        Ok(maps)
    }

    /// Runs the plan for at most a batch. Missing weights are 0.
    fn run(&self, session: &mut Session<AnyEngine>, pixels: &[f32], weights: &[f32]) -> Result<Outputs, ExecError> {
        session.write(self.plan, port::IMAGES, &filled(pixels, self.batch * self.each))?;
        session.write(self.plan, OUTPUT_WEIGHTS, &filled(weights, self.batch * self.outputs))?;
        let values = session.run_now(self.plan)?;
        Ok(Outputs::new(session, self.plan, values))
    }

    /// Height and width of a map.
    pub fn size(&self) -> [usize; 2] {
        [self.size[0], self.size[1]]
    }

    /// The layer of the feature map.
    pub fn layer(&self) -> &str {
        &self.layer
    }
}

/// The index of the feature map to explain.
fn choose(maps: &[FeatureMap], network: &Network, layer: Option<&str>) -> Option<usize> {
    if let Some(layer) = layer {
        return maps.iter().rposition(|map| names(layer, &map.layer));
    }
    let encoder = network.architecture().encoder;
    let of_encoder = |map: &FeatureMap| encoder.is_empty() || encoder.iter().any(|part| names(part, &map.layer));
    let large = |map: &FeatureMap| map.size[0].min(map.size[1]) >= LEAST;
    maps.iter().rposition(|map| of_encoder(map) && large(map)).or_else(|| maps.iter().rposition(of_encoder))
}

pub(super) fn grad_cams(
    plan: &CamPlan,
    session: &mut Session<AnyEngine>,
    pixels: &[f32],
    classes: &[usize],
) -> Result<Vec<Map>, TrainError> {
    let size @ [h, w] = plan.size();
    let made = |values: Vec<f64>| Map {
        legend: "yellow: raises it most",
        caption: format!("Grad-CAM, {}, {h} × {w}", plan.layer()),
        json: json!({ "layer": plan.layer(), "map": rows(&values, w) }),
        size,
        values,
    };
    Ok(plan.maps(session, pixels, classes)?.into_iter().map(made).collect())
}
