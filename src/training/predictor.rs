//! Prediction without training.

use std::path::Path;

use super::TrainingError;
use super::forward::{self, Forward};
use crate::exec::{AnyEngine, Session};
use crate::graph::{StateTable, Value};
use crate::nn::{Model, Outputs};
use crate::tensor::Tensor;

/// A trained network on a device.
pub struct Predictor<O: Outputs = Value> {
    network: Box<dyn Model<Output = O> + Send>,
    session: Session<AnyEngine>,
    forward: Forward,
    image: [usize; 3],
}

impl<O: Outputs> Predictor<O> {
    /// The network for images `[H,W,C]`, with the weights of a safetensors file: of
    /// [`Training::save_weights`](super::Training::save_weights), of [`Training::save`](super::Training::save), of a run, or of
    /// a PyTorch model with the same names.
    ///
    /// # Errors
    /// When the images do not fit the network, memory runs out, or the file is not of this network.
    pub fn open<M>(
        device: Box<AnyEngine>,
        image: [usize; 3],
        network: M,
        weights: impl AsRef<Path>,
    ) -> Result<Self, TrainingError>
    where
        M: Model<Output = O> + Send + 'static,
    {
        let mut predictor = Self::untrained(device, image, network)?;
        predictor.session.load_weights(weights.as_ref())?;
        Ok(predictor)
    }

    /// The network for images `[H,W,C]` with start values; [`Predictor::set_tensor`] changes them.
    ///
    /// # Errors
    /// When the images do not fit the network, or memory runs out.
    pub fn untrained<M>(device: Box<AnyEngine>, image: [usize; 3], network: M) -> Result<Self, TrainingError>
    where
        M: Model<Output = O> + Send + 'static,
    {
        let [h, w, c] = image;
        let graph = forward::graph(StateTable::default(), &network, [1, h, w, c])?;
        let session = Session::new(device, &graph, 0)?;
        Ok(Predictor { network: Box::new(network), session, forward: Forward::default(), image })
    }

    /// The network's outputs for any number of images, one after another: `[N,H,W,C]`. Each number of images has a plan, which
    /// is compiled at its first use and kept.
    ///
    /// # Errors
    /// When the numbers are not whole images, memory runs out, or the device is lost.
    pub fn predict(&mut self, images: &[f32]) -> Result<O::Tensors, TrainingError> {
        self.forward.predict(&mut self.session, self.network.as_ref(), self.image, images)
    }

    /// Takes images of another height and width from now on, for networks that take any.
    pub fn set_image_size(&mut self, [height, width]: [usize; 2]) {
        (self.image[0], self.image[1]) = (height, width);
    }

    /// A parameter or running statistic by its name.
    ///
    /// # Errors
    /// When no tensor has this name (the message lists similar names), or the device is lost.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor, TrainingError> {
        Ok(self.session.tensor(name)?)
    }

    /// Sets a parameter or running statistic.
    ///
    /// # Errors
    /// When no tensor has this name, it has another shape, or the device is lost.
    pub fn set_tensor(&mut self, name: &str, tensor: &Tensor) -> Result<(), TrainingError> {
        Ok(self.session.set_tensor(name, tensor)?)
    }

    /// States and plans.
    pub fn session(&mut self) -> &mut Session<AnyEngine> {
        &mut self.session
    }
}
