//! Times whole training steps in burn and prints one JSON line each, in the form of `shadegrad bench --json`.
//!
//!     cargo build --release --manifest-path benches/peers/burn/Cargo.toml
//!     benches/peers/burn/target/release/shadegrad-peer-burn --step resnet18:16x64x64 --step unet:4x128x128:base=16
//!
//! A step is forward, backward and Adam in f32 on a batch that is on the device. Each step is timed until the device
//! has finished. first_step_s is the first step of the process. burn compiles kernels and tries variants of them in its
//! first three steps, so it needs a warm-up of at least 3. On software rasterizers the first step takes minutes even
//! for small networks.

mod networks;

use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Instant;

use burn::optim::{AdamConfig, GradientsParams};
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Distribution, Int, Tensor};
use clap::{Parser, ValueEnum};

use networks::{Network, ResNet18, UNet};

/// Times training steps in burn, one JSON line each
#[derive(Parser)]
struct Args {
    /// Training step, MODEL:NxHxW[:classes=…][:base=…][:depth=…]; may be given several times
    #[arg(long, default_values = ["resnet18:16x64x64", "unet:4x128x128:base=16"])]
    step: Vec<Step>,
    /// burn's backend
    #[arg(long, default_value = "wgpu")]
    backend: Backend,
    /// With wgpu: gpu, or part of an adapter's name
    #[arg(long, default_value = "gpu")]
    device: String,
    /// Timed steps
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Steps before them
    #[arg(long, default_value_t = 3)]
    warmup: u32,
}

#[derive(Clone, Copy, ValueEnum)]
enum Backend {
    /// Any GPU, kernels in WGSL
    #[cfg(feature = "wgpu")]
    Wgpu,
    /// The CPU
    #[cfg(feature = "flex")]
    Flex,
}

#[derive(Clone)]
enum Model {
    ResNet18,
    UNet { depth: usize, base: usize },
}

/// A training step in the syntax of `shadegrad bench --step`.
#[derive(Clone)]
struct Step {
    text: String,
    model: Model,
    /// Images, height, width.
    size: [usize; 3],
    classes: usize,
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "expected MODEL:NxHxW, such as resnet18:16x64x64 or unet:4x128x128:base=16";
        let mut parts = text.split(':');
        let (name, size) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        let (mut model, mut classes) = match name {
            "resnet18" => (Model::ResNet18, 10),
            "unet" => (Model::UNet { depth: 4, base: 64 }, 12),
            _ => return Err(format!("unknown model `{name}`: there are resnet18 and unet")),
        };
        let size: Option<Vec<usize>> = size.split('x').map(|n| n.parse().ok().filter(|&n| n > 0)).collect();
        let size = size.and_then(|size| size.try_into().ok()).ok_or(EXPECTED)?;
        for part in parts {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("`{part}` is not KEY=VALUE; {EXPECTED}"))?;
            let number = value.parse().ok().filter(|&v: &usize| v > 0);
            let number = number.ok_or_else(|| format!("{key}={value}: expected a number above 0"))?;
            match (key, &mut model) {
                ("classes", _) => classes = number,
                ("base", Model::UNet { base, .. }) => *base = number,
                ("depth", Model::UNet { depth, .. }) => *depth = number,
                _ => return Err(format!("no setting `{key}` of {name}: there are classes, base and depth (unet)")),
            }
        }
        Ok(Step { text: text.to_owned(), model, size, classes })
    }
}

