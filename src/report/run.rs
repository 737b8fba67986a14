//! The section of one run.

use std::path::Path;

use super::chart::{COLORS, Chart, Line, charts};
use super::confusion;
use super::html::{Row, data_uri, enlarging, escaped, table, with_code};
use super::layers;
use super::page::Page;
use super::record::{Record, duration};
use super::{trust, verdict};
use crate::data::Decisions;
use crate::run::Score;
use crate::run::history::EpochRow;
use crate::run::mistakes::Mistake;
use crate::run::pictures::Scale;

/// All of a run except its settings, below its heading of `level - 1`.
pub(super) fn section(page: &mut Page, run: &Record, level: usize) {
    if let Some(verdict) = run.facts.as_ref().and_then(|facts| facts.verdict.as_ref()) {
        verdict::section(page, run, verdict);
    } else if run.unfinished && !run.rows.is_empty() {
        verdict::unfinished(page, run);
    }
    facts(page, run);
    page.mark();
    for line in &run.damage {
        page.push(format_args!("<p class=\"note\">{}</p>\n", escaped(line)));
    }
    if run.rows.is_empty() {
        page.add("<p class=\"note\">No epoch of this run has ended.</p>\n");
    } else {
        page.section(level, "Curves");
        page.add(&charts(&curves(run)));
        page.add(&softened(run));
        page.section(level, "Scores");
        page.add(&scores(run));
    }
    if let Some(trust) = &run.trust {
        trust::section(page, trust, level);
    }
    confusion_and_tables(page, run, level);
    pictures(page, run, level);
    mistakes(page, run, level);
    if !run.layers.is_empty() {
        layer_strips(page, run, level);
    }
    if let Some(decisions) = run.facts.as_ref().and_then(|facts| facts.decisions.as_ref()) {
        data(page, decisions, level);
    }
}

/// The settings of a run, those at their defaults folded.
pub(super) fn settings(page: &mut Page, run: &Record, level: usize) {
    page.section(level, "Settings");
    let (default, changed): (Vec<_>, Vec<_>) = run.settings.iter().partition(|one| run.defaults.contains(one));
    listed(page, &changed, &run.reasons);
    if !default.is_empty() {
        page.push(format_args!("<details><summary>{} settings at their defaults</summary>\n", default.len()));
        listed(page, &default, &[]);
        page.add("</details>\n");
    }
}

/// The confusion matrix with the scores of each class, and the tables of the task.
fn confusion_and_tables(page: &mut Page, run: &Record, level: usize) {
    if let Some((names, matrix)) = &run.confusion {
        page.section(level, "Confusion matrix");
        confusion::matrix(page, names, matrix, confusion::unit(run));
        page.section(level, "Classes");
        page.add(&confusion::classes(run).unwrap_or_default());
    } else if let Some(png) = &run.confusion_picture {
        page.section(level, "Confusion matrix");
        page.picture(png, "Confusion matrix", "Truth in rows, prediction in columns.");
    }
    for (title, caption, rows) in &run.tables {
        page.section(level, title);
        page.add(&rows.html(caption));
    }
}

/// The sheets of predictions and of Grad-CAM.
fn pictures(page: &mut Page, run: &Record, level: usize) {
    if let Some(png) = &run.samples {
        page.section(level, "Predictions");
        let alt = format!("Validation images with predictions of {}", run.name);
        page.picture(png, &alt, "Validation images after the best epoch.");
    }
    if let Some(png) = &run.gradcam {
        page.section(level, "What it looks at");
        let alt = format!("Grad-CAM of validation images of {}", run.name);
        let caption = match confusion::unit(run) {
            "pixels" => {
                "Each image, the pixels of the class named below them, and the map of that class. Yellow parts raise the class \
                 most; grey parts do not raise it."
            }
            _ => {
                "Each image beside the map of the class named below it. Yellow parts raise the class most; grey parts do not raise it."
            }
        };
        page.picture(png, &alt, caption);
    }
}

/// The layers over the epochs.
fn layer_strips(page: &mut Page, run: &Record, level: usize) {
    page.section(level, "Layers");
    let columns = match layers::epochs_per_column(&run.layers) {
        1 => "each column an epoch".to_owned(),
        step => format!("each column one of {step} epochs"),
    };
    page.push(format_args!(
        "<p>Each row is a layer, {columns}, measured on one batch at its end. A faint row of gradients learns little beside \
         the others. A dead unit is a channel whose ReLU is 0 everywhere in the batch: it learns nothing more. Many of them \
         point to a learning rate that is too high.</p>\n",
    ));
    page.add(&layers::strips(&run.layers));
}

