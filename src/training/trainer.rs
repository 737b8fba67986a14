//! The loop's body: steps, evaluation, prediction.

use std::collections::{BTreeMap, HashMap};

use super::TrainingError;
use super::forward::Forward;
use super::graphs::{GRADIENT, Kind, NAMED, Parts};
use super::loss::Loss;
use super::options::TrainingOptions;
use super::port;
use super::results::{Evaluation, Measured, Step};
use super::targets::{Taken, check};
use crate::batch::Batch;
use crate::exec::{AnyEngine, PlanId, Session, Ticket};
use crate::graph::{self, Group, StateTable, Value};
use crate::nn::{DROPOUT_SEED, Model, Outputs};
use crate::ops::{AVERAGE, Hyper};
use crate::plan::PlanOptions;
use crate::random;
use crate::shape::Shape;
use crate::tensor::Tensor;

/// A network in training on a device. `O` is the network's output: [`Value`] for one, `[Value; K]` for K.
pub struct Training<O: Outputs = Value> {
    parts: Parts<O>,
    pub(super) session: Session<AnyEngine>,
    plans: HashMap<(Kind, [usize; 4]), (PlanId, Taken)>,
    update: Option<PlanId>,
    forward: Forward,
    image: [usize; 3],
    learning_rate: f64,
    pub(super) steps: u64,
}

/// A step that the device computes; [`Training::finish`] waits for it.
#[derive(Debug)]
#[must_use = "Training::finish gives the loss"]
pub struct Pending {
    plan: PlanId,
    ticket: Ticket,
    number: u64,
}

impl<O: Outputs> Training<O> {
    /// A training of `network` on images `[H,W,C]` with start values for the options' seed. Plans are compiled later, at the
    /// first batch of each size.
    ///
    /// # Errors
    /// When the images do not fit the network or the loss, a parameter does not reach the loss, `freeze` matches nothing or
    /// everything, or memory runs out.
    pub fn new<M, L>(
        device: Box<AnyEngine>,
        image: [usize; 3],
        network: M,
        loss: L,
        options: TrainingOptions,
    ) -> Result<Self, TrainingError>
    where
        M: Model<Output = O> + Send + 'static,
        L: Loss<O> + Send + 'static,
    {
        let learning_rate = options.learning_rate;
        let parts = Parts { network: Box::new(network), loss: Box::new(loss), options };
        let [h, w, c] = image;
        // The states do not depend on the batch size. BatchNorm refuses one image of one pixel.
        let (graph, _) = parts.graph(StateTable::freezing(&parts.options.freeze), Kind::Step, [2, h, w, c])?;
        check_frozen(graph.states(), &parts.options.freeze)?;
        let session = Session::new(device, &graph, parts.options.seed)?;
        let (plans, update, forward) = (HashMap::new(), None, Forward::default());
        let mut training = Training { parts, session, plans, update, forward, image, learning_rate, steps: 0 };
        training.restart_average()?;
        Ok(training)
    }

    /// Trains on a batch of any size: forward, gradients, update. Waits for the loss.
    ///
    /// # Errors
    /// When the batch has the wrong lengths or a label that is not a class, memory runs out, or the device is lost.
    pub fn step(&mut self, batch: &Batch) -> Result<Step, TrainingError> {
        let pending = self.start(batch)?;
        self.finish(pending)
    }

    /// Starts a step and does not wait for it: a batch can be prepared while the device computes.
    ///
    /// # Errors
    /// As [`Training::step`].
    pub fn start(&mut self, batch: &Batch) -> Result<Pending, TrainingError> {
        let plan = self.feed(Kind::Step, batch)?;
        let hyper = self.next_hyper();
        self.session.write(plan, port::HYPER, &hyper.values())?;
        self.seed_dropout(plan)?;
        let ticket = self.session.run(plan)?;
        self.steps += 1;
        Ok(Pending { plan, ticket, number: self.steps })
    }

    /// Waits for a step, and returns its measured numbers. At most [`MAX_TICKETS`](crate::exec::MAX_TICKETS) steps can
    /// wait.
    ///
    /// # Errors
    /// When the device is lost, or more steps than this were started since.
    pub fn finish(&mut self, pending: Pending) -> Result<Step, TrainingError> {
        let outputs = self.session.take(pending.plan, pending.ticket)?;
        let measured = self.measured(pending.plan, outputs);
        Ok(Step { number: pending.number, loss: measured.loss, measured })
    }

    /// Evaluates on batches, such as those of an epoch of a loader: with running statistics, without dropout and without
    /// changing anything.
    ///
    /// # Errors
    /// When a batch cannot be read or does not fit, no batch has a sample, memory runs out, or the device is lost.
    pub fn evaluate<E>(
        &mut self,
        batches: impl IntoIterator<Item = Result<Batch, E>>,
    ) -> Result<Evaluation, TrainingError>
    where
        TrainingError: From<E>,
    {
        let mut evaluation = Evaluation::default();
        for batch in batches {
            let batch = batch?;
            let plan = self.feed(Kind::Evaluation, &batch)?;
            let outputs = self.session.run_now(plan)?;
            evaluation.add(batch.len(), self.measured(plan, outputs));
        }
        evaluation.checked()
    }

