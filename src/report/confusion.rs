//! The confusion matrix as a table with zoom, and the scores of each class.

use super::html::{Cell, Row, escaped, push, table};
use super::page::Page;
use super::record::Record;
use crate::run::ClassTrust;
use crate::run::confusion::{ClassScore, ConfusionMatrix};

/// Largest number of classes of a matrix. Above it the most frequent confusions are listed instead.
const MOST_CLASSES: usize = 128;
/// Number of listed confusions.
const LISTED: usize = 50;

/// The matrix, with truth in rows. Zoom needs no script: three radio buttons choose the size of the cells.
pub(super) fn matrix(page: &mut Page, names: &[String], matrix: &ConfusionMatrix, unit: &str) {
    if names.len() > MOST_CLASSES {
        page.add(&most_frequent(names, matrix, unit));
        return;
    }
    if let [first, second] = names {
        page.add(&sentences([first, second], matrix, unit));
        return;
    }
    let id = page.id();
    let chosen = match names.len() {
        0..=14 => 2,
        15..=32 => 1,
        _ => 0,
    };
    page.add("<div class=\"confusion\"><span>Cells:</span>");
    for (index, size) in ["small", "medium", "large"].into_iter().enumerate() {
        let checked = if index == chosen { " checked" } else { "" };
        page.push(format_args!(
            "<input type=\"radio\" name=\"{id}\" id=\"{id}{size}\" class=\"{size}\"{checked}>\
             <label for=\"{id}{size}\">{size}</label>"
        ));
    }
    page.add("\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"Confusion matrix\">");
    page.push(format_args!("<table class=\"matrix\" style=\"--n:{}\">\n", names.len()));
    page.add(
        "<caption>Truth in rows, prediction in columns; shaded by the share of the row. <span class=\"screen\">Point at a cell, or tap it, for \
         its count.</span></caption>\n<thead><tr><th scope=\"col\">truth</th>",
    );
    for name in names {
        page.push(format_args!("<th scope=\"col\"><span>{}</span></th>", escaped(name)));
    }
    page.add("</tr></thead>\n<tbody>\n");
    for (truth, name) in names.iter().enumerate() {
        page.push(format_args!("<tr><th scope=\"row\">{}</th>", escaped(name)));
        (0..names.len()).for_each(|prediction| page.add(&cell(names, matrix, truth, prediction, unit)));
        page.add("</tr>\n");
    }
    page.add("</tbody></table></div></div>\n");
}

/// Two sentences about a matrix of two classes.
fn sentences(names: [&String; 2], matrix: &ConfusionMatrix, unit: &str) -> String {
    let mut html = String::new();
    for truth in [0, 1] {
        let (own, other) = (escaped(names[truth]), escaped(names[1 - truth]));
        let (total, right, wrong) =
            (matrix.row_total(truth), matrix.count(truth, truth), matrix.count(truth, 1 - truth));
        push(
            &mut html,
            format_args!(
                "<p>Of {total} {unit} of <b>{own}</b>, <b>{right}</b> are predicted as {own} and <b>{wrong}</b> as {other}.</p>\n"
            ),
        );
    }
    html
}

fn cell(names: &[String], matrix: &ConfusionMatrix, truth: usize, prediction: usize, unit: &str) -> String {
    let (count, total) = (matrix.count(truth, prediction), matrix.row_total(truth));
    let share = count as f64 / total.max(1) as f64;
    let (name, predicted, percent) = (escaped(&names[truth]), escaped(&names[prediction]), 100.0 * share);
    let mut html = String::from("<td");
    if count > 0 {
        // The square root makes a few mistakes among many visible.
        push(&mut html, format_args!(" style=\"--s:{:.3}\"", share.sqrt()));
    }
    let class = match (truth == prediction, share > 0.3) {
        (true, true) => " class=\"right deep\"",
        (true, false) => " class=\"right\"",
        (false, true) => " class=\"deep\"",
        (false, false) => "",
    };
    push(
        &mut html,
        format_args!(
            "{class} tabindex=\"-1\" data-tip=\"{name} predicted as {predicted}: {count} of {total} {unit}, \
             {percent:.1} %\">{}</td>",
            if count > 0 { short(count) } else { String::new() }
        ),
    );
    html
}

