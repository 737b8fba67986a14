//! Classification, segmentation and colorization on built-in data, in minutes without a GPU. Each section of `demo.toml` is a sweep, or
//! runs that are compared. One report shows them all.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use serde::Deserialize;

use super::WorkflowError;
use super::compare::compare;
use super::evaluation::{EvalOptions, Part};
use super::sweep::{Sweep, SweepError, SweepObserver};
use crate::report::{Report, check_free};
use crate::run::names;
use crate::run::{Checkpoint, RunDir};
use crate::tasks;
use crate::train::settings::Given;

/// The sections of the demo.
const DEMO: &str = include_str!("demo.toml");
/// The sweep, which also runs as a file.
const SWEEP: &str = include_str!("../../examples/sweeps/demo.toml");
/// Path of [`DEMO`] in the repository, for errors.
const DEMO_FILE: &str = "src/workflows/demo.toml";
/// Path of [`SWEEP`].
const SWEEP_FILE: &str = "examples/sweeps/demo.toml";

/// Images of a short demo.
const SHORT_SCENES: i64 = 16;
/// Their height and width.
const SHORT_IMAGE_SIZE: i64 = 32;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    introduction: String,
    section: Vec<Section>,
}

/// A section of the report.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    heading: String,
    paragraph: String,
    folder: String,
    /// Its sweep, if it is one.
    sweep: Option<Step>,
    /// Task of its runs, if it has runs.
    #[serde(default)]
    task: String,
    #[serde(default)]
    caption: String,
    #[serde(default)]
    base: toml::Table,
    #[serde(default)]
    run: Vec<Run>,
}

/// A part with its measured time.
#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
struct Step {
    title: String,
    seconds: f64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    title: String,
    seconds: f64,
    folder: String,
    settings: toml::Table,
}

/// Options of a demo.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// New folder, see [`new_folder`].
    pub out: PathBuf,
    /// Device.
    pub device: String,
    /// Whether to train one epoch of a few images each, which only checks the software.
    pub short: bool,
}

/// Receives the reports of a demo.
pub trait DemoObserver: SweepObserver {
    /// A part begins: its number from 1, the number of parts, its title, the estimated seconds to the end of the demo.
    fn part(&self, number: usize, of: usize, title: &str, seconds_left: f64);
}

/// Results of a demo.
#[derive(Debug, Clone)]
pub struct Demo {
    /// Path of the report.
    pub report: PathBuf,
    /// The outcomes, as tables in Markdown.
    pub tables: Vec<String>,
}

/// The parts so far, from which the time left is estimated.
struct Clock<'a> {
    observer: &'a dyn DemoObserver,
    parts: Vec<Step>,
    start: Instant,
    done: usize,
}

impl Clock<'_> {
    fn next(&mut self) {
        let planned = |parts: &[Step]| parts.iter().map(|part| part.seconds).sum::<f64>();
        let (before, after) = (planned(&self.parts[..self.done]), planned(&self.parts[self.done..]));
        // Time of this machine over the measured time, for the parts so far.
        let pace = if before > 0.0 { self.start.elapsed().as_secs_f64() / before } else { 1.0 };
        self.done += 1;
        self.observer.part(self.done, self.parts.len(), &self.parts[self.done - 1].title, pace * after);
    }
}

impl Section {
    fn steps(&self) -> Vec<Step> {
        let runs = self.run.iter().map(|run| Step { title: run.title.clone(), seconds: run.seconds });
        self.sweep.clone().into_iter().chain(runs).collect()
    }
}

