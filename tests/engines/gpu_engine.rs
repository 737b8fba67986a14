//! The GPU engine on hand-made plans with test shaders, independent of the library's kernels.

use shadegrad::exec::gpu::{Choice, EngineOptions, GpuEngine, choose, list};
use shadegrad::exec::registry::KernelError;
use shadegrad::exec::{Buffer, Engine, ExecError, MAX_TICKETS, MemoryUse, Plan, PlannedCall, Rows, Slice};
use shadegrad::graph::{Group, StateLayout};
use shadegrad::internals::exec::shader::{Shader, Stage, Target, Tile};
use shadegrad::kernel::{Access, Consts, KernelCall, WORKGROUP, Work};
use shadegrad::shape::Element;

/// Three kernels over whole buffers: `fill` writes VALUE, `add_to` adds binding 0 to binding 1, `copy` copies. Any
/// other name is the body of a shader over the same two bindings.
fn shaders(call: &KernelCall<Slice>, _: Target, _: Option<Tile>) -> Result<Shader, KernelError> {
    let Work::Items(items) = call.work else { panic!("these plans have items only") };
    let bindings: String = call.bindings.iter().enumerate().map(|(i, (_, access))| declare(i, *access)).collect();
    let body = match call.kernel {
        "fill" => "b0[i] = VALUE;",
        "copy" => "b1[i] = b0[i];",
        "add_to" => "b1[i] += b0[i];",
        other => other,
    };
    let source = format!(
        "{}{bindings}
        @compute @workgroup_size({WORKGROUP})
        fn main(@builtin(workgroup_id) wid: vec3u, @builtin(num_workgroups) n: vec3u,
                @builtin(local_invocation_index) lane: u32) {{
            let i = (wid.x + wid.y * n.x) * {WORKGROUP}u + lane;
            if (i < {items}u) {{ {body} }}
        }}",
        call.consts().prelude()
    );
    Ok(Shader { stages: vec![Stage::new(source, items.div_ceil(WORKGROUP), &call.bindings)], scratch: 0 })
}

fn declare(i: usize, access: Access) -> String {
    let mode = if access == Access::Read { "read" } else { "read_write" };
    format!("@group(0) @binding({i}) var<storage, {mode}> b{i}: array<f32>;\n")
}

fn engine_with(options: EngineOptions) -> GpuEngine {
    let asked = std::env::var("SHADEGRAD_TEST_DEVICE").unwrap_or_else(|_| "llvmpipe".into());
    match choose(&asked, &list()) {
        Ok(Choice::Adapter(index)) => GpuEngine::new(index, options).unwrap(),
        Ok(Choice::Cpu) => panic!("SHADEGRAD_TEST_DEVICE={asked} is no GPU"),
        Err(error) => panic!(
            "{error}\nThis test needs a GPU or a software one: on Debian `apt install mesa-vulkan-drivers`, or set \
             SHADEGRAD_TEST_DEVICE to the name of an adapter that is there"
        ),
    }
}

fn options() -> EngineOptions {
    EngineOptions { shaders, cache_dir: None, ..EngineOptions::default() }
}

fn engine() -> GpuEngine {
    engine_with(options())
}

fn slot(index: usize, len: usize) -> Slice {
    Slice { buffer: Buffer::Slot(index), offset: 0, len }
}
fn fixed(index: usize, len: usize) -> Slice {
    Slice { buffer: Buffer::Fixed(index), offset: 0, len }
}
fn state(group: Group, offset: usize, len: usize) -> Slice {
    Slice { buffer: Buffer::State(group), offset, len }
}

fn layout(group_len: [usize; 4]) -> StateLayout {
    StateLayout { offsets: vec![], group_len, decay_end: 0 }
}

fn call(kernel: &'static str, consts: Consts, bindings: Vec<(Slice, Access)>) -> PlannedCall {
    let items = bindings[0].0.len;
    let elements = vec![Element::F32; bindings.len()];
    let call = KernelCall { kernel, parameters: consts.into(), bindings, elements, work: Work::Items(items), flops: 0 };
    PlannedCall { call, node: 0, op: "test", scope: "layer1".into(), shapes: "[4] → [4]".into() }
}
fn fill(to: Slice, value: f64) -> PlannedCall {
    call("fill", Consts::new().f("VALUE", value), vec![(to, Access::Write)])
}
fn copy(from: Slice, to: Slice) -> PlannedCall {
    call("copy", Consts::new(), vec![(from, Access::Read), (to, Access::Write)])
}
fn add_to(from: Slice, to: Slice) -> PlannedCall {
    call("add_to", Consts::new(), vec![(from, Access::Read), (to, Access::Update)])
}

