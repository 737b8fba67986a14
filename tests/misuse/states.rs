//! States: who may be added when, and who may be read after an update.

use shadegrad::graph::{Graph, GraphError, Group, Init, StateTable, Value};
use shadegrad::ops;
use shadegrad::shape::TensorType;

use crate::refused;

fn state(g: &mut Graph, name: &str, group: Group) -> Result<Value, GraphError> {
    g.state(name, TensorType::channels([4]), group, Init::Constant(0.5), true)
}

/// It would lie before those that are not decayed, and the update would train these by the gradients of others.
#[test]
fn a_parameter_that_comes_after_the_packed_gradients_is_refused() {
    let mut g = Graph::with_states(StateTable::freezing(&["frozen".into()]));
    let known = state(&mut g, "known", Group::Parameters).expect("a new state");
    let gradient = ops::scale(&mut g, known, 2.0).expect("an activation");
    ops::pack_parameters(&mut g, &[gradient]).expect("one gradient for one parameter");
    refused(state(&mut g, "late", Group::Parameters), &["`late`", "Parameters is complete"]);
    assert_eq!(state(&mut g, "known", Group::Parameters), Ok(known), "it is there already");
    state(&mut g, "frozen", Group::Parameters).expect("it is not one of the parameters");
    state(&mut g, "moment", Group::Moments).expect("that group is not complete");

    let mut g = Graph::new();
    g.group(Group::Statistics);
    refused(state(&mut g, "late", Group::Statistics), &["`late`", "Statistics is complete"]);
}