/// Settings and their values, and below them the reasons of those that were chosen from data and device.
fn listed(page: &mut Page, settings: &[&(String, String)], reasons: &[(String, String)]) {
    page.add("<dl class=\"settings\">\n");
    for (key, value) in settings {
        page.push(format_args!("<div><dt>{}</dt><dd>{}</dd></div>\n", escaped(key), escaped(value)));
    }
    page.add("</dl>\n");
    if !reasons.is_empty() {
        page.add("<p class=\"note\">Chosen from data and device:</p>\n<ul class=\"reasons\">\n");
        for (key, reason) in reasons {
            page.push(format_args!("<li>{}: {}</li>\n", escaped(key), with_code(reason)));
        }
        page.add("</ul>\n");
    }
}

/// A short list of facts: score, task, device, data, speed.
fn facts(page: &mut Page, run: &Record) {
    let mut list: Vec<(&str, String)> = vec![];
    if let Some((score, best)) = run.decisive().zip(run.best()) {
        let value = best.score(score).map_or("–".into(), |v| score.format(v));
        // No line break between a number and its unit.
        let value = value.replace(' ', "\u{a0}");
        list.push(("best", format!("{} {value}, epoch\u{a0}{}", score.name, best.epoch)));
    }
    if let Some(facts) = &run.facts {
        let [height, width] = facts.image_size;
        list.push(("task", format!("{} ({})", facts.task, run.setting("model"))));
        list.push(("device", facts.device.clone()));
        list.push(("parameters", thousands(facts.parameters)));
        let (training, validation) = (thousands(facts.training_images), thousands(facts.validation_images));
        list.push(("images", format!("{training} training, {validation} validation, {height}\u{a0}×\u{a0}{width}")));
    } else {
        let entry = |key| (key, run.setting(key).to_owned());
        list.extend([entry("model"), entry("device")].into_iter().filter(|(_, value)| !value.is_empty()));
    }
    let epochs = match run.unfinished || run.rows.is_empty() {
        true => format!("{} of {}; not finished", run.rows.len(), run.setting("epochs")),
        false => run.rows.len().to_string(),
    };
    list.push(("epochs", epochs));
    if let Some(speed) = run.speed() {
        list.push(("speed", format!("{speed:.1} images/s")));
    }
    if let Some(seconds) = run.seconds() {
        list.push(("time", duration(seconds)));
    }
    page.add("<dl class=\"facts\">\n");
    for (key, value) in list {
        page.push(format_args!("<div><dt>{key}</dt><dd>{}</dd></div>\n", escaped(value)));
    }
    if let Some(rates) = run.facts.as_ref().and_then(|facts| facts.rates.as_ref()) {
        page.push(format_args!("<div class=\"wide\"><dt>learning rates</dt><dd>{}</dd></div>\n", escaped(rates)));
    }
    page.add("</dl>\n");
}

/// The decisions about the data set.
fn data(page: &mut Page, decisions: &Decisions, level: usize) {
    page.section(level, "Data");
    page.add("<dl class=\"settings\">\n");
    for (label, text) in decisions.rows(usize::MAX) {
        page.push(format_args!("<div><dt>{label}</dt><dd>{}</dd></div>\n", escaped(text)));
    }
    page.add("</dl>\n");
}

/// A whole number with separated thousands.
fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&[u8]> = digits.as_bytes().rchunks(3).rev().collect();
    groups.iter().map(|group| String::from_utf8_lossy(group)).collect::<Vec<_>>().join("\u{202f}")
}

/// Name of a score's axis: that of its panel in the task.
pub(super) fn axis(run: Option<&Record>, score: &Score) -> String {
    let mut panels = run.into_iter().flat_map(|run| &run.card).flat_map(|card| &card.panels);
    let panel = panels.find(|panel| panel.lines.iter().any(|(_, line)| line == score));
    panel.map_or_else(|| score.name.to_string(), |panel| panel.axis.to_string())
}

/// Loss, the panels of the task's scores, and learning rate.
fn curves(run: &Record) -> Vec<Chart> {
    let line = |name: &str, value: &dyn Fn(&EpochRow) -> Option<f64>| Line {
        name: name.into(),
        points: run.points(value),
        best: None,
    };
    let loss = vec![line("training", &|r| Some(r.train_loss)), line("validation", &|r| Some(r.val_loss))];
    let best = run.best().map(|row| row.epoch);
    let chart = |title: &str, axis: &str, scale, lines| Chart {
        title: title.into(),
        axis: axis.into(),
        scale,
        score: None,
        color: 0,
        lines,
        best,
    };
    let mut list = vec![chart("Loss", "mean loss", Scale::Loss, loss)];
    let there = |score: &Score| run.scores().any(|s| s == score);
    for panel in run.card.iter().flat_map(|card| &card.panels) {
        // The last line of a panel identifies the task's panel.
        if panel.lines.last().is_some_and(|(_, score)| there(score)) {
            let lines = || panel.lines.iter().filter(|(_, score)| there(score));
            let drawn = lines().map(|(name, score)| line(name, &|r| r.score(score))).collect();
            // Lines of training have the first color, those of validation the second. Panels of several lines without
            // training start at the third.
            let trains = lines().any(|(_, score)| score.of_training());
            let color = if trains || lines().count() == 1 { usize::from(!trains) } else { 2 };
            let score = lines().next().map(|(_, score)| score.clone());
            list.push(Chart { score, color, ..chart(&panel.title, &panel.axis, Scale::of(panel.unit()), drawn) });
        }
    }
    let rate = vec![line("at the epoch's end", &|r| Some(r.lr))];
    list.push(Chart { color: COLORS - 1, ..chart("Learning rate", "learning rate", Scale::Loss, rate) });
    list
}

