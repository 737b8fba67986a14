//! An engine on a `wgpu::Device` that the program opened and still uses.

use shadegrad::exec::gpu::{EngineOptions, GpuEngine, device_descriptor};
use shadegrad::exec::{ExecError, Session};
use shadegrad::graph::{Graph, GraphError, Value};
use shadegrad::nn::{Conv2d, Linear, Mode};
use shadegrad::shape::TensorType;
use shadegrad::training::{Batch, CrossEntropy, Training, TrainingOptions};
use shadegrad::{exec, ops, wgpu};

use super::common::gpu;

fn network(g: &mut Graph, images: Value, _: Mode) -> Result<Value, GraphError> {
    let x = Conv2d::new(4, 3).stride(2).apply(g, "conv", images)?;
    let x = ops::relu(g, x)?;
    let x = ops::flatten(g, x)?;
    Linear::new(2).apply(g, "head", x)
}

fn graph() -> Graph {
    let mut g = Graph::new();
    let images = g.input("images", TensorType::channels([1, 8, 8, 3]));
    network(&mut g, images, Mode::Eval).expect("it fits");
    g
}

fn losses(device: Box<exec::AnyEngine>) -> Vec<f32> {
    let mut training =
        Training::new(device, [8, 8, 3], network, CrossEntropy::new(), TrainingOptions::adam(1e-2)).expect("it fits");
    let images = (0..2 * 192).map(|i| if i < 192 { -0.5 } else { 0.5 }).collect();
    let batch = Batch::labeled(images, vec![0, 1]);
    (0..8).map(|_| training.step(&batch).expect("a step").loss).collect()
}

/// The adapter of the other tests, found as an embedder finds it.
fn adapter() -> wgpu::Adapter {
    let name = gpu::open(false).info().name.clone();
    let backends = wgpu::Backends::PRIMARY;
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapters = pollster::block_on(instance.enumerate_adapters(backends));
    adapters.into_iter().find(|adapter| adapter.get_info().name == name).expect("the same adapter")
}

fn options() -> EngineOptions {
    EngineOptions { cache_dir: None, tune: Some(std::time::Duration::ZERO), ..EngineOptions::default() }
}

#[test]
fn a_shared_device_stays_usable_for_its_owner() {
    let adapter = adapter();
    let (device, queue) = pollster::block_on(adapter.request_device(&device_descriptor(&adapter))).expect("a device");
    let engine = GpuEngine::shared(&adapter, device.clone(), queue.clone(), options()).expect("an engine");
    let shared = losses(Box::new(engine));
    let own = losses(Box::new(gpu::open_with(options())));
    assert_eq!(shared, own, "the same kernels on the same adapter");
    assert!(shared[7] < 0.5 * shared[0], "{shared:?}");

    let mut engine = GpuEngine::shared(&adapter, device.clone(), queue.clone(), options()).expect("a second engine");
    engine.close();
    let session = Session::new(Box::new(engine), &graph(), 0).err().expect("the engine is closed");
    assert!(matches!(session, ExecError::DeviceLost { .. }), "{session}");
    // The owner's device still works.
    let usage = wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let buffer =
        device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false });
    queue.write_buffer(&buffer, 0, &[7; 16]);
    let submission = queue.submit([]);
    device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None }).expect("it is there");
}

#[test]
fn a_device_with_too_few_buffers_is_refused_with_a_remedy() {
    let adapter = adapter();
    let few = wgpu::DeviceDescriptor { required_limits: wgpu::Limits::default(), ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&few)).expect("a device");
    let error = GpuEngine::shared(&adapter, device, queue, options()).err().expect("refused").to_string();
    assert!(error.contains("8 storage buffers") && error.contains("device_descriptor"), "{error}");
}