fn plan(calls: Vec<PlannedCall>, slots: &[usize], fixed: &[usize]) -> Plan {
    Plan {
        calls,
        slots: slots.to_vec(),
        fixed: fixed.to_vec(),
        states: layout([0; 4]),
        inputs: vec![],
        outputs: vec![],
        values: vec![],
        memory: MemoryUse::default(),
    }
}

/// Adds its input (`len` floats) to the parameters through the pool, so that each run's result differs.
fn counter(len: usize) -> (Plan, Slice) {
    let total = state(Group::Parameters, 0, len);
    (plan(vec![copy(fixed(0, len), slot(0, len)), add_to(slot(0, len), total)], &[len], &[len]), total)
}

fn counting(len: usize) -> (GpuEngine, Slice) {
    let mut engine = engine();
    let (plan, total) = counter(len);
    engine.states(&layout([len, 0, 0, 0])).unwrap();
    assert_eq!(engine.load(&plan).unwrap(), 0);
    (engine, total)
}

#[test]
fn calls_run_in_order_and_writes_fall_between_runs() {
    let (mut engine, total) = counting(100);
    let mut expected = vec![0.0; 100];
    for step in 1..=3 {
        let input: Vec<f32> = (0..100).map(|i| (i * step) as f32 - 7.5).collect();
        expected.iter_mut().zip(&input).for_each(|(e, x)| *e += x);
        engine.write(0, fixed(0, 100), &input).unwrap();
        let ticket = engine.run(0, &[total, slot(0, 3), slot(0, 0)]).unwrap();
        let results = engine.take(ticket).unwrap();
        assert_eq!(results, [expected.clone(), input[..3].to_vec(), vec![]]);
    }
    assert_eq!(engine.read(0, Slice { offset: 64, len: 2, ..total }).unwrap(), expected[64..66]);
    assert_eq!(engine.read(0, state(Group::Moments, 0, 0)).unwrap(), [0.0; 0]);
}

/// Large enough for the path of large inputs; rows of 3 in vectors of 4.
#[test]
fn large_inputs_arrive_in_order_and_padded() {
    const ROWS: usize = 25_001;
    let (mut engine, total) = counting(4 * ROWS);
    let mut expected = vec![0.0; 4 * ROWS];
    let mut tickets = vec![];
    for step in 1..=2 * MAX_TICKETS {
        let values: Vec<f32> = (0..3 * ROWS).map(|i| (i % 1000 * step) as f32 - 7.5).collect();
        let rows = Rows { values: &values, len: 3, stride: 4 };
        expected.iter_mut().zip(rows.packed()).for_each(|(e, x)| *e += x);
        // A write without a run is overwritten.
        engine.write_rows(0, fixed(0, 4 * ROWS), &Rows { values: &vec![f32::NAN; 3 * ROWS], ..rows }).unwrap();
        engine.write_rows(0, fixed(0, 4 * ROWS), &rows).unwrap();
        tickets.push((engine.run(0, &[total]).unwrap(), expected.clone()));
    }
    for (ticket, expected) in tickets.split_off(MAX_TICKETS) {
        assert_eq!(engine.take(ticket).unwrap(), [expected]);
    }
}

#[test]
fn tickets_hold_the_state_after_their_own_run_in_whatever_order_they_are_taken() {
    let (mut engine, total) = counting(8);
    engine.write(0, fixed(0, 8), &[1.0; 8]).unwrap();
    let tickets: Vec<_> = (0..4).map(|_| engine.run(0, &[total]).unwrap()).collect();
    engine.write(0, fixed(0, 8), &[100.0; 8]).unwrap();
    for (index, value) in [(2, 3.0), (0, 1.0), (3, 4.0), (1, 2.0)] {
        assert_eq!(engine.take(tickets[index]).unwrap(), [[value; 8]], "run {index}");
    }
    let twice = engine.take(tickets[0]).unwrap_err().to_string();
    assert!(twice.contains("taken before"), "{twice}");
}

#[test]
fn tickets_that_nobody_takes_are_dropped_oldest_first() {
    let (mut engine, total) = counting(8);
    engine.write(0, fixed(0, 8), &[1.0; 8]).unwrap();
    let tickets: Vec<_> = (0..3 * MAX_TICKETS).map(|_| engine.run(0, &[total]).unwrap()).collect();
    let held = engine.memory();
    let (dropped, kept) = tickets.split_at(2 * MAX_TICKETS);
    assert!(dropped.iter().all(|&t| matches!(engine.take(t), Err(ExecError::Port { .. }))));
    for (at, &ticket) in kept.iter().enumerate() {
        assert_eq!(engine.take(ticket).unwrap(), [[(2 * MAX_TICKETS + at + 1) as f32; 8]]);
    }
    assert_eq!(engine.memory(), held);
}

/// Memory of this process in bytes, with that of the software adapter; `None` on systems without this figure.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(status.split(' ').nth(1)?.parse::<u64>().ok()? * 4096)
}