/// A note on settings that change the loss and accuracy of the training, but not of the validation.
fn softened(run: &Record) -> String {
    let kinds = [("mixup", "mixup"), ("cutmix", "CutMix"), ("label_smoothing", "label smoothing")];
    let on = |key: &str| run.setting(key).parse::<f64>().is_ok_and(|value| value > 0.0);
    let mut names: Vec<&str> = kinds.iter().filter(|(key, _)| on(key)).map(|&(_, name)| name).collect();
    if !matches!(run.setting("augment"), "" | "none") {
        names.push("augmentation");
    }
    if names.is_empty() {
        return String::new();
    }
    let (they, make, them) = if names.len() == 1 { ("It", "makes", "it") } else { ("They", "make", "them") };
    let names = names.join(", ");
    format!(
        "<p class=\"note\">Trained with {names}. {they} {make} training values worse; validation is measured without {them}.</p>\n"
    )
}

/// The best epoch and the last one, a row for each value: a table that fits a phone.
fn scores(run: &Record) -> String {
    let (best, last) = (run.best(), run.rows.last());
    let columns: Vec<(&str, &EpochRow)> = match best.zip(last) {
        Some((best, last)) if best.epoch == last.epoch => vec![("best and last epoch", best)],
        _ => best.map(|best| ("best epoch", best)).into_iter().chain(last.map(|last| ("last epoch", last))).collect(),
    };
    let head: Vec<String> =
        std::iter::once("").chain(columns.iter().map(|(name, _)| *name)).map(String::from).collect();
    let row = |name: &str, text: &dyn Fn(&EpochRow) -> String| {
        let cells = columns.iter().map(|(_, row)| text(row));
        Row::of(std::iter::once(name.to_owned()).chain(cells))
    };
    let mut rows = vec![
        row("epoch", &|row| row.epoch.to_string()),
        row("training loss", &|row| format!("{:.4}", row.train_loss)),
        row("validation loss", &|row| format!("{:.4}", row.val_loss)),
    ];
    let value = |row: &EpochRow, score: &Score| row.score(score).map_or("–".into(), |v| score.format(v));
    rows.extend(run.scores().map(|score| row(&score.name, &|row| value(row, score))));
    table("Scores of the best epoch and the last", &head, &rows)
}

/// Number of errors that are open on the page; the others are folded.
const OPEN: usize = 12;

/// The most confident errors, each with its picture.
fn mistakes(page: &mut Page, run: &Record, level: usize) {
    if run.mistakes.is_empty() {
        return;
    }
    page.section(level, "Most confident errors");
    page.add(
        "<p>Validation images that the model was most sure of, and wrong about, after its best epoch: each as its file has it, \
         and as the network sees it. <span class=\"screen\">Click a pair, or press Enter on it, to enlarge it; Escape closes it.</span></p>\n",
    );
    page.add("<div class=\"errors\">\n");
    for (index, (Mistake { image, truth, prediction, probability, .. }, [png, seen])) in run.mistakes.iter().enumerate()
    {
        if index == OPEN {
            let more = run.mistakes.len() - OPEN;
            page.push(format_args!("</div>\n<details><summary>{more} more</summary>\n<div class=\"errors\">\n"));
        }
        // The path below the folder of the data: the settings show the folder.
        let image = Path::new(image)
            .strip_prefix(run.setting("data"))
            .map_or(image.clone(), |below| below.display().to_string());
        page.add("<figure>");
        if !png.is_empty() {
            let mut pair = format!("<img src=\"{}\" alt=\"\">", data_uri(png));
            if !seen.is_empty() {
                pair += &format!("<img class=\"seen\" src=\"{}\" alt=\"\">", data_uri(seen));
            }
            let (id, name) = (page.id(), format!("{image}: {truth}, predicted as {prediction}"));
            page.add(&enlarging(&id, "pair", &name, &pair));
        }
        let (image, truth, prediction) = (escaped(image), escaped(truth), escaped(prediction));
        let path = image.replace('/', "/<wbr>");
        page.push(format_args!(
            "<figcaption><b>{prediction}</b> {:.1} %<br>truth: {truth}<br><small class=\"path\">{path}</small></figcaption></figure>\n",
            100.0 * probability
        ));
    }
    page.add(if run.mistakes.len() > OPEN { "</div>\n</details>\n" } else { "</div>\n" });
}
