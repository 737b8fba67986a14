//! Settings of an explanation, and the reasons for which one is refused.

use crate::choices;
use crate::tasks::TaskError;
use crate::text::meant;

choices! {
    /// How a prediction is explained.
    pub enum Method default GradCam {
        /// Grad-CAM (Selvaraju et al. 2017): the last feature maps, weighted by the gradient of the class
        GradCam = "gradcam",
        /// Occlusion (Zeiler & Fergus 2014): the drop of the class's probability under a grey patch, place by place
        Occlusion = "occlusion",
        /// Feature maps of layers, and the filters of the first one
        Features = "features",
    }
}

/// Settings of an explanation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Explain {
    /// The method.
    pub method: Method,
    /// The class; by default the most probable one of each image.
    pub class: Option<String>,
    /// A pattern of names of layers, such as `layer3`. Grad-CAM takes the last feature map of these layers; by default that of the
    /// encoder's last layer with at least 4×4 pixels. Of feature maps, all of these layers are drawn; by default the first one, and the
    /// last one of each size.
    pub layer: Option<String>,
    /// For occlusion the side of the patch in pixels of the network's images; by default a fifth of their side.
    pub patch: Option<usize>,
    /// For occlusion the distance between places of the patch in pixels; by default half the patch.
    pub stride: Option<usize>,
}

/// Why a prediction cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// No class has this name.
    #[error("the model has no class `{class}`: its classes are {}{}", classes.join(", "), meant(class, classes.iter().map(String::as_str)))]
    Class {
        /// The name.
        class: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// No layer with this name has a feature map.
    #[error("no layer `{layer}` has a feature map of more than one pixel: the layers that have one are {}{}", layers.join(", "), meant(layer, stages(layers)))]
    Layer {
        /// The pattern.
        layer: String,
        /// Layers with a map.
        layers: Vec<String>,
    },
    /// Every feature map has one pixel.
    #[error("images of {height} x {width} pixels are too small: every feature map of the network has one pixel")]
    TooSmall {
        /// Height in pixels.
        height: usize,
        /// Width in pixels.
        width: usize,
    },
    /// A method that the task does not have.
    #[error("{method} explains the class of an image: a segmentation model has gradcam and features")]
    Method {
        /// The method.
        method: &'static str,
    },
    /// A patch that does not fit.
    #[error("{name} {value}: expected 1 to {most} pixels, {reason}")]
    Patch {
        /// `patch` or `stride`.
        name: &'static str,
        /// Its value.
        value: usize,
        /// Largest value.
        most: usize,
        /// Why.
        reason: &'static str,
    },
}

/// The names of layers, and of the stages that hold them: `layer3` for `layer3.1.conv2`.
fn stages(layers: &[String]) -> impl Iterator<Item = &str> {
    layers.iter().flat_map(|layer| [layer.split('.').next().unwrap_or(layer), layer])
}

impl From<ExplainError> for TaskError {
    fn from(e: ExplainError) -> Self {
        TaskError::Own(Box::new(e))
    }
}
