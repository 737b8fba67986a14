//! Shared parts of the numeric tests: cases (a graph with values for its inputs and states), engines that run them, and
//! the comparison with expected values.
#![allow(dead_code, reason = "each test file uses a part of this")]

pub mod blocks;
pub mod case;
pub mod compare;
pub mod dense;
pub mod geometry;
pub mod gpu;
pub mod layout;
pub mod loss_ops;
pub mod table;
pub mod tiles;
pub mod trace;
pub mod updates;

use std::collections::BTreeMap;

use shadegrad::exec::{Buffer, CpuEngine, Engine, ExecError, Plan, PlanOptions, Port, Slice};
use shadegrad::graph::{Graph, Group, Init};
use shadegrad::shape::{Layout, TensorType};

pub use case::{Case, Values};
pub use compare::Accuracy;
pub use gpu::OnGpu;

/// Element type of an engine's data.
pub trait Number: Copy + Default + From<f32> {
    /// Distance from 1 to the next larger number.
    const EPSILON: f64;
    fn of(value: f64) -> Self;
    fn wide(self) -> f64;
}

impl Number for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;
    fn of(value: f64) -> Self {
        value as f32
    }
    fn wide(self) -> f64 {
        self.into()
    }
}

impl Number for f64 {
    const EPSILON: f64 = f64::EPSILON;
    fn of(value: f64) -> Self {
        value
    }
    fn wide(self) -> f64 {
        self
    }
}

/// An engine of any element type, with data in f64.
pub trait Runner {
    fn name(&self) -> String;
    /// Accuracy of its arithmetic.
    fn accuracy(&self) -> Accuracy;
    /// Outputs of every step by name, and with the last step the states as `state.NAME`. All are in logical order.
    fn run_steps(&self, case: &Case) -> Result<Vec<Values>, ExecError>;
    /// Results of the last step.
    fn run(&self, case: &Case) -> Result<Values, ExecError> {
        Ok(self.run_steps(case)?.pop().unwrap_or_default())
    }
}

struct Fresh<E: Engine> {
    make: fn() -> Result<Box<E>, ExecError>,
}

impl<E: Engine> Runner for Fresh<E>
where
    E::Scalar: Number,
{
    fn name(&self) -> String {
        (self.make)().map_or_else(|e| format!("an engine that does not start: {e}"), |e| e.name())
    }
    fn accuracy(&self) -> Accuracy {
        Accuracy::Ieee(E::Scalar::EPSILON)
    }
    fn run_steps(&self, case: &Case) -> Result<Vec<Values>, ExecError> {
        run_on((self.make)()?.as_mut(), case)
    }
}

/// The CPU engine in f32.
pub fn cpu() -> impl Runner {
    Fresh { make: || Ok(Box::new(CpuEngine::<f32>::new())) }
}

/// The engines for real work, which are compared with [`twin`]. A further engine is one line here.
pub fn engines() -> Vec<Box<dyn Runner>> {
    vec![Box::new(cpu()), Box::new(OnGpu::Checked)]
}

/// The reference: the twins of the shaders in f64.
pub fn twin() -> Box<dyn Runner> {
    Box::new(Fresh { make: || Ok(Box::new(CpuEngine::<f64>::new())) })
}

/// Loads a case, fills all pool memory with NaN to detect reads of unwritten memory, and runs the steps.
pub fn run_on<E: Engine + ?Sized>(engine: &mut E, case: &Case) -> Result<Vec<Values>, ExecError>
where
    E::Scalar: Number,
{
    let mut loaded = Loaded::new(engine, &case.graph)?;
    for (name, values) in &case.states {
        loaded.write_state(name, values)?;
    }
    loaded.write(&case.inputs)?;
    let mut results = vec![];
    for step in &case.steps {
        loaded.write(step)?;
        results.push(loaded.step()?);
    }
    for name in case.graph.states().iter().map(|(_, spec)| spec.name.clone()) {
        let values = loaded.read_state(&name)?;
        if let Some(last) = results.last_mut() {
            last.insert(format!("state.{name}"), values);
        }
    }
    Ok(results)
}