/// Runs the demo. `stop` ends it after the current step; the result is then `None`.
///
/// # Errors
/// See [`WorkflowError`]. Files written before the error stay.
pub fn run(
    options: &DemoOptions,
    observer: &dyn DemoObserver,
    stop: &AtomicBool,
) -> Result<Option<Demo>, WorkflowError> {
    let out = options.out.as_path();
    let report = out.join("report.html");
    check_free(&report)?;
    let bad = |e: toml::de::Error| SweepError::Bad { path: DEMO_FILE.into(), problem: e.to_string() };
    let file: File = toml::from_str(DEMO).map_err(bad)?;
    let parts = file.section.iter().flat_map(Section::steps).collect();
    let mut clock = Clock { observer, parts, start: Instant::now(), done: 0 };
    let mut tables = vec![];
    for section in file.section.iter().filter(|section| section.sweep.is_some()) {
        clock.next();
        tables.push(run_sweep(options, &out.join(&section.folder), observer, stop)?);
    }
    for section in &file.section {
        for run in &section.run {
            if stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            clock.next();
            train(options, section, run, observer, stop)?;
        }
    }
    if stop.load(Ordering::Relaxed) {
        return Ok(None);
    }
    for section in file.section.iter().filter(|section| !section.run.is_empty()) {
        tables.push(compare_runs(options, section)?);
    }
    write_report(&file, out, &report)?;
    Ok(Some(Demo { report, tables }))
}

/// Runs the sweep and returns its table.
fn run_sweep(
    options: &DemoOptions,
    folder: &Path,
    observer: &dyn DemoObserver,
    stop: &AtomicBool,
) -> Result<String, WorkflowError> {
    let mut sweep = Sweep::parse(SWEEP, Path::new(SWEEP_FILE))?;
    if options.short {
        sweep.cells.iter_mut().for_each(|cell| cell.set(&shortened()));
    }
    let table = sweep.run(folder, Some(&options.device), observer, stop)?;
    table.check()?;
    Ok(table.table().text(|text| text))
}

/// Settings of a short demo.
fn shortened() -> toml::Table {
    let settings = [("epochs", 1), ("scenes", SHORT_SCENES), ("image_size", SHORT_IMAGE_SIZE)];
    settings.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect()
}

fn train(
    options: &DemoOptions,
    section: &Section,
    run: &Run,
    observer: &dyn DemoObserver,
    stop: &AtomicBool,
) -> Result<(), WorkflowError> {
    let mut settings = section.base.clone();
    settings.extend(run.settings.clone());
    if options.short {
        settings.extend(shortened());
    }
    let out = options.out.join(&section.folder).join(&run.folder);
    settings.insert("out".into(), out.to_string_lossy().into_owned().into());
    settings.insert("device".into(), options.device.clone().into());
    let task = tasks::task(&section.task)?;
    let settings = task.resolve(&Given::of_table(settings, Path::new(DEMO_FILE)))?;
    task.open(&settings, observer.steps())?.train(observer.steps(), stop)?;
    Ok(())
}

/// Compares the runs of a section and returns their table.
fn compare_runs(options: &DemoOptions, section: &Section) -> Result<String, WorkflowError> {
    let folder = options.out.join(&section.folder);
    let open = |run: &Run| Ok((run.folder.clone(), Checkpoint::open(&folder.join(&run.folder))?));
    let models = section.run.iter().map(open).collect::<Result<Vec<_>, WorkflowError>>()?;
    let options = EvalOptions { part: Some(Part::Val), device: options.device.clone(), ..EvalOptions::default() };
    let comparison = compare(&models, &options)?;
    comparison.write(&folder)?;
    Ok(comparison.compared.table.text(|text| text))
}

fn write_report(file: &File, out: &Path, path: &Path) -> Result<(), WorkflowError> {
    let mut report = Report::new("shadegrad demo", tasks::cards());
    report.paragraph(&file.introduction);
    for section in &file.section {
        report.heading(&section.heading);
        report.paragraph(&section.paragraph);
        let folder = out.join(&section.folder);
        if section.run.is_empty() {
            report.runs(&[folder])?;
            continue;
        }
        report.picture(&folder.join("comparison.png"), &section.caption)?;
        let runs: Vec<PathBuf> = section.run.iter().map(|run| folder.join(&run.folder)).collect();
        report.runs(&runs)?;
    }
    Ok(report.write(path)?)
}

/// A new folder for a demo: `out`, or the next `runs/demo-NNN`.
///
/// # Errors
/// When it is taken or cannot be made.
pub fn new_folder(out: Option<&Path>) -> Result<PathBuf, WorkflowError> {
    out.map_or(Ok(()), RunDir::check_free)?;
    Ok(names::new_folder(out, "demo")?)
}
