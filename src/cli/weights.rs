//! `shadegrad eval --weights FILE --model NAME --data DIR`

use std::path::PathBuf;
use std::process::ExitCode;

use super::flags::choice;
use super::progress::ProgressDisplay;
use super::{CliError, print};
use crate::data::Hints;
use crate::nn::ResNetDepth;
use crate::tasks::classify::{WeightsOptions, evaluate_weights};
use crate::train::Evaluation;

/// Arguments of `eval --weights`. clap makes a group with the name of this type, which no other arguments of `eval` may have.
#[derive(clap::Args)]
pub(super) struct WeightsArgs {
    /// Evaluate weights as they are, instead of a run: imagenet or imagenet-v2, a safetensors or PyTorch file, or a folder of
    /// Hugging Face. Images are scaled and cropped as for the published figures; class n of the weights is the n-th class of
    /// the data by name
    #[arg(long, value_name = "FILE|imagenet", requires_all = ["model", "data"], conflicts_with_all = ["run", "val_split", "seed", "skip_bad", "tile"])]
    pub(super) weights: Option<PathBuf>,
    /// Network of --weights
    #[arg(long, value_parser = choice::<ResNetDepth>(), requires = "weights")]
    model: Option<ResNetDepth>,
    /// Length in pixels that the shorter side is scaled to, for --weights [default: as published, else 256]
    #[arg(long, requires = "weights")]
    resize: Option<u32>,
    /// Side in pixels of the square from the middle, for --weights [default: 224]
    #[arg(long, requires = "weights")]
    crop: Option<u32>,
    /// Fetch nothing: published weights must be in a folder of this machine
    #[arg(long, requires = "weights")]
    offline: bool,
}

/// The data and the device on which weights are evaluated.
pub(super) struct On<'a> {
    pub(super) data: Option<&'a PathBuf>,
    pub(super) hints: Hints,
    pub(super) device: &'a str,
    pub(super) batch_size: usize,
}

/// Prints the accuracy of weights, beside the published one.
pub(super) fn run(args: &WeightsArgs, on: On<'_>) -> Result<ExitCode, CliError> {
    let (Some(weights), Some(model), Some(data)) = (&args.weights, args.model, on.data) else {
        return Err(CliError::Usage("--weights needs --model and --data".to_owned()));
    };
    let options = WeightsOptions {
        model,
        weights: weights.clone(),
        data: data.clone(),
        hints: on.hints,
        resize: args.resize,
        crop: args.crop,
        device: on.device.to_owned(),
        batch_size: on.batch_size,
        offline: args.offline,
    };
    let progress = ProgressDisplay::new();
    let evaluated = evaluate_weights(&options, &progress)?;
    evaluated.lines.iter().try_for_each(print)?;
    let (top1, loss) = (100.0 * evaluated.found.accuracy(), evaluated.found.loss());
    let published = evaluated.published.map_or(String::new(), |top1| format!(" (published: {top1} %)"));
    print(format_args!("top-1 {top1:.3} %{published}, loss {loss:.4}"))?;
    Ok(ExitCode::SUCCESS)
}
