//! The whole mission on built-in data, in minutes without a GPU: a sweep of ResNet18, UNet against ResNet18 for
//! segmentation, colorization with skips against without, and one report on all of it.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::interop::files::FileError;
use crate::report::{Report, check_free};
use crate::run::run_dir::RunDir;
use crate::tasks::colorize;
use crate::tasks::segment;
use crate::train::TrainError;
use crate::train::config::{ColorizeConfig, ImageSize, Schedule, SegmentConfig, SegmentModel};
use crate::train::model::Checkpoint;
use crate::workflows::compare::{Compared, compare};
use crate::workflows::evaluation::{EvalOptions, Part};
use crate::workflows::sweep::{Sweep, SweepError, SweepObserver};

/// The sweep, as anyone can run it.
const SWEEP: &str = include_str!("../../examples/sweeps/demo.toml");
/// Where it can be read, for errors.
const SWEEP_FILE: &str = "examples/sweeps/demo.toml";

/// Seconds that the parts take on 2 cores of a Xeon with AVX-512: what tells how long the rest will take.
const PARTS: [(&str, f64); 5] = [
    ("ResNet18 for classification: four settings", 170.0),
    ("UNet for segmentation", 62.0),
    ("ResNet18 for segmentation", 62.0),
    ("UNet for colorization, with skip connections", 68.0),
    ("UNet for colorization, without skip connections", 66.0),
];

/// What a demo runs with.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// New folder, see [`new_folder`].
    pub out: PathBuf,
    /// Where to compute.
    pub device: String,
    /// One epoch of a few images each: to see that everything works, not that anything is learned.
    pub short: bool,
}

/// Images of a short demo.
const SHORT_SCENES: usize = 16;

/// What is told while the demo goes on.
pub trait DemoObserver: SweepObserver {
    /// A part begins: number from 1, of so many, what it does, seconds that it and the parts after it will take.
    fn part(&self, number: usize, of: usize, title: &str, seconds_left: f64);
}

/// What a demo made.
#[derive(Debug, Clone)]
pub struct Demo {
    /// One page with everything.
    pub report: PathBuf,
    /// The outcomes, as tables in Markdown.
    pub tables: Vec<String>,
}

/// Where the demo stands, so that the time left can be told.
struct Clock<'a> {
    observer: &'a dyn DemoObserver,
    start: Instant,
    done: usize,
}

impl Clock<'_> {
    fn next(&mut self) {
        let planned = |parts: &[(&str, f64)]| parts.iter().map(|(_, seconds)| seconds).sum::<f64>();
        let (before, after) = (planned(&PARTS[..self.done]), planned(&PARTS[self.done..]));
        // This machine beside the one that was measured, as far as is known yet.
        let pace = if before > 0.0 { self.start.elapsed().as_secs_f64() / before } else { 1.0 };
        self.done += 1;
        self.observer.part(self.done, PARTS.len(), PARTS[self.done - 1].0, pace * after);
    }
}

/// Half the pixels of the default size, in half the time.
const IMAGE_SIZE: ImageSize = ImageSize { height: 64, width: 96 };

/// Image size of a short demo, for dense tasks and for the classifier.
const SHORT_IMAGE_SIZE: ImageSize = ImageSize { height: 32, width: 32 };

/// The settings of both models for segmentation but the model.
fn segment_config(model: SegmentModel, options: &DemoOptions) -> SegmentConfig {
    let full = SegmentConfig {
        model,
        base: 16,
        lr: 1e-3,
        epochs: 6,
        image_size: IMAGE_SIZE,
        schedule: Some(Schedule::Cosine),
        device: options.device.clone(),
        out: Some(options.out.join("segment").join(model.name())),
        ..SegmentConfig::default()
    };
    if options.short {
        SegmentConfig { epochs: 1, scenes: SHORT_SCENES, image_size: SHORT_IMAGE_SIZE, ..full }
    } else {
        full
    }
}

/// The settings of both networks for colorization but the skips.
fn colorize_config((skips, name): (bool, &str), options: &DemoOptions) -> ColorizeConfig {
    let full = ColorizeConfig {
        skips,
        base: 16,
        lr: 2e-3,
        epochs: 7,
        batch_size: 4,
        image_size: IMAGE_SIZE,
        schedule: Some(Schedule::Cosine),
        device: options.device.clone(),
        out: Some(options.out.join("colorize").join(name)),
        ..ColorizeConfig::default()
    };
    if options.short {
        ColorizeConfig { epochs: 1, scenes: SHORT_SCENES, image_size: SHORT_IMAGE_SIZE, ..full }
    } else {
        full
    }
}

/// The sweep of the classifier.
fn sweep_of(options: &DemoOptions) -> Result<Sweep, TrainError> {
    let mut sweep = Sweep::parse(SWEEP, Path::new(SWEEP_FILE))?;
    if options.short {
        for cell in &mut sweep.cells {
            cell.settings.insert("epochs".into(), 1.into());
            cell.settings.insert("scenes".into(), (SHORT_SCENES as i64).into());
            cell.settings.insert("image_size".into(), (SHORT_IMAGE_SIZE.height as i64).into());
        }
    }
    Ok(sweep)
}