/// A graph on an engine, with data in f64.
pub struct Loaded<'e, E: Engine + ?Sized> {
    engine: &'e mut E,
    plan: Plan,
    id: usize,
    states: BTreeMap<String, (TensorType, Slice)>,
}

impl<'e, E: Engine + ?Sized> Loaded<'e, E>
where
    E::Scalar: Number,
{
    /// Plans and loads a graph. States have their initial values, the pool NaN.
    pub fn new(engine: &'e mut E, graph: &Graph) -> Result<Self, ExecError> {
        let plan = Plan::new(graph, PlanOptions::default());
        engine.states(&plan.states)?;
        let id = engine.load(&plan)?;
        for (slot, &len) in plan.slots.iter().enumerate() {
            let all = Slice { buffer: Buffer::Slot(slot), offset: 0, len };
            engine.write(id, all, &vec![E::Scalar::of(f64::NAN); len])?;
        }
        let slice = |(i, group, len)| Slice { buffer: Buffer::State(group), offset: plan.states.offsets[i], len };
        let states = graph
            .states()
            .iter()
            .enumerate()
            .map(|(i, (_, s))| (s.name.clone(), (s.ty.clone(), slice((i, s.group, s.ty.len())))))
            .collect();
        let mut loaded = Loaded { engine, plan, id, states };
        for (_, spec) in graph.states().iter() {
            // A shared engine holds the moments of earlier cases.
            let init = if spec.group == Group::Moments { Init::Constant(0.0) } else { spec.init };
            let start = init.values(0, &spec.name, spec.ty.shape.elements());
            loaded.write_state(&spec.name, &start.into_iter().map(f64::from).collect::<Vec<_>>())?;
        }
        Ok(loaded)
    }

    /// Writes inputs. Inputs that the plan dropped are skipped.
    pub fn write(&mut self, values: &Values) -> Result<(), ExecError> {
        for (name, values) in values {
            if let Some(port) = self.plan.input(name) {
                self.engine.write(self.id, port.slice, &packed(&port.ty, values))?;
            }
        }
        Ok(())
    }

    pub fn write_state(&mut self, name: &str, values: &[f64]) -> Result<(), ExecError> {
        let (ty, slice) = &self.states[name];
        self.engine.write(self.id, *slice, &packed(ty, values))
    }

    pub fn read_state(&mut self, name: &str) -> Result<Vec<f64>, ExecError> {
        let (ty, slice) = &self.states[name];
        let memory = self.engine.read(self.id, *slice)?;
        Ok(unpacked(name, ty, &memory))
    }

    /// Runs once and returns the outputs.
    pub fn step(&mut self) -> Result<Values, ExecError> {
        let slices: Vec<Slice> = self.plan.outputs.iter().map(|p| p.slice).collect();
        let ticket = self.engine.run(self.id, &slices)?;
        let raw = self.engine.take(ticket)?;
        let named = self.plan.outputs.iter().zip(raw);
        Ok(named.map(|(Port { name, ty, .. }, data)| (name.clone(), unpacked(name, ty, &data))).collect())
    }
}

fn packed<T: Number>(ty: &TensorType, values: &[f64]) -> Vec<T> {
    assert_eq!(values.len(), ty.shape.elements(), "a test gives another number of values than {}", ty.shape);
    ty.pack(&values.iter().map(|&v| T::of(v)).collect::<Vec<T>>())
}

/// Logical values. Padding must be 0, because kernels sum over it. Flat tensors are padded at their end only, which no
/// kernel sums.
fn unpacked<T: Number>(name: &str, ty: &TensorType, memory: &[T]) -> Vec<f64> {
    let values: Vec<f64> = ty.unpack(memory).into_iter().map(Number::wide).collect();
    if ty.layout != Layout::Flat {
        let clean: Vec<f64> = ty.pack(&values);
        let dirty = memory.iter().zip(clean).filter(|(m, c)| m.wide().to_bits() != c.to_bits() && *c == 0.0);
        let dirty = dirty.filter(|(m, _)| m.wide() != 0.0).count();
        assert_eq!(dirty, 0, "{name} {}: {dirty} floats of its padding are not 0", ty.shape);
    }
    values
}