#[test]
fn memory_is_flat_after_the_second_run() {
    let len = 1 << 18; // 1 MiB fetched a run: 198 MiB if it leaked
    let (mut engine, total) = counting(len);
    let input = vec![1.0; len];
    let mut before = (0, None);
    for step in 1..=200 {
        engine.write(0, fixed(0, len), &input).unwrap();
        let ticket = engine.run(0, &[total]).unwrap();
        assert_eq!(engine.take(ticket).unwrap()[0][len - 1], step as f32);
        assert_eq!(engine.read(0, Slice { len: 64, ..total }).unwrap()[63], step as f32);
        if step == 2 {
            before = (engine.memory(), resident());
        }
    }
    assert_eq!(engine.memory(), before.0);
    assert!(engine.memory() >= 4 * 4 * len as u64, "input, slot, state and staging");
    if let (Some(early), Some(late)) = (before.1, resident()) {
        assert!(late < early + (96 << 20), "the process grew from {early} to {late} bytes");
    }
}

#[test]
fn earlier_plans_stay_right_after_a_plan_with_longer_slots() {
    let (mut engine, total) = counting(40);
    engine.write(0, fixed(0, 40), &[2.0; 40]).unwrap();
    let first = engine.run(0, &[total]).unwrap();
    let held = engine.memory();
    let large = 100_000;
    let second = plan(vec![fill(slot(0, large), 3.0), copy(slot(0, large), slot(1, large))], &[large, large], &[]);
    assert_eq!(engine.load(&second).unwrap(), 1);
    assert_eq!(engine.memory(), held + 4 * (2 * large as u64 - 40));
    let ticket = engine.run(1, &[slot(1, large)]).unwrap();
    assert!(engine.take(ticket).unwrap()[0].iter().all(|&v| v == 3.0));
    let again = engine.run(0, &[total, slot(0, 40)]).unwrap();
    assert_eq!(engine.take(again).unwrap(), [[4.0; 40], [2.0; 40]]);
    assert_eq!(engine.take(first).unwrap(), [[2.0; 40]], "started before the pool grew");
}

#[test]
fn groups_that_grow_keep_their_contents_and_are_zero_beyond() {
    let (mut engine, total) = counting(64);
    let values: Vec<f32> = (0..64).map(|i| i as f32 + 0.25).collect();
    engine.write(0, total, &values).unwrap();
    engine.write(0, fixed(0, 64), &[1.0; 64]).unwrap();
    engine.states(&layout([256, 0, 0, 128])).unwrap();
    let grown = engine.read(0, state(Group::Parameters, 0, 256)).unwrap();
    assert_eq!(grown[..64], values);
    assert_eq!(grown[64..], [0.0; 192]);
    assert_eq!(engine.read(0, state(Group::Moments, 0, 128)).unwrap(), [0.0; 128]);
    // The plan was bound to the old buffer.
    let ticket = engine.run(0, &[total]).unwrap();
    assert_eq!(engine.take(ticket).unwrap()[0], values.iter().map(|v| v + 1.0).collect::<Vec<_>>());
    engine.states(&layout([64, 0, 0, 0])).unwrap();
    assert_eq!(engine.read(0, state(Group::Parameters, 192, 64)).unwrap(), [0.0; 64], "nothing shrinks");
}

#[test]
fn a_tensor_above_the_binding_limit_is_refused_by_name() {
    let mut engine = engine();
    let len = engine.info().max_binding as usize / 4 + 4;
    let held = engine.memory();
    let error = engine.load(&plan(vec![fill(slot(0, len), 0.0)], &[len], &[])).unwrap_err();
    let ExecError::TooLarge { what, bytes, limit } = error else { panic!("{error}") };
    assert!(what.contains("layer1"), "{what}");
    assert_eq!((bytes, limit), (4 * len as u64, engine.info().max_binding));
    let states = engine.states(&layout([engine.info().max_buffer as usize / 4 + 4, 0, 0, 0])).unwrap_err();
    assert!(matches!(&states, ExecError::TooLarge { what, .. } if what.contains("parameters")), "{states}");
    assert_eq!(engine.memory(), held, "nothing is allocated for a plan that is refused");
    // The engine still works.
    assert_eq!(engine.load(&plan(vec![fill(slot(0, 4), 5.0)], &[4], &[])).unwrap(), 0);
    let ticket = engine.run(0, &[slot(0, 4)]).unwrap();
    assert_eq!(engine.take(ticket).unwrap(), [[5.0; 4]]);
}

