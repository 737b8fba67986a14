//! A trained run as a folder for a hub of models: weights, descriptions for other programs, a model card, figures.
//!
//! | file | holds |
//! |---|---|
//! | `model.safetensors` | the best checkpoint, with PyTorch's names |
//! | `config.json` | what timm builds the network from, where timm has it; the model's description under `shadegrad` |
//! | `preprocessor_config.json` | how pictures become inputs, in the keys of transformers |
//! | `README.md` | the model card (Mitchell et al. 2019), with the entries that the hub reads |
//! | pictures | curves, samples, confusion matrix, as the run has them |

use std::fmt::Write;
use std::fs;
use std::path::Path;

use serde_json::{Value as Json, json};

use super::WorkflowError;
use super::evaluation::task_of;
use crate::interop::files::{FileError, write_new};
use crate::run::facts::RunFacts;
use crate::run::markdown::{code, escaped};
use crate::run::names::{check_free, new_folder};
use crate::run::{Checkpoint, EpochRow, RunDir, RunError};
use crate::tasks::hub::{HubTask, preprocessor, timm_config};

/// Facts for a card that the run lacks.
#[derive(Clone, Debug)]
pub struct HubOptions {
    /// Identifier of the weights' license, such as `mit` or `cc-by-4.0`.
    pub license: String,
    /// The data set's identifier on the hub.
    pub dataset: Option<String>,
    /// Commands that use the folder, one a line.
    pub commands: String,
}

/// Pictures of a run that a card shows, with their captions.
const PICTURES: [(&str, &str); 4] = [
    ("curves.png", "Loss and score over the epochs"),
    ("samples.png", "Validation images with predictions"),
    ("confusion.png", "Confusion matrix: truth in rows, prediction in columns"),
    ("gradcam.png", "Where the network looks (Grad-CAM)"),
];

/// A run's parts for a card.
struct Source {
    run: RunDir,
    from: Checkpoint,
    facts: RunFacts,
    best: Option<EpochRow>,
    task: HubTask,
}

/// Writes the folder, which must be missing or empty. Returns the names of its files.
///
/// # Errors
/// When the run has no checkpoint or no facts, or the folder is taken.
pub fn export_hub(run: &Path, to: &Path, options: &HubOptions) -> Result<Vec<String>, WorkflowError> {
    check_free(to)?;
    let (run, from) = (RunDir::open(run)?, Checkpoint::open(run)?);
    let reason = "it has no run.json, which names its data and its score".to_owned();
    let facts = run.read_facts()?.ok_or_else(|| RunError::NotARun { path: run.path().to_owned(), reason })?;
    let rows = run.read_metrics()?;
    let epoch = from.file.metadata.get(crate::run::card::EPOCH).and_then(|epoch| epoch.parse().ok());
    let best = rows.into_iter().find(|row| Some(row.epoch) == epoch);
    let task = task_of(&from)?.hub();
    let source = Source { run, from, facts, best, task };
    let folder = new_folder(Some(to), "")?;
    let mut files: Vec<(String, Vec<u8>)> = vec![];
    let weights =
        fs::read(&source.from.path).map_err(|e| FileError::reading(&source.from.path, e)).map_err(RunError::from)?;
    files.push(("model.safetensors".into(), weights));
    let config = config(&source);
    let pretty = |json: &Json| format!("{json:#}\n").into_bytes();
    files.push(("config.json".into(), pretty(&config)));
    files.push(("preprocessor_config.json".into(), pretty(&preprocessor(&source.from.card, source.task))));
    for (name, _) in PICTURES {
        files.extend(fs::read(source.run.path().join(name)).ok().map(|bytes| (name.to_owned(), bytes)));
    }
    let shown: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let card = source.card(options, config.get("architecture").is_some(), &shown);
    files.push(("README.md".into(), card.into_bytes()));
    for (name, bytes) in &files {
        write_new(&folder.join(name), |w| w.write_all(bytes)).map_err(RunError::from)?;
    }
    Ok(files.into_iter().map(|(name, _)| name).collect())
}

/// timm's description if timm has the network, and the model's own.
fn config(source: &Source) -> Json {
    let card = &source.from.card;
    let mut config = if source.task.center_crop { timm_config(card) } else { None }.unwrap_or_else(|| json!({}));
    config["shadegrad"] = json!(card.to_metadata());
    config
}

