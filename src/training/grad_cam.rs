//! Grad-CAM (Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization"): the
//! parts of an image that raise an output of a network.
//!
//! For a feature map A `[H,W,C]` and an output y, the weight of channel c is α_c = mean over h, w of ∂y/∂A_hwc. The map is
//! L_hw = max(0, Σ_c α_c · A_hwc).
//!
//! [`GradCam::graph`] is an ordinary inference graph with gradients as further nodes. The input [`OUTPUT_WEIGHTS`] chooses y, so
//! that one plan serves all classes: y = Σ weight · output. Segmentation takes for y the sum of a class's logits over a set of pixels
//! ([`class_pixels`]; Vinogradova et al. 2020, "Towards Interpretable Semantic Segmentation via Gradient-Weighted Class Activation
//! Mapping").

use super::port;
use crate::autodiff;
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, Source, StateTable, Value};
use crate::nn::{Mode, Model};
use crate::shape::TensorType;

/// Input, of the shape of the network's output: the weight of each output in y.
pub const OUTPUT_WEIGHTS: &str = "output_weights";
/// Output `[N,H,W,C]`: the feature map A.
pub const FEATURES: &str = "features";
/// Output `[N,H,W,C]`: ∂y/∂A.
pub const FEATURE_GRADIENT: &str = "feature_gradient";
/// Output: the network's outputs.
pub const OUTPUTS: &str = "outputs";

/// The last feature map of a layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureMap {
    /// The layer, such as `layer4.1`.
    pub layer: String,
    /// The map `[N,H,W,C]`.
    pub value: Value,
    /// H, W and C.
    pub size: [usize; 3],
}

/// The feature maps of a network, one per layer, in the order of computation. A map of a single pixel is left out, as is the
/// network's output. A node outside of all layers belongs to the layer before it.
pub fn feature_maps(g: &Graph, output: Value) -> Vec<FeatureMap> {
    let (mut maps, mut layer) = (Vec::<FeatureMap>::new(), String::new());
    for node in g.nodes() {
        if !node.scope.is_empty() {
            layer.clone_from(&node.scope);
        }
        let Some(&value) = node.outputs.first().filter(|v| **v != output) else { continue };
        let &[_, h, w, c] = g.dims(value) else { continue };
        if h * w > 1 && !layer.is_empty() {
            maps.retain(|map| map.layer != layer);
            maps.push(FeatureMap { layer: layer.clone(), value, size: [h, w, c] });
        }
    }
    maps
}

/// A graph of Grad-CAM, and the feature map that it is about.
#[derive(Debug)]
pub struct GradCam {
    /// Inputs `images` and [`OUTPUT_WEIGHTS`]; outputs [`OUTPUTS`], [`FEATURES`] and [`FEATURE_GRADIENT`].
    pub graph: Graph,
    /// The layer of the feature map.
    pub layer: String,
    /// H, W and C of the feature map.
    pub size: [usize; 3],
}

impl GradCam {
    /// The graph for images `[N,H,W,C]`, over the states of a trained network, with BatchNorm's running statistics.
    /// `choose` gets the feature maps and returns the index of one of them; if it returns `None`, so does this
    /// function.
    ///
    /// # Errors
    /// When the network does not fit the images, its output does not depend on the map, or an op between them has no gradient.
    pub fn graph(
        states: StateTable,
        network: &dyn Model<Output = Value>,
        images: [usize; 4],
        choose: impl FnOnce(&[FeatureMap]) -> Option<usize>,
    ) -> Result<Option<GradCam>, GraphError> {
        let mut g = Graph::with_states(states);
        let x = g.input(port::IMAGES, TensorType::channels(images));
        let output = network.apply(&mut g, x, Mode::Eval)?;
        let maps = feature_maps(&g, output);
        let Some(FeatureMap { layer, value, size }) = choose(&maps).and_then(|place| maps.get(place).cloned()) else {
            return Ok(None);
        };
        let weights = g.input(OUTPUT_WEIGHTS, g.ty(output).clone());
        let gradient = autodiff::gradients_from(&mut g, &[(output, weights)], &[value])?[0];
        for (name, value) in [(OUTPUTS, output), (FEATURES, value), (FEATURE_GRADIENT, gradient)] {
            debug_assert!(!matches!(g.source(value), Source::Input(_)), "{name} is computed");
            g.output(name, value);
        }
        fuse(&mut g, FuseOptions::default());
        Ok(Some(GradCam { graph: g, layer, size }))
    }
}

/// The weights of Seg-Grad-CAM: 1 for the logit of a class at the pixels that the network assigns to it, or at all
/// pixels if it assigns none. `logits` are `[pixels,classes]`; the first of the largest ones decides. `choose` gets the
/// number of pixels of each class and returns the class.
pub fn class_pixels<T: Copy + PartialOrd>(
    logits: &[T],
    classes: usize,
    choose: impl FnOnce(&[usize]) -> usize,
) -> PixelWeights {
    let first_largest = |row: &[T]| (1..row.len()).fold(0, |best, k| if row[k] > row[best] { k } else { best });
    let predicted: Vec<usize> = logits.chunks_exact(classes).map(first_largest).collect();
    let mut counts = vec![0; classes];
    predicted.iter().for_each(|&class| counts[class] += 1);
    let class = choose(&counts);
    let mut weights = vec![0.0; logits.len()];
    for (row, &of) in weights.chunks_exact_mut(classes).zip(&predicted) {
        row[class] = f32::from(u8::from(counts[class] == 0 || of == class));
    }
    let share = counts[class] as f64 / predicted.len().max(1) as f64;
    PixelWeights { class, predicted, share, weights }
}

/// Result of [`class_pixels`].
#[derive(Clone, Debug, PartialEq)]
pub struct PixelWeights {
    /// The class.
    pub class: usize,
    /// The class of each pixel.
    pub predicted: Vec<usize>,
    /// Share of the pixels that the network assigns to the class.
    pub share: f64,
    /// The weights `[pixels,classes]`.
    pub weights: Vec<f32>,
}

/// The map `[H,W]` of one image from its feature map and its gradient, both `[H,W,C]`.
pub fn grad_cam<T: Copy + Into<f64>>(features: &[T], gradient: &[T], channels: usize) -> Vec<f64> {
    let mut alpha = vec![0.0; channels];
    for pixel in gradient.chunks_exact(channels) {
        alpha.iter_mut().zip(pixel).for_each(|(sum, &g)| *sum += g.into());
    }
    let pixels = (gradient.len() / channels.max(1)).max(1) as f64;
    alpha.iter_mut().for_each(|sum| *sum /= pixels);
    let at = |pixel: &[T]| pixel.iter().zip(&alpha).map(|(&a, alpha)| alpha * a.into()).sum::<f64>();
    features.chunks_exact(channels).map(|pixel| at(pixel).max(0.0)).collect()
}
