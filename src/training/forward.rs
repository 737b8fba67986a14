//! Prediction: the forward graph of a network for each shape of images, over the states of a session.

use std::collections::HashMap;

use super::TrainingError;
use super::port;
use super::targets::check;
use crate::exec::{AnyEngine, PlanId, Session};
use crate::fuse::{FuseOptions, fuse};
use crate::graph::{Graph, GraphError, StateTable};
use crate::nn::{Mode, Model, Outputs};
use crate::plan::PlanOptions;
use crate::shape::{Shape, TensorType};
use crate::tensor::Tensor;

/// Forward plans by shape of the images.
#[derive(Default)]
pub(super) struct Forward {
    plans: HashMap<[usize; 4], PlanId>,
}

/// The graph of a prediction.
pub(super) fn graph<O: Outputs>(
    states: StateTable,
    network: &dyn Model<Output = O>,
    images: [usize; 4],
) -> Result<Graph, GraphError> {
    let mut g = Graph::with_states(states);
    let x = g.input(port::IMAGES, TensorType::channels(images));
    for (k, value) in network.apply(&mut g, x, Mode::Eval)?.values().into_iter().enumerate() {
        g.output(&format!("output{k}"), value);
    }
    fuse(&mut g, FuseOptions::default());
    Ok(g)
}

impl Forward {
    /// The network's outputs for `images`, each of the shape `image` `[H,W,C]`.
    pub fn predict<O: Outputs>(
        &mut self,
        session: &mut Session<AnyEngine>,
        network: &dyn Model<Output = O>,
        image: [usize; 3],
        images: &[f32],
    ) -> Result<O::Tensors, TrainingError> {
        let each = Shape::from(image);
        let samples = images.len() / each.elements().max(1);
        check("numbers of images", images.len(), samples.max(1), &each)?;
        let [h, w, c] = image;
        let key = [samples, h, w, c];
        let plan = match self.plans.get(&key) {
            Some(&plan) => plan,
            None => {
                let graph = graph(session.states().clone(), network, key)?;
                let plan = session.load(&graph, PlanOptions::default())?;
                *self.plans.entry(key).or_insert(plan)
            }
        };
        session.write(plan, port::IMAGES, images)?;
        let made = session.run_now(plan)?;
        let shapes: Vec<Shape> = session.plan(plan).outputs.iter().map(|port| port.ty.shape.clone()).collect();
        Ok(O::tensors(shapes.into_iter().zip(made).map(|(shape, values)| Tensor::new(shape, values)).collect()))
    }
}