    /// The network's outputs for any number of images, one after another: `[N,H,W,C]`; with running statistics and without
    /// dropout.
    ///
    /// # Errors
    /// When the numbers are not whole images, memory runs out, or the device is lost.
    pub fn predict(&mut self, images: &[f32]) -> Result<O::Tensors, TrainingError> {
        self.forward.predict(&mut self.session, self.parts.network.as_ref(), self.image, images)
    }

    /// The gradients of a batch by the names of the parameters, without an update. Nothing changes, running statistics
    /// included.
    ///
    /// # Errors
    /// As [`Training::step`].
    pub fn gradients(&mut self, batch: &Batch) -> Result<BTreeMap<String, Tensor>, TrainingError> {
        let plan = self.feed(Kind::Gradients, batch)?;
        self.seed_dropout(plan)?;
        let statistics = self.session.read_group(Group::Statistics)?;
        let outputs = self.session.run_now(plan)?;
        self.session.write_group(Group::Statistics, &statistics)?;
        let ports = self.session.plan(plan).outputs.iter().zip(outputs);
        let gradients = ports.filter_map(|(port, values)| {
            let name = port.name.strip_prefix(GRADIENT)?;
            Some((name.to_owned(), Tensor::new(port.ty.shape.clone(), values)))
        });
        Ok(gradients.collect())
    }

    /// Makes a step with gradients of your own, one for each parameter: clips them, and updates parameters, moments and average.
    /// If a gradient is not finite, the parameters do not change.
    ///
    /// # Errors
    /// When a gradient is missing, has another shape, or belongs to no parameter, memory runs out, or the device is lost.
    pub fn apply(&mut self, gradients: &BTreeMap<String, Tensor>) -> Result<(), TrainingError> {
        let parameters: Vec<_> = self.session.states().of(Group::Parameters).map(|(_, spec)| spec.clone()).collect();
        let wrong = |parameter: &str, problem: String| TrainingError::Gradient { parameter: parameter.into(), problem };
        if let Some(name) = gradients.keys().find(|name| parameters.iter().all(|spec| spec.name != **name)) {
            return Err(wrong(name, "belongs to no parameter in training".into()));
        }
        let plan = match self.update {
            Some(plan) => plan,
            None => {
                let graph = self.parts.update(self.session.states().clone())?;
                *self.update.insert(self.session.load(&graph, PlanOptions::default())?)
            }
        };
        for spec in &parameters {
            let gradient = gradients.get(&spec.name).ok_or_else(|| wrong(&spec.name, "is missing".into()))?;
            if gradient.shape != spec.ty.shape {
                let problem = format!("has the shape {}, but the parameter has {}", gradient.shape, spec.ty.shape);
                return Err(wrong(&spec.name, problem));
            }
            self.session.write(plan, &format!("{GRADIENT}{}", spec.name), &gradient.values)?;
        }
        let hyper = self.next_hyper();
        self.session.write(plan, port::HYPER, &hyper.values())?;
        self.session.run_now(plan)?;
        self.steps += 1;
        Ok(())
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Learning rate of the next step.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Sets the learning rate of the next step and those after it. No plan is compiled again.
    pub fn set_learning_rate(&mut self, learning_rate: f64) {
        self.learning_rate = learning_rate;
    }

    /// Takes images of another height and width from now on, for networks that take any.
    pub fn set_image_size(&mut self, [height, width]: [usize; 2]) {
        (self.image[0], self.image[1]) = (height, width);
    }

    /// Calls `run` with the moving average instead of the parameters: to evaluate, predict or save it. Without
    /// [`TrainingOptions::average`] the parameters stay.
    ///
    /// # Errors
    /// When the device is lost.
    pub fn with_average<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> Result<R, TrainingError> {
        if self.parts.options.average.is_none() {
            return Ok(run(self));
        }
        let parameters = self.session.read_group(Group::Parameters)?;
        let average = self.session.read_state(AVERAGE)?;
        self.session.write_group(Group::Parameters, &average)?;
        let result = run(self);
        self.session.write_group(Group::Parameters, &parameters)?;
        Ok(result)
    }

    /// A parameter, running statistic or moment by its name, such as `conv1.weight`, `norm1.running_mean` or
    /// `optimizer.exp_avg.conv1.weight`; [`Session::tensor_names`] lists them. Weights have the axes KH KW I O.
    ///
    /// # Errors
    /// When no tensor has this name, or the device is lost.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor, TrainingError> {
        Ok(self.session.tensor(name)?)
    }

    /// Sets a parameter, running statistic or moment.
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

