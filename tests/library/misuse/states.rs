//! States: when they may be added, and when they may be read after an update.

use shadegrad::autodiff::gradients_from;
use shadegrad::graph::{Graph, GraphError, Group, Init, StateTable, Value};
use shadegrad::ops;
use shadegrad::shape::TensorType;

use super::refused;

fn state(g: &mut Graph, name: &str, group: Group) -> Result<Value, GraphError> {
    g.state(name, TensorType::channels([4]), group, Init::Constant(0.5), true)
}

/// The parameter would come before those without decay, and the update would train these with gradients of other
/// parameters.
#[test]
fn a_parameter_added_after_packing_the_gradients_is_refused() {
    let mut g = Graph::with_states(StateTable::freezing(&["frozen".into()]));
    let known = state(&mut g, "known", Group::Parameters).expect("a new state");
    let gradient = ops::scale(&mut g, known, 2.0).expect("an activation");
    ops::pack_parameters(&mut g, &[gradient]).expect("one gradient for one parameter");
    refused(state(&mut g, "late", Group::Parameters), &["`late`", "the group Parameters, which was packed"]);
    assert_eq!(state(&mut g, "known", Group::Parameters), Ok(known), "it is there already");
    state(&mut g, "frozen", Group::Parameters).expect("it is not one of the parameters");
    state(&mut g, "moment", Group::Moments).expect("that group is not complete");

    let mut g = Graph::new();
    g.group(Group::Statistics);
    refused(state(&mut g, "late", Group::Statistics), &["`late`", "the group Statistics, which was packed"]);
}

/// The gradient of `x · w` for x is w before its update.
#[test]
fn a_gradient_that_would_read_a_state_after_its_update_is_refused() {
    for reshaped in [false, true] {
        let mut g = Graph::new();
        let x = g.input("x", TensorType::channels([4]));
        let w = state(&mut g, "w", Group::Parameters).expect("a new state");
        let read = if reshaped { ops::reshape(&mut g, w, [4]).expect("as many") } else { w };
        let product = ops::mul(&mut g, x, read).expect("equal shapes");
        let hundred = ops::fill(&mut g, TensorType::channels([4]), 100.0).expect("a constant");
        ops::assign(&mut g, w, hundred).expect("equal shapes");
        let words = ["the gradient of `mul`", "`w`", "`assign`"];
        refused(gradients_from(&mut g, &[(product, hundred)], &[x]), &words);
        // Nodes after the update read the new value, and so does their gradient.
        let after = ops::mul(&mut g, x, w).expect("equal shapes");
        gradients_from(&mut g, &[(after, hundred)], &[x]).expect("nothing stands between");
    }
}

#[test]
fn a_state_with_two_definitions_is_refused() {
    let mut g = Graph::with_states(StateTable::freezing(&["frozen".into()]));
    let ty = TensorType::channels([4]);
    let (group, init) = (Group::Parameters, Init::Constant(0.5));
    for name in ["w", "frozen"] {
        let first = g.state(name, ty.clone(), group, init, true);
        assert_eq!(g.state(name, ty.clone(), group, init, true), first, "it is the same");
    }
    let other = TensorType::kernel([1, 4]);
    refused(g.state("w", other, group, init, true), &["`w`", "the shape [4]", "the shape [1×4]"]);
    let moments = g.state("w", ty.clone(), Group::Moments, init, true);
    refused(moments, &["`w`", "the group Parameters", "the group Moments"]);
    let other = Init::Normal { std: 1.0 };
    refused(g.state("w", ty.clone(), group, other, true), &["the start Constant(0.5)", "Normal"]);
    refused(g.state("w", ty, group, init, false), &["has weight decay", "but no weight decay was requested"]);
}
