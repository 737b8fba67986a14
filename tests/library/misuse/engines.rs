//! The CPU engine with plans, slices and sizes that do not fit.

use shadegrad::exec::{Buffer, CpuEngine, Engine, Plan, PlanOptions, Rows, Slice};
use shadegrad::graph::{Graph, Group, StateLayout};
use shadegrad::ops;
use shadegrad::shape::{TensorType, Window};

use super::refused;

/// Max pooling, which writes two tensors.
fn pooling() -> Plan {
    let mut g = Graph::new();
    let x = g.input("x", TensorType::channels([1, 4, 4, 4]));
    let y = ops::max_pool(&mut g, x, Window::square(2).stride(2)).expect("the window fits");
    g.output("y", y);
    Plan::new(&g, PlanOptions::default())
}

fn engine(plan: &Plan) -> CpuEngine<f32> {
    let mut engine = CpuEngine::new();
    engine.states(&plan.states).expect("states");
    engine
}

/// The slices of the changed plan would alias as `&mut`, or exceed their memory.
#[test]
fn a_plan_that_was_changed_is_refused() {
    let plan = pooling();
    let mut aliased = plan.clone();
    aliased.calls[0].call.bindings[2].0 = aliased.calls[0].call.bindings[1].0;
    refused(engine(&plan).load(&aliased), &["max_pool", "bindings 1 and 2 share memory"]);
    let mut read = plan.clone();
    read.calls[0].call.bindings[1].0 = read.calls[0].call.bindings[0].0;
    refused(engine(&plan).load(&read), &["bindings 0 and 1"]);
    let changes: [fn(&mut Slice); 3] = [|s| s.len += 1, |s| s.offset = usize::MAX, |s| s.buffer = Buffer::Fixed(9)];
    for change in changes {
        let mut outside = plan.clone();
        change(&mut outside.calls[0].call.bindings[0].0);
        refused(engine(&plan).load(&outside), &["binding 0 reaches beyond"]);
    }
    let mut states = plan.clone();
    states.states.group_len[Group::Frozen as usize] = 64;
    refused(engine(&plan).load(&states), &["Frozen", "more states"]);
    engine(&plan).load(&plan).expect("as it was made");
}

#[test]
fn unknown_plans_and_memory_are_refused() {
    let plan = pooling();
    let mut engine = engine(&plan);
    refused(engine.run(0, &[]), &["plan 0", "not loaded"]);
    refused(engine.profile(0), &["plan 0", "not loaded"]);
    let id = engine.load(&plan).expect("a plan");
    let input = plan.inputs[0].slice;
    refused(engine.write(id, input, &[0.0]), &["1 numbers for 64"]);
    refused(engine.write_rows(id, input, &Rows { values: &[0.0; 8], len: 4, stride: 4 }), &["8 numbers", "for 64"]);
    refused(engine.write(id + 1, input, &[0.0; 64]), &["plan 1 has no such memory"]);
    for slice in [
        Slice { buffer: Buffer::Slot(999), ..input },
        Slice { offset: usize::MAX, ..input },
        Slice { len: input.len + 1, ..input },
    ] {
        refused(engine.read(id, slice), &["no such memory"]);
        refused(engine.run(id, &[slice]), &["no such memory"]);
    }
    let group = Slice { buffer: Buffer::State(Group::Parameters), offset: 0, len: 0 };
    refused(CpuEngine::<f32>::new().read(0, group), &["Parameters", "no such memory"]);
}

/// States larger than the memory of any machine.
#[test]
fn states_that_no_memory_can_hold_are_refused() {
    for len in [1 << 46, usize::MAX] {
        let layout = StateLayout { offsets: vec![], group_len: [len, 0, 0, 0], decay_end: 0 };
        refused(CpuEngine::<f32>::new().states(&layout), &["out of memory while making the states"]);
    }
}