    /// Starts the moving average at the current parameters.
    pub(super) fn restart_average(&mut self) -> Result<(), TrainingError> {
        if self.parts.options.average.is_some() {
            let parameters = self.session.read_group(Group::Parameters)?;
            self.session.write_state(AVERAGE, &parameters)?;
        }
        Ok(())
    }

    /// Seeds the masks of the next step, if the network has dropout.
    fn seed_dropout(&mut self, plan: PlanId) -> Result<(), TrainingError> {
        if self.session.plan(plan).input(DROPOUT_SEED).is_none() {
            return Ok(());
        }
        Ok(self.session.write(plan, DROPOUT_SEED, &mask_seed(self.parts.options.seed, self.steps))?)
    }

    /// Numbers that the next step takes besides its batch.
    fn next_hyper(&self) -> Hyper {
        let step = self.steps + 1;
        let t = step as f64;
        let average_decay = self.parts.options.average.unwrap_or(0.0).min((1.0 + t) / (10.0 + t)) as f32;
        Hyper { average_decay, ..Hyper::new(self.learning_rate, self.parts.options.optimizer.betas(), step) }
    }

    /// The plan of this kind for a batch, compiled at its first use, with the batch in its inputs.
    fn feed(&mut self, kind: Kind, batch: &Batch) -> Result<PlanId, TrainingError> {
        check("numbers of images", batch.images.len(), batch.len(), &Shape::from(self.image))?;
        let [h, w, c] = self.image;
        let key = (kind, [batch.len(), h, w, c]);
        if !self.plans.contains_key(&key) {
            let (graph, taken) = self.parts.graph(self.session.states().clone(), kind, key.1)?;
            let plan = self.session.load(&graph, PlanOptions::default())?;
            for (name, values) in &taken.constants {
                self.session.write(plan, name, values)?;
            }
            self.plans.insert(key, (plan, taken));
        }
        let (plan, taken) = &self.plans[&key];
        for (name, values) in taken.inputs(batch)? {
            self.session.write(*plan, name, &values)?;
        }
        self.session.write(*plan, port::IMAGES, &batch.images)?;
        Ok(*plan)
    }

    /// The outputs of a plan by their names.
    fn measured(&self, plan: PlanId, outputs: Vec<Vec<f32>>) -> Measured {
        let mut measured = Measured::default();
        for (port, values) in self.session.plan(plan).outputs.iter().zip(outputs) {
            match (port.name.as_str(), values.first()) {
                (port::LOSS, Some(&loss)) => measured.loss = loss,
                (port::GRADIENT_NORM, Some(&norm)) => measured.gradient_norm = Some(norm),
                (port::TOTALS, _) => measured.totals = values.first_chunk().map(|totals| totals.map(f64::from)),
                (name, Some(&value)) => {
                    let named = name.strip_prefix(NAMED).map(|name| (name.to_owned(), value));
                    measured.named.extend(named);
                }
                (_, None) => {}
            }
        }
        measured
    }
}

/// The input of all dropouts: seed low, seed high, step low, step high, 16 bits each. The upper half of a seed is mixed into the step.
fn mask_seed(seed: u64, step: u64) -> [f32; 4] {
    let step = step as u32 ^ random::mix_bits((seed >> 32) as u32);
    [seed as u32, seed as u32 >> 16, step, step >> 16].map(|bits| f32::from(bits as u16))
}

/// Each pattern must match a parameter, and some parameter must remain to train.
fn check_frozen(states: &StateTable, freeze: &[String]) -> Result<(), TrainingError> {
    let frozen = |pattern: &String| states.of(Group::Frozen).any(|(_, spec)| graph::names(pattern, &spec.name));
    let layers = || {
        let parameters = states.iter().filter(|(_, spec)| matches!(spec.group, Group::Parameters | Group::Frozen));
        let mut layers: Vec<_> = parameters.filter_map(|(_, spec)| spec.name.split('.').next()).collect();
        layers.dedup();
        layers.join(", ")
    };
    let refuse = |pattern: String, reason: String| Err(TrainingError::Freeze { pattern, reason });
    if let Some(pattern) = freeze.iter().find(|pattern| !frozen(pattern)) {
        return refuse(pattern.clone(), format!("it matches no parameter; the layers are {}", layers()));
    }
    match states.of(Group::Parameters).next() {
        Some(_) => Ok(()),
        None => refuse(freeze.join("`, `"), "every parameter is matched, so there is nothing to train".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::mask_seed;

    #[test]
    fn all_64_bits_of_a_seed_choose_the_masks() {
        let (low, step) = (0x1234_5678, 0x9abc);
        let small = mask_seed(low, step);
        assert_eq!(
            small,
            [0x5678, 0x1234, 0x9abc, 0].map(|bits: u16| f32::from(bits)),
            "the masks of earlier versions"
        );
        let large: Vec<_> = (1..64).map(|high| mask_seed(high << 32 | low, step)).collect();
        assert!(large.iter().enumerate().all(|(i, seed)| *seed != small && !large[..i].contains(seed)));
    }
}
