//! All states of a session by name and shape: also the moments of an optimizer, which lie in one state for all parameters.

use super::{Session, port_error};
use crate::exec::{Engine, ExecError};
use crate::graph::{Group, StateSpec};
use crate::plan::{Buffer, Port, Slice};
use crate::tensor::Tensor;

impl<E: Engine<Scalar = f32> + ?Sized> Session<E> {
    /// Names of all tensors that [`Session::tensor`] reads: parameters, running statistics, and the optimizer's tensors
    /// for each parameter, such as `optimizer.exp_avg.conv1.weight`.
    pub fn tensor_names(&self) -> Vec<String> {
        let mut names = vec![];
        for (_, spec) in self.states.iter() {
            if self.is_image(spec) {
                let of = |(_, parameter): (_, &StateSpec)| format!("{}.{}", spec.name, parameter.name);
                names.extend(self.states.of(Group::Parameters).map(of));
            } else {
                names.push(spec.name.clone());
            }
        }
        names
    }

    /// Reads a tensor by its name, in logical order: weights have the axes KH KW I O or I O.
    ///
    /// # Errors
    /// When no tensor has this name, or the device is lost.
    pub fn tensor(&mut self, name: &str) -> Result<Tensor, ExecError> {
        let port = self.tensor_port(name).ok_or_else(|| port_error(name, "there is no such tensor"))?;
        let values = port.ty.unpacked(self.engine.read(0, port.slice)?);
        Ok(Tensor::new(port.ty.shape, values))
    }

    /// Writes a tensor by its name.
    ///
    /// # Errors
    /// When no tensor has this name, it has another shape, or the device is lost.
    pub fn set_tensor(&mut self, name: &str, tensor: &Tensor) -> Result<(), ExecError> {
        let port = self.tensor_port(name).ok_or_else(|| port_error(name, "there is no such tensor"))?;
        if tensor.shape != port.ty.shape || tensor.values.len() != port.ty.shape.elements() {
            return Err(port_error(name, &format!("it has the shape {}, not {}", port.ty.shape, tensor.shape)));
        }
        let packed: Vec<f32> = port.ty.pack(&tensor.values);
        self.engine.write(0, port.slice, &packed)
    }

    /// Description of a tensor; for a tensor of the optimizer, that of its parameter.
    pub(crate) fn tensor_spec(&self, name: &str) -> Option<StateSpec> {
        let (_, parameter) = self.parts(name)?;
        Some(parameter.clone())
    }

    /// Whether a state of the optimizer has one number for each number of the parameters, in their layout.
    fn is_image(&self, spec: &StateSpec) -> bool {
        let len = self.states.layout().group_len[Group::Parameters as usize];
        spec.group == Group::Moments && spec.ty.len() == len
    }

    /// The state that holds a tensor, and the state whose shape it has.
    fn parts(&self, name: &str) -> Option<(&StateSpec, &StateSpec)> {
        if let Some(id) = self.states.find(name) {
            return Some((self.states.spec(id), self.states.spec(id)));
        }
        self.states.of(Group::Moments).filter(|(_, state)| self.is_image(state)).find_map(|(_, state)| {
            let parameter = name.strip_prefix(&state.name)?.strip_prefix('.')?;
            let parameter = self.states.spec(self.states.find(parameter)?);
            (parameter.group == Group::Parameters).then_some((state, parameter))
        })
    }

    fn tensor_port(&self, name: &str) -> Option<Port> {
        let (state, of) = self.parts(name)?;
        let layout = self.states.layout();
        let offset = |spec: &StateSpec| self.states.find(&spec.name).map(|id| layout.offsets[id.0]);
        let within = if state == of { 0 } else { offset(of)? };
        let slice = Slice { buffer: Buffer::State(state.group), offset: offset(state)? + within, len: of.ty.len() };
        Some(Port { name: name.into(), ty: of.ty.clone(), slice })
    }
}
