//! The HTML page of runs: its contents, escaped names and texts, and no other files.

use image::{Rgb, RgbImage};
use shadegrad::report::Report;
use shadegrad::run::{ConfusionMatrix, EpochRow, Score, TRAIN_ACCURACY};
use shadegrad::tasks::classify::ACCURACY;
use shadegrad::tasks::colorize::PSNR;
use shadegrad::tasks::segment::{MEAN_IOU, WEIGHTED_IOU};

use crate::support::{CLASSES, Place, TRAIN};

/// A class name that would end an element, an attribute, a style and a table.
const HOSTILE: &str = "</td></style><script>alert(\"1\")</script>&amp;'";

pub fn row(epoch: u32, scores: &[(Score, f64)]) -> EpochRow {
    EpochRow {
        epoch,
        train_loss: 0.3,
        val_loss: 1.0 / f64::from(epoch),
        scores: scores.to_vec(),
        lr: 1e-3,
        images_per_s: 1234.5,
        data_wait: 0.125,
        seconds: 2.25,
    }
}

fn metrics(rows: &[EpochRow]) -> Vec<u8> {
    let mut csv = vec![];
    EpochRow::write_csv(rows, &mut csv).expect("memory");
    csv
}

/// Writes a run folder with settings and epochs.
fn write_run(place: &Place, run: &str, config: &str, rows: &[EpochRow]) {
    place.folder(run);
    place.write(&format!("{run}/config.toml"), config);
    place.write(&format!("{run}/metrics.csv"), metrics(rows));
}

/// The page of these folders.
fn html(place: &Place, runs: &[&str]) -> String {
    let mut report = Report::new("Runs", shadegrad::tasks::cards());
    report.runs(&runs.iter().map(|run| place.path(run)).collect::<Vec<_>>()).expect("reads");
    checked(report.html())
}

