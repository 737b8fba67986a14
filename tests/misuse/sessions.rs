//! What a session is asked for by name and number.

use shadegrad::graph::Graph;
use shadegrad::ops;
use shadegrad::plan::PlanOptions;
use shadegrad::shape::TensorType;

use crate::{refused, session};

#[test]
fn two_inputs_of_one_name_are_refused() {
    let mut g = Graph::new();
    let [a, b] = [0, 1].map(|_| g.input("x", TensorType::channels([4])));
    let sum = ops::add(&mut g, a, b).expect("equal shapes");
    g.output("sum", sum);
    refused(session(&g).load(&g, PlanOptions::default()), &["x: ", "two inputs of this name"]);
}

#[test]
fn the_length_of_an_unused_input_is_checked() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([4]));
    g.input("unused", TensorType::channels([5]));
    g.output("x", x);
    let mut session = session(&g);
    let plan = session.load(&g, PlanOptions::default()).expect("a plan");
    session.write(plan, "unused", &[0.0; 5]).expect("passed over");
    refused(session.write(plan, "unused", &[0.0; 4]), &["unused: 4 numbers for a tensor of 5"]);
}
