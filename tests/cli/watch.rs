//! The server of `watch`: its token, the state of runs, and a page that follows them.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use shadegrad::run::FolderLock;

use crate::browser::{Browser, run_with_pictures};
use crate::support::Place;

/// A watch of a folder, ended when it is dropped.
struct Watching {
    child: Child,
    /// Without a reader of its output the server ends.
    _output: BufReader<ChildStdout>,
    address: String,
}

impl Watching {
    fn start(place: &Place, folders: &str) -> Self {
        let mut child = place.start(&format!("watch {folders}"));
        let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
        let mut line = String::new();
        output.read_line(&mut line).expect("reads");
        let address = line.trim().strip_prefix("open:    http://").unwrap_or_else(|| panic!("{line}")).to_owned();
        Watching { child, _output: output, address }
    }

    /// Status, head and body of the answer to a path with a query.
    fn get(&self, path: &str, question: &str) -> (u16, String, String) {
        let host = self.address.split('/').next().expect("a host");
        let mut stream = TcpStream::connect(host).expect("connects");
        let question = format!("GET {path}{question} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).expect("asks");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answers");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, head.to_owned(), body.to_owned())
    }

    fn question(&self) -> String {
        format!("?{}", self.address.split_once('?').expect("a token").1)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `metrics.csv` of a run with some epochs of 60 s.
fn metrics(epochs: u32) -> String {
    let mut csv =
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,images_per_s,data_wait,seconds\n".to_owned();
    for epoch in 1..=epochs {
        let accuracy = f64::from(epoch) / 100.0;
        writeln!(csv, "{epoch},1.5,0.5,1.25,{accuracy},0.001,100.0,0.0,{}", 60 * epoch).expect("memory");
    }
    csv
}

fn write_run(place: &Place, epochs: u32) {
    place.folder("run");
    place.write("run/config.toml", "task = \"classify\"\nmodel = \"resnet18\"\nepochs = 90\n");
    place.write("run/metrics.csv", metrics(epochs));
    place.write("run/resume.safetensors", "");
}

#[test]
fn a_watch_follows_a_run_and_shows_it_to_nobody_else() {
    let place = Place::new();
    write_run(&place, 3);
    let watch = Watching::start(&place, "run");
    let question = watch.question();
    for (path, question, status) in [("/", "", 403), ("/now", "?token=0", 403), ("/other", &*question, 404)] {
        let (found, _, body) = watch.get(path, question);
        assert_eq!(found, status, "{path}{question}");
        assert!(!body.contains("run"), "{body}");
    }
    let (status, head, page) = watch.get("/", &question);
    assert_eq!(status, 200);
    assert!(head.contains("default-src 'none'") && head.contains("no-store"), "{head}");
    assert!(page.contains("<td>stopped</td>") && page.contains("3 of 90"), "{page}");
    let version = |head: &str| head.lines().find_map(|line| line.strip_prefix("X-Version: ")).expect("one").to_owned();
    let first = version(&watch.get("/now", &question).1);
    assert!(page.contains(&format!("data-version=\"{first}\"")));
    // A process takes the lock of the run, and writes an epoch.
    let lock = FolderLock::take(&place.path("run")).expect("free");
    place.write("run/metrics.csv", metrics(5));
    let (_, head, now) = watch.get("/now", &question);
    assert_ne!(version(&head), first);
    assert!(now.contains("<td>training</td>") && now.contains("5 of 90"), "{now}");
    // 85 epochs of a minute; some of the first has passed.
    assert!(now.contains("1 h 24 min") || now.contains("1 h 25 min"), "{now}");
    assert!(now.contains(">5.0 %<"), "{now}");
    drop(lock);
    assert!(watch.get("/now", &question).2.contains("<td>stopped</td>"));
    // A file that cannot be read is named, and the watch goes on.
    place.write("run/config.toml", "epochs = = 3");
    assert!(watch.get("/", &question).2.contains("config.toml"));
    assert!(watch.get("/now", &question).2.contains("<td class=\"n\">5</td>"));
    write_run(&place, 6);
    assert!(watch.get("/now", &question).2.contains("6 of 90"));
}

/// Writes a run of segmentation with an epoch, beside the one of [`write_run`].
fn write_masks(place: &Place) {
    place.folder("masks");
    place.write("masks/config.toml", "task = \"segment\"\nmodel = \"unet\"\nepochs = 90\n");
    place.write(
        "masks/metrics.csv",
        "epoch,train_loss,val_loss,val_mean_iou,lr,images_per_s,data_wait,seconds\n1,1.5,1.25,0.25,0.001,100.0,0.0,60\n",
    );
}

#[test]
fn the_table_names_the_score_of_each_run() {
    let place = Place::new();
    write_run(&place, 3);
    write_masks(&place);
    let table = |folders: &str| {
        let watch = Watching::start(&place, folders);
        watch.get("/now", &watch.question()).2
    };
    let alone = table("run");
    assert!(alone.contains(">last accuracy</th>") && alone.contains(">best accuracy</th>"), "{alone}");
    assert!(alone.contains(">3.0 %<"), "{alone}");
    let several = table("run masks");
    assert!(several.contains(">last score</th>") && several.contains(">best score</th>"), "{several}");
    assert!(several.contains(">accuracy 3.0 %<") && several.contains(">mean IoU 0.250<"), "{several}");
    // A run without an epoch has no score yet, and the others keep theirs.
    place.write("masks/metrics.csv", "");
    let waiting = table("run masks");
    assert!(waiting.contains(">best accuracy</th>") && waiting.contains(">–</td>"), "{waiting}");
}

#[test]
fn a_folder_without_a_run_and_a_port_in_use_are_refused() {
    let place = Place::new();
    place.folder("empty");
    place.run("watch empty").refused(&["empty", "config.toml"]);
    write_run(&place, 1);
    let watch = Watching::start(&place, "run");
    let port = watch.address.split([':', '/']).nth(1).expect("a port");
    place.run(&format!("watch run --port {port}")).refused(&[port, "choose another port"]);
}

/// `cargo test --test cli browser -- --ignored`, with Chromium on the path.
#[test]
#[ignore = "needs Chromium"]
fn a_browser_follows_a_run() {
    let place = Place::new();
    write_run(&place, 1);
    let watch = Watching::start(&place, "run");
    let ended = AtomicBool::new(false);
    // In the virtual time of the browser, the page polls every few milliseconds.
    let page = std::thread::scope(|scope| {
        scope.spawn(|| {
            for epoch in 2.. {
                // Renamed, as the browser may ask at any moment.
                place.write("next.csv", metrics(epoch));
                std::fs::rename(place.path("next.csv"), place.path("run/metrics.csv")).expect("renamed");
                std::thread::sleep(Duration::from_millis(50));
                if ended.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let chromium = std::process::Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--virtual-time-budget=120000", "--dump-dom"])
            .arg(format!("http://{}", watch.address))
            .output();
        ended.store(true, Ordering::Relaxed);
        String::from_utf8(chromium.expect("Chromium starts").stdout).expect("UTF-8")
    });
    let served: u64 =
        page.split("data-version=\"").nth(1).and_then(|t| t.split('"').next()).expect("one").parse().expect("a number");
    let now = page.split(" of 90</td>").next().and_then(|t| t.rsplit('>').next()).expect("the table");
    let report = page.split(" of 90; not finished").next().and_then(|t| t.rsplit('>').next()).expect("the report");
    let [now, report]: [u32; 2] = [now, report].map(|text| text.parse().expect("an epoch"));
    assert!(now > 3 && report > 3 && served != 0, "the page stayed at epochs {now} and {report}");
}

/// What a reader opened stays open when the page renews itself.
#[test]
#[ignore = "needs Chromium"]
fn a_browser_keeps_what_is_open_while_the_page_follows() {
    let place = Place::new();
    run_with_pictures(&place);
    place.write("run/metrics.csv", metrics(3));
    let watch = Watching::start(&place, "run");
    let mut browser = Browser::open(&format!("http://{}", watch.address));
    browser.value("document.querySelector('details').open = true; document.querySelector('.pair > button').focus()");
    browser.press("Enter");
    browser.until("document.querySelectorAll(':popover-open').length === 1");
    place.write("run/metrics.csv", metrics(4));
    browser.until("document.getElementById('now').textContent.includes('4 of')");
    let shown = "[...document.querySelectorAll('main dd')].some((one) => one.textContent === '4')";
    assert_eq!(browser.value("document.querySelectorAll(':popover-open').length"), json!(1), "the picture stays");
    assert_eq!(browser.value(shown), json!(false));
    browser.press("Escape");
    browser.until(shown);
    assert_eq!(browser.value("document.querySelector('details').open"), json!(true), "unfolded errors");
    let label = browser.value("document.activeElement.getAttribute('aria-label')");
    assert_eq!(label, json!("01.jpg: ant, predicted as bee"), "the focus");
}

/// Runs of different tasks side by side: every score has its name, and a phone shows every column.
#[test]
#[ignore = "needs Chromium"]
fn a_browser_shows_runs_of_different_scores_side_by_side() {
    let place = Place::new();
    write_run(&place, 3);
    write_masks(&place);
    let watch = Watching::start(&place, "run masks");
    let mut browser = Browser::open(&format!("http://{}", watch.address));
    let cells =
        "[...document.querySelectorAll('#now td:last-child')].map((cell) => cell.textContent).sort().join(', ')";
    assert_eq!(browser.value(cells), json!("accuracy 3.0 %, mean IoU 0.250"));
    for width in [390, 1280] {
        browser.set_width(width);
        let right = browser.value("Math.max(...[...document.querySelectorAll('#now th, #now td')].map((cell) => cell.getBoundingClientRect().right))");
        assert!(right.as_f64() <= Some(f64::from(width)), "a column ends at {right} of {width} pixels");
    }
    place.write("run/metrics.csv", metrics(4));
    browser.until(&format!("{cells} === 'accuracy 4.0 %, mean IoU 0.250'"));
    // A run that can no longer be read leaves the page as it was, and the note says why.
    place.write("run/samples.png", "no picture");
    browser.until("document.getElementById('now').textContent.includes('samples.png')");
    assert_eq!(browser.value("document.querySelectorAll('main h2').length"), json!(2), "the report stays");
    std::fs::remove_file(place.path("run/samples.png")).expect("removed");
    write_run(&place, 5);
    browser.until(&format!("{cells} === 'accuracy 5.0 %, mean IoU 0.250'"));
}