/// Requires a page whose elements are closed in order, which needs no other file, whose links have their places, and whose
/// tables, pictures and boxes have their names.
fn checked(html: String) -> String {
    let mut open: Vec<&str> = vec![];
    for tag in html.split('<').skip(1) {
        let (tag, text) = tag.split_once('>').expect("a tag ends");
        assert!(tag == "style" || !text.contains('>'), "a `>` in text: {text}");
        let name = tag.split([' ', '\n']).next().expect("a name").trim_end_matches('/');
        match name.strip_prefix('/') {
            Some(name) => assert_eq!(open.pop(), Some(name), "closes what is open"),
            None if tag.ends_with('/') || ["!DOCTYPE", "meta", "input", "img", "br", "wbr"].contains(&name) => {}
            None => open.push(name),
        }
        assert!(name != "script" && name != "link" && name != "iframe", "{tag}");
        for address in tag.split([' ', '\n']).filter_map(|a| a.strip_prefix("src=\"").or(a.strip_prefix("href=\""))) {
            let kept = ["data:image/png;base64,", "data:image/jpeg;base64,", "#"];
            assert!(kept.iter().any(|start| address.starts_with(start)), "{address}");
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    // `url(#…)` is a part of the page.
    assert!(!html.contains("@import") && !html.replace("url(#", "").contains("url("), "the style needs no other file");
    assert!(html.contains("name=\"viewport\"") && html.contains("@media print"));
    let after = |start: &str| -> Vec<String> {
        html.split(start).skip(1).map(|rest| rest.split('"').next().expect("one").to_owned()).collect()
    };
    let ids = after(" id=\"");
    assert!(ids.iter().enumerate().all(|(at, id)| !ids[..at].contains(id)), "an id stands twice: {ids:?}");
    let links = [after(" href=\"#"), after(" popovertarget=\""), after(" for=\"")].concat();
    assert!(links.iter().all(|link| ids.contains(link)), "a link leads nowhere: {links:?} of {ids:?}");
    let tables: Vec<&str> = html.split("<table").skip(1).collect();
    assert!(tables.iter().all(|table| table.contains("<caption>")), "a table without a caption");
    assert!(!html.contains("<caption></caption>") && !html.contains(" aria-label=\"\""), "an empty name");
    // The pictures of an error are named by their button.
    let bare = html.split("<button").next().into_iter().chain(html.split("</button>").skip(1));
    let bare = bare.filter_map(|part| part.split("<button").next());
    assert!(bare.into_iter().all(|part| !part.contains("alt=\"\"")), "a picture without a name");
    html
}

#[track_caller]
fn holds(html: &str, parts: &[&str]) {
    for part in parts {
        assert!(html.contains(part), "no `{part}` in the page");
    }
}

/// Number of records in an event file. Their lengths must lead to its end.
fn records(bytes: &[u8]) -> usize {
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        let length = u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes")) as usize;
        (at, count) = (at + 16 + length, count + 1);
    }
    assert_eq!(at, bytes.len(), "the last record is whole");
    count
}

#[test]
fn a_report_shows_everything_of_a_trained_run() {
    let place = Place::with_photos(8);
    let quoted = HOSTILE.replace('"', "\"\"");
    // Every picture has a copy with the other label, so half of the predictions are wrong.
    let lines = (0..8).map(|i| {
        let (kind, part) = (["png", "jpg"][i % 2], if i < 4 { "train" } else { "val" });
        place.write(&format!("photos/disc/copy{i}.{kind}"), place.bytes(&format!("photos/disc/{i:02}.{kind}")));
        format!("disc/{i:02}.{kind},disc,{part}\ndisc/copy{i}.{kind},\"{quoted}\",{part}\n")
    });
    place.write("photos/labels.csv", format!("path,label,split\n{}", lines.collect::<String>()));
    let line = TRAIN.replace("photos", "photos/labels.csv");
    place.run(&format!("{line} --out run --epochs 2 --lr 1e-7 --tensorboard")).fine();
    assert_eq!(
        records(&place.bytes("run/events.out.tfevents.shadegrad")),
        8,
        "a header, settings, two epochs, curves, samples, Grad-CAM and the matrix"
    );
    let lines = String::from_utf8(place.bytes("run/metrics.jsonl")).expect("text");
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let rows = place.metrics("run");
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(&rows) {
        let columns = row.columns();
        assert_eq!(line.as_object().map(serde_json::Map::len), Some(columns.len()));
        for (name, value) in columns {
            // The JSON parser may be off by an ulp.
            let found = line[name].as_f64().expect("a number");
            assert!((found - value).abs() <= f64::EPSILON * value.abs(), "{name}: {found} for {value}");
        }
    }
    assert_eq!(lines[1]["epoch"].as_u64(), Some(2), "a whole number");
    place.run("report run").fine().printed(&["written: run/report.html"]);
    let html = checked(String::from_utf8(place.bytes("run/report.html")).expect("text"));
    assert!(!html.contains(HOSTILE) && !html.contains("<script"), "the class name is escaped");
    let name = "&lt;/td&gt;&lt;/style&gt;&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;amp;&#39;";
    let text = String::from_utf8(place.bytes("run/confusion.csv")).expect("text");
    let (names, counts) = ConfusionMatrix::from_csv(&text).expect("a matrix");
    assert!(names.contains(&HOSTILE.to_owned()) && counts.total() == 8, "{text}");
    let hostile = names.iter().position(|name| name == HOSTILE).expect("there");
    let other = 1 - hostile;
    for (truth, prediction, outcome) in [(hostile, other, (name, "disc")), (other, hostile, ("disc", name))] {
        let count = counts.count(truth, prediction);
        let right = 4 - count;
        let sentence = format!(
            "Of 4 images of <b>{0}</b>, <b>{right}</b> are predicted as {0} and <b>{count}</b> as {1}.",
            outcome.0, outcome.1
        );
        holds(&html, &[&sentence]);
    }
    holds(&html, &["<svg", "Learning rate", "<dt>device</dt><dd>CPU", "<dt>tensorboard</dt><dd>true</dd>"]);
    holds(
        &html,
        &["8 training, 8 validation", "<dt>parameters</dt>", "1e-7", "scope=\"row\"", "Validation images with"],
    );
    let errors = counts.total() - counts.count(0, 0) - counts.count(1, 1);
    assert_eq!(errors, 4);
    assert_eq!(html.matches("<br>truth: ").count() as u64, errors, "each error with its picture and probability");
    // The image, and the image as the network sees it.
    assert_eq!(html.matches("src=\"data:image/png;base64,iVBORw0KGgo").count() as u64, 2 * errors);
    // The sheets of predictions and of Grad-CAM; photographs keep their colors on a dark page.
    assert_eq!(html.matches(" href=\"data:image/png;base64,iVBORw0KGgo").count(), 2);
    assert_eq!(html.matches("clip-path=\"url(#").count(), 2);
    holds(&html, &["Dead units", "conv1, epoch 1: "]);
    holds(
        &html,
        &["Can it be trusted?", "Expected calibration error", "AUROC", "settings at their defaults", "the best:"],
    );
    place.run("report run").refused(&["run/report.html exists already", "--out", "move it away"]);
    place.run("report run --out other.html --title <&>").fine().printed(&["written: other.html"]);
    holds(&String::from_utf8(place.bytes("other.html")).expect("text"), &["<h1>&lt;&amp;&gt;</h1>"]);
}

#[test]
fn values_that_are_not_finite_leave_gaps() {
    let place = Place::new();
    let values = [0.5, f64::NAN, f64::INFINITY, 1e300, 0.6, f64::NEG_INFINITY];
    let rows = values.iter().enumerate().map(|(i, &v)| {
        let mut row = row(i as u32 + 1, &[(TRAIN_ACCURACY, v), (ACCURACY, v)]);
        (row.train_loss, row.lr, row.images_per_s) = (v, v, v);
        row
    });
    write_run(&place, "run", "lr = 1e-3\n", &rows.collect::<Vec<_>>());
    let html = html(&place, &["run"]);
    let drawn = html.split("<polyline").skip(1).map(|line| line.split("/>").next().expect("an end"));
    let drawn: Vec<&str> =
        drawn.chain(html.split("<circle").skip(1).map(|c| c.split('>').next().expect("an end"))).collect();
    assert!(drawn.len() > 8);
    for part in drawn {
        assert!(!part.contains("NaN") && !part.contains("inf") && part.len() < 400, "{part}");
    }
    holds(&html, &["<th scope=\"row\">epoch</th><td class=\"n\">4</td><td class=\"n\">6</td>"]);
}

#[test]
fn runs_of_a_task_are_compared_and_their_settings_marked() {
    let place = Place::new();
    for (run, lr, iou) in [("a", "1e-3", [0.5, 0.7]), ("b", "1e-4", [0.25, 0.2])] {
        let scores = |v: f64| [(TRAIN_ACCURACY, 0.5), (MEAN_IOU, v), (WEIGHTED_IOU, v)];
        let rows = [row(1, &scores(iou[0])), row(2, &scores(iou[1]))];
        write_run(&place, &format!("runs/{run}"), &format!("lr = {lr}\nepochs = 2\nout = \"{run}\"\n"), &rows);
        let counts = if run == "a" { "sky,30,10\nroad,0,60\n" } else { "sky,0,40\nroad,0,60\n" };
        place.write(&format!("runs/{run}/confusion.csv"), format!("truth,sky,road\n{counts}"));
    }
    write_run(&place, "runs/c", "skips = true\n", &[row(1, &[(PSNR, 20.0)])]);
    let page = html(&place, &["runs/a", "runs/b", "runs/c"]);
    holds(
        &page,
        &[
            "Segmentation: 2 runs",
            "Colorization: c",
            "<strong>0.700</strong>",
            "Of 40 pixels of <b>sky</b>, <b>30</b> are predicted as sky and <b>10</b> as road.",
        ],
    );
    holds(&page, &["<tr class=\"differs\"><th scope=\"row\">≠ lr</th>", "<tr><th scope=\"row\">epochs</th>"]);
    // Run b is best at its first of two epochs: 0.250, and not 0.200.
    holds(
        &page,
        &["at the best epoch of each run (ring):", "b <b>0.250</b>", "<title>b, the best epoch, 1: 0.250</title>"],
    );
    // Pixels, precision and recall of sky under a: shares, as IoU is one.
    holds(
        &page,
        &["<th scope=\"row\">sky</th><td class=\"n\">40</td><td class=\"n\">1.000</td><td class=\"n\">0.750</td>"],
    );
    // IoU of sky: 30 of 40 under a, 0 of 40 under b.
    holds(&page, &["<th scope=\"row\">sky</th><td class=\"n\"><strong>0.750</strong></td><td class=\"n\">0.000</td>"]);
    assert!(!page.contains(">out<"), "a run's folder is no setting");
    place.run("report runs/a runs/b").fine().printed(&["written: runs/report.html"]);
    assert!(!html(&place, &["runs/a"]).contains('≠'));
}

/// Cross entropy over classes of colors is far above a mean distance, but not worse. Values of a single loss have a
/// best one.
#[test]
fn the_values_of_two_losses_have_no_order() {
    let place = Place::new();
    for (run, loss, value) in [("a", "l1", 0.0641), ("b", "classes", 2.6534), ("c", "l1", 0.0712)] {
        let row = EpochRow { val_loss: value, ..row(1, &[(PSNR, 25.0)]) };
        write_run(&place, run, &format!("loss = \"{loss}\"\n"), &[row]);
    }
    holds(&html(&place, &["a", "b"]), &["<td class=\"n\">0.0641</td><td class=\"n\">2.6534</td>"]);
    holds(&html(&place, &["a", "c"]), &["<td class=\"n\"><strong>0.0641</strong></td><td class=\"n\">0.0712</td>"]);
}

#[test]
fn a_sweep_shows_its_table_and_its_best_run() {
    let place = Place::new();
    for (run, accuracy) in [("001", 0.5), ("002", 0.75)] {
        let scores = [(TRAIN_ACCURACY, accuracy), (ACCURACY, accuracy)];
        write_run(&place, &format!("s/{run}"), "lr = 1e-3\n", &[row(1, &scores)]);
    }
    let table =
        "rank,optimizer,accuracy,best epoch,run\n1,adam,75.0 %,1,002\n2,sgd,50.0 %,1,001\n3,<sgd>,diverged,0,003\n";
    place.write("s/sweep.csv", table);
    // Whether the order may be chance is computed from numbers, not from the text of a table.
    let score = serde_json::json!({ "key": "val_accuracy", "name": "accuracy", "unit": "percent", "better": "higher" });
    let chance = serde_json::json!({ "score": score, "rows": [], "within_chance": { "rows": 2, "difference": 0.081 } });
    place.write("s/sweep.json", chance.to_string());
    place.write("s/sweep.md", "| rank |\nRows 1 to 3 differ by nothing.\n");
    let page = html(&place, &["s"]);
    holds(
        &page,
        &[
            "<p>Rows 1 to 2 differ by less than two standard errors of a difference (8.1 points): their order may be chance.</p>",
        ],
    );
    assert!(!page.contains("by nothing"));
    holds(&page, &["Sweep: s", "<td>&lt;sgd&gt;</td>", "The best run: 002", "Curves of the best 2 runs"]);
    place.run("report s").fine().printed(&["written: s/report.html"]);
    // A sweep whose runs have no epoch has no curves.
    write_run(&place, "t/001", "lr = 1e-3\n", &[]);
    place.write("t/sweep.csv", "rank,accuracy,best epoch,run\n1,failed,0,001\n");
    let page = html(&place, &["t"]);
    assert!(!page.contains("Curves"), "{page}");
    holds(&page, &["No epoch of this run has ended."]);
}

#[test]
fn a_page_gathers_groups_prose_and_pictures() {
    let place = Place::with_photos(1);
    write_run(&place, "a", "lr = 1e-3\n", &[row(1, &[(PSNR, 20.0)])]);
    let mut report = Report::new("All", shadegrad::tasks::cards());
    report.heading("Colors & more");
    report.paragraph("Trained <here>.");
    report.runs(&[place.path("a")]).expect("reads");
    report.picture(&place.path("photos/disc/00.png"), "A \"disc\"").expect("reads");
    assert!(report.picture(&place.path("a/metrics.csv"), "").is_err(), "no picture");
    let html = checked(report.html());
    holds(&html, &["Colors &amp; more</h2>", "<p>Trained &lt;here&gt;.</p>", "alt=\"A &quot;disc&quot;\""]);
}

#[test]
fn a_folder_that_is_no_run_is_refused() {
    let place = Place::new();
    write_run(&place, "bad", "lr = 1e-3\n", &[row(1, &[(ACCURACY, 0.5)])]);
    place.write("bad/confusion.csv", "truth,a,b\na,1\n");
    place.folder("empty");
    place.write("taken.html", "mine");
    place.run("report empty").refused(&["empty is not a run folder", "config.toml"]);
    place.run("report bad").refused(&["bad/confusion.csv", "move it away"]);
    place.run("report nowhere").refused(&["nowhere", "check the path"]);
    place.run("report bad --out taken.html").refused(&["taken.html exists already"]);
    assert!(place.bytes("taken.html") == b"mine" && !place.has("bad/report.html"));
}

#[test]
fn an_unfinished_run_is_marked() {
    let place = Place::new();
    write_run(&place, "waiting", "epochs = 30\n", &[]);
    holds(&html(&place, &["waiting"]), &["<dt>epochs</dt><dd>0 of 30; not finished</dd>"]);
    write_run(&place, "run", "epochs = 8\n", &[row(1, &[]), row(2, &[])]);
    assert!(!html(&place, &["run"]).contains("not finished"));
    place.write("run/resume.safetensors", "");
    assert!(html(&place, &["run"]).contains("<dd>2 of 8; not finished</dd>"));
}

/// The commands of a verdict work as printed, and as the page shows them: a repeat of a named run gets a free name.
#[test]
fn commands_of_a_verdict_run_as_they_stand() {
    let place = Place::with_photos(4);
    let said = place.run(&format!("{TRAIN} --auto false --epochs 1 --lr 5 --out run")).fine();
    let again = "shadegrad train classify --config run/config.toml --lr 1.0e-3 --out run-2";
    assert!(said.stdout.contains(again), "{}", said.stdout);
    place.run("report run --out page.html").fine();
    let page = String::from_utf8(place.bytes("page.html")).expect("UTF-8");
    assert!(page.contains(again), "the page has the command");
    place.run(again.trim_start_matches("shadegrad ")).fine().printed(&["weights:  run-2/best.safetensors"]);
    place.run("lr-find classify --config run/config.toml --steps 10").fine();
}

/// The first step after a good training applies the model, to a validation image whose name needs quotes.
#[test]
fn the_first_step_predicts_for_a_validation_image() {
    let place = Place::new();
    place.photos("it's", &CLASSES, 20);
    let train = "train classify --model cnn --image-size 32 --device cpu --data it's --epochs 12 --lr 3e-3 --out good";
    let said = place.run(train).fine().stdout;
    let next = said.split_once("next:").expect("next steps").1.lines().next().expect("a command").trim();
    let image = next.strip_prefix(r"shadegrad predict good 'it'\''s/").and_then(|rest| rest.strip_suffix('\''));
    let image = format!("it's/{}", image.unwrap_or_else(|| panic!("{said}")));
    place.run(&format!("predict good {image} --device cpu")).fine().printed(&[&image, " %"]);
    place.run("report good --out page.html").fine();
    let page = String::from_utf8(place.bytes("page.html")).expect("UTF-8");
    assert!(page.contains(&next.replace('\'', "&#39;")), "the page has the command");
    // After the data has moved, the command takes a picture of the run, if it has any.
    std::fs::rename(place.path("it's"), place.path("elsewhere")).expect("moves");
    place.run("report good --out later.html").fine();
    let page = String::from_utf8(place.bytes("later.html")).expect("UTF-8");
    let is_picture = place.has("good/errors/01.png");
    let command = if is_picture { "shadegrad predict good good/errors/01.png" } else { "shadegrad eval good" };
    assert!(page.contains(&format!("{command}<")) || page.contains(&format!("{command}\n")), "{command}");
}

/// Labels are checked on the photographs themselves: errors keep their own size, up to 1200 pixels a side.
#[test]
fn errors_are_shown_at_their_own_size() {
    let place = Place::new();
    for (class, shift, (width, height)) in [("ant", 0, (500, 400)), ("bee", 20, (1500, 1200))] {
        place.folder(&format!("photos/{class}"));
        for index in 0..5 {
            let pixel = |x, y| Rgb([(x * 7 % 256) as u8, (y * 3 % 256) as u8, 40 * index + shift]);
            let path = place.path(&format!("photos/{class}/{index}.jpg"));
            RgbImage::from_fn(width, height, pixel).save(path).expect("writes a photograph");
        }
    }
    // Both images are alike and the rate is tiny, so the prediction for one of the two validation images is wrong.
    let line = "train classify --model cnn --data photos --image-size 16 --epochs 1 --lr 1e-9 --device cpu --out run";
    place.run(line).fine();
    let own = image::open(place.path("run/errors/01.jpg")).expect("a photograph").to_rgb8().dimensions();
    assert!([(500, 400), (1200, 960)].contains(&own), "{own:?}");
    let seen = image::open(place.path("run/errors/01-seen.png")).expect("a picture").to_rgb8().dimensions();
    assert_eq!(seen, (16, 16));
    let page = html(&place, &["run"]);
    holds(&page, &["src=\"data:image/jpeg;base64,/9j/"]);
    // The pair of an error, predictions and Grad-CAM open over the page: each button names the popover around it.
    let pictures: Vec<&str> = page.split(" popover>").skip(1).collect();
    assert_eq!(pictures.len(), page.matches("<div id=\"").count());
    assert!(pictures.len() >= 2, "{} pictures", pictures.len());
    for (before, after) in page.split(" popover>").zip(&pictures) {
        let id = before.rsplit("<div id=\"").next().and_then(|rest| rest.split('"').next()).expect("an id");
        assert!(after.starts_with(&format!("<button type=\"button\" popovertarget=\"{id}\" aria-label=\"")), "{id}");
        assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "the id is unique");
    }
    holds(&page, &[", predicted as ", "aria-description=\"opens at full size; Escape closes it\""]);
    // The page of one run links to its sections, after its headline.
    let (_, sections) = page.split_once("<nav class=\"sections\"").expect("links");
    for title in ["Curves", "Scores", "Predictions", "Most confident errors", "Settings"] {
        let (before, _) =
            sections.split_once(&format!("\">{title}</a>")).unwrap_or_else(|| panic!("no link to {title}"));
        let id = before.rsplit("href=\"#").next().expect("an id");
        holds(sections, &[&format!("<h3 id=\"{id}\">{title}</h3>")]);
    }
    // The best epoch of one epoch is the last.
    holds(&page, &["best and last epoch"]);
}