#[test]
fn a_kernel_that_does_not_compile_is_named_with_the_reason() {
    let mut engine = engine();
    // Faults of syntax, of types, and of a missing binding.
    for (body, reason) in [("b1[i] = ;", "expected"), ("b1[i] = true;", "type"), ("b2[i] = 1.0;", "b2")] {
        let broken = call(body, Consts::new(), vec![(fixed(0, 4), Access::Read), (slot(0, 4), Access::Write)]);
        let error = engine.load(&plan(vec![fill(slot(0, 4), 1.0), broken], &[4], &[4])).unwrap_err();
        let ExecError::Kernel { kernel, reason: given } = error else { panic!("{error}") };
        assert_eq!(kernel, body);
        assert!(given.to_lowercase().contains(reason), "{given}");
    }
    assert_eq!(engine.load(&plan(vec![fill(slot(0, 4), 1.0)], &[4], &[])).unwrap(), 0, "the engine still works");
}

#[test]
fn a_slice_that_the_device_cannot_bind_is_a_typed_error() {
    let mut engine = engine();
    engine.states(&layout([64, 0, 0, 0])).unwrap();
    let odd = plan(vec![fill(state(Group::Parameters, 1, 4), 1.0)], &[], &[]);
    assert!(matches!(engine.load(&odd), Err(ExecError::Kernel { reason, .. }) if reason.contains("byte 4")));
    let outside = plan(vec![fill(state(Group::Parameters, 64, 4), 1.0)], &[], &[]);
    assert!(matches!(engine.load(&outside), Err(ExecError::Port { .. })));
    assert!(matches!(engine.write(0, state(Group::Parameters, 0, 4), &[1.0; 5]), Err(ExecError::Port { .. })));
    assert!(matches!(engine.write(0, state(Group::Parameters, 62, 4), &[1.0; 4]), Err(ExecError::Port { .. })));
    assert!(matches!(engine.read(0, slot(0, 4)), Err(ExecError::Port { .. })));
    assert!(matches!(engine.run(0, &[]), Err(ExecError::Port { .. })));
}

#[test]
fn a_grid_larger_than_one_axis_runs_completely() {
    let len = 65_535 * WORKGROUP + 4 * WORKGROUP + 3; // two rows, and a part of a workgroup
    for checked in [true, false] {
        let mut engine = engine_with(EngineOptions { checked, ..options() });
        engine.load(&plan(vec![fill(slot(0, len), 1.0)], &[len], &[])).unwrap();
        let ticket = engine.run(0, &[slot(0, len)]).unwrap();
        let result = engine.take(ticket).unwrap().remove(0);
        assert_eq!(result.len(), len);
        assert!(result.iter().all(|&v| v == 1.0));
    }
}

#[test]
fn after_the_device_is_lost_every_call_says_so() {
    let (mut engine, total) = counting(8);
    let ticket = engine.run(0, &[total]).unwrap();
    engine.close();
    let lost =
        |result: Result<(), ExecError>| assert!(matches!(result, Err(ExecError::DeviceLost { .. })), "{result:?}");
    lost(engine.take(ticket).map(drop));
    lost(engine.run(0, &[total]).map(drop));
    lost(engine.read(0, total).map(drop));
    lost(engine.write(0, total, &[0.0; 8]));
    lost(engine.states(&layout([8, 0, 0, 0])));
    lost(engine.load(&counter(8).0).map(drop));
}

#[test]
fn kernels_are_kept_on_disk_and_a_broken_file_harms_nothing() {
    let folder = std::env::temp_dir().join(format!("shadegrad-gpu-engine-{}", std::process::id()));
    let files = || std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()).collect::<Vec<_>>();
    let run = || {
        let mut engine = engine_with(EngineOptions { cache_dir: Some(folder.clone()), ..options() });
        engine.load(&plan(vec![fill(slot(0, 8), 7.0)], &[8], &[])).unwrap();
        let ticket = engine.run(0, &[slot(0, 8)]).unwrap();
        assert_eq!(engine.take(ticket).unwrap(), [[7.0; 8]]);
        engine.info().pipeline_cache
    };
    if run() {
        let whole = std::fs::read(&files()[0]).unwrap();
        run();
        for broken in [&whole[..whole.len() / 2], b"not ours".as_slice()] {
            std::fs::write(&files()[0], broken).unwrap();
            run();
        }
        let found = files();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(std::fs::read(&found[0]).unwrap().len() > 16, "written again");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}

#[test]
fn a_profile_has_a_time_for_each_call_and_runs_them_all() {
    let (mut engine, total) = counting(64);
    engine.write(0, fixed(0, 64), &[1.0; 64]).unwrap();
    if let Some(seconds) = engine.profile(0).unwrap() {
        assert_eq!(seconds.len(), 2);
        assert!(seconds.iter().all(|s| (0.0..60.0).contains(s)), "{seconds:?}");
        assert_eq!(engine.read(0, total).unwrap(), [1.0; 64]);
    }
}
