use std::borrow::Cow;
fn cpu() -> f64 {
    let s = std::fs::read_to_string("/proc/self/stat").unwrap();
    let f: Vec<&str> = s.split_whitespace().collect();
    (f[13].parse::<f64>().unwrap() + f[14].parse::<f64>().unwrap()) / 100.0
}
// args: files name.wgsl with first line `// groups X`, M=4096 N=64 K=576
fn main() {
    let (m, n, k) = (4096usize, 64usize, 576usize);
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor {
        backends: wgpu::Backends::VULKAN,
        ..wgpu::InstanceDescriptor::new_without_display_handle()
    });
    let adapter = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::VULKAN)).remove(0);
    let want = wgpu::Features::SUBGROUP | wgpu::Features::SHADER_F16;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        required_features: want & adapter.features(),
        required_limits: adapter.limits(),
        ..Default::default()
    }))
    .unwrap();
    let buf = |len: usize, data: Option<&[f32]>| {
        let b = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: len as u64 * 4,
            usage: wgpu::BufferUsages::STORAGE
                | wgpu::BufferUsages::COPY_DST
                | wgpu::BufferUsages::COPY_SRC
                | wgpu::BufferUsages::UNIFORM,
            mapped_at_creation: false,
        });
        if let Some(d) = data {
            queue.write_buffer(&b, 0, bytemuck::cast_slice(d));
        }
        b
    };
    let av: Vec<f32> = (0..m * k).map(|i| ((i * 7919) % 113) as f32 / 113.0 - 0.5).collect();
    let bv: Vec<f32> = (0..n * k).map(|i| ((i * 104729) % 127) as f32 / 127.0 - 0.5).collect();
    let (a, b, c) = (buf(m * k, Some(&av)), buf(n * k, Some(&bv)), buf(m * n, None));
    let read = buf(1, None);
    let _ = read;
    let stage = device.create_buffer(&wgpu::BufferDescriptor {
        label: None,
        size: (m * n * 4) as u64,
        usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    for file in std::env::args().skip(1) {
        let src = std::fs::read_to_string(&file).unwrap();
        let groups: u32 = src.lines().next().unwrap().split_whitespace().nth(2).unwrap().parse().unwrap();
        let t = std::time::Instant::now();
        let module = unsafe {
            device.create_shader_module_trusted(
                wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(Cow::Owned(src)) },
                wgpu::ShaderRuntimeChecks::unchecked(),
            )
        };
        let pipe = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        let bg = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: None,
            layout: &pipe.get_bind_group_layout(0),
            entries: &[(0, &a), (1, &b), (2, &c)]
                .map(|(i, b)| wgpu::BindGroupEntry { binding: i, resource: b.as_entire_binding() }),
        });
        let run = |copy: bool| {
            let mut e = device.create_command_encoder(&Default::default());
            {
                let mut p = e.begin_compute_pass(&Default::default());
                p.set_pipeline(&pipe);
                p.set_bind_group(0, &bg, &[]);
                p.dispatch_workgroups(groups, 1, 1);
            }
            if copy {
                e.copy_buffer_to_buffer(&c, 0, &stage, 0, (m * n * 4) as u64);
            }
            queue.submit([e.finish()]);
            device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        };
        run(true);
        let compile = t.elapsed().as_secs_f64();
        stage.slice(..).map_async(wgpu::MapMode::Read, |_| ());
        device.poll(wgpu::PollType::wait_indefinitely()).unwrap();
        let got: Vec<f32> = bytemuck::cast_slice(&stage.slice(..).get_mapped_range().unwrap()).to_vec();
        stage.unmap();
        let mut worst = 0f64;
        for t in 0..50 {
            let (i, j) = (t * 797 % m, t * 31 % n);
            let want: f64 = (0..k).map(|p| av[i * k + p] as f64 * bv[p * n + j] as f64).sum();
            worst = worst.max((want - got[i * n + j] as f64).abs());
        }
        let (c0, t0) = (cpu(), std::time::Instant::now());
        let mut reps = 0;
        while reps < 3 || (cpu() - c0 < 0.6 && reps < 50) {
            run(false);
            reps += 1;
        }
        let (c1, w) = ((cpu() - c0) / reps as f64, t0.elapsed().as_secs_f64() / reps as f64);
        let fl = 2.0 * (m * n * k) as f64;
        println!(
            "{:32} {:7.2} GFLOP/s per core-second, wall {:.2} GFLOP/s, first {:.2} s, err {:.1e}",
            file.rsplit('/').next().unwrap(),
            fl / c1 / 1e9,
            fl / w / 1e9,
            compile,
            worst
        );
    }
}
