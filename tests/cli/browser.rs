//! Pages in a real browser: `cargo test --test cli browser -- --ignored`, with Chromium on the path.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use image::{Rgb, RgbImage};
use serde_json::{Value as Json, json};

use crate::support::Place;

/// Chromium with a page, driven by the messages of its debugging protocol over pipes.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    session: Option<String>,
    number: u64,
}

impl Browser {
    /// Opens an address.
    pub fn open(address: &str) -> Self {
        // The protocol uses the file descriptors 3 and 4.
        let flags = "--headless --no-sandbox --disable-gpu --remote-debugging-pipe about:blank";
        let line = format!("exec chromium {flags} 3<&0 4>&1 </dev/null >/dev/null 2>&1");
        let mut shell = Command::new("sh");
        let mut child =
            shell.args(["-c", &line]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("Chromium starts");
        let (input, output) = (child.stdin.take().expect("a pipe"), child.stdout.take().expect("a pipe"));
        let mut browser = Browser { child, input, output: BufReader::new(output), session: None, number: 0 };
        let target = browser.call("Target.createTarget", json!({ "url": address }))["targetId"].clone();
        let attached = browser.call("Target.attachToTarget", json!({ "targetId": target, "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.until("document.readyState === 'complete' && location.href !== 'about:blank'");
        browser
    }

    /// The answer to a message.
    fn call(&mut self, method: &str, params: Json) -> Json {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).expect("writes");
        loop {
            let mut bytes = vec![];
            self.output.read_until(0, &mut bytes).expect("reads");
            let answer: Json = serde_json::from_slice(bytes.strip_suffix(b"\0").expect("a message")).expect("JSON");
            if answer["id"] == json!(self.number) {
                assert!(answer.get("error").is_none(), "{method}: {answer}");
                return answer["result"].clone();
            }
        }
    }

    /// The value of an expression.
    pub fn value(&mut self, expression: &str) -> Json {
        let params = json!({ "expression": expression, "returnByValue": true });
        self.call("Runtime.evaluate", params)["result"]["value"].clone()
    }

    /// Makes the window as wide as that of a phone, or wider.
    pub fn set_width(&mut self, width: u32) {
        let size = json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500 });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// Waits until an expression is true.
    pub fn until(&mut self, expression: &str) {
        for _ in 0..300 {
            if self.value(expression) == json!(true) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{expression} stayed false");
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Escape" => (27, ""),
            "Tab" => (9, ""),
            " " => (32, " "),
            other => panic!("no code of {other}"),
        };
        let mut event = json!({ "type": "keyDown", "key": key, "windowsVirtualKeyCode": code, "text": text });
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = json!("keyUp");
        self.call("Input.dispatchKeyEvent", event);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A run with wrong predictions and a picture of predictions.
pub fn run_with_pictures(place: &Place) {
    place.folder("run/errors");
    place.write("run/config.toml", "task = \"classify\"\nmodel = \"resnet18\"\nepochs = 2\n");
    place.write(
        "run/metrics.csv",
        "epoch,train_loss,train_accuracy,val_loss,val_accuracy,lr,images_per_s,data_wait,seconds\n1,1.5,0.5,1.25,0.5,0.001,100.0,0.0,60\n",
    );
    // More than twelve are folded.
    let names: Vec<String> = (1..=14).map(|number| format!("{number:02}")).collect();
    let rows = names.iter().map(|name| format!("{name}.png,{name}.jpg,ant,bee,0.9\n"));
    let errors = format!("picture,image,truth,prediction,probability\n{}", rows.collect::<String>());
    place.write("run/errors/errors.csv", errors);
    for name in names.iter().map(|name| format!("errors/{name}")).chain(["samples".into()]) {
        let picture = RgbImage::from_fn(64, 48, |x, y| Rgb([(4 * x) as u8, (5 * y) as u8, 90]));
        picture.save(place.path(&format!("run/{name}.png"))).expect("writes a picture");
    }
}

/// Enlarged pictures of a page.
const OPEN: &str = "document.querySelectorAll(':popover-open').length";

#[test]
#[ignore = "needs Chromium"]
fn keys_open_a_picture_in_the_browser_and_escape_closes_it() {
    let place = Place::new();
    run_with_pictures(&place);
    place.run("report run").fine();
    let mut browser = Browser::open(&format!("file://{}", place.path("run/report.html").display()));
    for picture in [".pair", ".picture .zoom"] {
        let button = format!("document.querySelector('{picture} > button')");
        let before = browser.value(&format!("document.querySelector('{picture} img').width"));
        browser.value(&format!("{button}.focus()"));
        for key in ["Enter", " "] {
            browser.press(key);
            assert_eq!(browser.value(OPEN), json!(1), "{picture}: {key:?} opens");
            assert!(
                browser.value(&format!("document.querySelector('{picture}').getBoundingClientRect().width"))
                    == browser.value("innerWidth"),
                "over the whole window"
            );
            if picture == ".pair" {
                let large = browser.value("document.querySelector('.pair img').width");
                assert!(large.as_f64() > before.as_f64(), "{large} after {before}");
            }
            browser.press("Escape");
            assert_eq!(browser.value(OPEN), json!(0), "{picture}: Escape closes after {key:?}");
            assert_eq!(browser.value(&format!("document.activeElement === {button}")), json!(true), "{picture}: focus");
        }
        browser.press("Enter");
        browser.press("Enter");
        assert_eq!(browser.value(OPEN), json!(0), "{picture}: the same key closes");
    }
    // A keyboard reaches the next picture.
    browser.value("document.querySelector('.pair > button').focus()");
    browser.press("Tab");
    let label = browser.value("document.activeElement.getAttribute('aria-label')");
    assert_eq!(label, json!("02.jpg: ant, predicted as bee"));
}