/// A count in at most four characters.
fn short(count: u64) -> String {
    let n = count as f64;
    match count {
        0..10_000 => count.to_string(),
        10_000..1_000_000 => format!("{:.0}k", n / 1e3),
        1_000_000..10_000_000 => format!("{:.1}M", n / 1e6),
        10_000_000..1_000_000_000 => format!("{:.0}M", n / 1e6),
        _ => format!("{:.0}G", n / 1e9),
    }
}

fn most_frequent(names: &[String], matrix: &ConfusionMatrix, unit: &str) -> String {
    let classes = 0..names.len();
    let mut pairs: Vec<(u64, usize, usize)> = classes
        .clone()
        .flat_map(|truth| classes.clone().map(move |prediction| (truth, prediction)))
        .filter(|(truth, prediction)| truth != prediction)
        .map(|(truth, prediction)| (matrix.count(truth, prediction), truth, prediction))
        .filter(|(count, ..)| *count > 0)
        .collect();
    pairs.sort_by_key(|&(count, truth, prediction)| (std::cmp::Reverse(count), truth, prediction));
    let row = |&(count, truth, prediction): &(u64, usize, usize)| {
        Row::of([names[truth].clone(), names[prediction].clone(), count.to_string()])
    };
    let rows: Vec<Row> = pairs.iter().take(LISTED).map(row).collect();
    table("Most frequent confusions", &["truth", "predicted as", unit].map(String::from), &rows)
}

/// The per-class score of a run's task.
pub(super) struct ClassScores<'a> {
    /// Its name.
    pub score: &'static str,
    pub classes: &'a [String],
    pub values: Vec<Option<f64>>,
}

/// Scores of the classes, for runs with counts.
pub(super) fn class_scores(run: &Record) -> Option<ClassScores<'_>> {
    let (classes, matrix) = run.confusion.as_ref()?;
    let score = run.card.as_ref().and_then(|card| card.confusion.as_ref()).map_or(ClassScore::F1, |c| c.score);
    Some(ClassScores { score: score.name(), classes, values: matrix.class_scores(score) })
}

/// The unit of a run's confusion matrix.
pub(super) fn unit(run: &Record) -> &str {
    run.card.as_ref().and_then(|card| card.confusion.as_ref()).map_or("images", |c| &c.unit)
}

/// Scores of each class of one run.
pub(super) fn classes(run: &Record) -> Option<String> {
    let ClassScores { score, classes, values } = class_scores(run)?;
    let (_, matrix) = run.confusion.as_ref()?;
    let unit = unit(run);
    let decimals = |share: f64| format!("{share:.3}");
    let plain = |share: Option<f64>| Cell::from(share.map_or("–".into(), decimals));
    type Further = fn(&ClassTrust) -> Option<f64>;
    let further: [(&str, Further); 2] = [("AUROC", |class| class.auroc), ("boundary F1", |class| class.boundary_f1)];
    let trusted = run.trust.as_ref().map_or(&[][..], |trust| &trust.classes);
    let further = further.into_iter().filter(|(_, value)| trusted.iter().any(|class| value(class).is_some()));
    let further: Vec<(&str, Further)> = further.collect();
    let rows: Vec<Row> = values
        .into_iter()
        .enumerate()
        .map(|(class, value)| {
            let mut cells = vec![
                classes[class].clone().into(),
                matrix.row_total(class).to_string().into(),
                plain(matrix.precision(class)),
                plain(matrix.recall(class)),
                Cell::bar(value, decimals),
            ];
            let of_class = trusted.iter().find(|known| known.class == classes[class]);
            cells.extend(further.iter().map(|(_, value)| plain(of_class.and_then(value))));
            Row::of(cells)
        })
        .collect();
    let head = ["class", unit, "precision", "recall", score].into_iter().chain(further.iter().map(|(name, _)| *name));
    Some(table("Scores of each class", &head.map(String::from).collect::<Vec<_>>(), &rows))
}