/// The device, and its name.
fn open(backend: Backend, wanted: &str) -> Result<(Device, String), String> {
    match backend {
        #[cfg(feature = "wgpu")]
        Backend::Wgpu => {
            let mut names = vec![];
            for device in Device::enumerate(burn::tensor::DeviceType::Wgpu) {
                let Some(identity) = device.identity() else { continue };
                // As in shadegrad, `gpu` excludes software rasterizers.
                let fits = match wanted {
                    "gpu" => identity.physical.is_some(),
                    name => identity.name.to_lowercase().contains(&name.to_lowercase()),
                };
                if fits {
                    return Ok((device, identity.name));
                }
                names.push(identity.name);
            }
            Err(format!("no device `{wanted}` here; there are: {}", names.join(", ")))
        }
        #[cfg(feature = "flex")]
        Backend::Flex if wanted == "gpu" => {
            // flex follows rayon's rule.
            let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|n| n.parse().ok()).filter(|&n| n > 0);
            let threads = threads.or(std::thread::available_parallelism().ok().map(usize::from)).unwrap_or(1);
            Ok((Device::flex(), format!("CPU ({threads} threads)")))
        }
        #[cfg(feature = "flex")]
        Backend::Flex => Err(format!("--device {wanted}: flex has no devices to choose from")),
    }
}

/// Mean cross entropy of logits `[N, classes, H, W]` and labels `[N, 1, H, W]`. burn's own loss takes two dimensions.
/// This one does not permute the logits.
fn cross_entropy(logits: Tensor<4>, labels: Tensor<4, Int>) -> Tensor<1> {
    log_softmax(logits, 1).gather(1, labels).mean().neg()
}

/// Runs and times the steps.
fn time(step: &Step, args: &Args, device: &Device, name: &str) -> Result<serde_json::Value, Box<dyn Error>> {
    let [n, h, w] = step.size;
    let device = device.clone().autodiff();
    let (mut network, area) = match step.model {
        Model::ResNet18 => (Network::ResNet18(ResNet18::new(step.classes, &device)), [1, 1]),
        Model::UNet { depth, base } => (Network::UNet(UNet::new(step.classes, depth, base, &device)), [h, w]),
    };
    // burn's default epsilon is 1e-5; the peers use 1e-8.
    let mut adam = AdamConfig::new().with_epsilon(1e-8).init();
    let images = Tensor::<4>::random([n, 3, h, w], Distribution::Uniform(-1.0, 1.0), &device);
    let pixels = (n * area[0] * area[1]) as i64;
    let labels = Tensor::<1, Int>::arange(0..pixels, &device) * 7 % step.classes as i64;
    let labels = labels.reshape([n, 1, area[0], area[1]]);
    device.sync()?;

    let (mut times, mut last) = (vec![], None);
    for _ in 0..args.warmup + args.steps {
        let start = Instant::now();
        let loss = cross_entropy(network.forward(images.clone()), labels.clone());
        let gradients = GradientsParams::from_grads(loss.backward(), &network);
        network = adam.step(1e-4, network, gradients);
        device.sync()?;
        times.push(start.elapsed().as_secs_f64());
        last = Some(loss.detach());
    }
    let loss = last.map_or(f32::NAN, |loss| loss.into_scalar());
    if !loss.is_finite() {
        return Err(format!("{}: the loss is {loss}: these timings measure nothing", step.text).into());
    }
    let first = times[0];
    let timed = &mut times[args.warmup as usize..];
    timed.sort_by(f64::total_cmp);
    let median = timed[timed.len() / 2];
    Ok(serde_json::json!({
        "peer": peer(args.backend),
        "step": step.text,
        "device": name,
        "ms_median": median * 1e3,
        "ms_min": timed[0] * 1e3,
        "images_per_s": n as f64 / median,
        "first_step_s": first,
        "peak_bytes": device.memory_pool_usage().map(|memory| memory.bytes_reserved),
    }))
}

/// burn's version, as locked, and the backend.
fn peer(backend: Backend) -> String {
    let lock = include_str!("../Cargo.lock");
    let version = lock.split_once("name = \"burn\"\nversion = \"").and_then(|(_, rest)| rest.split('"').next());
    let name = backend.to_possible_value();
    format!("burn {} {}", version.unwrap_or("?"), name.as_ref().map_or("?", |name| name.get_name()))
}

fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let (device, name) = open(args.backend, &args.device)?;
    for step in &args.step {
        println!("{}", time(step, args, &device, &name)?);
        // Returns freed pages, so that one step's memory is not counted for the next.
        device.memory_cleanup();
    }
    Ok(())
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
