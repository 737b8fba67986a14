//! Names, numbers and tickets of sessions.

use shadegrad::exec::PlanOptions;
use shadegrad::graph::Graph;
use shadegrad::ops;
use shadegrad::shape::TensorType;

use super::{refused, session};

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

/// The same plan in another session.
#[test]
fn a_plan_of_another_session_is_refused() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([4]));
    g.output("x", x);
    let [mut session, mut other] = [session(&g), session(&g)];
    let [own, plan] = [&mut session, &mut other].map(|s| s.load(&g, PlanOptions::default()).expect("a plan"));
    session.write(own, "x", &[0.0; 4]).expect("it fits");
    let ticket = session.run(own).expect("a run");
    let port = other.plan(plan).outputs[0].clone();
    let expected_words = ["another session"];
    refused(session.write(plan, "x", &[0.0; 4]), &expected_words);
    refused(session.run(plan), &expected_words);
    refused(session.take(plan, ticket), &expected_words);
    refused(session.profile(plan), &expected_words);
    refused(session.outputs(plan), &expected_words);
    refused(session.read(plan, &port), &expected_words);
    session.take(own, ticket).expect("it is still there");
}

#[test]
fn a_ticket_is_taken_by_its_own_plan() {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([4]));
    g.output("x", x);
    let mut session = session(&g);
    let [a, b] = [0, 1].map(|_| session.load(&g, PlanOptions::default()).expect("a plan"));
    session.write(a, "x", &[1.0; 4]).expect("it fits");
    let ticket = session.run(a).expect("a run");
    refused(session.take(b, ticket), &["ticket", "another plan"]);
    assert_eq!(session.take(a, ticket).expect("it is still there"), [[1.0; 4]]);
    refused(session.take(a, ticket), &["taken before"]);
    let mut port = session.plan(a).outputs[0].clone();
    port.ty = TensorType::channels([8]);
    refused(session.read(a, &port), &["x: ", "8 words"]);
}
