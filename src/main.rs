use shadegrad::exec::{Session, cpu::CpuEngine};
use shadegrad::fuse::FuseOptions;
use shadegrad::nn::{ResNet18, Stem};
use shadegrad::ops::{self, AdamOptions};
use shadegrad::plan::PlanOptions;
use shadegrad::train::step::*;
fn main() {
    let size: usize = std::env::args().nth(1).and_then(|s| s.parse().ok()).unwrap_or(64);
    let n: usize = std::env::args().nth(2).and_then(|s| s.parse().ok()).unwrap_or(16);
    let net = ResNet18 { classes: 10, stem: Stem::ImageNet };
    let o = StepOptions {
        images: [n, size, size, 3],
        loss: Default::default(),
        optimizer: Optimizer::Adam(AdamOptions { betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.0, decoupled: false, decay_all: true }),
        clip: None,
        fuse: FuseOptions::default(),
    };
    let g = training_graph(Default::default(), &|g, x, m| net.apply(g, x, m), o).unwrap();
    let mut s = Session::new(Box::new(CpuEngine::<f32>::new()), &g, 1).unwrap();
    let p = s.load(&g, PlanOptions::default()).unwrap();
    println!("{}", s.plan(p));
    let images: Vec<f32> = (0..n * size * size * 3).map(|i| shadegrad::data::random::unit(1, 2, i as u64, 3) * 2.0 - 1.0).collect();
    let labels: Vec<f32> = (0..n).map(|i| (i % 10) as f32).collect();
    s.write(p, "images", &images).unwrap();
    s.write(p, "labels", &labels).unwrap();
    for step in 1..=20 {
        s.write(p, "hyper", &ops::hyper_values(1e-3, [0.9, 0.999], step)).unwrap();
        let t = std::time::Instant::now();
        let out = s.run_now(p).unwrap();
        println!("{step} {:?} {:.1} ms", out, t.elapsed().as_secs_f64() * 1e3);
    }
}