impl Source {
    /// The model card.
    fn card(&self, options: &HubOptions, timm: bool, files: &[&str]) -> String {
        let (card, facts) = (&self.from.card, &self.facts);
        let name = format!("{}-{}", card.network.name(), card.task);
        let mut text = format!("---\n{}---\n\n# {name}\n\n", self.front_matter(options, timm, &name));
        let headline =
            facts.verdict.as_ref().map_or(String::new(), |verdict| format!("{}.\n\n", escaped(&verdict.headline)));
        text += &headline;
        for (file, caption) in PICTURES.iter().filter(|(file, _)| files.contains(file)) {
            push(&mut text, format_args!("![{caption}]({file})\n\n"));
        }
        text += &usage(timm, &options.commands);
        push(&mut text, format_args!("## Data\n\n{}\n\n", escaped(&self.data(options))));
        push(&mut text, format_args!("Classes: {}.\n\n", escaped(&card.classes.join(", "))));
        let [height, width] = card.image_size;
        push(
            &mut text,
            format_args!(
                "Images are {height}×{width} pixels, normalized by mean {:?} and deviation {:?} (pixels from 0 to 1).\n\n",
                card.normalization.mean, card.normalization.std
            ),
        );
        if let Some(verdict) = &facts.verdict {
            text += "## Limits\n\n";
            verdict.findings.iter().for_each(|finding| push(&mut text, format_args!("- {}\n", escaped(&finding.text))));
            text += "\n";
        }
        // Paths name folders of the machine that trained.
        let paths = ["out", "data", "init", "image_root"];
        let settings = self.settings().into_iter().filter(|(key, _)| !paths.contains(&key.as_str()));
        let settings = toml::to_string(&settings.collect::<toml::Table>()).unwrap_or_default();
        push(
            &mut text,
            format_args!(
                "## Training\n\nTrained with shadegrad {} on {}. {} parameters.\n\n{}",
                facts.version,
                escaped(&facts.device),
                facts.parameters,
                code("toml", &settings)
            ),
        );
        text
    }

    /// The entries that the hub reads, as YAML. A quoted string of JSON is also one of YAML.
    fn front_matter(&self, options: &HubOptions, timm: bool, name: &str) -> String {
        let quoted = |text: &str| json!(text).to_string();
        let mut yaml = format!("license: {}\n", quoted(&options.license));
        push(&mut yaml, format_args!("library_name: {}\n", if timm { "timm" } else { "shadegrad" }));
        push(&mut yaml, format_args!("pipeline_tag: {}\n", self.task.pipeline));
        push(&mut yaml, format_args!("tags:\n- shadegrad\n- {}\n", self.from.card.network.name()));
        if let Some(dataset) = &options.dataset {
            push(&mut yaml, format_args!("datasets:\n- {}\n", quoted(dataset)));
        }
        let scores = self.best.iter().flat_map(|row| &row.scores).filter(|(score, _)| !score.of_training());
        let scores: Vec<String> = scores
            .filter(|(_, value)| value.is_finite())
            .map(|(score, value)| {
                let kind = score.key.trim_start_matches("val_");
                format!("    - type: {kind}\n      name: {}\n      value: {value}\n", quoted(&score.name))
            })
            .collect();
        if !scores.is_empty() {
            let data = options.dataset.clone().unwrap_or_else(|| self.data_name());
            push(
                &mut yaml,
                format_args!(
                    "model-index:\n- name: {}\n  results:\n  - task:\n      type: {}\n    dataset:\n      name: {}\n      \
                     type: {}\n    metrics:\n{}",
                    quoted(name),
                    self.task.pipeline,
                    quoted(&data),
                    quoted(&data),
                    scores.concat()
                ),
            );
        }
        yaml
    }

    fn settings(&self) -> toml::Table {
        let text = fs::read_to_string(self.run.config_path()).ok();
        text.and_then(|text| toml::from_str(&text).ok()).unwrap_or_default()
    }

    /// The data set's folder without its path, which names the machine that trained.
    fn data_name(&self) -> String {
        let settings = self.settings();
        let data = settings.get("data").and_then(|data| data.as_str());
        match data
            .map(|data| Path::new(data).file_name().map_or(data.into(), |name| name.to_string_lossy().into_owned()))
        {
            Some(name) => name,
            None => "built-in scenes".into(),
        }
    }

    fn data(&self, options: &HubOptions) -> String {
        let name = options.dataset.clone().unwrap_or_else(|| self.data_name());
        format!(
            "{name}: {} training and {} validation images.",
            self.facts.training_images, self.facts.validation_images
        )
    }
}

/// How the folder is used.
fn usage(timm: bool, commands: &str) -> String {
    let mut text = "## Use\n\n".to_owned();
    if timm {
        text += "```python\nimport timm\nmodel = timm.create_model(\"local-dir:FOLDER\", pretrained=True).eval()\n\
                 transform = timm.data.create_transform(**timm.data.resolve_model_data_config(model))\n```\n\n";
    }
    push(&mut text, format_args!("{}\n", code("sh", commands)));
    text
}

fn push(text: &mut String, piece: std::fmt::Arguments<'_>) {
    // Writing into memory does not fail.
    let _ = text.write_fmt(piece);
}
