//! Misuse is refused with an error that gives the reason, before any number is computed wrongly.

mod constants;
mod empty;
mod engines;
mod graphs;
mod inputs;
mod kernels;
mod labels;
mod layers;
mod optimizers;
mod sessions;
mod sizes;
mod states;

use shadegrad::exec::{CpuEngine, Session};
use shadegrad::graph::Graph;

/// A session on the CPU engine.
fn session(graph: &Graph) -> Session<CpuEngine<f32>> {
    Session::new(Box::new(CpuEngine::new()), graph, 0).expect("a session")
}

/// Requires an error whose message has all of `parts`.
#[track_caller]
fn refused<T, E: std::fmt::Display>(result: Result<T, E>, parts: &[&str]) {
    let error = result.err().expect("it must be refused").to_string();
    for part in parts {
        assert!(error.contains(part), "`{part}` is missing: {error}");
    }
}