/// Runs all of it. `stop` ends it after the current step, with no report: `None`.
///
/// # Errors
/// See [`TrainError`]; whatever had been written stays.
pub fn run(options: &DemoOptions, observer: &dyn DemoObserver, stop: &AtomicBool) -> Result<Option<Demo>, TrainError> {
    let (out, device) = (options.out.as_path(), options.device.as_str());
    let report_path = out.join("report.html");
    check_free(&report_path)?;
    let stopped = || stop.load(Ordering::Relaxed);
    let mut clock = Clock { observer, start: Instant::now(), done: 0 };
    let folder = |name: &str| out.join(name);

    clock.next();
    let sweep = sweep_of(options)?;
    std::fs::create_dir_all(folder("classify"))
        .map_err(|e| TrainError::Sweep(SweepError::File(FileError::writing(out, e))))?;
    let table = sweep.run(&folder("classify"), Some(device), observer, stop)?;
    table.write(&folder("classify"))?;
    table.check()?;
    let mut tables = vec![table.table(str::to_owned).markdown()];

    for model in [SegmentModel::UNet, SegmentModel::ResNet18Seg] {
        if stopped() {
            return Ok(None);
        }
        clock.next();
        segment::train(&segment_config(model, options), observer.steps(), stop)?;
    }
    for (skips, name) in [(true, WITH_SKIPS), (false, WITHOUT_SKIPS)] {
        if stopped() {
            return Ok(None);
        }
        clock.next();
        colorize::train(&colorize_config((skips, name), options), observer.steps(), stop)?;
    }
    if stopped() {
        return Ok(None);
    }
    let pairs = [
        ("segment", [SegmentModel::UNet.name(), SegmentModel::ResNet18Seg.name()]),
        ("colorize", [WITH_SKIPS, WITHOUT_SKIPS]),
    ];
    for (task, names) in pairs {
        let compared = compare_runs(&folder(task), names, device)?;
        compared.write(&folder(task))?;
        tables.push(compared.table.markdown());
    }
    write_report(out, &report_path)?;
    Ok(Some(Demo { report: report_path, tables }))
}

const WITH_SKIPS: &str = "with-skips";
const WITHOUT_SKIPS: &str = "without-skips";

fn compare_runs(folder: &Path, names: [&str; 2], device: &str) -> Result<Compared, TrainError> {
    let open = |name: &str| Ok((name.to_owned(), Checkpoint::open(&folder.join(name))?));
    let models = names.into_iter().map(open).collect::<Result<Vec<_>, TrainError>>()?;
    let options = EvalOptions {
        data: None,
        part: Some(Part::Val),
        val_split: None,
        seed: None,
        skip_bad: false,
        device: device.to_owned(),
        batch_size: 8,
    };
    compare(&models, &options)
}

fn write_report(out: &Path, path: &Path) -> Result<(), TrainError> {
    let mut report = Report::new("shadegrad demo");
    report.paragraph(
        "Three tasks of computer vision, learned from nothing on drawn scenes. Each is done by a published network with \
         two or more settings; all that a setting does not name is the same for both sides.",
    );
    report.heading("Classification");
    report.paragraph(
        "ResNet18 (He et al. 2015) names what stands in a drawn scene. The table lists four settings of optimizer, \
         learning rate and length by their accuracy on images that were not learned from.",
    );
    report.runs(&[out.join("classify")])?;
    report.heading("Segmentation");
    report.paragraph(
        "A class for every pixel of a street. UNet (Ronneberger et al. 2015) against ResNet18 with transposed-convolution \
         up-sampling in the place of its last layer (FCN-32s, Long et al. 2015).",
    );
    let segment = out.join("segment");
    report.picture(&segment.join("comparison.png"), "Streets, their true classes, and what each network says")?;
    report.runs(&[SegmentModel::UNet, SegmentModel::ResNet18Seg].map(|model| segment.join(model.name())))?;
    report.heading("Colorization");
    report.paragraph(
        "Colours for grey pictures: UNet with its skip connections against the same network without them, which has to \
         squeeze the whole picture through its narrowest layer and so paints with a broader brush.",
    );
    let colorize = out.join("colorize");
    report.picture(&colorize.join("comparison.png"), "Grey streets, both networks' colours, and the true ones")?;
    report.runs(&[WITH_SKIPS, WITHOUT_SKIPS].map(|name| colorize.join(name)))?;
    Ok(report.write(path)?)
}

/// A new folder for a demo: `out`, or the next `runs/demo-NNN`.
///
/// # Errors
/// When it is taken or cannot be made.
pub fn new_folder(out: Option<&Path>) -> Result<PathBuf, TrainError> {
    out.map_or(Ok(()), RunDir::check_free)?;
    Ok(crate::run::run_dir::new_folder(out, "demo")?)
}
