//! Comparison of several runs of one task.

use super::chart::{Chart, Line, charts};
use super::confusion::{ClassScores, class_scores};
use super::html::{Cell, Row, escaped, table};
use super::page::Page;
use super::record::{Record, duration};
use super::run::axis;
use crate::run::Score;
use crate::run::history::EpochRow;
use crate::run::pictures::Scale;
use crate::run::verdict::yardstick::within_chance;
use crate::text::capitalized;

/// Scores, curves, classes and settings of runs, one row or line per run.
pub(super) fn comparison(page: &mut Page, runs: &[Record], level: usize) {
    page.heading(level, "Comparison");
    page.add(&scores(runs));
    page.add(&chance(runs).unwrap_or_default());
    page.add(&charts(&curves(runs)));
    page.add(&classes(runs).unwrap_or_default());
    page.add(&settings(runs));
}

/// Validation scores that any of the runs has.
fn scores_of(runs: &[Record]) -> Vec<Score> {
    let mut scores: Vec<Score> = vec![];
    for score in runs.iter().flat_map(Record::scores).filter(|score| !score.of_training()) {
        if !scores.contains(score) {
            scores.push(score.clone());
        }
    }
    scores
}

/// Cells of a column. The best is marked if the score has a better direction.
fn column(values: &[Option<f64>], direction: f64, text: impl Fn(f64) -> String) -> Vec<Cell> {
    let good = || values.iter().flatten().copied().filter(|v| v.is_finite());
    let best = good().max_by(|a, b| (a * direction).total_cmp(&(b * direction))).map(&text);
    // Values that read alike are alike.
    let alike = good().all(|v| Some(text(v)) == best);
    let cell = |v: &Option<f64>| {
        let text = v.map_or("–".into(), &text);
        Cell { best: direction != 0.0 && !alike && best.as_ref() == Some(&text), text, bar: None }
    };
    values.iter().map(cell).collect()
}

/// Largest number of runs that are columns of a table, so that it fits a phone.
const RUN_COLUMNS: usize = 4;

/// A table of the runs' values: `head` names the runs and the values. Up to [`RUN_COLUMNS`] runs are columns; more are
/// rows.
fn by_run(caption: &str, head: Vec<String>, runs: &[Record], columns: &[Vec<Cell>]) -> String {
    if runs.len() <= RUN_COLUMNS {
        let row = |(name, cells): (&String, &Vec<Cell>)| {
            Row::of(std::iter::once(Cell::from(&name[..])).chain(cells.iter().cloned()))
        };
        let rows: Vec<Row> = head[1..].iter().zip(columns).map(row).collect();
        let names = std::iter::once(String::new()).chain(runs.iter().map(|run| run.name.clone())).collect::<Vec<_>>();
        return table(caption, &names, &rows);
    }
    let row = |(index, run): (usize, &Record)| {
        let cells = columns.iter().map(|column| column[index].clone());
        Row::of(std::iter::once(Cell::from(&run.name[..])).chain(cells))
    };
    let rows: Vec<Row> = runs.iter().enumerate().map(row).collect();
    table(caption, &head, &rows)
}

fn scores(runs: &[Record]) -> String {
    let best: Vec<Option<&EpochRow>> = runs.iter().map(Record::best).collect();
    let of_best = |value: &dyn Fn(&EpochRow) -> Option<f64>| -> Vec<Option<f64>> {
        best.iter().map(|row| row.and_then(value)).collect()
    };
    let mut head = vec!["run".to_owned()];
    let mut columns = vec![];
    for score in scores_of(runs) {
        head.push(score.name.to_string());
        columns.push(column(&of_best(&|row| row.score(&score)), score.direction(), |v| score.format(v)));
    }
    head.extend(["validation loss", "best epoch", "epochs", "images/s", "time", "device"].map(String::from));
    // The values of different losses do not compare.
    let is_one_loss = runs.iter().all(|run| run.setting("loss") == runs[0].setting("loss"));
    let direction = if is_one_loss { -1.0 } else { 0.0 };
    columns.push(column(&of_best(&|row| Some(row.val_loss)), direction, |v| format!("{v:.4}")));
    columns.push(column(&of_best(&|row| Some(row.epoch.into())), 0.0, |v| v.to_string()));
    columns.push(runs.iter().map(|run| run.rows.len().to_string().into()).collect());
    let speeds: Vec<_> = runs.iter().map(Record::speed).collect();
    columns.push(column(&speeds, 0.0, |v| format!("{v:.1}")));
    columns.push(runs.iter().map(|run| run.seconds().map_or("–".into(), duration).into()).collect());
    let device =
        |run: &Record| run.facts.as_ref().map_or_else(|| run.setting("device").to_owned(), |f| f.device.clone());
    columns.push(runs.iter().map(|run| device(run).into()).collect());
    by_run("Best epoch of each run", head, runs, &columns)
}

/// A note on the runs whose score differs from the best by chance: by less than two standard errors of the difference.
/// All runs must have the same validation images.
fn chance(runs: &[Record]) -> Option<String> {
    let score = runs.first()?.decisive()?;
    let data = runs[0].data()?;
    let known = |run: &Record| {
        let yardstick = run.facts.as_ref()?.yardstick.as_ref()?;
        (run.data() == Some(data)).then_some((run.name.clone(), run.best()?.score(score)?, yardstick.sigma?))
    };
    let mut known: Vec<(String, f64, f64)> = runs.iter().map(known).collect::<Option<_>>()?;
    known.sort_by(|a, b| score.merit(b.1).total_cmp(&score.merit(a.1)));
    let (_, best, sigma) = known[0];
    let within = within_chance(sigma);
    let alike = known.iter().filter(|(_, value, _)| score.merit(best) - score.merit(*value) < within);
    let names: Vec<&str> = alike.map(|(name, ..)| name.as_str()).collect();
    let (last, others) = names.split_last().filter(|(_, others)| !others.is_empty())?;
    Some(format!(
        "<p>{} and {} differ by less than two standard errors of a difference ({}): their order may be chance.</p>\n",
        escaped(others.join(", ")),
        escaped(last),
        score.format_difference(within)
    ))
}

/// Losses and validation scores, one line per run.
pub(super) fn curves(runs: &[Record]) -> Vec<Chart> {
    let lines = |value: &dyn Fn(&EpochRow) -> Option<f64>| -> Vec<Line> {
        let best = |run: &Record| run.best().map(|row| row.epoch);
        let line = |run: &Record| Line { name: run.name.clone(), points: run.points(value), best: best(run) };
        runs.iter().map(line).filter(|line| !line.points.is_empty()).collect()
    };
    let chart = |title: &str, lines| Chart {
        title: title.into(),
        axis: "mean loss".into(),
        scale: Scale::Loss,
        score: None,
        color: 0,
        lines,
        best: None,
    };
    let mut list = vec![
        chart("Training loss", lines(&|row| Some(row.train_loss))),
        chart("Validation loss", lines(&|row| Some(row.val_loss))),
    ];
    for score in scores_of(runs) {
        let (scale, axis) = (Scale::of(score.unit), axis(runs.first(), &score));
        let lines = lines(&|row| row.score(&score));
        list.push(Chart {
            title: capitalized(&score.name),
            axis,
            scale,
            score: Some(score.clone()),
            color: 0,
            lines,
            best: None,
        });
    }
    list
}

/// Scores of each class, one column per run. `None` if the runs have different classes.
fn classes(runs: &[Record]) -> Option<String> {
    let found: Vec<_> = runs.iter().map(class_scores).collect::<Option<_>>()?;
    let ClassScores { score, classes: names, .. } = found.first()?;
    if !found.iter().all(|other| other.classes == *names) {
        return None;
    }
    let head: Vec<String> =
        std::iter::once("class".to_owned()).chain(runs.iter().map(|run| run.name.clone())).collect();
    let row = |(class, name): (usize, &String)| {
        let values: Vec<Option<f64>> = found.iter().map(|scores| scores.values[class]).collect();
        let cells = column(&values, 1.0, |v| format!("{v:.3}"));
        Row::of(std::iter::once(Cell::from(&name[..])).chain(cells))
    };
    let rows: Vec<Row> = names.iter().enumerate().map(row).collect();
    Some(table(&format!("{score} of each class, after the best epoch"), &head, &rows))
}

/// All settings. Equal ones are folded.
fn settings(runs: &[Record]) -> String {
    let mut keys: Vec<&str> = vec![];
    for (key, _) in runs.iter().flat_map(|run| &run.settings) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let differs = |key: &str| runs.iter().any(|run| run.setting(key) != runs[0].setting(key));
    let (different, same): (Vec<&str>, Vec<&str>) = keys.into_iter().partition(|key| differs(key));
    let row = |key: &str, differs: bool| {
        let name = if differs { format!("≠ {key}") } else { key.to_owned() };
        let value = |run: &Record| Cell::from(if run.setting(key).is_empty() { "–" } else { run.setting(key) });
        Row { cells: std::iter::once(name.into()).chain(runs.iter().map(value)).collect(), differs }
    };
    let head: Vec<String> =
        std::iter::once("setting".to_owned()).chain(runs.iter().map(|run| run.name.clone())).collect();
    let listed = |caption: &str, keys: &[&str], differs: bool| {
        let rows: Vec<Row> = keys.iter().map(|key| row(key, differs)).collect();
        table(caption, &head, &rows)
    };
    let mut html = String::new();
    if !different.is_empty() {
        html += &listed("Settings that differ", &different, true);
    }
    let count = same.len();
    html + &format!(
        "<details><summary>{count} equal settings</summary>\n{}</details>\n",
        listed("Settings that are equal", &same, false)
    )
}
